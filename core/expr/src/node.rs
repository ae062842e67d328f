//! The compiled tree, and its evaluation over one event.

use std::borrow::Cow;

use lograil_event::{EventRef, Field, Key};

use lograil_event::json_text::PathStep;

use crate::ast::{ArithmeticOp, CompareOp};
use crate::check::Check;
use crate::error::EvalError;
use crate::functions::Function;
use crate::json;
use crate::value::{Array, Object, Value};

/// The key of a root that the batch does not have.
pub(crate) const KEY_MISSING: u32 = u32::MAX;

/// What an expression is evaluated over.
pub(crate) struct Context<'a> {
    pub event: EventRef<'a>,
    /// Key ids of the program's roots in the event's batch.
    pub keys: &'a [u32],
}

/// A path of the event: a root key, by its number in the program, and steps into its value.
#[derive(Debug)]
pub(crate) struct Path {
    pub root: usize,
    pub rest: Box<[PathStep]>,
}

#[derive(Debug)]
pub(crate) enum Node {
    Constant(Value<'static>),
    Event,
    Path(Path),
    Query(Box<Node>, Box<[PathStep]>),
    /// A path against something known at load time: the shape most conditions have.
    Check(Path, Check),
    Not(Box<Node>),
    Compare(CompareOp, Box<[Node; 2]>),
    Arithmetic(ArithmeticOp, Box<[Node; 2]>),
    And(Box<[Node]>),
    Or(Box<[Node]>),
    Coalesce(Box<[Node]>),
    /// Condition, then, otherwise.
    If(Box<[Node; 3]>),
    Array(Box<[Node]>),
    Object(Box<[(String, Node)]>),
    Block(Box<[Node]>),
    Call(&'static Function, Box<[Option<Node>]>),
}

impl<'a> Context<'a> {
    #[inline]
    fn field(&self, root: usize) -> Option<&'a Field> {
        let key = self.keys.get(root).copied()?;
        if key == KEY_MISSING { None } else { self.event.field(Key(key)) }
    }

    /// The value of a path, if the event has it.
    #[inline]
    pub(crate) fn get(&self, path: &Path) -> Option<Value<'a>> {
        let value = Value::from(self.event.batch().value(self.field(path.root)?));
        if path.rest.is_empty() { Some(value) } else { step_into(value, &path.rest) }
    }
}

impl Context<'_> {
    #[inline]
    fn check(&self, path: &Path, check: &Check) -> Result<bool, EvalError> {
        if path.rest.is_empty()
            && let Some(field) = self.field(path.root)
            && let Some(holds) = check.test_plain(self.event.batch().value(field))
        {
            return Ok(holds);
        }
        let value = self.get(path);
        let exists = value.is_some();
        check.test(&value.unwrap_or(Value::Null), exists)
    }
}

/// What a path of `segments` leads to from a value.
pub(crate) fn step_into<'a>(value: Value<'a>, segments: &[PathStep]) -> Option<Value<'a>> {
    let Some((segment, rest)) = segments.split_first() else { return Some(value) };
    let next = match (value, segment) {
        (Value::Array(Array::Json(text)) | Value::Object(Object::Json(text)), _) => {
            return json::walk(text, segments);
        }
        (Value::Object(Object::Event(event)), PathStep::Name(name)) => {
            Value::from(event.get_named(name)?)
        }
        (Value::Object(Object::Borrowed(members)), PathStep::Name(name)) => {
            members.iter().rfind(|(key, _)| **key == *name.as_bytes())?.1.borrow()
        }
        (Value::Object(Object::Owned(members)), PathStep::Name(name)) => {
            members.into_iter().rfind(|(key, _)| **key == *name.as_bytes())?.1
        }
        (Value::Array(Array::Borrowed(items)), PathStep::Index(index)) => {
            items.get(position(*index, items.len())?)?.borrow()
        }
        (Value::Array(Array::Owned(items)), PathStep::Index(index)) => {
            let at = position(*index, items.len())?;
            items.into_iter().nth(at)?
        }
        _ => return None,
    };
    step_into(next, rest)
}

