//! The groups of a pane: the results in the making of each combination of values.

use std::collections::HashMap;

use lograil_event::{Acks, Batch, ValueRef};

use super::function::State;
use super::options::Computed;
use crate::held::Held;

/// The results of one group.
#[derive(Clone)]
pub(super) struct Group {
    /// Values of the fields of `group_by`; one that events do not have is none. Nothing for the events of all groups
    /// that were too many.
    pub(super) values: Option<Vec<Option<Held>>>,
    pub(super) states: Vec<State>,
}

impl Group {
    pub(super) fn new(values: Option<Vec<Option<Held>>>, computed: &[Computed]) -> Self {
        let states = computed.iter().map(|computed| State::new(computed.function)).collect();
        Self { values, states }
    }

    fn merge(&mut self, other: &Self) {
        for (state, other) in self.states.iter_mut().zip(&other.states) {
            state.merge(other);
        }
    }
}

/// Groups by the hash of their values, in the order in which they came.
#[derive(Default)]
pub(super) struct Groups {
    groups: Vec<Group>,
    index: HashMap<Option<u128>, usize>,
}

impl Groups {
    pub(super) fn len(&self) -> usize {
        self.groups.len()
    }

    /// The group with a hash; `None` is that of the events whose groups were too many.
    pub(super) fn get(&mut self, hash: Option<u128>) -> Option<&mut Group> {
        self.groups.get_mut(*self.index.get(&hash)?)
    }

    pub(super) fn insert(&mut self, hash: Option<u128>, group: Group) -> Option<&mut Group> {
        self.index.insert(hash, self.groups.len());
        self.groups.push(group);
        self.groups.last_mut()
    }

    /// Adds all that another has.
    pub(super) fn merge(&mut self, other: &Self) {
        let mut hashes: Vec<_> = other.index.iter().collect();
        hashes.sort_unstable_by_key(|(_, at)| **at);
        for ((hash, _), group) in hashes.into_iter().zip(&other.groups) {
            match self.get(*hash) {
                Some(own) => own.merge(group),
                None => drop(self.insert(*hash, group.clone())),
            }
        }
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Group> {
        self.groups.iter()
    }
}

/// What came in a step of time.
#[derive(Default)]
pub(super) struct Pane {
    pub(super) groups: Groups,
    /// Shares in the fate of every batch that an event came from.
    pub(super) acks: Acks,
    /// The number of the batch whose share was taken last.
    acked_batch: Option<u64>,
}

impl Pane {
    /// Takes a share in the fate of a batch, once.
    pub(super) fn acknowledge(&mut self, batch: &Batch, number: u64) {
        if self.acked_batch.replace(number) != Some(number) {
            self.acks.merge(batch.acks().clone());
        }
    }
}

/// A value that leaves its batch.
pub(super) fn held(value: Option<ValueRef<'_>>) -> Option<Held> {
    value.map(Held::of)
}
