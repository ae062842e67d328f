//! What is remembered of a key: its detector, the unit of time that is being counted, and what was done in its burst.

use super::detector::{Change, Detector};
use crate::state_bytes::{StateReader, StateWriter};

/// Longest canonical form of a key, and longest text of an event, that are kept to be shown.
const SHOWN_BYTES_MAX: usize = 256;

pub(super) struct KeyState {
    /// The beginning of the key's canonical form.
    pub(super) form: Box<[u8]>,
    pub(super) detector: Detector,
    /// The number of the unit of time that is counted.
    unit: i64,
    /// Events in it.
    pub(super) events: u32,
    /// The text of its first event.
    pub(super) sample: Vec<u8>,
    /// Which burst of all it is in, or was in last.
    pub(super) burst_id: u64,
    /// Events of this burst that `sample` saw, and that were dropped.
    pub(super) seen: u64,
    pub(super) dropped: u64,
    /// Dropped events that no weight stands for yet.
    pub(super) owed: u64,
}

impl KeyState {
    pub(super) fn new(form: &[u8], unit: i64) -> Self {
        Self {
            form: beginning(form).into(),
            detector: Detector::new(),
            unit,
            events: 0,
            sample: Vec::new(),
            burst_id: 0,
            seen: 0,
            dropped: 0,
            owed: 0,
        }
    }

    pub(super) fn keep_sample(&mut self, text: &[u8]) {
        self.sample.clear();
        self.sample.extend_from_slice(beginning(text));
    }

    /// Ends all units of time before `unit`; tells of what changes.
    pub(super) fn advance(
        &mut self,
        unit: i64,
        limit: f64,
        mut tell: impl FnMut(&mut Self, Change),
    ) {
        if unit <= self.unit {
            return;
        }
        let events = std::mem::take(&mut self.events);
        if let Some(change) = self.detector.close(events, limit) {
            tell(self, change);
        }
        let mut left = unit.saturating_sub(self.unit).saturating_sub(1).cast_unsigned();
        self.unit = unit;
        while left > 0 && self.detector.burst.is_some() {
            left -= 1;
            if let Some(change) = self.detector.close(0, limit) {
                tell(self, change);
            }
        }
        self.detector.pass(left, limit);
    }

    pub(super) fn write(&self, out: &mut StateWriter) {
        out.bytes(&self.form);
        out.i64(self.unit);
        out.bytes(&self.sample);
        let counts = [self.events.into(), self.burst_id, self.seen, self.dropped, self.owed];
        counts.into_iter().for_each(|count| out.u64(count));
        self.detector.write(out);
    }

    pub(super) fn read(from: &mut StateReader<'_>) -> Option<Self> {
        let form = from.bytes()?;
        let mut key = Self::new(form, from.i64()?);
        key.keep_sample(from.bytes()?);
        key.events = from.u64()?.try_into().ok()?;
        (key.burst_id, key.seen) = (from.u64()?, from.u64()?);
        (key.dropped, key.owed) = (from.u64()?, from.u64()?);
        key.detector = Detector::read(from)?;
        Some(key)
    }
}

fn beginning(bytes: &[u8]) -> &[u8] {
    &bytes[..bytes.len().min(SHOWN_BYTES_MAX)]
}
