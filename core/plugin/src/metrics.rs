//! Metrics: one registry a topology, and each component's handles in it.
//!
//! Handles are resolved once, when the component starts; counting is one atomic add a batch. Families are
//! shared by all components, which differ in their labels `component_id`, `component_kind` and
//! `component_type`.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use prometheus::core::Collector;
use prometheus::{
    Gauge, GaugeVec, Histogram, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, IntGauge,
    IntGaugeVec, Opts, Registry,
};

const LABELS: [&str; 3] = ["component_id", "component_kind", "component_type"];

#[derive(Clone)]
enum Family {
    Counter(IntCounterVec),
    Gauge(IntGaugeVec),
    GaugeF64(GaugeVec),
    Histogram(HistogramVec),
}

/// All metrics of a topology.
#[derive(Clone, Default)]
pub struct MetricsRegistry {
    registry: Registry,
    families: Arc<Mutex<HashMap<String, Family>>>,
}

impl MetricsRegistry {
    /// What to gather from when scraped.
    #[must_use]
    pub fn registry(&self) -> &Registry {
        &self.registry
    }

    /// The metrics of one component.
    #[must_use]
    pub fn component(&self, id: &str, kind: &str, component_type: &str) -> ComponentMetrics {
        let labels = Arc::new([id.to_owned(), kind.to_owned(), component_type.to_owned()]);
        ComponentMetrics { registry: self.clone(), labels }
    }

    /// The gauge `lograil_{name}` of the whole process, with labels whose values never change.
    #[must_use]
    pub fn gauge(&self, name: &str, help: &str, labels: &[(&str, &str)]) -> Gauge {
        let name = format!("lograil_{name}");
        let (names, values): (Vec<&str>, Vec<&str>) = labels.iter().copied().unzip();
        let make = || GaugeVec::new(Opts::new(&name, help), &names);
        match self.family(&name, make, Family::GaugeF64) {
            Some(Family::GaugeF64(family)) => family.get_metric_with_label_values(&values).ok(),
            _ => None,
        }
        .unwrap_or_else(unseen_gauge)
    }

    /// The counter `lograil_{name}_total` of the whole process, with labels whose values never change.
    #[must_use]
    pub fn counter(&self, name: &str, help: &str, labels: &[(&str, &str)]) -> IntCounter {
        let name = format!("lograil_{name}_total");
        let (names, values): (Vec<&str>, Vec<&str>) = labels.iter().copied().unzip();
        let make = || IntCounterVec::new(Opts::new(&name, help), &names);
        match self.family(&name, make, Family::Counter) {
            Some(Family::Counter(family)) => family.get_metric_with_label_values(&values).ok(),
            _ => None,
        }
        .unwrap_or_else(unseen_counter)
    }

    /// The family of a name, made by `make` if it is new.
    fn family<C: Collector + Clone + 'static>(
        &self,
        name: &str,
        make: impl FnOnce() -> prometheus::Result<C>,
        wrap: impl FnOnce(C) -> Family,
    ) -> Option<Family> {
        let mut families = self.families.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(family) = families.get(name) {
            return Some(family.clone());
        }
        let made = make().ok()?;
        self.registry.register(Box::new(made.clone())).ok()?;
        let family = wrap(made);
        families.insert(name.to_owned(), family.clone());
        Some(family)
    }
}

/// The metrics of one component.
#[derive(Clone)]
pub struct ComponentMetrics {
    registry: MetricsRegistry,
    labels: Arc<[String; 3]>,
}

impl std::fmt::Debug for ComponentMetrics {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "ComponentMetrics({})", self.labels[0])
    }
}

impl ComponentMetrics {
    /// Metrics that nobody scrapes, for tests.
    #[must_use]
    pub fn detached() -> Self {
        MetricsRegistry::default().component("test", "test", "test")
    }

    /// The counter `lograil_component_{name}_total`.
    #[must_use]
    pub fn counter(&self, name: &str, help: &str) -> IntCounter {
        self.counter_with(name, help, None)
    }

    /// A counter with one more label, whose values are few and known.
    #[must_use]
    pub fn counter_by(&self, name: &str, help: &str, label: (&str, &str)) -> IntCounter {
        self.counter_with(name, help, Some(label))
    }

