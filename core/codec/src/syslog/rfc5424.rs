//! `VERSION TIMESTAMP HOSTNAME APP-NAME PROCID MSGID STRUCTURED-DATA [MSG]`, behind the priority.

use super::{APPNAME, HOSTNAME, MESSAGE, MSGID, PROCID, TIMESTAMP, VERSION, push};
use super::{STRUCTURED_DATA, structured_data};
use crate::civil::{Zone, read_iso};
use crate::quoted::{Strictness, find_byte, read_number, skip};
use crate::row::{Expected, Part, Row, Value};

/// Whether a version follows the priority.
pub(super) fn is_likely(text: &[u8], at: usize) -> bool {
    read_number(text, at, 1, 3).is_some_and(|(_, end)| text.get(end) == Some(&b' '))
}

/// Parses what follows the priority.
pub(super) fn parse(
    text: &[u8],
    at: usize,
    strictness: Strictness,
    zone: &Zone,
    row: &mut Row,
) -> Result<(), Expected> {
    let wrong = Expected::new("a version from 1 to 999", at);
    let (version, end) = read_number(text, at, 1, 3).ok_or(wrong)?;
    if text[at] == b'0' {
        return Err(wrong);
    }
    row.push(VERSION, Value::Int(version));
    let header = Header { text, strictness };
    let (start, end) = header.token(end, usize::MAX, "a timestamp")?;
    if &text[start..end] != b"-" {
        let time = read_iso(text, start, zone).filter(|(_, last)| *last == end);
        let is_time = strictness == Strictness::Lenient || is_strict_time(&text[start..end]);
        let time = time.filter(|_| is_time);
        row.timestamp_ns =
            Some(time.ok_or(Expected::new("a timestamp of RFC 5424 or `-`", start))?.0);
        row.push(TIMESTAMP, Value::Text(Part::source(start, end).clean()));
    }
    let mut at = end;
    let tokens = [
        (HOSTNAME, 255, "a host name of at most 255 characters"),
        (APPNAME, 48, "the name of an application of at most 48 characters"),
        (PROCID, 128, "the id of a process of at most 128 characters"),
        (MSGID, 32, "the id of a message of at most 32 characters"),
    ];
    for (column, max, what) in tokens {
        // Devices that write CEF leave out what should stand between the host and the message.
        if strictness == Strictness::Lenient && text[at..].starts_with(b" CEF:") {
            row.push_text(MESSAGE, at + 1, text.len());
            return Ok(());
        }
        let (start, end) = header.token(at, max, what)?;
        push(row, column, text, start, end);
        at = end;
    }
    at = header.space(at)?;
    match structured_data::parse(text, at, strictness, row) {
        Ok((data, end)) => {
            if let Some(data) = data {
                row.push(STRUCTURED_DATA, Value::Object(data));
            }
            at = end;
        }
        // What is no structured data is the message that follows it.
        Err(_) if strictness == Strictness::Lenient => {
            row.written.clear();
            row.push_text(MESSAGE, at, text.len());
            return Ok(());
        }
        Err(error) => return Err(error),
    }
    match text.get(at) {
        None => {}
        Some(b' ') if at + 1 == text.len() => {}
        Some(b' ') => row.push_text(MESSAGE, at + 1, text.len()),
        Some(_) => return Err(Expected::new("a space before the message", at)),
    }
    Ok(())
}

struct Header<'t> {
    text: &'t [u8],
    strictness: Strictness,
}

impl Header<'_> {
    /// The position behind one space, or, leniently, behind several.
    fn space(&self, at: usize) -> Result<usize, Expected> {
        match (self.text.get(at), self.strictness) {
            (Some(b' '), Strictness::Strict) => Ok(at + 1),
            (Some(b' '), Strictness::Lenient) => Ok(skip(self.text, at, b' ')),
            _ => Err(Expected::new("a space", at)),
        }
    }

    /// The printable characters behind the space at `at`.
    #[inline]
    fn token(&self, at: usize, max: usize, what: &'static str) -> Result<(usize, usize), Expected> {
        let start = self.space(at)?;
        let end = find_byte(self.text, start, b' ');
        let token = &self.text[start..end];
        let is_token = match self.strictness {
            Strictness::Strict => token.len() <= max && token.iter().all(u8::is_ascii_graphic),
            Strictness::Lenient => true,
        };
        if token.is_empty() || !is_token {
            return Err(Expected::new(what, start));
        }
        Ok((start, end))
    }
}

/// Whether a time that can be read is also one to the letter: a capital `T` and `Z`, at most six digits of a
/// fraction behind a point, an offset with a colon, and no 60th second.
fn is_strict_time(time: &[u8]) -> bool {
    let Some((clock, rest)) = time.split_at_checked(19) else { return false };
    if clock[10] != b'T' || &clock[17..] == b"60" {
        return false;
    }
    let rest = match rest {
        [b'.', fraction @ ..] => {
            let digits = fraction.iter().take_while(|byte| byte.is_ascii_digit()).count();
            if !(1..=6).contains(&digits) {
                return false;
            }
            &fraction[digits..]
        }
        rest => rest,
    };
    matches!(rest, b"Z" | [b'+' | b'-', _, _, b':', _, _])
}
