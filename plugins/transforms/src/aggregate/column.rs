//! The fields whose values are computed with: each is looked up and read once an event, for all results that take it.

use lograil_event::{Batch, EventRef, Key, ValueRef};

use super::function::{Function, Input, State, number_of};
use super::options::Computed;
use crate::event_key::{KeyHasher, append_value};
use crate::field_path::FieldPath;

/// A field, and the results that take its values.
pub(super) struct Column {
    /// None: events are counted.
    path: Option<FieldPath>,
    /// The numbers of the results.
    results: Vec<usize>,
    takes_numbers: bool,
    takes_hashes: bool,
}

impl Column {
    /// The columns of all results.
    pub(super) fn of(computed: &[Computed]) -> Vec<Self> {
        let mut columns: Vec<Self> = Vec::new();
        for (result, Computed { field, function, .. }) in computed.iter().enumerate() {
            let at = columns.iter().position(|column| column.path == *field).unwrap_or_else(|| {
                let (path, results) = (field.clone(), Vec::new());
                columns.push(Self { path, results, takes_numbers: false, takes_hashes: false });
                columns.len() - 1
            });
            let column = &mut columns[at];
            column.results.push(result);
            match function {
                Function::Count => {}
                Function::Distinct => column.takes_hashes = true,
                _ => column.takes_numbers = true,
            }
        }
        columns
    }

    /// The key of the field in a batch.
    pub(super) fn key(&self, batch: &Batch) -> Option<Key> {
        self.path.as_ref()?.key(batch)
    }

    /// Adds an event to the results; how many could not take its value. `key` is [`Self::key`] of its batch.
    #[inline]
    pub(super) fn add(
        &self,
        states: &mut [State],
        event: EventRef<'_>,
        key: Option<Key>,
        scratch: &mut Vec<u8>,
        hasher: &mut KeyHasher,
    ) -> u64 {
        let mut input = Input { number: None, hash: 0 };
        if let Some(path) = &self.path {
            let value = match path.get(event, key, scratch) {
                None | Some(ValueRef::Null) => return 0,
                Some(value) => value,
            };
            if self.takes_numbers {
                input.number = number_of(value);
            }
            if self.takes_hashes {
                hasher.form.clear();
                append_value(Some(value), &mut hasher.form);
                input.hash = hasher.hash() as u64;
            }
        }
        let mut unusable = 0;
        for result in &self.results {
            unusable += u64::from(!states[*result].add(&input));
        }
        unusable
    }
}
