//! Events as logfmt: `level=info msg="a line" took.ms=3`.
//!
//! Nested objects are flattened with dots. A value is quoted, with JSON's escapes, where it is empty or has a
//! space, `=`, a quote or a control character; what a key must not have becomes `_`.

use lograil_event::json_text;
use lograil_event::scan::escape_json;
use lograil_event::{Batch, EventRecord, ValueRef};

use crate::json;
use crate::text::{has, write_value};

/// Objects nested deeper than this are written as JSON text.
const DEPTH_MAX: usize = 16;

/// Writes events as logfmt.
#[derive(Debug, Default)]
pub(crate) struct LogfmtEncoder {
    /// The names of the batch's keys as they are written, one after the other, and where each one ends.
    names: Vec<u8>,
    name_ends: Vec<usize>,
    /// The dotted name of the value at hand.
    name: Vec<u8>,
    scratch: Vec<u8>,
    value: Vec<u8>,
}

impl LogfmtEncoder {
    /// Writes the keys of the batch whose events are encoded next.
    pub(crate) fn prepare(&mut self, batch: &Batch) {
        self.names.clear();
        self.name_ends.clear();
        for name in batch.keys().names() {
            push_name(name.as_bytes(), &mut self.names);
            self.name_ends.push(self.names.len());
        }
    }

    /// Appends one event of the batch that was prepared, without a newline.
    pub(crate) fn encode_event(&mut self, batch: &Batch, record: &EventRecord, out: &mut Vec<u8>) {
        let fields = &batch.fields()[record.first as usize..][..record.count as usize];
        let start = out.len();
        for field in fields {
            let key = field.key as usize;
            let end = self.name_ends.get(key).copied().unwrap_or(0);
            let name_start = key.checked_sub(1).and_then(|key| self.name_ends.get(key).copied());
            let name = self.names.get(name_start.unwrap_or(0)..end).unwrap_or_default();
            if let ValueRef::Object(_) = batch.value(field) {
                self.name.clear();
                self.name.extend_from_slice(name);
                self.write(batch.value(field), 0, start, out);
                continue;
            }
            begin(name, start, out);
            write_flat(batch.value(field), &mut self.value, out);
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
        begin(&self.name, start, out);
        write_flat(value, &mut self.value, out);
    }
}

/// Appends a name and `=`, after a space if it is not the first of the event that starts at `start`.
#[inline]
fn begin(name: &[u8], start: usize, out: &mut Vec<u8>) {
    if out.len() > start {
        out.push(b' ');
    }
    out.extend_from_slice(name);
    out.push(b'=');
}

/// Appends a value; objects and arrays as JSON text, which is written to `nested` first.
#[inline]
fn write_flat(value: ValueRef<'_>, nested: &mut Vec<u8>, out: &mut Vec<u8>) {
    match value {
        ValueRef::Str { text, .. } | ValueRef::Bytes(text) => write_text(text, out),
        ValueRef::Object(_) | ValueRef::Array(_) => {
            nested.clear();
            json::encode_value(value, nested);
            write_text(nested, out);
        }
        other => write_value(other, out),
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
    if !text.is_empty() && !has(text, is_special) {
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
