//! Lines in CEF, alone or behind a header of syslog: <https://www.microfocus.com/documentation/arcsight/>.

use lograil_codec::cef::START;
use lograil_codec::row::{Name, Part, Place, Row, Value};
use lograil_codec::timestamp::{Reference, parse_prefix};

use super::parser::{
    AutoParser, COMPONENT, LEVEL, LEVEL_ORIGINAL, MESSAGE, REST, instant, number_or_text,
};
use super::words;
use crate::level::Level;

/// Columns of [`lograil_codec::cef::Cef`]: what happened, and how bad it is.
const NAME: u32 = 5;
pub(super) const SEVERITY: u32 = 6;
/// What stands before the key of an extension that another field's name would be.
const EXTENSION_PREFIX: &[u8] = b"ext_";

impl AutoParser {
    /// Puts the event that the message of syslog is in place of it; `false`, and the row as it was, if it is none.
    pub(super) fn read_event_of_message(&mut self, text: &[u8], row: &mut Row) -> bool {
        let begins = |(name, value): &(Name, Value)| match (name, value) {
            // A blank behind `CEF:` makes it look like a program's name.
            (Name::Column(COMPONENT | MESSAGE), Value::Text(part)) => {
                let start = part.start as usize;
                let is_event = part.place == Place::Source
                    && text.get(start..).is_some_and(|event| event.starts_with(START));
                is_event.then_some(start)
            }
            _ => None,
        };
        let found = row.values.iter().enumerate();
        let found = found.filter_map(|(nth, value)| Some((nth, begins(value)?))).next();
        let Some((nth, start)) = found else { return false };
        let of_header = (row.values.len(), row.written.len());
        if !self.read_event(text, start, row) {
            row.values.truncate(of_header.0);
            row.written.truncate(of_header.1);
            return false;
        }
        let has_level =
            row.values[of_header.0..].iter().any(|(name, _)| *name == Name::Column(LEVEL));
        let mut index = 0;
        row.values.retain(|(name, _)| {
            let is_of_header = index < of_header.0;
            let is_of_message = is_of_header && index >= nth;
            index += 1;
            match name {
                Name::Column(LEVEL | LEVEL_ORIGINAL) => !(is_of_header && has_level),
                Name::Column(REST) => true,
                _ => !is_of_message,
            }
        });
        true
    }

    /// Adds the event that begins at `start`, its level, its message, and its time if it says one.
    pub(super) fn read_event(&mut self, text: &[u8], start: usize, row: &mut Row) -> bool {
        let first = row.values.len();
        if self.cef.parse_event(text, start, row).is_err() {
            return false;
        }
        let reference = Reference { now_ns: row.now_ns, offset_seconds: 0 };
        let (mut level, mut time, mut message) = (None, None, None);
        for index in first..row.values.len() {
            let (name, Value::Text(part)) = row.values[index] else { continue };
            let value = row.bytes(part, text, b"");
            match name {
                Name::Column(column) => {
                    if column == SEVERITY {
                        level = level_of(value);
                        row.values[index].1 = number_or_text(value, part);
                    } else if column == NAME && !value.is_empty() {
                        message = Some(part);
                    }
                    row.values[index].0 = Name::Column(self.cef_columns + column);
                }
                Name::Text(key) => match row.bytes(key, text, b"") {
                    // When the event was received, which is the time that every product gives.
                    b"rt" => time = parse_prefix(value, &reference),
                    b"message" => message = None,
                    name if self.is_taken(name) => {
                        row.values[index].0 = Name::Text(prefixed(key, text, row));
                    }
                    _ => {}
                },
            }
        }
        if let Some(time) = time {
            row.timestamp_ns = Some(instant(&time, &self.zone));
        }
        if let Some(level) = level {
            row.push(LEVEL, Value::Text(words::of_level(level)));
        }
        if let Some(message) = message {
            row.push(MESSAGE, Value::Text(message));
        }
        true
    }

    /// Whether a field has the name that says something else than an extension of it could.
    fn is_taken(&self, name: &[u8]) -> bool {
        let is_of_header = matches!(
            name,
            b"timestamp"
                | b"level"
                | b"level_original"
                | b"host"
                | b"component"
                | b"pid"
                | b"thread"
                | b"location"
                | b"context"
                | b"facility"
                | b"msgid"
                | b"structured_data"
                | b"rest"
                | b"severity"
        );
        let columns = &self.columns[self.cef_columns as usize..];
        is_of_header
            || name == self.columns[self.format_column as usize].as_bytes()
            || columns.iter().any(|column| column.as_bytes() == name)
    }
}

/// The key of an extension, with what tells it from the field of that name.
fn prefixed(key: Part, text: &[u8], row: &mut Row) -> Part {
    let mark = row.written.len();
    row.written.extend_from_slice(EXTENSION_PREFIX);
    row.written.extend_from_slice(&text[key.start as usize..][..key.len as usize]);
    row.written_since(mark)
}

/// The level of a severity, a number from 0 to 10 or its name.
fn level_of(severity: &[u8]) -> Option<Level> {
    let number: Option<u8> = std::str::from_utf8(severity).ok().and_then(|text| text.parse().ok());
    match (number, severity) {
        (Some(0..=3), _) | (None, b"Low") => Some(Level::Info),
        (Some(4..=6), _) | (None, b"Medium") => Some(Level::Warn),
        (Some(7..=8), _) | (None, b"High") => Some(Level::Error),
        (Some(9..=10), _) | (None, b"Very-High") => Some(Level::Critical),
        _ => None,
    }
}
