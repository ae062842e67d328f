//! Metrics of the topology as a whole, and those of components that are set when somebody looks.

use lograil_buffer::EdgeLevel;
use lograil_plugin::{ComponentMetrics, MetricsRegistry};
use prometheus::{Gauge, IntGauge};

/// Metrics of the topology as a whole.
pub(crate) struct TopologyGauges {
    pub uptime_seconds: Gauge,
    pub in_flight_batches: Gauge,
    pub checkpoint_age_seconds: Gauge,
}

impl TopologyGauges {
    pub fn new(registry: &MetricsRegistry) -> Self {
        let version = [("version", env!("CARGO_PKG_VERSION"))];
        registry
            .gauge("build_info", "Always 1; the label says which program runs.", &version)
            .set(1.0);
        let gauge = |name, help| registry.gauge(name, help, &[]);
        Self {
            uptime_seconds: gauge("uptime_seconds", "Seconds since the topology was started."),
            in_flight_batches: gauge(
                "in_flight_batches",
                "Batches that sources have sent and that are not delivered yet.",
            ),
            checkpoint_age_seconds: gauge(
                "checkpoint_age_seconds",
                "Seconds since the checkpoint was last written, or found to be up to date.",
            ),
        }
    }
}

/// How full the edge in front of a component is.
pub(crate) struct EdgeGauges {
    bytes: IntGauge,
    events: IntGauge,
}

impl EdgeGauges {
    pub fn new(metrics: &ComponentMetrics, level: &EdgeLevel) -> Self {
        let gauge = |name, help| metrics.gauge(name, help);
        gauge("buffer_max_bytes", "Bytes that may wait in front of the component.")
            .set(level.capacity_bytes().cast_signed());
        Self {
            bytes: gauge("buffer_bytes", "Bytes waiting in front of the component."),
            events: gauge("buffer_events", "Events waiting in front of the component."),
        }
    }

    pub fn set(&self, level: &EdgeLevel) {
        self.bytes.set(level.bytes().cast_signed());
        self.events.set(level.events().cast_signed());
    }
}
