//! The compiled tree, and its evaluation over one event.

use bumpalo::collections::Vec as BumpVec;
use lograil_event::json_text::PathStep;
use lograil_event::{EventRef, Key};

use crate::ast::{ArithmeticOp, CompareOp};
use crate::check::Check;
use crate::constant::Constant;
use crate::context::{Context, KEY_MISSING, Path, Stop, Target};
use crate::error::EvalError;
use crate::functions::{Arguments, Function, Grok, merge_objects};
use crate::kind::Kind;
use crate::nested::{Leave, step_into};
use crate::value::{Object, Value};

#[derive(Debug)]
pub(crate) enum Node {
    Constant(Constant),
    /// Patterns; only the function that they were written for can use them.
    Grok(Box<[Grok]>),
    Event,
    Path(Path),
    Variable(usize),
    Query(Box<Node>, Box<[PathStep]>),
    /// A path against something known at load time: the shape most conditions have.
    Check(Path, Check),
    Not(Box<Node>),
    Compare(CompareOp, Box<[Node; 2]>),
    Arithmetic(ArithmeticOp, Box<[Node; 2]>),
    Merge(Box<[Node; 2]>),
    And(Box<[Node]>),
    Or(Box<[Node]>),
    Coalesce(Box<[Node]>),
    /// Condition, then, otherwise.
    If(Box<[Node; 3]>),
    Array(Box<[Node]>),
    Object(Box<[(String, Node)]>),
    /// Texts one after the other.
    Template(Box<[Node]>),
    Block(Box<[Node]>),
    Call(&'static Function, Box<[Option<Node>]>),
    Closure(&'static Function, Box<[Option<Node>]>, Box<Closure>),
    /// A call whose failure ends the program.
    Bang(Box<Node>),
    Assign(Target, Box<Node>),
    AssignResult(Box<AssignResult>),
    Delete(Target, Leave),
    Exists(Target),
    Unnest(Target),
    Abort(Option<Box<Node>>),
    Return(Box<Node>),
}

/// `ok, err = value`
#[derive(Debug)]
pub(crate) struct AssignResult {
    pub ok: Target,
    pub error: Target,
    /// What `ok` becomes where the value fails.
    pub default: Constant,
    pub value: Node,
}

/// `-> |a, b| { body }`
#[derive(Debug)]
pub(crate) struct Closure {
    /// The variables that take the parameters; none for `_`.
    pub parameters: Box<[Option<usize>]>,
    pub body: Node,
}

impl Context<'_> {
    #[inline]
    fn check(&self, path: &Path, check: &Check) -> Result<bool, EvalError> {
        if path.rest.is_empty()
            && self.is_untouched(path.root)
            && let Some(field) = self.field(path.root)
            && let Some(holds) = check.test_field(self.event.batch(), field)
        {
            return Ok(holds);
        }
        let value = self.get(path);
        let exists = value.is_some();
        check.test(&value.unwrap_or(Value::Null), exists, self.bump)
    }
}

impl Node {
    /// Whether it is made of checks of whole fields alone: what [`Node::test_plain`] can tell.
    pub(crate) fn is_plain(&self) -> bool {
        match self {
            Self::Check(path, _) => path.rest.is_empty(),
            Self::Not(inner) => inner.is_plain(),
            Self::And(parts) | Self::Or(parts) => parts.iter().all(Self::is_plain),
            _ => false,
        }
    }

    /// Whether it holds for an event as it came, told without a context. `None` where that takes more.
    #[inline]
    pub(crate) fn test_plain(&self, event: EventRef<'_>, keys: &[u32]) -> Option<bool> {
        match self {
            Self::Check(path, check) => {
                let key = *keys.get(path.root)?;
                let field = if key == KEY_MISSING { None } else { event.field(Key(key)) };
                match field {
                    Some(field) => check.test_field(event.batch(), field),
                    None => check.test_missing(),
                }
            }
            _ => self.test_plain_parts(event, keys),
        }
    }

    fn test_plain_parts(&self, event: EventRef<'_>, keys: &[u32]) -> Option<bool> {
        let (parts, decides) = match self {
            Self::Not(inner) => return inner.test_plain(event, keys).map(|holds| !holds),
            Self::And(parts) => (parts, false),
            Self::Or(parts) => (parts, true),
            _ => return None,
        };
        for part in parts {
            if part.test_plain(event, keys)? == decides {
                return Some(decides);
            }
        }
        Some(!decides)
    }

    /// The value for an event. A missing path is null.
    ///
    /// What is frequent stands here; all else has a function of its own, so that the frequent needs no more of
    /// the stack than it uses.
    #[inline]
    pub(crate) fn eval<'a>(&'a self, context: &Context<'a>) -> Result<Value<'a>, EvalError> {
        match self {
            Self::Constant(value) => Ok(value.value()),
            Self::Path(path) => Ok(context.value_at(path)),
            _ => self.compute(context),
        }
    }

