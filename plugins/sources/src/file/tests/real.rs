//! The same on a real directory.

use std::fs;
use std::io::Write;
use std::sync::Arc;
use std::time::Duration;

use lograil_plugin::SystemFiles;
use lograil_testkit::SourceHarness;
use serde_json::json;

use super::source;

fn append(path: &std::path::Path, text: &str) {
    let mut file = fs::OpenOptions::new().append(true).create(true).open(path).unwrap();
    file.write_all(text.as_bytes()).unwrap();
}

fn start(pattern: &std::path::Path) -> SourceHarness {
    let options = json!({ "include": [pattern.to_str().unwrap()] });
    SourceHarness::builder(source(&options)).files(Arc::new(SystemFiles)).start()
}

fn text(lines: &[Vec<u8>]) -> Vec<String> {
    lines.iter().map(|line| String::from_utf8_lossy(line).into_owned()).collect()
}

#[test]
fn follows_rename_and_copytruncate() {
    let directory = tempfile::tempdir().unwrap();
    let log = directory.path().join("app.log");
    append(&log, "1\n");
    let mut harness = start(&directory.path().join("app.log*"));
    assert_eq!(text(&harness.next_lines(1)), ["1"]);
    append(&log, "2\n");
    fs::rename(&log, directory.path().join("app.log.1")).unwrap();
    append(&log, "3\n");
    assert_eq!(text(&harness.next_lines(2)), ["2", "3"]);
    append(&log, "4\n");
    fs::copy(&log, directory.path().join("app.log.2")).unwrap();
    fs::OpenOptions::new().write(true).open(&log).unwrap().set_len(0).unwrap();
    append(&log, "5\n");
    assert_eq!(text(&harness.next_lines(2)), ["4", "5"]);
    for _ in 0..50 {
        harness.advance(Duration::from_secs(1));
    }
    assert!(harness.try_next().is_none_or(|sent| sent.batch.is_empty()));
    harness.stop().unwrap();
}

#[test]
fn a_hard_link_is_not_a_second_file() {
    let directory = tempfile::tempdir().unwrap();
    append(&directory.path().join("a.log"), "1\n");
    fs::hard_link(directory.path().join("a.log"), directory.path().join("b.log")).unwrap();
    let mut harness = start(&directory.path().join("*.log"));
    assert_eq!(text(&harness.next_lines(1)), ["1"]);
    harness.advance(Duration::from_secs(10));
    harness.stop().unwrap();
    assert_eq!(harness.lines().len(), 1);
}
