//! Batches as both sides see them: flat arrays, layout 1.

use std::ffi::c_void;

use crate::Str;
use crate::host::Batch;

/// `layout` of a view: the arrangement of the arrays described here.
pub const LAYOUT: u32 = 1;

/// The values of [`Field::tag`]. A plugin must tolerate ones it does not know in its input.
pub mod tag {
    /// `tag` of a field: null.
    pub const NULL: u8 = 0;
    /// A boolean: the lowest bit of the payload.
    pub const BOOL: u8 = 1;
    /// A signed integer.
    pub const I64: u8 = 2;
    /// An unsigned integer above the largest signed one.
    pub const U64: u8 = 3;
    /// The bits of a double.
    pub const F64: u8 = 4;
    /// Nanoseconds since the Unix epoch, signed.
    pub const TIMESTAMP: u8 = 5;
    /// A span: a number as JSON writes it.
    pub const NUMBER: u8 = 7;
    /// A span: UTF-8 text.
    pub const STR: u8 = 8;
    /// A span: bytes.
    pub const BYTES: u8 = 9;
    /// A span: a JSON object as text.
    pub const OBJECT: u8 = 16;
    /// A span: a JSON array as text.
    pub const ARRAY: u8 = 17;
}

/// One key and its value, 16 bytes. A span is in the payload: offset in the low half, length in the high half.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(C)]
pub struct Field {
    /// Index into the keys of the batch.
    pub key: u32,
    /// `LR_TAG_*`; skip those you do not know.
    pub tag: u8,
    /// Segment of a span.
    pub segment: u8,
    /// 1: the text needs no escaping in JSON. A hint, found out anew where a plugin says so.
    pub flags: u16,
    /// The number, or a span: offset in the low half, length in the high half.
    pub payload: u64,
}

/// The bits of [`Event::flags`].
pub mod event_flags {
    /// `flags` of an event: raw is one JSON object whose members are the first `raw_fields` fields.
    pub const RAW_JSON: u8 = 1;
    /// A field that came from raw was changed or removed.
    pub const CHANGED: u8 = 2;
    /// There are raw bytes.
    pub const RAW: u8 = 4;
    /// Raw is incomplete: the line was longer than the source's limit.
    pub const TRUNCATED: u8 = 8;
    /// Raw is one JSON document that is no object; its value is the first field.
    pub const RAW_DOCUMENT: u8 = 16;
    /// Raw is where the event was read together with others, which it is a part of; it is not the bytes of this one.
    pub const PIECE: u8 = 32;
}

/// One event, 40 bytes: `fields[first .. first + count]`. Events never share fields.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(C)]
pub struct Event {
    /// Nanoseconds since the Unix epoch; INT64_MIN where unknown.
    pub timestamp_ns: i64,
    /// Index of its first field.
    pub first: u32,
    /// Number of its fields.
    pub count: u32,
    /// Fields that belong to it from `first` on, used or not; at least `count`. Those behind `count` mean nothing.
    pub capacity: u32,
    /// How many of the leading fields come from the raw bytes.
    pub raw_fields: u32,
    /// First raw byte within the segment.
    pub raw_offset: u32,
    /// Number of raw bytes.
    pub raw_len: u32,
    /// Segment of the raw bytes.
    pub raw_segment: u8,
    /// `LR_EVENT_*`.
    pub flags: u8,
    /// Zero.
    pub reserved: [u8; 6],
}

/// `flags` of a segment: `stream` and `offset` mean something.
pub const SEGMENT_HAS_ORIGIN: u32 = 1;

/// A block of bytes that spans point into.
#[derive(Debug, Clone, Copy)]
#[repr(C)]
pub struct Segment {
    /// The bytes.
    pub ptr: *const u8,
    /// Number of bytes, below 4 GiB.
    pub len: u64,
    /// The stream it was read from.
    pub stream: u64,
    /// Position of its first byte in the stream.
    pub offset: u64,
    /// `LR_SEGMENT_HAS_ORIGIN` or 0.
    pub flags: u32,
    /// Zero.
    pub reserved: u32,
}

/// A batch to read. The arrays belong to the host and live as long as the batch (see `batch_ref`).
#[derive(Debug, Clone, Copy)]
#[repr(C)]
pub struct View {
    /// sizeof of this, as its reader knows it; set it before the call.
    pub size: u32,
    /// `LR_LAYOUT`.
    pub layout: u32,
    /// The events.
    pub events: *const Event,
    /// The fields of all events.
    pub fields: *const Field,
    /// The segments.
    pub segments: *const Segment,
    /// Key names; the positions are the ids.
    pub keys: *const Str,
    /// Number of events.
    pub event_count: u32,
    /// Number of fields.
    pub field_count: u32,
    /// Number of segments.
    pub segment_count: u32,
    /// Number of keys.
    pub key_count: u32,
    /// Two batches of one instance with the same number have the same keys.
    pub keys_id: u64,
    /// Stands for the batch's acknowledgements, see `release` of the host; 0 for none.
    pub token: u64,
    /// `fields` once more, to append fields in place: a transform may write, in the call that brought the batch, those
    /// from `first + count` up to `first + capacity` of any event, then emit `fields` of this view with copies of its
    /// events that have a greater `count`. Any other change is made in a copy of the fields. What was written stays as
    /// it is once it was emitted. NULL where nothing may be written. Since 1.3.
    pub spare: *mut Field,
}