    fn compute<'a>(&'a self, context: &Context<'a>) -> Result<Value<'a>, EvalError> {
        match self {
            Self::Call(function, nodes) => {
                function.call(&Arguments::new(function, nodes, None, context))
            }
            Self::Coalesce(parts) => coalesce_values(context, parts),
            Self::Check(..) | Self::Not(_) | Self::Compare(..) | Self::And(_) => {
                self.boolean(context)
            }
            Self::Arithmetic(op, sides) => arithmetic(*op, sides, context),
            Self::Variable(slot) => {
                Ok(context.variables.get(*slot).map_or(Value::Null, std::cell::Cell::get))
            }
            Self::If(parts) => {
                let [condition, then, otherwise] = &**parts;
                let branch = if condition.strictly_true(context)? { then } else { otherwise };
                branch.eval(context)
            }
            Self::Or(parts) => first_of(context, parts),
            Self::Array(_) | Self::Object(_) | Self::Template(_) => self.build(context),
            Self::Bang(_)
            | Self::Assign(..)
            | Self::AssignResult(_)
            | Self::Delete(..)
            | Self::Abort(_)
            | Self::Return(_) => self.effect(context),
            _ => self.compute_rare(context),
        }
    }

    #[inline(never)]
    fn compute_rare<'a>(&'a self, context: &Context<'a>) -> Result<Value<'a>, EvalError> {
        Ok(match self {
            Self::Event => context.current(),
            Self::Query(target, segments) => {
                step_into(target.eval(context)?, segments, context.bump).unwrap_or(Value::Null)
            }
            Self::Merge(sides) => merge(sides[0].eval(context)?, sides[1].eval(context)?, context)?,
            Self::Block(statements) => {
                let mut value = Value::Null;
                for statement in statements {
                    value = statement.eval(context)?;
                }
                value
            }
            Self::Closure(function, nodes, closure) => {
                function.call(&Arguments::new(function, nodes, Some(closure), context))?
            }
            Self::Exists(target) => Value::Boolean(context.read(target).is_some()),
            Self::Unnest(target) => context.unnest(target)?,
            _ => Value::Null,
        })
    }

    #[inline(never)]
    fn boolean<'a>(&'a self, context: &Context<'a>) -> Result<Value<'a>, EvalError> {
        Ok(self.truth(context)?.map_or(Value::Null, Value::Boolean))
    }

    /// Arrays, objects and texts made of parts.
    #[inline(never)]
    fn build<'a>(&'a self, context: &Context<'a>) -> Result<Value<'a>, EvalError> {
        match self {
            Self::Array(items) => {
                let mut out = BumpVec::with_capacity_in(items.len(), context.bump);
                for item in items {
                    out.push(item.eval(context)?);
                }
                Ok(context.array_of(out))
            }
            Self::Object(members) => {
                let mut out = BumpVec::with_capacity_in(members.len(), context.bump);
                for (key, value) in members {
                    out.push((key.as_bytes(), value.eval(context)?));
                }
                Ok(Value::Object(Object::Members(out.into_bump_slice())))
            }
            Self::Template(parts) => {
                let mut out = BumpVec::new_in(context.bump);
                for part in parts {
                    match part.eval(context)? {
                        Value::String(text) => out.extend_from_slice_copy(text),
                        other => return Err(EvalError::NotText(other.kind())),
                    }
                    context.check_text(out.len())?;
                }
                context.written_text(out)
            }
            _ => Ok(Value::Null),
        }
    }

    /// What changes the event, a variable or the course of the program.
    #[inline(never)]
    fn effect<'a>(&'a self, context: &Context<'a>) -> Result<Value<'a>, EvalError> {
        match self {
            Self::Bang(inner) => {
                let result = inner.eval(context);
                if result.is_err() && matches!(context.stop.get(), Stop::None) {
                    context.stop.set(Stop::Fatal);
                }
                result
            }
            Self::Assign(target, value) => {
                let value = value.eval(context)?;
                context.assign(target, value)?;
                Ok(value)
            }
            Self::AssignResult(parts) => match parts.value.eval(context) {
                Ok(value) => {
                    context.assign(&parts.ok, value)?;
                    context.assign(&parts.error, Value::Null)?;
                    Ok(value)
                }
                Err(error) if matches!(context.stop.get(), Stop::None) => {
                    // The event is not given away for an error.
                    if !matches!(parts.ok, Target::Event) {
                        context.assign(&parts.ok, parts.default.value())?;
                    }
                    let message = context.message(error);
                    context.assign(&parts.error, message)?;
                    Ok(message)
                }
                Err(error) => Err(error),
            },
            Self::Delete(target, leave) => {
                Ok(context.delete(target, *leave).unwrap_or(Value::Null))
            }
            Self::Abort(message) => {
                let message = match message {
                    Some(node) => match node.eval(context)? {
                        Value::String(text) => Some(text),
                        other => return Err(EvalError::NotText(other.kind())),
                    },
                    None => None,
                };
                context.stop.set(Stop::Abort(message));
                Err(EvalError::Ended)
            }
            Self::Return(value) => {
                value.eval(context)?;
                context.stop.set(Stop::Return);
                Err(EvalError::Ended)
            }
            _ => Ok(Value::Null),
        }
    }

