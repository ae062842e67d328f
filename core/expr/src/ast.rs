//! The syntax tree: what was written, with the place of every part.
//!
//! Chains of `&&`, `||` and `??` are one node each, so that a condition of a thousand alternatives is wide,
//! not deep.

use std::sync::Arc;

use lograil_event::json_text::PathStep;
use regex::bytes::Regex;

use crate::error::Span;

/// An expression and its place.
#[derive(Debug, Clone)]
pub(crate) struct Expr {
    pub span: Span,
    pub kind: ExprKind,
    /// Levels below and including this one; bounded by [`crate::DEPTH_MAX`].
    pub depth: usize,
}

#[derive(Debug, Clone)]
pub(crate) enum ExprKind {
    Literal(Literal),
    /// A path of the event; no segments is the event itself.
    Path(Vec<PathStep>),
    /// A path into a computed value.
    Query(Box<Expr>, Vec<PathStep>),
    Variable(String),
    Not(Box<Expr>),
    Binary(BinaryOp, Box<Expr>, Box<Expr>),
    Chain(ChainOp, Vec<Expr>),
    Call(Call),
    If(Box<If>),
    Array(Vec<Expr>),
    Object(Vec<(String, Expr)>),
    Block(Vec<Expr>),
    /// Texts and variables one after the other: `"a {{ b }}"`.
    Template(Vec<Expr>),
    Merge(Box<Expr>, Box<Expr>),
    Assign(Box<Assign>),
    Abort(Option<Box<Expr>>),
    Return(Option<Box<Expr>>),
    /// What could not be parsed and has been reported.
    Error,
}

#[derive(Debug, Clone)]
pub(crate) enum Literal {
    Null,
    Boolean(bool),
    Integer(i64),
    Float(f64),
    String(String),
    Regex(Arc<Regex>),
    Timestamp(i64),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum BinaryOp {
    Compare(CompareOp),
    Arithmetic(ArithmeticOp),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum CompareOp {
    Eq,
    Ne,
    Lt,
    Le,
    Gt,
    Ge,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ArithmeticOp {
    Add,
    Sub,
    Mul,
    Div,
    Rem,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ChainOp {
    And,
    Or,
    Coalesce,
}

#[derive(Debug, Clone)]
pub(crate) struct Call {
    pub name: String,
    pub name_span: Span,
    pub arguments: Vec<Argument>,
    /// `f!(..)`: a failure ends the program.
    pub bang: bool,
    pub closure: Option<Box<Closure>>,
}

/// `-> |a, b| { body }`
#[derive(Debug, Clone)]
pub(crate) struct Closure {
    pub span: Span,
    pub parameters: Vec<(String, Span)>,
    pub body: Expr,
}

/// `target = value`, `target |= value`, `ok, error = value`
#[derive(Debug, Clone)]
pub(crate) struct Assign {
    pub target: Expr,
    pub error: Option<Expr>,
    pub merge: bool,
    pub value: Expr,
}

#[derive(Debug, Clone)]
pub(crate) struct Argument {
    pub name: Option<(String, Span)>,
    pub value: Expr,
}

#[derive(Debug, Clone)]
pub(crate) struct If {
    pub condition: Expr,
    pub then: Expr,
    pub otherwise: Option<Expr>,
}

impl CompareOp {
    pub(crate) const fn symbol(self) -> &'static str {
        match self {
            Self::Eq => "==",
            Self::Ne => "!=",
            Self::Lt => "<",
            Self::Le => "<=",
            Self::Gt => ">",
            Self::Ge => ">=",
        }
    }

    /// The operator with its sides exchanged.
    pub(crate) const fn mirrored(self) -> Self {
        match self {
            Self::Lt => Self::Gt,
            Self::Le => Self::Ge,
            Self::Gt => Self::Lt,
            Self::Ge => Self::Le,
            same => same,
        }
    }

    pub(crate) const fn is_equality(self) -> bool {
        matches!(self, Self::Eq | Self::Ne)
    }
}

impl ArithmeticOp {
    pub(crate) const fn symbol(self) -> &'static str {
        match self {
            Self::Add => "+",
            Self::Sub => "-",
            Self::Mul => "*",
            Self::Div => "/",
            Self::Rem => "%",
        }
    }
}

impl ChainOp {
    pub(crate) const fn symbol(self) -> &'static str {
        match self {
            Self::And => "&&",
            Self::Or => "||",
            Self::Coalesce => "??",
        }
    }
}

impl Expr {
    pub(crate) fn new(span: Span, kind: ExprKind) -> Self {
        let depth = 1 + kind.depth_below();
        Self { span, kind, depth }
    }
}

impl ExprKind {
    fn depth_below(&self) -> usize {
        let deepest = |parts: &[Expr]| parts.iter().map(|part| part.depth).max().unwrap_or(0);
        match self {
            Self::Query(inner, _) | Self::Not(inner) => inner.depth,
            Self::Binary(_, left, right) | Self::Merge(left, right) => left.depth.max(right.depth),
            Self::Chain(_, parts)
            | Self::Array(parts)
            | Self::Block(parts)
            | Self::Template(parts) => deepest(parts),
            Self::Assign(parts) => parts.value.depth,
            Self::Abort(inner) | Self::Return(inner) => {
                inner.as_ref().map_or(0, |inner| inner.depth)
            }
            Self::Object(members) => {
                members.iter().map(|(_, value)| value.depth).max().unwrap_or(0)
            }
            Self::Call(call) => {
                let arguments = call.arguments.iter().map(|argument| argument.value.depth);
                let closure = call.closure.as_ref().map_or(0, |closure| closure.body.depth);
                arguments.max().unwrap_or(0).max(closure)
            }
            Self::If(parts) => {
                let otherwise = parts.otherwise.as_ref().map_or(0, |block| block.depth);
                parts.condition.depth.max(parts.then.depth).max(otherwise)
            }
            Self::Literal(_) | Self::Path(_) | Self::Variable(_) | Self::Error => 0,
        }
    }
}
