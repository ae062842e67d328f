//! Calls that fail while the sink runs.

use std::time::Duration;

use lograil_plugin::SinkError;
use lograil_testkit::SimOperation;
use lograil_testkit::sim::{EIO, ENOSPC, Fault};
use serde_json::json;

use super::{PATH, Setup};

fn reason(result: Result<impl Sized, SinkError>) -> String {
    match result {
        Err(SinkError::Retry { reason, .. }) => reason,
        Err(other) => panic!("not to be tried again: {other:?}"),
        Ok(_) => panic!("no error"),
    }
}

#[test]
fn a_full_disk_takes_the_batch_back_and_goes_on_when_there_is_room() {
    let setup = Setup::new(json!({}));
    let mut sink = setup.open();
    sink.write_lines(&["first"]).unwrap();
    let state = sink.state();
    setup.files.set_disk_limit(Some(10));
    for _ in 0..3 {
        let why = reason(sink.write_lines(&["second", "third"]));
        assert!(why.starts_with("write /data/out.log: No space left on device"), "{why}");
        assert_eq!(setup.text(), "first\n", "nothing of the batch stays");
        assert_eq!(sink.state(), state);
    }
    setup.files.set_disk_limit(None);
    sink.write_lines(&["second", "third"]).unwrap();
    assert_eq!(setup.text(), "first\nsecond\nthird\n");
}

#[test]
fn short_writes_are_continued() {
    let setup = Setup::new(json!({}));
    let mut sink = setup.open();
    let hits = setup.files.inject(Fault::new(SimOperation::Write).times(5).short(2));
    sink.write_lines(&["0123456789", "abcdef"]).unwrap();
    assert_eq!(hits.count(), 5);
    assert_eq!(setup.text(), "0123456789\nabcdef\n");
}

#[test]
fn a_write_that_takes_nothing_is_an_error_that_may_pass() {
    let setup = Setup::new(json!({}));
    let mut sink = setup.open();
    setup.files.inject(Fault::new(SimOperation::Write).times(1).short(0));
    reason(sink.write_lines(&["one"]));
    sink.write_lines(&["one"]).unwrap();
    assert_eq!(setup.text(), "one\n");
}

#[test]
fn what_cannot_be_cut_off_at_once_is_cut_before_the_next_batch() {
    let setup = Setup::new(json!({}));
    let mut sink = setup.open();
    sink.write_lines(&["one"]).unwrap();
    let state = sink.state();
    setup.files.inject(Fault::new(SimOperation::Write).times(1).short(2));
    setup.files.inject(Fault::new(SimOperation::Write).after(0).times(1).errno(EIO));
    let cuts = setup.files.inject(Fault::new(SimOperation::SetLen).times(2));
    reason(sink.write_lines(&["two"]));
    assert_eq!(setup.text(), "one\ntw");
    assert_eq!(sink.state(), state, "the checkpoint never sees the torn batch");
    assert!(reason(sink.commit()).starts_with("undo a batch in /data/out.log"));
    assert_eq!(cuts.count(), 2);
    sink.write_lines(&["three"]).unwrap();
    assert_eq!(setup.text(), "one\nthree\n");
}

#[test]
fn a_batch_that_fails_behind_rotations_is_taken_back_through_them() {
    for failing in 1..=4 {
        let setup = Setup::new(json!({"rotate": {"max_bytes": 8, "max_files": 2}}));
        let mut sink = setup.open();
        for line in ["a", "bbbbbbb", "ccc"] {
            sink.write_lines(&[line]).unwrap();
        }
        sink.commit().unwrap();
        let end =
            |state: Option<String>| state.unwrap().split(",\"oldest").next().unwrap().to_owned();
        let (before, state) = (setup.text(), end(sink.state()));
        let batch = ["ddd", "eeeeeee", "fffffff", "ggggggg"];
        setup.files.inject(Fault::new(SimOperation::Write).nth(failing).errno(ENOSPC));
        reason(sink.write_lines(&batch));
        assert_eq!((setup.text(), end(sink.state())), (before, state), "write {failing}");
        sink.write_lines(&batch).unwrap();
        for _ in 0..2 {
            setup.clock.advance(Duration::from_secs(1));
            sink.commit().unwrap();
        }
        let texts: Vec<_> = setup.layout().into_iter().map(|(_, text)| text).collect();
        assert_eq!(texts, ["ggggggg\n", "fffffff\n", "eeeeeee\n"], "write {failing}");
    }
}

#[test]
fn a_failed_rotation_keeps_writing_to_the_old_file() {
    for operation in [SimOperation::Rename, SimOperation::Open, SimOperation::Sync] {
        let setup = Setup::new(json!({"rotate": {"max_bytes": 8}}));
        let mut sink = setup.open();
        sink.write_lines(&["aaa", "bbb"]).unwrap();
        let hits = setup.files.inject(Fault::new(operation));
        sink.write_lines(&["ccc"]).unwrap();
        sink.write_lines(&["ddd"]).unwrap();
        assert_eq!(hits.count(), 1, "{operation:?}: tried again no sooner than after a second");
        assert_eq!(setup.text(), "aaa\nbbb\nccc\nddd\n", "{operation:?}");
        assert_eq!(setup.counter("file_rotation_errors"), 1);
        setup.files.heal();
        setup.clock.advance(Duration::from_secs(1));
        sink.write_lines(&["eee"]).unwrap();
        assert_eq!(setup.text(), "eee\n", "{operation:?}");
        assert_eq!(setup.backup(1), "aaa\nbbb\nccc\nddd\n");
    }
}

