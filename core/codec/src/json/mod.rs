//! JSON (RFC 8259), strictly: parsing whole batches in place, validating, and encoding as NDJSON.
//!
//! Accepts what serde_json accepts, with one difference: a number keeps its text, so one beyond the range of a
//! 64-bit float (`1e400`) is a number like any other.

mod encode;
mod error;
mod grammar;
mod parser;
mod shapes;

pub use encode::{encode_batch, encode_event, encode_value};
pub use error::{JsonError, JsonErrorKind};
pub use grammar::{DEPTH_MAX, elements, validate};
pub use parser::{ParseOptions, Parser};

#[cfg(test)]
mod batches;
#[cfg(test)]
mod conformance;
#[cfg(test)]
mod tests;
