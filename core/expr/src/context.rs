//! One event under evaluation: what it has, what a program has set so far, and the memory for both.
//!
//! Writes go into an overlay, so that the program sees them and an event whose program fails is as it was.

use std::cell::Cell;

use bumpalo::Bump;
use bumpalo::collections::Vec as BumpVec;
use lograil_event::json_text::PathStep;
use lograil_event::{EventRef, Field, Key, Tag};

use crate::error::EvalError;
use crate::json;
use crate::kind::Kind;
use crate::nested::{Around, Leave, insert, members_of, remove, step_into};
use crate::value::{Array, Member, Object, Value};
use crate::{
    CLOSURE_CALLS_MAX, EVENT_VALUES_MAX, MEMORY_BYTES_MAX, STRING_BYTES_MAX, VALUE_DEPTH_MAX,
    VALUES_MAX,
};

/// The key of a root that the batch does not have.
pub(crate) const KEY_MISSING: u32 = u32::MAX;

/// What a program has made of a field.
#[derive(Clone, Copy)]
pub(crate) enum Slot<'a> {
    Untouched,
    Value(Value<'a>),
    Removed,
}

/// Why a program ended before its last statement, beyond an error that something may catch.
#[derive(Clone, Copy)]
pub(crate) enum Stop<'a> {
    None,
    /// A call with `!` failed.
    Fatal,
    Abort(Option<&'a [u8]>),
    Return,
}

/// What an expression is evaluated over.
pub(crate) struct Context<'a> {
    pub event: EventRef<'a>,
    /// Key ids of the program's roots in the event's batch.
    pub keys: &'a [u32],
    /// Names of the program's roots.
    pub names: &'a [String],
    pub bump: &'a Bump,
    pub now_ns: i64,
    pub variables: &'a [Cell<Value<'a>>],
    /// What became of the roots; empty where nothing can be written.
    pub overlay: &'a [Cell<Slot<'a>>],
    /// What `.` was replaced by.
    pub replaced: Cell<Option<Object<'a>>>,
    /// What `.` was replaced by, if that is no object: several events, or the message of one.
    pub unpacked: Cell<Option<Value<'a>>>,
    /// Whether anything was written.
    pub written: Cell<bool>,
    pub stop: Cell<Stop<'a>>,
    /// The text of the last error that the program made itself.
    pub raised: Cell<Option<&'a [u8]>>,
    closure_calls: Cell<u32>,
}

/// A path of the event: a root key, by its number in the program, and steps into its value.
#[derive(Debug, Clone)]
pub(crate) struct Path {
    pub root: usize,
    pub rest: Box<[PathStep]>,
}

/// What can be assigned to.
#[derive(Debug, Clone)]
pub(crate) enum Target {
    /// `_`
    Nothing,
    Variable(usize, Box<[PathStep]>),
    Event,
    Path(Path),
}

impl<'a> Context<'a> {
    #[inline]
    pub(crate) fn new(
        event: EventRef<'a>,
        keys: &'a [u32],
        names: &'a [String],
        bump: &'a Bump,
        variables: usize,
    ) -> Self {
        // Most programs have none, and this runs for every event.
        let variables: &[_] = match variables {
            0 => &[],
            count => bump.alloc_slice_fill_with(count, |_| Cell::new(Value::Null)),
        };
        Self {
            event,
            keys,
            names,
            bump,
            now_ns: 0,
            variables,
            overlay: &[],
            replaced: Cell::new(None),
            unpacked: Cell::new(None),
            written: Cell::new(false),
            stop: Cell::new(Stop::None),
            raised: Cell::new(None),
            closure_calls: Cell::new(0),
        }
    }

    /// The context of a program that runs at a time.
    #[inline]
    pub(crate) fn at(mut self, now_ns: i64) -> Self {
        self.now_ns = now_ns;
        self
    }

    /// Lets the program write.
    pub(crate) fn writable(mut self) -> Self {
        self.overlay =
            self.bump.alloc_slice_fill_with(self.names.len(), |_| Cell::new(Slot::Untouched));
        self
    }

    #[inline]
    pub(crate) fn is_untouched(&self, root: usize) -> bool {
        !self.written.get()
            || matches!(self.overlay.get(root).map(Cell::get), Some(Slot::Untouched))
    }

    #[inline]
    pub(crate) fn key(&self, root: usize) -> Option<Key> {
        self.keys.get(root).copied().filter(|key| *key != KEY_MISSING).map(Key)
    }

