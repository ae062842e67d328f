//! Which events are kept. The part that is kept is exact over any run of events: one of every so many, or
//! the ratio rounded down; only a seeded ratio is exact on average.

use crate::event_key::mix;
use crate::state_bytes::{StateReader, StateWriter};

const KIND: &str = "sample 1";

/// How much is kept.
#[derive(Debug, Clone, Copy)]
pub(super) enum Share {
    /// One event in so many.
    OneIn(u64),
    /// This part of the events, in (0, 1].
    Ratio(f64),
}

/// Chooses events, one after the other, and keys.
#[derive(Debug)]
pub(super) struct Choice {
    share: Share,
    seed: Option<u64>,
    /// Keys whose hash is below are kept; 2^64 keeps all.
    keys_below: u128,
    /// Events of the current group of `OneIn`, and the one of them that is kept.
    at: u64,
    kept_at: u64,
    /// Groups, or events of a ratio, so far.
    round: u64,
    /// What `Ratio` has not yet made up for.
    owed: f64,
}

impl Choice {
    pub(super) fn new(share: Share, seed: Option<u64>) -> Self {
        let keys_below = match share {
            Share::OneIn(rate) => (1u128 << 64) / u128::from(rate.max(1)),
            // 2^64 is exact as a float; the product rounds, and 1.0 keeps every key.
            Share::Ratio(ratio) => (ratio * 18_446_744_073_709_551_616.0) as u128,
        };
        let mut choice = Self { share, seed, keys_below, at: 0, kept_at: 0, round: 0, owed: 0.0 };
        choice.kept_at = choice.draw_place();
        choice
    }

    pub(super) fn share(&self) -> Share {
        self.share
    }

    /// Whether the events of a key are kept.
    pub(super) fn keeps_key(&self, hash: u64) -> bool {
        u128::from(hash) < self.keys_below
    }

    /// Whether the next event is kept.
    pub(super) fn keeps_next(&mut self) -> bool {
        match (self.share, self.seed) {
            (Share::OneIn(rate), _) => {
                let is_kept = self.at == self.kept_at;
                self.at = self.at.saturating_add(1);
                if self.at >= rate {
                    self.at = 0;
                    self.kept_at = self.draw_place();
                }
                is_kept
            }
            (Share::Ratio(_), Some(seed)) => {
                let drawn = self.draw(seed);
                self.keeps_key(drawn)
            }
            (Share::Ratio(ratio), None) => {
                self.owed += ratio;
                let is_kept = self.owed >= 1.0;
                self.owed -= if is_kept { 1.0 } else { 0.0 };
                is_kept
            }
        }
    }

    /// Where it stands in its series of choices.
    pub(super) fn place(&self) -> Vec<u8> {
        let mut state = StateWriter::new(KIND, &self.terms());
        for number in [self.at, self.kept_at, self.round, self.owed.to_bits()] {
            state.u64(number);
        }
        state.finish()
    }

    /// Goes on where another one stood, `None` if that is not whole or of other options.
    pub(super) fn go_on(&mut self, state: &[u8]) -> Option<()> {
        let mut state = StateReader::open(state, KIND, &self.terms())?;
        let (at, kept_at, round) = (state.u64()?, state.u64()?, state.u64()?);
        let owed = f64::from_bits(state.u64()?);
        if !state.is_done() || !(0.0..2.0).contains(&owed) {
            return None;
        }
        (self.at, self.kept_at, self.round, self.owed) = (at, kept_at, round, owed);
        Some(())
    }

    fn terms(&self) -> String {
        format!("{:?} {:?}", self.share, self.seed)
    }

    /// Which event of the next group is kept: the first, or a drawn one.
    fn draw_place(&mut self) -> u64 {
        match (self.share, self.seed) {
            (Share::OneIn(rate), Some(seed)) => {
                let drawn = u128::from(self.draw(seed)) * u128::from(rate.max(1));
                (drawn >> 64) as u64
            }
            _ => 0,
        }
    }

    /// The next number of SplitMix64's kind: a counter with every bit mixed.
    fn draw(&mut self, seed: u64) -> u64 {
        self.round = self.round.wrapping_add(1);
        mix(mix(seed).wrapping_add(self.round.wrapping_mul(0x9E37_79B9_7F4A_7C15)))
    }
}
