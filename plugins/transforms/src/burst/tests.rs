//! What is told of bursts, what is done in them, and that it outlives the process.

use std::time::Duration;

use lograil_plugin::{Build, ConfigErrors, MetricsRegistry, Options};
use lograil_testkit::conformance::{self, TransformLaws};
use lograil_testkit::{Emitted, ManualClock, TransformHarness};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::detector::{Change, Detector, End};
use super::{BURSTS, SPEC};

fn events(service: &str, count: usize) -> Vec<Value> {
    (0..count)
        .map(|n| json!({"service": service, "level": "INFO", "message": format!("m{n}")}))
        .collect()
}

/// One second after the other, each with so many events of a service.
fn seconds(
    burst: &mut TransformHarness,
    service: &str,
    counts: impl IntoIterator<Item = usize>,
) -> Vec<Emitted> {
    let mut all = Vec::new();
    for count in counts {
        all.push(burst.feed_json(&events(service, count)));
        burst.clock().advance(Duration::from_secs(1));
        all.push(burst.tick());
    }
    all
}

fn main_events(emitted: &[Emitted]) -> Vec<Value> {
    emitted.iter().flat_map(Emitted::main).collect()
}

fn notices(emitted: &[Emitted]) -> Vec<Value> {
    emitted.iter().flat_map(|emitted| emitted.on(BURSTS)).collect()
}

/// Eleven minutes with five or so events a second.
fn warm(burst: &mut TransformHarness, service: &str) {
    let emitted = seconds(burst, service, (0..660).map(|at| 4 + at * 7 % 3));
    assert!(notices(&emitted).is_empty(), "{:?}", notices(&emitted));
    let main = main_events(&emitted);
    assert!(main.iter().all(|event| event.get("burst").is_none() && event.get("weight").is_none()));
}

#[test]
fn obeys_the_laws_of_a_transform() {
    conformance::manual(&SPEC);
    for options in [
        json!({}),
        json!({"key_field": "message", "max_keys": 2, "action": "sample", "keep_first": 1}),
        json!({"key_field": ".message.a", "action": "shed", "exclude": ".status > 1", "time": "arrival"}),
    ] {
        conformance::transform(&SPEC, &options);
        TransformLaws::new(&SPEC, &options).only_routes().check();
    }
}

#[test]
fn the_start_and_the_end_of_a_burst_are_told() {
    let mut burst = TransformHarness::build(&SPEC, json!({"key_field": "service"}));
    warm(&mut burst, "orders");
    let during = seconds(&mut burst, "orders", [50; 20]);
    let told = notices(&during);
    assert_eq!(told.len(), 1, "{told:?}");
    let start = &told[0]["burst"];
    for (name, wanted) in [
        ("event", json!("start")),
        ("id", json!(1)),
        ("key_field", json!("service")),
        ("key", json!("orders")),
        ("sample", json!("m0")),
    ] {
        assert_eq!(start[name], wanted, "{start}");
    }
    assert!((4.0..6.0).contains(&start["baseline_per_second"].as_f64().unwrap()), "{start}");
    assert!(start["factor"].as_f64().unwrap() > 2.0, "{start}");
    assert_eq!(told[0]["level"], "WARN");
    // Events behind the start carry the burst.
    let inside: Vec<Value> =
        main_events(&during).into_iter().filter(|event| event.get("burst").is_some()).collect();
    assert!(inside.len() >= 900, "{}", inside.len());
    assert_eq!(inside[0]["burst"]["id"], 1);
    assert_eq!(inside[0]["burst"]["inside"], true);
    let after = seconds(&mut burst, "orders", [5; 60]);
    let told = notices(&after);
    assert_eq!(told.len(), 1, "{told:?}");
    let end = &told[0]["burst"];
    assert_eq!(
        (&end["event"], &end["id"], &end["reason"]),
        (&json!("end"), &json!(1), &json!("calm"))
    );
    assert!((1000..1100).contains(&end["count"].as_u64().unwrap()), "{end}");
    assert_eq!(end["peak_per_second"], 50.0);
    let lasted = end["duration_seconds"].as_f64().unwrap();
    assert!((20.0..30.0).contains(&lasted), "{end}");
    assert!(main_events(&after).last().unwrap().get("burst").is_none());
}

