//! Fields that are appended in place, into an array that somebody else lends: what is written where, and what is checked.

use std::sync::Arc;

use bytes::Bytes;
use lograil_event::{
    Array, Batch, DerivedBatch, EventFlags, EventRecord, Field, FieldFlags, ForeignBatch, Grant,
    InvalidBatch, Key, Segment, Span, Tag,
};
use proptest::prelude::*;

/// More than are compared at once.
const EVENTS: usize = 70;
const SPARE: u32 = 3;

/// Events of one text, the JSON it is from, and room for more fields.
fn base() -> Batch {
    let mut batch = Batch::new();
    let mut edit = batch.edit();
    let (text, _, _) = (edit.key("text"), edit.key("new"), edit.key("newer"));
    let block = "{\"text\":\"ключ\"}\n".repeat(EVENTS);
    let line = (block.len() / EVENTS) as u32;
    let segment = edit.add_segment(Bytes::from(block), None);
    for event in 0..EVENTS as u32 {
        let index = edit.push_event(i64::from(event));
        let at = |offset, len| Span { segment, offset: event * line + offset, len };
        edit.append(index, Field::text(text.0, Tag::Str, at(9, 8), FieldFlags::CLEAN));
        for _ in 0..SPARE {
            edit.fields().push(Field::null(0));
        }
        let record = &mut edit.events()[index];
        (record.raw_fields, record.capacity) = (1, 1 + SPARE);
        record.set_raw(at(0, line - 1));
        record.flags.insert(EventFlags::RAW_JSON);
    }
    batch
}

/// The batch of somebody who was lent `base` and may append to it.
fn granted(base: &Batch) -> (Batch, Grant) {
    let fields: &'static mut [Field] = Box::leak(base.fields().to_vec().into());
    let (fields, grant) = Array::granted(fields, Arc::new(()));
    let events = base.records().to_vec().into();
    let keys = Arc::clone(base.shared_keys());
    (Batch::from_arrays(base.segments().to_vec(), fields, events, keys), grant)
}

#[test]
fn a_field_that_is_appended_is_written_in_place_and_any_other_change_into_a_copy() {
    let base = base();
    let (text, new) = (Key(0), Key(1));
    let (mut batch, _grant) = granted(&base);
    let lent = batch.fields().as_ptr();
    batch.edit().set(1, Field::i64(new.0, 7));
    batch.edit().append(1, Field::i64(2, 8));
    assert_eq!(batch.fields().as_ptr(), lent);
    let first = batch.records()[1].first as usize;
    assert_eq!(batch.fields()[first..][1..3], [Field::i64(1, 7), Field::i64(2, 8)]);

    let changes: [fn(&mut Batch); 6] = [
        |batch| batch.edit().set(2, Field::null(0)),
        |batch| assert!(batch.edit().remove(2, Key(0)).is_some()),
        |batch| batch.edit().events()[2].count = 0,
        |batch| batch.edit().fields()[8] = Field::null(0),
        |batch| (0..=SPARE).for_each(|_| batch.edit().append(2, Field::null(1))),
        |batch| {
            let mut edit = batch.edit();
            let event = edit.push_event(7);
            edit.append(event, Field::null(1));
            edit.append(2, Field::null(2));
        },
    ];
    for (at, change) in changes.into_iter().enumerate() {
        let (mut batch, _grant) = granted(&base);
        let (lent, before) = (batch.fields().as_ptr(), batch.snapshot());
        drop(before);
        batch.edit().append(0, Field::null(1));
        change(&mut batch);
        assert_ne!(batch.fields().as_ptr(), lent, "{at}");
        batch.edit().append(3, Field::null(1));
        assert_eq!(batch.event(3).fields().len(), 2, "{at}");
        assert!(batch.event(1).get(text).is_some(), "{at}");
    }
}

