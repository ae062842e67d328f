//! What ends a merged event, how values are merged, and what waits for it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use lograil_event::{Ack, AckId, AckStatus, Batch, Field, ValueRef};
use lograil_plugin::{Build, ConfigErrors, MetricsRegistry, Options};
use lograil_testkit::conformance::{self, TransformLaws};
use lograil_testkit::{Emitted, TransformHarness, batch_of_bytes, batch_of_json};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::SPEC;

fn reduce(options: Value) -> TransformHarness {
    TransformHarness::build(&SPEC, options).holds_back()
}

/// What becomes of the values of the field `v` of one group.
fn merged(strategy: Value, values: &[Value]) -> Value {
    let strategies = if strategy.is_null() { json!({}) } else { json!({"v": strategy}) };
    let mut reduce = reduce(json!({"merge_strategies": strategies}));
    let events: Vec<Value> = values.iter().map(|value| json!({"v": value})).collect();
    assert!(reduce.feed_json(&events).main().is_empty());
    reduce.flush().main()[0]["v"].clone()
}

#[test]
fn obeys_the_laws_of_a_transform() {
    conformance::manual(&SPEC);
    let all = [
        "discard",
        "retain",
        "array",
        "concat",
        "concat_newline",
        "concat_raw",
        "sum",
        "min",
        "max",
        "longest_array",
        "shortest_array",
        "flat_unique",
    ];
    for strategy in all {
        let options = json!({"group_by": ["level"], "max_events": 7,
            "merge_strategies": {"message": strategy, "status": strategy}});
        TransformLaws::new(&SPEC, &options).holds_back().check();
    }
    for options in [
        json!({}),
        json!({"group_by": ["message", ".message.a.b[0]"], "max_groups": 3}),
        json!({"starts_when": "exists(.message)", "ends_when": ".status > 1", "max_bytes": 1}),
        json!({"group_by": ["message"], "max_bytes": "4 KiB", "end_every_period": 1}),
    ] {
        TransformLaws::new(&SPEC, &options).holds_back().check();
    }
}

#[test]
fn events_of_a_key_become_one_when_it_ends() {
    let mut reduce = reduce(json!({"group_by": ["id"], "ends_when": ".last == true",
        "merge_strategies": {"m": "concat"}}));
    let events = [
        json!({"id": 1, "m": "a"}),
        json!({"id": 2, "m": "x"}),
        json!({"m": "b", "id": 1, "n": 3}),
        json!({"id": 1, "m": "c", "n": 4, "last": true}),
        json!({"id": 1, "m": "d"}),
    ];
    let emitted = reduce.feed_json(&events);
    assert_eq!(emitted.main(), [json!({"id": 1, "m": "a b c", "n": 7, "last": true})]);
    assert_eq!(emitted.discarded, [("merged", 2)]);
    let flushed = reduce.flush();
    assert_eq!(flushed.main(), [json!({"id": 2, "m": "x"}), json!({"id": 1, "m": "d"})]);
    assert_eq!(flushed.discarded_events(), 0);
}

