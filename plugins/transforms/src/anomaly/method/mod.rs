//! Scores of a series of numbers: one after the other, each by those before it.
//!
//! **Invariant:** a detector sees values and their times only, and what it says of a value depends on nothing behind it.

mod auto;
mod ewma;
mod half_space;
mod mad;
mod median;
mod quantile;
mod random_cut;
mod range;
mod season;
mod window;

use lograil_plugin::schemars;
use schemars::JsonSchema;
use serde::Deserialize;

use crate::state_bytes::{StateReader, StateWriter};
use auto::Auto;
use ewma::Ewma;
use half_space::HalfSpaceTrees;
use mad::Mad;
use quantile::Quantile;
use random_cut::RandomCutForest;

/// Ratio beyond which nothing gets worse: a score of 0.999.
const RATIO_MAX: f64 = 1e3;

/// Numbers beyond are no measurements: they are judged but teach nothing, so that the squares of differences between
/// those that do stay finite.
const VALUE_MAX: f64 = 1e100;

/// Nothing that is learned of values up to `VALUE_MAX`, their squares included, is greater.
const LEARNED_MAX: f64 = 1e210;

/// What is left of the weariness of alarms with each value: exp(-1/200).
const WEARINESS_LEFT: f64 = 0.995_012_479_192_682_3;

/// Values after the start of an incident in which a further alarm counts for less.
const INCIDENT_VALUES: u32 = 200;

/// How much less.
const INCIDENT_FACTOR: f64 = 0.3;

/// How a series is scored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum MethodName {
    /// Beyond what has been, or beyond what is usual at the time of the day; assumes no distribution.
    #[default]
    Auto,
    /// Standard deviations from a mean that follows the values.
    Ewma,
    /// Median absolute deviations from the median of the last 100 values.
    Mad,
    /// Beyond the value that only so many in a million exceed.
    Quantile,
    /// Where few of the last 256 values, with their changes, were.
    HalfSpaceTrees,
    /// Where a value, with the three before it, is far from those of the last 99 values.
    RandomCutForest,
}

impl MethodName {
    /// As it is written in options.
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Ewma => "ewma",
            Self::Mad => "mad",
            Self::Quantile => "quantile",
            Self::HalfSpaceTrees => "half_space_trees",
            Self::RandomCutForest => "random_cut_forest",
        }
    }
}

/// A method with its settings.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Method {
    pub(super) name: MethodName,
    /// Standard deviations at which an alarm is due: `ewma`, `mad`.
    pub(super) limit: f64,
    /// Weight of a new value: `ewma`.
    pub(super) weight: f64,
    /// Chance of an alarm where nothing is wrong: `quantile`.
    pub(super) chance: f64,
}

/// What a series makes of a value.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Judgement {
    /// How far the value is off: 0 inside of what is expected, 1 where an alarm is due.
    pub(super) ratio: f64,
    /// What is expected.
    pub(super) low: f64,
    pub(super) high: f64,
    /// What is usual.
    pub(super) baseline: f64,
    /// What was compared with all that.
    pub(super) view: View,
}

/// What a method looks at.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum View {
    /// The value itself.
    Value,
    /// The median of the last values, which is this.
    Median(f64),
    /// The value at this time of the day.
    TimeOfDay,
    /// The value together with its change.
    Change(f64),
    /// The value together with those before it.
    Shape,
}

impl Judgement {
    /// The score, from 0 to 1: 0.5 where an alarm is due.
    pub(super) fn score(&self) -> f64 {
        self.ratio / (1.0 + self.ratio)
    }

    /// The worse of two; this one if they are alike.
    fn or_worse(self, other: Self) -> Self {
        if other.ratio > self.ratio { other } else { self }
    }
}

/// What was learned of a series.
#[derive(Debug, Clone)]
pub(super) struct Series {
    detector: Detector,
    /// Alarms of late, each counting for less with every value: what alarms all the time tells little.
    weariness: f64,
    /// Values since the start of the last incident.
    incident_values: u32,
}

#[derive(Debug, Clone)]
#[expect(
    clippy::large_enum_variant,
    reason = "a series lies in a box of its own, in few cache lines"
)]
enum Detector {
    Auto(Auto),
    Ewma(Ewma),
    Mad(Mad),
    Quantile(Box<Quantile>),
    HalfSpaceTrees(Box<HalfSpaceTrees>),
    RandomCutForest(Box<RandomCutForest>),
}

