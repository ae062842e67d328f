//! The examples of the manual: a configuration, lines, and the events that come out.

use lograil_testkit::TransformHarness;
use serde_json::Value;

use super::SPEC;

/// The blocks of the manual that have a language, with it.
fn blocks() -> Vec<(&'static str, String)> {
    let mut blocks = Vec::new();
    let mut open: Option<(&str, String)> = None;
    for line in SPEC.manual.lines() {
        match (&mut open, line.strip_prefix("```")) {
            (None, Some(language)) => open = Some((language, String::new())),
            (Some(_), Some(_)) => blocks.extend(open.take()),
            (Some((_, text)), None) => *text += &format!("{line}\n"),
            (None, None) => {}
        }
    }
    blocks
}

#[test]
fn every_example_of_the_manual_gives_the_events_it_shows() {
    let blocks = blocks();
    let mut formats = Vec::new();
    for window in blocks.windows(3) {
        let [("toml", config), ("text", lines), ("json", events)] = window else { continue };
        let config: toml::Table = toml::from_str(config).unwrap();
        let components = config["transforms"].as_table().unwrap();
        assert_eq!(components.len(), 1, "{config}");
        let (_, component) = components.iter().next().unwrap();
        let mut options = serde_json::to_value(component).unwrap();
        let members = options.as_object_mut().unwrap();
        members.retain(|name, _| name != "type" && name != "inputs");
        formats.push(members["format"].as_str().unwrap().to_owned());
        let lines: Vec<&str> = lines.lines().collect();
        let emitted = TransformHarness::build(&SPEC, options).feed_lines(&lines);
        assert_eq!(emitted.dead_letter_reasons(), Vec::<String>::new(), "{component}");
        let expected: Vec<Value> =
            events.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        let seen = emitted.main();
        assert_eq!(seen, expected, "{component}");
        let text = |event: &Value| event.to_string();
        let (seen, expected): (Vec<_>, Vec<_>) =
            (seen.iter().map(text).collect(), expected.iter().map(text).collect());
        assert_eq!(seen, expected, "the order of the fields: {component}");
    }
    let root = (SPEC.schema)().to_string();
    let names = [
        "json",
        "csv",
        "tsv",
        "logfmt",
        "key_value",
        "syslog",
        "combined",
        "glog",
        "dissect",
        "cef",
        "leef",
        "regex",
        "auto",
        "grok",
    ];
    for name in names {
        assert!(root.contains(&format!("\"{name}\"")), "the schema has {name}");
        assert!(formats.iter().any(|format| format == name), "{name} has an example that was run");
    }
}
