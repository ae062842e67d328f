//! Functions that look at what a value is.

use super::{Accepts, Arguments, Body, Example, Function, Parameter, gives, required, wrong_type};
use crate::check::Check;
use crate::error::EvalError;
use crate::kind::Kind;
use crate::value::Value;

const VALUE: &[Parameter] = &[required("value", Kind::ANY.or(Kind::REGEX))];

pub(super) const FUNCTIONS: &[Function] = &[
    Function::new(
        "exists",
        &[Parameter { name: "field", accepts: Accepts::Path, required: true }],
        Kind::BOOLEAN,
        "Whether the event has the path. A path that leads to null exists.",
        &[
            gives("exists(.user.id)", r#"{"user":{"id":7}}"#, "true"),
            gives("exists(.a)", r#"{"a":null}"#, "true"),
            gives("exists(.user.name)", r#"{"user":{"id":7}}"#, "false"),
        ],
        |arguments| Err(arguments.error("takes a path")),
    )
    .check(|_, _| Some(Check::Exists)),
    Function::new(
        "is_json",
        &[required("value", Kind::STRING)],
        Kind::BOOLEAN,
        "Whether a text is JSON (RFC 8259).",
        &[gives("is_json(\"{}\")", "{}", "true"), gives("is_json(\"{\")", "{}", "false")],
        |arguments| {
            let text = arguments.string(0)?.trim_ascii();
            Ok(Value::Boolean(lograil_event::is_json(text)))
        },
    ),
    is(
        "is_null",
        |value| matches!(value, Value::Null),
        "Whether the value is null. A missing path is null.",
        &[gives("is_null(.a)", "{}", "true"), gives("is_null(.a)", r#"{"a":0}"#, "false")],
    ),
    is(
        "is_nullish",
        is_nullish,
        "Whether the value is null, `\"-\"`, or a string of nothing but whitespace.",
        &[
            gives("is_nullish(.a)", r#"{"a":" - "}"#, "false"),
            gives("is_nullish(.a)", r#"{"a":"-"}"#, "true"),
            gives("is_nullish(.a)", r#"{"a":"\n "}"#, "true"),
        ],
    ),
    Function::new(
        "is_empty",
        &[required("value", Kind::STRING.or(Kind::ARRAY).or(Kind::OBJECT))],
        Kind::BOOLEAN,
        "Whether a string, array or object has nothing in it.",
        &[
            gives("is_empty(.a)", r#"{"a":[ ]}"#, "true"),
            gives("is_empty(.a)", r#"{"a":"x"}"#, "false"),
        ],
        is_empty,
    ),
    is(
        "is_string",
        |value| matches!(value, Value::String(_)),
        "Whether the value is a string.",
        &[gives("is_string(.a)", r#"{"a":"1"}"#, "true")],
    ),
    is(
        "is_integer",
        |value| matches!(value, Value::Integer(_)),
        "Whether the value is an integer of 64 bits.",
        &[
            gives("is_integer(.a)", r#"{"a":1}"#, "true"),
            gives("is_integer(.a)", r#"{"a":1.0}"#, "false"),
        ],
    ),
    is(
        "is_float",
        |value| matches!(value, Value::Float(_)),
        "Whether the value is a float: a number with a decimal point or an exponent, or beyond 64 bits.",
        &[
            gives("is_float(.a)", r#"{"a":1.0}"#, "true"),
            gives("is_float(.a)", r#"{"a":1}"#, "false"),
        ],
    ),
    is(
        "is_boolean",
        |value| matches!(value, Value::Boolean(_)),
        "Whether the value is true or false.",
        &[gives("is_boolean(.a)", r#"{"a":false}"#, "true")],
    ),
    is(
        "is_timestamp",
        |value| matches!(value, Value::Timestamp(_)),
        "Whether the value is a timestamp. Text that reads like one is a string.",
        &[
            gives("is_timestamp(t'2026-01-31T00:00:00Z')", "{}", "true"),
            gives("is_timestamp(.a)", r#"{"a":"2026-01-31T00:00:00Z"}"#, "false"),
        ],
    ),
    is(
        "is_regex",
        |value| matches!(value, Value::Regex(_)),
        "Whether the value is a regular expression.",
        &[gives("is_regex(r'a+')", "{}", "true")],
    ),
    is(
        "is_array",
        |value| matches!(value, Value::Array(_)),
        "Whether the value is an array.",
        &[gives("is_array(.a)", r#"{"a":[1]}"#, "true")],
    ),
    is(
        "is_object",
        |value| matches!(value, Value::Object(_)),
        "Whether the value is an object.",
        &[gives("is_object(.a)", r#"{"a":{}}"#, "true"), gives("is_object(.)", "{}", "true")],
    ),
];

const fn is(
    name: &'static str,
    ask: fn(&Value<'_>) -> bool,
    doc: &'static str,
    examples: &'static [Example],
) -> Function {
    let base = Function::new(name, VALUE, Kind::BOOLEAN, doc, examples, |_| Ok(Value::Null));
    Function { body: Body::Question(ask), ..base }
}

pub(super) fn is_nullish(value: &Value<'_>) -> bool {
    match value {
        Value::Null => true,
        Value::String(text) => {
            **text == *b"-" || String::from_utf8_lossy(text).chars().all(char::is_whitespace)
        }
        _ => false,
    }
}

fn is_empty<'a>(arguments: &Arguments<'a, '_>) -> Result<Value<'a>, EvalError> {
    Ok(Value::Boolean(match arguments.value(0)? {
        Value::String(text) => text.is_empty(),
        Value::Array(array) => array.is_empty(),
        Value::Object(object) => object.is_empty(),
        other => return Err(wrong_type(arguments.function, 0, other.kind())),
    }))
}
