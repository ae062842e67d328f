//! Listening to the events that leave a component; for a sink, to those that reach it.
//!
//! **Invariant:** never holds a component up and never holds its acknowledgements. While nobody listens it
//! costs one relaxed load a batch; a listener that falls behind misses batches, which are counted for it.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use lograil_event::{AckStatus, Batch};
use lograil_plugin::Port;
use tokio::sync::mpsc;

/// Batches that wait for one listener.
const WAITING_BATCHES_MAX: usize = 4;

/// Where listeners to a component are kept.
#[derive(Default)]
pub(crate) struct Tap {
    /// How many there are: what a batch looks at.
    count: AtomicUsize,
    listeners: Mutex<Vec<Listener>>,
}

struct Listener {
    sender: mpsc::Sender<(Port, Batch)>,
    missed: Arc<AtomicU64>,
}

impl Tap {
    /// Shows a batch to whoever listens.
    #[inline]
    pub fn offer(&self, port: Port, batch: &mut Batch) {
        if self.count.load(Ordering::Relaxed) > 0 && !batch.is_empty() {
            self.show(port, batch);
        }
    }

    #[cold]
    fn show(&self, port: Port, batch: &mut Batch) {
        let mut listeners = self.listeners.lock().unwrap_or_else(PoisonError::into_inner);
        listeners.retain(|listener| match listener.sender.try_reserve() {
            Ok(room) => {
                let mut shown = batch.share();
                // A share of the acknowledgement that decides nothing: the batch itself is still under way.
                shown.take_acks().resolve(AckStatus::Delivered);
                room.send((port, shown));
                true
            }
            Err(mpsc::error::TrySendError::Full(())) => {
                listener.missed.fetch_add(batch.len() as u64, Ordering::Relaxed);
                true
            }
            Err(mpsc::error::TrySendError::Closed(())) => false,
        });
        self.count.store(listeners.len(), Ordering::Relaxed);
    }

    /// Tells all listeners that the component is gone.
    pub fn end(&self) {
        self.listeners.lock().unwrap_or_else(PoisonError::into_inner).clear();
        self.count.store(0, Ordering::Relaxed);
    }

    pub fn listen(&self, ports: Vec<String>) -> TapListener {
        let (sender, receiver) = mpsc::channel(WAITING_BATCHES_MAX);
        let missed = Arc::new(AtomicU64::new(0));
        let mut listeners = self.listeners.lock().unwrap_or_else(PoisonError::into_inner);
        listeners.retain(|listener| !listener.sender.is_closed());
        listeners.push(Listener { sender, missed: Arc::clone(&missed) });
        self.count.store(listeners.len(), Ordering::Relaxed);
        TapListener { receiver, missed, ports }
    }
}

/// Hears the batches of one component until it is dropped.
pub struct TapListener {
    receiver: mpsc::Receiver<(Port, Batch)>,
    missed: Arc<AtomicU64>,
    ports: Vec<String>,
}

impl TapListener {
    /// The next batch and the output it left by; `None` when the component is gone.
    pub async fn next(&mut self) -> Option<(Port, Batch)> {
        self.receiver.recv().await
    }

    /// Events that this listener was too slow for, since it was last asked.
    pub fn take_missed(&self) -> u64 {
        self.missed.swap(0, Ordering::Relaxed)
    }

    /// The name of an output as `inputs` has it behind the dot; none for the main one.
    #[must_use]
    pub fn port_name(&self, port: Port) -> Option<&str> {
        match port {
            Port::MAIN => None,
            Port::DEAD_LETTER => Some(Port::DEAD_LETTER_NAME),
            Port(number) => self.ports.get(usize::from(number) - 1).map(String::as_str),
        }
    }
}

#[cfg(test)]
mod tests {
    use lograil_event::{Ack, AckId};
    use lograil_testkit::{batch_of_lines, lines_of};

    use super::*;

    #[tokio::test]
    async fn a_listener_sees_batches_and_a_slow_one_is_told_what_it_missed() {
        let tap = Tap::default();
        let mut batch = batch_of_lines(&["a", "b"]);
        tap.offer(Port::MAIN, &mut batch);
        let mut listener = tap.listen(vec!["errors".to_owned()]);
        for _ in 0..WAITING_BATCHES_MAX + 3 {
            tap.offer(Port(1), &mut batch);
        }
        let (port, seen) = listener.next().await.unwrap();
        assert_eq!((lines_of(&seen), listener.port_name(port)), (lines_of(&batch), Some("errors")));
        assert_eq!((listener.take_missed(), listener.take_missed()), (6, 0));
    }

    #[tokio::test]
    async fn a_tap_neither_delivers_nor_keeps_back_and_is_forgotten_with_its_listener() {
        let (tap, told) = (Tap::default(), Arc::new(Mutex::new(Vec::new())));
        let listener = tap.listen(Vec::new());
        let mut batch = batch_of_lines(&["a"]);
        let note = Arc::clone(&told);
        let id = AckId { source: 0, sequence: 0 };
        let notify = move |_, status| note.lock().unwrap().push(status);
        batch.add_acks(Ack::new(id, notify).into());
        tap.offer(Port::MAIN, &mut batch);
        assert!(told.lock().unwrap().is_empty());
        batch.take_acks().resolve(AckStatus::Rejected);
        assert_eq!(*told.lock().unwrap(), [AckStatus::Rejected]);
        drop(listener);
        tap.offer(Port::MAIN, &mut batch);
        assert_eq!(tap.count.load(Ordering::Relaxed), 0);
    }
}
