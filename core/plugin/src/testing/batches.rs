//! Batches from lines and JSON values, and back.

use bytes::Bytes;
use lograil_event::{
    Batch, BatchMut, EventRef, Field, FieldFlags, Span, TIMESTAMP_UNKNOWN, Tag, ValueRef,
};
use serde_json::{Map, Number, Value};

/// A batch of one event a line, with the line as `message` and as the raw bytes, as line sources make it.
#[must_use]
pub fn batch_of_lines(lines: &[&str]) -> Batch {
    let lines: Vec<&[u8]> = lines.iter().map(|line| line.as_bytes()).collect();
    batch_of_bytes(&lines)
}

/// The same with lines of any bytes: `Str` where they are UTF-8, `Bytes` where not.
#[must_use]
pub fn batch_of_bytes(lines: &[&[u8]]) -> Batch {
    let mut batch = Batch::new();
    let mut edit = batch.edit();
    let segment = edit.add_segment(Bytes::from(lines.join(&b'\n')), None);
    let message = edit.key("message");
    let mut offset = 0;
    for line in lines {
        let len = u32::try_from(line.len()).unwrap_or_else(|_| panic!("a line is below 4 GiB"));
        let tag = if std::str::from_utf8(line).is_ok() { Tag::Str } else { Tag::Bytes };
        let span = Span { segment, offset, len };
        edit.push_line(TIMESTAMP_UNKNOWN, message, tag, span, span);
        offset += len + 1;
    }
    batch
}

/// A batch of one event an object; members that are objects or arrays become their JSON text.
#[must_use]
pub fn batch_of_json(events: &[Value]) -> Batch {
    let mut batch = Batch::new();
    let mut edit = batch.edit();
    for event in events {
        let Value::Object(members) = event else {
            panic!("an event is a JSON object, not {event}");
        };
        let index = edit.push_event(TIMESTAMP_UNKNOWN);
        for (name, value) in members {
            let field = field_of(&mut edit, name, value);
            edit.set(index, field);
        }
    }
    batch
}

/// The field `name` with the value of a JSON value; texts go into the arena.
fn field_of(edit: &mut BatchMut<'_>, name: &str, value: &Value) -> Field {
    let key = edit.key(name).0;
    let (tag, text) = match value {
        Value::Null => return Field::null(key),
        Value::Bool(value) => return Field::bool(key, *value),
        Value::Number(number) => return number_field(key, number),
        Value::String(text) => (Tag::Str, text.clone()),
        Value::Array(_) => (Tag::Array, value.to_string()),
        Value::Object(_) => (Tag::Object, value.to_string()),
    };
    let span = edit.push_text(text.as_bytes());
    Field::text(key, tag, span, FieldFlags::NONE)
}

fn number_field(key: u32, number: &Number) -> Field {
    match (number.as_i64(), number.as_u64()) {
        (Some(value), _) => Field::i64(key, value),
        (None, Some(value)) => Field::scalar(key, Tag::U64, value),
        (None, None) => Field::f64(key, number.as_f64().unwrap_or(f64::NAN)),
    }
}

/// The events as JSON objects. Timestamp values become integers (nanoseconds), bytes become
/// `{"$bytes": [...]}`, floats JSON cannot write become `{"$float": "NaN"}`, numbers beyond a float stay text, so
/// that nothing is hidden.
#[must_use]
pub fn events_of(batch: &Batch) -> Vec<Value> {
    batch.iter().map(object_of).collect()
}

fn object_of(event: EventRef<'_>) -> Value {
    let members = event.iter().map(|(name, value)| (name.to_owned(), json_of(value)));
    Value::Object(members.collect::<Map<_, _>>())
}

fn json_of(value: ValueRef<'_>) -> Value {
    match value {
        ValueRef::Null => Value::Null,
        ValueRef::Bool(value) => value.into(),
        ValueRef::I64(value) | ValueRef::Timestamp(value) => value.into(),
        ValueRef::U64(value) => value.into(),
        ValueRef::F64(value) => match Number::from_f64(value) {
            Some(number) => Value::Number(number),
            None => serde_json::json!({ "$float": value.to_string() }),
        },
        ValueRef::Str { text, .. } => match std::str::from_utf8(text) {
            Ok(text) => text.into(),
            Err(error) => panic!("a `Str` that is not UTF-8: {error}"),
        },
        ValueRef::Bytes(bytes) => serde_json::json!({ "$bytes": bytes }),
        ValueRef::Number(text) | ValueRef::Object(text) | ValueRef::Array(text) => {
            serde_json::from_slice(text).unwrap_or_else(|error| {
                let text = String::from_utf8_lossy(text);
                // serde_json has no number beyond the range of f64; the text says all there is.
                if matches!(value, ValueRef::Number(_)) {
                    return serde_json::json!({ "$number": text });
                }
                if error.to_string().starts_with("number out of range") {
                    return serde_json::json!({ "$json": text });
                }
                panic!("JSON text that is not JSON ({error}): {text}")
            })
        }
    }
}

/// The bytes of the field `message` of each event; empty where there is none.
#[must_use]
pub fn lines_of(batch: &Batch) -> Vec<Vec<u8>> {
    batch
        .iter()
        .map(|event| {
            let message = event.get_named("message").and_then(|value| value.as_bytes());
            message.unwrap_or_default().to_vec()
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn json_survives_the_way_into_a_batch_and_out() {
        let events = [
            json!({"a": 1, "b": [1, {"c": "d\"e"}], "f": {"g": null}, "h": -2.5, "i": true}),
            json!({}),
            json!({"big": u64::MAX, "low": i64::MIN, "text": "ключ\n", "none": null}),
        ];
        assert_eq!(events_of(&batch_of_json(&events)), events);
    }

    #[test]
    fn lines_keep_their_bytes_and_their_raw_span() {
        let lines: [&[u8]; 3] = [b"plain", b"", b"\xFF\0"];
        let batch = batch_of_bytes(&lines);
        assert_eq!(lines_of(&batch), lines);
        assert_eq!(batch.event(0).raw(), Some(lines[0]));
        assert_eq!(batch.event(0).get_named("message"), Some(ValueRef::str("plain")));
        assert_eq!(batch.event(2).get_named("message"), Some(ValueRef::Bytes(b"\xFF\0")));
    }
}
