//! Tests of the formats with a row of values, as a whole transform.

use bytes::Bytes;
use lograil_event::{Batch, FieldFlags, Origin, Span, TIMESTAMP_UNKNOWN, Tag, ValueRef};
use lograil_plugin::{Build, ConfigErrors, Options, Port};
use lograil_testkit::{TransformHarness, batch_of_bytes, batch_of_json, conformance};
use serde_json::{Value, json};

use super::SPEC;

fn harness(options: Value) -> TransformHarness {
    TransformHarness::build(&SPEC, options)
}

fn errors_of(options: Value) -> Vec<lograil_plugin::ConfigError> {
    let Build::Transform(build) = SPEC.build else { panic!("a transform") };
    let Err(ConfigErrors(errors)) = build(&Options(options)) else { panic!("refused") };
    errors
}

/// Lines as a file source hands them on: from a position of a stream.
fn lines_at(stream: u64, offset: u64, lines: &[&str]) -> Batch {
    let mut batch = Batch::new();
    let mut edit = batch.edit();
    let origin = Origin { stream, offset };
    let segment = edit.add_segment(Bytes::from(lines.join("\n")), Some(origin));
    let key = edit.key("message");
    let mut offset = 0;
    for line in lines {
        let span = Span { segment, offset, len: line.len() as u32 };
        edit.push_line(TIMESTAMP_UNKNOWN, key, Tag::Str, span, span);
        offset += line.len() as u32 + 1;
    }
    batch
}

#[test]
fn obeys_the_laws_of_a_transform() {
    let dissect = "%{a} %{+a} %{b}";
    for options in [
        json!({"format": "csv", "columns": ["a", "b"]}),
        json!({"format": "tsv", "header": true, "columns": ["a"], "on_error": "drop"}),
        json!({"format": "csv"}),
        json!({"format": "logfmt", "types": {"a": "int"}}),
        json!({"format": "logfmt", "strict": true, "on_error": "pass"}),
        json!({"format": "key_value", "field_delimiter": ", ", "keep_field": true}),
        json!({"format": "syslog", "timezone": "+02:00"}),
        json!({"format": "syslog", "strict": true}),
        json!({"format": "common"}),
        json!({"format": "combined", "timestamp": {"field": "timestamp"}}),
        json!({"format": "glog"}),
        json!({"format": "dissect", "pattern": dissect}),
        json!({"format": "dissect", "pattern": "%{first->} %{rest}", "field": "a"}),
        json!({"format": "cef"}),
        json!({"format": "leef"}),
        json!({"format": "json", "types": {"a": "int", "n": "string"}, "timestamp": {"field": "time"}}),
    ] {
        conformance::transform(&SPEC, &options);
    }
}

