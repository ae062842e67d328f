//! The method `ewma`: how many standard deviations a value lies from the mean, both with weights that decay (Finch,
//! Incremental calculation of weighted mean and variance, 2009, section 9).

use super::{Judgement, RATIO_MAX, View, learned};
use crate::state_bytes::{StateReader, StateWriter};

/// Values before which nothing is said.
const WARM_UP: u64 = 50;

#[derive(Debug, Clone, Default)]
pub(super) struct Ewma {
    mean: f64,
    variance: f64,
    values: u64,
}

impl Ewma {
    /// `weight` is that of a new value, `limit` the standard deviations at which an alarm is due.
    pub(super) fn push(&mut self, value: f64, weight: f64, limit: f64) -> Judgement {
        if self.values == 0 {
            self.mean = value;
        }
        let difference = value - self.mean;
        let deviation = self.variance.sqrt();
        let reach = limit * deviation;
        let ratio = match self.values {
            ..WARM_UP => 0.0,
            _ if reach > 0.0 => (difference.abs() / reach).min(RATIO_MAX),
            _ if difference == 0.0 => 0.0,
            _ => RATIO_MAX,
        };
        let judgement = Judgement {
            ratio,
            low: self.mean - reach,
            high: self.mean + reach,
            baseline: self.mean,
            view: View::Value,
        };
        // As many values as there are count alike until the decay takes over.
        let weight = weight.max(1.0 / (self.values as f64 + 1.0));
        let step = weight * difference;
        self.mean += step;
        self.variance = (1.0 - weight) * (self.variance + difference * step);
        self.values = self.values.saturating_add(1);
        judgement
    }

    pub(super) fn write(&self, out: &mut StateWriter) {
        out.f64(self.mean);
        out.f64(self.variance);
        out.u64(self.values);
    }

    pub(super) fn read(from: &mut StateReader<'_>) -> Option<Self> {
        Some(Self { mean: learned(from)?, variance: learned(from)?, values: from.u64()? })
    }
}
