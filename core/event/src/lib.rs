//! The event batch: events as flat arrays over the blocks that were read.
//!
//! A [`Batch`] owns **segments** (shared immutable bytes), **fields** (16-byte records that point into
//! them), **events** (ranges of fields) and a **key table**. Reading a batch allocates nothing; adding a
//! field appends to an arena; dropping events edits the event array only.
//!
//! **Invariant:** this crate knows no runtime, no I/O and no clock, and uses no other crate of ours.

mod ack;
mod array;
mod batch;
mod changes;
mod derived;
mod edit;
mod event;
mod field;
mod json_check;
pub mod json_text;
mod key;
mod parts;
mod record;
pub mod scan;
mod selection;
mod validate;
mod value;

pub use ack::{Ack, AckId, AckStatus, Acks};
pub use array::{Array, Grant};
pub use batch::{Batch, Origin, SEGMENTS_MAX, SEGMENTS_PER_SOURCE_BATCH_MAX, Segment};
pub use changes::{Change, Changes, ForeignColumn, Placement};
pub use derived::{CheckedBatch, DerivedBatch};
pub use edit::{Arena, BatchMut};
pub use event::EventRef;
pub use field::{Field, FieldFlags, ForeignField, Span, Tag};
pub use json_check::is_value as is_json;
pub use key::{Key, KeyTable};
pub use record::{EventFlags, EventRecord, TIMESTAMP_UNKNOWN};
pub use selection::{Selection, WORD_EVENTS, bits};
pub use validate::{ForeignBatch, InvalidBatch};
pub use value::ValueRef;
