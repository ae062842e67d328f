//! The arrays of a batch, given by code that vouches for them.

use std::sync::Arc;

use crate::batch::{Batch, Segment};
use crate::edit::Arena;
use crate::field::Field;
use crate::key::KeyTable;
use crate::record::EventRecord;

impl Batch {
    /// A batch of arrays that were taken from a batch, without a check: what a plugin gets from its host.
    /// Arrays of which that is not known enter through [`crate::ForeignBatch`].
    #[must_use]
    pub fn from_arrays(
        segments: Vec<Segment>,
        fields: Vec<Field>,
        events: Vec<EventRecord>,
        keys: Arc<KeyTable>,
    ) -> Self {
        Self {
            segments,
            arena: Arena::default(),
            fields: Arc::new(fields),
            events: Arc::new(events),
            keys,
            acks: crate::Acks::default(),
        }
    }
}
