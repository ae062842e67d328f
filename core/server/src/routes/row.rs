//! An event of a store as the API shows it.

use lograil_codec::time::write_rfc3339;
use lograil_plugin::schemars::{self, JsonSchema};
use lograil_plugin::store::{Label, LogRow};
use serde::Serialize;
use serde_json::{Map, Value};

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
    /// Its other fields.
    pub fields: Map<String, Value>,
    /// Where the page shows it.
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
            label: row.label.map(label_name),
            fields: serde_json::from_str(&row.fields).unwrap_or_default(),
            permalink: format!("/#logs/{}", row.id),
        }
    }
}

/// A time as the API writes it.
pub(super) fn time(ns: i64) -> String {
    let mut text = Vec::with_capacity(32);
    write_rfc3339(ns, &mut text);
    String::from_utf8(text).unwrap_or_default()
}

const fn label_name(label: Label) -> &'static str {
    match label {
        Label::Noise => "noise",
        Label::Real => "real",
    }
}
