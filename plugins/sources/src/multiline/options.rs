//! The table `multiline`, as written and as checked.

use std::time::Duration;

use lograil_plugin::schemars::JsonSchema;
use lograil_plugin::{ConfigError, Period};
use regex::bytes::Regex;
use serde::{Deserialize, Serialize};

use super::grouping::Grouping;
use super::rules::Rules;
use super::traces::Preset;

/// Which lines belong to one event. Needs `preset`, or one or both of the patterns.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(crate = "lograil_plugin::schemars")]
pub struct MultilineOptions {
    /// Rules that are known by name.
    #[serde(default)]
    pub preset: Option<Preset>,
    /// A line in which this regular expression is found begins an event.
    #[serde(default)]
    pub start_pattern: Option<String>,
    /// A line in which this regular expression is found belongs to the event of the line before.
    #[serde(default)]
    pub continuation_pattern: Option<String>,
    /// How long to wait for the next line of an event; without one it is taken as it is.
    #[serde(default = "default_timeout")]
    pub timeout: Period,
    /// Most lines of an event. Those beyond begin the next event.
    #[serde(default = "default_lines_max")]
    pub max_lines: u32,
}

fn default_timeout() -> Period {
    Period(Duration::from_secs(1))
}

fn default_lines_max() -> u32 {
    1000
}

impl MultilineOptions {
    /// The grouping, for events of at most `event_bytes_max` bytes. Adds all mistakes to `errors`.
    pub fn check(&self, event_bytes_max: usize, errors: &mut Vec<ConfigError>) -> Option<Grouping> {
        let known = errors.len();
        if self.max_lines == 0 {
            errors.push(mistake("max_lines", "an event has at least one line"));
        }
        let start = pattern("start_pattern", self.start_pattern.as_deref(), errors);
        let continuation =
            pattern("continuation_pattern", self.continuation_pattern.as_deref(), errors);
        let has_pattern = self.start_pattern.is_some() || self.continuation_pattern.is_some();
        let rules = match (self.preset, start, continuation) {
            (Some(_), _, _) if has_pattern => {
                let error = mistake("preset", "a preset and a pattern are two different rules");
                errors.push(error.help("take one of them away"));
                None
            }
            (Some(preset), _, _) => Some(Rules::Preset(preset)),
            (None, Some(start), None) => Some(Rules::Start(start)),
            (None, None, Some(continuation)) => Some(Rules::Continuation(continuation)),
            (None, Some(start), Some(continuation)) => {
                Some(Rules::StartAndContinuation { start, continuation })
            }
            (None, None, None) => {
                if !has_pattern {
                    let error =
                        ConfigError::new(["multiline"], "nothing says which lines belong together");
                    errors.push(error.help(
                        "set `preset`, such as \"java\", `start_pattern` or `continuation_pattern`",
                    ));
                }
                None
            }
        };
        let rules = rules.filter(|_| errors.len() == known)?;
        let lines_max = self.max_lines as usize;
        Some(Grouping::new(rules, lines_max, event_bytes_max).with_timeout(self.timeout.0))
    }
}

fn mistake(option: &str, message: impl Into<String>) -> ConfigError {
    ConfigError::new(["multiline", option], message)
}

fn pattern(option: &str, text: Option<&str>, errors: &mut Vec<ConfigError>) -> Option<Regex> {
    match Regex::new(text?) {
        Ok(pattern) => Some(pattern),
        Err(error) => {
            // The last line says what is wrong, those above draw where.
            let told = error.to_string();
            let reason = told.lines().last().unwrap_or_default();
            let reason = reason.strip_prefix("error: ").unwrap_or(reason);
            errors.push(
                mistake(option, format!("not a regular expression: {reason}")).help(
                    "write it between single quotes, so that `\\` stays as it is: '^\\d{4}-'",
                ),
            );
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use lograil_plugin::Options;
    use serde_json::json;

    use super::*;

    fn messages(options: serde_json::Value) -> Vec<String> {
        let written: MultilineOptions = Options(options).parse().unwrap();
        let mut errors = Vec::new();
        let grouping = written.check(1000, &mut errors);
        assert_eq!(grouping.is_none(), !errors.is_empty());
        errors
            .into_iter()
            .map(|error| format!("{}: {}", error.path.join("."), error.message))
            .collect()
    }

    #[test]
    fn exactly_one_kind_of_rule_is_needed() {
        assert_eq!(messages(json!({"preset": "java"})), [""; 0]);
        assert_eq!(messages(json!({"start_pattern": "^a", "continuation_pattern": "^b"})), [""; 0]);
        assert_eq!(messages(json!({})), ["multiline: nothing says which lines belong together"]);
        assert_eq!(
            messages(json!({"preset": "go", "start_pattern": "^a"})),
            ["multiline.preset: a preset and a pattern are two different rules"]
        );
    }

    #[test]
    fn mistakes_in_patterns_and_bounds_are_told_together() {
        let told = messages(json!({"start_pattern": "(", "max_lines": 0}));
        assert_eq!(told[0], "multiline.max_lines: an event has at least one line");
        let wrong = "multiline.start_pattern: not a regular expression: unclosed group";
        assert_eq!(told[1], wrong);
        assert_eq!(told.len(), 2);
    }
}
