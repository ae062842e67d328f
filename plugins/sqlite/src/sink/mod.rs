//! `sqlite`: keeps events in a database file, exactly once where the sources replay.

mod columns;
mod pending;
mod retention;
#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use futures::future::BoxFuture;
use lograil_event::Batch;
use lograil_plugin::spec::{no_ports, schema_of};
use lograil_plugin::{
    Build, Clock, CommitPolicy, ComponentSpec, ConfigError, ConfigErrors, Delivery, Options, Sink,
    SinkContext, SinkError, Threading,
};
use rusqlite::{Connection, ErrorCode, Transaction, TransactionBehavior, params};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::schema::{self, Unusable};
use crate::tally::{Counted, Sign, Tally};
use crate::{removal, text_index};
use columns::Copied;
use pending::Pending;
use retention::{Retention, SIZE_BYTES_MIN};

/// How often the limits are looked at while no events come.
const RETENTION_INTERVAL: Duration = Duration::from_secs(1);

/// The spec of `sqlite`.
pub const SPEC: ComponentSpec = ComponentSpec {
    name: "sqlite",
    summary: "Keeps events in an SQLite database, exactly once where the sources replay.",
    manual: include_str!("README.md"),
    schema: schema_of::<SqliteOptions>,
    ports: no_ports,
    claims,
    threading: Threading::Blocking,
    build: Build::Sink(&build),
};

/// The options of `sqlite`.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SqliteOptions {
    /// The database file, relative to the directory of the topology; made if it is missing.
    pub path: String,
    /// How long events are kept; without limits all are.
    #[serde(default)]
    pub retention: Retention,
}

fn claims(options: &Value) -> Vec<String> {
    let path = options.get("path").and_then(Value::as_str);
    path.map(|path| format!("file {path}")).into_iter().collect()
}

fn build(options: &Options) -> Result<Box<dyn Sink>, ConfigErrors> {
    let options: SqliteOptions = options.parse()?;
    if options.path.is_empty() || options.path.contains('\0') {
        return Err(ConfigError::new(["path"], "the path is empty or has a NUL byte")
            .help("name the database, such as `path = \"logs.db\"`")
            .into());
    }
    if options.retention.max_bytes.is_some_and(|max| max.0 < SIZE_BYTES_MIN) {
        return Err(ConfigError::new(["retention", "max_bytes"], "less than 32 MiB")
            .help("an empty database and one commit need that much")
            .into());
    }
    Ok(Box::new(SqliteSink { options, path: PathBuf::new(), open: None }))
}

/// What a checkpoint says of the database: which one it is, and the id the next event gets.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct State {
    identity: String,
    next_id: i64,
}

struct SqliteSink {
    options: SqliteOptions,
    path: PathBuf,
    open: Option<Open>,
}

struct Open {
    connection: Connection,
    identity: String,
    next_id: i64,
    pending: Pending,
    retention: Retention,
    /// Events that came since the retention was enforced.
    arrived: usize,
    clock: Arc<dyn Clock>,
}

impl SqliteSink {
    fn open_database(&mut self, context: &SinkContext) -> Result<(), SinkError> {
        self.path = context.base_dir.join(&self.options.path);
        let connection = schema::open(&self.path).map_err(|error| match error {
            Unusable::Sqlite(error) => failure("open", &self.path, &error),
            Unusable::Foreign(why) | Unusable::Unfinished(why) => {
                SinkError::Fatal(format!("open {}: {why}", self.path.display()))
            }
        })?;
        let mut open = Open {
            connection,
            identity: String::new(),
            next_id: 1,
            pending: Pending::default(),
            retention: self.options.retention,
            arrived: 0,
            clock: Arc::clone(&context.clock),
        };
        open.restore(context).map_err(|error| failure("open", &self.path, &error))?;
        self.open = Some(open);
        Ok(())
    }
}

impl Open {
    /// Removes what was stored after the checkpoint, because it comes again. Ids are not used again, so that one
    /// that somebody noted never means another event.
    fn restore(&mut self, context: &SinkContext) -> rusqlite::Result<()> {
        let value = "SELECT value FROM store WHERE name = ?1";
        self.identity = self.connection.query_row(value, ["identity"], |row| row.get(0))?;
        self.next_id = self.connection.query_row(value, ["next_id"], |row| row.get(0))?;
        let state = context.state.as_deref().and_then(|text| serde_json::from_str(text).ok());
        let Some(state) = state.filter(|_| context.upstream_replays) else { return Ok(()) };
        let State { identity, next_id } = state;
        if identity != self.identity {
            tracing::warn!(
                component_id = &*context.id,
                "the database is not the one of the last checkpoint; what came since may be in it twice"
            );
            return Ok(());
        }
        let transaction =
            self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        removal::remove_from(&transaction, next_id)?;
        transaction.commit()
    }

