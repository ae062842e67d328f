//! Batches across the interface: the same in memory, and what a plugin may and may not make of them.

use super::*;
use lograil_event::{EventFlags, FieldFlags, Span};
use lograil_testkit::{Dice, conformance, events_of};

/// The casts in this crate and in the SDK rest on this.
#[test]
fn records_of_the_interface_are_those_of_a_batch_in_memory() {
    let mut batch = Batch::new();
    let mut edit = batch.edit();
    let key = edit.key("k");
    edit.key("other");
    let span = Span { segment: 0xAB, offset: 0x1234_5678, len: 0x9ABC_DEF0 };
    edit.fields().push(Field::i64(1, -2));
    edit.fields().push(Field::text(key.0, Tag::Array, span, FieldFlags::CLEAN));
    let mut record = EventRecord::empty(-5, 7);
    (record.count, record.capacity, record.raw_fields) = (11, 13, 3);
    record.set_raw(Span { segment: 0xCD, offset: 17, len: 19 });
    record.flags.insert(EventFlags::RAW_DOCUMENT);
    edit.events().push(record);
    let shown = HostBatch::new(batch, 23, &mut KeyCache::default());
    let view = shown.view();
    // SAFETY: the view is that of a batch that lives.
    let (fields, events) = unsafe { (abi::slice(view.fields, 2), abi::slice(view.events, 1)) };
    let number =
        abi::Field { key: 1, tag: abi::tag::I64, segment: 0, flags: 0, payload: -2_i64 as u64 };
    let payload = 0x9ABC_DEF0_1234_5678;
    let (tag, segment) = (abi::tag::ARRAY, 0xAB);
    assert_eq!(fields, [number, abi::Field { key: 0, tag, segment, flags: 1, payload }]);
    let event = abi::Event {
        timestamp_ns: -5,
        first: 7,
        count: 11,
        capacity: 13,
        raw_fields: 3,
        raw_offset: 17,
        raw_len: 19,
        raw_segment: 0xCD,
        flags: abi::event_flags::RAW | abi::event_flags::RAW_DOCUMENT,
        reserved: [0; 6],
    };
    assert_eq!(events, [event]);
    assert_eq!((view.token, view.key_count), (23, 2));
}

/// Arrays as a plugin could emit them: those of a batch, a few bytes of which are others.
fn mutated<T: Copy>(dice: &mut Dice, array: &[T]) -> Vec<T> {
    let mut changed = array.to_vec();
    // SAFETY: every bit pattern is one of the plain numbers that the records are made of.
    let bytes = unsafe {
        std::slice::from_raw_parts_mut(changed.as_mut_ptr().cast::<u8>(), size_of_val(&changed[..]))
    };
    for _ in 0..dice.below(4) {
        if bytes.is_empty() {
            break;
        }
        let at = dice.below(bytes.len());
        bytes[at] = match dice.below(3) {
            0 => dice.roll() as u8,
            1 => bytes[at].wrapping_add(1),
            _ => 0xFF,
        };
    }
    changed
}

/// A batch whose events have room for more fields, as those have that were parsed.
fn with_room(mut batch: Batch) -> Batch {
    if batch.keys().is_empty() {
        batch.freeze();
        return batch;
    }
    let mut edit = batch.edit();
    for event in 0..edit.events().len() {
        let record = edit.events()[event];
        let first = edit.fields().len();
        let own = record.first as usize..(record.first + record.count) as usize;
        edit.fields().extend_from_within(own);
        edit.fields().extend([Field::null(0); SPARE]);
        let record = &mut edit.events()[event];
        (record.first, record.capacity) = (first as u32, record.count + SPARE as u32);
    }
    batch.freeze();
    batch
}

const SPARE: usize = 3;

/// What a plugin gives that made nothing of `shown` but other events and fields.
fn output(shown: &Arc<HostBatch>, events: &[abi::Event], fields: &[abi::Field]) -> abi::Output {
    abi::Output {
        size: size_of::<abi::Output>() as u32,
        port: 0,
        base: shown.as_handle(),
        events: events.as_ptr(),
        fields: fields.as_ptr(),
        segments: std::ptr::null(),
        keys: std::ptr::null(),
        tokens: std::ptr::null(),
        positions: std::ptr::null(),
        event_count: events.len() as u32,
        field_count: fields.len() as u32,
        segment_count: 0,
        key_count: 0,
        token_count: 0,
        position_count: 0,
        owner: std::ptr::null_mut(),
        release: None,
        columns: std::ptr::null(),
        kept: std::ptr::null(),
        column_count: 0,
        kept_count: 0,
    }
}

