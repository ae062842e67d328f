//! Outputs, their order and acknowledgements, and the mistakes that are reported.

use std::sync::{Arc, Mutex};

use lograil_event::{Ack, AckId, AckStatus};
use lograil_plugin::{Build, ConfigErrors, MetricsRegistry, Options, Port};
use lograil_testkit::conformance::{self, TransformLaws};
use lograil_testkit::{TransformHarness, batch_of_json};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::SPEC;

fn numbers(numbers: &[i64]) -> Vec<Value> {
    numbers.iter().map(|n| json!({"n": n})).collect()
}

#[test]
fn obeys_the_laws_of_a_transform() {
    conformance::manual(&SPEC);
    for options in [
        json!({"route": {"a": "true", "b": "exists(.message)", "c": ".status > 1"}}),
        json!({"route": {"a": "true", "b": "true"}, "exclusive": true}),
        json!({"route": {"a": "false"}, "reroute_unmatched": false}),
        json!({"route": {"a": ".message == \"plain text\""}, "reroute_unmatched": false}),
    ] {
        TransformLaws::new(&SPEC, &options).only_routes().check();
    }
}

#[test]
fn there_is_no_output_without_a_name() {
    let Build::Transform(build) = SPEC.build else { panic!("route is a transform") };
    let route = build(&Options(json!({"route": {"low": ".n < 5"}}))).unwrap();
    assert!(!route.has_unnamed_output());
}

#[test]
fn an_event_goes_to_every_output_that_matches() {
    let options = json!({"route": {"low": ".n < 5", "even": ".n == 2 || .n == 4 || .n == 8"}});
    assert_eq!((SPEC.ports)(&options), ["low", "even", "_unmatched"]);
    let mut route = TransformHarness::build(&SPEC, options);
    let emitted = route.feed_json(&numbers(&[8, 2, 9, 1, 4]));
    assert_eq!(emitted.on(Port(1)), numbers(&[2, 1, 4]));
    assert_eq!(emitted.on(Port(2)), numbers(&[8, 2, 4]));
    assert_eq!(emitted.on(Port(3)), numbers(&[9]));
    assert!(emitted.main().is_empty() && emitted.dead_letters().is_empty());
    // A lane that nothing takes gets no batch.
    let emitted = route.feed_json(&numbers(&[9]));
    assert_eq!(emitted.batches.len(), 1);
}

#[test]
fn exclusive_means_the_first_match_in_the_order_of_the_file() {
    let lanes = json!({"z": ".n < 5", "a": ".n < 9"});
    let mut route = TransformHarness::build(&SPEC, json!({"route": lanes, "exclusive": true}));
    let emitted = route.feed_json(&numbers(&[8, 2, 9, 1]));
    assert_eq!(emitted.on(Port(1)), numbers(&[2, 1]));
    assert_eq!(emitted.on(Port(2)), numbers(&[8]));
    assert_eq!(emitted.on(Port(3)), numbers(&[9]));
}

#[test]
fn what_is_unmatched_can_be_dropped() {
    let options = json!({"route": {"low": ".n < 5"}, "reroute_unmatched": false});
    assert_eq!((SPEC.ports)(&options), ["low"]);
    let mut route = TransformHarness::build(&SPEC, options);
    let emitted = route.feed_json(&numbers(&[8, 2, 9]));
    assert_eq!(emitted.on(Port(1)), numbers(&[2]));
    assert_eq!(emitted.discarded, [("unmatched", 2)]);
}

#[test]
fn the_acknowledgement_waits_for_every_output() {
    let fates = Arc::new(Mutex::new(Vec::new()));
    let log = Arc::clone(&fates);
    let ack =
        Ack::new(AckId { source: 0, sequence: 0 }, move |_, fate| log.lock().unwrap().push(fate));
    let options = json!({"route": {"low": ".n < 5", "even": ".n == 2 || .n == 4 || .n == 8"}});
    let mut route = TransformHarness::build(&SPEC, options);
    let mut batch = batch_of_json(&numbers(&[2, 9]));
    batch.add_acks(ack.into());
    let mut emitted = route.feed(batch).batches.into_iter();
    assert_eq!(emitted.len(), 3);
    for (_, mut batch) in emitted.by_ref().take(2) {
        batch.take_acks().resolve(AckStatus::Delivered);
        assert!(fates.lock().unwrap().is_empty());
    }
    for (_, mut batch) in emitted {
        batch.take_acks().resolve(AckStatus::Rejected);
    }
    assert_eq!(*fates.lock().unwrap(), [AckStatus::Rejected]);
}

