//! How an event is written as a line: text, JSON, CSV.

use lograil_event::scan::escape_json;

use super::catalogue::Level;
use super::options::Format;
use super::stamp::Stamp;
use super::template::{digits, write_number};

/// The first line of CSV output.
pub(super) const CSV_HEADER: &str =
    "timestamp,level,id,service,user_id,request_id,duration_ms,message";

/// No line is longer, header and line feeds included: with so many bytes left a block has room for one more.
pub(super) const LINE_BYTES_MAX: usize = 1024;

/// What a line says.
pub(super) struct Line<'a> {
    pub(super) time_ns: i64,
    pub(super) level: Level,
    /// `abc-1234`.
    pub(super) id: [u8; 8],
    pub(super) service: &'static str,
    /// Five digits.
    pub(super) user: u32,
    /// `xyz789`.
    pub(super) request: [u8; 6],
    pub(super) duration_ms: u32,
    pub(super) message: &'a [u8],
}

/// Writes lines of one format.
pub(super) struct LineWriter {
    format: Format,
    stamp: Stamp,
}

impl LineWriter {
    /// A writer of a format.
    pub(super) fn new(format: Format) -> Self {
        let separator = if format == Format::Text { b' ' } else { b'T' };
        Self { format, stamp: Stamp::new(separator) }
    }

    /// The line that comes before all events.
    pub(super) fn header(&self) -> Option<&'static str> {
        (self.format == Format::Csv).then_some(CSV_HEADER)
    }

    /// Appends a line, without its line feed.
    #[inline]
    pub(super) fn write(&mut self, line: &Line<'_>, out: &mut Vec<u8>) {
        self.stamp.set(line.time_ns);
        match self.format {
            Format::Text => write_text(self.stamp.to_seconds(), line, out),
            Format::Json => write_json(self.stamp.to_milliseconds(), line, out),
            Format::Csv => write_csv(self.stamp.to_milliseconds(), line, out),
        }
    }
}

const fn text_cell(level: Level) -> &'static [u8; 13] {
    match level {
        Level::Debug => b" | DEBUG   | ",
        Level::Info => b" | INFO    | ",
        Level::Warning => b" | WARNING | ",
        Level::Error => b" | ERROR   | ",
        // One character wider than the column, as such logs have it.
        Level::Critical => b" | CRITICAL| ",
    }
}

fn write_text(stamp: &[u8; 19], line: &Line<'_>, out: &mut Vec<u8>) {
    out.extend_from_slice(stamp);
    out.extend_from_slice(text_cell(line.level));
    out.extend_from_slice(&line.id);
    out.extend_from_slice(b" | ");
    out.extend_from_slice(line.service.as_bytes());
    out.extend_from_slice(b" | user-");
    out.extend_from_slice(&digits::<5>(line.user));
    out.extend_from_slice(b" | req-");
    out.extend_from_slice(&line.request);
    out.extend_from_slice(b" | ");
    write_number(line.duration_ms, out);
    out.extend_from_slice(b"ms | ");
    out.extend_from_slice(line.message);
}

fn write_json(stamp: &[u8; 24], line: &Line<'_>, out: &mut Vec<u8>) {
    out.extend_from_slice(b"{\"timestamp\":\"");
    out.extend_from_slice(stamp);
    out.extend_from_slice(b"\",\"level\":\"");
    out.extend_from_slice(line.level.name().as_bytes());
    out.extend_from_slice(b"\",\"id\":\"");
    out.extend_from_slice(&line.id);
    out.extend_from_slice(b"\",\"service\":\"");
    out.extend_from_slice(line.service.as_bytes());
    out.extend_from_slice(b"\",\"user_id\":\"user-");
    out.extend_from_slice(&digits::<5>(line.user));
    out.extend_from_slice(b"\",\"request_id\":\"req-");
    out.extend_from_slice(&line.request);
    out.extend_from_slice(b"\",\"duration_ms\":");
    write_number(line.duration_ms, out);
    out.extend_from_slice(b",\"message\":\"");
    escape_json(line.message, out);
    out.extend_from_slice(b"\"}");
}

fn write_csv(stamp: &[u8; 24], line: &Line<'_>, out: &mut Vec<u8>) {
    out.extend_from_slice(stamp);
    out.push(b',');
    out.extend_from_slice(line.level.name().as_bytes());
    out.push(b',');
    out.extend_from_slice(&line.id);
    out.push(b',');
    out.extend_from_slice(line.service.as_bytes());
    out.extend_from_slice(b",user-");
    out.extend_from_slice(&digits::<5>(line.user));
    out.extend_from_slice(b",req-");
    out.extend_from_slice(&line.request);
    out.push(b',');
    write_number(line.duration_ms, out);
    out.push(b',');
    write_csv_value(line.message, out);
}

/// Appends a value, in quotes where RFC 4180 wants them.
fn write_csv_value(value: &[u8], out: &mut Vec<u8>) {
    if !value.iter().any(|byte| matches!(byte, b',' | b'"' | b'\r' | b'\n')) {
        out.extend_from_slice(value);
        return;
    }
    out.push(b'"');
    for piece in value.split_inclusive(|byte| *byte == b'"') {
        out.extend_from_slice(piece);
        if piece.ends_with(b"\"") {
            out.push(b'"');
        }
    }
    out.push(b'"');
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(format: Format, message: &[u8]) -> String {
        let line = Line {
            time_ns: 1_747_218_225_042_000_000,
            level: Level::Info,
            id: *b"abc-1234",
            service: "user-service",
            user: 67890,
            request: *b"xyz789",
            duration_ms: 142,
            message,
        };
        let mut out = Vec::new();
        LineWriter::new(format).write(&line, &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn text_is_columns_between_bars() {
        assert_eq!(
            written(Format::Text, b"User login successful"),
            "2025-05-14 10:23:45 | INFO    | abc-1234 | user-service | user-67890 | req-xyz789 | \
             142ms | User login successful"
        );
    }

    #[test]
    fn json_is_one_object_with_escaped_text() {
        assert_eq!(
            written(Format::Json, b"User \"guest\" registered"),
            "{\"timestamp\":\"2025-05-14T10:23:45.042Z\",\"level\":\"INFO\",\"id\":\"abc-1234\",\
             \"service\":\"user-service\",\"user_id\":\"user-67890\",\"request_id\":\"req-xyz789\",\
             \"duration_ms\":142,\"message\":\"User \\\"guest\\\" registered\"}"
        );
    }

    #[test]
    fn csv_quotes_only_what_needs_it() {
        let head = "2025-05-14T10:23:45.042Z,INFO,abc-1234,user-service,user-67890,req-xyz789,142,";
        for (message, value) in [
            ("User logout", "User logout"),
            ("a, b", "\"a, b\""),
            ("\"a\" and b\"", "\"\"\"a\"\" and b\"\"\""),
            ("two\nlines", "\"two\nlines\""),
        ] {
            assert_eq!(written(Format::Csv, message.as_bytes()), format!("{head}{value}"));
        }
    }
}
