//! The method `quantile`: the value beyond which only so many in a million lie, by the tail of what has been.
//!
//! The 2nd and the 98th percentile are tracked in constant memory (P2: Jain and Chlamtac, 1985). What lies beyond them
//! follows a generalised Pareto distribution (Pickands, Balkema and de Haan); its parameters come from mean and
//! variance of the excesses (Hosking and Wallis, 1987), and its quantile gives the limit, as in SPOT (Siffer et al.,
//! KDD 2017).

use super::{Judgement, LEARNED_MAX, RATIO_MAX, View, all_learned, learned};
use crate::state_bytes::{StateReader, StateWriter};

/// Part of the values beyond the start of each tail.
const TAIL: f64 = 0.02;

/// Excesses a tail needs before it says anything: about 1,000 values.
const EXCESSES_MIN: u64 = 20;

/// The least weight of a new excess in mean and variance: the tail of the last 500 excesses or so.
const EXCESS_WEIGHT_MIN: f64 = 0.002;

/// Bounds of the tail's shape: that of an even spread, which has an end, and one whose variance just exists.
const SHAPES: (f64, f64) = (-1.0, 0.4);

/// Below this the tail is taken for an exponential one.
const SHAPE_MIN: f64 = 1e-3;

#[derive(Debug, Clone)]
pub(super) struct Quantile {
    low: Tail,
    middle: Percentile,
    high: Tail,
    values: u64,
}

/// One end; the values of the low one are negated.
#[derive(Debug, Clone)]
struct Tail {
    start: Percentile,
    excesses: u64,
    mean: f64,
    variance: f64,
    /// How far beyond the start the limit is; infinite while it is not known.
    reach: f64,
}

impl Quantile {
    pub(super) fn new() -> Self {
        let tail = Tail {
            start: Percentile::new(1.0 - TAIL),
            excesses: 0,
            mean: 0.0,
            variance: 0.0,
            reach: f64::INFINITY,
        };
        Self { low: tail.clone(), middle: Percentile::new(0.5), high: tail, values: 0 }
    }

    /// `chance` is that of a value beyond the limits where nothing is wrong.
    pub(super) fn push(&mut self, value: f64, chance: f64) -> Judgement {
        self.values = self.values.saturating_add(1);
        let baseline = self.middle.get();
        self.middle.push(value);
        let (low_limit, low) = self.low.push(-value, self.values, chance / 2.0);
        let (high_limit, high) = self.high.push(value, self.values, chance / 2.0);
        Judgement {
            ratio: low.max(high),
            low: -low_limit,
            high: high_limit,
            baseline,
            view: View::Value,
        }
    }

    pub(super) fn write(&self, out: &mut StateWriter) {
        out.u64(self.values);
        self.middle.write(out);
        for tail in [&self.low, &self.high] {
            tail.start.write(out);
            out.u64(tail.excesses);
            [tail.mean, tail.variance, tail.reach].iter().for_each(|value| out.f64(*value));
        }
    }

    pub(super) fn read(from: &mut StateReader<'_>) -> Option<Self> {
        let mut quantile = Self::new();
        quantile.values = from.u64()?;
        quantile.middle.read(from)?;
        for tail in [&mut quantile.low, &mut quantile.high] {
            tail.start.read(from)?;
            tail.excesses = from.u64()?;
            (tail.mean, tail.variance) = (learned(from)?, learned(from)?);
            let is_reach = |reach: &f64| *reach == f64::INFINITY || reach.abs() <= LEARNED_MAX;
            tail.reach = from.f64().filter(is_reach)?;
        }
        Some(quantile)
    }
}

impl Tail {
    /// The limit, and how much of the way from the start of the tail to it a value has gone. Then learns the value.
    fn push(&mut self, value: f64, values: u64, chance: f64) -> (f64, f64) {
        let start = self.start.get();
        let excess = value - start;
        self.start.push(value);
        let limit = start + self.reach;
        if excess.is_nan() || excess <= 0.0 {
            return (limit, 0.0);
        }
        let ratio = match self.reach {
            0.0 => RATIO_MAX,
            reach => (excess / reach).min(RATIO_MAX),
        };
        self.learn(excess, values, chance);
        (limit, ratio)
    }

