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

    /// The array of the fields, where nobody else has it: whoever lends the batch may let others write those that belong
    /// to no event.
    pub fn spare_fields(&mut self) -> Option<&mut [Field]> {
        self.fields.own_mut()
    }

    /// As [`Self::snapshot`], with fields of its own: those that belong to no event are null, whatever somebody may have
    /// written there or may still write.
    #[must_use]
    pub fn detached(&self) -> Self {
        let mut fields = vec![Field::null(0); self.fields.len()];
        for record in &*self.events {
            let own = record.first as usize..(record.first + record.count) as usize;
            fields[own.clone()].copy_from_slice(&self.fields[own]);
        }
        Self { fields: fields.into(), ..self.snapshot() }
    }
}
