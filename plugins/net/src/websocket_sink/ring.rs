//! The ring: the newest events, for clients that have not taken them yet.
//!
//! **Invariant:** what it keeps takes at most the bytes it was made for; who is further behind is told how many events
//! it missed, and every event is either received or missed.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;

use super::frames::Frames;

struct Kept {
    frames: VecDeque<Arc<Frames>>,
    bytes: usize,
    /// The number of the event behind the last.
    next: u64,
}

impl Kept {
    /// The number of the first event that is kept.
    fn first(&self) -> u64 {
        self.frames.front().map_or(self.next, |frames| frames.first)
    }

    fn add(&mut self, frames: Frames, bytes_max: usize) {
        self.next = frames.end();
        self.bytes += frames.size();
        self.frames.push_back(Arc::new(frames));
        while self.bytes > bytes_max
            && let Some(oldest) = self.frames.pop_front()
        {
            self.bytes -= oldest.size();
        }
    }

    fn clear(&mut self, next: u64) {
        self.frames.clear();
        self.bytes = 0;
        self.next = next;
    }
}

fn lock(kept: &Mutex<Kept>) -> MutexGuard<'_, Kept> {
    kept.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The end that events go in.
pub(super) struct Ring {
    kept: Arc<Mutex<Kept>>,
    bytes_max: usize,
    added: watch::Sender<()>,
}

/// A client's end.
pub(super) struct Reader {
    kept: Arc<Mutex<Kept>>,
    added: watch::Receiver<()>,
    /// The number of the event that is to come.
    at: u64,
}

/// What a reader gets.
#[derive(Debug)]
pub(super) enum Received {
    Frames(Arc<Frames>),
    /// So many events are kept no longer.
    Missed(u64),
    /// There will be no more.
    End,
}

impl Ring {
    pub fn new(bytes_max: usize) -> Self {
        let kept = Kept { frames: VecDeque::new(), bytes: 0, next: 0 };
        Self { kept: Arc::new(Mutex::new(kept)), bytes_max, added: watch::Sender::new(()) }
    }

    /// A reader of all that comes from now on.
    pub fn subscribe(&self) -> Reader {
        let kept = lock(&self.kept);
        let (added, at) = (self.added.subscribe(), kept.next);
        drop(kept);
        Reader { kept: Arc::clone(&self.kept), added, at }
    }

    /// Adds events; nobody is waited for.
    pub fn send(&self, frames: Frames) {
        let mut kept = lock(&self.kept);
        if self.added.receiver_count() == 0 {
            kept.clear(frames.end());
            return;
        }
        kept.add(frames, self.bytes_max);
        drop(kept);
        self.added.send_replace(());
    }
}

impl Reader {
    /// What comes next, once there is something. May be dropped and called again.
    pub async fn receive(&mut self) -> Received {
        loop {
            self.added.mark_unchanged();
            if let Some(received) = self.take() {
                return received;
            }
            if self.added.changed().await.is_err() {
                // The last may have come with the end.
                return self.take().unwrap_or(Received::End);
            }
        }
    }

    fn take(&mut self) -> Option<Received> {
        let kept = lock(&self.kept);
        let missed = kept.first().saturating_sub(self.at);
        if missed > 0 {
            self.at += missed;
            return Some(Received::Missed(missed));
        }
        let index = kept.frames.partition_point(|frames| frames.first < self.at);
        let frames = Arc::clone(kept.frames.get(index)?);
        self.at = frames.end();
        Some(Received::Frames(frames))
    }
}

#[cfg(test)]
mod tests {
    use super::super::frames::FrameEncoder;
    use super::*;
    use lograil_codec::EncodingConfig;
    use lograil_testkit::batch_of_lines;

    const BYTES_MAX: usize = 64 << 10;

    fn frames(encoder: &mut FrameEncoder, message_bytes: usize) -> Vec<Frames> {
        encoder.encode(&batch_of_lines(&["x".repeat(message_bytes).as_str()]), 16 << 10)
    }

    fn encoder() -> FrameEncoder {
        FrameEncoder::new(EncodingConfig::default().build().unwrap(), vec!["level".to_owned()])
    }

    fn kept_bytes(ring: &Ring) -> usize {
        let kept = lock(&ring.kept);
        assert_eq!(kept.bytes, kept.frames.iter().map(|frames| frames.size()).sum::<usize>());
        kept.bytes
    }

    #[tokio::test]
    async fn bytes_are_bounded_whatever_the_size_of_events_and_none_is_uncounted() {
        for message_bytes in [0, 10, 1000, 20_000, 100_000] {
            let (ring, mut encoder) = (Ring::new(BYTES_MAX), encoder());
            let mut reader = ring.subscribe();
            for _ in 0..2000 {
                frames(&mut encoder, message_bytes).into_iter().for_each(|one| ring.send(one));
                assert!(kept_bytes(&ring) <= BYTES_MAX);
            }
            drop(ring);
            let (mut received, mut missed) = (0, 0);
            loop {
                match reader.receive().await {
                    Received::Frames(frames) => received += frames.len() as u64,
                    Received::Missed(count) => missed += count,
                    Received::End => break,
                }
            }
            assert_eq!(received + missed, 2000, "{message_bytes}");
            let is_kept = message_bytes + 200 < BYTES_MAX;
            assert_eq!(received > 0, is_kept, "{message_bytes}: {received} received");
        }
    }

    #[tokio::test]
    async fn readers_get_what_comes_after_them_and_nothing_is_kept_for_nobody() {
        let (ring, mut encoder) = (Ring::new(BYTES_MAX), encoder());
        let mut send = || frames(&mut encoder, 10).into_iter().for_each(|one| ring.send(one));
        send();
        assert_eq!(kept_bytes(&ring), 0);
        let mut reader = ring.subscribe();
        send();
        let Received::Frames(frames) = reader.receive().await else { panic!("an event is there") };
        assert_eq!((frames.first, frames.len()), (1, 1));
        drop(reader);
        send();
        assert_eq!(kept_bytes(&ring), 0);
    }
}
