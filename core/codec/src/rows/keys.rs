//! The key ids of columns and of names in the text, kept from batch to batch.

use std::sync::Arc;

use lograil_event::{BatchMut, Key, KeyTable, Span};

/// Keys after which a table is given up: names that never repeat must not pile up.
const KEYS_MAX: usize = 8192;

/// No key.
const NONE: u32 = u32::MAX;

/// Key ids, and which of them the event at hand has.
#[derive(Default)]
pub(super) struct Keys {
    /// The table of the last batch.
    table: Option<Arc<KeyTable>>,
    /// The ids of the columns, as far as they are known.
    columns: Vec<u32>,
    /// The key that came behind each key the last time, by id; position 0 is the first of an event.
    successors: Vec<u32>,
    previous: usize,
    /// By key id: the number of the event that had it last, and where in it.
    marks: Vec<(u32, u32)>,
    event: u32,
}

impl Keys {
    /// Starts a batch: hands the last table on to it, or learns its own.
    pub(super) fn begin(&mut self, edit: &mut BatchMut<'_>) {
        match &self.table {
            Some(table) if table.len() <= KEYS_MAX && table.extends(edit.keys()) => {
                edit.set_keys(table);
            }
            _ => {
                self.table = None;
                self.columns.clear();
                self.successors.clear();
                self.marks.clear();
            }
        }
    }

    /// Starts an event.
    pub(super) fn begin_event(&mut self, edit: &mut BatchMut<'_>, columns: &[String]) {
        while let Some(name) = columns.get(self.columns.len()) {
            self.columns.push(edit.key(name).0);
        }
        self.previous = 0;
        self.event = self.event.wrapping_add(1);
        if self.event == 0 {
            self.marks.clear();
            self.event = 1;
        }
    }

    /// The id of a column. A parser's column is one of its columns.
    #[inline]
    pub(super) fn column(&self, column: u32) -> u32 {
        self.columns[column as usize]
    }

    /// The id of a name in the text, which is UTF-8.
    #[inline]
    pub(super) fn named(&mut self, edit: &mut BatchMut<'_>, span: Span) -> u32 {
        let predicted = self.successors.get(self.previous).copied().unwrap_or(NONE);
        let key = if predicted != NONE
            && edit.keys().name(Key(predicted)).as_bytes() == edit.text(span)
        {
            predicted
        } else {
            self.look_up(edit, span)
        };
        self.previous = key as usize + 1;
        key
    }

    fn look_up(&mut self, edit: &mut BatchMut<'_>, span: Span) -> u32 {
        let name = String::from_utf8_lossy(edit.text(span));
        let key = match edit.keys().find(&name) {
            Some(key) => key.0,
            None => {
                let name = name.into_owned();
                edit.key(&name).0
            }
        };
        if self.successors.len() <= self.previous {
            self.successors.resize(self.previous + 1, NONE);
        }
        self.successors[self.previous] = key;
        key
    }

    /// Marks a key as one of the event's, at a position. The position where the event had it before.
    #[inline]
    pub(super) fn mark(&mut self, key: u32, position: u32) -> Option<u32> {
        let at = key as usize;
        if self.marks.len() <= at {
            self.marks.resize(at + 1, (0, 0));
        }
        let (event, earlier) = self.marks[at];
        if event == self.event {
            return Some(earlier);
        }
        self.marks[at] = (self.event, position);
        None
    }

    /// Whether the event at hand has the key.
    #[inline]
    pub(super) fn is_marked(&self, key: u32) -> bool {
        self.marks.get(key as usize).is_some_and(|(event, _)| *event == self.event)
    }

    /// Keeps the table of a batch.
    pub(super) fn keep(&mut self, table: &Arc<KeyTable>) {
        if !self.table.as_ref().is_some_and(|own| Arc::ptr_eq(own, table)) {
            self.table = Some(Arc::clone(table));
        }
    }
}
