//! The grammar of RFC 8259: each function takes the position where a token starts and gives the one behind it.

use lograil_event::scan::find_special;

use super::error::{JsonError, JsonErrorKind};

/// Objects and arrays inside each other at which a document is refused; the same as serde_json's.
pub const DEPTH_MAX: u32 = 128;

pub(super) type Scanned = Result<usize, JsonError>;

/// The byte at `pos`; 0, which no token starts with, at the end.
#[inline]
pub(super) fn byte_at(text: &[u8], pos: usize) -> u8 {
    text.get(pos).copied().unwrap_or(0)
}

/// Position of the first byte at or after `pos` that is no white space.
#[inline]
pub(super) fn skip_space(text: &[u8], pos: usize) -> usize {
    if byte_at(text, pos) > b' ' { pos } else { skip_space_slow(text, pos) }
}

#[cold]
fn skip_space_slow(text: &[u8], mut pos: usize) -> usize {
    while matches!(byte_at(text, pos), b' ' | b'\t' | b'\n' | b'\r') {
        pos += 1;
    }
    pos
}

/// Behind a number.
#[inline(always)]
pub(super) fn skip_number(text: &[u8], pos: usize) -> Scanned {
    let mut at = pos + usize::from(byte_at(text, pos) == b'-');
    let first = byte_at(text, at);
    if !first.is_ascii_digit() {
        return Err(JsonError::expected(text, at, "a digit"));
    }
    at = if first == b'0' { at + 1 } else { skip_digits(text, at + 1) };
    match byte_at(text, at) {
        b'.' | b'e' | b'E' => skip_fraction(text, at),
        b'0'..=b'9' => Err(JsonError::expected(text, at, "no digit after a leading zero")),
        _ => Ok(at),
    }
}

#[inline]
fn skip_digits(text: &[u8], mut pos: usize) -> usize {
    while byte_at(text, pos).is_ascii_digit() {
        pos += 1;
    }
    pos
}

fn skip_fraction(text: &[u8], mut pos: usize) -> Scanned {
    if byte_at(text, pos) == b'.' {
        let end = skip_digits(text, pos + 1);
        if end == pos + 1 {
            return Err(JsonError::expected(text, end, "a digit after the decimal point"));
        }
        pos = end;
    }
    if matches!(byte_at(text, pos), b'e' | b'E') {
        let sign = usize::from(matches!(byte_at(text, pos + 1), b'+' | b'-'));
        let end = skip_digits(text, pos + 1 + sign);
        if end == pos + 1 + sign {
            return Err(JsonError::expected(text, end, "a digit of the exponent"));
        }
        pos = end;
    }
    Ok(pos)
}

/// Behind `true`, `false` or `null`.
#[inline]
pub(super) fn skip_word(text: &[u8], pos: usize) -> Scanned {
    let rest = text.get(pos..).unwrap_or_default();
    if rest.starts_with(b"true") || rest.starts_with(b"null") {
        Ok(pos + 4)
    } else if rest.starts_with(b"false") {
        Ok(pos + 5)
    } else {
        Err(JsonError::expected(text, pos, "a value"))
    }
}

/// Position of the quote that ends the string whose text starts at `pos`, and whether it has escapes.
///
/// `block` is `text` and whatever follows it in memory: the search may look beyond, the result never does.
#[inline(always)]
pub(super) fn string_end(
    block: &[u8],
    text: &[u8],
    pos: usize,
) -> Result<(usize, bool), JsonError> {
    let at = find_special(block, pos);
    if byte_at(text, at) == b'"' {
        return Ok((at, false));
    }
    Ok((escaped_end(text, at)?, true))
}

/// The same for a string that has something special at `pos`: an escape, a control character, or no end.
#[inline(never)]
fn escaped_end(text: &[u8], pos: usize) -> Scanned {
    let mut at = pos.min(text.len());
    loop {
        at = match text.get(at) {
            Some(b'"') => return Ok(at),
            Some(b'\\') => skip_escape(text, at)?,
            Some(&byte) => {
                return Err(JsonError::new(at, JsonErrorKind::ControlCharacter(byte)));
            }
            None => {
                return Err(JsonError::expected(text, at, "the quote that ends the string"));
            }
        };
        at = find_special(text, at);
    }
}

/// Behind the escape whose backslash is at `pos`.
fn skip_escape(text: &[u8], pos: usize) -> Scanned {
    match text.get(pos + 1) {
        Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => Ok(pos + 2),
        Some(b'u') => {
            let lone = Err(JsonError::new(pos, JsonErrorKind::LoneSurrogate));
            match hex4(text, pos + 2)? {
                0xDC00..0xE000 => lone,
                0xD800..0xDC00 if text.get(pos + 6..pos + 8) != Some(b"\\u") => lone,
                0xD800..0xDC00 => match hex4(text, pos + 8)? {
                    0xDC00..0xE000 => Ok(pos + 12),
                    _ => lone,
                },
                _ => Ok(pos + 6),
            }
        }
        Some(_) => Err(JsonError::new(pos, JsonErrorKind::InvalidEscape)),
        None => Err(JsonError::expected(text, pos + 1, "the quote that ends the string")),
    }
}

fn hex4(text: &[u8], pos: usize) -> Result<u32, JsonError> {
    let mut value = 0;
    for at in pos..pos + 4 {
        match char::from(byte_at(text, at)).to_digit(16) {
            Some(digit) => value = value << 4 | digit,
            None => return Err(JsonError::expected(text, at, "a hexadecimal digit")),
        }
    }
    Ok(value)
}

