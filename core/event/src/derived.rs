//! Arrays that code outside made from a batch of ours: only what differs from that batch is checked.

use std::ops::Range;
use std::sync::Arc;

use crate::array::Array;
use crate::batch::{Batch, SEGMENTS_MAX, Segment};
use crate::field::{Field, ForeignField, Tag};
use crate::key::KeyTable;
use crate::record::{EventFlags, EventRecord};
use crate::scan::{are_same_but_count, as_foreign, is_same_but_count, same_fields};
use crate::validate::{InvalidBatch, Texts, check_overlap, check_range};

/// A batch that was made from `base`, with arrays of which nothing is known yet.
///
/// A field that is the same as in `base` is as valid as it was there, since segments and keys of `base` come
/// first; an event that is the same keeps its claims. What `base` itself has behind the count of an event is not trusted. The rest is checked as in [`crate::ForeignBatch`].
#[derive(Debug)]
pub struct DerivedBatch<'a> {
    /// What it was made from.
    pub base: &'a Batch,
    /// Segments behind those of `base`.
    pub segments: Vec<Segment>,
    /// The keys of `base` and, behind them, more.
    pub keys: Arc<KeyTable>,
    /// All fields; `None` for those of `base`, where the spare capacity of events may have been written.
    pub fields: Option<&'a [ForeignField]>,
    /// All events; `None` for those of `base`.
    pub events: Option<&'a [EventRecord]>,
}

/// Arrays that were found to be a batch, but for what they claim of it in vain.
#[derive(Debug)]
pub struct CheckedBatch<'a> {
    base: &'a Batch,
    segments: Vec<Segment>,
    keys: Arc<KeyTable>,
    claims: Claims,
}

/// Claims that are not true.
#[derive(Debug, Default)]
struct Claims {
    /// Fields that say more of their text than is true.
    of_fields: Vec<usize>,
    /// The events as they truly are, where some are not what they claim.
    events: Option<Vec<EventRecord>>,
}

impl<'a> DerivedBatch<'a> {
    /// Checks what differs from the base.
    pub fn check(mut self) -> Result<CheckedBatch<'a>, InvalidBatch> {
        let base = self.base;
        let extends = Arc::ptr_eq(&self.keys, &base.keys) || self.keys.extends(&base.keys);
        assert!(extends, "a batch's key table only ever grows");
        // With room for the text that whoever has the batch next may write.
        let count = base.segments.len() + self.segments.len();
        let mut segments = Vec::with_capacity(count + 1);
        segments.extend_from_slice(&base.segments);
        segments.append(&mut self.segments);
        if segments.len() >= SEGMENTS_MAX {
            return Err(InvalidBatch::TooManySegments(segments.len()));
        }
        let texts = Texts { segments: &segments, keys: &self.keys };
        let events = self.events.unwrap_or(&base.events);
        let claims = match self.fields {
            None if self.events.is_none() => Claims::default(),
            None => check_events(base, events, texts)?,
            Some(fields) => {
                let fields = Fields::of(base, fields, texts);
                Check { fields, events, claims: Claims::default() }.run(base)?
            }
        };
        Ok(CheckedBatch { base, segments, keys: self.keys, claims })
    }
}

impl CheckedBatch<'_> {
    /// The batch, made of the arrays that were checked, or else those of the base.
    #[must_use]
    pub fn into_batch(
        self,
        fields: Option<Array<Field>>,
        events: Option<Array<EventRecord>>,
    ) -> Batch {
        let mut fields = fields.unwrap_or_else(|| self.base.fields.clone());
        if !self.claims.of_fields.is_empty() {
            let texts = Texts { segments: &self.segments, keys: &self.keys };
            let fields = fields.make_mut();
            for index in &self.claims.of_fields {
                fields[*index] = texts.settled(&fields[*index]);
            }
        }
        let events = self.claims.events.map(Array::from).or(events);
        let events = events.unwrap_or_else(|| self.base.events.clone());
        Batch::from_arrays(self.segments, fields, events, self.keys)
    }
}

