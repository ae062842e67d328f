//! Grok: expansion, the bundled patterns, and cases of Logstash's own tests where they are at hand.

use std::collections::BTreeMap;

use lograil_plugin::{Build, ConfigError, ConfigErrors, Options};
use lograil_testkit::{TransformHarness, conformance};
use serde_json::{Value, json};

use super::super::SPEC;
use lograil_codec::grok;

fn harness(pattern: &str) -> TransformHarness {
    TransformHarness::build(&SPEC, json!({"format": "grok", "pattern": pattern}))
}

fn config_error(options: Value) -> ConfigError {
    let Build::Transform(build) = SPEC.build else { panic!("a transform") };
    let Err(ConfigErrors(mut errors)) = build(&Options(options)) else { panic!("refused") };
    assert_eq!(errors.len(), 1, "{errors:?}");
    errors.remove(0)
}

#[test]
fn obeys_the_laws_of_a_transform() {
    let options =
        json!({"format": "grok", "pattern": "%{WORD:a} %{GREEDYDATA:b}", "on_error": "pass"});
    conformance::transform(&SPEC, &options);
}

#[test]
fn every_bundled_pattern_is_an_expression_and_has_its_name_once() {
    let mut names = std::collections::BTreeSet::new();
    for (name, _) in grok::all() {
        assert!(names.insert(name), "{name} is defined twice");
        let expanded = grok::expand(&format!("%{{{name}}}"), &BTreeMap::new());
        let expanded = expanded.unwrap_or_else(|error| panic!("{name}: {error:?}"));
        regex_syntax::parse(&expanded.regex).unwrap_or_else(|error| panic!("{name}: {error}"));
    }
    assert!(names.len() > 150);
}

#[test]
fn fields_have_the_names_and_types_that_the_pattern_says() {
    let mut parse = harness(
        r"%{IP:[client][ip]} %{WORD:verb} %{NUMBER:took:float} %{INT:n:int} (?<rest>\S+)%{DATA:empty}$",
    );
    assert_eq!(
        parse.feed_lines(&["192.0.2.1 GET 0.5 007 a-b"]).main(),
        [json!({"client.ip": "192.0.2.1", "verb": "GET", "took": 0.5, "n": 7, "rest": "a-b"})]
    );
    let mut either = harness("^(?:%{INT:value}|%{WORD:value})$");
    let values: Vec<Value> = either
        .feed_lines(&["12", "ab"])
        .main()
        .iter()
        .map(|event| event["value"].clone())
        .collect();
    assert_eq!(values, ["12", "ab"], "one field from either group");
}

#[test]
fn own_definitions_go_before_bundled_ones_and_may_use_them() {
    let options = json!({
        "format": "grok",
        "pattern": "^%{WORD:id} %{ORDER:order}$",
        "pattern_definitions": {"WORD": "[a-z]+", "ORDER": "%{WORD}-%{INT:number:int}"},
    });
    let mut parse = TransformHarness::build(&SPEC, options);
    let emitted = parse.feed_lines(&["x shop-12", "X shop-12"]);
    assert_eq!(emitted.main(), [json!({"id": "x", "order": "shop-12", "number": 12})]);
    assert_eq!(emitted.dead_letters().len(), 1);
}

#[test]
fn mistakes_name_the_place_and_the_remedy() {
    let error = config_error(json!({"format": "grok", "pattern": "x %{WROD:a}"}));
    assert_eq!(error.message, "there is no pattern `WROD`");
    assert_eq!(error.within, Some(4..8));
    assert_eq!(error.help.as_deref(), Some("did you mean `WORD`?"));
    let error = config_error(json!({"format": "grok", "pattern": "%{INT:a:itn}"}));
    assert_eq!((error.message.as_str(), error.within), ("`itn` is no type", Some(8..11)));
    let error = config_error(json!({"format": "grok", "pattern": "a (?<!b)c"}));
    assert_eq!(error.within, Some(2..6));
    let error = config_error(json!({
        "format": "grok", "pattern": "%{A:a}", "pattern_definitions": {"A": "x%{B}", "B": "%{A}"}
    }));
    assert_eq!(error.message, "`A` refers to itself");
    assert_eq!(error.path, ["pattern_definitions", "B"]);
    let name = |at: usize| format!("A{at}");
    let chain = (0..40).map(|at| (name(at), format!("%{{{}}}", name(at + 1)).into()));
    let mut chain: serde_json::Map<_, _> = chain.collect();
    chain.insert(name(40), "x".into());
    let error =
        config_error(json!({"format": "grok", "pattern": "%{A0:a}", "pattern_definitions": chain}));
    assert_eq!(error.message, "`A32` is nested too deep");
    let error = config_error(json!({"format": "grok", "pattern": "%{WORD"}));
    assert_eq!(error.within, Some(0..6));
    let error = config_error(json!({"format": "grok"}));
    assert_eq!(error.path, ["pattern"]);
    let error = config_error(json!({"format": "grok", "pattern": "%{WORD}"}));
    assert_eq!(error.message, "the pattern has no named group");
    let error = config_error(json!({"format": "json", "pattern_definitions": {"A": "x"}}));
    assert_eq!(error.path, ["pattern_definitions"]);
}

