//! Taking events out again, with all that is derived from them.

use rusqlite::{Transaction, params};

use crate::tally::{Sign, Tally};

/// Removes the events from an id on. Their entries in the text index stay; no event gets these ids again.
pub(crate) fn remove_from(transaction: &Transaction<'_>, first_id: i64) -> rusqlite::Result<()> {
    let mut tally = Tally::default();
    tally.add_stored(transaction, "id >= ?1", [first_id])?;
    transaction.execute("DELETE FROM labels WHERE event_id >= ?1", [first_id])?;
    transaction.execute("DELETE FROM events WHERE id >= ?1", [first_id])?;
    tally.apply(transaction, Sign::Remove)
}

/// Removes the oldest events before a time, at most so many; how many went.
pub(crate) fn remove_before(
    transaction: &Transaction<'_>,
    end_ns: i64,
    events_max: usize,
) -> rusqlite::Result<usize> {
    let last: Option<(i64, i64)> = {
        let mut select = transaction.prepare(
            "SELECT ts, id FROM (SELECT ts, id FROM events WHERE ts < ?1 ORDER BY ts, id LIMIT ?2)
             ORDER BY ts DESC, id DESC LIMIT 1",
        )?;
        let mut rows = select.query(params![end_ns, events_max as i64])?;
        match rows.next()? {
            Some(row) => Some((row.get(0)?, row.get(1)?)),
            None => None,
        }
    };
    let Some((ts, id)) = last else { return Ok(0) };
    let oldest = "ts <= ?1 AND (ts < ?1 OR id <= ?2)";
    let mut tally = Tally::default();
    tally.add_stored(transaction, oldest, [ts, id])?;
    transaction.execute(
        &format!(
            "DELETE FROM labels WHERE event_id IN (SELECT id FROM events WHERE {oldest})
             AND EXISTS (SELECT 1 FROM labels)"
        ),
        [ts, id],
    )?;
    let removed = transaction.execute(&format!("DELETE FROM events WHERE {oldest}"), [ts, id])?;
    tally.apply(transaction, Sign::Remove)?;
    Ok(removed)
}
