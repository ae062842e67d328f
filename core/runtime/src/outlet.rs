//! Where a component's output goes: for each port, the edges that carry it on.

use std::sync::{Arc, PoisonError, RwLock};

use lograil_buffer::EdgeSender;
use lograil_event::{AckStatus, Batch};
use lograil_plugin::Port;

use crate::departures::Departures;
use crate::ledger::Counts;
use crate::letters;

/// For each port that is read, its consumers.
pub(crate) type Targets = Vec<(Port, Vec<EdgeSender>)>;

/// A component's outputs. A reload gives it other targets while the component runs.
pub(crate) struct Outlet {
    targets: RwLock<Targets>,
    counts: Arc<Counts>,
}

impl Outlet {
    pub fn new(targets: Targets, counts: Arc<Counts>) -> Arc<Self> {
        Arc::new(Self { targets: RwLock::new(targets), counts })
    }

    /// What departs from now on goes to these; what has departed already goes where it was to go.
    pub fn rewire(&self, targets: Targets) {
        *self.targets.write().unwrap_or_else(PoisonError::into_inner) = targets;
    }

    /// Puts others in place of the targets of one port.
    pub fn rewire_port(&self, port: Port, to: Vec<EdgeSender>) {
        let mut targets = self.targets.write().unwrap_or_else(PoisonError::into_inner);
        targets.retain(|(of, _)| *of != port);
        targets.push((port, to));
    }

    /// Whether it counts there.
    pub fn counts_in(&self, counts: &Arc<Counts>) -> bool {
        Arc::ptr_eq(&self.counts, counts)
    }

    /// Counts what a component emitted.
    pub fn count(&self, port: Port, events: usize) {
        self.counts.passed_on(port, events);
    }

    /// Whether a consumer of any port is still there.
    pub fn has_consumer(&self) -> bool {
        let targets = self.targets.read().unwrap_or_else(PoisonError::into_inner);
        targets.iter().flat_map(|(_, targets)| targets).any(|target| !target.is_closed())
    }

    /// Sends a batch on its way to every consumer of a port, each with its own share.
    pub fn depart(&self, port: Port, mut batch: Batch, departures: &mut Departures) {
        if port == Port::DEAD_LETTER {
            letters::stamp(&mut batch);
        }
        self.counts.tap.offer(port, &mut batch);
        let targets = self.targets.read().unwrap_or_else(PoisonError::into_inner);
        let targets = targets.iter().find(|(of, _)| *of == port);
        let targets = targets.map_or(&[][..], |(_, targets)| targets);
        let Some((last, others)) = targets.split_last().filter(|_| !batch.is_empty()) else {
            // Nothing is left to deliver: all of it was discarded as configured, or nobody asked for it.
            self.count(port, batch.len());
            batch.take_acks().resolve(AckStatus::Delivered);
            return;
        };
        let events = batch.len();
        for target in others {
            departures.to(target, batch.share());
        }
        departures.to(last, batch);
        departures.counted(&self.counts, port, events);
    }
}
