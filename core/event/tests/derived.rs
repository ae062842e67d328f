//! Arrays made from a batch: accepted where they are right, refused where they are not, as by the full check.

use std::sync::Arc;

use bytes::Bytes;
use lograil_event::{
    Batch, DerivedBatch, EventFlags, EventRecord, Field, FieldFlags, ForeignBatch, ForeignField,
    InvalidBatch, KeyTable, Segment, Span, Tag,
};
use proptest::prelude::*;

/// Ten events of two texts that come from one block, with their JSON as the raw bytes.
fn base() -> Batch {
    let mut batch = Batch::new();
    let mut edit = batch.edit();
    let (a, b) = (edit.key("a"), edit.key("b"));
    let mut block = Vec::new();
    for event in 0..10 {
        block.extend_from_slice(format!("{{\"a\":\"x{event}\",\"b\":\"ключ\"}}\n").as_bytes());
    }
    let line = block.len() / 10;
    let segment = edit.add_segment(Bytes::from(block), None);
    for event in 0..10 {
        let start = (event * line) as u32;
        let index = edit.push_event(event as i64);
        let at = |offset, len| Span { segment, offset: start + offset, len };
        edit.append(index, Field::text(a.0, Tag::Str, at(6, 2), FieldFlags::CLEAN));
        edit.append(index, Field::text(b.0, Tag::Str, at(15, 8), FieldFlags::CLEAN));
        let record = &mut edit.events()[index];
        record.raw_fields = 2;
        record.set_raw(at(0, line as u32 - 1));
        record.flags.insert(EventFlags::RAW_JSON);
    }
    batch
}

fn derive(
    base: &Batch,
    fields: Option<Vec<Field>>,
    events: Vec<EventRecord>,
) -> Result<Batch, InvalidBatch> {
    let keys = Arc::clone(base.shared_keys());
    let foreign: Option<Vec<ForeignField>> =
        fields.as_ref().map(|fields| fields.iter().copied().map(ForeignField::from).collect());
    let (segments, foreign) = (Vec::new(), foreign.as_deref());
    let derived = DerivedBatch { base, segments, keys, fields: foreign, events: Some(&events) };
    let checked = derived.check()?;
    Ok(checked.into_batch(fields.map(Into::into), Some(events.clone().into())))
}

fn in_full(
    base: &Batch,
    fields: Vec<Field>,
    events: Vec<EventRecord>,
) -> Result<Batch, InvalidBatch> {
    let segments: Vec<Segment> = base.segments().to_vec();
    ForeignBatch { segments, fields, events, keys: KeyTable::clone(base.keys()) }.validate()
}

#[test]
fn events_that_stay_as_they_are_keep_their_claims() {
    let base = base();
    let kept: Vec<EventRecord> = base.records().iter().copied().step_by(3).collect();
    let made = derive(&base, None, kept.clone()).unwrap();
    assert_eq!(made.records(), kept);
    let made = derive(&base, Some(base.fields().to_vec()), kept.clone()).unwrap();
    assert_eq!(made.records(), kept);
}

#[test]
fn a_changed_text_is_checked_and_costs_its_event_the_claim() {
    let base = base();
    let mut fields = base.fields().to_vec();
    let cut = Span { segment: 0, offset: fields[1].span().offset + 1, len: 2 };
    fields[1] = Field::text(1, Tag::Str, cut, FieldFlags::CLEAN);
    let events = base.records().to_vec();
    assert_eq!(
        derive(&base, Some(fields.clone()), events.clone()).unwrap_err(),
        InvalidBatch::NotUtf8(1)
    );
    fields[1] = Field::i64(1, 5);
    let made = derive(&base, Some(fields), events).unwrap();
    assert!(!made.records()[0].flags.contains(EventFlags::RAW_JSON));
    assert!(made.records()[1].flags.contains(EventFlags::RAW_JSON));
}

#[test]
fn events_that_move_to_the_end_are_recognised() {
    let base = base();
    let mut fields = base.fields().to_vec();
    let mut events = base.records().to_vec();
    for event in &mut events {
        let first = fields.len() as u32;
        fields.extend_from_within(event.first as usize..(event.first + event.count) as usize);
        fields.push(Field::bool(0, true));
        (event.first, event.count, event.capacity) = (first, 3, 3);
    }
    let made = derive(&base, Some(fields), events).unwrap();
    assert!(made.records().iter().all(|event| event.flags.contains(EventFlags::RAW_JSON)));
}

