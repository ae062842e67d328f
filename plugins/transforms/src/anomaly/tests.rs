//! What is annotated and alarmed, of which key, why, and that it outlives the process.

use std::time::Duration;

use lograil_plugin::{Build, ConfigErrors, MetricsRegistry, Options};
use lograil_testkit::conformance::{self, TransformLaws};
use lograil_testkit::{Emitted, ManualClock, TransformHarness};
use serde_json::{Value, json};

use super::{ALARMS, SPEC};

/// Without severity, to see the rest alone.
fn build(mut options: Value) -> TransformHarness {
    options["severity"] = json!({"score_field": ""});
    TransformHarness::build(&SPEC, options)
}

/// Values around 50 that repeat themselves.
fn usual(count: usize) -> impl Iterator<Item = f64> {
    (0..count).map(|at| 50.0 + (at * 7919 % 101) as f64 / 10.0)
}

fn events_of(key: &str, values: impl IntoIterator<Item = f64>) -> Vec<Value> {
    values.into_iter().map(|value| json!({"service": key, "ms": value})).collect()
}

fn alarms(emitted: &Emitted) -> Vec<Value> {
    emitted.on(ALARMS)
}

#[test]
fn obeys_the_laws_of_a_transform() {
    conformance::manual(&SPEC);
    for options in [
        json!({}),
        json!({"value": "status", "key_field": "message", "max_keys": 3, "threshold": 0.01}),
        json!({"value": ".message.a", "method": "ewma", "field": "message"}),
        json!({"value": "status", "method": "mad", "time": "arrival", "severity": {"score_field": ""}}),
        json!({"value": "status", "method": "quantile"}),
        json!({"value": "status", "method": "half_space_trees"}),
        json!({"rate": {"interval": "1s"}, "novelty": {"field": "message", "one_in": 2, "max_texts": 4}}),
    ] {
        conformance::transform(&SPEC, &options);
    }
    let options = json!({"severity": {"score_field": ""}});
    TransformLaws::new(&SPEC, &options).only_routes().check();
}

#[test]
fn without_options_it_rates_what_events_say() {
    let mut anomaly = TransformHarness::build(&SPEC, json!({}));
    let emitted = anomaly.feed_json(&[json!({"level": "FATAL", "message": "panic"})]);
    assert_eq!(emitted.main()[0]["severity"], 95);
    assert_eq!(emitted.main()[0]["severity_class"], "CRITICAL");
    assert_eq!(emitted.main()[0].get("anomaly"), None);
}

#[test]
fn a_number_out_of_the_usual_is_an_alarm_that_says_why() {
    let mut anomaly = build(json!({"value": "ms", "key_field": "service"}));
    let before = anomaly.feed_json(&events_of("orders", usual(300)));
    assert!(alarms(&before).is_empty());
    assert_eq!(before.main()[299]["anomaly"], json!({"score": 0.0, "alarm": false}));
    let mut events = events_of("orders", [500.0]);
    events.push(json!({"service": "orders", "ms": "none"}));
    let emitted = anomaly.feed_json(&events);
    let found = &emitted.main()[0]["anomaly"];
    for (name, wanted) in [
        ("alarm", json!(true)),
        ("kind", json!("value")),
        ("field", json!("ms")),
        ("value", json!(500.0)),
        ("method", json!("auto")),
        ("key_field", json!("service")),
        ("key", json!("orders")),
        ("first_seen", json!("2026-01-01T00:00:00Z")),
    ] {
        assert_eq!(found[name], wanted, "{found}");
    }
    assert!(found["score"].as_f64().unwrap() > 0.9, "{found}");
    let (low, high) = (&found["expected_low"], &found["expected_high"]);
    assert!((50.0..51.0).contains(&low.as_f64().unwrap()), "{found}");
    assert!((59.0..=60.0).contains(&high.as_f64().unwrap()), "{found}");
    // What has no number is left as it was.
    assert_eq!(emitted.main()[1], events[1]);
    let alarms = alarms(&emitted);
    assert_eq!(alarms.len(), 1);
    assert_eq!(alarms[0]["anomaly"], *found);
    assert_eq!(alarms[0]["level"], "WARN");
    let message = alarms[0]["message"].as_str().unwrap();
    assert!(message.starts_with("ms of service \"orders\" is 500, expected 50"), "{message}");
}

