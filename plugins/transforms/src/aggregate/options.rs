//! Options of `aggregate`, and what is wrong with them.

use std::collections::BTreeMap;
use std::time::Duration;

use lograil_plugin::schemars::{self, JsonSchema};
use lograil_plugin::{ConfigError, ConfigErrors, Period};
use serde::Deserialize;

use super::function::Function;
use super::windows::Lengths;
use crate::event_time::TimeSource;
use crate::field_path::FieldPath;

/// Longest window: what it holds is in memory, and its events are not acknowledged before it is over.
const WINDOW_MAX: Duration = Duration::from_secs(7 * 24 * 3600);

/// Most steps in a window and its lateness, most results, and most quantiles of one.
const STEPS_MAX: i64 = 1_000;
const AGGREGATES_MAX: usize = 64;
const QUANTILES_MAX: usize = 32;

/// Fields that every result has.
pub(super) const WINDOW_START: &str = "window_start";
pub(super) const WINDOW_END: &str = "window_end";
/// Fields that a result may have.
pub(super) const PARTIAL: &str = "partial";
pub(super) const OVERFLOW: &str = "overflow";

/// Options of `aggregate`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct AggregateOptions {
    /// The length of a window.
    window: Period,
    /// From the start of one window to that of the next; without it the length of a window, so that each event is
    /// in one.
    every: Option<Period>,
    /// The fields by whose values events are told apart; each combination has results of its own.
    #[serde(default)]
    group_by: Vec<String>,
    /// What is computed, by the name of the field it goes into. Without any, `count`.
    #[serde(default)]
    aggregates: BTreeMap<String, Aggregate>,
    /// Which time decides about the window of an event.
    #[serde(default)]
    pub(super) time: TimeSource,
    /// How far behind the newest event others may be and still count.
    #[serde(default = "default_lateness")]
    lateness: Period,
    /// Windows are over when no event has come for this time.
    #[serde(default = "default_idle_timeout")]
    pub(super) idle_timeout: Period,
    /// How many groups may be in the making, over all steps; the events of further ones are put together.
    #[serde(default = "default_max_groups")]
    #[schemars(range(min = 1))]
    pub(super) max_groups: u32,
}

/// One result.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Aggregate {
    /// What is computed.
    function: Function,
    /// The field whose values are taken.
    field: Option<String>,
    /// Which quantiles, from 0 to 1.
    quantiles: Option<Vec<f64>>,
}

fn default_lateness() -> Period {
    Period(Duration::from_secs(10))
}

fn default_idle_timeout() -> Period {
    Period(Duration::from_secs(60))
}

fn default_max_groups() -> u32 {
    10_000
}

/// What is computed, and where it goes.
pub(super) struct Computed {
    pub(super) name: String,
    pub(super) function: Function,
    /// None: events are counted.
    pub(super) field: Option<FieldPath>,
    pub(super) quantiles: Vec<f64>,
}

/// What options are compiled to.
pub(super) struct Checked {
    pub(super) lengths: Lengths,
    /// The names of the fields, and where their values are.
    pub(super) group_by: Vec<(String, FieldPath)>,
    pub(super) computed: Vec<Computed>,
}

fn nanoseconds(period: Period) -> i64 {
    i64::try_from(period.0.as_nanos()).unwrap_or(i64::MAX)
}

