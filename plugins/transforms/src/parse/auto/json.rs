//! The lines of a batch that are JSON objects.

use lograil_codec::Zone;
use lograil_codec::json::{JsonError, ParseOptions, Parser};
use lograil_codec::timestamp::{Reference, parse_prefix};
use lograil_event::{Batch, BatchMut, Field, FieldFlags, Key, Span, Tag};

use super::parser::instant;
use super::words::{self, FormatWord, LEVEL_KEYS, TIME_KEYS};
use crate::level::Level;

/// The parser of objects.
pub(super) struct Objects {
    keep_field: bool,
    format_field: String,
    zone: Zone,
    parser: Parser,
    now_ns: i64,
    failures: Vec<(usize, JsonError)>,
}

/// The keys of a batch under which objects may have what every event should.
struct Keys {
    level: Key,
    format: Option<Key>,
    levels: Vec<Key>,
    times: Vec<Key>,
    words: Span,
}

impl Objects {
    pub(super) fn new(keep_field: bool, zone: Zone, format_field: &str) -> Self {
        let format_field = format_field.to_owned();
        Self {
            keep_field,
            format_field,
            zone,
            parser: Parser::new(),
            now_ns: 0,
            failures: Vec::new(),
        }
    }

    pub(super) fn set_now(&mut self, now_ns: i64) {
        self.now_ns = now_ns;
    }

    /// Parses the events whose field is an object; says which they are.
    pub(super) fn parse(&mut self, batch: &mut Batch, field: &str, is_object: &mut Vec<bool>) {
        self.failures.clear();
        let options = ParseOptions { target: None, keep_source: self.keep_field };
        self.parser.parse_batch(batch, field, options, &mut self.failures);
        is_object.clear();
        is_object.resize(batch.len(), true);
        for (event, _) in &self.failures {
            is_object[*event] = false;
        }
        let existing =
            |names: &[&str]| names.iter().filter_map(|name| batch.find_key(name)).collect();
        let (levels, times): (Vec<Key>, Vec<Key>) = (existing(&LEVEL_KEYS), existing(&TIME_KEYS));
        let mut edit = batch.edit();
        let has_format = !self.format_field.is_empty();
        let keys = Keys {
            level: edit.key("level"),
            format: has_format.then(|| edit.key(&self.format_field)),
            levels,
            times,
            words: edit.push_text(words::WORDS.as_bytes()),
        };
        let reference = Reference { now_ns: self.now_ns, offset_seconds: 0 };
        for (event, _) in is_object.iter().enumerate().filter(|(_, is_object)| **is_object) {
            keys.promote(&mut edit, event, &reference, &self.zone);
        }
    }
}

impl Keys {
    /// Makes the object's time and level the event's, and names the format.
    fn promote(&self, edit: &mut BatchMut<'_>, event: usize, reference: &Reference, zone: &Zone) {
        let is_text = |field: &Field| matches!(field.tag, Tag::Str | Tag::Number);
        let fields = edit.fields_of(event);
        let find = |key: &Key| fields.iter().find(|field| field.key == key.0 && is_text(field));
        let time = self.times.iter().filter_map(find);
        let time = time.filter_map(|field| parse_prefix(edit.text(field.span()), reference)).next();
        let level = self.levels.iter().filter_map(find).find_map(|field| {
            let text = edit.text(field.span());
            match field.tag {
                Tag::Number => Level::of_number(text),
                _ => Level::of_word(text),
            }
            .map(|level| (level, level.name().as_bytes() == text && field.key == self.level.0))
        });
        let has_format =
            self.format.is_some_and(|key| fields.iter().any(|field| field.key == key.0));
        if let Some(time) = time {
            edit.events()[event].timestamp_ns = instant(&time, zone);
        }
        if let Some((level, false)) = level {
            edit.set(event, self.word(self.level, words::of_level(level)));
        }
        if let Some(key) = self.format.filter(|_| !has_format) {
            edit.append(event, self.word(key, words::of_format(FormatWord::Json)));
        }
    }

    fn word(&self, key: Key, part: lograil_codec::row::Part) -> Field {
        let span = Span { offset: self.words.offset + part.start, len: part.len, ..self.words };
        Field::text(key.0, Tag::Str, span, FieldFlags::CLEAN)
    }
}
