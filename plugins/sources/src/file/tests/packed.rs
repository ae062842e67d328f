//! Files that are packed with gzip or zstd, and those that are packed while they are followed.

use std::io::Write;
use std::time::Duration;

use lograil_testkit::SimOperation;
use serde_json::json;

use super::Rig;

fn gz(text: &str) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(text.as_bytes()).unwrap();
    encoder.finish().unwrap()
}

fn zst(text: &str) -> Vec<u8> {
    zstd::encode_all(text.as_bytes(), 0).unwrap()
}

/// Lines longer in all than what a file is recognised by.
fn long(name: &str) -> String {
    (0..300).map(|n| format!("{name} {n}\n")).collect()
}

#[test]
fn packed_files_are_read_like_others_the_oldest_first() {
    let mut rig = Rig::app();
    for (name, content) in [
        ("app.log.3.gz", gz("1\n2\n")),
        ("app.log.2.zst", zst("3\n4\n")),
        ("app.log.1", b"5\n".to_vec()),
        ("app.log", b"6\n".to_vec()),
    ] {
        rig.files.write(format!("/logs/{name}"), content);
        rig.clock.advance(Duration::from_secs(1));
    }
    assert_eq!(rig.once(), ["1", "2", "3", "4", "5", "6"]);
    assert!(rig.once().is_empty());
}

#[test]
fn a_file_of_several_members_and_one_that_only_has_the_name_are_read_whole() {
    let mut rig = Rig::app();
    rig.files.write("/logs/app.log.1.gz", [gz("1\n2"), gz("3\n4\n")].concat());
    rig.files.write("/logs/app.log.2.gz", "plain\n");
    let mut lines = rig.once();
    lines.sort();
    assert_eq!(lines, ["1", "23", "4", "plain"]);
}

#[test]
fn large_packed_files_are_read_in_shares() {
    let mut rig = Rig::app();
    rig.options["max_read_bytes"] = json!("256KiB");
    let text: String = (0..300_000).map(|n| format!("line {n}\n")).collect();
    rig.files.write("/logs/app.log.1.gz", gz(&text));
    rig.files.write("/logs/app.log.2.zst", zst(&text.replace("line", "text")));
    rig.start().pass(Duration::from_secs(10));
    let lines = rig.new_lines();
    assert_eq!(lines.len(), 600_000);
    let (a, b): (Vec<String>, Vec<String>) =
        lines.into_iter().partition(|line| line.starts_with("line"));
    assert_eq!(a.join("\n") + "\n", text);
    assert_eq!(b.join("\n").replace("text", "line") + "\n", text);
}

#[test]
fn one_that_is_still_written_is_waited_for() {
    let mut rig = Rig::app();
    let packed = gz(&long("a"));
    let (head, tail) = packed.split_at(packed.len() / 2);
    rig.files.write("/logs/app.log.1.gz", head);
    rig.start().pass(Duration::from_millis(500));
    assert!(rig.new_lines().is_empty());
    rig.files.append("/logs/app.log.1.gz", tail);
    rig.pass(Duration::from_millis(500));
    assert!(rig.new_lines().is_empty());
    assert_eq!(rig.next_lines().len(), 300);
}

#[test]
fn a_damaged_one_is_read_as_far_as_it_goes() {
    let mut rig = Rig::app();
    let mut packed = gz(&long("a"));
    packed.truncate(packed.len() - 4);
    rig.files.write("/logs/app.log.1.gz", packed);
    rig.files.write("/logs/app.log", "whole\n");
    let lines = rig.once();
    assert_eq!(lines.len(), 301);
    assert!(lines.contains(&"whole".to_owned()));
}

