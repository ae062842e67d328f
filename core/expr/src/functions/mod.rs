//! The functions of the language: one entry each, in an explicit list.
//!
//! A function is a row: its name, parameters, result, documentation and examples, and a plain Rust function
//! over its arguments. Arguments are evaluated when they are asked for. The examples are tests.

pub(crate) mod absent;
mod array;
mod aws;
mod casing;
mod coerce;
mod compress;
mod encode;
mod file_path;
mod formats;
mod grok;
mod hash;
mod inspect;
mod network;
mod number;
mod object;
mod parse;
mod program;
mod redaction;
mod string;
mod syslog;
mod text;
mod time;
mod xml;

pub(crate) use grok::{Grok, with_grok};
pub(crate) use object::merge as merge_objects;
use regex::bytes::Regex;
pub(crate) use text::shadowing_group;

use crate::check::Check;
use crate::context::Context;
use crate::error::EvalError;
use crate::kind::Kind;
use crate::node::{Closure, Node};
use crate::value::{Array, Object, Value};

/// Every function, by family.
const FAMILIES: [&[Function]; 22] = [
    program::FUNCTIONS,
    inspect::FUNCTIONS,
    coerce::FUNCTIONS,
    string::FUNCTIONS,
    text::FUNCTIONS,
    casing::FUNCTIONS,
    redaction::FUNCTIONS,
    file_path::FUNCTIONS,
    parse::FUNCTIONS,
    formats::FUNCTIONS,
    aws::FUNCTIONS,
    xml::FUNCTIONS,
    grok::FUNCTIONS,
    syslog::FUNCTIONS,
    encode::FUNCTIONS,
    compress::FUNCTIONS,
    number::FUNCTIONS,
    time::FUNCTIONS,
    array::FUNCTIONS,
    object::FUNCTIONS,
    hash::FUNCTIONS,
    network::FUNCTIONS,
];

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
    /// Whether it returns the type that its first argument has.
    pub same_kind: bool,
    /// Whether it does more than give a value, or gives another one each time.
    pub effect: bool,
    /// The closure it takes.
    pub closure: Option<ClosureShape>,
    /// What it does, in a sentence or two.
    pub doc: &'static str,
    /// Examples, run by the tests.
    pub examples: &'static [Example],
    pub(crate) body: Body,
    /// What is known of what it returns.
    pub(crate) inside: Inside,
    /// Whether it can fail only for what its arguments behind the first are.
    pub(crate) settled: bool,
    /// The check that a call comes down to, if its first argument is a path and the others are constants.
    pub(crate) check: Option<Specialise>,
}

/// What is inside of a value that a function returns.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Inside {
    Unknown,
    /// Members that the object always has.
    Members(&'static [(&'static str, Kind)]),
    /// Items of this type.
    Items(Kind),
    /// The named groups of the regular expression that is the second argument.
    Groups,
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

/// The closure that a function takes.
#[derive(Debug)]
pub struct ClosureShape {
    /// What it is called with.
    pub takes: &'static [ClosureTakes],
    /// What it must give.
    pub returns: Kind,
    /// A call as it is written.
    pub example: &'static str,
}

/// What a parameter of a closure stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClosureTakes {
    /// The key of a member, or the index of an element.
    Key,
    /// The key of a member.
    Name,
    /// The value of a member or an element.
    Value,
    /// A match of a regular expression: its text as `string`, its groups as `captures`, and by their names.
    Match,
}

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
    /// A grok pattern, as a text in the program.
    Pattern,
    /// Grok patterns, as an array of texts in the program.
    Patterns,
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
        arguments: &Arguments<'a, '_>,
    ) -> Result<Value<'a>, EvalError> {
        match self.body {
            Body::Question(ask) => Ok(Value::Boolean(ask(&arguments.value(0)?))),
            Body::Call(run) => run(arguments),
        }
    }

    /// A function that cannot fail on arguments of its types.
    const fn new(
        name: &'static str,
        parameters: &'static [Parameter],
        returns: Kind,
        doc: &'static str,
        examples: &'static [Example],
        run: Run,
    ) -> Self {
        Self {
            name,
            parameters,
            returns,
            fallible: false,
            same_kind: false,
            effect: false,
            closure: None,
            doc,
            examples,
            body: Body::Call(run),
            inside: Inside::Unknown,
            settled: false,
            check: None,
        }
    }

    /// The function, which can fail on arguments of its types.
    const fn fallible(self) -> Self {
        Self { fallible: true, ..self }
    }

    /// The function, of whose result more is known than its type.
    const fn inside(self, inside: Inside) -> Self {
        Self { inside, ..self }
    }

    /// The function, which cannot fail where what follows the first argument is written out and right.
    const fn settled(self) -> Self {
        Self { fallible: true, settled: true, ..self }
    }

    /// The function, which returns the type of its first argument.
    const fn same_kind(self) -> Self {
        Self { same_kind: true, ..self }
    }

    /// The function, which does more than give a value.
    const fn effect(self) -> Self {
        Self { effect: true, ..self }
    }

    const fn check(self, check: Specialise) -> Self {
        Self { check: Some(check), ..self }
    }

    const fn closure(self, closure: ClosureShape) -> Self {
        Self { closure: Some(closure), ..self }
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
    pub closure: Option<&'a Closure>,
    pub context: &'c Context<'a>,
    /// Which arguments were evaluated: to do it twice would carry out twice what they do.
    #[cfg(test)]
    evaluated: std::cell::Cell<u64>,
}

