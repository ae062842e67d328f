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
mod columns;
mod compare;
mod compile;
mod constant;
mod context;
mod error;
mod functions;
mod json;
mod kind;
mod lexer;
mod literal;
mod nested;
mod node;
mod parser;
mod pattern;
mod plan;
mod program;
mod rows;
mod script;
mod stretch;
#[cfg(test)]
mod tests;
mod value;
mod value_iter;
mod writer;

pub use error::{EvalError, ExprError, Span};
pub use functions::{Accepts, ClosureShape, ClosureTakes, Example, Function, Parameter, functions};
pub use kind::Kind;
pub use program::{BoundCondition, BoundProgram, Condition, Program};
pub use rows::Split;
pub use script::{Script, Unchanged, Workspace};
pub use stretch::Stretch;
pub use value::{Array, Member, Object, Value};

/// Bytes of a source.
pub const SOURCE_BYTES_MAX: usize = 64 << 10;

/// Levels an expression can be nested.
pub const DEPTH_MAX: usize = 100;

/// Parts (operators, calls, literals, paths) of an expression.
pub const NODES_MAX: usize = 10_000;

/// Bytes of a string that an expression computes.
pub const STRING_BYTES_MAX: usize = 1 << 20;

/// Bytes of memory that a program takes for one event, beyond the event itself.
pub const MEMORY_BYTES_MAX: usize = 64 << 20;

/// Values inside a value that a program keeps, and levels of them.
pub const VALUES_MAX: usize = 100_000;
pub(crate) const VALUE_DEPTH_MAX: usize = 128;

/// Values inside of what becomes the events that a program makes of one.
pub const EVENT_VALUES_MAX: usize = 1_000_000;

/// Events that a program makes of one batch, beyond those that came; an event that would make more fails.
pub const EVENTS_MAX: usize = 1_000_000;

/// Fields of all events of one batch that became several; an event whose fields would be more fails.
pub const EVENTS_FIELDS_MAX: usize = 2_000_000;

/// The highest index that an assignment may make an array grow to.
pub const INDEX_MAX: u64 = 10_000;

/// Calls of closures for one event.
pub const CLOSURE_CALLS_MAX: u32 = 1_000_000;

/// Bytes of text that a program writes into one batch; an event that needs more fails.
pub const TEXT_BYTES_MAX: usize = 256 << 20;
