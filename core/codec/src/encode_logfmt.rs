//! Events as logfmt: `level=info msg="a line" took.ms=3`.
//!
//! Nested objects are flattened with dots. A value is quoted, with JSON's escapes, where it is empty or has a
//! space, `=`, a quote or a control character; what a key must not have becomes `_`.

use lograil_event::json_text;
use lograil_event::scan::escape_json;
use lograil_event::{Batch, EventRecord, Key, ValueRef};

use crate::json;
use crate::text::write_value;

/// Objects nested deeper than this are written as JSON text.
const DEPTH_MAX: usize = 16;

/// Writes events as logfmt.
#[derive(Debug, Default)]
pub(crate) struct LogfmtEncoder {
    /// The dotted name of the value at hand.
    name: Vec<u8>,
    scratch: Vec<u8>,
    value: Vec<u8>,
}

impl LogfmtEncoder {
    /// Appends one event without a newline.
    pub(crate) fn encode_event(&mut self, batch: &Batch, record: &EventRecord, out: &mut Vec<u8>) {
        let fields = &batch.fields()[record.first as usize..][..record.count as usize];
        let start = out.len();
        for field in fields {
            self.name.clear();
            push_name(batch.keys().name(Key(field.key)).as_bytes(), &mut self.name);
            self.write(batch.value(field), 0, start, out);
        }
    }

    /// Appends a value under `self.name`, or the members of an object under names of their own.
    fn write(&mut self, value: ValueRef<'_>, depth: usize, start: usize, out: &mut Vec<u8>) {
        if let ValueRef::Object(text) = value
            && depth < DEPTH_MAX
            && json_text::members(text).next().is_some()
        {
            let len = self.name.len();
            for (name, member) in json_text::members(text) {
                self.name.push(b'.');
                push_name(name.decode().as_bytes(), &mut self.name);
                let mut scratch = std::mem::take(&mut self.scratch);
                // Of nested strings only one is unescaped at a time: objects and arrays do not use it.
                self.write(member.value(&mut scratch), depth + 1, start, out);
                self.scratch = scratch;
                self.name.truncate(len);
            }
            return;
        }
        if out.len() > start {
            out.push(b' ');
        }
        out.extend_from_slice(&self.name);
        out.push(b'=');
        match value {
            ValueRef::Str { text, .. } | ValueRef::Bytes(text) => write_text(text, out),
            ValueRef::Object(_) | ValueRef::Array(_) => {
                self.value.clear();
                json::encode_value(value, &mut self.value);
                write_text(&self.value, out);
            }
            other => write_value(other, out),
        }
    }
}

/// Appends a name without the characters that end one.
fn push_name(name: &[u8], out: &mut Vec<u8>) {
    if name.is_empty() {
        out.push(b'_');
    }
    out.extend(name.iter().map(|byte| if is_special(*byte) { b'_' } else { *byte }));
}

fn write_text(text: &[u8], out: &mut Vec<u8>) {
    if !text.is_empty() && !text.iter().any(|byte| is_special(*byte)) {
        out.extend_from_slice(text);
        return;
    }
    out.push(b'"');
    escape_json(text, out);
    out.push(b'"');
}

const fn is_special(byte: u8) -> bool {
    byte <= b' ' || matches!(byte, b'=' | b'"' | 0x7F)
}
