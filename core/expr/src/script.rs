//! Programs that change events, run over a batch: first every event is evaluated and its writes are noted, then
//! the notes are applied. An event whose program does not reach its end is left exactly as it was.

use std::ops::Range;

use bumpalo::Bump;
use lograil_event::{Batch, BatchMut, EventFlags, EventRecord, Field, FieldFlags, Key, Span, Tag};

use crate::compile::Mode;
use crate::context::{Context, KEY_MISSING, Slot, Stop};
use crate::error::{EvalError, ExprError};
use crate::nested::members_of;
use crate::program::Program;
use crate::value::{Array, Member, Object, Value};
use crate::{EVENTS_MAX, TEXT_BYTES_MAX};

/// Memory for one event that is kept for the next batch.
const MEMORY_BYTES_KEPT: usize = 1 << 20;

/// The field that a value becomes which is an event by itself.
const MESSAGE: &[u8] = b"message";

/// Segments that are searched for a text that is already in the batch.
const SEGMENTS_SEARCHED: usize = 4;

/// A compiled program that changes events.
#[derive(Debug)]
pub struct Script {
    program: Program,
}

/// Why an event was left as it was.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unchanged {
    /// The program ended it with `abort`, and perhaps a message.
    Aborted(Option<String>),
    /// A call with `!` failed, or a bound was reached.
    Failed(EvalError, String),
}

/// The working memory of a [`Script`], for one batch after the other.
#[derive(Debug, Default)]
pub struct Workspace {
    bump: Bump,
    /// Texts of the batch's writes, one after the other.
    text: Vec<u8>,
    names: Vec<u8>,
    writes: Vec<Write>,
    events: Vec<(usize, Range<usize>)>,
    /// Where the last text of each root lies.
    last: Vec<Range<usize>>,
    /// Events that were made beyond those that came.
    created: usize,
    splits: Vec<Split>,
}

/// An event that did not become one event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Split {
    /// Its place in the batch as it came.
    pub index: usize,
    /// How many events are in its place now.
    pub count: usize,
}

/// One change of one event.
#[derive(Debug, Clone)]
enum Write {
    /// A field that needs no text of ours.
    Set(Field),
    /// A field whose text lies in the workspace.
    SetText(u32, Tag, Range<usize>),
    Remove(u32),
    /// All fields go; what follows is the whole event.
    Clear,
    /// What follows is one more event, behind the last of those that this event becomes.
    Next,
    /// Nothing comes of the event.
    Gone,
    /// The name of the field that follows, where the program does not name it.
    Named(Range<usize>),
}

impl Script {
    /// Compiles a source; reports all mistakes that can be found, in the order of their places. What can fail
    /// must be handled.
    pub fn compile(source: &str) -> Result<Self, Vec<ExprError>> {
        Program::compile_as(source, Mode::Change).map(|program| Self { program })
    }

    /// What is suspicious about the source but no mistake.
    #[must_use]
    pub fn warnings(&self) -> &[ExprError] {
        self.program.warnings()
    }

    /// Whether there are events it fails on or aborts, other than by a bound.
    #[must_use]
    pub fn is_fallible(&self) -> bool {
        self.program.is_fallible()
    }

    /// Runs the program over every event of the batch. `now_ns` is what `now()` gives. Events that were left as
    /// they were are told to `unchanged`, in their order, by their place in the batch as it came;
    /// [`Workspace::splits`] has those that became none or several.
    pub fn run(
        &self,
        batch: &mut Batch,
        now_ns: i64,
        workspace: &mut Workspace,
        mut unchanged: impl FnMut(usize, Unchanged),
    ) {
        if batch.is_empty() {
            return;
        }
        workspace.clear(self.program.roots.len());
        let keys = self.program.keys(batch);
        for index in 0..batch.len() {
            if let Err(why) = self.run_one(batch, index, &keys, now_ns, workspace) {
                unchanged(index, why);
            }
        }
        if !workspace.events.is_empty() {
            workspace.apply(batch, &self.program.roots, &keys);
        }
        if workspace.bump.allocated_bytes() > MEMORY_BYTES_KEPT {
            workspace.bump = Bump::new();
        }
    }

