//! Functions that turn a value of one type into another.

use super::{Arguments, Example, Function, Parameter, fails, gives, required, wrong_type};
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
    Function::new("to_int", VALUE, Kind::INTEGER, "The value as an integer: text in decimal, floats without their fraction, booleans as 1 and 0, \
              null as 0, timestamps as seconds since the Unix epoch.", &[
            gives("to_int(.a) >= 500", r#"{"a":"502"}"#, "true"),
            gives("to_int(.a)", r#"{"a":-2.9}"#, "-2"),
            gives("to_int(.a)", "{}", "0"),
            fails("to_int(.a)", r#"{"a":"5x"}"#, "`to_int`: the text is not an integer"),
        ], to_int).fallible(),
    Function::new("to_float", VALUE, Kind::FLOAT, "The value as a float: text in decimal, booleans as 1 and 0, null as 0, timestamps as seconds \
              since the Unix epoch.", &[
            gives("to_float(.a)", r#"{"a":"3.25"}"#, "3.25"),
            gives("to_float(.a)", r#"{"a":3}"#, "3.0"),
            fails("to_float(.a)", r#"{"a":"x"}"#, "`to_float`: the text is not a number"),
        ], to_float).fallible(),
    Function::new("to_bool", VALUE, Kind::BOOLEAN, "The value as a boolean: the texts true, t, yes, y, 1 and false, f, no, n, 0 in any case; numbers \
              that are not 0; null as false.", &[
            gives("to_bool(.a)", r#"{"a":"Yes"}"#, "true"),
            gives("to_bool(.a)", r#"{"a":0}"#, "false"),
            fails("to_bool(.a)", r#"{"a":"ja"}"#, "`to_bool`: the text is not a boolean"),
        ], to_bool).fallible(),
    Function::new("to_string", VALUE, Kind::STRING, "The value as text: null is empty, timestamps are RFC 3339.", &[
            gives("to_string(.a)", r#"{"a":502}"#, r#""502""#),
            gives("to_string(.a)", "{}", r#""""#),
            gives("to_string(true)", "{}", r#""true""#),
            gives("to_string(t'2026-01-31T01:02:03.5+01:00')", "{}", r#""2026-01-31T00:02:03.500Z""#),
        ], to_string),
    is_a("string", &[required("value", Kind::STRING)], Kind::STRING, "The value, which must be a string.", &[
        gives("string!(.a)", r#"{"a":"x"}"#, r#""x""#),
        fails("string!(.a)", r#"{"a":1}"#, "`string` expects string as `value`, found integer"),
    ]),
    is_a("int", &[required("value", Kind::INTEGER)], Kind::INTEGER, "The value, which must be an integer.", &[
        gives("int(.a) ?? 0", r#"{"a":7}"#, "7"),
        gives("int(.a) ?? 0", r#"{"a":"7"}"#, "0"),
    ]),
    is_a("float", &[required("value", Kind::FLOAT)], Kind::FLOAT, "The value, which must be a float.", &[
        gives("float!(.a)", r#"{"a":2.5}"#, "2.5"),
    ]),
    is_a("bool", &[required("value", Kind::BOOLEAN)], Kind::BOOLEAN, "The value, which must be a boolean.", &[
        gives("bool!(.a)", r#"{"a":true}"#, "true"),
    ]),
    is_a("timestamp", &[required("value", Kind::TIMESTAMP)], Kind::TIMESTAMP, "The value, which must be a timestamp.", &[
        gives("timestamp(t'2026-01-31T00:00:00Z')", "{}", r#""2026-01-31T00:00:00Z""#),
        fails("timestamp!(.a)", r#"{"a":1}"#, "`timestamp` expects timestamp as `value`, found integer"),
    ]),
    is_a("array", &[required("value", Kind::ARRAY)], Kind::ARRAY, "The value, which must be an array.", &[
        gives("array!(.a)", r#"{"a":[1]}"#, "[1]"),
    ]),
    is_a("object", &[required("value", Kind::OBJECT)], Kind::OBJECT, "The value, which must be an object.", &[
        gives("object!(.a)", r#"{"a":{"b":1}}"#, r#"{"b":1}"#),
    ]),
];

const fn is_a(
    name: &'static str,
    parameters: &'static [Parameter],
    kind: Kind,
    doc: &'static str,
    examples: &'static [Example],
) -> Function {
    Function::new(name, parameters, kind, doc, examples, assert_kind)
}

fn assert_kind<'a>(arguments: &Arguments<'a, '_>) -> Result<Value<'a>, EvalError> {
    let value = arguments.value(0)?;
    if arguments.function.returns.contains(value.kind()) {
        return Ok(value);
    }
    Err(arguments.wrong_type(0, value))
}

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
        Value::String(bytes) => text(bytes).parse().map_err(|_| arguments.error(NOT_AN_INTEGER))?,
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
        Value::String(bytes) => text(bytes).parse().map_err(|_| arguments.error(NOT_A_NUMBER))?,
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
    let bump = arguments.context.bump;
    Ok(match arguments.value(0)? {
        text @ Value::String(_) => text,
        Value::Null => Value::str(""),
        Value::Timestamp(ns) => Value::str(bump.alloc_str(&format_timestamp(ns))),
        Value::Float(value) => Value::str(bumpalo::format!(in bump, "{}", value).into_bump_str()),
        Value::Boolean(value) => Value::str(if value { "true" } else { "false" }),
        Value::Integer(value) => Value::str(bumpalo::format!(in bump, "{}", value).into_bump_str()),
        other => return Err(wrong_type(arguments.function, 0, other.kind())),
    })
}
