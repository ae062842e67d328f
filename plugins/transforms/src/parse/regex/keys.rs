//! The key ids of the groups, kept from batch to batch.

use std::sync::Arc;

use lograil_event::{BatchMut, KeyTable};

/// Key ids of a fixed list of names.
pub(super) struct GroupKeys {
    names: Vec<String>,
    ids: Vec<u32>,
    /// The table in which the names have those ids.
    table: Option<Arc<KeyTable>>,
}

impl GroupKeys {
    pub(super) fn new(names: Vec<String>) -> Self {
        Self { names, ids: Vec::new(), table: None }
    }

    /// Adds the names to the batch's keys. A batch that starts with keys seen before shares one table with
    /// those before it.
    pub(super) fn resolve(&mut self, edit: &mut BatchMut<'_>) -> &[u32] {
        match &self.table {
            Some(table) if table.extends(edit.keys()) => edit.set_keys(table),
            _ => {
                self.ids = self.names.iter().map(|name| edit.key(name).0).collect();
                self.table = None;
            }
        }
        &self.ids
    }

    /// Keeps the table of a batch whose keys were resolved.
    pub(super) fn keep(&mut self, table: &Arc<KeyTable>) {
        if self.table.is_none() {
            self.table = Some(Arc::clone(table));
        }
    }
}
