//! Databases that others rename, delete or replace while they are written.

use std::fs;
use std::path::Path;

use lograil_plugin::{Build, Options, SinkError};
use lograil_testkit::SinkHarness;
use rusqlite::Connection;
use serde_json::json;

use super::SPEC;

fn harness(dir: &Path, state: Option<String>) -> SinkHarness {
    let Build::Sink(build) = SPEC.build else { panic!("a sink") };
    let sink = build(&Options(json!({"path": "logs.db"}))).unwrap();
    SinkHarness::new(sink).with_base_dir(dir).with_state(state).opened()
}

fn store(sink: &mut SinkHarness, message: &str) {
    sink.write_json(&[json!({ "message": message })]).unwrap();
    sink.commit().unwrap();
}

/// Ids and messages of a database, without the logs beside it: as a copy of the file alone has them.
fn rows(dir: &Path, name: &str) -> Vec<(i64, String)> {
    let connection = Connection::open(dir.join(name)).unwrap();
    let check: String = connection.query_row("PRAGMA integrity_check", [], |r| r.get(0)).unwrap();
    assert_eq!(check, "ok");
    let mut select = connection.prepare("SELECT id, message FROM events ORDER BY id").unwrap();
    let read = select.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).unwrap();
    read.map(Result::unwrap).collect()
}

fn expected(rows: &[(i64, &str)]) -> Vec<(i64, String)> {
    rows.iter().map(|(id, message)| (*id, (*message).to_owned())).collect()
}

#[test]
fn a_renamed_database_is_whole_and_the_next_events_are_in_a_new_one() {
    let dir = tempfile::tempdir().unwrap();
    let mut sink = harness(dir.path(), None);
    store(&mut sink, "one");
    fs::rename(dir.path().join("logs.db"), dir.path().join("logs.db.1")).unwrap();
    store(&mut sink, "two");
    assert_eq!(rows(dir.path(), "logs.db"), expected(&[(2, "two")]), "ids go on");
    assert_eq!(rows(dir.path(), "logs.db.1"), expected(&[(1, "one")]));

    // The new one goes on for a checkpoint, too: what came behind it comes again.
    let state = sink.state();
    store(&mut sink, "three");
    drop(sink);
    let mut sink = harness(dir.path(), state);
    store(&mut sink, "three");
    assert_eq!(rows(dir.path(), "logs.db"), expected(&[(2, "two"), (4, "three")]));
}

#[test]
fn a_renamed_database_is_noticed_while_no_events_come() {
    let dir = tempfile::tempdir().unwrap();
    let mut sink = harness(dir.path(), None);
    store(&mut sink, "one");
    fs::rename(dir.path().join("logs.db"), dir.path().join("logs.db.1")).unwrap();
    sink.commit().unwrap();
    assert_eq!(rows(dir.path(), "logs.db.1"), expected(&[(1, "one")]));
    assert_eq!(rows(dir.path(), "logs.db"), []);
}

#[test]
fn what_was_not_acknowledged_is_written_again_after_a_deletion() {
    let dir = tempfile::tempdir().unwrap();
    let mut sink = harness(dir.path(), None);
    store(&mut sink, "one");
    sink.write_json(&[json!({"message": "two"})]).unwrap();
    fs::remove_file(dir.path().join("logs.db")).unwrap();
    sink.commit().unwrap();
    assert_eq!(rows(dir.path(), "logs.db"), expected(&[(2, "two")]));
    for suffix in ["", "-wal", "-shm"] {
        fs::remove_file(dir.path().join(format!("logs.db{suffix}"))).unwrap();
    }
    store(&mut sink, "three");
    assert_eq!(rows(dir.path(), "logs.db"), expected(&[(3, "three")]));
}

#[test]
fn a_log_that_is_deleted_alone_takes_nothing_with_it() {
    let dir = tempfile::tempdir().unwrap();
    let mut sink = harness(dir.path(), None);
    store(&mut sink, "one");
    for suffix in ["-wal", "-shm"] {
        fs::remove_file(dir.path().join(format!("logs.db{suffix}"))).unwrap();
        store(&mut sink, suffix);
        assert_eq!(rows(dir.path(), "logs.db").last().unwrap().1, suffix);
    }
    assert_eq!(rows(dir.path(), "logs.db"), expected(&[(1, "one"), (2, "-wal"), (3, "-shm")]));
}

