//! What connections and datagrams hand their blocks to: a budget of bytes, and the way to the topology.
//!
//! **Invariant:** a block is paid for from the budget until the topology has taken its batch.

use std::sync::Arc;

use lograil_plugin::{Clock, ComponentMetrics};
use prometheus::{IntCounter, IntGauge};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};

use super::block::Block;
use super::options::Settings;

/// Nobody takes blocks any more.
#[derive(Debug, Clone, Copy)]
pub(super) struct Stopped;

/// A share of the budget, given back when it is dropped.
#[derive(Debug, Default)]
pub(super) struct Share(Option<OwnedSemaphorePermit>);

impl Share {
    pub fn add(&mut self, other: Self) {
        match (&mut self.0, other.0) {
            (Some(permit), Some(more)) => permit.merge(more),
            (own, more) => *own = own.take().or(more),
        }
    }
}

/// A block, paid for.
pub(super) struct Paid {
    pub block: Block,
    _share: Share,
}

/// A place for one block.
pub(super) struct Slot<'a>(mpsc::Permit<'a, Paid>);

impl Slot<'_> {
    pub fn fill(self, block: Block, share: Share) {
        self.0.send(Paid { block, _share: share });
    }
}

/// What is counted.
#[derive(Clone)]
pub(super) struct Meters {
    pub connections: IntGauge,
    pub oversized: IntCounter,
    pub broken: IntCounter,
    pub dropped_full: IntCounter,
    pub dropped_system: IntCounter,
}

impl Meters {
    pub fn new(metrics: &ComponentMetrics) -> Self {
        let dropped = |reason| {
            let help = "UDP datagrams that had no room.";
            metrics.counter_by("dropped_datagrams", help, ("reason", reason))
        };
        Self {
            connections: metrics.gauge("open_connections", "Connections that are open."),
            oversized: metrics
                .counter("oversized_messages", "Messages over max_message_bytes, or cut short."),
            broken: metrics
                .counter("broken_streams", "Connections closed because a length was missing."),
            dropped_full: dropped("max_pending_bytes"),
            dropped_system: dropped("system"),
        }
    }
}

/// The way in.
pub(super) struct Intake {
    pub settings: Settings,
    pub id: Arc<str>,
    pub clock: Arc<dyn Clock>,
    pub meters: Meters,
    budget: Arc<Semaphore>,
    blocks: mpsc::Sender<Paid>,
}

impl Intake {
    pub fn new(
        settings: Settings,
        id: Arc<str>,
        clock: Arc<dyn Clock>,
        meters: Meters,
        blocks: mpsc::Sender<Paid>,
    ) -> Arc<Self> {
        let budget = Arc::new(Semaphore::new(settings.pending_bytes_max));
        Arc::new(Self { settings, id, clock, meters, budget, blocks })
    }

    /// Hands a block on once there is room for it.
    pub async fn submit(&self, block: Block) -> Result<(), Stopped> {
        let bytes = block.size().min(self.settings.pending_bytes_max);
        let bytes = u32::try_from(bytes).unwrap_or(u32::MAX);
        let budget = Arc::clone(&self.budget);
        let permit = budget.acquire_many_owned(bytes).await.map_err(|_| Stopped)?;
        self.slot().await?.fill(block, Share(Some(permit)));
        Ok(())
    }

    /// The place of the next block, once there is one.
    pub async fn slot(&self) -> Result<Slot<'_>, Stopped> {
        self.blocks.reserve().await.map(Slot).map_err(|_| Stopped)
    }

    /// Pays for bytes, if the budget allows.
    pub fn try_pay(&self, bytes: usize) -> Option<Share> {
        let bytes = u32::try_from(bytes).ok()?;
        let permit = Arc::clone(&self.budget).try_acquire_many_owned(bytes).ok()?;
        Some(Share(Some(permit)))
    }

    /// Waits until the budget has so many bytes left; they are not paid.
    pub async fn until_room(&self, bytes: usize) {
        let bytes = u32::try_from(bytes).unwrap_or(u32::MAX);
        // It is never closed.
        drop(self.budget.acquire_many(bytes).await);
    }

    /// Bytes that the budget has left.
    pub fn room(&self) -> usize {
        self.budget.available_permits()
    }
}
