//! Changes of all events of a batch, column by column: known before they are made, so that they can be made somewhere else.
//!
//! **Invariant:** making them finds nothing wrong. What somebody outside gives is checked before, by [`Changes::check`].

use std::ops::Range;

use crate::batch::Batch;
use crate::edit::BatchMut;
use crate::field::{Field, FieldFlags, ForeignField, Tag};
use crate::key::Key;
use crate::scan;
use crate::selection::{Selection, WORD_EVENTS};
use crate::validate::{InvalidBatch, Texts};

/// Most columns that somebody outside may give.
const COLUMNS_MAX: usize = 1024;

/// Fields that an event may get beyond its columns where it moves.
const SPARE_FIELDS: usize = 8;

/// Fields whose memory is kept for the next changes: those of a batch, mostly, and 1 MiB.
const KEPT_FIELDS: usize = 1 << 16;

/// What a change says, in the place of its key.
const KEEP: u32 = 0;
const SET: u32 = 1;
const REMOVE: u32 = 2;

/// What becomes of one field of one event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Change(Field);

impl Change {
    /// It stays as it is.
    pub const KEEP: Self = Self(Field::null(KEEP));
    /// It goes, if it is there.
    pub const REMOVE: Self = Self(Field::null(REMOVE));

    /// It gets the value of `field`, whose key does not matter.
    #[must_use]
    #[inline]
    pub const fn set(field: Field) -> Self {
        Self(field.with_key(SET))
    }
}

/// How the values of a column become fields.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Placement {
    /// In the place of the field that has the key, else behind the last: as [`BatchMut::set`].
    Set,
    /// Behind the last, since no event has the key: as [`BatchMut::append`].
    Append,
}

/// A column of changes: one for each event, or one for all.
#[derive(Debug, Clone)]
struct Column {
    key: Key,
    placement: Placement,
    changes: Range<usize>,
}

/// Changes of the events of one batch: of their fields, and then which of them stay.
#[derive(Debug, Clone, Default)]
pub struct Changes {
    columns: Vec<Column>,
    /// Those of all columns, one after the other.
    changes: Vec<Field>,
    /// The events that stay, where some are left out.
    kept: Selection,
    leaves_out: bool,
}

/// A column as somebody outside gives it: nothing is known of it. The keys of its values say what becomes of the field:
/// 0 it stays, 1 it gets the value, 2 it goes.
#[derive(Debug, Clone, Copy)]
pub struct ForeignColumn<'a> {
    /// The key, if the batch has so many.
    pub key: u32,
    /// How values become fields.
    pub placement: Placement,
    /// One for each event, or one for all.
    pub changes: &'a [ForeignField],
}

