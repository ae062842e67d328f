//! Grok: text and named patterns, `%{NAME:field:type}`, with the names that Logstash gave them, expanded to a
//! regular expression: <https://www.elastic.co/guide/en/logstash/current/plugins-filters-grok.html>.

mod base;
mod expand;
mod network;
mod servers;
mod suggest;

use std::ops::Range;

pub use expand::{all, expand};

/// What a group is read as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CaptureType {
    /// The text itself.
    String,
    /// A whole number.
    Int,
    /// A number.
    Float,
    /// A truth value.
    Bool,
}

/// A group of the expression.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Capture {
    /// Its name in the expression.
    pub group: String,
    /// The field that it becomes.
    pub field: String,
    /// What it is read as, if the pattern says so.
    pub kind: Option<CaptureType>,
}

/// An expression without references.
#[derive(Debug, Default)]
pub struct Expanded {
    /// The regular expression, in the syntax of Rust's `regex`.
    pub regex: String,
    /// Its groups, in the order they open.
    pub captures: Vec<Capture>,
}

/// Why a pattern cannot be expanded, and where in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// What is wrong.
    pub message: String,
    /// What to write instead.
    pub help: String,
    /// The bytes of the pattern it is about.
    pub within: Range<usize>,
    /// The given definition that has the mistake, if it is not the pattern itself.
    pub definition: Option<String>,
}
