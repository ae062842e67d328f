//! An event of a store as the API shows it.
//!
//! **Invariant:** its other fields are the text that the store has: no number is rounded, no member left out.

use std::collections::HashMap;

use lograil_codec::time::write_rfc3339;
use lograil_plugin::schemars::{self, JsonSchema};
use lograil_plugin::store::{Label, LogRow};
use serde::Serialize;
use serde_json::value::RawValue;
use serde_json::{Map, Value};

/// How much before and after an event its permalink shows.
const AROUND_NS: i64 = 900 * 1_000_000_000;

/// An event.
#[derive(Serialize, JsonSchema)]
#[schemars(crate = "schemars")]
pub(super) struct Row {
    /// Its id in the store.
    pub id: i64,
    /// When it happened, RFC 3339 in UTC.
    pub timestamp: String,
    /// Its level.
    pub level: Option<String>,
    /// The service it comes from.
    pub service: Option<String>,
    /// Its message.
    pub message: Option<String>,
    /// How grave it is, 0 to 100.
    pub severity: Option<f64>,
    /// How unusual it is, 0 to 1.
    pub anomaly_score: Option<f64>,
    /// The id of its message template.
    pub template_id: Option<String>,
    /// Its message template.
    pub template: Option<String>,
    /// What a person thinks of it: `noise` or `real`.
    pub label: Option<&'static str>,
    /// Its other fields; null if what the store has is no JSON.
    #[schemars(with = "Option<Map<String, Value>>")]
    pub fields: Option<Box<RawValue>>,
    /// Where the page shows it among those of the same half hour.
    pub permalink: String,
}

impl From<LogRow> for Row {
    fn from(row: LogRow) -> Self {
        Self {
            id: row.id,
            timestamp: time(row.timestamp_ns),
            level: row.level,
            service: row.service,
            message: row.message,
            severity: row.severity,
            anomaly_score: row.anomaly_score,
            template_id: row.template_id,
            template: row.template,
            label: row.label.map(Label::name),
            fields: RawValue::from_string(row.fields).ok(),
            permalink: permalink(row.id, row.timestamp_ns),
        }
    }
}

impl Row {
    /// The text of one of its other fields.
    pub(super) fn field(&self, name: &str) -> Option<Box<RawValue>> {
        let fields = self.fields.as_ref()?.get();
        let fields: HashMap<String, &RawValue> = serde_json::from_str(fields).ok()?;
        fields.get(name).map(|value| (*value).to_owned())
    }
}

fn permalink(id: i64, ns: i64) -> String {
    let (from, to) = (time(ns.saturating_sub(AROUND_NS)), time(ns.saturating_add(AROUND_NS)));
    format!("/#logs/{id}?from={from}&to={to}")
}

/// A time as the API writes it.
pub(super) fn time(ns: i64) -> String {
    let mut text = Vec::with_capacity(32);
    write_rfc3339(ns, &mut text);
    String::from_utf8(text).unwrap_or_default()
}
