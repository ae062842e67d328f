//! The sink `sqlite` against the best bulk insert by hand of the same rows with the same pragmas, the same indices and
//! the same full-text index, in processor time of the writing thread: `store_write [EVENTS] [ROUNDS]`.

#![expect(clippy::unwrap_used, reason = "a bench that cannot go on should stop")]

use std::path::Path;
use std::time::Duration;

use lograil_benches::log_events::LogEvents;
use lograil_benches::measure::thread_time;
use lograil_event::Batch;
use lograil_plugin::{Build, Options};
use lograil_testkit::SinkHarness;
use rusqlite::{Connection, Transaction, params};
use serde_json::json;

const BATCH_EVENTS: usize = 4096;

/// Batches of a transaction: about the 16 MiB after which the runtime commits.
const BATCHES_PER_COMMIT: usize = 16;

const SECOND: i64 = 1_000_000_000;

struct Row {
    id: i64,
    ts: i64,
    level: Option<String>,
    service: Option<String>,
    message: Option<String>,
    fields: String,
    severity: Option<f64>,
    template_id: Option<String>,
}

fn main() {
    let mut arguments = std::env::args().skip(1);
    let mut number = |default| arguments.next().map_or(default, |text| text.parse().unwrap());
    let (events, rounds): (usize, usize) = (number(500_000), number(5));
    let mut made = LogEvents::new(1_760_000_000 * SECOND, SECOND / 5000);
    let batches: Vec<Batch> =
        (0..events.div_ceil(BATCH_EVENTS)).map(|_| made.batch(BATCH_EVENTS)).collect();
    let events = batches.len() * BATCH_EVENTS;
    let mut best = [Duration::MAX; 2];
    let mut bytes = [0; 2];
    for _ in 0..rounds {
        let dir = tempfile::tempdir().unwrap();
        best[0] = best[0].min(by_sink(&batches, dir.path()));
        let rows = read_rows(&dir.path().join("sink.db"));
        best[1] = best[1].min(by_hand(&rows, &dir.path().join("hand.db")));
        bytes = ["sink.db", "hand.db"].map(|name| dir.path().join(name).metadata().unwrap().len());
    }
    println!(
        "{events} events, a durable commit every {} of them",
        BATCH_EVENTS * BATCHES_PER_COMMIT
    );
    println!("| path | rows/s of CPU | us/row | bytes/row | times by hand |");
    println!("|---|--:|--:|--:|--:|");
    for (name, at) in [("sink `sqlite`", 0), ("by hand", 1)] {
        let seconds = best[at].as_secs_f64();
        println!(
            "| {name} | {:.0} | {:.2} | {} | {:.2} |",
            events as f64 / seconds,
            seconds * 1e6 / events as f64,
            bytes[at] / events as u64,
            seconds / best[1].as_secs_f64(),
        );
    }
}

fn by_sink(batches: &[Batch], dir: &Path) -> Duration {
    let Build::Sink(build) = lograil_sqlite::SPECS[0].build else { panic!("a sink") };
    let sink = build(&Options(json!({"path": "sink.db"}))).unwrap();
    let mut sink = SinkHarness::new(sink).with_base_dir(dir).opened();
    let start = thread_time();
    for commit in batches.chunks(BATCHES_PER_COMMIT) {
        for batch in commit {
            sink.write(batch).unwrap();
        }
        sink.commit().unwrap();
    }
    let time = thread_time().checked_sub(start).unwrap();
    sink.close().unwrap();
    time
}

fn read_rows(path: &Path) -> Vec<Row> {
    let connection = Connection::open(path).unwrap();
    let columns = "id, ts, level, service, message, fields, severity, template_id";
    let mut select = connection.prepare(&format!("SELECT {columns} FROM events")).unwrap();
    let rows = select.query_map([], |row| {
        Ok(Row {
            id: row.get(0)?,
            ts: row.get(1)?,
            level: row.get(2)?,
            service: row.get(3)?,
            message: row.get(4)?,
            fields: row.get(5)?,
            severity: row.get(6)?,
            template_id: row.get(7)?,
        })
    });
    rows.unwrap().map(Result::unwrap).collect()
}

/// The tables of the sink without what it counts.
fn by_hand(rows: &[Row], path: &Path) -> Duration {
    let mut connection = Connection::open(path).unwrap();
    connection
        .execute_batch(
            "PRAGMA page_size = 16384; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;
             PRAGMA cache_size = -65536;
             CREATE TABLE events (
                 id INTEGER PRIMARY KEY, ts INTEGER NOT NULL, level TEXT, service TEXT,
                 message TEXT, fields TEXT NOT NULL, severity REAL, template_id TEXT
             ) STRICT;
             CREATE INDEX events_by_time ON events (ts, level, service);
             CREATE VIRTUAL TABLE texts USING fts5(
                 message, template_id, content = '', columnsize = 0
             );
             INSERT INTO texts (texts, rank) VALUES ('hashsize', 33554432);",
        )
        .unwrap();
    let start = thread_time();
    for commit in rows.chunks(BATCH_EVENTS * BATCHES_PER_COMMIT) {
        let transaction = connection.transaction().unwrap();
        insert(&transaction, commit);
        let texts = "INSERT INTO texts (rowid, message, template_id)
                     SELECT id, message, template_id FROM events WHERE id >= ?1";
        transaction.execute(texts, [commit[0].id]).unwrap();
        transaction.commit().unwrap();
    }
    thread_time().checked_sub(start).unwrap()
}

fn insert(transaction: &Transaction<'_>, rows: &[Row]) {
    let sql = "INSERT INTO events VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)";
    let mut insert = transaction.prepare(sql).unwrap();
    for row in rows {
        let Row { id, ts, level, service, message, fields, severity, template_id } = row;
        let values = params![id, ts, level, service, message, fields, severity, template_id];
        insert.execute(values).unwrap();
    }
}
