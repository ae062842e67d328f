//! Functions over text. Text is bytes; case is that of Unicode.

use memchr::memmem::{self, Finder};

use super::{Arguments, Function, Parameter, fails, gives, optional, required};
use crate::check::Check;
use crate::constant::Constant;
use crate::context::Context;
use crate::error::EvalError;
use crate::kind::Kind;
use crate::node::Node;
use crate::value::Value;

const VALUE: &[Parameter] = &[required("value", Kind::STRING)];
const VALUE_SUBSTRING_CASE: &[Parameter] = &[
    required("value", Kind::STRING),
    required("substring", Kind::STRING),
    optional("case_sensitive", Kind::BOOLEAN),
];

pub(super) const FUNCTIONS: &[Function] = &[
    Function::new(
        "starts_with",
        VALUE_SUBSTRING_CASE,
        Kind::BOOLEAN,
        "Whether the text begins with another.",
        &[
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
        |arguments| search(arguments, <[u8]>::starts_with),
    )
    .check(|function, nodes| exact_text(nodes).map(|text| Check::Prefix(function, text.into()))),
    Function::new(
        "ends_with",
        VALUE_SUBSTRING_CASE,
        Kind::BOOLEAN,
        "Whether the text ends with another.",
        &[
            gives(r#"ends_with(.path, ".html")"#, r#"{"path":"/index.html"}"#, "true"),
            gives(r#"ends_with(.path, ".html")"#, r#"{"path":"/"}"#, "false"),
        ],
        |arguments| search(arguments, <[u8]>::ends_with),
    )
    .check(|function, nodes| exact_text(nodes).map(|text| Check::Suffix(function, text.into()))),
    Function::new(
        "contains",
        VALUE_SUBSTRING_CASE,
        Kind::BOOLEAN,
        "Whether the text has another in it.",
        &[
            gives(r#"contains(.message, "timeout")"#, r#"{"message":"read timeout"}"#, "true"),
            gives(
                r#"contains(.message, "TIMEOUT", case_sensitive: false)"#,
                r#"{"message":"read timeout"}"#,
                "true",
            ),
            gives(r#"contains(.message, "")"#, r#"{"message":""}"#, "true"),
        ],
        |arguments| search(arguments, |text, part| memmem::find(text, part).is_some()),
    )
    .check(|function, nodes| {
        let finder = Finder::new(exact_text(nodes)?).into_owned();
        Some(Check::Infix(function, Box::new(finder)))
    }),
    Function::new(
        "match",
        &[required("value", Kind::STRING), required("pattern", Kind::REGEX)],
        Kind::BOOLEAN,
        "Whether the regular expression matches somewhere in the text. Anchor it with `^` and `$` \
              to match all of it.",
        &[
            gives("match(.message, r'user-\\d+')", r#"{"message":"login of user-17"}"#, "true"),
            gives("match(.message, r'(?i)^LOGIN')", r#"{"message":"login of user-17"}"#, "true"),
            gives("match(.message, r'^user')", r#"{"message":"login of user-17"}"#, "false"),
        ],
        |arguments| {
            let (text, pattern) = (arguments.string(0)?, arguments.regex(1)?);
            Ok(Value::Boolean(pattern.is_match(text)))
        },
    )
    .check(|function, nodes| match nodes.get(1) {
        Some(Some(Node::Constant(Constant::Regex(regex)))) => {
            Some(Check::Match(function, Box::new((**regex).clone())))
        }
        _ => None,
    }),
    Function::new(
        "downcase",
        VALUE,
        Kind::STRING,
        "The text in lower case.",
        &[gives("downcase(.a)", r#"{"a":"ÄBC"}"#, r#""äbc""#)],
        |arguments| Ok(Value::String(lower(arguments.string(0)?, arguments.context))),
    ),
    Function::new(
        "upcase",
        VALUE,
        Kind::STRING,
        "The text in upper case.",
        &[gives("upcase(.a)", r#"{"a":"äbc"}"#, r#""ÄBC""#)],
        |arguments| Ok(Value::String(upper(arguments.string(0)?, arguments.context))),
    ),
    Function::new(
        "strip_whitespace",
        VALUE,
        Kind::STRING,
        "The text without whitespace at its ends.",
        &[gives("strip_whitespace(.a)", r#"{"a":" x y\n"}"#, r#""x y""#)],
        |arguments| {
            let text = arguments.string(0)?;
            Ok(Value::String(match std::str::from_utf8(text) {
                Ok(text) => text.trim().as_bytes(),
                Err(_) => text.trim_ascii(),
            }))
        },
    ),
    Function::new(
        "strlen",
        VALUE,
        Kind::INTEGER,
        "The number of characters of the text; `length` gives bytes.",
        &[gives("strlen(.a)", r#"{"a":"äbc"}"#, "3")],
        |arguments| {
            let text = arguments.string(0)?;
            Ok(Value::Integer(String::from_utf8_lossy(text).chars().count() as i64))
        },
    ),
];

/// The constant second argument of a call that minds the case.
fn exact_text(nodes: &[Option<Node>]) -> Option<&[u8]> {
    let exact = matches!(
        nodes.get(2),
        None | Some(None) | Some(Some(Node::Constant(Constant::Boolean(true))))
    );
    match nodes.get(1) {
        Some(Some(Node::Constant(Constant::String(text)))) if exact => Some(text),
        _ => None,
    }
}

fn search<'a>(
    arguments: &Arguments<'a, '_>,
    found: fn(&[u8], &[u8]) -> bool,
) -> Result<Value<'a>, EvalError> {
    let (text, part) = (arguments.string(0)?, arguments.string(1)?);
    let exact = arguments.flag(2, true)?;
    if exact {
        return Ok(Value::Boolean(found(text, part)));
    }
    let (text, part) = (lower(text, arguments.context), lower(part, arguments.context));
    Ok(Value::Boolean(found(text, part)))
}

/// Lower case; borrowed where the text has no upper case of ASCII and nothing beyond ASCII.
pub(super) fn lower<'a>(text: &'a [u8], context: &Context<'a>) -> &'a [u8] {
    if text.iter().all(|byte| byte.is_ascii() && !byte.is_ascii_uppercase()) {
        return text;
    }
    match std::str::from_utf8(text) {
        Ok(text) if !text.is_ascii() => context.bump.alloc_str(&text.to_lowercase()).as_bytes(),
        _ => {
            let text = context.bump.alloc_slice_copy(text);
            text.make_ascii_lowercase();
            text
        }
    }
}

pub(super) fn upper<'a>(text: &'a [u8], context: &Context<'a>) -> &'a [u8] {
    if text.iter().all(|byte| byte.is_ascii() && !byte.is_ascii_lowercase()) {
        return text;
    }
    match std::str::from_utf8(text) {
        Ok(text) if !text.is_ascii() => context.bump.alloc_str(&text.to_uppercase()).as_bytes(),
        _ => {
            let text = context.bump.alloc_slice_copy(text);
            text.make_ascii_uppercase();
            text
        }
    }
}
