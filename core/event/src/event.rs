//! Reading one event of a batch.

use crate::batch::Batch;
use crate::field::Field;
use crate::key::Key;
use crate::record::EventRecord;
use crate::value::ValueRef;

/// One event, borrowed from its batch.
#[derive(Clone, Copy)]
pub struct EventRef<'a> {
    batch: &'a Batch,
    record: &'a EventRecord,
}

impl<'a> EventRef<'a> {
    pub(crate) fn new(batch: &'a Batch, record: &'a EventRecord) -> Self {
        Self { batch, record }
    }

    /// The batch the event is in.
    #[must_use]
    pub fn batch(&self) -> &'a Batch {
        self.batch
    }

    /// The event's record.
    #[must_use]
    pub fn record(&self) -> &'a EventRecord {
        self.record
    }

    /// Nanoseconds since the Unix epoch, or [`crate::TIMESTAMP_UNKNOWN`].
    #[must_use]
    pub fn timestamp_ns(&self) -> i64 {
        self.record.timestamp_ns
    }

    /// The event's fields in their order.
    #[must_use]
    #[inline]
    pub fn fields(&self) -> &'a [Field] {
        &self.batch.fields()[self.record.first as usize..][..self.record.count as usize]
    }

    /// The field of a key.
    #[must_use]
    #[inline]
    pub fn field(&self, key: Key) -> Option<&'a Field> {
        self.fields().iter().find(|field| field.key == key.0)
    }

    /// The value of a key.
    #[must_use]
    #[inline]
    pub fn get(&self, key: Key) -> Option<ValueRef<'a>> {
        self.field(key).map(|field| self.batch.value(field))
    }

    /// The value of a name; look the key up once a batch instead where it matters.
    #[must_use]
    pub fn get_named(&self, name: &str) -> Option<ValueRef<'a>> {
        self.get(self.batch.find_key(name)?)
    }

    /// Keys and values in their order.
    pub fn iter(&self) -> impl Iterator<Item = (&'a str, ValueRef<'a>)> {
        let batch = self.batch;
        self.fields()
            .iter()
            .map(move |field| (batch.keys().name(Key(field.key)), batch.value(field)))
    }

    /// The bytes the event was read from.
    #[must_use]
    #[inline]
    pub fn raw(&self) -> Option<&'a [u8]> {
        self.record.raw().map(|span| self.batch.text(span))
    }

    /// Where the event was read: the stream and the offset of its first byte in it. Stable across restarts.
    #[must_use]
    pub fn origin(&self) -> Option<(u64, u64)> {
        let raw = self.record.read_at()?;
        let origin = self.batch.segments().get(usize::from(raw.segment))?.origin?;
        // A foreign origin may claim any offset.
        Some((origin.stream, origin.offset.wrapping_add(u64::from(raw.offset))))
    }
}