impl<'a, 'c> Arguments<'a, 'c> {
    #[inline]
    pub(crate) fn new(
        function: &'static Function,
        nodes: &'a [Option<Node>],
        closure: Option<&'a Closure>,
        context: &'c Context<'a>,
    ) -> Self {
        Self {
            function,
            nodes,
            closure,
            context,
            #[cfg(test)]
            evaluated: std::cell::Cell::new(0),
        }
    }

    /// Whether the argument was given.
    pub(crate) fn given(&self, index: usize) -> bool {
        matches!(self.nodes.get(index), Some(Some(_)))
    }

    /// The argument, or null where it was not given.
    #[inline]
    pub(crate) fn value(&self, index: usize) -> Result<Value<'a>, EvalError> {
        #[cfg(test)]
        {
            let before = self.evaluated.replace(self.evaluated.get() | 1 << index);
            let name = self.function.name;
            assert!(before >> index & 1 == 0, "`{name}` evaluates argument {index} twice");
        }
        match self.nodes.get(index) {
            Some(Some(node)) => node.eval(self.context),
            _ => Ok(Value::Null),
        }
    }

    #[inline]
    pub(crate) fn string(&self, index: usize) -> Result<&'a [u8], EvalError> {
        match self.value(index)? {
            Value::String(text) => Ok(text),
            other => Err(self.wrong_type(index, other)),
        }
    }

    /// Text that must be UTF-8.
    pub(crate) fn utf8(&self, index: usize) -> Result<&'a str, EvalError> {
        std::str::from_utf8(self.string(index)?).map_err(|_| self.error("the text is not UTF-8"))
    }

    pub(crate) fn regex(&self, index: usize) -> Result<&'a Regex, EvalError> {
        match self.value(index)? {
            Value::Regex(pattern) => Ok(pattern),
            other => Err(self.wrong_type(index, other)),
        }
    }

    pub(crate) fn array(&self, index: usize) -> Result<Array<'a>, EvalError> {
        match self.value(index)? {
            Value::Array(array) => Ok(array),
            other => Err(self.wrong_type(index, other)),
        }
    }

    pub(crate) fn object(&self, index: usize) -> Result<Object<'a>, EvalError> {
        match self.value(index)? {
            Value::Object(object) => Ok(object),
            other => Err(self.wrong_type(index, other)),
        }
    }

    pub(crate) fn integer(&self, index: usize) -> Result<i64, EvalError> {
        match self.value(index)? {
            Value::Integer(value) => Ok(value),
            other => Err(self.wrong_type(index, other)),
        }
    }

    /// An integer that has a default.
    pub(crate) fn integer_or(&self, index: usize, default: i64) -> Result<i64, EvalError> {
        if self.given(index) { self.integer(index) } else { Ok(default) }
    }

    pub(crate) fn timestamp(&self, index: usize) -> Result<i64, EvalError> {
        match self.value(index)? {
            Value::Timestamp(ns) => Ok(ns),
            other => Err(self.wrong_type(index, other)),
        }
    }

    /// A text that has a default.
    pub(crate) fn string_or(&self, index: usize, default: &'a str) -> Result<&'a [u8], EvalError> {
        if self.given(index) { self.string(index) } else { Ok(default.as_bytes()) }
    }

    /// A boolean that has a default.
    pub(crate) fn flag(&self, index: usize, default: bool) -> Result<bool, EvalError> {
        if !self.given(index) {
            return Ok(default);
        }
        match self.value(index)? {
            Value::Boolean(value) => Ok(value),
            other => Err(self.wrong_type(index, other)),
        }
    }

    /// Calls the closure.
    pub(crate) fn run(&self, values: &[Value<'a>]) -> Result<Value<'a>, EvalError> {
        self.context.step()?;
        let Some(closure) = self.closure else { return Ok(Value::Null) };
        for (slot, value) in closure.parameters.iter().zip(values) {
            if let Some(variable) = slot.and_then(|slot| self.context.variables.get(slot)) {
                variable.set(*value);
            }
        }
        closure.body.eval(self.context)
    }

    pub(crate) fn error(&self, reason: &'static str) -> EvalError {
        EvalError::Call { function: self.function.name, reason }
    }

    #[cold]
    pub(crate) fn wrong_type(&self, index: usize, found: Value<'_>) -> EvalError {
        wrong_type(self.function, index, found.kind())
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
