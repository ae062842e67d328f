//! What counts as a duplicate, and for how long.

use std::time::Duration;

use bytes::Bytes;
use lograil_event::{Batch, Origin, Span, Tag};
use lograil_plugin::{Build, ConfigErrors, Options};
use lograil_testkit::conformance::{self, TransformLaws};
use lograil_testkit::{ManualClock, TransformHarness, batch_of_bytes, batch_of_json, lines_of};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::SPEC;

fn dedupe(options: Value) -> TransformHarness {
    TransformHarness::build(&SPEC, options)
}

#[test]
fn obeys_the_laws_of_a_transform() {
    conformance::manual(&SPEC);
    for options in [
        json!({}),
        json!({"fields": {"match": ["message", ".message.a.b[0]"]}, "max_age": "1s"}),
        json!({"fields": {"ignore": ["message"]}, "cache": {"num_events": 1}}),
    ] {
        TransformLaws::new(&SPEC, &options).only_routes().check();
    }
}

#[test]
fn only_the_matched_fields_count() {
    let mut dedupe = dedupe(json!({"fields": {"match": ["host", ".http.id"]}}));
    let events = [
        json!({"host": "a", "http": {"id": 1}, "n": 1}),
        json!({"n": 2, "http": {"x": 0, "id": 1.0}, "host": "a"}),
        json!({"host": "a", "http": {"id": "1"}}),
        json!({"host": "a"}),
        json!({"host": "a", "http": {"id": null}}),
        json!({"host": "a", "n": 3}),
    ];
    let emitted = dedupe.feed_json(&events);
    assert_eq!(emitted.main(), [0, 2, 3, 4].map(|at: usize| events[at].clone()));
    assert_eq!(emitted.discarded, [("duplicate", 2)]);
    // In the next batch the keys have other ids.
    assert_eq!(dedupe.feed_json(&events[1..2]).discarded_events(), 1);
}

#[test]
fn ignored_fields_and_the_order_of_fields_do_not_count() {
    let mut dedupe = dedupe(json!({"fields": {"ignore": ["time"]}}));
    let mut feed = |event: Value| dedupe.feed_json(&[event]).main().len();
    assert_eq!(feed(json!({"time": 1, "a": 1, "b": 2})), 1);
    assert_eq!(feed(json!({"b": 2, "a": 1, "time": 2})), 0);
    assert_eq!(feed(json!({"b": 2, "a": 1})), 0);
    assert_eq!(feed(json!({"b": 1, "a": 2})), 1);
    assert_eq!(feed(json!({"a": 1})), 1);
    assert_eq!(feed(json!({"a": 1, "b": 2, "c": null})), 1);
}

#[test]
fn events_without_any_field_that_counts_pass() {
    let mut by_id = dedupe(json!({"fields": {"match": ["id"]}}));
    assert_eq!(by_id.feed_json(&[json!({"a": 1}), json!({"a": 1})]).main().len(), 2);
    let mut by_all = dedupe(json!({"fields": {"ignore": ["a"]}}));
    assert_eq!(by_all.feed_json(&[json!({"a": 1}), json!({"a": 1}), json!({})]).main().len(), 3);
}

#[test]
fn text_that_is_not_utf8_is_compared_by_its_bytes() {
    let batch = batch_of_bytes(&[b"\xFF", b"\xFE", b"\xFF", "\u{FFFD}".as_bytes()]);
    let emitted = dedupe(json!({})).feed(batch);
    assert_eq!(lines_of(&emitted.batches[0].1), [&b"\xFF"[..], b"\xFE", "\u{FFFD}".as_bytes()]);
}

#[test]
fn the_event_seen_longest_ago_is_forgotten() {
    let mut dedupe = dedupe(json!({"cache": {"num_events": 2}}));
    let emitted = dedupe.feed_lines(&["a", "b", "a", "c", "a", "b"]);
    let lines = lines_of(&emitted.batches[0].1);
    assert_eq!(lines, [b"a", b"b", b"c", b"b"]);
}

#[test]
fn an_event_is_remembered_for_its_age_and_no_longer() {
    let mut dedupe = dedupe(json!({"max_age": "10s"}));
    let mut passes_after = |seconds: u64| {
        dedupe.clock().advance(Duration::from_secs(seconds));
        dedupe.clock().jump_wall(-3_600_000_000_000);
        dedupe.feed_lines(&["a"]).main().len() == 1
    };
    assert!(passes_after(0));
    assert!(!passes_after(5));
    assert!(!passes_after(4));
    assert!(passes_after(1), "duplicates do not make it longer");
    assert!(!passes_after(9));
    assert!(passes_after(1));
}

