//! Parsing whole batches: formats, failures, and the laws of a transform.

use bytes::Bytes;
use lograil_event::{Batch, EventFlags, FieldFlags, Span, Tag, ValueRef};
use lograil_plugin::{Build, ConfigErrors, MetricsRegistry, Options, Port, Transform};
use lograil_testkit::{TransformHarness, batch_of_json, conformance};
use serde_json::{Value, json};

use super::SPEC;

const NGINX: &str = r#"^(?P<remote_addr>\S+) - (?P<remote_user>\S+) \[(?P<time_local>[^\]]+)\] "(?P<request>[^"]*)" (?P<status>\d{3}) (?P<body_bytes_sent>\d+) "(?P<http_referer>[^"]*)" "(?P<http_user_agent>[^"]*)"$"#;

const LINE: &str = r#"203.0.113.7 - ann [10/Oct/2025:13:55:36 +0000] "GET /a?b=c HTTP/1.1" 200 2326 "-" "curl/8.5.0 ключ""#;

fn build(options: Value) -> Result<Box<dyn Transform>, ConfigErrors> {
    let Build::Transform(build) = SPEC.build else { panic!("a transform") };
    build(&Options(options))
}

fn config_error(options: Value) -> lograil_plugin::ConfigError {
    let Err(ConfigErrors(errors)) = build(options) else { panic!("the options are refused") };
    assert_eq!(errors.len(), 1, "{errors:?}");
    errors.into_iter().next().unwrap()
}

fn harness(options: Value) -> TransformHarness {
    TransformHarness::build(&SPEC, options)
}

#[test]
fn obeys_the_laws_of_a_transform() {
    conformance::manual(&SPEC);
    conformance::transform(&SPEC, &json!({"format": "json"}));
    conformance::transform(
        &SPEC,
        &json!({"format": "json", "keep_field": true, "on_error": "drop"}),
    );
    conformance::transform(&SPEC, &json!({"format": "regex", "pattern": NGINX}));
    let general = r"(?P<a>.*) (?P<b>\w*)";
    conformance::transform(
        &SPEC,
        &json!({"format": "regex", "pattern": general, "on_error": "pass"}),
    );
    let any = r"(?-u)^(?P<first>.)(?P<rest>.*)";
    conformance::transform(
        &SPEC,
        &json!({"format": "regex", "pattern": any, "keep_field": true, "types": {"first": "int"}}),
    );
}

#[test]
fn named_groups_become_fields_of_the_types_asked_for() {
    let types = json!({"status": "int", "body_bytes_sent": "float", "remote_user": "bool"});
    let mut parse = harness(json!({"format": "regex", "pattern": NGINX, "types": types}));
    let emitted = parse.feed_lines(&[LINE]);
    assert_eq!(
        emitted.main(),
        [json!({
            "remote_addr": "203.0.113.7", "remote_user": "ann",
            "time_local": "10/Oct/2025:13:55:36 +0000", "request": "GET /a?b=c HTTP/1.1",
            "status": 200, "body_bytes_sent": 2326, "http_referer": "-",
            "http_user_agent": "curl/8.5.0 ключ",
        })]
    );
}

#[test]
fn fields_point_into_the_text_and_the_raw_span_stays() {
    let mut parse = harness(json!({"format": "regex", "pattern": NGINX}));
    let mut batch = Batch::new();
    let mut edit = batch.edit();
    let segment = edit.add_segment(Bytes::from_static(LINE.as_bytes()), None);
    let key = edit.key("message");
    let span = Span { segment, offset: 0, len: LINE.len() as u32 };
    edit.push_line(7, key, Tag::Str, span, span);
    let emitted = parse.feed(batch);
    let batch = &emitted.batches[0].1;
    let event = batch.event(0);
    assert_eq!(event.raw(), Some(LINE.as_bytes()));
    assert_eq!(event.timestamp_ns(), 7);
    assert!(!event.record().flags.contains(EventFlags::RAW_JSON));
    assert!(event.fields().iter().all(|field| field.span().segment == segment));
    let status = event.field(batch.find_key("status").unwrap()).unwrap();
    assert!(status.flags().contains(FieldFlags::CLEAN));
    let request = event.field(batch.find_key("request").unwrap()).unwrap();
    assert!(!request.flags().contains(FieldFlags::CLEAN), "a backslash can be in it");
    assert_eq!(batch.fields().len(), 9, "the line and eight groups, side by side");
}

