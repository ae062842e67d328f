//! The source as the runtime runs it: counts, rates, repeatability, and formats that parse back.

use std::collections::BTreeMap;
use std::time::Duration;

use lograil_plugin::{ComponentMetrics, ConfigErrors, Options, Source};
use lograil_testkit::{ManualClock, SimFiles, SourceHarness, conformance};
use serde_json::{Value, json};

use super::line::CSV_HEADER;
use super::*;

pub(super) const START_NS: i64 = 1_747_218_225_000_000_000;

pub(super) fn built(options: Value) -> Box<dyn Source> {
    build(&Options(options)).unwrap()
}

pub(super) fn started(options: Value) -> SourceHarness {
    SourceHarness::builder(built(options)).clock(&ManualClock::at(START_NS)).start()
}

/// All lines of a source that ends by its count without waiting.
pub(super) fn all_lines(options: Value) -> Vec<String> {
    let mut source = started(options);
    source.finish().unwrap();
    source.lines().into_iter().map(|line| String::from_utf8(line).unwrap()).collect()
}

pub(super) fn repeatable(format: &str, count: u64) -> Value {
    json!({
        "rate": "unlimited", "count": count, "seed": 42, "format": format,
        "start_time": "2025-05-14T10:23:45Z",
    })
}

pub(super) fn mistakes(options: Value) -> Vec<(Vec<String>, String)> {
    let ConfigErrors(errors) = build(&Options(options)).err().expect("options are refused");
    errors.into_iter().map(|error| (error.path, error.message)).collect()
}

/// The columns of a text line.
pub(super) fn text_columns(line: &str) -> Vec<&str> {
    let columns: Vec<&str> = line.splitn(8, '|').map(str::trim).collect();
    assert_eq!(columns.len(), 8, "{line}");
    columns
}

/// A reader of CSV records without line feeds, written after RFC 4180 and nothing else.
pub(super) fn csv_values(line: &str) -> Vec<String> {
    let mut values = vec![String::new()];
    let mut is_quoted = false;
    let mut chars = line.chars().peekable();
    while let Some(c) = chars.next() {
        let value = values.last_mut().unwrap();
        match c {
            '"' if is_quoted && chars.next_if_eq(&'"').is_some() => value.push('"'),
            '"' if is_quoted => {
                is_quoted = false;
                assert!(matches!(chars.peek(), None | Some(',')), "{line}");
            }
            '"' => {
                assert!(value.is_empty(), "a quote inside a plain value: {line}");
                is_quoted = true;
            }
            ',' if !is_quoted => values.push(String::new()),
            c => value.push(c),
        }
    }
    assert!(!is_quoted, "{line}");
    values
}

fn assert_shape(text: &str, shape: &str) {
    let fits = |(c, s): (char, char)| match s {
        'a' => c.is_ascii_lowercase(),
        '9' => c.is_ascii_digit(),
        s => c == s,
    };
    assert!(text.len() == shape.len() && text.chars().zip(shape.chars()).all(fits), "{text}");
}

#[test]
fn it_obeys_the_laws_of_a_source_and_the_manual_is_true() {
    conformance::manual(&SPEC);
    let files = SimFiles::new().shared();
    for options in [
        json!({}),
        json!({ "rate": "unlimited", "format": "csv", "levels": "ERROR:1" }),
        json!({ "rate": 5000, "count": 7, "seed": 1, "levels": { "INFO": 1 } }),
        json!({ "events": "http", "format": "access", "bursts": { "enabled": true, "chance": 1 } }),
        json!({ "patterns": { "enabled": true }, "fields": { "env": "test", "n": [1, 2.5, true] } }),
        json!({ "events": "heartbeat", "interval": "100ms", "format": "{timestamp} {message}" }),
    ] {
        conformance::source(&SPEC, &options, &files);
    }
}

#[test]
fn the_count_is_exact_and_batches_are_bounded() {
    for count in [1, 4095, 4096, 4097, 10_000] {
        for format in ["text", "json"] {
            let mut source = started(repeatable(format, count));
            source.finish().unwrap();
            assert_eq!(source.lines().len() as u64, count);
            for sent in source.sent() {
                assert!(sent.positions.is_empty());
                assert!(sent.batch.len() <= 4096);
                assert!(sent.batch.segments()[0].bytes.len() <= 1 << 20);
            }
        }
    }
}

#[test]
fn a_seed_and_a_start_time_repeat_every_byte() {
    for format in ["text", "json", "csv"] {
        let lines = all_lines(repeatable(format, 5000));
        assert_eq!(lines, all_lines(repeatable(format, 5000)));
        let mut other = repeatable(format, 5000);
        other["seed"] = json!(43);
        assert_ne!(lines, all_lines(other));
        let mut unseeded = repeatable(format, 5000);
        unseeded["seed"] = Value::Null;
        assert_ne!(lines, all_lines(unseeded));
    }
}

