//! What windows hold and when they are over, as a user sees it.

use std::time::Duration;

use lograil_event::Batch;
use lograil_plugin::{Build, Clock, Options};
use lograil_testkit::conformance::{self, TransformLaws};
use lograil_testkit::{TransformHarness, batch_of_json};
use serde_json::{Value, json};

use super::{LATE, SPEC};

const SECOND: i64 = 1_000_000_000;

fn aggregate(options: Value) -> TransformHarness {
    TransformHarness::build(&SPEC, options)
}

/// Events by their seconds since a whole minute in the past of the harness's clock.
fn batch(harness: &TransformHarness, events: &[(i64, Value)]) -> Batch {
    let values: Vec<Value> = events.iter().map(|(_, event)| event.clone()).collect();
    let mut batch = batch_of_json(&values);
    let mut edit = batch.edit();
    for (record, (seconds, _)) in edit.events().iter_mut().zip(events) {
        record.timestamp_ns = minute_ns(harness) + seconds * SECOND;
    }
    batch
}

fn minute_ns(harness: &TransformHarness) -> i64 {
    let now_ns = harness.clock().now_ns();
    now_ns - now_ns.rem_euclid(60 * SECOND) - 60 * SECOND
}

/// The results without the times of their windows.
fn results(events: Vec<Value>) -> Vec<Value> {
    events
        .into_iter()
        .map(|mut event| {
            let members = event.as_object_mut().unwrap();
            let start = members.remove("window_start").unwrap().as_i64().unwrap();
            let end = members.remove("window_end").unwrap().as_i64().unwrap();
            assert!(start < end);
            event
        })
        .collect()
}

#[test]
fn obeys_the_laws_of_a_transform() {
    conformance::manual(&SPEC);
    for options in [
        json!({"window": "1s"}),
        json!({"window": "10s", "every": "1s", "group_by": ["message", ".message.a"], "max_groups": 3}),
        json!({"window": "1m", "time": "arrival", "aggregates": {
            "sum": {"function": "sum", "field": "n"},
            "q": {"function": "quantiles", "field": "message"},
            "d": {"function": "distinct", "field": "message"},
        }}),
    ] {
        TransformLaws::new(&SPEC, &options).holds_back().check();
    }
}

#[test]
fn mistakes_in_options_are_reported_together() {
    let errors = |options: Value| {
        let Build::Transform(build) = SPEC.build else { panic!("a transform") };
        let errors = build(&Options(options)).err().unwrap().0;
        errors.iter().map(|error| error.path.join(".")).collect::<Vec<_>>()
    };
    let aggregates = json!({
        "a": {"function": "sum"},
        "b": {"function": "sum", "field": "n", "quantiles": [0.5]},
        "c": {"function": "quantiles", "field": "n", "quantiles": [2.0]},
        "window_end": {"function": "count"},
    });
    assert_eq!(
        errors(
            json!({"window": "1m", "every": "7s", "max_groups": 0, "group_by": ["["], "aggregates": aggregates})
        ),
        [
            "every",
            "max_groups",
            "group_by.0",
            "aggregates.a",
            "aggregates.b.quantiles",
            "aggregates.c.quantiles",
            "aggregates.window_end"
        ]
    );
    assert_eq!(errors(json!({"window": "0s"})), ["window"]);
    assert_eq!(errors(json!({"window": "8d"})), ["window"]);
    assert_eq!(errors(json!({"window": "10ms", "lateness": "1h"})), ["lateness"]);
}

#[test]
fn computes_all_functions_for_each_group() {
    let mut harness = aggregate(json!({"window": "1m", "group_by": ["host"], "aggregates": {
        "events": {"function": "count"},
        "timed": {"function": "count", "field": "ms"},
        "sum": {"function": "sum", "field": "ms"},
        "min": {"function": "min", "field": "ms"},
        "max": {"function": "max", "field": "ms"},
        "avg": {"function": "avg", "field": "ms"},
        "q": {"function": "quantiles", "field": "ms", "quantiles": [0, 1]},
        "users": {"function": "distinct", "field": "user"},
    }}))
    .holds_back();
    let events = [
        (0, json!({"host": "a", "ms": 4, "user": "x"})),
        (1, json!({"host": "b", "user": "x"})),
        (2, json!({"host": "a", "ms": "10", "user": "y"})),
        (3, json!({"host": "a", "ms": "soon", "user": "x"})),
        (59, json!({"host": "a", "ms": null})),
    ];
    let batch = batch(&harness, &events);
    let emitted = harness.feed(batch);
    assert_eq!(emitted.discarded, [("aggregated", 5)]);
    assert_eq!(emitted.main(), [] as [Value; 0]);
    let found = results(harness.flush().main());
    assert_eq!(
        found,
        [
            json!({"host": "a", "events": 4, "timed": 3, "sum": 14, "min": 4, "max": 10, "avg": 7.0,
                "q": {"p0": 4.0, "p100": 10.0}, "users": 2, "partial": true}),
            json!({"host": "b", "events": 1, "timed": 0, "sum": 0, "min": null, "max": null, "avg": null,
                "q": {"p0": null, "p100": null}, "users": 1, "partial": true}),
        ]
    );
}