#[test]
fn a_condition_that_fails_does_not_match_and_is_counted() {
    let Build::Transform(build) = SPEC.build else { panic!("a transform") };
    let transform = build(&Options(json!({"route": {"a": ".n > 1", "b": "true"}}))).unwrap();
    let metrics = MetricsRegistry::default().component("r", "transform", "route");
    let mut route = TransformHarness::with_type(transform, "route", metrics.clone());
    let events = [json!({"n": "text"}), json!({"n": 2}), json!({"n": [1]})];
    let emitted = route.feed_json(&events);
    assert_eq!(emitted.on(Port(1)), [json!({"n": 2})]);
    assert_eq!(emitted.on(Port(2)), events);
    assert_eq!(metrics.counter("condition_errors", "").get(), 2);
}

#[test]
fn mistakes_name_the_route_and_the_place() {
    let Build::Transform(build) = SPEC.build else { panic!("a transform") };
    let errors = |options: Value| match build(&Options(options)) {
        Err(ConfigErrors(errors)) => errors,
        Ok(_) => panic!("refused"),
    };
    let found = errors(json!({"route": {"a": ".n ==", "b": "true", "c": "upcas(.n) == 1"}}));
    let places: Vec<_> =
        found.iter().map(|error| (error.path.join("."), error.within.clone())).collect();
    assert_eq!(places[1], ("route.c".to_owned(), Some(0..5)));
    assert_eq!((places.len(), &*places[0].0), (2, "route.a"));
    for name in ["_unmatched", "dead_letter", "", "a.b", "a b"] {
        assert_eq!(errors(json!({"route": {name: "true"}}))[0].path, ["route", name]);
    }
    assert_eq!(errors(json!({"route": {}}))[0].path, ["route"]);
    let many: serde_json::Map<_, _> = (0..257).map(|n| (format!("r{n}"), json!("true"))).collect();
    assert_eq!(errors(json!({"route": many}))[0].path, ["route"]);
}

/// A name, a condition, and what it means.
type Lane = (&'static str, &'static str, fn(i64) -> bool);

proptest! {
    /// Against a filter for each output.
    #[test]
    fn every_output_gets_what_its_condition_keeps(
        values in proptest::collection::vec(0i64..10, 0..40),
        exclusive in any::<bool>(),
    ) {
        let lanes: [Lane; 4] = [
            ("a", ".n < 3", |n| n < 3),
            ("b", ".n == 0 || .n == 3 || .n == 6 || .n == 9", |n| n % 3 == 0),
            ("c", ".n == 4 || .n == 3", |n| n == 4 || n == 3),
            ("d", ".n > 7", |n| n > 7),
        ];
        let table: serde_json::Map<_, _> =
            lanes.iter().map(|(name, condition, _)| ((*name).to_owned(), json!(condition))).collect();
        let mut route = TransformHarness::build(&SPEC, json!({"route": table, "exclusive": exclusive}));
        let emitted = route.feed_json(&numbers(&values));
        for (at, lane) in lanes.iter().enumerate() {
            let is_first = |n: i64| lanes[..at].iter().all(|earlier| !(earlier.2)(n));
            let wanted: Vec<i64> = values
                .iter()
                .copied()
                .filter(|n| (lane.2)(*n) && (!exclusive || is_first(*n)))
                .collect();
            prop_assert_eq!(emitted.on(Port(at as u16 + 1)), numbers(&wanted));
        }
        let left: Vec<i64> =
            values.iter().copied().filter(|n| lanes.iter().all(|lane| !(lane.2)(*n))).collect();
        prop_assert_eq!(emitted.on(Port(5)), numbers(&left));
    }
}
