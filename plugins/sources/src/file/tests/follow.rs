//! Following files that grow, come, go and share inodes.

use std::time::Duration;

use lograil_testkit::{Fault, SimOperation};
use serde_json::json;

use super::Rig;

#[test]
fn reads_from_the_beginning_and_follows() {
    let mut rig = Rig::app();
    rig.files.write("/logs/app.log", "one\ntwo\n");
    assert_eq!(rig.start().new_lines(), ["one", "two"]);
    rig.files.append("/logs/app.log", "three\n");
    assert_eq!(rig.next_lines(), ["three"]);
    rig.pass(Duration::from_secs(60));
    rig.files.append("/logs/app.log", "four\n");
    assert_eq!(rig.next_lines(), ["four"]);
}

#[test]
fn a_file_that_grows_is_looked_at_within_milliseconds() {
    let mut rig = Rig::app();
    rig.files.write("/logs/app.log", "one\n");
    rig.start();
    rig.files.append("/logs/app.log", "two\n");
    rig.pass(Duration::from_millis(30));
    assert_eq!(rig.new_lines(), ["one", "two"]);
}

#[test]
fn reads_from_the_end_at_the_start_and_from_the_beginning_later() {
    let mut rig = Rig::app();
    rig.options["read_from"] = json!("end");
    rig.files.write("/logs/app.log", "old\nol");
    rig.files.write("/logs/app.log.empty", "");
    assert!(rig.start().new_lines().is_empty());
    rig.files.append("/logs/app.log", "d but whole\nnew\n");
    rig.files.write("/logs/app.log.later", "first\n");
    assert_eq!(rig.next_lines(), ["old but whole", "new", "first"]);
    rig.stop();
    rig.files.append("/logs/app.log", "while stopped\n");
    rig.files.append("/logs/app.log.empty", "no longer\n");
    let mut lines = rig.start().next_lines();
    lines.sort();
    assert_eq!(lines, ["no longer", "while stopped"]);
}

#[test]
fn a_partial_line_is_held_back_until_its_newline_arrives() {
    let mut rig = Rig::app();
    rig.files.write("/logs/app.log", "whole\npar");
    assert_eq!(rig.start().next_lines(), ["whole"]);
    rig.files.append("/logs/app.log", "tia");
    rig.pass(Duration::from_secs(100));
    assert!(rig.new_lines().is_empty());
    rig.files.append("/logs/app.log", "l\n");
    assert_eq!(rig.next_lines(), ["partial"]);
}

#[test]
fn an_unfinished_line_is_not_read_again_while_nothing_comes() {
    let mut rig = Rig::app();
    rig.files.write("/logs/app.log", "partial");
    rig.start().pass_a_while();
    let reads = rig.files.count(SimOperation::Read);
    rig.pass(Duration::from_secs(30));
    assert_eq!(rig.files.count(SimOperation::Read), reads);
}

#[test]
fn once_takes_an_unterminated_last_line_and_ends() {
    let mut rig = Rig::app();
    rig.files.write("/logs/app.log", "one\ntwo");
    rig.files.write("/logs/app.log.empty", "");
    assert_eq!(rig.once(), ["one", "two"]);
    assert!(rig.once().is_empty(), "the position is behind the last line");
}

#[test]
fn excluded_and_old_files_are_not_read() {
    let mut rig = Rig::app();
    rig.options["exclude"] = json!(["**/*.gz"]);
    rig.options["ignore_older_secs"] = json!(60);
    rig.files.write("/logs/app.log.1.gz", "zip\n");
    rig.files.write("/logs/app.log.old", "old\n");
    rig.clock.advance(Duration::from_secs(100));
    rig.files.write("/logs/app.log", "new\n");
    assert_eq!(rig.start().next_lines(), ["new"]);
}

#[test]
fn an_old_file_is_read_when_it_is_written_to_again() {
    let mut rig = Rig::app();
    rig.options["ignore_older_secs"] = json!(60);
    rig.options["read_from"] = json!("end");
    rig.files.write("/logs/app.log", "old\n");
    rig.clock.advance(Duration::from_secs(100));
    assert!(rig.start().next_lines().is_empty());
    rig.files.append("/logs/app.log", "new\n");
    assert_eq!(rig.next_lines(), ["new"]);
}