    fn run_one(
        &self,
        batch: &Batch,
        index: usize,
        keys: &[u32],
        now_ns: i64,
        workspace: &mut Workspace,
    ) -> Result<(), Unchanged> {
        workspace.bump.reset();
        let program = &self.program;
        let event = batch.event(index);
        let bump = &workspace.bump;
        let context = Context::new(event, keys, &program.roots, bump, program.variables);
        let context = context.writable(now_ns);
        if let Err(error) = program.node.eval(&context) {
            match context.stop.get() {
                Stop::Return => {}
                Stop::Abort(message) => {
                    let message = message.map(|text| String::from_utf8_lossy(text).into_owned());
                    return Err(Unchanged::Aborted(message));
                }
                Stop::None | Stop::Fatal => return Err(failed(&context, error)),
            }
        }
        if !context.written.get() {
            return Ok(());
        }
        let (writes, text) = (workspace.writes.len(), workspace.text.len());
        let created = workspace.created;
        let mut notes = Notes {
            batch,
            hint: event.record().raw().map_or(0, |span| span.segment),
            text: &mut workspace.text,
            writes: &mut workspace.writes,
            names: &mut workspace.names,
            last: &mut workspace.last,
            created: &mut workspace.created,
        };
        if let Err(error) = notes.take(&context) {
            workspace.writes.truncate(writes);
            workspace.text.truncate(text);
            workspace.created = created;
            return Err(failed(&context, error));
        }
        workspace.events.push((index, writes..workspace.writes.len()));
        Ok(())
    }
}

#[cold]
fn failed(context: &Context<'_>, error: EvalError) -> Unchanged {
    let text = match context.message(error) {
        Value::String(text) => String::from_utf8_lossy(text).into_owned(),
        _ => error.to_string(),
    };
    Unchanged::Failed(error, text)
}

#[cfg(test)]
impl Script {
    /// The value of the program for one event, as JSON, or the error's text.
    pub(crate) fn value(&self, batch: &Batch, now_ns: i64) -> Result<String, String> {
        let bump = Bump::new();
        let program = &self.program;
        let keys = program.keys(batch);
        let event = batch.event(0);
        let context = Context::new(event, &keys, &program.roots, &bump, program.variables);
        let context = context.writable(now_ns);
        match program.node.eval(&context) {
            Ok(value) => Ok(value.to_string()),
            Err(error) => match failed(&context, error) {
                Unchanged::Failed(_, text) => Err(text),
                Unchanged::Aborted(_) => Err("aborted".to_owned()),
            },
        }
    }
}

/// Takes down what one event becomes.
struct Notes<'w, 'b> {
    batch: &'b Batch,
    /// The segment that most texts of the event lie in.
    hint: u8,
    text: &'w mut Vec<u8>,
    writes: &'w mut Vec<Write>,
    names: &'w mut Vec<u8>,
    last: &'w mut [Range<usize>],
    created: &'w mut usize,
}

impl Notes<'_, '_> {
    fn take(&mut self, context: &Context<'_>) -> Result<(), EvalError> {
        match (context.unpacked.get(), context.replaced.get()) {
            (Some(Value::Array(items)), _) => return self.events(context, items),
            (Some(value), _) => return self.whole(context, value),
            (None, Some(_)) => return self.whole(context, Value::Object(context.whole())),
            (None, None) => {}
        }
        for (root, slot) in context.overlay.iter().enumerate() {
            match slot.get() {
                Slot::Untouched => {}
                Slot::Removed => {
                    if let Some(key) = context.key(root) {
                        self.writes.push(Write::Remove(key.0));
                    }
                }
                Slot::Value(value) => self.set(root as u32, value)?,
            }
        }
        Ok(())
    }

