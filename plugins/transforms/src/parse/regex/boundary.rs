//! Word boundaries that cannot but be there: the `\b` of `%{WORD:level} ` says nothing, because what is before it
//! is a word and what follows is none. Without them more patterns are matched by their delimiters.

use regex_syntax::hir::{
    Capture, Class, ClassUnicode, ClassUnicodeRange, Hir, HirKind, Look, Repetition,
};

/// What a character beside a position is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Beside {
    /// A character of words.
    Word,
    /// Another, or the text's start or end.
    Other,
    /// It depends on the text.
    Unknown,
}

impl Beside {
    fn or(self, other: Self) -> Self {
        if self == other { self } else { Self::Unknown }
    }
}

/// From which side a piece is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Side {
    First,
    Last,
}

/// The same expression without the word boundaries that are sure to hold.
pub(super) fn without_sure_boundaries(hir: &Hir) -> Hir {
    let Ok(word) = regex_syntax::parse(r"\w") else { return hir.clone() };
    let HirKind::Class(Class::Unicode(word)) = word.kind() else { return hir.clone() };
    Remover { word }.walk(hir, Beside::Unknown, Beside::Unknown)
}

struct Remover<'w> {
    /// The characters of words.
    word: &'w ClassUnicode,
}

impl Remover<'_> {
    /// The piece between two positions.
    fn walk(&self, hir: &Hir, before: Beside, after: Beside) -> Hir {
        if hir.properties().look_set().is_empty() {
            return hir.clone();
        }
        match hir.kind() {
            HirKind::Look(Look::WordUnicode) => {
                let is_sure =
                    before != Beside::Unknown && after != Beside::Unknown && before != after;
                if is_sure { Hir::empty() } else { hir.clone() }
            }
            HirKind::Capture(capture) => {
                let sub = Box::new(self.walk(&capture.sub, before, after));
                Hir::capture(Capture { index: capture.index, name: capture.name.clone(), sub })
            }
            HirKind::Alternation(branches) => Hir::alternation(
                branches.iter().map(|branch| self.walk(branch, before, after)).collect(),
            ),
            HirKind::Concat(parts) => Hir::concat(
                (0..parts.len())
                    .map(|index| {
                        let (left, right) = (&parts[..index], &parts[index + 1..]);
                        let before = self.through(left.iter().rev(), Side::Last, before);
                        let after = self.through(right.iter(), Side::First, after);
                        self.walk(&parts[index], before, after)
                    })
                    .collect(),
            ),
            HirKind::Repetition(repetition) => {
                let Repetition { min, max, greedy, sub } = repetition;
                // A round may stand beside another round.
                let (is_once, sub) = (*max == Some(1), &**sub);
                let beside = |side: Side, outside: Beside| match self.edge(sub, side) {
                    _ if is_once => outside,
                    Some(edge) => outside.or(edge),
                    None => Beside::Unknown,
                };
                let sub = Box::new(self.walk(
                    sub,
                    beside(Side::Last, before),
                    beside(Side::First, after),
                ));
                Hir::repetition(Repetition { min: *min, max: *max, greedy: *greedy, sub })
            }
            _ => hir.clone(),
        }
    }

    /// What is beside a position, seen through pieces that may be empty.
    fn through<'h>(
        &self,
        pieces: impl Iterator<Item = &'h Hir>,
        side: Side,
        outside: Beside,
    ) -> Beside {
        let mut seen: Option<Beside> = None;
        let mut add = |beside: Beside| {
            let all = seen.map_or(beside, |seen| seen.or(beside));
            seen = Some(all);
            all
        };
        for piece in pieces {
            match (piece.kind(), side) {
                (HirKind::Look(Look::Start), Side::Last)
                | (HirKind::Look(Look::End), Side::First) => {
                    return add(Beside::Other);
                }
                _ => {}
            }
            let Some(edge) = self.edge(piece, side) else { continue };
            let all = add(edge);
            if piece.properties().minimum_len().is_some_and(|len| len > 0) {
                return all;
            }
        }
        add(outside)
    }

    /// The first or last character of a piece where it is not empty; `None` if it always is.
    fn edge(&self, hir: &Hir, side: Side) -> Option<Beside> {
        match hir.kind() {
            HirKind::Empty | HirKind::Look(_) => None,
            HirKind::Literal(literal) => Some(match std::str::from_utf8(&literal.0) {
                Ok(text) => {
                    let mut characters = text.chars();
                    let edge = if side == Side::First {
                        characters.next()
                    } else {
                        characters.next_back()
                    };
                    edge.map_or(Beside::Unknown, |edge| {
                        self.class([ClassUnicodeRange::new(edge, edge)])
                    })
                }
                Err(_) => Beside::Unknown,
            }),
            HirKind::Class(Class::Unicode(class)) => {
                Some(self.class(class.ranges().iter().copied()))
            }
            HirKind::Class(Class::Bytes(_)) => Some(Beside::Unknown),
            HirKind::Repetition(repetition) => self.edge(&repetition.sub, side),
            HirKind::Capture(capture) => self.edge(&capture.sub, side),
            HirKind::Alternation(branches) => {
                let edges = branches.iter().filter_map(|branch| self.edge(branch, side));
                edges.reduce(Beside::or)
            }
            HirKind::Concat(parts) => {
                let mut seen: Option<Beside> = None;
                let count = parts.len();
                for index in 0..count {
                    let part = &parts[if side == Side::First { index } else { count - 1 - index }];
                    let Some(edge) = self.edge(part, side) else { continue };
                    seen = Some(seen.map_or(edge, |seen| seen.or(edge)));
                    if part.properties().minimum_len().is_some_and(|len| len > 0) {
                        break;
                    }
                }
                seen
            }
        }
    }

    /// What characters of a class are.
    fn class(&self, ranges: impl IntoIterator<Item = ClassUnicodeRange>) -> Beside {
        let class = ClassUnicode::new(ranges);
        let (mut inside, mut outside) = (class.clone(), class);
        inside.intersect(self.word);
        outside.difference(self.word);
        match (inside.ranges().is_empty(), outside.ranges().is_empty()) {
            (false, true) => Beside::Word,
            (true, false) => Beside::Other,
            _ => Beside::Unknown,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use regex_automata::meta::Regex;

    const PATTERNS: [&str; 12] = [
        r"^(\b\w+\b) (\b[0-9]+\b)\]",
        r"(\b\w+\b)(?: (\b\w+\b))?-",
        r"^\b(\w*)\b(\s*)(\b\w+\b)$",
        r"(?:(\b\w+\b)[ -])*(x|\b1\b)",
        r"(\b\w+\b|-)(\b\w+\b)",
        r"^(\w\b-?\b)(.*)$",
        r"(a| )\b(b| )",
        r"(?:\b(a)| \b(b)){1,3}",
        r"^()\b(\w+)",
        r"(\w+?)\b(\W*)\b(\w)",
        r"(?:\b-\b|\b \b)+(\w)",
        r"([^\w]+)\b(é|a)\b",
    ];

    #[test]
    fn boundaries_between_words_and_marks_are_removed() {
        let simple = |pattern: &str| {
            let hir = without_sure_boundaries(&regex_syntax::parse(pattern).unwrap());
            !hir.properties().look_set().contains(Look::WordUnicode)
        };
        assert!(simple(r"^(\b\w+\b) (\b[1-9][0-9]*\b)\]"));
        assert!(simple(r"^(\b\w+\b)$"));
        assert!(!simple(r"\b\w+\b"));
        assert!(!simple(r"^\b\w*\b$"));
    }

    proptest! {
        #[test]
        fn what_is_left_matches_the_same(text in "[a-b1é \\-\\]x]{0,12}") {
            for pattern in PATTERNS {
                let hir = regex_syntax::parse(pattern).unwrap();
                let build = |hir: &Hir| Regex::builder().build_from_hir(hir).unwrap();
                let captures = |regex: &Regex| {
                    let mut captures = regex.create_captures();
                    regex.captures(&text, &mut captures);
                    let spans: Vec<_> = captures.iter().collect();
                    (captures.is_match(), spans)
                };
                let (all, some) = (build(&hir), build(&without_sure_boundaries(&hir)));
                prop_assert_eq!(captures(&all), captures(&some), "{}", pattern);
            }
        }
    }
}