#[test]
fn other_fields_follow_the_parsed_ones_and_give_way_to_them() {
    let pattern = r"^(?P<level>\w+): (?P<message>.*)$";
    let mut parse = harness(json!({"format": "regex", "pattern": pattern, "field": "line"}));
    let event = json!({"host": "a", "level": 3, "line": "WARN: low", "message": "old"});
    let emitted = parse.feed_json(std::slice::from_ref(&event));
    let parsed = emitted.main();
    assert_eq!(parsed, [json!({"level": "WARN", "message": "low", "host": "a"})]);
    let options =
        json!({"format": "regex", "pattern": pattern, "field": "line", "keep_field": true});
    let kept = harness(options).feed_json(&[event]).main();
    assert_eq!(kept[0]["line"], "WARN: low");
    assert_eq!(kept[0]["host"], "a");
}

#[test]
fn a_group_that_took_no_part_makes_no_field() {
    for pattern in [r"^(?P<a>\w+)(?: (?P<b>\d+))?$", r"^(?P<a>\w+?)(?: (?P<b>\d+))?$"] {
        let mut parse = harness(json!({"format": "regex", "pattern": pattern}));
        let emitted = parse.feed_lines(&["x 1", "y"]);
        assert_eq!(emitted.main(), [json!({"a": "x", "b": "1"}), json!({"a": "y"})], "{pattern}");
    }
}

#[test]
fn failures_go_where_on_error_says_and_are_counted() {
    let lines = ["ok 1", "bad", "ok 2"];
    let options = |on_error: &str| json!({"format": "regex", "pattern": r"^ok (?P<n>\d)$", "on_error": on_error});
    let numbers = [json!({"n": "1"}), json!({"n": "2"})];

    let dead = harness(options("dead_letter")).feed_lines(&lines);
    assert_eq!(dead.main(), numbers);
    assert_eq!(dead.dead_letter_reasons(), ["expected `ok ` at byte 0 of `message`"]);
    assert_eq!(dead.dead_letters()[0]["message"], "bad");

    let dropped = harness(options("drop")).feed_lines(&lines);
    assert_eq!(dropped.main(), numbers);
    assert_eq!(dropped.discarded, [("parse_error", 1)]);

    let passed = harness(options("pass")).feed_lines(&lines);
    assert_eq!(passed.main()[1], json!({"message": "bad"}));
    assert_eq!(passed.on(Port::DEAD_LETTER), Vec::<Value>::new());
}

#[test]
fn reasons_say_what_was_expected_and_where_but_not_the_line() {
    let cases = [
        (r"^(?P<a>\d+) (?P<b>\d+)$", "12-34", "expected ` ` at byte 2 of `message`"),
        (r"^(?P<a>\d+) b$", "12 bc", "expected the end at byte 4 of `message`"),
        (r"^(?P<a>GET|PUT) ", "POST x", "expected one of `GET`, `PUT` at byte 0 of `message`"),
        (r"^(?P<a>[a-c]+)$", "xyz", "expected a character of `(?u:[a-c])` at byte 0 of `message`"),
        (r"(?P<a>.*)b(?P<c>.*)", "xyz", "the pattern does not match the 3 bytes of `message`"),
    ];
    for (pattern, line, expected) in cases {
        let mut parse = harness(json!({"format": "regex", "pattern": pattern}));
        let reasons = parse.feed_lines(&[line]).dead_letter_reasons();
        assert_eq!(reasons.len(), 1, "{pattern}");
        assert_eq!(
            reasons[0].replace("(?u:[a-c])", "[a-c]"),
            expected.replace("(?u:[a-c])", "[a-c]")
        );
    }
    let mut parse = harness(json!({"format": "regex", "pattern": NGINX}));
    let events = [json!({"other": 1}), json!({"message": 5})];
    assert_eq!(
        parse.feed_json(&events).dead_letter_reasons(),
        [
            "the event has no field `message`",
            "`message` must be text to match the pattern, but is of the type integer",
        ]
    );
}

#[test]
fn text_that_is_not_utf8_is_matched_byte_by_byte_where_the_pattern_says_so() {
    let batch = || lograil_testkit::batch_of_bytes(&[&b"caf\xE9 latte"[..]]);
    let strict = r"^(?P<a>[^ ]+) (?P<b>\w+)$";
    let refused = harness(json!({"format": "regex", "pattern": strict})).feed(batch());
    assert!(refused.dead_letter_reasons()[0].ends_with("which are not UTF-8"));
    let lenient = r"^(?P<a>(?-u:[^ ])+) (?P<b>\w+)$";
    let emitted = harness(json!({"format": "regex", "pattern": lenient})).feed(batch());
    let event = emitted.batches[0].1.event(0);
    assert_eq!(event.get_named("a"), Some(ValueRef::Bytes(b"caf\xE9")));
    assert_eq!(event.get_named("b").and_then(|value| value.as_str()), Some("latte"));
}

