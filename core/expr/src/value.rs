//! Values at run time: borrowed from the batch or the program wherever they can be.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use lograil_event::scan::escape_json;
use lograil_event::{EventRef, ValueRef};
use regex::bytes::Regex;

use crate::compare;
use crate::json;
use crate::kind::Kind;
use crate::literal::format_timestamp;

/// A value of the language.
#[derive(Clone)]
pub enum Value<'a> {
    /// `null`, also what a missing path is.
    Null,
    /// `true` or `false`.
    Boolean(bool),
    /// A whole number.
    Integer(i64),
    /// A float; never NaN.
    Float(f64),
    /// Nanoseconds since the Unix epoch.
    Timestamp(i64),
    /// Text, or bytes that are not UTF-8.
    String(Cow<'a, [u8]>),
    /// A regular expression.
    Regex(Pattern<'a>),
    /// An array.
    Array(Array<'a>),
    /// An object.
    Object(Object<'a>),
}

/// A compiled regex, shared with the program.
#[derive(Debug, Clone)]
pub enum Pattern<'a> {
    /// Held by the program.
    Borrowed(&'a Regex),
    /// Held by the value.
    Owned(Arc<Regex>),
}

/// An array: JSON text that nobody has read yet, or values.
#[derive(Clone)]
pub enum Array<'a> {
    /// Validated JSON text.
    Json(&'a [u8]),
    /// Values held by the program.
    Borrowed(&'a [Value<'a>]),
    /// Computed values.
    Owned(Vec<Value<'a>>),
}

/// A key and its value.
pub type Member<'a> = (Cow<'a, [u8]>, Value<'a>);

/// An object: an event, JSON text that nobody has read yet, or values.
#[derive(Clone)]
pub enum Object<'a> {
    /// The whole event.
    Event(EventRef<'a>),
    /// Validated JSON text.
    Json(&'a [u8]),
    /// Members held by the program.
    Borrowed(&'a [Member<'a>]),
    /// Computed members.
    Owned(Vec<Member<'a>>),
}

impl Pattern<'_> {
    /// The regex.
    #[must_use]
    pub fn regex(&self) -> &Regex {
        match self {
            Self::Borrowed(regex) => regex,
            Self::Owned(regex) => regex,
        }
    }
}

impl<'a> From<ValueRef<'a>> for Value<'a> {
    #[inline]
    fn from(value: ValueRef<'a>) -> Self {
        match value {
            ValueRef::Null => Self::Null,
            ValueRef::Bool(value) => Self::Boolean(value),
            ValueRef::I64(value) => Self::Integer(value),
            ValueRef::U64(value) => {
                i64::try_from(value).map_or(Self::Float(value as f64), Self::Integer)
            }
            ValueRef::F64(value) => Self::float(value),
            ValueRef::Timestamp(ns) => Self::Timestamp(ns),
            ValueRef::Number(text) => json::number(text),
            ValueRef::Str { text, .. } | ValueRef::Bytes(text) => Self::String(Cow::Borrowed(text)),
            ValueRef::Object(text) => Self::Object(Object::Json(text)),
            ValueRef::Array(text) => Self::Array(Array::Json(text)),
        }
    }
}

impl<'a> Value<'a> {
    /// A float; NaN becomes 0, as in VRL.
    #[must_use]
    #[inline]
    pub fn float(value: f64) -> Self {
        Self::Float(if value.is_nan() { 0.0 } else { value })
    }

    /// A text.
    #[must_use]
    pub fn str(text: &'a str) -> Self {
        Self::String(Cow::Borrowed(text.as_bytes()))
    }

    /// The value's type.
    #[must_use]
    pub fn kind(&self) -> Kind {
        match self {
            Self::Null => Kind::NULL,
            Self::Boolean(_) => Kind::BOOLEAN,
            Self::Integer(_) => Kind::INTEGER,
            Self::Float(_) => Kind::FLOAT,
            Self::Timestamp(_) => Kind::TIMESTAMP,
            Self::String(_) => Kind::STRING,
            Self::Regex(_) => Kind::REGEX,
            Self::Array(_) => Kind::ARRAY,
            Self::Object(_) => Kind::OBJECT,
        }
    }

    /// The same value, borrowing from this one.
    #[must_use]
    #[inline]
    pub fn borrow(&self) -> Value<'_> {
        match self {
            Self::Null => Value::Null,
            Self::Boolean(value) => Value::Boolean(*value),
            Self::Integer(value) => Value::Integer(*value),
            Self::Float(value) => Value::Float(*value),
            Self::Timestamp(ns) => Value::Timestamp(*ns),
            Self::String(text) => Value::String(Cow::Borrowed(text)),
            Self::Regex(pattern) => Value::Regex(Pattern::Borrowed(pattern.regex())),
            Self::Array(Array::Json(text)) => Value::Array(Array::Json(text)),
            Self::Array(Array::Borrowed(items)) => Value::Array(Array::Borrowed(items)),
            Self::Array(Array::Owned(items)) => Value::Array(Array::Borrowed(items)),
            Self::Object(Object::Event(event)) => Value::Object(Object::Event(*event)),
            Self::Object(Object::Json(text)) => Value::Object(Object::Json(text)),
            Self::Object(Object::Borrowed(members)) => Value::Object(Object::Borrowed(members)),
            Self::Object(Object::Owned(members)) => Value::Object(Object::Borrowed(members)),
        }
    }

    /// The value with everything it borrows copied.
    #[must_use]
    pub fn into_owned(self) -> Value<'static> {
        match self {
            Self::Null => Value::Null,
            Self::Boolean(value) => Value::Boolean(value),
            Self::Integer(value) => Value::Integer(value),
            Self::Float(value) => Value::Float(value),
            Self::Timestamp(ns) => Value::Timestamp(ns),
            Self::String(text) => Value::String(Cow::Owned(text.into_owned())),
            Self::Regex(pattern) => Value::Regex(Pattern::Owned(match pattern {
                Pattern::Borrowed(regex) => Arc::new(regex.clone()),
                Pattern::Owned(regex) => regex,
            })),
            Self::Array(array) => {
                Value::Array(Array::Owned(array.iter().map(Value::into_owned).collect()))
            }
            Self::Object(object) => Value::Object(Object::Owned(
                object
                    .iter()
                    .map(|(key, value)| (Cow::Owned(key.into_owned()), value.into_owned()))
                    .collect(),
            )),
        }
    }

    /// Appends the value as JSON. Timestamps become RFC 3339 text, bytes that are not UTF-8 U+FFFD.
    pub fn write_json(&self, out: &mut Vec<u8>) {
        match self {
            Self::Null => out.extend_from_slice(b"null"),
            Self::Boolean(value) => out.extend_from_slice(value.to_string().as_bytes()),
            Self::Integer(value) => out.extend_from_slice(value.to_string().as_bytes()),
            Self::Float(value) if value.is_finite() => {
                out.extend_from_slice(format!("{value:?}").as_bytes());
            }
            Self::Float(_) => out.extend_from_slice(b"null"),
            Self::Timestamp(ns) => write_text(format_timestamp(*ns).as_bytes(), out),
            Self::String(text) => write_text(text, out),
            Self::Regex(pattern) => write_text(pattern.regex().as_str().as_bytes(), out),
            Self::Array(Array::Json(text)) | Self::Object(Object::Json(text)) => {
                out.extend_from_slice(text);
            }
            Self::Array(array) => {
                out.push(b'[');
                for (index, item) in array.iter().enumerate() {
                    out.extend_from_slice(if index > 0 { b"," } else { b"" });
                    item.write_json(out);
                }
                out.push(b']');
            }
            Self::Object(object) => {
                out.push(b'{');
                for (index, (key, item)) in object.iter().enumerate() {
                    out.extend_from_slice(if index > 0 { b"," } else { b"" });
                    write_text(&key, out);
                    out.push(b':');
                    item.write_json(out);
                }
                out.push(b'}');
            }
        }
    }
}

