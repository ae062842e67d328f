//! The part of the regex language that can be lowered, as a tree.

use regex_syntax::hir::{Class, Hir, HirKind, Look, Repetition};

use super::class::{ByteClass, Counted};
use super::compile::Obstacle;

/// Most copies that a counted group becomes.
const COPIES_MAX: u32 = 16;

/// A piece of a pattern.
#[derive(Debug, Clone)]
pub enum Node {
    /// Nothing.
    Empty,
    /// These bytes.
    Literal(Box<[u8]>),
    /// Bytes of a class, `min` to `max` of them.
    Run(Run),
    /// A capture group.
    Group(u32, Box<Node>),
    /// One after the other.
    Concat(Vec<Node>),
    /// The piece, which cannot match nothing, or nothing.
    Optional(Box<Node>),
    /// One of the pieces, none of which can match nothing.
    Choice(Vec<Node>),
    /// One of some literals, none of which starts with another.
    Literals(Vec<Box<[u8]>>),
    /// The end of the text.
    End,
}

/// A repeated class.
#[derive(Debug, Clone)]
pub struct Run {
    /// What is repeated.
    pub class: ByteClass,
    /// At least so often.
    pub min: u32,
    /// At most so often.
    pub max: Option<u32>,
    /// Whether a longer run is preferred.
    pub greed: Greed,
    /// The class as it is written, for messages.
    pub text: Box<str>,
}

/// What a repetition prefers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Greed {
    /// As often as possible.
    Greedy,
    /// As seldom as possible.
    Lazy,
}

impl Node {
    /// The tree of a pattern without its leading `^`.
    pub fn new(hir: &Hir) -> Result<Self, Obstacle> {
        Ok(match hir.kind() {
            HirKind::Empty => Self::Empty,
            HirKind::Literal(literal) => Self::Literal(literal.0.clone()),
            HirKind::Class(class) => Self::Run(Run::of_class(class, 1, Some(1), Greed::Greedy)),
            HirKind::Look(Look::End) => Self::End,
            HirKind::Look(_) => return Err(Obstacle::Look),
            HirKind::Repetition(repetition) => Self::repetition(repetition)?,
            HirKind::Capture(capture) => {
                Self::Group(capture.index, Box::new(Self::new(&capture.sub)?))
            }
            HirKind::Concat(parts) => {
                Self::Concat(parts.iter().map(Self::new).collect::<Result<_, _>>()?)
            }
            HirKind::Alternation(branches) => Self::alternation(branches)?,
        })
    }

    fn repetition(repetition: &Repetition) -> Result<Self, Obstacle> {
        let Repetition { min, max, greedy, sub } = repetition;
        let (min, max) = (*min, *max);
        let greed = if *greedy { Greed::Greedy } else { Greed::Lazy };
        match sub.kind() {
            HirKind::Class(class) => return Ok(Self::Run(Run::of_class(class, min, max, greed))),
            HirKind::Literal(literal) if literal.0.len() == 1 && literal.0[0].is_ascii() => {
                let class = ByteClass::of_byte(literal.0[0]);
                let text = sub.to_string().into();
                return Ok(Self::Run(Run { class, min, max, greed, text }));
            }
            _ => {}
        }
        if !sub.properties().look_set().is_empty() {
            return Err(Obstacle::Look);
        }
        let can_be_empty = sub.properties().minimum_len() == Some(0);
        match (min, max) {
            // An optional piece that can be empty is preferred to nothing and never fails where nothing
            // does not: the question mark says nothing.
            (0, Some(1)) if can_be_empty && greed == Greed::Greedy => Self::new(sub),
            (0, Some(1)) if greed == Greed::Greedy => Ok(Self::Optional(Box::new(Self::new(sub)?))),
            (min, Some(max))
                if min == max
                    && min <= COPIES_MAX
                    && sub.properties().explicit_captures_len() == 0 =>
            {
                let copy = Self::new(sub)?;
                Ok(Self::Concat(vec![copy; min as usize]))
            }
            _ => Err(Obstacle::Repetition),
        }
    }

    fn alternation(branches: &[Hir]) -> Result<Self, Obstacle> {
        let literals: Option<Vec<Box<[u8]>>> = branches
            .iter()
            .map(|branch| match branch.kind() {
                HirKind::Literal(literal) => Some(literal.0.clone()),
                _ => None,
            })
            .collect();
        if let Some(literals) = literals
            && is_prefix_free(&literals)
        {
            return Ok(Self::Literals(literals));
        }
        for branch in branches {
            let properties = branch.properties();
            if properties.minimum_len() == Some(0) || !properties.look_set().is_empty() {
                return Err(Obstacle::Alternation);
            }
        }
        Ok(Self::Choice(branches.iter().map(Self::new).collect::<Result<_, _>>()?))
    }
}

impl Run {
    fn of_class(class: &Class, min: u32, max: Option<u32>, greed: Greed) -> Self {
        let counted = if min > 1 || max.is_some() { Counted::Yes } else { Counted::No };
        let text = Hir::class(class.clone()).to_string().into();
        Self { class: ByteClass::new(class, counted), min, max, greed, text }
    }
}

fn is_prefix_free(literals: &[Box<[u8]>]) -> bool {
    literals.iter().enumerate().all(|(index, literal)| {
        let mut others = literals.iter().enumerate().filter(|(other, _)| *other != index);
        others.all(|(_, other)| !other.starts_with(literal))
    })
}
