//! Functions over arrays and objects.

use super::{Arguments, Body, Function, gives, required, wrong_type};
use crate::error::EvalError;
use crate::kind::Kind;
use crate::value::Value;

pub(super) const FUNCTIONS: &[Function] = &[
    Function {
        name: "includes",
        parameters: &[required("value", Kind::ARRAY), required("item", Kind::ANY)],
        returns: Kind::BOOLEAN,
        fallible: false,
        doc: "Whether an array has an item that `==` the other argument.",
        examples: &[
            gives(r#"includes(["error", "fatal"], .level)"#, r#"{"level":"fatal"}"#, "true"),
            gives("includes(.tags, \"a\")", r#"{"tags":["b","c"]}"#, "false"),
        ],
        body: Body::Call(includes),
        check: None,
    },
    Function {
        name: "length",
        parameters: &[required("value", Kind::STRING.or(Kind::ARRAY).or(Kind::OBJECT))],
        returns: Kind::INTEGER,
        fallible: false,
        doc: "The number of bytes of a string, of items of an array, of members of an object.",
        examples: &[
            gives("length(.a)", r#"{"a":[1,[2,3],{}]}"#, "3"),
            gives("length(.a)", r#"{"a":"äb"}"#, "3"),
            gives("length(.a)", r#"{"a":{"x":1}}"#, "1"),
        ],
        body: Body::Call(length),
        check: None,
    },
];

fn includes<'a>(arguments: &Arguments<'a, '_>) -> Result<Value<'a>, EvalError> {
    let item = arguments.value(1)?;
    match arguments.value(0)? {
        Value::Array(array) => Ok(Value::Boolean(array.iter().any(|other| other == item))),
        other => Err(wrong_type(arguments.function, 0, other.kind())),
    }
}

fn length<'a>(arguments: &Arguments<'a, '_>) -> Result<Value<'a>, EvalError> {
    Ok(Value::Integer(match arguments.value(0)? {
        Value::String(text) => text.len() as i64,
        Value::Array(array) => array.iter().count() as i64,
        Value::Object(object) => object.iter().count() as i64,
        other => return Err(wrong_type(arguments.function, 0, other.kind())),
    }))
}
