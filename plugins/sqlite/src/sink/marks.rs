//! What a database says of itself: which one it is, the id the next event gets, and who writes to it.
//!
//! **Invariant:** all of it is read and changed in transactions that hold the lock of writers.

use rusqlite::{OptionalExtension, Transaction};

use super::State;

/// The marks of a database.
pub(super) struct Marks {
    pub identity: String,
    pub next_id: i64,
    /// None where a version that did not know writers has made it.
    pub writer: Option<String>,
}

impl Marks {
    pub fn of(transaction: &Transaction<'_>) -> rusqlite::Result<Self> {
        let mut select = transaction.prepare_cached("SELECT value FROM store WHERE name = ?1")?;
        Ok(Self {
            identity: select.query_row(["identity"], |row| row.get(0))?,
            next_id: select.query_row(["next_id"], |row| row.get(0))?,
            writer: select.query_row(["writer"], |row| row.get(0)).optional()?,
        })
    }

    /// Whether whoever has this state was the last to write here: then all that it does not know is its own.
    pub fn are_of(&self, state: &State) -> bool {
        let is_last = self.writer.as_ref().is_none_or(|writer| *writer == state.writer);
        self.identity == state.identity && is_last
    }
}

/// Makes it the database of this identity, the ids of which begin here.
pub(super) fn identify(
    transaction: &Transaction<'_>,
    identity: &str,
    next_id: i64,
) -> rusqlite::Result<()> {
    let update = "UPDATE store SET value = ?2 WHERE name = ?1";
    transaction.execute(update, ["identity", identity])?;
    transaction.execute(update, ("next_id", next_id))?;
    Ok(())
}

/// Whoever has written until now writes no more.
pub(super) fn claim(transaction: &Transaction<'_>, writer: &str) -> rusqlite::Result<()> {
    let put = "INSERT INTO store VALUES ('writer', ?1)
               ON CONFLICT (name) DO UPDATE SET value = ?1 WHERE value <> ?1";
    transaction.execute(put, [writer]).map(|_| ())
}

/// A name that nobody has.
pub(super) fn new_writer(transaction: &Transaction<'_>) -> rusqlite::Result<String> {
    transaction.query_row("SELECT lower(hex(randomblob(16)))", [], |row| row.get(0))
}
