//! What is computed of the values of a field, in a form whose parts can be merged.

use lograil_event::{BatchMut, Field, FieldFlags, Key, Tag, ValueRef};
use lograil_plugin::schemars::{self, JsonSchema};
use serde::Deserialize;
use sketches_ddsketch::{Config, DDSketch};

use super::distinct::Distinct;
use crate::number::{Number, Sum};

/// What is computed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum Function {
    /// How many events there were, or how many that have the field.
    Count,
    /// The sum of the numbers.
    Sum,
    /// The smallest number.
    Min,
    /// The largest number.
    Max,
    /// The arithmetic mean of the numbers.
    Avg,
    /// Quantiles of the numbers.
    Quantiles,
    /// How many different values there were.
    Distinct,
}

/// A result in the making.
#[derive(Clone)]
pub(super) enum State {
    Count(u64),
    Sum(Sum),
    Min(Option<Number>),
    Max(Option<Number>),
    Avg(Sum, u64),
    Quantiles(Box<DDSketch>),
    Distinct(Distinct),
}

/// A value as functions take it.
pub(super) struct Input {
    /// Its number, if it has one.
    pub(super) number: Option<Number>,
    /// The hash of its canonical form.
    pub(super) hash: u64,
}

/// The number of a value, also of a text that is one; none that is not finite.
#[inline]
pub(super) fn number_of(value: ValueRef<'_>) -> Option<Number> {
    match value {
        ValueRef::Str { text, .. } => {
            let text = text.trim_ascii();
            let looks_like_one = text
                .iter()
                .all(|byte| matches!(byte, b'0'..=b'9' | b'+' | b'-' | b'.' | b'e' | b'E'));
            Number::of(ValueRef::Number(text)).filter(|_| looks_like_one)
        }
        value => Number::of(value),
    }
    .filter(|number| number.is_finite())
}

impl State {
    pub(super) fn new(function: Function) -> Self {
        match function {
            Function::Count => Self::Count(0),
            Function::Sum => Self::Sum(Sum::default()),
            Function::Min => Self::Min(None),
            Function::Max => Self::Max(None),
            Function::Avg => Self::Avg(Sum::default(), 0),
            Function::Quantiles => Self::Quantiles(Box::new(DDSketch::new(Config::defaults()))),
            Function::Distinct => Self::Distinct(Distinct::default()),
        }
    }

    /// Adds a value; whether it could be taken.
    #[inline]
    pub(super) fn add(&mut self, input: &Input) -> bool {
        match self {
            Self::Count(count) => {
                *count += 1;
                return true;
            }
            Self::Distinct(distinct) => {
                distinct.add(input.hash);
                return true;
            }
            _ => {}
        }
        let Some(number) = input.number else { return false };
        match self {
            Self::Sum(sum) => sum.add(number),
            Self::Avg(sum, count) => {
                sum.add(number);
                *count += 1;
            }
            Self::Min(min) if min.is_none_or(|min| number.is_below(min)) => *min = Some(number),
            Self::Max(max) if max.is_none_or(|max| max.is_below(number)) => *max = Some(number),
            Self::Quantiles(sketch) => sketch.add(number.as_f64()),
            _ => {}
        }
        true
    }

    /// Adds all that another state of the same function has.
    pub(super) fn merge(&mut self, other: &Self) {
        match (self, other) {
            (Self::Count(count), Self::Count(more)) => *count += more,
            (Self::Sum(sum), Self::Sum(more)) => sum.merge(more),
            (Self::Avg(sum, count), Self::Avg(more, more_count)) => {
                sum.merge(more);
                *count += more_count;
            }
            (Self::Min(min), Self::Min(Some(other)))
                if min.is_none_or(|min| other.is_below(min)) =>
            {
                *min = Some(*other);
            }
            (Self::Max(max), Self::Max(Some(other)))
                if max.is_none_or(|max| max.is_below(*other)) =>
            {
                *max = Some(*other);
            }
            // Two sketches of the same configuration always merge.
            (Self::Quantiles(sketch), Self::Quantiles(more)) => drop(sketch.merge(more)),
            (Self::Distinct(distinct), Self::Distinct(more)) => distinct.merge(more),
            _ => {}
        }
    }

