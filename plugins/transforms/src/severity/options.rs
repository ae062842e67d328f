//! The options of `severity`, with the table of weights as their defaults.

use std::collections::BTreeMap;

use lograil_plugin::{ConfigError, schemars};
use schemars::JsonSchema;
use serde::Deserialize;

/// Options of `severity`. All weights are from 0 to 100.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct SeverityOptions {
    /// The field that gets the score, an integer from 0 to 100.
    pub(crate) score_field: String,
    /// The field that gets the class: LOW, MEDIUM, HIGH or CRITICAL. Empty: no field.
    pub(super) class_field: String,
    /// What the event's level weighs.
    pub(super) level: LevelOptions,
    /// What words in the message weigh.
    pub(super) message: MessageOptions,
    /// What the status of an HTTP answer weighs.
    pub(super) status: StatusOptions,
    /// What a slow answer weighs.
    pub(super) response_time: ResponseTimeOptions,
    /// What an error code weighs.
    pub(super) error_code: ErrorCodeOptions,
    /// Rules of your own: what an event for which a condition is true weighs.
    pub(super) rules: Vec<RuleOptions>,
    /// Where the classes begin.
    pub(super) classes: ClassOptions,
}

impl Default for SeverityOptions {
    fn default() -> Self {
        Self {
            score_field: "severity".to_owned(),
            class_field: "severity_class".to_owned(),
            level: LevelOptions::default(),
            message: MessageOptions::default(),
            status: StatusOptions::default(),
            response_time: ResponseTimeOptions::default(),
            error_code: ErrorCodeOptions::default(),
            rules: Vec::new(),
            classes: ClassOptions::default(),
        }
    }
}

/// What the event's level weighs.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct LevelOptions {
    /// The fields that may have it; the worst counts.
    pub(super) fields: Vec<String>,
    /// TRACE.
    pub(super) trace: f64,
    /// DEBUG.
    pub(super) debug: f64,
    /// INFO.
    pub(super) info: f64,
    /// NOTICE.
    pub(super) notice: f64,
    /// WARN, WARNING.
    pub(super) warning: f64,
    /// ERROR, SEVERE.
    pub(super) error: f64,
    /// CRITICAL.
    pub(super) critical: f64,
    /// ALERT, EMERGENCY, FATAL.
    pub(super) fatal: f64,
}

impl Default for LevelOptions {
    fn default() -> Self {
        Self {
            fields: names(&["level", "severity", "severity_text", "log_level", "levelname"]),
            trace: 0.0,
            debug: 5.0,
            info: 10.0,
            notice: 20.0,
            warning: 45.0,
            error: 65.0,
            critical: 80.0,
            fatal: 90.0,
        }
    }
}

/// What words in the message weigh.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct MessageOptions {
    /// The fields in which words are looked for.
    pub(super) fields: Vec<String>,
    /// Beginnings of words that tell of a failure.
    pub(super) failure_words: Vec<String>,
    /// What the first of them weighs.
    pub(super) failure_weight: f64,
    /// Beginnings of words that tell of something that cannot go on.
    pub(super) disaster_words: Vec<String>,
    /// What the first of them weighs.
    pub(super) disaster_weight: f64,
}

impl Default for MessageOptions {
    fn default() -> Self {
        Self {
            fields: names(&["message"]),
            failure_words: names(&[
                "broken",
                "cannot",
                "denied",
                "error",
                "exception",
                "fail",
                "interrupt",
                "invalid",
                "lost",
                "refused",
                "rejected",
                "reset",
                "timed out",
                "timeout",
                "unable",
                "unavailable",
                "unreachable",
            ]),
            failure_weight: 25.0,
            disaster_words: names(&[
                "abort",
                "corrupt",
                "crash",
                "data loss",
                "deadlock",
                "disk full",
                "fatal",
                "killed",
                "no space left",
                "oom",
                "out of memory",
                "outofmemory",
                "panic",
                "segfault",
                "segmentation fault",
                "severed",
                "stack overflow",
                "stackoverflow",
                "terminated",
                "unrecoverable",
            ]),
            disaster_weight: 50.0,
        }
    }
}

/// What the status of an HTTP answer weighs.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct StatusOptions {
    /// The fields that may have it; the worst counts.
    pub(super) fields: Vec<String>,
    /// From 400 to 499.
    pub(super) client_error: f64,
    /// From 500 to 599.
    pub(super) server_error: f64,
}

impl Default for StatusOptions {
    fn default() -> Self {
        Self {
            fields: names(&["status", "status_code", "http_status"]),
            client_error: 30.0,
            server_error: 70.0,
        }
    }
}

/// What a slow answer weighs.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct ResponseTimeOptions {
    /// The fields that may have it; the worst counts.
    pub(super) fields: Vec<String>,
    /// Pairs of a time, in the fields' unit, and its weight, both rising. In between the weight rises in a straight
    /// line; below the first time it is 0, above the last it is the last weight.
    pub(super) weights: Vec<(f64, f64)>,
}

