//! The baseline: an event as a row of its own, `BTreeMap<String, serde_json::Value>`, parsed and written by
//! serde_json. This is how a pipeline is written that does not think of batches.

use std::collections::BTreeMap;

use serde_json::Value;

/// One event.
pub type Row = BTreeMap<String, Value>;

/// The events of a block of lines; a line that is no object is left out.
#[must_use]
pub fn parse(block: &[u8]) -> Vec<Row> {
    let lines = block.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
    lines.filter_map(|line| serde_json::from_slice(line).ok()).collect()
}

/// Adds one text field to every row.
pub fn add(rows: &mut [Row], name: &str, text: &str) {
    for row in rows {
        row.insert(name.to_owned(), Value::from(text));
    }
}

/// Keeps the rows whose integer `name` is at least `least`.
pub fn filter(rows: &mut Vec<Row>, name: &str, least: i64) {
    rows.retain(|row| row.get(name).and_then(Value::as_i64).is_some_and(|value| value >= least));
}

/// Appends every row as a line of JSON.
pub fn encode(rows: &[Row], out: &mut Vec<u8>) {
    for row in rows {
        let written = serde_json::to_writer(&mut *out, row);
        debug_assert!(written.is_ok(), "a row is always written");
        out.push(b'\n');
    }
}
