//! How many events pass in which time, for which key.

use std::time::Duration;

use lograil_plugin::{Build, ConfigErrors, MetricsRegistry, Options};
use lograil_testkit::conformance::{self, TransformLaws};
use lograil_testkit::{ManualClock, TransformHarness};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::SPEC;

fn of(service: &str, count: usize) -> Vec<Value> {
    (0..count).map(|n| json!({"service": service, "n": n})).collect()
}

#[test]
fn obeys_the_laws_of_a_transform() {
    conformance::manual(&SPEC);
    for options in [
        json!({"threshold": 3}),
        json!({"threshold": 1, "key_field": "message", "max_keys": 2}),
        json!({"threshold": 1, "window": "1h", "key_field": ".message.a", "exclude": ".status > 1"}),
    ] {
        TransformLaws::new(&SPEC, &options).only_routes().check();
    }
    conformance::transform(&SPEC, &json!({"threshold": 1, "mode": "dead_letter"}));
    let options = json!({"threshold": 1, "key_field": "message", "mode": "wait"});
    TransformLaws::new(&SPEC, &options).holds_back().check();
}

#[test]
fn a_threshold_passes_at_once_and_then_one_every_share_of_the_window() {
    let mut throttle = TransformHarness::build(&SPEC, json!({"threshold": 4, "window": "2s"}));
    let emitted = throttle.feed_json(&of("a", 10));
    assert_eq!(emitted.main(), of("a", 4));
    assert_eq!(emitted.discarded, [("throttled", 6)]);
    throttle.clock().advance(Duration::from_millis(499));
    assert!(throttle.feed_json(&of("a", 1)).main().is_empty());
    throttle.clock().advance(Duration::from_millis(1));
    assert_eq!(throttle.feed_json(&of("a", 2)).main().len(), 1);
    throttle.clock().advance(Duration::from_secs(100));
    assert_eq!(throttle.feed_json(&of("a", 10)).main().len(), 4);
}

#[test]
fn keys_do_not_share_a_threshold_but_events_without_one_do() {
    let options = json!({"threshold": 2, "key_field": "service"});
    let mut throttle = TransformHarness::build(&SPEC, options);
    let events = [of("a", 3), of("b", 1), vec![json!({"n": 1}); 3], of("a", 1)].concat();
    let passed = throttle.feed_json(&events).main();
    let wanted = [of("a", 2), of("b", 1), vec![json!({"n": 1}); 2]].concat();
    assert_eq!(passed, wanted);
}

#[test]
fn the_wall_clock_may_jump() {
    let mut throttle = TransformHarness::build(&SPEC, json!({"threshold": 1, "window": "1m"}));
    assert_eq!(throttle.feed_json(&of("a", 1)).main().len(), 1);
    for jump in [3_600_000_000_000, -7_200_000_000_000, i64::MAX] {
        throttle.clock().jump_wall(jump);
        assert!(throttle.feed_json(&of("a", 1)).main().is_empty());
    }
    throttle.clock().set_wall(i64::MIN);
    throttle.clock().advance(Duration::from_secs(60));
    assert_eq!(throttle.feed_json(&of("a", 1)).main().len(), 1);
}

#[test]
fn excluded_events_pass_and_do_not_count() {
    let options = json!({"threshold": 1, "exclude": ".level == \"ERROR\""});
    let mut throttle = TransformHarness::build(&SPEC, options);
    let events = [json!({"level": "ERROR"}), json!({"level": "INFO"}), json!({"level": "INFO"})];
    assert_eq!(throttle.feed_json(&events).main(), events[..2]);
    assert_eq!(throttle.feed_json(&events).main(), events[..1]);
}

#[test]
fn dead_letters_say_which_limit_was_passed() {
    let options =
        json!({"threshold": 1, "window": "10s", "key_field": "service", "mode": "dead_letter"});
    let mut throttle = TransformHarness::build(&SPEC, options);
    let emitted = throttle.feed_json(&of("a", 3));
    assert_eq!(emitted.main().len(), 1);
    let reason = "throttled: more than 1 events of one value of `service` in 10s";
    assert_eq!(emitted.dead_letter_reasons(), [reason, reason]);
    assert_eq!(emitted.dead_letters()[0]["n"], 1);
}

#[test]
fn events_wait_until_they_may_pass_in_their_order() {
    let options = json!({"threshold": 2, "window": "2s", "key_field": "service", "mode": "wait"});
    let mut throttle = TransformHarness::build(&SPEC, options).holds_back();
    let events = [of("a", 5), of("b", 1)].concat();
    let mut passed = throttle.feed_json(&events).main();
    assert_eq!(passed, [of("a", 2), of("b", 1)].concat());
    assert!(throttle.tick().main().is_empty());
    for n in 2..5 {
        throttle.clock().advance(Duration::from_secs(1));
        let now = throttle.tick().main();
        assert_eq!(now, [json!({"service": "a", "n": n})]);
        passed.extend(now);
    }
    assert!(throttle.flush().main().is_empty());
    assert_eq!(passed.len(), events.len());
}

#[test]
fn a_stop_lets_out_what_waits_before_what_comes_behind_it() {
    let options = json!({"threshold": 1, "window": "1h", "mode": "wait"});
    let mut throttle = TransformHarness::build(&SPEC, options).holds_back();
    assert_eq!(throttle.feed_json(&of("a", 3)).main(), of("a", 1));
    assert_eq!(
        throttle.feed_json(&of("b", 1)).main(),
        [of("a", 3)[1..].to_vec(), of("b", 1)].concat()
    );
    assert!(throttle.feed_json(&of("a", 1)).main().is_empty());
    assert_eq!(throttle.flush().main(), of("a", 1));
}