#[test]
fn keys_learn_by_themselves_and_an_incident_is_one_alarm() {
    let mut anomaly = build(json!({"value": "ms", "key_field": "service"}));
    let high = usual(300).map(|value| value * 100.0);
    let mut events: Vec<Value> = Vec::new();
    for (low, high) in events_of("a", usual(300)).into_iter().zip(events_of("b", high)) {
        events.extend([low, high]);
    }
    assert!(alarms(&anomaly.feed_json(&events)).is_empty());
    // What is usual for `b` is none for `a`; it goes on, and is one incident.
    let incident = anomaly.feed_json(&events_of("a", usual(30).map(|value| value * 100.0)));
    let found = alarms(&incident);
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!(found[0]["anomaly"]["key"], "a");
    // Enough values later, but not enough time.
    let calm = events_of("a", usual(250));
    assert!(alarms(&anomaly.feed_json(&calm)).is_empty());
    assert!(alarms(&anomaly.feed_json(&events_of("a", [1e6]))).is_empty());
    anomaly.clock().advance(Duration::from_secs(301));
    anomaly.feed_json(&calm);
    assert_eq!(alarms(&anomaly.feed_json(&events_of("a", [1e9]))).len(), 1);
}

#[test]
fn a_rate_that_falls_silent_is_an_alarm_though_no_event_comes() {
    let options =
        json!({"rate": {"interval": "10s"}, "key_field": "service", "cooldown_values": 0});
    let mut anomaly = build(options);
    let mut found = Vec::new();
    for round in 0..80u32 {
        let count = 20 + round as usize * 7919 % 5;
        found.extend(alarms(&anomaly.feed_json(&events_of("a", usual(count)))));
        found.extend(alarms(&anomaly.feed_json(&events_of("b", usual(1)))));
        for _ in 0..10 {
            anomaly.clock().advance(Duration::from_secs(1));
            found.extend(alarms(&anomaly.tick()));
        }
    }
    assert!(found.is_empty(), "{found:?}");
    for _ in 0..10 {
        anomaly.clock().advance(Duration::from_secs(1));
        found.extend(alarms(&anomaly.tick()));
    }
    let of_a: Vec<&Value> = found.iter().filter(|alarm| alarm["anomaly"]["key"] == "a").collect();
    assert_eq!(of_a.len(), 1, "{found:?}");
    assert_eq!(of_a[0]["anomaly"]["kind"], "rate");
    assert_eq!(of_a[0]["anomaly"]["value"], 0);
    assert_eq!(of_a[0]["anomaly"]["interval"], "10s");
    let message = of_a[0]["message"].as_str().unwrap();
    assert!(message.starts_with("0 events of service \"a\" in 10s, expected 2"), "{message}");
}

#[test]
fn a_text_that_never_came_is_an_alarm_once_there_is_experience() {
    let mut anomaly = build(json!({"novelty": {"field": "template_id", "one_in": 100}}));
    let template = |id: usize| json!({"template_id": format!("t{id}")});
    let usual: Vec<Value> = (0..2000).map(|at| template(at % 20)).collect();
    assert!(alarms(&anomaly.feed_json(&usual)).is_empty());
    let emitted = anomaly.feed_json(&[template(99), template(3), template(99)]);
    let found = alarms(&emitted);
    assert_eq!(
        found.len(),
        1,
        "the second time it is rare, but the incident is the same: {found:?}"
    );
    assert_eq!(found[0]["anomaly"]["kind"], "new");
    assert_eq!(found[0]["anomaly"]["value"], "t99");
    assert_eq!(found[0]["message"], "template_id has the new value \"t99\"");
    anomaly.clock().advance(Duration::from_secs(301));
    anomaly.feed_json(&usual[..300]);
    let found = alarms(&anomaly.feed_json(&[template(99)]));
    assert_eq!(found[0]["anomaly"]["kind"], "rare");
    assert_eq!(found[0]["anomaly"]["seen_before"], 2);
}