    /// The result as a field; `null` where there was no value.
    pub(super) fn field(&self, key: Key, quantiles: &[f64], edit: &mut BatchMut<'_>) -> Field {
        let number = |number: Option<Number>, edit: &mut BatchMut<'_>| {
            number.map_or(Field::null(key.0), |number| number.held().field(key, edit))
        };
        match self {
            Self::Count(count) => number(Some(Number::Integer((*count).into())), edit),
            Self::Distinct(distinct) => {
                number(Some(Number::Integer(distinct.count().into())), edit)
            }
            Self::Sum(sum) => number(Some(sum.number()), edit),
            Self::Min(found) | Self::Max(found) => number(*found, edit),
            Self::Avg(_, 0) => Field::null(key.0),
            Self::Avg(sum, count) => Field::f64(key.0, sum.number().as_f64() / *count as f64),
            Self::Quantiles(sketch) => {
                let mut object = serde_json::Map::new();
                for quantile in quantiles {
                    object.insert(quantile_name(*quantile), quantile_of(sketch, *quantile).into());
                }
                let text = serde_json::Value::Object(object).to_string();
                let span = edit.push_text(text.as_bytes());
                Field::text(key.0, Tag::Object, span, FieldFlags::NONE)
            }
        }
    }
}

/// A quantile, without digits that mean nothing, and never beyond the smallest and the largest number.
fn quantile_of(sketch: &DDSketch, quantile: f64) -> Option<f64> {
    let found = sketch.quantile(quantile).ok().flatten()?;
    let rounded = format!("{found:.4e}").parse().unwrap_or(found);
    Some(rounded.clamp(sketch.min()?, sketch.max()?))
}

/// `p50`, `p99`, `p99.9`.
fn quantile_name(quantile: f64) -> String {
    // Rounded, because 0.999 * 100 is 99.90000000000001.
    let percent = (quantile * 1e8).round() / 1e6;
    format!("p{percent}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn quantiles_are_named_by_their_percentage() {
        let names = [0.0, 0.5, 0.99, 0.999, 0.9999, 1.0].map(quantile_name);
        assert_eq!(names, ["p0", "p50", "p99", "p99.9", "p99.99", "p100"]);
    }

    #[test]
    fn texts_that_are_numbers_count() {
        assert_eq!(number_of(ValueRef::str(" 12 ")), Some(Number::Integer(12)));
        assert_eq!(number_of(ValueRef::str("1.5e3")), Some(Number::Float(1500.0)));
        for no_number in ["", "inf", "nan", "5 ms", "1e999", "-", "infinity"] {
            assert_eq!(number_of(ValueRef::str(no_number)), None, "{no_number}");
        }
    }

    fn state(function: Function, numbers: &[f64]) -> State {
        let mut state = State::new(function);
        for number in numbers {
            let input = Input { number: Some(Number::Float(*number)), hash: number.to_bits() };
            assert!(state.add(&input));
        }
        state
    }

    proptest! {
        /// Against exact answers, and split into two parts that are merged.
        #[test]
        fn quantiles_are_within_one_percent(
            numbers in proptest::collection::vec(prop_oneof![-1e6..1e6f64, 1e-6..1.0f64, Just(0.0)], 1..300),
            cut in 0usize..300,
            quantile in 0.0..=1.0f64,
        ) {
            let (left, right) = numbers.split_at(cut.min(numbers.len()));
            let mut merged = state(Function::Quantiles, left);
            merged.merge(&state(Function::Quantiles, right));
            let State::Quantiles(sketch) = merged else { panic!("a sketch") };
            let found = quantile_of(&sketch, quantile).unwrap();
            let mut sorted = numbers.clone();
            sorted.sort_by(f64::total_cmp);
            let exact = sorted[(quantile * (sorted.len() - 1) as f64) as usize];
            prop_assert!((found - exact).abs() <= 0.0101 * exact.abs() + 1e-9, "{} for {}", found, exact);
        }

        #[test]
        fn the_others_are_exact(numbers in proptest::collection::vec(-1000i32..1000, 1..50), cut in 0usize..50) {
            let numbers: Vec<f64> = numbers.into_iter().map(f64::from).collect();
            let (left, right) = numbers.split_at(cut.min(numbers.len()));
            for function in [Function::Sum, Function::Min, Function::Max, Function::Avg] {
                let mut merged = state(function, left);
                merged.merge(&state(function, right));
                let sum: f64 = numbers.iter().sum();
                let (found, exact) = match &merged {
                    State::Sum(found) => (found.number().as_f64(), sum),
                    State::Avg(found, count) => (found.number().as_f64() / *count as f64, sum / numbers.len() as f64),
                    State::Min(found) => (found.unwrap().as_f64(), numbers.iter().copied().fold(f64::MAX, f64::min)),
                    State::Max(found) => (found.unwrap().as_f64(), numbers.iter().copied().fold(f64::MIN, f64::max)),
                    _ => panic!("another function"),
                };
                prop_assert_eq!(found, exact);
            }
        }
    }
}
