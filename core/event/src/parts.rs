//! The arrays of a batch, given by code that vouches for them, and taken from one.

use std::sync::Arc;

use crate::array::Array;
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
        fields: Array<Field>,
        events: Array<EventRecord>,
        keys: Arc<KeyTable>,
    ) -> Self {
        let (arena, acks) = (Arena::default(), crate::Acks::default());
        Self { segments, arena, fields, events, keys, acks }
    }

    /// The segments, the fields and the events, whose acknowledgements were taken before.
    #[must_use]
    pub fn into_arrays(mut self) -> (Vec<Segment>, Array<Field>, Array<EventRecord>) {
        self.freeze();
        (self.segments, self.fields, self.events)
    }
}
