//! Whatever stands in a file, the answer is a plan or diagnostics.

use lograil_config::{Level, render};
use proptest::prelude::*;

use crate::fake::load_files;

const TOPOLOGY: &str = r#"data_dir = "state" # é
shutdown_timeout = "5s"
[admin]
listen = "127.0.0.1:9598"
[sources.app]
type = "demo"
rate = "${RATE:-5}"
weights = { info = 0.5, "größe" = 1e3 }
token = '${PASSWORD}'
[transforms.keep]
type = "filter"
inputs = ["app", "ap*", "app.dead_letter"]
condition = """
  .a === "\u00e9$$" \
  && .b"""
[transforms.split]
type = "route"
inputs = "keep"
[transforms.split.routes]
slow = '''
.ms >= 5'''
[sinks.out]
type = "file"
inputs = ["split.slow"]
path = "a"
encoding = { codec = "text", format = "{message}" }
password = "correct horse"
"#;

fn answers(text: &str, set: &str) {
    let loaded = load_files(&[("a.toml", text), ("b.toml", "")], &[set]);
    let is_error = |level: &Level| *level == Level::Error;
    let failed = loaded.diagnostics.iter().map(|diagnostic| diagnostic.level).any(|l| is_error(&l));
    assert_eq!(failed, loaded.plan.is_none());
    let rendered = render(&loaded.diagnostics, &loaded.files, false);
    assert_eq!(rendered.is_empty(), loaded.diagnostics.is_empty());
    for diagnostic in &loaded.diagnostics {
        assert!(diagnostic.to_json(&loaded.files).is_object());
    }
    if let Some(plan) = loaded.plan {
        assert!(plan.redacted_json().is_object());
    }
}

/// Pieces that mean something to one of the parsers.
fn piece() -> impl Strategy<Value = String> {
    prop_oneof![
        Just("${".to_owned()),
        Just("}".to_owned()),
        Just("\"\"\"".to_owned()),
        Just("'''".to_owned()),
        Just("\\".to_owned()),
        Just("\\\n".to_owned()),
        Just("\r\n".to_owned()),
        Just("[[".to_owned()),
        Just("]\n[sources.app]".to_owned()),
        Just("inputs = ['keep', 'split.*']\n".to_owned()),
        Just("日".to_owned()),
        Just("\u{1b}[31m".to_owned()),
        Just("=".to_owned()),
        Just(".".to_owned()),
        any::<char>().prop_map(String::from),
        ".{0,8}",
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn mutated_topologies_never_panic(
        edits in prop::collection::vec((any::<prop::sample::Index>(), 0..12usize, piece()), 1..6),
    ) {
        let mut chars: Vec<char> = TOPOLOGY.chars().collect();
        for (at, cut, piece) in edits {
            let at = at.index(chars.len() + 1).min(chars.len());
            let end = (at + cut).min(chars.len());
            chars.splice(at..end, piece.chars());
        }
        answers(&chars.into_iter().collect::<String>(), "sources.app.rate=5");
    }

    #[test]
    fn any_text_and_any_flag_never_panic(text in "\\PC{0,80}", set in "[a-c.=\"'\\[\\]{}0-9$é ]{0,20}") {
        answers(&text, &set);
    }
}

#[test]
fn lines_removed_or_repeated_never_panic() {
    let lines: Vec<&str> = TOPOLOGY.lines().collect();
    for skip in 0..lines.len() {
        let mut fewer = lines.clone();
        let line = fewer.remove(skip);
        answers(&fewer.join("\n"), "a=1");
        fewer.insert(skip, line);
        fewer.insert(skip, line);
        answers(&fewer.join("\n"), "sinks.out.inputs=app");
    }
    for end in 0..TOPOLOGY.len() {
        if let Some(start) = TOPOLOGY.get(..end) {
            answers(start, "x");
        }
    }
}
