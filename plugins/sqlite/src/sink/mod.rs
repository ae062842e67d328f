//! `sqlite`: keeps events in a database file, exactly once where the sources replay.

mod columns;
mod database;
mod marks;
#[cfg(test)]
mod moved_tests;
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
use prometheus::IntCounter;
use rusqlite::{Connection, Transaction, TransactionBehavior, params};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::tally::{Counted, Sign, Tally};
use crate::{removal, text_index};
use columns::Copied;
use database::{Database, Standing, failure};
use marks::Marks;
use pending::Pending;
use retention::{Retention, SIZE_BYTES_MIN};

/// How often the limits and the files are looked at while no events come.
const IDLE_INTERVAL: Duration = Duration::from_secs(1);

/// How often one commit goes after a database that is moved while it writes.
const REOPENS_MAX: usize = 8;

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
    /// The database file, relative to the directory that lograil runs in; made if it is missing.
    pub path: String,
    /// How long events are kept; without limits all are.
    #[serde(default)]
    pub retention: Retention,
}

fn claims(options: &Value) -> Vec<String> {
    let path = options.get("path").and_then(Value::as_str);
    let path = path.map(|path| database::real(Path::new(path)));
    path.map(|path| format!("file {}", path.display())).into_iter().collect()
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
    Ok(Box::new(SqliteSink { options, open: None }))
}

/// What a checkpoint says of the database: which one it is, the id the next event gets, and who wrote to it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct State {
    identity: String,
    next_id: i64,
    /// Empty in a checkpoint of a version that did not know writers.
    #[serde(default)]
    writer: String,
}

struct SqliteSink {
    options: SqliteOptions,
    open: Option<Open>,
}

struct Open {
    path: PathBuf,
    id: Arc<str>,
    /// None while it could not be opened anew.
    database: Option<Database>,
    /// Which database it is; empty before one was opened.
    identity: String,
    next_id: i64,
    /// Under which name this sink writes; the database knows who did last. Each start takes a new name, so that nobody
    /// takes the rows of others for its own, not even of one that began with a copy of its checkpoint.
    writer: String,
    pending: Pending,
    retention: Retention,
    /// Events that came since the retention was enforced.
    arrived: usize,
    clock: Arc<dyn Clock>,
    reopens: IntCounter,
}

impl SqliteSink {
    fn open_database(&mut self, context: &SinkContext) -> Result<(), SinkError> {
        let reopens = "Times the database was moved, replaced or deleted and opened anew.";
        let mut open = Open {
            path: context.base_dir.join(&self.options.path),
            id: Arc::clone(&context.id),
            database: None,
            identity: String::new(),
            next_id: 1,
            writer: String::new(),
            pending: Pending::default(),
            retention: self.options.retention,
            arrived: 0,
            clock: Arc::clone(&context.clock),
            reopens: context.metrics.counter("database_reopens", reopens),
        };
        open.follow()?;
        open.restore(context).map_err(|error| failure("open", &open.path, &error))?;
        self.open = Some(open);
        Ok(())
    }
}

impl Open {
    /// Opens what the path leads to, unless that is open already.
    fn follow(&mut self) -> Result<&mut Database, SinkError> {
        if let Some(database) = &self.database {
            let standing = database.place.standing()?;
            if standing != Standing::InPlace {
                database.leave(standing)?;
                tracing::warn!(
                    component_id = &*self.id,
                    path = %self.path.display(),
                    "{}",
                    standing.told()
                );
                self.reopens.inc();
                // Closed before the next is opened: SQLite knows files by their inodes, and would share what is open.
                self.database = None;
            }
        }
        if self.database.is_none() {
            self.require_directory()?;
            let mut database = Database::open(&self.path)?;
            if let Err(error) = self.adopt(&mut database) {
                database.abandon();
                return Err(failure("open", &self.path, &error));
            }
            self.database = Some(database);
        }
        self.database.as_mut().ok_or_else(not_open)
    }

    /// A directory that goes while the database is written may come back; one that is missing at the start does not.
    fn require_directory(&self) -> Result<(), SinkError> {
        let directory = self.path.parent().filter(|parent| !parent.as_os_str().is_empty());
        match directory {
            Some(directory) if !self.identity.is_empty() && !directory.is_dir() => {
                let directory = directory.display();
                Err(SinkError::retry(format!("open {}: {directory} is gone", self.path.display())))
            }
            _ => Ok(()),
        }
    }

    /// Goes on in a database: what waits gets ids that no event of it has.
    fn adopt(&mut self, database: &mut Database) -> rusqlite::Result<()> {
        let transaction =
            database.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let marks = Marks::of(&transaction)?;
        let first_id = self.pending.first_id().unwrap_or(self.next_id);
        if !self.identity.is_empty() {
            if marks.next_id == 1 {
                // Nothing was ever stored in it: it is the continuation of the one before, for a checkpoint as well.
                marks::identify(&transaction, &self.identity, first_id)?;
                marks::claim(&transaction, &self.writer, None)?;
                return transaction.commit();
            }
            let other = marks.writer.filter(|writer| *writer != self.writer);
            if other.is_some() {
                self.writer = marks::new_writer(&transaction)?;
            }
            marks::claim(&transaction, &self.writer, other.as_deref())?;
        }
        transaction.commit()?;
        let shift = (marks.next_id - first_id).max(0);
        self.pending.shift(shift);
        self.next_id += shift;
        self.identity = marks.identity;
        Ok(())
    }

