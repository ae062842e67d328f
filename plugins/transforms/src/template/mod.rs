//! The transform `template`: finds out which messages are the same but for their values.

mod form;
mod memory;
mod miner;
mod options;
mod words;

use std::ops::Range;
use std::sync::Arc;

use lograil_event::{Batch, BatchMut, Field, FieldFlags, Key, Span, Tag, ValueRef, scan};
use lograil_plugin::error::TransformError;
use lograil_plugin::spec::{no_claims, schema_of};
use lograil_plugin::{
    Build, Clock, ComponentSpec, ConfigErrors, Outputs, Port, Threading, Transform,
    TransformContext,
};
use serde_json::Value;

use crate::field_path::FieldPath;
use form::{CUT, TEXT_BYTES_MAX};
use miner::{Merge, Miner, Template};
use options::TemplateOptions;
use words::Word;

/// The output for merges.
const MERGES: Port = Port(1);

/// The component type.
pub const SPEC: ComponentSpec = ComponentSpec {
    name: "template",
    summary: "Finds the template of each message: the text that stays the same, an id for it, and the values.",
    manual: include_str!("README.md"),
    schema: schema_of::<TemplateOptions>,
    ports: |_: &Value| vec!["merges".to_owned()],
    claims: no_claims,
    threading: Threading::Async,
    build: Build::Transform(&|options| Ok(Box::new(TemplateTransform::new(options.parse()?)?))),
};

struct TemplateTransform {
    field: FieldPath,
    options: TemplateOptions,
    miner: Miner,
    /// The number of the current batch.
    batch: u64,
    found: Found,
    scratch: Vec<u8>,
    running: Option<Running>,
}

/// What was found in the current batch.
#[derive(Default)]
struct Found {
    events: Vec<Annotation>,
    templates: Vec<Written>,
    /// The text of all fields that are added.
    text: Vec<u8>,
}

/// What is added to an event.
struct Annotation {
    event: usize,
    template: u32,
    parameters: Range<u32>,
}

/// The texts of a template.
#[derive(Clone)]
struct Written {
    id: Range<u32>,
    text: Range<u32>,
    text_flags: FieldFlags,
}

struct Running {
    clock: Arc<dyn Clock>,
    templates: prometheus::IntGauge,
    merged: prometheus::IntCounter,
    evicted: prometheus::IntCounter,
    unmined: prometheus::IntCounter,
}

impl TemplateTransform {
    fn new(options: TemplateOptions) -> Result<Self, ConfigErrors> {
        let field = options.check()?;
        let miner = Miner::new(options.max_templates as usize);
        Ok(Self {
            field,
            options,
            miner,
            batch: 0,
            found: Found::default(),
            scratch: Vec::new(),
            running: None,
        })
    }

    /// Finds the templates of a batch's messages; gives how many events have none.
    fn mine(&mut self, batch: &Batch) -> usize {
        self.batch += 1;
        self.found.clear();
        let key = self.field.key(batch);
        let has_parameters = !self.options.parameters_key.is_empty();
        for (index, event) in batch.iter().enumerate() {
            let value = self.field.get(event, key, &mut self.scratch);
            let Some(ValueRef::Str { text, .. }) = value else { continue };
            let Some((template, words)) = self.miner.find(text) else { continue };
            let template = self.found.template(template, self.batch);
            let parameters = self.found.write(|out| {
                if has_parameters {
                    append_parameters(text, words, out);
                }
            });
            self.found.events.push(Annotation { event: index, template, parameters });
        }
        batch.len() - self.found.events.len()
    }

    /// Adds the fields to the events.
    fn annotate(&self, batch: &mut Batch) {
        let mut edit = batch.edit();
        let all = edit.push_text(&self.found.text);
        let at = |range: &Range<u32>| Span {
            segment: all.segment,
            offset: all.offset + range.start,
            len: range.end - range.start,
        };
        let id_key = edit.key(&self.options.id_key);
        let text_key = key_of(&self.options.text_key, &mut edit);
        let parameters_key = key_of(&self.options.parameters_key, &mut edit);
        for Annotation { event, template, parameters } in &self.found.events {
            let Some(written) = self.found.templates.get(*template as usize) else { continue };
            let id = Field::text(id_key.0, Tag::Str, at(&written.id), FieldFlags::CLEAN);
            edit.set(*event, id);
            if let Some(key) = text_key {
                let text = at(&written.text);
                edit.set(*event, Field::text(key.0, Tag::Str, text, written.text_flags));
            }
            if let Some(key) = parameters_key {
                let parameters = at(parameters);
                edit.set(*event, Field::text(key.0, Tag::Array, parameters, FieldFlags::NONE));
            }
        }
    }

