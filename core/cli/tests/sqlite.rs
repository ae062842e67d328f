//! File to SQLite through `kill -9` at any moment, a lock, a full disk and a damaged file: every line is in the database
//! exactly once, and the database is sound each time. `LOGRAIL_SQLITE_KILLS` sets how often it is killed,
//! `LOGRAIL_SQLITE_LOCK_SECONDS` how long it is locked.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

mod support;

use std::fmt::Write as _;
use std::fs;
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::time::Duration;

use rusqlite::Connection;
use support::{Place, small_disk, until};

const LINES_PER_KILL: i64 = 4000;

fn ask<T: rusqlite::types::FromSql>(database: &Path, question: &str) -> T {
    Connection::open(database).unwrap().query_row(question, [], |row| row.get(0)).unwrap()
}

/// The same of a database that may have no tables yet.
fn ask_if_there(database: &Path, question: &str) -> i64 {
    let asked = Connection::open(database).unwrap().query_row(question, [], |row| row.get(0));
    asked.unwrap_or(0)
}

/// A topology that stores the lines of `in.log`.
fn topology(place: &Place) -> String {
    let topology = r#"
data_dir = "data"
[sources.app]
type = "file"
include = ["in.log"]
[transforms.json]
type = "parse"
inputs = ["app"]
format = "json"
[sinks.store]
type = "sqlite"
inputs = ["json"]
path = "logs.db"
"#;
    place.write("t.toml", topology).to_str().unwrap().to_owned()
}

