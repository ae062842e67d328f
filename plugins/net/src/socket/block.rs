//! A block: messages that were received, on their way to a batch.
//!
//! **Invariant:** an event points into the bytes that were received; nothing is allocated for it.

use std::net::SocketAddr;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use lograil_event::{Batch, EventFlags, EventRecord, Field, FieldFlags, KeyTable, Span, Tag};

use super::framing::Frame;
use super::options::Oversized;

/// Events that a batch has at most.
pub(super) const EVENTS_MAX: usize = 4096;
/// Bytes from which on a block is full.
pub(super) const BLOCK_BYTES: usize = 1 << 20;

const MESSAGE: u32 = 0;

/// What fields an event gets.
#[derive(Debug, Clone)]
pub(super) struct Shape {
    pub host_key: Option<String>,
    pub port_key: Option<String>,
    pub oversized: Oversized,
}

impl Shape {
    /// The keys of all batches: the message, then those of the shape in their order.
    pub fn keys(&self) -> Arc<KeyTable> {
        let mut keys = KeyTable::default();
        keys.intern("message");
        for name in [&self.host_key, &self.port_key].into_iter().flatten() {
            keys.intern(name);
        }
        Arc::new(keys)
    }
}

/// Messages as they were received.
#[derive(Debug, Default)]
pub(super) struct Block {
    bytes: BytesMut,
    frames: Vec<Frame>,
    /// Who sent the messages from an index on.
    senders: Vec<(usize, Option<SocketAddr>)>,
}

impl Block {
    /// A block of what one peer sent.
    pub fn of_stream(bytes: BytesMut, frames: Vec<Frame>, sender: Option<SocketAddr>) -> Self {
        Self { bytes, frames, senders: vec![(0, sender)] }
    }

    /// Adds a datagram; `split` gives its messages.
    pub fn add(
        &mut self,
        datagram: &[u8],
        sender: Option<SocketAddr>,
        split: impl FnOnce(&mut dyn FnMut(Frame)),
    ) {
        let from = self.bytes.len();
        self.bytes.extend_from_slice(datagram);
        if self.senders.last().is_none_or(|(_, last)| *last != sender) {
            self.senders.push((self.frames.len(), sender));
        }
        split(&mut |frame| {
            let range = from + frame.range.start..from + frame.range.end;
            self.frames.push(Frame { range, ..frame });
        });
    }

    pub fn is_empty(&self) -> bool {
        self.frames.is_empty()
    }

    pub fn is_full(&self) -> bool {
        self.bytes.len() >= BLOCK_BYTES || self.frames.len() >= EVENTS_MAX
    }

    /// Bytes it is paid for with.
    pub fn size(&self) -> usize {
        self.bytes.len() + self.frames.len() * size_of::<Frame>()
    }

    /// How many messages were cut.
    pub fn cut(&self) -> usize {
        self.frames.iter().filter(|frame| frame.is_cut).count()
    }

    /// The events, and those that are to be dead letters.
    pub fn into_batch(
        self,
        shape: &Shape,
        keys: &Arc<KeyTable>,
        now_ns: i64,
    ) -> (Batch, Option<Batch>) {
        let mut batch = Batch::with_keys(Arc::clone(keys));
        let mut edit = batch.edit();
        let bytes: Bytes = self.bytes.freeze();
        let is_utf8 = simdutf8::basic::from_utf8(&bytes).is_ok();
        let segment = edit.add_segment(bytes.clone(), None);
        let mut senders = self.senders.into_iter().peekable();
        let mut more: [Option<Field>; 2] = [None, None];
        for (index, frame) in self.frames.iter().enumerate() {
            if let Some((_, sender)) = senders.next_if(|(from, _)| *from <= index) {
                more = sender_fields(&mut edit, shape, sender);
            }
            let (offset, len) = (frame.range.start as u32, frame.range.len() as u32);
            let span = Span { segment, offset, len };
            let is_text =
                is_utf8 || simdutf8::basic::from_utf8(&bytes[frame.range.clone()]).is_ok();
            let tag = if is_text { Tag::Str } else { Tag::Bytes };
            let first = edit.fields().len() as u32;
            edit.fields().push(Field::text(MESSAGE, tag, span, FieldFlags::NONE));
            edit.fields().extend(more.iter().flatten());
            let mut record = EventRecord::empty(now_ns, first);
            record.count = edit.fields().len() as u32 - first;
            record.capacity = record.count;
            record.set_raw(span);
            if frame.is_cut {
                record.flags.insert(EventFlags::TRUNCATED);
            }
            edit.events().push(record);
        }
        let letters = match shape.oversized {
            Oversized::Truncate => None,
            Oversized::DeadLetter => batch.split_off_where(|event| self.frames[event].is_cut),
        };
        (batch, letters)
    }
}

/// The fields that say who sent a message.
fn sender_fields(
    edit: &mut lograil_event::BatchMut<'_>,
    shape: &Shape,
    sender: Option<SocketAddr>,
) -> [Option<Field>; 2] {
    let Some(sender) = sender else { return [None, None] };
    let mut next_key = MESSAGE;
    let mut key_of = |key: &Option<String>| {
        key.as_ref().map(|_| {
            next_key += 1;
            next_key
        })
    };
    let (host, port) = (key_of(&shape.host_key), key_of(&shape.port_key));
    let host = host.map(|key| {
        let span = edit.push_text(sender.ip().to_canonical().to_string().as_bytes());
        Field::text(key, Tag::Str, span, FieldFlags::NONE)
    });
    [host, port.map(|key| Field::i64(key, i64::from(sender.port())))]
}
