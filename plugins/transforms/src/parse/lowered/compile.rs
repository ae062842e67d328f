//! From the tree to operations, with the proof that each choice is forced.

use std::fmt;

use memchr::memmem::Finder;
use regex_syntax::hir::{Hir, HirKind, Look};

use super::class::Member;
use super::first::First;
use super::node::{Greed, Node, Run};
use super::run::{Lowered, Op, Start};

/// Most operations of a lowered pattern.
const OPS_MAX: usize = 1024;

/// Why a pattern is left to the regex.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Obstacle {
    /// It can match text that is not UTF-8.
    NotUtf8,
    /// It has an assertion other than `^` at its start and `$`.
    Look,
    /// It repeats more than a class.
    Repetition,
    /// Branches of an alternation can start with the same byte or match nothing.
    Alternation,
    /// What follows a repeated class can start with a byte of the class.
    Run,
    /// What follows an optional part can start with the same byte.
    Optional,
    /// It is too long.
    Length,
}

impl fmt::Display for Obstacle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotUtf8 => "it can match text that is not UTF-8",
            Self::Look => "it has an assertion other than a leading `^` and `$`",
            Self::Repetition => "it repeats more than a class of characters",
            Self::Alternation => "two alternatives can start with the same character",
            Self::Run => "a repetition can also match the character that follows it",
            Self::Optional => "an optional part and what follows can start with the same character",
            Self::Length => "it is too long",
        })
    }
}

impl Lowered {
    /// The operations of a pattern, or why there are none.
    pub fn compile(hir: &Hir) -> Result<Self, Obstacle> {
        let properties = hir.properties();
        if !properties.is_utf8() {
            return Err(Obstacle::NotUtf8);
        }
        let slots = 2 * (properties.explicit_captures_len() + 1);
        let (is_anchored, node) = without_start(hir)?;
        let mut ops = Vec::new();
        emit(&node, &First::accept(), &mut ops)?;
        ops.push(Op::Accept);
        let literal = First::of(&node, &First::accept()).literal;
        let start = match (is_anchored, literal.is_empty()) {
            (true, _) => Start::Anchored,
            (false, true) => Start::Anywhere,
            (false, false) => Start::At(Box::new(Finder::new(&literal).into_owned())),
        };
        Ok(Self::new(ops, start, slots))
    }
}

/// Whether the pattern starts with `^`, and the rest of it.
fn without_start(hir: &Hir) -> Result<(bool, Node), Obstacle> {
    let is_start = |hir: &Hir| matches!(hir.kind(), HirKind::Look(Look::Start));
    match hir.kind() {
        HirKind::Concat(parts) if parts.first().is_some_and(is_start) => {
            let parts = parts[1..].iter().map(Node::new).collect::<Result<_, _>>()?;
            Ok((true, Node::Concat(parts)))
        }
        _ => Ok((false, Node::new(hir)?)),
    }
}

fn emit(node: &Node, rest: &First, ops: &mut Vec<Op>) -> Result<(), Obstacle> {
    if ops.len() > OPS_MAX {
        return Err(Obstacle::Length);
    }
    match node {
        Node::Empty => {}
        Node::Literal(literal) => ops.push(Op::Literal(literal.clone())),
        Node::Run(run) => ops.push(emit_run(run, None, rest)?),
        Node::Group(group, sub) => match &**sub {
            Node::Run(run) => ops.push(emit_run(run, Some(*group), rest)?),
            sub => {
                ops.push(Op::Open(*group));
                emit(sub, rest, ops)?;
                ops.push(Op::Close(*group));
            }
        },
        Node::Concat(parts) => {
            let mut rests = vec![rest.clone()];
            for part in parts.iter().skip(1).rev() {
                rests.push(First::of(part, &rests[rests.len() - 1]));
            }
            for (part, rest) in parts.iter().zip(rests.iter().rev()) {
                emit(part, rest, ops)?;
            }
        }
        Node::Optional(sub) => emit_optional(sub, rest, ops)?,
        Node::Choice(branches) => emit_choice(branches, rest, ops)?,
        Node::Literals(literals) => ops.push(Op::Literals(literals.clone())),
        Node::End => ops.push(Op::End),
    }
    Ok(())
}