    /// Removes what was stored after the checkpoint, because it comes again. Ids are not used again, so that one
    /// that somebody noted never means another event. What somebody else stored stays: it does not come again.
    fn restore(&mut self, context: &SinkContext) -> rusqlite::Result<()> {
        let state = context.state.as_deref().and_then(|text| serde_json::from_str(text).ok());
        let state: Option<State> = state.filter(|_| context.comes_again());
        let Some(database) = &mut self.database else { return Ok(()) };
        let transaction =
            database.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let marks = Marks::of(&transaction)?;
        self.next_id = marks.next_id;
        let before = match state {
            Some(state) if marks.are_of(&state) => {
                self.next_id = self.next_id.max(state.next_id);
                removal::remove_from(&transaction, state.next_id)?;
                let missing = state.next_id - marks.next_id;
                if missing > 0 {
                    tracing::error!(
                        component_id = &*context.id,
                        "up to {missing} events that were acknowledged are not in the database: it is an older copy, or its log was removed"
                    );
                }
                Some(state.writer)
            }
            Some(state) if marks.next_id == 1 && state.next_id > 1 => {
                tracing::warn!(
                    component_id = &*context.id,
                    "the database is new: up to {} events that were acknowledged are not in it; the one before was moved or removed, or its log was",
                    state.next_id - 1
                );
                marks.writer
            }
            Some(_) => {
                tracing::warn!(
                    component_id = &*context.id,
                    "the database is not the one of the last checkpoint, or somebody else wrote to it; what came since may be in it twice"
                );
                marks.writer
            }
            None => marks.writer,
        };
        self.writer = marks::new_writer(&transaction)?;
        marks::claim(&transaction, &self.writer, before.as_deref())?;
        transaction.commit()
    }

    /// Stores what is pending in one transaction. It is still pending after an error, where the database was moved
    /// before the transaction's end, and where it was deleted.
    fn store(&mut self) -> Result<(), SinkError> {
        let Some(first_id) = self.pending.first_id() else { return Ok(()) };
        let Some(Database { connection, place }) = &mut self.database else {
            return Err(not_open());
        };
        let insert = |connection: &mut Connection| {
            let transaction =
                connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
            let marks = Marks::of(&transaction)?;
            if !marks.admit(&self.writer) {
                return Ok(Stored::ByAnother);
            }
            if marks.before.is_some() {
                marks::claim(&transaction, &self.writer, None)?;
            }
            insert_rows(&transaction, &self.pending)?;
            text_index::add_from(&transaction, first_id)?;
            transaction
                .execute("UPDATE store SET value = ?1 WHERE name = 'next_id'", [self.next_id])?;
            if place.standing().is_ok_and(|standing| standing.is_at_path()) {
                transaction.commit()?;
                return Ok(Stored::Here);
            }
            Ok(Stored::Nowhere)
        };
        let stored = insert(connection).map_err(|error| failure("write to", &self.path, &error))?;
        if stored == Stored::ByAnother {
            return Err(SinkError::Fatal(format!(
                "write to {}: another topology writes to the database; give each a database of its own",
                self.path.display()
            )));
        }
        // Where that cannot be told it is asked again before the next events; these are committed.
        if stored == Stored::Here
            && !place.standing().is_ok_and(|standing| standing == Standing::Deleted)
        {
            self.arrived += self.pending.len();
            self.pending.clear();
        }
        Ok(())
    }

    /// Stores what is pending, and is done when that is in the database the path leads to, or in one that has
    /// another name.
    fn commit(&mut self) -> Result<(), SinkError> {
        for _ in 0..REOPENS_MAX {
            self.follow()?;
            if self.pending.len() == 0 {
                return self.enforce().map_err(|error| failure("write to", &self.path, &error));
            }
            self.store()?;
        }
        Err(SinkError::retry(format!("{}: it is moved again and again", self.path.display())))
    }

    fn enforce(&mut self) -> rusqlite::Result<()> {
        let Some(database) = &mut self.database else { return Ok(()) };
        let now_ns = self.clock.now_ns();
        self.retention.enforce(&mut database.connection, now_ns, self.arrived)?;
        self.arrived = 0;
        Ok(())
    }
}

/// What became of a transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stored {
    Here,
    /// It was taken back, because the database was moved meanwhile.
    Nowhere,
    /// Nothing was tried, because another sink has written to the database since, or was there before and still writes.
    ByAnother,
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
            open.commit()
        })
    }

    fn commit_policy(&self) -> CommitPolicy {
        // While none come, events grow old, and the database may be moved.
        CommitPolicy { idle: Some(IDLE_INTERVAL), ..CommitPolicy::default() }
    }

    fn state(&self) -> Option<String> {
        let open = self.open.as_ref()?;
        let (identity, writer) = (open.identity.clone(), open.writer.clone());
        let state = State { identity, next_id: open.next_id, writer };
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
