//! What the check of a plugin's answer costs by itself, for answers of different kinds.

use std::sync::Arc;

use lograil_benches::measure::Path;
use lograil_event::{
    Batch, Changes, DerivedBatch, EventRecord, Field, FieldFlags, ForeignBatch, ForeignColumn,
    ForeignField, Placement, Span, Tag,
};

/// A batch of the host, and what a plugin made of it.
struct Answer {
    base: Batch,
    /// None for those of the base.
    fields: Option<Vec<ForeignField>>,
    events: Vec<EventRecord>,
}

/// Each kind of answer as a path over all batches.
pub fn paths<'a>(batches: impl Fn() -> Vec<Batch>) -> Vec<Path<'a>> {
    let batches = || {
        let mut batches = batches();
        // A plugin sees no text that may still grow.
        batches.iter_mut().for_each(Batch::freeze);
        batches
    };
    let mut paths = vec![
        of_kind("check-dropped", batches(), half),
        of_kind("check-same-appended", batches(), |base| appended(base, |_, span| text(span, 0))),
        of_kind("check-number-appended", batches(), |base| {
            appended(base, |at, _| Field::i64(0, at as i64))
        }),
        of_kind("check-text-appended", batches(), |base| appended(base, |_, span| text(span, 1))),
        of_kind("check-copied", batches(), |base| Answer {
            fields: Some(foreign(&base)),
            ..all_of(base)
        }),
        of_kind("check-replaced", batches(), replaced),
    ];
    paths.push(of_column("check-column-numbers", batches(), |at, _| Field::i64(0, at as i64)));
    paths.push(of_column("check-column-texts", batches(), |_, line| text(line, 1)));
    let all = batches();
    let run = move || all.iter().map(through_full_check).sum();
    paths.push(Path { name: "check-all-new", baseline: None, run: Box::new(run) });
    paths
}

fn of_kind<'a>(
    name: &'static str,
    batches: Vec<Batch>,
    answer: impl Fn(Batch) -> Answer,
) -> Path<'a> {
    let answers: Vec<Answer> = batches.into_iter().map(answer).collect();
    let run = move || answers.iter().map(through_check).sum();
    Path { name, baseline: None, run: Box::new(run) }
}

/// A column of changes, a value for each event: one record an event, which is copied and checked.
fn of_column<'a>(
    name: &'static str,
    batches: Vec<Batch>,
    value: impl Fn(usize, Span) -> Field,
) -> Path<'a> {
    let values = |base: Batch| {
        let value = |(at, event): (usize, &EventRecord)| {
            let value = event.raw().map_or(Field::null(0), |line| value(at, line));
            ForeignField { key: SET, ..value.into() }
        };
        let values: Vec<ForeignField> = base.records().iter().enumerate().map(value).collect();
        (base, values)
    };
    let answers: Vec<(Batch, Vec<ForeignField>)> = batches.into_iter().map(values).collect();
    let run = move || answers.iter().map(|(base, values)| through_columns(base, values)).sum();
    Path { name, baseline: None, run: Box::new(run) }
}

/// What a change that sets a field has in the place of its key.
const SET: u32 = 1;

/// A text that is a part of the event's line: the same for every event, or another.
fn text(line: Span, is_other: u32) -> Field {
    let span = Span { offset: line.offset * is_other + 1, len: 12, ..line };
    Field::text(0, Tag::Str, span, FieldFlags::NONE)
}

fn half(base: Batch) -> Answer {
    let events = base.records().iter().copied().step_by(2).collect();
    Answer { base, fields: None, events }
}

/// Every event has one field more, in its spare capacity.
fn appended(mut base: Batch, field: impl Fn(usize, Span) -> Field) -> Answer {
    let before = base.records().to_vec();
    let mut edit = base.edit();
    for (at, event) in before.iter().enumerate() {
        let Some(line) = event.raw() else { continue };
        edit.append(at, field(at, line));
    }
    let events = base.records().to_vec();
    // The base is what it was: the counts alone are those of before.
    base.edit().events().copy_from_slice(&before);
    Answer { base, fields: None, events }
}

/// A field of every event is another, in a copy of the arrays.
fn replaced(base: Batch) -> Answer {
    let mut made = base.snapshot();
    let mut edit = made.edit();
    for at in 0..base.len() {
        if let Some(last) = edit.fields_of(at).last().copied() {
            edit.set(at, Field::i64(last.key, at as i64));
        }
    }
    Answer { fields: Some(foreign(&made)), events: made.records().to_vec(), base }
}

fn all_of(base: Batch) -> Answer {
    Answer { events: base.records().to_vec(), fields: None, base }
}

fn foreign(batch: &Batch) -> Vec<ForeignField> {
    batch.fields().iter().copied().map(Into::into).collect()
}

/// The check alone.
#[inline(never)]
fn through_check(answer: &Answer) -> usize {
    let Answer { base, fields, events } = answer;
    let keys = Arc::clone(base.shared_keys());
    let (fields, all) = (fields.as_deref(), Some(&events[..]));
    let derived = DerivedBatch { base, segments: Vec::new(), keys, fields, events: all };
    let is_right = std::hint::black_box(derived.check()).is_ok();
    if is_right { events.len() } else { 0 }
}

/// The check of a column alone.
#[inline(never)]
fn through_columns(base: &Batch, changes: &[ForeignField]) -> usize {
    let column = ForeignColumn { key: 0, placement: Placement::Set, changes };
    let made = Changes::check(base, [column].into_iter(), None);
    std::hint::black_box(made).map_or(0, |_| base.len())
}

/// Of an answer that has no base everything is checked, and copied before.
#[inline(never)]
fn through_full_check(base: &Batch) -> usize {
    let foreign = ForeignBatch {
        segments: base.segments().to_vec(),
        fields: base.fields().to_vec(),
        events: base.records().to_vec(),
        keys: base.keys().clone(),
    };
    std::hint::black_box(foreign.validate()).map_or(0, |batch| batch.len())
}