#[test]
fn a_start_ends_the_one_before() {
    let mut reduce = reduce(json!({"starts_when": "!starts_with(.message, \" \") ?? true",
        "merge_strategies": {"message": "concat_newline"}}));
    let emitted = reduce.feed_lines(&[" late", "first", "  at a", "  at b", "second"]);
    let texts = |emitted: &Emitted| -> Vec<String> {
        emitted.main().iter().map(|event| event["message"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(texts(&emitted), [" late", "first\n  at a\n  at b"]);
    assert_eq!(texts(&reduce.feed_lines(&[" more", "third"])), ["second\n more"]);
    assert_eq!(texts(&reduce.flush()), ["third"]);
}

#[test]
fn a_pause_a_period_and_a_count_end_it() {
    let second = Duration::from_secs(1);
    let event = |id: u64| [json!({"id": id})];
    let mut by_pause = reduce(json!({"group_by": ["id"], "expire_after": "3s"}));
    for _ in 0..5 {
        by_pause.feed_json(&event(1));
        by_pause.clock().advance(2 * second);
        by_pause.clock().jump_wall(i64::MAX);
        assert!(by_pause.tick().main().is_empty());
    }
    by_pause.feed_json(&event(2));
    by_pause.clock().advance(second);
    assert_eq!(by_pause.tick().main(), event(1));
    by_pause.clock().advance(2 * second);
    assert_eq!(by_pause.tick().main(), event(2));

    let mut by_period = reduce(json!({"group_by": ["id"], "end_every_period": 5}));
    for _ in 0..4 {
        by_period.feed_json(&event(1));
        by_period.clock().advance(second);
        assert!(by_period.tick().main().is_empty());
    }
    by_period.clock().advance(second);
    assert_eq!(by_period.tick().discarded, [("merged", 3)]);

    let mut by_count = reduce(json!({"max_events": 2}));
    let emitted = by_count.feed_json(&[json!({"n": 1}), json!({"n": 2}), json!({"n": 3})]);
    assert_eq!(emitted.main(), [json!({"n": 3})]);
}

#[test]
fn what_is_held_is_bounded() {
    let Build::Transform(build) = SPEC.build else { panic!("a transform") };
    let start = |options: Value| {
        let metrics = MetricsRegistry::default().component("r", "transform", "reduce");
        let transform = build(&Options(options)).unwrap();
        (TransformHarness::with_type(transform, "reduce", metrics.clone()).holds_back(), metrics)
    };
    let (mut reduce, metrics) = start(json!({"group_by": ["id"], "max_groups": 2}));
    let events = [1, 2, 1, 3].map(|id| json!({"id": id}));
    assert_eq!(reduce.feed_json(&events).main(), [json!({"id": 2})]);
    assert_eq!(metrics.counter("forced_groups", "").get(), 1);
    assert_eq!(metrics.gauge("groups", "").get(), 2);

    let options =
        json!({"group_by": ["id"], "max_bytes": 20_000, "merge_strategies": {"m": "array"}});
    let (mut reduce, metrics) = start(options);
    for n in 0..1_000 {
        reduce.feed_json(&[json!({"id": n % 7, "m": "x".repeat(100)})]);
        assert!(metrics.gauge("held_bytes", "").get() <= 20_000);
    }
    assert!(metrics.counter("forced_groups", "").get() > 10);
    reduce.flush();
    assert_eq!(metrics.gauge("held_bytes", "").get(), 0);
}

#[test]
fn numbers_are_added_and_compared_exactly() {
    let big = 9_007_199_254_740_993_i64;
    assert_eq!(merged(json!("sum"), &[json!(big), json!(2), json!(-1)]), json!(big + 1));
    assert_eq!(merged(json!("sum"), &[json!(i64::MAX), json!(1)]), json!(1_u64 << 63));
    assert_eq!(merged(json!("sum"), &[json!(0.5), json!(2), json!(0.25)]), json!(2.75));
    assert_eq!(merged(json!("max"), &[json!(9_007_199_254_740_992.0), json!(big)]), json!(big));
    assert_eq!(merged(json!("min"), &[json!(2), json!(1.5), json!(1.75)]), json!(1.5));
    assert_eq!(merged(Value::Null, &[json!(1), json!(2)]), json!(3));
    let mut reduce = reduce(json!({"max_events": 2}));
    let mut feed = |texts: [&str; 2]| {
        let mut batch = Batch::new();
        let mut edit = batch.edit();
        let key = edit.key("v");
        for text in texts {
            let event = edit.push_event(0);
            let span = edit.push_text(text.as_bytes());
            let none = lograil_event::FieldFlags::NONE;
            edit.append(event, Field::text(key.0, lograil_event::Tag::Number, span, none));
        }
        let emitted = reduce.feed(batch);
        let batch = &emitted.batches[0].1;
        format!(
            "{:?}",
            batch.event(0).get_named("v").map(|value| match value {
                ValueRef::Number(text) => String::from_utf8_lossy(text).into_owned(),
                other => format!("{other:?}"),
            })
        )
    };
    assert_eq!(feed(["36893488147419103232", "1"]), "Some(\"36893488147419103233\")");
    assert_eq!(feed(["9223372036854775808", "-1"]), "Some(\"I64(9223372036854775807)\")");
}

#[test]
fn each_strategy_merges_as_its_manual_says() {
    let texts = [json!("a"), json!("b"), json!("a")];
    for (strategy, values, wanted) in [
        (json!("discard"), &texts[..], json!("a")),
        (json!("retain"), &texts[..2], json!("b")),
        (json!("array"), &[json!("a\""), json!(1), json!([2])], json!(["a\"", 1, [2]])),
        (json!("concat"), &texts, json!("a b a")),
        (json!("concat_newline"), &texts, json!("a\nb\na")),
        (
            json!("concat_raw"),
            &[json!("n="), json!(5), json!({"x": null})],
            json!("n=5{\"x\":null}"),
        ),
        (json!("longest_array"), &[json!([1]), json!([2, 3]), json!([4, 5])], json!([2, 3])),
        (json!("shortest_array"), &[json!([1, 2]), json!([3]), json!([4])], json!([3])),
        (
            json!("flat_unique"),
            &[json!("a"), json!(["b", "a", 1]), json!({"k": "c", "l": 1.0})],
            json!(["a", "b", 1, "c"]),
        ),
        (Value::Null, &texts, json!("a")),
        (Value::Null, &[json!({"a": 1}), json!({"b": 2})], json!({"a": 1})),
        // What a strategy cannot take is left out.
        (json!("sum"), &[json!("x"), json!(2), json!("y"), json!(3)], json!(5)),
        (json!("longest_array"), &[json!(1)], Value::Null),
    ] {
        assert_eq!(merged(strategy.clone(), values), wanted, "{strategy} of {values:?}");
    }
}

#[test]
fn of_timestamps_the_first_and_the_last_stay() {
    let mut batch = Batch::new();
    let mut edit = batch.edit();
    let key = edit.key("at");
    for ns in [5, 9, 7] {
        let event = edit.push_event(ns);
        edit.append(event, Field::timestamp(key.0, ns));
    }
    let mut reduce = reduce(json!({}));
    reduce.feed(batch);
    let emitted = reduce.flush();
    assert_eq!(emitted.main(), [json!({"at": 5, "at_end": 7})]);
    assert_eq!(emitted.batches[0].1.event(0).timestamp_ns(), 5);
    assert_eq!(emitted.batches[0].1.event(0).raw(), None);
}

#[test]
fn bytes_and_deep_values_survive() {
    let mut concat = reduce(json!({"merge_strategies": {"message": "concat_raw"}}));
    concat.feed(batch_of_bytes(&[b"\xFF", b"a"]));
    let emitted = concat.flush();
    let joined = emitted.batches[0].1.event(0).get_named("message");
    assert_eq!(joined, Some(ValueRef::Bytes(b"\xFFa")));
    // An array around a value that is as deep as values may be would be deeper: it is left out.
    let deep = (0..125).fold(json!(1), |value, _| json!([value]));
    let values = [json!(0), deep, json!(2)];
    assert_eq!(merged(json!("array"), &values), json!([0, 2]));
}

#[test]
fn nothing_is_acknowledged_before_its_merged_event() {
    let fates: Arc<Mutex<BTreeMap<u64, AckStatus>>> = Arc::default();
    let mut reduce = reduce(json!({"group_by": ["id"], "ends_when": ".last == true"}));
    let mut feed = |sequence: u64, events: &[Value]| {
        let log = Arc::clone(&fates);
        let mut batch = batch_of_json(events);
        let id = AckId { source: 0, sequence };
        let ack = Ack::new(id, move |id, fate| {
            log.lock().unwrap().insert(id.sequence, fate);
        });
        batch.add_acks(ack.into());
        let mut held = Vec::new();
        for (_, mut batch) in reduce.feed(batch).batches {
            if batch.is_empty() {
                batch.take_acks().resolve(AckStatus::Delivered);
            } else {
                held.push(batch);
            }
        }
        held
    };
    let resolved = || fates.lock().unwrap().keys().copied().collect::<Vec<_>>();
    assert!(feed(0, &[json!({"id": 1}), json!({"id": 2})]).is_empty());
    assert!(feed(1, &[json!({"id": 1})]).is_empty());
    assert!(feed(2, &[]).is_empty());
    assert_eq!(resolved(), [2]);
    let mut ended = feed(3, &[json!({"id": 1, "last": true})]);
    assert_eq!(resolved(), [2]);
    ended[0].take_acks().resolve(AckStatus::Rejected);
    assert_eq!(resolved(), [1, 2, 3], "of the first batch an event is still held");
    let mut ended = feed(4, &[json!({"id": 2, "last": true})]);
    ended[0].take_acks().resolve(AckStatus::Delivered);
    assert_eq!(resolved(), [0, 1, 2, 3, 4]);
    // The worst fate of those it went into.
    assert_eq!(fates.lock().unwrap()[&0], AckStatus::Rejected);
    assert_eq!(fates.lock().unwrap()[&4], AckStatus::Delivered);
}

#[test]
fn names_that_no_group_has_are_forgotten() {
    let mut reduce = reduce(json!({"group_by": ["id"], "ends_when": ".last == true",
        "merge_strategies": {"keep": "concat"}}));
    reduce.feed_json(&[json!({"id": 0, "keep": "a", "last": false})]);
    for round in 0..20_u32 {
        let fields = (0..500).map(|n| (format!("key-{round}-{n}"), json!(n)));
        let mut event: serde_json::Map<_, _> = fields.collect();
        event.insert("id".into(), json!(1));
        event.insert("last".into(), json!(true));
        let emitted = reduce.feed_json(&[Value::Object(event.clone())]).batches;
        assert_eq!(lograil_testkit::events_of(&emitted[0].1), [Value::Object(event)]);
        assert!(emitted[0].1.keys().len() < 5_200, "{}", emitted[0].1.keys().len());
    }
    let emitted = reduce.feed_json(&[json!({"id": 0, "keep": "b", "last": true})]);
    assert_eq!(emitted.main(), [json!({"id": 0, "keep": "a b", "last": false})]);
}

#[test]
fn mistakes_name_the_option() {
    let Build::Transform(build) = SPEC.build else { panic!("a transform") };
    for (options, path) in [
        (json!({"max_events": 0}), "max_events"),
        (json!({"max_groups": 0}), "max_groups"),
        (json!({"max_bytes": "2 GiB"}), "max_bytes"),
        (json!({"group_by": ["a", "b c"]}), "group_by.1"),
        (json!({"merge_strategies": {"a.b": "sum"}}), "merge_strategies.a.b"),
        (json!({"starts_when": ".a =="}), "starts_when"),
        (json!({"ends_when": "1"}), "ends_when"),
    ] {
        let Err(ConfigErrors(errors)) = build(&Options(options.clone())) else {
            panic!("{options} is refused");
        };
        assert_eq!(errors.len(), 1);
        assert_eq!(errors[0].path.join("."), path);
    }
}

proptest! {
    /// Against sums over a list, whatever ends the groups early.
    #[test]
    fn every_value_is_in_exactly_one_merged_event(
        values in proptest::collection::vec((0u8..5, -50i64..50), 0..80),
        batch in 1usize..20,
        max_events in 1u32..6,
        max_groups in 1u32..6,
    ) {
        let mut reduce = reduce(json!({"group_by": ["id"], "max_events": max_events,
            "max_groups": max_groups, "merge_strategies": {"all": "array"}}));
        let events: Vec<Value> =
            values.iter().map(|(id, n)| json!({"id": id, "sum": n, "all": n})).collect();
        let mut merged = Vec::new();
        for events in events.chunks(batch) {
            merged.extend(reduce.feed_json(events).main());
        }
        merged.extend(reduce.flush().main());
        let mut got: BTreeMap<u64, Vec<i64>> = BTreeMap::new();
        for event in &merged {
            let all: Vec<i64> = event["all"].as_array().unwrap().iter().filter_map(Value::as_i64).collect();
            prop_assert!(all.len() <= max_events as usize);
            prop_assert_eq!(&event["sum"], &json!(all.iter().sum::<i64>()));
            got.entry(event["id"].as_u64().unwrap()).or_default().extend(all);
        }
        let mut wanted: BTreeMap<u64, Vec<i64>> = BTreeMap::new();
        for (id, n) in values {
            wanted.entry(id.into()).or_default().push(n);
        }
        prop_assert_eq!(got, wanted);
    }
}
