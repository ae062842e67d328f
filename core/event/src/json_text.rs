//! Reading inside JSON text that was validated before: members, elements, paths and escapes, without a tree.
//!
//! **Invariant:** text that is *not* valid gives fewer values or wrong ones, never a panic.

use std::borrow::Cow;

use crate::field::Tag;
use crate::scan::find_special;
use crate::value::ValueRef;

/// One step of a path into nested values.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum PathStep {
    /// The member of an object.
    Name(String),
    /// The element of an array; a negative index counts from the end.
    Index(i64),
}

/// A string of a JSON text: what stands between its quotes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct JsonStr<'a> {
    raw: &'a [u8],
}

impl<'a> JsonStr<'a> {
    /// The text between the quotes, escapes as they were written.
    #[must_use]
    pub fn raw(&self) -> &'a [u8] {
        self.raw
    }

    /// Whether the text has escapes.
    #[must_use]
    #[inline]
    pub fn is_escaped(&self) -> bool {
        self.raw.contains(&b'\\')
    }

    /// Whether the string, its escapes resolved, is `name`. Allocates nothing.
    #[must_use]
    #[inline]
    pub fn matches(&self, name: &[u8]) -> bool {
        if self.is_escaped() { self.matches_resolved(name) } else { self.raw == name }
    }

    fn matches_resolved(&self, name: &[u8]) -> bool {
        let mut rest = Some(name);
        unescape_pieces(self.raw, |piece| rest = rest.and_then(|rest| rest.strip_prefix(piece)));
        rest.is_some_and(<[u8]>::is_empty)
    }

    /// The string with its escapes resolved; borrowed where there are none.
    #[must_use]
    pub fn decode(&self) -> Cow<'a, str> {
        if !self.is_escaped() {
            return String::from_utf8_lossy(self.raw);
        }
        let mut text = Vec::with_capacity(self.raw.len());
        unescape(self.raw, &mut text);
        Cow::Owned(String::from_utf8_lossy(&text).into_owned())
    }
}

/// A value of a JSON text: the text of exactly one value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct JsonValue<'a> {
    text: &'a [u8],
}

impl<'a> JsonValue<'a> {
    /// The value's text as it was written.
    #[must_use]
    pub fn text(&self) -> &'a [u8] {
        self.text
    }

    /// What the value is.
    #[must_use]
    pub fn tag(&self) -> Tag {
        match self.text.first() {
            Some(b'"') => Tag::Str,
            Some(b'{') => Tag::Object,
            Some(b'[') => Tag::Array,
            Some(b't' | b'f') => Tag::Bool,
            Some(b'-' | b'0'..=b'9') => Tag::Number,
            _ => Tag::Null,
        }
    }

    /// The string, if the value is one.
    #[must_use]
    pub fn as_json_str(&self) -> Option<JsonStr<'a>> {
        let raw = self.text.strip_prefix(b"\"")?.strip_suffix(b"\"")?;
        Some(JsonStr { raw })
    }

    /// The value; a string with escapes is resolved into `scratch`, everything else is borrowed.
    #[must_use]
    pub fn value(&self, scratch: &'a mut Vec<u8>) -> ValueRef<'a> {
        match self.tag() {
            Tag::Object => ValueRef::Object(self.text),
            Tag::Array => ValueRef::Array(self.text),
            Tag::Number => ValueRef::Number(self.text),
            Tag::Bool => ValueRef::Bool(self.text == b"true"),
            Tag::Str => {
                let raw = self.as_json_str().map_or(&[][..], |string| string.raw);
                if !raw.contains(&b'\\') {
                    return ValueRef::Str { text: raw, clean: true };
                }
                scratch.clear();
                unescape(raw, scratch);
                ValueRef::Str { text: scratch, clean: false }
            }
            _ => ValueRef::Null,
        }
    }
}

/// The members of the text of an object, in their order; duplicates are all given.
#[derive(Debug, Clone)]
pub struct Members<'a> {
    text: &'a [u8],
    pos: usize,
}

