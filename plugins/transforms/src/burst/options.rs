//! The options of `burst`.

use lograil_plugin::{ConfigError, Period, schemars};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::event_time::TimeSource;

/// Options of `burst`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(super) struct BurstOptions {
    /// The field by whose value streams of events are told apart. Without it there is one of all events.
    pub(super) key_field: Option<String>,
    /// How many standard deviations above the baseline a count has to be.
    #[schemars(range(min = 1))]
    pub(super) sensitivity: f64,
    /// The unit in which events are counted; bursts of 1 to 120 units are looked for.
    pub(super) resolution: Period,
    /// What becomes of the events of a burst.
    pub(super) action: Action,
    /// Of each burst so many events pass before `sample` thins out.
    pub(super) keep_first: u64,
    /// Then `sample` keeps one event in so many.
    #[schemars(range(min = 1))]
    pub(super) keep_one_in: u64,
    /// The field that tells how many events a kept one stands for, if more than one.
    pub(super) weight_field: String,
    /// In a burst `throttle` lets so many times the baseline pass, and one event in each unit of time at least.
    #[schemars(range(min = 0))]
    pub(super) throttle_factor: f64,
    /// Whether errors may be dropped too: events with a level of ERROR or worse.
    pub(super) drop_errors: bool,
    /// The field of the level.
    pub(super) level_field: String,
    /// A condition; events for which it is true are never dropped.
    pub(super) exclude: Option<String>,
    /// Which time counts.
    pub(super) time: TimeSource,
    /// The field that tells of the burst.
    pub(super) field: String,
    /// How many keys are remembered; beyond, the one seen longest ago is forgotten.
    #[schemars(range(min = 1))]
    pub(super) max_keys: u32,
}

/// What becomes of the events of a burst.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum Action {
    /// They pass, with a field that says so.
    #[default]
    Annotate,
    /// The first pass, then one in so many, with its weight.
    Sample,
    /// Those within a multiple of the baseline pass.
    Throttle,
    /// None passes.
    Shed,
}

impl Default for BurstOptions {
    fn default() -> Self {
        Self {
            key_field: None,
            sensitivity: 4.8,
            resolution: Period(std::time::Duration::from_secs(1)),
            action: Action::default(),
            keep_first: 100,
            keep_one_in: 100,
            weight_field: "weight".to_owned(),
            throttle_factor: 2.0,
            drop_errors: false,
            level_field: "level".to_owned(),
            exclude: None,
            time: TimeSource::default(),
            field: "burst".to_owned(),
            max_keys: 10_000,
        }
    }
}

impl BurstOptions {
    /// What is wrong with the numbers and names.
    pub(super) fn mistakes(&self, errors: &mut Vec<ConfigError>) {
        let mut check = |option: &str, is_sound: bool, message: String, help: &str| {
            if !is_sound {
                errors.push(ConfigError::new([option], message).help(help));
            }
        };
        let sensitivity = self.sensitivity;
        check(
            "sensitivity",
            (1.0..=100.0).contains(&sensitivity),
            format!("{sensitivity} standard deviations are no limit for bursts"),
            "write a number from 1 to 100; 4.8 is usual",
        );
        check(
            "resolution",
            (1..=3_600_000).contains(&self.resolution.0.as_millis()),
            format!("{:?} is no unit to count in", self.resolution.0),
            "write a time between 1 ms and 1 h, such as \"1s\"",
        );
        check("keep_one_in", self.keep_one_in > 0, "one in none is kept".into(), "write 100");
        check(
            "throttle_factor",
            self.throttle_factor >= 0.0 && self.throttle_factor.is_finite(),
            format!("{} times the baseline is no limit", self.throttle_factor),
            "write 2",
        );
        check("max_keys", self.max_keys > 0, "no key could be remembered".into(), "write 10000");
        let has_name = |name: &str| !name.is_empty();
        check(
            "weight_field",
            has_name(&self.weight_field) || self.action != Action::Sample,
            "without weights sums would be wrong".into(),
            "write a name, such as `weight`",
        );
        check(
            "field",
            has_name(&self.field),
            "there is no field to tell of bursts".into(),
            "write a name, such as `burst`",
        );
    }
}
