//! Whole batches against a model: rows of a map and the order of its keys, parsed by serde_json.

use std::time::Instant;

use lograil_event::{Batch, Field, ValueRef};
use proptest::prelude::*;
use serde_json::{Map, Value};

use super::tests::{encoded, lines_of, parse};
use super::{ParseOptions, Parser};

fn value_of(value: ValueRef<'_>) -> Value {
    let mut out = Vec::new();
    super::encode_value(value, &mut out);
    serde_json::from_slice(&out).unwrap()
}

fn row_of(batch: &Batch, event: usize) -> Map<String, Value> {
    let mut row = Map::new();
    for (name, value) in batch.event(event).iter() {
        let earlier = row.insert(name.to_owned(), value_of(value));
        assert!(earlier.is_none(), "two fields have the name {name}");
    }
    row
}

fn check(batch: &Batch, rows: &[Map<String, Value>]) {
    assert_eq!(batch.len(), rows.len());
    for (event, row) in rows.iter().enumerate() {
        let seen = row_of(batch, event);
        assert!(seen.iter().eq(row.iter()), "event {event}: {seen:?} is not {row:?}");
    }
    let text = encoded(batch);
    assert_eq!(text.lines().count(), rows.len());
    for (line, row) in text.lines().zip(rows) {
        let seen: Map<String, Value> = serde_json::from_str(line).unwrap();
        assert_eq!(&seen, row, "{line}");
    }
}

#[derive(Debug, Clone)]
enum Step {
    Set(usize, usize, i64),
    SetText(usize, usize, String),
    Remove(usize, usize),
    ParseAgain(usize),
}

const NAMES: [&str; 6] = ["a", "b", "c", "new", "message", "q\"\\"];

fn step() -> impl Strategy<Value = Step> {
    let (event, name) = (0usize..8, 0usize..6);
    prop_oneof![
        (event.clone(), name.clone(), any::<i64>()).prop_map(|(e, n, v)| Step::Set(e, n, v)),
        (
            event.clone(),
            name.clone(),
            prop_oneof![any::<String>(), Just("{\"a\":0,\"z\":[]}".to_owned())]
        )
            .prop_map(|(e, n, v)| Step::SetText(e, n, v)),
        (event, name.clone()).prop_map(|(e, n)| Step::Remove(e, n)),
        name.prop_map(Step::ParseAgain),
    ]
}

fn apply(batch: &mut Batch, rows: &mut [Map<String, Value>], parser: &mut Parser, step: &Step) {
    let mut edit = batch.edit();
    match step {
        Step::Set(event, name, value) => {
            let (event, key) = (event % rows.len(), edit.key(NAMES[*name]));
            edit.set(event, Field::i64(key.0, *value));
            rows[event].insert(NAMES[*name].to_owned(), Value::from(*value));
        }
        Step::SetText(event, name, text) => {
            let (event, key) = (event % rows.len(), edit.key(NAMES[*name]));
            edit.set_str(event, key, text);
            rows[event].insert(NAMES[*name].to_owned(), Value::from(text.clone()));
        }
        Step::Remove(event, name) => {
            let (event, key) = (event % rows.len(), edit.key(NAMES[*name]));
            edit.remove(event, key);
            rows[event].shift_remove(NAMES[*name]);
        }
        Step::ParseAgain(name) => {
            let name = NAMES[*name];
            parser.parse_batch(batch, name, ParseOptions::default(), &mut Vec::new());
            rows.iter_mut().for_each(|row| parse_in_model(row, name));
        }
    }
}

fn parse_in_model(row: &mut Map<String, Value>, name: &str) {
    let Some(Value::String(text)) = row.get(name) else { return };
    match serde_json::from_str(text) {
        Err(_) => {}
        Ok(Value::Object(mut members)) => {
            row.shift_remove(name);
            for (key, value) in std::mem::take(row) {
                members.entry(key).or_insert(value);
            }
            *row = members;
        }
        Ok(value) => {
            row.insert(name.to_owned(), value);
        }
    }
}

fn object() -> impl Strategy<Value = Value> {
    let key = prop_oneof![4 => "[a-d]", 1 => any::<String>(), 1 => Just("message".to_owned())];
    proptest::collection::vec((key, super::conformance::json()), 0..8)
        .prop_map(|members| Value::Object(members.into_iter().collect()))
}

