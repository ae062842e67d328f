//! Changes column by column: the same as event by event, and what is refused of those that come from outside.

use bytes::Bytes;
use lograil_event::{
    Batch, Change, Changes, Field, FieldFlags, ForeignBatch, ForeignColumn, ForeignField,
    InvalidBatch, Key, Placement, Selection, Span, Tag,
};
use proptest::prelude::*;

const EVENTS: usize = 5;

/// Events of a text and a number, every second of them with room for one field more.
fn base() -> Batch {
    let mut batch = Batch::new();
    let mut edit = batch.edit();
    let (text, number) = (edit.key("text"), edit.key("number"));
    for name in ["a", "b", "c", "d"] {
        edit.key(name);
    }
    let segment = edit.add_segment(Bytes::from_static("{\"text\":\"ключ\"}".as_bytes()), None);
    for event in 0..EVENTS {
        let index = edit.push_event(event as i64);
        let span = Span { segment, offset: 9, len: 8 };
        edit.append(index, Field::text(text.0, Tag::Str, span, FieldFlags::CLEAN));
        edit.append(index, Field::i64(number.0, event as i64));
        if event % 2 == 0 {
            edit.fields().push(Field::null(0));
            edit.events()[index].capacity += 1;
        }
    }
    batch
}

/// The fields of all events.
fn fields_of(batch: &Batch) -> Vec<Vec<Field>> {
    batch.iter().map(|event| event.fields().to_vec()).collect()
}

fn validated(batch: &Batch) -> Result<Batch, InvalidBatch> {
    let foreign = ForeignBatch {
        segments: batch.segments().to_vec(),
        fields: batch.fields().to_vec(),
        events: batch.records().to_vec(),
        keys: batch.keys().clone(),
    };
    foreign.validate()
}

fn a_change() -> impl Strategy<Value = Change> {
    prop_oneof![
        Just(Change::KEEP),
        Just(Change::REMOVE),
        (0..9_i64).prop_map(|value| Change::set(Field::i64(0, value))),
    ]
}

fn some_changes() -> impl Strategy<Value = Vec<Change>> {
    prop_oneof![prop::collection::vec(a_change(), 1), prop::collection::vec(a_change(), EVENTS),]
}

proptest! {
    #[test]
    fn columns_do_what_the_same_edits_do(
        columns in prop::collection::vec((0..6_u32, some_changes()), 0..6),
        kept in prop::option::of(prop::collection::vec(any::<bool>(), EVENTS)),
    ) {
        let (mut by_column, mut by_event) = (base(), base());
        let mut changes = Changes::default();
        for (key, column) in &columns {
            changes.each(Key(*key), Placement::Set, column.iter().copied());
            for event in 0..EVENTS {
                let change = column[event % column.len()];
                let mut edit = by_event.edit();
                if change == Change::REMOVE {
                    edit.remove(event, Key(*key));
                } else if change != Change::KEEP {
                    let value = (0..9).find(|value| change == Change::set(Field::i64(0, *value)));
                    edit.set(event, Field::i64(*key, value.unwrap()));
                }
            }
        }
        if let Some(kept) = &kept {
            changes.keep(&Selection::of(EVENTS, |event| kept[event]));
            by_event.retain(|event| kept[event]);
        }
        changes.apply(&mut by_column);
        prop_assert_eq!(fields_of(&by_column), fields_of(&by_event));
        prop_assert!(validated(&by_column).is_ok());
    }
}

#[test]
fn an_event_moves_once_however_many_columns_are_appended() {
    const COLUMNS: usize = 40;
    let mut batch = base();
    let before = batch.fields().len();
    let mut changes = Changes::default();
    for at in 0..COLUMNS {
        changes.all(Key(2), Placement::Append, Change::set(Field::i64(0, at as i64)));
    }
    changes.apply(&mut batch);
    let appended: Vec<Field> = (0..COLUMNS).map(|at| Field::i64(2, at as i64)).collect();
    assert!(batch.iter().all(|event| event.fields()[2..] == appended));
    let fields = batch.fields().len();
    assert!(fields <= before * 2 + EVENTS * (COLUMNS + 8), "{fields}");
    assert!(validated(&batch).is_ok());
}

#[test]
fn nothing_is_copied_where_nothing_goes() {
    let mut batch = base();
    let other = batch.share();
    let mut changes = Changes::default();
    changes.all(Key(2), Placement::Set, Change::REMOVE);
    changes.all(Key(1), Placement::Set, Change::KEEP);
    changes.apply(&mut batch);
    assert_eq!(batch.fields().as_ptr(), other.fields().as_ptr());
    changes.all(Key(1), Placement::Set, Change::REMOVE);
    changes.apply(&mut batch);
    assert!(batch.iter().all(|event| event.fields().len() == 1));
    assert!(other.iter().all(|event| event.fields().len() == 2), "whoever shares it keeps it");
}

#[test]
fn keys_and_texts_are_added_without_a_look_at_the_arrays() {
    let mut batch = base();
    let other = batch.share();
    let (key, span) = (batch.key("site"), batch.push_text(b"berlin"));
    assert_eq!(batch.fields().as_ptr(), other.fields().as_ptr());
    let mut changes = Changes::default();
    let site = Field::text(0, Tag::Str, span, FieldFlags::NONE);
    changes.all(key, Placement::Append, Change::set(site));
    changes.apply(&mut batch);
    batch.freeze();
    let value = batch.event(4).get(key).and_then(|value| value.as_str().map(str::to_owned));
    assert_eq!((value.as_deref(), other.find_key("site")), (Some("berlin"), None));
}

