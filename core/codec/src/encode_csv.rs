//! Events as comma-separated values after RFC 4180: <https://www.rfc-editor.org/rfc/rfc4180>.
//!
//! A field that an event does not have, and `null`, are nothing; an empty text is `""`. A record with line
//! feeds in its values, which stay as they are within quotes, has more than one line.

use lograil_event::json_text::{self, PathStep};
use lograil_event::{Batch, EventRecord, Key, TIMESTAMP_UNKNOWN, ValueRef};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::encoding::EncodingError;
use crate::text::{TIMESTAMP, find, has, parse_path, write_value};

/// How `csv` is written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct CsvOptions {
    /// The columns: fields, or paths such as `request.headers[0]`. `timestamp` is the event's time if it has no
    /// such field.
    pub fields: Vec<String>,
    /// What stands between two columns: one ASCII character.
    pub delimiter: String,
    /// Whether the first line of a file or stream has the names of the columns.
    pub header: bool,
}

impl Default for CsvOptions {
    fn default() -> Self {
        Self { fields: Vec::new(), delimiter: ",".to_owned(), header: true }
    }
}

#[derive(Debug)]
struct Column {
    name: String,
    path: Vec<PathStep>,
    /// Whether the event's time stands in for a field that is not there.
    is_time: bool,
    /// The key of the field in the batch at hand.
    key: Option<Key>,
}

/// Writes events as comma-separated values.
#[derive(Debug)]
pub(crate) struct CsvEncoder {
    columns: Vec<Column>,
    delimiter: u8,
    header: Vec<u8>,
    scratch: Vec<u8>,
    cell: Vec<u8>,
}

impl CsvEncoder {
    /// An encoder, or what is wrong with its options.
    pub(crate) fn new(options: &CsvOptions) -> Result<Self, EncodingError> {
        let mistake = |option: &[&str], message: &str| {
            let option = ["csv"].iter().chain(option).map(|name| (*name).to_owned()).collect();
            EncodingError { option, message: message.to_owned(), within: None }
        };
        if options.fields.is_empty() {
            let message =
                "`codec = \"csv\"` needs the columns, such as [\"timestamp\", \"message\"]";
            return Err(mistake(&["fields"], message));
        }
        let delimiter = match *options.delimiter.as_bytes() {
            [byte] if byte.is_ascii() && !matches!(byte, b'"' | b'\r' | b'\n' | 0) => byte,
            _ => {
                return Err(mistake(
                    &["delimiter"],
                    "a delimiter is one ASCII character, such as \";\"",
                ));
            }
        };
        let mut columns = Vec::new();
        for (index, text) in options.fields.iter().enumerate() {
            let (name, path) = parse_path(text).map_err(|error| EncodingError {
                option: vec!["csv".to_owned(), "fields".to_owned(), index.to_string()],
                ..error
            })?;
            let is_time = name == TIMESTAMP && path.is_empty();
            columns.push(Column { name, path, is_time, key: None });
        }
        let mut header = Vec::new();
        if options.header {
            for (index, text) in options.fields.iter().enumerate() {
                if index > 0 {
                    header.push(delimiter);
                }
                let start = header.len();
                header.extend_from_slice(text.as_bytes());
                quote_from(start, delimiter, &mut Vec::new(), &mut header);
            }
            header.push(b'\n');
        }
        Ok(Self { columns, delimiter, header, scratch: Vec::new(), cell: Vec::new() })
    }

    /// The line with the names of the columns and its line feed; empty if there is none.
    pub(crate) fn header(&self) -> &[u8] {
        &self.header
    }

    /// Looks up the keys of the batch whose events are encoded next.
    pub(crate) fn prepare(&mut self, batch: &Batch) {
        for column in &mut self.columns {
            column.key = batch.find_key(&column.name);
        }
    }

    /// Appends one event of the batch that was prepared, without a newline.
    pub(crate) fn encode_event(&mut self, batch: &Batch, record: &EventRecord, out: &mut Vec<u8>) {
        let fields = &batch.fields()[record.first as usize..][..record.count as usize];
        let record_start = out.len();
        for (index, column) in self.columns.iter().enumerate() {
            if index > 0 {
                out.push(self.delimiter);
            }
            let start = out.len();
            let value = match find(fields, column.key).map(|field| batch.value(field)) {
                Some(ValueRef::Object(text) | ValueRef::Array(text)) if !column.path.is_empty() => {
                    json_text::get(text, &column.path, &mut self.scratch)
                }
                Some(value) => Some(value).filter(|_| column.path.is_empty()),
                None if column.is_time && record.timestamp_ns != TIMESTAMP_UNKNOWN => {
                    Some(ValueRef::Timestamp(record.timestamp_ns))
                }
                None => None,
            };
            match value {
                None | Some(ValueRef::Null) => continue,
                Some(value) => write_value(value, out),
            }
            if out.len() == start {
                out.extend_from_slice(b"\"\"");
                continue;
            }
            quote_from(start, self.delimiter, &mut self.cell, out);
        }
        // A line with nothing on it is no record to most readers.
        if out.len() == record_start {
            out.extend_from_slice(b"\"\"");
        }
    }
}

/// Puts what was written from `start` on in quotes, if RFC 4180 wants them or readers tend to trim it.
fn quote_from(start: usize, delimiter: u8, cell: &mut Vec<u8>, out: &mut Vec<u8>) {
    let text = &out[start..];
    let is_special = |byte: u8| byte == delimiter || matches!(byte, b'"' | b'\r' | b'\n');
    let is_trimmed = |byte: Option<&u8>| matches!(byte, Some(b' ' | b'\t'));
    if !(has(text, is_special) || is_trimmed(text.first()) || is_trimmed(text.last())) {
        return;
    }
    cell.clear();
    cell.extend_from_slice(text);
    out.truncate(start);
    out.push(b'"');
    for piece in cell.split_inclusive(|byte| *byte == b'"') {
        out.extend_from_slice(piece);
        if piece.ends_with(b"\"") {
            out.push(b'"');
        }
    }
    out.push(b'"');
}
