//! Letters to events: as they were when they were refused.

use bytes::Bytes;
use lograil_codec::json::Parser;
use lograil_codec::{payload, time};
use lograil_event::{Batch, BatchMut, EventRecord, Field, FieldFlags, Key, Span, Tag};
use lograil_plugin::dead_letter::FIELD_PREFIX;
use serde::Deserialize;

use super::Letter;
use super::letter::{FieldsPlace, Why};

/// The events of some letters, in batches, and which letters cannot be read. An event that had no time gets `now_ns`.
pub(crate) fn events_of(letters: &[Letter], now_ns: i64) -> (Vec<Batch>, Vec<usize>) {
    let mut block = Vec::new();
    let mut pieces = Vec::new();
    for letter in letters {
        let start = block.len();
        block.extend_from_slice(&letter.line);
        pieces.push(start..block.len());
    }
    let block = Bytes::from(block);
    let decoded = payload::batches(&block, &pieces, true, now_ns, &mut Parser::new());
    let unreadable = payload::refused_pieces(&decoded);
    let mut batches: Vec<Batch> = decoded.into_iter().map(|one| one.events).collect();
    batches.iter_mut().for_each(restore);
    (batches, unreadable)
}

/// The names of a letter's own fields.
struct Names {
    message: Key,
    dead_letter: Key,
    id: Key,
    event_time: Key,
}

fn restore(batch: &mut Batch) {
    let events = batch.len();
    let mut edit = batch.edit();
    let names = Names {
        message: edit.key("message"),
        dead_letter: edit.key("dead_letter"),
        id: edit.key("dead_letter_id"),
        event_time: edit.key("dead_letter_event_time"),
    };
    for event in 0..events {
        restore_event(&mut edit, event, &names);
    }
}

fn restore_event(edit: &mut BatchMut<'_>, event: usize, names: &Names) {
    let letter = edit.fields_of(event).to_vec();
    let find = |key: Key| letter.iter().find(|field| field.key == key.0).copied();
    let why = find(names.dead_letter).filter(|field| field.tag == Tag::Object);
    let why = why.and_then(|why| serde_json::from_slice::<Why>(edit.text(why.span())).ok());
    let place = why.and_then(|why| why.fields);
    let event_time = find(names.event_time).filter(|field| field.tag == Tag::Str);
    let event_time = event_time.and_then(|field| time::parse_rfc3339(edit.text(field.span())));
    let message = find(names.message).map(|message| original(edit, message));
    let fields: Vec<Field> = match place {
        None => message.into_iter().collect(),
        Some(FieldsPlace::Prefixed) => {
            letter.iter().filter_map(|field| without_prefix(edit, *field)).collect()
        }
        Some(FieldsPlace::Own) => {
            let of_letter = [names.dead_letter.0, names.id.0, names.event_time.0];
            letter.iter().filter(|field| !of_letter.contains(&field.key)).copied().collect()
        }
    };
    let timestamp_ns = event_time.unwrap_or(edit.events()[event].timestamp_ns);
    let mut record = EventRecord::empty(timestamp_ns, edit.fields().len() as u32);
    record.count = fields.len() as u32;
    record.capacity = record.count;
    if let Some(raw) = message.filter(|message| place != Some(FieldsPlace::Own) && is_text(message))
    {
        record.set_raw(raw.span());
    }
    edit.fields().extend(fields);
    edit.events()[event] = record;
}

fn is_text(field: &Field) -> bool {
    matches!(field.tag, Tag::Str | Tag::Bytes)
}

/// The bytes an event was read from. What is no UTF-8 is written as `{"$bytes":"<base64>"}`.
fn original(edit: &mut BatchMut<'_>, message: Field) -> Field {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Base64 {
        #[serde(rename = "$bytes")]
        bytes: String,
    }
    if message.tag != Tag::Object {
        return message;
    }
    let coded = serde_json::from_slice::<Base64>(edit.text(message.span())).ok();
    let bytes = coded.and_then(|coded| data_encoding::BASE64.decode(coded.bytes.as_bytes()).ok());
    let Some(bytes) = bytes else { return message };
    let span: Span = edit.push_text(&bytes);
    Field::text(message.key, Tag::Bytes, span, FieldFlags::NONE)
}

/// The field `NAME` out of `event.NAME`.
fn without_prefix(edit: &mut BatchMut<'_>, field: Field) -> Option<Field> {
    let name = edit.keys().name(Key(field.key)).strip_prefix(FIELD_PREFIX)?.to_owned();
    Some(field.with_key(edit.key(&name).0))
}

#[cfg(test)]
mod tests {
    use lograil_codec::json::encode_batch;
    use lograil_plugin::dead_letter;

    use super::*;

    const ID: &str = "00000000000000aa-1";

    fn json_lines(batch: &Batch) -> Vec<String> {
        let mut out = Vec::new();
        encode_batch(batch, &mut out);
        String::from_utf8(out).unwrap().lines().map(str::to_owned).collect()
    }

    /// As the sink writes them.
    fn letters_of(events: Batch) -> Vec<Letter> {
        let mut letters = dead_letter::convert(events, "out", "http", |_| "status 400");
        let count = letters.len();
        let mut edit = letters.edit();
        let (id, event_time) = (edit.key("dead_letter_id"), edit.key("dead_letter_event_time"));
        for event in 0..count {
            edit.set_str(event, id, ID);
            let at = edit.events()[event].timestamp_ns;
            edit.set(event, Field::timestamp(event_time.0, at));
        }
        json_lines(&letters).iter().map(|line| Letter::read(line.as_bytes()).unwrap()).collect()
    }

    fn parsed(lines: &[&[u8]], is_json: bool) -> Batch {
        let block = Bytes::from(lines.concat());
        let mut pieces = Vec::new();
        for line in lines {
            let start = pieces.last().map_or(0, |last: &std::ops::Range<usize>| last.end);
            pieces.push(start..start + line.len());
        }
        payload::batches(&block, &pieces, is_json, 1_700_000_000_123_456_789, &mut Parser::new())
            .remove(0)
            .events
    }

    fn assert_restored(events: &Batch) {
        let (restored, unreadable) = events_of(&letters_of(events.snapshot()), 7);
        let restored = &restored[0];
        assert_eq!(unreadable, Vec::<usize>::new());
        assert_eq!(json_lines(restored), json_lines(events));
        for (came, was) in restored.iter().zip(events.iter()) {
            assert_eq!((came.raw(), came.timestamp_ns()), (was.raw(), was.timestamp_ns()));
        }
    }

    #[test]
    fn lines_come_back_as_they_were_read() {
        assert_restored(&parsed(
            &[b"one \"line\"", b"", "\u{1F980} \t".as_bytes(), b"\xFF\xFEbytes"],
            false,
        ));
    }

    #[test]
    fn events_with_fields_come_back_with_them_and_their_bytes() {
        let lines: [&[u8]; 2] =
            [br#"{"n":12345678901234567890123,"f":1.50,"message":"m","a":{"b":[null]}}"#, b"{}"];
        let mut events = parsed(&lines, true);
        let mut edit = events.edit();
        let key = edit.key("added \"x\"");
        edit.set_str(0, key, "value\n");
        assert_restored(&events);
    }

    #[test]
    fn events_that_were_made_come_back_with_their_fields() {
        let mut events = Batch::new();
        let mut edit = events.edit();
        let (message, kind) = (edit.key("message"), edit.key("event.kind"));
        edit.push_event(9);
        edit.set_str(0, message, "a burst");
        edit.set_str(0, kind, "burst");
        assert_restored(&events);
    }
}
