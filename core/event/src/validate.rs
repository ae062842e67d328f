//! The door for arrays that come from a disk, a wire or a plugin: checked here, trusted afterwards.

use std::sync::Arc;

use thiserror::Error;

use crate::batch::{Batch, SEGMENTS_MAX, Segment};
use crate::edit::Arena;
use crate::field::{Field, FieldFlags, Span, Tag};
use crate::json_check::{is_number, is_value};
use crate::json_text::{self, JsonValue, members};
use crate::key::{Key, KeyTable};
use crate::record::{EventFlags, EventRecord};
use crate::scan::find_special;

/// What is wrong with foreign arrays.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum InvalidBatch {
    /// More segments than an index can name.
    #[error("{0} segments, at most {SEGMENTS_MAX} are allowed")]
    TooManySegments(usize),
    /// A tag that there is not.
    #[error("field {field} has the unknown tag {tag}")]
    UnknownTag {
        /// Index of the field.
        field: usize,
        /// Its tag.
        tag: u8,
    },
    /// A key id without a key.
    #[error("field {field} has key {key}, the key table has {keys}")]
    KeyOutOfRange {
        /// Index of the field.
        field: usize,
        /// Its key.
        key: u32,
        /// Number of keys.
        keys: usize,
    },
    /// A span beyond its segment.
    #[error("field {0} points outside its segment")]
    SpanOutOfRange(usize),
    /// Text that is not UTF-8 or starts inside a character.
    #[error("field {0} is text but not valid UTF-8")]
    NotUtf8(usize),
    /// A number, an object or an array whose text is none.
    #[error("field {0} is not the JSON value it claims to be")]
    NotJson(usize),
    /// An event whose fields do not exist, or whose counts contradict each other.
    #[error("event {0} has fields outside the field array")]
    EventOutOfRange(usize),
    /// Two events that share fields: changing one would change the other.
    #[error("event {0} shares fields with an earlier event")]
    EventsOverlap(usize),
    /// A raw span beyond its segment.
    #[error("event {0} has raw bytes outside its segment")]
    RawOutOfRange(usize),
    /// More columns of changes than are allowed, or more fields than a batch can have.
    #[error("{columns} columns of changes are too many for {events} events")]
    TooManyColumns {
        /// Number of columns.
        columns: usize,
        /// Number of events.
        events: usize,
    },
    /// A column of neither one value nor one for each event.
    #[error("{values} values for {events} events")]
    ColumnLength {
        /// Number of values.
        values: usize,
        /// Number of events.
        events: usize,
    },
    /// A selection of neither these events nor none.
    #[error("{words} words select from {events} events")]
    SelectionLength {
        /// Number of words, of 64 events each.
        words: usize,
        /// Number of events.
        events: usize,
    },
    /// A change that there is not.
    #[error("value {index} has the unknown change {change}")]
    UnknownChange {
        /// Index of the value.
        index: usize,
        /// What it says.
        change: u32,
    },
    /// Something is wrong with a column of changes; its fields are its values.
    #[error("column {0}: {1}")]
    Column(usize, Box<InvalidBatch>),
}

/// Arrays of which nothing is known yet.
#[derive(Debug, Default)]
pub struct ForeignBatch {
    /// Blocks the fields point into.
    pub segments: Vec<Segment>,
    /// All fields.
    pub fields: Vec<Field>,
    /// All events.
    pub events: Vec<EventRecord>,
    /// Key names; their positions are the ids.
    pub keys: KeyTable,
}

impl ForeignBatch {
    /// Checks every bound and every text, and makes a batch of the arrays.
    ///
    /// What they claim beyond that is not believed but found out: whether a text needs escaping, and whether an
    /// event's raw bytes still are its fields. Where they are not, the event is encoded from its fields.
    pub fn validate(mut self) -> Result<Batch, InvalidBatch> {
        if self.segments.len() >= SEGMENTS_MAX {
            return Err(InvalidBatch::TooManySegments(self.segments.len()));
        }
        for (index, field) in self.fields.iter().enumerate() {
            self.texts().check_field(index, field)?;
        }
        self.check_events()?;
        self.settle_claims();
        Ok(Batch {
            segments: self.segments,
            arena: Arena::default(),
            fields: self.fields.into(),
            events: self.events.into(),
            keys: Arc::new(self.keys),
            acks: crate::Acks::default(),
        })
    }

    fn texts(&self) -> Texts<'_> {
        Texts { segments: &self.segments, keys: &self.keys }
    }

    /// Sets the flags of all fields and events to what is true of them.
    fn settle_claims(&mut self) {
        let mut fields = std::mem::take(&mut self.fields);
        for field in fields.iter_mut().filter(|field| field.tag.is_span()) {
            *field = self.texts().settled(field);
        }
        let mut events = std::mem::take(&mut self.events);
        for event in &mut events {
            self.texts().settle_event(event, &fields[event.first as usize..]);
        }
        (self.fields, self.events) = (fields, events);
    }

    fn check_events(&self) -> Result<(), InvalidBatch> {
        for (index, event) in self.events.iter().enumerate() {
            check_range(index, event, self.fields.len())?;
            self.texts().check_raw(index, event)?;
        }
        check_overlap(&self.events)
    }
}

/// Whether an event's fields exist and its counts agree with each other.
pub(crate) fn check_range(
    index: usize,
    event: &EventRecord,
    fields: usize,
) -> Result<(), InvalidBatch> {
    let end = u64::from(event.first) + u64::from(event.capacity.max(event.count));
    let fits = end <= fields as u64;
    if !fits || event.count > event.capacity || event.raw_fields > event.count {
        return Err(InvalidBatch::EventOutOfRange(index));
    }
    Ok(())
}

