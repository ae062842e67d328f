//! Backups that are compressed.

use std::io::Read;
use std::time::Duration;

use lograil_testkit::SimOperation;
use lograil_testkit::sim::Fault;
use serde_json::json;

use super::{PATH, Setup};

fn setup(compression: &str, max_files: u32) -> Setup {
    let rotate = json!({"max_bytes": 8, "max_files": max_files, "compression": compression});
    Setup::new(json!({ "rotate": rotate }))
}

fn unpacked(setup: &Setup, suffix: &str) -> String {
    let bytes = setup.files.content(format!("{PATH}.{suffix}"));
    let mut text = String::new();
    if suffix.ends_with("gz") {
        flate2::read::GzDecoder::new(&bytes[..]).read_to_string(&mut text).unwrap();
    } else {
        zstd::stream::read::Decoder::new(&bytes[..]).unwrap().read_to_string(&mut text).unwrap();
    }
    text
}

fn names(setup: &Setup) -> Vec<String> {
    let name = |path: &std::path::PathBuf| path.file_name().unwrap().to_str().unwrap().to_owned();
    setup.files.list().iter().map(name).collect()
}

#[test]
fn old_files_are_packed_when_no_checkpoint_names_them() {
    for (compression, extension) in [("gzip", "gz"), ("zstd", "zst")] {
        let setup = setup(compression, 5);
        let mut sink = setup.open();
        for line in ["aaaa", "bbbb", "cccc", "dddd"] {
            sink.write_lines(&[line]).unwrap();
            setup.clock.advance(Duration::from_secs(1));
            sink.commit().unwrap();
        }
        let packed = |slot: u32| format!("out.log.{slot}.{extension}");
        assert_eq!(names(&setup), ["out.log".into(), "out.log.1".into(), packed(2), packed(3)]);
        for (slot, text) in [(2, "bbbb\n"), (3, "aaaa\n")] {
            assert_eq!(unpacked(&setup, &format!("{slot}.{extension}")), text);
        }
        setup.clock.advance(Duration::from_secs(1));
        sink.commit().unwrap();
        assert_eq!(unpacked(&setup, &format!("1.{extension}")), "cccc\n");
    }
}

#[test]
fn packed_files_move_up_and_the_oldest_goes() {
    let setup = setup("gzip", 2);
    let mut sink = setup.open();
    for line in ["aaaa", "bbbb", "cccc", "dddd", "eeee"] {
        sink.write_lines(&[line]).unwrap();
        for _ in 0..2 {
            setup.clock.advance(Duration::from_secs(1));
            sink.commit().unwrap();
        }
    }
    assert_eq!(names(&setup), ["out.log", "out.log.1.gz", "out.log.2.gz"]);
    assert_eq!(unpacked(&setup, "2.gz"), "cccc\n");
}

#[test]
fn a_restart_goes_back_to_a_file_that_is_not_packed_yet_and_packs_it_later() {
    let setup = setup("zstd", 5);
    let mut sink = setup.open();
    sink.write_lines(&["aaaa"]).unwrap();
    sink.commit().unwrap();
    let state = sink.state();
    sink.write_lines(&["bbbb", "cccc"]).unwrap();
    sink.commit().unwrap();
    drop(sink);
    let mut sink = setup.harness(state).opened();
    assert_eq!(setup.text(), "aaaa\n");
    sink.write_lines(&["bbbb", "cccc"]).unwrap();
    for _ in 0..3 {
        setup.clock.advance(Duration::from_secs(1));
        sink.commit().unwrap();
    }
    assert_eq!(names(&setup), ["out.log", "out.log.1.zst", "out.log.2.zst"]);
    assert_eq!(unpacked(&setup, "2.zst"), "aaaa\n");
}

#[test]
fn packing_that_fails_is_tried_again_and_stops_nothing() {
    let setup = setup("gzip", 5);
    let mut sink = setup.open();
    let temporary = "/data/.out.log.packing";
    let full = Fault::new(SimOperation::Write).at(temporary);
    let failed = setup.files.inject(full.kind(std::io::ErrorKind::StorageFull));
    for line in ["aaaa", "bbbb", "cccc"] {
        sink.write_lines(&[line]).unwrap();
        setup.clock.advance(Duration::from_secs(1));
        sink.commit().unwrap();
    }
    assert!(failed.count() > 0);
    assert_eq!(names(&setup), ["out.log", "out.log.1", "out.log.2"]);
    setup.files.heal();
    setup.clock.advance(Duration::from_secs(20));
    sink.commit().unwrap();
    assert_eq!(names(&setup), ["out.log", "out.log.1.gz", "out.log.2.gz"]);
}

#[test]
fn without_replay_all_are_packed_at_the_end() {
    let setup = setup("gzip", 5);
    let mut sink = setup.harness(None).without_replay().opened();
    sink.write_lines(&["aaaa", "bbbb", "cccc"]).unwrap();
    sink.close().unwrap();
    assert_eq!(names(&setup), ["out.log", "out.log.1.gz", "out.log.2.gz"]);
}
