//! What is remembered, and how it outlives the process.

use std::time::Duration;

use lograil_plugin::Clock;

use super::Dedupe;
use crate::state_bytes::{StateReader, StateWriter};

const KIND: &str = "dedupe 1";

/// An event that has passed.
#[derive(Debug, Clone, Copy)]
pub(super) struct Seen {
    pub at: Duration,
    /// Where it was read. The same place again is the same event, offered again: no duplicate.
    pub origin: Option<(u64, u64)>,
}

impl Dedupe {
    /// What is remembered, by age: monotonic times mean nothing to another process.
    pub(super) fn remember(&self) -> Vec<u8> {
        let now = self.now();
        let mut state = StateWriter::new(KIND, &self.fields);
        state.u64(self.clock.as_ref().map_or(0, |clock| clock.now_ns()).cast_unsigned());
        state.u128(self.identity.hash_key());
        state.u64(self.seen.len() as u64);
        for (hash, seen) in self.seen.iter() {
            state.u128(hash);
            state.u64(u64::try_from(now.saturating_sub(seen.at).as_nanos()).unwrap_or(u64::MAX));
            state.u64(seen.origin.is_some().into());
            let (stream, offset) = seen.origin.unwrap_or_default();
            state.u64(stream);
            state.u64(offset);
        }
        state.finish()
    }

    /// Remembers what another instance did, `None` if that is not whole or of other options. Events aged while
    /// none ran, unless the wall clock was set back.
    pub(super) fn recall(&mut self, state: &[u8], clock: &dyn Clock) -> Option<()> {
        let mut state = StateReader::open(state, KIND, &self.fields)?;
        let saved_ns = state.u64()?.cast_signed();
        let away_ns = u64::try_from(clock.now_ns().saturating_sub(saved_ns)).unwrap_or(0);
        let hash_key = state.u128()?;
        let mut entries = Vec::new();
        for _ in 0..state.u64()? {
            let (hash, age_ns) = (state.u128()?, state.u64()?.saturating_add(away_ns));
            let (has_origin, stream, offset) = (state.u64()? != 0, state.u64()?, state.u64()?);
            entries.push((
                hash,
                Duration::from_nanos(age_ns),
                has_origin.then_some((stream, offset)),
            ));
        }
        if !state.is_done() {
            return None;
        }
        self.past = entries.iter().map(|(_, age, _)| *age).max().unwrap_or_default();
        let now = self.past + clock.monotonic();
        for (hash, age, origin) in entries {
            // Not twice, whatever the state says.
            self.seen.remove(hash);
            self.seen.insert(hash, Seen { at: now.saturating_sub(age), origin });
        }
        self.identity.set_hash_key(hash_key);
        Some(())
    }
}
