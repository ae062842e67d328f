//! A baseline for each time of the day.

use super::{LEARNED_MAX, learned};
use crate::state_bytes::{StateReader, StateWriter};

/// Parts of a day.
const SLOTS: usize = 48;

const DAY_NS: i64 = 86_400_000_000_000;

/// Time from the first value on after which the baseline is asked.
const WARM_UP_NS: i64 = DAY_NS * 3 / 2;

/// Values with a baseline after which it is known whether it helps.
const WARM_UP_VALUES: u64 = 100;

/// Part of the variance that the baseline may leave: it must explain the rest, or it says nothing.
const UNEXPLAINED_MAX: f64 = 0.3;

/// Weight of a new value in its slot.
const SLOT_WEIGHT: f64 = 0.3;

/// The least weight of a new value in the variances.
const VARIANCE_WEIGHT_MIN: f64 = 0.002;

/// Weights of a new value in the mean, before and after the warm-up.
const MEAN_WEIGHTS: [f64; 2] = [0.02, 0.001];

#[derive(Debug, Clone)]
pub(super) struct Season {
    /// NaN where no value was yet.
    slots: Box<[f64; SLOTS]>,
    start_ns: i64,
    mean: f64,
    /// Mean squares of what is left of the values beside the baseline, and beside the mean.
    unexplained: f64,
    variance: f64,
    values: u64,
}

/// What is usual at a time of the day.
#[derive(Debug, Clone, Copy)]
pub(super) struct Usual {
    pub(super) low: f64,
    pub(super) high: f64,
}

impl Season {
    pub(super) fn new(time_ns: i64, value: f64) -> Self {
        let slots = Box::new([f64::NAN; SLOTS]);
        Self { slots, start_ns: time_ns, mean: value, unexplained: 0.0, variance: 0.0, values: 0 }
    }

    /// What is usual at this time of the day, if the values follow it. Then learns the value.
    #[inline]
    pub(super) fn push(&mut self, time_ns: i64, value: f64) -> Option<Usual> {
        let slot = (time_ns.rem_euclid(DAY_NS) / (DAY_NS / SLOTS as i64)) as usize;
        let usual = if time_ns.saturating_sub(self.start_ns) >= WARM_UP_NS {
            self.usual(slot, value)
        } else {
            None
        };
        self.mean += MEAN_WEIGHTS[usize::from(self.values > 0)] * (value - self.mean);
        let known = &mut self.slots[slot];
        *known = if known.is_nan() { value } else { *known + SLOT_WEIGHT * (value - *known) };
        usual
    }

    fn usual(&mut self, slot: usize, value: f64) -> Option<Usual> {
        let [before, now, after] =
            [SLOTS - 1, 0, 1].map(|distance| self.slots[(slot + distance) % SLOTS]);
        if before.is_nan() || now.is_nan() || after.is_nan() {
            return None;
        }
        self.values = self.values.saturating_add(1);
        let weight = (1.0 / self.values as f64).max(VARIANCE_WEIGHT_MIN);
        self.unexplained += weight * ((value - now).powi(2) - self.unexplained);
        self.variance += weight * ((value - self.mean).powi(2) - self.variance);
        let helps = self.values > WARM_UP_VALUES
            && self.variance > 0.0
            && self.unexplained < UNEXPLAINED_MAX * self.variance;
        let (low, high) = (before.min(now).min(after), before.max(now).max(after));
        helps.then_some(Usual { low, high })
    }

    pub(super) fn write(&self, out: &mut StateWriter) {
        out.f64s(&*self.slots);
        out.i64(self.start_ns);
        [self.mean, self.unexplained, self.variance].iter().for_each(|value| out.f64(*value));
        out.u64(self.values);
    }

    pub(super) fn read(from: &mut StateReader<'_>) -> Option<Self> {
        let slots: [f64; SLOTS] = from.f64s(SLOTS)?.try_into().ok()?;
        let are_learned = slots.iter().all(|slot| slot.is_nan() || slot.abs() <= LEARNED_MAX);
        are_learned.then_some(())?;
        Some(Self {
            slots: Box::new(slots),
            start_ns: from.i64()?,
            mean: learned(from)?,
            unexplained: learned(from)?,
            variance: learned(from)?,
            values: from.u64()?,
        })
    }
}
