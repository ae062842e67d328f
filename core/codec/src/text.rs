//! Events as text after a format string such as `[{timestamp}] {level}: {message}`.

use std::ops::Range;

use lograil_event::json_text::{self, PathStep};
use lograil_event::{Batch, EventRecord, Field, Key, TIMESTAMP_UNKNOWN, ValueRef};

use crate::encoding::EncodingError;
use crate::json;
use crate::time;

/// The field that is an event's text where no format is given.
const MESSAGE: &str = "message";
/// The name that stands for the event's time where no field has it.
pub(crate) const TIMESTAMP: &str = "timestamp";

#[derive(Debug, Clone, PartialEq, Eq)]
enum Piece {
    Literal(String),
    /// A field, and the way into its value.
    Value {
        name: String,
        path: Vec<PathStep>,
    },
}

/// A format string, compiled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Format {
    pieces: Vec<Piece>,
}

impl Format {
    /// Compiles a format string.
    pub fn parse(format: &str) -> Result<Self, EncodingError> {
        let mut pieces = Vec::new();
        let mut literal = String::new();
        let mut rest = format;
        while let Some(at) = rest.find(['{', '}']) {
            let start = format.len() - rest.len() + at;
            literal.push_str(&rest[..at]);
            let tail = &rest[at..];
            if tail.starts_with("{{") || tail.starts_with("}}") {
                literal.push_str(&tail[..1]);
                rest = &tail[2..];
                continue;
            }
            if tail.starts_with('}') {
                let message = "`}` without `{`; write `}}` for a brace".to_owned();
                return Err(EncodingError::in_format(message, start..start + 1));
            }
            let Some(end) = closing_brace(tail) else {
                let message = "`{` is never closed; write `{{` for a brace".to_owned();
                return Err(EncodingError::in_format(message, start..format.len()));
            };
            if !literal.is_empty() {
                pieces.push(Piece::Literal(std::mem::take(&mut literal)));
            }
            let (name, path) = PathParser::parse(format, start + 1..start + end)?;
            pieces.push(Piece::Value { name, path });
            rest = &tail[end + 1..];
        }
        literal.push_str(rest);
        if !literal.is_empty() {
            pieces.push(Piece::Literal(literal));
        }
        Ok(Self { pieces })
    }
}

/// Position of the `}` that closes the `{` at 0, quoted names skipped.
fn closing_brace(text: &str) -> Option<usize> {
    let mut is_quoted = false;
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            b'"' => is_quoted = !is_quoted,
            b'}' if !is_quoted => return Some(at),
            _ => {}
        }
    }
    None
}

/// Reads the path of a field, such as `a.b[0]."c d"`: its name, and the way into its value.
pub(crate) fn parse_path(path: &str) -> Result<(String, Vec<PathStep>), EncodingError> {
    PathParser::parse(path, 0..path.len())
}

/// Reads `a.b[0]."c d"`.
struct PathParser<'f> {
    format: &'f str,
    within: Range<usize>,
    at: usize,
}

impl PathParser<'_> {
    fn parse(format: &str, within: Range<usize>) -> Result<(String, Vec<PathStep>), EncodingError> {
        let at = within.start;
        let mut parser = PathParser { format, within, at };
        parser.take('.');
        let name = parser.name()?;
        let mut path = Vec::new();
        while parser.at < parser.within.end {
            if parser.take('.') {
                path.push(PathStep::Name(parser.name()?));
            } else if parser.take('[') {
                path.push(PathStep::Index(parser.index()?));
            } else {
                return Err(parser.error("expected `.`, `[` or `}` after the name"));
            }
        }
        Ok((name, path))
    }

    fn rest(&self) -> &str {
        &self.format[self.at..self.within.end]
    }

    fn take(&mut self, expected: char) -> bool {
        let is_there = self.rest().starts_with(expected);
        self.at += if is_there { expected.len_utf8() } else { 0 };
        is_there
    }

    fn name(&mut self) -> Result<String, EncodingError> {
        if self.take('"') {
            let Some(len) = self.rest().find('"') else {
                return Err(self.error("the quoted name is never closed"));
            };
            let name = self.rest()[..len].to_owned();
            self.at += len + 1;
            return Ok(name);
        }
        let is_end = |c: char| !(c.is_alphanumeric() || matches!(c, '_' | '-' | '@' | '$'));
        let len = self.rest().find(is_end).unwrap_or(self.rest().len());
        if len == 0 {
            return Err(self.error("expected the name of a field, such as `{message}`; a name with other characters is written in quotes"));
        }
        let name = self.rest()[..len].to_owned();
        self.at += len;
        Ok(name)
    }

    fn index(&mut self) -> Result<i64, EncodingError> {
        let len = self.rest().find(']').unwrap_or(0);
        let Ok(index) = self.rest()[..len].parse() else {
            return Err(self.error("expected an index, such as `[0]` or `[-1]`"));
        };
        self.at += len + 1;
        Ok(index)
    }

    fn error(&self, message: &str) -> EncodingError {
        let end = self.within.end.max(self.at + 1).min(self.format.len());
        EncodingError::in_format(message.to_owned(), self.at.min(end)..end)
    }
}

