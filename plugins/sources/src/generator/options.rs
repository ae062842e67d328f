//! The options as written, and the mistakes that types alone do not catch.

use std::collections::BTreeMap;
use std::time::Duration;

use lograil_plugin::schemars::{self, JsonSchema};
use lograil_plugin::{ConfigError, Period};
use serde::{Deserialize, Serialize};

use super::catalogue::Level;
use super::fields::{self, FieldValue, Fields};
use super::format::Format;
use super::layout::Layout;
use super::levels::{LeastLevel, LevelWeights};
use super::rate::Rate;

/// The options of a `generator`.
#[derive(Debug, Clone, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(super) struct GeneratorOptions {
    /// Events per second, from 0.001 to 1000000000, or `"unlimited"`: as many as the sinks take.
    pub(super) rate: Rate,
    /// The time from one event to the next, such as `"5s"`; takes the place of `rate`.
    pub(super) interval: Option<Period>,
    /// Ends after this many events; without it the source runs until it is stopped.
    pub(super) count: Option<u64>,
    /// Makes the events repeatable, ids included. Without it every run is different.
    pub(super) seed: Option<u64>,
    /// Time of the first event (RFC 3339), the others following at `rate`. Without it, times are the clock's.
    pub(super) start_time: Option<String>,
    /// What the events tell of.
    pub(super) events: Events,
    /// How often each level comes, relative to the others: a table, or a list such as `INFO:0.7,ERROR:0.3`.
    pub(super) levels: LevelWeights,
    /// The least level that is written: `DEBUG`, `INFO`, `WARNING`, `ERROR` or `CRITICAL`. Lower ones are not
    /// drawn, so the rate stays.
    pub(super) min_level: LeastLevel,
    /// How a line is written: `text`, `json`, `csv`, `access`, or a text with names in braces such as
    /// `[{timestamp}] {level}: {message}`.
    pub(super) format: Format,
    /// More fields for every event: a text, a number or a boolean, or a list of which each event has one.
    pub(super) fields: BTreeMap<String, FieldValue>,
    /// Times in which more events come.
    pub(super) bursts: BurstOptions,
    /// Stories that go over many events.
    pub(super) patterns: PatternOptions,
}

/// What the events tell of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
pub(super) enum Events {
    /// What the services of an application say.
    #[default]
    Application,
    /// Requests to these services: method, path, status and response time.
    Http,
    /// That the generator is alive, and since when.
    Heartbeat,
}

/// Times in which more events come.
#[derive(Debug, Clone, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(inline)]
pub(super) struct BurstOptions {
    /// Whether there are bursts.
    pub(super) enabled: bool,
    /// How probable it is, in each second without a burst, that one begins: from 0 to 1.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub(super) chance: f64,
    /// How many times the rate there is in a burst: drawn for each one between this and twice this.
    #[schemars(range(min = 1.0, max = 1000.0))]
    pub(super) multiplier: f64,
    /// How long a burst lasts.
    pub(super) duration: Period,
}

impl Default for BurstOptions {
    fn default() -> Self {
        let duration = Period(Duration::from_secs(3));
        Self { enabled: false, chance: 0.05, multiplier: 5.0, duration }
    }
}

/// Stories that go over many events.
#[derive(Debug, Clone, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(inline)]
pub(super) struct PatternOptions {
    /// Whether there are stories.
    pub(super) enabled: bool,
    /// The part of all events that belongs to them: from 0 to 1.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub(super) share: f64,
}

impl Default for PatternOptions {
    fn default() -> Self {
        Self { enabled: false, share: 0.5 }
    }
}

impl Default for GeneratorOptions {
    fn default() -> Self {
        Self {
            rate: Rate::PerSecond(10.0),
            interval: None,
            count: None,
            seed: None,
            start_time: None,
            events: Events::default(),
            levels: LevelWeights::default(),
            min_level: LeastLevel(Level::Debug),
            format: Format::Text,
            fields: BTreeMap::new(),
            bursts: BurstOptions::default(),
            patterns: PatternOptions::default(),
        }
    }
}

