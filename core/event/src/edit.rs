//! Changing a batch: appending text, fields and events.

use std::sync::Arc;

use bytes::Bytes;

use crate::array::Opened;
use crate::batch::{Batch, Origin, SEGMENTS_MAX, Segment};
use crate::field::{Field, FieldFlags, Span, Tag};
use crate::key::{Key, KeyTable};
use crate::record::{EventFlags, EventRecord};

/// Fields that an event which has to move gets room for beyond those it has.
const SLACK_FIELDS: u32 = 4;

/// Append-only text that belongs to one batch, until it is frozen into a segment.
#[derive(Debug, Default)]
pub struct Arena {
    bytes: Vec<u8>,
    slot: Option<u8>,
}

impl Arena {
    /// The segment index its spans carry, once it has any.
    #[must_use]
    #[inline]
    pub fn slot(&self) -> Option<u8> {
        self.slot
    }

    /// The text so far.
    #[must_use]
    #[inline]
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    pub(crate) fn freeze_into(&mut self, segments: &mut [Segment]) {
        if let Some(slot) = self.slot.take() {
            segments[usize::from(slot)].bytes = Bytes::from(std::mem::take(&mut self.bytes));
        }
    }

    /// Where new text goes; takes a segment index the first time.
    fn open(&mut self, segments: &mut Vec<Segment>) -> (u8, &mut Vec<u8>) {
        let slot = *self.slot.get_or_insert_with(|| {
            assert!(segments.len() < SEGMENTS_MAX, "a batch has at most {SEGMENTS_MAX} segments");
            segments.push(Segment::default());
            (segments.len() - 1) as u8
        });
        (slot, &mut self.bytes)
    }
}

/// A batch opened for changes.
pub struct BatchMut<'b> {
    pub(crate) fields: Opened<'b, Field>,
    pub(crate) events: &'b mut Vec<EventRecord>,
    pub(crate) keys: &'b mut Arc<KeyTable>,
    pub(crate) segments: &'b mut Vec<Segment>,
    pub(crate) arena: &'b mut Arena,
}

impl BatchMut<'_> {
    /// The id of a name, added if it is new. A shared table is copied first, so ask once a batch.
    pub fn key(&mut self, name: &str) -> Key {
        key(self.keys, name)
    }

    /// The key table.
    #[must_use]
    pub fn keys(&self) -> &KeyTable {
        self.keys
    }

    /// Puts a table in place of the batch's own. It must extend it, or the ids would change their meaning.
    pub fn set_keys(&mut self, keys: &Arc<KeyTable>) {
        if !Arc::ptr_eq(self.keys, keys) {
            assert!(keys.extends(self.keys), "a batch's key table only ever grows");
            *self.keys = Arc::clone(keys);
        }
    }

    /// Adds a block of bytes and gives its index.
    pub fn add_segment(&mut self, bytes: Bytes, origin: Option<Origin>) -> u8 {
        assert!(self.segments.len() < SEGMENTS_MAX, "a batch has at most {SEGMENTS_MAX} segments");
        assert!(u32::try_from(bytes.len()).is_ok(), "a segment is shorter than 4 GiB");
        self.segments.push(Segment { bytes, origin });
        (self.segments.len() - 1) as u8
    }

    /// Number of segments: the index that the next one gets.
    #[must_use]
    pub fn segment_count(&self) -> usize {
        self.segments.len()
    }

    /// Appends text to the arena. All texts of a batch together stay below 4 GiB.
    pub fn push_text(&mut self, text: &[u8]) -> Span {
        self.write_text(|out| out.extend_from_slice(text))
    }

    /// Appends what `write` appends.
    pub fn write_text(&mut self, write: impl FnOnce(&mut Vec<u8>)) -> Span {
        push_text(self.arena, self.segments, write)
    }

    /// The bytes of a span.
    #[must_use]
    #[inline]
    pub fn text(&self, span: Span) -> &[u8] {
        let bytes = if self.arena.slot == Some(span.segment) {
            &self.arena.bytes
        } else {
            &self.segments[usize::from(span.segment)].bytes[..]
        };
        &bytes[span.offset as usize..][..span.len as usize]
    }

    /// A handle on a segment's bytes. The arena has none: freeze it first.
    #[must_use]
    pub fn segment_bytes(&self, segment: u8) -> Bytes {
        self.segments[usize::from(segment)].bytes.clone()
    }

    /// The events' records, to do anything with. In a plugin this copies the fields, if that was not done yet: a record that
    /// was changed does not tell any more which of them are spare.
    #[must_use]
    #[inline]
    pub fn events(&mut self) -> &mut Vec<EventRecord> {
        self.fields.all();
        self.events
    }

    /// All fields, to append to: a parser writes the fields of one event behind the last. In a plugin this copies them,
    /// if that was not done yet.
    #[must_use]
    #[inline]
    pub fn fields(&mut self) -> &mut Vec<Field> {
        self.fields.all()
    }

    /// Starts an event behind the last one.
    pub fn push_event(&mut self, timestamp_ns: i64) -> usize {
        self.events.push(EventRecord::empty(timestamp_ns, self.fields.len() as u32));
        self.events.len() - 1
    }

    /// Appends an event of one text field whose span is also its raw span: what a line source makes.
    #[inline]
    pub fn push_line(&mut self, timestamp_ns: i64, key: Key, tag: Tag, span: Span, origin: Span) {
        let mut record = EventRecord::empty(timestamp_ns, self.fields.len() as u32);
        record.count = 1;
        record.capacity = 1;
        record.set_raw(origin);
        self.fields.all().push(Field::text(key.0, tag, span, FieldFlags::NONE));
        self.events.push(record);
    }

    /// The fields of an event.
    #[must_use]
    #[inline]
    pub fn fields_of(&self, event: usize) -> &[Field] {
        let record = &self.events[event];
        &self.fields[record.first as usize..][..record.count as usize]
    }

    /// The field of a key in an event.
    #[must_use]
    pub fn find(&self, event: usize, key: Key) -> Option<Field> {
        self.fields_of(event).iter().find(|field| field.key == key.0).copied()
    }

    /// Sets a field: replaces the key's value, or appends it.
    #[inline]
    pub fn set(&mut self, event: usize, field: Field) {
        self.set_with_room(event, field, 1);
    }

    /// As [`Self::set`]; an event that has to move for it gets room for so many fields.
    #[inline]
    pub(crate) fn set_with_room(&mut self, event: usize, field: Field, room: u32) {
        let record = &mut self.events[event];
        let range = record.first as usize..(record.first + record.count) as usize;
        match self.fields[range].iter().position(|old| old.key == field.key) {
            Some(at) => {
                self.fields.all()[record.first as usize + at] = field;
                if (at as u32) < record.raw_fields {
                    record.flags.insert(EventFlags::CHANGED);
                }
            }
            None => self.append_with_room(event, field, room),
        }
    }

    /// Sets a text field; the text is copied into the arena.
    pub fn set_str(&mut self, event: usize, key: Key, text: &str) {
        let span = self.push_text(text.as_bytes());
        self.set(event, Field::text(key.0, Tag::Str, span, FieldFlags::NONE));
    }

    /// Appends a field whose key the event is known not to have.
    #[inline]
    pub fn append(&mut self, event: usize, field: Field) {
        self.append_with_room(event, field, 1);
    }

    /// As [`Self::append`]; an event that has to move for it gets room for so many fields.
    #[inline]
    pub(crate) fn append_with_room(&mut self, event: usize, field: Field, room: u32) {
        let events_behind = self.events.len() - event;
        let record = &mut self.events[event];
        if record.count < record.capacity {
            self.fields.put_spare((record.first + record.count) as usize, field);
            record.count += 1;
        } else {
            append_moving(record, self.fields.all(), field, room, events_behind);
        }
    }

    /// Removes a key. Whether the event had it.
    pub fn remove(&mut self, event: usize, key: Key) -> Option<Field> {
        let record = &mut self.events[event];
        let (first, end) = (record.first as usize, (record.first + record.count) as usize);
        let at = self.fields[first..end].iter().position(|field| field.key == key.0)?;
        let removed = self.fields[first + at];
        self.fields.all().copy_within(first + at + 1..end, first + at);
        record.count -= 1;
        if (at as u32) < record.raw_fields {
            record.raw_fields -= 1;
            record.flags.insert(EventFlags::CHANGED);
        }
        Some(removed)
    }
}