#[test]
fn a_burst_ends_though_no_event_comes_any_more_and_at_the_stop() {
    let mut burst = TransformHarness::build(&SPEC, json!({}));
    warm(&mut burst, "a");
    assert_eq!(notices(&seconds(&mut burst, "a", [50; 5])).len(), 1);
    let silence = notices(&seconds(&mut burst, "a", [0; 30]));
    assert_eq!(silence[0]["burst"]["event"], "end");
    warm(&mut burst, "a");
    assert_eq!(notices(&seconds(&mut burst, "a", [50; 5])).len(), 1);
    let stopped = notices(&[burst.flush()]);
    assert_eq!(stopped[0]["burst"]["reason"], "cut");
    assert_eq!(stopped[0]["burst"]["id"], 2);
}

#[test]
fn keys_are_watched_by_themselves() {
    let mut burst = TransformHarness::build(&SPEC, json!({"key_field": "service"}));
    for at in 0..660 {
        burst.feed_json(&events("a", 4 + at * 7 % 3));
        burst.feed_json(&events("b", 40 + at * 7 % 13));
        burst.clock().advance(Duration::from_secs(1));
        assert!(notices(&[burst.tick()]).is_empty());
    }
    let told = notices(&seconds(&mut burst, "a", [44; 5]));
    assert_eq!(told.len(), 1, "{told:?}");
    assert_eq!(told[0]["burst"]["key"], "a");
}

/// Sum of the weights.
fn weighed(events: &[Value]) -> u64 {
    events
        .iter()
        .map(|event| event.get("weight").map_or(1, |weight| weight.as_u64().unwrap()))
        .sum()
}

#[test]
fn a_sample_of_a_burst_keeps_the_sums() {
    let options = json!({"action": "sample", "keep_first": 10, "keep_one_in": 7});
    let mut burst = TransformHarness::build(&SPEC, options);
    warm(&mut burst, "a");
    let mut all = seconds(&mut burst, "a", [50; 20]);
    let kept = main_events(&all).len();
    assert!((150..250).contains(&kept), "{kept} of 1000");
    all.extend(seconds(&mut burst, "a", [5; 60]));
    assert_eq!(weighed(&main_events(&all)), 50 * 20 + 5 * 60);
    let dropped: u64 = all.iter().map(Emitted::discarded_events).sum();
    let end = notices(&all).pop().unwrap();
    assert_eq!(end["burst"]["dropped"], dropped);
}

#[test]
fn errors_pass_unless_they_are_not_to() {
    for (drop_errors, wanted) in [(false, 30), (true, 0)] {
        let options =
            json!({"action": "shed", "drop_errors": drop_errors, "exclude": ".vip == true"});
        let mut burst = TransformHarness::build(&SPEC, options);
        warm(&mut burst, "a");
        seconds(&mut burst, "a", [50; 5]);
        let mut inside = events("a", 30);
        inside.extend((0..30).map(|_| json!({"level": "error"})));
        inside.push(json!({"level": "INFO", "vip": true}));
        let emitted = burst.feed_json(&inside);
        assert_eq!(emitted.main().len(), wanted + 1);
        assert_eq!(emitted.discarded, [("shed", 60 - wanted as u64)]);
    }
}

#[test]
fn throttle_lets_a_multiple_of_the_baseline_pass() {
    let options = json!({"action": "throttle", "throttle_factor": 3.0});
    let mut burst = TransformHarness::build(&SPEC, options);
    warm(&mut burst, "a");
    seconds(&mut burst, "a", [50; 5]);
    let emitted = burst.feed_json(&events("a", 50));
    assert_eq!(emitted.main().len(), 14, "three times the baseline of nearly five");
    assert_eq!(emitted.discarded, [("throttled", 36)]);
}

#[test]
fn what_was_learned_outlives_the_process() {
    let options = json!({"key_field": "service"});
    let mut first = TransformHarness::build(&SPEC, options.clone());
    warm(&mut first, "a");
    seconds(&mut first, "a", [50; 5]);
    let state = first.state().unwrap();
    let clock = ManualClock::at(lograil_plugin::Clock::now_ns(first.clock()));
    let mut second = TransformHarness::resume(&SPEC, options, clock, &state);
    assert_eq!(second.state().unwrap(), state);
    let [one, two] = [&mut first, &mut second]
        .map(|burst| notices(&seconds(burst, "a", [50, 50, 5, 5, 5, 5, 5, 5, 5, 5, 5, 5, 5, 5])));
    assert_eq!(one, two);
    assert_eq!(one[0]["burst"]["event"], "end");
}

