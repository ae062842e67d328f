//! `format = "auto"`: finds out line by line what the text is.

mod brackets;
mod cef;
mod element;
mod elements;
mod header;
mod json;
mod parser;
mod remainder;
mod streams;
mod syslog;
mod words;

use lograil_codec::rows::Rows;
use lograil_event::Batch;
use lograil_plugin::{ComponentMetrics, ConfigError};

use super::Format;
use super::options::ParseOptions;
use json::Objects;
use parser::AutoParser;

/// The format's state.
pub(super) struct Auto {
    field: String,
    rows: Rows<AutoParser>,
    objects: Objects,
    /// Whether each event of the batch was an object.
    is_object: Vec<bool>,
}

impl Auto {
    pub(super) fn new(options: &ParseOptions) -> Result<Self, ConfigError> {
        let format_field = options.format_field.as_deref().unwrap_or("format");
        let parser = AutoParser::new(options.zone()?, format_field);
        Ok(Self {
            field: options.field.clone(),
            rows: Rows::new(parser, &options.field, options.keep_field),
            objects: Objects::new(options.keep_field, options.zone()?, format_field),
            is_object: Vec::new(),
        })
    }

    /// Whether any line might be an object.
    fn has_objects(&self, batch: &Batch) -> bool {
        // Most blocks of other formats have no brace at all.
        if !batch.segments().iter().any(|segment| memchr::memchr(b'{', &segment.bytes).is_some()) {
            return false;
        }
        let Some(key) = batch.find_key(&self.field) else { return false };
        batch.iter().any(|event| {
            let text = event.get(key).and_then(|value| value.as_bytes());
            text.is_some_and(|text| match text.first() {
                Some(b' ' | b'\t') => text.trim_ascii_start().starts_with(b"{"),
                first => first == Some(&b'{'),
            })
        })
    }
}

impl Format for Auto {
    fn start(&mut self, id: &str, metrics: &ComponentMetrics) {
        self.rows.start(id, metrics);
    }

    fn set_now(&mut self, now_ns: i64) {
        self.rows.set_now(now_ns);
        self.objects.set_now(now_ns);
    }

    fn parse(&mut self, batch: &mut Batch, failed: &mut Vec<usize>) {
        batch.freeze();
        if !self.has_objects(batch) {
            return self.rows.parse(batch, failed);
        }
        self.objects.parse(batch, &self.field, &mut self.is_object);
        if self.is_object.iter().all(|is_object| *is_object) {
            return;
        }
        self.rows.parse_others(batch, failed, &self.is_object);
    }

    fn reason(&self, nth: usize) -> String {
        self.rows.reason(nth)
    }
}

#[cfg(test)]
mod tests;