#[test]
fn an_event_that_is_offered_again_is_no_duplicate_of_itself() {
    let lines = |offset: u64| {
        let mut batch = Batch::new();
        let mut edit = batch.edit();
        let origin = Origin { stream: 7, offset };
        let segment = edit.add_segment(Bytes::from_static(b"xx"), Some(origin));
        let message = edit.key("message");
        for offset in 0..2 {
            let span = Span { segment, offset, len: 1 };
            edit.push_line(0, message, Tag::Str, span, span);
        }
        batch
    };
    let mut dedupe = dedupe(json!({}));
    assert_eq!(dedupe.feed(lines(0)).main().len(), 1);
    let state = dedupe.state().unwrap();
    let mut next = TransformHarness::resume(&SPEC, json!({}), ManualClock::new(), &state);
    assert_eq!(next.feed(lines(0)).main().len(), 1);
    // The delivery failed: the source reads the same block again.
    assert_eq!(dedupe.feed(lines(0)).main().len(), 1);
    assert_eq!(dedupe.feed(lines(2)).main().len(), 0);
}

#[test]
fn what_is_remembered_outlives_the_process_and_ages_meanwhile() {
    let options = || json!({"fields": {"match": ["a"]}, "max_age": "10s"});
    let event = |a: u32| [json!({"a": a})];
    let clock = ManualClock::new();
    let mut first = TransformHarness::build(&SPEC, options());
    first.feed_json(&event(1));
    first.clock().advance(Duration::from_secs(4));
    first.feed_json(&event(2));
    let state = first.state().unwrap();

    // Three seconds pass on the wall clock; the monotonic clock of the next process starts anew.
    clock.set_wall(lograil_plugin::Clock::now_ns(first.clock()) + 3_000_000_000);
    let mut next = TransformHarness::resume(&SPEC, options(), clock, &state);
    assert_eq!(next.feed_json(&event(1)).discarded, [("duplicate", 1)]);
    next.clock().advance(Duration::from_secs(3));
    assert_eq!(next.feed_json(&event(1)).main(), event(1));
    assert_eq!(next.feed_json(&event(2)).discarded, [("duplicate", 1)]);

    let other = json!({"fields": {"match": ["b"]}});
    let mut other = TransformHarness::resume(&SPEC, other, ManualClock::new(), &state);
    assert_eq!(other.feed_json(&[json!({"b": 1})]).main().len(), 1);
}

#[test]
fn a_smaller_memory_keeps_what_was_seen_last() {
    let mut first = dedupe(json!({}));
    first.feed_json(&[1, 2, 3].map(|a| json!({"a": a})));
    let state = first.state().unwrap();
    let options = json!({"cache": {"num_events": 2}});
    let mut next = TransformHarness::resume(&SPEC, options, ManualClock::new(), &state);
    let passed = next.feed_json(&[3, 2, 1].map(|a| json!({"a": a}))).main();
    assert_eq!(passed, [json!({"a": 1})]);
}

#[test]
fn mistakes_name_the_option() {
    let Build::Transform(build) = SPEC.build else { panic!("a transform") };
    for (options, path) in [
        (json!({"cache": {"num_events": 0}}), "cache.num_events"),
        (json!({"fields": {"match": ["a"], "ignore": ["b"]}}), "fields.ignore"),
        (json!({"fields": {"match": []}}), "fields.match"),
        (json!({"fields": {"match": ["a", "b c"]}}), "fields.match.1"),
        (json!({"fields": {"ignore": ["a.b"]}}), "fields.ignore.0"),
    ] {
        let Err(ConfigErrors(errors)) = build(&Options(options.clone())) else {
            panic!("{options} is refused");
        };
        assert_eq!(errors.len(), 1);
        assert_eq!(errors[0].path.join("."), path);
    }
}

proptest! {
    /// Against a list of all that was seen.
    #[test]
    fn drops_exactly_what_was_there_before(
        values in proptest::collection::vec((0u8..4, 0u8..4), 0..60),
        batch in 1usize..20,
    ) {
        let events: Vec<Value> = values.iter().map(|(a, b)| json!({"a": a, "b": b})).collect();
        let mut dedupe = dedupe(json!({}));
        let mut wanted: Vec<Value> = Vec::new();
        for event in &events {
            if !wanted.contains(event) {
                wanted.push(event.clone());
            }
        }
        let emitted: Vec<Value> = events
            .chunks(batch)
            .flat_map(|events| dedupe.feed(batch_of_json(events)).main())
            .collect();
        prop_assert_eq!(emitted, wanted);
    }
}