fn append(place: &Place, numbers: Range<i64>) {
    let mut lines = String::new();
    for number in numbers {
        writeln!(lines, r#"{{"level":"INFO","message":"line {number}","n":{number}}}"#).unwrap();
    }
    place.append("in.log", lines);
}

/// Every number is there once, and all that is counted agrees.
fn assert_exact(database: &Path, written: i64) {
    let numbers = "SELECT count(DISTINCT json_extract(fields, '$.n')) FROM events";
    assert_eq!(ask::<i64>(database, numbers), written);
    assert_eq!(ask::<i64>(database, "SELECT count(*) FROM events"), written);
    for scale in [10, 60, 600, 3600, 86400] {
        let counted = format!("SELECT sum(events) FROM level_counts WHERE scale = {scale}");
        assert_eq!(ask::<i64>(database, &counted), written, "scale {scale}");
    }
    assert_eq!(ask::<String>(database, "PRAGMA integrity_check"), "ok");
}

#[test]
fn events_grow_old_while_none_come() {
    let place = Place::new();
    let topology = topology(&place);
    let with_age = fs::read_to_string(&topology).unwrap() + "retention.max_age = \"1s\"\n";
    fs::write(&topology, with_age).unwrap();
    append(&place, 0..100);
    let running = place.start(&["run", "--quiet", &topology]);
    let database = place.path("logs.db");
    let next_id = "SELECT value FROM store WHERE name = 'next_id'";
    until("the events are stored", || database.exists() && ask_if_there(&database, next_id) > 100);
    until("they are gone", || ask::<i64>(&database, "SELECT count(*) FROM events") == 0);
    assert_eq!(ask::<i64>(&database, "SELECT count(*) FROM level_counts"), 0);
    assert!(running.stop().success());
}

#[test]
fn kills_lose_and_double_no_row() {
    let kills = std::env::var("LOGRAIL_SQLITE_KILLS").map_or(30, |kills| kills.parse().unwrap());
    let mut written = 0;
    let place = Place::new();
    let topology = topology(&place);
    let database = place.path("logs.db");
    for kill in 0..kills {
        append(&place, written..written + LINES_PER_KILL);
        written += LINES_PER_KILL;
        let running = place.start(&["run", "--quiet", &topology]);
        // The kill must come at any moment; this is the one thing that only time can say.
        std::thread::sleep(Duration::from_micros(2000 + kill * 79_190 % 400_000));
        running.kill();
        if database.exists() {
            assert_eq!(ask::<String>(&database, "PRAGMA integrity_check"), "ok", "kill {kill}");
        }
    }
    let mut last = place.start(&["run", "--quiet", "--once", &topology]);
    assert!(last.wait().success());
    assert_exact(&database, written);
}

#[test]
fn databases_that_are_renamed_under_load_have_every_line_once_together() {
    let place = Place::new();
    let topology = topology(&place);
    let database = place.path("logs.db");
    let running = place.start(&["run", "--quiet", &topology]);
    let has_events = || ask_if_there(&database, "SELECT count(*) FROM events") > 0;
    let mut written = 0;
    for file in 1..=5 {
        for _ in 0..4 {
            append(&place, written..written + LINES_PER_KILL);
            written += LINES_PER_KILL;
        }
        until("events are stored", || database.exists() && has_events());
        fs::rename(&database, place.path(&format!("logs.db.{file}"))).unwrap();
    }
    append(&place, written..written + 1);
    written += 1;
    until("the last line is stored", || {
        let last = format!("SELECT count(*) FROM events WHERE message = 'line {}'", written - 1);
        database.exists() && ask_if_there(&database, &last) == 1
    });
    let query = place.run(&["query", "logs.db", "--text", &format!("\"line {}\"", written - 1)]);
    assert!(query.assert_success().stdout().contains("line "), "a reader follows");
    assert!(place.read("stderr").contains("renamed the database"), "it says so");
    assert!(running.stop().success());
    let mut numbers = Vec::new();
    for name in (1..=5).map(|file| format!("logs.db.{file}")).chain(["logs.db".to_owned()]) {
        let connection = Connection::open(place.path(&name)).unwrap();
        let select = "SELECT json_extract(fields, '$.n') FROM events";
        let mut select = connection.prepare(select).unwrap();
        let read = select.query_map([], |row| row.get::<_, i64>(0)).unwrap();
        numbers.extend(read.map(Result::unwrap));
    }
    numbers.sort_unstable();
    assert_eq!(numbers.len() as i64, written);
    assert!(numbers.iter().copied().eq(0..written));
}

#[test]
fn a_locked_database_holds_it_up_and_loses_nothing() {
    let seconds =
        std::env::var("LOGRAIL_SQLITE_LOCK_SECONDS").map_or(5, |text| text.parse().unwrap());
    let place = Place::new();
    let topology = topology(&place);
    let database = place.path("logs.db");
    append(&place, 0..1000);
    let running = place.start(&["run", "--quiet", &topology]);
    let count = || {
        let connection = Connection::open(&database).ok()?;
        connection.query_row("SELECT count(*) FROM events", [], |row| row.get::<_, i64>(0)).ok()
    };
    until("the first lines are stored", || count() == Some(1000));
    let other = Connection::open(&database).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    append(&place, 1000..2000);
    until("the lock is in the way", || place.read("stderr").contains("database is locked"));
    std::thread::sleep(Duration::from_secs(seconds));
    assert_eq!(count(), Some(1000));
    let query = place.run(&["query", "logs.db", "--text", "\"line 999\"", "--format", "csv"]);
    assert_eq!(query.assert_success().stdout().lines().count(), 2, "a lock stops no reader");
    other.execute_batch("COMMIT").unwrap();
    until("all lines are stored", || count() == Some(2000));
    assert!(running.stop().success());
    assert_exact(&database, 2000);
}

#[test]
fn a_full_disk_holds_it_up_and_loses_nothing() {
    let place = Place::new();
    let topology = topology(&place);
    let text = place.read("t.toml").replace("logs.db", "disk/logs.db");
    place.write("t.toml", text);
    let Some(disk) = small_disk(&place.path("disk"), "32m") else { return };
    let filler = place.write("disk/filler", vec![0; 31_000_000]);
    append(&place, 0..30_000);
    let running = place.start(&["run", "--quiet", &topology]);
    until("the disk is full", || place.read("stderr").contains("disk is full"));
    fs::remove_file(filler).unwrap();
    let database = place.path("disk/logs.db");
    let count = || {
        let connection = Connection::open(&database).ok()?;
        connection.query_row("SELECT count(*) FROM events", [], |row| row.get::<_, i64>(0)).ok()
    };
    until("all lines are stored", || count() == Some(30_000));
    assert!(running.stop().success());
    assert_exact(&database, 30_000);
    drop(disk);
}

#[test]
fn a_damaged_database_ends_the_topology_and_says_so() {
    let place = Place::new();
    let topology = topology(&place);
    append(&place, 0..5000);
    place.run(&["run", "--quiet", "--once", &topology]).assert_success();
    let database = place.path("logs.db");
    let file = fs::OpenOptions::new().write(true).open(&database).unwrap();
    let size = file.metadata().unwrap().len();
    file.write_all_at(&vec![0xA5; size as usize - 16_384], 16_384).unwrap();
    append(&place, 5000..5001);
    let run = place.run(&["run", "--quiet", "--once", &topology]);
    assert_eq!(run.code(), 1, "{}", run.stderr());
    assert!(run.stderr().contains("logs.db: database disk image is malformed"), "{}", run.stderr());
    let query = place.run(&["query", "logs.db"]);
    assert_eq!(query.code(), 1);
    assert!(query.stderr().contains("logs.db: the database is damaged"), "{}", query.stderr());
}