#[test]
fn definitions_that_explode_are_refused() {
    let mut definitions = serde_json::Map::new();
    for depth in 1..=20 {
        let below = format!("%{{P{}}}", depth - 1);
        definitions.insert(format!("P{depth}"), Value::from(below.repeat(8)));
    }
    definitions.insert("P0".to_owned(), Value::from("x".repeat(64)));
    let error = config_error(
        json!({"format": "grok", "pattern": "%{P20:x}", "pattern_definitions": definitions}),
    );
    assert!(error.message.contains("longer than"), "{}", error.message);
}

#[test]
fn common_patterns_read_what_they_are_made_for() {
    let mut apache = harness("^%{COMBINEDAPACHELOG}$");
    let line = r#"192.0.2.7 - ann [11/Feb/2013:06:43:36 +0000] "GET /a?b=c HTTP/1.1" 404 57 "-" "curl/8 \"x\"""#;
    assert_eq!(
        apache.feed_lines(&[line]).main(),
        [json!({
            "clientip": "192.0.2.7", "ident": "-", "auth": "ann",
            "timestamp": "11/Feb/2013:06:43:36 +0000", "verb": "GET", "request": "/a?b=c",
            "httpversion": "1.1", "response": "404", "bytes": "57", "referrer": "\"-\"",
            "agent": r#""curl/8 \"x\"""#,
        })]
    );
    for (pattern, yes, no) in [
        ("IP", ["::1", "2001:db8::192.0.2.1", "fe80::1%eth0"], ["1.2.3", "12345::", "g::1"]),
        (
            "TIMESTAMP_ISO8601",
            ["2024-01-02T03:04:05Z", "2024-01-02 03:04", "2024-01-02T03:04:05,1+01:00"],
            ["2024-13-02T03:04", "2024-01-02", "03:04"],
        ),
        ("MAC", ["00:11:22:33:44:55", "00-11-22-33-44-55", "0011.2233.4455"], ["00:11", "x", ""]),
        ("URI", ["http://a.b:80/c?d=e", "ftp://u:p@h", "urn://x"], ["http:/a", "//x", "x"]),
    ] {
        let mut parse = harness(&format!("^%{{{pattern}:x}}$"));
        assert_eq!(parse.feed_lines(&yes).main().len(), 3, "{pattern}");
        assert_eq!(parse.feed_lines(&no).main().len(), 0, "{pattern}");
    }
}

#[test]
fn agrees_with_the_cases_of_logstash() {
    let Some(data) = std::env::var_os("LOGRAIL_SHARED_DATA") else {
        println!("skipped: LOGRAIL_SHARED_DATA is not set");
        return;
    };
    let path = std::path::PathBuf::from(data).join("grok-patterns/cases.jsonl");
    let (mut right, mut all) = (0, 0);
    for line in std::fs::read_to_string(path).unwrap().lines() {
        let case: Value = serde_json::from_str(line).unwrap();
        let name = case["pattern"].as_str().unwrap();
        let message = case["message"].as_str().unwrap();
        all += 1;
        if !grok::all().any(|(other, _)| other == name) {
            println!("  {name}: no such pattern");
            continue;
        }
        // Any field will do for a pattern that has none.
        let mut parse = harness(&format!("(?<whole>%{{{name}}})"));
        let events = parse.feed_lines(&[message]).main();
        let mut is_right = case["match"].as_bool().unwrap() != events.is_empty();
        if !is_right {
            println!("  {name}: match {} of {message}", events.len());
        }
        for (field, value) in case["legacy"].as_object().unwrap() {
            let found = events.first().map_or(Value::Null, |event| match &event[field.as_str()] {
                Value::Number(number) => Value::from(number.to_string()),
                other => other.clone(),
            });
            if found != *value {
                println!("  {name}: {field} is {found}, not {value} in {message}");
                is_right = false;
            }
        }
        right += usize::from(is_right);
    }
    println!("grok: {right} of {all} cases");
    assert_eq!(right, all);
}