/// Writes events as text.
#[derive(Debug)]
pub struct TextEncoder {
    format: Option<Format>,
    /// For each piece the key of its field in the batch at hand; the only one is `message` without a format.
    keys: Vec<Option<Key>>,
    scratch: Vec<u8>,
    /// Whether nothing stands for a field of a format that is null.
    skips_nulls: bool,
}

impl TextEncoder {
    /// An encoder for a format; without one an event is its field `message`, or JSON if it has none.
    #[must_use]
    pub fn new(format: Option<Format>) -> Self {
        Self { format, keys: Vec::new(), scratch: Vec::new(), skips_nulls: false }
    }

    /// The same, but a field of the format that is null is written as one that is missing, by nothing.
    #[must_use]
    pub fn skipping_nulls(self) -> Self {
        Self { skips_nulls: true, ..self }
    }

    /// Looks up the keys of the batch whose events are encoded next.
    pub fn prepare(&mut self, batch: &Batch) {
        self.keys.clear();
        let Some(format) = &self.format else {
            self.keys.push(batch.find_key(MESSAGE));
            return;
        };
        self.keys.extend(format.pieces.iter().map(|piece| match piece {
            Piece::Literal(_) => None,
            Piece::Value { name, .. } => batch.find_key(name),
        }));
    }

    /// Appends one event of the batch that was prepared, without a newline.
    pub fn encode_event(&mut self, batch: &Batch, record: &EventRecord, out: &mut Vec<u8>) {
        let fields = &batch.fields()[record.first as usize..][..record.count as usize];
        let Some(format) = &self.format else {
            match find(fields, self.keys.first().copied().flatten()) {
                Some(field) => write_value(batch.value(field), out),
                None => json::encode_event(batch, record, out),
            }
            return;
        };
        for (piece, key) in format.pieces.iter().zip(&self.keys) {
            match piece {
                Piece::Literal(text) => out.extend_from_slice(text.as_bytes()),
                Piece::Value { name, path } => match find(fields, *key) {
                    Some(field) => {
                        let value = value_at(batch.value(field), path, &mut self.scratch);
                        let is_skipped = self.skips_nulls && matches!(value, Some(ValueRef::Null));
                        if let Some(value) = value.filter(|_| !is_skipped) {
                            write_value(value, out);
                        }
                    }
                    None if name == TIMESTAMP
                        && path.is_empty()
                        && record.timestamp_ns != TIMESTAMP_UNKNOWN =>
                    {
                        time::write_rfc3339(record.timestamp_ns, out);
                    }
                    None => {}
                },
            }
        }
    }
}

/// Whether a text has such a byte. Every byte is looked at, so that the machine can look at many at once.
#[inline]
pub(crate) fn has(text: &[u8], is_such: impl Fn(u8) -> bool) -> bool {
    text.iter().fold(false, |found, byte| found | is_such(*byte))
}

#[inline]
pub(crate) fn find(fields: &[Field], key: Option<Key>) -> Option<&Field> {
    let key = key?;
    fields.iter().find(|field| field.key == key.0)
}

fn value_at<'a>(
    value: ValueRef<'a>,
    path: &[PathStep],
    scratch: &'a mut Vec<u8>,
) -> Option<ValueRef<'a>> {
    match value {
        value if path.is_empty() => Some(value),
        ValueRef::Object(text) | ValueRef::Array(text) => json_text::get(text, path, scratch),
        _ => None,
    }
}

/// Appends a value as text: strings and bytes as they are, a timestamp as RFC 3339, the rest as JSON.
pub(crate) fn write_value(value: ValueRef<'_>, out: &mut Vec<u8>) {
    match value {
        ValueRef::Str { text, .. } | ValueRef::Bytes(text) => out.extend_from_slice(text),
        ValueRef::Timestamp(ns) => time::write_rfc3339(ns, out),
        other => json::encode_value(other, out),
    }
}
