//! Lines and JSON objects as batches, and batches as JSON objects.

use bytes::Bytes;
use lograil_codec::json::{ParseOptions, Parser};
use lograil_codec::lines::{self, LastLine, LineOptions};
use lograil_event::Batch;
use serde_json::Value;

/// Lines as a source reads them: each an event with the field `message`.
pub(super) fn of_lines<T: std::fmt::Display>(lines: &[T]) -> Batch {
    let text: String = lines.iter().map(|line| format!("{line}\n")).collect();
    let options = LineOptions {
        events_max: usize::MAX,
        last_line: LastLine::Take,
        ..LineOptions::new("message", lograil_event::TIMESTAMP_UNKNOWN)
    };
    let mut batch = Batch::new();
    lines::split(&mut batch, &Bytes::from(text), None, options);
    batch
}

/// Objects as `parse` leaves them.
pub(super) fn of_objects(objects: &[Value]) -> Result<Batch, String> {
    let mut batch = of_lines(objects);
    let mut failures = Vec::new();
    let options = ParseOptions { target: None, keep_source: false };
    Parser::new().parse_batch(&mut batch, "message", options, &mut failures);
    match failures.first() {
        None => Ok(batch),
        Some((_, error)) => Err(format!("an event cannot be read: {error}")),
    }
}

/// An event as it is written in a case: a table, or a text that holds a JSON object.
pub(super) fn written(written: &Value) -> Result<Value, String> {
    let value = match written {
        Value::String(text) => serde_json::from_str(text)
            .map_err(|error| format!("an event is not JSON: {error}: {text}"))?,
        other => other.clone(),
    };
    if value.is_object() { Ok(value) } else { Err(format!("an event is not an object: {value}")) }
}