    /// The value of a field, if the event has it.
    #[inline]
    fn root(&self, root: usize) -> Option<Value<'a>> {
        match self.overlay.get(root).map(Cell::get) {
            Some(Slot::Value(value)) => Some(value),
            Some(Slot::Removed) => None,
            Some(Slot::Untouched) | None => self.field(root).map(|field| self.value(field)),
        }
    }

    /// The field as it came, if the event has it.
    #[inline]
    pub(crate) fn field(&self, root: usize) -> Option<&'a Field> {
        self.event.field(self.key(root)?)
    }

    /// The value of a field of the event.
    #[inline]
    pub(crate) fn value(&self, field: &Field) -> Value<'a> {
        let batch = self.event.batch();
        match field.tag {
            Tag::Str => Value::String(batch.text(field.span())),
            Tag::Number => json::number(batch.text(field.span())),
            _ => Value::from(batch.value(field)),
        }
    }

    /// The value of a path; null where the event has none.
    #[inline]
    pub(crate) fn value_at(&self, path: &Path) -> Value<'a> {
        if self.written.get() || !path.rest.is_empty() {
            return self.get(path).unwrap_or(Value::Null);
        }
        self.field(path.root).map_or(Value::Null, |field| self.value(field))
    }

    /// The value of a path, if the event has it.
    #[inline(never)]
    pub(crate) fn get(&self, path: &Path) -> Option<Value<'a>> {
        let value = self.root(path.root)?;
        if path.rest.is_empty() { Some(value) } else { step_into(value, &path.rest, self.bump) }
    }

    /// What `.` is.
    #[inline]
    pub(crate) fn current(&self) -> Value<'a> {
        match self.unpacked.get() {
            Some(value) => value,
            None => Value::Object(self.whole()),
        }
    }

    /// The whole event.
    pub(crate) fn whole(&self) -> Object<'a> {
        if !self.written.get() {
            return Object::Event(self.event);
        }
        let base = self.replaced.get().unwrap_or(Object::Event(self.event));
        let mut members: BumpVec<'a, Member<'a>> = BumpVec::new_in(self.bump);
        let mut seen: BumpVec<'a, bool> = BumpVec::new_in(self.bump);
        seen.resize(self.names.len(), false);
        for (key, value) in members_of(base, self.bump) {
            let root = self.names.iter().position(|name| name.as_bytes() == key);
            let slot = root.map_or(Slot::Untouched, |root| {
                seen[root] = true;
                self.overlay[root].get()
            });
            match slot {
                Slot::Untouched => members.push((key, value)),
                Slot::Value(value) => members.push((key, value)),
                Slot::Removed => {}
            }
        }
        for (root, name) in self.names.iter().enumerate().filter(|(root, _)| !seen[*root]) {
            if let Slot::Value(value) = self.overlay[root].get() {
                members.push((name.as_bytes(), value));
            }
        }
        Object::Members(members.into_bump_slice())
    }

    /// The value of a target, if it has one.
    pub(crate) fn read(&self, target: &Target) -> Option<Value<'a>> {
        match target {
            Target::Nothing => None,
            Target::Variable(slot, rest) => {
                step_into(self.variables.get(*slot)?.get(), rest, self.bump)
            }
            Target::Event => Some(self.current()),
            Target::Path(path) => self.get(path),
        }
    }

    pub(crate) fn assign(&self, target: &'a Target, value: Value<'a>) -> Result<(), EvalError> {
        let values = if matches!(target, Target::Event) { EVENT_VALUES_MAX } else { VALUES_MAX };
        check_size(&value, values)?;
        match target {
            Target::Nothing => {}
            Target::Variable(slot, rest) => {
                let Some(variable) = self.variables.get(*slot) else { return Ok(()) };
                let value = if rest.is_empty() {
                    value
                } else {
                    insert(Some(variable.get()), rest, value, self.bump)?
                };
                variable.set(value);
            }
            Target::Event => match value {
                Value::Object(object) => self.replace(object),
                other => {
                    self.replace(Object::Members(&[]));
                    self.unpacked.set(Some(other));
                }
            },
            Target::Path(path) => {
                let value = if path.rest.is_empty() {
                    value
                } else {
                    insert(self.root(path.root), &path.rest, value, self.bump)?
                };
                self.put(path.root, Slot::Value(value));
            }
        }
        Ok(())
    }

    #[inline]
    fn put(&self, root: usize, slot: Slot<'a>) {
        if let Some(cell) = self.overlay.get(root) {
            cell.set(slot);
            self.unpacked.set(None);
            self.written.set(true);
        }
    }

    fn replace(&self, object: Object<'a>) {
        for (cell, name) in self.overlay.iter().zip(self.names) {
            cell.set(match object.get(name.as_bytes(), self.bump) {
                Some(value) => Slot::Value(value),
                None => Slot::Removed,
            });
        }
        self.replaced.set(Some(object));
        self.unpacked.set(None);
        self.written.set(true);
    }

    /// Takes a target away and gives what it was.
    pub(crate) fn delete(&self, target: &'a Target, leave: Leave) -> Option<Value<'a>> {
        let old = self.read(target)?;
        match target {
            Target::Nothing => {}
            Target::Variable(slot, rest) => {
                if let Some(variable) = self.variables.get(*slot) {
                    variable.set(remove(variable.get(), rest, leave, self.bump));
                }
            }
            Target::Event => self.replace(Object::Members(&[])),
            Target::Path(path) if path.rest.is_empty() => self.put(path.root, Slot::Removed),
            Target::Path(path) => {
                let value = remove(self.root(path.root)?, &path.rest, leave, self.bump);
                let goes = leave == Leave::Full && value.is_empty_collection();
                self.put(path.root, if goes { Slot::Removed } else { Slot::Value(value) });
            }
        }
        Some(old)
    }

    /// Text that was computed, if it is not too long.
    #[inline]
    pub(crate) fn text(&self, text: &[u8]) -> Result<Value<'a>, EvalError> {
        self.check_text(text.len())?;
        Ok(Value::String(self.bump.alloc_slice_copy(text)))
    }

    /// Text that was written into the event's memory.
    #[inline]
    pub(crate) fn written_text(&self, text: BumpVec<'a, u8>) -> Result<Value<'a>, EvalError> {
        self.check_text(text.len())?;
        Ok(Value::String(text.into_bump_slice()))
    }

    #[inline]
    pub(crate) fn check_text(&self, len: usize) -> Result<(), EvalError> {
        let fits = len <= STRING_BYTES_MAX && self.bump.allocated_bytes() <= MEMORY_BYTES_MAX;
        if fits { Ok(()) } else { Err(EvalError::TooLong) }
    }

    /// What an error is called in the value that takes it.
    pub(crate) fn message(&self, error: EvalError) -> Value<'a> {
        match (error, self.raised.get()) {
            (EvalError::Raised(_), Some(text)) => Value::String(text),
            _ => Value::str(self.bump.alloc_str(&error.to_string())),
        }
    }

    pub(crate) fn array_of(&self, items: BumpVec<'a, Value<'a>>) -> Value<'a> {
        Value::Array(Array::Items(items.into_bump_slice()))
    }

    pub(crate) fn array(&self, items: impl IntoIterator<Item = Value<'a>>) -> Value<'a> {
        let mut out = BumpVec::new_in(self.bump);
        out.extend(items);
        Value::Array(Array::Items(out.into_bump_slice()))
    }

    /// An object of members whose keys differ.
    pub(crate) fn object(&self, members: impl IntoIterator<Item = Member<'a>>) -> Value<'a> {
        let mut out = BumpVec::new_in(self.bump);
        out.extend(members);
        Value::Object(Object::Members(out.into_bump_slice()))
    }

    /// Counts a call of a closure.
    pub(crate) fn step(&self) -> Result<(), EvalError> {
        let calls = self.closure_calls.get() + 1;
        self.closure_calls.set(calls);
        if calls > CLOSURE_CALLS_MAX || self.bump.allocated_bytes() > MEMORY_BYTES_MAX {
            return Err(EvalError::TooMuch);
        }
        Ok(())
    }

    /// The object of `target` once for each item of the array at its path, which the item takes the place of.
    pub(crate) fn unnest(&self, target: &'a Target) -> Result<Value<'a>, EvalError> {
        let items = match self.read(target) {
            Some(Value::Array(items)) => items,
            other => {
                let found = other.map_or(Kind::NULL, |value| value.kind());
                return Err(EvalError::Argument {
                    function: "unnest",
                    parameter: "path",
                    expected: Kind::ARRAY,
                    found,
                });
            }
        };
        let Some(around) = self.around(target) else { return Ok(Value::Array(items)) };
        let mut out = BumpVec::new_in(self.bump);
        let mut left = EVENT_VALUES_MAX;
        for item in items.iter(self.bump) {
            let made = around.with(item, self.bump);
            count(&made, VALUE_DEPTH_MAX, &mut left)?;
            if self.bump.allocated_bytes() > MEMORY_BYTES_MAX {
                return Err(EvalError::TooMuch);
            }
            out.push(made);
        }
        Ok(self.array_of(out))
    }

    /// What is around the value that a target has.
    fn around(&self, target: &'a Target) -> Option<Around<'a>> {
        match target {
            Target::Nothing | Target::Event => None,
            Target::Variable(slot, rest) => {
                Around::none(self.bump).at(self.variables.get(*slot)?.get(), rest, self.bump)
            }
            Target::Path(path) => {
                let name = self.names[path.root].as_bytes();
                let root = self.root(path.root)?;
                Around::none(self.bump)
                    .in_object(self.whole(), name, self.bump)?
                    .at(root, &path.rest, self.bump)
            }
        }
    }
}

/// Values that are kept may be put into others again and again: bound what becomes of that.
#[inline]
pub(crate) fn check_size(value: &Value<'_>, values_max: usize) -> Result<(), EvalError> {
    match value {
        Value::Array(Array::Items(_)) | Value::Object(Object::Members(_)) => {
            count(value, VALUE_DEPTH_MAX, &mut { values_max })
        }
        _ => Ok(()),
    }
}

/// Counts down `left` for each value inside.
fn count(value: &Value<'_>, depth: usize, left: &mut usize) -> Result<(), EvalError> {
    *left = left.checked_sub(1).ok_or(EvalError::TooMuch)?;
    match value {
        Value::Array(Array::Items(items)) => {
            let depth = depth.checked_sub(1).ok_or(EvalError::TooMuch)?;
            items.iter().try_for_each(|item| count(item, depth, left))
        }
        Value::Object(Object::Members(members)) => {
            let depth = depth.checked_sub(1).ok_or(EvalError::TooMuch)?;
            members.iter().try_for_each(|(_, item)| count(item, depth, left))
        }
        _ => Ok(()),
    }
}
