//! `+ - * / %` with VRL's rules: integers wrap, `/` is always a float, strings concatenate and repeat.

use bumpalo::collections::Vec as BumpVec;

use crate::ast::ArithmeticOp;
use crate::context::Context;
use crate::error::EvalError;
use crate::kind::Kind;
use crate::value::Value;

impl ArithmeticOp {
    /// Computes a value.
    pub(crate) fn apply<'a>(
        self,
        left: Value<'a>,
        right: Value<'a>,
        context: &Context<'a>,
    ) -> Result<Value<'a>, EvalError> {
        match (self, left, right) {
            (Self::Div, left, right) => self.divide(&left, &right),
            (_, Value::Integer(left), Value::Integer(right)) => self.integers(left, right),
            (Self::Add, Value::String(left), Value::String(right)) => concat(left, right, context),
            (Self::Add, text @ Value::String(_), Value::Null)
            | (Self::Add, Value::Null, text @ Value::String(_)) => Ok(text),
            (Self::Mul, Value::String(text), Value::Integer(times))
            | (Self::Mul, Value::Integer(times), Value::String(text)) => {
                repeat(text, times, context)
            }
            (_, left, right) => match (float(&left), float(&right)) {
                (Some(left), Some(right)) => self.floats(left, right),
                _ => Err(self.error(&left, &right)),
            },
        }
    }

    fn error(self, left: &Value<'_>, right: &Value<'_>) -> EvalError {
        EvalError::Arithmetic { op: self.symbol(), left: left.kind(), right: right.kind() }
    }

    fn divide(self, left: &Value<'_>, right: &Value<'_>) -> Result<Value<'static>, EvalError> {
        match (float(left), float(right)) {
            (Some(_), Some(0.0)) => Err(EvalError::DivisionByZero),
            (Some(left), Some(right)) => Ok(Value::float(left / right)),
            _ => Err(self.error(left, right)),
        }
    }

    fn integers(self, left: i64, right: i64) -> Result<Value<'static>, EvalError> {
        Ok(Value::Integer(match self {
            Self::Add => left.wrapping_add(right),
            Self::Sub => left.wrapping_sub(right),
            Self::Mul => left.wrapping_mul(right),
            Self::Rem | Self::Div if right == 0 => return Err(EvalError::DivisionByZero),
            Self::Rem => left.wrapping_rem(right),
            Self::Div => return Ok(Value::float(left as f64 / right as f64)),
        }))
    }

    fn floats(self, left: f64, right: f64) -> Result<Value<'static>, EvalError> {
        Ok(Value::float(match self {
            Self::Add => left + right,
            Self::Sub => left - right,
            Self::Mul => left * right,
            Self::Div | Self::Rem if right == 0.0 => return Err(EvalError::DivisionByZero),
            Self::Rem => left % right,
            Self::Div => left / right,
        }))
    }

    /// What the operator gives for the types of its sides; nothing if it never works.
    pub(crate) fn returns(self, left: Kind, right: Kind) -> Kind {
        let mut kinds = Kind::NEVER;
        for l in left.iter() {
            for r in right.iter() {
                kinds = kinds | self.returns_one(l, r);
            }
        }
        kinds
    }

    fn returns_one(self, left: Kind, right: Kind) -> Kind {
        let either = left | right;
        if Kind::NUMBER.contains(either) {
            let whole = either == Kind::INTEGER && self != Self::Div;
            return if whole { Kind::INTEGER } else { Kind::FLOAT };
        }
        let text = match self {
            Self::Add => either == Kind::STRING || either == Kind::STRING | Kind::NULL,
            Self::Mul => either == Kind::STRING | Kind::INTEGER,
            _ => false,
        };
        if text { Kind::STRING } else { Kind::NEVER }
    }

    /// Whether the operator has a value for all values of these types, but for texts beyond all bounds.
    pub(crate) fn infallible(self, left: Kind, right: Kind) -> bool {
        let typed = left.iter().all(|l| right.iter().all(|r| self.returns(l, r) != Kind::NEVER));
        typed && !matches!(self, Self::Div | Self::Rem)
    }
}

fn float(value: &Value<'_>) -> Option<f64> {
    match value {
        Value::Integer(value) => Some(*value as f64),
        Value::Float(value) => Some(*value),
        _ => None,
    }
}

fn concat<'a>(left: &[u8], right: &[u8], context: &Context<'a>) -> Result<Value<'a>, EvalError> {
    context.check_text(left.len() + right.len())?;
    let mut text = BumpVec::with_capacity_in(left.len() + right.len(), context.bump);
    text.extend_from_slice_copy(left);
    text.extend_from_slice_copy(right);
    context.written_text(text)
}

fn repeat<'a>(text: &[u8], times: i64, context: &Context<'a>) -> Result<Value<'a>, EvalError> {
    let times = usize::try_from(times.max(0)).map_err(|_| EvalError::TooLong)?;
    let len = text.len().checked_mul(times).ok_or(EvalError::TooLong)?;
    context.check_text(len)?;
    context.text(&text.repeat(times))
}