#[test]
fn metrics_count_failures_conversions_and_the_regex_engine() {
    let registry = MetricsRegistry::default();
    let pattern = r"^(?P<a>\S+)$";
    let options = json!({"format": "regex", "pattern": pattern, "types": {"a": "int"}});
    let mut transform = build(options).unwrap();
    let metrics = registry.component("p", "transform", "parse");
    let clock = std::sync::Arc::new(lograil_testkit::ManualClock::new());
    let context = lograil_plugin::TransformContext::new("p".into(), clock, metrics.clone());
    transform.start(context).unwrap();
    let mut out = lograil_plugin::Outputs::new("p".into(), "parse");
    transform.process(lograil_testkit::batch_of_lines(&["12", "-", "a b", "é"]), &mut out);
    let count = |name: &str| metrics.counter(name, "").get();
    assert_eq!(count("parse_failures"), 1);
    assert_eq!(count("conversion_failures"), 2);
    assert_eq!(count("regex_engine_events"), 1);
}

#[test]
fn batches_with_other_keys_keep_theirs() {
    let mut parse = harness(json!({"format": "regex", "pattern": r"^(?P<x>\d) (?P<y>\d)$"}));
    for round in 0..3 {
        for other in ["y", "a", "x"] {
            let emitted = parse.feed_json(&[json!({other: round, "message": "1 2"})]);
            let mut expected = json!({"x": "1", "y": "2"});
            if other == "a" {
                expected["a"] = json!(round);
            }
            assert_eq!(emitted.main(), [expected]);
        }
    }
}

#[test]
fn json_members_become_fields_and_failures_say_where() {
    let mut parse = harness(json!({"format": "json"}));
    let emitted = parse.feed_lines(&[r#"{"a":1,"b":{"c":[1.0]}}"#, r#"{"a" 1}"#]);
    assert_eq!(emitted.main(), [json!({"a": 1, "b": {"c": [1.0]}})]);
    let reasons = emitted.dead_letter_reasons();
    assert!(reasons[0].starts_with("`message`: expected"), "{reasons:?}");
    assert!(reasons[0].contains("byte 5"), "{reasons:?}");
    let mut nested = harness(json!({"format": "json", "target": "doc", "keep_field": true}));
    let emitted = nested.feed_lines(&[r#"{"a":1}"#]);
    assert_eq!(emitted.main(), [json!({"doc": {"a": 1}, "message": "{\"a\":1}"})]);
}

#[test]
fn a_shared_batch_is_not_changed_for_its_other_owner() {
    let mut batch = batch_of_json(&[json!({"message": "1"}), json!({"message": "x"})]);
    let other = batch.share();
    let emitted = harness(json!({"format": "regex", "pattern": r"^(?P<n>\d)$"})).feed(batch);
    assert_eq!(emitted.main(), [json!({"n": "1"})]);
    let untouched = lograil_testkit::events_of(&other);
    assert_eq!(untouched, [json!({"message": "1"}), json!({"message": "x"})]);
}

#[test]
fn mistakes_in_the_options_name_the_place_and_the_remedy() {
    let missing = config_error(json!({"format": "regex"}));
    assert_eq!(missing.path, ["pattern"]);
    let pattern = r"^(?P<a>\d+) (?<b \w)";
    let syntax = config_error(json!({"format": "regex", "pattern": pattern}));
    let range = syntax.within.expect("the place in the pattern");
    assert!(range.start >= 12 && range.end <= pattern.len(), "{range:?}");
    let unnamed = config_error(json!({"format": "regex", "pattern": r"(\d+)"}));
    assert_eq!(unnamed.message, "the pattern has no named group");
    let types = config_error(
        json!({"format": "regex", "pattern": r"(?P<a>\d)(?P<b>\d)", "types": {"c": "int"}}),
    );
    assert_eq!(types.path, ["types", "c"]);
    assert_eq!(types.help.as_deref(), Some("its groups are a, b"));
    let target = config_error(json!({"format": "regex", "pattern": r"(?P<a>\d)", "target": "t"}));
    assert_eq!(target.path, ["target"]);
    assert_eq!(config_error(json!({"format": "json", "pattern": "x"})).path, ["pattern"]);
    let large = config_error(json!({"format": "regex", "pattern": r"(?P<a>\w{500}){500}"}));
    assert_eq!(large.message, "the pattern is too large");
}