    /// Stores what is pending in one transaction. After an error nothing of it is stored and all still pending.
    fn store(&mut self) -> rusqlite::Result<()> {
        let Some(first_id) = self.pending.first_id() else { return Ok(()) };
        let transaction =
            self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        insert_rows(&transaction, &self.pending)?;
        text_index::add_from(&transaction, first_id)?;
        transaction
            .execute("UPDATE store SET value = ?1 WHERE name = 'next_id'", [self.next_id])?;
        transaction.commit()?;
        self.arrived += self.pending.len();
        self.pending.clear();
        Ok(())
    }

    fn commit(&mut self) -> rusqlite::Result<()> {
        self.store()?;
        self.retention.enforce(&mut self.connection, self.clock.now_ns(), self.arrived)?;
        self.arrived = 0;
        Ok(())
    }
}

/// Inserts the rows and counts them.
fn insert_rows(transaction: &Transaction<'_>, pending: &Pending) -> rusqlite::Result<()> {
    let mut tally = Tally::default();
    let mut insert = transaction.prepare(
        "INSERT INTO events (id, ts, level, service, message, fields, severity, anomaly_score,
                             is_anomaly, burst, template_id)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)",
    )?;
    for row in pending.rows() {
        let Copied { severity, anomaly_score, is_anomaly, burst } = row.copied;
        insert.execute(params![
            row.id,
            row.timestamp_ns,
            row.level,
            row.service,
            row.message,
            row.fields,
            severity,
            anomaly_score,
            is_anomaly.then_some(1),
            burst,
            row.template_id,
        ])?;
        tally.add(&Counted {
            timestamp_ns: row.timestamp_ns,
            level: row.level.unwrap_or_default(),
            service: row.service.unwrap_or_default(),
            is_anomaly: *is_anomaly,
            template: row.template_id.map(|id| (id, row.template)),
        });
    }
    tally.apply(transaction, Sign::Add)
}

impl Sink for SqliteSink {
    fn open(&mut self, context: SinkContext) -> BoxFuture<'_, Result<(), SinkError>> {
        Box::pin(async move { self.open_database(&context) })
    }

    fn write<'a>(&'a mut self, batch: &'a Batch) -> BoxFuture<'a, Result<Delivery, SinkError>> {
        Box::pin(async move {
            let open = self.open.as_mut().ok_or_else(not_open)?;
            let bytes = open.pending.add(batch, open.next_id, open.clock.now_ns());
            open.next_id += batch.len() as i64;
            Ok(Delivery { bytes, rejected: Vec::new() })
        })
    }

    fn commit(&mut self) -> BoxFuture<'_, Result<(), SinkError>> {
        Box::pin(async move {
            let open = self.open.as_mut().ok_or_else(not_open)?;
            open.commit().map_err(|error| failure("write to", &self.path, &error))
        })
    }

    fn commit_policy(&self) -> CommitPolicy {
        // Events grow old while none come.
        let idle = self.options.retention.is_limited().then_some(RETENTION_INTERVAL);
        CommitPolicy { idle, ..CommitPolicy::default() }
    }

    fn state(&self) -> Option<String> {
        let open = self.open.as_ref()?;
        let state = State { identity: open.identity.clone(), next_id: open.next_id };
        serde_json::to_string(&state).ok()
    }

    fn close(&mut self) -> BoxFuture<'_, Result<(), SinkError>> {
        Box::pin(async move {
            self.open = None;
            Ok(())
        })
    }
}

fn not_open() -> SinkError {
    SinkError::Fatal("the sink was not opened".to_owned())
}

/// A lock, a full disk and the like may pass; a damaged file does not.
fn failure(action: &str, path: &Path, error: &rusqlite::Error) -> SinkError {
    let reason = format!("{action} {}: {error}", path.display());
    match error.sqlite_error_code() {
        Some(
            ErrorCode::DatabaseBusy
            | ErrorCode::DatabaseLocked
            | ErrorCode::DiskFull
            | ErrorCode::SystemIoFailure
            | ErrorCode::OutOfMemory
            | ErrorCode::OperationInterrupted,
        ) => SinkError::retry(reason),
        _ => SinkError::Fatal(reason),
    }
}
