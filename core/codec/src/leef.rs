//! LEEF, the event format of QRadar: `LEEF:1.0|vendor|product|version|id|key=value<tab>key=value`, and version 2.0, in
//! which the header may end with the delimiter of the attributes: <https://www.ibm.com/docs/en/dsm?topic=overview-leef-event-components>.

use crate::quoted::find_byte;
use crate::row::{Expected, Name, Part, Row, RowParser, Value, names};

const COLUMNS: [&str; 5] = ["leefVersion", "vendor", "product", "productVersion", "eventId"];

/// What every event begins with.
const START: &[u8] = b"LEEF:";
/// Between attributes, unless the header says something else.
const TAB: u8 = b'\t';

/// The parser of LEEF.
#[derive(Debug)]
pub struct Leef {
    columns: Vec<String>,
}

impl Default for Leef {
    fn default() -> Self {
        Self { columns: names(&COLUMNS) }
    }
}

impl RowParser for Leef {
    fn columns(&self) -> &[String] {
        &self.columns
    }

    fn parse(&mut self, text: &[u8], row: &mut Row) -> Result<(), Expected> {
        // A syslog header may stand before it.
        let start = memchr::memmem::find(text, START).ok_or(Expected::new("`LEEF:`", 0))?;
        let mut at = start + START.len();
        for column in 0..COLUMNS.len() as u32 {
            let end = find_byte(text, at, b'|');
            if end == text.len() {
                return Err(Expected::new("`|`", end));
            }
            row.push_text(column, at, end);
            at = end + 1;
        }
        let is_first = text[start + START.len()..].starts_with(b"1");
        let (delimiter, at) = if is_first { (TAB, at) } else { read_delimiter(text, at) };
        parse_attributes(text, at, delimiter, row)
    }
}

/// The delimiter that the header ends with, `^|`, `x5E|`, `0x5E|` or `|` for the default, and the position behind it.
/// Many devices leave it out.
fn read_delimiter(text: &[u8], at: usize) -> (u8, usize) {
    let end = find_byte(text, at, b'|');
    let field = &text[at..end];
    let delimiter = match field {
        _ if end == text.len() => None,
        [] => Some(TAB),
        [byte] => Some(*byte),
        field => {
            let digits = field.strip_prefix(b"0").unwrap_or(field);
            let digits = digits.strip_prefix(b"x").or_else(|| digits.strip_prefix(b"X"));
            digits
                .and_then(|digits| std::str::from_utf8(digits).ok())
                .and_then(|digits| u32::from_str_radix(digits, 16).ok())
                .and_then(|code| u8::try_from(code).ok())
        }
    };
    // Any other byte could part the text within a character.
    let delimiter = delimiter.filter(u8::is_ascii);
    delimiter.map_or((TAB, at), |delimiter| (delimiter, end + 1))
}

/// `key=value` as often as the delimiter parts them. A value may have `=` in it.
fn parse_attributes(
    text: &[u8],
    start: usize,
    delimiter: u8,
    row: &mut Row,
) -> Result<(), Expected> {
    let mut at = start;
    while at < text.len() {
        let end = find_byte(text, at, delimiter);
        let key_at = at + text[at..end].iter().take_while(|byte| **byte == b' ').count();
        // Delimiters may be repeated, or stand at the end.
        if key_at < end {
            let equals = find_byte(&text[..end], key_at, b'=');
            if equals == end || equals == key_at {
                return Err(Expected::new("a key and `=`", key_at));
            }
            let key = Name::Text(Part::source(key_at, equals));
            row.values.push((key, Value::Text(Part::source(equals + 1, end))));
        }
        at = end + 1;
    }
    Ok(())
}

#[cfg(test)]
mod tests;
