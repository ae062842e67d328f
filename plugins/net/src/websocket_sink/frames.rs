//! Events as messages, and what clients may choose them by.
//!
//! **Invariant:** the text of a frame is one block that all clients share, and keeps no other alive.

use std::ops::Range;

use bytes::Bytes;
use lograil_codec::Encoder;
use lograil_event::{Batch, ValueRef};
use tokio_tungstenite::tungstenite::{Message, Utf8Bytes};

/// The messages of some events.
#[derive(Debug)]
pub(super) struct Frames {
    text: Bytes,
    ends: Vec<usize>,
    /// The number of the first event since the start.
    pub first: u64,
    /// The values of the filter fields, event by event.
    values: Vec<u8>,
    value_ends: Vec<usize>,
    fields: usize,
}

impl Frames {
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    pub fn bytes(&self) -> u64 {
        self.text.len() as u64
    }

    /// The number of the event behind the last.
    pub fn end(&self) -> u64 {
        self.first + self.len() as u64
    }

    /// Bytes of memory.
    pub fn size(&self) -> usize {
        let ends = self.ends.len() + self.value_ends.len();
        size_of::<Self>() + self.text.len() + self.values.len() + ends * size_of::<usize>()
    }

    /// An event's message: text, or binary where it is not UTF-8.
    pub fn message(&self, event: usize) -> Message {
        let range = span(&self.ends, event);
        // Without its line end.
        let bytes = self.text.slice(range.start..range.end - 1);
        match Utf8Bytes::try_from(bytes.clone()) {
            Ok(text) => Message::Text(text),
            Err(_) => Message::Binary(bytes),
        }
    }

    /// An event's value of a filter field; empty if it has none.
    pub fn value(&self, event: usize, field: usize) -> &[u8] {
        &self.values[span(&self.value_ends, event * self.fields + field)]
    }
}

fn span(ends: &[usize], index: usize) -> Range<usize> {
    let start = index.checked_sub(1).map_or(0, |before| ends[before]);
    start..ends[index]
}

/// Makes frames.
pub(super) struct FrameEncoder {
    encoder: Encoder,
    fields: Vec<String>,
    next: u64,
}

impl FrameEncoder {
    /// `fields` are those that clients may filter by.
    pub fn new(encoder: Encoder, fields: Vec<String>) -> Self {
        Self { encoder, fields, next: 0 }
    }

    /// The events of a batch, in frames of about `bytes_max` bytes.
    pub fn encode(&mut self, batch: &Batch, bytes_max: usize) -> Vec<Frames> {
        let (mut text, mut ends) = (Vec::new(), Vec::new());
        self.encoder.encode_with_ends(batch, &mut text, &mut ends);
        let text = Bytes::from(text);
        let mut all = Vec::new();
        let mut from = 0;
        while from < ends.len() {
            let start = span(&ends, from).start;
            let fits = ends[from..].partition_point(|end| end - start <= bytes_max).max(1);
            let ends: Vec<usize> = ends[from..from + fits].iter().map(|end| end - start).collect();
            let range = start..start + ends[fits - 1];
            let is_all = range.len() == text.len();
            let text = if is_all { text.clone() } else { Bytes::copy_from_slice(&text[range]) };
            let (values, value_ends) = self.values(batch, from..from + fits);
            let (first, fields) = (self.next, self.fields.len());
            all.push(Frames { text, ends, first, values, value_ends, fields });
            self.next += fits as u64;
            from += fits;
        }
        all
    }

    fn values(&self, batch: &Batch, events: Range<usize>) -> (Vec<u8>, Vec<usize>) {
        let keys: Vec<_> = self.fields.iter().map(|name| batch.find_key(name)).collect();
        let (mut values, mut ends) = (Vec::new(), Vec::new());
        for event in events {
            for key in &keys {
                let event = batch.event(event);
                if let Some(field) = key.and_then(|key| event.field(key)) {
                    push_text(&batch.value(field), &mut values);
                }
                ends.push(values.len());
            }
        }
        (values, ends)
    }
}

fn push_text(value: &ValueRef<'_>, out: &mut Vec<u8>) {
    use std::io::Write;
    // Writing to a vector does not fail.
    let _written = match value {
        ValueRef::Bool(value) => write!(out, "{value}"),
        ValueRef::I64(value) | ValueRef::Timestamp(value) => write!(out, "{value}"),
        ValueRef::U64(value) => write!(out, "{value}"),
        ValueRef::F64(value) => write!(out, "{value}"),
        ValueRef::Number(text) => out.write_all(text),
        other => out.write_all(other.as_bytes().unwrap_or_default()),
    };
}

#[cfg(test)]
mod tests {
    use super::*;
    use lograil_codec::EncodingConfig;
    use lograil_testkit::batch_of_json;
    use serde_json::json;

    #[test]
    fn a_batch_is_cut_into_frames_that_know_their_values() {
        let encoder = EncodingConfig::default().build().unwrap();
        let mut frames = FrameEncoder::new(encoder, vec!["level".into(), "status".into()]);
        let batch = batch_of_json(&[
            json!({ "level": "ERROR", "status": 500 }),
            json!({ "message": "x".repeat(50) }),
            json!({ "level": "INFO" }),
        ]);
        let all = frames.encode(&batch, 40);
        assert_eq!(all.iter().map(Frames::len).collect::<Vec<_>>(), [1, 1, 1]);
        assert_eq!(all.iter().map(|one| one.first).collect::<Vec<_>>(), [0, 1, 2]);
        assert_eq!(all[0].message(0), Message::text(r#"{"level":"ERROR","status":500}"#));
        assert_eq!((all[0].value(0, 0), all[0].value(0, 1)), (&b"ERROR"[..], &b"500"[..]));
        assert_eq!((all[2].value(0, 0), all[2].value(0, 1)), (&b"INFO"[..], &b""[..]));
        let all = frames.encode(&batch, 1000);
        assert_eq!((all.len(), all[0].len(), all[0].first), (1, 3, 3));
        assert_eq!(all[0].value(2, 0), b"INFO");
    }
}
