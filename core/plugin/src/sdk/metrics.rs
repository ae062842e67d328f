//! Metrics of an instance, told to the host about once a second.

use lograil_abi::{Str, metric_kind};

use super::call::HostHandle;
use crate::metrics::{ComponentMetrics, MetricsRegistry};
use crate::spec::Kind;

/// The metrics of one instance as they are inside the library.
#[derive(Clone, Default)]
pub(super) struct LocalMetrics(MetricsRegistry);

impl LocalMetrics {
    /// What the component counts in.
    pub fn component(&self, id: &str, kind: Kind, name: &str) -> ComponentMetrics {
        self.0.component(id, kind.name(), name)
    }

    /// Tells the host where they stand.
    pub fn report(&self, host: HostHandle) {
        for family in self.0.registry().gather() {
            let Some(name) = family.name().strip_prefix("lograil_component_") else { continue };
            let whole = name.strip_suffix("_total");
            for metric in family.get_metric() {
                let own = |name: &str| name.starts_with("component_");
                let label = metric.get_label().iter().find(|label| !own(label.name()));
                let (kind, value) = match whole {
                    Some(_) => (metric_kind::COUNTER, metric.get_counter().get_value()),
                    None => (metric_kind::GAUGE, metric.get_gauge().get_value()),
                };
                // SAFETY: the texts live until the call returns; this thread serves the instance.
                unsafe {
                    (host.table().metric)(
                        host.context(),
                        kind,
                        Str::new(whole.unwrap_or(name)),
                        Str::new(family.help()),
                        label.map_or(Str::NONE, |label| Str::new(label.name())),
                        label.map_or(Str::NONE, |label| Str::new(label.value())),
                        value,
                    )
                };
            }
        }
    }
}
