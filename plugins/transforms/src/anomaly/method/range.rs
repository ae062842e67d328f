//! A running range that slowly forgets: what values have been, without a look at their distribution.
//!
//! A range makes no assumption that a spike, a step or a lull could break, and a new extreme is rare by itself:
//! the n-th of n values in random order is one with the chance 2/n.

use super::{Judgement, RATIO_MAX, View, learned};
use crate::state_bytes::{StateReader, StateWriter};

/// How much of the way to the centre each end goes with every value: an end is half forgotten after 23,000 values.
const LEAK: f64 = 3e-5;

/// Weight of a new value in the centre.
const CENTRE_WEIGHT: f64 = 0.01;

/// Values before which nothing is said.
const WARM_UP: u64 = 50;

/// The excess, in widths of the range, at which an alarm is due after very many values.
const EXCESS_LIMIT: f64 = 0.01;

/// How many times the excess that one more value brings in any case an alarm takes besides. The gap between the
/// greatest of n values and the next greater one is about an n-th of their range.
const GAPS: f64 = 2.0;

/// The excess of a value where nothing ever varied.
const EXCESS_FROM_CONSTANT: f64 = 1.0;

#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Range {
    pub(super) low: f64,
    pub(super) high: f64,
    pub(super) centre: f64,
    values: u64,
}

impl Range {
    /// How far a value lies outside: 0 inside, 1 where an alarm is due. Then learns it. Only one of `span` values is
    /// independent of those before it.
    #[inline]
    pub(super) fn push(&mut self, value: f64, span: usize) -> f64 {
        if self.values == 0 {
            (self.low, self.high, self.centre) = (value, value, value);
        }
        let Self { low, high, .. } = *self;
        let is_outside = value > high || value < low;
        let ratio = if is_outside && self.values >= WARM_UP {
            self.ratio((value - high).max(low - value), span)
        } else {
            0.0
        };
        self.centre += CENTRE_WEIGHT * (value - self.centre);
        self.high = if value > high { value } else { high - LEAK * (high - self.centre) };
        self.low = if value < low { value } else { low + LEAK * (self.centre - low) };
        self.values = self.values.saturating_add(1);
        ratio
    }

    /// What is said of a value that lies so far outside.
    #[inline]
    pub(super) fn judgement(&self, ratio: f64, view: View) -> Judgement {
        Judgement { ratio, low: self.low, high: self.high, baseline: self.centre, view }
    }

    #[cold]
    fn ratio(&self, beyond: f64, span: usize) -> f64 {
        let width = self.high - self.low;
        let excess = if width > 0.0 { beyond / width } else { EXCESS_FROM_CONSTANT };
        let limit = EXCESS_LIMIT + GAPS * span as f64 / self.values as f64;
        (excess / limit).min(RATIO_MAX)
    }

    pub(super) fn write(&self, out: &mut StateWriter) {
        [self.low, self.high, self.centre].iter().for_each(|value| out.f64(*value));
        out.u64(self.values);
    }

    pub(super) fn read(from: &mut StateReader<'_>) -> Option<Self> {
        let (low, high, centre) = (learned(from)?, learned(from)?, learned(from)?);
        Some(Self { low, high, centre, values: from.u64()? })
    }
}