    /// Emits an event for each merge since the last call.
    fn tell_merges(&mut self, out: &mut Outputs) {
        let merges = std::mem::take(&mut self.miner.merges);
        let Some(running) = self.running.as_ref().filter(|_| !merges.is_empty()) else { return };
        let mut batch = Batch::new();
        let mut edit = batch.edit();
        let names = ["template_id", "template", "events", "into_id", "into"];
        let [id_key, text_key, events_key, into_id_key, into_key] =
            names.map(|name| edit.key(name));
        for Merge { template, into } in merges {
            let event = edit.push_event(running.clock.now_ns());
            edit.set_str(event, id_key, &id_text(template.id));
            edit.set_str(event, text_key, &template.text);
            let count = i64::try_from(template.count).unwrap_or(i64::MAX);
            edit.set(event, Field::i64(events_key.0, count));
            edit.set_str(event, into_id_key, &id_text(into));
            if let Some(text) = self.miner.text_of(into) {
                edit.set_str(event, into_key, text);
            }
        }
        running.merged.inc_by(batch.len() as u64);
        out.create(batch.len());
        out.emit_to(MERGES, batch);
    }
}

impl Found {
    fn clear(&mut self) {
        self.events.clear();
        self.templates.clear();
        self.text.clear();
    }

    /// Where `append` wrote. All texts of a batch are shorter than 4 GiB.
    fn write(&mut self, append: impl FnOnce(&mut Vec<u8>)) -> Range<u32> {
        let start = self.text.len() as u32;
        append(&mut self.text);
        start..self.text.len() as u32
    }

    /// The number of a template's texts, which are written where they are not there yet.
    fn template(&mut self, template: &mut Template, batch: u64) -> u32 {
        let (in_batch, number) = template.written;
        if in_batch == batch {
            return number;
        }
        let id = self.write(|out| out.extend_from_slice(id_text(template.id).as_bytes()));
        let text = self.write(|out| out.extend_from_slice(template.text.as_bytes()));
        let is_clean = scan::find_special(template.text.as_bytes(), 0) == template.text.len();
        let text_flags = if is_clean { FieldFlags::CLEAN } else { FieldFlags::NONE };
        let number = self.templates.len() as u32;
        self.templates.push(Written { id, text, text_flags });
        template.written = (batch, number);
        number
    }
}

fn id_text(id: u64) -> String {
    format!("{id:016x}")
}

/// The key of a field, unless it is turned off by an empty name.
fn key_of(name: &str, edit: &mut BatchMut<'_>) -> Option<Key> {
    (!name.is_empty()).then(|| edit.key(name))
}

/// The values of a message as a JSON array of texts; long ones are cut.
fn append_parameters(message: &[u8], words: &[Word], out: &mut Vec<u8>) {
    out.push(b'[');
    for (at, word) in words.iter().filter(|word| word.is_value()).enumerate() {
        out.extend_from_slice(if at == 0 { b"\"" } else { b",\"" });
        let value = word.text(message);
        match value.get(..TEXT_BYTES_MAX).filter(|_| value.len() > TEXT_BYTES_MAX) {
            None => scan::escape_json(value, out),
            Some(start) => {
                // Not within a character: bytes of one that follow its first begin with the bits 10.
                let is_start = |at: &usize| value[*at] & 0xC0 != 0x80;
                let end = (TEXT_BYTES_MAX - 3..=start.len()).rev().find(is_start);
                scan::escape_json(&value[..end.unwrap_or(start.len())], out);
                out.extend_from_slice(CUT.as_bytes());
            }
        }
        out.push(b'"');
    }
    out.push(b']');
}

impl Transform for TemplateTransform {
    fn start(&mut self, context: TransformContext) -> Result<(), TransformError> {
        let metrics = &context.metrics;
        let merged = "Templates that became a part of another.";
        let evicted = "Templates forgotten because there were more than `max_templates`.";
        let unmined = "Events without a text in the message's field.";
        self.running = Some(Running {
            templates: metrics.gauge("templates", "Templates that are remembered."),
            merged: metrics.counter("merged_templates", merged),
            evicted: metrics.counter("evicted_templates", evicted),
            unmined: metrics.counter("unmined_events", unmined),
            clock: context.clock,
        });
        if let Some(state) = &context.state {
            // A state that cannot be used is none: what it had learned is learned anew.
            let _recalled = memory::recall(&mut self.miner, &self.options.field, state);
        }
        Ok(())
    }

    fn process(&mut self, mut batch: Batch, out: &mut Outputs) {
        let unmined = self.mine(&batch);
        if !self.found.events.is_empty() {
            self.annotate(&mut batch);
        }
        if let Some(running) = &self.running {
            running.unmined.inc_by(unmined as u64);
            running.evicted.inc_by(std::mem::take(&mut self.miner.evicted));
            running.templates.set(self.miner.len() as i64);
        }
        // What a merge joins is known before the first event that has the joined id.
        self.tell_merges(out);
        out.emit(batch);
    }

    fn state(&self) -> Option<Vec<u8>> {
        Some(memory::remember(&self.miner, &self.options.field))
    }
}

#[cfg(test)]
mod score;
#[cfg(test)]
mod tests;
