//! Values of validated JSON text, read where they lie: nested fields are text until a path reaches in.

use std::borrow::Cow;

use lograil_event::json_text::{self, JsonStr, JsonValue, PathStep};

use crate::value::{Array, Member, Object, Value};

/// What a path leads to.
pub(crate) fn walk<'a>(text: &'a [u8], path: &[PathStep]) -> Option<Value<'a>> {
    json_text::find(text, path).map(value)
}

/// The elements of an array's text.
pub(crate) fn elements(text: &[u8]) -> impl Iterator<Item = Value<'_>> {
    json_text::elements(text).map(value)
}

/// The members of an object's text.
pub(crate) fn members(text: &[u8]) -> impl Iterator<Item = Member<'_>> {
    json_text::members(text).map(|(key, text)| (unescape(key), value(text)))
}

/// The value of a JSON text.
#[inline]
fn value(json: JsonValue<'_>) -> Value<'_> {
    let text = json.text();
    match text.first() {
        Some(b'"') => json.as_json_str().map_or(Value::Null, |text| Value::String(unescape(text))),
        Some(b'{') => Value::Object(Object::Json(text)),
        Some(b'[') => Value::Array(Array::Json(text)),
        Some(b't') => Value::Boolean(true),
        Some(b'f') => Value::Boolean(false),
        Some(b'n') | None => Value::Null,
        Some(_) => number(text),
    }
}

/// The text of a string; borrowed where there is no escape.
fn unescape(text: JsonStr<'_>) -> Cow<'_, [u8]> {
    if !text.is_escaped() {
        return Cow::Borrowed(text.raw());
    }
    let mut out = Vec::with_capacity(text.raw().len());
    json_text::unescape(text.raw(), &mut out);
    Cow::Owned(out)
}

/// An integer of at most 18 digits.
#[inline]
pub(crate) fn short_integer(text: &[u8]) -> Option<i64> {
    let (negative, digits) = match text {
        // An integer has no negative zero: `-0` is a float.
        [b'-', b'1'..=b'9', ..] => (true, &text[1..]),
        digits => (false, digits),
    };
    if digits.len() > 18 || digits.is_empty() {
        return None;
    }
    let mut value = 0;
    for byte in digits {
        let digit = byte.wrapping_sub(b'0');
        if digit > 9 {
            return None;
        }
        value = value * 10 + i64::from(digit);
    }
    Some(if negative { -value } else { value })
}

/// The value of a number as it was written: an integer where it is one of 64 bits, else a float.
#[inline]
pub(crate) fn number(text: &[u8]) -> Value<'static> {
    if let Some(value) = short_integer(text) {
        return Value::Integer(value);
    }
    let text = std::str::from_utf8(text).unwrap_or_default();
    match text.parse() {
        Ok(value) if text != "-0" => Value::Integer(value),
        _ => text.parse().map_or(Value::Null, Value::float),
    }
}