/// The elements of the text of an array, in their order.
#[derive(Debug, Clone)]
pub struct Elements<'a> {
    text: &'a [u8],
    pos: usize,
}

/// The members of an object's text; none if it is no object.
#[must_use]
pub fn members(text: &[u8]) -> Members<'_> {
    let text = text.trim_ascii_start();
    Members { text, pos: if text.first() == Some(&b'{') { 1 } else { text.len() } }
}

/// The elements of an array's text; none if it is no array.
#[must_use]
pub fn elements(text: &[u8]) -> Elements<'_> {
    let text = text.trim_ascii_start();
    Elements { text, pos: if text.first() == Some(&b'[') { 1 } else { text.len() } }
}

impl<'a> Iterator for Members<'a> {
    type Item = (JsonStr<'a>, JsonValue<'a>);

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        let start = skip_gap(self.text, self.pos, b',');
        if self.text.get(start) != Some(&b'"') {
            self.pos = self.text.len();
            return None;
        }
        let end = skip_string(self.text, start);
        let raw = self.text.get(start + 1..end.saturating_sub(1))?;
        let value = skip_gap(self.text, end, b':');
        self.pos = skip_value(self.text, value);
        let text = self.text.get(value..self.pos).filter(|text| !text.is_empty())?;
        Some((JsonStr { raw }, JsonValue { text }))
    }
}

impl<'a> Iterator for Elements<'a> {
    type Item = JsonValue<'a>;

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        let start = skip_gap(self.text, self.pos, b',');
        if matches!(self.text.get(start), None | Some(b']')) {
            self.pos = self.text.len();
            return None;
        }
        self.pos = skip_value(self.text, start);
        let text = self.text.get(start..self.pos).filter(|text| !text.is_empty())?;
        Some(JsonValue { text })
    }
}

/// The value a path leads to. Of members with one name the last counts, as everywhere.
#[must_use]
pub fn find<'a>(text: &'a [u8], path: &[PathStep]) -> Option<JsonValue<'a>> {
    path.iter().try_fold(JsonValue { text: text.trim_ascii() }, |value, step| match step {
        PathStep::Name(name) => member(value.text, name.as_bytes()),
        PathStep::Index(index) => element(value.text, *index),
    })
}

/// The member of an object's text. Of members with one name the last counts.
#[must_use]
pub fn member<'a>(text: &'a [u8], name: &[u8]) -> Option<JsonValue<'a>> {
    let mut found = None;
    for (key, value) in members(text) {
        if key.matches(name) {
            found = Some(value);
        }
    }
    found
}

/// The element of an array's text; a negative index counts from the end.
#[must_use]
pub fn element(text: &[u8], index: i64) -> Option<JsonValue<'_>> {
    let mut elements = elements(text);
    let index = match usize::try_from(index) {
        Ok(index) => index,
        Err(_) => {
            let back = usize::try_from(index.unsigned_abs()).ok()?;
            elements.clone().count().checked_sub(back)?
        }
    };
    elements.nth(index)
}

/// The value a path leads to; `scratch` takes the text of a string with escapes.
#[must_use]
pub fn get<'a>(
    text: &'a [u8],
    path: &[PathStep],
    scratch: &'a mut Vec<u8>,
) -> Option<ValueRef<'a>> {
    Some(find(text, path)?.value(scratch))
}

/// Appends what stands between the quotes of a validated JSON string, its escapes resolved.
pub fn unescape(raw: &[u8], out: &mut Vec<u8>) {
    unescape_pieces(raw, |piece| out.extend_from_slice(piece));
}

/// Position behind white space and at most one `mark`. Most JSON is written without white space.
#[inline]
fn skip_gap(text: &[u8], pos: usize, mark: u8) -> usize {
    let behind = pos + usize::from(text.get(pos) == Some(&mark));
    match text.get(behind) {
        Some(byte) if *byte > b' ' => behind,
        _ => skip_wide_gap(text, pos, mark),
    }
}

