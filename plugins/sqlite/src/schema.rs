//! The database: its tables, and whether a file is one of ours.

use std::path::Path;
use std::time::Duration;

use rusqlite::Connection;

/// `application_id` of our databases: "lgrl".
const APPLICATION_ID: i32 = 0x6C67_726C;

/// Version of the tables, kept in `user_version`.
const VERSION: i32 = 1;

/// How long a call waits for a lock of another process before it fails.
const BUSY_TIMEOUT: Duration = Duration::from_secs(2);

/// Larger pages than SQLite's 4 KiB: fewer of them are written for each commit.
const SETTINGS: &str = "
    PRAGMA page_size = 16384;
    PRAGMA journal_mode = WAL;
    PRAGMA synchronous = FULL;
    PRAGMA cache_size = -65536;
";

/// `ts` is in nanoseconds since the Unix epoch; `fields` is the text of a JSON object.
const TABLES: &str = "
    CREATE TABLE events (
        id INTEGER PRIMARY KEY,
        ts INTEGER NOT NULL,
        level TEXT,
        service TEXT,
        message TEXT,
        fields TEXT NOT NULL
    ) STRICT;
    CREATE INDEX events_by_time ON events (ts, level, service);
    CREATE TABLE store (name TEXT PRIMARY KEY, value ANY) STRICT, WITHOUT ROWID;
    INSERT INTO store VALUES ('identity', lower(hex(randomblob(16))));
    INSERT INTO store VALUES ('next_id', 1);
";

/// Why a file cannot be written to.
pub(crate) enum Unusable {
    /// SQLite said so.
    Sqlite(rusqlite::Error),
    /// It is a database, but not one that this program can go on with.
    Foreign(String),
}

impl From<rusqlite::Error> for Unusable {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sqlite(error)
    }
}

/// Opens a database to write to; one that is missing or empty gets its tables.
pub(crate) fn open(path: &Path) -> Result<Connection, Unusable> {
    let mut connection = Connection::open(path)?;
    connection.busy_timeout(BUSY_TIMEOUT)?;
    let application: i32 = connection.pragma_query_value(None, "application_id", |r| r.get(0))?;
    let version: i32 = connection.pragma_query_value(None, "user_version", |r| r.get(0))?;
    let tables: i64 =
        connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
    if application != APPLICATION_ID && (tables > 0 || application != 0) {
        return Err(Unusable::Foreign("the database belongs to another program".to_owned()));
    }
    if version > VERSION {
        return Err(Unusable::Foreign(format!(
            "the database has version {version}, this program knows up to {VERSION}; use a newer lograil"
        )));
    }
    connection.execute_batch(SETTINGS)?;
    if tables == 0 {
        let transaction = connection.transaction()?;
        transaction.execute_batch(TABLES)?;
        transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
        transaction.pragma_update(None, "user_version", VERSION)?;
        transaction.commit()?;
    }
    Ok(connection)
}
