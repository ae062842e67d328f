//! Quoted text with backslashes, and words separated by spaces: what the line formats have in common.

use crate::row::{Expected, Part, Row};

/// What a backslash before a character that needs none means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Strictness {
    /// Only what the format's description allows.
    Strict,
    /// What is usual too.
    Lenient,
}

/// Reads the quoted text whose opening quote is at `at`; gives its content and the position behind the closing quote.
/// Escapes are those of JSON and `\'`. A lenient reader keeps other backslashes and takes control characters.
pub(crate) fn read_quoted(
    text: &[u8],
    at: usize,
    strictness: Strictness,
    row: &mut Row,
) -> Result<(Part, usize), Expected> {
    let quote = text[at];
    let is_end = |byte: &u8| {
        *byte == quote || *byte == b'\\' || (*byte < b' ' && strictness == Strictness::Strict)
    };
    let find = |from: usize| text[from..].iter().position(is_end).map(|offset| from + offset);
    let start = at + 1;
    let unclosed = Expected::new("the closing quote", text.len());
    let mut end = find(start).ok_or(unclosed)?;
    if text[end] == quote {
        return Ok((Part::source(start, end), end + 1));
    }
    let mark = row.written.len();
    let mut from = start;
    loop {
        row.written.extend_from_slice(&text[from..end]);
        match text[end] {
            byte if byte == quote => return Ok((row.written_since(mark), end + 1)),
            b'\\' => from = read_escape(text, end, strictness, &mut row.written)?,
            _ => return Err(Expected::new("no control character in quotes", end)),
        }
        end = find(from).ok_or(unclosed)?;
    }
}

/// Reads the escape at `at`; gives the position behind it.
fn read_escape(
    text: &[u8],
    at: usize,
    strictness: Strictness,
    out: &mut Vec<u8>,
) -> Result<usize, Expected> {
    let Some(byte) = text.get(at + 1) else { return Err(Expected::new("an escape", at)) };
    let plain = match byte {
        b'"' | b'\\' | b'/' | b'\'' => *byte,
        b'b' => 0x08,
        b'f' => 0x0C,
        b'n' => b'\n',
        b'r' => b'\r',
        b't' => b'\t',
        b'u' if let Some((character, next)) = read_unicode(text, at) => {
            let mut buffer = [0; 4];
            out.extend_from_slice(character.encode_utf8(&mut buffer).as_bytes());
            return Ok(next);
        }
        _ if strictness == Strictness::Lenient => {
            out.push(b'\\');
            return Ok(at + 1);
        }
        _ => return Err(Expected::new("an escape such as `\\n` or `\\u00e9`", at)),
    };
    out.push(plain);
    Ok(at + 2)
}

/// The character of `\uXXXX`, or of two of them that are a surrogate pair. Half a pair is U+FFFD.
fn read_unicode(text: &[u8], at: usize) -> Option<(char, usize)> {
    let unit = |at: usize| {
        let [b'\\', b'u', digits @ ..] = text.get(at..at + 6)? else { return None };
        digits.iter().try_fold(0, |unit, digit| Some(unit * 16 + char::from(*digit).to_digit(16)?))
    };
    let first = unit(at)?;
    if let Some(character) = char::from_u32(first) {
        return Some((character, at + 6));
    }
    match unit(at + 6) {
        Some(second @ 0xDC00..=0xDFFF) if first < 0xDC00 => {
            let code = 0x1_0000 + ((first - 0xD800) << 10) + (second - 0xDC00);
            Some((char::from_u32(code)?, at + 12))
        }
        _ => Some((char::REPLACEMENT_CHARACTER, at + 6)),
    }
}

/// Eight-byte words that are looked at before a search is called: most texts of a log are short, and the call
/// costs more than they do.
const WORDS_INLINE: usize = 3;

/// Position of the first `byte` at or after `from`, or the end.
#[inline]
pub(crate) fn find_byte(text: &[u8], from: usize, byte: u8) -> usize {
    const LOW: u64 = 0x0101_0101_0101_0101;
    let mut rest = &text[from..];
    for _ in 0..WORDS_INLINE {
        let Some((word, after)) = rest.split_first_chunk::<8>() else { break };
        // Zero where the byte is; the lowest of the bits found is right even where a borrow sets others.
        let different = u64::from_le_bytes(*word) ^ (LOW * u64::from(byte));
        let found = different.wrapping_sub(LOW) & !different & (LOW << 7);
        if found != 0 {
            return text.len() - rest.len() + (found.trailing_zeros() / 8) as usize;
        }
        rest = after;
    }
    let start = text.len() - rest.len();
    memchr::memchr(byte, rest).map_or(text.len(), |at| start + at)
}

/// Position of the first byte at or after `from` that is none of `byte`.
#[inline]
pub(crate) fn skip(text: &[u8], mut from: usize, byte: u8) -> usize {
    while text.get(from) == Some(&byte) {
        from += 1;
    }
    from
}

/// A run of ASCII digits as a number, at least `min` and at most `max` of them, and the position behind it.
#[inline]
pub(crate) fn read_number(
    text: &[u8],
    from: usize,
    min: usize,
    max: usize,
) -> Option<(i64, usize)> {
    let mut value = 0i64;
    let mut at = from;
    while let Some(byte) = text.get(at).filter(|byte| byte.is_ascii_digit()) {
        if at - from == max {
            return None;
        }
        value = value * 10 + i64::from(byte - b'0');
        at += 1;
    }
    (at - from >= min).then_some((value, at))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn finds_what_memchr_finds(text in prop::collection::vec(0u8..4, 0..60), from in 0usize..60, byte in 0u8..5) {
            let from = from.min(text.len());
            let expected = memchr::memchr(byte, &text[from..]).map_or(text.len(), |at| from + at);
            prop_assert_eq!(find_byte(&text, from, byte), expected);
        }
    }
}