#[test]
fn how_events_are_cut_into_batches_changes_neither_lines_nor_identities() {
    let options = |rate: f64| {
        let mut options = repeatable("csv", 300);
        options["rate"] = json!(rate);
        options
    };
    let run = |advance: Duration| {
        let mut source = started(options(100.0));
        let mut moved = Duration::ZERO;
        while moved < Duration::from_secs(4) {
            source.advance(advance);
            moved += advance;
        }
        source.finish().unwrap();
        let identities: Vec<_> = source
            .sent()
            .iter()
            .flat_map(|sent| sent.batch.iter().map(|event| event.origin()).collect::<Vec<_>>())
            .collect();
        (source.lines(), identities)
    };
    let one_by_one = run(Duration::from_millis(10));
    let by_the_second = run(Duration::from_secs(1));
    assert_eq!(one_by_one.0.len(), 301);
    assert!(one_by_one == by_the_second);
    assert!(one_by_one.1.is_sorted() && one_by_one.1.iter().all(Option::is_some));
}

#[test]
fn unrepeatable_runs_are_streams_of_their_own() {
    let stream = || {
        let mut source = started(json!({ "count": 1, "seed": 42 }));
        source.finish().unwrap();
        source.sent()[0].batch.event(0).origin().unwrap().0
    };
    assert_ne!(stream(), stream());
}

#[test]
fn rates_are_exact_over_simulated_time() {
    for (rate, seconds) in [(0.1, 600), (1.0, 600), (333.0, 20), (1_000_000.0, 1)] {
        let source = started(json!({ "rate": rate }));
        let end = Duration::from_secs(seconds);
        while source.clock().monotonic() < end {
            source.advance_to_next_sleep();
        }
        let events: usize = source.sent().iter().map(|sent| sent.batch.len()).sum();
        let expected = source.clock().monotonic().as_secs_f64() * rate;
        assert!((events as f64 - expected).abs() <= 1.0, "{rate}/s: {events} of {expected}");
    }
}

#[test]
fn event_times_are_the_moments_the_events_were_due() {
    let mut source = started(json!({ "rate": 4, "count": 5 }));
    source.settle();
    source.advance(Duration::from_secs(1));
    source.finish().unwrap();
    let sent = source.sent();
    let times: Vec<i64> =
        sent.iter().flat_map(|sent| sent.batch.records()).map(|r| r.timestamp_ns).collect();
    assert_eq!(times, [0, 1, 2, 3, 4].map(|n| START_NS + n * 250_000_000));
}

#[test]
fn event_times_follow_a_wall_clock_that_is_set() {
    let source = started(json!({ "rate": 1 }));
    source.settle();
    source.clock().jump_wall(3_600_000_000_000);
    source.advance(Duration::from_secs(1));
    let sent = source.sent();
    assert_eq!(sent[1].batch.records()[0].timestamp_ns, START_NS + 3_601_000_000_000);
}

#[test]
fn a_start_time_sets_the_times_whatever_the_clock_says() {
    let mut source = started(json!({
        "rate": "unlimited", "count": 3, "start_time": "2024-02-29T23:59:59.999999Z",
    }));
    source.finish().unwrap();
    let lines: Vec<String> =
        source.lines().iter().map(|line| String::from_utf8_lossy(&line[..19]).into()).collect();
    assert_eq!(lines, ["2024-02-29 23:59:59", "2024-03-01 00:00:00", "2024-03-01 00:00:00"]);
}

#[test]
fn levels_come_as_often_as_their_weights_say() {
    let weights = [("DEBUG", 0.05), ("ERROR", 0.05), ("INFO", 0.7), ("WARNING", 0.2)];
    let mut counts = BTreeMap::<String, u32>::new();
    for line in all_lines(repeatable("text", 100_000)) {
        *counts.entry(text_columns(&line)[1].to_owned()).or_default() += 1;
    }
    assert_eq!(counts.len(), weights.len());
    for (level, weight) in weights {
        let share = f64::from(counts[level]) / 100_000.0;
        // Five standard deviations.
        let tolerance = 5.0 * (weight * (1.0 - weight) / 100_000.0_f64).sqrt();
        assert!((share - weight).abs() < tolerance, "{level}: {share}");
    }
}

#[test]
fn weights_may_be_a_table_or_a_list_and_need_not_add_up_to_one() {
    for levels in
        [json!({ "critical": 3, "INFO": 0 }), json!(" CRITICAL : 7, "), json!("error:0,CRITICAL:1")]
    {
        let mut options = repeatable("text", 200);
        options["levels"] = levels;
        for line in all_lines(options) {
            assert_eq!(text_columns(&line)[1], "CRITICAL");
        }
    }
}

#[test]
fn text_lines_have_their_columns() {
    for line in all_lines(repeatable("text", 5000)) {
        let columns = text_columns(&line);
        assert_shape(columns[0], "9999-99-99 99:99:99");
        assert_shape(columns[2], "aaa-9999");
        assert!(columns[3].ends_with("-service"));
        assert_shape(columns[4], "user-99999");
        assert_shape(columns[5], "req-aaa999");
        assert!(columns[6].strip_suffix("ms").unwrap().parse::<u32>().unwrap() > 0);
        assert!(!columns[7].is_empty());
        assert_eq!(line.find(&columns[2].to_owned()), Some(32), "{line}");
    }
}

