//! What is left of the budgets, and how it outlives the process.

use lograil_plugin::Clock;

use super::Throttle;
use crate::event_key::KeyHasher;
use crate::state_bytes::{StateReader, StateWriter};

const KIND: &str = "throttle 1";

impl Throttle {
    /// The budgets that are not whole: what each lacks, and when that was, by the wall clock.
    pub(super) fn budgets_left(&self, clock: &dyn Clock) -> Vec<u8> {
        let now = clock.monotonic().as_nanos();
        let mut state = StateWriter::new(KIND, &self.terms);
        state.u64(clock.now_ns().cast_unsigned());
        state.u128(self.hasher.key());
        for (hash, budget) in self.budgets.iter() {
            let rest = self.limit.rest(budget, now);
            if rest > 0 {
                state.u128(hash);
                state.u128(rest);
            }
        }
        state.finish()
    }

    /// Goes on with the budgets of another instance, `None` if they are not whole or of other options. They
    /// grew while none ran, unless the wall clock was set back.
    pub(super) fn resume(&mut self, state: &[u8], clock: &dyn Clock) -> Option<()> {
        let mut state = StateReader::open(state, KIND, &self.terms)?;
        let saved_ns = state.u64()?.cast_signed();
        let away_ns = u64::try_from(clock.now_ns().saturating_sub(saved_ns)).unwrap_or(0);
        let hash_key = state.u128()?;
        let mut rests = Vec::new();
        while !state.is_done() {
            rests.push((state.u128()?, state.u128()?));
        }
        let now = clock.monotonic().as_nanos();
        for (hash, rest) in rests {
            if let Some(budget) = self.limit.after(rest, away_ns.into(), now) {
                // Not twice, whatever the state says.
                self.budgets.remove(hash);
                self.budgets.insert(hash, budget);
            }
        }
        self.hasher = KeyHasher::with_key(hash_key);
        Some(())
    }
}
