//! Putting batches into a running topology from outside: as if a source had sent them, or as if they had reached a
//! component.
//!
//! **Invariant:** what is put in is counted, waits for room like everything else, and has an acknowledgement of its own:
//! whoever puts it in learns that it is delivered, and when that outlives a crash. It keeps nothing from ending.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use lograil_buffer::WeakEdgeSender;
use lograil_event::{AckId, AckStatus, Acks, Batch};
use lograil_plugin::Port;
use thiserror::Error;
use tokio::sync::oneshot;

use crate::checkpoint::Tracker;
use crate::departures::Departures;
use crate::door::DoorSender;
use crate::ledger::Counts;
use crate::outlet::Outlet;
use crate::source_task;
use crate::status::Observer;

/// Under which name the tracker keeps what reaches a component without a source. No component has it, since ids have
/// no colon.
const TRACK: &str = "lograil:injected";

/// Why events are discarded that were put in at a source and found no room in time; who put them in was told.
const BROKEN_OFF: &str = "not_taken_in_time";

/// Where batches can be put in, by the ids of components.
pub(crate) type Entrances = HashMap<String, Entrance>;

/// Where batches can be put in at one component.
#[derive(Clone)]
pub(crate) enum Entrance {
    /// What a source sends, and the source's number.
    Output { outlet: Weak<Outlet>, counts: Arc<Counts>, number: u32 },
    /// The edge in front of a sink or of the first transform of a chain.
    Edge(WeakEdgeSender),
    /// For the transform of this id, inside a chain.
    Door(Arc<str>, DoorSender),
}

/// Why nothing was put in.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum InjectError {
    /// The topology has no such component.
    #[error("the topology has no component `{0}`")]
    Unknown(String),
    /// It has one, which sends nothing by itself.
    #[error("`{0}` is no source")]
    NoSource(String),
    /// The component has ended or is changing.
    #[error("`{0}` takes nothing now: it has ended, or is being changed")]
    Closed(String),
}

/// For whoever put a batch in.
pub struct Receipt {
    id: AckId,
    fate: oneshot::Receiver<AckStatus>,
    tracker: Arc<Tracker>,
}

impl Receipt {
    /// Waits until the batch is delivered everywhere or is a dead letter that is; `false` if it will not be. May be
    /// cancelled and called again until it has answered.
    pub async fn delivered(&mut self) -> bool {
        (&mut self.fate).await.is_ok_and(AckStatus::is_resolved)
    }

    /// Waits until no crash can undo the delivery: it is part of a checkpoint.
    pub async fn checkpointed(&self) {
        self.tracker.wait_for_cut(self.id).await;
    }
}

/// What is on its way out of a source. What is broken off is counted as discarded: it is nowhere.
struct Leaving {
    departures: Departures,
    unsent: u64,
    counts: Arc<Counts>,
}

impl Drop for Leaving {
    fn drop(&mut self) {
        if self.unsent > 0 {
            self.counts.discarded(BROKEN_OFF, self.unsent);
        }
    }
}

impl Observer {
    /// Lets batches in at these entrances from now on.
    pub(crate) fn let_in(&self, entrances: Entrances) {
        *self.0.entrances.write().unwrap_or_else(PoisonError::into_inner) = entrances;
    }

    fn entrance(&self, id: &str) -> Result<Entrance, InjectError> {
        let entrances = self.0.entrances.read().unwrap_or_else(PoisonError::into_inner);
        entrances.get(id).cloned().ok_or_else(|| InjectError::Unknown(id.to_owned()))
    }

    /// Puts a batch in as if a source had sent it by a port, waiting for room. May be cancelled; then the batch may
    /// reach some of its consumers.
    ///
    /// # Errors
    /// If there is no such source or it has ended.
    pub async fn send_from(
        &self,
        source: &str,
        port: Port,
        batch: Batch,
    ) -> Result<Receipt, InjectError> {
        match self.entrance(source)? {
            Entrance::Output { outlet, counts, number } => {
                let closed = || InjectError::Closed(source.to_owned());
                let outlet = outlet.upgrade().ok_or_else(closed)?;
                let (batch, receipt) = self.begin(number, batch);
                counts.received(batch.len());
                counts.received_bytes(source_task::raw_bytes(&batch));
                let mut leaving = Leaving {
                    departures: Departures::default(),
                    unsent: batch.len() as u64,
                    counts,
                };
                outlet.depart(port, batch, &mut leaving.departures);
                drop(outlet);
                leaving.departures.deliver().await.map_err(|_| closed())?;
                leaving.unsent = 0;
                Ok(receipt)
            }
            _ => Err(InjectError::NoSource(source.to_owned())),
        }
    }

    /// Puts a batch in as if it had reached a component, or as if a source had sent it, waiting for room. May be
    /// cancelled, as [`Observer::send_from`] may.
    ///
    /// # Errors
    /// If there is no such component, or it has ended or is being changed.
    pub async fn send_to(&self, component: &str, batch: Batch) -> Result<Receipt, InjectError> {
        let closed = || InjectError::Closed(component.to_owned());
        match self.entrance(component)? {
            Entrance::Output { .. } => self.send_from(component, Port::MAIN, batch).await,
            Entrance::Edge(edge) => {
                let edge = edge.upgrade().ok_or_else(closed)?;
                let (batch, receipt) = self.begin(self.tracker().source(TRACK), batch);
                edge.send(batch).await.map_err(|_| closed())?;
                Ok(receipt)
            }
            Entrance::Door(id, door) => {
                let (batch, receipt) = self.begin(self.tracker().source(TRACK), batch);
                door.send((id, batch)).await.map_err(|_| closed())?;
                Ok(receipt)
            }
        }
    }

    /// Gives a batch an acknowledgement, and what its sender learns from it.
    fn begin(&self, source: u32, mut batch: Batch) -> (Batch, Receipt) {
        let (fate_sender, fate) = oneshot::channel();
        let fate_sender = Mutex::new(Some(fate_sender));
        let tracker = Arc::clone(self.tracker());
        let ack = tracker.begin_injected(source, move |status| {
            let sender = fate_sender.lock().unwrap_or_else(PoisonError::into_inner).take();
            // Whoever put it in may have gone away.
            let _waiting = sender.map(|sender| sender.send(status));
        });
        let id = ack.id().unwrap_or(AckId { source, sequence: 0 });
        batch.add_acks(Acks::from(ack));
        (batch, Receipt { id, fate, tracker })
    }
}