/// The arrays of a view.
///
/// # Safety
/// It must be that of a batch that lives.
unsafe fn arrays(view: &abi::View) -> (&'static [abi::Event], &'static [abi::Field]) {
    // SAFETY: the caller vouches for it.
    unsafe {
        (
            abi::slice(view.events, view.event_count as usize),
            abi::slice(view.fields, view.field_count as usize),
        )
    }
}

/// The batch that the arrays of an output make, which changes nothing of them.
///
/// # Safety
/// As for [`take`].
unsafe fn taken(
    output: &abi::Output,
    lease: Option<Arc<Lease>>,
    keys: &mut KeyCache,
) -> Result<Batch, String> {
    // SAFETY: the caller vouches for it.
    let (batch, changes) = unsafe { take(output, lease, keys) }?;
    assert!(changes.is_empty());
    Ok(batch)
}

/// What a plugin does with the arrays of a batch before it gives them back.
#[derive(Clone, Copy, PartialEq)]
enum Answer {
    /// It gives all anew.
    Alone,
    /// It gives changed copies of the batch's arrays.
    Changed,
    /// It writes behind the events, in place.
    Appended,
    /// It writes behind the events, in place, and then copies all fields.
    Copied,
    /// It gives the arrays as they were, and changes that the host is to make.
    Columns,
}

const ANSWERS: [Answer; 5] =
    [Answer::Alone, Answer::Changed, Answer::Appended, Answer::Copied, Answer::Columns];

const ROUNDS: usize = if cfg!(miri) { ANSWERS.len() } else { 4_000 };

/// All kinds of batches; where each instruction is interpreted, few of a small one.
fn batches() -> Vec<(&'static str, Batch)> {
    if cfg!(miri) {
        let one = serde_json::json!({"a": 1, "b": "x", "c": [1.5], "d": null});
        let small = || ("two events", lograil_testkit::batch_of_json(&[one.clone(), one.clone()]));
        return std::iter::repeat_with(small).take(10).collect();
    }
    conformance::corpus(&serde_json::Value::Null)
}

/// Whatever a plugin emits is refused, or a batch that is valid in every field and can be read.
#[test]
fn no_mutation_of_a_batch_gets_past_the_check() {
    let (mut refused, mut taken) = ([0; ANSWERS.len()], [0; ANSWERS.len()]);
    for (seed, (name, batch)) in (9..).zip(batches()) {
        if batch.len() > 100 || batch.size_bytes() > 100_000 {
            continue;
        }
        let mut dice = Dice::new(seed);
        let mut keys = KeyCache::default();
        let shown = HostBatch::to_extend(with_room(batch), 0, &mut keys);
        let view = shown.view();
        for round in 0..ROUNDS {
            // SAFETY: the view is that of a batch that lives.
            let (own_events, own_fields) = unsafe { (arrays(&view).0, arrays(&view).1.to_vec()) };
            let kind = round % ANSWERS.len();
            let answer = ANSWERS[kind];
            let mut events = mutated(&mut dice, own_events);
            // By the rules of references a write is the last one before the host looks: there is one then.
            if answer == Answer::Appended || answer == Answer::Copied && !cfg!(miri) {
                append(&mut dice, &view, &own_fields, &mut events);
            }
            // Of these it copies what it wrote into the batch.
            let fields = if answer == Answer::Copied {
                own_fields.clone()
            } else {
                mutated(&mut dice, &own_fields)
            };
            let mut output = output(&shown, &events, &fields);
            match answer {
                Answer::Alone => {
                    output.base = std::ptr::null();
                    (output.segments, output.segment_count) = (view.segments, view.segment_count);
                    (output.keys, output.key_count) = (view.keys, view.key_count);
                }
                Answer::Changed | Answer::Copied => {}
                Answer::Appended => {
                    (output.fields, output.field_count) = (view.fields, view.field_count);
                }
                Answer::Columns => {
                    (output.fields, output.field_count) = (view.fields, view.field_count);
                    (output.events, output.event_count) = (view.events, view.event_count);
                }
            }
            let changes = (answer == Answer::Columns).then(|| columns(&mut dice, &view));
            if let Some(changes) = &changes {
                changes.put_into(&mut output);
            }
            // SAFETY: pointers and counts are what they claim to be.
            match unsafe { take(&output, None, &mut keys) } {
                Ok((mut batch, changes)) => {
                    taken[kind] += 1;
                    changes.apply(&mut batch);
                    // What is behind the events may be anything.
                    let batch = batch.detached();
                    let again = ForeignBatch {
                        segments: batch.segments().to_vec(),
                        fields: batch.fields().to_vec(),
                        events: batch.records().to_vec(),
                        keys: batch.keys().clone(),
                    };
                    assert!(again.validate().is_ok(), "{name} {round}");
                    let _read = events_of(&batch);
                }
                Err(_) => refused[kind] += 1,
            }
            let before = shown.as_it_was();
            assert!(
                before
                    .fields()
                    .iter()
                    .all(|field| before.keys().len() > field.key as usize || field.key == 0)
            );
        }
    }
    let least = if cfg!(miri) { 0 } else { 500 };
    assert!(refused.iter().chain(&taken).all(|count| *count > least), "{refused:?} {taken:?}");
}

