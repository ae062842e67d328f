//! The functions of the language: one entry each, in an explicit list.
//!
//! A function is a row: its name, parameters, result, documentation and examples, and a plain Rust function
//! over its arguments. Arguments are evaluated when they are asked for. The examples are tests.

mod array;
mod coerce;
mod inspect;
mod string;

use std::borrow::Cow;

use crate::check::Check;
use crate::error::EvalError;
use crate::kind::Kind;
use crate::node::{Context, Node};
use crate::value::{Pattern, Value};

/// Every function, by family.
const FAMILIES: [&[Function]; 4] =
    [inspect::FUNCTIONS, string::FUNCTIONS, coerce::FUNCTIONS, array::FUNCTIONS];

/// A function of the language.
#[derive(Debug)]
pub struct Function {
    /// What it is called by.
    pub name: &'static str,
    /// What it takes, in the order of positional arguments.
    pub parameters: &'static [Parameter],
    /// The types it returns.
    pub returns: Kind,
    /// Whether it can fail on arguments of the right types.
    pub fallible: bool,
    /// What it does, in a sentence or two.
    pub doc: &'static str,
    /// Examples, run by the tests.
    pub examples: &'static [Example],
    pub(crate) body: Body,
    /// The check that a call comes down to, if its first argument is a path and the others are constants.
    pub(crate) check: Option<Specialise>,
}

/// How a function is carried out.
#[derive(Debug)]
pub(crate) enum Body {
    /// A question about its one argument, which cannot fail.
    Question(fn(&Value<'_>) -> bool),
    /// Anything else.
    Call(Run),
}

pub(crate) type Run = for<'a> fn(&Arguments<'a, '_>) -> Result<Value<'a>, EvalError>;
pub(crate) type Specialise = fn(&'static Function, &[Option<Node>]) -> Option<Check>;

/// A parameter of a function.
#[derive(Debug)]
pub struct Parameter {
    /// What a named argument is written with.
    pub name: &'static str,
    /// What it takes.
    pub accepts: Accepts,
    /// Whether a call must give it.
    pub required: bool,
}

/// What a parameter takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Accepts {
    /// A path of the event, not its value.
    Path,
    /// A value of one of these types.
    Value(Kind),
}

/// An example of a function.
#[derive(Debug)]
pub struct Example {
    /// The expression.
    pub source: &'static str,
    /// The event it is evaluated over, as JSON.
    pub event: &'static str,
    /// The value as JSON, or the message of the error.
    pub result: Result<&'static str, &'static str>,
}

/// All functions of the language, family by family.
pub fn functions() -> impl Iterator<Item = &'static Function> {
    FAMILIES.into_iter().flatten()
}

impl Function {
    /// How it is called: `contains(value, substring, [case_sensitive])`.
    #[must_use]
    pub fn signature(&self) -> String {
        let parameters = self.parameters.iter().map(|parameter| {
            if parameter.required {
                parameter.name.to_owned()
            } else {
                format!("[{}]", parameter.name)
            }
        });
        format!("{}({})", self.name, parameters.collect::<Vec<_>>().join(", "))
    }

    #[inline]
    pub(crate) fn call<'a>(
        &'static self,
        nodes: &'a [Option<Node>],
        context: &Context<'a>,
    ) -> Result<Value<'a>, EvalError> {
        let arguments = Arguments { function: self, nodes, context };
        match self.body {
            Body::Question(ask) => Ok(Value::Boolean(ask(&arguments.value(0)?))),
            Body::Call(run) => run(&arguments),
        }
    }
}

/// The function of a name.
pub(crate) fn find(name: &str) -> Option<&'static Function> {
    functions().find(|function| function.name == name)
}

pub(crate) const fn required(name: &'static str, kind: Kind) -> Parameter {
    Parameter { name, accepts: Accepts::Value(kind), required: true }
}

pub(crate) const fn optional(name: &'static str, kind: Kind) -> Parameter {
    Parameter { name, accepts: Accepts::Value(kind), required: false }
}

pub(crate) const fn gives(
    source: &'static str,
    event: &'static str,
    value: &'static str,
) -> Example {
    Example { source, event, result: Ok(value) }
}

pub(crate) const fn fails(
    source: &'static str,
    event: &'static str,
    message: &'static str,
) -> Example {
    Example { source, event, result: Err(message) }
}

/// The arguments of one call over one event, by the position of their parameter.
pub(crate) struct Arguments<'a, 'c> {
    pub function: &'static Function,
    pub nodes: &'a [Option<Node>],
    pub context: &'c Context<'a>,
}

impl<'a> Arguments<'a, '_> {
    /// The argument, or null where it was not given.
    pub(crate) fn value(&self, index: usize) -> Result<Value<'a>, EvalError> {
        match self.nodes.get(index) {
            Some(Some(node)) => node.eval(self.context),
            _ => Ok(Value::Null),
        }
    }

    pub(crate) fn string(&self, index: usize) -> Result<Cow<'a, [u8]>, EvalError> {
        match self.value(index)? {
            Value::String(text) => Ok(text),
            other => Err(wrong_type(self.function, index, other.kind())),
        }
    }

    pub(crate) fn regex(&self, index: usize) -> Result<Pattern<'a>, EvalError> {
        match self.value(index)? {
            Value::Regex(pattern) => Ok(pattern),
            other => Err(wrong_type(self.function, index, other.kind())),
        }
    }

    /// A boolean that has a default.
    pub(crate) fn flag(&self, index: usize, default: bool) -> Result<bool, EvalError> {
        if !matches!(self.nodes.get(index), Some(Some(_))) {
            return Ok(default);
        }
        match self.value(index)? {
            Value::Boolean(value) => Ok(value),
            other => Err(wrong_type(self.function, index, other.kind())),
        }
    }

    /// Whether the path that is the argument leads anywhere, to null too.
    pub(crate) fn exists(&self, index: usize) -> bool {
        match self.nodes.get(index) {
            Some(Some(Node::Path(path))) => self.context.get(path).is_some(),
            Some(Some(Node::Event)) => true,
            _ => false,
        }
    }

    pub(crate) fn error(&self, reason: &'static str) -> EvalError {
        EvalError::Call { function: self.function.name, reason }
    }
}

#[cold]
pub(crate) fn wrong_type(function: &'static Function, index: usize, found: Kind) -> EvalError {
    let parameter = function.parameters.get(index);
    let expected = match parameter.map(|parameter| parameter.accepts) {
        Some(Accepts::Value(kind)) => kind,
        _ => Kind::ANY,
    };
    let parameter = parameter.map_or("", |parameter| parameter.name);
    EvalError::Argument { function: function.name, parameter, expected, found }
}
