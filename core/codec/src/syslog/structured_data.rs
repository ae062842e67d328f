//! `[id name="value" ...][id ...]`, written as the JSON `{"id":{"name":"value"}}`.

use lograil_event::scan::{append_range, escape_json, find_special};

use crate::quoted::Strictness;
use crate::row::{Expected, Part, Row};

/// Characters of a name.
const NAME_CHARACTERS_MAX: usize = 32;

/// Parses the structured data at `at`, `-` for none; gives it and the position behind it.
pub(super) fn parse(
    text: &[u8],
    mut at: usize,
    strictness: Strictness,
    row: &mut Row,
) -> Result<(Option<Part>, usize), Expected> {
    if text.get(at) == Some(&b'-') {
        return Ok((None, at + 1));
    }
    if text.get(at) != Some(&b'[') {
        return Err(Expected::new("structured data or `-`", at));
    }
    let mark = row.written.len();
    let out = &mut row.written;
    // Room for most of what is written, so that short texts are copied without a call.
    out.reserve(text.len() - at + 64);
    out.push(b'{');
    while text.get(at) == Some(&b'[') {
        if out.len() > mark + 1 {
            out.push(b',');
        }
        at = element(text, at + 1, strictness, out)?;
    }
    out.push(b'}');
    Ok((Some(row.written_since(mark)), at))
}

/// Parses an element behind its `[`; gives the position behind its `]`.
fn element(
    text: &[u8],
    at: usize,
    strictness: Strictness,
    out: &mut Vec<u8>,
) -> Result<usize, Expected> {
    let mut at = name(text, at, strictness, out)?;
    out.push(b'{');
    let mut is_first = true;
    loop {
        match text.get(at) {
            Some(b']') => {
                out.push(b'}');
                return Ok(at + 1);
            }
            Some(b' ') => at += 1,
            _ => return Err(Expected::new("a space or `]`", at)),
        }
        if strictness == Strictness::Lenient {
            at = crate::quoted::skip(text, at, b' ');
            if text.get(at) == Some(&b']') {
                continue;
            }
        }
        if !is_first {
            out.push(b',');
        }
        is_first = false;
        at = name(text, at, strictness, out)?;
        if !text[at..].starts_with(b"=\"") {
            return Err(Expected::new("`=\"`", at));
        }
        out.push(b'"');
        at = value(text, at + 2, strictness, out)?;
        out.push(b'"');
    }
}

/// Parses a name, writes it with quotes and a colon, and gives the position behind it.
fn name(
    text: &[u8],
    at: usize,
    strictness: Strictness,
    out: &mut Vec<u8>,
) -> Result<usize, Expected> {
    let is_end = |byte: &u8| match byte {
        b'=' | b']' | b'"' => true,
        0x80.. => strictness == Strictness::Strict,
        byte => !byte.is_ascii_graphic(),
    };
    let end = text[at..].iter().position(is_end).map_or(text.len(), |offset| at + offset);
    if end == at || (end - at > NAME_CHARACTERS_MAX && strictness == Strictness::Strict) {
        return Err(Expected::new("a name of at most 32 characters", at));
    }
    out.push(b'"');
    append_plain(text, at, end, out);
    out.extend_from_slice(b"\":");
    Ok(end)
}

/// Appends `start..end` with the escapes of JSON, which it seldom needs.
#[inline]
fn append_plain(text: &[u8], start: usize, end: usize, out: &mut Vec<u8>) {
    if find_special(text, start) >= end {
        append_range(out, text, start, end - start);
    } else {
        escape_json(&text[start..end], out);
    }
}

/// Parses a value behind its quote; gives the position behind the closing one.
fn value(
    text: &[u8],
    mut at: usize,
    strictness: Strictness,
    out: &mut Vec<u8>,
) -> Result<usize, Expected> {
    loop {
        let is_end = |byte: &u8| matches!(byte, b'"' | b'\\' | b']');
        let end = text[at..].iter().position(is_end).map_or(text.len(), |offset| at + offset);
        append_plain(text, at, end, out);
        at = end;
        match (text.get(at), text.get(at + 1)) {
            (Some(b'"'), _) => return Ok(at + 1),
            (Some(b'\\'), Some(escaped @ (b'"' | b'\\' | b']'))) => {
                escape_json(&[*escaped], out);
                at += 2;
            }
            // Before other characters a backslash is a character like them.
            (Some(b'\\'), Some(_)) => {
                out.extend_from_slice(b"\\\\");
                at += 1;
            }
            (Some(b']'), Some(_)) if strictness == Strictness::Lenient => {
                out.push(b']');
                at += 1;
            }
            (Some(b']'), _) => return Err(Expected::new("`\\]`", at)),
            _ => return Err(Expected::new("the closing quote", text.len())),
        }
    }
}