fn write_text(text: &[u8], out: &mut Vec<u8>) {
    out.push(b'"');
    escape_json(String::from_utf8_lossy(text).as_bytes(), out);
    out.push(b'"');
}

/// As JSON.
impl fmt::Display for Value<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut out = Vec::new();
        self.write_json(&mut out);
        f.write_str(&String::from_utf8_lossy(&out))
    }
}

impl fmt::Debug for Value<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Equality as `==` has it: numbers by value, objects without order.
impl PartialEq for Value<'_> {
    fn eq(&self, other: &Self) -> bool {
        compare::equals(self, other)
    }
}

impl Array<'_> {
    /// The values in their order.
    pub fn iter(&self) -> impl Iterator<Item = Value<'_>> {
        let (text, items): (&[u8], &[Value<'_>]) = match self {
            Self::Json(text) => (text, &[]),
            Self::Borrowed(items) => (b"", items),
            Self::Owned(items) => (b"", items),
        };
        json::elements(text).chain(items.iter().map(Value::borrow))
    }
}

impl Object<'_> {
    /// The members in the order they were written; a key that was written twice comes twice.
    pub fn iter(&self) -> impl Iterator<Item = Member<'_>> {
        let mut event = None;
        let (text, members): (&[u8], &[Member<'_>]) = match self {
            Self::Event(from) => {
                event = Some(from);
                (b"", &[])
            }
            Self::Json(text) => (text, &[]),
            Self::Borrowed(members) => (b"", members),
            Self::Owned(members) => (b"", members),
        };
        let fields = event.into_iter().flat_map(|event| event.iter());
        fields
            .map(|(name, value)| (Cow::Borrowed(name.as_bytes()), Value::from(value)))
            .chain(json::members(text))
            .chain(members.iter().map(|(key, value)| (Cow::Borrowed(&**key), value.borrow())))
    }
}
