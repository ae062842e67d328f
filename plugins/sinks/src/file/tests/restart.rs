//! Starts with the state of a checkpoint.

use serde_json::json;

use super::{PATH, Setup};

#[test]
fn cuts_off_what_was_written_after_the_checkpoint() {
    let setup = Setup::new(json!({}));
    let mut sink = setup.open();
    sink.write_lines(&["one"]).unwrap();
    sink.commit().unwrap();
    let state = sink.state();
    sink.write_lines(&["two"]).unwrap();
    drop(sink);
    let mut sink = setup.harness(state).opened();
    assert_eq!(setup.text(), "one\n");
    sink.write_lines(&["two"]).unwrap();
    assert_eq!(setup.text(), "one\ntwo\n");
}

#[test]
fn goes_back_through_rotations_and_on_as_if_nothing_had_happened() {
    let setup = Setup::new(json!({"rotate": {"max_bytes": 8, "max_files": 3}}));
    let mut sink = setup.open();
    for line in ["aaa", "bbb", "ccc"] {
        sink.write_lines(&[line]).unwrap();
    }
    sink.commit().unwrap();
    let state = sink.state();
    let later = ["ddd", "eee", "fff", "ggg"];
    sink.write_lines(&later).unwrap();
    drop(sink);
    let without_crash = setup.layout();
    let mut sink = setup.harness(state).opened();
    assert_eq!(setup.text(), "ccc\n");
    assert!(!setup.files.exists("/data/out.log.1"), "the slots of rotations to come are free");
    sink.write_lines(&later).unwrap();
    assert_eq!(setup.layout(), without_crash);
}

#[test]
fn keeps_whole_lines_if_nobody_sends_them_again() {
    let setup = Setup::new(json!({}));
    let mut sink = setup.open();
    sink.write_lines(&["one"]).unwrap();
    sink.commit().unwrap();
    let state = sink.state();
    setup.files.append(PATH, format!("two\n{}", "torn".repeat(200)));
    drop(sink);
    let sink = setup.harness(state.clone()).without_replay();
    sink.opened().write_lines(&["three"]).unwrap();
    assert_eq!(setup.text(), "one\ntwo\nthree\n");
    setup.files.write(PATH, "one\ntorn");
    setup.harness(state).without_replay().opened().write_lines(&["four"]).unwrap();
    assert_eq!(setup.text(), "one\nfour\n");
}

/// A file was truncated just before a kill: what was written of it is nowhere else any more.
#[test]
fn keeps_whole_lines_that_a_source_lost_and_goes_back_at_the_next_start() {
    for path in ["/data/out.log", "/data/{message}.log"] {
        let setup = Setup::new(json!({ "path": path, "rotate": {"max_bytes": 8, "max_files": 3} }));
        let name = path.replace("{message}", "aaa");
        let mut sink = setup.open();
        sink.write_lines(&["aaa"]).unwrap();
        sink.commit().unwrap();
        let state = sink.state();
        sink.write_lines(&["aaa", "aaa"]).unwrap();
        sink.commit().unwrap();
        drop(sink);
        setup.files.append(&name, "torn");
        let mut sink = setup.harness(state).with_lost_input().opened();
        let lines = || setup.files.text(&name) + &setup.files.text(name.clone() + ".1");
        assert_eq!(lines(), "aaa\naaa\naaa\n");
        let state = sink.state();
        sink.write_lines(&["aaa"]).unwrap();
        assert_eq!(lines(), "aaa\naaa\naaa\naaa\n");
        drop(sink);
        let _sink = setup.harness(state).opened();
        assert_eq!(lines(), "aaa\naaa\naaa\n");
    }
}

#[test]
fn goes_on_at_the_end_of_a_shorter_file() {
    let setup = Setup::new(json!({}));
    let mut sink = setup.open();
    sink.write_lines(&["one", "two"]).unwrap();
    let state = sink.state();
    drop(sink);
    setup.files.truncate(PATH, 4);
    setup.harness(state).opened().write_lines(&["three"]).unwrap();
    assert_eq!(setup.text(), "one\nthree\n");
}