impl Changes {
    /// Whether nothing changes.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.columns.is_empty() && !self.leaves_out
    }

    /// Forgets all, but keeps the memory, as long as it is not much.
    pub fn clear(&mut self) {
        self.columns.clear();
        self.columns.shrink_to(COLUMNS_MAX);
        self.changes.clear();
        self.changes.shrink_to(KEPT_FIELDS);
        self.kept.clear();
        self.leaves_out = false;
    }

    /// The same for the field of this key in all events.
    pub fn all(&mut self, key: Key, placement: Placement, change: Change) {
        self.each(key, placement, [change]);
    }

    /// What becomes of the field of this key in each event, in their order; an iterator that gives only one means all.
    #[inline]
    pub fn each(
        &mut self,
        key: Key,
        placement: Placement,
        changes: impl IntoIterator<Item = Change>,
    ) {
        let first = self.changes.len();
        self.changes.extend(changes.into_iter().map(|change| change.0));
        self.columns.push(Column { key, placement, changes: first..self.changes.len() });
    }

    /// The same text for the field of this key in all events, whether they have it or not.
    pub fn all_str(&mut self, batch: &mut Batch, key: Key, text: &str) {
        let change = str_in(batch, text);
        self.all(key, Placement::Set, change);
    }

    /// A text for the field of this key in each event, in their order; without one the field stays as it is.
    pub fn each_str<T: AsRef<str>>(
        &mut self,
        batch: &mut Batch,
        key: Key,
        texts: impl IntoIterator<Item = Option<T>>,
    ) {
        let change =
            |text: Option<T>| text.map_or(Change::KEEP, |text| str_in(batch, text.as_ref()));
        self.each(key, Placement::Set, texts.into_iter().map(change));
    }

    /// Leaves out the events that are not in the selection.
    pub fn keep(&mut self, selection: &Selection) {
        self.kept.clear();
        selection.words().iter().for_each(|word| self.kept.push(*word));
        self.leaves_out = true;
    }

    /// The columns: key, placement and changes, with what becomes of the field in the place of their keys.
    pub fn columns(&self) -> impl ExactSizeIterator<Item = (Key, Placement, &[Field])> {
        let column = |one: &Column| (one.key, one.placement, one.changes.clone());
        self.columns
            .iter()
            .map(column)
            .map(|(key, placement, range)| (key, placement, &self.changes[range]))
    }

    /// The events that stay, where some are left out.
    #[must_use]
    pub fn kept(&self) -> Option<&Selection> {
        self.leaves_out.then_some(&self.kept)
    }

    /// Makes the changes. There must be a change for each event in each column, or one for all.
    pub fn apply(&self, batch: &mut Batch) {
        for (at, column) in self.columns.iter().enumerate() {
            let changes = &self.changes[column.changes.clone()];
            // Where an event has to move, it gets room for what comes behind, so that it moves once.
            let room = (self.columns.len() - at) as u32;
            match changes {
                [one] => change_all(batch, column, *one, room),
                changes => {
                    let is_complete = changes.len() == batch.len();
                    assert!(is_complete, "a column has a change for each event, or one for all");
                    change_each(&mut batch.edit(), column, changes, room);
                }
            }
        }
        if self.leaves_out {
            let is_complete = self.kept.words().len() == batch.len().div_ceil(WORD_EVENTS);
            assert!(is_complete, "each event stays or goes");
            batch.keep(&self.kept);
        }
    }
}

/// A text, put into the batch.
fn str_in(batch: &mut Batch, text: &str) -> Change {
    let span = batch.push_text(text.as_bytes());
    Change::set(Field::text(0, Tag::Str, span, FieldFlags::NONE))
}

fn change_all(batch: &mut Batch, column: &Column, change: Field, room: u32) {
    let events = batch.len();
    let field = change.with_key(column.key.0);
    match (change.key, column.placement) {
        (KEEP, _) => {}
        (SET, Placement::Set) => {
            let mut edit = batch.edit();
            (0..events).for_each(|event| edit.set_with_room(event, field, room));
        }
        (SET, Placement::Append) => {
            let mut edit = batch.edit();
            (0..events).for_each(|event| edit.append_with_room(event, field, room));
        }
        _ => {
            // Nothing is opened, which can mean copied, where nothing goes.
            let first = batch.iter().position(|event| event.field(column.key).is_some());
            let Some(first) = first else { return };
            let mut edit = batch.edit();
            (first..events).for_each(|event| {
                edit.remove(event, column.key);
            });
        }
    }
}

fn change_each(edit: &mut BatchMut<'_>, column: &Column, changes: &[Field], room: u32) {
    let (key, is_new) = (column.key, column.placement == Placement::Append);
    for (event, change) in changes.iter().enumerate() {
        match change.key {
            KEEP => {}
            SET if is_new => edit.append_with_room(event, change.with_key(key.0), room),
            SET => edit.set_with_room(event, change.with_key(key.0), room),
            _ => {
                edit.remove(event, key);
            }
        }
    }
}