impl Default for ResponseTimeOptions {
    fn default() -> Self {
        Self {
            fields: names(&["response_time_ms", "duration_ms", "latency_ms", "elapsed_ms"]),
            weights: vec![(500.0, 0.0), (1000.0, 20.0), (5000.0, 50.0), (30_000.0, 70.0)],
        }
    }
}

/// What an error code weighs.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct ErrorCodeOptions {
    /// The fields that may have one; the worst counts.
    pub(super) fields: Vec<String>,
    /// A code that `codes` does not name. No code are null, false, "", 0, "0" and "OK".
    pub(super) weight: f64,
    /// What certain codes weigh: `codes.ENOSPC = 80`. Codes of numbers are written in quotes.
    pub(super) codes: BTreeMap<String, f64>,
}

impl Default for ErrorCodeOptions {
    fn default() -> Self {
        let codes = [("EIO", 60.0), ("ENOMEM", 70.0), ("ENOSPC", 70.0), ("OOMKilled", 80.0)];
        Self {
            fields: names(&["error_code", "errno"]),
            weight: 40.0,
            codes: codes.into_iter().map(|(code, weight)| (code.to_owned(), weight)).collect(),
        }
    }
}

/// A rule of your own.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RuleOptions {
    /// A condition in the language of `filter`.
    pub(super) when: String,
    /// What an event for which it is true weighs.
    pub(super) weight: f64,
}

/// Where the classes begin. Below `medium` an event is LOW.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct ClassOptions {
    /// The least score of MEDIUM.
    pub(super) medium: f64,
    /// The least score of HIGH.
    pub(super) high: f64,
    /// The least score of CRITICAL.
    pub(super) critical: f64,
}

impl Default for ClassOptions {
    fn default() -> Self {
        Self { medium: 40.0, high: 60.0, critical: 85.0 }
    }
}

fn names(names: &[&str]) -> Vec<String> {
    names.iter().map(|&name| name.to_owned()).collect()
}

impl SeverityOptions {
    /// What is wrong with the numbers: each has to be from 0 to 100, and what is worse must not weigh less.
    pub(super) fn mistakes(&self, errors: &mut Vec<ConfigError>) {
        let level = &self.level;
        let levels = [
            ("trace", level.trace),
            ("debug", level.debug),
            ("info", level.info),
            ("notice", level.notice),
            ("warning", level.warning),
            ("error", level.error),
            ("critical", level.critical),
            ("fatal", level.fatal),
        ];
        check_rising("level", &levels, errors);
        let message = &self.message;
        let words = [
            ("failure_weight", message.failure_weight),
            ("disaster_weight", message.disaster_weight),
        ];
        check_rising("message", &words, errors);
        let status = &self.status;
        let statuses =
            [("client_error", status.client_error), ("server_error", status.server_error)];
        check_rising("status", &statuses, errors);
        let classes = &self.classes;
        let limits =
            [("medium", classes.medium), ("high", classes.high), ("critical", classes.critical)];
        check_rising("classes", &limits, errors);
        check_weight(&["error_code", "weight"], self.error_code.weight, errors);
        for (code, weight) in &self.error_code.codes {
            check_weight(&["error_code", "codes", code], *weight, errors);
        }
        for (at, rule) in self.rules.iter().enumerate() {
            check_weight(&["rules", &at.to_string(), "weight"], rule.weight, errors);
        }
        self.response_time.mistakes(errors);
    }
}

impl ResponseTimeOptions {
    fn mistakes(&self, errors: &mut Vec<ConfigError>) {
        for (at, (_, weight)) in self.weights.iter().enumerate() {
            check_weight(&["response_time", "weights", &at.to_string()], *weight, errors);
        }
        let rises = |pair: &[(f64, f64)]| pair[0].0 < pair[1].0 && pair[0].1 <= pair[1].1;
        if let Some(at) = self.weights.windows(2).position(|pair| !rises(pair)) {
            let path = ["response_time", "weights", &(at + 1).to_string()];
            let error = ConfigError::new(path, "a longer time weighs less than a shorter one");
            errors.push(error.help("write pairs of a time and a weight with both rising"));
        }
    }
}

fn check_weight(path: &[&str], weight: f64, errors: &mut Vec<ConfigError>) {
    if !(0.0..=100.0).contains(&weight) {
        let error = ConfigError::new(path.iter().copied(), format!("{weight} is no weight"));
        errors.push(error.help("write a number from 0 to 100"));
    }
}

fn check_rising(table: &str, weights: &[(&str, f64)], errors: &mut Vec<ConfigError>) {
    for (name, weight) in weights {
        check_weight(&[table, name], *weight, errors);
    }
    for pair in weights.windows(2) {
        let [(lower, less), (name, weight)] = pair else { continue };
        if weight < less {
            let message = format!("{weight} is below `{lower}`, which is {less}");
            let error = ConfigError::new([table, name], message);
            errors
                .push(error.help("what is worse must not score lower: raise this, or lower that"));
        }
    }
}
