//! Equality and order of values.

use std::cmp::Ordering;

use bumpalo::Bump;

use crate::ast::CompareOp;
use crate::error::EvalError;
use crate::kind::Kind;
use crate::value::{Member, Object, Value};

/// Levels of nesting that equality looks into; below, values are equal if their text is.
const EQUALITY_DEPTH_MAX: usize = 64;

/// Whether two values are equal: numbers by value, strings by their bytes, arrays in order, objects without
/// order. Different types are never equal.
#[must_use]
pub(crate) fn equals(left: &Value<'_>, right: &Value<'_>, bump: &Bump) -> bool {
    equals_within(left, right, bump, EQUALITY_DEPTH_MAX)
}

fn equals_within(left: &Value<'_>, right: &Value<'_>, bump: &Bump, depth: usize) -> bool {
    match (left, right) {
        (Value::Null, Value::Null) => true,
        (Value::Boolean(left), Value::Boolean(right)) => left == right,
        (Value::Timestamp(left), Value::Timestamp(right)) => left == right,
        (Value::String(left), Value::String(right)) => left == right,
        (Value::Regex(left), Value::Regex(right)) => left.as_str() == right.as_str(),
        (Value::Array(_) | Value::Object(_), _) if depth == 0 => {
            left.to_string() == right.to_string()
        }
        (Value::Array(left), Value::Array(right)) => {
            left.len() == right.len()
                && left
                    .iter(bump)
                    .zip(right.iter(bump))
                    .all(|(l, r)| equals_within(&l, &r, bump, depth - 1))
        }
        (Value::Object(left), Value::Object(right)) => {
            let (left, right) = (sorted(*left, bump), sorted(*right, bump));
            left.len() == right.len()
                && left.iter().zip(&right).all(|((left_key, l), (right_key, r))| {
                    left_key == right_key && equals_within(l, r, bump, depth - 1)
                })
        }
        _ => order(left, right) == Some(Ordering::Equal),
    }
}

/// The members by key, the last one where a key came twice.
fn sorted<'a>(object: Object<'a>, bump: &'a Bump) -> Vec<Member<'a>> {
    let mut members: Vec<Member<'a>> = object.iter(bump).collect();
    members.reverse();
    members.sort_by_key(|(key, _)| *key);
    members.dedup_by(|(later, _), (earlier, _)| later == earlier);
    members
}

/// The order of two values that have one.
#[inline]
pub(crate) fn order(left: &Value<'_>, right: &Value<'_>) -> Option<Ordering> {
    match (left, right) {
        (Value::Integer(left), Value::Integer(right)) => Some(left.cmp(right)),
        (Value::Float(left), Value::Float(right)) => left.partial_cmp(right),
        (Value::Integer(left), Value::Float(right)) => Some(integer_to_float(*left, *right)),
        (Value::Float(left), Value::Integer(right)) => {
            Some(integer_to_float(*right, *left).reverse())
        }
        (Value::String(left), Value::String(right)) => Some(left.cmp(right)),
        (Value::Timestamp(left), Value::Timestamp(right)) => Some(left.cmp(right)),
        _ => None,
    }
}

/// The exact order of an integer and a float that is not NaN; 2^53 + 1 is more than 2^53.
pub(crate) fn integer_to_float(integer: i64, float: f64) -> Ordering {
    const TWO_POW_63: f64 = 9_223_372_036_854_775_808.0;
    if float >= TWO_POW_63 {
        return Ordering::Less;
    }
    if float < -TWO_POW_63 {
        return Ordering::Greater;
    }
    let whole = float.trunc();
    integer.cmp(&(whole as i64)).then_with(|| whole.partial_cmp(&float).unwrap_or(Ordering::Equal))
}

impl CompareOp {
    /// Whether an order satisfies the operator.
    #[inline]
    pub(crate) fn holds(self, order: Ordering) -> bool {
        match self {
            Self::Eq => order.is_eq(),
            Self::Ne => order.is_ne(),
            Self::Lt => order.is_lt(),
            Self::Le => order.is_le(),
            Self::Gt => order.is_gt(),
            Self::Ge => order.is_ge(),
        }
    }

    /// Compares two values.
    #[inline]
    pub(crate) fn apply(
        self,
        left: &Value<'_>,
        right: &Value<'_>,
        bump: &Bump,
    ) -> Result<bool, EvalError> {
        match self {
            Self::Eq => Ok(equals(left, right, bump)),
            Self::Ne => Ok(!equals(left, right, bump)),
            _ => match order(left, right) {
                Some(order) => Ok(self.holds(order)),
                None => Err(EvalError::Compare {
                    op: self.symbol(),
                    left: left.kind(),
                    right: right.kind(),
                }),
            },
        }
    }

    /// Whether some value of `left` can be compared with some value of `right`.
    pub(crate) fn possible(self, left: Kind, right: Kind) -> bool {
        let numbers = left.intersects(Kind::NUMBER) && right.intersects(Kind::NUMBER);
        let both = left.and(right);
        let same = if self.is_equality() { both } else { both.and(Kind::STRING | Kind::TIMESTAMP) };
        numbers || same != Kind::NEVER
    }

    /// Whether every value of `left` can be compared with every value of `right`.
    pub(crate) fn infallible(self, left: Kind, right: Kind) -> bool {
        self.is_equality()
            || [Kind::NUMBER, Kind::STRING, Kind::TIMESTAMP]
                .iter()
                .any(|kind| kind.contains(left) && kind.contains(right))
    }
}
