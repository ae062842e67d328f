//! What the rest of a pattern can start with.

use super::class::Member;
use super::node::{Node, Run};

/// What is known about the start of a continuation.
#[derive(Debug, Clone)]
pub struct First {
    /// Whether it can start with a byte; `Unsure` where that depends on more than the byte.
    pub bytes: Box<[Member; 256]>,
    /// Whether it can match nothing wherever it stands.
    pub nothing: bool,
    /// The literal it starts with for sure.
    pub literal: Vec<u8>,
    /// Whether the end of the text follows that literal for sure.
    pub end_follows: bool,
}

impl First {
    /// The continuation of the whole pattern: a match, whatever follows.
    pub fn accept() -> Self {
        Self { nothing: true, ..Self::end() }
    }

    /// Only the end of the text.
    fn end() -> Self {
        let bytes = Box::new([Member::Out; 256]);
        Self { bytes, nothing: false, literal: Vec::new(), end_follows: false }
    }

    /// The start of `node` before a continuation that starts with `rest`.
    pub fn of(node: &Node, rest: &Self) -> Self {
        match node {
            Node::Empty => rest.clone(),
            Node::Literal(literal) => Self::of_literal(literal, rest),
            Node::Run(run) => Self::of_run(run, rest),
            Node::Group(_, sub) => Self::of(sub, rest),
            Node::Concat(parts) => {
                parts.iter().rev().fold(rest.clone(), |rest, part| Self::of(part, &rest))
            }
            Node::Optional(sub) => Self::of(sub, rest).or(rest),
            Node::Choice(branches) => {
                branches.iter().fold(Self::end(), |all, branch| all.or(&Self::of(branch, rest)))
            }
            Node::Literals(literals) => literals
                .iter()
                .fold(Self::end(), |all, literal| all.or(&Self::of_literal(literal, rest))),
            Node::End => Self { end_follows: true, ..Self::end() },
        }
    }

    /// Whether no byte that is surely in `run` can start this.
    pub fn excludes(&self, run: &Run) -> bool {
        (0..=255u8).all(|byte| {
            run.class.member(byte) != Member::In || self.bytes[usize::from(byte)] == Member::Out
        })
    }

    /// Whether no byte can start both.
    pub fn is_disjoint(&self, other: &Self) -> bool {
        let mut pairs = self.bytes.iter().zip(other.bytes.iter());
        pairs.all(|(a, b)| *a == Member::Out || *b == Member::Out)
    }

    fn of_literal(literal: &[u8], rest: &Self) -> Self {
        let mut first = Self { end_follows: rest.end_follows, ..Self::end() };
        if let Some(byte) = literal.first() {
            first.bytes[usize::from(*byte)] = Member::In;
        }
        first.literal.extend_from_slice(literal);
        first.literal.extend_from_slice(&rest.literal);
        first
    }

    fn of_run(run: &Run, rest: &Self) -> Self {
        let mut first = Self::end();
        for byte in 0..=255u8 {
            first.bytes[usize::from(byte)] = run.class.member(byte);
        }
        if run.min == 0 { first.or(rest) } else { first }
    }

    /// This or the other.
    fn or(mut self, other: &Self) -> Self {
        for (mine, theirs) in self.bytes.iter_mut().zip(other.bytes.iter()) {
            *mine = match (*mine, *theirs) {
                (Member::Out, member) | (member, Member::Out) => member,
                (Member::In, Member::In) => Member::In,
                _ => Member::Unsure,
            };
        }
        self.nothing |= other.nothing;
        self.literal.clear();
        self.end_follows = false;
        self
    }
}