#[test]
fn what_was_learned_outlives_the_process() {
    let options = json!({
        "severity": {"score_field": ""}, "value": "ms", "key_field": "service",
        "rate": {"interval": "10s"}, "novelty": {"field": "service"},
    });
    let mut first = TransformHarness::build(&SPEC, options.clone());
    first.feed_json(&events_of("a", usual(300)));
    first.feed_json(&events_of("b", usual(100)));
    let state = first.state().unwrap();
    let mut second = TransformHarness::resume(&SPEC, options.clone(), ManualClock::new(), &state);
    assert_eq!(second.state().unwrap(), state);
    let next = events_of("a", [500.0, 51.0]);
    let (one, two) = (first.feed_json(&next), second.feed_json(&next));
    assert_eq!(one.main(), two.main());
    assert_eq!(alarms(&one), alarms(&two));
    assert_eq!(alarms(&two).len(), 1);
    // What was learned of another field says nothing.
    let mut other = options;
    other["value"] = json!("bytes");
    let other = TransformHarness::resume(&SPEC, other, ManualClock::new(), &state);
    assert!(other.state().unwrap().len() < state.len());
}

#[test]
fn many_keys_take_bounded_memory() {
    let Build::Transform(build) = SPEC.build else { panic!("a transform") };
    let options = json!({
        "value": "ms", "key_field": "service", "max_keys": 100,
        "novelty": {"field": "service", "max_texts": 50}, "severity": {"score_field": ""},
    });
    let metrics = MetricsRegistry::default().component("t", "transform", "anomaly");
    let transform = build(&Options(options)).unwrap();
    let mut anomaly = TransformHarness::with_type(transform, "anomaly", metrics.clone());
    let mut largest = 0;
    for round in 0..20 {
        let events: Vec<Value> =
            (0..1000).map(|at| json!({"service": round * 1000 + at, "ms": at})).collect();
        anomaly.feed_json(&events);
        let state = anomaly.state().unwrap().len();
        assert!(round == 0 || state <= largest + 1000, "{state} after {largest}");
        largest = largest.max(state);
    }
    assert_eq!(metrics.gauge("keys", "").get(), 100);
    assert_eq!(metrics.counter("evicted_keys", "").get(), 19_900);
}

#[test]
fn times_in_the_future_move_nothing() {
    let mut anomaly = build(json!({"rate": {"interval": "10s"}}));
    let now_ns = lograil_plugin::Clock::now_ns(anomaly.clock());
    let batch = |offset_seconds: i64| {
        let mut batch = lograil_testkit::batch_of_json(&[json!({"n": 1})]);
        batch.edit().events()[0].timestamp_ns = now_ns + offset_seconds * 1_000_000_000;
        batch
    };
    anomaly.feed(batch(0));
    anomaly.feed(batch(86_400 * 365));
    for ahead in [5, 59 * 60] {
        let state = anomaly.state().unwrap();
        anomaly.feed(batch(ahead));
        let later = anomaly.state().unwrap();
        // Both count in the interval that is open: one count differs, by one.
        assert_eq!(state.len(), later.len());
        assert_eq!(state.iter().zip(&later).filter(|(one, two)| one != two).count(), 1);
    }
}

#[test]
fn mistakes_name_the_option() {
    let Build::Transform(build) = SPEC.build else { panic!("a transform") };
    for (options, path) in [
        (json!({"severity": {"level": {"fatal": 101}}}), "severity.level.fatal"),
        (json!({"value": "a b"}), "value"),
        (json!({"value": "ms", "threshold": 0}), "threshold"),
        (json!({"value": "ms", "limit": -1}), "limit"),
        (json!({"value": "ms", "weight": 1.5}), "weight"),
        (json!({"value": "ms", "false_alarms_per_million": 1e6}), "false_alarms_per_million"),
        (json!({"value": "ms", "max_keys": 0}), "max_keys"),
        (json!({"value": "ms", "field": ""}), "field"),
        (json!({"rate": {"interval": "2d"}}), "rate.interval"),
        (json!({"novelty": {"field": "a", "one_in": 1}}), "novelty.one_in"),
        (json!({"novelty": {"field": "a", "max_texts": 0}}), "novelty.max_texts"),
    ] {
        let Err(ConfigErrors(errors)) = build(&Options(options.clone())) else {
            panic!("{options} is refused");
        };
        assert_eq!(errors[0].path.join("."), path, "{options}");
    }
}
