//! The score: every input has a weight, and the weights of an event add up as independent chances do:
//! `100 * (1 - product of (1 - weight / 100))`. So a further or worse input never lowers the score, one that weighs
//! 100 alone makes it 100, and the order does not matter ("noisy or", Pearl 1988, 4.3.2).

use std::collections::BTreeMap;

use lograil_event::{Batch, EventRef, Key, ValueRef};
use lograil_plugin::{ConfigError, TransformContext};

use super::options::{LevelOptions, SeverityOptions};
use super::words::{Told, Words};
use crate::condition::{OptionCondition, Test};
use crate::field_path::FieldPath;
use crate::level::Level;
use crate::numeric::number_of;

/// Everything that weighs.
pub(crate) struct Scorer {
    level: Fields,
    /// A number in this field is a score of ours, no level.
    score_field: String,
    message: Fields,
    status: Fields,
    response_time: Fields,
    error_code: Fields,
    weights: Weights,
    rules: Vec<OptionCondition>,
    scratch: Vec<u8>,
}

/// What each input weighs.
struct Weights {
    level: LevelOptions,
    words: Words,
    failure: f64,
    disaster: f64,
    client_error: f64,
    server_error: f64,
    response_time: Vec<(f64, f64)>,
    error_code: f64,
    error_codes: BTreeMap<Vec<u8>, f64>,
    rules: Vec<f64>,
}

/// The fields that may have an input.
struct Fields {
    paths: Vec<FieldPath>,
    /// Their keys in the current batch.
    keys: Vec<Option<Key>>,
}

impl Fields {
    fn parse(table: &str, names: &[String], errors: &mut Vec<ConfigError>) -> Self {
        let paths = names.iter().enumerate().filter_map(|(at, name)| {
            let at = at.to_string();
            FieldPath::parse(name, &[table, "fields", &at]).map_err(|error| errors.push(error)).ok()
        });
        Self { paths: paths.collect(), keys: Vec::new() }
    }

    fn bind(&mut self, batch: &Batch) {
        self.keys.clear();
        self.keys.extend(self.paths.iter().map(|path| path.key(batch)));
    }

    /// The worst that `weigh` makes of the fields' values.
    fn worst(
        &self,
        event: EventRef<'_>,
        scratch: &mut Vec<u8>,
        mut weigh: impl FnMut(&FieldPath, ValueRef<'_>) -> f64,
    ) -> f64 {
        let mut worst = 0.0f64;
        for (path, key) in self.paths.iter().zip(&self.keys).filter(|(_, key)| key.is_some()) {
            if let Some(value) = path.get(event, *key, scratch) {
                worst = worst.max(weigh(path, value));
            }
        }
        worst
    }
}

impl Scorer {
    /// `None` with what is wrong in `errors`.
    pub(crate) fn new(options: &SeverityOptions, errors: &mut Vec<ConfigError>) -> Option<Self> {
        let before = errors.len();
        options.mistakes(errors);
        let rules = options.rules.iter().enumerate().filter_map(|(at, rule)| {
            OptionCondition::compile(&["rules", &at.to_string(), "when"], &rule.when, errors)
        });
        let rules = rules.collect();
        let level = Fields::parse("level", &options.level.fields, errors);
        let message = Fields::parse("message", &options.message.fields, errors);
        let status = Fields::parse("status", &options.status.fields, errors);
        let response_time = Fields::parse("response_time", &options.response_time.fields, errors);
        let error_code = Fields::parse("error_code", &options.error_code.fields, errors);
        let words = Words::new(&options.message, errors)?;
        (errors.len() == before).then(|| Self {
            level,
            score_field: options.score_field.clone(),
            message,
            status,
            response_time,
            error_code,
            weights: Weights::new(options, words),
            rules,
            scratch: Vec::new(),
        })
    }

    pub(crate) fn start(&mut self, context: &TransformContext) {
        for rule in &mut self.rules {
            rule.start(context);
        }
    }