/// Rules 1 and 3 of the module.
fn emit_run(run: &Run, group: Option<u32>, rest: &First) -> Result<Op, Obstacle> {
    let Run { class, min, max, greed, text } = run.clone();
    let is_forced = max == Some(min) || (!rest.nothing && rest.excludes(run));
    if is_forced || (rest.nothing && greed == Greed::Greedy) {
        return Ok(Op::Run { class, min, max, back: 0, group, text });
    }
    if max.is_some() || rest.nothing {
        return Err(Obstacle::Run);
    }
    if let Some(back) = bytes_back(run, rest) {
        return Ok(Op::Run { class, min, max, back, group, text });
    }
    if greed == Greed::Lazy && !rest.literal.is_empty() {
        let until = rest.literal.clone().into();
        return Ok(Op::LazyRun { class, min, until, group });
    }
    Err(Obstacle::Run)
}

/// How many bytes of the literal that must follow lie within the run.
fn bytes_back(run: &Run, rest: &First) -> Option<u32> {
    for (index, byte) in rest.literal.iter().enumerate() {
        match run.class.member(*byte) {
            Member::In => {}
            Member::Out => return Some(index as u32),
            Member::Unsure => return None,
        }
    }
    rest.end_follows.then_some(rest.literal.len() as u32)
}

/// Rule 2 of the module.
fn emit_optional(sub: &Node, rest: &First, ops: &mut Vec<Op>) -> Result<(), Obstacle> {
    let first = First::of(sub, rest);
    let at = ops.len();
    if rest.nothing {
        ops.push(Op::Try { otherwise: 0, groups: groups_of(sub) });
        emit(sub, rest, ops)?;
        ops.push(Op::Tried);
    } else if first.is_disjoint(rest) {
        ops.push(Op::Optional { first: first.bytes, otherwise: 0 });
        emit(sub, rest, ops)?;
    } else {
        return Err(Obstacle::Optional);
    }
    let end = ops.len() as u32;
    if let Op::Try { otherwise, .. } | Op::Optional { otherwise, .. } = &mut ops[at] {
        *otherwise = end;
    }
    Ok(())
}

fn emit_choice(branches: &[Node], rest: &First, ops: &mut Vec<Op>) -> Result<(), Obstacle> {
    let firsts: Vec<First> = branches.iter().map(|branch| First::of(branch, rest)).collect();
    for (index, first) in firsts.iter().enumerate() {
        if firsts[..index].iter().any(|other| !other.is_disjoint(first)) {
            return Err(Obstacle::Alternation);
        }
    }
    let at = ops.len();
    ops.push(Op::Choice(Vec::new()));
    let mut targets = Vec::new();
    let mut jumps = Vec::new();
    for (branch, first) in branches.iter().zip(firsts) {
        targets.push((first.bytes, ops.len() as u32));
        emit(branch, rest, ops)?;
        jumps.push(ops.len());
        ops.push(Op::Jump(0));
    }
    let end = ops.len() as u32;
    for jump in jumps {
        ops[jump] = Op::Jump(end);
    }
    ops[at] = Op::Choice(targets);
    Ok(())
}

/// The capture groups of a node.
fn groups_of(node: &Node) -> Vec<u32> {
    match node {
        Node::Group(group, sub) => {
            let mut groups = groups_of(sub);
            groups.push(*group);
            groups
        }
        Node::Concat(parts) | Node::Choice(parts) => parts.iter().flat_map(groups_of).collect(),
        Node::Optional(sub) => groups_of(sub),
        _ => Vec::new(),
    }
}
