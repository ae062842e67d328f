//! The delivery ledger and the standard metrics of a component.
//!
//! For every component, at any time: `received + created = sent + discarded + dead_lettered + in_flight`.
//! For a source `received` is what it read; for a sink `sent` is what is durable. What goes out is counted
//! once it is handed over, so an event that waits for room is still in flight.
//!
//! Every figure but `in_flight` is counted by itself, so a component that loses or doubles events shows: what
//! is in flight does not come back to zero.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use lograil_plugin::schemars::{self, JsonSchema};
use lograil_plugin::{ComponentMetrics, Port};
use prometheus::IntCounter;
use serde::Serialize;

use crate::tap::Tap;

/// The counts of one component at one moment.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, JsonSchema)]
#[schemars(crate = "schemars")]
pub struct Ledger {
    /// Events taken in: read by a source, received by the others.
    pub received: u64,
    /// Events passed on; for a sink: durable.
    pub sent: u64,
    /// Events dropped as configured.
    pub discarded: u64,
    /// Events refused, with a reason.
    pub dead_lettered: u64,
    /// Events that a transform says it made, beyond those it received.
    pub created: u64,
}

impl Ledger {
    /// Events inside the component.
    #[must_use]
    pub fn in_flight(&self) -> i128 {
        i128::from(self.received) + i128::from(self.created)
            - i128::from(self.sent)
            - i128::from(self.discarded)
            - i128::from(self.dead_lettered)
    }
}

/// Counts of a component that is running.
pub(crate) struct Counts {
    /// Who listens to the component.
    pub tap: Tap,
    metrics: ComponentMetrics,
    received_events: IntCounter,
    received_bytes: IntCounter,
    sent_events: IntCounter,
    sent_bytes: IntCounter,
    dead_lettered: IntCounter,
    discarded: AtomicU64,
    created: AtomicU64,
    discarded_by: Mutex<HashMap<&'static str, IntCounter>>,
    errors_by: Mutex<HashMap<&'static str, IntCounter>>,
    busy: prometheus::Gauge,
    busy_ns: AtomicU64,
}

impl Counts {
    pub fn new(metrics: ComponentMetrics) -> Arc<Self> {
        Arc::new(Self {
            tap: Tap::default(),
            received_events: metrics.counter(
                "received_events",
                "Events taken in: read by a source, received by others.",
            ),
            received_bytes: metrics
                .counter("received_bytes", "Bytes a source has read into events."),
            sent_events: metrics
                .counter("sent_events", "Events passed on; for a sink, events made durable."),
            sent_bytes: metrics.counter("sent_bytes", "Bytes a sink has written, encoded."),
            dead_lettered: metrics.counter(
                "dead_lettered_events",
                "Events refused and sent to the dead-letter output.",
            ),
            discarded: AtomicU64::new(0),
            created: AtomicU64::new(0),
            discarded_by: Mutex::default(),
            errors_by: Mutex::default(),
            busy: metrics
                .gauge_f64("busy_seconds", "Seconds spent working, not waiting, since the start."),
            busy_ns: AtomicU64::new(0),
            metrics,
        })
    }

    pub fn received(&self, events: usize) {
        self.received_events.inc_by(events as u64);
    }

    pub fn received_bytes(&self, bytes: u64) {
        self.received_bytes.inc_by(bytes);
    }

    pub fn sent(&self, events: usize) {
        self.sent_events.inc_by(events as u64);
    }

    pub fn sent_bytes(&self, bytes: u64) {
        self.sent_bytes.inc_by(bytes);
    }

    /// Counts events that left by a port.
    pub fn passed_on(&self, port: Port, events: usize) {
        match port {
            Port::DEAD_LETTER => self.dead_lettered(events),
            _ => self.sent(events),
        }
    }

    pub fn dead_lettered(&self, events: usize) {
        self.dead_lettered.inc_by(events as u64);
    }

    pub fn discarded(&self, reason: &'static str, events: u64) {
        self.discarded.fetch_add(events, Ordering::Relaxed);
        let help = "Events dropped as configured, by reason.";
        let make = || self.metrics.counter_by("discarded_events", help, ("reason", reason));
        let mut by = self.discarded_by.lock().unwrap_or_else(PoisonError::into_inner);
        by.entry(reason).or_insert_with(make).inc_by(events);
    }

    pub fn created(&self, events: u64) {
        if events > 0 {
            self.created.fetch_add(events, Ordering::Relaxed);
        }
    }

    pub fn error(&self, error_type: &'static str) {
        let help = "Errors, by type; a retried send counts each time.";
        let make = || self.metrics.counter_by("errors", help, ("error_type", error_type));
        let mut by = self.errors_by.lock().unwrap_or_else(PoisonError::into_inner);
        by.entry(error_type).or_insert_with(make).inc();
    }

    pub fn errors(&self) -> u64 {
        let by = self.errors_by.lock().unwrap_or_else(PoisonError::into_inner);
        by.values().map(IntCounter::get).sum()
    }

    /// Adds working time, measured once a batch.
    pub fn busy(&self, period: std::time::Duration) {
        let ns = u64::try_from(period.as_nanos()).unwrap_or(u64::MAX);
        let total = self.busy_ns.fetch_add(ns, Ordering::Relaxed) + ns;
        self.busy.set(total as f64 / 1e9);
    }

    pub fn busy_seconds(&self) -> f64 {
        self.busy.get()
    }

    /// The counts now. What went out is read before what came in, so that a count that moves meanwhile never
    /// makes more come out than went in.
    pub fn ledger(&self) -> Ledger {
        let (sent, dead_lettered) = (self.sent_events.get(), self.dead_lettered.get());
        let discarded = self.discarded.load(Ordering::Relaxed);
        std::sync::atomic::fence(Ordering::SeqCst);
        let (received, created) =
            (self.received_events.get(), self.created.load(Ordering::Relaxed));
        Ledger { received, sent, discarded, dead_lettered, created }
    }

    pub fn bytes(&self) -> (u64, u64) {
        (self.received_bytes.get(), self.sent_bytes.get())
    }
}
