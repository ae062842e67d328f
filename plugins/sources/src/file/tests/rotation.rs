//! Rotation by rename and by copytruncate while the source runs.

use std::time::Duration;

use serde_json::json;

use super::Rig;

#[test]
fn a_renamed_file_is_drained_before_the_new_one_is_read() {
    let mut rig = Rig::new(json!({ "include": ["/logs/app.log"] }));
    rig.files.write("/logs/app.log", "old 1\n");
    assert_eq!(rig.start().next_lines(), ["old 1"]);
    rig.files.append("/logs/app.log", "old 2\n");
    rig.files.mv("/logs/app.log", "/logs/app.log.1");
    rig.files.append("/logs/app.log.1", "old 3\n");
    rig.files.write("/logs/app.log", "new 1\n");
    assert_eq!(rig.next_lines(), ["old 2", "old 3", "new 1"]);
    // The writer has not yet reopened.
    rig.files.append("/logs/app.log.1", "old 4\n");
    rig.files.append("/logs/app.log", "new 2\n");
    let mut lines = rig.next_lines();
    lines.sort();
    assert_eq!(lines, ["new 2", "old 4"]);
}

#[test]
fn a_file_renamed_within_the_patterns_is_not_read_again() {
    let mut rig = Rig::app();
    rig.files.write("/logs/app.log", "a\nb\n");
    assert_eq!(rig.start().next_lines(), ["a", "b"]);
    for round in 0..3 {
        if round > 0 {
            rig.files.mv("/logs/app.log.1", format!("/logs/app.log.{}", round + 1));
        }
        rig.files.append("/logs/app.log", format!("last {round}\n"));
        rig.files.mv("/logs/app.log", "/logs/app.log.1");
        rig.files.write("/logs/app.log", format!("first {round}\n"));
        assert_eq!(rig.next_lines(), [format!("last {round}"), format!("first {round}")]);
    }
    rig.pass(Duration::from_secs(100));
    assert!(rig.new_lines().is_empty());
}

#[test]
fn a_partial_line_of_a_rotated_file_becomes_a_line_when_it_does_not_grow() {
    let mut rig = Rig::app();
    rig.files.write("/logs/app.log", "one\npart");
    rig.start().pass_a_while();
    rig.files.mv("/logs/app.log", "/logs/app.log.1");
    rig.files.write("/logs/app.log", "new\n");
    assert_eq!(rig.next_lines(), ["one", "new"]);
    rig.pass(Duration::from_secs(40));
    assert_eq!(rig.new_lines(), ["part"]);
    rig.pass(Duration::from_secs(100));
    assert!(rig.new_lines().is_empty());
}

#[test]
fn copytruncate_reads_every_line_once() {
    let mut rig = Rig::app();
    rig.files.write("/logs/app.log", "1\n2\n");
    assert_eq!(rig.start().next_lines(), ["1", "2"]);
    for round in 0..3 {
        let content = rig.files.content("/logs/app.log");
        rig.files.write(format!("/logs/app.log.{round}"), content);
        rig.files.truncate("/logs/app.log", 0);
        rig.files.append("/logs/app.log", format!("{round}a\n{round}b\n{round}c\n"));
        let expected: Vec<String> = ["a", "b", "c"].map(|c| format!("{round}{c}")).into();
        assert_eq!(rig.next_lines(), expected);
    }
    rig.pass(Duration::from_secs(100));
    assert!(rig.new_lines().is_empty());
}

#[test]
fn lines_that_only_the_copy_still_has_are_read_from_it_first() {
    let mut rig = Rig::app();
    rig.files.write("/logs/app.log", "seen\n");
    assert_eq!(rig.start().next_lines(), ["seen"]);
    rig.pass(Duration::from_secs(10));
    rig.files.append("/logs/app.log", "unseen\n");
    let content = rig.files.content("/logs/app.log");
    rig.files.write("/logs/app.log.1", content);
    rig.files.truncate("/logs/app.log", 0);
    rig.files.append("/logs/app.log", "new\n");
    assert_eq!(rig.next_lines(), ["unseen", "new"]);
}

#[test]
fn truncation_is_seen_although_the_file_has_grown_beyond_the_offset_again() {
    let mut rig = Rig::app();
    rig.files.write("/logs/app.log", "short\n");
    assert_eq!(rig.start().next_lines(), ["short"]);
    rig.files.write("/logs/app.log", "longer than before\nand more\n");
    assert_eq!(rig.next_lines(), ["longer than before", "and more"]);
}

#[test]
fn content_of_the_same_length_is_recognised_as_new() {
    let mut rig = Rig::app();
    rig.files.write("/logs/app.log", "aaaa\n");
    assert_eq!(rig.start().next_lines(), ["aaaa"]);
    rig.clock.advance(Duration::from_secs(1));
    rig.files.write("/logs/app.log", "bbbb\n");
    assert_eq!(rig.next_lines(), ["bbbb"]);
}