#[test]
fn texts_of_one_s_own_are_put_into_the_batch() {
    let mut batch = base();
    let (all, each) = (batch.key("all"), batch.key("text"));
    let mut changes = Changes::default();
    changes.all_str(&mut batch, all, "same");
    let texts = [Some("zero"), None, Some("two"), None, Some("")];
    changes.each_str(&mut batch, each, texts);
    changes.apply(&mut batch);
    batch.freeze();
    let text = |event: usize, key| {
        let value = batch.event(event).get(key);
        value.and_then(|value| value.as_str().map(str::to_owned)).unwrap()
    };
    let of_each: Vec<String> = (0..EVENTS).map(|event| text(event, each)).collect();
    assert_eq!(of_each, ["zero", "ключ", "two", "ключ", ""]);
    assert!((0..EVENTS).all(|event| text(event, all) == "same"));
    assert!(validated(&batch).is_ok());
}

fn set(field: Field) -> ForeignField {
    ForeignField { key: 1, ..field.into() }
}

fn check(key: u32, changes: &[ForeignField]) -> Result<Changes, InvalidBatch> {
    let column = ForeignColumn { key, placement: Placement::Append, changes };
    Changes::check(&base(), [column].into_iter(), None)
}

#[test]
fn a_column_from_outside_has_only_values_that_the_batch_can_have() {
    let text =
        |offset, len| Field::text(0, Tag::Str, Span { segment: 0, offset, len }, FieldFlags::NONE);
    let mut values = vec![set(Field::i64(0, 1)); EVENTS];
    assert!(check(1, &values).is_ok());
    values[3] = set(text(9, 2));
    assert!(check(1, &values).is_ok());
    let keep_with_nonsense = ForeignField { key: 0, tag: 99, segment: 9, flags: 9, payload: 9 };
    values[2] = keep_with_nonsense;
    let checked = check(1, &values).unwrap();
    let (_, _, taken) = checked.columns().next().unwrap();
    assert_eq!(taken[2], Field::null(0));

    let refused = |values: &[ForeignField], key| match check(key, values).unwrap_err() {
        InvalidBatch::Column(0, why) => *why,
        other => other,
    };
    for (wrong, why) in [
        (set(text(9, 1)), InvalidBatch::NotUtf8(3)),
        (set(text(9, 900)), InvalidBatch::SpanOutOfRange(3)),
        (set(text(u32::MAX, u32::MAX)), InvalidBatch::SpanOutOfRange(3)),
        (
            ForeignField { tag: 6, ..set(Field::null(0)) },
            InvalidBatch::UnknownTag { field: 3, tag: 6 },
        ),
        (
            ForeignField { key: 7, ..set(Field::null(0)) },
            InvalidBatch::UnknownChange { index: 3, change: 7 },
        ),
        (ForeignField { tag: Tag::Object as u8, ..set(text(9, 2)) }, InvalidBatch::NotJson(3)),
    ] {
        values[3] = wrong;
        assert_eq!(refused(&values, 1), why);
    }
    let out = InvalidBatch::KeyOutOfRange { field: 0, key: 6, keys: 6 };
    assert_eq!(refused(&[set(Field::null(0))], 6), out);
    let uneven = InvalidBatch::ColumnLength { values: 4, events: EVENTS };
    assert_eq!(refused(&values[..4], 1), uneven);
    let none = Changes::check(&base(), std::iter::empty::<ForeignColumn<'_>>(), Some(&[1; 2]));
    let unfit = InvalidBatch::SelectionLength { words: 2, events: EVENTS };
    assert_eq!(none.unwrap_err(), unfit);
}

#[test]
fn a_claim_of_a_value_from_outside_is_found_out() {
    let mut batch = Batch::new();
    let segment = batch.edit().add_segment(Bytes::from_static(b"a\"b"), None);
    let key = batch.key("a");
    batch.edit().push_event(0);
    let field = |len| Field::text(0, Tag::Str, Span { segment, offset: 0, len }, FieldFlags::CLEAN);
    for (len, flags) in [(1, FieldFlags::CLEAN), (3, FieldFlags::NONE)] {
        let values = [set(field(len))];
        let column = ForeignColumn { key: key.0, placement: Placement::Set, changes: &values };
        let mut changed = batch.share();
        Changes::check(&batch, [column].into_iter(), None).unwrap().apply(&mut changed);
        assert_eq!(changed.event(0).fields()[0].flags(), flags);
    }
}

#[test]
fn more_columns_or_fields_than_a_batch_can_have_are_refused() {
    let values = [set(Field::null(0))];
    let column = ForeignColumn { key: 0, placement: Placement::Append, changes: &values };
    let many = |count| Changes::check(&base(), vec![column; count].into_iter(), None);
    assert!(many(1024).is_ok());
    let refused = many(1025).unwrap_err();
    assert_eq!(refused, InvalidBatch::TooManyColumns { columns: 1025, events: EVENTS });

    if cfg!(miri) {
        // It would take an hour to make so many events.
        return;
    }
    let mut batch = base();
    let record = batch.records()[0];
    let events = u32::MAX as usize / 1024;
    batch.edit().events().resize(events, record);
    let refused = Changes::check(&batch, vec![column; 1024].into_iter(), None).unwrap_err();
    assert_eq!(refused, InvalidBatch::TooManyColumns { columns: 1024, events });
}
