//! How an event is written as a line: text, JSON, CSV, access log, or the user's own layout.

use lograil_event::scan::escape_json;

use super::catalogue::Level;
use super::fields::Fields;
use super::layout::Layout;
use super::request::Request;
use super::stamp::Stamp;
use super::template::{digits, write_number};

/// The first line of CSV output.
pub(super) const CSV_HEADER: &str =
    "timestamp,level,id,service,user_id,request_id,duration_ms,message";

/// What requests have besides.
const CSV_HEADER_OF_REQUESTS: &str = ",method,path,status,bytes,client_ip";

/// No line of a built-in format is longer, header and line feeds included, custom fields not.
const LINE_BYTES_MAX: usize = 1024;

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
    /// The request the event is about.
    pub(super) http: Option<&'a Request>,
}

/// Which lines are written.
#[derive(Debug)]
pub(super) enum Style {
    /// Columns between bars.
    Text,
    /// JSON objects.
    Json,
    /// Comma-separated values, a header first, which may have the columns of requests.
    Csv {
        /// Whether the events are requests.
        of_requests: bool,
    },
    /// The combined format of web servers.
    Access,
    /// The user's own.
    Layout(Layout),
}

/// Writes lines of one style.
pub(super) struct LineWriter {
    style: Style,
    stamp: Stamp,
    pub(super) fields: Fields,
}

impl LineWriter {
    /// A writer of lines that have these fields besides.
    pub(super) fn new(style: Style, fields: Fields) -> Self {
        let separator = if matches!(style, Style::Text) { b' ' } else { b'T' };
        Self { style, stamp: Stamp::new(separator), fields }
    }

    /// The line that comes before all events.
    pub(super) fn header(&self) -> Option<String> {
        let Style::Csv { of_requests } = self.style else { return None };
        let more = if of_requests { CSV_HEADER_OF_REQUESTS } else { "" };
        Some(format!("{CSV_HEADER}{more}{}", self.fields.header()))
    }

    /// With so many bytes left a block has room for one more line, and for the header before it.
    pub(super) fn line_bytes_max(&self) -> usize {
        match &self.style {
            Style::Layout(layout) => layout.bytes_max() + 1,
            _ => LINE_BYTES_MAX + self.fields.bytes_max(),
        }
    }

    /// Appends a line, without its line feed.
    #[inline]
    pub(super) fn write(&mut self, line: &Line<'_>, out: &mut Vec<u8>) {
        self.stamp.set(line.time_ns);
        match &self.style {
            Style::Text => {
                write_text(self.stamp.to_seconds(), line, out);
                self.fields.write_text(out);
            }
            Style::Json => {
                write_json(self.stamp.to_milliseconds(), line, out);
                self.fields.write_json(out);
                out.push(b'}');
            }
            Style::Csv { .. } => {
                write_csv(self.stamp.to_milliseconds(), line, out);
                self.fields.write_csv(out);
            }
            Style::Access => write_access(&self.stamp.to_access(), line, out),
            Style::Layout(layout) => layout.write(&self.stamp, line, &self.fields, out),
        }
    }
}

/// Appends `abc-1234`.
pub(super) fn write_id(line: &Line<'_>, out: &mut Vec<u8>) {
    out.extend_from_slice(&line.id);
}

/// Appends `user-67890`.
pub(super) fn write_user_id(line: &Line<'_>, out: &mut Vec<u8>) {
    out.extend_from_slice(b"user-");
    out.extend_from_slice(&digits::<5>(line.user));
}

/// Appends `req-xyz789`.
pub(super) fn write_request_id(line: &Line<'_>, out: &mut Vec<u8>) {
    out.extend_from_slice(b"req-");
    out.extend_from_slice(&line.request);
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
    out.push(b'"');
    if let Some(request) = line.http {
        out.extend_from_slice(b",\"method\":\"");
        out.extend_from_slice(request.method.as_bytes());
        out.extend_from_slice(b"\",\"path\":\"");
        escape_json(&request.path, out);
        out.extend_from_slice(b"\",\"status\":");
        write_number(request.status, out);
        out.extend_from_slice(b",\"bytes\":");
        write_number(request.bytes, out);
        out.extend_from_slice(b",\"client_ip\":\"");
        request.write_client_ip(out);
        out.push(b'"');
    }
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
    if let Some(request) = line.http {
        out.push(b',');
        out.extend_from_slice(request.method.as_bytes());
        out.push(b',');
        write_csv_value(&request.path, out);
        out.push(b',');
        write_number(request.status, out);
        out.push(b',');
        write_number(request.bytes, out);
        out.push(b',');
        request.write_client_ip(out);
    }
}

/// Nothing is appended for an event that is no request; the options do not allow it.
fn write_access(stamp: &[u8; 26], line: &Line<'_>, out: &mut Vec<u8>) {
    let Some(request) = line.http else { return };
    request.write_client_ip(out);
    out.extend_from_slice(b" - ");
    if request.status == 401 {
        out.push(b'-');
    } else {
        write_user_id(line, out);
    }
    out.extend_from_slice(b" [");
    out.extend_from_slice(stamp);
    out.extend_from_slice(b"] \"");
    out.extend_from_slice(request.method.as_bytes());
    out.push(b' ');
    out.extend_from_slice(&request.path);
    out.extend_from_slice(b" HTTP/1.1\" ");
    write_number(request.status, out);
    out.push(b' ');
    write_number(request.bytes, out);
    out.extend_from_slice(b" \"");
    out.extend_from_slice(request.referer.as_bytes());
    out.extend_from_slice(b"\" \"");
    out.extend_from_slice(request.user_agent.as_bytes());
    out.push(b'"');
}

/// Appends a value, in quotes where RFC 4180 wants them.
pub(super) fn write_csv_value(value: &[u8], out: &mut Vec<u8>) {
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
    use std::collections::BTreeMap;

    use super::*;

    fn written(style: Style, message: &[u8]) -> String {
        let line = Line {
            time_ns: 1_747_218_225_042_000_000,
            level: Level::Info,
            id: *b"abc-1234",
            service: "user-service",
            user: 67890,
            request: *b"xyz789",
            duration_ms: 142,
            message,
            http: None,
        };
        let mut out = Vec::new();
        LineWriter::new(style, Fields::new(&BTreeMap::new())).write(&line, &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn text_is_columns_between_bars() {
        assert_eq!(
            written(Style::Text, b"User login successful"),
            "2025-05-14 10:23:45 | INFO    | abc-1234 | user-service | user-67890 | req-xyz789 | \
             142ms | User login successful"
        );
    }

    #[test]
    fn json_is_one_object_with_escaped_text() {
        assert_eq!(
            written(Style::Json, b"User \"guest\" registered"),
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
            assert_eq!(
                written(Style::Csv { of_requests: false }, message.as_bytes()),
                format!("{head}{value}")
            );
        }
    }
}
