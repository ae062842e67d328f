//! How rare a text is among those of its key.
//!
//! A text that came before is expected as often as it came; one that never came, as often as new ones have come of
//! late, which is what Good and Turing's estimate comes to for a stream (Good, Biometrika 40, 1953).

use crate::lru::Lru;
use crate::state_bytes::{StateReader, StateWriter};

/// The least weight of an event in how often new texts come: the last thousand or so count.
const NEW_WEIGHT_MIN: f64 = 1e-3;

/// The texts of all keys.
pub(super) struct Novelty {
    counts: Lru<u64>,
    /// Logarithm of how rare an alarm is.
    rarity_of_alarm: f64,
}

/// What is known of a key.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct TextsOfKey {
    texts: u64,
    /// The part of the events whose text was new.
    new_part: f64,
}

/// How rare a text is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Rarity {
    /// 1 where an alarm is due.
    pub(super) ratio: f64,
    /// The text came so often before.
    pub(super) times: u64,
    /// One of so many events is expected to have it.
    pub(super) one_in: f64,
}

impl Novelty {
    pub(super) fn new(one_in: f64, max_texts: usize) -> Self {
        Self { counts: Lru::new(max_texts), rarity_of_alarm: one_in.ln() }
    }

    /// The same without any text.
    pub(super) fn emptied(&self) -> Self {
        Self { counts: Lru::new(self.counts.capacity()), rarity_of_alarm: self.rarity_of_alarm }
    }

    /// Judges a text, told by the hash of key and text, by those before; then learns it.
    pub(super) fn push(&mut self, key: &mut TextsOfKey, hash: u128) -> Rarity {
        let count = self.counts.get(hash);
        let times = count.as_deref().copied().unwrap_or(0);
        let all = key.texts.max(1) as f64;
        let part = if times == 0 { key.new_part.max(1.0 / all) } else { times as f64 / all };
        let part = part.min(1.0);
        key.texts = key.texts.saturating_add(1);
        let weight = (1.0 / key.texts as f64).max(NEW_WEIGHT_MIN);
        key.new_part += weight * (f64::from(u8::from(times == 0)) - key.new_part);
        match count {
            Some(count) => *count = count.saturating_add(1),
            None => drop(self.counts.insert(hash, 1)),
        }
        Rarity { ratio: -part.ln() / self.rarity_of_alarm, times, one_in: 1.0 / part }
    }

    pub(super) fn write(&self, out: &mut StateWriter) {
        out.u64(self.counts.len() as u64);
        for (hash, count) in self.counts.iter() {
            out.u128(hash);
            out.u64(*count);
        }
    }

    pub(super) fn read(&mut self, from: &mut StateReader<'_>) -> Option<()> {
        for _ in 0..from.u64()? {
            let (hash, count) = (from.u128()?, from.u64()?);
            // Not twice, whatever the state says.
            self.counts.remove(hash);
            self.counts.insert(hash, count);
        }
        Some(())
    }
}

impl TextsOfKey {
    pub(super) fn write(&self, out: &mut StateWriter) {
        out.u64(self.texts);
        out.f64(self.new_part);
    }

    pub(super) fn read(from: &mut StateReader<'_>) -> Option<Self> {
        Some(Self { texts: from.u64()?, new_part: from.f64()? })
    }
}
