//! Databases of older versions become those of this one, in the transaction of whoever opens them to write.

use rusqlite::Transaction;

use crate::schema::DERIVED;
use crate::tally::{Sign, Tally};
use crate::text_index;

/// Version 1 had no derived columns, counts, templates and no text index, and kept levels as they came.
pub(crate) fn from_version_1(transaction: &Transaction<'_>) -> rusqlite::Result<()> {
    transaction.execute_batch(
        r#"
        ALTER TABLE events ADD COLUMN severity REAL;
        ALTER TABLE events ADD COLUMN anomaly_score REAL;
        ALTER TABLE events ADD COLUMN is_anomaly INTEGER;
        ALTER TABLE events ADD COLUMN burst TEXT;
        ALTER TABLE events ADD COLUMN template_id TEXT;
        UPDATE events SET level = upper(level) WHERE level <> upper(level);
        UPDATE events SET severity = json_extract(fields, '$.severity')
            WHERE json_type(fields, '$.severity') IN ('integer', 'real');
        UPDATE events SET
            anomaly_score = coalesce(
                iif(json_type(fields, '$."anomaly.score"') IN ('integer', 'real'), fields ->> '$."anomaly.score"', NULL),
                iif(json_type(fields, '$.anomaly.score') IN ('integer', 'real'), fields ->> '$.anomaly.score', NULL)),
            is_anomaly = iif('true' IN (json_type(fields, '$."anomaly.alarm"'), json_type(fields, '$.anomaly.alarm')), 1, NULL),
            burst = coalesce(
                iif(json_type(fields, '$."burst.event"') = 'text', fields ->> '$."burst.event"', NULL),
                iif(json_type(fields, '$.burst.event') = 'text', fields ->> '$.burst.event', NULL))
            WHERE fields LIKE '%anomaly%' OR fields LIKE '%burst%';
        "#,
    )?;
    transaction.execute_batch(DERIVED)?;
    let mut tally = Tally::default();
    tally.add_stored(transaction, "id >= ?1", [i64::MIN])?;
    tally.apply(transaction, Sign::Add)?;
    text_index::add_from(transaction, i64::MIN)
}
