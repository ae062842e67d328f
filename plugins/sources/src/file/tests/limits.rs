//! Bounds: open files, fairness, thousands of files.

use serde_json::json;

use super::Rig;

#[test]
fn ten_thousand_files_are_read_with_few_open() {
    let mut rig = Rig::new(json!({ "include": ["/logs/*.log"], "max_open_files": 50 }));
    for file in 0..10_000 {
        rig.files.write(format!("/logs/{file:05}.log"), format!("{file} a\n"));
    }
    let mut lines = rig.start().next_lines();
    assert_eq!(lines.len(), 10_000);
    lines.sort();
    lines.dedup();
    assert_eq!(lines.len(), 10_000);
    assert!(rig.files.open_handles_peak() <= 52, "{}", rig.files.open_handles_peak());
    rig.files.append("/logs/00007.log", "more\n");
    rig.files.append("/logs/09999.log", "even more\n");
    let mut lines = rig.next_lines();
    lines.sort();
    assert_eq!(lines, ["even more", "more"]);
    rig.stop();
    assert_eq!(rig.positions.len(), 10_000);
    assert!(rig.start().next_lines().is_empty());
}

#[test]
fn a_file_that_was_closed_for_others_is_found_after_its_rename() {
    let mut rig = Rig::new(json!({ "include": ["/logs/*.log"], "max_open_files": 1 }));
    for name in ["a", "b", "c"] {
        rig.files.write(format!("/logs/{name}.log"), format!("{name} 1\n"));
    }
    assert_eq!(rig.start().next_lines(), ["a 1", "b 1", "c 1"]);
    rig.files.append("/logs/a.log", "a 2\n");
    rig.files.mv("/logs/a.log", "/logs/a.log.1");
    rig.files.write("/logs/a.log", "a 3\n");
    assert_eq!(rig.next_lines(), ["a 2", "a 3"]);
}

#[test]
fn a_big_file_does_not_keep_the_others_waiting() {
    let mut rig = Rig::new(json!({ "include": ["/logs/*"], "max_read_bytes": 4096 }));
    rig.files.write("/logs/a", "big\n".repeat(200_000));
    rig.files.write("/logs/b", "small\n");
    rig.start();
    rig.pass_a_while();
    let lines = rig.new_lines();
    assert_eq!(lines.len(), 200_001);
    let at = lines.iter().position(|line| line == "small").unwrap();
    assert!(at < 150_000, "{at}");
}

#[test]
fn options_are_checked_all_at_once() {
    let errors = crate::file::options::Checked::new(&lograil_plugin::Options(json!({
        "include": ["/logs/[", "/ok"], "exclude": ["{"], "max_line_bytes": 0, "file_key": "message"
    })));
    let errors = errors.unwrap_err().0;
    let paths: Vec<String> = errors.iter().map(|error| error.path.join(".")).collect();
    assert_eq!(paths, ["max_line_bytes", "file_key", "include.0", "exclude.0"]);
}

#[test]
fn obeys_the_laws_of_every_source() {
    let files = lograil_testkit::SimFiles::new();
    files.write("/logs/app.log", "one\ntwo\nthree\n");
    let options = json!({ "include": ["/logs/*.log"] });
    lograil_testkit::conformance::source(&crate::file::SPEC, &options, &files.shared());
    lograil_testkit::conformance::manual(&crate::file::SPEC);
}
