//! A program over a batch, event by event: what each becomes is noted, and written when all were evaluated.

use std::ops::Range;

use lograil_event::{Batch, BatchMut, EventFlags, EventRecord, Field, Key, Tag};

use crate::context::{Context, KEY_MISSING, Slot};
use crate::error::EvalError;
use crate::nested::members_of;
use crate::value::{Array, Member, Value};
use crate::writer::{FieldWriter, Placed, Texts};
use crate::{EVENTS_FIELDS_MAX, EVENTS_MAX, MEMORY_BYTES_MAX};

/// Notes of one batch whose memory is kept for the next.
const WRITES_KEPT: usize = 64 << 10;

/// The field that a value becomes which is an event by itself.
const MESSAGE: &[u8] = b"message";

/// Fields of an event that are looked at for one of them.
const FIELDS_SEARCHED: usize = 64;

/// The number of a root that no name of the program has.
const UNNAMED: u32 = 0;

/// What becomes of the events of a batch.
#[derive(Debug, Default)]
pub(crate) struct Rows {
    names: Vec<u8>,
    writes: Vec<Write>,
    events: Vec<(usize, Range<usize>)>,
    /// Events that were made beyond those that came.
    created: usize,
    /// Fields of the events that became several.
    fields: usize,
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
    /// A field; its key is the number of its root until it is written.
    Set(Field),
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

impl Rows {
    pub(crate) fn clear(&mut self) {
        self.names.clear();
        self.names.shrink_to(WRITES_KEPT);
        self.writes.clear();
        self.writes.shrink_to(WRITES_KEPT);
        self.events.clear();
        self.splits.clear();
        self.created = 0;
        self.fields = 0;
    }

    pub(crate) fn splits(&self) -> &[Split] {
        &self.splits
    }

    /// Takes down what one event becomes; of an event that fails nothing.
    pub(crate) fn take(
        &mut self,
        event: usize,
        writer: FieldWriter<'_, '_>,
        context: &Context<'_>,
    ) -> Result<(), EvalError> {
        if !context.written.get() {
            return Ok(());
        }
        let start = self.writes.len();
        let (names, created, fields) = (self.names.len(), self.created, self.fields);
        let taken = Notes { rows: self, writer }.take(context);
        if taken.is_err() {
            self.writes.truncate(start);
            self.names.truncate(names);
            self.created = created;
            self.fields = fields;
        } else {
            self.events.push((event, start..self.writes.len()));
        }
        taken
    }

    /// Writes what was noted.
    pub(crate) fn write(
        &mut self,
        batch: &mut Batch,
        texts: &Texts,
        roots: &[String],
        keys: Box<[u32]>,
    ) {
        if self.events.is_empty() {
            return;
        }
        let placed = texts.place(batch);
        let mut edit = batch.edit();
        let came = edit.events().len();
        let mut keys = Keys { roots, known: keys, named: None };
        for (index, range) in &self.events {
            let count = self.write_one(&mut edit, *index, range.clone(), placed, &mut keys);
            if count != 1 {
                self.splits.push(Split { index: *index, count });
            }
        }
        if !self.splits.is_empty() {
            put_in_order(edit.events(), came, &self.splits);
        }
    }

    /// Writes what became of one event; gives how many events that is.
    #[inline]
    fn write_one(
        &self,
        edit: &mut BatchMut<'_>,
        came_at: usize,
        writes: Range<usize>,
        placed: Placed,
        keys: &mut Keys<'_>,
    ) -> usize {
        let (mut index, mut count) = (came_at, 1);
        for write in &self.writes[writes] {
            match write {
                Write::Set(field) => {
                    let key = keys.take(edit, field.key as usize);
                    edit.set(index, placed.field(*field).with_key(key));
                }
                Write::Remove(key) => {
                    edit.remove(index, Key(*key));
                }
                Write::Clear => clear_event(edit, index),
                Write::Next => {
                    // Where it was read and when it happened is the same. What was read there is the text of none of
                    // them alone: else as many copies of it might be written as there are events.
                    let record = &mut edit.events()[came_at];
                    record.become_piece();
                    let record = *record;
                    index = edit.events().len();
                    count += 1;
                    edit.events().push(record);
                }
                Write::Gone => count = 0,
                Write::Named(text) => {
                    let text = String::from_utf8_lossy(&self.names[text.clone()]);
                    keys.named = Some(edit.key(&text).0);
                }
            }
        }
        count
    }
}

/// The ids of the roots in the batch that is written to.
struct Keys<'p> {
    roots: &'p [String],
    known: Box<[u32]>,
    /// The key of the next field, where the program does not name it.
    named: Option<u32>,
}

