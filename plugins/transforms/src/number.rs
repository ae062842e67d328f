//! Numbers that are added and compared: whole numbers exactly, others as 64-bit floats.

use std::cmp::Ordering;

use lograil_event::ValueRef;

use crate::held::Held;
use crate::numeric;

/// 2^127: from here on floats are beyond every whole number we hold.
const INTEGERS_END: f64 = 170_141_183_460_469_231_731_687_303_715_884_105_728.0;

/// A number.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Number {
    Integer(i128),
    Float(f64),
}

/// A sum: of the whole numbers exactly, of the others as floats.
#[derive(Debug, Clone, Default)]
pub(crate) struct Sum {
    integers: i128,
    floats: Option<f64>,
    /// The only number so far, as it was written.
    alone: Option<Held>,
}

impl Number {
    /// The number of a value; none for NaN.
    pub(crate) fn of(value: ValueRef<'_>) -> Option<Self> {
        match value {
            ValueRef::I64(value) => Some(Self::Integer(value.into())),
            ValueRef::U64(value) => Some(Self::Integer(value.into())),
            ValueRef::F64(value) => (!value.is_nan()).then_some(Self::Float(value)),
            ValueRef::Number(text) => {
                if let Some(digits) = numeric::digits(text) {
                    return Some(Self::Integer(digits.into()));
                }
                let text = std::str::from_utf8(text).ok()?;
                let integer = text.parse().map(Self::Integer).ok();
                integer.or_else(|| text.parse().map(Self::Float).ok())
            }
            _ => None,
        }
    }

    /// The number as a value.
    pub(crate) fn held(self) -> Held {
        match self {
            Self::Float(float) => Held::of(ValueRef::F64(float)),
            Self::Integer(integer) => match (i64::try_from(integer), u64::try_from(integer)) {
                (Ok(integer), _) => Held::of(ValueRef::I64(integer)),
                (_, Ok(integer)) => Held::of(ValueRef::U64(integer)),
                _ => Held::of(ValueRef::Number(integer.to_string().as_bytes())),
            },
        }
    }

    pub(crate) fn as_f64(self) -> f64 {
        match self {
            Self::Integer(integer) => match i64::try_from(integer) {
                Ok(integer) => integer as f64,
                Err(_) => wide_to_float(integer),
            },
            Self::Float(float) => float,
        }
    }

    pub(crate) fn is_finite(self) -> bool {
        match self {
            Self::Integer(_) => true,
            Self::Float(float) => float.is_finite(),
        }
    }

    /// Whether it is less than another, exactly.
    pub(crate) fn is_below(self, other: Self) -> bool {
        match (self, other) {
            (Self::Integer(left), Self::Integer(right)) => left < right,
            (Self::Float(left), Self::Float(right)) => left < right,
            (Self::Integer(left), Self::Float(right)) => integer_to_float(left, right).is_lt(),
            (Self::Float(left), Self::Integer(right)) => integer_to_float(right, left).is_gt(),
        }
    }
}

/// Not inlined, because it takes a hundred instructions, which the compiler would have carried out for every number.
#[cold]
#[inline(never)]
fn wide_to_float(integer: i128) -> f64 {
    integer as f64
}

/// Not inlined for the same reason.
#[cold]
#[inline(never)]
fn integer_to_float(integer: i128, float: f64) -> Ordering {
    if float >= INTEGERS_END {
        return Ordering::Less;
    }
    if float < -INTEGERS_END {
        return Ordering::Greater;
    }
    let whole = float.trunc();
    integer.cmp(&(whole as i128)).then_with(|| whole.total_cmp(&float))
}

impl Sum {
    pub(crate) fn start(number: Number, value: Held) -> Self {
        let mut sum = Self { integers: 0, floats: None, alone: None };
        sum.add(number);
        sum.alone = Some(value);
        sum
    }

    pub(crate) fn add(&mut self, number: Number) {
        self.alone = None;
        let float = match number {
            Number::Integer(integer) => match self.integers.checked_add(integer) {
                Some(sum) => {
                    self.integers = sum;
                    return;
                }
                None => wide_to_float(integer),
            },
            Number::Float(float) => float,
        };
        self.floats = Some(self.floats.unwrap_or(0.0) + float);
    }

    /// The sum; a single number is given as it was written.
    pub(crate) fn value(&self) -> Held {
        if let Some(alone) = &self.alone {
            return alone.clone();
        }
        self.number().held()
    }

    /// The sum as a number.
    pub(crate) fn number(&self) -> Number {
        match self.floats {
            Some(floats) => Number::Float(floats + Number::Integer(self.integers).as_f64()),
            None => Number::Integer(self.integers),
        }
    }

    /// Adds all that another sum has.
    pub(crate) fn merge(&mut self, other: &Self) {
        self.add(Number::Integer(other.integers));
        if let Some(floats) = other.floats {
            self.add(Number::Float(floats));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_numbers_are_those_that_long_ones_are() {
        for (text, wanted) in [
            ("0", Number::Integer(0)),
            ("-0", Number::Integer(0)),
            ("-7", Number::Integer(-7)),
            ("999999999999999", Number::Integer(999_999_999_999_999)),
            ("1000000000000000", Number::Integer(1_000_000_000_000_000)),
            ("1.5", Number::Float(1.5)),
            ("1e3", Number::Float(1000.0)),
        ] {
            assert_eq!(Number::of(ValueRef::Number(text.as_bytes())), Some(wanted), "{text}");
        }
        assert_eq!(Number::of(ValueRef::Number(b"")), None);
    }

    #[test]
    fn integers_and_floats_compare_exactly() {
        let float = 9_007_199_254_740_992.0;
        let next = Number::Integer(9_007_199_254_740_993);
        assert!(Number::Float(float).is_below(next) && !next.is_below(Number::Float(float)));
        assert!(Number::Integer(1).is_below(Number::Float(1.5)));
        assert!(Number::Float(-1.5).is_below(Number::Integer(-1)));
        assert!(Number::Integer(i128::MAX).is_below(Number::Float(f64::INFINITY)));
        assert!(Number::Float(f64::NEG_INFINITY).is_below(Number::Integer(i128::MIN)));
        assert!(!Number::Integer(0).is_below(Number::Float(-0.0)));
    }
}
