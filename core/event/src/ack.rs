//! Acknowledgement: how the fate of a batch finds its way back to the source that read it.
//!
//! A source's batch carries an [`Ack`]; everything derived from the batch carries a clone. When the last
//! clone is gone, the source learns the worst of their fates. A clone that is dropped without a word
//! counts as [`AckStatus::Errored`], so a lost batch is never taken for a delivered one.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

/// The fate of a batch, from best to worst; a batch's status is the worst of its parts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum AckStatus {
    /// Durable at every sink it was meant for, or discarded by configuration.
    Delivered = 0,
    /// Refused for good; it has gone to the dead-letter output, which made it durable.
    Rejected = 1,
    /// Not delivered. The source must offer it again.
    Errored = 2,
}

impl AckStatus {
    fn from_u8(value: u8) -> Self {
        match value {
            0 => Self::Delivered,
            1 => Self::Rejected,
            _ => Self::Errored,
        }
    }

    /// Whether the source may move its checkpoint past the batch.
    #[must_use]
    pub fn is_resolved(self) -> bool {
        self != Self::Errored
    }
}

/// Which batch of which source an [`Ack`] stands for. Sequences of one source rise by one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AckId {
    /// The source, as the runtime numbers them.
    pub source: u32,
    /// The source's batch, counted from 0.
    pub sequence: u64,
}

type Notify = Box<dyn Fn(AckStatus) + Send + Sync>;

struct Shared {
    /// `None` if a component watches: it is no batch of the runtime's.
    id: Option<AckId>,
    worst: AtomicU8,
    notify: Notify,
}

impl Drop for Shared {
    fn drop(&mut self) {
        (self.notify)(AckStatus::from_u8(self.worst.load(Ordering::Acquire)));
    }
}

/// One share in the fate of a source's batch.
pub struct Ack {
    shared: Arc<Shared>,
    resolved: bool,
}

impl Ack {
    /// An acknowledgement that calls `notify` once, when its last clone is resolved or dropped.
    #[must_use]
    pub fn new(id: AckId, notify: impl Fn(AckId, AckStatus) + Send + Sync + 'static) -> Self {
        Self::with(Some(id), Box::new(move |status| notify(id, status)))
    }

    /// An acknowledgement of a source's own, beside the runtime's: `notify` is called once, when all that was made
    /// of the batches that carry a clone is resolved or dropped. A source that has to answer its peer waits for it.
    #[must_use]
    pub fn watching(notify: impl Fn(AckStatus) + Send + Sync + 'static) -> Self {
        Self::with(None, Box::new(notify))
    }

    fn with(id: Option<AckId>, notify: Notify) -> Self {
        let worst = AtomicU8::new(AckStatus::Delivered as u8);
        Self { shared: Arc::new(Shared { id, worst, notify }), resolved: false }
    }

    /// The batch this stands for; `None` if it is one that watches.
    #[must_use]
    pub fn id(&self) -> Option<AckId> {
        self.shared.id
    }

    /// States the fate of this share.
    pub fn resolve(mut self, status: AckStatus) {
        self.shared.worst.fetch_max(status as u8, Ordering::AcqRel);
        self.resolved = true;
    }
}

impl Clone for Ack {
    fn clone(&self) -> Self {
        Self { shared: Arc::clone(&self.shared), resolved: false }
    }
}

impl Drop for Ack {
    fn drop(&mut self) {
        if !self.resolved {
            self.shared.worst.fetch_max(AckStatus::Errored as u8, Ordering::AcqRel);
        }
    }
}

impl std::fmt::Debug for Ack {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.shared.id {
            Some(id) => write!(f, "Ack({}/{})", id.source, id.sequence),
            None => f.write_str("Ack(watching)"),
        }
    }
}

/// The acknowledgements a batch carries: none (a test, a timer), one, or several after a merge.
#[derive(Debug, Clone, Default)]
pub struct Acks {
    first: Option<Ack>,
    rest: Vec<Ack>,
}

impl Acks {
    /// Whether nobody waits for this batch.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.first.is_none()
    }

    /// Adds a share.
    pub fn push(&mut self, ack: Ack) {
        if self.first.is_none() { self.first = Some(ack) } else { self.rest.push(ack) }
    }

    /// Adds the shares of another batch that is merged into this one.
    pub fn merge(&mut self, other: Acks) {
        for ack in other {
            self.push(ack);
        }
    }

    /// The runtime's batches waited for.
    pub fn ids(&self) -> impl Iterator<Item = AckId> {
        self.first.iter().chain(&self.rest).filter_map(Ack::id)
    }

    /// States one fate for every share.
    pub fn resolve(self, status: AckStatus) {
        for ack in self {
            ack.resolve(status);
        }
    }
}

impl IntoIterator for Acks {
    type Item = Ack;
    type IntoIter = std::iter::Chain<std::option::IntoIter<Ack>, std::vec::IntoIter<Ack>>;

    fn into_iter(self) -> Self::IntoIter {
        self.first.into_iter().chain(self.rest)
    }
}

impl From<Ack> for Acks {
    fn from(ack: Ack) -> Self {
        Self { first: Some(ack), rest: Vec::new() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Mutex;

    fn watched() -> (Ack, Arc<Mutex<Vec<AckStatus>>>) {
        let seen = Arc::new(Mutex::new(Vec::new()));
        let log = Arc::clone(&seen);
        let id = AckId { source: 0, sequence: 7 };
        (Ack::new(id, move |_, status| log.lock().unwrap().push(status)), seen)
    }

    #[test]
    fn notifies_once_when_the_last_share_is_resolved() {
        let (ack, seen) = watched();
        let other = ack.clone();
        ack.resolve(AckStatus::Delivered);
        assert!(seen.lock().unwrap().is_empty());
        other.resolve(AckStatus::Delivered);
        assert_eq!(*seen.lock().unwrap(), [AckStatus::Delivered]);
    }

    #[test]
    fn the_worst_share_decides() {
        let (ack, seen) = watched();
        ack.clone().resolve(AckStatus::Rejected);
        ack.resolve(AckStatus::Delivered);
        assert_eq!(*seen.lock().unwrap(), [AckStatus::Rejected]);
    }

    #[test]
    fn one_that_watches_is_told_like_the_others_and_is_no_batch_of_the_runtime() {
        let (ack, seen) = watched();
        let watched = Arc::clone(&seen);
        let mut acks =
            Acks::from(Ack::watching(move |status| watched.lock().unwrap().push(status)));
        acks.push(ack);
        assert_eq!(acks.ids().map(|id| id.sequence).collect::<Vec<_>>(), [7]);
        acks.resolve(AckStatus::Delivered);
        assert_eq!(*seen.lock().unwrap(), [AckStatus::Delivered; 2]);
    }

    #[test]
    fn a_share_dropped_without_a_word_is_an_error() {
        let (ack, seen) = watched();
        drop(ack.clone());
        ack.resolve(AckStatus::Delivered);
        assert_eq!(*seen.lock().unwrap(), [AckStatus::Errored]);
    }
}
