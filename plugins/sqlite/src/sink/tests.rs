//! The sink through its trait: rows, restarts, locks, files of others.

use std::path::Path;

use lograil_plugin::Store;
use lograil_plugin::store::{LogQuery, Only, QueryControl, StatsQuery, TemplateQuery};
use lograil_testkit::{ManualClock, SinkHarness, batch_of_json};
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

/// A file was truncated just before a kill: what was stored of it is nowhere else any more.
#[test]
fn what_a_source_lost_is_kept_and_what_comes_again_gets_new_ids() {
    let dir = tempfile::tempdir().unwrap();
    let a = batch_of_json(&[json!({"message": "a"})]);
    let mut first = harness(dir.path(), None);
    let state = first.state();
    first.write(&a).unwrap();
    first.commit().unwrap();
    drop(first);
    let second = SinkHarness::new(sink()).with_base_dir(dir.path()).with_state(state);
    let mut second = second.with_lost_input().opened();
    let state = second.state();
    second.write(&a).unwrap();
    second.commit().unwrap();
    let ids = || rows(dir.path()).into_iter().map(|row| row.0).collect::<Vec<_>>();
    assert_eq!(ids(), [1, 2]);
    drop(second);
    // The start after that goes back again.
    let _third = harness(dir.path(), state);
    assert_eq!(ids(), [1]);
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

/// Writes one event, and commits.
fn put(sink: &mut SinkHarness, message: &str) -> Result<(), SinkError> {
    sink.write_json(&[json!({ "message": message })]).and_then(|_| sink.commit())
}

#[test]
fn rows_that_another_topology_has_written_meanwhile_stay() {
    let dir = tempfile::tempdir().unwrap();
    let mut one = harness(dir.path(), None);
    put(&mut one, "one").unwrap();
    let state = one.state();
    put(&mut one, "behind the checkpoint").unwrap();
    drop(one);
    let mut other = harness(dir.path(), None);
    put(&mut other, "of the other").unwrap();
    let others = other.state();
    drop(other);
    let mut one = harness(dir.path(), state.clone());
    put(&mut one, "one again").unwrap();
    drop(one);
    let mut one = harness(dir.path(), state);
    put(&mut one, "the first checkpoint still").unwrap();
    drop(one);
    drop(harness(dir.path(), others));
    let messages: Vec<_> = rows(dir.path()).into_iter().filter_map(|row| row.1).collect();
    let wanted =
        ["one", "behind the checkpoint", "of the other", "one again", "the first checkpoint still"];
    assert_eq!(messages, wanted);
}

fn is_ended(written: Result<(), SinkError>) -> bool {
    matches!(written, Err(SinkError::Fatal(why)) if why.contains("another topology"))
}

#[test]
fn a_topology_that_writes_to_the_database_of_another_ends_that_one() {
    let dir = tempfile::tempdir().unwrap();
    let mut one = harness(dir.path(), None);
    put(&mut one, "one").unwrap();
    let mut other = harness(dir.path(), None);
    put(&mut other, "three").unwrap();
    assert!(is_ended(put(&mut one, "two")));
    assert_eq!(rows(dir.path()).len(), 2);
}

#[test]
fn a_topology_that_only_opens_the_database_of_another_changes_nothing_for_that_one() {
    let dir = tempfile::tempdir().unwrap();
    let mut one = harness(dir.path(), None);
    put(&mut one, "one").unwrap();
    let mut other = harness(dir.path(), None);
    put(&mut one, "two").unwrap();
    assert!(is_ended(put(&mut other, "three")));
    let state = one.state();
    put(&mut one, "comes again").unwrap();
    drop((one, other));
    drop(harness(dir.path(), None));
    let mut one = harness(dir.path(), state.clone());
    assert_eq!(rows(dir.path()).len(), 2);
    put(&mut one, "comes again").unwrap();
    // Nor does a start of its own that comes to its end before the checkpoint knows of it.
    let state = one.state();
    put(&mut one, "again").unwrap();
    drop(one);
    drop(harness(dir.path(), state.clone()));
    drop(harness(dir.path(), state));
    assert_eq!(rows(dir.path()).len(), 3);
}

#[test]
fn of_two_with_one_checkpoint_neither_removes_what_the_other_has_written() {
    let dir = tempfile::tempdir().unwrap();
    let mut one = harness(dir.path(), None);
    put(&mut one, "one").unwrap();
    let state = one.state();
    let mut copy = harness(dir.path(), state.clone());
    put(&mut copy, "of the copy").unwrap();
    assert!(is_ended(put(&mut one, "two")));
    let mut one = harness(dir.path(), state.clone());
    put(&mut one, "two").unwrap();
    assert!(is_ended(put(&mut copy, "more of the copy")));
    let copies = copy.state();
    drop(harness(dir.path(), copies));
    drop(harness(dir.path(), state));
    let messages: Vec<_> = rows(dir.path()).into_iter().filter_map(|row| row.1).collect();
    assert_eq!(messages, ["one", "of the copy", "two"]);
}

#[test]
fn a_checkpoint_and_a_database_that_know_no_writer_go_on() {
    let dir = tempfile::tempdir().unwrap();
    let mut first = harness(dir.path(), None);
    put(&mut first, "a").unwrap();
    let state: Value = serde_json::from_str(&first.state().unwrap()).unwrap();
    put(&mut first, "b").unwrap();
    drop(first);
    let connection = Connection::open(dir.path().join("logs.db")).unwrap();
    connection.execute("DELETE FROM store WHERE name = 'writer'", []).unwrap();
    let before = json!({ "identity": state["identity"], "next_id": state["next_id"] });
    let mut second = harness(dir.path(), Some(before.to_string()));
    put(&mut second, "b").unwrap();
    let state = second.state();
    put(&mut second, "c").unwrap();
    drop(second);
    put(&mut harness(dir.path(), state), "c").unwrap();
    let ids: Vec<_> = rows(dir.path()).into_iter().map(|row| row.0).collect();
    assert_eq!(ids, [1, 3, 5]);
}

/// Or a reload would open it while the sink that goes still has events for it.
#[test]
fn a_database_is_claimed_as_the_same_however_it_is_spelled() {
    let dir = tempfile::tempdir().unwrap();
    let claim = |path: &Path| (SPEC.claims)(&json!({ "path": path }));
    std::os::unix::fs::symlink("logs.db", dir.path().join("link")).unwrap();
    let wanted = claim(&dir.path().join("logs.db"));
    for path in ["./logs.db", "../NAME/logs.db", "link"] {
        let name = dir.path().file_name().unwrap().to_str().unwrap();
        assert_eq!(claim(&dir.path().join(path.replace("NAME", name))), wanted, "{path}");
    }
    assert_eq!(
        claim(Path::new("logs.db")),
        claim(&std::env::current_dir().unwrap().join("logs.db"))
    );
    assert_ne!(claim(&dir.path().join("other.db")), wanted);
}

fn store(dir: &Path) -> Arc<dyn Store> {
    (crate::STORES[0].open)(&Options(json!({"path": "logs.db"})), dir).unwrap()
}

#[test]
fn what_is_removed_at_a_start_is_no_longer_counted() {
    let dir = tempfile::tempdir().unwrap();
    let mut first = harness(dir.path(), None);
    let event = |level: &str, id: &str| json!({"message": "m", "level": level, "template_id": id, "template": "t"});
    first.write(&batch_of_json(&[event("INFO", "kept"), event("ERROR", "kept")])).unwrap();
    first.commit().unwrap();
    let state = first.state();
    first.write(&batch_of_json(&[event("ERROR", "kept"), event("WARN", "gone")])).unwrap();
    first.commit().unwrap();
    drop(first);
    drop(harness(dir.path(), state));
    let control = QueryControl::default();
    let stats = store(dir.path()).stats(&StatsQuery::default(), &control).unwrap();
    assert_eq!((stats.total, stats.errors, stats.levels.len()), (2, 1, 2));
    let templates = store(dir.path()).templates(&TemplateQuery::default(), &control).unwrap();
    assert!(templates.is_empty(), "a limit of 0");
    let all = TemplateQuery { limit: 9, ..Default::default() };
    let templates = store(dir.path()).templates(&all, &control).unwrap();
    assert_eq!(
        templates.iter().map(|t| (t.id.as_str(), t.count)).collect::<Vec<_>>(),
        [("kept", 2)]
    );
    let found = store(dir.path())
        .logs(&LogQuery { text: Some("m".into()), limit: 9, ..Default::default() }, &control);
    assert_eq!(found.unwrap().logs.len(), 2);
}

#[test]
fn a_database_of_version_1_is_brought_up_to_date() {
    let dir = tempfile::tempdir().unwrap();
    let old = Connection::open(dir.path().join("logs.db")).unwrap();
    old.execute_batch(include_str!("version_1.sql")).unwrap();
    drop(old);
    let control = QueryControl::default();
    let ask = |query: LogQuery| {
        let page = store(dir.path()).logs(&LogQuery { limit: 9, ..query }, &control)?;
        Ok(page.logs.iter().map(|row| row.id).collect::<Vec<i64>>())
    };
    let before = ask(LogQuery::default());
    assert!(
        matches!(before, Err(lograil_plugin::StoreError::Unavailable(why)) if why.contains("version 1"))
    );
    let mut sink = harness(dir.path(), None);
    sink.write(&batch_of_json(&[json!({"message": "new order"})])).unwrap();
    sink.commit().unwrap();
    assert_eq!(ask(LogQuery::default()), Ok(vec![5, 4, 2, 1]));
    assert_eq!(
        ask(LogQuery { text: Some("order".into()), ..Default::default() }),
        Ok(vec![5, 2, 1])
    );
    assert_eq!(ask(LogQuery { levels: vec!["WARN".into()], ..Default::default() }), Ok(vec![1]));
    assert_eq!(ask(LogQuery { severity_min: Some(1.0), ..Default::default() }), Ok(vec![1]));
    assert_eq!(ask(LogQuery { only: Only::Anomalies, ..Default::default() }), Ok(vec![1]));
    assert_eq!(ask(LogQuery { only: Only::Bursts, ..Default::default() }), Ok(vec![2]));
    let rows =
        store(dir.path()).logs(&LogQuery { limit: 9, ..Default::default() }, &control).unwrap();
    assert_eq!(rows.logs[1].anomaly_score, Some(0.5));
    assert_eq!(store(dir.path()).stats(&StatsQuery::default(), &control).unwrap().total, 4);
}

const SECOND: i64 = 1_000_000_000;

fn retaining(dir: &Path, retention: serde_json::Value) -> SinkHarness {
    let Build::Sink(build) = SPEC.build else { panic!("a sink") };
    let options = Options(json!({"path": "logs.db", "retention": retention}));
    let clock = ManualClock::at(1_760_000_000 * SECOND);
    SinkHarness::new(build(&options).unwrap()).with_clock(&clock).with_base_dir(dir).opened()
}

#[test]
fn events_beyond_their_age_go_with_all_that_was_derived_from_them() {
    let dir = tempfile::tempdir().unwrap();
    let mut sink = retaining(dir.path(), json!({"max_age": "1h"}));
    let event = |n: i64| json!({"message": format!("number {n}"), "level": "INFO", "template_id": n.to_string()});
    for n in 0..4 {
        // Without a time of their own events happen when they come.
        sink.write(&batch_of_json(&[event(n)])).unwrap();
        sink.commit().unwrap();
        sink.clock().jump_wall(1000 * SECOND);
    }
    store(dir.path()).label(1, Some(lograil_plugin::store::Label::Real)).unwrap();
    sink.clock().jump_wall(601 * SECOND);
    sink.commit().unwrap();
    let control = QueryControl::default();
    let text = LogQuery { text: Some("number".into()), limit: 9, ..LogQuery::default() };
    let found = store(dir.path()).logs(&text, &control).unwrap();
    assert_eq!(found.logs.iter().map(|row| row.id).collect::<Vec<_>>(), [4, 3]);
    let stats = StatsQuery { intervals_max: 99, ..StatsQuery::default() };
    let stats = store(dir.path()).stats(&stats, &control).unwrap();
    assert_eq!((stats.total, stats.timeline.len()), (2, 2));
    let all = TemplateQuery { limit: 9, ..TemplateQuery::default() };
    assert_eq!(store(dir.path()).templates(&all, &control).unwrap().len(), 2);
    let connection = Connection::open(dir.path().join("logs.db")).unwrap();
    let labels = "SELECT count(*) FROM labels";
    assert_eq!(connection.query_row(labels, [], |row| row.get::<_, i64>(0)).unwrap(), 0);
}

#[test]
fn a_database_beyond_its_size_loses_the_oldest_events_and_old_parts_of_its_index() {
    let dir = tempfile::tempdir().unwrap();
    let mut sink = retaining(dir.path(), json!({"max_bytes": "32MiB"}));
    let filler = "x".repeat(700);
    let mut count = 0;
    for _ in 0..20 {
        let events: Vec<serde_json::Value> = (count..count + 5000)
            .map(|n| json!({"message": format!("n{n} came"), "filler": filler}))
            .collect();
        count += 5000;
        sink.write(&batch_of_json(&events)).unwrap();
        sink.commit().unwrap();
    }
    let control = QueryControl::default();
    let store = store(dir.path());
    let info = store.info(&control).unwrap();
    assert!((20_000..60_000).contains(&info.rows), "{info:?}");
    let file = std::fs::metadata(dir.path().join("logs.db")).unwrap().len();
    assert!(file < 40 << 20, "{file}");
    let ask = |text: &str| {
        let query = LogQuery { text: Some(text.into()), limit: 9, ..LogQuery::default() };
        store.logs(&query, &control).unwrap().logs.len()
    };
    assert_eq!(ask(&format!("n{}", count - 1)), 1);
    assert_eq!(ask("n0"), 0);
    assert_eq!(ask("came"), 9);
    let connection = Connection::open(dir.path().join("logs.db")).unwrap();
    let first = "SELECT min(part) FROM text_parts";
    assert!(connection.query_row(first, [], |row| row.get::<_, i64>(0)).unwrap() > 1);
    let check: String = connection.query_row("PRAGMA integrity_check", [], |r| r.get(0)).unwrap();
    assert_eq!(check, "ok");
}

#[test]
fn an_event_from_the_future_keeps_no_other_part_of_the_index_alive() {
    let dir = tempfile::tempdir().unwrap();
    let mut sink = retaining(dir.path(), json!({"max_age": "1h"}));
    let mut future = batch_of_json(&[json!({"message": "from 2099"})]);
    future.edit().events()[0].timestamp_ns = 4_070_908_800 * SECOND;
    sink.write(&future).unwrap();
    let events: Vec<serde_json::Value> = vec![json!({"message": "now"}); 17_000];
    for _ in 0..3 {
        sink.write(&batch_of_json(&events)).unwrap();
        sink.commit().unwrap();
    }
    sink.clock().jump_wall(7200 * SECOND);
    for _ in 0..6 {
        sink.commit().unwrap();
    }
    assert_eq!(rows(dir.path()).len(), 1);
    let connection = Connection::open(dir.path().join("logs.db")).unwrap();
    let parts: Vec<i64> =
        text_index::parts(&connection).unwrap().iter().map(|part| part.part).collect();
    assert_eq!(parts, [1, 3], "that of the event, and the newest");
    let query = LogQuery { text: Some("2099".into()), limit: 9, ..LogQuery::default() };
    let found = store(dir.path()).logs(&query, &QueryControl::default()).unwrap();
    assert_eq!(found.logs.len(), 1);
}

#[test]
fn a_size_that_holds_nothing_is_refused() {
    let Build::Sink(build) = SPEC.build else { panic!("a sink") };
    let options = Options(json!({"path": "logs.db", "retention": {"max_bytes": "1MiB"}}));
    let refused = build(&options).err().unwrap();
    assert_eq!(refused.0[0].path, ["retention", "max_bytes"]);
}
