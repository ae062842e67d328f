//! Options of `log_to_metric`, and what is wrong with them.

use std::collections::BTreeMap;

use lograil_plugin::schemars::{self, JsonSchema};
use lograil_plugin::{ConfigError, ConfigErrors};
use serde::Deserialize;

use crate::condition::OptionCondition;
use crate::field_path::FieldPath;

/// Most metrics of one transform, labels of one metric and buckets of one histogram.
const METRICS_MAX: usize = 64;
const LABELS_MAX: usize = 16;
const BUCKETS_MAX: usize = 64;

/// Names that are taken: the label that tells components apart, and that of histogram buckets.
pub(super) const COMPONENT_LABEL: &str = "component_id";
const BUCKET_LABEL: &str = "le";

/// The beginning of the names of lograil's own metrics.
const OWN_PREFIX: &str = "lograil_";

/// Options of `log_to_metric`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct LogToMetricOptions {
    /// The metrics.
    metrics: Vec<MetricOptions>,
    /// How many combinations of labels each metric may have; further ones are put together.
    #[serde(default = "default_max_series")]
    #[schemars(range(min = 1, max = 100_000))]
    pub(super) max_series: u32,
}

/// One metric.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct MetricOptions {
    /// What it is.
    kind: Kind,
    /// Its name on `/metrics`.
    name: String,
    /// What it says, for people.
    help: Option<String>,
    /// The field whose value is added (counter), set (gauge) or observed (histogram). A counter without it counts events.
    field: Option<String>,
    /// A condition; only events for which it is true count.
    condition: Option<String>,
    /// The fields that labels are taken from, by the labels' names.
    #[serde(default)]
    labels: BTreeMap<String, String>,
    /// The upper bounds of a histogram's buckets, rising.
    buckets: Option<Vec<f64>>,
}

/// What a metric is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum Kind {
    /// A number that only grows.
    Counter,
    /// The last value.
    Gauge,
    /// How the values are spread.
    Histogram,
}

fn default_max_series() -> u32 {
    1_000
}

/// A metric that is well described.
pub(super) struct Description {
    pub(super) kind: Kind,
    pub(super) name: String,
    pub(super) help: String,
    pub(super) field: Option<FieldPath>,
    pub(super) condition: Option<OptionCondition>,
    pub(super) labels: Vec<(String, FieldPath)>,
    pub(super) buckets: Vec<f64>,
}

impl LogToMetricOptions {
    /// Compiles paths and conditions; reports all mistakes.
    pub(super) fn check(&self) -> Result<Vec<Description>, ConfigErrors> {
        let mut errors = Vec::new();
        if !(1..=METRICS_MAX).contains(&self.metrics.len()) {
            let message = format!("there are 1 to {METRICS_MAX} metrics");
            errors.push(
                ConfigError::new(["metrics"], message).help("spread them over several transforms"),
            );
        }
        if !(1..=100_000).contains(&self.max_series) {
            let error =
                ConfigError::new(["max_series"], "it must be at least 1 and at most 100000");
            errors.push(error.help("leave it out, or write it like 1000"));
        }
        let mut found: Vec<Description> = Vec::new();
        for (at, metric) in self.metrics.iter().enumerate() {
            let at = at.to_string();
            let Some(metric) = metric.check(&at, &mut errors) else { continue };
            if found.iter().any(|other| other.name == metric.name) {
                let message = format!("there is a metric `{}` already", metric.name);
                errors.push(
                    ConfigError::new(["metrics", &at, "name"], message)
                        .help("give it another name"),
                );
            }
            found.push(metric);
        }
        if errors.is_empty() { Ok(found) } else { Err(ConfigErrors(errors)) }
    }
}

