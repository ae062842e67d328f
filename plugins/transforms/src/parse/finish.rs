//! What is done to parsed events whatever their format: types, and the event's time.

use lograil_codec::TimeFormat;
use lograil_event::{Batch, BatchMut, Field, FieldFlags, Key, Tag};
use lograil_plugin::{ComponentMetrics, ConfigError};

use super::convert::Type;
use super::options::{FormatName, ParseOptions};

/// The last step over a batch.
pub(super) struct Finish {
    types: Vec<(String, Type)>,
    time: Option<(String, TimeFormat)>,
    metrics: Option<Metrics>,
}

struct Metrics {
    conversion_failures: prometheus::IntCounter,
    timestamp_failures: prometheus::IntCounter,
}

impl Finish {
    pub(super) fn new(options: &ParseOptions) -> Result<Self, ConfigError> {
        let mut types = Vec::new();
        // The groups of a regex are read as their types when they become fields.
        if !matches!(options.format, FormatName::Regex | FormatName::Grok) {
            types.extend(options.types.iter().map(|(name, kind)| (name.clone(), *kind)));
        }
        let zone = options.zone()?;
        let time = options.timestamp.as_ref().map(|option| {
            let format = TimeFormat::new(&option.format, zone).map_err(|message| {
                ConfigError::new(["timestamp", "format"], message)
                    .help("such as `auto`, `rfc3339`, `unix_ms` or `%Y-%m-%d %H:%M:%S`")
            })?;
            Ok((option.field.clone(), format))
        });
        Ok(Self { types, time: time.transpose()?, metrics: None })
    }

    pub(super) fn start(&mut self, metrics: &ComponentMetrics) {
        let conversions = "Fields whose text is not of the type it was to be read as.";
        let timestamps = "Events whose time could not be read from the field that should have it.";
        self.metrics = Some(Metrics {
            conversion_failures: metrics.counter("conversion_failures", conversions),
            timestamp_failures: metrics.counter("timestamp_failures", timestamps),
        });
    }

    /// Whether it looks for the time of events.
    pub(super) fn finds_times(&self) -> bool {
        self.time.is_some()
    }

    /// Finishes the events that are not in `failed`, which rises.
    pub(super) fn run(&self, batch: &mut Batch, failed: &[usize], now_ns: i64) {
        if self.types.is_empty() && self.time.is_none() {
            return;
        }
        let types: Vec<(Key, Type)> = self
            .types
            .iter()
            .filter_map(|(name, kind)| Some((batch.find_key(name)?, *kind)))
            .collect();
        let time = self.time.as_ref().map(|(name, format)| (batch.find_key(name), format));
        let mut failed = failed.iter().copied().peekable();
        let (mut conversion_failures, mut timestamp_failures) = (0, 0);
        let events = batch.len();
        for event in 0..events {
            if failed.next_if_eq(&event).is_some() {
                continue;
            }
            if let Some((key, format)) = &time {
                // The time is read before the types change how it is written.
                let record = batch.event(event);
                let value = key.and_then(|key| record.field(key)).map(|field| batch.value(field));
                match value.and_then(|value| format.read(value, now_ns)) {
                    Some(ns) => batch.edit().events()[event].timestamp_ns = ns,
                    None => timestamp_failures += 1,
                }
            }
            if !types.is_empty() {
                conversion_failures += convert(&mut batch.edit(), event, &types);
            }
        }
        if let Some(metrics) = &self.metrics {
            metrics.conversion_failures.inc_by(conversion_failures);
            metrics.timestamp_failures.inc_by(timestamp_failures);
        }
    }
}

/// Converts the fields of an event. How many could not be.
fn convert(edit: &mut BatchMut<'_>, event: usize, types: &[(Key, Type)]) -> u64 {
    let mut failures = 0;
    for (key, kind) in types {
        let Some(field) = edit.find(event, *key) else { continue };
        let converted = match (field.tag, kind) {
            (Tag::Number, Type::String) => {
                Some(Field::text(key.0, Tag::Str, field.span(), FieldFlags::CLEAN))
            }
            (_, Type::String) | (Tag::Null, _) | (Tag::Bool, Type::Bool) => continue,
            (Tag::I64 | Tag::U64, Type::Int | Type::Float) | (Tag::F64, Type::Float) => continue,
            (Tag::Str | Tag::Number, kind) => {
                kind.field(key.0, edit.text(field.span()), field.span())
            }
            _ => None,
        };
        match converted {
            Some(converted) => edit.set(event, converted),
            None => failures += 1,
        }
    }
    failures
}
