//! CEF, the event format of ArcSight: `CEF:0|vendor|product|version|id|name|severity|key=value key=value`.

use crate::row::{Expected, Name, Part, Row, RowParser, Value, names};

const COLUMNS: [&str; 7] = [
    "cefVersion",
    "deviceVendor",
    "deviceProduct",
    "deviceVersion",
    "deviceEventClassId",
    "name",
    "severity",
];

/// What every event begins with.
pub const START: &[u8] = b"CEF:";

/// The parser of CEF.
#[derive(Debug)]
pub struct Cef {
    columns: Vec<String>,
}

impl Default for Cef {
    fn default() -> Self {
        Self { columns: names(&COLUMNS) }
    }
}

/// Adds `start..end` to the row; where it has escapes, as what they mean.
fn part(text: &[u8], start: usize, end: usize, row: &mut Row) -> Part {
    let raw = &text[start..end];
    if !raw.contains(&b'\\') {
        return Part::source(start, end);
    }
    let mark = row.written.len();
    let mut bytes = raw.iter();
    while let Some(byte) = bytes.next() {
        match (byte, bytes.as_slice().first()) {
            (b'\\', Some(escaped @ (b'\\' | b'|' | b'='))) => row.written.push(*escaped),
            (b'\\', Some(b'n')) => row.written.push(b'\n'),
            (b'\\', Some(b'r')) => row.written.push(b'\r'),
            (other, _) => {
                row.written.push(*other);
                continue;
            }
        }
        bytes.next();
    }
    row.written_since(mark)
}

/// The first `byte` at or after `from` that no backslash escapes.
fn find_unescaped(text: &[u8], mut from: usize, byte: u8) -> Option<usize> {
    loop {
        let at = from + memchr::memchr2(byte, b'\\', text.get(from..)?)?;
        if text[at] == byte {
            return Some(at);
        }
        from = at + 2;
    }
}

impl Cef {
    /// Parses the event that stands in the text from `start` on. What stands before it is not looked at.
    pub fn parse_event(&self, text: &[u8], start: usize, row: &mut Row) -> Result<(), Expected> {
        let event = text.get(start..).unwrap_or_default();
        let behind = event.strip_prefix(START).ok_or(Expected::new("`CEF:`", start))?;
        // Some devices put a blank before the version.
        let mut at = text.len() - behind.trim_ascii_start().len();
        for column in 0..COLUMNS.len() as u32 {
            let end = find_unescaped(text, at, b'|').ok_or(Expected::new("`|`", text.len()))?;
            let value = part(text, at, end, row);
            row.push(column, Value::Text(value));
            at = end + 1;
        }
        let text = &text[..text.trim_ascii_end().len().max(at)];
        Self::parse_extension(text, at, row)
    }

    fn parse_extension(text: &[u8], start: usize, row: &mut Row) -> Result<(), Expected> {
        let mut key_at = start + text[start..].iter().take_while(|byte| **byte == b' ').count();
        if key_at == text.len() {
            return Ok(());
        }
        let mut equals =
            find_unescaped(text, key_at, b'=').ok_or(Expected::new("a key and `=`", key_at))?;
        loop {
            if key_at == equals || text[key_at..equals].contains(&b' ') {
                return Err(Expected::new("a key and `=`", key_at));
            }
            // A value may have spaces: it ends before the last word before the next `=`.
            let value_at = equals + 1;
            let next = find_unescaped(text, value_at, b'=').and_then(|next| {
                let space = memchr::memrchr(b' ', &text[value_at..next])?;
                Some((next, value_at + space))
            });
            let end = next.map_or(text.len(), |(_, space)| space);
            let value_end = value_at + text[value_at..end].trim_ascii_end().len();
            let value = part(text, value_at, value_end, row);
            row.values.push((Name::Text(Part::source(key_at, equals)), Value::Text(value)));
            match next {
                None => return Ok(()),
                Some((next, space)) => (key_at, equals) = (space + 1, next),
            }
        }
    }
}

impl RowParser for Cef {
    fn columns(&self) -> &[String] {
        &self.columns
    }

    fn parse(&mut self, text: &[u8], row: &mut Row) -> Result<(), Expected> {
        // A syslog header may stand before it.
        let start = memchr::memmem::find(text, START).ok_or(Expected::new("`CEF:`", 0))?;
        self.parse_event(text, start, row)
    }
}

#[cfg(test)]
mod tests;
