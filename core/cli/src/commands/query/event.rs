//! Events as lines.

use lograil_plugin::store::{Label, LogRow};
use serde_json::{Value, json};

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
            QueryFormat::Json => printer.json(&object(row))?,
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

fn object(row: &LogRow) -> Value {
    json!({
        "id": row.id,
        "timestamp": time(row.timestamp_ns),
        "level": row.level,
        "service": row.service,
        "message": row.message,
        "severity": row.severity,
        "anomaly_score": row.anomaly_score,
        "template_id": row.template_id,
        "template": row.template,
        "label": row.label.map(label),
        "fields": serde_json::from_str::<Value>(&row.fields).unwrap_or_default(),
    })
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
        row.label.map(label).unwrap_or_default().to_owned(),
        row.fields.clone(),
    ]
}

fn label(label: Label) -> &'static str {
    match label {
        Label::Noise => "noise",
        Label::Real => "real",
    }
}
