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

    /// Whether a consumer of any port is still there.
    pub fn has_consumer(&self) -> bool {
        self.targets.iter().flat_map(|(_, targets)| targets).any(|target| !target.is_closed())
    }

    /// Sends a batch to every consumer of a port, waiting for room, and counts it. Each gets its own share.
    ///
    /// A consumer that is gone leaves its share undelivered, which the share says when it is dropped; the
    /// others get theirs. An error means that all are gone.
    pub async fn send(&self, port: Port, mut batch: Batch) -> Result<(), Closed> {
        let targets = self.targets.iter().find(|(of, _)| *of == port);
        let targets = targets.map_or(&[][..], |(_, targets)| targets);
        let events = batch.len();
        self.counts.tap.offer(port, &mut batch);
        if batch.is_empty() || targets.is_empty() {
            // Nothing is left to deliver: all of it was discarded as configured, or nobody asked for it.
            self.count(port, events);
            batch.take_acks().resolve(AckStatus::Delivered);
            return Ok(());
        }
        let mut is_taken = false;
        let last = targets.len() - 1;
        for target in &targets[..last] {
            is_taken |= target.send(batch.share()).await.is_ok();
        }
        is_taken |= targets[last].send(batch).await.is_ok();
        if !is_taken {
            return Err(Closed);
        }
        self.count(port, events);
        Ok(())
    }
}
