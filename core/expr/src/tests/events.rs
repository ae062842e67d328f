//! Events for tests, made of JSON, without the codec.

use lograil_event::{Batch, Field, FieldFlags, Tag};
use serde_json::Value as Json;

use crate::{ExprError, Object, Program, Script, Unchanged, Value, Workspace};

/// A batch of one event per JSON object. `{"$timestamp": ns}` and `{"$bytes": [..]}` make what JSON lacks.
pub(super) fn batch(events: &[&str]) -> Batch {
    let mut batch = Batch::new();
    let mut edit = batch.edit();
    for (index, event) in events.iter().enumerate() {
        let event: serde_json::Map<String, Json> = serde_json::from_str(event).unwrap();
        edit.push_event(0);
        for (name, value) in &event {
            let key = edit.key(name).0;
            let mut text = |tag, text: &[u8]| {
                let span = edit.push_text(text);
                Field::text(key, tag, span, FieldFlags::NONE)
            };
            let field = match value {
                Json::Null => Field::null(key),
                Json::Bool(value) => Field::bool(key, *value),
                Json::Number(number) => text(Tag::Number, number.to_string().as_bytes()),
                Json::String(value) => text(Tag::Str, value.as_bytes()),
                Json::Array(_) => text(Tag::Array, value.to_string().as_bytes()),
                Json::Object(object) => {
                    if let Some(ns) = object.get("$timestamp") {
                        Field::timestamp(key, ns.as_i64().unwrap())
                    } else if let Some(bytes) = object.get("$bytes") {
                        let bytes: Vec<u8> = serde_json::from_value(bytes.clone()).unwrap();
                        text(Tag::Bytes, &bytes)
                    } else if let Some(number) = object.get("$number") {
                        text(Tag::Number, number.as_str().unwrap().as_bytes())
                    } else {
                        text(Tag::Object, value.to_string().as_bytes())
                    }
                }
            };
            edit.append(index, field);
        }
    }
    batch
}

fn refused(errors: &[ExprError]) -> String {
    let messages: Vec<_> = errors.iter().map(|error| error.message.clone()).collect();
    format!("refused: {}", messages.join("; "))
}

/// The value of an expression over an event as JSON, or its error: `"error: ..."`, `"refused: ..."`.
pub(crate) fn run(source: &str, event: &str) -> String {
    match Program::compile(source) {
        Err(errors) => refused(&errors),
        Ok(program) => {
            let batch = batch(&[event]);
            let mut bound = program.bind(&batch);
            let value = bound.eval(batch.event(0));
            value.as_ref().map_or_else(|error| format!("error: {error}"), Value::to_string)
        }
    }
}

/// The same of a program that may change the event.
pub(super) fn run_script(source: &str, event: &str) -> String {
    match Script::compile(source) {
        Err(errors) => refused(&errors),
        Ok(script) => {
            let value = script.value(&batch(&[event]), NOW_NS);
            value.unwrap_or_else(|error| format!("error: {error}"))
        }
    }
}

/// The moment that `now()` gives in tests.
pub(super) const NOW_NS: i64 = 1_769_817_600_000_000_000;

/// The events that a program makes of one, or why it left it as it was.
pub(super) fn remap(source: &str, event: &str) -> String {
    let script = match Script::compile(source) {
        Err(errors) => return refused(&errors),
        Ok(script) => script,
    };
    let mut batch = batch(&[event]);
    let mut outcome = None;
    let mut workspace = Workspace::default();
    script.run(&mut batch, NOW_NS, &mut workspace, |_, why| outcome = Some(why));
    let as_json = |event| Value::Object(Object::Event(event)).to_string();
    let made = batch.iter().map(as_json).collect::<Vec<_>>().join(" ");
    match outcome {
        None => made,
        Some(why) => {
            let before = self::batch(&[event]);
            let before = Value::Object(Object::Event(before.event(0))).to_string();
            assert_eq!(made, before, "an event whose program fails is left as it was");
            match why {
                Unchanged::Aborted(message) => format!("aborted: {}", message.unwrap_or_default()),
                Unchanged::Failed(_, text) => format!("error: {text}"),
            }
        }
    }
}