/// A rotated file is packed: at once, or long after it was closed.
#[test]
fn a_followed_file_that_is_packed_is_not_read_again() {
    for text in [long("a"), "short\n".to_owned()] {
        for late in [false, true] {
            let mut rig = Rig::app();
            rig.files.write("/logs/app.log", &text);
            rig.start().pass_a_while();
            assert_eq!(rig.new_lines().len(), text.lines().count());
            rig.files.mv("/logs/app.log", "/logs/app.log.1");
            rig.files.write("/logs/app.log", "new\n");
            rig.pass(Duration::from_secs(if late { 60 } else { 2 }));
            assert_eq!(rig.new_lines(), ["new"]);
            let packed = gz(&text);
            rig.files.write("/logs/app.log.1.gz", &packed[..packed.len() / 2]);
            rig.pass(Duration::from_secs(3));
            rig.files.write("/logs/app.log.1.gz", &packed);
            rig.files.rm("/logs/app.log.1");
            rig.pass(Duration::from_secs(60));
            assert!(rig.new_lines().is_empty(), "late: {late}, {} bytes", text.len());
            rig.files.mv("/logs/app.log.1.gz", "/logs/app.log.2.gz");
            rig.pass(Duration::from_secs(60));
            rig.stop();
            assert_eq!(rig.positions.len(), 2, "{:?}", rig.positions);
            rig.start().pass(Duration::from_secs(10));
            assert!(rig.new_lines().is_empty(), "late: {late}, {} bytes", text.len());
        }
    }
}

#[test]
fn one_that_stays_beside_its_original_is_not_read() {
    let mut rig = Rig::app();
    rig.files.write("/logs/app.log.1", long("a"));
    rig.start().pass_a_while();
    assert_eq!(rig.new_lines().len(), 300);
    rig.files.write("/logs/app.log.1.zst", zst(&long("a")));
    rig.pass(Duration::from_secs(120));
    assert!(rig.new_lines().is_empty());
}

#[test]
fn one_beside_its_original_is_not_read_by_a_run_to_the_end_either() {
    for text in [long("a"), "short\n".to_owned()] {
        let mut rig = Rig::app();
        rig.files.write("/logs/app.log.1.gz", gz(&text));
        rig.files.write("/logs/app.log.1", &text);
        assert_eq!(rig.once().len(), text.lines().count());
        assert!(rig.once().is_empty());
    }
}

#[test]
fn one_that_begins_like_another_file_is_read() {
    let mut rig = Rig::app();
    rig.files.write("/logs/app.log", "# header\n1\n");
    rig.start().pass_a_while();
    rig.files.write("/logs/app.log.1.gz", gz("# header\n"));
    rig.files.write("/logs/app.log.2.gz", gz("# header\n2\n"));
    rig.pass(Duration::from_secs(10));
    let mut lines = rig.new_lines();
    lines.sort();
    assert_eq!(lines, ["# header", "# header", "# header", "1", "2"]);
}

#[test]
fn what_was_packed_while_stopped_goes_on_where_it_was_left() {
    let mut rig = Rig::app();
    rig.files.write("/logs/app.log", long("a"));
    assert_eq!(rig.start().stop().len(), 300);
    rig.files.write("/logs/app.log.1.gz", gz(&(long("a") + "unread\n")));
    rig.files.rm("/logs/app.log");
    rig.files.write("/logs/app.log", "new\n");
    rig.clock.advance(Duration::from_secs(5));
    let mut lines = rig.start().next_lines();
    lines.sort();
    assert_eq!(lines, ["new", "unread"]);
}

#[test]
fn a_restart_does_not_unpack_what_was_read() {
    let mut rig = Rig::app();
    let text: String = (0..200_000).map(|n| format!("{}\n", n * 7919 % 1_000_003)).collect();
    rig.files.write("/logs/app.log.1.gz", gz(&text));
    rig.start().pass(Duration::from_secs(5));
    assert_eq!(rig.stop().len(), 200_000);
    let before = rig.files.count(SimOperation::Read);
    rig.start().pass(Duration::from_secs(5));
    assert!(rig.stop().is_empty());
    assert_eq!(rig.files.count(SimOperation::Read), before);
}

#[test]
fn all_files_one_after_the_other_if_that_is_asked_for() {
    let mut rig = Rig::new(json!({ "include": ["/logs/*"], "oldest_first": true }));
    let lines = |name: &str| (0..40_000).map(|n| format!("{name} {n:020}\n")).collect::<String>();
    for name in ["c", "a", "b"] {
        rig.files.write(format!("/logs/{name}.log"), lines(name));
        rig.clock.advance(Duration::from_secs(1));
    }
    rig.options["max_read_bytes"] = json!("64KiB");
    let read = rig.once();
    let expected = lines("c") + &lines("a") + &lines("b");
    assert_eq!(read.len(), 120_000);
    assert!(read.join("\n") + "\n" == expected, "the order is that of the times of change");
}
