//! What can be wrong with an expression: at load time ([`ExprError`]) and with one event ([`EvalError`]).

use std::ops::Range;

use thiserror::Error;

use crate::kind::Kind;

/// Where in the source: byte offsets.
pub type Span = Range<usize>;

/// A mistake found when an expression is compiled.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{message}")]
pub struct ExprError {
    /// The bytes of the source it is about.
    pub span: Span,
    /// What is wrong.
    pub message: String,
    /// What to write instead.
    pub help: Option<String>,
}

impl ExprError {
    pub(crate) fn new(span: Span, message: impl Into<String>) -> Self {
        Self { span, message: message.into(), help: None }
    }

    pub(crate) fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }
}

/// Why an expression has no value for one event. Small and free of allocations: it happens per event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum EvalError {
    /// An ordering of things that have no order between them.
    #[error("cannot compare {left} {op} {right}")]
    Compare {
        /// The operator.
        op: &'static str,
        /// The left side's type.
        left: Kind,
        /// The right side's type.
        right: Kind,
    },
    /// Arithmetic on types that have none.
    #[error("cannot apply `{op}` to {left} and {right}")]
    Arithmetic {
        /// The operator.
        op: &'static str,
        /// The left side's type.
        left: Kind,
        /// The right side's type.
        right: Kind,
    },
    /// A division or remainder by zero.
    #[error("division by zero")]
    DivisionByZero,
    /// `!`, `&&`, `if` or a whole condition met a value that is neither true nor false.
    #[error("expected boolean, found {0}")]
    NotBoolean(Kind),
    /// A function got an argument of a type it does not take.
    #[error("`{function}` expects {expected} as `{parameter}`, found {found}")]
    Argument {
        /// The function.
        function: &'static str,
        /// The parameter.
        parameter: &'static str,
        /// What it takes.
        expected: Kind,
        /// What it got.
        found: Kind,
    },
    /// A function refused a value of the right type.
    #[error("`{function}`: {reason}")]
    Call {
        /// The function.
        function: &'static str,
        /// Why.
        reason: &'static str,
    },
    /// A template or `abort` met a value that is no text.
    #[error("expected string, found {0}")]
    NotText(Kind),
    /// The sides of `|` are not both objects.
    #[error("cannot merge {left} and {right}")]
    Merge {
        /// The left side's type.
        left: Kind,
        /// The right side's type.
        right: Kind,
    },
    /// The program made an error of its own; its text goes with the outcome.
    #[error("`{0}` failed")]
    Raised(&'static str),
    /// `abort` or `return` ended the program.
    #[error("the program ended")]
    Ended,
    /// More values, levels or steps than a program may use for one event.
    #[error("the program takes too much for one event")]
    TooMuch,
    /// A computed string beyond [`crate::STRING_BYTES_MAX`], or all of them beyond [`crate::MEMORY_BYTES_MAX`].
    #[error("the resulting string is too long")]
    TooLong,
}

/// The candidate that `name` was most likely meant to be.
pub(crate) fn closest<'n>(
    name: &str,
    candidates: impl Iterator<Item = &'n str>,
) -> Option<&'n str> {
    let limit = (name.len() / 3).max(1);
    candidates
        .map(|candidate| (strsim::damerau_levenshtein(name, candidate), candidate))
        .filter(|(distance, _)| *distance <= limit)
        .min()
        .map(|(_, candidate)| candidate)
}
