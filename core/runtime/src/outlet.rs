//! Where a component's output goes: for each port, the edges that carry it on.

use std::sync::Arc;

use lograil_buffer::EdgeSender;
use lograil_event::{AckStatus, Batch};
use lograil_plugin::{Closed, Port};

use crate::ledger::Counts;

/// A component's outputs.
pub(crate) struct Outlet {
    targets: Vec<(Port, Vec<EdgeSender>)>,
    counts: Arc<Counts>,
}

impl Outlet {
    pub fn new(targets: Vec<(Port, Vec<EdgeSender>)>, counts: Arc<Counts>) -> Self {
        Self { targets, counts }
    }

    /// Counts what a component emitted.
    pub fn count(&self, port: Port, events: usize) {
        match port {
            Port::DEAD_LETTER => self.counts.dead_lettered(events),
            _ => self.counts.sent(events),
        }
    }

    /// Sends a batch to every consumer of a port, waiting for room. Each gets its own share.
    ///
    /// An error means that a consumer is gone; the batch is then not delivered, and says so when dropped.
    pub async fn send(&self, port: Port, mut batch: Batch) -> Result<(), Closed> {
        let targets = self.targets.iter().find(|(of, _)| *of == port);
        let targets = targets.map_or(&[][..], |(_, targets)| targets);
        if batch.is_empty() || targets.is_empty() {
            // Nothing is left to deliver: all of it was discarded as configured, or nobody asked for it.
            batch.take_acks().resolve(AckStatus::Delivered);
            return Ok(());
        }
        let mut closed = false;
        let last = targets.len() - 1;
        for target in &targets[..last] {
            closed |= target.send(batch.share()).await.is_err();
        }
        closed |= targets[last].send(batch).await.is_err();
        if closed { Err(Closed) } else { Ok(()) }
    }
}
