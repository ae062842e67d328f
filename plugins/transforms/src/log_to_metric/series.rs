//! The series of a metric: one for each combination of labels, and no more than are allowed.

use lograil_event::ValueRef;
use lograil_plugin::ComponentMetrics;
use prometheus::{
    Counter, CounterVec, Gauge, GaugeVec, Histogram, HistogramOpts, HistogramVec, Opts,
};

use super::options::{COMPONENT_LABEL, Description, Kind};
use crate::event_key::KeyMap;

/// The value of all labels of the series that stands for all that are too many.
pub(super) const OTHER: &str = "other";

/// A longer label is cut.
const LABEL_BYTES_MAX: usize = 128;

/// The family of a metric.
enum Family {
    Counter(CounterVec),
    Gauge(GaugeVec),
    Histogram(HistogramVec),
}

/// One series.
enum Handle {
    Counter(Counter),
    Gauge(Gauge),
    Histogram(Histogram),
}

/// A metric's series, by the hash of their labels.
pub(super) struct AllSeries {
    family: Family,
    by_hash: KeyMap<Handle>,
    other: Option<Handle>,
    labels: usize,
    max: usize,
}

impl AllSeries {
    /// Registers the metric.
    pub(super) fn new(
        of: &Description,
        id: &str,
        max: usize,
        metrics: &ComponentMetrics,
    ) -> Result<Self, prometheus::Error> {
        let options = Opts::new(&of.name, &of.help).const_label(COMPONENT_LABEL, id);
        let labels: Vec<&str> = of.labels.iter().map(|(name, _)| name.as_str()).collect();
        let family = match of.kind {
            Kind::Counter => {
                let family = CounterVec::new(options, &labels)?;
                metrics.register(family.clone())?;
                Family::Counter(family)
            }
            Kind::Gauge => {
                let family = GaugeVec::new(options, &labels)?;
                metrics.register(family.clone())?;
                Family::Gauge(family)
            }
            Kind::Histogram => {
                let options = HistogramOpts::from(options).buckets(of.buckets.clone());
                let family = HistogramVec::new(options, &labels)?;
                metrics.register(family.clone())?;
                Family::Histogram(family)
            }
        };
        Ok(Self { family, by_hash: KeyMap::default(), other: None, labels: labels.len(), max })
    }

    pub(super) fn len(&self) -> usize {
        self.by_hash.len()
    }

    /// Adds a number to the series of these labels; whether it could be taken, and whether the series is one of its
    /// own. `labels` is asked for when the series is new.
    pub(super) fn add(
        &mut self,
        hash: u128,
        number: f64,
        labels: impl FnOnce() -> Vec<String>,
    ) -> (bool, bool) {
        if let Some(handle) = self.by_hash.get(&hash) {
            return (handle.add(number), true);
        }
        if self.by_hash.len() < self.max {
            let Some(handle) = self.family.series(&labels()) else { return (false, true) };
            let is_taken = handle.add(number);
            self.by_hash.insert(hash, handle);
            return (is_taken, true);
        }
        if self.other.is_none() {
            self.other = self.family.series(&vec![OTHER.to_owned(); self.labels]);
        }
        (self.other.as_ref().is_some_and(|other| other.add(number)), false)
    }
}

impl Family {
    fn series(&self, labels: &[String]) -> Option<Handle> {
        match self {
            Self::Counter(family) => {
                family.get_metric_with_label_values(labels).ok().map(Handle::Counter)
            }
            Self::Gauge(family) => {
                family.get_metric_with_label_values(labels).ok().map(Handle::Gauge)
            }
            Self::Histogram(family) => {
                family.get_metric_with_label_values(labels).ok().map(Handle::Histogram)
            }
        }
    }
}

impl Handle {
    /// Whether the number could be taken: a counter does not fall.
    fn add(&self, number: f64) -> bool {
        match self {
            Self::Counter(counter) if number >= 0.0 => counter.inc_by(number),
            Self::Counter(_) => return false,
            Self::Gauge(gauge) => gauge.set(number),
            Self::Histogram(histogram) => histogram.observe(number),
        }
        true
    }
}

/// A value as a label; nothing for one that is missing, which is a label that is not there.
pub(super) fn label(value: Option<ValueRef<'_>>) -> String {
    let mut text = match value {
        None | Some(ValueRef::Null) => String::new(),
        Some(ValueRef::Bool(value)) => value.to_string(),
        Some(ValueRef::I64(value) | ValueRef::Timestamp(value)) => value.to_string(),
        Some(ValueRef::U64(value)) => value.to_string(),
        Some(ValueRef::F64(value)) => value.to_string(),
        Some(value) => String::from_utf8_lossy(value.as_bytes().unwrap_or_default()).into_owned(),
    };
    let cut = (0..=LABEL_BYTES_MAX.min(text.len())).rev().find(|at| text.is_char_boundary(*at));
    text.truncate(cut.unwrap_or(0));
    text
}
