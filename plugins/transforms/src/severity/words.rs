//! Words in a message that tell of trouble.

use aho_corasick::{AhoCorasick, MatchKind};
use lograil_plugin::ConfigError;

use super::options::MessageOptions;

/// Bytes before a word in which a negation is looked for: `without ` is the longest.
const NEGATION_LEN_MAX: usize = 8;

/// What makes a word tell of nothing: `no errors`, `0 failed`.
const NEGATIONS: [&[u8]; 5] = [b"no ", b"0 ", b"zero ", b"without ", b"not "];

/// Finds the words.
pub(super) struct Words {
    finder: AhoCorasick,
    /// Patterns from this one on tell of a disaster.
    disasters_from: usize,
}

/// How bad the words of a text are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Told {
    Nothing,
    Failure,
    Disaster,
}

impl Words {
    /// `None` with what is wrong in `errors`.
    pub(super) fn new(options: &MessageOptions, errors: &mut Vec<ConfigError>) -> Option<Self> {
        let before = errors.len();
        let lists = [
            ("failure_words", &options.failure_words),
            ("disaster_words", &options.disaster_words),
        ];
        for (option, words) in lists {
            for at in (0..words.len()).filter(|at| words[*at].is_empty()) {
                let error = ConfigError::new(["message", option, &at.to_string()], "an empty word");
                errors.push(error.help("take it out: it would be in every message"));
            }
        }
        if errors.len() > before {
            return None;
        }
        let patterns = options.failure_words.iter().chain(&options.disaster_words);
        let finder = AhoCorasick::builder()
            .ascii_case_insensitive(true)
            .match_kind(MatchKind::LeftmostLongest)
            .build(patterns);
        match finder {
            Ok(finder) => Some(Self { finder, disasters_from: options.failure_words.len() }),
            Err(error) => {
                let error = ConfigError::new(["message"], format!("too many words: {error}"));
                errors.push(error.help("use a rule with a regular expression instead"));
                None
            }
        }
    }

    /// The worst that the words of a text tell.
    pub(super) fn in_text(&self, text: &[u8]) -> Told {
        let mut worst = Told::Nothing;
        for found in self.finder.find_iter(text) {
            let is_disaster = found.pattern().as_usize() >= self.disasters_from;
            let told = if is_disaster { Told::Disaster } else { Told::Failure };
            if told > worst && begins_word(text, found.start()) && !is_negated(text, found.start())
            {
                worst = told;
            }
            if worst == Told::Disaster {
                break;
            }
        }
        worst
    }
}

/// Whether a word begins here: `IOException` has the word `Exception`, `terror` has no `error`.
fn begins_word(text: &[u8], at: usize) -> bool {
    let Some(before) = at.checked_sub(1).map(|before| text[before]) else { return true };
    !before.is_ascii_alphabetic() || (text[at].is_ascii_uppercase() && has_lower_case(text, at))
}

/// Whether the word that goes on at `at` is written in humps, not all in capitals.
fn has_lower_case(text: &[u8], at: usize) -> bool {
    text.get(at + 1).is_some_and(u8::is_ascii_lowercase)
}

fn is_negated(text: &[u8], at: usize) -> bool {
    let before = &text[at.saturating_sub(NEGATION_LEN_MAX)..at];
    NEGATIONS.iter().any(|negation| {
        before.len() >= negation.len()
            && before[before.len() - negation.len()..].eq_ignore_ascii_case(negation)
            && begins_word(text, at - negation.len())
            && !(negation[0] == b'0' && is_digit_before(text, at - negation.len()))
    })
}

/// Whether the `0` at `at` is the end of a larger number: `10 errors` are errors.
fn is_digit_before(text: &[u8], at: usize) -> bool {
    at.checked_sub(1).is_some_and(|before| text[before].is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_found_where_they_begin_and_are_not_denied() {
        let words = Words::new(&MessageOptions::default(), &mut Vec::new()).unwrap();
        for (text, told) in [
            ("all is well", Told::Nothing),
            ("request FAILED", Told::Failure),
            ("2 errors", Told::Failure),
            ("10 errors", Told::Failure),
            ("0 errors, 0 failed", Told::Nothing),
            ("finished without error", Told::Nothing),
            ("No Errors", Told::Nothing),
            ("casino errors", Told::Failure),
            ("no errors but one failure", Told::Failure),
            ("java.io.IOException: broken pipe", Told::Failure),
            ("java.lang.OutOfMemoryError", Told::Disaster),
            ("the terror of mirrors", Told::Nothing),
            ("TERRORS", Told::Nothing),
            ("error: kernel panic", Told::Disaster),
            ("connection timed out", Told::Failure),
            ("", Told::Nothing),
        ] {
            assert_eq!(words.in_text(text.as_bytes()), told, "{text}");
        }
    }
}
