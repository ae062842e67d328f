//! Matching one text: lowered where that gives an answer, by the regex where it does not.

use regex_automata::Input;
use regex_automata::meta::{Cache, Regex};
use regex_automata::util::primitives::NonMaxUsize;
use regex_syntax::hir::Hir;

use super::super::lowered::{ABSENT, Lowered, Obstacle, Outcome};

/// Most memory the compiled regex may take.
const REGEX_SIZE_BYTES_MAX: usize = 10 << 20;

/// Whether bytes are known to be UTF-8.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Encoding {
    Utf8,
    Unknown,
}

/// Why a text does not match.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NoMatch {
    /// An operation of the lowered pattern failed at a byte.
    At { op: u32, at: u32 },
    /// The regex found none.
    Anywhere,
}

/// A pattern, compiled both ways, and the space its matches need.
pub(super) struct Matcher {
    lowered: Result<Lowered, Obstacle>,
    regex: Regex,
    cache: Cache,
    found: Vec<Option<NonMaxUsize>>,
    slots: Vec<u32>,
    answer: Answer,
    asked_regex: u64,
}

/// Who found the last match.
enum Answer {
    Lowered,
    Regex,
}

impl Matcher {
    pub(super) fn new(hir: &Hir) -> Result<Self, String> {
        let config = Regex::config()
            .utf8_empty(false)
            .nfa_size_limit(Some(REGEX_SIZE_BYTES_MAX))
            .onepass_size_limit(Some(1 << 20));
        let built = Regex::builder().configure(config).build_from_hir(hir);
        let regex = built.map_err(|error| match error.size_limit() {
            Some(_) => "the pattern is too large".to_owned(),
            None => error.to_string(),
        })?;
        let slots = 2 * regex.captures_len();
        Ok(Self {
            lowered: Lowered::compile(hir),
            cache: regex.create_cache(),
            regex,
            found: vec![None; slots],
            slots: vec![ABSENT; slots],
            answer: Answer::Regex,
            asked_regex: 0,
        })
    }

    /// Why every text is matched by the regex, if it is.
    pub(super) fn obstacle(&self) -> Option<Obstacle> {
        self.lowered.as_ref().err().copied()
    }

    /// How many texts the regex has had to match since this was last asked.
    pub(super) fn take_asked_regex(&mut self) -> u64 {
        std::mem::take(&mut self.asked_regex)
    }

    /// Matches a text shorter than 4 GiB; [`Self::slots`] has the groups then.
    #[inline]
    pub(super) fn search(&mut self, text: &[u8], encoding: Encoding) -> Result<(), NoMatch> {
        if encoding == Encoding::Utf8
            && let Ok(lowered) = &mut self.lowered
        {
            match lowered.search(text) {
                Outcome::Match => {
                    self.answer = Answer::Lowered;
                    return Ok(());
                }
                Outcome::NoMatch { op, at } => return Err(NoMatch::At { op, at }),
                Outcome::Unknown => {}
            }
        }
        self.search_by_regex(text)
    }

    fn search_by_regex(&mut self, text: &[u8]) -> Result<(), NoMatch> {
        self.answer = Answer::Regex;
        self.asked_regex += 1;
        let input = Input::new(text);
        self.regex
            .search_slots_with(&mut self.cache, &input, &mut self.found)
            .ok_or(NoMatch::Anywhere)?;
        for (slot, found) in self.slots.iter_mut().zip(&self.found) {
            *slot = found.map_or(ABSENT, |at| at.get() as u32);
        }
        Ok(())
    }

    /// Start and end of every group of the last match, [`ABSENT`] twice where a group took no part. Those of
    /// group 0 are not filled.
    #[inline]
    pub(super) fn slots(&self) -> &[u32] {
        match (&self.answer, &self.lowered) {
            (Answer::Lowered, Ok(lowered)) => lowered.slots(),
            _ => &self.slots,
        }
    }

    /// What an operation of the lowered pattern wants.
    pub(super) fn expected(&self, op: u32) -> String {
        self.lowered.as_ref().map_or_else(|_| String::new(), |lowered| lowered.expected(op))
    }
}
