//! Options of `reduce`, and what is wrong with them.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use lograil_plugin::schemars::{self, JsonSchema};
use lograil_plugin::{ByteSize, ConfigError, ConfigErrors, Period};
use serde::Deserialize;

use super::strategy::Strategy;
use crate::condition::OptionCondition;
use crate::field_path::FieldPath;

/// Most that may be held: texts of a batch together stay below 4 GiB.
const BYTES_MAX: u64 = 1 << 30;

/// Options of `reduce`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ReduceOptions {
    /// The fields by whose values events are told apart; events that agree in all of them are merged. Without
    /// any, all events are.
    #[serde(default)]
    pub(super) group_by: Vec<String>,
    /// A condition; an event for which it is true begins a new merged event, and ends the one before.
    pub(super) starts_when: Option<String>,
    /// A condition; an event for which it is true is the last of its merged event.
    pub(super) ends_when: Option<String>,
    /// A merged event ends when no event has come for it in this time.
    #[serde(default = "default_expire_after")]
    pub(super) expire_after: Period,
    /// A merged event ends this long after it began, whatever comes.
    pub(super) end_every_period: Option<Period>,
    /// A merged event ends with this many events.
    #[serde(default = "default_max_events")]
    #[schemars(range(min = 1))]
    pub(super) max_events: u32,
    /// How many merged events may be in the making; beyond, the one extended longest ago ends.
    #[serde(default = "default_max_groups")]
    #[schemars(range(min = 1))]
    pub(super) max_groups: u32,
    /// How much memory they may take, 1 GiB at most; beyond, those extended longest ago end.
    #[serde(default = "default_max_bytes")]
    pub(super) max_bytes: ByteSize,
    /// How the values of a field are merged, by the field's name.
    #[serde(default)]
    pub(super) merge_strategies: BTreeMap<String, Strategy>,
}

fn default_expire_after() -> Period {
    Period(Duration::from_secs(30))
}

fn default_max_events() -> u32 {
    10_000
}

fn default_max_groups() -> u32 {
    10_000
}

fn default_max_bytes() -> ByteSize {
    ByteSize(64 << 20)
}

/// What options are compiled to.
pub(super) struct Checked {
    pub(super) group_by: Vec<FieldPath>,
    pub(super) starts_when: Option<OptionCondition>,
    pub(super) ends_when: Option<OptionCondition>,
    pub(super) strategies: HashMap<String, Strategy>,
}

impl ReduceOptions {
    /// Compiles conditions and paths; reports all mistakes.
    pub(super) fn check(&self) -> Result<Checked, ConfigErrors> {
        let mut errors = Vec::new();
        for (option, number) in [("max_events", self.max_events), ("max_groups", self.max_groups)] {
            if number == 0 {
                let error = ConfigError::new([option], "0 would hold nothing");
                errors.push(error.help("write at least 1"));
            }
        }
        if self.max_bytes.0 == 0 || self.max_bytes.0 > BYTES_MAX {
            let error = ConfigError::new(["max_bytes"], "it must be above 0 and at most 1 GiB");
            errors.push(error.help("write it like \"64 MiB\""));
        }
        let mut group_by = Vec::new();
        for (at, path) in self.group_by.iter().enumerate() {
            let at = at.to_string();
            match FieldPath::parse(path, &["group_by", &at]) {
                Ok(path) => group_by.push(path),
                Err(error) => errors.push(error),
            }
        }
        // The values of a key are all the same; without this, numbers among them would be added.
        let keys = group_by.iter().filter(|path| path.is_whole_field());
        let mut strategies: HashMap<String, Strategy> =
            keys.map(|path| (path.name().to_owned(), Strategy::Discard)).collect();
        for (name, strategy) in &self.merge_strategies {
            match FieldPath::parse(name, &["merge_strategies", name]) {
                Ok(path) if path.is_whole_field() => {
                    strategies.insert(path.name().to_owned(), *strategy);
                }
                Ok(_) => {
                    let path = ["merge_strategies", name];
                    let error =
                        ConfigError::new(path, "a part of a field cannot be merged by itself");
                    errors.push(
                        error.help("name a whole field; one with a dot in its name in quotes"),
                    );
                }
                Err(error) => errors.push(error),
            }
        }
        let mut condition = |option: &str, source: &Option<String>| {
            let source = source.as_deref()?;
            OptionCondition::compile(&[option], source, &mut errors)
        };
        let starts_when = condition("starts_when", &self.starts_when);
        let ends_when = condition("ends_when", &self.ends_when);
        if !errors.is_empty() {
            return Err(ConfigErrors(errors));
        }
        Ok(Checked { group_by, starts_when, ends_when, strategies })
    }
}
