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
    /// Who wrote before, as long as the writer has not written yet: its checkpoint still holds, and it may go on.
    pub before: Option<String>,
}

impl Marks {
    pub fn of(transaction: &Transaction<'_>) -> rusqlite::Result<Self> {
        let mut select = transaction.prepare_cached("SELECT value FROM store WHERE name = ?1")?;
        Ok(Self {
            identity: select.query_row(["identity"], |row| row.get(0))?,
            next_id: select.query_row(["next_id"], |row| row.get(0))?,
            writer: select.query_row(["writer"], |row| row.get(0)).optional()?,
            before: select.query_row(["writer_before"], |row| row.get(0)).optional()?,
        })
    }

    /// Whether whoever has this state was the last to write here: then all that it does not know is its own.
    pub fn are_of(&self, state: &State) -> bool {
        let is_last = self.writer.is_none() || self.admit(&state.writer);
        self.identity == state.identity && is_last
    }

    /// Whether nobody else has written since this one did, or opened the database.
    pub fn admit(&self, writer: &str) -> bool {
        [&self.writer, &self.before].into_iter().any(|name| name.as_deref() == Some(writer))
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

/// Whoever has written until now writes no more; unless that is `before` and goes on before the new writer begins.
pub(super) fn claim(
    transaction: &Transaction<'_>,
    writer: &str,
    before: Option<&str>,
) -> rusqlite::Result<()> {
    let put = "INSERT INTO store VALUES (?1, ?2) ON CONFLICT (name) DO UPDATE SET value = ?2";
    transaction.execute(put, ["writer", writer])?;
    match before {
        Some(before) => transaction.execute(put, ["writer_before", before])?,
        None => transaction.execute("DELETE FROM store WHERE name = 'writer_before'", [])?,
    };
    Ok(())
}

/// A name that nobody has.
pub(super) fn new_writer(transaction: &Transaction<'_>) -> rusqlite::Result<String> {
    transaction.query_row("SELECT lower(hex(randomblob(16)))", [], |row| row.get(0))
}