/// The objects and arrays around a position: one bit each, set for an object.
struct Nesting {
    kinds: u128,
    depth: u32,
    base: u32,
}

impl Nesting {
    fn open(&mut self, pos: usize, bracket: u8) -> Result<(), JsonError> {
        self.depth += 1;
        if self.depth + self.base >= DEPTH_MAX {
            return Err(JsonError::new(pos, JsonErrorKind::TooDeep));
        }
        self.kinds = self.kinds << 1 | u128::from(bracket == b'{');
        Ok(())
    }

    fn close(&mut self) {
        self.kinds >>= 1;
        self.depth -= 1;
    }

    fn is_object(&self) -> bool {
        self.kinds & 1 == 1
    }
}

/// Behind the value at `pos`, which lies inside `base` objects and arrays. Does not recurse.
pub(super) fn skip_value(block: &[u8], text: &[u8], pos: usize, base: u32) -> Scanned {
    let mut nesting = Nesting { kinds: 0, depth: 0, base };
    let mut at = pos;
    loop {
        at = match byte_at(text, at) {
            b'"' => string_end(block, text, at + 1)?.0 + 1,
            b'-' | b'0'..=b'9' => skip_number(text, at)?,
            bracket @ (b'{' | b'[') => {
                nesting.open(at, bracket)?;
                let next = skip_space(text, at + 1);
                // The brackets of one kind are two apart in ASCII.
                if byte_at(text, next) != bracket + 2 {
                    at = if bracket == b'{' { skip_key(block, text, next, true)? } else { next };
                    continue;
                }
                nesting.close();
                next + 1
            }
            _ => skip_word(text, at)?,
        };
        match skip_closings(block, text, at, &mut nesting)? {
            Next::Value(next) => at = next,
            Next::End(end) => return Ok(end),
        }
    }
}

enum Next {
    /// Another value starts here.
    Value(usize),
    /// The outermost value ends here.
    End(usize),
}

/// Behind the brackets and the comma that may follow a value.
#[inline]
fn skip_closings(
    block: &[u8],
    text: &[u8],
    mut at: usize,
    nesting: &mut Nesting,
) -> Result<Next, JsonError> {
    while nesting.depth > 0 {
        at = skip_space(text, at);
        match (byte_at(text, at), nesting.is_object()) {
            (b',', true) => {
                let key = skip_space(text, at + 1);
                return Ok(Next::Value(skip_key(block, text, key, false)?));
            }
            (b',', false) => return Ok(Next::Value(skip_space(text, at + 1))),
            (b'}', true) | (b']', false) => nesting.close(),
            (_, true) => return Err(JsonError::expected(text, at, "`,` or `}`")),
            (_, false) => return Err(JsonError::expected(text, at, "`,` or `]`")),
        }
        at += 1;
    }
    Ok(Next::End(at))
}

/// Behind `"key" :` and white space.
#[inline]
fn skip_key(block: &[u8], text: &[u8], pos: usize, is_first: bool) -> Scanned {
    if byte_at(text, pos) != b'"' {
        let expected = if is_first { "a key in quotes or `}`" } else { "a key in quotes" };
        return Err(JsonError::expected(text, pos, expected));
    }
    let end = string_end(block, text, pos + 1)?.0;
    skip_colon(text, end + 1)
}

/// Behind white space, a colon, and white space.
#[inline]
pub(super) fn skip_colon(text: &[u8], pos: usize) -> Scanned {
    let at = skip_space(text, pos);
    if byte_at(text, at) != b':' {
        return Err(JsonError::expected(text, at, "`:`"));
    }
    Ok(skip_space(text, at + 1))
}

/// Checks that nothing but white space follows.
#[inline]
pub(super) fn expect_end(text: &[u8], pos: usize) -> Result<(), JsonError> {
    let at = if pos == text.len() { pos } else { skip_space(text, pos) };
    if at == text.len() {
        return Ok(());
    }
    Err(JsonError::expected(text, at, "nothing more after the document"))
}

/// Gives where the elements of `text`, which is one JSON array, are; those before a mistake, too.
pub fn elements(text: &[u8], mut add: impl FnMut(std::ops::Range<usize>)) -> Result<(), JsonError> {
    if let Err(error) = simdutf8::compat::from_utf8(text) {
        return Err(JsonError::new(error.valid_up_to(), JsonErrorKind::NotUtf8));
    }
    let mut at = skip_space(text, 0);
    if byte_at(text, at) != b'[' {
        return Err(JsonError::expected(text, at, "an array"));
    }
    at = skip_space(text, at + 1);
    if byte_at(text, at) != b']' {
        loop {
            let end = skip_value(text, text, at, 1)?;
            add(at..end);
            at = skip_space(text, end);
            match byte_at(text, at) {
                b',' => at = skip_space(text, at + 1),
                b']' => break,
                _ => return Err(JsonError::expected(text, at, "`,` or `]`")),
            }
        }
    }
    expect_end(text, at + 1)
}

/// Checks that `text` is one JSON document.
pub fn validate(text: &[u8]) -> Result<(), JsonError> {
    if let Err(error) = simdutf8::compat::from_utf8(text) {
        return Err(JsonError::new(error.valid_up_to(), JsonErrorKind::NotUtf8));
    }
    let start = skip_space(text, 0);
    let end = skip_value(text, text, start, 0)?;
    expect_end(text, end)
}
