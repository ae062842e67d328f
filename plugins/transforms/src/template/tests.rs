//! Which messages have the same template, and what is told of it.

use lograil_plugin::{Build, Options};
use lograil_testkit::conformance::{self, TransformLaws};
use lograil_testkit::{ManualClock, TransformHarness, batch_of_json};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::miner::Miner;
use super::{MERGES, SPEC};

fn template(options: Value) -> TransformHarness {
    TransformHarness::build(&SPEC, options)
}

/// The templates of messages that come one by one.
fn templates_of(messages: &[&str]) -> Vec<String> {
    let mut harness = template(json!({}));
    let text = |message: &&str| {
        let emitted = harness.feed_json(&[json!({"message": message})]);
        emitted.main()[0]["template"].as_str().unwrap_or_default().to_owned()
    };
    messages.iter().map(text).collect()
}

#[test]
fn obeys_the_laws_of_a_transform() {
    conformance::manual(&SPEC);
    for options in [
        json!({}),
        json!({"field": ".message.a", "max_templates": 1}),
        json!({"id_key": "message", "text_key": "", "parameters_key": "level"}),
    ] {
        TransformLaws::new(&SPEC, &options).check();
    }
}

#[test]
fn mistakes_in_options_are_reported_together() {
    let Build::Transform(build) = SPEC.build else { panic!("a transform") };
    let options = json!({"max_templates": 0, "id_key": "a", "text_key": "a", "field": "["});
    let errors = build(&Options(options)).err().unwrap().0;
    let paths: Vec<_> = errors.iter().map(|error| error.path[0].as_str()).collect();
    assert_eq!(paths, ["max_templates", "text_key", "field"]);
}

#[test]
fn adds_the_id_the_text_and_the_values() {
    let mut harness = template(json!({}));
    let events = [
        json!({"message": "took 5 ms from \"10.0.0.1\"\\x", "host": "a"}),
        json!({"message": "took 70 s from \"10.0.0.2\"\\y"}),
        json!({"host": "b"}),
        json!({"message": "  "}),
        json!({"message": 5}),
    ];
    let found = harness.feed_json(&events).main();
    let id = &found[0]["template_id"];
    assert_eq!(
        found[0],
        json!({
            "message": "took 5 ms from \"10.0.0.1\"\\x",
            "host": "a",
            "template_id": id,
            "template": "took <*> from \"<*>\"\\x",
            "template_parameters": ["5 ms", "10.0.0.1"],
        })
    );
    assert_ne!(&found[1]["template_id"], id, "the last word differs");
    assert_eq!(found[1]["template_parameters"], json!(["70 s", "10.0.0.2"]));
    assert_eq!(found[2..], events[2..], "without a message an event passes as it is");
}

#[test]
fn punctuation_and_the_number_of_values_do_not_count() {
    let found = templates_of(&["deleted [blk_1]", "deleted: blk_1, blk_2", "removed blk_1"]);
    assert_eq!(found, ["deleted [<*>]", "deleted [<*>]", "removed <*>"]);
}

#[test]
fn the_sixth_word_in_a_place_makes_it_a_value_and_the_merges_are_told() {
    let mut harness = template(json!({}));
    let users = ["ann", "bob", "cid", "dan", "eve", "fay", "gus"];
    let mut ids = Vec::new();
    let mut merges = Vec::new();
    for user in users {
        let emitted = harness.feed_json(&[json!({"message": format!("login of {user}")})]);
        ids.push(emitted.main()[0]["template_id"].clone());
        merges.extend(emitted.on(MERGES));
    }
    assert_eq!(merges.len(), 6);
    let wide = &ids[6];
    for (at, merge) in merges.iter().enumerate() {
        assert_eq!(merge["template"], format!("login of {}", users[at]));
        assert_eq!((&merge["into"], &merge["into_id"]), (&json!("login of <*>"), wide));
        assert_eq!(merge["events"], u64::from(at < 5));
    }
    assert_eq!(
        ids[..5].iter().collect::<Vec<_>>(),
        merges[..5].iter().map(|m| &m["template_id"]).collect::<Vec<_>>()
    );
    assert_eq!(&ids[5], wide, "the sixth has the new id already");
    let emitted = harness.feed_json(&[json!({"message": "login of ann"})]);
    assert_eq!(&emitted.main()[0]["template_id"], wide);
    assert_eq!(emitted.main()[0]["template_parameters"], json!(["ann"]));
}

#[test]
fn a_word_is_a_value_where_the_same_message_has_one() {
    let found = templates_of(&[
        "connection from 10.0.0.1 refused by filter",
        "connection from localhost refused by filter",
        "connection from localhost allowed by filter",
    ]);
    assert_eq!(found[1], "connection from <*> refused by filter");
    assert_eq!(found[2], "connection from localhost allowed by filter");
    // Too few other words say little.
    assert_eq!(templates_of(&["exit 5", "exit now"])[1], "exit now");
    // It comes second: the first becomes a part of it.
    let mut harness = template(json!({}));
    harness.feed_json(&[json!({"message": "connection from localhost refused by filter"})]);
    let merges =
        harness.feed_json(&[json!({"message": "connection from 10.0.0.1 refused by filter"})]);
    assert_eq!(merges.on(MERGES)[0]["template"], "connection from localhost refused by filter");
}

