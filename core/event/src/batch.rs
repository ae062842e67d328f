//! The batch: segments, fields, events, keys and acknowledgements.

use std::sync::Arc;

use bytes::Bytes;

use crate::ack::Acks;
use crate::array::Array;
use crate::edit::{Arena, BatchMut};
use crate::event::EventRef;
use crate::field::{Field, Span};
use crate::key::{Key, KeyTable};
use crate::record::EventRecord;
use crate::selection::Selection;
use crate::value::ValueRef;

/// Most segments a batch can have: a segment's index is one byte, and one value is kept free.
pub const SEGMENTS_MAX: usize = 255;

/// Most segments a source may fill, so that the arenas of later stages find room.
pub const SEGMENTS_PER_SOURCE_BATCH_MAX: usize = 192;

/// Segments from which on a batch that is frozen joins the small ones, so that later stages find room.
const SEGMENTS_CROWDED: usize = SEGMENTS_MAX - 16;

/// Where a segment's bytes were read: what makes an event's identity stable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Origin {
    /// The file, partition or connection, as the source names it; the same after a restart.
    pub stream: u64,
    /// Position of the segment's first byte in the stream.
    pub offset: u64,
}

/// A block of immutable bytes that fields point into.
#[derive(Debug, Clone, Default)]
pub struct Segment {
    /// The bytes.
    pub bytes: Bytes,
    /// Where they were read, if they were.
    pub origin: Option<Origin>,
}

/// Events as flat arrays.
///
/// Cloning shares the bytes and, until one side changes them, the arrays. Every span lies within its
/// segment; every `Str` is valid UTF-8; every event's range lies within the fields. Fields that belong to no event,
/// behind the count of one or between two, mean nothing and are not read. Foreign arrays enter only through [`crate::ForeignBatch`], which checks that.
#[derive(Debug, Default)]
pub struct Batch {
    pub(crate) segments: Vec<Segment>,
    pub(crate) arena: Arena,
    pub(crate) fields: Array<Field>,
    pub(crate) events: Array<EventRecord>,
    pub(crate) keys: Arc<KeyTable>,
    pub(crate) acks: Acks,
}

impl Batch {
    /// An empty batch.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// An empty batch that starts with the keys of `keys`.
    #[must_use]
    pub fn with_keys(keys: Arc<KeyTable>) -> Self {
        Self { keys, ..Self::default() }
    }

    /// Number of events.
    #[must_use]
    pub fn len(&self) -> usize {
        self.events.len()
    }