#[test]
fn fields_point_into_the_text_unless_they_have_escapes() {
    let mut parse = harness(json!({"format": "logfmt"}));
    let batch = lines_at(7, 0, &[r#"a=1 b="two words" c="\"x\"""#]);
    let emitted = parse.feed(batch);
    let batch = &emitted.batches[0].1;
    let event = batch.event(0);
    let field = |name: &str| *event.field(batch.find_key(name).unwrap()).unwrap();
    assert_eq!(field("a").span(), Span { segment: 0, offset: 2, len: 1 });
    assert_eq!(field("b").span(), Span { segment: 0, offset: 7, len: 9 });
    assert_ne!(field("c").span().segment, 0);
    assert_eq!(event.get_named("c"), Some(ValueRef::str("\"x\"")));
    assert!(field("a").flags().contains(FieldFlags::CLEAN));
    assert!(!field("c").flags().contains(FieldFlags::CLEAN));
    assert_eq!(event.raw(), Some(&br#"a=1 b="two words" c="\"x\"""#[..]));
}

#[test]
fn of_two_values_with_a_name_the_last_counts_and_other_fields_give_way() {
    let mut parse = harness(json!({"format": "logfmt", "field": "line"}));
    let events = [json!({"host": "a", "b": 0, "line": "b=1 a=2 b=3"})];
    let emitted = parse.feed_json(&events);
    assert_eq!(emitted.main(), [json!({"b": "3", "a": "2", "host": "a"})]);
}

#[test]
fn the_first_line_of_each_stream_is_its_header() {
    let mut parse = harness(json!({"format": "csv"}));
    let first = parse.feed(lines_at(1, 0, &["a,b", "1,2"]));
    assert_eq!(first.main(), [json!({"a": "1", "b": "2"})]);
    assert_eq!(first.discarded, [("header", 1)]);
    let second = parse.feed(lines_at(2, 0, &["b,c", "3,4"]));
    assert_eq!(second.main(), [json!({"b": "3", "c": "4"})]);
    let more = parse.feed(lines_at(1, 8, &["5,6", "7", "8,9,10"]));
    assert_eq!(more.main(), [json!({"a": "5", "b": "6"}), json!({"a": "7"})]);
    assert_eq!(
        more.dead_letter_reasons(),
        ["`message`: expected no more fields than there are columns at byte 4"]
    );
    let unseen = parse.feed(lines_at(3, 100, &["1,2"]));
    assert_eq!(
        unseen.dead_letter_reasons(),
        ["`message`: expected the header line before it, or the option `columns` at byte 0"]
    );
    let again = parse.feed(lines_at(1, 0, &["c", "1"]));
    assert_eq!(again.main(), [json!({"c": "1"})]);
}

#[test]
fn a_header_between_failures_moves_no_reason() {
    let mut parse = harness(json!({"format": "csv", "columns": ["x"], "header": true}));
    let mut batch = lines_at(1, 50, &["1,2", "ok"]);
    let mut edit = batch.edit();
    let segment =
        edit.add_segment(Bytes::from_static(b"x\n3,\"\n"), Some(Origin { stream: 2, offset: 0 }));
    let key = edit.key("message");
    for (offset, len) in [(0, 1), (2, 3)] {
        let span = Span { segment, offset, len };
        edit.push_line(TIMESTAMP_UNKNOWN, key, Tag::Str, span, span);
    }
    let emitted = parse.feed(batch);
    assert_eq!(emitted.main(), [json!({"x": "ok"})]);
    let letters = emitted.dead_letters();
    assert_eq!(letters[0]["message"], "1,2");
    assert_eq!(letters[1]["message"], "3,\"");
    assert!(emitted.dead_letter_reasons()[1].contains("the closing quote at byte 3"));
}

#[test]
fn text_that_is_not_utf8_becomes_bytes_and_a_key_fails() {
    let mut parse = harness(json!({"format": "logfmt"}));
    let emitted = parse.feed(batch_of_bytes(&[b"a=\xE9 b=x", b"\xE9=1"]));
    let main = emitted.batches.iter().find(|(port, _)| *port == Port::MAIN);
    let event = main.unwrap().1.event(0);
    assert_eq!(event.get_named("a"), Some(ValueRef::Bytes(b"\xE9")));
    assert_eq!(event.get_named("b").and_then(|value| value.as_str()), Some("x"));
    assert_eq!(emitted.dead_letter_reasons(), ["`message`: a key is not UTF-8"]);
    let line = b"<1>1 - h a p m [x y=\"\xE9\"] text";
    let emitted = harness(json!({"format": "syslog"})).feed(batch_of_bytes(&[line]));
    assert_eq!(emitted.dead_letter_reasons(), ["`message`: the structured data is not UTF-8"]);
}

#[test]
fn the_time_of_an_event_is_read_where_the_option_says() {
    let ns = |options: Value, line: &str| {
        let emitted = harness(options).feed_lines(&[line]);
        emitted.batches[0].1.event(0).timestamp_ns()
    };
    let logfmt =
        |format: &str| json!({"format": "logfmt", "timestamp": {"field": "t", "format": format}});
    let expected = 1_700_000_000_250_000_000;
    assert_eq!(ns(logfmt("unix"), "t=1700000000.25"), expected);
    assert_eq!(ns(logfmt("unix_ms"), "t=1700000000250"), expected);
    assert_eq!(ns(logfmt("auto"), "t=2023-11-14T22:13:20.250Z"), expected);
    assert_eq!(ns(logfmt("rfc3339"), "t=2023-11-14T23:13:20.25+01:00"), expected);
    assert_eq!(ns(logfmt("%d.%m.%Y %H:%M:%S%.f"), r#"t="14.11.2023 22:13:20.25""#), expected);
    assert_eq!(ns(logfmt("rfc3339"), "t=yesterday"), TIMESTAMP_UNKNOWN);
    let zoned = json!({
        "format": "logfmt", "timezone": "+01:00",
        "timestamp": {"field": "t", "format": "%Y-%m-%d %H:%M:%S"},
    });
    assert_eq!(ns(zoned, r#"t="2023-11-14 23:13:20""#), 1_700_000_000_000_000_000);
    let json = json!({"format": "json", "timestamp": {"field": "t", "format": "unix"}});
    assert_eq!(ns(json, r#"{"t":1700000000.25}"#), expected);
    let regex = json!({"format": "regex", "pattern": "^(?P<t>.*)$", "timestamp": {"field": "t"}});
    assert_eq!(ns(regex, "2023-11-14 22:13:20,250"), expected);
    let access = r#"h - - [14/Nov/2023:22:13:20 +0000] "GET / HTTP/1.1" 200 1"#;
    assert_eq!(ns(json!({"format": "common"}), access), 1_700_000_000_000_000_000);
}

#[test]
fn types_change_members_of_json_and_leave_failed_events_alone() {
    let types = json!({"n": "int", "s": "string", "b": "bool"});
    let mut parse = harness(json!({"format": "json", "types": types, "on_error": "pass"}));
    let batch = batch_of_json(&[
        json!({"message": r#"{"n":"5","s":7,"b":"yes"}"#}),
        json!({"message": "no json", "n": "5"}),
    ]);
    let emitted = parse.feed(batch);
    assert_eq!(
        emitted.main(),
        [json!({"n": 5, "s": "7", "b": true}), json!({"message": "no json", "n": "5"})]
    );
}

#[test]
fn names_that_never_repeat_do_not_pile_up() {
    let mut parse = harness(json!({"format": "logfmt"}));
    for round in 0..40 {
        let line: Vec<String> = (0..1000).map(|key| format!("k{round}_{key}={key}")).collect();
        let emitted = parse.feed_lines(&[&line.join(" ")]);
        let batch = &emitted.batches[0].1;
        assert_eq!(batch.event(0).fields().len(), 1000);
        assert!(batch.keys().len() < 12_000, "the table of keys grows with the stream");
    }
}

#[test]
fn mistakes_in_the_options_name_the_place_and_the_remedy() {
    let cases = [
        (json!({"format": "logfmt", "pattern": "x"}), &["pattern"][..]),
        (json!({"format": "logfmt", "target": "x"}), &["target"]),
        (json!({"format": "json", "strict": true}), &["strict"]),
        (json!({"format": "json", "delimiter": ";"}), &["delimiter"]),
        (json!({"format": "logfmt", "columns": ["a"]}), &["columns"]),
        (json!({"format": "logfmt", "field_delimiter": ";"}), &["field_delimiter"]),
        (json!({"format": "csv", "header": false}), &["columns"]),
        (json!({"format": "csv", "columns": []}), &["columns"]),
        (json!({"format": "csv", "delimiter": "é"}), &["delimiter"]),
        (json!({"format": "csv", "delimiter": "\""}), &["quote"]),
        (json!({"format": "key_value", "field_delimiter": ""}), &["field_delimiter"]),
        (json!({"format": "key_value", "field_delimiter": "="}), &["field_delimiter"]),
        (json!({"format": "syslog", "timezone": "Mars/Olympus"}), &["timezone"]),
        (json!({"format": "syslog", "types": {"pid": "int"}}), &["types", "pid"]),
        (json!({"format": "dissect"}), &["pattern"]),
        (json!({"format": "dissect", "pattern": "%{a}%{b}"}), &["pattern"]),
        (
            json!({"format": "json", "timestamp": {"field": "t", "format": "iso"}}),
            &["timestamp", "format"],
        ),
        (
            json!({"format": "json", "timestamp": {"field": "t", "format": "%H:%M"}}),
            &["timestamp", "format"],
        ),
    ];
    for (options, path) in cases {
        let errors = errors_of(options.clone());
        assert_eq!(errors.len(), 1, "{options}: {errors:?}");
        assert_eq!(errors[0].path, path, "{options}");
        assert!(errors[0].help.is_some(), "{options}");
    }
    let dissect = errors_of(json!({"format": "dissect", "pattern": "a %{b} %{*c}"}));
    assert_eq!(dissect[0].within, Some(7..12));
}
