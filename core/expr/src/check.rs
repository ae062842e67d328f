//! Tests of one value against something known at load time, without building the other side's value.

use memchr::memmem::Finder;
use regex::bytes::Regex;

use crate::ast::CompareOp;
use crate::compare::integer_to_float;
use crate::error::EvalError;
use crate::functions::{Function, wrong_type};
use crate::kind::Kind;
use crate::value::Value;

#[derive(Debug)]
pub(crate) enum Check {
    Integer(CompareOp, i64),
    Text(CompareOp, Box<[u8]>),
    Constant(CompareOp, Value<'static>),
    Exists,
    Prefix(&'static Function, Box<[u8]>),
    Suffix(&'static Function, Box<[u8]>),
    Infix(&'static Function, Box<Finder<'static>>),
    Match(&'static Function, Box<Regex>),
}

impl Check {
    /// The check of `path op constant`.
    pub(crate) fn compare(op: CompareOp, constant: &Value<'static>) -> Self {
        match constant {
            Value::Integer(value) => Self::Integer(op, *value),
            Value::String(text) => Self::Text(op, text.clone().into_owned().into()),
            other => Self::Constant(op, other.clone()),
        }
    }

    /// Tests a value; `exists` says whether a null is a field that is there.
    #[inline]
    pub(crate) fn test(
        &self,
        value: &Value<'_>,
        exists: impl FnOnce() -> bool,
    ) -> Result<bool, EvalError> {
        match self {
            Self::Integer(op, constant) => match value {
                Value::Integer(value) => Ok(op.holds(value.cmp(constant))),
                Value::Float(value) => Ok(op.holds(integer_to_float(*constant, *value).reverse())),
                other => mismatch(*op, other, Kind::INTEGER),
            },
            Self::Text(op, constant) => match value {
                Value::String(value) => Ok(match op {
                    CompareOp::Eq => **value == **constant,
                    CompareOp::Ne => **value != **constant,
                    _ => op.holds((**value).cmp(constant)),
                }),
                other => mismatch(*op, other, Kind::STRING),
            },
            Self::Constant(op, constant) => op.apply(value, constant),
            Self::Exists => Ok(!matches!(value, Value::Null) || exists()),
            Self::Prefix(function, prefix) => Ok(text(function, value)?.starts_with(prefix)),
            Self::Suffix(function, suffix) => Ok(text(function, value)?.ends_with(suffix)),
            Self::Infix(function, finder) => Ok(finder.find(text(function, value)?).is_some()),
            Self::Match(function, regex) => Ok(regex.is_match(text(function, value)?)),
        }
    }
}

#[inline]
fn text<'v>(function: &'static Function, value: &'v Value<'_>) -> Result<&'v [u8], EvalError> {
    match value {
        Value::String(text) => Ok(text),
        other => Err(wrong_type(function, 0, other.kind())),
    }
}

fn mismatch(op: CompareOp, left: &Value<'_>, right: Kind) -> Result<bool, EvalError> {
    match op {
        CompareOp::Eq => Ok(false),
        CompareOp::Ne => Ok(true),
        _ => Err(EvalError::Compare { op: op.symbol(), left: left.kind(), right }),
    }
}
