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

/// A sending end that does not keep the edge from ending.
#[derive(Clone)]
pub struct WeakEdgeSender {
    queue: mpsc::WeakUnboundedSender<Item>,
    room: Arc<Semaphore>,
    permits_max: u32,
    level: Arc<EdgeLevel>,
}

/// Room for one batch.
#[derive(Debug)]
pub struct Room {
    permit: OwnedSemaphorePermit,
    bytes: u64,
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
        match self.room(&batch).await {
            Some(room) => self.put(batch, room),
            None => Err(EdgeClosed(batch)),
        }
    }

    /// Waits until there is room for a batch; `None` if the receiver is gone. May be cancelled.
    pub async fn room(&self, batch: &Batch) -> Option<Room> {
        let bytes = batch.size_bytes();
        let permits = u32::try_from(bytes / PERMIT_BYTES + 1).unwrap_or(u32::MAX);
        let wanted = permits.min(self.permits_max);
        let permit = Arc::clone(&self.room).acquire_many_owned(wanted).await.ok()?;
        Some(Room { permit, bytes: bytes as u64 })
    }

    /// Sends the batch for which there is room.
    pub fn put(&self, batch: Batch, room: Room) -> Result<(), EdgeClosed> {
        let Room { permit, bytes } = room;
        self.level.bytes.fetch_add(bytes, Ordering::Relaxed);
        self.level.events.fetch_add(batch.len() as u64, Ordering::Relaxed);
        self.queue.send(Item { batch, bytes, _permit: permit }).map_err(|refused| {
            self.level.leave(&refused.0);
            EdgeClosed(refused.0.batch)
        })
    }

    /// Lets every sender that waits go on: for an edge that nobody is going to send to again.
    pub fn lift_limit(&self) {
        self.room.add_permits(u32::MAX as usize);
    }

    /// A handle on the edge that does not keep it from ending.
    #[must_use]
    pub fn downgrade(&self) -> WeakEdgeSender {
        WeakEdgeSender {
            queue: self.queue.downgrade(),
            room: Arc::clone(&self.room),
            permits_max: self.permits_max,
            level: Arc::clone(&self.level),
        }
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

impl WeakEdgeSender {
    /// A sending end, unless all others are gone already, or the receiver is.
    #[must_use]
    pub fn upgrade(&self) -> Option<EdgeSender> {
        let queue = self.queue.upgrade().filter(|queue| !queue.is_closed())?;
        let (room, level) = (Arc::clone(&self.room), Arc::clone(&self.level));
        Some(EdgeSender { queue, room, permits_max: self.permits_max, level })
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
    async fn a_wait_that_is_cancelled_takes_no_room_and_a_lifted_limit_ends_all_waits() {
        let (sender, mut receiver) = memory(1024);
        sender.send(batch_of(1024)).await.unwrap();
        let batch = batch_of(1024);
        assert!(sender.room(&batch).now_or_never().is_none());
        assert!(receiver.recv().await.is_some());
        let room = sender.room(&batch).now_or_never().flatten().unwrap();
        sender.put(batch, room).unwrap();
        sender.lift_limit();
        for _ in 0..100 {
            assert!(sender.send(batch_of(4096)).now_or_never().is_some());
        }
    }

    #[tokio::test]
    async fn a_weak_sender_does_not_keep_the_edge_open() {
        let (sender, mut receiver) = memory(1024);
        let weak = sender.downgrade();
        weak.upgrade().unwrap().send(batch_of(1)).await.unwrap();
        drop(sender);
        assert!(receiver.recv().await.is_some());
        assert!(receiver.recv().await.is_none());
        assert!(weak.upgrade().is_none());
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
