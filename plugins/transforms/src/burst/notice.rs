//! What is told of the start and the end of a burst.

use std::time::Duration;

use serde_json::{Map, Value, json};

use super::detector::{Burst, Change, End};
use super::key::KeyState;
use crate::event_key::shown;
use crate::notice::Notice;

/// What all notices have in common.
pub(super) struct Names {
    pub(super) key_field: Option<String>,
    pub(super) field: String,
    pub(super) resolution: Duration,
}

/// Tells of a change of a key, at the time when it was noticed.
pub(super) fn of_change(key: &KeyState, change: Change, time_ns: i64, names: &Names) -> Notice {
    let now = key.detector().seconds();
    let unit = names.resolution.as_secs_f64();
    let (Change::Started(burst) | Change::Ended(burst, _)) = change;
    let of = names.key_field.as_ref().map(|_| shown(&key.known.form));
    let mut object = Map::new();
    let mut set = |name: &str, value: Value| object.insert(name.to_owned(), value);
    let is_start = matches!(change, Change::Started(_));
    set("event", json!(if is_start { "start" } else { "end" }));
    set("id", json!(key.known.burst_id));
    if let (Some(field), Some(of)) = (&names.key_field, &of) {
        set("key_field", json!(field));
        set("key", json!(of));
    }
    set("count", json!(burst.events));
    set("duration_seconds", json!(round(burst.seconds(now) as f64 * unit)));
    set("baseline_per_second", json!(round(burst.baseline / unit)));
    set("peak_per_second", json!(round(burst.peak / unit)));
    set("factor", json!(round(burst.factor(now))));
    if let Change::Ended(_, end) = change {
        set("reason", json!(end.as_str()));
        set("dropped", json!(key.known.dropped));
        set("owed", json!(key.owed));
    }
    set("sample", json!(String::from_utf8_lossy(&key.known.sample)));
    let message = message(of.as_deref(), change, &burst, now, unit);
    let level = if is_start { "WARN" } else { "INFO" };
    Notice { time_ns, level, message, object: Value::Object(object) }
}

fn message(of: Option<&str>, change: Change, burst: &Burst, now: u64, unit: f64) -> String {
    let of = of.map(|key| format!(" of {key:?}")).unwrap_or_default();
    let (events, seconds) = (burst.events, round(burst.seconds(now) as f64 * unit));
    let (factor, usual) = (round(burst.factor(now)), round(burst.baseline / unit));
    match change {
        Change::Started(_) => format!(
            "burst{of}: {events} events in {seconds} s, {factor} times the usual {usual} a second"
        ),
        Change::Ended(_, end) => format!(
            "burst{of} is over ({}): {events} events in {seconds} s, {factor} times the usual {usual} a second",
            end.as_str()
        ),
    }
}

impl End {
    fn as_str(self) -> &'static str {
        match self {
            Self::Calm => "calm",
            Self::NewBaseline => "new_baseline",
            Self::Cut => "cut",
        }
    }
}

fn round(number: f64) -> f64 {
    (number * 1e3).round() / 1e3
}