#[test]
fn nothing_is_written_in_place_where_others_see_it_or_the_grant_has_ended() {
    let base = base();
    let (mut batch, grant) = granted(&base);
    let lent = batch.fields().as_ptr();
    let other = batch.snapshot();
    batch.edit().append(0, Field::null(1));
    assert_ne!(batch.fields().as_ptr(), lent);
    assert_eq!(other.fields(), base.fields());
    drop(batch);

    let mut last = other;
    last.edit().append(0, Field::null(1));
    assert_eq!(last.fields().as_ptr(), lent, "it has the array alone now");
    drop(grant);
    last.edit().append(0, Field::null(2));
    assert_ne!(last.fields().as_ptr(), lent);
    assert_eq!(last.event(0).fields()[1..], [Field::null(1), Field::null(2)]);
}

/// What is made of `base`, with whatever is in the spare capacity of its events, by events that have grown into it.
fn derive(base: &Batch, events: &[EventRecord]) -> Result<Batch, InvalidBatch> {
    let keys = Arc::clone(base.shared_keys());
    let events = Some(events);
    let derived = DerivedBatch { base, segments: Vec::new(), keys, fields: None, events };
    let checked = derived.check()?;
    Ok(checked.into_batch(None, events.map(|events| events.to_vec().into())))
}

fn with_spare(spare: &[(usize, Field)]) -> Batch {
    let mut base = base();
    let mut edit = base.edit();
    for (at, field) in spare {
        let place = edit.events()[at / SPARE as usize].first as usize + 1 + at % SPARE as usize;
        edit.fields()[place] = *field;
    }
    base
}

#[test]
fn only_what_an_event_claims_of_its_spare_capacity_is_looked_at() {
    let outside = Span { segment: 0, offset: 1, len: 1_000_000 };
    let inside_a_character = Span { segment: 0, offset: 10, len: 1 };
    let text = |tag, span| Field::text(1, tag, span, FieldFlags::NONE);
    for wrong in [
        Field::null(3),
        Field::null(u32::MAX),
        text(Tag::Str, outside),
        text(Tag::Bytes, Span { segment: 1, ..outside }),
        text(Tag::Str, inside_a_character),
        text(Tag::Number, inside_a_character),
        text(Tag::Object, Span { len: 3, ..inside_a_character }),
    ] {
        for event in [0, 1, 31, 32, 69] {
            let base = with_spare(&[(event * 3, Field::i64(1, 5)), (event * 3 + 1, wrong)]);
            let mut events = base.records().to_vec();
            assert!(derive(&base, &events).is_ok());
            events[event].count = 2;
            let made = derive(&base, &events).unwrap();
            assert!(made.records()[event].flags.contains(EventFlags::RAW_JSON));
            assert_eq!(made.event(event).fields()[1], Field::i64(1, 5));
            events[event].count = 3;
            assert!(derive(&base, &events).is_err(), "{wrong:?}");
            // Also where the rest is not what it was, and the event stands elsewhere.
            events[event].timestamp_ns += 1;
            assert!(derive(&base, &events).is_err(), "{wrong:?}");
            assert!(derive(&base, &events[event..=event]).is_err(), "{wrong:?}");
        }
    }
}

#[test]
fn events_that_grow_beyond_their_capacity_or_come_twice_are_refused() {
    let base = base();
    let mut events = base.records().to_vec();
    events[1].count = 2 + SPARE;
    assert_eq!(derive(&base, &events).unwrap_err(), InvalidBatch::EventOutOfRange(1));
    events[1].capacity = 2 + SPARE;
    assert_eq!(derive(&base, &events).unwrap_err(), InvalidBatch::EventsOverlap(2));
    let mut events = base.records().to_vec();
    events[2] = events[1];
    events[2].count = 2;
    assert_eq!(derive(&base, &events).unwrap_err(), InvalidBatch::EventsOverlap(2));
}

