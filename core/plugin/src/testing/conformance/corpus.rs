//! Batches that have broken log software before.

use lograil_event::{Batch, Field, FieldFlags, TIMESTAMP_UNKNOWN, Tag};
use serde_json::Value;

use crate::testing::batches::{batch_of_bytes, batch_of_json};

const LARGE_BYTES: usize = 1 << 20;
const MANY_EVENTS: usize = 5_000;
const MANY_FIELDS: usize = 500;
const DEEP: usize = 1_000;

/// Named batches of awkward events. Fields that options name (any string in them that looks like a field
/// path) have every kind of value in one of them.
#[must_use]
pub fn corpus(options: &Value) -> Vec<(&'static str, Batch)> {
    let mut names: Vec<String> =
        ["message", "timestamp", "level", "status"].map(String::from).to_vec();
    collect_names(options, &mut names);
    vec![
        ("an empty batch", Batch::new()),
        ("lines", lines()),
        ("a large line", batch_of_bytes(&[&vec![b'x'; LARGE_BYTES]])),
        ("a large line of escapes", batch_of_bytes(&[&vec![b'"'; LARGE_BYTES]])),
        (
            "deeply nested JSON",
            batch_of_bytes(&[&[b"{\"a\":".repeat(DEEP), b"1".to_vec()].concat()]),
        ),
        ("many events", many_events()),
        ("many fields", many_fields()),
        ("an event without fields", batch_of_json(&[serde_json::json!({})])),
        ("values of every kind", every_tag(&names)),
    ]
}

/// Adds the strings of `options` that look like the path of a field.
fn collect_names(options: &Value, names: &mut Vec<String>) {
    match options {
        Value::String(text) => {
            let name = text.strip_prefix('.').unwrap_or(text);
            let plain = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
            if plain && !name.is_empty() && !names.iter().any(|known| known == name) {
                names.push(name.to_owned());
            }
        }
        Value::Array(values) => values.iter().for_each(|value| collect_names(value, names)),
        Value::Object(members) => {
            members.values().for_each(|value| collect_names(value, names));
        }
        _ => {}
    }
}

fn lines() -> Batch {
    batch_of_bytes(&[
        b"",
        b" ",
        b"plain text",
        b"ends with a carriage return\r",
        b"NUL \0 and \x1B[31mcolour\x1B[0m",
        b"not UTF-8 \xFF\xFE\x80",
        b"cut \xE2\x82",
        "ключ=значение 🦀".as_bytes(),
        b"{\"a\":1,\"b\":{\"c\":[1,2,{}]},\"level\":\"info\"}",
        b"{\"a\":1,\"a\":2,\"\":3,\"a.b\":4}",
        b"{\"a\":1e400,\"b\":18446744073709551616,\"c\":-0.0}",
        b"{\"a\":\"\\ud83e\\udd80\\u0000\",\"b\":\"\\ud800\"}",
        b"{\"a\":",
        b"[1,2,3]",
        b"null",
        b"level=info msg=\"a \\\"quoted\\\" text\" n=1 empty= bare",
        b"192.0.2.1 - - [10/Oct/2000:13:55:36 -0700] \"GET / HTTP/1.0\" 200 2326 \"-\" \"curl\"",
        b"<34>1 2003-10-11T22:14:15.003Z host app - ID47 - message",
        b"2026-02-30T25:61:61Z no such day",
        b"a,\"b,\"\"c\"\"\",,d",
    ])
}

fn many_events() -> Batch {
    let lines: Vec<String> = (0..MANY_EVENTS).map(|index| format!("line {index}")).collect();
    batch_of_bytes(&lines.iter().map(String::as_bytes).collect::<Vec<_>>())
}

fn many_fields() -> Batch {
    let members = (0..MANY_FIELDS).map(|index| (format!("field{index}"), Value::from(index)));
    batch_of_json(&[Value::Object(members.collect())])
}

/// One event a kind of value, each with that value in all of `names`.
fn every_tag(names: &[String]) -> Batch {
    let mut batch = Batch::new();
    let mut edit = batch.edit();
    let keys: Vec<_> = names.iter().map(|name| edit.key(name)).collect();
    let texts: [(Tag, &[u8]); 11] = [
        (Tag::Number, b"1e400"),
        (Tag::Number, b"-0.10"),
        (Tag::Number, b"340282366920938463463374607431768211456"),
        (Tag::Str, b""),
        (Tag::Str, b"503"),
        (Tag::Str, b"quote \" backslash \\ newline \n"),
        (Tag::Bytes, b"\xFF\0\xFE"),
        (Tag::Object, b"{}"),
        (Tag::Object, b"{\"a\":{\"b\":[1,\"\\u00e9\"]}}"),
        (Tag::Array, b"[]"),
        (Tag::Array, b"[1,\"two\",null,{\"three\":3.0}]"),
    ];
    let mut values = vec![
        Field::null(0),
        Field::bool(0, true),
        Field::bool(0, false),
        Field::i64(0, 0),
        Field::i64(0, i64::MIN),
        Field::i64(0, i64::MAX),
        Field::scalar(0, Tag::U64, u64::MAX),
        Field::f64(0, -0.0),
        Field::f64(0, f64::NAN),
        Field::f64(0, f64::INFINITY),
        Field::timestamp(0, 1_700_000_000_123_456_789),
        Field::timestamp(0, i64::MIN + 1),
    ];
    for (tag, text) in texts {
        let span = edit.push_text(text);
        values.push(Field::text(0, tag, span, FieldFlags::NONE));
    }
    let clean = edit.push_text(b"clean");
    values.push(Field::text(0, Tag::Str, clean, FieldFlags::CLEAN));
    for (index, value) in values.into_iter().enumerate() {
        let timestamp_ns = if index % 2 == 0 { TIMESTAMP_UNKNOWN } else { index as i64 };
        let event = edit.push_event(timestamp_ns);
        for key in &keys {
            edit.set(event, value.with_key(key.0));
        }
    }
    batch
}
