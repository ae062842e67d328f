//! Dead letters: events that a component refuses, with the reason and the original bytes.
//!
//! A dead letter has the fields `message` (the bytes the event was read from, as text where they are UTF-8;
//! an event that was not read keeps its own fields instead) and `dead_letter`, an object with
//! `component_id`, `component_type` and `reason`.

use lograil_event::{Batch, Field, FieldFlags, Tag};

/// Makes dead letters of all events of `batch`; `reason` gives the reason of the event at an index.
#[must_use]
pub fn convert<R: AsRef<str>>(
    mut batch: Batch,
    component_id: &str,
    component_type: &str,
    mut reason: impl FnMut(usize) -> R,
) -> Batch {
    let events = batch.len();
    let mut edit = batch.edit();
    let message = edit.key("message");
    let dead_letter = edit.key("dead_letter");
    for index in 0..events {
        let why = serde_json::json!({
            "component_id": component_id,
            "component_type": component_type,
            "reason": reason(index).as_ref(),
        });
        let span = edit.push_text(why.to_string().as_bytes());
        let why = Field::text(dead_letter.0, Tag::Object, span, FieldFlags::NONE);
        let record = edit.events()[index];
        let Some(raw) = record.raw() else {
            edit.set(index, why);
            continue;
        };
        let is_text = std::str::from_utf8(edit.text(raw)).is_ok();
        let tag = if is_text { Tag::Str } else { Tag::Bytes };
        let first = edit.fields().len() as u32;
        edit.fields().push(Field::text(message.0, tag, raw, FieldFlags::NONE));
        edit.fields().push(why);
        let mut letter = lograil_event::EventRecord::empty(record.timestamp_ns, first);
        letter.count = 2;
        letter.capacity = 2;
        letter.set_raw(raw);
        edit.events()[index] = letter;
    }
    batch
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;
    use lograil_event::{Span, ValueRef};

    #[test]
    fn keeps_the_original_bytes_and_says_why() {
        let mut batch = Batch::new();
        let mut edit = batch.edit();
        let segment = edit.add_segment(Bytes::from_static(b"bad \xFF line"), None);
        let key = edit.key("message");
        let span = Span { segment, offset: 0, len: 10 };
        edit.push_line(5, key, Tag::Bytes, span, span);
        let letters = convert(batch, "parse", "parse", |_| "not \"JSON\"");
        let letter = letters.event(0);
        assert_eq!(letter.get_named("message"), Some(ValueRef::Bytes(b"bad \xFF line")));
        let why = letter.get_named("dead_letter").and_then(|value| value.as_bytes()).unwrap();
        let why: serde_json::Value = serde_json::from_slice(why).unwrap();
        assert_eq!(why["reason"], "not \"JSON\"");
        assert_eq!(letter.timestamp_ns(), 5);
    }
}
