//! The options as written, and the types they are parsed into.

use std::borrow::Cow;
use std::collections::BTreeMap;

use lograil_plugin::ConfigError;
use lograil_plugin::schemars::{self, JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::catalogue::Level;

/// The options of a `generator`.
#[derive(Debug, Clone, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(super) struct GeneratorOptions {
    /// Events per second, from 0.001 to 1000000000, or `"unlimited"`: as many as the sinks take.
    pub(super) rate: Rate,
    /// Ends after this many events; without it the source runs until it is stopped.
    pub(super) count: Option<u64>,
    /// Makes the events repeatable, ids included. Without it every run is different.
    pub(super) seed: Option<u64>,
    /// Time of the first event (RFC 3339), the others following at `rate`. Without it, times are the clock's.
    pub(super) start_time: Option<String>,
    /// How often each level comes, relative to the others: a table, or a list such as `INFO:0.7,ERROR:0.3`.
    pub(super) levels: LevelWeights,
    /// How a line is written.
    pub(super) format: Format,
}

impl Default for GeneratorOptions {
    fn default() -> Self {
        Self {
            rate: Rate::PerSecond(10.0),
            count: None,
            seed: None,
            start_time: None,
            levels: LevelWeights::default(),
            format: Format::Text,
        }
    }
}

impl GeneratorOptions {
    /// The mistakes that types alone do not catch.
    pub(super) fn mistakes(&self) -> Vec<ConfigError> {
        let mut mistakes = Vec::new();
        if self.count == Some(0) {
            let error = ConfigError::new(["count"], "a count of 0 generates nothing");
            mistakes.push(error.help("leave `count` out to generate without end"));
        }
        if let Err(error) = self.start_time_ns() {
            mistakes.push(error);
        }
        if let Rate::PerSecond(rate) = self.rate
            && !(RATE_MIN..=RATE_MAX).contains(&rate)
        {
            let text = format!("a rate of {rate} events per second is out of range");
            let help = "write a number from 0.001 to 1000000000, or \"unlimited\"";
            mistakes.push(ConfigError::new(["rate"], text).help(help));
        }
        mistakes.extend(self.levels.check().err());
        mistakes
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

/// Slowest rate, one event in about 17 minutes; fastest rate, one event a nanosecond.
const RATE_MIN: f64 = 0.001;
const RATE_MAX: f64 = 1e9;

/// How many events a second.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Rate {
    /// So many.
    PerSecond(f64),
    /// As many as are taken.
    Unlimited,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum NumberOrText {
    Number(f64),
    Text(String),
}

impl<'de> Deserialize<'de> for Rate {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match NumberOrText::deserialize(deserializer)? {
            NumberOrText::Number(number) => Ok(Self::PerSecond(number)),
            NumberOrText::Text(text) if text.trim() == "unlimited" => Ok(Self::Unlimited),
            // A number that came out of an environment variable is text.
            NumberOrText::Text(text) => text.trim().parse().map(Self::PerSecond).map_err(|_| {
                D::Error::custom(format!(
                    "`{text}` is not a rate; write events per second or \"unlimited\""
                ))
            }),
        }
    }
}

impl Serialize for Rate {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::PerSecond(rate) => serializer.serialize_f64(*rate),
            Self::Unlimited => serializer.serialize_str("unlimited"),
        }
    }
}

impl JsonSchema for Rate {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Rate".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": ["number", "string"],
            "minimum": RATE_MIN,
            "maximum": RATE_MAX,
            "pattern": r"^\s*(unlimited|[0-9]+(\.[0-9]*)?([eE][0-9]+)?|\.[0-9]+)\s*$"
        })
    }
}

/// How a line is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
pub(super) enum Format {
    /// Columns between bars.
    Text,
    /// One JSON object a line.
    Json,
    /// Comma-separated values (RFC 4180), a header line first.
    Csv,
}

/// How often each level comes, relative to the others.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(transparent)]
pub(super) struct LevelWeights(BTreeMap<String, f64>);

impl Default for LevelWeights {
    fn default() -> Self {
        let weights = [("INFO", 0.70), ("WARNING", 0.20), ("ERROR", 0.05), ("DEBUG", 0.05)];
        Self(weights.into_iter().map(|(level, weight)| (level.to_owned(), weight)).collect())
    }
}

impl LevelWeights {
    /// The levels with their weights, none negative, at least one positive.
    fn check(&self) -> Result<Vec<(Level, f64)>, ConfigError> {
        let mut weights = Vec::new();
        for (name, weight) in &self.0 {
            let Some(level) = Level::find(name) else {
                let names = Level::ALL.map(Level::name).join(", ");
                let error = ConfigError::new(["levels", name], format!("`{name}` is not a level"));
                return Err(error.help(format!("the levels are {names}")));
            };
            if !weight.is_finite() || *weight < 0.0 {
                let error = ConfigError::new(["levels", name], format!("{weight} is not a weight"));
                return Err(error.help("write a number that is not negative, such as 0.7"));
            }
            weights.push((level, *weight));
        }
        if weights.iter().map(|(_, weight)| weight).sum::<f64>() <= 0.0 {
            let error = ConfigError::new(["levels"], "no level has a weight above 0");
            return Err(error.help("write for example { INFO = 0.7, ERROR = 0.3 }"));
        }
        Ok(weights)
    }

    /// The levels, each with the end of its share of the 32-bit numbers; the last one's end is open.
    pub(super) fn thresholds(&self) -> Vec<(Level, u32)> {
        let weights = self.check().unwrap_or_default();
        let total: f64 = weights.iter().map(|(_, weight)| weight).sum();
        let mut sum = 0.0;
        let shares =
            weights.into_iter().filter(|(_, weight)| *weight > 0.0).map(|(level, weight)| {
                sum += weight;
                (level, (sum / total * f64::from(u32::MAX)) as u32)
            });
        shares.collect()
    }
}

#[derive(Deserialize)]
#[serde(untagged)]
enum TableOrText {
    Table(BTreeMap<String, f64>),
    Text(String),
}

impl<'de> Deserialize<'de> for LevelWeights {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = match TableOrText::deserialize(deserializer)? {
            TableOrText::Table(table) => return Ok(Self(table)),
            TableOrText::Text(text) => text,
        };
        let mut table = BTreeMap::new();
        for pair in text.split(',').filter(|pair| !pair.trim().is_empty()) {
            let weight = pair.split_once(':').and_then(|(name, weight)| {
                Some((name.trim().to_owned(), weight.trim().parse().ok()?))
            });
            let Some((name, weight)) = weight else {
                let text = format!("`{pair}` is not a level and its weight, such as INFO:0.7");
                return Err(D::Error::custom(text));
            };
            table.insert(name, weight);
        }
        Ok(Self(table))
    }
}

impl JsonSchema for LevelWeights {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "LevelWeights".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": ["object", "string"],
            "additionalProperties": { "type": "number", "minimum": 0 }
        })
    }
}