    fn learn(&mut self, excess: f64, values: u64, chance: f64) {
        self.excesses = self.excesses.saturating_add(1);
        let weight = (1.0 / self.excesses as f64).max(EXCESS_WEIGHT_MIN);
        let difference = excess - self.mean;
        self.mean += weight * difference;
        self.variance = (1.0 - weight) * (self.variance + weight * difference * difference);
        if self.excesses < EXCESSES_MIN {
            return;
        }
        let squares = self.mean * self.mean / self.variance;
        let shape = if squares.is_finite() { (1.0 - squares) / 2.0 } else { 0.0 };
        let shape = shape.clamp(SHAPES.0, SHAPES.1);
        let scale = self.mean * (1.0 - shape);
        // How many times rarer than an excess the limit is.
        let rarity = (self.excesses as f64 / values as f64 / chance).max(1.0);
        self.reach = if shape.abs() < SHAPE_MIN {
            scale * rarity.ln()
        } else {
            scale / shape * (rarity.powf(shape) - 1.0)
        };
    }
}

/// A percentile by five markers that move towards where they should be.
#[derive(Debug, Clone)]
struct Percentile {
    part: f64,
    heights: [f64; 5],
    positions: [f64; 5],
    values: u64,
}

impl Percentile {
    fn new(part: f64) -> Self {
        Self { part, heights: [0.0; 5], positions: [1.0, 2.0, 3.0, 4.0, 5.0], values: 0 }
    }

    /// NaN before there are five values.
    fn get(&self) -> f64 {
        if self.values < 5 { f64::NAN } else { self.heights[2] }
    }

    fn push(&mut self, value: f64) {
        self.values = self.values.saturating_add(1);
        if self.values <= 5 {
            self.heights[self.values as usize - 1] = value;
            if self.values == 5 {
                self.heights.sort_by(f64::total_cmp);
            }
            return;
        }
        self.heights[0] = self.heights[0].min(value);
        self.heights[4] = self.heights[4].max(value);
        let cell = self.heights[1..4].iter().filter(|height| value >= **height).count();
        self.positions[cell + 1..].iter_mut().for_each(|position| *position += 1.0);
        let last = self.values as f64 - 1.0;
        let wanted = [self.part / 2.0, self.part, f64::midpoint(1.0, self.part)];
        for (at, part) in (1..4).zip(wanted) {
            let behind = 1.0 + last * part - self.positions[at];
            let room_up = self.positions[at + 1] - self.positions[at];
            let room_down = self.positions[at - 1] - self.positions[at];
            if (behind >= 1.0 && room_up > 1.0) || (behind <= -1.0 && room_down < -1.0) {
                self.step(at, behind.signum());
            }
        }
    }

    /// Moves a marker one position, along a parabola through it and its neighbours where that keeps their order.
    fn step(&mut self, at: usize, by: f64) {
        let (q, n) = (&self.heights, &self.positions);
        let up = (q[at + 1] - q[at]) / (n[at + 1] - n[at]);
        let down = (q[at] - q[at - 1]) / (n[at] - n[at - 1]);
        let curved = q[at]
            + by / (n[at + 1] - n[at - 1])
                * ((n[at] - n[at - 1] + by) * up + (n[at + 1] - n[at] - by) * down);
        let straight = q[at] + if by > 0.0 { up } else { -down };
        let keeps_order = q[at - 1] < curved && curved < q[at + 1];
        self.heights[at] = if keeps_order { curved } else { straight };
        self.positions[at] += by;
    }

    fn write(&self, out: &mut StateWriter) {
        out.f64s(&self.heights);
        out.f64s(&self.positions);
        out.u64(self.values);
    }

    fn read(&mut self, from: &mut StateReader<'_>) -> Option<()> {
        self.heights = all_learned(from, 5)?.try_into().ok()?;
        self.positions = all_learned(from, 5)?.try_into().ok()?;
        self.values = from.u64()?;
        Some(())
    }
}
