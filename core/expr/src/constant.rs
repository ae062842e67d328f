//! Values known at load time; the program owns them, and events borrow them.

use std::sync::Arc;

use bumpalo::Bump;
use regex::bytes::Regex;

use crate::value::{Array, Object, Value};

/// A value that depends on no event.
#[derive(Debug, Clone)]
pub enum Constant {
    /// `null`.
    Null,
    /// A boolean.
    Boolean(bool),
    /// A whole number.
    Integer(i64),
    /// A float.
    Float(f64),
    /// Nanoseconds since the Unix epoch.
    Timestamp(i64),
    /// Text.
    String(Box<[u8]>),
    /// A regular expression.
    Regex(Arc<Regex>),
    /// An array.
    Array(Box<[Constant]>),
    /// An object.
    Object(Box<[ConstantMember]>),
}

/// A key and its value.
pub type ConstantMember = (Box<[u8]>, Constant);

impl Constant {
    #[inline]
    pub(crate) fn value(&self) -> Value<'_> {
        match self {
            Self::Null => Value::Null,
            Self::Boolean(value) => Value::Boolean(*value),
            Self::Integer(value) => Value::Integer(*value),
            Self::Float(value) => Value::Float(*value),
            Self::Timestamp(ns) => Value::Timestamp(*ns),
            Self::String(text) => Value::String(text),
            Self::Regex(regex) => Value::Regex(regex),
            Self::Array(items) => Value::Array(Array::Constants(items)),
            Self::Object(members) => Value::Object(Object::Constants(members)),
        }
    }

    /// A copy of a value, of everything it borrows too.
    pub(crate) fn copy_of(value: Value<'_>, bump: &Bump) -> Self {
        match value {
            Value::Null => Self::Null,
            Value::Boolean(value) => Self::Boolean(value),
            Value::Integer(value) => Self::Integer(value),
            Value::Float(value) => Self::Float(value),
            Value::Timestamp(ns) => Self::Timestamp(ns),
            Value::String(text) => Self::String(text.into()),
            Value::Regex(regex) => Self::Regex(Arc::new(regex.clone())),
            Value::Array(array) => {
                Self::Array(array.iter(bump).map(|item| Self::copy_of(item, bump)).collect())
            }
            Value::Object(object) => Self::Object(
                object
                    .iter(bump)
                    .map(|(key, item)| (key.into(), Self::copy_of(item, bump)))
                    .collect(),
            ),
        }
    }
}