    /// Notes an event for each item.
    #[cold]
    fn events<'a>(&mut self, context: &Context<'a>, items: Array<'a>) -> Result<(), EvalError> {
        if items.is_empty() {
            self.writes.push(Write::Gone);
        }
        for (position, item) in items.iter(context.bump).enumerate() {
            if position > 0 {
                *self.created += 1;
                if *self.created > EVENTS_MAX {
                    return Err(EvalError::TooMuch);
                }
                self.writes.push(Write::Next);
            }
            self.whole(context, item)?;
        }
        Ok(())
    }

    /// Notes a value as a whole event: what is no object becomes its message.
    fn whole<'a>(&mut self, context: &Context<'a>, value: Value<'a>) -> Result<(), EvalError> {
        self.writes.push(Write::Clear);
        match value {
            Value::Object(object) => members_of(object, context.bump)
                .into_iter()
                .try_for_each(|member| self.member(context, member)),
            value => self.member(context, (MESSAGE, value)),
        }
    }

    fn member(&mut self, context: &Context<'_>, member: Member<'_>) -> Result<(), EvalError> {
        let (name, value) = member;
        let root = context.names.iter().position(|known| known.as_bytes() == name);
        if root.is_none() {
            let start = self.names.len();
            self.names.extend_from_slice(name);
            self.writes.push(Write::Named(start..self.names.len()));
        }
        self.set(root.unwrap_or_default() as u32, value)
    }

    /// Notes a value; the key is the number of its root until it is written.
    fn set(&mut self, root: u32, value: Value<'_>) -> Result<(), EvalError> {
        let field = match value {
            Value::Null => Field::null(root),
            Value::Boolean(value) => Field::bool(root, value),
            Value::Integer(value) => Field::i64(root, value),
            Value::Float(value) => Field::f64(root, value),
            Value::Timestamp(ns) => Field::timestamp(root, ns),
            Value::String(text) => {
                // Most texts are short and ASCII, which is told faster than UTF-8 is.
                let is_text = text.is_ascii() || std::str::from_utf8(text).is_ok();
                return self.set_text(root, if is_text { Tag::Str } else { Tag::Bytes }, text);
            }
            Value::Regex(regex) => return self.set_text(root, Tag::Str, regex.as_str().as_bytes()),
            Value::Array(Array::Json(text)) => return self.set_text(root, Tag::Array, text),
            Value::Object(Object::Json(text)) => return self.set_text(root, Tag::Object, text),
            Value::Array(_) | Value::Object(_) => {
                let start = self.text.len();
                value
                    .write_json_within(self.text, crate::json::DEPTH_MAX, TEXT_BYTES_MAX)
                    .map_err(|_| EvalError::TooMuch)?;
                let tag = if matches!(value, Value::Array(_)) { Tag::Array } else { Tag::Object };
                self.writes.push(Write::SetText(root, tag, start..self.text.len()));
                return Ok(());
            }
        };
        self.writes.push(Write::Set(field));
        Ok(())
    }

    fn set_text(&mut self, root: u32, tag: Tag, text: &[u8]) -> Result<(), EvalError> {
        // Many programs write the same into one event after the other.
        let last = self.last.get(root as usize).cloned().unwrap_or_default();
        if !text.is_empty() && self.text.get(last.clone()) == Some(text) {
            self.writes.push(Write::SetText(root, tag, last));
            return Ok(());
        }
        if let Some(span) = self.find(text) {
            self.writes.push(Write::Set(Field::text(root, tag, span, FieldFlags::NONE)));
            return Ok(());
        }
        let start = self.text.len();
        if start + text.len() > TEXT_BYTES_MAX {
            return Err(EvalError::TooMuch);
        }
        self.text.extend_from_slice(text);
        let range = start..self.text.len();
        if let Some(last) = self.last.get_mut(root as usize) {
            *last = range.clone();
        }
        self.writes.push(Write::SetText(root, tag, range));
        Ok(())
    }

    /// Where in the batch a text lies, if it is a part of it: then it need not be copied.
    fn find(&self, text: &[u8]) -> Option<Span> {
        let within = |segment: u8| {
            let block = self.batch.block(segment);
            let offset = (text.as_ptr() as usize).checked_sub(block.as_ptr() as usize)?;
            let fits = offset.checked_add(text.len())? <= block.len();
            fits.then_some(Span { segment, offset: offset as u32, len: text.len() as u32 })
        };
        let segments = self.batch.segments().len();
        if text.is_empty() || segments == 0 {
            return None;
        }
        within(self.hint).or_else(|| {
            let last = segments.min(usize::from(u8::MAX) + 1);
            let first = last.saturating_sub(SEGMENTS_SEARCHED);
            (first..last).find_map(|segment| within(segment as u8))
        })
    }
}

