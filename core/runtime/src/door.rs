//! The way into a chain behind its first transform, for what is put in from outside.
//!
//! **Invariant:** holds one batch at most; whoever puts in more waits. It does not keep its chain from ending.

use std::sync::Arc;

use lograil_event::Batch;
use tokio::sync::mpsc;

/// A batch, and the id of the transform that is to get it.
type Entering = (Arc<str>, Batch);

/// The outer side.
pub(crate) type DoorSender = mpsc::Sender<Entering>;

/// The chain's side.
pub(crate) struct Door {
    /// Held so that the receiver never ends.
    sender: DoorSender,
    receiver: mpsc::Receiver<Entering>,
}

impl Default for Door {
    fn default() -> Self {
        let (sender, receiver) = mpsc::channel(1);
        Self { sender, receiver }
    }
}

impl Door {
    /// A handle for those outside.
    pub fn sender(&self) -> DoorSender {
        self.sender.clone()
    }

    /// The next batch that is put in. May be cancelled.
    pub async fn recv(&mut self) -> Entering {
        match self.receiver.recv().await {
            Some(entering) => entering,
            None => std::future::pending().await,
        }
    }
}
