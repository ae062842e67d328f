//! Taking events out again, with all that is derived from them.

use rusqlite::Transaction;

use crate::tally::{Sign, Tally};

/// Removes the events from an id on. Their entries in the text index stay; no event gets these ids again.
pub(crate) fn remove_from(transaction: &Transaction<'_>, first_id: i64) -> rusqlite::Result<()> {
    let mut tally = Tally::default();
    tally.add_stored(transaction, "id >= ?1", [first_id])?;
    transaction.execute("DELETE FROM labels WHERE event_id >= ?1", [first_id])?;
    transaction.execute("DELETE FROM events WHERE id >= ?1", [first_id])?;
    tally.apply(transaction, Sign::Remove)
}
