//! Events that have no room for one more field and move: what room is reserved for those behind them.

use lograil_event::{Batch, Field};

/// Fields that an event which moves gets room for beyond those it has, the appended one included.
const NEW: usize = 5;

/// Events with so many fields each and no room for more.
fn full(counts: impl IntoIterator<Item = usize>) -> Batch {
    let mut batch = Batch::new();
    let mut edit = batch.edit();
    let key = edit.key("a");
    for count in counts {
        let event = edit.push_event(0);
        (0..count).for_each(|n| edit.append(event, Field::i64(key.0, n as i64)));
    }
    // No more than is needed, so that whatever is reserved is seen.
    edit.fields().shrink_to_fit();
    batch
}

#[test]
fn events_of_the_same_size_all_move_into_one_new_array() {
    const EVENTS: usize = 1_000;
    let mut batch = full([10; EVENTS]);
    let mut edit = batch.edit();
    let key = edit.key("new");
    edit.append(0, Field::i64(key.0, 0));
    let (place, room) = (edit.fields().as_ptr(), edit.fields().capacity());
    // The last one is at the end of all fields only as long as none has moved.
    (1..EVENTS).for_each(|event| edit.append(event, Field::i64(key.0, event as i64)));
    assert_eq!((edit.fields().as_ptr(), edit.fields().capacity()), (place, room), "one array");
    assert_eq!(edit.fields().len(), EVENTS * 10 + EVENTS * (10 + NEW));
    let last = |event: usize| batch.event(event).fields().last().copied();
    assert!((0..EVENTS).all(|event| last(event) == Some(Field::i64(key.0, event as i64))));
}

#[test]
fn one_large_event_does_not_reserve_as_if_all_behind_it_were_as_large() {
    const EVENTS: usize = 1_000;
    const LARGE: usize = 3_000;
    let mut batch = full([LARGE].into_iter().chain([1; EVENTS]));
    let mut edit = batch.edit();
    let key = edit.key("new");
    let before = edit.fields().len();
    edit.append(0, Field::i64(key.0, 7));
    // What all have and what they may get, once more; a vector may take twice what it had.
    let most = 2 * before + NEW * (EVENTS + 1);
    let room = edit.fields().capacity();
    assert!(room <= most, "room for {room} fields, where {most} are enough for all to move");
    assert_eq!(edit.fields_of(0).len(), LARGE + 1);
    assert_eq!(edit.find(0, key), Some(Field::i64(key.0, 7)));
}

#[test]
fn an_event_larger_than_all_others_together_still_moves() {
    let mut batch = full([1, 3_000, 1]);
    let mut edit = batch.edit();
    let key = edit.key("new");
    edit.append(1, Field::i64(key.0, 7));
    assert_eq!((edit.fields_of(1).len(), edit.find(1, key)), (3_001, Some(Field::i64(key.0, 7))));
    assert_eq!((edit.fields_of(0).len(), edit.fields_of(2).len()), (1, 1));
}
