//! Events as lines.

use lograil_plugin::store::{Label, LogRow};
use serde::Serialize;
use serde_json::value::RawValue;

use super::output::{Printer, shown, time};
use crate::args::QueryFormat;

const CSV_HEADER: [&str; 11] = [
    "id",
    "timestamp",
    "level",
    "service",
    "message",
    "severity",
    "anomaly_score",
    "template_id",
    "template",
    "label",
    "fields",
];

pub(super) fn print(logs: &[LogRow], printer: &mut Printer) -> anyhow::Result<()> {
    for row in logs {
        match printer.format {
            QueryFormat::Table => printer.line(&line(row, printer.color))?,
            QueryFormat::Json => printer.json(&Object::of(row))?,
            QueryFormat::Csv => printer.csv(&CSV_HEADER, &values(row))?,
        }
    }
    Ok(())
}

/// Time, level, service and message; what there is of them.
fn line(row: &LogRow, color: bool) -> String {
    let level = row.level.as_deref().unwrap_or("-");
    let level_shown = format!("{:<5}", shown(level));
    let level_shown = match (color, level) {
        (true, "ERROR" | "FATAL" | "CRITICAL") => format!("\x1b[31m{level_shown}\x1b[0m"),
        (true, "WARN" | "WARNING") => format!("\x1b[33m{level_shown}\x1b[0m"),
        _ => level_shown,
    };
    let service = shown(row.service.as_deref().unwrap_or("-"));
    // An event without a message shows what it has instead.
    let message = shown(row.message.as_deref().unwrap_or(&row.fields));
    format!("{:<30} {level_shown} {service:<12} {message}", time(row.timestamp_ns))
}

/// An event as JSON. Its other fields are the text that the store has: no number is rounded.
#[derive(Serialize)]
struct Object<'r> {
    id: i64,
    timestamp: String,
    level: Option<&'r str>,
    service: Option<&'r str>,
    message: Option<&'r str>,
    severity: Option<f64>,
    anomaly_score: Option<f64>,
    template_id: Option<&'r str>,
    template: Option<&'r str>,
    label: Option<&'static str>,
    fields: Option<&'r RawValue>,
}

impl<'r> Object<'r> {
    fn of(row: &'r LogRow) -> Self {
        Self {
            id: row.id,
            timestamp: time(row.timestamp_ns),
            level: row.level.as_deref(),
            service: row.service.as_deref(),
            message: row.message.as_deref(),
            severity: row.severity,
            anomaly_score: row.anomaly_score,
            template_id: row.template_id.as_deref(),
            template: row.template.as_deref(),
            label: row.label.map(Label::name),
            fields: serde_json::from_str(&row.fields).ok(),
        }
    }
}

fn values(row: &LogRow) -> [String; 11] {
    let text = |text: &Option<String>| text.clone().unwrap_or_default();
    let number = |number: Option<f64>| number.map(|number| number.to_string()).unwrap_or_default();
    [
        row.id.to_string(),
        time(row.timestamp_ns),
        text(&row.level),
        text(&row.service),
        text(&row.message),
        number(row.severity),
        number(row.anomaly_score),
        text(&row.template_id),
        text(&row.template),
        row.label.map(Label::name).unwrap_or_default().to_owned(),
        row.fields.clone(),
    ]
}
