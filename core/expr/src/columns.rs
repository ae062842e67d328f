//! A planned program over a batch: evaluated event by event, each write into a column of its own, and then written
//! column by column. What is the same for all events is not evaluated at all.

use lograil_event::scan::find_special;
use lograil_event::{
    Batch, Change as FieldChange, Changes, Field, FieldFlags, Key, Placement, Tag,
};

use crate::VALUES_MAX;
use crate::constant::Constant;
use crate::context::{Context, KEY_MISSING, Path, Target, check_size};
use crate::error::EvalError;
use crate::node::Node;
use crate::plan::{Change, Plan};
use crate::writer::{FieldWriter, Placed, Texts, text_tag};

/// What an entry of a column says, in the place of its key.
const KEEP: u32 = 0;
const SET: u32 = 1;
const REMOVE: u32 = 2;

/// What becomes of the events of one batch.
#[derive(Debug, Default)]
pub(crate) struct Columns {
    /// Column after column, an entry for each event.
    entries: Vec<Field>,
    events: usize,
    /// Whether a column has more than [`KEEP`].
    used: Vec<bool>,
    /// The events whose program did not reach its end.
    failed: Vec<usize>,
}

impl Columns {
    pub(crate) fn clear(&mut self, plan: &Plan, events: usize) {
        let columns = plan.column_count();
        self.events = events;
        self.entries.clear();
        self.entries.resize(columns * events, Field::null(KEEP));
        self.used.clear();
        self.used.resize(columns, false);
        self.failed.clear();
    }

    /// Takes back what was noted for an event.
    #[cold]
    pub(crate) fn fail(&mut self, event: usize) {
        for entry in self.entries.iter_mut().skip(event).step_by(self.events.max(1)) {
            *entry = Field::null(KEEP);
        }
        self.failed.push(event);
    }

    #[inline]
    fn note(&mut self, column: Option<usize>, event: usize, entry: Field) {
        let Some(column) = column else { return };
        self.entries[column * self.events + event] = entry;
        self.used[column] = true;
    }

    /// What was noted, and what is the same for all, as changes of the batch, which gets the keys and texts for them.
    pub(crate) fn write(
        &self,
        plan: &Plan,
        batch: &mut Batch,
        texts: &Texts,
        roots: &[String],
        keys: &[u32],
        changes: &mut Changes,
    ) {
        if self.failed.len() == self.events {
            return;
        }
        let mut placed = None;
        for write in &plan.writes {
            let known = keys[write.root];
            let placement = if known == KEY_MISSING { Placement::Append } else { Placement::Set };
            match &write.change {
                Change::Column(column) if self.used[*column] => {
                    let placed = *placed.get_or_insert_with(|| texts.place(batch));
                    let column = &self.entries[column * self.events..][..self.events];
                    let column = column.iter().map(|entry| change(*entry, placed));
                    changes.each(batch.key(&roots[write.root]), placement, column);
                }
                Change::Column(_) => {}
                Change::Same(constant) => {
                    let key = batch.key(&roots[write.root]);
                    let field = constant_field(batch, key, constant);
                    self.same(changes, key, placement, FieldChange::set(field));
                }
                Change::Remove if known == KEY_MISSING => {}
                Change::Remove => self.same(changes, Key(known), placement, FieldChange::REMOVE),
            }
        }
    }

    /// The same for every event whose program reached its end.
    fn same(&self, changes: &mut Changes, key: Key, placement: Placement, change: FieldChange) {
        if self.failed.is_empty() {
            return changes.all(key, placement, change);
        }
        let mut failed = self.failed.iter().copied().peekable();
        let of_event = |event| {
            if failed.next_if_eq(&event).is_some() { FieldChange::KEEP } else { change }
        };
        changes.each(key, placement, (0..self.events).map(of_event));
    }
}

/// An entry of a column, with its text where that is now.
#[inline]
fn change(entry: Field, placed: Placed) -> FieldChange {
    match entry.key {
        KEEP => FieldChange::KEEP,
        SET => FieldChange::set(placed.field(entry)),
        _ => FieldChange::REMOVE,
    }
}

/// A constant as a field that all events share, its text too.
fn constant_field(batch: &mut Batch, key: Key, constant: &Constant) -> Field {
    match constant {
        Constant::Boolean(value) => Field::bool(key.0, *value),
        Constant::Integer(value) => Field::i64(key.0, *value),
        Constant::Float(value) => Field::f64(key.0, *value),
        Constant::Timestamp(ns) => Field::timestamp(key.0, *ns),
        Constant::String(text) => {
            let tag = text_tag(text);
            let is_clean = tag == Tag::Str && find_special(text, 0) == text.len();
            let flags = if is_clean { FieldFlags::CLEAN } else { FieldFlags::NONE };
            Field::text(key.0, tag, batch.push_text(text), flags)
        }
        // The others are not planned as the same for all.
        Constant::Null | Constant::Regex(_) | Constant::Array(_) | Constant::Object(_) => {
            Field::null(key.0)
        }
    }
}

/// One event under evaluation.
pub(crate) struct Row<'r, 'b> {
    pub event: usize,
    pub plan: &'r Plan,
    pub columns: &'r mut Columns,
    pub writer: FieldWriter<'r, 'b>,
}

impl Row<'_, '_> {
    /// Evaluates a statement and notes what it writes.
    pub(crate) fn step<'a>(
        &mut self,
        node: &'a Node,
        context: &Context<'a>,
    ) -> Result<(), EvalError> {
        match node {
            Node::Assign(Target::Path(path), value) => {
                let field = match &**value {
                    Node::Path(from) if from.rest.is_empty() => self.copied(from, context)?,
                    Node::Delete(Target::Path(from), _) => {
                        let field = self.copied(from, context)?;
                        self.remove(from, context);
                        field
                    }
                    value => {
                        let value = value.eval(context)?;
                        check_size(&value, VALUES_MAX)?;
                        self.writer.field(path.root as u32, value)?
                    }
                };
                self.columns.note(self.plan.columns[path.root], self.event, field.with_key(SET));
            }
            Node::Delete(Target::Path(path), _) => self.remove(path, context),
            Node::If(parts) => {
                let [condition, then, otherwise] = &**parts;
                let branch = if condition.strictly_true(context)? { then } else { otherwise };
                self.step(branch, context)?;
            }
            Node::Block(statements) => {
                for statement in statements {
                    self.step(statement, context)?;
                }
            }
            Node::Constant(_) => {}
            other => {
                other.eval(context)?;
            }
        }
        Ok(())
    }

    fn remove(&mut self, path: &Path, context: &Context<'_>) {
        if context.field(path.root).is_some() {
            let column = self.plan.columns[path.root];
            self.columns.note(column, self.event, Field::null(REMOVE));
        }
    }

    /// A field as a program that copies it leaves it: the same, but for numbers, which become what they mean.
    #[inline]
    fn copied(&mut self, from: &Path, context: &Context<'_>) -> Result<Field, EvalError> {
        let Some(field) = context.field(from.root) else { return Ok(Field::null(SET)) };
        match field.tag {
            Tag::Number | Tag::U64 | Tag::F64 | Tag::Bool | Tag::Bytes => {
                let value = context.value(field);
                self.writer.field(from.root as u32, value)
            }
            Tag::Null | Tag::I64 | Tag::Timestamp | Tag::Str | Tag::Object | Tag::Array => {
                Ok(*field)
            }
        }
    }
}