/// Bytes of [`View`] in version 1.0.
pub const VIEW_BYTES_MIN: usize = std::mem::offset_of!(View, spare);

/// How far a source has come in a stream, once the batch is acknowledged.
#[derive(Debug, Clone, Copy)]
#[repr(C)]
pub struct Position {
    /// The stream.
    pub stream: Str,
    /// The position in the source's own notation; none (ptr == NULL) forgets the stream.
    pub position: Str,
}

/// The values of [`Output::port`] that are not those of named outputs.
pub mod port {
    /// `port` of what is emitted: the unnamed output.
    pub const MAIN: u32 = 0;
    /// Dead letters.
    pub const DEAD_LETTER: u32 = 65535;
}

/// What [`Field::key`] says of a value of a [`Column`].
pub mod change {
    /// `key` of a value in a column: the field stays as it is.
    pub const KEEP: u32 = 0;
    /// The field gets the value.
    pub const SET: u32 = 1;
    /// The field goes, if it is there.
    pub const REMOVE: u32 = 2;
}

/// `flags` of a column: no event has the key, so that values are appended without a search.
pub const COLUMN_APPENDS: u32 = 1;

/// Changes of one field of all events of a batch that is emitted. They are copied and checked during the call. Since 1.4.
#[derive(Debug, Clone, Copy)]
#[repr(C)]
pub struct Column {
    /// What becomes of the field, `LR_CHANGE_*` in the place of the key: for each event, or once for all. Spans may lie in
    /// segments of the batch and of the output.
    pub values: *const Field,
    /// Number of values: as many as events, or 1.
    pub count: u32,
    /// The key of the field.
    pub key: u32,
    /// `LR_COLUMN_APPENDS` or 0.
    pub flags: u32,
    /// Zero.
    pub reserved: u32,
}

/// A batch to emit as arrays. Everything is checked and, but for what it lends, copied during the call. Segments and keys
/// of `base` come first, so that fields of `base` can be given back as they are. Cheapest are the arrays of the view of
/// `base` themselves, next fields that were appended in place (`spare`), then arrays that begin as those do.
#[derive(Debug, Clone, Copy)]
#[repr(C)]
pub struct Output {
    /// sizeof of this, as the plugin knows it.
    pub size: u32,
    /// `LR_PORT_MAIN` the unnamed output, `LR_PORT_DEAD_LETTER` dead letters, otherwise the number of a named one.
    pub port: u32,
    /// The batch whose segments and keys come before the ones given here; NULL for none.
    pub base: *const Batch,
    /// The events.
    pub events: *const Event,
    /// The fields of all events.
    pub fields: *const Field,
    /// Segments behind those of `base`.
    pub segments: *const Segment,
    /// Keys behind those of `base`.
    pub keys: *const Str,
    /// Tokens of the batches that its events come from.
    pub tokens: *const u64,
    /// For sources: positions that go with the batch.
    pub positions: *const Position,
    /// Number of events.
    pub event_count: u32,
    /// Number of fields.
    pub field_count: u32,
    /// Number of segments given here.
    pub segment_count: u32,
    /// Number of keys given here.
    pub key_count: u32,
    /// Number of tokens.
    pub token_count: u32,
    /// Number of positions.
    pub position_count: u32,
    /// What `release` gets. Since 1.2.
    pub owner: *mut c_void,
    /// Events, fields and the bytes of segments are lent: they stay as they are until the host calls this, once, from
    /// any thread, also after destroy, even where it refuses the batch. What lies in the arrays and segments of `base`
    /// need not stay longer than those. NULL: they are copied. Since 1.2.
    pub release: Option<unsafe extern "C" fn(owner: *mut c_void)>,
    /// Changes of fields, made by the host after it has taken the arrays, one column after the other; at most 1024. Cheapest
    /// where the arrays are those of the view of `base`: then the host changes its own and nothing is copied. Since 1.4.
    pub columns: *const Column,
    /// A bit for each event, 0 where the event is left out, after the columns: bit `event % 64` of word `event / 64`. NULL
    /// where all stay. Since 1.4.
    pub kept: *const u64,
    /// Number of columns. Since 1.4.
    pub column_count: u32,
    /// Number of words in `kept`: as many as the events take, or 0. Since 1.4.
    pub kept_count: u32,
}

/// Bytes of [`Output`] in version 1.0: what every plugin gives.
pub const OUTPUT_BYTES_MIN: usize = std::mem::offset_of!(Output, owner);

const _: () = assert!(size_of::<Field>() == 16 && align_of::<Field>() == 8);
const _: () = assert!(size_of::<Event>() == 40 && align_of::<Event>() == 8);
const _: () = assert!(size_of::<Segment>() == 40);
const _: () = assert!(size_of::<Column>() == 24);
const _: () = assert!(size_of::<View>() == 80 && VIEW_BYTES_MIN == 72);
const _: () = assert!(size_of::<Output>() == 128 && OUTPUT_BYTES_MIN == 88);