/// Changes of a batch as a plugin gives them.
struct Given {
    columns: Vec<abi::Column>,
    kept: Vec<u64>,
    /// What the columns point at.
    _values: Vec<Vec<abi::Field>>,
}

impl Given {
    fn put_into(&self, output: &mut abi::Output) {
        let Self { columns, kept, .. } = self;
        (output.columns, output.column_count) = (columns.as_ptr(), columns.len() as u32);
        (output.kept, output.kept_count) = (kept.as_ptr(), kept.len() as u32);
    }
}

/// Changes of which most are right: for the values, fields of the batch that say what becomes of them.
fn columns(dice: &mut Dice, view: &abi::View) -> Given {
    // SAFETY: the view is that of a batch that lives.
    let fields = unsafe { arrays(view) }.1;
    let number = abi::Field { key: 1, tag: abi::tag::I64, segment: 0, flags: 0, payload: 7 };
    let value = |dice: &mut Dice| {
        let some = if fields.is_empty() { number } else { fields[dice.below(fields.len())] };
        abi::Field { key: dice.below(3) as u32, ..if dice.below(2) == 0 { some } else { number } }
    };
    let (mut columns, mut values) = (Vec::new(), Vec::new());
    for _ in 0..dice.below(4) {
        let all = view.event_count as usize;
        let count = if dice.below(3) == 0 { 1 } else { all };
        let mut made: Vec<abi::Field> = (0..count).map(|_| value(dice)).collect();
        if dice.below(3) == 0 {
            made = mutated(dice, &made);
        }
        let key = dice.below(view.key_count as usize + 1) as u32;
        let flags = dice.below(2) as u32;
        columns.push(abi::Column {
            values: made.as_ptr(),
            count: (made.len() - usize::from(made.len() > 1 && dice.below(20) == 0)) as u32,
            key,
            flags,
            reserved: 0,
        });
        values.push(made);
    }
    let is_filtered = dice.below(2) == 0;
    let words = (view.event_count as usize).div_ceil(64) + usize::from(dice.below(20) == 0);
    let kept = (0..words * usize::from(is_filtered)).map(|_| dice.roll()).collect();
    Given { columns, kept, _values: values }
}

/// Writes fields behind the events, most of them right, and lets events claim some of them.
fn append(dice: &mut Dice, view: &abi::View, own_fields: &[abi::Field], events: &mut [abi::Event]) {
    if view.spare.is_null() || view.field_count == 0 {
        return;
    }
    // SAFETY: the view is that of a batch that lives.
    let own_events = unsafe { abi::slice(view.events, view.event_count as usize) };
    for (own, event) in own_events.iter().zip(events) {
        if dice.below(2) == 0 {
            continue;
        }
        let some = own_fields[dice.below(own_fields.len())];
        let right = abi::Field { key: 0, tag: abi::tag::I64, segment: 0, flags: 0, payload: 7 };
        let mut field = [if dice.below(2) == 0 { some } else { right }];
        if dice.below(20) == 0 {
            field = [mutated(dice, &field)[0]];
        }
        let at = own.first + own.count + dice.below(SPARE) as u32;
        // SAFETY: the host lets the plugin write there; no slice of these fields is in use.
        unsafe { *view.spare.add(at as usize) = field[0] };
        event.count = event.count.wrapping_add(dice.below(SPARE + 1) as u32);
    }
}

/// Two events of a number and a text.
fn shown(keys: &mut KeyCache) -> Arc<HostBatch> {
    let one = serde_json::json!({"a": 1, "b": "x"});
    HostBatch::to_extend(with_room(lograil_testkit::batch_of_json(&[one.clone(), one])), 0, keys)
}

