//! Files that others move, delete, truncate or write to.

use std::time::Duration;

use serde_json::json;

use super::{PATH, Setup};

#[test]
fn reopens_when_its_file_was_moved_away() {
    let setup = Setup::new(json!({}));
    let mut sink = setup.open();
    sink.write_lines(&["one"]).unwrap();
    sink.commit().unwrap();
    setup.files.mv(PATH, "/data/moved");
    sink.write_lines(&["two"]).unwrap();
    assert_eq!(setup.files.text("/data/moved"), "one\ntwo\n", "it looks once a second at most");
    setup.clock.advance(Duration::from_secs(1));
    sink.write_lines(&["three"]).unwrap();
    assert_eq!(setup.text(), "three\n");
    assert_eq!(setup.counter("file_reopens"), 1);
    sink.commit().unwrap();
    let after = setup.files.power_loss(7);
    assert_eq!(after.text("/data/moved"), "one\ntwo\n", "the commit covers the moved file too");
}

#[test]
fn reopens_on_sighup_at_once() {
    let setup = Setup::new(json!({}));
    let mut sink = setup.open();
    sink.write_lines(&["one"]).unwrap();
    setup.files.mv(PATH, "/data/out.log-20261120");
    setup.files.write(PATH, "");
    sink.reopen();
    sink.write_lines(&["two"]).unwrap();
    assert_eq!(setup.text(), "two\n");
    assert_eq!(setup.files.text("/data/out.log-20261120"), "one\n");
}

#[test]
fn makes_the_file_again_when_it_was_deleted() {
    let setup = Setup::new(json!({"rotate": {"max_bytes": 100}}));
    let mut sink = setup.open();
    sink.write_lines(&["one"]).unwrap();
    setup.files.rm(PATH);
    sink.reopen();
    sink.write_lines(&["two"]).unwrap();
    assert_eq!(setup.text(), "one\ntwo\n", "nothing was acknowledged");
}

#[test]
fn a_file_that_was_moved_away_is_not_rotated_in_its_successors_place() {
    let setup = Setup::new(json!({"rotate": {"max_bytes": 8}}));
    let mut sink = setup.open();
    sink.write_lines(&["one"]).unwrap();
    setup.files.mv(PATH, "/data/moved");
    setup.files.write(PATH, "foreign\n");
    sink.write_lines(&["two", "three"]).unwrap();
    assert_eq!(setup.text(), "foreign\n");
    assert_eq!(setup.counter("file_rotation_errors"), 1);
    sink.write_lines(&["four"]).unwrap();
    assert_eq!(setup.backup(1), "foreign\n");
    assert_eq!(setup.text(), "four\n");
}

#[test]
fn follows_copytruncate_without_leaving_a_hole() {
    let setup = Setup::new(json!({}));
    let mut sink = setup.open();
    sink.write_lines(&["one", "two"]).unwrap();
    setup.files.truncate(PATH, 0);
    sink.write_lines(&["three"]).unwrap();
    assert_eq!(setup.text(), "three\n");
}

#[test]
fn does_not_overwrite_what_others_appended() {
    let setup = Setup::new(json!({}));
    let mut sink = setup.open();
    sink.write_lines(&["one"]).unwrap();
    setup.files.append(PATH, "theirs");
    sink.write_lines(&["two"]).unwrap();
    assert_eq!(setup.text(), "one\ntheirs\ntwo\n");
}

#[test]
fn what_was_not_acknowledged_is_written_again_after_a_deletion() {
    let setup = Setup::new(json!({}));
    let mut sink = setup.open();
    sink.write_lines(&["one"]).unwrap();
    sink.commit().unwrap();
    sink.write_lines(&["two"]).unwrap();
    setup.files.rm(PATH);
    sink.commit().unwrap();
    assert_eq!(setup.files.power_loss(7).text(PATH), "two\n", "the file, its name and its end");

    sink.write_lines(&["three"]).unwrap();
    setup.files.write("/data/theirs", "theirs\n");
    setup.files.mv("/data/theirs", PATH);
    setup.clock.advance(Duration::from_secs(1));
    sink.write_lines(&["four"]).unwrap();
    sink.commit().unwrap();
    assert_eq!(setup.text(), "theirs\nthree\nfour\n");
    assert_eq!(setup.counter("file_reopens"), 2);
}

#[test]
fn the_header_is_written_again_once_after_a_deletion() {
    let encoding = json!({"codec": "csv", "csv": {"fields": ["a"]}});
    let setup = Setup::new(json!({"encoding": encoding}));
    let mut sink = setup.open();
    sink.write_json(&[json!({"a": 1})]).unwrap();
    setup.files.rm(PATH);
    sink.commit().unwrap();
    assert_eq!(setup.text(), "a\n1\n");
}
