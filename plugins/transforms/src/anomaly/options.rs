//! The options of `anomaly`.

use lograil_plugin::{ConfigError, Period, schemars};
use schemars::JsonSchema;
use serde::Deserialize;

use super::method::{Method, MethodName};
use crate::event_time::TimeSource;
use crate::severity::SeverityOptions;

/// Options of `anomaly`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(super) struct AnomalyOptions {
    /// How bad an event is by what it says: the options of the transform `severity`.
    pub(super) severity: SeverityOptions,
    /// The field by whose value series are told apart. Without it there is one for all events.
    pub(super) key_field: Option<String>,
    /// The field of a number: each is scored by those before it with the same key.
    pub(super) value: Option<String>,
    /// Scores how many events come, for each key.
    pub(super) rate: Option<RateOptions>,
    /// Scores how rare the text of a field is, for each key.
    pub(super) novelty: Option<NoveltyOptions>,
    /// How numbers and rates are scored.
    pub(super) method: MethodName,
    /// Standard deviations at which an alarm is due, for the methods `ewma` and `mad`.
    #[schemars(range(min = 0))]
    pub(super) limit: f64,
    /// The weight of a new value, for the method `ewma`.
    #[schemars(range(min = 0, max = 1))]
    pub(super) weight: f64,
    /// How many alarms in a million values are fine where nothing is wrong, for the method `quantile`.
    #[schemars(range(min = 0))]
    pub(super) false_alarms_per_million: f64,
    /// The least score of an alarm, above 0 and at most 1.
    #[schemars(range(min = 0, max = 1))]
    pub(super) threshold: f64,
    /// How long after an alarm of a key there is no other.
    pub(super) cooldown: Period,
    /// How many values have to come after an alarm of a key before there is another.
    pub(super) cooldown_values: u32,
    /// Which time counts: for the time of the day, the intervals of `rate`, and the cooldown.
    pub(super) time: TimeSource,
    /// The field that gets the score and, for an alarm, the reasons.
    pub(super) field: String,
    /// How many keys are remembered; beyond, the one seen longest ago is forgotten.
    #[schemars(range(min = 1))]
    pub(super) max_keys: u32,
}

impl Default for AnomalyOptions {
    fn default() -> Self {
        Self {
            severity: SeverityOptions::default(),
            key_field: None,
            value: None,
            rate: None,
            novelty: None,
            method: MethodName::default(),
            limit: 5.0,
            weight: 0.02,
            false_alarms_per_million: 100.0,
            threshold: 0.5,
            cooldown: Period(std::time::Duration::from_secs(300)),
            cooldown_values: 200,
            time: TimeSource::default(),
            field: "anomaly".to_owned(),
            max_keys: 10_000,
        }
    }
}

/// Scores how many events come.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct RateOptions {
    /// The time in which events are counted; each count is scored by those before it.
    #[serde(default = "default_interval")]
    pub(super) interval: Period,
}

fn default_interval() -> Period {
    Period(std::time::Duration::from_secs(60))
}

/// Scores how rare a text is.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NoveltyOptions {
    /// The field, such as the `template_id` of the transform `template`.
    pub(super) field: String,
    /// An alarm is due where a text is expected in at most one of so many events.
    #[serde(default = "default_one_in")]
    #[schemars(range(min = 2))]
    pub(super) one_in: f64,
    /// How many texts are remembered, of all keys together; beyond, the one seen longest ago is forgotten.
    #[serde(default = "default_max_texts")]
    #[schemars(range(min = 1))]
    pub(super) max_texts: u32,
}

fn default_one_in() -> f64 {
    1000.0
}

fn default_max_texts() -> u32 {
    100_000
}

impl AnomalyOptions {
    pub(super) fn method(&self) -> Method {
        Method {
            name: self.method,
            limit: self.limit,
            weight: self.weight,
            chance: self.false_alarms_per_million / 1e6,
        }
    }

    /// What is wrong with the numbers and names.
    pub(super) fn mistakes(&self, errors: &mut Vec<ConfigError>) {
        let mut check = |option: &[&str], is_sound: bool, message: String, help: &str| {
            if !is_sound {
                errors.push(ConfigError::new(option.iter().copied(), message).help(help));
            }
        };
        let is_part = |number: f64| number > 0.0 && number <= 1.0;
        let (limit, weight, threshold) = (self.limit, self.weight, self.threshold);
        check(
            &["limit"],
            limit > 0.0 && limit.is_finite(),
            format!("{limit} is no limit"),
            "write 5",
        );
        check(&["weight"], is_part(weight), format!("{weight} is no weight"), "write 0.02");
        check(
            &["threshold"],
            is_part(threshold),
            format!("{threshold} is no threshold of scores"),
            "write a number above 0 and at most 1; an alarm is due from 0.5 on",
        );
        let per_million = self.false_alarms_per_million;
        check(
            &["false_alarms_per_million"],
            per_million > 0.0 && per_million <= 20_000.0,
            format!("{per_million} in a million is no rate of alarms"),
            "write a number above 0 and at most 20000",
        );
        check(&["max_keys"], self.max_keys > 0, "no key could be remembered".into(), "write 10000");
        check(
            &["field"],
            !self.field.is_empty(),
            "the score has no field".into(),
            "write a name, such as `anomaly`",
        );
        if let Some(rate) = &self.rate {
            check(
                &["rate", "interval"],
                (1..=86_400_000).contains(&rate.interval.0.as_millis()),
                format!("{:?} is no interval", rate.interval.0),
                "write a time between 1 ms and 1 day, such as \"1m\"",
            );
        }
        if let Some(novelty) = &self.novelty {
            check(
                &["novelty", "one_in"],
                novelty.one_in >= 2.0 && novelty.one_in.is_finite(),
                format!("one in {} is not rare", novelty.one_in),
                "write 1000 for texts expected once in 1000 events",
            );
            check(
                &["novelty", "max_texts"],
                novelty.max_texts > 0,
                "no text could be remembered".into(),
                "write 100000",
            );
        }
    }
}
