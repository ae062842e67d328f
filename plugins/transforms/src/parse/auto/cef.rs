//! Lines in CEF, alone or behind a header of syslog: <https://www.microfocus.com/documentation/arcsight/>.

use lograil_codec::row::{Name, Row, RowParser, Value};
use lograil_codec::timestamp::{Reference, parse_prefix};

use super::parser::{AutoParser, FACILITY, HOST, LEVEL, TIMESTAMP, instant, number_or_text};
use super::words;
use crate::level::Level;

const START: &[u8] = b"CEF:";
/// Bytes in which the event begins that has a header of syslog before it.
const HEADER_LEN_MAX: usize = 256;
/// The column of [`lograil_codec::cef::Cef`] that says how bad the event is.
const SEVERITY: u32 = 6;

/// Where the event begins that may have a priority of syslog before it.
pub(super) fn start_of(text: &[u8]) -> Option<usize> {
    match text {
        [b'C', ..] => text.starts_with(START).then_some(0),
        [b'<', b'0'..=b'9', ..] => {
            let head = &text[..text.len().min(HEADER_LEN_MAX)];
            memchr::memmem::find(head, START).filter(|at| head[at - 1] == b' ')
        }
        _ => None,
    }
}

/// Whether a message is such an event.
pub(super) fn is_event(message: &[u8]) -> bool {
    message.starts_with(START)
}

impl AutoParser {
    /// Reads the line from `start` on; what a header before it says comes first.
    pub(super) fn read_cef(&mut self, text: &[u8], start: usize, row: &mut Row) -> bool {
        if start > 0 {
            if !self.read_syslog(text, row) {
                return false;
            }
            let is_of_header =
                |name: &Name| matches!(name, Name::Column(TIMESTAMP | HOST | FACILITY));
            row.values.retain(|(name, _)| is_of_header(name));
        }
        self.read_event(text, row)
    }

    /// Adds the event, its level, and its time if it says one.
    pub(super) fn read_event(&mut self, text: &[u8], row: &mut Row) -> bool {
        let first = row.values.len();
        if self.cef.parse(text, row).is_err() {
            return false;
        }
        let reference = Reference { now_ns: row.now_ns, offset_seconds: 0 };
        let (mut level, mut time) = (None, None);
        for index in first..row.values.len() {
            let (name, Value::Text(part)) = row.values[index] else { continue };
            let value = row.bytes(part, text, b"");
            match name {
                Name::Column(column) => {
                    if column == SEVERITY {
                        level = level_of(value);
                        row.values[index].1 = number_or_text(value, part);
                    }
                    row.values[index].0 = Name::Column(self.cef_columns + column);
                }
                // When the event was received, which is the time that every product gives.
                Name::Text(name) if row.bytes(name, text, b"") == b"rt" => {
                    time = parse_prefix(value, &reference);
                }
                Name::Text(_) => {}
            }
        }
        if let Some(time) = time {
            row.timestamp_ns = Some(instant(&time, &self.zone));
        }
        if let Some(level) = level {
            row.push(LEVEL, Value::Text(words::of_level(level)));
        }
        true
    }
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
