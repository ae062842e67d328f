//! File to SQLite through `kill -9` at any moment: every line is in the database exactly once, and the database
//! is sound each time. `LOGRAIL_SQLITE_KILLS` sets how often.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

mod support;

use std::fmt::Write as _;
use std::path::Path;
use std::time::Duration;

use rusqlite::Connection;
use support::Place;

const LINES_PER_KILL: i64 = 4000;

fn ask<T: rusqlite::types::FromSql>(database: &Path, question: &str) -> T {
    Connection::open(database).unwrap().query_row(question, [], |row| row.get(0)).unwrap()
}

#[test]
fn kills_lose_and_double_no_row() {
    let kills = std::env::var("LOGRAIL_SQLITE_KILLS").map_or(30, |kills| kills.parse().unwrap());
    let mut written = 0;
    let place = Place::new();
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
    let topology = place.write("t.toml", topology).to_str().unwrap().to_owned();
    let database = place.path("logs.db");
    for kill in 0..kills {
        let mut lines = String::new();
        for number in written..written + LINES_PER_KILL {
            writeln!(lines, r#"{{"level":"INFO","message":"line {number}","n":{number}}}"#)
                .unwrap();
        }
        written += LINES_PER_KILL;
        place.append("in.log", lines);
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
    let numbers = "SELECT count(DISTINCT json_extract(fields, '$.n')) FROM events";
    assert_eq!(ask::<i64>(&database, "SELECT count(*) FROM events"), written);
    assert_eq!(ask::<i64>(&database, numbers), written);
}
