//! What is remembered of a key: its detector, the unit of time that is being counted, and what was done in its burst.

use super::detector::{Change, Detector};
use crate::state_bytes::{StateReader, StateWriter};

/// Longest canonical form of a key, and longest text of an event, that are kept to be shown.
const SHOWN_BYTES_MAX: usize = 256;

/// What each event of a key asks for; few bytes, so that those of a thousand keys stay in the processor's nearest cache.
pub(super) struct KeyState {
    /// The number of the unit of time that is counted.
    unit: i64,
    /// Events in it.
    pub(super) events: u32,
    /// Whether the detector knows of a burst.
    is_bursting: bool,
    /// Dropped events that no weight stands for yet.
    pub(super) owed: u64,
    pub(super) known: Box<Known>,
}

/// All else.
pub(super) struct Known {
    /// The beginning of the key's canonical form.
    pub(super) form: Box<[u8]>,
    detector: Detector,
    /// The text of the first event of the unit.
    pub(super) sample: Vec<u8>,
    /// Which burst of all it is in, or was in last.
    pub(super) burst_id: u64,
    /// Events of this burst that `sample` saw, and that were dropped.
    pub(super) seen: u64,
    pub(super) dropped: u64,
}

impl KeyState {
    pub(super) fn new(form: &[u8], unit: i64) -> Self {
        let known = Known {
            form: beginning(form).into(),
            detector: Detector::new(),
            sample: Vec::new(),
            burst_id: 0,
            seen: 0,
            dropped: 0,
        };
        Self { unit, events: 0, is_bursting: false, owed: 0, known: Box::new(known) }
    }

    pub(super) fn detector(&self) -> &Detector {
        &self.known.detector
    }

    pub(super) fn is_bursting(&self) -> bool {
        self.is_bursting
    }

    /// Counts an event of which there is nothing to tell, if it is one: not the first in its unit of time, nor in a burst, nor
    /// does it stand for others.
    #[inline]
    pub(super) fn counts(&mut self) -> bool {
        let is_plain = self.events > 0 && !self.is_bursting && self.owed == 0;
        self.events = self.events.saturating_add(u32::from(is_plain));
        is_plain
    }

    pub(super) fn keep_sample(&mut self, text: &[u8]) {
        let sample = &mut self.known.sample;
        sample.clear();
        sample.extend_from_slice(beginning(text));
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
        self.close(events, limit, &mut tell);
        let mut left = unit.saturating_sub(self.unit).saturating_sub(1).cast_unsigned();
        self.unit = unit;
        while left > 0 && self.is_bursting {
            left -= 1;
            self.close(0, limit, &mut tell);
        }
        self.known.detector.pass(left, limit);
    }

    fn close(&mut self, events: u32, limit: f64, tell: &mut impl FnMut(&mut Self, Change)) {
        let change = self.known.detector.close(events, limit);
        self.is_bursting = self.known.detector.burst.is_some();
        if let Some(change) = change {
            tell(self, change);
        }
    }

    /// Ends a burst without waiting for its end.
    pub(super) fn cut(&mut self) -> Option<Change> {
        self.is_bursting = false;
        self.known.detector.cut()
    }

    pub(super) fn write(&self, out: &mut StateWriter) {
        let known = &self.known;
        out.bytes(&known.form);
        out.i64(self.unit);
        out.bytes(&known.sample);
        let counts = [self.events.into(), known.burst_id, known.seen, known.dropped, self.owed];
        counts.into_iter().for_each(|count| out.u64(count));
        known.detector.write(out);
    }

    pub(super) fn read(from: &mut StateReader<'_>) -> Option<Self> {
        let form = from.bytes()?;
        let mut key = Self::new(form, from.i64()?);
        key.keep_sample(from.bytes()?);
        key.events = from.u64()?.try_into().ok()?;
        (key.known.burst_id, key.known.seen) = (from.u64()?, from.u64()?);
        (key.known.dropped, key.owed) = (from.u64()?, from.u64()?);
        key.known.detector = Detector::read(from)?;
        key.is_bursting = key.known.detector.burst.is_some();
        Some(key)
    }
}

fn beginning(bytes: &[u8]) -> &[u8] {
    &bytes[..bytes.len().min(SHOWN_BYTES_MAX)]
}
