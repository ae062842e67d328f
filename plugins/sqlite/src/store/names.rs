//! Names as numbers: what is counted of an event takes few bytes, however long its names are and often they repeat.
//!
//! **Invariant:** so many names and bytes of them are kept at most; those beyond are one, which has no text.

use std::collections::HashMap;

/// Names that are told apart, and bytes of them.
const NAMES_MAX: u16 = 60_000;
const BYTES_MAX: usize = 8 << 20;

/// The number of a name beyond those that are kept.
const OTHERS: u16 = u16::MAX;

/// The names of one column.
#[derive(Default)]
pub(super) struct Names {
    numbers: HashMap<Box<str>, u16>,
    bytes: usize,
    /// Whether there were more than are kept.
    pub(super) is_cut: bool,
}

impl Names {
    pub(super) fn number(&mut self, name: &str) -> u16 {
        if let Some(number) = self.numbers.get(name) {
            return *number;
        }
        let number = u16::try_from(self.numbers.len()).unwrap_or(OTHERS);
        if number >= NAMES_MAX || self.bytes + name.len() > BYTES_MAX {
            self.is_cut = true;
            return OTHERS;
        }
        self.bytes += name.len();
        self.numbers.insert(name.into(), number);
        number
    }

    /// The names by their numbers.
    pub(super) fn texts(&self) -> Texts<'_> {
        let mut texts = vec![""; self.numbers.len()];
        for (text, number) in &self.numbers {
            texts[usize::from(*number)] = text;
        }
        Texts(texts)
    }
}

/// Names by their numbers.
pub(super) struct Texts<'n>(Vec<&'n str>);

impl<'n> Texts<'n> {
    /// The name of a number; none for those beyond.
    pub(super) fn get(&self, number: u16) -> Option<&'n str> {
        self.0.get(usize::from(number)).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_beyond_the_limit_are_one_without_a_text() {
        let mut names = Names::default();
        for n in 0..u32::from(NAMES_MAX) + 5000 {
            let number = names.number(&format!("name {n}"));
            let expected = u16::try_from(n).ok().filter(|number| *number < NAMES_MAX);
            assert_eq!(number, expected.unwrap_or(OTHERS));
        }
        assert!(names.is_cut);
        assert_eq!(names.number("name 7"), 7);
        assert_eq!(names.number("name 60001"), OTHERS);
        let texts = names.texts();
        assert_eq!((texts.get(7), texts.get(OTHERS)), (Some("name 7"), None));
        let mut long = Names::default();
        assert_eq!(long.number(&"x".repeat(BYTES_MAX + 1)), OTHERS);
        assert_eq!(long.number("short"), 0);
    }
}
