//! An event's record: where its fields are, when it happened, and the bytes it came from.

use crate::field::Span;

/// The event time of an event that has none.
pub const TIMESTAMP_UNKNOWN: i64 = i64::MIN;

/// What happened to an event since it was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct EventFlags(u8);

impl EventFlags {
    /// The raw span is one JSON object whose members are the first `raw_fields` fields.
    pub const RAW_JSON: Self = Self(1);
    /// A field that came from the raw span was changed or removed.
    pub const CHANGED: Self = Self(2);
    /// The event has a raw span.
    pub const RAW: Self = Self(4);
    /// The raw span lacks bytes: the line was longer than the source's limit.
    pub const TRUNCATED: Self = Self(8);
    /// The raw span is one JSON document that is no object; its value is the first field.
    pub const RAW_DOCUMENT: Self = Self(16);
    /// The event is one of several that its raw span became: that is where it was read, not what it is.
    pub const PIECE: Self = Self(32);

    /// Whether every flag of `other` is set.
    #[must_use]
    #[inline]
    pub const fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// Sets the flags of `other`.
    #[inline]
    pub const fn insert(&mut self, other: Self) {
        self.0 |= other.0;
    }

    /// Clears the flags of `other`.
    #[inline]
    pub const fn remove(&mut self, other: Self) {
        self.0 &= !other.0;
    }
}

/// One event: a contiguous range of the batch's fields.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(C)]
pub struct EventRecord {
    /// Nanoseconds since the Unix epoch, or [`TIMESTAMP_UNKNOWN`].
    pub timestamp_ns: i64,
    /// Index of the first field.
    pub first: u32,
    /// Number of fields.
    pub count: u32,
    /// Fields that fit behind `first` before the event must move.
    pub capacity: u32,
    /// How many of the leading fields come from the raw span.
    pub raw_fields: u32,
    raw_offset: u32,
    raw_len: u32,
    raw_segment: u8,
    /// What happened to the event.
    pub flags: EventFlags,
    reserved: [u8; 6],
}

const _: () = assert!(size_of::<EventRecord>() == 40 && align_of::<EventRecord>() == 8);

impl EventRecord {
    /// An event without fields and without a raw span.
    #[must_use]
    pub const fn empty(timestamp_ns: i64, first: u32) -> Self {
        Self {
            timestamp_ns,
            first,
            count: 0,
            capacity: 0,
            raw_fields: 0,
            raw_offset: 0,
            raw_len: 0,
            raw_segment: 0,
            flags: EventFlags(0),
            reserved: [0; 6],
        }
    }

    /// The bytes the event was read from; none for one of several events that they became.
    #[must_use]
    #[inline]
    pub fn raw(&self) -> Option<Span> {
        self.read_at().filter(|_| !self.flags.contains(EventFlags::PIECE))
    }

    /// Where the event was read, alone or with others.
    #[must_use]
    #[inline]
    pub fn read_at(&self) -> Option<Span> {
        self.flags.contains(EventFlags::RAW).then_some(Span {
            segment: self.raw_segment,
            offset: self.raw_offset,
            len: self.raw_len,
        })
    }

    /// States the bytes the event was read from.
    #[inline]
    pub const fn set_raw(&mut self, span: Span) {
        self.raw_segment = span.segment;
        self.raw_offset = span.offset;
        self.raw_len = span.len;
        self.flags.insert(EventFlags::RAW);
        self.flags.remove(EventFlags::PIECE);
    }

    /// Makes it one of several events that the bytes it was read from became: it was read there, but they are not
    /// its own.
    #[inline]
    pub const fn become_piece(&mut self) {
        self.raw_fields = 0;
        self.flags.remove(EventFlags::RAW_JSON);
        self.flags.remove(EventFlags::RAW_DOCUMENT);
        self.flags.remove(EventFlags::CHANGED);
        self.flags.insert(EventFlags::PIECE);
    }

    /// Number of raw bytes; 0 for an event that was not read.
    #[must_use]
    #[inline]
    pub const fn raw_len(&self) -> u32 {
        self.raw_len
    }
}