fn position(index: i64, len: usize) -> Option<usize> {
    match usize::try_from(index) {
        Ok(index) => Some(index),
        Err(_) => len.checked_sub(usize::try_from(index.unsigned_abs()).ok()?),
    }
}

impl Node {
    /// The value for an event. A missing path is null.
    pub(crate) fn eval<'a>(&'a self, context: &Context<'a>) -> Result<Value<'a>, EvalError> {
        Ok(match self {
            Self::Constant(value) => value.borrow(),
            Self::Event => Value::Object(Object::Event(context.event)),
            Self::Path(path) => context.get(path).unwrap_or(Value::Null),
            Self::Query(target, segments) => {
                step_into(target.eval(context)?, segments).unwrap_or(Value::Null)
            }
            Self::Arithmetic(op, sides) => {
                op.apply(sides[0].eval(context)?, sides[1].eval(context)?)?
            }
            Self::Or(parts) => {
                let mut value = Value::Null;
                for part in parts {
                    value = part.eval(context)?;
                    if !matches!(value, Value::Null | Value::Boolean(false)) {
                        break;
                    }
                }
                value
            }
            Self::Coalesce(parts) => return coalesce(parts, |part| part.eval(context)),
            Self::If(parts) => {
                let [condition, then, otherwise] = &**parts;
                let branch = if condition.strictly_true(context)? { then } else { otherwise };
                branch.eval(context)?
            }
            Self::Array(items) => {
                let items = items.iter().map(|item| item.eval(context)).collect::<Result<_, _>>();
                Value::Array(Array::Owned(items?))
            }
            Self::Object(members) => {
                let members = members
                    .iter()
                    .map(|(key, value)| Ok((Cow::Borrowed(key.as_bytes()), value.eval(context)?)));
                Value::Object(Object::Owned(members.collect::<Result<_, _>>()?))
            }
            Self::Block(statements) => {
                let mut value = Value::Null;
                for statement in statements {
                    value = statement.eval(context)?;
                }
                value
            }
            Self::Call(function, nodes) => function.call(nodes, context)?,
            Self::Check(..) | Self::Not(_) | Self::Compare(..) | Self::And(_) => {
                self.truth(context)?.map_or(Value::Null, Value::Boolean)
            }
        })
    }

    /// The value where a boolean is wanted; `None` is null.
    #[inline]
    pub(crate) fn truth(&self, context: &Context<'_>) -> Result<Option<bool>, EvalError> {
        Ok(Some(match self {
            Self::Check(path, check) => context.check(path, check)?,
            Self::Compare(op, sides) => {
                op.apply(&sides[0].eval(context)?, &sides[1].eval(context)?)?
            }
            Self::Not(inner) => !inner.strictly_true(context)?,
            Self::And(parts) => {
                for part in parts {
                    if part.truth(context)? != Some(true) {
                        return Ok(Some(false));
                    }
                }
                true
            }
            Self::Or(parts) => {
                let mut last = None;
                for part in parts {
                    last = part.truth(context)?;
                    if last == Some(true) {
                        break;
                    }
                }
                return Ok(last);
            }
            Self::Coalesce(parts) => return coalesce(parts, |part| part.truth(context)),
            other => match other.eval(context)? {
                Value::Boolean(value) => value,
                Value::Null => return Ok(None),
                value => return Err(EvalError::NotBoolean(value.kind())),
            },
        }))
    }

    /// Like [`Node::truth`], for `!` and `if`, which take no null.
    fn strictly_true(&self, context: &Context<'_>) -> Result<bool, EvalError> {
        self.truth(context)?.ok_or(EvalError::NotBoolean(crate::Kind::NULL))
    }
}

/// The first part that does not fail, or the failure of the last.
fn coalesce<'n, T>(
    parts: &'n [Node],
    mut eval: impl FnMut(&'n Node) -> Result<T, EvalError>,
) -> Result<T, EvalError> {
    let mut result = Err(EvalError::NotBoolean(crate::Kind::NULL));
    for part in parts {
        result = eval(part);
        if result.is_ok() {
            break;
        }
    }
    result
}