/// Events that are compared with those of the base at once.
const RUN: usize = 32;

/// Events whose fields are those of the base: one that is an event of the base needs no look, and of one that has grown
/// into its spare capacity only what is new does.
fn check_events(
    base: &Batch,
    events: &[EventRecord],
    texts: Texts<'_>,
) -> Result<Claims, InvalidBatch> {
    let mut claims = Claims::default();
    let mut fields = Fields::of(base, as_foreign(&base.fields), texts);
    let (mut known, mut are_known) = (&base.events[..], true);
    for (run, events_of_run) in events.chunks(RUN).enumerate() {
        if let Some((theirs, behind)) = known.split_at_checked(events_of_run.len())
            && are_same_but_count(theirs, events_of_run)
            && fields.have_grown(theirs, events_of_run, &mut claims)?
        {
            known = behind;
            continue;
        }
        for (at, event) in events_of_run.iter().enumerate() {
            let index = run * RUN + at;
            let origin = known.iter().position(|one| is_same_but_count(one, event));
            let theirs = origin.map_or(&[][..], |at| &known[at..=at]);
            known = origin.map_or(&[], |at| &known[at + 1..]);
            if origin.is_none()
                || !fields.have_grown(theirs, std::slice::from_ref(event), &mut claims)?
            {
                are_known = false;
                check_range(index, event, base.fields.len())?;
                texts.check_raw(index, event)?;
                let own = event.first as usize..event.first as usize + event.count as usize;
                for at in own.clone() {
                    fields.check(at, &mut claims)?;
                }
                claims.settle(events, index, |event| {
                    texts.settle_event(event, &base.fields[own]);
                });
            }
        }
    }
    if !are_known {
        check_overlap(events)?;
    }
    Ok(claims)
}

impl Claims {
    /// Makes an event what it truly is.
    fn settle(
        &mut self,
        events: &[EventRecord],
        index: usize,
        settle: impl FnOnce(&mut EventRecord),
    ) {
        let mut event = events[index];
        settle(&mut event);
        if event != events[index] {
            self.events.get_or_insert_with(|| events.to_vec())[index] = event;
        }
    }
}

/// Walks the events of the base to find those that events were made from; both are in the same order.
struct Origins<'a> {
    base: &'a [EventRecord],
    next: usize,
    /// Steps that are left, so that events in another order cost no square of their number.
    budget: usize,
}

impl<'a> Origins<'a> {
    fn of(base: &'a [EventRecord]) -> Self {
        Self { base, next: 0, budget: base.len() * 2 }
    }

    #[inline]
    fn find(&mut self, event: &EventRecord) -> Option<&'a EventRecord> {
        let is_origin = |one: &EventRecord| {
            one.timestamp_ns == event.timestamp_ns && one.read_at() == event.read_at()
        };
        let rest = self.base.get(self.next..)?;
        if rest.first().is_some_and(is_origin) {
            self.next += 1;
            return rest.first();
        }
        let steps = rest.len().min(self.budget);
        let Some(at) = rest[..steps].iter().position(is_origin) else {
            self.budget -= steps;
            return None;
        };
        self.budget -= at;
        self.next += at + 1;
        rest.get(at)
    }
}

/// All of a batch, one event after the other.
struct Check<'a> {
    fields: Fields<'a>,
    events: &'a [EventRecord],
    claims: Claims,
}