impl Changes {
    /// Takes changes of a batch that somebody outside gives: whatever they are, they can be made, and leave a valid batch.
    /// They are copied before they are looked at. `kept` is nothing, or the words of a
    /// selection.
    pub fn check<'a>(
        batch: &Batch,
        columns: impl ExactSizeIterator<Item = ForeignColumn<'a>>,
        kept: Option<&[u64]>,
    ) -> Result<Self, InvalidBatch> {
        let (events, count) = (batch.len(), columns.len());
        // Every event may have to move, once.
        let fields_max = || batch.fields().len() * 2 + events * (count + SPARE_FIELDS);
        if count > COLUMNS_MAX || u32::try_from(fields_max()).is_err() {
            return Err(InvalidBatch::TooManyColumns { columns: count, events });
        }
        let texts = Texts { segments: &batch.segments, keys: &batch.keys };
        let mut changes: Vec<ForeignField> = Vec::new();
        let mut known = Vec::with_capacity(count);
        for (at, column) in columns.enumerate() {
            let first = changes.len();
            changes.extend_from_slice(column.changes);
            check_column(&column, &mut changes[first..], events, texts)
                .map_err(|why| InvalidBatch::Column(at, Box::new(why)))?;
            let (key, placement) = (Key(column.key), column.placement);
            known.push(Column { key, placement, changes: first..changes.len() });
        }
        let changes = scan::into_fields(changes)?;
        let mut made = Self { columns: known, changes, ..Self::default() };
        if let Some(words) = kept {
            let unfit = InvalidBatch::SelectionLength { words: words.len(), events };
            made.kept = Selection::of_words(events, words).ok_or(unfit)?;
            made.leaves_out = true;
        }
        Ok(made)
    }
}

/// Checks the changes of a column, and makes of their claims what is true.
fn check_column(
    column: &ForeignColumn<'_>,
    changes: &mut [ForeignField],
    events: usize,
    texts: Texts<'_>,
) -> Result<(), InvalidBatch> {
    let (key, keys) = (column.key, texts.keys.len());
    if key as usize >= keys {
        return Err(InvalidBatch::KeyOutOfRange { field: 0, key, keys });
    }
    if changes.len() != 1 && changes.len() != events {
        return Err(InvalidBatch::ColumnLength { values: changes.len(), events });
    }
    // Most columns are of numbers: no branch for each.
    let is_plain = |one: &ForeignField| (one.key <= REMOVE) & (one.tag <= Tag::Timestamp as u8);
    if changes.iter().fold(true, |all, one| all & is_plain(one)) {
        return Ok(());
    }
    let (mut given, mut found) = (ForeignField::from(Field::null(KEEP)), Change::KEEP.0);
    for (index, change) in changes.iter_mut().enumerate() {
        // The same text is often given to one event after the other.
        if !change.is_same(&given) {
            given = *change;
            found = checked(index, change, key, texts)?;
        }
        *change = found.into();
    }
    Ok(())
}

/// A change as it truly is.
fn checked(
    index: usize,
    change: &ForeignField,
    key: u32,
    texts: Texts<'_>,
) -> Result<Field, InvalidBatch> {
    match change.key {
        KEEP | REMOVE => Ok(Field::null(change.key)),
        SET => {
            let field = change.read(index)?.with_key(key);
            texts.check_field(index, &field)?;
            let has_claims = field.tag.is_span() && change.flags != 0;
            let field = if has_claims { texts.settled(&field) } else { field };
            Ok(field.with_key(SET))
        }
        other => Err(InvalidBatch::UnknownChange { index, change: other }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_kept_for_the_next_changes_unless_it_is_much() {
        let mut changes = Changes::default();
        let of = |events: usize| (0..events).map(|n| Change::set(Field::i64(0, n as i64)));
        changes.each(Key(0), Placement::Set, of(4096));
        let place = changes.changes.as_ptr();
        changes.clear();
        changes.each(Key(0), Placement::Set, of(4096));
        assert_eq!(changes.changes.as_ptr(), place);
        changes.each(Key(0), Placement::Set, of(4 * KEPT_FIELDS));
        (0..4 * COLUMNS_MAX).for_each(|_| changes.all(Key(0), Placement::Set, Change::KEEP));
        changes.clear();
        assert!(changes.is_empty());
        assert!(changes.changes.capacity() <= KEPT_FIELDS);
        assert!(changes.columns.capacity() <= COLUMNS_MAX);
    }
}
