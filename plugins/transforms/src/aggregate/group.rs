//! The groups of a pane: the results in the making of each combination of values.

use lograil_event::{Acks, Batch, ValueRef};

use super::function::State;
use super::options::Computed;
use crate::event_key::KeyMap;
use crate::held::Held;
use crate::short_key::{RecentKeys, ShortKey};

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
    index: KeyMap<usize>,
    /// Where the groups are that were noted with the short text of their only value.
    recent: RecentKeys,
    /// Where the group of the events is whose groups were too many.
    rest: Option<usize>,
}

impl Groups {
    pub(super) fn len(&self) -> usize {
        self.groups.len()
    }

    /// Where the group with a hash is; `None` is that of the events whose groups were too many.
    pub(super) fn find(&self, hash: Option<u128>) -> Option<usize> {
        hash.map_or(self.rest, |hash| self.index.get(&hash).copied())
    }

    /// Where the group is that was noted with a text, where it is still known by it.
    #[inline]
    pub(super) fn recall(&self, short: ShortKey) -> Option<usize> {
        self.recent.find(short).map(|at| at as usize)
    }

    /// Notes where the group of a text is.
    pub(super) fn note(&mut self, short: ShortKey, at: usize) {
        if let Ok(at) = u32::try_from(at) {
            self.recent.note(short, at);
        }
    }

    /// A group that was found, or added.
    pub(super) fn get(&mut self, at: usize) -> Option<&mut Group> {
        self.groups.get_mut(at)
    }

    /// Adds a group; where it is.
    pub(super) fn insert(&mut self, hash: Option<u128>, group: Group) -> usize {
        let at = self.groups.len();
        match hash {
            Some(hash) => drop(self.index.insert(hash, at)),
            None => self.rest = Some(at),
        }
        self.groups.push(group);
        at
    }

    /// Adds all that another has.
    pub(super) fn merge(&mut self, other: &Self) {
        let of_rest = other.rest.map(|at| (None, at));
        let mut hashes: Vec<(Option<u128>, usize)> =
            other.index.iter().map(|(hash, at)| (Some(*hash), *at)).chain(of_rest).collect();
        hashes.sort_unstable_by_key(|(_, at)| *at);
        for ((hash, _), group) in hashes.into_iter().zip(&other.groups) {
            match self.find(hash).and_then(|at| self.groups.get_mut(at)) {
                Some(own) => own.merge(group),
                None => _ = self.insert(hash, group.clone()),
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