impl AggregateOptions {
    /// Compiles the paths; reports all mistakes.
    pub(super) fn check(&self) -> Result<Checked, ConfigErrors> {
        let mut errors = Vec::new();
        let lengths = self.check_lengths(&mut errors);
        if self.max_groups == 0 {
            let error = ConfigError::new(["max_groups"], "0 would hold nothing");
            errors.push(error.help("write at least 1"));
        }
        let mut group_by = Vec::new();
        for (at, text) in self.group_by.iter().enumerate() {
            match FieldPath::parse(text, &["group_by", &at.to_string()]) {
                Ok(path) => group_by.push((text.trim_start_matches('.').to_owned(), path)),
                Err(error) => errors.push(error),
            }
        }
        if self.aggregates.len() > AGGREGATES_MAX {
            let error =
                ConfigError::new(["aggregates"], format!("at most {AGGREGATES_MAX} results"));
            errors.push(error.help("spread them over several transforms"));
        }
        let mut computed = Vec::new();
        for (name, aggregate) in &self.aggregates {
            let taken = [WINDOW_START, WINDOW_END, PARTIAL, OVERFLOW];
            if taken.contains(&name.as_str()) || group_by.iter().any(|(of, _)| of == name) {
                let error =
                    ConfigError::new(["aggregates", name], format!("`{name}` is another field"));
                errors.push(error.help("give the result another name"));
            }
            computed.extend(aggregate.check(name, &mut errors));
        }
        if self.aggregates.is_empty() {
            let (name, quantiles) = ("count".to_owned(), Vec::new());
            computed.push(Computed { name, function: Function::Count, field: None, quantiles });
        }
        if errors.is_empty() {
            Ok(Checked { lengths, group_by, computed })
        } else {
            Err(ConfigErrors(errors))
        }
    }

    fn check_lengths(&self, errors: &mut Vec<ConfigError>) -> Lengths {
        let window = nanoseconds(self.window);
        let every = self.every.map_or(window, nanoseconds);
        // Events that count when they come are never late.
        let is_by_event = self.time == TimeSource::Event;
        let lateness = if is_by_event { nanoseconds(self.lateness) } else { 0 };
        if window < 1_000_000 || self.window.0 > WINDOW_MAX {
            let error = ConfigError::new(["window"], "a window is from 1 ms to 7 days long");
            errors.push(error.help("write it like \"10s\" or \"5m\""));
        } else if every == 0 || window % every != 0 || window / every > STEPS_MAX {
            let message = format!("a window is a whole number of steps, of {STEPS_MAX} at most");
            let error = ConfigError::new(["every"], message);
            errors.push(
                error.help("leave it out, or write a part of `window`, like \"10s\" of \"1m\""),
            );
        } else if lateness / every > STEPS_MAX {
            let message = format!("it is more than {STEPS_MAX} steps from one window to the next");
            errors.push(
                ConfigError::new(["lateness"], message)
                    .help("write a shorter time, or longer steps"),
            );
        }
        Lengths { window, every: every.max(1), lateness }
    }
}

impl Aggregate {
    fn check(&self, name: &str, errors: &mut Vec<ConfigError>) -> Option<Computed> {
        let before = errors.len();
        let at = |option| ["aggregates", name, option];
        let field = match &self.field {
            Some(text) => {
                FieldPath::parse(text, &at("field")).map_err(|error| errors.push(error)).ok()
            }
            None if self.function == Function::Count => None,
            None => {
                let error =
                    ConfigError::new(["aggregates", name], "whose values it takes is missing");
                errors.push(error.help("add `field = \"...\"`"));
                None
            }
        };
        let quantiles = match (&self.quantiles, self.function) {
            (None, _) => vec![0.5, 0.9, 0.99],
            (Some(quantiles), Function::Quantiles) => {
                let is_good = |quantile: &f64| (0.0..=1.0).contains(quantile);
                if !(1..=QUANTILES_MAX).contains(&quantiles.len()) || !quantiles.iter().all(is_good)
                {
                    let message = format!("they are 1 to {QUANTILES_MAX} numbers from 0 to 1");
                    errors.push(
                        ConfigError::new(at("quantiles"), message)
                            .help("write it like [0.5, 0.99]"),
                    );
                }
                quantiles.clone()
            }
            (Some(_), _) => {
                let error =
                    ConfigError::new(at("quantiles"), "only the function `quantiles` has them");
                errors.push(error.help("leave it out, or write `function = \"quantiles\"`"));
                Vec::new()
            }
        };
        let name = name.to_owned();
        (errors.len() == before).then_some(Computed {
            name,
            function: self.function,
            field,
            quantiles,
        })
    }
}