impl MetricOptions {
    fn check(&self, at: &str, errors: &mut Vec<ConfigError>) -> Option<Description> {
        let before = errors.len();
        if !is_name(&self.name, ":") || self.name.starts_with(OWN_PREFIX) {
            let message = format!("`{}` is no name for a metric of yours", self.name);
            let help = "use letters, digits and `_`, no digit in front, and another beginning than `lograil_`";
            errors.push(ConfigError::new(["metrics", at, "name"], message).help(help));
        }
        let field = match &self.field {
            Some(text) => match FieldPath::parse(text, &["metrics", at, "field"]) {
                Ok(path) => Some(path),
                Err(error) => {
                    errors.push(error);
                    None
                }
            },
            None if self.kind == Kind::Counter => None,
            None => {
                let error = ConfigError::new(["metrics", at], "whose values it takes is missing");
                errors.push(error.help("add `field = \"...\"`"));
                None
            }
        };
        let condition = self.condition.as_deref();
        let path = ["metrics", at, "condition"];
        let condition =
            condition.and_then(|source| OptionCondition::compile(&path, source, errors));
        let labels = self.check_labels(at, errors);
        let buckets = self.check_buckets(at, errors);
        let is_total = self.kind != Kind::Counter || self.name.ends_with("_total");
        let name = format!("{}{}", self.name, if is_total { "" } else { "_total" });
        let kind = match self.kind {
            Kind::Counter => "counter",
            Kind::Gauge => "gauge",
            Kind::Histogram => "histogram",
        };
        let help = self.help.clone().unwrap_or_else(|| format!("A {kind} made of events."));
        (errors.len() == before).then_some(Description {
            kind: self.kind,
            name,
            help,
            field,
            condition,
            labels,
            buckets,
        })
    }

    fn check_labels(&self, at: &str, errors: &mut Vec<ConfigError>) -> Vec<(String, FieldPath)> {
        if self.labels.len() > LABELS_MAX {
            let message = format!("a metric has at most {LABELS_MAX} labels");
            errors
                .push(ConfigError::new(["metrics", at, "labels"], message).help("leave some out"));
        }
        let mut labels = Vec::new();
        for (name, path) in &self.labels {
            let path_of_option = ["metrics", at, "labels", name];
            let is_taken =
                name == COMPONENT_LABEL || name == BUCKET_LABEL || name.starts_with("__");
            if is_taken || !is_name(name, "") {
                let error =
                    ConfigError::new(path_of_option, format!("`{name}` is no name for a label"));
                let help = "use letters, digits and `_`, no digit in front; `le` and `component_id` are taken";
                errors.push(error.help(help));
            }
            match FieldPath::parse(path, &path_of_option) {
                Ok(path) => labels.push((name.clone(), path)),
                Err(error) => errors.push(error),
            }
        }
        labels
    }

    fn check_buckets(&self, at: &str, errors: &mut Vec<ConfigError>) -> Vec<f64> {
        let Some(buckets) = &self.buckets else { return prometheus::DEFAULT_BUCKETS.to_vec() };
        let is_rising = buckets.is_sorted_by(|left, right| left < right);
        let is_good = (1..=BUCKETS_MAX).contains(&buckets.len()) && is_rising;
        if self.kind != Kind::Histogram {
            let error =
                ConfigError::new(["metrics", at, "buckets"], "only a histogram has buckets");
            errors.push(error.help("leave them out, or write `kind = \"histogram\"`"));
        } else if !is_good || !buckets.iter().all(|bound| bound.is_finite()) {
            let message = format!("they are 1 to {BUCKETS_MAX} rising numbers");
            errors.push(
                ConfigError::new(["metrics", at, "buckets"], message)
                    .help("write them like [0.1, 1, 10]"),
            );
        }
        buckets.clone()
    }
}

/// Whether it is a name of a metric or a label, by the rules of Prometheus.
fn is_name(name: &str, more: &str) -> bool {
    let is_letter =
        |byte: u8| byte.is_ascii_alphabetic() || byte == b'_' || more.as_bytes().contains(&byte);
    name.bytes().next().is_some_and(is_letter)
        && name.bytes().all(|byte| is_letter(byte) || byte.is_ascii_digit())
}
