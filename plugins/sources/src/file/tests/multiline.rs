//! Events of more than one line: through growth, restarts, rotation and limits.

use std::time::Duration;

use serde_json::json;

use super::Rig;

const TRACE: &str = "1 failed\n\tat a\n\tat b\n";

fn rig() -> Rig {
    let mut rig = Rig::app();
    rig.options["multiline"] = json!({ "preset": "indent", "timeout": "5s" });
    rig
}

#[test]
fn an_event_is_complete_when_the_next_one_begins() {
    let mut rig = rig();
    rig.files.write("/logs/app.log", "0 ok\n1 failed\n\tat a\n");
    assert_eq!(rig.start().next_lines(), ["0 ok"]);
    rig.files.append("/logs/app.log", "\tat");
    assert!(rig.next_lines().is_empty());
    rig.files.append("/logs/app.log", " b\n2 ok\n");
    assert_eq!(rig.next_lines(), ["1 failed\n\tat a\n\tat b"]);
    let origin = rig.harness().sent().last().unwrap().batch.event(0).origin().unwrap();
    assert_eq!(origin.1, 5, "the identity of an event is the offset of its first line");
}

#[test]
fn an_event_is_complete_when_nothing_follows_in_time() {
    let mut rig = rig();
    rig.files.write("/logs/app.log", TRACE);
    assert!(rig.start().next_lines().is_empty());
    rig.files.append("/logs/app.log", "\tat c\nhalf");
    rig.pass(Duration::from_secs(4));
    assert!(rig.new_lines().is_empty(), "the time runs from the last change");
    rig.pass(Duration::from_secs(3));
    assert_eq!(rig.new_lines(), ["1 failed\n\tat a\n\tat b\n\tat c"]);
    rig.pass(Duration::from_secs(60));
    assert!(rig.new_lines().is_empty(), "half a line waits for its newline");
    rig.files.append("/logs/app.log", "\n");
    rig.pass(Duration::from_secs(7));
    assert_eq!(rig.new_lines(), ["half"]);
}

#[test]
fn a_restart_takes_up_an_open_event_from_its_first_line() {
    let mut rig = rig();
    rig.files.write("/logs/app.log", "0 ok\n1 failed\n\tat a\n");
    assert_eq!(rig.start().stop(), ["0 ok"]);
    rig.files.append("/logs/app.log", "\tat b\n2 ok\n");
    assert_eq!(rig.start().stop(), ["1 failed\n\tat a\n\tat b"]);
    assert_eq!(rig.once(), ["2 ok"]);
    assert!(rig.once().is_empty());
}

#[test]
fn once_takes_the_last_event_with_its_half_line() {
    let mut rig = rig();
    rig.files.write("/logs/app.log", "0 ok\n1 failed\n\tat a\n\tat");
    assert_eq!(rig.once(), ["0 ok", "1 failed\n\tat a\n\tat"]);
}

#[test]
fn a_rotated_file_gives_its_last_event_before_the_new_file_gives_any() {
    for once in [false, true] {
        let mut rig = rig();
        rig.files.write("/logs/app.log", "0 ok\n");
        assert!(rig.start().stop().is_empty());
        for n in 1..3 {
            rig.files.append("/logs/app.log", format!("{n} failed\n\tat a\n"));
            if n == 2 {
                rig.files.mv("/logs/app.log.1", "/logs/app.log.2");
            }
            rig.files.mv("/logs/app.log", "/logs/app.log.1");
            rig.clock.advance(Duration::from_millis(10));
            rig.files.write("/logs/app.log", format!("{n} ok\n"));
        }
        let wanted = ["0 ok", "1 failed\n\tat a", "1 ok", "2 failed\n\tat a", "2 ok"];
        let lines = if once {
            rig.once()
        } else {
            rig.start().pass(Duration::from_secs(30));
            rig.new_lines()
        };
        assert_eq!(lines, wanted, "once: {once}");
    }
}

#[test]
fn a_file_renamed_with_an_open_event_gives_it_whole() {
    let mut rig = rig();
    rig.files.write("/logs/app.log", "1 failed\n\tat a\n");
    rig.start().pass_a_while();
    rig.files.mv("/logs/app.log", "/logs/app.log.1");
    rig.files.append("/logs/app.log.1", "\tat b\n");
    rig.files.write("/logs/app.log", "2 ok\n3 ok\n");
    assert!(rig.next_lines().is_empty(), "the old file may go on");
    rig.pass(Duration::from_secs(20));
    assert_eq!(rig.new_lines(), ["1 failed\n\tat a\n\tat b", "2 ok", "3 ok"]);
}

#[test]
fn copytruncate_with_an_open_event_gives_it_whole() {
    let mut rig = rig();
    rig.files.write("/logs/app.log", "0 ok\n1 failed\n\tat a\n");
    assert_eq!(rig.start().next_lines(), ["0 ok"]);
    rig.files.write("/logs/app.log.1", "0 ok\n1 failed\n\tat a\n\tat b\n");
    rig.files.write("/logs/app.log", "2 ok\n3 ok\n");
    rig.pass(Duration::from_secs(20));
    assert_eq!(rig.new_lines(), ["1 failed\n\tat a\n\tat b", "2 ok", "3 ok"]);
}

#[test]
fn an_event_longer_than_a_block_is_one_event_and_one_over_the_limit_goes_on_in_the_next() {
    let mut rig = rig();
    let lines = "\tat a\n".repeat(100_000);
    rig.options["multiline"]["max_lines"] = json!(1_000_000);
    rig.files.write("/logs/app.log", format!("1 failed\n{lines}2 ok\n"));
    assert_eq!(rig.once(), [format!("1 failed\n{lines}").trim_end(), "2 ok"]);
    rig.options["max_line_bytes"] = json!(1000);
    rig.positions.clear();
    let events = rig.once();
    let whole = &events[..events.len() - 2];
    assert!(whole.iter().all(|event| event.len() <= 1000 && event.len() > 990));
    assert_eq!(events.join("\n"), format!("1 failed\n{lines}2 ok"));
}

#[test]
fn a_line_over_the_limit_stands_alone() {
    let mut rig = rig();
    rig.options["max_line_bytes"] = json!(10);
    let long = "x".repeat(300_000);
    rig.files.write("/logs/app.log", format!("0 ok\n\tat a\n\t{long}\n\tat b\n1 ok\n"));
    let cut = format!("\t{}", "x".repeat(9));
    assert_eq!(rig.once(), ["0 ok\n\tat a", cut.as_str(), "\tat b", "1 ok"]);
}

#[test]
fn an_open_event_is_not_read_again_while_nothing_comes() {
    let mut rig = rig();
    rig.options["multiline"]["timeout"] = json!("1h");
    rig.files.write("/logs/app.log", TRACE);
    rig.start().pass_a_while();
    let reads = rig.files.count(lograil_testkit::SimOperation::Read);
    rig.pass(Duration::from_secs(30));
    assert_eq!(rig.files.count(lograil_testkit::SimOperation::Read), reads);
}