#[inline(never)]
fn skip_wide_gap(text: &[u8], mut pos: usize, mark: u8) -> usize {
    let mut marks = 0;
    while let Some(&byte) = text.get(pos) {
        match byte {
            b' ' | b'\t' | b'\n' | b'\r' => {}
            _ if byte == mark && marks == 0 => marks = 1,
            _ => break,
        }
        pos += 1;
    }
    pos
}

/// Position behind the string that starts with the quote at `pos`.
#[inline]
fn skip_string(text: &[u8], pos: usize) -> usize {
    let mut at = pos + 1;
    loop {
        at = find_special(text, at.min(text.len()));
        match text.get(at) {
            None => return text.len(),
            Some(b'"') => return at + 1,
            Some(b'\\') => at += 2,
            Some(_) => at += 1,
        }
    }
}

/// Position behind the value that starts at `pos`.
#[inline]
fn skip_value(text: &[u8], pos: usize) -> usize {
    match text.get(pos) {
        Some(b'"') => skip_string(text, pos),
        Some(b'{' | b'[') => skip_collection(text, pos),
        Some(b'}' | b']') => pos + 1,
        _ => {
            let is_end = |b: &u8| matches!(b, b',' | b']' | b'}' | b' ' | b'\t' | b'\n' | b'\r');
            let rest = text.get(pos..).unwrap_or_default();
            pos + rest.iter().position(is_end).unwrap_or(rest.len())
        }
    }
}

/// Position behind the object or array that starts at `pos`.
fn skip_collection(text: &[u8], pos: usize) -> usize {
    let mut at = pos;
    let mut depth = 0usize;
    while let Some(&byte) = text.get(at) {
        at += 1;
        match byte {
            b'"' => at = skip_string(text, at - 1),
            b'{' | b'[' => depth += 1,
            b'}' | b']' => {
                depth -= 1;
                if depth == 0 {
                    return at;
                }
            }
            _ => {}
        }
    }
    text.len()
}

/// Hands out the pieces of a string: plain runs, and one piece for each escape.
fn unescape_pieces(raw: &[u8], mut take: impl FnMut(&[u8])) {
    let mut from = 0;
    while let Some(found) = raw[from..].iter().position(|byte| *byte == b'\\') {
        let at = from + found;
        take(&raw[from..at]);
        let Some(&letter) = raw.get(at + 1) else { return };
        from = at + 2;
        let plain = match letter {
            b'b' => 0x08,
            b'f' => 0x0C,
            b'n' => b'\n',
            b'r' => b'\r',
            b't' => b'\t',
            b'u' => {
                let (character, next) = code_point(raw, at + 2);
                take(character.encode_utf8(&mut [0; 4]).as_bytes());
                from = next.min(raw.len());
                continue;
            }
            other => other,
        };
        take(&[plain]);
    }
    take(&raw[from..]);
}

/// The character of `\uXXXX`, or of a pair of them, whose first digit is at `pos`; and the position behind.
fn code_point(raw: &[u8], pos: usize) -> (char, usize) {
    let unknown = (char::REPLACEMENT_CHARACTER, pos + 4);
    let Some(high) = hex4(raw, pos) else { return unknown };
    if !(0xD800..0xDC00).contains(&high) {
        return (char::from_u32(high).unwrap_or(char::REPLACEMENT_CHARACTER), pos + 4);
    }
    let low = match raw.get(pos + 4..pos + 6) {
        Some(b"\\u") => hex4(raw, pos + 6).filter(|low| (0xDC00..0xE000).contains(low)),
        _ => None,
    };
    let Some(low) = low else { return unknown };
    let joined = 0x10000 + ((high - 0xD800) << 10) + (low - 0xDC00);
    (char::from_u32(joined).unwrap_or(char::REPLACEMENT_CHARACTER), pos + 10)
}

/// Four hexadecimal digits.
fn hex4(raw: &[u8], pos: usize) -> Option<u32> {
    let digits = raw.get(pos..pos + 4)?;
    let mut value = 0;
    for digit in digits {
        value = value << 4 | char::from(*digit).to_digit(16)?;
    }
    Some(value)
}

#[cfg(test)]
#[path = "json_text_tests.rs"]
mod tests;
