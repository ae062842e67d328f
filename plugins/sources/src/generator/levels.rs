//! How often each level comes, and the least of them: the options `levels` and `min_level`.

use std::borrow::Cow;
use std::collections::BTreeMap;

use lograil_plugin::ConfigError;
use lograil_plugin::schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::catalogue::Level;

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
    /// The levels from `least` on with their weights, none negative, at least one positive.
    pub(super) fn check(&self, least: Level) -> Result<Vec<(Level, f64)>, ConfigError> {
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
        weights.retain(|(level, _)| *level >= least);
        if weights.iter().map(|(_, weight)| weight).sum::<f64>() <= 0.0 {
            if least > Level::ALL[0] {
                let text = format!("no level from {} on has a weight above 0", least.name());
                let error = ConfigError::new(["min_level"], text);
                return Err(
                    error.help("lower `min_level`, or give such a level a weight in `levels`")
                );
            }
            let error = ConfigError::new(["levels"], "no level has a weight above 0");
            return Err(error.help("write for example { INFO = 0.7, ERROR = 0.3 }"));
        }
        Ok(weights)
    }

    /// The levels from `least` on, each with the end of its share of the 32-bit numbers; the last one's end is open.
    pub(super) fn thresholds(&self, least: Level) -> Vec<(Level, u32)> {
        let weights = self.check(least).unwrap_or_default();
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

/// The least level that is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct LeastLevel(pub(super) Level);

impl<'de> Deserialize<'de> for LeastLevel {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let name = String::deserialize(deserializer)?;
        let level = Level::find(name.trim());
        level.map(Self).ok_or_else(|| D::Error::custom(format!("`{name}` is not a level")))
    }
}

impl Serialize for LeastLevel {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.0.name())
    }
}

impl JsonSchema for LeastLevel {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "LeastLevel".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let names = Level::ALL.map(Level::name).join("|");
        json_schema!({ "type": "string", "pattern": format!(r"^\s*(?i:{names}|WARN)\s*$") })
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
