//! Functions that turn a value of one type into another.

use std::borrow::Cow;

use super::{Arguments, Body, Function, Parameter, fails, gives, required, wrong_type};
use crate::error::EvalError;
use crate::kind::Kind;
use crate::literal::format_timestamp;
use crate::value::Value;

const SCALAR: Kind =
    Kind::STRING.or(Kind::NUMBER).or(Kind::BOOLEAN).or(Kind::TIMESTAMP).or(Kind::NULL);
const VALUE: &[Parameter] = &[required("value", SCALAR)];

const NOT_AN_INTEGER: &str = "the text is not an integer";
const NOT_A_NUMBER: &str = "the text is not a number";
const NOT_A_BOOLEAN: &str = "the text is not a boolean";

pub(super) const FUNCTIONS: &[Function] = &[
    Function {
        name: "to_int",
        parameters: VALUE,
        returns: Kind::INTEGER,
        fallible: true,
        doc: "The value as an integer: text in decimal, floats without their fraction, booleans as 1 and 0, \
              null as 0, timestamps as seconds since the Unix epoch.",
        examples: &[
            gives("to_int(.a) >= 500", r#"{"a":"502"}"#, "true"),
            gives("to_int(.a)", r#"{"a":-2.9}"#, "-2"),
            gives("to_int(.a)", "{}", "0"),
            fails("to_int(.a)", r#"{"a":"5x"}"#, "`to_int`: the text is not an integer"),
        ],
        body: Body::Call(to_int),
        check: None,
    },
    Function {
        name: "to_float",
        parameters: VALUE,
        returns: Kind::FLOAT,
        fallible: true,
        doc: "The value as a float: text in decimal, booleans as 1 and 0, null as 0, timestamps as seconds \
              since the Unix epoch.",
        examples: &[
            gives("to_float(.a)", r#"{"a":"3.25"}"#, "3.25"),
            gives("to_float(.a)", r#"{"a":3}"#, "3.0"),
            fails("to_float(.a)", r#"{"a":"x"}"#, "`to_float`: the text is not a number"),
        ],
        body: Body::Call(to_float),
        check: None,
    },
    Function {
        name: "to_bool",
        parameters: VALUE,
        returns: Kind::BOOLEAN,
        fallible: true,
        doc: "The value as a boolean: the texts true, t, yes, y, 1 and false, f, no, n, 0 in any case; numbers \
              that are not 0; null as false.",
        examples: &[
            gives("to_bool(.a)", r#"{"a":"Yes"}"#, "true"),
            gives("to_bool(.a)", r#"{"a":0}"#, "false"),
            fails("to_bool(.a)", r#"{"a":"ja"}"#, "`to_bool`: the text is not a boolean"),
        ],
        body: Body::Call(to_bool),
        check: None,
    },
    Function {
        name: "to_string",
        parameters: VALUE,
        returns: Kind::STRING,
        fallible: false,
        doc: "The value as text: null is empty, timestamps are RFC 3339.",
        examples: &[
            gives("to_string(.a)", r#"{"a":502}"#, r#""502""#),
            gives("to_string(.a)", "{}", r#""""#),
            gives("to_string(true)", "{}", r#""true""#),
            gives("to_string(t'2026-01-31T01:02:03.5+01:00')", "{}", r#""2026-01-31T00:02:03.5Z""#),
        ],
        body: Body::Call(to_string),
        check: None,
    },
];

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap_or_default()
}

fn to_int<'a>(arguments: &Arguments<'a, '_>) -> Result<Value<'a>, EvalError> {
    Ok(Value::Integer(match arguments.value(0)? {
        Value::Null => 0,
        Value::Boolean(value) => i64::from(value),
        Value::Integer(value) => value,
        Value::Float(value) => value as i64,
        Value::Timestamp(ns) => ns.div_euclid(1_000_000_000),
        Value::String(bytes) => {
            text(&bytes).parse().map_err(|_| arguments.error(NOT_AN_INTEGER))?
        }
        other => return Err(wrong_type(arguments.function, 0, other.kind())),
    }))
}

fn to_float<'a>(arguments: &Arguments<'a, '_>) -> Result<Value<'a>, EvalError> {
    Ok(Value::float(match arguments.value(0)? {
        Value::Null => 0.0,
        Value::Boolean(value) => f64::from(u8::from(value)),
        Value::Integer(value) => value as f64,
        Value::Float(value) => value,
        Value::Timestamp(ns) => ns as f64 / 1e9,
        Value::String(bytes) => text(&bytes).parse().map_err(|_| arguments.error(NOT_A_NUMBER))?,
        other => return Err(wrong_type(arguments.function, 0, other.kind())),
    }))
}

fn to_bool<'a>(arguments: &Arguments<'a, '_>) -> Result<Value<'a>, EvalError> {
    Ok(Value::Boolean(match arguments.value(0)? {
        Value::Null => false,
        Value::Boolean(value) => value,
        Value::Integer(value) => value != 0,
        Value::Float(value) => value != 0.0,
        Value::String(bytes) => {
            let is = |names: &[&str]| {
                names.iter().any(|name| bytes.eq_ignore_ascii_case(name.as_bytes()))
            };
            match (is(&["true", "t", "yes", "y", "1"]), is(&["false", "f", "no", "n", "0"])) {
                (true, _) => true,
                (_, true) => false,
                _ => return Err(arguments.error(NOT_A_BOOLEAN)),
            }
        }
        other => return Err(wrong_type(arguments.function, 0, other.kind())),
    }))
}

fn to_string<'a>(arguments: &Arguments<'a, '_>) -> Result<Value<'a>, EvalError> {
    Ok(Value::String(match arguments.value(0)? {
        Value::String(text) => text,
        Value::Null => Cow::Borrowed(b""),
        Value::Timestamp(ns) => Cow::Owned(format_timestamp(ns).into_bytes()),
        Value::Float(value) => Cow::Owned(value.to_string().into_bytes()),
        scalar @ (Value::Boolean(_) | Value::Integer(_)) => {
            Cow::Owned(scalar.to_string().into_bytes())
        }
        other => return Err(wrong_type(arguments.function, 0, other.kind())),
    }))
}
