//! The user's own way to write a line: `[{timestamp}] {level}: {message}`, compiled once.

use lograil_plugin::ConfigError;

use super::fields::{Fields, TAKEN};
use super::line::{Line, write_id, write_request_id, write_user_id};
use super::options::Events;
use super::stamp::Stamp;
use super::template::write_number;

/// No value of a line is longer, custom fields included.
const VALUE_BYTES_MAX: usize = 512;

/// Names that only requests have values for.
const OF_REQUESTS: usize = 8;

#[derive(Debug, Clone, PartialEq)]
enum Piece {
    Literal(String),
    /// Where the name is in [`TAKEN`].
    Value(usize),
    /// Which custom field.
    Custom(usize),
}

/// A format string, compiled.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Layout(Vec<Piece>);

impl Layout {
    /// Compiles a format string for events of a kind.
    pub(super) fn parse(text: &str, events: Events, fields: &Fields) -> Result<Self, ConfigError> {
        let mut pieces = Vec::new();
        let mut literal = String::new();
        let mut rest = text;
        while let Some(at) = rest.find(['{', '}']) {
            let start = text.len() - rest.len() + at;
            literal.push_str(&rest[..at]);
            let tail = &rest[at..];
            if tail.starts_with("{{") || tail.starts_with("}}") {
                literal.push_str(&tail[..1]);
                rest = &tail[2..];
                continue;
            }
            let mistake = |len: usize, text: String| {
                ConfigError::new(["format"], text).within(start..start + len)
            };
            let Some(end) = tail.find('}').filter(|_| tail.starts_with('{')) else {
                let brace = &tail[..1];
                let error = mistake(1, format!("`{brace}` without its partner"));
                return Err(error.help(format!("write `{brace}{brace}` for a brace")));
            };
            let name = &tail[1..end];
            let Some(piece) = find(name, events, fields) else {
                let names: Vec<&str> =
                    known(events).iter().copied().chain(fields.names()).collect();
                let error = mistake(end + 1, format!("events have no field `{name}`"));
                return Err(error.help(format!("the fields are {}", names.join(", "))));
            };
            if !literal.is_empty() {
                pieces.push(Piece::Literal(std::mem::take(&mut literal)));
            }
            pieces.push(piece);
            rest = &tail[end + 1..];
        }
        literal.push_str(rest);
        if !literal.is_empty() {
            pieces.push(Piece::Literal(literal));
        }
        Ok(Self(pieces))
    }

    /// Appends a line.
    pub(super) fn write(&self, stamp: &Stamp, line: &Line<'_>, fields: &Fields, out: &mut Vec<u8>) {
        for piece in &self.0 {
            match piece {
                Piece::Literal(text) => out.extend_from_slice(text.as_bytes()),
                Piece::Custom(at) => fields.write_plain(*at, out),
                Piece::Value(at) => write_value(TAKEN[*at], stamp, line, out),
            }
        }
    }

    /// No line is longer.
    pub(super) fn bytes_max(&self) -> usize {
        let bytes = |piece: &Piece| match piece {
            Piece::Literal(text) => text.len(),
            Piece::Value(_) | Piece::Custom(_) => VALUE_BYTES_MAX,
        };
        self.0.iter().map(bytes).sum()
    }
}

fn known(events: Events) -> &'static [&'static str] {
    if events == Events::Http { &TAKEN } else { &TAKEN[..OF_REQUESTS] }
}

fn find(name: &str, events: Events, fields: &Fields) -> Option<Piece> {
    let known = known(events).iter().position(|known| *known == name);
    known.map(Piece::Value).or_else(|| fields.find(name).map(Piece::Custom))
}

fn write_value(name: &str, stamp: &Stamp, line: &Line<'_>, out: &mut Vec<u8>) {
    let request = line.http;
    match (name, request) {
        ("timestamp", _) => out.extend_from_slice(stamp.to_milliseconds()),
        ("level", _) => out.extend_from_slice(line.level.name().as_bytes()),
        ("id", _) => write_id(line, out),
        ("service", _) => out.extend_from_slice(line.service.as_bytes()),
        ("user_id", _) => write_user_id(line, out),
        ("request_id", _) => write_request_id(line, out),
        ("duration_ms", _) => write_number(line.duration_ms, out),
        ("message", _) => out.extend_from_slice(line.message),
        ("method", Some(request)) => out.extend_from_slice(request.method.as_bytes()),
        ("path", Some(request)) => out.extend_from_slice(&request.path),
        ("status", Some(request)) => write_number(request.status, out),
        ("bytes", Some(request)) => write_number(request.bytes, out),
        ("client_ip", Some(request)) => request.write_client_ip(out),
        ("referer", Some(request)) => out.extend_from_slice(request.referer.as_bytes()),
        ("user_agent", Some(request)) => out.extend_from_slice(request.user_agent.as_bytes()),
        _ => {}
    }
}
