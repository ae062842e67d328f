//! The door for arrays that come from a disk, a wire or a plugin: checked here, trusted afterwards.

use std::sync::Arc;

use thiserror::Error;

use crate::batch::{Batch, SEGMENTS_MAX, Segment};
use crate::edit::Arena;
use crate::field::{Field, Span, Tag};
use crate::key::KeyTable;
use crate::record::EventRecord;

/// What is wrong with foreign arrays.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum InvalidBatch {
    /// More segments than an index can name.
    #[error("{0} segments, at most {SEGMENTS_MAX} are allowed")]
    TooManySegments(usize),
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
    /// An event whose fields do not exist, or whose counts contradict each other.
    #[error("event {0} has fields outside the field array")]
    EventOutOfRange(usize),
    /// Two events that share fields: changing one would change the other.
    #[error("event {0} shares fields with an earlier event")]
    EventsOverlap(usize),
    /// A raw span beyond its segment.
    #[error("event {0} has raw bytes outside its segment")]
    RawOutOfRange(usize),
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
    pub fn validate(self) -> Result<Batch, InvalidBatch> {
        if self.segments.len() >= SEGMENTS_MAX {
            return Err(InvalidBatch::TooManySegments(self.segments.len()));
        }
        for (index, field) in self.fields.iter().enumerate() {
            self.check_field(index, field)?;
        }
        self.check_events()?;
        Ok(Batch {
            segments: self.segments,
            arena: Arena::default(),
            fields: Arc::new(self.fields),
            events: Arc::new(self.events),
            keys: Arc::new(self.keys),
            acks: crate::Acks::default(),
        })
    }

    fn bytes(&self, span: Span) -> Option<&[u8]> {
        let bytes = &self.segments.get(usize::from(span.segment))?.bytes;
        bytes.get(span.offset as usize..)?.get(..span.len as usize)
    }

    fn check_field(&self, index: usize, field: &Field) -> Result<(), InvalidBatch> {
        if field.key as usize >= self.keys.len() {
            let (key, keys) = (field.key, self.keys.len());
            return Err(InvalidBatch::KeyOutOfRange { field: index, key, keys });
        }
        if !field.tag.is_span() {
            return Ok(());
        }
        let text = self.bytes(field.span()).ok_or(InvalidBatch::SpanOutOfRange(index))?;
        if field.tag != Tag::Bytes && simdutf8::basic::from_utf8(text).is_err() {
            return Err(InvalidBatch::NotUtf8(index));
        }
        Ok(())
    }

    fn check_events(&self) -> Result<(), InvalidBatch> {
        let mut ranges = Vec::with_capacity(self.events.len());
        for (index, event) in self.events.iter().enumerate() {
            let end = u64::from(event.first) + u64::from(event.capacity.max(event.count));
            let fits = end <= self.fields.len() as u64;
            if !fits || event.count > event.capacity || event.raw_fields > event.count {
                return Err(InvalidBatch::EventOutOfRange(index));
            }
            if event.raw().is_some_and(|span| self.bytes(span).is_none()) {
                return Err(InvalidBatch::RawOutOfRange(index));
            }
            if event.capacity > 0 {
                ranges.push((event.first, end, index));
            }
        }
        ranges.sort_unstable();
        for pair in ranges.windows(2) {
            if u64::from(pair[1].0) < pair[0].1 {
                return Err(InvalidBatch::EventsOverlap(pair[1].2));
            }
        }
        Ok(())
    }
}
