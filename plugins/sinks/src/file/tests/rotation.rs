//! Rotation by size, count and time.

use std::time::Duration;

use lograil_testkit::batch_of_lines;
use serde_json::json;

use super::{PATH, Setup};

fn by_size(max_bytes: u64, max_files: u32) -> Setup {
    Setup::new(json!({"rotate": {"max_bytes": max_bytes, "max_files": max_files}}))
}

#[test]
fn puts_a_full_file_aside_before_the_event_that_does_not_fit() {
    let setup = by_size(8, 3);
    let mut sink = setup.open();
    for line in ["aaa", "bbb", "ccc"] {
        sink.write_lines(&[line]).unwrap();
    }
    assert_eq!(setup.text(), "ccc\n");
    assert_eq!(setup.backup(1), "aaa\nbbb\n");
    assert_eq!(setup.counter("file_rotations"), 1);
}

#[test]
fn keeps_only_so_many_backups() {
    let setup = by_size(4, 2);
    let mut sink = setup.open();
    for line in ["aaa", "bbb", "ccc", "ddd", "eee"] {
        sink.write_lines(&[line]).unwrap();
        setup.clock.advance(Duration::from_secs(1));
        sink.commit().unwrap();
    }
    let names: Vec<_> = setup.layout().into_iter().collect();
    let expected = [(PATH, "eee\n"), ("/data/out.log.1", "ddd\n"), ("/data/out.log.2", "ccc\n")];
    assert_eq!(names, expected.map(|(name, text)| (name.to_owned(), text.to_owned())));
}

/// Below a source that cannot replay no checkpoint goes back to an old file: none stays beyond the end.
#[test]
fn leaves_no_more_backups_than_asked_for_where_nothing_is_replayed() {
    let setup = by_size(4, 2);
    let mut sink = setup.harness(None).without_replay().opened();
    sink.write_lines(&["aaa", "bbb", "ccc", "ddd", "eee"]).unwrap();
    sink.commit().unwrap();
    sink.close().unwrap();
    let names: Vec<_> = setup.layout().into_iter().map(|(name, _)| name).collect();
    assert_eq!(names, [PATH, "/data/out.log.1", "/data/out.log.2"]);
}

#[test]
fn splits_a_large_batch_over_files_at_event_borders() {
    let setup = by_size(10, 20);
    let mut sink = setup.open();
    sink.write_lines(&["aaa", "bbb", "ccc", "dddddd", "eeeeeeeeeeeeeee", "f", "g"]).unwrap();
    assert_eq!(setup.text(), "f\ng\n");
    assert_eq!(setup.backup(1), "eeeeeeeeeeeeeee\n", "an event over the limit has its own file");
    assert_eq!(setup.backup(2), "dddddd\n");
    assert_eq!(setup.backup(3), "ccc\n");
    assert_eq!(setup.backup(4), "aaa\nbbb\n");
    assert!(!setup.files.exists("/data/out.log.5"));
}

#[test]
fn a_batch_with_more_rotations_than_backups_leaves_the_newest() {
    let setup = by_size(4, 2);
    let mut sink = setup.open();
    sink.write_lines(&["aaa", "bbb", "ccc", "ddd", "eee"]).unwrap();
    // The checkpoint may still be that of the start, in the first file, for a while.
    for expected in [5, 6, 3] {
        assert_eq!(setup.layout().len(), expected);
        setup.clock.advance(Duration::from_secs(1));
        sink.commit().unwrap();
        if expected == 5 {
            sink.write_lines(&["fff"]).unwrap();
        }
    }
    assert_eq!(setup.layout().len(), 3);
    assert_eq!(
        (setup.text(), setup.backup(1), setup.backup(2)),
        ("fff\n".into(), "eee\n".into(), "ddd\n".into())
    );
}

#[test]
fn an_event_of_several_lines_is_not_split() {
    let setup = by_size(12, 3);
    let mut sink = setup.open();
    sink.write(&lograil_testkit::batch_of_bytes(&[b"a\nb\nc", b"d\ne\nf\ng", b"h"])).unwrap();
    assert_eq!(setup.backup(1), "a\nb\nc\n");
    assert_eq!(setup.text(), "d\ne\nf\ng\nh\n");
}

#[test]
fn a_new_period_begins_a_new_file() {
    let setup = Setup::new(json!({"rotate": {"interval": "1h"}}));
    let hour = 3_600_000_000_000;
    setup.clock.set_wall(100 * hour + hour / 2);
    let mut sink = setup.open();
    sink.write_lines(&["one"]).unwrap();
    setup.clock.set_wall(101 * hour - 1);
    sink.write_lines(&["two"]).unwrap();
    assert!(!setup.files.exists("/data/out.log.1"));
    setup.clock.set_wall(101 * hour);
    sink.write_lines(&["three"]).unwrap();
    assert_eq!(setup.backup(1), "one\ntwo\n");
    assert_eq!(setup.text(), "three\n");
    setup.clock.set_wall(109 * hour);
    drop(sink);
    setup.open().write_lines(&["four"]).unwrap();
    assert_eq!(setup.backup(1), "three\n", "a restart knows when the file was last written");
}

#[test]
fn an_empty_file_is_never_put_aside() {
    let setup = Setup::new(json!({"rotate": {"interval": "1h"}}));
    let mut sink = setup.open();
    setup.clock.jump_wall(7_200_000_000_000);
    sink.write_lines(&["one"]).unwrap();
    assert_eq!(setup.layout().len(), 1);
}

#[test]
fn a_clock_that_jumps_rotates_once_at_most() {
    let setup = Setup::new(json!({"rotate": {"interval": "1h"}}));
    let hour = 3_600_000_000_000;
    setup.clock.set_wall(1_000 * hour);
    let mut sink = setup.open();
    sink.write_lines(&["a"]).unwrap();
    setup.clock.set_wall(90_000 * hour);
    sink.write_lines(&["b"]).unwrap();
    setup.clock.set_wall(1_000 * hour);
    sink.write_lines(&["c"]).unwrap();
    assert_eq!(setup.counter("file_rotations"), 1);
    setup.clock.set_wall(1_001 * hour);
    sink.write_lines(&["d"]).unwrap();
    assert_eq!(setup.counter("file_rotations"), 2, "the jump back did not put the next one off");
    setup.clock.set_wall(-5 * hour);
    sink.write_lines(&["e"]).unwrap();
    setup.clock.advance(Duration::from_secs(1));
    assert_eq!(setup.counter("file_rotations"), 2);
}

#[test]
fn a_file_that_was_full_at_the_start_is_put_aside_first() {
    let setup = by_size(8, 3);
    setup.files.write(PATH, "0123456789\n");
    setup.open().write(&batch_of_lines(&["x"])).unwrap();
    assert_eq!(setup.backup(1), "0123456789\n");
    assert_eq!(setup.text(), "x\n");
}
