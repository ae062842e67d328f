//! Rows that wait for the next commit.

use std::ops::Range;

use lograil_codec::json::encode_value;
use lograil_event::{Batch, Key, TIMESTAMP_UNKNOWN, ValueRef};

/// Rows as flat text, so that a transaction that failed can be tried again.
#[derive(Default)]
pub(super) struct Pending {
    text: String,
    rows: Vec<PendingRow>,
}

struct PendingRow {
    id: i64,
    timestamp_ns: i64,
    level: Option<Range<usize>>,
    service: Option<Range<usize>>,
    message: Option<Range<usize>>,
    fields: Range<usize>,
}

/// One row.
pub(super) struct Row<'a> {
    pub(super) id: i64,
    pub(super) timestamp_ns: i64,
    pub(super) level: Option<&'a str>,
    pub(super) service: Option<&'a str>,
    pub(super) message: Option<&'a str>,
    pub(super) fields: &'a str,
}

impl Pending {
    pub(super) fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    pub(super) fn clear(&mut self) {
        self.rows.clear();
        self.text.clear();
    }

    /// Adds the events of a batch under the ids from `id` on; the bytes they take. `now_ns` is the time of events
    /// that have none.
    pub(super) fn add(&mut self, batch: &Batch, id: i64, now_ns: i64) -> u64 {
        let before = self.text.len();
        let columns = ["level", "service", "message"].map(|name| batch.find_key(name));
        let mut json = Vec::new();
        for (event, id) in batch.iter().zip(id..) {
            let mut found: [Option<Range<usize>>; 3] = [None, None, None];
            json.clear();
            json.push(b'{');
            for field in event.fields() {
                let value = batch.value(field);
                let column = columns.iter().position(|key| *key == Some(Key(field.key)));
                if let (Some(column), ValueRef::Str { text, .. }) = (column, value)
                    && found[column].is_none()
                    && let Ok(text) = std::str::from_utf8(text)
                {
                    let start = self.text.len();
                    self.text.push_str(text);
                    found[column] = Some(start..self.text.len());
                    continue;
                }
                if json.len() > 1 {
                    json.push(b',');
                }
                batch.keys().append_json_to(Key(field.key), &mut json);
                encode_value(value, &mut json);
            }
            json.push(b'}');
            let start = self.text.len();
            // Encoded JSON is UTF-8; nothing is replaced.
            self.text.push_str(&String::from_utf8_lossy(&json));
            let [level, service, message] = found;
            let timestamp_ns = match event.timestamp_ns() {
                TIMESTAMP_UNKNOWN => now_ns,
                known => known,
            };
            let fields = start..self.text.len();
            self.rows.push(PendingRow { id, timestamp_ns, level, service, message, fields });
        }
        (self.text.len() - before) as u64
    }

    pub(super) fn rows(&self) -> impl Iterator<Item = Row<'_>> {
        let text = |range: &Option<Range<usize>>| range.clone().map(|range| &self.text[range]);
        self.rows.iter().map(move |row| Row {
            id: row.id,
            timestamp_ns: row.timestamp_ns,
            level: text(&row.level),
            service: text(&row.service),
            message: text(&row.message),
            fields: &self.text[row.fields.clone()],
        })
    }
}
