//! What a running topology looks like from outside.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use lograil_buffer::EdgeLevel;
use lograil_plugin::schemars::{self, JsonSchema};
use lograil_plugin::{Clock, ComponentMetrics, Kind};
use prometheus::Gauge;
use serde::Serialize;

use crate::checkpoint::Tracker;
use crate::gauges::{EdgeGauges, TopologyGauges};
use crate::injection::Entrances;
use crate::ledger::{Counts, Ledger};
use crate::tap::TapListener;
use crate::topology::Seams;

/// The state of a topology at one moment.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[schemars(crate = "schemars")]
pub struct TopologyStatus {
    /// Seconds since the start.
    pub uptime_seconds: f64,
    /// Batches that sources have sent and that are not delivered yet.
    pub in_flight_batches: u64,
    /// All components, inputs before those they feed.
    pub components: Vec<ComponentStatus>,
}

/// The state of one component.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[schemars(crate = "schemars")]
pub struct ComponentStatus {
    /// Its id in the topology.
    pub id: String,
    /// `source`, `transform` or `sink`.
    pub kind: &'static str,
    /// What `type` says.
    pub component_type: &'static str,
    /// Where its events come from: ids, with `.port` where it is not the main one.
    pub inputs: Vec<String>,
    /// Delivery ledger: received + created = sent + discarded + dead_lettered + in_flight.
    pub ledger: Ledger,
    /// Events inside the component.
    pub in_flight_events: i128,
    /// Bytes a source has read.
    pub received_bytes: u64,
    /// Bytes a sink has written.
    pub sent_bytes: u64,
    /// Errors so far, retries included.
    pub errors: u64,
    /// Events taken in per second, over the last second.
    pub received_events_per_second: f64,
    /// Events passed on per second, over the last second.
    pub sent_events_per_second: f64,
    /// Part of the last second spent working, 0 to 1. Not known for sources.
    pub utilisation: f64,
    /// The edge in front of it; none for sources and inside a chain.
    pub buffer: Option<EdgeStatus>,
}

/// How full an edge is.
#[derive(Debug, Clone, Copy, Serialize, JsonSchema)]
#[schemars(crate = "schemars")]
pub struct EdgeStatus {
    /// Events waiting.
    pub events: u64,
    /// Bytes waiting.
    pub bytes: u64,
    /// Bytes that may wait.
    pub capacity_bytes: u64,
}

/// One component under observation.
pub(crate) struct Observed {
    pub id: String,
    pub kind: &'static str,
    pub component_type: &'static str,
    pub inputs: Vec<String>,
    /// Names of its outputs from number 1.
    pub ports: Vec<String>,
    pub counts: Arc<Counts>,
    pub buffer: Option<Arc<EdgeLevel>>,
    edge_gauges: Option<EdgeGauges>,
    utilization: Option<Gauge>,
    sample: Mutex<Sample>,
}

#[derive(Default, Clone, Copy)]
struct Sample {
    at: Duration,
    received: u64,
    sent: u64,
    busy_seconds: f64,
    received_rate: f64,
    sent_rate: f64,
    utilisation: f64,
}

impl Observed {
    pub fn new(
        (id, kind, component_type): (String, &'static str, &'static str),
        (inputs, ports): (Vec<String>, Vec<String>),
        counts: Arc<Counts>,
        buffer: Option<Arc<EdgeLevel>>,
        metrics: &ComponentMetrics,
    ) -> Self {
        let edge_gauges = buffer.as_ref().map(|level| EdgeGauges::new(metrics, level));
        let utilization = (kind != Kind::Source.name()).then(|| {
            let help = "Part of the last second spent working, not waiting, 0 to 1.";
            metrics.gauge_f64("utilization", help)
        });
        let sample = Mutex::default();
        Self {
            id,
            kind,
            component_type,
            inputs,
            ports,
            counts,
            buffer,
            edge_gauges,
            utilization,
            sample,
        }
    }