impl Detector {
    /// Judges a value of at most `VALUE_MAX` by those before it, then learns it.
    #[inline]
    fn push(&mut self, method: &Method, time_ns: i64, value: f64) -> Judgement {
        match self {
            Self::Auto(auto) => auto.push(time_ns, value),
            Self::Ewma(ewma) => ewma.push(value, method.weight, method.limit),
            Self::Mad(mad) => mad.push(value, method.limit),
            Self::Quantile(quantile) => quantile.push(value, method.chance),
            Self::HalfSpaceTrees(trees) => trees.push(value),
            Self::RandomCutForest(forest) => forest.push(value),
        }
    }
}

impl Series {
    pub(super) fn new(method: &Method) -> Self {
        let detector = match method.name {
            MethodName::Auto => Detector::Auto(Auto::new()),
            MethodName::Ewma => Detector::Ewma(Ewma::default()),
            MethodName::Mad => Detector::Mad(Mad::new()),
            MethodName::Quantile => Detector::Quantile(Box::new(Quantile::new())),
            MethodName::HalfSpaceTrees => Detector::HalfSpaceTrees(Box::new(HalfSpaceTrees::new())),
            MethodName::RandomCutForest => {
                Detector::RandomCutForest(Box::new(RandomCutForest::new()))
            }
        };
        Self { detector, weariness: 0.0, incident_values: u32::MAX }
    }

    /// Judges a finite value by those before it, then learns it, unless it is beyond all measurements.
    pub(super) fn push(&mut self, method: &Method, time_ns: i64, value: f64) -> Judgement {
        let mut judgement = if value.abs() <= VALUE_MAX {
            self.detector.push(method, time_ns, value)
        } else {
            self.judge_only(method, time_ns, VALUE_MAX.copysign(value))
        };
        let is_off = judgement.ratio > 1.0;
        self.weariness *= WEARINESS_LEFT;
        judgement.ratio /= 1.0 + self.weariness;
        self.weariness += f64::from(u8::from(is_off));
        self.incident_values = self.incident_values.saturating_add(1);
        if self.incident_values < INCIDENT_VALUES {
            judgement.ratio *= INCIDENT_FACTOR;
        } else if judgement.ratio > 1.0 {
            self.incident_values = 0;
        }
        judgement
    }

    #[cold]
    fn judge_only(&self, method: &Method, time_ns: i64, value: f64) -> Judgement {
        self.detector.clone().push(method, time_ns, value)
    }

    pub(super) fn write(&self, out: &mut StateWriter) {
        out.f64(self.weariness);
        out.u64(self.incident_values.into());
        match &self.detector {
            Detector::Auto(auto) => auto.write(out),
            Detector::Ewma(ewma) => ewma.write(out),
            Detector::Mad(mad) => mad.write(out),
            Detector::Quantile(quantile) => quantile.write(out),
            Detector::HalfSpaceTrees(trees) => trees.write(out),
            Detector::RandomCutForest(forest) => forest.write(out),
        }
    }

    /// `None` also where a number is none that values can have taught: its detector would be silent for ever.
    pub(super) fn read(from: &mut StateReader<'_>, method: &Method) -> Option<Self> {
        let weariness = learned(from)?;
        let incident_values = from.u64()?.try_into().ok()?;
        let detector = match method.name {
            MethodName::Auto => Detector::Auto(Auto::read(from)?),
            MethodName::Ewma => Detector::Ewma(Ewma::read(from)?),
            MethodName::Mad => Detector::Mad(Mad::read(from)?),
            MethodName::Quantile => Detector::Quantile(Box::new(Quantile::read(from)?)),
            MethodName::HalfSpaceTrees => {
                Detector::HalfSpaceTrees(Box::new(HalfSpaceTrees::read(from)?))
            }
            MethodName::RandomCutForest => {
                Detector::RandomCutForest(Box::new(RandomCutForest::read(from)?))
            }
        };
        Some(Self { detector, weariness, incident_values })
    }
}

/// A number that values can have taught.
fn learned(from: &mut StateReader<'_>) -> Option<f64> {
    from.f64().filter(|number| number.abs() <= LEARNED_MAX)
}

/// At most `max` of them.
fn all_learned(from: &mut StateReader<'_>, max: usize) -> Option<Vec<f64>> {
    let numbers = from.f64s(max)?;
    numbers.iter().all(|number| number.abs() <= LEARNED_MAX).then_some(numbers)
}

#[cfg(test)]
mod tests;