#[test]
fn shared_fields_are_refused() {
    let base = base();
    let first = base.records()[0];
    let twice = derive(&base, None, vec![first, first]);
    assert_eq!(twice.unwrap_err(), InvalidBatch::EventsOverlap(1));
}

proptest! {
    #[test]
    fn agrees_with_the_full_check(
        order in prop::collection::vec(0..10_usize, 0..12),
        changes in prop::collection::vec((0..20_usize, 0..6_u32, 0..40_u32, 0..12_u32, 0..4_u8), 0..4),
        shifts in prop::collection::vec((0..12_usize, 0..24_u32, 0..4_u32), 0..3),
    ) {
        let base = base();
        let mut fields = base.fields().to_vec();
        for (at, key, offset, len, tag) in changes {
            let tag = [Tag::Str, Tag::Bytes, Tag::Number, Tag::Object][usize::from(tag)];
            fields[at] = Field::text(key / 2, tag, Span { segment: 0, offset, len }, FieldFlags::CLEAN);
        }
        let mut events: Vec<EventRecord> = order.iter().map(|at| base.records()[*at]).collect();
        for (at, first, count) in shifts {
            if let Some(event) = events.get_mut(at) {
                (event.first, event.count, event.capacity) = (first, count, count);
            }
        }
        let (ours, theirs) = (
            derive(&base, Some(fields.clone()), events.clone()),
            in_full(&base, fields, events),
        );
        prop_assert_eq!(ours.is_ok(), theirs.is_ok(), "{:?} {:?}", ours, theirs);
        if let (Ok(ours), Ok(theirs)) = (ours, theirs) {
            prop_assert_eq!(ours.records(), theirs.records());
            for (one, other) in ours.iter().zip(theirs.iter()) {
                prop_assert_eq!(one.fields(), other.fields());
            }
        }
    }
}

#[test]
fn fields_of_every_form_that_is_wrong_are_found_wherever_they_stand() {
    let base = base();
    let fields: Vec<ForeignField> = base.fields().iter().copied().map(ForeignField::from).collect();
    let good = ForeignField { key: 1, tag: 2, segment: 0, flags: 0, payload: 7 };
    let wrong = [
        ForeignField { tag: 6, ..good },
        ForeignField { tag: 255, ..good },
        ForeignField { key: 2, ..good },
        ForeignField { tag: Tag::Str as u8, segment: 1, ..good },
        ForeignField { tag: Tag::Str as u8, payload: u64::MAX, ..good },
        ForeignField { tag: Tag::Number as u8, payload: 4 << 32, ..good },
    ];
    let check = |fields: &[ForeignField]| {
        let keys = Arc::clone(base.shared_keys());
        let derived = DerivedBatch {
            base: &base,
            segments: Vec::new(),
            keys,
            fields: Some(fields),
            events: None,
        };
        derived.check().map(|_| ())
    };
    for at in 0..fields.len() {
        for other in 0..fields.len() {
            let mut changed = fields.clone();
            (changed[at], changed[other]) = (good, good);
            assert_eq!(check(&changed), Ok(()));
            for wrong in wrong {
                changed[at] = wrong;
                assert!(check(&changed).is_err(), "{wrong:?} at {at}");
            }
        }
        // Before the fields of an event, and behind them, where no event reaches.
        for wrong in wrong {
            let mut longer = fields.clone();
            longer.push(wrong);
            assert!(check(&longer).is_err(), "{wrong:?} behind");
        }
    }
}

#[test]
fn a_false_claim_about_a_text_is_corrected() {
    let base = base();
    let mut fields = base.fields().to_vec();
    let raw = base.records()[0].raw().unwrap();
    fields[0] = Field::text(0, Tag::Str, raw, FieldFlags::CLEAN);
    let made = derive(&base, Some(fields), base.records().to_vec()).unwrap();
    assert_eq!(made.fields()[0].flags(), FieldFlags::NONE, "there are quotes in it");
    assert_eq!(made.fields()[1].flags(), FieldFlags::CLEAN);
}
