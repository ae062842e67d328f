//! The database: its tables, and whether a file is one of ours.

use std::path::Path;
use std::time::Duration;

use rusqlite::{Connection, ErrorCode, OpenFlags, TransactionBehavior};

use crate::migration;

/// `application_id` of our databases: "lgrl".
const APPLICATION_ID: i32 = 0x6C67_726C;

/// Version of the tables, kept in `user_version`.
const VERSION: i32 = 2;

/// How long a call waits for a lock of another process before it fails.
const BUSY_TIMEOUT: Duration = Duration::from_secs(2);

/// Larger pages than SQLite's 4 KiB: fewer of them are written for each commit. The log is cut after a reader
/// made it grow.
const SETTINGS: &str = "
    PRAGMA page_size = 16384;
    PRAGMA journal_mode = WAL;
    PRAGMA synchronous = FULL;
    PRAGMA cache_size = -65536;
    PRAGMA journal_size_limit = 67108864;
";

/// `ts` is in nanoseconds since the Unix epoch; `fields` is the text of a JSON object.
const EVENTS: &str = "
    CREATE TABLE events (
        id INTEGER PRIMARY KEY,
        ts INTEGER NOT NULL,
        level TEXT,
        service TEXT,
        message TEXT,
        fields TEXT NOT NULL,
        severity REAL,
        anomaly_score REAL,
        is_anomaly INTEGER,
        burst TEXT,
        template_id TEXT
    ) STRICT;
    CREATE INDEX events_by_time ON events (ts, level, service);
    CREATE TABLE store (name TEXT PRIMARY KEY, value ANY) STRICT, WITHOUT ROWID;
    INSERT INTO store VALUES ('identity', lower(hex(randomblob(16))));
    INSERT INTO store VALUES ('next_id', 1);
";

/// What is derived from the events, and what people add. `scale` and `start` are in seconds: an event counts
/// once at each scale.
pub(crate) const DERIVED: &str = "
    CREATE INDEX anomalies_by_time ON events (ts) WHERE is_anomaly = 1;
    CREATE INDEX bursts_by_time ON events (ts) WHERE burst IS NOT NULL;
    CREATE TABLE level_counts (
        scale INTEGER NOT NULL,
        start INTEGER NOT NULL,
        level TEXT NOT NULL,
        events INTEGER NOT NULL,
        anomalies INTEGER NOT NULL,
        PRIMARY KEY (scale, start, level)
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE service_counts (
        scale INTEGER NOT NULL,
        service TEXT NOT NULL,
        start INTEGER NOT NULL,
        level TEXT NOT NULL,
        events INTEGER NOT NULL,
        anomalies INTEGER NOT NULL,
        PRIMARY KEY (scale, service, start, level)
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE templates (
        id TEXT PRIMARY KEY,
        text TEXT NOT NULL,
        events INTEGER NOT NULL,
        first_seen INTEGER NOT NULL,
        last_seen INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE labels (event_id INTEGER PRIMARY KEY, label TEXT NOT NULL) STRICT;
    CREATE TABLE text_parts (
        part INTEGER PRIMARY KEY,
        first_id INTEGER NOT NULL,
        last_id INTEGER NOT NULL,
        events INTEGER NOT NULL
    ) STRICT;
";

/// Why a file cannot be used.
#[derive(Debug)]
pub(crate) enum Unusable {
    /// SQLite said so.
    Sqlite(rusqlite::Error),
    /// It is a database, but not one that this program can go on with.
    Foreign(String),
    /// It has no tables yet, or those of an older version: whoever writes to it makes or changes them.
    Unfinished(String),
}

impl From<rusqlite::Error> for Unusable {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sqlite(error)
    }
}

/// Opens a database to write to; one that is missing or empty gets its tables, an older one is brought up to date.
pub(crate) fn open(path: &Path) -> Result<Connection, Unusable> {
    let mut connection = Connection::open(path)?;
    connection.busy_timeout(BUSY_TIMEOUT)?;
    let version = check(&connection)?;
    connection.execute_batch(SETTINGS)?;
    if version == VERSION {
        return Ok(connection);
    }
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    // Asked again with the lock held: another process may have done it meanwhile.
    match check(&transaction)? {
        VERSION => {}
        0 => {
            transaction.execute_batch(EVENTS)?;
            transaction.execute_batch(DERIVED)?;
        }
        _ => migration::from_version_1(&transaction)?,
    }
    transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
    transaction.pragma_update(None, "user_version", VERSION)?;
    transaction.commit()?;
    Ok(connection)
}

/// Opens a database that is there, to read from it.
pub(crate) fn open_to_read(path: &Path) -> Result<Connection, Unusable> {
    match open_present(path, OpenFlags::SQLITE_OPEN_READ_ONLY) {
        // Even who reads needs files beside the database, unless nobody can write to it.
        Err(Unusable::Sqlite(error))
            if error.sqlite_error_code() == Some(ErrorCode::CannotOpen) && path.is_file() =>
        {
            open_immutable(path)
        }
        opened => opened,
    }
}

/// Opens a database in a place where nothing can be written.
fn open_immutable(path: &Path) -> Result<Connection, Unusable> {
    let mut log = path.as_os_str().to_owned();
    log.push("-wal");
    if std::fs::metadata(&log).is_ok_and(|log| log.len() > 0) {
        return Err(Unusable::Unfinished(format!(
            "nothing can be written beside it, and {} holds events that are not in it yet; \
             copy both to a directory where you may write",
            log.display()
        )));
    }
    let uri = format!("file:{}?immutable=1", percent_encoded(path));
    let access = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_URI;
    open_present(Path::new(&uri), access)
}

/// A path as a URI has it.
fn percent_encoded(path: &Path) -> String {
    let mut encoded = String::new();
    for byte in path.as_os_str().as_encoded_bytes() {
        if byte.is_ascii_alphanumeric() || b"/-_.~".contains(byte) {
            encoded.push(char::from(*byte));
        } else {
            encoded.push_str(&format!("%{byte:02X}"));
        }
    }
    encoded
}

/// Opens a database that is there and up to date, to change single rows.
pub(crate) fn open_to_change(path: &Path) -> Result<Connection, Unusable> {
    let connection = open_present(path, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    Ok(connection)
}

fn open_present(path: &Path, access: OpenFlags) -> Result<Connection, Unusable> {
    let connection = Connection::open_with_flags(path, access | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
    connection.busy_timeout(BUSY_TIMEOUT)?;
    match check(&connection)? {
        VERSION => Ok(connection),
        0 => Err(Unusable::Unfinished("nothing was stored in it yet".to_owned())),
        version => Err(Unusable::Unfinished(format!(
            "the database has version {version}; the next start of a topology that writes to it \
             brings it to version {VERSION}"
        ))),
    }
}

/// The version of the tables; 0 if there are none yet.
fn check(connection: &Connection) -> Result<i32, Unusable> {
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
    Ok(if tables == 0 { 0 } else { version })
}