#[test]
fn leaves_what_is_there_alone_when_the_file_was_moved_away() {
    let setup = Setup::new(json!({"rotate": {"max_bytes": 100}}));
    let mut sink = setup.open();
    sink.write_lines(&["one"]).unwrap();
    let state = sink.state();
    drop(sink);
    setup.files.mv(PATH, "/data/elsewhere");
    setup.files.write(PATH, "foreign\n");
    setup.files.write("/data/out.log.1", "older\n");
    setup.harness(state).opened().write_lines(&["two"]).unwrap();
    assert_eq!(setup.text(), "foreign\ntwo\n");
    assert_eq!(setup.backup(1), "older\n");
    assert_eq!(setup.files.text("/data/elsewhere"), "one\n");
}

#[test]
fn an_inode_that_was_used_again_is_not_taken_for_the_file() {
    let setup = Setup::new(json!({}));
    setup.files.reuse_inodes();
    let mut sink = setup.open();
    sink.write_lines(&["one"]).unwrap();
    let (state, inode) = (sink.state(), setup.files.inode(PATH));
    drop(sink);
    setup.files.rm(PATH);
    setup.files.write(PATH, "something else entirely\n");
    assert_eq!(setup.files.inode(PATH), inode, "the test means something");
    setup.harness(state).opened().write_lines(&["two"]).unwrap();
    assert_eq!(setup.text(), "something else entirely\ntwo\n");
}

#[test]
fn the_state_of_another_path_or_of_nonsense_says_nothing() {
    let setup = Setup::new(json!({}));
    let mut sink = setup.open();
    sink.write_lines(&["one"]).unwrap();
    let state = sink.state().unwrap();
    sink.write_lines(&["two"]).unwrap();
    drop(sink);
    for state in [state.replace("out.log", "other.log"), "{}".to_owned(), String::new()] {
        let _sink = setup.harness(Some(state)).opened();
        assert_eq!(setup.text(), "one\ntwo\n");
    }
}

#[test]
fn backups_with_strange_names_are_left_alone() {
    let setup = Setup::new(json!({"rotate": {"max_bytes": 4, "max_files": 2}}));
    for name in ["out.log.01", "out.log.1.gz", "out.log.x", "out.logs", "out.log.99"] {
        setup.files.write(format!("/data/{name}"), "theirs\n");
    }
    let mut sink = setup.open();
    for line in ["aaa", "bbb", "ccc", "ddd", "eee"] {
        sink.write_lines(&[line]).unwrap();
        setup.clock.advance(std::time::Duration::from_secs(1));
        sink.commit().unwrap();
    }
    assert_eq!(setup.files.list().len(), 3 + 5);
}

#[test]
fn the_file_of_a_checkpoint_outlives_its_count_while_the_next_one_may_be_missing() {
    let setup = Setup::new(json!({"rotate": {"max_bytes": 8, "max_files": 2}}));
    let mut sink = setup.open();
    sink.write_lines(&["aaa"]).unwrap();
    sink.commit().unwrap();
    let state = sink.state();
    let later: Vec<String> = (0..20).map(|n| format!("{n:07}")).collect();
    for line in &later {
        sink.write_lines(&[line]).unwrap();
        sink.commit().unwrap();
    }
    drop(sink);
    let mut sink = setup.harness(state).opened();
    assert_eq!(setup.layout().len(), 1);
    assert_eq!(setup.text(), "aaa\n");
    for line in &later {
        sink.write_lines(&[line]).unwrap();
        setup.clock.advance(std::time::Duration::from_secs(1));
        sink.commit().unwrap();
    }
    let texts: Vec<_> = setup.layout().into_iter().map(|(_, text)| text).collect();
    assert_eq!(texts, ["0000019\n", "0000018\n", "0000017\n"]);
}

#[test]
fn surplus_backups_do_not_stay_behind_after_a_crash() {
    let setup = Setup::new(json!({"rotate": {"max_bytes": 8, "max_files": 2}}));
    let mut sink = setup.open();
    sink.write_lines(&["0000000", "0000001", "0000002"]).unwrap();
    sink.commit().unwrap();
    let state = sink.state();
    sink.write_lines(&["0000003", "0000004", "0000005", "0000006"]).unwrap();
    assert!(setup.files.exists("/data/out.log.6"));
    drop(sink);
    let mut sink = setup.harness(state).opened();
    sink.write_lines(&["0000003"]).unwrap();
    sink.commit().unwrap();
    let names: Vec<_> = setup.layout().into_iter().map(|(name, _)| name).collect();
    assert_eq!(names, [PATH, "/data/out.log.1"]);
}
