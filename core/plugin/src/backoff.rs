//! Backoff between tries: exponential, capped, with jitter so that many do not come back at once.

use std::hash::{BuildHasher, RandomState};
use std::time::Duration;

const FIRST: Duration = Duration::from_millis(100);
const LONGEST: Duration = Duration::from_secs(30);

/// Longest wait that a peer may ask for: one that says "next year" is tried again all the same.
const LONGEST_ASKED: Duration = Duration::from_secs(600);

/// The waits between tries of one operation.
#[derive(Debug, Default)]
pub struct Backoff {
    tries: u32,
}

impl Backoff {
    /// The next wait: between half and all of 100 ms, 200 ms, 400 ms ... 30 s; never less than `asked`, within reason.
    #[must_use]
    pub fn next(&mut self, asked: Option<Duration>) -> Duration {
        let whole = FIRST.saturating_mul(1 << self.tries.min(16)).min(LONGEST);
        self.tries += 1;
        let random = RandomState::new().hash_one(self.tries) % 1000;
        let jittered = whole.mul_f64(0.5 + random as f64 / 2000.0);
        jittered.max(asked.unwrap_or_default().min(LONGEST_ASKED))
    }

    /// How many tries have failed.
    #[must_use]
    pub fn tries(&self) -> u32 {
        self.tries
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_to_a_bound_and_respect_the_peer() {
        let mut backoff = Backoff::default();
        let waits: Vec<_> = (0..12).map(|_| backoff.next(None)).collect();
        assert!(waits[0] >= FIRST / 2 && waits[0] <= FIRST);
        assert!(waits[11] >= LONGEST / 2 && waits[11] <= LONGEST);
        assert!(backoff.next(Some(Duration::from_secs(90))) >= Duration::from_secs(90));
        assert_eq!(backoff.next(Some(Duration::MAX)), LONGEST_ASKED);
    }
}
