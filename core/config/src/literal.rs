//! From bytes of a string's value back to the bytes of the TOML literal it was written as.

use std::ops::Range;

use crate::document::{Notation, Span};

/// The bytes of the file in which `range` of the decoded string was written. `literal` is the text of
/// `span`, quotes included.
pub(crate) fn source_span(
    literal: &str,
    span: Span,
    notation: Notation,
    range: Range<usize>,
) -> Span {
    let body = Body::of(literal, notation);
    let mut start = None;
    let mut end = None;
    let mut decoded = 0;
    let mut raw = body.start;
    while raw < body.end {
        let unit = body.unit(literal, raw);
        let next = decoded + unit.decoded;
        if start.is_none() && unit.decoded > 0 && next > range.start {
            start = Some(raw);
        }
        if unit.decoded > 0 && decoded < range.end {
            end = Some(raw + unit.raw);
        }
        decoded = next;
        raw += unit.raw;
    }
    let start = start.unwrap_or(body.end);
    let end = end.unwrap_or(start).max(start);
    Span { file: span.file, start: span.start + start, end: span.start + end }
}

/// The part of a literal between the quotes.
struct Body {
    start: usize,
    end: usize,
    escapes: bool,
    multi_line: bool,
}

/// A piece of a literal that is decoded as one: how many bytes it takes, and how many it means.
struct Unit {
    raw: usize,
    decoded: usize,
}

impl Body {
    fn of(literal: &str, notation: Notation) -> Self {
        let quote = literal.chars().next().filter(|c| matches!(c, '"' | '\''));
        let Some(quote) = quote.filter(|_| notation == Notation::Quoted) else {
            return Self { start: 0, end: literal.len(), escapes: false, multi_line: false };
        };
        let escapes = quote == '"';
        let triple = if escapes { "\"\"\"" } else { "'''" };
        let multi_line = literal.len() >= 6 && literal.starts_with(triple);
        let quotes = if multi_line { triple } else { &triple[..1] };
        let mut start = quotes.len();
        // A literal that was read in spite of a mistake may lack its closing quotes.
        let body = literal[start..].strip_suffix(quotes).unwrap_or(&literal[start..]);
        let end = start + body.len();
        if multi_line {
            let rest = &literal[start..end];
            start += if rest.starts_with("\r\n") { 2 } else { usize::from(rest.starts_with('\n')) };
        }
        Self { start, end, escapes, multi_line }
    }

    fn unit(&self, literal: &str, at: usize) -> Unit {
        let rest = &literal[at..self.end];
        let Some(first) = rest.chars().next() else { return Unit { raw: 1, decoded: 0 } };
        if !self.escapes || first != '\\' {
            return Unit { raw: first.len_utf8(), decoded: first.len_utf8() };
        }
        let escape = &rest[1..];
        let digits = match escape.chars().next() {
            Some('x') => 2,
            Some('u') => 4,
            Some('U') => 8,
            Some(c) if self.multi_line && c.is_ascii_whitespace() => {
                let kept = escape.trim_start_matches([' ', '\t', '\r', '\n']);
                return Unit { raw: rest.len() - kept.len(), decoded: 0 };
            }
            Some(c) => return Unit { raw: 1 + c.len_utf8(), decoded: 1 },
            None => return Unit { raw: 1, decoded: 1 },
        };
        let code = escape.get(1..1 + digits).and_then(|hex| u32::from_str_radix(hex, 16).ok());
        match code.and_then(char::from_u32) {
            Some(c) => Unit { raw: 2 + digits, decoded: c.len_utf8() },
            None => Unit { raw: 1, decoded: 1 },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Underlines, in the literal, what `find` is in its decoded text.
    fn underlined<'a>(literal: &'a str, find: &str) -> &'a str {
        let document = format!("k = {literal}");
        let table: toml::Table = document.parse().unwrap();
        let decoded = table["k"].as_str().unwrap();
        let start = decoded.find(find).unwrap();
        let span = Span { file: 0, start: 0, end: literal.len() };
        let at = source_span(literal, span, Notation::Quoted, start..start + find.len());
        &literal[at.start..at.end]
    }

    #[test]
    fn maps_every_kind_of_literal_back_to_its_bytes() {
        assert_eq!(underlined("'a b c'", "b"), "b");
        assert_eq!(underlined(r#""a b c""#, "b c"), "b c");
        assert_eq!(underlined(r#""a\tb\"q\" c""#, "\"q\""), r#"\"q\""#);
        assert_eq!(underlined(r#""\u00e9t\u00E9 \U0001F600x""#, "x"), "x");
        assert_eq!(underlined(r#""\u00e9t\x41 \U0001F600x""#, "tA"), r"t\x41");
        assert_eq!(underlined("\"\"\"\nab \\\n   cd\nef\"\"\"", "cd\nef"), "cd\nef");
        assert_eq!(underlined("\"\"\"\nab \\\n   cd\nef\"\"\"", "ab "), "ab ");
        assert_eq!(underlined("'''\r\n\\d+ é x'''", "x"), "x");
        assert_eq!(underlined("'''\n.a == '1' '''", "'1'"), "'1'");
    }

    #[test]
    fn a_range_outside_the_text_points_to_its_end() {
        let span = Span { file: 0, start: 10, end: 15 };
        let at = source_span("\"abc\"", span, Notation::Quoted, 3..3);
        assert_eq!((at.start, at.end), (14, 14));
        let at = source_span("\"abc\"", span, Notation::Quoted, 90..99);
        assert_eq!(at.start, 14);
        let at = source_span("abc", span, Notation::Plain, 1..2);
        assert_eq!((at.start, at.end), (11, 12));
    }
}
