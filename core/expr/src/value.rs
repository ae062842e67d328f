//! Values at run time: they borrow from the batch, the program, or the memory of the event at hand.

use std::fmt;

use bumpalo::Bump;
use lograil_event::json_text;
use lograil_event::scan::escape_json;
use lograil_event::{EventRef, ValueRef};
use regex::bytes::Regex;

use crate::compare;
use crate::constant::{Constant, ConstantMember};
use crate::json;
use crate::kind::Kind;
use crate::literal::format_timestamp;
use crate::nested::position;
use crate::value_iter::{Items, Members};

/// A value of the language. Copying one copies no text.
#[derive(Clone, Copy)]
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
    String(&'a [u8]),
    /// A regular expression.
    Regex(&'a Regex),
    /// An array.
    Array(Array<'a>),
    /// An object.
    Object(Object<'a>),
}

/// An array: JSON text that nobody has read yet, or values.
#[derive(Clone, Copy)]
pub enum Array<'a> {
    /// Validated JSON text.
    Json(&'a [u8]),
    /// Computed values.
    Items(&'a [Value<'a>]),
    /// Values of the program.
    Constants(&'a [Constant]),
}

/// A key and its value.
pub type Member<'a> = (&'a [u8], Value<'a>);

/// An object: an event, JSON text that nobody has read yet, or values.
#[derive(Clone, Copy)]
pub enum Object<'a> {
    /// The whole event, as it came.
    Event(EventRef<'a>),
    /// Validated JSON text.
    Json(&'a [u8]),
    /// Computed members; no key comes twice.
    Members(&'a [Member<'a>]),
    /// Members of the program.
    Constants(&'a [ConstantMember]),
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
            ValueRef::Str { text, .. } | ValueRef::Bytes(text) => Self::String(text),
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
        Self::String(text.as_bytes())
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

    /// Whether it is an array or object without anything in it.
    pub(crate) fn is_empty_collection(&self) -> bool {
        match self {
            Self::Array(array) => array.is_empty(),
            Self::Object(object) => object.is_empty(),
            _ => false,
        }
    }

    /// Appends the value as JSON. Timestamps become RFC 3339 text, bytes that are not UTF-8 U+FFFD.
    pub fn write_json(&self, out: &mut Vec<u8>) {
        let _ = self.write_json_within(out, usize::MAX, usize::MAX);
    }

    /// Like [`Value::write_json`], with at most so many levels of nesting and so many bytes in `out`.
    pub(crate) fn write_json_within(
        &self,
        out: &mut Vec<u8>,
        depth: usize,
        bytes: usize,
    ) -> Result<(), TooLarge> {
        match self {
            Self::Null => out.extend_from_slice(b"null"),
            Self::Boolean(true) => out.extend_from_slice(b"true"),
            Self::Boolean(false) => out.extend_from_slice(b"false"),
            Self::Integer(value) => append(out, format_args!("{value}")),
            Self::Float(value) if value.is_finite() => append(out, format_args!("{value:?}")),
            Self::Float(_) => out.extend_from_slice(b"null"),
            Self::Timestamp(ns) => write_text(format_timestamp(*ns).as_bytes(), out),
            Self::String(text) => write_text(text, out),
            Self::Regex(regex) => write_text(regex.as_str().as_bytes(), out),
            Self::Array(Array::Json(text)) | Self::Object(Object::Json(text)) => {
                if depth < json::DEPTH_MAX && json::depth(text) > depth {
                    return Err(TooLarge);
                }
                out.extend_from_slice(text);
            }
            Self::Array(array) => {
                let depth = depth.checked_sub(1).ok_or(TooLarge)?;
                let mut separator = b'[';
                array.each(|item| {
                    out.push(std::mem::replace(&mut separator, b','));
                    item.write_json_within(out, depth, bytes)
                })?;
                out.extend_from_slice(if separator == b'[' { b"[]" } else { b"]" });
            }
            Self::Object(object) => {
                let depth = depth.checked_sub(1).ok_or(TooLarge)?;
                let mut separator = b'{';
                object.each(|key, item| {
                    out.push(std::mem::replace(&mut separator, b','));
                    write_text(key, out);
                    out.push(b':');
                    item.write_json_within(out, depth, bytes)
                })?;
                out.extend_from_slice(if separator == b'{' { b"{}" } else { b"}" });
            }
        }
        if out.len() > bytes { Err(TooLarge) } else { Ok(()) }
    }
}

/// A value with more levels of nesting or more bytes than a bound allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct TooLarge;

fn append(out: &mut Vec<u8>, text: fmt::Arguments<'_>) {
    // Writing to memory does not fail.
    let _ = std::io::Write::write_fmt(out, text);
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
        compare::equals(self, other, &Bump::new())
    }
}

impl<'a> Array<'a> {
    /// The values in their order; texts with escapes are resolved into `bump`.
    #[inline]
    pub fn iter(self, bump: &'a Bump) -> impl Iterator<Item = Value<'a>> + use<'a> {
        match self {
            Self::Json(text) => Items::Json(json_text::elements(text), bump),
            Self::Items(items) => Items::Values(items.iter()),
            Self::Constants(items) => Items::Constants(items.iter()),
        }
    }

    /// The value at an index; a negative one counts from the end.
    #[must_use]
    pub fn get(self, index: i64, bump: &'a Bump) -> Option<Value<'a>> {
        match self {
            Self::Json(text) => json::element(text, index, bump),
            Self::Items(items) => items.get(position(index, items.len())?).copied(),
            Self::Constants(items) => items.get(position(index, items.len())?).map(Constant::value),
        }
    }

    /// How many values there are.
    #[must_use]
    pub fn len(self) -> usize {
        match self {
            Self::Json(text) => json_text::elements(text).count(),
            Self::Items(items) => items.len(),
            Self::Constants(items) => items.len(),
        }
    }

    /// Whether there is no value.
    #[must_use]
    pub fn is_empty(self) -> bool {
        self.len() == 0
    }

    /// Calls `take` with every value of one that is not JSON text.
    fn each(self, mut take: impl FnMut(Value<'a>) -> Result<(), TooLarge>) -> Result<(), TooLarge> {
        match self {
            Self::Json(_) => Ok(()),
            Self::Items(items) => items.iter().try_for_each(|item| take(*item)),
            Self::Constants(items) => items.iter().try_for_each(|item| take(item.value())),
        }
    }
}

impl<'a> Object<'a> {
    /// The members in the order they were written; a key that was written twice comes twice. Texts with
    /// escapes are resolved into `bump`.
    #[inline]
    pub fn iter(self, bump: &'a Bump) -> impl Iterator<Item = Member<'a>> + use<'a> {
        self.members(bump)
    }

    #[inline]
    fn members(self, bump: &'a Bump) -> Members<'a> {
        match self {
            Self::Event(event) => Members::Event(event.batch(), event.fields().iter()),
            Self::Json(text) => Members::Json(json_text::members(text), bump),
            Self::Members(members) => Members::Pairs(members.iter()),
            Self::Constants(members) => Members::Constants(members.iter()),
        }
    }

    /// The keys in the order they were written, without a look at the values.
    pub(crate) fn keys(self, bump: &'a Bump) -> impl Iterator<Item = &'a [u8]> + use<'a> {
        let mut members = self.members(bump);
        std::iter::from_fn(move || members.next_key())
    }

    /// The value of a key; of a key that comes twice the last one.
    #[must_use]
    pub fn get(self, key: &[u8], bump: &'a Bump) -> Option<Value<'a>> {
        match self {
            Self::Event(event) => std::str::from_utf8(key)
                .ok()
                .and_then(|name| event.get_named(name))
                .map(Value::from),
            Self::Json(text) => json::member(text, key, bump),
            Self::Members(members) => {
                members.iter().find(|(name, _)| *name == key).map(|(_, value)| *value)
            }
            Self::Constants(members) => {
                members.iter().rfind(|(name, _)| **name == *key).map(|(_, value)| value.value())
            }
        }
    }

    /// How many members there are.
    #[must_use]
    pub fn len(self) -> usize {
        match self {
            Self::Event(event) => event.fields().len(),
            Self::Json(text) => json_text::members(text).count(),
            Self::Members(members) => members.len(),
            Self::Constants(members) => members.len(),
        }
    }

    /// Whether there is no member.
    #[must_use]
    pub fn is_empty(self) -> bool {
        self.len() == 0
    }

    /// Calls `take` with every member of one that is not JSON text.
    fn each(
        self,
        mut take: impl FnMut(&[u8], Value<'a>) -> Result<(), TooLarge>,
    ) -> Result<(), TooLarge> {
        match self {
            Self::Event(event) => {
                event.iter().try_for_each(|(name, value)| take(name.as_bytes(), Value::from(value)))
            }
            Self::Json(_) => Ok(()),
            Self::Members(members) => members.iter().try_for_each(|(key, value)| take(key, *value)),
            Self::Constants(members) => {
                members.iter().try_for_each(|(key, value)| take(key, value.value()))
            }
        }
    }
}