    /// Appends the scores of all events of a batch, each from 0 to 100.
    pub(crate) fn score(&mut self, batch: &Batch, scores: &mut Vec<f64>) {
        let inputs = [
            &mut self.level,
            &mut self.message,
            &mut self.status,
            &mut self.response_time,
            &mut self.error_code,
        ];
        for fields in inputs {
            fields.bind(batch);
        }
        let mut rules: Vec<Test<'_>> = self.rules.iter_mut().map(|rule| rule.bind(batch)).collect();
        let (weights, scratch) = (&self.weights, &mut self.scratch);
        for event in batch.iter() {
            let mut sound = 1.0;
            let mut add = |weight: f64| sound *= 1.0 - weight / 100.0;
            add(self.level.worst(event, scratch, |path, value| {
                weights.of_level(value, path.name() == self.score_field)
            }));
            add(self.message.worst(event, scratch, |_, value| weights.of_message(value)));
            add(self.status.worst(event, scratch, |_, value| weights.of_status(value)));
            add(self
                .response_time
                .worst(event, scratch, |_, value| weights.of_response_time(value)));
            add(self.error_code.worst(event, scratch, |_, value| weights.of_error_code(value)));
            for (rule, weight) in rules.iter_mut().zip(&weights.rules) {
                add(if rule.holds(event) { *weight } else { 0.0 });
            }
            scores.push(100.0 * (1.0 - sound));
        }
    }
}

impl Weights {
    fn new(options: &SeverityOptions, words: Words) -> Self {
        let codes = options.error_code.codes.iter();
        Self {
            level: options.level.clone(),
            words,
            failure: options.message.failure_weight,
            disaster: options.message.disaster_weight,
            client_error: options.status.client_error,
            server_error: options.status.server_error,
            response_time: options.response_time.weights.clone(),
            error_code: options.error_code.weight,
            error_codes: codes.map(|(code, weight)| (code.clone().into_bytes(), *weight)).collect(),
            rules: options.rules.iter().map(|rule| rule.weight).collect(),
        }
    }

    fn of_level(&self, value: ValueRef<'_>, is_score: bool) -> f64 {
        let level = match value {
            ValueRef::Str { text: [letter], .. } if letter.is_ascii_uppercase() => {
                Level::of_letter(*letter)
            }
            ValueRef::Str { text, .. } => Level::of_word(text),
            _ if is_score => None,
            other => other.as_i64().and_then(level_of_number),
        };
        let Some(level) = level else { return 0.0 };
        let of = &self.level;
        match level {
            Level::Trace => of.trace,
            Level::Debug => of.debug,
            Level::Info => of.info,
            Level::Notice => of.notice,
            Level::Warn => of.warning,
            Level::Error => of.error,
            Level::Critical => of.critical,
            Level::Alert | Level::Emergency | Level::Fatal => of.fatal,
        }
    }

    fn of_message(&self, value: ValueRef<'_>) -> f64 {
        match value.as_bytes().map_or(Told::Nothing, |text| self.words.in_text(text)) {
            Told::Nothing => 0.0,
            Told::Failure => self.failure,
            Told::Disaster => self.disaster,
        }
    }

    fn of_status(&self, value: ValueRef<'_>) -> f64 {
        match number_of(value) {
            Some(status) if (500.0..600.0).contains(&status) => self.server_error,
            Some(status) if (400.0..500.0).contains(&status) => self.client_error,
            _ => 0.0,
        }
    }

    fn of_response_time(&self, value: ValueRef<'_>) -> f64 {
        let Some(time) = number_of(value) else { return 0.0 };
        let above = self.response_time.iter().position(|(at, _)| time < *at);
        match above.unwrap_or(self.response_time.len()) {
            0 => 0.0,
            end if end == self.response_time.len() => {
                self.response_time.last().map_or(0.0, |(_, weight)| *weight)
            }
            above => {
                let (low, low_weight) = self.response_time[above - 1];
                let (high, high_weight) = self.response_time[above];
                low_weight + (high_weight - low_weight) * ((time - low) / (high - low))
            }
        }
    }

    fn of_error_code(&self, value: ValueRef<'_>) -> f64 {
        let mut digits = itoa::Buffer::new();
        let code: &[u8] = match value {
            ValueRef::Null | ValueRef::Bool(false) => return 0.0,
            ValueRef::I64(code) => digits.format(code).as_bytes(),
            other => other.as_bytes().unwrap_or(b"?"),
        };
        if matches!(code, b"" | b"0") || code.eq_ignore_ascii_case(b"ok") {
            return 0.0;
        }
        self.error_codes.get(code).copied().unwrap_or(self.error_code)
    }
}

/// The level of a number: a severity of syslog up to 7, and as bunyan and pino write it from 10 on.
fn level_of_number(number: i64) -> Option<Level> {
    match number {
        0..=7 => Some(Level::of_severity(number as u8)),
        _ => Level::of_number(itoa::Buffer::new().format(number).as_bytes()),
    }
}
