//! Connections for one query each: opened, used within one snapshot, closed. None is kept, so that a reader that
//! waits for its user never holds up the log of the database.

use std::path::Path;

use lograil_plugin::StoreError;
use lograil_plugin::store::QueryControl;
use rusqlite::types::FromSqlError;
use rusqlite::{Connection, ErrorCode};

use crate::schema::{self, Unusable};

/// Steps of SQLite's machine between two questions whether the query must end; about 100 microseconds.
const STEPS_PER_CHECK: i32 = 10_000;

/// Memory for pages of a reader, in KiB, as SQLite takes it.
const CACHE_SETTING: &str = "PRAGMA cache_size = -32768";

/// Statements that are kept ready: a query asks a handful again and again, one for each part of the text index.
const STATEMENTS_MAX: usize = 128;

/// Runs a query on one snapshot of the database.
pub(super) fn read<T>(
    path: &Path,
    control: &QueryControl,
    query: impl FnOnce(&Connection) -> Result<T, QueryError>,
) -> Result<T, StoreError> {
    control.check()?;
    let connection = schema::open_to_read(path).map_err(|error| unusable(path, error))?;
    run(path, connection, control, |connection| {
        connection.execute_batch("BEGIN")?;
        query(connection)
    })
}

/// Changes single rows in a transaction.
pub(super) fn change<T>(
    path: &Path,
    query: impl FnOnce(&Connection) -> Result<T, QueryError>,
) -> Result<T, StoreError> {
    let connection = schema::open_to_change(path).map_err(|error| unusable(path, error))?;
    run(path, connection, &QueryControl::default(), |connection| {
        connection.execute_batch("BEGIN IMMEDIATE")?;
        let value = query(connection)?;
        connection.execute_batch("COMMIT")?;
        Ok(value)
    })
}

fn run<T>(
    path: &Path,
    connection: Connection,
    control: &QueryControl,
    query: impl FnOnce(&Connection) -> Result<T, QueryError>,
) -> Result<T, StoreError> {
    let mut connection = connection;
    connection.set_prepared_statement_cache_capacity(STATEMENTS_MAX);
    let watched = control.clone();
    let begin = connection
        .progress_handler(STEPS_PER_CHECK, Some(move || watched.check().is_err()))
        .and_then(|()| connection.execute_batch(CACHE_SETTING));
    begin.map_err(QueryError::from).and_then(|()| query(&connection)).map_err(|error| match error {
        QueryError::Store(error) => error,
        QueryError::Sqlite(error) => failure(path, &error, control),
    })
}

/// Why a query has no answer.
#[derive(Debug)]
pub(super) enum QueryError {
    Sqlite(rusqlite::Error),
    Store(StoreError),
}

impl From<rusqlite::Error> for QueryError {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sqlite(error)
    }
}

impl From<FromSqlError> for QueryError {
    fn from(error: FromSqlError) -> Self {
        Self::Sqlite(error.into())
    }
}

impl From<StoreError> for QueryError {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

fn unusable(path: &Path, error: Unusable) -> StoreError {
    let file = path.display();
    match error {
        Unusable::Foreign(why) => StoreError::Failed(format!("{file}: {why}")),
        Unusable::Unfinished(why) => StoreError::Unavailable(format!("{file}: {why}")),
        Unusable::Sqlite(error) => match path.try_exists() {
            Ok(false) => StoreError::Unavailable(format!("{file}: there is no such file (yet)")),
            _ => failure(path, &error, &QueryControl::default()),
        },
    }
}

fn failure(path: &Path, error: &rusqlite::Error, control: &QueryControl) -> StoreError {
    let file = path.display();
    match error.sqlite_error_code() {
        Some(ErrorCode::OperationInterrupted) => {
            control.check().err().unwrap_or(StoreError::Cancelled)
        }
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => {
            StoreError::Unavailable(format!("{file}: another process holds a lock on it"))
        }
        Some(ErrorCode::NotADatabase) => {
            StoreError::Failed(format!("{file}: it is no SQLite database"))
        }
        Some(ErrorCode::DatabaseCorrupt) => {
            StoreError::Failed(format!("{file}: the database is damaged ({error})"))
        }
        Some(ErrorCode::DiskFull | ErrorCode::OutOfMemory) => {
            StoreError::Unavailable(format!("{file}: {error}"))
        }
        _ => StoreError::Failed(format!("{file}: {error}")),
    }
}
