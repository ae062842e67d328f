//! Running the operations over one text.

use memchr::memmem::Finder;

use super::class::{ByteClass, Member};

/// A slot of a group that took no part.
pub const ABSENT: u32 = u32::MAX;

/// Most places where a pattern without `^` is tried. Beyond, the regex's linear time is the better bet.
const STARTS_MAX: usize = 8;

/// One operation.
#[derive(Debug)]
pub enum Op {
    /// These bytes.
    Literal(Box<[u8]>),
    /// The longest run of a class, less `back` bytes.
    Run {
        class: ByteClass,
        min: u32,
        max: Option<u32>,
        back: u32,
        group: Option<u32>,
        text: Box<str>,
    },
    /// The run of a class up to the first place where `until` stands.
    LazyRun { class: ByteClass, min: u32, until: Box<[u8]>, group: Option<u32> },
    /// A group starts.
    Open(u32),
    /// A group ends.
    Close(u32),
    /// Goes on if the next byte says so, else at `otherwise`.
    Optional { first: Box<[Member; 256]>, otherwise: u32 },
    /// Goes on; what fails before `Tried` makes it go on at `otherwise` without `groups`.
    Try { otherwise: u32, groups: Vec<u32> },
    /// The end of what was tried.
    Tried,
    /// Goes on where the next byte says.
    Choice(Vec<(Box<[Member; 256]>, u32)>),
    /// One of these literals.
    Literals(Vec<Box<[u8]>>),
    /// Goes on elsewhere.
    Jump(u32),
    /// The end of the text.
    End,
    /// A match.
    Accept,
}

/// Where a match may start.
#[derive(Debug)]
pub enum Start {
    /// At the text's start only.
    Anchored,
    /// Anywhere.
    Anywhere,
    /// Where this literal stands.
    At(Box<Finder<'static>>),
}

/// What became of a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// It matches; the slots are filled.
    Match,
    /// It does not.
    NoMatch {
        /// The operation that failed.
        op: u32,
        /// The byte at which it did.
        at: u32,
    },
    /// The regex must say.
    Unknown,
}

/// A pattern as operations.
#[derive(Debug)]
pub struct Lowered {
    ops: Vec<Op>,
    start: Start,
    slots: Vec<u32>,
    tries: Vec<(u32, usize)>,
}

/// What one operation led to.
enum Step {
    Next,
    Go(u32),
    Fail,
    Unknown,
}

impl Lowered {
    pub(super) fn new(ops: Vec<Op>, start: Start, slots: usize) -> Self {
        Self { ops, start, slots: vec![ABSENT; slots], tries: Vec::new() }
    }

    /// Start and end of every group after a match, [`ABSENT`] for those that took no part. Those of group 0
    /// are not filled.
    pub fn slots(&self) -> &[u32] {
        &self.slots
    }

    /// Matches a text, which must be valid UTF-8 and shorter than 4 GiB.
    pub fn search(&mut self, text: &[u8]) -> Outcome {
        let Self { ops, start, slots, tries } = self;
        match start {
            Start::Anchored => run(ops, text, 0, slots, tries),
            Start::Anywhere => match run(ops, text, 0, slots, tries) {
                Outcome::Match => Outcome::Match,
                _ => Outcome::Unknown,
            },
            Start::At(literal) => {
                let mut outcome = Outcome::NoMatch { op: 0, at: text.len() as u32 };
                for (count, at) in Overlapping::new(literal, text).enumerate() {
                    if count == STARTS_MAX {
                        return Outcome::Unknown;
                    }
                    outcome = run(ops, text, at, slots, tries);
                    if !matches!(outcome, Outcome::NoMatch { .. }) {
                        return outcome;
                    }
                }
                outcome
            }
        }
    }

    /// What an operation wants, for messages.
    pub fn expected(&self, op: u32) -> String {
        let plain = |bytes: &[u8]| format!("`{}`", String::from_utf8_lossy(bytes));
        match self.ops.get(op as usize) {
            Some(Op::Literal(literal)) => plain(literal),
            Some(Op::LazyRun { until, .. }) => plain(until),
            Some(Op::Run { text, .. }) => format!("a character of `{text}`"),
            Some(Op::Literals(literals)) => {
                let all: Vec<String> = literals.iter().map(|literal| plain(literal)).collect();
                format!("one of {}", all.join(", "))
            }
            Some(Op::Choice(_)) => "one of the alternatives".to_owned(),
            Some(Op::End) => "the end".to_owned(),
            _ => "a match".to_owned(),
        }
    }
}

/// All places where a literal stands, overlapping ones too.
struct Overlapping<'a> {
    finder: &'a Finder<'static>,
    text: &'a [u8],
    from: usize,
}

impl<'a> Overlapping<'a> {
    fn new(finder: &'a Finder<'static>, text: &'a [u8]) -> Self {
        Self { finder, text, from: 0 }
    }
}

impl Iterator for Overlapping<'_> {
    type Item = usize;

    fn next(&mut self) -> Option<usize> {
        let at = self.from + self.finder.find(self.text.get(self.from..)?)?;
        self.from = at + 1;
        Some(at)
    }
}