#[test]
fn the_watermark_closes_windows_and_late_events_have_an_output() {
    let mut harness = aggregate(json!({"window": "10s", "lateness": "5s"})).holds_back();
    let first = batch(&harness, &[(0, json!({})), (12, json!({})), (9, json!({}))]);
    assert_eq!(harness.feed(first).main(), [] as [Value; 0]);
    let second = batch(&harness, &[(8, json!({})), (15, json!({}))]);
    assert_eq!(results(harness.feed(second).main()), [json!({"count": 3})]);
    let late = batch(&harness, &[(9, json!({"n": 1})), (13, json!({"n": 2}))]);
    let emitted = harness.feed(late);
    assert_eq!(emitted.on(LATE), [json!({"n": 1})]);
    assert_eq!(emitted.discarded, [("aggregated", 1)]);
    assert_eq!(results(harness.flush().main()), [json!({"count": 3, "partial": true})]);
}

#[test]
fn sliding_windows_overlap() {
    let mut harness =
        aggregate(json!({"window": "30s", "every": "10s", "lateness": "0s"})).holds_back();
    let events =
        batch(&harness, &[(0, json!({})), (10, json!({})), (20, json!({})), (60, json!({}))]);
    let minute = minute_ns(&harness);
    let found: Vec<_> = harness
        .feed(events)
        .main()
        .iter()
        .map(|event| {
            (
                (event["window_start"].as_i64().unwrap() - minute) / SECOND,
                event["count"].as_i64().unwrap(),
            )
        })
        .collect();
    assert_eq!(found, [(-20, 1), (-10, 2), (0, 3), (10, 2), (20, 1)]);
}

#[test]
fn a_live_stream_goes_on_by_itself_and_old_logs_wait() {
    let mut live = aggregate(json!({"window": "10s", "lateness": "0s"})).holds_back();
    live.feed_json(&[json!({})]);
    let mut count = 0;
    for _ in 0..11 {
        live.clock().advance(Duration::from_secs(1));
        count += live.tick().main().len();
    }
    assert_eq!(count, 1);
    let mut old = aggregate(json!({"window": "10s", "idle_timeout": "30s"})).holds_back();
    let events = batch(&old, &[(-3600, json!({}))]);
    old.feed(events);
    let mut counts = Vec::new();
    for _ in 0..40 {
        old.clock().advance(Duration::from_secs(1));
        counts.push(old.tick().main().len());
    }
    assert_eq!(counts.iter().position(|count| *count == 1), Some(29));
}

#[test]
fn a_wrong_clock_does_not_make_others_late() {
    let mut harness = aggregate(json!({"window": "10s"})).holds_back();
    let events = batch(&harness, &[(0, json!({})), (100_000, json!({})), (1, json!({}))]);
    let emitted = harness.feed(events);
    assert_eq!(emitted.dead_letter_reasons(), [super::FUTURE]);
    assert_eq!(emitted.discarded, [("aggregated", 2)]);
}

#[test]
fn a_clock_that_is_less_than_an_hour_ahead_does_not_either() {
    let mut harness =
        aggregate(json!({"window": "10s", "lateness": "5s", "idle_timeout": "30s"})).holds_back();
    let ahead_ns = harness.clock().now_ns() + 3540 * SECOND;
    let mut ahead = batch_of_json(&[json!({})]);
    ahead.edit().events()[0].timestamp_ns = ahead_ns;
    assert_eq!(harness.feed(ahead).discarded, [("aggregated", 1)]);
    let mut count = 0;
    let mut live = |harness: &mut TransformHarness, seconds: usize| {
        for _ in 0..seconds {
            let emitted = harness.feed_json(&[json!({})]);
            assert_eq!(emitted.on(LATE), [] as [Value; 0]);
            assert_eq!(emitted.discarded, [("aggregated", 1)]);
            count += counts(&emitted.main());
            harness.clock().advance(Duration::from_secs(1));
        }
        for _ in 0..60 {
            count += counts(&harness.tick().main());
            harness.clock().advance(Duration::from_secs(1));
        }
        count
    };
    // Nor does a pause in between; the event ahead waits for its time.
    assert_eq!(live(&mut harness, 30), 30);
    assert_eq!(live(&mut harness, 30), 60);
    harness.clock().advance(Duration::from_secs(3540));
    assert_eq!(live(&mut harness, 0), 61);
}

/// Sum of the counts.
fn counts(results: &[Value]) -> i64 {
    results.iter().map(|result| result["count"].as_i64().unwrap()).sum()
}

#[test]
fn groups_are_bounded_and_sums_stay_right() {
    let options = json!({"window": "1m", "group_by": ["id"], "max_groups": 100, "aggregates": {
        "n": {"function": "sum", "field": "n"}
    }});
    let mut harness = aggregate(options).holds_back();
    for number in 0..20 {
        let events: Vec<_> =
            (0..1_000).map(|id| (number, json!({"id": number * 1_000 + id, "n": 1}))).collect();
        let events = batch(&harness, &events);
        harness.feed(events);
    }
    let found = results(harness.flush().main());
    assert_eq!(found.len(), 101);
    assert_eq!(found[100], json!({"n": 19_900, "overflow": true, "partial": true}));
    assert_eq!(found.iter().map(|event| event["n"].as_i64().unwrap()).sum::<i64>(), 20_000);
}
