//! The sink through its trait: rows, restarts, locks, files of others.

use lograil_testkit::{SinkHarness, batch_of_json};
use serde_json::json;

use super::*;

fn sink() -> Box<dyn Sink> {
    let Build::Sink(build) = SPEC.build else { panic!("a sink") };
    build(&Options(json!({"path": "logs.db"}))).unwrap()
}

fn harness(dir: &Path, state: Option<String>) -> SinkHarness {
    SinkHarness::new(sink()).with_base_dir(dir).with_state(state).opened()
}

fn rows(dir: &Path) -> Vec<(i64, Option<String>, String)> {
    let connection = Connection::open(dir.join("logs.db")).unwrap();
    let mut select =
        connection.prepare("SELECT id, message, fields FROM events ORDER BY id").unwrap();
    let read = select.query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?))).unwrap();
    read.map(Result::unwrap).collect()
}

#[test]
fn what_came_after_the_checkpoint_is_removed_and_its_ids_are_not_used_again() {
    let dir = tempfile::tempdir().unwrap();
    let mut first = harness(dir.path(), None);
    first.write(&batch_of_json(&[json!({"message": "a", "n": 1})])).unwrap();
    first.commit().unwrap();
    let state = first.state();
    first.write(&batch_of_json(&[json!({"message": "b", "level": 7})])).unwrap();
    first.commit().unwrap();
    drop(first);
    let mut second = harness(dir.path(), state);
    second.write(&batch_of_json(&[json!({"message": "b", "level": 7})])).unwrap();
    second.commit().unwrap();
    let wanted = [
        (1, Some("a".to_owned()), r#"{"n":1}"#.to_owned()),
        (3, Some("b".to_owned()), r#"{"level":7}"#.to_owned()),
    ];
    assert_eq!(rows(dir.path()), wanted);
}

#[test]
fn a_locked_database_is_tried_again_and_a_foreign_or_damaged_one_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let mut locked = harness(dir.path(), None);
    let other = Connection::open(dir.path().join("logs.db")).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    locked.write(&batch_of_json(&[json!({"message": "a"})])).unwrap();
    assert!(matches!(locked.commit(), Err(SinkError::Retry { .. })));
    other.execute_batch("COMMIT").unwrap();
    locked.commit().unwrap();
    assert_eq!(rows(dir.path()).len(), 1);
    drop(locked);

    let path = dir.path().join("logs.db");
    for suffix in ["", "-wal", "-shm"] {
        let _gone = std::fs::remove_file(dir.path().join(format!("logs.db{suffix}")));
    }
    Connection::open(&path).unwrap().execute_batch("CREATE TABLE t (a)").unwrap();
    let mut refused = SinkHarness::new(sink()).with_base_dir(dir.path());
    let refused = refused.open();
    assert!(matches!(refused, Err(SinkError::Fatal(why)) if why.contains("another program")));
    std::fs::write(&path, "no database at all, but long enough to be taken for one").unwrap();
    let mut refused = SinkHarness::new(sink()).with_base_dir(dir.path());
    let refused = refused.open();
    assert!(matches!(refused, Err(SinkError::Fatal(_))));
}