#[test]
fn json_and_csv_lines_parse_back_to_what_the_text_says() {
    let text = all_lines(repeatable("text", 5000));
    let json = all_lines(repeatable("json", 5000));
    let csv = all_lines(repeatable("csv", 5000));
    assert_eq!(csv[0], CSV_HEADER);
    let names = csv_values(&csv[0]);
    let mut quoted = 0;
    for ((text, json), csv) in text.iter().zip(&json).zip(&csv[1..]) {
        let object: serde_json::Map<String, Value> = serde_json::from_str(json).unwrap();
        let keys: Vec<&String> = object.keys().collect();
        assert_eq!(keys, names.iter().collect::<Vec<_>>());
        assert!(object["duration_ms"].is_u64());
        let values: Vec<String> = object
            .values()
            .map(|value| value.as_str().map_or_else(|| value.to_string(), str::to_owned))
            .collect();
        assert_eq!(values, csv_values(csv));
        let columns = text_columns(text);
        assert_eq!(columns[0].replace(' ', "T"), values[0][..19]);
        assert_eq!(columns[1..6], values[1..6]);
        assert_eq!(columns[6], format!("{}ms", values[6]));
        assert_eq!(columns[7], values[7]);
        quoted += u32::from(values[7].contains('"') && values[7].contains(','));
    }
    assert!(quoted > 10, "messages with quotes and commas occur: {quoted}");
}

#[test]
fn stopping_ends_a_long_sleep_and_an_unlimited_run() {
    for options in [json!({ "rate": 0.001 }), json!({ "rate": "unlimited" })] {
        let mut source = started(options);
        source.next_sent();
        source.stop().unwrap();
    }
}

#[test]
fn a_closed_output_ends_the_source() {
    let mut source = started(json!({ "rate": "unlimited" }));
    source.next_sent();
    source.close();
    source.finish().unwrap();
}

#[test]
fn a_long_wait_for_the_sink_is_caught_up_to_the_bound() {
    let metrics = ComponentMetrics::detached();
    let source = SourceHarness::builder(built(json!({ "rate": 10 }))).metrics(metrics.clone());
    let source = source.start();
    source.advance_to_next_sleep();
    source.hold();
    source.advance(Duration::from_secs(1));
    assert!(source.is_waiting());
    source.advance(Duration::from_secs(3600));
    source.release();
    source.settle();
    let events: u64 = source.sent().iter().map(|sent| sent.batch.len() as u64).sum();
    let skipped = metrics.counter("skipped_events", "").get();
    let elapsed = source.clock().monotonic().as_secs_f64();
    assert_eq!(events + skipped, (elapsed * 10.0) as u64 + 1);
    assert!((110..=120).contains(&events), "{events}");
}

#[test]
fn mistakes_are_told_all_at_once_and_where_they_are() {
    let errors = mistakes(json!({
        "rate": 0, "count": 0, "start_time": "yesterday", "levels": { "NOISE": 1 },
    }));
    let paths: Vec<String> = errors.iter().map(|(path, _)| path.join(".")).collect();
    assert_eq!(paths, ["count", "start_time", "rate", "levels.NOISE"]);
    for options in [
        json!({ "rate": "fast" }),
        json!({ "rate": -1 }),
        json!({ "rate": 2e9 }),
        json!({ "levels": "INFO" }),
        json!({ "levels": "INFO:0" }),
        json!({ "levels": { "INFO": -1 } }),
        json!({ "levels": {} }),
        json!({ "format": "xml" }),
        json!({ "speed": 1 }),
    ] {
        assert_eq!(mistakes(options.clone()).len(), 1, "{options}");
    }
}

#[test]
fn numbers_that_came_out_of_the_environment_as_text_are_rates() {
    let source = started(json!({ "rate": "250" }));
    source.advance(Duration::from_secs(1));
    assert_eq!(source.lines().len(), 251);
}

#[test]
fn the_schema_names_every_option_and_its_default() {
    let schema = (SPEC.schema)();
    let properties = schema["properties"].as_object().unwrap();
    let names: Vec<&String> = properties.keys().collect();
    assert_eq!(
        names,
        [
            "rate",
            "interval",
            "count",
            "seed",
            "start_time",
            "events",
            "levels",
            "min_level",
            "format",
            "fields",
            "bursts",
            "patterns",
        ]
    );
    assert_eq!(properties["rate"]["default"], 10.0);
    assert_eq!(properties["levels"]["default"]["INFO"], 0.7);
    assert_eq!(schema["additionalProperties"], false);
    for (name, property) in properties {
        assert!(property["description"].is_string(), "{name}");
        assert!(SPEC.manual.contains(&format!("| `{name}` |")), "{name}");
    }
}
