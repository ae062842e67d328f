//! The events of one key that have come so far, merged field by field.

use std::time::Duration;

use lograil_event::{Acks, BatchMut, EventRef, Field, FieldFlags, Key, Tag};

use super::names::Names;
use super::strategy::{Merged, WrongType};

/// Bytes a field of a group takes, besides its text.
const FIELD_BYTES: usize = size_of::<(Key, Merged)>();

/// A merged event in the making.
#[derive(Debug)]
pub(super) struct Group {
    pub(super) hash: u128,
    /// Event time of the first event.
    timestamp_ns: i64,
    /// The values by their key in `Names`, in the order in which the keys came.
    pub(super) fields: Vec<(Key, Merged)>,
    /// How many events are merged.
    pub(super) events: u32,
    /// When the first one came, and the last.
    pub(super) started: Duration,
    pub(super) extended: Duration,
    /// Shares in the fate of every batch that an event came from.
    acks: Acks,
    /// The number of the batch whose share was taken last.
    acked_batch: Option<u64>,
    /// Bytes of memory held.
    pub(super) bytes: usize,
}

impl Group {
    pub(super) fn new(hash: u128, timestamp_ns: i64, now: Duration) -> Self {
        Self {
            hash,
            timestamp_ns,
            fields: Vec::new(),
            events: 0,
            started: now,
            extended: now,
            acks: Acks::default(),
            acked_batch: None,
            bytes: size_of::<Self>(),
        }
    }

    /// Merges an event of the batch that `names` is bound to and that has the number `batch`. Gives how many of
    /// its values could not be merged.
    pub(super) fn add(
        &mut self,
        event: EventRef<'_>,
        names: &mut Names,
        batch: u64,
        now: Duration,
    ) -> u64 {
        let mut refused = 0;
        for (position, field) in event.fields().iter().enumerate() {
            let key = names.own(event.batch(), Key(field.key));
            let value = event.batch().value(field);
            // Events of a group mostly have the same fields in the same order.
            let is_next = self.fields.get(position).is_some_and(|(of, _)| *of == key);
            let at = if is_next {
                Some(position)
            } else {
                self.fields.iter().position(|(of, _)| *of == key)
            };
            let merged = match at.and_then(|at| self.fields.get_mut(at)) {
                Some((_, merged)) => {
                    let before = merged.size_bytes();
                    let added = merged.add(value);
                    self.bytes = (self.bytes + merged.size_bytes()).saturating_sub(before);
                    added
                }
                None => Merged::start(names.strategy(key), value).map(|merged| {
                    self.bytes += FIELD_BYTES + merged.size_bytes();
                    self.fields.push((key, merged));
                }),
            };
            refused += u64::from(merged == Err(WrongType));
        }
        self.events += 1;
        self.extended = now;
        if self.acked_batch.replace(batch) != Some(batch) {
            self.acks.merge(event.batch().acks().clone());
        }
        refused
    }

    /// Appends the merged event to a batch that has the keys of `Names`. Gives the acknowledgements it waits for.
    pub(super) fn finish(self, edit: &mut BatchMut<'_>) -> Acks {
        let event = edit.push_event(self.timestamp_ns);
        let mut ends = Vec::new();
        for (key, merged) in &self.fields {
            let field = match merged {
                Merged::First(held)
                | Merged::Last(held)
                | Merged::Min(held, _)
                | Merged::Max(held, _)
                | Merged::Longest(held, _)
                | Merged::Shortest(held, _) => held.field(*key, edit),
                Merged::Range(held, last) => {
                    ends.push((*key, *last));
                    held.field(*key, edit)
                }
                Merged::Sum(sum) => sum.value().field(*key, edit),
                Merged::Text(text, _, is_text) => {
                    let tag = if *is_text { Tag::Str } else { Tag::Bytes };
                    Field::text(key.0, tag, edit.push_text(text), FieldFlags::NONE)
                }
                Merged::Array(text) => array(*key, text.get(1..).unwrap_or_default(), edit),
                Merged::Unique(unique) => array(*key, unique.text(), edit),
            };
            edit.append(event, field);
        }
        for (key, last) in ends {
            let name = format!("{}_end", edit.keys().name(key));
            let end = edit.key(&name);
            edit.set(event, Field::timestamp(end.0, last));
        }
        self.acks
    }
}

fn array(key: Key, elements: &[u8], edit: &mut BatchMut<'_>) -> Field {
    let span = edit.write_text(|out| {
        out.push(b'[');
        out.extend_from_slice(elements);
        out.push(b']');
    });
    Field::text(key.0, Tag::Array, span, FieldFlags::NONE)
}
