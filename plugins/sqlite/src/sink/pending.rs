//! Rows that wait for the next commit.

use std::ops::Range;

use lograil_codec::json::encode_value;
use lograil_event::{Batch, EventRef, Key, TIMESTAMP_UNKNOWN};

use super::columns::{Copied, Role, Roles, TEXT_COLUMNS, TextColumn};

/// Rows as flat text, so that a transaction that failed can be tried again.
#[derive(Default)]
pub(super) struct Pending {
    text: String,
    rows: Vec<PendingRow>,
    json: Vec<u8>,
}

type TextRange = Option<Range<usize>>;

struct PendingRow {
    id: i64,
    timestamp_ns: i64,
    /// By [`TextColumn`].
    texts: [TextRange; TEXT_COLUMNS],
    fields: Range<usize>,
    copied: Copied,
}

/// One row.
pub(super) struct Row<'a> {
    pub(super) id: i64,
    pub(super) timestamp_ns: i64,
    pub(super) level: Option<&'a str>,
    pub(super) service: Option<&'a str>,
    pub(super) message: Option<&'a str>,
    pub(super) template_id: Option<&'a str>,
    pub(super) template: Option<&'a str>,
    pub(super) fields: &'a str,
    pub(super) copied: &'a Copied,
}

impl Pending {
    pub(super) fn len(&self) -> usize {
        self.rows.len()
    }

    /// The id of the first row, if there is one.
    pub(super) fn first_id(&self) -> Option<i64> {
        self.rows.first().map(|row| row.id)
    }

    /// Gives all rows higher ids.
    pub(super) fn shift(&mut self, ids: i64) {
        for row in &mut self.rows {
            row.id += ids;
        }
    }

    pub(super) fn clear(&mut self) {
        self.rows.clear();
        self.text.clear();
    }

    /// Adds the events of a batch under the ids from `id` on; the bytes they take. `now_ns` is the time of events
    /// that have none.
    pub(super) fn add(&mut self, batch: &Batch, id: i64, now_ns: i64) -> u64 {
        let before = self.text.len();
        let roles = Roles::of(batch);
        let mut json = std::mem::take(&mut self.json);
        for (event, id) in batch.iter().zip(id..) {
            let row = self.row(event, &roles, &mut json);
            let timestamp_ns = match event.timestamp_ns() {
                TIMESTAMP_UNKNOWN => now_ns,
                known => known,
            };
            self.rows.push(PendingRow { id, timestamp_ns, ..row });
        }
        self.json = json;
        (self.text.len() - before) as u64
    }

    fn row(&mut self, event: EventRef<'_>, roles: &Roles, json: &mut Vec<u8>) -> PendingRow {
        let batch = event.batch();
        let mut texts: [TextRange; TEXT_COLUMNS] = std::array::from_fn(|_| None);
        let mut copied = Copied::default();
        let mut nested = false;
        // A template's text is kept with its id alone.
        let has_template_id = event.fields().iter().any(|field| {
            roles.role(Key(field.key)) == Role::Text(TextColumn::TemplateId)
                && batch.value(field).as_str().is_some()
        });
        json.clear();
        json.push(b'{');
        for field in event.fields() {
            let value = batch.value(field);
            match roles.role(Key(field.key)) {
                Role::Text(column) => {
                    let is_free = texts[column as usize].is_none()
                        && (column != TextColumn::Template || has_template_id);
                    if let (true, Some(text)) = (is_free, value.as_str()) {
                        texts[column as usize] = Some(self.push(text));
                        continue;
                    }
                }
                Role::Copied(column) => copied.set(column, value),
                Role::Nested(_) => nested = true,
                Role::Other => {}
            }
            if json.len() > 1 {
                json.push(b',');
            }
            batch.keys().append_json_to(Key(field.key), json);
            encode_value(value, json);
        }
        json.push(b'}');
        if nested {
            for field in event.fields() {
                if let Role::Nested(members) = roles.role(Key(field.key)) {
                    copied.set_nested(members, batch.value(field));
                }
            }
        }
        if let Some(level) = &texts[TextColumn::Level as usize] {
            self.text[level.clone()].make_ascii_uppercase();
        }
        // Encoded JSON is UTF-8; nothing is replaced.
        let fields = self.push(&String::from_utf8_lossy(json));
        PendingRow { id: 0, timestamp_ns: 0, texts, fields, copied }
    }

    fn push(&mut self, text: &str) -> Range<usize> {
        let start = self.text.len();
        self.text.push_str(text);
        start..self.text.len()
    }

    pub(super) fn rows(&self) -> impl Iterator<Item = Row<'_>> {
        self.rows.iter().map(move |row| {
            let text = |column: TextColumn| {
                row.texts[column as usize].clone().map(|range| &self.text[range])
            };
            Row {
                id: row.id,
                timestamp_ns: row.timestamp_ns,
                level: text(TextColumn::Level),
                service: text(TextColumn::Service),
                message: text(TextColumn::Message),
                template_id: text(TextColumn::TemplateId),
                template: text(TextColumn::Template),
                fields: &self.text[row.fields.clone()],
                copied: &row.copied,
            }
        })
    }
}
