//! Files that are truncated or deleted just before a `kill -9`: what was stored of them is kept, and where nothing is lost
//! every line is still there once.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

mod support;

use std::collections::BTreeMap;
use std::fs;
use std::ops::Range;

use rusqlite::{Connection, OpenFlags};
use support::{Place, until};

const LINES: u64 = 200;

fn topology(place: &Place) -> String {
    let topology = r#"
data_dir = "data"
[sources.app]
type = "file"
include = ["app.log"]
[sinks.file]
type = "file"
inputs = ["app"]
path = "out.log"
encoding.codec = "raw"
[sinks.store]
type = "sqlite"
inputs = ["app"]
path = "logs.db"
"#;
    place.write("t.toml", topology).to_str().unwrap().to_owned()
}

fn append(place: &Place, numbers: Range<u64>) {
    let lines: String = numbers.map(|number| format!("line {number}\n")).collect();
    place.append("app.log", lines);
}

/// How often each line is in the file and in the database.
fn stored(place: &Place) -> [BTreeMap<String, u64>; 2] {
    let mut in_file = BTreeMap::new();
    for line in place.read("out.log").lines() {
        *in_file.entry(line.to_owned()).or_default() += 1;
    }
    [in_file, in_database(place).unwrap_or_default()]
}

fn in_database(place: &Place) -> rusqlite::Result<BTreeMap<String, u64>> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY;
    let connection = Connection::open_with_flags(place.path("logs.db"), flags)?;
    let mut rows = connection.prepare("SELECT message, count(*) FROM events GROUP BY message")?;
    rows.query_map([], |row| Ok((row.get(0)?, row.get::<_, i64>(1)?.unsigned_abs())))?.collect()
}

fn has_all(place: &Place, numbers: Range<u64>) -> bool {
    let stored = stored(place);
    numbers
        .into_iter()
        .all(|number| stored.iter().all(|lines| lines.contains_key(&format!("line {number}"))))
}

/// Starts, has lines stored by both sinks, changes something and kills at once.
fn killed_after(place: &Place, topology: &str, numbers: Range<u64>, change: impl FnOnce()) {
    let running = place.start(&["run", topology]);
    let half = numbers.start + LINES / 2;
    append(place, numbers.start..half);
    // What the checkpoint knows nothing of cannot be told to be missing.
    let offset = fs::metadata(place.path("app.log")).unwrap().len();
    let position = format!("offset\\\":{offset},");
    until("the file is in the checkpoint", || {
        place.read("data/checkpoint.json").contains(&position)
    });
    append(place, half..numbers.end);
    until("the lines are stored", || has_all(place, numbers.clone()));
    change();
    running.kill();
}

#[test]
fn what_was_stored_of_a_file_that_is_truncated_or_deleted_before_a_kill_is_kept() {
    let place = Place::new();
    let topology = topology(&place);
    let mut written = 0;
    for kill in 0..12 {
        killed_after(&place, &topology, written..written + LINES, || match kill % 3 {
            0 => fs::File::create(place.path("app.log")).map(drop).unwrap(),
            1 => fs::remove_file(place.path("app.log")).unwrap(),
            // Truncated, and written to again.
            _ => fs::write(place.path("app.log"), "another\n".repeat(1000)).unwrap(),
        });
        written += LINES;
    }
    place.run(&["run", "--once", &topology]).assert_success();
    for lines in stored(&place) {
        let missing: Vec<u64> =
            (0..written).filter(|n| !lines.contains_key(&format!("line {n}"))).collect();
        assert!(missing.is_empty(), "{} lines, the first {:?}", missing.len(), missing.first());
    }
    let log = place.read("stderr");
    assert!(log.contains("some events may be in them twice"), "{log}");
}

/// A file that is gone makes only the start after its end one at which events may come twice.
#[test]
fn after_a_file_is_gone_later_kills_lose_and_double_nothing() {
    let place = Place::new();
    let topology = topology(&place);
    append(&place, 0..LINES);
    place.run(&["run", "--once", &topology]).assert_success();
    fs::remove_file(place.path("app.log")).unwrap();
    append(&place, LINES..2 * LINES);
    // The end before was a clean one, and this writes a checkpoint as well.
    place.run(&["run", "--once", &topology]).assert_success();
    let mut written = 2 * LINES;
    for _ in 0..3 {
        killed_after(&place, &topology, written..written + LINES, || ());
        written += LINES;
    }
    let last = place.run(&["run", "--once", &topology]);
    last.assert_success();
    for lines in stored(&place) {
        assert_eq!(lines.len() as u64, written);
        assert!(lines.values().all(|count| *count == 1), "{lines:?}");
    }
    let log = place.read("stderr") + &last.stderr();
    assert!(!log.contains("may be in them twice"), "{log}");
}