proptest! {
    #[test]
    fn a_batch_is_what_the_model_is_after_any_changes(
        documents in proptest::collection::vec(prop_oneof![8 => object(), 1 => super::conformance::json()], 1..8),
        steps in proptest::collection::vec(step(), 0..16),
    ) {
        let text: Vec<String> = documents.iter().map(Value::to_string).collect();
        let mut parser = Parser::new();
        let mut batch = lines_of(&text.join("\n"));
        prop_assert_eq!(parse(&mut parser, &mut batch), []);
        let mut rows: Vec<Map<String, Value>> = text
            .iter()
            .map(|text| Map::from_iter([("message".to_owned(), Value::from(text.clone()))]))
            .collect();
        rows.iter_mut().for_each(|row| parse_in_model(row, "message"));
        // A document that is no object is one field, which the model has, but written as it was read.
        for (event, document) in documents.iter().enumerate() {
            if !document.is_object() {
                apply(&mut batch, &mut rows, &mut parser, &Step::Set(event, 3, 1));
            }
        }
        check(&batch, &rows);
        for step in &steps {
            apply(&mut batch, &mut rows, &mut parser, step);
            let shared = batch.share();
            for (event, row) in rows.iter().enumerate() {
                prop_assert_eq!(&row_of(&shared, event), row);
            }
        }
        let whole = |row: &Map<String, Value>| row.len() == 1;
        if !rows.iter().any(whole) {
            check(&batch, &rows);
        }
    }
}

#[test]
fn six_shuffled_shapes_are_read_alike_in_every_batch() {
    let mut parser = Parser::new();
    for round in 0..20 {
        let mut text = String::new();
        let mut rows = Vec::new();
        for event in 0..60 {
            let mut row = Map::new();
            let shape = (event * 7 + round) % 6;
            for at in 0..9 {
                let name = format!("field number {}", (at * (shape + 1) + shape) % 11);
                row.insert(name, Value::from(event * at));
            }
            text += &Value::Object(row.clone()).to_string();
            text.push('\n');
            rows.push(row);
        }
        let mut batch = lines_of(&text);
        assert_eq!(parse(&mut parser, &mut batch), []);
        check(&batch, &rows);
    }
}

#[test]
fn keys_that_never_repeat_cost_neither_memory_nor_square_time() {
    let object = |keys: usize, salt: usize| {
        let members: Vec<String> = (0..keys).map(|k| format!("\"k{}\":{k}", k + salt)).collect();
        format!("{{{},\"k{salt}\":-1}}", members.join(","))
    };
    let mut parser = Parser::new();
    let mut timed = |keys: usize| {
        let mut batch = lines_of(&object(keys, 0));
        let start = Instant::now();
        assert_eq!(parse(&mut parser, &mut batch), []);
        assert_eq!(batch.event(0).fields().len(), keys);
        assert_eq!(batch.event(0).get_named("k0"), Some(ValueRef::Number(b"-1")));
        start.elapsed().max(std::time::Duration::from_micros(1))
    };
    let small = timed(10_000);
    let large = timed(200_000);
    assert!(large < small * 400, "20 times the keys took {large:?} after {small:?}");
    for salt in 0..40 {
        let mut batch = lines_of(&object(3_000, salt * 3_000));
        assert_eq!(parse(&mut parser, &mut batch), []);
        assert_eq!(batch.event(0).fields().len(), 3_000);
        assert!(batch.keys().len() < 20_000, "the table of keys grows with the stream");
    }
}

#[test]
fn batches_of_several_sources_may_alternate() {
    let mut parser = Parser::new();
    for round in 0..30 {
        let mut batch = Batch::new();
        for name in 0..=(round % 6) {
            batch.edit().key(&format!("own{name}"));
        }
        let options = crate::lines::LineOptions::new("message", 0);
        let block = bytes::Bytes::from_static(b"{\"own0\":1,\"b\":2}\n{\"c\":2}\n");
        crate::lines::split(&mut batch, &block, None, options);
        assert_eq!(parse(&mut parser, &mut batch), []);
        assert_eq!(batch.event(0).get_named("own0"), Some(ValueRef::Number(b"1")));
        assert_eq!(batch.event(1).get_named("c"), Some(ValueRef::Number(b"2")));
        assert_eq!(encoded(&batch).as_bytes(), &block[..]);
    }
}

#[test]
fn keys_of_an_earlier_wide_event_are_not_taken_for_the_next_one_s() {
    let wide = |from: usize| {
        let members: Vec<String> = (from..from + 400).map(|k| format!("\"k{k}\":{k}")).collect();
        format!("{{{}}}\n", members.join(","))
    };
    let mut batch = lines_of(&(wide(0) + &wide(1000)));
    let mut edit = batch.edit();
    let (early, late) = (edit.key("k399"), edit.key("k1399"));
    for event in 0..2 {
        edit.set(event, Field::i64(early.0, -1));
        edit.set(event, Field::i64(late.0, -1));
    }
    assert_eq!(parse(&mut Parser::new(), &mut batch), []);
    for (event, own, other) in [(0, "k399", "k1399"), (1, "k1399", "k399")] {
        let row = row_of(&batch, event);
        assert_eq!(row.len(), 401);
        assert_eq!(row[own], own[1..].parse::<i64>().unwrap());
        assert_eq!(row[other], -1);
    }
}