#[test]
fn a_database_that_takes_its_place_is_gone_on_with() {
    let (dir, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let mut theirs = harness(other.path(), None);
    for message in ["a", "b", "c"] {
        store(&mut theirs, message);
    }
    theirs.close().unwrap();
    let mut sink = harness(dir.path(), None);
    store(&mut sink, "one");
    sink.write_json(&[json!({"message": "two"})]).unwrap();
    fs::rename(other.path().join("logs.db"), dir.path().join("logs.db")).unwrap();
    sink.commit().unwrap();
    let all = [(1, "a"), (2, "b"), (3, "c"), (4, "two")];
    assert_eq!(rows(dir.path(), "logs.db"), expected(&all));
}

#[test]
fn a_foreign_file_that_takes_its_place_is_refused_and_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    let mut sink = harness(dir.path(), None);
    store(&mut sink, "one");
    sink.write_json(&[json!({"message": "two"})]).unwrap();
    let foreign = dir.path().join("foreign.db");
    Connection::open(&foreign).unwrap().execute_batch("CREATE TABLE t (a)").unwrap();
    let before = fs::read(&foreign).unwrap();
    fs::rename(&foreign, dir.path().join("logs.db")).unwrap();
    let refused = sink.commit();
    assert!(matches!(refused, Err(SinkError::Fatal(why)) if why.contains("another program")));
    assert_eq!(fs::read(dir.path().join("logs.db")).unwrap(), before);
}

#[test]
fn a_log_without_its_database_is_not_thrown_away_at_a_start() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("logs.db-wal"), "what a kill left").unwrap();
    let Build::Sink(build) = SPEC.build else { panic!("a sink") };
    let sink = build(&Options(json!({"path": "logs.db"}))).unwrap();
    let refused = SinkHarness::new(sink).with_base_dir(dir.path()).open();
    assert!(matches!(refused, Err(SinkError::Fatal(why)) if why.contains("logs.db-wal")));
}

#[test]
fn the_log_of_a_database_behind_a_link_is_beside_the_file() {
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir(dir.path().join("real")).unwrap();
    std::os::unix::fs::symlink("real/logs.db", dir.path().join("logs.db")).unwrap();
    let mut sink = harness(dir.path(), None);
    store(&mut sink, "one");
    fs::remove_file(dir.path().join("real/logs.db-wal")).unwrap();
    store(&mut sink, "two");
    assert_eq!(rows(dir.path(), "logs.db"), expected(&[(1, "one"), (2, "two")]));

    let other = tempfile::tempdir().unwrap();
    let mut theirs = harness(other.path(), None);
    for message in ["a", "b", "c"] {
        store(&mut theirs, message);
    }
    theirs.close().unwrap();
    fs::rename(other.path().join("logs.db"), dir.path().join("real/logs.db")).unwrap();
    store(&mut sink, "three");
    let all = [(1, "a"), (2, "b"), (3, "c"), (4, "three")];
    assert_eq!(rows(dir.path(), "logs.db"), expected(&all), "the old log is not taken for theirs");
}

#[test]
fn a_directory_that_goes_is_waited_for() {
    let dir = tempfile::tempdir().unwrap();
    let (place, moved) = (dir.path().join("place"), dir.path().join("moved"));
    fs::create_dir(&place).unwrap();
    let mut sink = harness(&place, None);
    store(&mut sink, "one");
    fs::rename(&place, &moved).unwrap();
    sink.write_json(&[json!({"message": "two"})]).unwrap();
    let missing = sink.commit();
    assert!(!matches!(missing, Ok(()) | Err(SinkError::Fatal(_))), "{missing:?}");
    fs::create_dir(&place).unwrap();
    sink.commit().unwrap();
    assert_eq!(rows(&place, "logs.db"), expected(&[(2, "two")]));
    assert_eq!(rows(&moved, "logs.db"), expected(&[(1, "one")]));
}