impl Keys<'_> {
    #[inline]
    fn take(&mut self, edit: &mut BatchMut<'_>, root: usize) -> u32 {
        if let Some(key) = self.named.take() {
            return key;
        }
        let known = &mut self.known[root];
        if *known == KEY_MISSING {
            *known = edit.key(&self.roots[root]).0;
        }
        *known
    }
}

/// Takes down what one event becomes.
struct Notes<'r, 'w, 'b> {
    rows: &'r mut Rows,
    writer: FieldWriter<'w, 'b>,
}

impl Notes<'_, '_, '_> {
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
                        self.rows.writes.push(Write::Remove(key.0));
                    }
                }
                Slot::Value(value) => self.set(root as u32, value)?,
            }
        }
        Ok(())
    }

    fn set(&mut self, root: u32, value: Value<'_>) -> Result<(), EvalError> {
        let field = self.writer.field(root, value)?;
        self.rows.writes.push(Write::Set(field));
        Ok(())
    }

    /// Notes an event for each item.
    #[cold]
    fn events<'a>(&mut self, context: &Context<'a>, items: Array<'a>) -> Result<(), EvalError> {
        if items.is_empty() {
            self.rows.writes.push(Write::Gone);
        }
        for (position, item) in items.iter(context.bump).enumerate() {
            if position > 0 {
                self.rows.created += 1;
                if self.rows.created > EVENTS_MAX {
                    return Err(EvalError::TooMuch);
                }
                self.rows.writes.push(Write::Next);
            }
            self.rows.fields += if let Value::Object(object) = &item { object.len() } else { 1 };
            if self.rows.fields > EVENTS_FIELDS_MAX || self.rows.names.len() > MEMORY_BYTES_MAX {
                return Err(EvalError::TooMuch);
            }
            self.whole(context, item)?;
        }
        Ok(())
    }

    /// Notes a value as a whole event: what is no object becomes its message.
    fn whole<'a>(&mut self, context: &Context<'a>, value: Value<'a>) -> Result<(), EvalError> {
        self.rows.writes.push(Write::Clear);
        let mut own = OwnNumbers { context, next: 0 };
        match value {
            Value::Object(object) => members_of(object, context.bump)
                .into_iter()
                .try_for_each(|member| self.member(context, member, &mut own)),
            value => self.member(context, (MESSAGE, value), &mut own),
        }
    }

    fn member(
        &mut self,
        context: &Context<'_>,
        member: Member<'_>,
        own: &mut OwnNumbers<'_, '_>,
    ) -> Result<(), EvalError> {
        let (name, value) = member;
        let root = context.names.iter().position(|known| known.as_bytes() == name);
        if root.is_none() {
            let start = self.rows.names.len();
            self.rows.names.extend_from_slice(name);
            self.rows.writes.push(Write::Named(start..self.rows.names.len()));
        }
        let root = root.map_or(UNNAMED, |root| root as u32);
        if let Some(field) = own.find(name, value) {
            self.rows.writes.push(Write::Set(field.with_key(root)));
            return Ok(());
        }
        self.set(root, value)
    }
}

/// The numbers of the event as they came: one that is only taken over keeps its digits.
struct OwnNumbers<'c, 'a> {
    context: &'c Context<'a>,
    /// Where the next one is looked for first: most members come in the order of the fields.
    next: usize,
}

impl OwnNumbers<'_, '_> {
    /// The event's field of that name, if it is a number that is this value.
    fn find(&mut self, name: &[u8], value: Value<'_>) -> Option<Field> {
        if !matches!(value, Value::Null | Value::Integer(_) | Value::Float(_)) {
            return None;
        }
        let event = self.context.event;
        let key = event.batch().find_key(std::str::from_utf8(name).ok()?)?;
        let fields = event.fields();
        let places = (self.next..fields.len()).chain(0..self.next.min(fields.len()));
        let at = places.take(FIELDS_SEARCHED).find(|at| fields[*at].key == key.0)?;
        self.next = at + 1;
        let field = fields[at];
        let is_same = match (value, self.context.value(&field)) {
            (Value::Null, Value::Null) => true,
            (Value::Integer(value), Value::Integer(own)) => value == own,
            (Value::Float(value), Value::Float(own)) => value.to_bits() == own.to_bits(),
            _ => false,
        };
        (is_same && matches!(field.tag, Tag::Number | Tag::U64)).then_some(field)
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
