//! Values of validated JSON text, read where they lie: nested fields are text until a path reaches in.

use bumpalo::Bump;
use lograil_event::json_text::{self, JsonStr, JsonValue, PathStep};

use crate::value::{Array, Object, Value};

/// Most objects and arrays inside each other in a text that the codec reads back, beside the event itself.
pub(crate) const DEPTH_MAX: usize = 126;

/// What a path leads to.
pub(crate) fn walk<'a>(text: &'a [u8], path: &[PathStep], bump: &'a Bump) -> Option<Value<'a>> {
    json_text::find(text, path).map(|json| value(json, bump))
}

/// The element of an array's text; a negative index counts from the end.
pub(crate) fn element<'a>(text: &'a [u8], index: i64, bump: &'a Bump) -> Option<Value<'a>> {
    json_text::element(text, index).map(|json| value(json, bump))
}

/// The member of a key; of a key that comes twice the last one.
pub(crate) fn member<'a>(text: &'a [u8], key: &[u8], bump: &'a Bump) -> Option<Value<'a>> {
    json_text::member(text, key).map(|json| value(json, bump))
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
pub(crate) fn value<'a>(json: JsonValue<'a>, bump: &'a Bump) -> Value<'a> {
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
#[inline]
pub(crate) fn unescape<'a>(text: JsonStr<'a>, bump: &'a Bump) -> &'a [u8] {
    if text.is_escaped() { resolve(text, bump) } else { text.raw() }
}

#[inline(never)]
fn resolve<'a>(text: JsonStr<'a>, bump: &'a Bump) -> &'a [u8] {
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
pub(crate) fn number(text: &[u8]) -> Value<'static> {
    short_number(text).unwrap_or_else(|| long_number(text))
}

#[cold]
fn long_number(text: &[u8]) -> Value<'static> {
    let text = std::str::from_utf8(text).unwrap_or_default();
    match text.parse() {
        Ok(value) if text != "-0" => Value::Integer(value),
        _ => text.parse().map_or(Value::Null, Value::float),
    }
}

/// Powers of ten by which the digits of a [`short_number`] are divided.
const TENS: [f64; 16] =
    [1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15];

/// A number of at most 16 bytes without an exponent. The digits of a decimal and the power of ten both are floats
/// exactly, so that their quotient is rounded once, and right (Clinger, "How to read floating point numbers
/// accurately", 1990).
#[inline]
fn short_number(text: &[u8]) -> Option<Value<'static>> {
    let (negative, digits) = match text {
        [b'-', rest @ ..] => (true, rest),
        digits => (false, digits),
    };
    if digits.len() > TENS.len() {
        return None;
    }
    let (whole, rest) = leading_digits(0, digits);
    if rest.len() == digits.len() {
        return None;
    }
    let Some((b'.', rest)) = rest.split_first() else {
        // An integer has no negative zero: `-0` is a float.
        let is_integer = rest.is_empty() && !(negative && whole == 0);
        return is_integer.then_some(Value::Integer(if negative { -whole } else { whole }));
    };
    let (value, left) = leading_digits(whole, rest);
    if rest.is_empty() || !left.is_empty() {
        return None;
    }
    let value = value as f64 / TENS.get(rest.len())?;
    Some(Value::Float(if negative { -value } else { value }))
}

/// The number that the digits at the start append to `value`, and what follows them.
#[inline]
fn leading_digits(mut value: i64, mut text: &[u8]) -> (i64, &[u8]) {
    while let [byte @ b'0'..=b'9', rest @ ..] = text {
        value = value * 10 + i64::from(byte - b'0');
        text = rest;
    }
    (value, text)
}

#[cfg(test)]
mod tests {
    use super::{long_number, short_number};

    #[test]
    fn a_short_number_is_what_the_standard_library_reads() {
        let digits = ["0", "7", "10", "125", "9007199254", "123456789012345", "000"];
        let mut texts = vec!["-0".to_owned(), "9999999999999999".to_owned(), "-12".to_owned()];
        for whole in digits {
            texts.extend([whole.to_owned(), format!("-{whole}")]);
            for decimals in digits {
                texts.extend(["", "-"].map(|sign| format!("{sign}{whole}.{decimals}")));
            }
        }
        let mut short = 0;
        for text in &texts {
            let Some(value) = short_number(text.as_bytes()) else { continue };
            let long = long_number(text.as_bytes());
            assert_eq!(format!("{value:?}"), format!("{long:?}"), "{text}");
            assert_eq!(value.kind(), long.kind(), "{text}");
            short += 1;
        }
        assert!(short > texts.len() / 2);
        for text in ["", "-", ".", "1.", ".5", "1.2.3", "1e5", "1.5e3", "--1.5", "1.-5", "-0"] {
            assert!(short_number(text.as_bytes()).is_none(), "{text}");
        }
    }
}
