//! Values of validated JSON text, read where they lie: nested fields are text until a path reaches in.

use bumpalo::Bump;
use lograil_event::json_text::{self, JsonStr, JsonValue, PathStep};

use crate::value::{Array, Member, Object, Value};

/// Most objects and arrays inside each other in a text that the codec reads back, beside the event itself.
pub(crate) const DEPTH_MAX: usize = 126;

/// What a path leads to.
pub(crate) fn walk<'a>(text: &'a [u8], path: &[PathStep], bump: &'a Bump) -> Option<Value<'a>> {
    json_text::find(text, path).map(|json| value(json, bump))
}

/// The elements of an array's text.
pub(crate) fn elements<'a>(
    text: &'a [u8],
    bump: &'a Bump,
) -> impl Iterator<Item = Value<'a>> + use<'a> {
    json_text::elements(text).map(move |json| value(json, bump))
}

/// The members of an object's text.
pub(crate) fn members<'a>(
    text: &'a [u8],
    bump: &'a Bump,
) -> impl Iterator<Item = Member<'a>> + use<'a> {
    json_text::members(text).map(move |(key, json)| (unescape(key, bump), value(json, bump)))
}

/// The member of a key; of a key that comes twice the last one.
pub(crate) fn member<'a>(text: &'a [u8], key: &[u8], bump: &'a Bump) -> Option<Value<'a>> {
    let name = std::str::from_utf8(key).ok()?;
    let found = json_text::members(text).filter(|(key, _)| key.matches(name)).last();
    found.map(|(_, json)| value(json, bump))
}

/// The value of a whole JSON text.
pub(crate) fn document<'a>(text: &'a [u8], bump: &'a Bump) -> Value<'a> {
    json_text::find(text, &[]).map_or(Value::Null, |json| value(json, bump))
}

/// Levels of nesting of a text.
pub(crate) fn depth(text: &[u8]) -> usize {
    let (mut depth, mut deepest, mut at) = (0usize, 0, 0);
    let mut in_string = false;
    while let Some(byte) = text.get(at) {
        match byte {
            b'\\' if in_string => at += 1,
            b'"' => in_string = !in_string,
            b'{' | b'[' if !in_string => {
                depth += 1;
                deepest = deepest.max(depth);
            }
            b'}' | b']' if !in_string => depth = depth.saturating_sub(1),
            _ => {}
        }
        at += 1;
    }
    deepest
}

/// The value of a JSON text.
#[inline]
fn value<'a>(json: JsonValue<'a>, bump: &'a Bump) -> Value<'a> {
    let text = json.text();
    match text.first() {
        Some(b'"') => {
            json.as_json_str().map_or(Value::Null, |text| Value::String(unescape(text, bump)))
        }
        Some(b'{') => Value::Object(Object::Json(text)),
        Some(b'[') => Value::Array(Array::Json(text)),
        Some(b't') => Value::Boolean(true),
        Some(b'f') => Value::Boolean(false),
        Some(b'n') | None => Value::Null,
        Some(_) => number(text),
    }
}

/// The text of a string; borrowed where there is no escape.
fn unescape<'a>(text: JsonStr<'a>, bump: &'a Bump) -> &'a [u8] {
    if !text.is_escaped() {
        return text.raw();
    }
    let mut out = Vec::with_capacity(text.raw().len());
    json_text::unescape(text.raw(), &mut out);
    bump.alloc_slice_copy(&out)
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
