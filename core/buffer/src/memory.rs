//! An edge in memory.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use lograil_event::Batch;
use tokio::sync::mpsc::{self, error::TryRecvError};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Bytes that one permit stands for: semaphores count in 32 bits.
const PERMIT_BYTES: usize = 1024;

struct Item {
    batch: Batch,
    bytes: u64,
    _permit: OwnedSemaphorePermit,
}

/// How full an edge is.
#[derive(Debug, Default)]
pub struct EdgeLevel {
    bytes: AtomicU64,
    events: AtomicU64,
    capacity_bytes: u64,
}

impl EdgeLevel {
    /// Bytes waiting.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }

    /// Events waiting.
    #[must_use]
    pub fn events(&self) -> u64 {
        self.events.load(Ordering::Relaxed)
    }

    /// Bytes that may wait before senders do.
    #[must_use]
    pub fn capacity_bytes(&self) -> u64 {
        self.capacity_bytes
    }
}

/// The sending end; clones feed the same edge.
#[derive(Clone)]
pub struct EdgeSender {
    queue: mpsc::UnboundedSender<Item>,
    room: Arc<Semaphore>,
    permits_max: u32,
    level: Arc<EdgeLevel>,
}

/// The receiving end.
pub struct EdgeReceiver {
    queue: mpsc::UnboundedReceiver<Item>,
    room: Arc<Semaphore>,
    level: Arc<EdgeLevel>,
}

/// The receiver is gone; the batch comes back.
#[derive(Debug)]
pub struct EdgeClosed(pub Batch);

/// An edge that holds at most `capacity_bytes`, or one batch if that is larger.
#[must_use]
pub fn memory(capacity_bytes: usize) -> (EdgeSender, EdgeReceiver) {
    let permits_max = u32::try_from(capacity_bytes / PERMIT_BYTES).unwrap_or(u32::MAX / 2).max(1);
    let (sender, receiver) = mpsc::unbounded_channel();
    let room = Arc::new(Semaphore::new(permits_max as usize));
    let level =
        Arc::new(EdgeLevel { capacity_bytes: capacity_bytes as u64, ..EdgeLevel::default() });
    let sending = EdgeSender {
        queue: sender,
        room: Arc::clone(&room),
        permits_max,
        level: Arc::clone(&level),
    };
    (sending, EdgeReceiver { queue: receiver, room, level })
}

impl EdgeSender {
    /// Sends a batch, waiting for room.
    pub async fn send(&self, batch: Batch) -> Result<(), EdgeClosed> {
        let bytes = batch.size_bytes();
        let permits = u32::try_from(bytes / PERMIT_BYTES + 1).unwrap_or(u32::MAX);
        let wanted = permits.min(self.permits_max);
        let Ok(permit) = Arc::clone(&self.room).acquire_many_owned(wanted).await else {
            return Err(EdgeClosed(batch));
        };
        let (bytes, events) = (bytes as u64, batch.len() as u64);
        self.level.bytes.fetch_add(bytes, Ordering::Relaxed);
        self.level.events.fetch_add(events, Ordering::Relaxed);
        self.queue.send(Item { batch, bytes, _permit: permit }).map_err(|refused| {
            self.level.leave(&refused.0);
            EdgeClosed(refused.0.batch)
        })
    }

    /// Whether the receiver is gone.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.queue.is_closed()
    }

    /// How full the edge is.
    #[must_use]
    pub fn level(&self) -> Arc<EdgeLevel> {
        Arc::clone(&self.level)
    }
}

impl EdgeLevel {
    fn leave(&self, item: &Item) {
        self.bytes.fetch_sub(item.bytes, Ordering::Relaxed);
        self.events.fetch_sub(item.batch.len() as u64, Ordering::Relaxed);
    }
}

impl EdgeReceiver {
    /// The next batch, or `None` once all senders are gone and the edge is empty.
    pub async fn recv(&mut self) -> Option<Batch> {
        self.queue.recv().await.map(|item| self.taken(item))
    }

    /// The next batch if one waits.
    pub fn try_recv(&mut self) -> Option<Batch> {
        match self.queue.try_recv() {
            Ok(item) => Some(self.taken(item)),
            Err(TryRecvError::Empty | TryRecvError::Disconnected) => None,
        }
    }

    fn taken(&self, item: Item) -> Batch {
        self.level.leave(&item);
        item.batch
    }
}

impl Drop for EdgeReceiver {
    fn drop(&mut self) {
        // Senders that wait for room must learn that nobody will make any.
        self.room.close();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::FutureExt;
    use futures::task::noop_waker;
    use std::task::Context;

    fn batch_of(bytes: usize) -> Batch {
        let mut batch = Batch::new();
        let mut edit = batch.edit();
        edit.push_text(&vec![b'x'; bytes]);
        edit.push_event(0);
        batch
    }

    #[tokio::test]
    async fn a_full_edge_makes_its_sender_wait() {
        let (sender, mut receiver) = memory(10 * 1024);
        sender.send(batch_of(6 * 1024)).await.unwrap();
        let mut second = Box::pin(sender.send(batch_of(6 * 1024)));
        let waker = noop_waker();
        assert!(second.poll_unpin(&mut Context::from_waker(&waker)).is_pending());
        assert_eq!(sender.level().events(), 1);
        assert!(receiver.recv().await.is_some());
        second.await.unwrap();
        assert_eq!(sender.level().events(), 1);
        assert!(receiver.try_recv().is_some());
        assert_eq!((sender.level().bytes(), sender.level().events()), (0, 0));
    }

    #[tokio::test]
    async fn a_batch_larger_than_the_edge_passes_alone() {
        let (sender, mut receiver) = memory(1024);
        sender.send(batch_of(1 << 20)).await.unwrap();
        assert!(receiver.recv().await.is_some());
        sender.send(batch_of(1 << 20)).await.unwrap();
    }

    #[tokio::test]
    async fn a_waiting_sender_gets_its_batch_back_when_the_receiver_goes() {
        let (sender, receiver) = memory(1024);
        sender.send(batch_of(1024)).await.unwrap();
        let waiting = sender.send(batch_of(1024));
        drop(receiver);
        assert_eq!(waiting.await.unwrap_err().0.len(), 1);
    }
}
