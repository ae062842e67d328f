//! Conditions told for up to 64 events in a row, while their fields are in the nearest cache: what several checks ask of
//! a field is read once, and each of them compares it without a branch.
//!
//! **Invariant:** what is told here is what [`Node::truth`] gives; what takes more is left to it.

mod numbers;
mod place;
mod texts;

use lograil_event::{Batch, EventRef, Key, WORD_EVENTS, bits};

use crate::ast::CompareOp;
use crate::check::Check;
use crate::context::KEY_MISSING;
use crate::node::Node;
use numbers::Numbers;
use texts::Texts;

/// Events of a stretch from which on their fields are read for all of it.
const EVENTS_MANY: u32 = 16;

/// Up to 64 events in a row of a batch, and what was read of them.
#[derive(Debug)]
pub struct Stretch<'b> {
    batch: &'b Batch,
    /// The first event.
    first: usize,
    texts: Vec<Texts>,
    numbers: Vec<Numbers>,
}

/// What a condition is for the events of a stretch: a bit each.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Verdict {
    pub holds: u64,
    /// Events of which it takes more to tell; no bit of `holds` is one of them.
    pub unknown: u64,
}

impl<'b> Stretch<'b> {
    /// The first stretch of a batch.
    #[must_use]
    pub fn new(batch: &'b Batch) -> Self {
        Self { batch, first: 0, texts: Vec::new(), numbers: Vec::new() }
    }

    /// Goes on to the stretch behind.
    pub fn advance(&mut self) {
        self.first += self.events().len();
    }

    /// The bits of its events; none behind the last event of the batch.
    #[must_use]
    pub fn all(&self) -> u64 {
        match self.events().len() {
            WORD_EVENTS => u64::MAX,
            len => (1 << len) - 1,
        }
    }

    /// The event of a bit.
    pub(crate) fn event(&self, bit: usize) -> EventRef<'b> {
        self.batch.event(self.first + bit)
    }

    fn events(&self) -> std::ops::Range<usize> {
        self.first..self.batch.len().min(self.first + WORD_EVENTS)
    }

    fn texts(&mut self, key: Key) -> &Texts {
        let known = self.texts.iter().position(|texts| texts.is_of(key));
        let at = known.unwrap_or_else(|| {
            self.texts.push(Texts::new(key));
            self.texts.len() - 1
        });
        let events = self.events();
        let texts = &mut self.texts[at];
        texts.read(self.batch, events);
        texts
    }

    fn numbers(&mut self, key: Key) -> &Numbers {
        let known = self.numbers.iter().position(|numbers| numbers.is_of(key));
        let at = known.unwrap_or_else(|| {
            self.numbers.push(Numbers::new(key));
            self.numbers.len() - 1
        });
        let events = self.events();
        let numbers = &mut self.numbers[at];
        numbers.read(self.batch, events);
        numbers
    }
}

impl Verdict {
    const fn unknown(unknown: u64) -> Self {
        Self { holds: 0, unknown }
    }

    const fn known(holds: u64) -> Self {
        Self { holds, unknown: 0 }
    }
}

impl Node {
    /// What it is for the `wanted` events.
    pub(crate) fn test_stretch(
        &self,
        stretch: &mut Stretch<'_>,
        keys: &[u32],
        wanted: u64,
    ) -> Verdict {
        match self {
            Self::Check(path, check) if path.rest.is_empty() => {
                match keys.get(path.root).copied().filter(|key| *key != KEY_MISSING) {
                    Some(key) if wanted.count_ones() >= EVENTS_MANY => {
                        let verdict = check.test_stretch(Key(key), stretch, wanted);
                        verdict.unwrap_or_else(|| self.test_each(stretch, keys, wanted))
                    }
                    Some(_) => self.test_each(stretch, keys, wanted),
                    None => match check.test_missing() {
                        Some(true) => Verdict::known(wanted),
                        Some(false) => Verdict::known(0),
                        None => Verdict::unknown(wanted),
                    },
                }
            }
            Self::Not(inner) => {
                let Verdict { holds, unknown } = inner.test_stretch(stretch, keys, wanted);
                Verdict { holds: wanted & !(holds | unknown), unknown }
            }
            Self::And(parts) => {
                let decided = decide(parts, stretch, keys, wanted, |verdict| {
                    !(verdict.holds | verdict.unknown)
                });
                Verdict { holds: decided.left & !decided.unknown, unknown: decided.unknown }
            }
            Self::Or(parts) => {
                let decided = decide(parts, stretch, keys, wanted, |verdict| verdict.holds);
                Verdict { holds: wanted & !decided.left, unknown: decided.unknown }
            }
            _ => Verdict::unknown(wanted),
        }
    }

    /// One event after the other.
    fn test_each(&self, stretch: &Stretch<'_>, keys: &[u32], wanted: u64) -> Verdict {
        let mut verdict = Verdict::known(0);
        for bit in bits(wanted) {
            match self.test_plain(stretch.event(bit), keys) {
                Some(holds) => verdict.holds |= u64::from(holds) << bit,
                None => verdict.unknown |= 1 << bit,
            }
        }
        verdict
    }
}

/// What the parts of `&&` or `||` left.
struct Decided {
    /// Events that no part decided.
    left: u64,
    /// Those of them of which some part could not tell.
    unknown: u64,
}

/// Asks one part after the other of the events that none before decided. Behind a part that is not plain nothing is told:
/// it may end the program.
fn decide(
    parts: &[Node],
    stretch: &mut Stretch<'_>,
    keys: &[u32],
    wanted: u64,
    decides: impl Fn(Verdict) -> u64,
) -> Decided {
    let (mut left, mut unknown) = (wanted, 0);
    for part in parts {
        if left == 0 {
            break;
        }
        if !part.is_plain() {
            unknown = left;
            break;
        }
        let verdict = part.test_stretch(stretch, keys, left);
        left &= !decides(verdict);
        unknown = (unknown | verdict.unknown) & left;
    }
    Decided { left, unknown }
}

impl Check {
    /// What it is for the `wanted` events; `None` where it is better told one by one.
    fn test_stretch(&self, key: Key, stretch: &mut Stretch<'_>, wanted: u64) -> Option<Verdict> {
        let batch = stretch.batch;
        match self {
            Self::Text(op @ (CompareOp::Eq | CompareOp::Ne), text) => {
                let texts = stretch.texts(key);
                let equal = texts.equal(text, batch);
                let is_equal = *op == CompareOp::Eq;
                let holds = if is_equal { equal } else { texts.known & !equal | texts.missing };
                let unknown = wanted & !(texts.known | texts.missing);
                Some(Verdict { holds: wanted & holds, unknown })
            }
            Self::Prefix(_, prefix) => {
                let texts = stretch.texts(key);
                let holds = wanted & texts.starting_with(prefix, batch);
                Some(Verdict { holds, unknown: wanted & !texts.known })
            }
            Self::Integer(op, constant) => {
                let numbers = stretch.numbers(key);
                let holds = numbers.compare(*op, *constant);
                let missing = if self.test_missing().is_some() { numbers.missing } else { 0 };
                let holds = if *op == CompareOp::Ne { holds | missing } else { holds };
                let unknown = wanted & !(numbers.known | missing);
                Some(Verdict { holds: wanted & holds, unknown })
            }
            _ => None,
        }
    }
}
