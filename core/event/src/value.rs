//! A value as it is read: borrowed from the batch, never allocated.

use crate::field::{FieldFlags, Tag};

/// One value of an event.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum ValueRef<'a> {
    /// JSON `null`.
    Null,
    /// A boolean.
    Bool(bool),
    /// A signed integer.
    I64(i64),
    /// An unsigned integer above `i64::MAX`.
    U64(u64),
    /// A float.
    F64(f64),
    /// Nanoseconds since the Unix epoch.
    Timestamp(i64),
    /// A number as it was written, in JSON's grammar (ASCII).
    Number(&'a [u8]),
    /// Text; valid UTF-8. `clean` is true where JSON needs no escape in it.
    Str {
        /// The text.
        text: &'a [u8],
        /// Whether the text is known to need no escaping in JSON.
        clean: bool,
    },
    /// Bytes that are not UTF-8.
    Bytes(&'a [u8]),
    /// A JSON object as validated text.
    Object(&'a [u8]),
    /// A JSON array as validated text.
    Array(&'a [u8]),
}

impl<'a> ValueRef<'a> {
    pub(crate) fn from_parts(tag: Tag, flags: FieldFlags, payload: u64, text: &'a [u8]) -> Self {
        match tag {
            Tag::Null => Self::Null,
            Tag::Bool => Self::Bool(payload & 1 == 1),
            Tag::I64 => Self::I64(payload.cast_signed()),
            Tag::U64 => Self::U64(payload),
            Tag::F64 => Self::F64(f64::from_bits(payload)),
            Tag::Timestamp => Self::Timestamp(payload.cast_signed()),
            Tag::Number => Self::Number(text),
            Tag::Str => Self::Str { text, clean: flags.contains(FieldFlags::CLEAN) },
            Tag::Bytes => Self::Bytes(text),
            Tag::Object => Self::Object(text),
            Tag::Array => Self::Array(text),
        }
    }

    /// A text of which nothing more is known.
    #[must_use]
    pub const fn str(text: &'a str) -> Self {
        Self::Str { text: text.as_bytes(), clean: false }
    }

    /// The bytes of a text, of bytes, or of anything that is kept as text.
    #[must_use]
    pub fn as_bytes(&self) -> Option<&'a [u8]> {
        match *self {
            Self::Number(text)
            | Self::Str { text, .. }
            | Self::Bytes(text)
            | Self::Object(text)
            | Self::Array(text) => Some(text),
            _ => None,
        }
    }

    /// The text of a `Str`.
    #[must_use]
    pub fn as_str(&self) -> Option<&'a str> {
        match *self {
            Self::Str { text, .. } => std::str::from_utf8(text).ok(),
            _ => None,
        }
    }

    /// The value as an integer, if it is one (also a [`ValueRef::Number`] written as one).
    #[must_use]
    pub fn as_i64(&self) -> Option<i64> {
        match *self {
            Self::I64(value) => Some(value),
            Self::Number(text) => std::str::from_utf8(text).ok()?.parse().ok(),
            _ => None,
        }
    }

    /// The value as a float, if it is a number of any kind.
    #[must_use]
    pub fn as_f64(&self) -> Option<f64> {
        match *self {
            Self::I64(value) => Some(value as f64),
            Self::U64(value) => Some(value as f64),
            Self::F64(value) => Some(value),
            Self::Number(text) => std::str::from_utf8(text).ok()?.parse().ok(),
            _ => None,
        }
    }

    /// The type's name in messages to the user.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Bool(_) => "boolean",
            Self::I64(_) | Self::U64(_) => "integer",
            Self::F64(_) => "float",
            Self::Timestamp(_) => "timestamp",
            Self::Number(_) => "number",
            Self::Str { .. } => "string",
            Self::Bytes(_) => "bytes",
            Self::Object(_) => "object",
            Self::Array(_) => "array",
        }
    }
}
