//! The `encoding` options of sinks, and the encoder they build.

use std::ops::Range;

use lograil_event::{Batch, EventRecord};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::encode_csv::{CsvEncoder, CsvOptions};
use crate::encode_logfmt::LogfmtEncoder;
use crate::encode_syslog::{SyslogEncoder, SyslogOptions};
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
    /// `key=value` pairs; nested objects as `outer.inner=value`.
    Logfmt,
    /// Comma-separated values (RFC 4180) of the columns in `csv.fields`, with a header line.
    Csv,
    /// Syslog messages (RFC 5424).
    Syslog,
}

impl Codec {
    const fn name(self) -> &'static str {
        match self {
            Self::Json => "json",
            Self::Text => "text",
            Self::Raw => "raw",
            Self::Logfmt => "logfmt",
            Self::Csv => "csv",
            Self::Syslog => "syslog",
        }
    }
}

/// How events become bytes. Each event is one line, but for line feeds in values of `csv`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct EncodingConfig {
    /// `json`, `text`, `raw`, `logfmt`, `csv` or `syslog`.
    pub codec: Codec,
    /// For `text`: the line, such as `[{timestamp}] {level}: {message}`. `{a.b}` reaches into nested values,
    /// `{timestamp}` is the event's time if it has no such field, `{{` and `}}` stand for braces, and a field
    /// that an event does not have is empty.
    pub format: Option<String>,
    /// For `csv`: the columns, what stands between them, and whether there is a header.
    pub csv: Option<CsvOptions>,
    /// For `syslog`: what the fields of an event do not say.
    pub syslog: Option<SyslogOptions>,
}

/// Why an encoding cannot be built.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{message}")]
pub struct EncodingError {
    /// Which option: names and list positions from the table `encoding` down.
    pub option: Vec<String>,
    /// What is wrong, for the user.
    pub message: String,
    /// Which bytes of the option's text are meant.
    pub within: Option<Range<usize>>,
}

impl EncodingError {
    /// A mistake in an option of the table `encoding`.
    pub(crate) fn new(option: &str, message: String) -> Self {
        Self { option: vec![option.to_owned()], message, within: None }
    }

    /// A mistake in the format string.
    pub(crate) fn in_format(message: String, within: Range<usize>) -> Self {
        Self { within: Some(within), ..Self::new("format", message) }
    }
}

impl EncodingConfig {
    /// Compiles the options.
    pub fn build(&self) -> Result<Encoder, EncodingError> {
        let needs = [
            ("format", Codec::Text, self.format.is_some()),
            ("csv", Codec::Csv, self.csv.is_some()),
            ("syslog", Codec::Syslog, self.syslog.is_some()),
        ];
        for (option, codec, is_set) in needs {
            if is_set && self.codec != codec {
                let (needed, codec) = (codec.name(), self.codec.name());
                let message =
                    format!("`{option}` needs `codec = \"{needed}\"`, the codec is `{codec}`");
                return Err(EncodingError::new(option, message));
            }
        }
        let kind = match self.codec {
            Codec::Text => {
                let format = self.format.as_deref().map(Format::parse).transpose()?;
                Kind::Text(TextEncoder::new(format))
            }
            Codec::Json => Kind::Json,
            Codec::Raw => Kind::Raw(TextEncoder::new(None)),
            Codec::Logfmt => Kind::Logfmt(LogfmtEncoder::default()),
            Codec::Csv => Kind::Csv(CsvEncoder::new(&self.csv.clone().unwrap_or_default())?),
            Codec::Syslog => {
                Kind::Syslog(SyslogEncoder::new(&self.syslog.clone().unwrap_or_default())?)
            }
        };
        Ok(Encoder { kind })
    }
}

#[derive(Debug)]
enum Kind {
    Json,
    Text(TextEncoder),
    Raw(TextEncoder),
    Logfmt(LogfmtEncoder),
    Csv(CsvEncoder),
    Syslog(SyslogEncoder),
}

/// Writes batches as bytes.
#[derive(Debug)]
pub struct Encoder {
    kind: Kind,
}

impl Encoder {
    /// What a file or stream begins with, newline included; empty for most codecs.
    #[must_use]
    pub fn header(&self) -> &[u8] {
        match &self.kind {
            Kind::Csv(csv) => csv.header(),
            _ => &[],
        }
    }

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
            Kind::Logfmt(logfmt) => {
                logfmt.prepare(batch);
                for record in batch.records() {
                    logfmt.encode_event(batch, record, out);
                    finish(out);
                }
            }
            Kind::Csv(csv) => {
                csv.prepare(batch);
                for record in batch.records() {
                    csv.encode_event(batch, record, out);
                    finish(out);
                }
            }
            Kind::Syslog(syslog) => {
                syslog.prepare(batch);
                for record in batch.records() {
                    syslog.encode_event(batch, record, out);
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