#[test]
fn a_false_claim_about_an_appended_text_is_corrected_in_a_copy() {
    let raw = base().records()[0].raw().unwrap();
    let base = with_spare(&[(0, Field::text(1, Tag::Str, raw, FieldFlags::CLEAN))]);
    let mut events = base.records().to_vec();
    events[0].count = 2;
    let made = derive(&base, &events).unwrap();
    assert_eq!(made.event(0).fields()[1].flags(), FieldFlags::NONE, "there are quotes in it");
    assert_eq!(base.fields()[1].flags(), FieldFlags::CLEAN);
}

#[test]
fn a_detached_batch_has_nothing_of_what_was_written_behind_its_events() {
    let base = with_spare(&[(0, Field::i64(9, 9)), (4, Field::i64(9, 9))]);
    let detached = base.detached();
    let kept = detached.iter().zip(base.iter()).all(|(one, other)| one.fields() == other.fields());
    assert!(kept && detached.records() == base.records());
    assert_eq!(detached.fields().iter().filter(|field| field.key == 9).count(), 0);
}

#[test]
fn segments_are_joined_whatever_is_behind_the_events() {
    let outside = Span { segment: 250, offset: 7, len: 1 };
    let mut base = with_spare(&[(0, Field::text(9, Tag::Str, outside, FieldFlags::NONE))]);
    let before: Vec<Vec<u8>> = base.iter().map(|event| text_of(&base, event.fields())).collect();
    let mut edit = base.edit();
    while edit.segment_count() < 250 {
        edit.add_segment(Bytes::from_static(b"more"), None);
    }
    base.freeze();
    assert!(base.segments().len() < 250);
    let after: Vec<Vec<u8>> = base.iter().map(|event| text_of(&base, event.fields())).collect();
    assert_eq!(before, after);
}

fn text_of(batch: &Batch, fields: &[Field]) -> Vec<u8> {
    batch.text(fields[0].span()).to_vec()
}

proptest! {
    #[test]
    fn agrees_with_the_full_check(
        dropped in prop::collection::vec(0..EVENTS, 0..4),
        spare in prop::collection::vec((0..EVENTS * 3, 0..5_u32, 0..120_u32, 0..12_u32, 0..6_u8), 0..8),
        counts in prop::collection::vec((0..EVENTS, 0..6_u32), 0..6),
        order in prop::collection::vec((0..EVENTS, 0..EVENTS), 0..2),
    ) {
        let field = |key, offset, len, tag: u8| match tag {
            0 => Field::i64(key, i64::from(offset)),
            tag => {
                let tag = [Tag::Str, Tag::Bytes, Tag::Number, Tag::Object, Tag::Array][usize::from(tag) - 1];
                Field::text(key, tag, Span { segment: 0, offset, len }, FieldFlags::CLEAN)
            }
        };
        let spare: Vec<(usize, Field)> =
            spare.into_iter().map(|(at, key, offset, len, tag)| (at, field(key, offset, len, tag))).collect();
        let base = with_spare(&spare);
        let mut events = base.records().to_vec();
        for (event, count) in counts {
            events[event].count = count;
        }
        for (one, other) in order {
            events.swap(one, other);
        }
        let mut index = 0..;
        events.retain(|_| !dropped.contains(&index.next().unwrap_or_default()));
        // What no event claims means nothing, and the full check would look at it.
        let mut fields = vec![Field::null(0); base.fields().len()];
        for event in &events {
            let own = event.first as usize..((event.first + event.count) as usize).min(fields.len());
            fields[own.clone()].copy_from_slice(&base.fields()[own]);
        }
        let segments: Vec<Segment> = base.segments().to_vec();
        let keys = base.keys().clone();
        let ours = derive(&base, &events);
        let theirs = ForeignBatch { segments, fields, events, keys }.validate();
        prop_assert_eq!(ours.is_ok(), theirs.is_ok(), "{:?} {:?}", ours, theirs);
        if let (Ok(ours), Ok(theirs)) = (ours, theirs) {
            prop_assert_eq!(ours.records(), theirs.records());
            for (one, other) in ours.iter().zip(theirs.iter()) {
                prop_assert_eq!(one.fields(), other.fields());
            }
        }
    }
}