    /// Whether there is no event.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.events.is_empty()
    }

    /// The events' records.
    #[must_use]
    #[inline]
    pub fn records(&self) -> &[EventRecord] {
        &self.events
    }

    /// All fields of all events.
    #[must_use]
    #[inline]
    pub fn fields(&self) -> &[Field] {
        &self.fields
    }

    /// The segments; that of the arena is empty until the arena is frozen.
    #[must_use]
    pub fn segments(&self) -> &[Segment] {
        &self.segments
    }

    /// The key table.
    #[must_use]
    #[inline]
    pub fn keys(&self) -> &KeyTable {
        &self.keys
    }

    /// The key table, to be kept.
    #[must_use]
    pub fn shared_keys(&self) -> &Arc<KeyTable> {
        &self.keys
    }

    /// The id of a name, if any event may have it.
    #[must_use]
    pub fn find_key(&self, name: &str) -> Option<Key> {
        self.keys.find(name)
    }

    /// The event at `index`; panics beyond the end, as a slice does.
    #[must_use]
    #[inline]
    pub fn event(&self, index: usize) -> EventRef<'_> {
        EventRef::new(self, &self.events[index])
    }

    /// The events in their order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = EventRef<'_>> + Clone {
        self.events.iter().map(|record| EventRef::new(self, record))
    }

    /// The bytes of a span.
    #[must_use]
    #[inline]
    pub fn text(&self, span: Span) -> &[u8] {
        &self.block(span.segment)[span.offset as usize..][..span.len as usize]
    }

    /// All bytes of a segment, those of the arena included.
    #[must_use]
    #[inline]
    pub fn block(&self, segment: u8) -> &[u8] {
        if self.arena.slot() == Some(segment) {
            self.arena.bytes()
        } else {
            &self.segments[usize::from(segment)].bytes
        }
    }

    /// The value of a field of this batch.
    #[must_use]
    #[inline]
    pub fn value(&self, field: &Field) -> ValueRef<'_> {
        let text = if field.tag.is_span() { self.text(field.span()) } else { &[] };
        ValueRef::from_parts(field.tag, field.flags(), field.payload(), text)
    }

    /// Bytes of memory the batch holds on to, shared ones included: what bounds a buffer.
    #[must_use]
    pub fn size_bytes(&self) -> usize {
        self.segments.iter().map(|segment| segment.bytes.len()).sum::<usize>()
            + self.arena.bytes().len()
            + self.fields.len() * size_of::<Field>()
            + self.events.len() * size_of::<EventRecord>()
    }

    /// Opens the batch for changes. Arrays that are shared are copied now, once, not event by event.
    pub fn edit(&mut self) -> BatchMut<'_> {
        BatchMut {
            fields: self.fields.open(),
            events: self.events.make_mut(),
            keys: &mut self.keys,
            segments: &mut self.segments,
            arena: &mut self.arena,
        }
    }

    /// A second handle on the same events with a share in their acknowledgement.
    #[must_use]
    pub fn share(&mut self) -> Self {
        self.freeze();
        Self {
            segments: self.segments.clone(),
            arena: Arena::default(),
            fields: self.fields.clone(),
            events: self.events.clone(),
            keys: Arc::clone(&self.keys),
            acks: self.acks.clone(),
        }
    }

    /// A second handle on the same events without a share in their acknowledgement. Text in the arena is copied.
    #[must_use]
    pub fn snapshot(&self) -> Self {
        let mut segments = self.segments.clone();
        if let Some(slot) = self.arena.slot() {
            segments[usize::from(slot)].bytes = Bytes::copy_from_slice(self.arena.bytes());
        }
        Self {
            segments,
            arena: Arena::default(),
            fields: self.fields.clone(),
            events: self.events.clone(),
            keys: Arc::clone(&self.keys),
            acks: Acks::default(),
        }
    }

    /// Makes the arena's text immutable, so that it can be shared; new text starts a new arena. Where segments
    /// become scarce this joins some of them, so that spans taken before mean nothing afterwards.
    pub fn freeze(&mut self) {
        self.arena.freeze_into(&mut self.segments);
        if self.is_crowded() {
            self.join_segments();
        }
    }

    /// Whether [`Self::freeze`] may join segments.
    #[must_use]
    pub fn is_crowded(&self) -> bool {
        self.segments.len() >= SEGMENTS_CROWDED
    }

    /// Puts the text of all segments without an origin, which arenas left behind, into one. Those that have one
    /// are kept, because it is the identity of their events, unless they alone take all the room.
    fn join_segments(&mut self) {
        let with_origin = self.segments.iter().filter(|segment| segment.origin.is_some()).count();
        let is_kept =
            |segment: &Segment| segment.origin.is_some() && with_origin + 1 < SEGMENTS_CROWDED;
        let joined_bytes: usize =
            self.segments.iter().filter(|s| !is_kept(s)).map(|s| s.bytes.len()).sum();
        if u32::try_from(joined_bytes).is_err() {
            return;
        }
        let mut joined = Vec::with_capacity(joined_bytes);
        let mut segments = vec![Segment::default()];
        // Where each segment went: its new index, and what its offsets grow by.
        let mut moves: Vec<(u8, u32)> = Vec::with_capacity(self.segments.len());
        for segment in std::mem::take(&mut self.segments) {
            if is_kept(&segment) {
                moves.push((segments.len() as u8, 0));
                segments.push(segment);
            } else {
                moves.push((0, joined.len() as u32));
                joined.extend_from_slice(&segment.bytes);
            }
        }
        segments[0].bytes = Bytes::from(joined);
        self.segments = segments;
        let moved = |span: Span| {
            let (segment, by) = moves[usize::from(span.segment)];
            Span { segment, offset: span.offset + by, len: span.len }
        };
        let mut fields = Vec::with_capacity(self.fields.len());
        for event in self.events.make_mut() {
            // What belongs to no event may be anything, and stays behind: whoever gets the batch may look at all fields.
            let own = &self.fields[event.first as usize..][..event.count as usize];
            (event.first, event.capacity) = (fields.len() as u32, event.count);
            fields.extend(own.iter().map(|field| {
                if field.tag.is_span() {
                    Field::text(field.key, field.tag, moved(field.span()), field.flags())
                } else {
                    *field
                }
            }));
            if let Some(raw) = event.read_at() {
                let flags = event.flags;
                event.set_raw(moved(raw));
                event.flags = flags;
            }
        }
        self.fields = fields.into();
    }

    /// Drops the events for which `keep` is false; touches the event array only. Returns how many went.
    pub fn retain(&mut self, mut keep: impl FnMut(usize) -> bool) -> usize {
        let before = self.events.len();
        let mut index = 0;
        self.events.retain(|_| {
            index += 1;
            keep(index - 1)
        });
        before - self.events.len()
    }

    /// Drops the events that are not meant; touches the event array only.
    pub fn keep(&mut self, selection: &Selection) {
        self.events.keep(selection);
    }

    /// A share of the events that are meant. Only their records are copied; text and fields are shared.
    #[must_use]
    pub fn share_of(&mut self, selection: &Selection) -> Self {
        self.freeze();
        Self {
            segments: self.segments.clone(),
            arena: Arena::default(),
            fields: self.fields.clone(),
            events: self.events.copy_of(selection),
            keys: Arc::clone(&self.keys),
            acks: self.acks.clone(),
        }
    }

    /// Moves the events for which `take` is true into a batch of their own. `None` if there are none.
    pub fn split_off_where(&mut self, mut take: impl FnMut(usize) -> bool) -> Option<Self> {
        let taken: Vec<usize> = (0..self.len()).filter(|index| take(*index)).collect();
        if taken.is_empty() {
            return None;
        }
        let mut other = self.share();
        other.events = taken.iter().map(|index| self.events[*index]).collect::<Vec<_>>().into();
        let mut next = taken.into_iter().peekable();
        self.retain(|index| next.next_if_eq(&index).is_none());
        Some(other)
    }

    /// The acknowledgements the batch carries.
    #[must_use]
    pub fn acks(&self) -> &Acks {
        &self.acks
    }

    /// Adds acknowledgements.
    pub fn add_acks(&mut self, acks: Acks) {
        self.acks.merge(acks);
    }

    /// Takes the acknowledgements, to resolve them.
    #[must_use]
    pub fn take_acks(&mut self) -> Acks {
        std::mem::take(&mut self.acks)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_snapshot_has_the_text_that_is_still_being_written_and_no_part_in_what_comes() {
        let mut batch = Batch::new();
        let mut edit = batch.edit();
        let key = edit.key("k");
        let event = edit.push_event(1);
        edit.set_str(event, key, "before");
        let mut snapshot = batch.snapshot();
        snapshot.freeze();
        batch.edit().set_str(event, key, "after");
        let text = |batch: &Batch| {
            let value = batch.event(0).get(key);
            value.and_then(|value| value.as_bytes().map(<[u8]>::to_vec))
        };
        assert_eq!(text(&snapshot), Some(b"before".to_vec()));
        assert_eq!(text(&batch), Some(b"after".to_vec()));
    }
}
