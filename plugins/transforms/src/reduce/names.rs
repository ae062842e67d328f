//! The names of all fields that groups hold, with the strategy of each: a key table of our own, because the
//! keys of a batch mean nothing outside it.

use std::collections::HashMap;
use std::sync::Arc;

use lograil_event::{Batch, Key, KeyTable};

use super::strategy::Strategy;

/// Names from which on those that no group has any more are forgotten.
const NAMES_MAX: usize = 4_096;

/// Not looked up yet.
const UNKNOWN: u32 = u32::MAX;

/// The names.
pub(super) struct Names {
    table: Arc<KeyTable>,
    by_name: HashMap<String, Strategy>,
    /// The strategy of each key of `table`.
    strategies: Vec<Option<Strategy>>,
    /// The own key of each key of the current batch.
    own: Vec<u32>,
    /// When to forget next.
    forget_at: usize,
}

impl Names {
    pub(super) fn new(by_name: HashMap<String, Strategy>) -> Self {
        Self {
            table: Arc::default(),
            by_name,
            strategies: Vec::new(),
            own: Vec::new(),
            forget_at: NAMES_MAX,
        }
    }

    /// Gets ready for the keys of a batch.
    pub(super) fn bind(&mut self, batch: &Batch) {
        self.own.clear();
        self.own.resize(batch.keys().len(), UNKNOWN);
    }

    /// The own key for a key of the batch that is bound.
    #[inline]
    pub(super) fn own(&mut self, batch: &Batch, key: Key) -> Key {
        match self.own.get(key.0 as usize) {
            Some(&own) if own != UNKNOWN => Key(own),
            _ => self.look_up(batch, key),
        }
    }

    fn look_up(&mut self, batch: &Batch, key: Key) -> Key {
        let name = batch.keys().name(key);
        let own = match self.table.find(name) {
            Some(own) => own,
            None => Arc::make_mut(&mut self.table).intern(name),
        };
        self.learn_strategies();
        if let Some(known) = self.own.get_mut(key.0 as usize) {
            *known = own.0;
        }
        own
    }

    fn learn_strategies(&mut self) {
        let new = self.strategies.len()..self.table.len();
        let of = |id: usize| self.by_name.get(self.table.name(Key(id as u32))).copied();
        self.strategies.extend(new.map(of));
    }

    /// The strategy that the options state for a field.
    pub(super) fn strategy(&self, own: Key) -> Option<Strategy> {
        self.strategies.get(own.0 as usize).copied().flatten()
    }

    /// The table, for a batch of merged events.
    pub(super) fn table(&self) -> &Arc<KeyTable> {
        &self.table
    }

    /// Takes over the table of such a batch, which may have grown.
    pub(super) fn adopt(&mut self, table: &Arc<KeyTable>) {
        self.table = Arc::clone(table);
        self.learn_strategies();
    }

    /// Whether there are so many names that most are likely of no use: logs can carry keys with ids in them.
    pub(super) fn is_worn(&self) -> bool {
        self.table.len() > self.forget_at
    }

    /// Forgets all names but those of `keys`, which get their new keys.
    pub(super) fn forget<'k>(&mut self, keys: impl Iterator<Item = &'k mut Key>) {
        let old = std::mem::take(&mut self.table);
        let mut table = KeyTable::default();
        for key in keys {
            *key = table.intern(old.name(*key));
        }
        self.forget_at = NAMES_MAX.max(2 * table.len());
        self.table = Arc::new(table);
        self.strategies.clear();
        self.learn_strategies();
        self.own.clear();
    }
}