impl Workspace {
    fn clear(&mut self, roots: usize) {
        self.last.clear();
        self.last.resize(roots, 0..0);
        self.text.clear();
        self.names.clear();
        self.writes.clear();
        self.events.clear();
        self.splits.clear();
        self.created = 0;
    }

    fn apply(&mut self, batch: &mut Batch, roots: &[String], keys: &[u32]) {
        let mut edit = batch.edit();
        let base = edit.push_text(&self.text);
        let mut keys = keys.to_vec();
        let came = edit.events().len();
        for (came_at, range) in &self.events {
            let mut index = *came_at;
            let mut count = 1;
            let mut name = None;
            for write in &self.writes[range.clone()] {
                let mut key = |edit: &mut BatchMut<'_>, root: u32| match name.take() {
                    Some(key) => key,
                    None => {
                        let known = &mut keys[root as usize];
                        if *known == KEY_MISSING {
                            *known = edit.key(&roots[root as usize]).0;
                        }
                        *known
                    }
                };
                match write {
                    Write::Set(field) => {
                        let key = key(&mut edit, field.key);
                        edit.set(index, field.with_key(key));
                    }
                    Write::SetText(root, tag, text) => {
                        let key = key(&mut edit, *root);
                        let offset = base.offset + text.start as u32;
                        let span = Span { offset, len: text.len() as u32, ..base };
                        edit.set(index, Field::text(key, *tag, span, FieldFlags::NONE));
                    }
                    Write::Remove(key) => {
                        edit.remove(index, Key(*key));
                    }
                    Write::Clear => clear_event(&mut edit, index),
                    Write::Next => {
                        // What it came from and when it happened is the same.
                        let record = edit.events()[*came_at];
                        index = edit.events().len();
                        count += 1;
                        edit.events().push(record);
                    }
                    Write::Gone => count = 0,
                    Write::Named(text) => {
                        let text = String::from_utf8_lossy(&self.names[text.clone()]);
                        name = Some(edit.key(&text).0);
                    }
                }
            }
            if count != 1 {
                self.splits.push(Split { index: *came_at, count });
            }
        }
        if !self.splits.is_empty() {
            put_in_order(edit.events(), came, &self.splits);
        }
    }

    /// The events of the last batch that became none or several, in their order.
    #[must_use]
    pub fn splits(&self) -> &[Split] {
        &self.splits
    }
}

/// Moves the events behind the first `came`, which splits made, to where they came from.
fn put_in_order(events: &mut Vec<EventRecord>, came: usize, splits: &[Split]) {
    let made = events.split_off(came);
    let (mut made, mut splits) = (made.into_iter(), splits.iter().peekable());
    let old = std::mem::take(events);
    for (index, record) in old.into_iter().enumerate() {
        let split = splits.next_if(|split| split.index == index);
        let count = split.map_or(1, |split| split.count);
        if count > 0 {
            events.push(record);
            events.extend(made.by_ref().take(count - 1));
        }
    }
}

fn clear_event(edit: &mut BatchMut<'_>, index: usize) {
    let first = edit.fields().len() as u32;
    let record = &mut edit.events()[index];
    if record.raw_fields > 0 {
        record.flags.insert(EventFlags::CHANGED);
    }
    record.first = first;
    record.count = 0;
    record.capacity = 0;
    record.raw_fields = 0;
}
