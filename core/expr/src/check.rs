//! Tests of one value against something known at load time, without building the other side's value.

use bumpalo::Bump;
use lograil_event::{Batch, Field, Tag};
use memchr::memmem::Finder;
use regex::bytes::Regex;

use crate::ast::CompareOp;
use crate::compare::integer_to_float;
use crate::constant::Constant;
use crate::error::EvalError;
use crate::functions::{Function, wrong_type};
use crate::json;
use crate::kind::Kind;
use crate::value::Value;

#[derive(Debug)]
pub(crate) enum Check {
    Integer(CompareOp, i64),
    Text(CompareOp, Box<[u8]>),
    Constant(CompareOp, Constant),
    Exists,
    Prefix(&'static Function, Box<[u8]>),
    Suffix(&'static Function, Box<[u8]>),
    Infix(&'static Function, Box<Finder<'static>>),
    Match(&'static Function, Box<Regex>),
}

impl Check {
    /// The check of `path op constant`.
    pub(crate) fn compare(op: CompareOp, constant: &Constant) -> Self {
        match constant {
            Constant::Integer(value) => Self::Integer(op, *value),
            Constant::String(text) => Self::Text(op, text.clone()),
            other => Self::Constant(op, other.clone()),
        }
    }

    /// Tests text or a number where it lies in the batch, without making a [`Value`] of it first: most fields are
    /// that. `None` where this takes more.
    #[inline]
    pub(crate) fn test_field(&self, batch: &Batch, field: &Field) -> Option<bool> {
        match (self, field.tag) {
            (Self::Text(op, constant), Tag::Str) => {
                Some(op.text(batch.text(field.span()), constant))
            }
            (Self::Integer(op, constant), Tag::I64) => {
                Some(op.holds(field.payload().cast_signed().cmp(constant)))
            }
            (Self::Integer(op, constant), Tag::Number) => {
                op.number(json::number(batch.text(field.span())), *constant)
            }
            (Self::Exists, _) => Some(true),
            (_, Tag::Str) => self.test_part(batch.text(field.span())),
            _ => None,
        }
    }

    #[inline(never)]
    fn test_part(&self, text: &[u8]) -> Option<bool> {
        match self {
            Self::Prefix(_, prefix) => Some(text.starts_with(prefix)),
            Self::Suffix(_, suffix) => Some(text.ends_with(suffix)),
            Self::Infix(_, finder) => Some(finder.find(text).is_some()),
            Self::Match(_, regex) => Some(regex.is_match(text)),
            _ => None,
        }
    }

    /// Tests what is not there. `None` where that fails.
    #[inline]
    pub(crate) fn test_missing(&self) -> Option<bool> {
        match self {
            Self::Integer(CompareOp::Eq, _) | Self::Text(CompareOp::Eq, _) | Self::Exists => {
                Some(false)
            }
            Self::Integer(CompareOp::Ne, _) | Self::Text(CompareOp::Ne, _) => Some(true),
            _ => None,
        }
    }

    /// Tests a value; `exists` says whether the path leads to it, which a null does not tell.
    #[inline]
    pub(crate) fn test(
        &self,
        value: &Value<'_>,
        exists: bool,
        bump: &Bump,
    ) -> Result<bool, EvalError> {
        match self {
            Self::Integer(op, constant) => match value {
                Value::Integer(value) => Ok(op.holds(value.cmp(constant))),
                Value::Float(value) => Ok(op.holds(integer_to_float(*constant, *value).reverse())),
                other => mismatch(*op, other, Kind::INTEGER),
            },
            Self::Text(op, constant) => match value {
                Value::String(value) => Ok(op.text(value, constant)),
                other => mismatch(*op, other, Kind::STRING),
            },
            Self::Constant(op, constant) => op.apply(value, &constant.value(), bump),
            Self::Exists => Ok(exists),
            Self::Prefix(function, prefix) => Ok(text(function, value)?.starts_with(prefix)),
            Self::Suffix(function, suffix) => Ok(text(function, value)?.ends_with(suffix)),
            Self::Infix(function, finder) => Ok(finder.find(text(function, value)?).is_some()),
            Self::Match(function, regex) => Ok(regex.is_match(text(function, value)?)),
        }
    }
}

impl CompareOp {
    /// A number of a field against a constant.
    #[inline]
    fn number(self, left: Value<'_>, right: i64) -> Option<bool> {
        match left {
            Value::Integer(left) => Some(self.holds(left.cmp(&right))),
            Value::Float(left) => Some(self.holds(integer_to_float(right, left).reverse())),
            _ => None,
        }
    }

    #[inline]
    fn text(self, left: &[u8], right: &[u8]) -> bool {
        match self {
            Self::Eq => left == right,
            Self::Ne => left != right,
            _ => self.holds(left.cmp(right)),
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
