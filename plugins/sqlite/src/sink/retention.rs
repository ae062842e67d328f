//! What is kept: the oldest events go when they are too old, or when the database is too large.
//!
//! **Invariant:** each call removes a bounded number of events, so that a limit that was lowered never holds up
//! what arrives for long.

use lograil_plugin::{ByteSize, Period};
use rusqlite::{Connection, TransactionBehavior};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::tally::COARSEST;
use crate::{removal, text_index};

/// Events that go with a commit: twice as many as came, and at least so many.
const EVENTS_MIN: usize = 10_000;

/// The least that `max_bytes` may be: what an empty database and one commit take.
pub(super) const SIZE_BYTES_MIN: u64 = 32 << 20;

/// Limits of what is kept.
#[derive(Debug, Clone, Copy, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Retention {
    /// Events whose time is longer ago are removed; without it none are for their age.
    pub max_age: Option<Period>,
    /// Bytes of the database beyond which the oldest events are removed; without it none are for their size.
    pub max_bytes: Option<ByteSize>,
}

impl Retention {
    /// Removes what is beyond the limits; `arrived` events came since the last time.
    pub(super) fn enforce(
        &self,
        connection: &mut Connection,
        now_ns: i64,
        arrived: usize,
    ) -> rusqlite::Result<()> {
        let events_max = (2 * arrived).max(EVENTS_MIN);
        let end_ns = self.end_ns(connection, now_ns)?;
        let excess = self.excess(connection, events_max)?;
        if end_ns.is_none() && excess == 0 {
            return Ok(());
        }
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let mut removed = 0;
        if let Some(end_ns) = end_ns {
            removed = removal::remove_before(&transaction, end_ns, events_max)?;
        }
        if removed < excess {
            removed += removal::remove_before(&transaction, i64::MAX, excess - removed)?;
        }
        text_index::drop_dead(&transaction)?;
        transaction.commit()?;
        tracing::debug!(removed, "removed the oldest events");
        Ok(())
    }

    /// The time before which events are too old, if there are such events.
    fn end_ns(&self, connection: &Connection, now_ns: i64) -> rusqlite::Result<Option<i64>> {
        let Some(Period(age)) = self.max_age else { return Ok(None) };
        let end_ns = now_ns.saturating_sub(i64::try_from(age.as_nanos()).unwrap_or(i64::MAX));
        let oldest: Option<i64> =
            connection.query_row("SELECT min(ts) FROM events", [], |row| row.get(0))?;
        Ok(oldest.filter(|oldest| *oldest < end_ns).map(|_| end_ns))
    }

    /// About how many events must go for the size, `events_max` at most.
    fn excess(&self, connection: &Connection, events_max: usize) -> rusqlite::Result<usize> {
        let Some(ByteSize(max)) = self.max_bytes else { return Ok(0) };
        let number = |sql: &str| connection.query_row(sql, [], |row| row.get::<_, i64>(0));
        let pages = number("PRAGMA page_count")? - number("PRAGMA freelist_count")?;
        let bytes = (pages * number("PRAGMA page_size")?).cast_unsigned();
        if bytes <= max {
            return Ok(0);
        }
        let count =
            format!("SELECT ifnull(sum(events), 0) FROM level_counts WHERE scale = {COARSEST}");
        let events = number(&count)?.cast_unsigned();
        let share = (bytes - max) as f64 / bytes as f64;
        Ok(((events as f64 * share) as usize + 1).min(events_max))
    }
}
