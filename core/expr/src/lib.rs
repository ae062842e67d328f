//! The expression language: VRL's syntax, compiled once, evaluated over flat batches.
//!
//! Source text becomes tokens, a syntax tree with places ([`Program::compile`] reports every mistake of the
//! source at once), and a compiled tree whose names are resolved and whose types are checked. Reading an
//! event allocates nothing. `LANGUAGE.md` is the manual.
//!
//! ```
//! use lograil_event::{Batch, Field};
//! use lograil_expr::Condition;
//!
//! let mut batch = Batch::new();
//! let mut edit = batch.edit();
//! let status = edit.key("status").0;
//! let event = edit.push_event(0);
//! edit.append(event, Field::i64(status, 503));
//!
//! let condition = Condition::compile(".status >= 500 && !exists(.path)").unwrap();
//! let mut bound = condition.bind(&batch);
//! assert_eq!(bound.test(batch.event(0)), Ok(true));
//!
//! let errors = Condition::compile("upcas(.a) == 5").unwrap_err();
//! assert_eq!(errors[0].span, 0..5);
//! assert_eq!(errors[0].help.as_deref(), Some("did you mean `upcase`?"));
//! ```
//!
//! **Invariant:** no event makes evaluation panic, recurse or allocate beyond the bounds below, and nothing
//! here knows of components, codecs or I/O.

mod arithmetic;
mod ast;
mod check;
mod compare;
mod compile;
mod error;
mod functions;
mod json;
mod kind;
mod lexer;
mod literal;
mod node;
mod parser;
mod pattern;
mod program;
#[cfg(test)]
mod tests;
mod value;

pub use error::{EvalError, ExprError, Span};
pub use functions::{Accepts, Example, Function, Parameter, functions};
pub use kind::Kind;
pub use program::{BoundCondition, BoundProgram, Condition, Program};
pub use value::{Array, Member, Object, Pattern, Value};

/// Bytes of a source.
pub const SOURCE_BYTES_MAX: usize = 64 << 10;

/// Levels an expression can be nested.
pub const DEPTH_MAX: usize = 100;

/// Parts (operators, calls, literals, paths) of an expression.
pub const NODES_MAX: usize = 10_000;

/// Bytes of a string that an expression computes.
pub const STRING_BYTES_MAX: usize = 1 << 20;