#[test]
fn truncation_to_zero_starts_anew() {
    let mut rig = Rig::app();
    rig.files.write("/logs/app.log", "one\n");
    assert_eq!(rig.start().next_lines(), ["one"]);
    rig.files.truncate("/logs/app.log", 0);
    assert!(rig.next_lines().is_empty());
    rig.files.append("/logs/app.log", "two\n");
    assert_eq!(rig.next_lines(), ["two"]);
}

#[test]
fn a_copy_made_slowly_before_the_truncation_is_not_read() {
    let mut rig = Rig::app();
    rig.files.write("/logs/app.log", "1 one\n2 two\n");
    assert_eq!(rig.start().next_lines(), ["1 one", "2 two"]);
    rig.files.write("/logs/app.log.1", "1 o");
    rig.pass(Duration::from_secs(4));
    rig.files.append("/logs/app.log.1", "ne\n");
    rig.pass(Duration::from_secs(2));
    assert!(rig.new_lines().is_empty());
    rig.files.append("/logs/app.log", "3 three\n");
    assert_eq!(rig.next_lines(), ["3 three"]);
    rig.files.append("/logs/app.log.1", "2 two\n3 three\n4 four\n");
    rig.files.truncate("/logs/app.log", 0);
    rig.files.append("/logs/app.log", "5 five\n");
    assert_eq!(rig.next_lines(), ["4 four", "5 five"]);
    rig.pass(Duration::from_secs(100));
    assert!(rig.new_lines().is_empty());
}

#[test]
fn a_line_read_between_copy_and_truncation_does_not_make_the_copy_a_new_file() {
    let mut rig = Rig::app();
    rig.files.write("/logs/app.log", "1\n2\n");
    assert_eq!(rig.start().new_lines(), ["1", "2"]);
    let copy = rig.files.content("/logs/app.log");
    rig.files.append("/logs/app.log", "3\n");
    rig.pass(Duration::from_millis(30));
    assert_eq!(rig.new_lines(), ["3"]);
    rig.files.write("/logs/app.log.1", copy);
    rig.files.truncate("/logs/app.log", 0);
    rig.files.append("/logs/app.log", "4\n");
    assert_eq!(rig.next_lines(), ["4"]);
    rig.pass(Duration::from_secs(100));
    assert!(rig.new_lines().is_empty());
}

#[test]
fn a_file_of_its_own_with_the_content_of_another_is_read() {
    let mut rig = Rig::app();
    rig.files.write("/logs/app.log", "header\n");
    assert_eq!(rig.start().next_lines(), ["header"]);
    rig.files.write("/logs/app.log.other", "header\n");
    rig.pass(Duration::from_secs(10));
    assert_eq!(rig.new_lines(), ["header"], "after a wait for a truncation that did not come");
    rig.files.write("/logs/app.log.third", "header\nbut its own line\n");
    rig.files.append("/logs/app.log", "row\n");
    let mut lines = rig.next_lines();
    lines.sort();
    assert_eq!(lines, ["but its own line", "header", "row"]);
}

#[test]
fn events_keep_their_identity_when_the_copy_is_read_on() {
    let mut rig = Rig::app();
    rig.files.write("/logs/app.log", "header\nseen\n");
    rig.start().pass(Duration::from_secs(10));
    let content = [rig.files.content("/logs/app.log"), b"rest\n".to_vec()].concat();
    rig.files.write("/logs/app.log.1", content);
    rig.files.truncate("/logs/app.log", 0);
    rig.files.append("/logs/app.log", "header\nother\n");
    rig.pass_a_while();
    let sent = rig.harness().sent();
    let origins: Vec<(u64, u64)> = sent
        .iter()
        .flat_map(|sent| sent.batch.iter().map(|e| e.origin().unwrap()).collect::<Vec<_>>())
        .collect();
    assert_eq!(origins.len(), 5);
    assert_eq!(origins[2], (origins[0].0, 12));
    assert_ne!(origins[3].0, origins[0].0, "the same first line, but another content");
}

#[test]
fn a_rotated_file_that_is_deleted_long_after_it_was_closed_is_forgotten() {
    let mut rig = Rig::app();
    rig.files.write("/logs/app.log", "one\n");
    rig.start().pass_a_while();
    rig.files.mv("/logs/app.log", "/logs/app.log.1");
    rig.files.write("/logs/app.log", "two\n");
    rig.pass(Duration::from_secs(40));
    assert_eq!(rig.new_lines(), ["one", "two"]);
    assert_eq!(rig.files.open_handles(), 1, "the rotated file is closed");
    rig.files.rm("/logs/app.log.1");
    rig.pass(Duration::from_secs(40));
    rig.stop();
    assert_eq!(rig.positions.len(), 1, "{:?}", rig.positions);
}