impl GeneratorOptions {
    /// The rate, or the interval in its place.
    pub(super) fn pace(&self) -> Rate {
        self.interval.map_or(self.rate, |interval| Rate::Every(interval.0))
    }

    /// What the events tell of; access lines tell of requests.
    pub(super) fn events(&self) -> Events {
        match (self.events, &self.format) {
            (Events::Application, Format::Access) => Events::Http,
            (events, _) => events,
        }
    }

    /// The mistakes that types alone do not catch.
    pub(super) fn mistakes(&self) -> Vec<ConfigError> {
        let mut mistakes = Vec::new();
        if self.count == Some(0) {
            let error = ConfigError::new(["count"], "a count of 0 generates nothing");
            mistakes.push(error.help("leave `count` out to generate without end"));
        }
        mistakes.extend(self.start_time_ns().err());
        mistakes.extend(self.pace().check().err());
        mistakes.extend(self.levels.check(self.min_level.0).err());
        match fields::check(&self.fields, &self.format) {
            Ok(()) => mistakes.extend(self.layout(&Fields::new(&self.fields)).err()),
            Err(error) => mistakes.push(error),
        }
        self.check_bursts(&mut mistakes);
        self.check_events(&mut mistakes);
        mistakes
    }

    /// The user's own way to write a line, if that is the format.
    pub(super) fn layout(&self, fields: &Fields) -> Result<Option<Layout>, ConfigError> {
        let Format::Layout(text) = &self.format else { return Ok(None) };
        Layout::parse(text, self.events(), fields).map(Some)
    }

    fn check_bursts(&self, mistakes: &mut Vec<ConfigError>) {
        let bursts = &self.bursts;
        let mut mistake = |option: &str, text: &str, help: &str| {
            mistakes.push(ConfigError::new(["bursts", option], text).help(help));
        };
        if !(0.0..=1.0).contains(&bursts.chance) {
            mistake("chance", "this is not a chance", "write a number from 0 to 1, such as 0.05");
        }
        if !(1.0..=1000.0).contains(&bursts.multiplier) {
            mistake(
                "multiplier",
                "this multiplier is out of range",
                "write a number from 1 to 1000",
            );
        }
        if bursts.duration.0 < Duration::from_millis(1) {
            mistake(
                "duration",
                "a burst of no length is none",
                "write a time span, such as \"3s\"",
            );
        }
        if bursts.enabled && self.pace() == Rate::Unlimited {
            let text = "an unlimited rate has no bursts";
            mistake("enabled", text, "set `rate` to a number of events per second");
        }
    }

    fn check_events(&self, mistakes: &mut Vec<ConfigError>) {
        if !(0.0..=1.0).contains(&self.patterns.share) {
            let error = ConfigError::new(["patterns", "share"], "this is not a part of the events");
            mistakes.push(error.help("write a number from 0 to 1, such as 0.5"));
        }
        if self.patterns.enabled && self.events() != Events::Application {
            let error =
                ConfigError::new(["patterns", "enabled"], "only application events have patterns");
            mistakes.push(
                error.help(
                    "set `events` to \"application\" and `format` to another than \"access\"",
                ),
            );
        }
        if self.events == Events::Heartbeat && self.format == Format::Access {
            let error = ConfigError::new(["format"], "a heartbeat is no request");
            mistakes.push(error.help("set another `format`, such as \"text\""));
        }
    }

    /// `start_time` in nanoseconds since the Unix epoch.
    pub(super) fn start_time_ns(&self) -> Result<Option<i64>, ConfigError> {
        let Some(text) = &self.start_time else { return Ok(None) };
        let parsed = text.parse::<jiff::Timestamp>().ok();
        match parsed.and_then(|time| i64::try_from(time.as_nanosecond()).ok()) {
            Some(ns) => Ok(Some(ns)),
            None => Err(ConfigError::new(["start_time"], format!("`{text}` is not a time"))
                .help("write it as in RFC 3339, for example \"2025-05-14T10:23:45Z\"")),
        }
    }
}
