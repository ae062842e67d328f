//! Delimiters instead of a pattern, as Logstash's `dissect` has them: `%{ip} - [%{time}] %{+time} %{?skipped}`.

use std::ops::Range;

use crate::quoted::find_byte;
use crate::row::{Expected, Name, Part, Place, Row, RowParser, Value};

/// What is wrong with a pattern.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DissectError {
    /// What is wrong, and what to do.
    pub message: String,
    /// The place in the pattern.
    pub within: Range<usize>,
}

#[derive(Debug)]
enum Target {
    Skip,
    Column(u32),
    /// Behind the column's text so far, with the delimiter that stands before this one.
    Append(u32),
}

#[derive(Debug)]
struct Step {
    target: Target,
    /// What ends the text; nothing at the end of the pattern.
    delimiter: Vec<u8>,
    /// Whether the delimiter may be repeated.
    is_padded: bool,
}

/// The parser of one pattern.
#[derive(Debug)]
pub struct Dissect {
    prefix: Vec<u8>,
    steps: Vec<Step>,
    columns: Vec<String>,
}

impl Dissect {
    /// Compiles a pattern.
    pub fn new(pattern: &str) -> Result<Self, DissectError> {
        let mut keys: Vec<(Range<usize>, &str)> = Vec::new();
        let mut literals = vec![""];
        let mut at = 0;
        while let Some(offset) = pattern[at..].find("%{") {
            let start = at + offset;
            literals[keys.len()] = &pattern[at..start];
            let Some(len) = pattern[start..].find('}') else {
                let message = "`%{` is never closed".to_owned();
                return Err(DissectError { message, within: start..pattern.len() });
            };
            keys.push((start..start + len + 1, &pattern[start + 2..start + len]));
            literals.push("");
            at = start + len + 1;
        }
        literals[keys.len()] = &pattern[at..];
        if keys.is_empty() {
            let message = "the pattern has no `%{key}`".to_owned();
            return Err(DissectError { message, within: 0..pattern.len() });
        }
        let mut dissect =
            Self { prefix: literals[0].into(), steps: Vec::new(), columns: Vec::new() };
        for (index, (within, key)) in keys.iter().enumerate() {
            let delimiter = literals[index + 1];
            if delimiter.is_empty() && index + 1 < keys.len() {
                let message = "two keys without a delimiter between them".to_owned();
                return Err(DissectError { message, within: within.clone() });
            }
            dissect.add(key, delimiter, within)?;
        }
        if dissect.columns.is_empty() {
            let message = "the pattern skips every key".to_owned();
            return Err(DissectError { message, within: 0..pattern.len() });
        }
        Ok(dissect)
    }

    fn add(
        &mut self,
        key: &str,
        delimiter: &str,
        within: &Range<usize>,
    ) -> Result<(), DissectError> {
        let refuse = |message: &str| {
            Err(DissectError { message: message.to_owned(), within: within.clone() })
        };
        let (key, is_padded) = key.strip_suffix("->").map_or((key, false), |key| (key, true));
        let target = match (key.chars().next(), key.get(1..)) {
            (None | Some('?'), _) => Target::Skip,
            (Some('+'), Some(name)) if name.contains('/') => {
                return refuse("the order of appended parts cannot be changed; write `%{+name}`");
            }
            (Some('+'), Some(name)) => match self.columns.iter().position(|other| other == name) {
                Some(column) => Target::Append(column as u32),
                None => return refuse("nothing before it has this name to append to"),
            },
            (Some('&' | '*'), _) => {
                return refuse(
                    "names taken from the text are not supported; `key_value` reads those",
                );
            }
            _ if self.columns.iter().any(|other| other == key) => {
                return refuse("the name is there before; write `%{+name}` to append");
            }
            _ => {
                self.columns.push(key.to_owned());
                Target::Column(self.columns.len() as u32 - 1)
            }
        };
        self.steps.push(Step { target, delimiter: delimiter.into(), is_padded });
        Ok(())
    }
}

/// Appends a part to a column whose last delimiter was `delimiter`: by making the text there longer where the
/// delimiter is what stands between them, by writing it otherwise.
fn append(column: u32, part: Part, delimiter: &[u8], text: &[u8], row: &mut Row) {
    let name = Name::Column(column);
    let Some(value) = row.values.iter_mut().rev().find(|(other, _)| *other == name) else { return };
    let Value::Text(so_far) = &mut value.1 else { return };
    let (start, end) = (so_far.start as usize, (so_far.start + so_far.len) as usize);
    if so_far.place == Place::Source && end + delimiter.len() == part.start as usize {
        so_far.len = part.start + part.len - so_far.start;
        return;
    }
    let mark = row.written.len();
    if so_far.place == Place::Source {
        row.written.extend_from_slice(&text[start..end]);
    } else {
        row.written.extend_from_within(start..end);
    }
    row.written.extend_from_slice(delimiter);
    row.written.extend_from_slice(&text[part.start as usize..][..part.len as usize]);
    let len = (row.written.len() - mark) as u32;
    *so_far = Part { start: mark as u32, len, place: Place::Written, is_clean: false };
}

/// Where the next delimiter is: short ones, in short texts, are not worth a search of their own kind.
#[inline(always)]
fn find(text: &[u8], from: usize, delimiter: &[u8]) -> Option<usize> {
    let Some(first) = delimiter.first() else { return Some(text.len()) };
    let mut from = from;
    loop {
        let at = find_byte(text, from, *first);
        if at == text.len() {
            return None;
        }
        if is_at(text, at, delimiter) {
            return Some(at);
        }
        from = at + 1;
    }
}

/// Whether a delimiter is at a position; most are too short for a comparison to be called.
#[inline(always)]
fn is_at(text: &[u8], at: usize, delimiter: &[u8]) -> bool {
    match delimiter {
        [] => true,
        [a] => text.get(at) == Some(a),
        [a, b] => text.get(at..at + 2) == Some(&[*a, *b]),
        [a, b, c] => text.get(at..at + 3) == Some(&[*a, *b, *c]),
        _ => text.get(at..).is_some_and(|rest| rest.starts_with(delimiter)),
    }
}

impl RowParser for Dissect {
    fn columns(&self) -> &[String] {
        &self.columns
    }

    fn parse(&mut self, text: &[u8], row: &mut Row) -> Result<(), Expected> {
        if !is_at(text, 0, &self.prefix) {
            return Err(Expected::new("the text before the first key", 0));
        }
        let mut before = self.prefix.as_slice();
        let mut at = before.len();
        for step in &self.steps {
            let Some(end) = find(text, at, &step.delimiter) else {
                return Err(Expected::new("the delimiter behind the key", at));
            };
            let part = Part::source(at, end);
            match step.target {
                Target::Skip => {}
                Target::Column(column) => row.push(column, Value::Text(part)),
                Target::Append(column) => append(column, part, before, text, row),
            }
            before = &step.delimiter;
            at = end + before.len();
            if step.is_padded && !before.is_empty() {
                while is_at(text, at, before) {
                    at += before.len();
                }
            }
        }
        if at < text.len() {
            return Err(Expected::new("the end", at));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
