//! `redact`: what must not be seen is taken out of texts, however deep they lie.

use std::borrow::Cow;
use std::sync::LazyLock;

use bumpalo::collections::Vec as BumpVec;
use regex::bytes::Regex;

use super::encode::hex_of;
use super::{Arguments, Function, fails, gives, optional, required};
use crate::error::EvalError;
use crate::kind::Kind;
use crate::nested::members_of;
use crate::value::{Object, Value};

const DEEP: Kind = Kind::STRING.or(Kind::ARRAY).or(Kind::OBJECT);

/// Social security numbers of the United States, as VRL finds them.
static SOCIAL_SECURITY_NUMBER: LazyLock<Option<Regex>> =
    LazyLock::new(|| Regex::new(r"(?:\d{3}-\d{2}-\d{4})").ok());

pub(super) const FUNCTIONS: &[Function] = &[Function::new(
    "redact",
    &[
        required("value", DEEP),
        required("filters", Kind::ARRAY),
        optional("redactor", Kind::STRING.or(Kind::OBJECT)),
    ],
    DEEP,
    "The text with every match of the filters replaced, in arrays and objects too. A filter is a regular expression, \
     `\"us_social_security_number\"`, or `{\"type\": \"pattern\", \"patterns\": [...]}`. The redactor is `\"full\"` (`[REDACTED]`), \
     `{\"type\": \"text\", \"replacement\": \"***\"}`, or `\"sha2\"` (SHA-256 in hexadecimal, so that the same is still known).",
    &[
        gives(
            "redact(string!(.a), [r'\\d{3}-\\d{4}'])",
            r#"{"a":"call 555-1234"}"#,
            r#""call [REDACTED]""#,
        ),
        gives(
            "redact(object!(.a), filters: [\"us_social_security_number\"], redactor: {\"type\": \"text\", \"replacement\": \"***\"})",
            r#"{"a":{"note":"is 123-45-6789","n":1}}"#,
            r#"{"note":"is ***","n":1}"#,
        ),
        gives(
            "redact(\"my id is 7\", filters: [{\"type\": \"pattern\", \"patterns\": [r'\\d']}])",
            "{}",
            r#""my id is [REDACTED]""#,
        ),
        fails(
            "redact!(\"x\", [.a])",
            r#"{"a":"phone"}"#,
            "`redact`: a filter is a regular expression, `us_social_security_number`, or an object of type `pattern`",
        ),
    ],
    |arguments| {
        let filters = filters(arguments)?;
        let redactor = Redactor::of(arguments)?;
        redact(arguments, arguments.value(0)?, &filters, &redactor)
    },
)
.settled()
.same_kind()];

/// What stands in place of a match.
enum Redactor<'a> {
    Text(&'a [u8]),
    Digest,
}

impl<'a> Redactor<'a> {
    fn of(arguments: &Arguments<'a, '_>) -> Result<Self, EvalError> {
        let bump = arguments.context.bump;
        let get = |object: Object<'a>, key: &[u8]| object.get(key, bump).unwrap_or(Value::Null);
        let unknown =
            || arguments.error("the redactor is `full`, `text` with a `replacement`, or `sha2`");
        let (kind, replacement) = match arguments.value(2)? {
            Value::Null => (Value::str("full"), Value::Null),
            Value::Object(object) => (get(object, b"type"), get(object, b"replacement")),
            other => (other, Value::Null),
        };
        match (kind, replacement) {
            (Value::String(b"full"), _) => Ok(Self::Text(b"[REDACTED]")),
            (Value::String(b"text"), Value::String(text)) => Ok(Self::Text(text)),
            (Value::String(b"sha2"), _) => Ok(Self::Digest),
            _ => Err(unknown()),
        }
    }
}

fn filters<'a>(arguments: &Arguments<'a, '_>) -> Result<Vec<&'a Regex>, EvalError> {
    let wrong = || {
        arguments.error(
            "a filter is a regular expression, `us_social_security_number`, or an object of type `pattern`",
        )
    };
    let bump = arguments.context.bump;
    let get = |object: Object<'a>, key: &[u8]| object.get(key, bump).unwrap_or(Value::Null);
    let mut found = Vec::new();
    for filter in arguments.array(1)?.iter(bump) {
        let (kind, patterns) = match filter {
            Value::Regex(regex) => {
                found.push(regex);
                continue;
            }
            Value::Object(object) => (get(object, b"type"), get(object, b"patterns")),
            other => (other, Value::Null),
        };
        match (kind, patterns) {
            (Value::String(b"us_social_security_number"), _) => {
                found.extend(SOCIAL_SECURITY_NUMBER.as_ref());
            }
            (Value::String(b"pattern"), Value::Array(patterns)) => {
                for pattern in patterns.iter(bump) {
                    let Value::Regex(regex) = pattern else { return Err(wrong()) };
                    found.push(regex);
                }
            }
            _ => return Err(wrong()),
        }
    }
    Ok(found)
}

fn redact<'a>(
    arguments: &Arguments<'a, '_>,
    value: Value<'a>,
    filters: &[&Regex],
    redactor: &Redactor<'_>,
) -> Result<Value<'a>, EvalError> {
    let context = arguments.context;
    match value {
        Value::String(text) => {
            let mut out = Cow::Borrowed(text);
            for filter in filters {
                let redacted = match redactor {
                    Redactor::Text(with) => {
                        filter.replace_all(&out, regex::bytes::NoExpand(with)).into_owned()
                    }
                    Redactor::Digest => filter
                        .replace_all(&out, |found: &regex::bytes::Captures<'_>| {
                            use sha2::digest::Digest;
                            hex_of(&sha2::Sha256::digest(&found[0]))
                        })
                        .into_owned(),
                };
                context.check_text(redacted.len())?;
                out = Cow::Owned(redacted);
            }
            context.text(&out)
        }
        Value::Array(items) => {
            let mut out = BumpVec::new_in(context.bump);
            for item in items.iter(context.bump) {
                out.push(redact(arguments, item, filters, redactor)?);
            }
            Ok(context.array_of(out))
        }
        Value::Object(object) => {
            let mut out = Vec::new();
            for (name, value) in members_of(object, context.bump) {
                out.push((name, redact(arguments, value, filters, redactor)?));
            }
            Ok(context.object(out))
        }
        other => Ok(other),
    }
}