#[test]
fn fields_that_are_appended_in_place_cost_no_copy_and_are_checked() {
    let mut keys = KeyCache::default();
    let good = abi::Field { key: 0, tag: abi::tag::BOOL, segment: 0, flags: 0, payload: 1 };
    let text = |offset: u64, len: u64| abi::Field {
        tag: abi::tag::STR,
        payload: offset | len << 32,
        ..good
    };
    for (wrong, told) in [
        (abi::Field { tag: 99, ..good }, "unknown tag 99"),
        (abi::Field { tag: 6, ..good }, "unknown tag 6"),
        (abi::Field { key: 2, ..good }, "has key 2, the key table has 2"),
        (abi::Field { segment: 200, ..text(0, 1) }, "points outside its segment"),
        (text(0, 1 << 20), "points outside its segment"),
        (abi::Field { tag: abi::tag::NUMBER, ..text(0, 1) }, "not the JSON value"),
    ] {
        let shown = shown(&mut keys);
        let view = shown.view();
        // SAFETY: the view is that of a batch that lives.
        let mut events = unsafe { arrays(&view) }.0.to_vec();
        let behind = (events[1].first + events[1].count) as usize;
        // SAFETY: the host lets the plugin write there.
        unsafe {
            *view.spare.add(behind) = good;
            *view.spare.add(behind + 1) = wrong;
        }
        events[1].count += 1;
        let mut take_of = |events: &[abi::Event]| {
            // SAFETY: the view is that of a batch that lives.
            let output = output(&shown, events, unsafe { arrays(&view) }.1);
            // SAFETY: pointers and counts are what they claim to be.
            unsafe { taken(&output, None, &mut keys) }
        };
        let made = take_of(&events).unwrap();
        assert_eq!(made.fields().as_ptr().cast(), view.fields);
        assert_eq!(made.event(1).fields()[2..], [Field::bool(0, true)]);
        events[1].count += 1;
        let refused = take_of(&events).unwrap_err();
        assert!(refused.starts_with("emitted an invalid batch: field "), "{refused}");
        assert!(refused.contains(told), "{refused}");
        events[1].count = 3 + SPARE as u32;
        assert!(take_of(&events).unwrap_err().contains("event 1 has fields outside"));
        // Nor does a copy make right what is wrong.
        events[1].count = 4;
        // SAFETY: the view is that of a batch that lives.
        let copied = unsafe { arrays(&view) }.1.to_vec();
        let output = output(&shown, &events, &copied);
        // SAFETY: pointers and counts are what they claim to be.
        let refused = unsafe { taken(&output, None, &mut keys) }.unwrap_err();
        assert!(refused.contains(told), "{refused}");
        let before = shown.as_it_was();
        assert_eq!(before.fields()[behind], Field::null(0));
        assert_eq!(events_of(&before)[1], serde_json::json!({"a": 1, "b": "x"}));
    }
}

/// What a plugin does in place, and copies since it then changes another field.
#[test]
fn a_claim_that_was_appended_in_place_and_copied_is_checked() {
    let mut keys = KeyCache::default();
    let one = serde_json::json!({"a": 1, "b": "say \"yes\""});
    let shown = HostBatch::to_extend(
        with_room(lograil_testkit::batch_of_json(&[one.clone(), one])),
        0,
        &mut keys,
    );
    let view = shown.view();
    // SAFETY: the view is that of a batch that lives.
    let (own_events, own_fields) = unsafe { arrays(&view) };
    let mut events = own_events.to_vec();
    let behind = (events[1].first + events[1].count) as usize;
    let told = own_fields[behind - 1];
    assert_eq!(told.tag, abi::tag::STR);
    // The text that has escapes, as one that needs none.
    let clean = abi::Field { key: 0, flags: 1, ..told };
    // SAFETY: the host lets the plugin write there; no slice of these fields is in use.
    unsafe { *view.spare.add(behind) = clean };
    events[1].count += 1;
    // SAFETY: the view is that of a batch that lives.
    let mut copied = unsafe { arrays(&view) }.1.to_vec();
    (copied[behind - 2].tag, copied[behind - 2].payload) = (abi::tag::I64, 7);
    events[1].flags |= abi::event_flags::CHANGED;
    // SAFETY: pointers and counts are what they claim to be.
    let made = unsafe { taken(&output(&shown, &events, &copied), None, &mut keys) }.unwrap();
    let flags = made.event(1).fields()[2].flags();
    assert!(!flags.contains(FieldFlags::CLEAN), "{flags:?}");
}