/// Appends to an event that has no room: at the end of all fields, where it moves if it is not there.
#[inline(never)]
fn append_moving(
    record: &mut EventRecord,
    fields: &mut Vec<Field>,
    field: Field,
    room: u32,
    events_behind: usize,
) {
    let own = record.first as usize..(record.first + record.count) as usize;
    if own.end == fields.len() {
        fields.push(field);
        record.capacity += 1;
    } else {
        let new = SLACK_FIELDS + room.max(1);
        let needed = (record.count + new) as usize;
        if fields.capacity() - fields.len() < needed {
            // Who appends to one event mostly does so to those behind it: they all move into one new array. They are not
            // all as large as this one may be.
            let all = needed.saturating_mul(events_behind);
            fields.reserve(all.min(fields.len() + new as usize * events_behind).max(needed));
        }
        let first = fields.len() as u32;
        fields.extend_from_within(own);
        fields.push(field);
        fields.extend((1..new).map(|_| Field::null(0)));
        record.first = first;
        record.capacity = record.count + new;
    }
    record.count += 1;
}

impl Batch {
    /// The id of a name, added if it is new; the arrays are left alone. A shared table is copied first, so ask once a batch.
    pub fn key(&mut self, name: &str) -> Key {
        key(&mut self.keys, name)
    }

    /// Appends text to the arena, as [`BatchMut::push_text`]; the arrays are left alone.
    pub fn push_text(&mut self, text: &[u8]) -> Span {
        push_text(&mut self.arena, &mut self.segments, |out| out.extend_from_slice(text))
    }
}

fn key(keys: &mut Arc<KeyTable>, name: &str) -> Key {
    match keys.find(name) {
        Some(key) => key,
        None => Arc::make_mut(keys).intern(name),
    }
}

fn push_text(
    arena: &mut Arena,
    segments: &mut Vec<Segment>,
    write: impl FnOnce(&mut Vec<u8>),
) -> Span {
    let (segment, out) = arena.open(segments);
    let offset = out.len();
    write(out);
    let end = u32::try_from(out.len());
    assert!(end.is_ok(), "the text of a batch is shorter than 4 GiB");
    Span { segment, offset: offset as u32, len: (out.len() - offset) as u32 }
}
