//! Functions over text. Text is bytes; case is that of Unicode.

use std::borrow::Cow;

use memchr::memmem::{self, Finder};

use super::{Arguments, Body, Function, Parameter, fails, gives, optional, required};
use crate::check::Check;
use crate::error::EvalError;
use crate::kind::Kind;
use crate::node::Node;
use crate::value::{Pattern, Value};

const VALUE: &[Parameter] = &[required("value", Kind::STRING)];
const VALUE_SUBSTRING_CASE: &[Parameter] = &[
    required("value", Kind::STRING),
    required("substring", Kind::STRING),
    optional("case_sensitive", Kind::BOOLEAN),
];

pub(super) const FUNCTIONS: &[Function] = &[
    Function {
        name: "starts_with",
        parameters: VALUE_SUBSTRING_CASE,
        returns: Kind::BOOLEAN,
        fallible: false,
        doc: "Whether the text begins with another.",
        examples: &[
            gives(r#"starts_with(.path, "/api")"#, r#"{"path":"/api/v1"}"#, "true"),
            gives(
                r#"starts_with(.path, "/API", case_sensitive: false)"#,
                r#"{"path":"/api/v1"}"#,
                "true",
            ),
            fails(
                r#"starts_with(.path, "/api")"#,
                "{}",
                "`starts_with` expects string as `value`, found null",
            ),
        ],
        body: Body::Call(|arguments| search(arguments, <[u8]>::starts_with)),
        check: Some(|function, nodes| {
            exact_text(nodes).map(|text| Check::Prefix(function, text.into()))
        }),
    },
    Function {
        name: "ends_with",
        parameters: VALUE_SUBSTRING_CASE,
        returns: Kind::BOOLEAN,
        fallible: false,
        doc: "Whether the text ends with another.",
        examples: &[
            gives(r#"ends_with(.path, ".html")"#, r#"{"path":"/index.html"}"#, "true"),
            gives(r#"ends_with(.path, ".html")"#, r#"{"path":"/"}"#, "false"),
        ],
        body: Body::Call(|arguments| search(arguments, <[u8]>::ends_with)),
        check: Some(|function, nodes| {
            exact_text(nodes).map(|text| Check::Suffix(function, text.into()))
        }),
    },
    Function {
        name: "contains",
        parameters: VALUE_SUBSTRING_CASE,
        returns: Kind::BOOLEAN,
        fallible: false,
        doc: "Whether the text has another in it.",
        examples: &[
            gives(r#"contains(.message, "timeout")"#, r#"{"message":"read timeout"}"#, "true"),
            gives(
                r#"contains(.message, "TIMEOUT", case_sensitive: false)"#,
                r#"{"message":"read timeout"}"#,
                "true",
            ),
            gives(r#"contains(.message, "")"#, r#"{"message":""}"#, "true"),
        ],
        body: Body::Call(|arguments| {
            search(arguments, |text, part| memmem::find(text, part).is_some())
        }),
        check: Some(|function, nodes| {
            let finder = Finder::new(exact_text(nodes)?).into_owned();
            Some(Check::Infix(function, Box::new(finder)))
        }),
    },
    Function {
        name: "match",
        parameters: &[required("value", Kind::STRING), required("pattern", Kind::REGEX)],
        returns: Kind::BOOLEAN,
        fallible: false,
        doc: "Whether the regular expression matches somewhere in the text. Anchor it with `^` and `$` \
              to match all of it.",
        examples: &[
            gives("match(.message, r'user-\\d+')", r#"{"message":"login of user-17"}"#, "true"),
            gives("match(.message, r'(?i)^LOGIN')", r#"{"message":"login of user-17"}"#, "true"),
            gives("match(.message, r'^user')", r#"{"message":"login of user-17"}"#, "false"),
        ],
        body: Body::Call(|arguments| {
            let (text, pattern) = (arguments.string(0)?, arguments.regex(1)?);
            Ok(Value::Boolean(pattern.regex().is_match(&text)))
        }),
        check: Some(|function, nodes| match nodes.get(1) {
            Some(Some(Node::Constant(Value::Regex(Pattern::Owned(regex))))) => {
                Some(Check::Match(function, Box::new((**regex).clone())))
            }
            _ => None,
        }),
    },
    Function {
        name: "downcase",
        parameters: VALUE,
        returns: Kind::STRING,
        fallible: false,
        doc: "The text in lower case.",
        examples: &[gives("downcase(.a)", r#"{"a":"ÄBC"}"#, r#""äbc""#)],
        body: Body::Call(|arguments| Ok(Value::String(lower(arguments.string(0)?)))),
        check: None,
    },
    Function {
        name: "upcase",
        parameters: VALUE,
        returns: Kind::STRING,
        fallible: false,
        doc: "The text in upper case.",
        examples: &[gives("upcase(.a)", r#"{"a":"äbc"}"#, r#""ÄBC""#)],
        body: Body::Call(|arguments| Ok(Value::String(upper(arguments.string(0)?)))),
        check: None,
    },
    Function {
        name: "strip_whitespace",
        parameters: VALUE,
        returns: Kind::STRING,
        fallible: false,
        doc: "The text without whitespace at its ends.",
        examples: &[gives("strip_whitespace(.a)", r#"{"a":" x y\n"}"#, r#""x y""#)],
        body: Body::Call(|arguments| {
            Ok(Value::String(match arguments.string(0)? {
                Cow::Borrowed(text) => match std::str::from_utf8(text) {
                    Ok(text) => Cow::Borrowed(text.trim().as_bytes()),
                    Err(_) => Cow::Borrowed(text.trim_ascii()),
                },
                Cow::Owned(text) => {
                    Cow::Owned(String::from_utf8_lossy(&text).trim().as_bytes().to_vec())
                }
            }))
        }),
        check: None,
    },
    Function {
        name: "strlen",
        parameters: VALUE,
        returns: Kind::INTEGER,
        fallible: false,
        doc: "The number of characters of the text; `length` gives bytes.",
        examples: &[gives("strlen(.a)", r#"{"a":"äbc"}"#, "3")],
        body: Body::Call(|arguments| {
            let text = arguments.string(0)?;
            Ok(Value::Integer(String::from_utf8_lossy(&text).chars().count() as i64))
        }),
        check: None,
    },
];

/// The constant second argument of a call that minds the case.
fn exact_text(nodes: &[Option<Node>]) -> Option<&[u8]> {
    let exact = matches!(
        nodes.get(2),
        None | Some(None) | Some(Some(Node::Constant(Value::Boolean(true))))
    );
    match nodes.get(1) {
        Some(Some(Node::Constant(Value::String(text)))) if exact => Some(text),
        _ => None,
    }
}

fn search<'a>(
    arguments: &Arguments<'a, '_>,
    found: fn(&[u8], &[u8]) -> bool,
) -> Result<Value<'a>, EvalError> {
    let (text, part) = (arguments.string(0)?, arguments.string(1)?);
    let exact = arguments.flag(2, true)?;
    Ok(Value::Boolean(if exact { found(&text, &part) } else { found(&lower(text), &lower(part)) }))
}

/// Lower case; borrowed where the text has no upper case of ASCII and nothing beyond ASCII.
fn lower(text: Cow<'_, [u8]>) -> Cow<'_, [u8]> {
    if text.iter().all(|byte| byte.is_ascii() && !byte.is_ascii_uppercase()) {
        return text;
    }
    Cow::Owned(match std::str::from_utf8(&text) {
        Ok(text) => text.to_lowercase().into_bytes(),
        Err(_) => text.to_ascii_lowercase(),
    })
}

fn upper(text: Cow<'_, [u8]>) -> Cow<'_, [u8]> {
    if text.iter().all(|byte| byte.is_ascii() && !byte.is_ascii_lowercase()) {
        return text;
    }
    Cow::Owned(match std::str::from_utf8(&text) {
        Ok(text) => text.to_uppercase().into_bytes(),
        Err(_) => text.to_ascii_uppercase(),
    })
}
