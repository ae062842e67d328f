//! Events to JSON, one line each: copied where nothing was touched, spliced where fields were only added, and
//! written anew otherwise.

use lograil_event::scan::{append_range, escape_json};
use lograil_event::{Batch, EventFlags, EventRecord, Field, FieldFlags, Key, Span, Tag, ValueRef};

use crate::{base64, time};

/// Appends every event of the batch as one line of JSON.
pub fn encode_batch(batch: &Batch, out: &mut Vec<u8>) {
    for record in batch.records() {
        encode_event(batch, record, out);
        out.push(b'\n');
    }
}

/// Appends one event of the batch as JSON without a newline.
#[inline]
pub fn encode_event(batch: &Batch, record: &EventRecord, out: &mut Vec<u8>) {
    if !copy_raw(batch, record, out) {
        write_object(batch, fields_of(batch, record), out);
    }
}

#[inline]
fn fields_of<'a>(batch: &'a Batch, record: &EventRecord) -> &'a [Field] {
    &batch.fields()[record.first as usize..][..record.count as usize]
}

/// Appends the event from its raw bytes, if they still are what it is.
#[inline]
fn copy_raw(batch: &Batch, record: &EventRecord, out: &mut Vec<u8>) -> bool {
    let flags = record.flags;
    let Some(span) = record.raw() else { return false };
    if flags.contains(EventFlags::CHANGED) {
        return false;
    }
    let added = record.count.saturating_sub(record.raw_fields);
    let is_object = flags.contains(EventFlags::RAW_JSON);
    let is_document = flags.contains(EventFlags::RAW_DOCUMENT) && added == 0;
    if !is_object && !is_document {
        return false;
    }
    let raw = batch.text(span);
    // White space between tokens may be a newline, which would end the line.
    if memchr::memchr(b'\n', raw).is_some() {
        return false;
    }
    if added == 0 {
        out.extend_from_slice(raw);
        return true;
    }
    let body = raw.trim_ascii_end();
    let Some(body) = body.strip_suffix(b"}") else { return false };
    out.extend_from_slice(body);
    let is_empty = body.trim_ascii_end().last() == Some(&b'{');
    let fields = &fields_of(batch, record)[record.raw_fields as usize..];
    write_members(batch, fields, is_empty, out);
    out.push(b'}');
    true
}

fn write_object(batch: &Batch, fields: &[Field], out: &mut Vec<u8>) {
    out.push(b'{');
    write_members(batch, fields, true, out);
    out.push(b'}');
}

#[inline]
fn write_members(batch: &Batch, fields: &[Field], mut is_first: bool, out: &mut Vec<u8>) {
    let keys = batch.keys();
    for field in fields {
        if !is_first {
            out.push(b',');
        }
        is_first = false;
        keys.append_json_to(Key(field.key), out);
        match field.tag {
            Tag::Str if field.flags().contains(FieldFlags::CLEAN) => {
                out.push(b'"');
                append_span(batch, field.span(), out);
                out.push(b'"');
            }
            Tag::Number => append_span(batch, field.span(), out),
            _ => encode_value(batch.value(field), out),
        }
    }
}

#[inline]
fn append_span(batch: &Batch, span: Span, out: &mut Vec<u8>) {
    append_range(out, batch.block(span.segment), span.offset as usize, span.len as usize);
}

/// Appends a value as JSON.
///
/// Bytes that are not UTF-8 become `{"$bytes":"<base64>"}`, floats that JSON cannot write become `null`, a
/// timestamp becomes an RFC 3339 string in UTC. Nested text is kept, but for newlines between its tokens.
#[inline]
pub fn encode_value(value: ValueRef<'_>, out: &mut Vec<u8>) {
    match value {
        ValueRef::Str { text, clean: true } => {
            out.push(b'"');
            out.extend_from_slice(text);
            out.push(b'"');
        }
        ValueRef::Number(text) => out.extend_from_slice(text),
        ValueRef::Object(text) | ValueRef::Array(text) => write_nested(text, out),
        other => encode_rare(other, out),
    }
}

fn encode_rare(value: ValueRef<'_>, out: &mut Vec<u8>) {
    match value {
        ValueRef::Str { text, .. } => {
            out.push(b'"');
            escape_json(text, out);
            out.push(b'"');
        }
        ValueRef::Null => out.extend_from_slice(b"null"),
        ValueRef::Bool(true) => out.extend_from_slice(b"true"),
        ValueRef::Bool(false) => out.extend_from_slice(b"false"),
        ValueRef::I64(value) => write_integer(value, out),
        ValueRef::U64(value) => write_integer(value, out),
        ValueRef::F64(value) => write_float(value, out),
        ValueRef::Timestamp(ns) => {
            out.push(b'"');
            time::write_rfc3339(ns, out);
            out.push(b'"');
        }
        ValueRef::Bytes(bytes) => {
            out.extend_from_slice(b"{\"$bytes\":\"");
            base64::encode(bytes, out);
            out.extend_from_slice(b"\"}");
        }
        ValueRef::Number(text) | ValueRef::Object(text) | ValueRef::Array(text) => {
            write_nested(text, out);
        }
    }
}

pub(crate) fn write_integer(value: impl itoa::Integer, out: &mut Vec<u8>) {
    out.extend_from_slice(itoa::Buffer::new().format(value).as_bytes());
}

pub(crate) fn write_float(value: f64, out: &mut Vec<u8>) {
    // Writing into a vector cannot fail, and a float that is not finite is written as null.
    let written = serde_json::to_writer(&mut *out, &value);
    debug_assert!(written.is_ok(), "a float is always written");
}

/// Appends validated JSON text. A newline in it can only stand between tokens, where a space does as well.
fn write_nested(text: &[u8], out: &mut Vec<u8>) {
    let start = out.len();
    out.extend_from_slice(text);
    if memchr::memchr(b'\n', text).is_some() {
        for byte in &mut out[start..] {
            if *byte == b'\n' {
                *byte = b' ';
            }
        }
    }
}