#[test]
fn two_names_of_one_file_are_read_once() {
    let mut rig = Rig::app();
    rig.files.write("/logs/app.log", "one\n");
    rig.files.symlink("/logs/app.log", "/logs/app.log.link");
    assert_eq!(rig.start().next_lines(), ["one"]);
    rig.files.append("/logs/app.log", "two\n");
    assert_eq!(rig.next_lines(), ["two"]);
}

#[test]
fn a_symlink_that_points_elsewhere_is_followed_after_the_old_file_is_drained() {
    let mut rig = Rig::new(json!({ "include": ["/logs/current"] }));
    rig.files.write("/data/monday.log", "mon 1\n");
    rig.files.symlink("/data/monday.log", "/logs/current");
    assert_eq!(rig.start().next_lines(), ["mon 1"]);
    rig.files.append("/data/monday.log", "mon 2\n");
    rig.files.write("/data/tuesday.log", "tue 1\n");
    rig.files.symlink("/data/tuesday.log", "/logs/current");
    assert_eq!(rig.next_lines(), ["mon 2", "tue 1"]);
}

#[test]
fn a_deleted_file_is_read_to_its_end_and_then_forgotten_and_closed() {
    let mut rig = Rig::app();
    rig.files.write("/logs/app.log", "one\n");
    rig.start().pass_a_while();
    rig.files.append("/logs/app.log", "two\npartial");
    rig.files.rm("/logs/app.log");
    assert_eq!(rig.next_lines(), ["one", "two"]);
    assert_eq!(rig.files.open_handles(), 1);
    rig.pass(Duration::from_secs(40));
    assert_eq!(rig.new_lines(), ["partial"]);
    assert_eq!(rig.files.open_handles(), 0);
    rig.pass_a_while().stop();
    assert!(rig.positions.is_empty(), "{:?}", rig.positions);
}

#[test]
fn files_that_cannot_be_read_are_tried_again_and_others_go_on() {
    let mut rig = Rig::app();
    rig.files.write("/logs/app.log", "mine\n");
    rig.files.write("/logs/app.log.secret", "theirs\n");
    let denied = rig.files.inject(
        Fault::new(SimOperation::Open)
            .at("/logs/app.log.secret")
            .kind(std::io::ErrorKind::PermissionDenied),
    );
    assert_eq!(rig.start().next_lines(), ["mine"]);
    assert!(denied.count() > 1);
    rig.files.heal();
    assert_eq!(rig.next_lines(), ["theirs"]);
}

#[test]
fn a_read_error_loses_nothing() {
    let mut rig = Rig::app();
    rig.files.write("/logs/app.log", "one\n");
    rig.start().pass_a_while();
    rig.files.append("/logs/app.log", "two\n");
    let broken = rig.files.inject(Fault::new(SimOperation::Read).times(3));
    rig.pass(Duration::from_secs(10));
    assert_eq!(broken.count(), 3);
    assert_eq!(rig.new_lines(), ["one", "two"]);
}

#[test]
fn short_reads_change_nothing() {
    let mut rig = Rig::app();
    rig.files.write("/logs/app.log", "one\ntwo\nthree\n");
    rig.files.inject(Fault::new(SimOperation::Read).short(3));
    assert_eq!(rig.start().next_lines(), ["one", "two", "three"]);
}

#[test]
fn a_directory_that_appears_later_is_found() {
    let mut rig = Rig::new(json!({ "include": ["/srv/**/*.log"] }));
    assert!(rig.start().next_lines().is_empty());
    rig.files.write("/srv/a/b/c.log", "deep\n");
    assert_eq!(rig.next_lines(), ["deep"]);
}

#[test]
fn stops_while_the_edges_are_full_and_keeps_what_was_not_taken_for_later() {
    let mut rig = Rig::app();
    rig.files.write("/logs/app.log", "one\n");
    rig.start().pass_a_while();
    let harness = rig.harness();
    harness.hold();
    rig.files.append("/logs/app.log", "two\n");
    rig.pass_a_while_held();
    rig.harness().close();
    rig.harness().finish().unwrap();
    let sends = rig.harness().sent().len();
    rig.positions = rig.harness().acknowledged_positions(sends);
    assert_eq!(rig.start().next_lines(), ["two"]);
}

impl Rig {
    /// Time passes until the source waits in a send.
    fn pass_a_while_held(&mut self) {
        while !self.harness().is_waiting() {
            self.harness().advance(Duration::from_millis(100));
        }
    }
}