fn run(
    ops: &[Op],
    text: &[u8],
    start: usize,
    slots: &mut [u32],
    tries: &mut Vec<(u32, usize)>,
) -> Outcome {
    slots.fill(ABSENT);
    tries.clear();
    let mut pos = start;
    let mut at = 0;
    // Whether a place was chosen that another could replace.
    let mut is_guess = false;
    while let Some(op) = ops.get(at as usize) {
        let step = match op {
            Op::Literal(literal) => literal_step(text, literal, &mut pos),
            Op::Run { class, min, max, back, group, .. } => {
                run_step(text, class, (*min, *max, *back), *group, &mut pos, slots)
            }
            Op::LazyRun { class, min, until, group } => {
                is_guess = true;
                lazy_step(text, class, *min, until, *group, &mut pos, slots)
            }
            Op::Open(group) => set(slots, *group * 2, pos),
            Op::Close(group) => set(slots, *group * 2 + 1, pos),
            Op::Optional { first, otherwise } => match next_member(text, pos, first) {
                Member::In => Step::Next,
                Member::Out => Step::Go(*otherwise),
                Member::Unsure => Step::Unknown,
            },
            Op::Try { .. } => {
                tries.push((at, pos));
                Step::Next
            }
            Op::Tried => {
                tries.pop();
                Step::Next
            }
            Op::Choice(branches) => choice_step(text, pos, branches),
            Op::Literals(literals) => {
                match literals.iter().find(|literal| text[pos..].starts_with(literal)) {
                    Some(literal) => {
                        pos += literal.len();
                        Step::Next
                    }
                    None => Step::Fail,
                }
            }
            Op::Jump(target) => Step::Go(*target),
            Op::End if pos == text.len() => Step::Next,
            Op::End => Step::Fail,
            Op::Accept => return Outcome::Match,
        };
        match step {
            Step::Next => at += 1,
            Step::Go(target) => at = target,
            Step::Unknown => return Outcome::Unknown,
            Step::Fail if is_guess => return Outcome::Unknown,
            Step::Fail => {
                let Some((otherwise, before)) = resume(ops, slots, tries) else {
                    return Outcome::NoMatch { op: at, at: pos as u32 };
                };
                (at, pos) = (otherwise, before);
            }
        }
    }
    Outcome::Unknown
}

/// Gives up what was tried last: where to go on, and from which byte.
fn resume(ops: &[Op], slots: &mut [u32], tries: &mut Vec<(u32, usize)>) -> Option<(u32, usize)> {
    let (tried, before) = tries.pop()?;
    let Some(Op::Try { otherwise, groups }) = ops.get(tried as usize) else { return None };
    for group in groups {
        slots[*group as usize * 2] = ABSENT;
        slots[*group as usize * 2 + 1] = ABSENT;
    }
    Some((*otherwise, before))
}

#[inline]
fn set(slots: &mut [u32], slot: u32, pos: usize) -> Step {
    slots[slot as usize] = pos as u32;
    Step::Next
}

#[inline]
fn set_group(slots: &mut [u32], group: Option<u32>, start: usize, end: usize) {
    if let Some(group) = group {
        slots[group as usize * 2] = start as u32;
        slots[group as usize * 2 + 1] = end as u32;
    }
}

fn next_member(text: &[u8], pos: usize, first: &[Member; 256]) -> Member {
    text.get(pos).map_or(Member::Out, |byte| first[usize::from(*byte)])
}

#[inline]
fn literal_step(text: &[u8], literal: &[u8], pos: &mut usize) -> Step {
    let rest = &text[*pos..];
    // Most literals are one to three bytes long: a loop beats a call to memcmp.
    let is_equal = rest.len() >= literal.len() && rest.iter().zip(literal).all(|(a, b)| a == b);
    if !is_equal {
        return Step::Fail;
    }
    *pos += literal.len();
    Step::Next
}

#[inline]
fn run_step(
    text: &[u8],
    class: &ByteClass,
    (min, max, back): (u32, Option<u32>, u32),
    group: Option<u32>,
    pos: &mut usize,
    slots: &mut [u32],
) -> Step {
    let start = *pos;
    let limit = max.map_or(text.len(), |max| text.len().min(start.saturating_add(max as usize)));
    let end = class.end(&text[..limit], start);
    if end < limit && class.member(text[end]) == Member::Unsure {
        return Step::Unknown;
    }
    if end - start < (min as usize).saturating_add(back as usize) {
        *pos = end;
        return Step::Fail;
    }
    let end = end - back as usize;
    set_group(slots, group, start, end);
    *pos = end;
    Step::Next
}

fn lazy_step(
    text: &[u8],
    class: &ByteClass,
    min: u32,
    until: &[u8],
    group: Option<u32>,
    pos: &mut usize,
    slots: &mut [u32],
) -> Step {
    let start = *pos;
    let mut end = start;
    loop {
        if end - start >= min as usize && text[end..].starts_with(until) {
            set_group(slots, group, start, end);
            *pos = end;
            return Step::Next;
        }
        let Some(byte) = text.get(end) else { break };
        match class.member(*byte) {
            Member::In => end += 1,
            Member::Out => break,
            Member::Unsure => return Step::Unknown,
        }
    }
    *pos = end;
    Step::Fail
}

fn choice_step(text: &[u8], pos: usize, branches: &[(Box<[Member; 256]>, u32)]) -> Step {
    for (first, target) in branches {
        match next_member(text, pos, first) {
            Member::In => return Step::Go(*target),
            Member::Unsure => return Step::Unknown,
            Member::Out => {}
        }
    }
    Step::Fail
}