impl Check<'_> {
    fn run(mut self, base: &Batch) -> Result<Claims, InvalidBatch> {
        match self.in_order(base) {
            // Or only not in the order of their fields, which is rare.
            Err(InvalidBatch::EventsOverlap(_)) => self.out_of_order(base)?,
            checked => checked?,
        }
        let all = self.fields.fields.len();
        self.fields.check_unused(all, &mut self.claims)?;
        Ok(self.claims)
    }

    fn in_order(&mut self, base: &Batch) -> Result<(), InvalidBatch> {
        let mut origins = Origins::of(&base.events);
        for (index, event) in self.events.iter().enumerate() {
            let origin = origins.find(event);
            let is_right =
                origin.is_some_and(|one| self.fields.has_grown(event, one, &mut self.claims));
            if !is_right {
                self.event(index, event, origin)?;
            }
        }
        Ok(())
    }

    fn out_of_order(&mut self, base: &Batch) -> Result<(), InvalidBatch> {
        self.claims = Claims::default();
        self.fields.next = 0;
        let mut origins = Origins::of(&base.events);
        let with_origin = |(index, event)| (index, event, origins.find(event));
        let mut events: Vec<_> = self.events.iter().enumerate().map(with_origin).collect();
        events.sort_by_key(|(_, event, _)| event.first);
        for (index, event, origin) in events {
            self.event(index, event, origin)?;
        }
        Ok(())
    }

    /// Checks an event whose fields lie behind those of all before it.
    #[inline]
    fn event(
        &mut self,
        index: usize,
        event: &EventRecord,
        origin: Option<&EventRecord>,
    ) -> Result<(), InvalidBatch> {
        let Fields { fields, base, texts, .. } = self.fields;
        check_range(index, event, fields.len())?;
        let first = event.first as usize;
        let own = first..first + event.count as usize;
        if event.capacity > 0 {
            if first < self.fields.next {
                return Err(InvalidBatch::EventsOverlap(index));
            }
            self.fields.check_unused(first, &mut self.claims)?;
        }
        let theirs = origin
            .map_or(0..0, |origin| origin.first as usize..(origin.first + origin.count) as usize);
        let same = self.fields.check_against(own.clone(), &base[theirs], &mut self.claims)?;
        if event.capacity > 0 {
            self.fields.next = own.end;
            self.fields.check_unused(first + event.capacity as usize, &mut self.claims)?;
        }
        match origin {
            Some(origin) if keeps_claims(event, origin, same) => return Ok(()),
            Some(_) => {}
            None => texts.check_raw(index, event)?,
        }
        self.claims.settle(self.events, index, |event| {
            if event.flags.contains(EventFlags::CHANGED) {
                // Not looked at: such an event is encoded from its fields anyway.
                event.flags.remove(EventFlags::RAW_JSON);
                event.flags.remove(EventFlags::RAW_DOCUMENT);
            } else {
                let read = |field: &ForeignField| field.read(0).ok();
                let fields: Vec<Field> = fields[own].iter().filter_map(read).collect();
                texts.settle_event(event, &fields);
            }
        });
        Ok(())
    }
}

/// Whether what an event claims is what `origin` claims, of which it has the first `same` fields. One that says
/// that it was changed claims nothing of its fields.
#[inline]
fn keeps_claims(event: &EventRecord, origin: &EventRecord, same: usize) -> bool {
    if event.flags.contains(EventFlags::CHANGED) {
        let mut changed = origin.flags;
        changed.insert(EventFlags::CHANGED);
        return event.flags == changed;
    }
    event.flags == origin.flags
        && event.raw_fields == origin.raw_fields
        && same >= event.raw_fields as usize
}

/// The fields, looked at from the first to the last.
struct Fields<'a> {
    base: &'a [Field],
    fields: &'a [ForeignField],
    texts: Texts<'a>,
    /// All before this one were looked at.
    next: usize,
    /// One that was found to be right: the same is often added to every event.
    last: ForeignField,
}

impl<'a> Fields<'a> {
    fn of(base: &'a Batch, fields: &'a [ForeignField], texts: Texts<'a>) -> Self {
        let never_right = ForeignField { key: 0, tag: u8::MAX, segment: 0, flags: 0, payload: 0 };
        Self { base: &base.fields, fields, texts, next: 0, last: never_right }
    }

