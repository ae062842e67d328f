//! An alarm: what was found, and why it is one.

use lograil_codec::time::write_rfc3339;
use serde_json::{Map, Value, json};

use super::method::{Judgement, MethodName, View};
use super::novelty::Rarity;
use crate::notice::Notice;

/// What an alarm needs to know of the configuration.
pub(super) struct Names {
    pub(super) key_field: Option<String>,
    pub(super) value_field: String,
    pub(super) text_field: String,
    pub(super) interval: String,
    pub(super) method: MethodName,
    /// The field that holds the score.
    pub(super) field: String,
}

/// What was found.
#[derive(Debug, Clone)]
pub(super) enum Finding {
    Value(f64, Judgement),
    Rate(u64, Judgement),
    Text(String, Rarity),
}

/// An alarm.
#[derive(Debug, Clone)]
pub(super) struct Alarm {
    pub(super) finding: Finding,
    pub(super) score: f64,
    pub(super) time_ns: i64,
    pub(super) key: String,
    pub(super) first_seen_ns: i64,
}

impl Alarm {
    /// The reasons, as the object that goes into the field of the event and of the alarm.
    pub(super) fn object(&self, names: &Names) -> Value {
        let mut object = Map::new();
        let mut set = |name: &str, value: Value| object.insert(name.to_owned(), value);
        set("score", json!(round(self.score)));
        set("alarm", json!(true));
        match &self.finding {
            Finding::Value(value, judgement) => {
                set("kind", json!("value"));
                set("field", json!(names.value_field));
                set("value", json!(value));
                expected(&mut set, judgement, names.method);
            }
            Finding::Rate(events, judgement) => {
                set("kind", json!("rate"));
                set("interval", json!(names.interval));
                set("value", json!(events));
                expected(&mut set, judgement, names.method);
            }
            Finding::Text(text, rarity) => {
                set("kind", json!(if rarity.times == 0 { "new" } else { "rare" }));
                set("field", json!(names.text_field));
                set("value", json!(text));
                set("seen_before", json!(rarity.times));
                set("expected_one_in", json!(rarity.one_in.round()));
            }
        }
        if let Some(field) = &names.key_field {
            set("key_field", json!(field));
            set("key", json!(self.key));
        }
        set("first_seen", json!(time(self.first_seen_ns)));
        Value::Object(object)
    }

    /// The alarm as an event of its own.
    pub(super) fn notice(&self, names: &Names) -> Notice {
        let (message, object) = (self.message(names), self.object(names));
        Notice { time_ns: self.time_ns, level: "WARN", message, object }
    }

    /// A sentence for people.
    fn message(&self, names: &Names) -> String {
        let of = match &names.key_field {
            Some(field) => format!(" of {field} {:?}", self.key),
            None => String::new(),
        };
        let outside = |judgement: &Judgement| {
            let (low, high) = (short(judgement.low), short(judgement.high));
            match judgement.view {
                View::Value => format!("expected {low} to {high}"),
                View::Median(median) => {
                    let median = short(median);
                    format!("the median of the last is {median}, expected {low} to {high}")
                }
                View::TimeOfDay => format!("expected {low} to {high} at this time of the day"),
                View::Shape => {
                    format!("with those before it unlike the last, of {low} to {high}")
                }
                View::Change(change) => {
                    format!("seldom with a change of {}, of {low} to {high}", short(change))
                }
            }
        };
        match &self.finding {
            Finding::Value(value, judgement) => {
                format!("{}{of} is {value}, {}", names.value_field, outside(judgement))
            }
            Finding::Rate(events, judgement) => {
                format!("{events} events{of} in {}, {}", names.interval, outside(judgement))
            }
            Finding::Text(text, Rarity { times: 0, .. }) => {
                format!("{}{of} has the new value {text:?}", names.text_field)
            }
            Finding::Text(text, rarity) => {
                let one_in = rarity.one_in.round();
                format!("{}{of} has the value {text:?}, one in {one_in}", names.text_field)
            }
        }
    }
}

fn expected(set: &mut impl FnMut(&str, Value) -> Option<Value>, of: &Judgement, by: MethodName) {
    set("expected_low", json!(of.low));
    set("expected_high", json!(of.high));
    set("baseline", json!(of.baseline));
    set("method", json!(by.as_str()));
    match of.view {
        View::Value | View::Shape => {}
        View::Median(median) => drop(set("median", json!(median))),
        View::TimeOfDay => drop(set("time_of_day", json!(true))),
        View::Change(change) => drop(set("change", json!(change))),
    }
}

/// A number for people: with as many digits as tell it from its like.
fn short(number: f64) -> f64 {
    format!("{number:.3e}").parse().unwrap_or(number)
}

fn round(score: f64) -> f64 {
    (score * 1e6).round() / 1e6
}

fn time(ns: i64) -> String {
    let mut text = Vec::new();
    write_rfc3339(ns, &mut text);
    String::from_utf8_lossy(&text).into_owned()
}
