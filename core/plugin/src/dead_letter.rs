//! Dead letters: events that a component refuses, with the reason and the original bytes.
//!
//! A dead letter has the field `dead_letter`, an object with `component_id`, `component_type` and `reason`, and
//! - of an event that was read: `message`, the bytes it was read from, as text where they are UTF-8. If its fields
//!   are not just those bytes as `message`, they come with it as `event.NAME`, and the object has
//!   `"fields": "prefixed"`;
//! - of an event that was made: its own fields, and the object has `"fields": "own"`.
//!
//! **Invariant:** the event is in the letter as a whole, so that it can be offered to the component again.

use lograil_event::{Batch, BatchMut, Field, FieldFlags, Key, Span, Tag};

/// What stands before the names of the fields of an event that was read.
pub const FIELD_PREFIX: &str = "event.";

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
    let mut prefixed = PrefixedKeys::default();
    for index in 0..events {
        let raw = edit.events()[index].raw();
        let fields = edit.fields_of(index).to_vec();
        let is_just_raw = raw.is_some_and(|raw| is_just_raw(&fields, message, raw));
        let mut why = serde_json::json!({
            "component_id": component_id,
            "component_type": component_type,
            "reason": reason(index).as_ref(),
        });
        if raw.is_none() {
            why["fields"] = "own".into();
        } else if !is_just_raw {
            why["fields"] = "prefixed".into();
        }
        let span = edit.push_text(why.to_string().as_bytes());
        let why = Field::text(dead_letter.0, Tag::Object, span, FieldFlags::NONE);
        let Some(raw) = raw else {
            edit.set(index, why);
            continue;
        };
        let is_text = std::str::from_utf8(edit.text(raw)).is_ok();
        let tag = if is_text { Tag::Str } else { Tag::Bytes };
        let timestamp_ns = edit.events()[index].timestamp_ns;
        let mut letter =
            lograil_event::EventRecord::empty(timestamp_ns, edit.fields().len() as u32);
        edit.fields().push(Field::text(message.0, tag, raw, FieldFlags::NONE));
        edit.fields().push(why);
        let prefixed_fields = if is_just_raw { &[] } else { &fields[..] };
        letter.count = 2 + prefixed_fields.len() as u32;
        letter.capacity = letter.count;
        for field in prefixed_fields {
            let key = prefixed.of(Key(field.key), &mut edit);
            edit.fields().push(field.with_key(key.0));
        }
        letter.set_raw(raw);
        edit.events()[index] = letter;
    }
    batch
}

/// Whether the fields of an event are its raw bytes as `message` and nothing else.
fn is_just_raw(fields: &[Field], message: Key, raw: Span) -> bool {
    matches!(fields, [only] if only.key == message.0 && only.tag.is_span() && only.span() == raw)
}

/// The keys of `event.NAME`, by those of `NAME`.
#[derive(Default)]
struct PrefixedKeys(Vec<Option<Key>>);

impl PrefixedKeys {
    fn of(&mut self, key: Key, edit: &mut BatchMut<'_>) -> Key {
        let at = key.0 as usize;
        if self.0.len() <= at {
            self.0.resize(at + 1, None);
        }
        *self.0[at].get_or_insert_with(|| {
            let name = format!("{FIELD_PREFIX}{}", edit.keys().name(key));
            edit.key(&name)
        })
    }
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
        assert_eq!(why.get("fields"), None, "the message is all of the event");
        assert_eq!((letter.timestamp_ns(), letter.fields().len()), (5, 2));
    }

    #[test]
    fn an_event_that_is_more_than_its_bytes_comes_whole() {
        let mut batch = Batch::new();
        let mut edit = batch.edit();
        let segment = edit.add_segment(Bytes::from_static(b"a=1 b=2"), None);
        let (key, a, message) = (edit.key("b"), edit.key("a"), edit.key("message"));
        let whole = Span { segment, offset: 0, len: 7 };
        edit.push_line(5, key, Tag::Str, Span { segment, offset: 6, len: 1 }, whole);
        edit.append(0, Field::i64(a.0, 1));
        // One that was made has no bytes.
        edit.push_event(6);
        edit.set_str(1, message, "made");
        let letters = convert(batch, "out", "http", |_| "no");
        let fields = |index: usize| {
            let letter = letters.event(index);
            let why = letter.get_named("dead_letter").and_then(|value| value.as_bytes()).unwrap();
            let why: serde_json::Value = serde_json::from_slice(why).unwrap();
            let names: Vec<&str> = letter.iter().map(|(name, _)| name).collect();
            (why["fields"].as_str().unwrap().to_owned(), names)
        };
        let prefixed = vec!["message", "dead_letter", "event.b", "event.a"];
        assert_eq!(fields(0), ("prefixed".to_owned(), prefixed));
        assert_eq!(fields(1), ("own".to_owned(), vec!["message", "dead_letter"]));
        assert_eq!(letters.event(0).get_named("event.a"), Some(ValueRef::I64(1)));
        assert_eq!(
            letters.event(0).get_named("message").unwrap().as_bytes(),
            Some(&b"a=1 b=2"[..])
        );
    }
}
