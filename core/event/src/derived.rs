//! Arrays that code outside made from a batch of ours: only what differs from that batch is checked.

use std::sync::Arc;

use crate::batch::{Batch, SEGMENTS_MAX, Segment};
use crate::edit::Arena;
use crate::field::Field;
use crate::key::KeyTable;
use crate::record::{EventFlags, EventRecord};
use crate::validate::{InvalidBatch, Texts, check_overlap, check_range};

/// A batch that was made from `base`, with arrays of which nothing is known yet.
///
/// A field that is the same as in `base` is as valid as it was there, since segments and keys of `base` come
/// first; an event that is the same keeps its claims. The rest is checked as in [`crate::ForeignBatch`].
#[derive(Debug)]
pub struct DerivedBatch<'a> {
    /// What it was made from.
    pub base: &'a Batch,
    /// Segments behind those of `base`.
    pub segments: Vec<Segment>,
    /// The keys of `base` and, behind them, more.
    pub keys: Arc<KeyTable>,
    /// All fields; `None` for those of `base`.
    pub fields: Option<Vec<Field>>,
    /// All events.
    pub events: Vec<EventRecord>,
}

fn is_same(one: &Field, other: &Field) -> bool {
    one.key == other.key
        && one.tag == other.tag
        && one.flags() == other.flags()
        && one.payload() == other.payload()
        && one.span().segment == other.span().segment
}

/// Walks the events of the base to find those that events were made from; both are in the same order.
struct Origins<'a> {
    base: &'a [EventRecord],
    next: usize,
    /// Steps that are left, so that events in another order cost no square of their number.
    budget: usize,
}

impl<'a> Origins<'a> {
    fn find(&mut self, event: &EventRecord) -> Option<&'a EventRecord> {
        let is_origin = |one: &&EventRecord| {
            one.timestamp_ns == event.timestamp_ns
                && one.raw() == event.raw()
                && (one.raw().is_some() || one.first == event.first)
        };
        let rest = self.base.get(self.next..)?;
        let steps = rest.len().min(self.budget);
        let Some(at) = rest[..steps].iter().position(|one| is_origin(&one)) else {
            self.budget -= steps;
            return None;
        };
        self.budget -= at;
        self.next += at + 1;
        rest.get(at)
    }
}

impl DerivedBatch<'_> {
    /// Checks what differs from the base, and makes a batch of the arrays.
    pub fn validate(mut self) -> Result<Batch, InvalidBatch> {
        let extends =
            Arc::ptr_eq(&self.keys, &self.base.keys) || self.keys.extends(&self.base.keys);
        assert!(extends, "a batch's key table only ever grows");
        let mut segments = self.base.segments.clone();
        segments.append(&mut self.segments);
        if segments.len() >= SEGMENTS_MAX {
            return Err(InvalidBatch::TooManySegments(segments.len()));
        }
        let keys = Arc::clone(&self.keys);
        let texts = Texts { segments: &segments, keys: &keys };
        let fields = match self.fields.take() {
            None => {
                self.check_events_only(&texts)?;
                Arc::clone(&self.base.fields)
            }
            Some(fields) => Arc::new(self.check_all(&texts, fields)?),
        };
        Ok(Batch {
            segments,
            arena: Arena::default(),
            fields,
            events: Arc::new(self.events),
            keys,
            acks: crate::Acks::default(),
        })
    }

    fn origins(&self) -> Origins<'_> {
        let base = &self.base.events[..];
        Origins { base, next: 0, budget: base.len() * 2 }
    }

    /// The fields are those of the base: an event that is too needs no look.
    fn check_events_only(&mut self, texts: &Texts<'_>) -> Result<(), InvalidBatch> {
        let mut events = std::mem::take(&mut self.events);
        let mut origins = self.origins();
        let mut is_known = true;
        for (index, event) in events.iter_mut().enumerate() {
            if origins.find(event).is_some_and(|origin| origin == event) {
                continue;
            }
            is_known = false;
            check_range(index, event, self.base.fields.len())?;
            texts.check_raw(index, event)?;
            texts.settle_event(event, &self.base.fields);
        }
        if !is_known {
            check_overlap(&events)?;
        }
        self.events = events;
        Ok(())
    }

    fn check_all(
        &mut self,
        texts: &Texts<'_>,
        mut fields: Vec<Field>,
    ) -> Result<Vec<Field>, InvalidBatch> {
        let base = &self.base.fields;
        let mut is_valid: Vec<bool> =
            fields.iter().zip(&base[..]).map(|(one, other)| is_same(one, other)).collect();
        is_valid.resize(fields.len(), false);
        let mut events = std::mem::take(&mut self.events);
        let mut origins = self.origins();
        let mut keeps_claims = Vec::with_capacity(events.len());
        let mut is_in_place = true;
        for (index, event) in events.iter().enumerate() {
            check_range(index, event, fields.len())?;
            let Some(origin) = origins.find(event) else {
                texts.check_raw(index, event)?;
                keeps_claims.push(false);
                is_in_place = false;
                continue;
            };
            is_in_place &= event.first == origin.first && event.capacity == origin.capacity;
            let own = &fields[event.first as usize..][..event.count as usize];
            let theirs = &base[origin.first as usize..][..origin.count as usize];
            let same =
                own.iter().zip(theirs).take_while(|(one, other)| is_same(one, other)).count();
            is_valid[event.first as usize..][..same].fill(true);
            let mut flags = event.flags;
            flags.remove(EventFlags::CHANGED);
            keeps_claims.push(
                flags == origin.flags
                    && event.raw_fields == origin.raw_fields
                    && same >= event.raw_fields as usize,
            );
        }
        if !is_in_place {
            check_overlap(&events)?;
        }
        for index in 0..fields.len() {
            if !is_valid[index] {
                texts.check_field(index, &fields[index])?;
                if fields[index].tag.is_span() {
                    fields[index] = texts.settled(&fields[index]);
                }
            }
        }
        for (event, keeps) in events.iter_mut().zip(keeps_claims) {
            if event.flags.contains(EventFlags::CHANGED) {
                // Not looked at: such an event is encoded from its fields anyway.
                event.flags.remove(EventFlags::RAW_JSON);
                event.flags.remove(EventFlags::RAW_DOCUMENT);
            } else if !keeps {
                texts.settle_event(event, &fields);
            }
        }
        self.events = events;
        Ok(fields)
    }
}