#[test]
fn two_places_can_be_learned() {
    let names = ["ann", "bob", "cid", "dan", "eve", "fay"];
    let mut miner = Miner::new(1_000);
    let mut text = |message: String| miner.find(message.as_bytes()).unwrap().0.text.to_string();
    for from in names {
        for to in names {
            text(format!("user {from} called user {to} today"));
        }
    }
    assert_eq!(text("user gus called user hal today".to_owned()), "user <*> called user <*> today");
    let left: Vec<&str> = miner.templates().map(|template| &*template.text).collect();
    assert_eq!(left, ["user <*> called user <*> today"]);
}

#[test]
fn ids_are_the_same_everywhere() {
    let id = |message: &str| {
        template(json!({})).feed_json(&[json!({"message": message})]).main()[0]["template_id"]
            .clone()
    };
    assert_eq!(id("job 17 done"), id("job 18: done!"));
    assert_eq!(id("job 17 done"), "ae2dfbbc5df6b0f2");
}

#[test]
fn memory_is_bounded_however_many_different_messages_come() {
    let mut miner = Miner::new(50);
    let word = |mut number: u32| {
        let mut word = String::from("w");
        while number > 0 {
            word.push(char::from(b'a' + (number % 26) as u8));
            number /= 26;
        }
        word
    };
    for number in 0..20_000u32 {
        // No two words in common with any other message.
        let message = format!("{0} {0}x {0}y {0}z", word(number));
        miner.find(message.as_bytes()).unwrap();
        assert!(miner.len() <= 50);
    }
    let [forms, holes, templates, aliases] = miner.sizes();
    assert!(forms <= 400 && holes <= 400 && templates == 50 && aliases <= 50);
    assert_eq!(miner.evicted, 20_000 - 50);
}

#[test]
fn what_was_learned_survives_a_restart() {
    let mut harness = template(json!({}));
    let users = ["ann", "bob", "cid", "dan", "eve", "fay"];
    for user in users {
        harness.feed_json(&[json!({"message": format!("login of {user}")})]);
    }
    harness.feed_json(&[json!({"message": "logout of ann"}), json!({"message": "= ="})]);
    let state = harness.state().unwrap();
    let clock = ManualClock::new();
    let mut resumed = TransformHarness::resume(&SPEC, json!({}), clock.clone(), &state);
    assert_eq!(resumed.state().unwrap(), state);
    for message in ["login of zoe", "login of ann", "logout of bob", "= ="] {
        let event = [json!({"message": message})];
        assert_eq!(resumed.feed_json(&event).main(), harness.feed_json(&event).main(), "{message}");
    }
    let mut other = TransformHarness::resume(&SPEC, json!({"field": "text"}), clock, &state);
    let found = other.feed_json(&[json!({"text": "login of zoe"})]).main();
    assert_eq!(found[0]["template"], "login of zoe", "messages of another field are others");
}

#[test]
fn a_batch_shared_with_another_branch_stays_as_it_was() {
    let mut batch = batch_of_json(&[json!({"message": "a 1"})]);
    let other = batch.share();
    template(json!({})).feed(batch);
    assert_eq!(lograil_testkit::events_of(&other), [json!({"message": "a 1"})]);
}

proptest! {
    /// Whatever comes, every message has a template whose text has a place for each of its values.
    #[test]
    fn any_message_has_a_template(messages in proptest::collection::vec("[ab1 .:/=<*>é-]{0,12}", 1..60)) {
        let mut miner = Miner::new(8);
        for message in &messages {
            let found = miner.find(message.as_bytes()).map(|(template, words)| {
                (template.text.to_string(), words.iter().any(super::words::Word::is_value))
            });
            prop_assert_eq!(found.is_none(), message.trim().is_empty());
            if let Some((text, true)) = found {
                prop_assert!(text.contains("<*>"), "{} for {}", text, message);
            }
        }
    }
}

#[test]
fn long_texts_and_values_are_cut_and_say_so() {
    let message = format!("got {}1 and {}", "é".repeat(1 << 20), "x".repeat(1 << 20));
    let mut harness = template(json!({}));
    let emitted = harness.feed_json(&[json!({ "message": message })]);
    let event = &emitted.main()[0];
    assert_eq!(event["message"], message.as_str(), "the message stays");
    let text = event["template"].as_str().unwrap();
    assert!(text.starts_with("got <*> and xx") && text.ends_with("x..."), "{}", text.len());
    assert_eq!(text.len(), 8192 + 3);
    let values = event["template_parameters"].as_array().unwrap();
    let expected = format!("{}...", "é".repeat(4096));
    assert_eq!(values, &[Value::from(expected)]);
}
