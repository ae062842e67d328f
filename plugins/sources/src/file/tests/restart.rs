//! Stopping, and starting again from a checkpoint.

use serde_json::json;

use super::Rig;

#[test]
fn goes_on_at_the_checkpoint() {
    let mut rig = Rig::app();
    rig.files.write("/logs/app.log", "one\ntwo\npar");
    assert_eq!(rig.start().stop(), ["one", "two"]);
    rig.files.append("/logs/app.log", "tial\nthree\n");
    assert_eq!(rig.start().stop(), ["partial", "three"]);
    assert!(rig.start().next_lines().is_empty());
}

#[test]
fn what_was_not_acknowledged_comes_again_with_the_same_identity() {
    let mut rig = Rig::app();
    rig.files.write("/logs/app.log", "one\n");
    rig.start().pass_a_while();
    rig.files.append("/logs/app.log", "two\n");
    rig.pass_a_while();
    let first = rig.harness().sent();
    let of = |sent: &lograil_testkit::Sent| sent.batch.event(0).origin();
    let second = of(first.iter().filter(|sent| !sent.batch.is_empty()).nth(1).unwrap());
    rig.positions = rig.harness().acknowledged_positions(1);
    assert_eq!(rig.start().new_lines(), ["two"]);
    assert_eq!(of(&rig.harness().sent()[0]), second);
}

#[test]
fn an_event_has_the_same_identity_when_the_whole_file_is_read_again() {
    let mut rig = Rig::app();
    rig.files.write("/logs/app.log", "one\n");
    rig.start();
    let first = rig.harness().sent()[0].batch.event(0).origin();
    rig.files.append("/logs/app.log", "x".repeat(5000));
    rig.start();
    assert_eq!(rig.harness().sent()[0].batch.event(0).origin(), first);
}

#[test]
fn a_file_renamed_while_stopped_is_finished_under_its_new_name_and_then_the_new_one_read() {
    for include in ["/logs/app.log", "/logs/app.log*"] {
        let mut rig = Rig::new(json!({ "include": [include] }));
        rig.files.write("/logs/app.log", "old 1\n");
        assert_eq!(rig.start().stop(), ["old 1"]);
        rig.files.append("/logs/app.log", "old 2\n");
        rig.files.mv("/logs/app.log", "/logs/app.log.1");
        rig.files.write("/logs/app.log", "new\n");
        assert_eq!(rig.start().next_lines(), ["old 2", "new"], "{include}");
        rig.stop();
        assert!(rig.start().next_lines().is_empty());
    }
}

#[test]
fn once_finishes_a_file_renamed_between_two_runs() {
    let mut rig = Rig::new(json!({ "include": ["/logs/app.log"] }));
    rig.files.write("/logs/app.log", "old 1\n");
    assert_eq!(rig.once(), ["old 1"]);
    rig.files.append("/logs/app.log", "old 2\n");
    rig.files.mv("/logs/app.log", "/logs/app.log.1");
    rig.files.write("/logs/app.log", "new\n");
    assert_eq!(rig.once(), ["old 2", "new"]);
    assert!(rig.once().is_empty());
}

#[test]
fn copytruncate_while_stopped_goes_on_in_the_copy() {
    let mut rig = Rig::app();
    rig.files.write("/logs/app.log", "old 1\n");
    assert_eq!(rig.start().stop(), ["old 1"]);
    rig.files.write("/logs/app.log.1", "old 1\nold 2\n");
    rig.files.write("/logs/app.log", "new 1\nnew 2 and more\n");
    assert_eq!(rig.start().next_lines(), ["old 2", "new 1", "new 2 and more"]);
    rig.stop();
    assert!(rig.start().next_lines().is_empty());
}

#[test]
fn truncated_while_stopped_starts_anew() {
    let mut rig = Rig::app();
    rig.files.write("/logs/app.log", "a long first line\n");
    rig.start().stop();
    rig.files.write("/logs/app.log", "new\n");
    assert_eq!(rig.start().stop(), ["new"]);
    assert_eq!(rig.once(), Vec::<String>::new());
}

#[test]
fn an_inode_reused_by_another_content_is_read_from_its_beginning() {
    let mut rig = Rig::app();
    rig.files.reuse_inodes();
    rig.files.write("/logs/app.log", "first\n");
    let inode = rig.files.inode("/logs/app.log");
    assert_eq!(rig.start().stop(), ["first"]);
    rig.files.rm("/logs/app.log");
    rig.files.write("/logs/app.log", "other\nmore\n");
    assert_eq!(rig.files.inode("/logs/app.log"), inode, "the fault happened");
    assert_eq!(rig.start().next_lines(), ["other", "more"]);
}

#[test]
fn a_short_file_is_recognised_after_it_has_grown() {
    let mut rig = Rig::app();
    rig.files.write("/logs/app.log", "x\n");
    assert_eq!(rig.start().stop(), ["x"]);
    rig.files.append("/logs/app.log", "y".repeat(3000));
    rig.files.append("/logs/app.log", "\n");
    assert_eq!(rig.start().stop(), ["y".repeat(3000)]);
    rig.files.append("/logs/app.log", "z\n");
    assert_eq!(rig.start().stop(), ["z"]);
}

#[test]
fn files_with_the_same_first_bytes_are_told_apart() {
    let header = "#".repeat(2000) + "\n";
    let mut rig = Rig::app();
    for name in ["a", "b", "c"] {
        rig.files.write(format!("/logs/app.log.{name}"), format!("{header}{name} 1\n"));
    }
    let mut lines = rig.start().stop();
    lines.retain(|line| !line.starts_with('#'));
    assert_eq!(lines, ["a 1", "b 1", "c 1"]);
    for name in ["a", "b", "c"] {
        rig.files.append(format!("/logs/app.log.{name}"), format!("{name} 2\n"));
    }
    assert_eq!(rig.start().stop(), ["a 2", "b 2", "c 2"]);
}

#[test]
fn a_file_that_is_missing_for_a_while_keeps_its_position() {
    let mut rig = Rig::app();
    rig.files.write("/logs/app.log", "one\n");
    assert_eq!(rig.start().stop(), ["one"]);
    rig.files.mv("/logs/app.log", "/elsewhere");
    assert!(rig.start().next_lines().is_empty());
    rig.files.append("/elsewhere", "two\n");
    rig.files.mv("/elsewhere", "/logs/app.log");
    assert_eq!(rig.next_lines(), ["two"]);
}

#[test]
fn a_position_that_cannot_be_understood_is_dropped_and_the_file_read() {
    let mut rig = Rig::app();
    rig.positions.insert("nonsense".into(), "{".into());
    rig.files.write("/logs/app.log", "one\n");
    assert_eq!(rig.start().stop(), ["one"]);
    assert_eq!(rig.positions.len(), 1);
    assert!(!rig.positions.contains_key("nonsense"));
}