    /// Whether the two are one component, before and after a reload.
    fn is_same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.counts, &other.counts)
    }

    /// Goes on with the rates of the component before the reload.
    fn take_over(&self, before: &Self) {
        let sample = *before.sample.lock().unwrap_or_else(PoisonError::into_inner);
        *self.sample.lock().unwrap_or_else(PoisonError::into_inner) = sample;
    }

    /// Takes a sample of the counters, from which the rates of the last second come.
    fn take_sample(&self, now: Duration) {
        let ledger = self.counts.ledger();
        let busy_seconds = self.counts.busy_seconds();
        let mut sample = self.sample.lock().unwrap_or_else(PoisonError::into_inner);
        let seconds = now.saturating_sub(sample.at).as_secs_f64().max(1e-3);
        *sample = Sample {
            at: now,
            received: ledger.received,
            sent: ledger.sent,
            busy_seconds,
            received_rate: ledger.received.saturating_sub(sample.received) as f64 / seconds,
            sent_rate: ledger.sent.saturating_sub(sample.sent) as f64 / seconds,
            utilisation: ((busy_seconds - sample.busy_seconds) / seconds).clamp(0.0, 1.0),
        };
        if let Some(gauge) = &self.utilization {
            gauge.set(sample.utilisation);
        }
    }

    fn set_gauges(&self) {
        if let (Some(gauges), Some(level)) = (&self.edge_gauges, &self.buffer) {
            gauges.set(level);
        }
    }

    fn status(&self) -> ComponentStatus {
        let sample = *self.sample.lock().unwrap_or_else(PoisonError::into_inner);
        let ledger = self.counts.ledger();
        let (received_bytes, sent_bytes) = self.counts.bytes();
        ComponentStatus {
            id: self.id.clone(),
            kind: self.kind,
            component_type: self.component_type,
            inputs: self.inputs.clone(),
            in_flight_events: ledger.in_flight(),
            ledger,
            received_bytes,
            sent_bytes,
            errors: self.counts.errors(),
            received_events_per_second: sample.received_rate,
            sent_events_per_second: sample.sent_rate,
            utilisation: sample.utilisation,
            buffer: self.buffer.as_ref().map(|level| EdgeStatus {
                events: level.events(),
                bytes: level.bytes(),
                capacity_bytes: level.capacity_bytes(),
            }),
        }
    }
}

/// Looks at a topology from outside, without holding it up.
#[derive(Clone)]
pub struct Observer(pub(crate) Arc<ObserverParts>);

pub(crate) struct ObserverParts {
    components: RwLock<Arc<Vec<Observed>>>,
    pub entrances: RwLock<Entrances>,
    pub tracker: Arc<Tracker>,
    pub clock: Arc<dyn Clock>,
    pub start: Duration,
    pub gauges: TopologyGauges,
    /// When the checkpoint was last written or found to be up to date, in monotonic nanoseconds.
    pub checkpointed_ns: AtomicU64,
}

impl Observer {
    /// Looks at a topology that has no components yet.
    pub(crate) fn new(tracker: &Arc<Tracker>, seams: &Seams) -> Self {
        let observer = Self(Arc::new(ObserverParts {
            components: RwLock::default(),
            entrances: RwLock::default(),
            tracker: Arc::clone(tracker),
            clock: Arc::clone(&seams.clock),
            start: seams.clock.monotonic(),
            gauges: TopologyGauges::new(&seams.metrics),
            checkpointed_ns: AtomicU64::default(),
        }));
        observer.note_checkpoint();
        observer
    }

    /// Looks at these components from now on.
    pub(crate) fn look_at(&self, components: Vec<Observed>) {
        let before = self.components();
        for component in &components {
            if let Some(before) = before.iter().find(|one| one.is_same(component)) {
                component.take_over(before);
            }
        }
        *self.0.components.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(components);
    }

    fn components(&self) -> Arc<Vec<Observed>> {
        Arc::clone(&self.0.components.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// The state of the topology now; rates are those of the last sample.
    #[must_use]
    pub fn status(&self) -> TopologyStatus {
        let parts = &self.0;
        TopologyStatus {
            uptime_seconds: parts.clock.monotonic().saturating_sub(parts.start).as_secs_f64(),
            in_flight_batches: parts.tracker.in_flight(),
            components: self.components().iter().map(Observed::status).collect(),
        }
    }

    /// Listens to what leaves a component, or reaches a sink; none if there is no such component.
    #[must_use]
    pub fn tap(&self, id: &str) -> Option<TapListener> {
        let components = self.components();
        let component = components.iter().find(|component| component.id == id)?;
        Some(component.counts.tap.listen(component.ports.clone()))
    }

    /// Brings the gauges of the topology and of all edges up to date, for a scrape.
    pub fn sample_buffers(&self) {
        let parts = &self.0;
        self.components().iter().for_each(Observed::set_gauges);
        let now = parts.clock.monotonic();
        let checkpointed = Duration::from_nanos(parts.checkpointed_ns.load(Ordering::Relaxed));
        let gauges = &parts.gauges;
        gauges.uptime_seconds.set(now.saturating_sub(parts.start).as_secs_f64());
        gauges.in_flight_batches.set(parts.tracker.in_flight() as f64);
        gauges.checkpoint_age_seconds.set(now.saturating_sub(checkpointed).as_secs_f64());
    }

    pub(crate) fn tracker(&self) -> &Arc<Tracker> {
        &self.0.tracker
    }

    /// Notes that the checkpoint is up to date.
    pub(crate) fn note_checkpoint(&self) {
        let now = u64::try_from(self.0.clock.monotonic().as_nanos()).unwrap_or(u64::MAX);
        self.0.checkpointed_ns.store(now, Ordering::Relaxed);
    }

    /// Takes a sample of all counters. The runtime does this about once a second.
    pub fn sample(&self) {
        let now = self.0.clock.monotonic();
        for component in self.components().iter() {
            component.take_sample(now);
        }
    }
}