#[test]
fn event_time_makes_a_backlog_tell_the_same() {
    let start_ns = 1_700_000_000_000_000_000;
    let mut burst = TransformHarness::build(&SPEC, json!({}));
    let mut told = Vec::new();
    for second in 0..720i64 {
        let count = if (680..700).contains(&second) { 50 } else { 5 };
        let mut batch = lograil_testkit::batch_of_json(&events("a", count));
        for record in batch.edit().events() {
            record.timestamp_ns = start_ns + second * 1_000_000_000;
        }
        told.extend(notices(&[burst.feed(batch), burst.tick()]));
    }
    told.extend(notices(&[burst.flush()]));
    let kinds: Vec<&str> = told.iter().map(|one| one["burst"]["event"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["start", "end"]);
    assert_eq!(told[1]["burst"]["reason"], "calm");
}

#[test]
fn a_clock_that_is_ahead_moves_time_for_nobody() {
    let mut burst = TransformHarness::build(&SPEC, json!({"key_field": "service"}));
    warm(&mut burst, "a");
    let mut ahead = lograil_testkit::batch_of_json(&events("b", 1));
    let now_ns = lograil_plugin::Clock::now_ns(burst.clock());
    ahead.edit().events()[0].timestamp_ns = now_ns + 59 * 60 * 1_000_000_000;
    burst.feed(ahead);
    let told = notices(&seconds(&mut burst, "a", [50; 5]));
    assert_eq!(told.len(), 1, "{told:?}");
    assert_eq!(told[0]["burst"]["event"], "start");
}

#[test]
fn many_keys_take_bounded_memory() {
    let Build::Transform(build) = SPEC.build else { panic!("a transform") };
    let options = json!({"key_field": "service", "max_keys": 100});
    let metrics = MetricsRegistry::default().component("t", "transform", "burst");
    let transform = build(&Options(options)).unwrap();
    let mut burst = TransformHarness::with_type(transform, "burst", metrics.clone());
    for round in 0..20 {
        let events: Vec<Value> =
            (0..1000).map(|at| json!({"service": round * 1000 + at})).collect();
        burst.feed_json(&events);
        burst.clock().advance(Duration::from_secs(1));
    }
    assert_eq!(metrics.gauge("keys", "").get(), 100);
    assert_eq!(metrics.counter("evicted_keys", "").get(), 19_900);
    assert!(burst.state().unwrap().len() < 100 * 1200);
}

#[test]
fn mistakes_name_the_option() {
    let Build::Transform(build) = SPEC.build else { panic!("a transform") };
    for (options, path) in [
        (json!({"key_field": "a b"}), "key_field"),
        (json!({"sensitivity": 0}), "sensitivity"),
        (json!({"resolution": "2h"}), "resolution"),
        (json!({"keep_one_in": 0}), "keep_one_in"),
        (json!({"throttle_factor": -1}), "throttle_factor"),
        (json!({"max_keys": 0}), "max_keys"),
        (json!({"action": "sample", "weight_field": ""}), "weight_field"),
        (json!({"field": ""}), "field"),
        (json!({"exclude": ".a =="}), "exclude"),
    ] {
        let Err(ConfigErrors(errors)) = build(&Options(options.clone())) else {
            panic!("{options} is refused");
        };
        assert_eq!(errors[0].path.join("."), path, "{options}");
    }
}

#[test]
fn a_rate_that_stays_is_the_new_baseline() {
    let mut detector = Detector::new();
    let mut changes = Vec::new();
    for second in 0..4000u32 {
        let events = if second < 1000 { 5 } else { 20 };
        changes.extend(detector.close(events, 4.8));
    }
    assert_eq!(changes.len(), 2, "{changes:?}");
    assert!(matches!(changes[1], Change::Ended(_, End::NewBaseline)));
    assert!((detector.baseline() - 20.0).abs() < 0.5, "{}", detector.baseline());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    /// A long silence at once is about the same as second by second.
    #[test]
    fn silence_can_be_passed(count in 0u32..20, seconds in 400u64..5_000) {
        let mut one = Detector::new();
        for at in 0..1000 {
            one.close(if at % 3 == 0 { count } else { 1 }, 100.0);
        }
        let mut two = one.clone();
        one.pass(seconds, 100.0);
        for _ in 0..seconds {
            two.close(0, 100.0);
        }
        let (left, right) = (one.baseline(), two.baseline());
        prop_assert!((left - right).abs() <= 0.02 * left.max(right), "{} and {}", left, right);
        prop_assert_eq!(one.seconds(), two.seconds());
    }
}
