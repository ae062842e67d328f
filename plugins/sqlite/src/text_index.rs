//! The full-text index over the messages: FTS5 tables without content, each for a run of ids.
//!
//! **Invariant:** an entry is never changed or removed. Ids are not used again, so one whose event is gone leads
//! nowhere; a part goes as a whole when none of its events is left.

use rusqlite::{Connection, Transaction, params};

/// Events of a part: a quarter of all there are, so that at most about that much of the index is dead, within
/// these limits.
const PART_EVENTS_MIN: i64 = 16 << 10;
const PART_EVENTS_MAX: i64 = 4 << 20;

/// Bytes of terms that are gathered before a segment is written. One segment a commit, where SQLite's own 1 MiB
/// makes many that must be merged.
const HASH_BYTES: i64 = 32 << 20;

/// A run of ids and the table `text_N` that indexes them.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Part {
    pub(crate) part: i64,
    pub(crate) first_id: i64,
    pub(crate) last_id: i64,
    events: i64,
}

impl Part {
    /// The name of its table.
    pub(crate) fn table(&self) -> String {
        format!("text_{}", self.part)
    }
}

/// All parts, the oldest first.
pub(crate) fn parts(connection: &Connection) -> rusqlite::Result<Vec<Part>> {
    let mut select = connection
        .prepare_cached("SELECT part, first_id, last_id, events FROM text_parts ORDER BY part")?;
    let parts = select.query_map([], |row| {
        let (part, first_id) = (row.get(0)?, row.get(1)?);
        Ok(Part { part, first_id, last_id: row.get(2)?, events: row.get(3)? })
    })?;
    parts.collect()
}

/// Indexes the events from an id on, all at once: row by row, or by a trigger, takes several times as long.
pub(crate) fn add_from(transaction: &Transaction<'_>, first_id: i64) -> rusqlite::Result<()> {
    let mut first_id = first_id;
    loop {
        let parts = parts(transaction)?;
        let events: i64 = parts.iter().map(|part| part.events).sum();
        let limit = (events / 4).clamp(PART_EVENTS_MIN, PART_EVENTS_MAX);
        let open = parts.last().filter(|part| part.events < limit);
        let room = open.map_or(PART_EVENTS_MAX, |part| PART_EVENTS_MAX - part.events);
        let (count, first, last): (i64, Option<i64>, Option<i64>) = transaction.query_row(
            "SELECT count(*), min(id), max(id)
             FROM (SELECT id FROM events WHERE id >= ?1 ORDER BY id LIMIT ?2)",
            [first_id, room],
            |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)),
        )?;
        let (Some(first), Some(last)) = (first, last) else { return Ok(()) };
        let part = match open {
            Some(part) => *part,
            None => new_part(transaction, parts.last().map_or(1, |part| part.part + 1), first)?,
        };
        transaction.execute(
            &format!(
                "INSERT INTO {} (rowid, message, template_id)
                 SELECT id, message, template_id FROM events WHERE id BETWEEN ?1 AND ?2",
                part.table()
            ),
            [first, last],
        )?;
        transaction.execute(
            "UPDATE text_parts SET last_id = ?2, events = events + ?3 WHERE part = ?1",
            [part.part, last, count],
        )?;
        first_id = last + 1;
    }
}

fn new_part(transaction: &Transaction<'_>, part: i64, first_id: i64) -> rusqlite::Result<Part> {
    let new = Part { part, first_id, last_id: first_id, events: 0 };
    let table = new.table();
    transaction.execute_batch(&format!(
        "CREATE VIRTUAL TABLE {table} USING fts5(
             message, template_id, content = '', columnsize = 0, tokenize = 'unicode61'
         );
         INSERT INTO {table} ({table}, rank) VALUES ('hashsize', {HASH_BYTES});"
    ))?;
    transaction.execute(
        "INSERT INTO text_parts (part, first_id, last_id, events) VALUES (?1, ?2, ?2, 0)",
        params![part, first_id],
    )?;
    Ok(new)
}

/// Drops the parts of which no event is left, except the newest.
pub(crate) fn drop_dead(transaction: &Transaction<'_>) -> rusqlite::Result<()> {
    let mut parts = parts(transaction)?;
    parts.pop();
    // The oldest event by its id tells nothing: events go by their time, and one of a wrong clock stays.
    let mut is_alive = transaction
        .prepare_cached("SELECT EXISTS (SELECT 1 FROM events WHERE id BETWEEN ?1 AND ?2)")?;
    for part in parts {
        if is_alive.query_row([part.first_id, part.last_id], |row| row.get(0))? {
            continue;
        }
        transaction.execute_batch(&format!("DROP TABLE {}", part.table()))?;
        transaction.execute("DELETE FROM text_parts WHERE part = ?1", [part.part])?;
    }
    Ok(())
}
