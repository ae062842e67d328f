//! Rows of the table by their ids, and what people say of them.

use lograil_plugin::store::{Label, LogRow};
use rusqlite::{Connection, Row, Statement, params};

use super::connection::QueryError;
use super::cursor::Key;

const SELECT: &str = "
    SELECT e.id, e.ts, e.level, e.service, e.message, e.severity, e.anomaly_score, e.template_id,
           t.text, l.label, e.fields
    FROM events e LEFT JOIN templates t ON t.id = e.template_id
                  LEFT JOIN labels l ON l.event_id = e.id
    WHERE e.id = ?1";

/// Bytes of rows beyond which no more are read at once: messages may have megabytes.
const BYTES_AT_ONCE: usize = 4 << 20;

/// The bytes of a row that can be many.
pub(super) fn size_of_row(row: &LogRow) -> usize {
    row.message.as_ref().map_or(0, String::len) + row.fields.len()
}

/// Reads rows one after the other.
pub(super) struct RowReader<'c>(Statement<'c>);

impl<'c> RowReader<'c> {
    pub(super) fn new(connection: &'c Connection) -> rusqlite::Result<Self> {
        connection.prepare(SELECT).map(Self)
    }

    /// The row of an id, if it is there.
    pub(super) fn read(&mut self, id: i64) -> rusqlite::Result<Option<LogRow>> {
        let mut rows = self.0.query([id])?;
        rows.next()?.map(log_row).transpose()
    }

    /// The rows of the first of these keys, so many at most and fewer where they are long, and how many keys that were.
    pub(super) fn read_some(
        &mut self,
        keys: &[Key],
        rows_max: usize,
    ) -> rusqlite::Result<(Vec<LogRow>, usize)> {
        let mut rows = Vec::with_capacity(rows_max.min(keys.len()));
        let mut bytes = 0;
        for (at, key) in keys.iter().take(rows_max).enumerate() {
            if bytes > BYTES_AT_ONCE {
                return Ok((rows, at));
            }
            if let Some(row) = self.read(key.id)? {
                bytes += size_of_row(&row);
                rows.push(row);
            }
        }
        Ok((rows, rows_max.min(keys.len())))
    }
}

fn log_row(row: &Row<'_>) -> rusqlite::Result<LogRow> {
    // The text of a template that was stored without one is empty.
    let template: Option<String> = row.get(8)?;
    Ok(LogRow {
        id: row.get(0)?,
        timestamp_ns: row.get(1)?,
        level: row.get(2)?,
        service: row.get(3)?,
        message: row.get(4)?,
        severity: row.get(5)?,
        anomaly_score: row.get(6)?,
        template_id: row.get(7)?,
        template: template.filter(|text| !text.is_empty()),
        label: row.get_ref(9)?.as_str_or_null()?.and_then(Label::named),
        fields: row.get(10)?,
    })
}

/// Sets or removes the label of an event; whether the event is there.
pub(super) fn label(
    connection: &Connection,
    id: i64,
    label: Option<Label>,
) -> Result<bool, QueryError> {
    let is_there = "SELECT EXISTS (SELECT 1 FROM events WHERE id = ?1)";
    if !connection.query_row(is_there, [id], |row| row.get(0))? {
        return Ok(false);
    }
    match label {
        Some(label) => connection.execute(
            "INSERT INTO labels (event_id, label) VALUES (?1, ?2)
             ON CONFLICT DO UPDATE SET label = excluded.label",
            params![id, label.name()],
        )?,
        None => connection.execute("DELETE FROM labels WHERE event_id = ?1", [id])?,
    };
    Ok(true)
}
