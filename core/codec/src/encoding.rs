//! The `encoding` options of sinks, and the encoder they build.

use std::ops::Range;

use lograil_event::{Batch, EventRecord};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::json;
use crate::text::{Format, TextEncoder};

/// How an event is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Codec {
    /// One JSON object a line. Events that were not touched are written as they were read.
    #[default]
    Json,
    /// Text after `format`; without it the field `message`, or the whole event as JSON if it has none.
    Text,
    /// The bytes the event was read from, whatever was parsed from them; as `text` if it was not read.
    Raw,
}

/// How events become bytes. Each event is one line.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct EncodingConfig {
    /// `json`, `text` or `raw`.
    pub codec: Codec,
    /// For `text`: the line, such as `[{timestamp}] {level}: {message}`. `{a.b}` reaches into nested values,
    /// `{timestamp}` is the event's time if it has no such field, `{{` and `}}` stand for braces, and a field
    /// that an event does not have is empty.
    pub format: Option<String>,
}

/// Why an encoding cannot be built.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{message}")]
pub struct EncodingError {
    /// What is wrong, for the user.
    pub message: String,
    /// Which bytes of `format` are meant.
    pub within: Option<Range<usize>>,
}

impl EncodingConfig {
    /// Compiles the options.
    pub fn build(&self) -> Result<Encoder, EncodingError> {
        let kind = match (self.codec, &self.format) {
            (Codec::Text, format) => {
                let format = format.as_deref().map(Format::parse).transpose()?;
                Kind::Text(TextEncoder::new(format))
            }
            (codec, Some(_)) => {
                let name = if codec == Codec::Json { "json" } else { "raw" };
                let message = format!("`format` needs `codec = \"text\"`, the codec is `{name}`");
                return Err(EncodingError { message, within: None });
            }
            (Codec::Json, None) => Kind::Json,
            (Codec::Raw, None) => Kind::Raw(TextEncoder::new(None)),
        };
        Ok(Encoder { kind })
    }
}

#[derive(Debug)]
enum Kind {
    Json,
    Text(TextEncoder),
    Raw(TextEncoder),
}

/// Writes batches as bytes.
#[derive(Debug)]
pub struct Encoder {
    kind: Kind,
}

impl Encoder {
    /// Appends every event of the batch and a newline after each.
    pub fn encode(&mut self, batch: &Batch, out: &mut Vec<u8>) {
        self.each(batch, out, |_| {});
    }

    /// The same; `ends` becomes the length of `out` after each event and its newline.
    pub fn encode_with_ends(&mut self, batch: &Batch, out: &mut Vec<u8>, ends: &mut Vec<usize>) {
        ends.clear();
        ends.reserve(batch.len());
        self.each(batch, out, |end| ends.push(end));
    }

    #[inline]
    fn each(&mut self, batch: &Batch, out: &mut Vec<u8>, mut at_end: impl FnMut(usize)) {
        let mut finish = |out: &mut Vec<u8>| {
            out.push(b'\n');
            at_end(out.len());
        };
        match &mut self.kind {
            Kind::Json => {
                for record in batch.records() {
                    json::encode_event(batch, record, out);
                    finish(out);
                }
            }
            Kind::Text(text) => {
                text.prepare(batch);
                for record in batch.records() {
                    text.encode_event(batch, record, out);
                    finish(out);
                }
            }
            Kind::Raw(text) => {
                text.prepare(batch);
                for record in batch.records() {
                    encode_raw(text, batch, record, out);
                    finish(out);
                }
            }
        }
    }
}

fn encode_raw(text: &mut TextEncoder, batch: &Batch, record: &EventRecord, out: &mut Vec<u8>) {
    match record.raw() {
        Some(span) => out.extend_from_slice(batch.text(span)),
        None => text.encode_event(batch, record, out),
    }
}