    /// The value where a boolean is wanted; `None` is null.
    #[inline]
    pub(crate) fn truth<'a>(&'a self, context: &Context<'a>) -> Result<Option<bool>, EvalError> {
        Ok(Some(match self {
            Self::Check(path, check) => context.check(path, check)?,
            Self::Compare(op, sides) => {
                op.apply(&sides[0].eval(context)?, &sides[1].eval(context)?, context.bump)?
            }
            Self::Not(inner) => !inner.strictly_true(context)?,
            Self::And(parts) => return all(context, parts),
            Self::Or(parts) => return any(context, parts),
            Self::Coalesce(parts) => return coalesce_truths(context, parts),
            other => match other.eval(context)? {
                Value::Boolean(value) => value,
                Value::Null => return Ok(None),
                value => return Err(EvalError::NotBoolean(value.kind())),
            },
        }))
    }

    /// Like [`Node::truth`], for `!` and `if`, which take no null.
    pub(crate) fn strictly_true<'a>(&'a self, context: &Context<'a>) -> Result<bool, EvalError> {
        self.truth(context)?.ok_or(EvalError::NotBoolean(Kind::NULL))
    }
}

#[inline(never)]
fn arithmetic<'a>(
    op: ArithmeticOp,
    sides: &'a [Node; 2],
    context: &Context<'a>,
) -> Result<Value<'a>, EvalError> {
    op.apply(sides[0].eval(context)?, sides[1].eval(context)?, context)
}

/// The first part that does not fail, or the failure of the last.
#[inline(never)]
fn coalesce_values<'a>(context: &Context<'a>, parts: &'a [Node]) -> Result<Value<'a>, EvalError> {
    let Some((last, before)) = parts.split_last() else { return Ok(Value::Null) };
    for part in before {
        match part.eval(context) {
            Ok(value) => return Ok(value),
            Err(error) if !matches!(context.stop.get(), Stop::None) => return Err(error),
            Err(_) => {}
        }
    }
    last.eval(context)
}

/// The same, where booleans are wanted.
fn coalesce_truths<'a>(
    context: &Context<'a>,
    parts: &'a [Node],
) -> Result<Option<bool>, EvalError> {
    let Some((last, before)) = parts.split_last() else { return Ok(None) };
    for part in before {
        match part.truth(context) {
            Ok(value) => return Ok(value),
            Err(error) if !matches!(context.stop.get(), Stop::None) => return Err(error),
            Err(_) => {}
        }
    }
    last.truth(context)
}

/// `&&`: a part that is false decides, whatever another part that fails might have been.
fn all<'a>(context: &Context<'a>, parts: &'a [Node]) -> Result<Option<bool>, EvalError> {
    let mut result = Ok(Some(true));
    for part in parts {
        match part.truth(context) {
            Ok(Some(true)) => {}
            Ok(_) => return Ok(Some(false)),
            Err(error) if !matches!(context.stop.get(), Stop::None) => return Err(error),
            Err(error) => result = result.and(Err(error)),
        }
    }
    result
}

/// `||` as a value: the first part that is neither null nor false, also where one before it fails.
fn first_of<'a>(context: &Context<'a>, parts: &'a [Node]) -> Result<Value<'a>, EvalError> {
    let (mut last, mut failed) = (Value::Null, None);
    for part in parts {
        match part.eval(context) {
            Ok(value @ (Value::Null | Value::Boolean(false))) => last = value,
            Ok(value) => return Ok(value),
            Err(error) if !matches!(context.stop.get(), Stop::None) => return Err(error),
            Err(error) => failed = failed.or(Some(error)),
        }
    }
    failed.map_or(Ok(last), Err)
}

/// `||`: a part that is true decides, whatever another part that fails might have been.
fn any<'a>(context: &Context<'a>, parts: &'a [Node]) -> Result<Option<bool>, EvalError> {
    let (mut last, mut failed) = (None, None);
    for part in parts {
        match part.truth(context) {
            Ok(Some(true)) => return Ok(Some(true)),
            Ok(value) => last = value,
            // A value that is no boolean is what `||` gives: nothing has failed.
            Err(error @ EvalError::NotBoolean(_)) => return Err(error),
            Err(error) if !matches!(context.stop.get(), Stop::None) => return Err(error),
            Err(error) => failed = failed.or(Some(error)),
        }
    }
    failed.map_or(Ok(last), Err)
}

/// The members of both objects; of a key that both have, that of the right one.
pub(crate) fn merge<'a>(
    left: Value<'a>,
    right: Value<'a>,
    context: &Context<'a>,
) -> Result<Value<'a>, EvalError> {
    let (Value::Object(left), Value::Object(right)) = (left, right) else {
        return Err(EvalError::Merge { left: left.kind(), right: right.kind() });
    };
    Ok(merge_objects(left, right, 0, context))
}
