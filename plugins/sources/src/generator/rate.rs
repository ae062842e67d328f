//! How many events a second: the option `rate`, or the `interval` in its place.

use std::borrow::Cow;
use std::time::Duration;

use lograil_plugin::ConfigError;
use lograil_plugin::schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Slowest rate, one event in about 17 minutes; fastest rate, one event a nanosecond.
const RATE_MIN: f64 = 0.001;
const RATE_MAX: f64 = 1e9;

const INTERVAL_MIN: Duration = Duration::from_millis(1);
const INTERVAL_MAX: Duration = Duration::from_secs(365 * 86_400);

/// How many events a second.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Rate {
    /// So many.
    PerSecond(f64),
    /// One every so often.
    Every(Duration),
    /// As many as are taken.
    Unlimited,
}

impl Rate {
    /// Whether it can be kept.
    pub(super) fn check(self) -> Result<(), ConfigError> {
        match self {
            Self::PerSecond(rate) if !(RATE_MIN..=RATE_MAX).contains(&rate) => {
                let text = format!("a rate of {rate} events per second is out of range");
                let help = "write a number from 0.001 to 1000000000, or \"unlimited\"";
                Err(ConfigError::new(["rate"], text).help(help))
            }
            Self::Every(interval) if !(INTERVAL_MIN..=INTERVAL_MAX).contains(&interval) => {
                let error = ConfigError::new(["interval"], "this interval is out of range");
                Err(error.help("write a time span from 1 ms to 365 days, such as \"5s\""))
            }
            _ => Ok(()),
        }
    }
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
            Self::Every(interval) => serializer.serialize_f64(interval.as_secs_f64().recip()),
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
