//! What a sequence of words is: its hash, with values in the place of words, and its text.
//!
//! **Invariant:** values that follow each other count as one, however many they are.

use super::words::{VALUE, WORDS_MAX, Word, fold};

/// What stands for a value in a template's text.
pub(super) const PLACEHOLDER: &str = "<*>";

/// A longer text of a template, and a longer value, is cut.
pub(super) const TEXT_BYTES_MAX: usize = 8 << 10;

/// What a text that was cut ends in.
pub(super) const CUT: &str = "...";

/// The hashes of a sequence of words and of its neighbours, those that have a value in the place of a word.
pub(super) struct Shape<'w> {
    words: &'w [Word],
    /// The hash of what is in front of each word.
    before: [Prefix; WORDS_MAX],
}

#[derive(Debug, Clone, Copy, Default)]
struct Prefix {
    hash: u64,
    ends_in_value: bool,
}

impl Prefix {
    #[inline]
    fn then(self, word: u64) -> Self {
        let is_value = word == VALUE;
        let hash = if is_value && self.ends_in_value { self.hash } else { fold(self.hash, word) };
        Self { hash, ends_in_value: is_value }
    }

    fn then_all(self, words: &[Word]) -> Self {
        words.iter().fold(self, |prefix, word| prefix.then(word.hash))
    }
}

impl<'w> Shape<'w> {
    /// The hash of the words as they are.
    pub(super) fn hash(words: &[Word]) -> u64 {
        Prefix::default().then_all(words).hash
    }

    /// Gets ready for the hashes of neighbours, of at most [`WORDS_MAX`] words.
    pub(super) fn new(words: &'w [Word]) -> Self {
        let mut before = [Prefix::default(); WORDS_MAX];
        let mut prefix = Prefix::default();
        for (word, before) in words.iter().zip(&mut before) {
            *before = prefix;
            prefix = prefix.then(word.hash);
        }
        Self { words, before }
    }

    /// The hash with the word at `index` as a value.
    pub(super) fn with_value(&self, index: usize) -> u64 {
        self.before[index].then(VALUE).then_all(&self.words[index + 1..]).hash
    }

    /// The hash with the words at both places as values.
    pub(super) fn with_values(&self, first: usize, second: usize) -> u64 {
        let between = &self.words[first + 1..second];
        let prefix = self.before[first].then(VALUE).then_all(between).then(VALUE);
        prefix.then_all(&self.words[second + 1..]).hash
    }
}

/// The words that a template's id is made of, and its text.
pub(super) fn texts(message: &[u8], words: &[Word]) -> (String, String) {
    let (mut canonical, mut text) = (String::new(), String::new());
    let (mut at, mut follows_value) = (0, false);
    for word in words {
        let own = String::from_utf8_lossy(word.text(message));
        let shown = if word.is_value() { PLACEHOLDER } else { &own };
        if !(word.is_value() && follows_value) {
            if !canonical.is_empty() {
                canonical.push(' ');
            }
            canonical.push_str(shown);
        }
        follows_value = word.is_value();
        text.push_str(&String::from_utf8_lossy(&message[at..word.start()]));
        text.push_str(shown);
        at = word.end();
    }
    // Behind the last word that is looked at any message may go on as it likes.
    if words.len() < WORDS_MAX {
        text.push_str(&String::from_utf8_lossy(&message[at..]));
    }
    cut(&mut canonical);
    if cut(&mut text) {
        text.push_str(CUT);
    }
    (canonical, text)
}

/// Cuts a text that is too long; whether it was.
fn cut(text: &mut String) -> bool {
    let is_long = text.len() > TEXT_BYTES_MAX;
    if is_long {
        let end = (0..=TEXT_BYTES_MAX).rev().find(|&at| text.is_char_boundary(at));
        text.truncate(end.unwrap_or(0));
    }
    is_long
}