    /// Whether events that are those of the base but for their count have as many fields as before, or more of those that
    /// they have room for, which are right.
    #[inline]
    fn have_grown(
        &mut self,
        origins: &[EventRecord],
        events: &[EventRecord],
        claims: &mut Claims,
    ) -> Result<bool, InvalidBatch> {
        let (fields, mut last) = (self.fields, self.last);
        for (origin, event) in origins.iter().zip(events) {
            if event.count < origin.count || event.count > event.capacity {
                return Ok(false);
            }
            let new = (event.first + origin.count) as usize..(event.first + event.count) as usize;
            for at in new {
                if !fields[at].is_same(&last) {
                    self.check(at, claims)?;
                    last = self.last;
                }
            }
        }
        Ok(true)
    }

    /// Whether an event is what it was, where it was, but for fields that were changed or appended and are right: what
    /// most transforms do. Any other is left to [`Check::event`], which also finds what is wrong.
    #[inline]
    fn has_grown(
        &mut self,
        event: &EventRecord,
        origin: &EventRecord,
        claims: &mut Claims,
    ) -> bool {
        let (first, len) = (event.first as usize, event.capacity as usize);
        let is_in_place = first == self.next
            && (event.first, event.capacity) == (origin.first, origin.capacity)
            && origin.count <= event.count
            && event.count <= event.capacity
            && event.raw_fields <= event.count;
        let own = self.fields.get(first..first + len).filter(|_| is_in_place);
        let theirs = self.base.get(first..first + len);
        let (Some(own), Some(theirs)) = (own, theirs) else { return false };
        let known = origin.count as usize;
        let same = same_fields(&own[..known], &theirs[..known]);
        if !keeps_claims(event, origin, same) {
            return false;
        }
        let new = known..event.count as usize;
        for at in same..len {
            // What the base has behind its count may have been written by whoever made this, too.
            let is_known = own[at].is(&theirs[at]) && !new.contains(&at);
            if !is_known && self.check(first + at, claims).is_err() {
                return false;
            }
        }
        self.next = first + len;
        true
    }

    /// Checks the fields from the next one to `end`, which belong to no event or are free for it to grow. Most often
    /// they are what they were in the base.
    #[inline]
    fn check_unused(&mut self, end: usize, claims: &mut Claims) -> Result<(), InvalidBatch> {
        for index in self.next..end {
            let is_same = self.base.get(index).is_some_and(|one| self.fields[index].is(one));
            if !is_same {
                self.check(index, claims)?;
            }
        }
        self.next = end;
        Ok(())
    }

    /// Checks those of an event's fields that are not among `theirs`, those of its origin, in whose order they are. Gives
    /// how many at the beginning are the same.
    #[inline]
    fn check_against(
        &mut self,
        own: Range<usize>,
        theirs: &[Field],
        claims: &mut Claims,
    ) -> Result<usize, InvalidBatch> {
        let same = same_fields(&self.fields[own.clone()], theirs);
        let mut rest = &theirs[same..];
        for index in own.start + same..own.end {
            let field = &self.fields[index];
            // Behind one that was changed, or removed, the same go on.
            match rest {
                [one, behind @ ..] if field.is(one) => rest = behind,
                [_, one, behind @ ..] if field.is(one) => rest = behind,
                _ => {
                    self.check(index, claims)?;
                    rest = rest.get(1..).unwrap_or_default();
                }
            }
        }
        Ok(same)
    }

    #[inline]
    fn check(&mut self, index: usize, claims: &mut Claims) -> Result<(), InvalidBatch> {
        let field = &self.fields[index];
        let is_scalar = field.tag <= Tag::Timestamp as u8;
        if field.is_same(&self.last) || is_scalar && (field.key as usize) < self.texts.keys.len() {
            return Ok(());
        }
        self.check_one(index, claims)
    }

    #[inline(never)]
    fn check_one(&mut self, index: usize, claims: &mut Claims) -> Result<(), InvalidBatch> {
        let foreign = self.fields[index];
        let field = foreign.read(index)?;
        self.texts.check_field(index, &field)?;
        if foreign.flags != 0
            && field.tag.is_span()
            && self.texts.settled(&field).flags() != field.flags()
        {
            claims.of_fields.push(index);
        } else {
            self.last = foreign;
        }
        Ok(())
    }
}
