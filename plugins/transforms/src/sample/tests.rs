//! Which events are kept, by rate, ratio and key, and the mistakes that are reported.

use lograil_plugin::{Build, ConfigErrors, Options};
use lograil_testkit::conformance::{self, TransformLaws};
use lograil_testkit::{ManualClock, TransformHarness, batch_of_json, events_of};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::SPEC;

fn numbers(count: u64) -> Vec<Value> {
    (0..count).map(|n| json!({"n": n})).collect()
}

/// The `n` of the events that are kept of `count`, fed in batches of `batch`.
fn kept(options: &Value, count: u64, batch: usize) -> Vec<u64> {
    let mut sample = TransformHarness::build(&SPEC, options.clone());
    let events = numbers(count);
    let fed = events.chunks(batch).flat_map(|events| sample.feed_json(events).main());
    fed.map(|event| event["n"].as_u64().unwrap()).collect()
}

#[test]
fn obeys_the_laws_of_a_transform() {
    conformance::manual(&SPEC);
    for options in [
        json!({"rate": 3}),
        json!({"ratio": 0.4, "seed": 1}),
        json!({"ratio": 1.0}),
        json!({"rate": 2, "key_field": "message"}),
        json!({"rate": 1000, "exclude": ".status > 1"}),
        json!({"rate": 2, "key_field": ".message.a", "sample_rate_key": "message"}),
    ] {
        conformance::transform(&SPEC, &options);
    }
    let options = json!({"rate": 2, "sample_rate_key": ""});
    TransformLaws::new(&SPEC, &options).only_routes().check();
}

#[test]
fn a_rate_keeps_the_first_of_every_group_across_batches() {
    for batch in [1, 3, 100] {
        assert_eq!(kept(&json!({"rate": 4}), 11, batch), [0, 4, 8]);
    }
    assert_eq!(kept(&json!({"rate": 1}), 3, 2), [0, 1, 2]);
}

#[test]
fn a_seed_draws_one_of_every_group_and_repeats_itself() {
    let options = json!({"rate": 10, "seed": 7});
    let first = kept(&options, 1000, 64);
    assert_eq!(first, kept(&options, 1000, 1));
    let groups: Vec<u64> = first.iter().map(|n| n / 10).collect();
    assert_eq!(groups, (0..100).collect::<Vec<_>>());
    let mut places: Vec<u64> = first.iter().map(|n| n % 10).collect();
    places.sort_unstable();
    places.dedup();
    assert_eq!(places.len(), 10, "every place of a group is drawn some time");
    assert_ne!(first, kept(&json!({"rate": 10, "seed": 8}), 1000, 64));
}

#[test]
fn a_ratio_is_spread_evenly() {
    assert_eq!(kept(&json!({"ratio": 0.25}), 9, 2), [3, 7]);
    assert_eq!(kept(&json!({"ratio": 1.0}), 3, 2), [0, 1, 2]);
    let drawn = kept(&json!({"ratio": 0.25, "seed": 3}), 20_000, 4096).len();
    // Within four standard deviations of the binomial distribution.
    assert!((4755..=5245).contains(&drawn), "{drawn} of 20000");
}

#[test]
fn of_a_key_all_events_are_kept_or_none() {
    let options = json!({"rate": 4, "key_field": "user.id", "sample_rate_key": ""});
    let events: Vec<Value> =
        (0..4000).map(|n| json!({"n": n, "user": {"id": format!("u{}", n % 400)}})).collect();
    let mut sample = TransformHarness::build(&SPEC, options.clone());
    let kept = sample.feed_json(&events).main();
    let mut users: Vec<&str> =
        kept.iter().map(|event| event["user"]["id"].as_str().unwrap()).collect();
    users.sort_unstable();
    users.dedup();
    assert_eq!(kept.len(), users.len() * 10);
    // Within four standard deviations.
    assert!((65..=135).contains(&users.len()), "{} of 400", users.len());
    // Another instance, fed in another order, keeps the same.
    let reversed: Vec<Value> = events.iter().rev().cloned().collect();
    let mut other = TransformHarness::build(&SPEC, options).feed_json(&reversed).main();
    other.reverse();
    assert_eq!(other, kept);
}

#[test]
fn excluded_events_always_stay_and_are_not_marked() {
    let options = json!({"rate": 1000, "exclude": ".level == \"ERROR\""});
    let mut sample = TransformHarness::build(&SPEC, options);
    let events: Vec<Value> =
        ["INFO", "ERROR", "INFO", "ERROR"].iter().map(|level| json!({"level": level})).collect();
    let emitted = sample.feed_json(&events);
    let wanted =
        [json!({"level": "INFO", "sample_rate": 1000}), events[1].clone(), events[3].clone()];
    assert_eq!(emitted.main(), wanted);
    assert_eq!(emitted.discarded, [("sampled", 1)]);
}

#[test]
fn the_rate_is_told_under_the_name_that_was_asked_for() {
    let mut sample =
        TransformHarness::build(&SPEC, json!({"ratio": 1.0, "sample_rate_key": "weight"}));
    let batch = batch_of_json(&[json!({"weight": "old"})]);
    let emitted = sample.feed(batch);
    assert_eq!(events_of(&emitted.batches[0].1), [json!({"weight": 1.0})]);
}

#[test]
fn a_series_of_choices_goes_on_in_the_next_process() {
    let events: Vec<Value> = (0..60).map(|n| json!({"n": n})).collect();
    for options in [
        json!({"rate": 7}),
        json!({"rate": 7, "seed": 3}),
        json!({"ratio": 0.3}),
        json!({"ratio": 0.3, "seed": 3}),
    ] {
        let whole = TransformHarness::build(&SPEC, options.clone()).feed_json(&events).main();
        for cut in 0..events.len() {
            let mut first = TransformHarness::build(&SPEC, options.clone());
            let mut kept = first.feed_json(&events[..cut]).main();
            let (clock, state) = (ManualClock::new(), first.state().unwrap());
            let mut next = TransformHarness::resume(&SPEC, options.clone(), clock, &state);
            kept.extend(next.feed_json(&events[cut..]).main());
            assert_eq!(kept, whole, "{options}, cut at {cut}");
        }
    }
}

#[test]
fn mistakes_name_the_option() {
    let Build::Transform(build) = SPEC.build else { panic!("a transform") };
    for (options, paths) in [
        (json!({}), &["rate"][..]),
        (json!({"rate": 0}), &["rate"]),
        (json!({"ratio": 0.0}), &["ratio"]),
        (json!({"ratio": 1.5}), &["ratio"]),
        (json!({"rate": 2, "ratio": 0.5}), &["ratio"]),
        (json!({"exclude": ".a ==", "key_field": "a b"}), &["rate", "key_field", "exclude"]),
    ] {
        let Err(ConfigErrors(errors)) = build(&Options(options.clone())) else {
            panic!("{options} is refused");
        };
        let found: Vec<&str> = errors.iter().map(|error| &*error.path[0]).collect();
        assert_eq!(found, paths, "{options}");
    }
}

proptest! {
    #[test]
    fn a_ratio_is_exact_after_any_number_of_events(ratio in 0.001f64..=1.0, count in 0u64..500) {
        let kept = kept(&json!({"ratio": ratio}), count, 50).len() as f64;
        prop_assert!((kept - count as f64 * ratio).abs() <= 1.0 + 1e-9);
    }
}
