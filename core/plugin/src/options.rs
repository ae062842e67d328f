//! A component's options as written, and the types they share.

use std::borrow::Cow;
use std::fmt;
use std::time::Duration;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{DeserializeOwned, Error as _};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_path_to_error::Segment;

use crate::error::{ConfigError, ConfigErrors};

/// A component's table from the topology, `type` and `inputs` taken out, variables replaced, and already
/// checked against the component's schema.
#[derive(Debug, Clone, PartialEq)]
pub struct Options(pub serde_json::Value);

impl Options {
    /// The options as the component's own type.
    pub fn parse<T: DeserializeOwned>(&self) -> Result<T, ConfigErrors> {
        serde_path_to_error::deserialize(&self.0).map_err(|error| {
            let message = error.inner().to_string();
            // What is not known is told with its place already, by the check against the schema.
            let is_known = !message.starts_with("unknown field");
            let steps = error.path().iter().filter(|_| is_known).filter_map(|step| match step {
                Segment::Seq { index } => Some(index.to_string()),
                Segment::Map { key: name } | Segment::Enum { variant: name } => Some(name.clone()),
                Segment::Unknown => None,
            });
            ConfigError::new(steps.collect::<Vec<_>>(), message).into()
        })
    }
}

/// A number of bytes: `1048576`, `"512 KiB"`, `"1MiB"`, `"10 MB"`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct ByteSize(pub u64);

const BYTE_UNITS: [(&str, u64); 8] = [
    ("", 1),
    ("B", 1),
    ("KB", 1_000),
    ("MB", 1_000_000),
    ("GB", 1_000_000_000),
    ("KiB", 1 << 10),
    ("MiB", 1 << 20),
    ("GiB", 1 << 30),
];

const PERIOD_UNITS: [(&str, f64); 7] = [
    ("", 1.0),
    ("ms", 0.001),
    ("s", 1.0),
    ("m", 60.0),
    ("min", 60.0),
    ("h", 3600.0),
    ("d", 86400.0),
];

/// Splits `"1.5 MiB"` into its number and the factor of its unit.
fn quantity<F: Copy>(text: &str, units: &[(&str, F)]) -> Option<(f64, F)> {
    let text = text.trim();
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let unit = text[end..].trim_start();
    let (_, factor) = units.iter().find(|(name, _)| name.eq_ignore_ascii_case(unit))?;
    Some((text[..end].parse().ok()?, *factor))
}

impl std::str::FromStr for ByteSize {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        quantity(text, &BYTE_UNITS)
            .map(|(number, factor)| Self((number * factor as f64) as u64))
            .ok_or_else(|| {
                format!("`{text}` is not a size; write 1048576, \"512 KiB\" or \"10 MB\"")
            })
    }
}

/// A length of time: seconds as a number, or `"250ms"`, `"5s"`, `"10m"`, `"1h"`, `"7d"`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Period(pub Duration);

impl std::str::FromStr for Period {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        quantity(text, &PERIOD_UNITS)
            .and_then(|(number, factor)| Duration::try_from_secs_f64(number * factor).ok())
            .map(Self)
            .ok_or_else(|| {
                format!("`{text}` is not a time span; write 2.5, \"250ms\", \"5s\" or \"1h\"")
            })
    }
}

#[derive(Deserialize)]
#[serde(untagged)]
enum NumberOrText {
    Number(f64),
    Text(String),
}

impl<'de> Deserialize<'de> for ByteSize {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match NumberOrText::deserialize(deserializer)? {
            NumberOrText::Number(number) if number >= 0.0 => Ok(Self(number as u64)),
            NumberOrText::Number(number) => {
                Err(D::Error::custom(format!("{number} is not a size")))
            }
            NumberOrText::Text(text) => text.parse().map_err(D::Error::custom),
        }
    }
}

impl<'de> Deserialize<'de> for Period {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match NumberOrText::deserialize(deserializer)? {
            NumberOrText::Number(number) => {
                Duration::try_from_secs_f64(number).map(Self).map_err(D::Error::custom)
            }
            NumberOrText::Text(text) => text.parse().map_err(D::Error::custom),
        }
    }
}

impl Serialize for ByteSize {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u64(self.0)
    }
}

impl Serialize for Period {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_f64(self.0.as_secs_f64())
    }
}

impl JsonSchema for ByteSize {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "ByteSize".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": ["integer", "string"],
            "minimum": 0,
            "format": "byte-size",
            "pattern": r"^\s*[0-9]+(\.[0-9]+)?\s*([KkMmGg]i?)?[Bb]?\s*$"
        })
    }
}

impl JsonSchema for Period {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Period".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": ["number", "string"],
            "minimum": 0,
            "format": "period",
            "pattern": r"^\s*[0-9]+(\.[0-9]+)?\s*(ms|s|m|min|h|d)?\s*$"
        })
    }
}

/// A text that never prints: passwords, tokens.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub struct Secret(String);

impl Secret {
    /// The text itself, for the one call that needs it.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(***)")
    }
}

impl Serialize for Secret {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str("***")
    }
}

impl JsonSchema for Secret {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Secret".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "format": "secret", "writeOnly": true })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_sizes_and_periods_in_their_usual_units() {
        assert_eq!("1MiB".parse(), Ok(ByteSize(1 << 20)));
        assert_eq!(" 1.5 kb ".parse(), Ok(ByteSize(1500)));
        assert_eq!("250ms".parse(), Ok(Period(Duration::from_millis(250))));
        assert_eq!("2 h".parse(), Ok(Period(Duration::from_secs(7200))));
        assert!("1 parsec".parse::<Period>().is_err());
        assert!("MiB".parse::<ByteSize>().is_err());
        assert_eq!(serde_json::from_str::<ByteSize>("1024").unwrap(), ByteSize(1024));
        assert_eq!(serde_json::from_str::<Period>("0.5").unwrap().0, Duration::from_millis(500));
    }

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Outer {
        _inner: Inner,
    }

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Inner {
        _sizes: Vec<ByteSize>,
    }

    #[test]
    fn a_mistake_that_a_type_of_its_own_finds_names_the_option() {
        let path = |options| {
            let errors = Options(options).parse::<Outer>().unwrap_err();
            errors.0[0].path.join(".")
        };
        let wrong = serde_json::json!({"_inner": {"_sizes": ["1 MiB", "many"]}});
        assert_eq!(path(wrong), "_inner._sizes.1");
        let unknown = serde_json::json!({"_inner": {"_sizes": [], "more": 1}});
        assert_eq!(path(unknown), "", "told by the schema");
    }

    #[test]
    fn a_secret_never_prints() {
        let secret: Secret = serde_json::from_str("\"hunter2\"").unwrap();
        assert_eq!(format!("{secret:?}"), "Secret(***)");
        assert_eq!(serde_json::to_string(&secret).unwrap(), "\"***\"");
        assert_eq!(secret.expose(), "hunter2");
    }
}