/// Whether no two events share fields.
pub(crate) fn check_overlap(events: &[EventRecord]) -> Result<(), InvalidBatch> {
    let ranges = events.iter().enumerate().filter(|(_, event)| event.capacity > 0);
    let mut ranges: Vec<(u32, u64, usize)> = ranges
        .map(|(index, e)| (e.first, u64::from(e.first) + u64::from(e.capacity), index))
        .collect();
    ranges.sort_unstable();
    for pair in ranges.windows(2) {
        if u64::from(pair[1].0) < pair[0].1 {
            return Err(InvalidBatch::EventsOverlap(pair[1].2));
        }
    }
    Ok(())
}

/// What fields and events point into.
#[derive(Clone, Copy)]
pub(crate) struct Texts<'a> {
    pub segments: &'a [Segment],
    pub keys: &'a KeyTable,
}

impl<'a> Texts<'a> {
    fn bytes(&self, span: Span) -> Option<&'a [u8]> {
        let bytes = &self.segments.get(usize::from(span.segment))?.bytes;
        bytes.get(span.offset as usize..)?.get(..span.len as usize)
    }

    pub fn check_raw(&self, index: usize, event: &EventRecord) -> Result<(), InvalidBatch> {
        match event.read_at() {
            Some(span) if self.bytes(span).is_none() => Err(InvalidBatch::RawOutOfRange(index)),
            _ => Ok(()),
        }
    }

    pub fn check_field(&self, index: usize, field: &Field) -> Result<(), InvalidBatch> {
        if field.key as usize >= self.keys.len() {
            let (key, keys) = (field.key, self.keys.len());
            return Err(InvalidBatch::KeyOutOfRange { field: index, key, keys });
        }
        if !field.tag.is_span() {
            return Ok(());
        }
        let text = self.bytes(field.span()).ok_or(InvalidBatch::SpanOutOfRange(index))?;
        let is_utf8 = || text.is_ascii() || simdutf8::basic::from_utf8(text).is_ok();
        if field.tag != Tag::Bytes && !is_utf8() {
            return Err(InvalidBatch::NotUtf8(index));
        }
        let is_as_claimed = match field.tag {
            Tag::Number => is_number(text),
            Tag::Object => text.first() == Some(&b'{') && is_value(text),
            Tag::Array => text.first() == Some(&b'[') && is_value(text),
            _ => true,
        };
        if is_as_claimed { Ok(()) } else { Err(InvalidBatch::NotJson(index)) }
    }

    /// The field with its flags as they truly are.
    pub fn settled(&self, field: &Field) -> Field {
        let text = self.bytes(field.span()).unwrap_or_default();
        let is_clean = field.tag == Tag::Str && find_special(text, 0) == text.len();
        let flags = if is_clean { FieldFlags::CLEAN } else { FieldFlags::NONE };
        Field::text(field.key, field.tag, field.span(), flags)
    }

    /// Clears the claims of an event that are not true of its raw bytes; `fields` are the event's.
    pub fn settle_event(&self, event: &mut EventRecord, fields: &[Field]) {
        let raw = event.raw().and_then(|span| self.bytes(span)).unwrap_or_default();
        let fields = &fields[..event.raw_fields as usize];
        if event.flags.contains(EventFlags::RAW_JSON) && !self.is_object_of(raw, fields) {
            event.flags.remove(EventFlags::RAW_JSON);
        }
        if event.flags.contains(EventFlags::RAW_DOCUMENT) && !self.is_document_of(raw, fields) {
            event.flags.remove(EventFlags::RAW_DOCUMENT);
        }
    }

    /// Whether `raw` is one JSON object whose members are `fields`, in their order.
    fn is_object_of(&self, raw: &[u8], fields: &[Field]) -> bool {
        let raw = raw.trim_ascii();
        if raw.first() != Some(&b'{') || !is_json(raw) {
            return false;
        }
        let mut fields = fields.iter();
        let all_equal = members(raw).all(|(name, value)| {
            fields.next().is_some_and(|field| {
                name.matches(self.keys.name(Key(field.key)).as_bytes())
                    && self.is_value_of(value, field)
            })
        });
        all_equal && fields.next().is_none()
    }

    /// Whether `raw` is one JSON document, and that is the first of `fields`.
    fn is_document_of(&self, raw: &[u8], fields: &[Field]) -> bool {
        let raw = raw.trim_ascii();
        let field = fields.first();
        let value = json_text::find(raw, &[]);
        is_json(raw)
            && value.zip(field).is_some_and(|(value, field)| self.is_value_of(value, field))
    }

    fn is_value_of(&self, value: JsonValue<'_>, field: &Field) -> bool {
        match field.tag {
            Tag::Null => value.text() == b"null",
            Tag::Bool => {
                value.text() == if field.payload() & 1 == 1 { &b"true"[..] } else { b"false" }
            }
            Tag::Number | Tag::Object | Tag::Array => {
                self.bytes(field.span()) == Some(value.text())
            }
            Tag::Str => {
                let text = self.bytes(field.span()).and_then(|text| std::str::from_utf8(text).ok());
                value
                    .as_json_str()
                    .zip(text)
                    .is_some_and(|(string, text)| string.matches(text.as_bytes()))
            }
            Tag::I64 | Tag::U64 | Tag::F64 | Tag::Timestamp | Tag::Bytes => false,
        }
    }
}

fn is_json(text: &[u8]) -> bool {
    is_value(text) && simdutf8::basic::from_utf8(text).is_ok()
}