    fn counter_with(&self, name: &str, help: &str, label: Option<(&str, &str)>) -> IntCounter {
        let name = format!("lograil_component_{name}_total");
        let mut names = LABELS.to_vec();
        let mut values = self.values().to_vec();
        if let Some((label, value)) = label {
            names.push(label);
            values.push(value);
        }
        let make = || IntCounterVec::new(Opts::new(&name, help), &names);
        match self.registry.family(&name, make, Family::Counter) {
            Some(Family::Counter(family)) => family.get_metric_with_label_values(&values).ok(),
            _ => None,
        }
        .unwrap_or_else(unseen_counter)
    }

    /// The gauge `lograil_component_{name}`.
    #[must_use]
    pub fn gauge(&self, name: &str, help: &str) -> IntGauge {
        let name = format!("lograil_component_{name}");
        let make = || IntGaugeVec::new(Opts::new(&name, help), &LABELS);
        match self.registry.family(&name, make, Family::Gauge) {
            Some(Family::Gauge(family)) => family.get_metric_with_label_values(&self.values()).ok(),
            _ => None,
        }
        .unwrap_or_else(|| {
            IntGaugeVec::new(Opts::new("unseen", "unseen"), &[]).map_or_else(
                |_| unreachable!("a gauge without labels can be made"),
                |family| family.with_label_values::<&str>(&[]),
            )
        })
    }

    /// The gauge `lograil_component_{name}` of a float.
    #[must_use]
    pub fn gauge_f64(&self, name: &str, help: &str) -> Gauge {
        let name = format!("lograil_component_{name}");
        let make = || GaugeVec::new(Opts::new(&name, help), &LABELS);
        match self.registry.family(&name, make, Family::GaugeF64) {
            Some(Family::GaugeF64(family)) => {
                family.get_metric_with_label_values(&self.values()).ok()
            }
            _ => None,
        }
        .unwrap_or_else(unseen_gauge)
    }

    /// The histogram `lograil_component_{name}`; `buckets` are upper bounds, rising.
    #[must_use]
    pub fn histogram(&self, name: &str, help: &str, buckets: &[f64]) -> Histogram {
        let name = format!("lograil_component_{name}");
        let options = || HistogramOpts::new(&name, help).buckets(buckets.to_vec());
        let make = || HistogramVec::new(options(), &LABELS);
        match self.registry.family(&name, make, Family::Histogram) {
            Some(Family::Histogram(family)) => {
                family.get_metric_with_label_values(&self.values()).ok()
            }
            _ => None,
        }
        .unwrap_or_else(|| {
            HistogramVec::new(HistogramOpts::new("unseen", "unseen"), &[]).map_or_else(
                |_| unreachable!("a histogram without labels can be made"),
                |family| family.with_label_values::<&str>(&[]),
            )
        })
    }

    /// Puts a family of the component's own next to the others, under the name it has. Give it the constant label
    /// `component_id`: then components may share a name, and one that is started anew takes the place of its
    /// former self. An error if the name is there already with other labels, another help or from another component.
    pub fn register(
        &self,
        family: impl Collector + Clone + 'static,
    ) -> Result<(), prometheus::Error> {
        let registry = &self.registry.registry;
        // What it replaces, if anything, has the same name and constant labels.
        drop(registry.unregister(Box::new(family.clone())));
        registry.register(Box::new(family))
    }

    fn values(&self) -> [&str; 3] {
        [&self.labels[0], &self.labels[1], &self.labels[2]]
    }
}

/// For a name that is no metric name, or that is something else already: count, unseen.
fn unseen_counter() -> IntCounter {
    IntCounterVec::new(Opts::new("unseen", "unseen"), &[]).map_or_else(
        |_| unreachable!("a counter without labels can be made"),
        |family| family.with_label_values::<&str>(&[]),
    )
}

/// For a name that is no metric name, or that is something else already: set, unseen.
fn unseen_gauge() -> Gauge {
    GaugeVec::new(Opts::new("unseen", "unseen"), &[]).map_or_else(
        |_| unreachable!("a gauge without labels can be made"),
        |family| family.with_label_values::<&str>(&[]),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn components_share_a_family_and_differ_in_labels() {
        let registry = MetricsRegistry::default();
        for id in ["a", "b"] {
            registry.component(id, "sink", "file").counter("sent_events", "Events sent.").inc_by(2);
        }
        registry.component("a", "sink", "file").counter("sent_events", "Events sent.").inc();
        let families = registry.registry().gather();
        assert_eq!(families.len(), 1);
        let values: Vec<f64> = families[0]
            .get_metric()
            .iter()
            .map(|metric| metric.get_counter().get_value())
            .collect();
        assert_eq!(values, [3.0, 2.0]);
    }
}