#[test]
fn a_failed_sync_writes_again_what_was_not_durable() {
    let setup = Setup::new(json!({}));
    let mut sink = setup.open();
    sink.write_lines(&["one"]).unwrap();
    sink.commit().unwrap();
    sink.write_lines(&["two"]).unwrap();
    sink.write_lines(&["three"]).unwrap();
    setup.files.inject(Fault::new(SimOperation::Sync).times(1));
    assert!(reason(sink.commit()).starts_with("sync /data/out.log: "));
    let writes = setup.files.count(SimOperation::Write);
    sink.commit().unwrap();
    assert!(setup.files.count(SimOperation::Write) > writes, "the pages are dirty again");
    assert_eq!(setup.files.power_loss(3).text(PATH), "one\ntwo\nthree\n");
}

#[test]
fn bytes_the_kernel_lost_after_a_failed_sync_stop_the_sink() {
    let setup = Setup::new(json!({}));
    let mut sink = setup.open();
    sink.write_lines(&["one"]).unwrap();
    setup.files.inject(Fault::new(SimOperation::Sync).times(1));
    reason(sink.commit());
    setup.files.write(PATH, "???\n");
    assert!(matches!(sink.commit(), Err(SinkError::Fatal(_))));
}

#[test]
fn a_directory_that_cannot_be_synced_holds_the_commit_back() {
    let setup = Setup::new(json!({}));
    let mut sink = setup.open();
    sink.write_lines(&["one"]).unwrap();
    setup.files.inject(Fault::new(SimOperation::SyncDir).times(1));
    reason(sink.commit());
    sink.commit().unwrap();
    assert_eq!(setup.files.power_loss(1).text(PATH), "one\n");
}

#[test]
fn a_path_that_cannot_be_opened_anew_is_tried_again() {
    let setup = Setup::new(json!({}));
    let mut sink = setup.open();
    setup.files.mv(PATH, "/data/moved");
    sink.reopen();
    setup.files.inject(Fault::new(SimOperation::Open).kind(std::io::ErrorKind::PermissionDenied));
    assert!(reason(sink.write_lines(&["one"])).starts_with("open /data/out.log: "));
    setup.files.heal();
    sink.write_lines(&["one"]).unwrap();
    assert_eq!(setup.text(), "one\n");
}

#[test]
fn a_full_disk_at_the_start_may_pass_and_a_wrong_path_may_not() {
    let setup = Setup::new(json!({}));
    setup.files.inject(Fault::new(SimOperation::Open).times(1).errno(ENOSPC));
    let mut sink = setup.harness(None);
    reason(sink.open());
    sink.open().unwrap();
    setup
        .files
        .inject(Fault::new(SimOperation::Open).times(1).kind(std::io::ErrorKind::PermissionDenied));
    assert!(matches!(setup.harness(None).open(), Err(SinkError::Fatal(_))));
}

#[test]
fn a_disk_that_is_full_of_surplus_backups_does_not_stand_still() {
    let setup = Setup::new(json!({"rotate": {"max_bytes": 8, "max_files": 2}}));
    let mut sink = setup.open();
    setup.files.set_disk_limit(Some(60));
    // No commit in between: every file could still be that of the checkpoint.
    for n in 0..100 {
        let line = format!("{n:07}");
        while let Err(error) = sink.write_lines(&[&line]) {
            assert!(matches!(error, SinkError::Retry { .. }), "{error:?}");
        }
    }
    assert_eq!(setup.text(), "0000099\n");
    assert_eq!(setup.backup(2), "0000097\n");
}

#[test]
fn the_checkpoint_never_sees_a_batch_that_could_not_be_taken_back_through_a_rotation() {
    let setup = Setup::new(json!({"rotate": {"max_bytes": 8, "max_files": 2}}));
    let mut sink = setup.open();
    sink.write_lines(&["aaa"]).unwrap();
    sink.commit().unwrap();
    let end = |state: Option<String>| state.unwrap().split(",\"oldest").next().unwrap().to_owned();
    let before = end(sink.state());
    setup.files.inject(Fault::new(SimOperation::Write).nth(2));
    // The first rename is that of the rotation, the others would undo it.
    setup.files.inject(Fault::new(SimOperation::Rename).after(1));
    reason(sink.write_lines(&["bbb", "ccc"]));
    assert_eq!(setup.backup(1), "aaa\nbbb\n", "the test means something");
    assert_eq!(end(sink.state()), before);
    setup.files.heal();
    sink.write_lines(&["bbb", "ccc"]).unwrap();
    assert_eq!((setup.text(), setup.backup(1)), ("ccc\n".into(), "aaa\nbbb\n".into()));
}

#[test]
fn a_rotation_by_time_that_was_taken_back_comes_again() {
    let setup = Setup::new(json!({"rotate": {"interval": "1h"}}));
    let mut sink = setup.open();
    sink.write_lines(&["one"]).unwrap();
    setup.clock.jump_wall(3_600_000_000_000);
    setup.files.inject(Fault::new(SimOperation::Write).times(1));
    reason(sink.write_lines(&["two"]));
    assert_eq!(setup.text(), "one\n");
    sink.write_lines(&["two"]).unwrap();
    assert_eq!((setup.text(), setup.backup(1)), ("two\n".into(), "one\n".into()));
}
