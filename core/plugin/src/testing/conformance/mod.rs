//! Laws that hold for every component; each component's tests call those of its kind. A broken law panics
//! with the law's text.

mod corpus;
mod manual;
mod options;
mod schema;
mod sink;
mod source;
mod transform;

#[cfg(test)]
mod tests;

pub use corpus::corpus;
pub use manual::{examples, manual};
pub use options::options;
pub use sink::sink;
pub use source::source;
pub use transform::{TransformLaws, transform};

use std::sync::{Arc, Mutex, PoisonError};

use lograil_event::{Ack, AckId, AckStatus, Batch, ForeignBatch};

/// Checks every bound and text of a frozen batch, as if it came from outside.
fn assert_valid(batch: &Batch) {
    let foreign = ForeignBatch {
        segments: batch.segments().to_vec(),
        fields: batch.fields().to_vec(),
        events: batch.records().to_vec(),
        keys: batch.keys().clone(),
    };
    if let Err(error) = foreign.validate() {
        panic!("every batch a component emits is valid: {error}");
    }
    // Reads every value, and JSON text as JSON.
    let _events = crate::testing::batches::events_of(batch);
}

/// The fates of acknowledgements, by the order in which they were given out.
#[derive(Debug, Clone, Default)]
pub struct AckLog {
    fates: Arc<Mutex<Vec<Option<AckStatus>>>>,
}

impl AckLog {
    /// Adds an acknowledgement of its own to a batch.
    pub fn watch(&self, batch: &mut Batch) {
        let mut fates = self.lock();
        let sequence = fates.len() as u64;
        fates.push(None);
        let log = self.clone();
        let ack = Ack::new(AckId { source: 0, sequence }, move |id, status| {
            let mut fates = log.lock();
            let fate = &mut fates[id.sequence as usize];
            assert!(fate.is_none(), "an acknowledgement is resolved once");
            *fate = Some(status);
        });
        drop(fates);
        batch.add_acks(ack.into());
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<Option<AckStatus>>> {
        self.fates.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Panics where an acknowledgement was dropped or kept; `when` says how far things are.
    pub fn assert_all_resolved(&self, when: &str) {
        for (sequence, fate) in self.lock().iter().enumerate() {
            match fate {
                Some(AckStatus::Errored) => panic!(
                    "acknowledgements travel with what is emitted: that of batch {sequence} was dropped {when}"
                ),
                Some(_) => {}
                None => panic!(
                    "acknowledgements travel with what is emitted: that of batch {sequence} was kept {when}"
                ),
            }
        }
    }
}