#[test]
fn nothing_may_be_written_where_others_have_the_fields_or_the_plugin_is_of_before() {
    let mut keys = KeyCache::default();
    assert!(!shown(&mut keys).view().spare.is_null());
    let mut batch = with_room(lograil_testkit::batch_of_json(&[serde_json::json!({"a": 1})]));
    let _other = batch.share();
    assert!(HostBatch::to_extend(batch, 0, &mut keys).view().spare.is_null());
    let batch = with_room(lograil_testkit::batch_of_json(&[serde_json::json!({"a": 1})]));
    assert!(HostBatch::new(batch, 0, &mut keys).view().spare.is_null(), "of a sink");

    let shown = shown(&mut keys);
    // SAFETY: numbers that are zero and pointers that are null.
    let mut seen: abi::View = unsafe { std::mem::zeroed() };
    seen.size = abi::VIEW_BYTES_MIN as u32;
    // SAFETY: the batch lives, and so does the place.
    assert_eq!(unsafe { view(shown.as_handle(), &raw mut seen) }, status::OK);
    assert_eq!((seen.size as usize, seen.event_count), (abi::VIEW_BYTES_MIN, 2));
    assert!(seen.spare.is_null(), "the view of version 1.0 ends before it");
}

/// Counts how often it was given back.
unsafe extern "C" fn count(owner: *mut c_void) {
    // SAFETY: the tests give a counter that lives longer than the lease.
    unsafe { *owner.cast::<u32>() += 1 };
}

/// What a plugin gives that changed the arrays of `shown`, and lends them.
fn lent(shown: &Arc<HostBatch>, fields: &[abi::Field], released: &mut u32) -> abi::Output {
    // SAFETY: the view is that of a batch that lives.
    let (events, _) = unsafe { arrays(&shown.view()) };
    let owner = std::ptr::from_mut(released).cast();
    abi::Output { owner, release: Some(count), ..output(shown, events, fields) }
}

#[test]
fn what_is_lent_is_read_in_place_and_given_back_once_whatever_becomes_of_it() {
    let mut keys = KeyCache::default();
    let mut batch = lograil_testkit::batch_of_json(&[serde_json::json!({"a": 1, "b": "x"})]);
    batch.freeze();
    let shown = HostBatch::new(batch, 0, &mut keys);
    let view = shown.view();
    // SAFETY: the view is that of a batch that lives.
    let own = unsafe { abi::slice(view.fields, view.field_count as usize) };
    let mut fields = own.to_vec();
    (fields[0].tag, fields[0].payload) = (abi::tag::I64, 7);
    let mut released = 0;
    let output = lent(&shown, &fields, &mut released);
    // SAFETY: pointers, counts and the lease are what they claim to be.
    let made = unsafe { taken(&output, Lease::of(&output), &mut keys) }.unwrap();
    assert_eq!(made.fields().as_ptr().cast(), fields.as_ptr());
    assert_eq!(made.records().as_ptr().cast(), view.events, "those of the base");
    let mut changed = made.snapshot();
    drop(made);
    assert_eq!((events_of(&changed)[0]["a"].clone(), released), (7.into(), 0));
    changed.edit();
    assert_eq!((events_of(&changed)[0]["a"].clone(), released), (7.into(), 1));

    let mut old = lent(&shown, &fields, &mut released);
    old.size = abi::OUTPUT_BYTES_MIN as u32;
    // SAFETY: the output is longer than it says.
    let old = unsafe { known(&raw const old) }.unwrap();
    assert!(old.release.is_none() && old.owner.is_null(), "version 1.0 lends nothing");
    // SAFETY: as above.
    let made = unsafe { taken(&old, Lease::of(&old), &mut keys) }.unwrap();
    assert_ne!(made.fields().as_ptr().cast(), fields.as_ptr());
    assert_eq!(released, 1);

    fields[0].tag = 99;
    let output = lent(&shown, &fields, &mut released);
    // SAFETY: as above.
    let refused = unsafe { taken(&output, Lease::of(&output), &mut keys) };
    assert!(refused.unwrap_err().contains("unknown tag 99"));
    assert_eq!(released, 2);
}

