//! What passes the filter, what does not, and the laws of a transform.

use lograil_plugin::{Build, ConfigErrors, MetricsRegistry, Options, Outputs, TransformContext};
use lograil_testkit::{ManualClock, TransformHarness, batch_of_json, conformance};
use serde_json::json;

use super::SPEC;

#[test]
fn obeys_the_laws_of_a_transform() {
    conformance::manual(&SPEC);
    for condition in ["true", "false", ".message == \"a\"", ".a > 1", "exists(.message)"] {
        conformance::transform(&SPEC, &json!({"condition": condition}));
    }
}

#[test]
fn keeps_what_matches_and_counts_the_rest() {
    let mut filter = TransformHarness::build(&SPEC, json!({"condition": ".status >= 500"}));
    let events =
        [json!({"status": 500, "n": 1}), json!({"status": 200}), json!({"status": 503, "n": 3})];
    let emitted = filter.feed_json(&events);
    assert_eq!(emitted.main(), [events[0].clone(), events[2].clone()]);
    assert_eq!(emitted.discarded, [("filtered", 1)]);
    let all = filter.feed_json(&events[..1]);
    assert_eq!(all.main(), events[..1]);
    assert_eq!(all.discarded_events(), 0);
}

#[test]
fn keys_of_one_batch_do_not_leak_into_the_next() {
    let mut filter = TransformHarness::build(&SPEC, json!({"condition": ".b == 1"}));
    assert_eq!(filter.feed_json(&[json!({"b": 1, "a": 2})]).main().len(), 1);
    assert_eq!(filter.feed_json(&[json!({"a": 1, "b": 2})]).main().len(), 0);
    assert_eq!(filter.feed_json(&[json!({"a": 1})]).main().len(), 0);
}

#[test]
fn an_event_the_condition_fails_on_is_dropped_and_counted() {
    let Build::Transform(build) = SPEC.build else { panic!("a transform") };
    let mut filter = build(&Options(json!({"condition": ".a > 1"}))).unwrap();
    let metrics = MetricsRegistry::default().component("f", "transform", "filter");
    let clock = std::sync::Arc::new(ManualClock::new());
    filter.start(TransformContext::new("f".into(), clock, metrics.clone())).unwrap();
    let mut out = Outputs::new("f".into(), "filter");
    let events = [json!({"a": "text"}), json!({"a": 2}), json!({"a": [1]}), json!({"a": 0})];
    filter.process(batch_of_json(&events), &mut out);
    let emitted: Vec<_> = out.take_emitted().collect();
    assert_eq!(lograil_testkit::events_of(&emitted[0].1), [json!({"a": 2})]);
    assert_eq!(out.take_discarded().collect::<Vec<_>>(), [("filtered", 3)]);
    assert_eq!(metrics.counter("condition_errors", "").get(), 2);
}

#[test]
fn mistakes_in_the_condition_name_their_place() {
    let Build::Transform(build) = SPEC.build else { panic!("a transform") };
    for (condition, within) in [(".a == ", 5..8), (".a + 1", 0..6), ("nosuch(.a)", 0..6)] {
        let Err(ConfigErrors(errors)) = build(&Options(json!({"condition": condition}))) else {
            panic!("{condition} is refused");
        };
        assert_eq!(errors[0].path, ["condition"]);
        let range = errors[0].within.clone().expect("a place");
        assert!(range.start >= within.start && range.end <= within.end, "{condition}: {range:?}");
        assert!(!errors[0].message.is_empty());
    }
}
