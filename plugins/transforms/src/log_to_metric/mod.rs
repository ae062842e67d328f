//! The transform `log_to_metric`: metrics for Prometheus made of events, which pass unchanged.

mod options;
mod series;

use lograil_event::{Batch, Key};
use lograil_plugin::spec::{no_claims, no_ports, schema_of};
use lograil_plugin::{
    Build, ComponentSpec, ConfigErrors, Options, Outputs, Threading, Transform, TransformContext,
    TransformError,
};

use crate::event_key::{KeyHasher, append_value};
use crate::numeric::number_of;
use options::{Description, LogToMetricOptions};
use series::{AllSeries, label};

/// The component type.
pub const SPEC: ComponentSpec = ComponentSpec {
    name: "log_to_metric",
    summary: "Makes counters, gauges and histograms of events, to be scraped from `/metrics`.",
    manual: include_str!("README.md"),
    schema: schema_of::<LogToMetricOptions>,
    ports: no_ports,
    claims: no_claims,
    threading: Threading::Async,
    build: Build::Transform(&|options: &Options| {
        Ok(Box::new(LogToMetric::new(&options.parse()?)?))
    }),
};

struct LogToMetric {
    metrics: Vec<Metric>,
    max_series: usize,
    hasher: KeyHasher,
    scratch: Vec<u8>,
    running: Option<Running>,
}

struct Metric {
    description: Description,
    series: Option<AllSeries>,
}

struct Running {
    series: prometheus::IntGauge,
    overflowed: prometheus::IntCounter,
    unusable: prometheus::IntCounter,
}

/// What could not be counted as it should.
#[derive(Default)]
struct Refused {
    /// Events whose series is one too many.
    overflowed: u64,
    /// Values that are no numbers, or not for this metric.
    unusable: u64,
}

impl LogToMetric {
    fn new(options: &LogToMetricOptions) -> Result<Self, ConfigErrors> {
        let metrics = options.check()?.into_iter();
        Ok(Self {
            metrics: metrics.map(|description| Metric { description, series: None }).collect(),
            max_series: options.max_series as usize,
            hasher: KeyHasher::new(),
            scratch: Vec::new(),
            running: None,
        })
    }
}

impl Metric {
    fn count(&mut self, batch: &Batch, hasher: &mut KeyHasher, scratch: &mut Vec<u8>) -> Refused {
        let mut refused = Refused::default();
        let Some(series) = &mut self.series else { return refused };
        let Description { labels, field, condition, .. } = &mut self.description;
        let keys: Vec<Option<Key>> = labels.iter().map(|(_, path)| path.key(batch)).collect();
        let field = field.as_ref().map(|path| (path, path.key(batch)));
        let mut condition = condition.as_mut().map(|condition| condition.bind(batch));
        for event in batch.iter() {
            if condition.as_mut().is_some_and(|condition| !condition.holds(event)) {
                continue;
            }
            let number = match &field {
                None => 1.0,
                Some((path, key)) => {
                    let Some(value) = path.get(event, *key, scratch) else { continue };
                    let Some(number) = number_of(value) else {
                        refused.unusable += 1;
                        continue;
                    };
                    number
                }
            };
            hasher.form.clear();
            for ((_, path), key) in labels.iter().zip(&keys) {
                append_value(path.get(event, *key, scratch), &mut hasher.form);
            }
            let (is_taken, is_own) = series.add(hasher.recall(), number, || {
                let paths = labels.iter().zip(&keys);
                paths.map(|((_, path), key)| label(path.get(event, *key, scratch))).collect()
            });
            refused.unusable += u64::from(!is_taken);
            refused.overflowed += u64::from(!is_own);
        }
        refused
    }
}

impl Transform for LogToMetric {
    fn start(&mut self, context: TransformContext) -> Result<(), TransformError> {
        for metric in &mut self.metrics {
            let Metric { description, series } = metric;
            if let Some(condition) = &mut description.condition {
                condition.start(&context);
            }
            let made = AllSeries::new(description, &context.id, self.max_series, &context.metrics);
            let name = &description.name;
            *series = Some(made.map_err(|error| {
                let message = format!("register the metric `{name}`: {error}");
                TransformError(format!(
                    "{message}; give it another name, or the same labels and help"
                ))
            })?);
        }
        let metrics = &context.metrics;
        let overflowed = "Events that were counted in the series `other`.";
        let unusable = "Values that are no numbers, or less than 0 for a counter.";
        self.running = Some(Running {
            series: metrics.gauge("series", "Series of all metrics of the component."),
            overflowed: metrics.counter("overflowed_events", overflowed),
            unusable: metrics.counter("unusable_values", unusable),
        });
        Ok(())
    }

    fn process(&mut self, batch: Batch, out: &mut Outputs) {
        let mut all = Refused::default();
        for metric in &mut self.metrics {
            let refused = metric.count(&batch, &mut self.hasher, &mut self.scratch);
            all.overflowed += refused.overflowed;
            all.unusable += refused.unusable;
        }
        if let Some(running) = &self.running {
            running.overflowed.inc_by(all.overflowed);
            running.unusable.inc_by(all.unusable);
            let series = self.metrics.iter().filter_map(|metric| metric.series.as_ref());
            running.series.set(series.map(AllSeries::len).sum::<usize>() as i64);
        }
        out.emit(batch);
    }
}

#[cfg(test)]
mod tests;