/// An output that changes nothing of the arrays of `shown` itself, but has columns.
fn changing(shown: &Arc<HostBatch>, columns: &[abi::Column]) -> abi::Output {
    // SAFETY: the view is that of a batch that lives.
    let (events, fields) = unsafe { arrays(&shown.view()) };
    let (given, column_count) = (columns.as_ptr(), columns.len() as u32);
    abi::Output { columns: given, column_count, ..output(shown, events, fields) }
}

fn column(values: &[abi::Field], key: u32) -> abi::Column {
    let (values, count) = (values.as_ptr(), values.len() as u32);
    abi::Column { values, count, key, flags: 0, reserved: 0 }
}

#[test]
fn columns_are_copied_before_they_are_checked_and_change_the_arrays_in_place() {
    let mut keys = KeyCache::default();
    let shown = shown(&mut keys);
    let number = |payload| abi::Field {
        key: abi::change::SET,
        tag: abi::tag::I64,
        segment: 0,
        flags: 0,
        payload,
    };
    let mut values = [number(5), number(6)];
    let columns = [column(&values, 0)];
    let kept = [u64::MAX - 1];
    let mut output = changing(&shown, &columns);
    (output.kept, output.kept_count) = (kept.as_ptr(), 1);
    let place = shown.batch.fields().as_ptr();
    // SAFETY: pointers and counts are what they claim to be.
    let (mut batch, changes) = unsafe { take(&output, None, &mut keys) }.unwrap();
    // Whoever gave them writes on.
    values[1] = abi::Field { tag: 99, ..number(7) };
    std::hint::black_box(&values);
    assert_eq!(events_of(&shown.as_it_was())[1]["a"], 1, "as it was until the call has ended");
    drop(shown);
    changes.apply(&mut batch);
    assert_eq!(events_of(&batch), [serde_json::json!({"a": 6, "b": "x"})]);
    assert_eq!(batch.fields().as_ptr(), place, "nothing was copied");
}

#[test]
fn columns_that_break_a_rule_are_refused_in_words() {
    let mut keys = KeyCache::default();
    let shown = shown(&mut keys);
    let set =
        abi::Field { key: abi::change::SET, tag: abi::tag::BOOL, segment: 0, flags: 0, payload: 1 };
    let text = |offset: u64, len: u64| abi::Field {
        tag: abi::tag::STR,
        payload: offset | len << 32,
        ..set
    };
    let right = [set];
    for (values, key, told) in [
        (vec![abi::Field { key: 3, ..set }], 0, "column 1: value 0 has the unknown change 3"),
        (vec![set, abi::Field { tag: 6, ..set }], 0, "column 1: field 1 has the unknown tag 6"),
        (vec![set], 2, "has key 2, the key table has 2"),
        (vec![set; 3], 0, "column 1: 3 values for 2 events"),
        (Vec::new(), 0, "column 1: 0 values for 2 events"),
        (vec![set, text(0, u64::from(u32::MAX))], 0, "field 1 points outside its segment"),
        (vec![abi::Field { segment: 254, ..text(0, 0) }], 0, "points outside its segment"),
        (vec![abi::Field { tag: abi::tag::NUMBER, ..text(0, 1) }], 0, "not the JSON value"),
    ] {
        let columns = [column(&right, 1), column(&values, key)];
        // SAFETY: pointers and counts are what they claim to be.
        let refused = unsafe { take(&changing(&shown, &columns), None, &mut keys) }.unwrap_err();
        assert!(refused.starts_with("emitted invalid changes: "), "{refused}");
        assert!(refused.contains(told), "{refused}");
    }
    let many = vec![column(&right, 0); 1025];
    // SAFETY: as above.
    let refused = unsafe { take(&changing(&shown, &many), None, &mut keys) }.unwrap_err();
    assert!(refused.contains("1025 columns of changes are too many for 2 events"), "{refused}");

    let values = right.as_ptr().wrapping_byte_add(1);
    let odd = [abi::Column { values, ..column(&right, 0) }];
    // SAFETY: as above, but for the alignment, which is looked at first.
    let refused = unsafe { take(&changing(&shown, &odd), None, &mut keys) }.unwrap_err();
    assert!(refused.contains("not aligned"), "{refused}");

    let mut output = changing(&shown, &[]);
    let kept = [1; 3];
    (output.kept, output.kept_count) = (kept.as_ptr(), 3);
    // SAFETY: as above.
    let refused = unsafe { take(&output, None, &mut keys) }.unwrap_err();
    assert!(refused.contains("3 words select from 2 events"), "{refused}");
}