#[test]
fn the_pause_is_as_long_as_the_first_event_has_to_wait() {
    let Build::Transform(build) = SPEC.build else { panic!("a transform") };
    for (window, wanted_ms) in [("2s", 1_000), ("10ms", 10), ("4ms", 4)] {
        let options = json!({"threshold": 2, "window": window, "mode": "wait"});
        let mut throttle = build(&Options(options)).unwrap();
        let clock = ManualClock::new().shared();
        let metrics = MetricsRegistry::default().component("t", "transform", "throttle");
        throttle.start(lograil_plugin::TransformContext::new("t".into(), clock, metrics)).unwrap();
        let mut out = lograil_plugin::Outputs::new("t".into(), "throttle");
        throttle.process(lograil_testkit::batch_of_json(&of("a", 2)), &mut out);
        assert_eq!(out.take_pause(), None);
        throttle.process(lograil_testkit::batch_of_json(&of("a", 2)), &mut out);
        assert_eq!(out.take_pause(), Some(Duration::from_millis(wanted_ms)), "{window}");
    }
}

#[test]
fn the_key_seen_longest_ago_is_forgotten_and_counted() {
    let Build::Transform(build) = SPEC.build else { panic!("a transform") };
    let options = json!({"threshold": 1, "window": "1h", "key_field": "service", "max_keys": 2});
    let metrics = MetricsRegistry::default().component("t", "transform", "throttle");
    let transform = build(&Options(options)).unwrap();
    let mut throttle = TransformHarness::with_type(transform, "throttle", metrics.clone());
    let events = ["a", "b", "a", "c", "a", "b"].map(|service| json!({"service": service}));
    let passed = throttle.feed_json(&events).main();
    // `b` was forgotten for `c`; `a` was seen in between.
    assert_eq!(passed, [&events[0], &events[1], &events[3], &events[5]].map(Clone::clone));
    assert_eq!(metrics.counter("evicted_keys", "").get(), 2);
    assert_eq!(metrics.gauge("keys", "").get(), 2);
}

#[test]
fn budgets_outlive_the_process_and_grow_meanwhile() {
    let options = || json!({"threshold": 4, "window": "4s", "key_field": "service"});
    let mut first = TransformHarness::build(&SPEC, options());
    assert_eq!(first.feed_json(&of("a", 9)).main().len(), 4);
    first.feed_json(&of("b", 1));
    let state = first.state().unwrap();
    let resume = |away_ms: i64, options: Value| {
        let clock = ManualClock::new();
        clock.set_wall(lograil_plugin::Clock::now_ns(first.clock()) + away_ms * 1_000_000);
        TransformHarness::resume(&SPEC, options, clock, &state)
    };
    for (away_ms, a, b) in [(0, 0, 3), (-5_000, 0, 3), (2_500, 2, 4), (60_000, 4, 4)] {
        let mut next = resume(away_ms, options());
        assert_eq!(next.feed_json(&of("a", 9)).main().len(), a, "after {away_ms} ms");
        assert_eq!(next.feed_json(&of("b", 9)).main().len(), b, "after {away_ms} ms");
    }
    let mut other = resume(0, json!({"threshold": 3, "window": "4s", "key_field": "service"}));
    assert_eq!(other.feed_json(&of("a", 9)).main().len(), 3);
}

#[test]
fn mistakes_name_the_option() {
    let Build::Transform(build) = SPEC.build else { panic!("a transform") };
    for (options, paths) in [
        (json!({"threshold": 0}), &["threshold"][..]),
        (json!({"threshold": 1, "window": 0}), &["window"]),
        (json!({"threshold": 1, "window": "20000d"}), &["window"]),
        (json!({"threshold": 1, "max_keys": 0, "key_field": ""}), &["max_keys", "key_field"]),
        (json!({"threshold": 1, "exclude": ".a =="}), &["exclude"]),
    ] {
        let Err(ConfigErrors(errors)) = build(&Options(options.clone())) else {
            panic!("{options} is refused");
        };
        let found: Vec<&str> = errors.iter().map(|error| &*error.path[0]).collect();
        assert_eq!(found, paths, "{options}");
    }
}

proptest! {
    /// Whatever comes when: the rate holds over the whole time, and a quiet key always has its threshold.
    #[test]
    fn never_more_than_the_rate_and_one_threshold(
        threshold in 1u32..50,
        window_ms in 1u64..5_000,
        arrivals in proptest::collection::vec((0u64..2_000, 0usize..60), 1..30),
    ) {
        let options = json!({"threshold": threshold, "window": format!("{window_ms}ms")});
        let mut throttle = TransformHarness::build(&SPEC, options);
        let (mut passed, mut at_ms) = (0, 0);
        for (pause_ms, events) in arrivals {
            throttle.clock().advance(Duration::from_millis(pause_ms));
            at_ms += pause_ms;
            let now = throttle.feed_json(&of("a", events)).main().len() as u64;
            if pause_ms >= window_ms {
                prop_assert_eq!(now, (events as u64).min(threshold.into()));
            }
            passed += now;
            let earned = u128::from(at_ms) * u128::from(threshold) / u128::from(window_ms);
            prop_assert!(u128::from(passed) <= earned + u128::from(threshold));
        }
    }
}
