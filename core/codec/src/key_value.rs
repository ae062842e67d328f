//! Pairs with separators of the user's choice: `user: ann; roles: "a; b"`.

use crate::quoted::{Strictness, read_quoted};
use crate::row::{Expected, Name, Part, Row, RowParser, Value};

/// The parser of pairs.
#[derive(Debug)]
pub struct KeyValue {
    /// Between a key and its value.
    between: Vec<u8>,
    /// Behind a value.
    behind: Vec<u8>,
    strictness: Strictness,
}

impl KeyValue {
    /// A parser with a separator of key and value and one of pairs, neither of them empty. A strict one refuses
    /// keys without values; a lenient one gives them null.
    #[must_use]
    pub fn new(key_value_delimiter: &str, field_delimiter: &str, strictness: Strictness) -> Self {
        let (between, behind) = (key_value_delimiter.into(), field_delimiter.into());
        Self { between, behind, strictness }
    }

    /// Reads a text, quoted or up to one of the `ends`; gives it without the spaces around it and the position
    /// behind it.
    fn text(
        &self,
        text: &[u8],
        at: usize,
        ends: &[&[u8]],
        row: &mut Row,
    ) -> Result<(Part, usize), Expected> {
        if let Some(b'"' | b'\'') = text.get(at) {
            let quoted = read_quoted(text, at, self.strictness, row);
            let is_whole = |end: usize| {
                let rest = &text[end..];
                rest.is_empty() || rest[0] == b' ' || ends.iter().any(|e| rest.starts_with(e))
            };
            match quoted {
                Ok((part, end)) if is_whole(end) => return Ok((part, end)),
                Ok((_, end)) if self.strictness == Strictness::Strict => {
                    return Err(Expected::new("a separator behind the closing quote", end));
                }
                Err(error) if text[at] == b'"' => return Err(error),
                // An apostrophe: `'tis`.
                _ => {}
            }
        }
        let mut end = at;
        while end < text.len() && !ends.iter().any(|e| text[end..].starts_with(e)) {
            end += 1;
        }
        let trimmed = text[at..end].trim_ascii_end();
        Ok((Part::source(at, at + trimmed.len()), end))
    }
}

/// Position behind the spaces at `at`, none of which begins `unless`.
fn skip_spaces(text: &[u8], mut at: usize, unless: &[u8]) -> usize {
    while text.get(at) == Some(&b' ') && !text[at..].starts_with(unless) {
        at += 1;
    }
    at
}

impl RowParser for KeyValue {
    fn columns(&self) -> &[String] {
        &[]
    }

    fn parse(&mut self, text: &[u8], row: &mut Row) -> Result<(), Expected> {
        let mut at = 0;
        loop {
            loop {
                let next = skip_spaces(text, at, &self.behind);
                let rest = &text[next..];
                at = if rest.starts_with(&self.behind) { next + self.behind.len() } else { next };
                if at == next {
                    break;
                }
            }
            if at >= text.len() || matches!(&text[at..], b"\n" | b"\r\n") {
                return Ok(());
            }
            let (key, end) = self.text(text, at, &[&self.between, &self.behind], row)?;
            if key.len == 0 {
                return Err(Expected::new("a key", at));
            }
            at = skip_spaces(text, end, &self.behind);
            if !text[at..].starts_with(&self.between) {
                at = end;
                if self.strictness == Strictness::Strict {
                    return Err(Expected::new("the delimiter of key and value", end));
                }
                row.values.push((Name::Text(key), Value::Null));
                continue;
            }
            at = skip_spaces(text, at + self.between.len(), &self.behind);
            let (value, end) = self.text(text, at, &[&self.behind], row)?;
            row.values.push((Name::Text(key), Value::Text(value)));
            at = end;
        }
    }
}

#[cfg(test)]
mod tests;
