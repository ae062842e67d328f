//! Delimiters instead of a pattern, as Logstash's `dissect` has them: `%{ip} - [%{time}] %{+time} %{?skipped}`.

use std::ops::Range;

use memchr::memmem::Finder;

use crate::quoted::find_byte;
use crate::row::{Expected, Part, Place, Row, RowParser, Value};

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
    delimiter: Finder<'static>,
    /// Whether the delimiter may be repeated.
    is_padded: bool,
}

/// The parser of one pattern.
#[derive(Debug)]
pub struct Dissect {
    prefix: Vec<u8>,
    steps: Vec<Step>,
    columns: Vec<String>,
    has_append: bool,
    /// The parts of each column of the line at hand, where something is appended.
    parts: Vec<Option<Part>>,
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
        let mut dissect = Self {
            prefix: literals[0].into(),
            steps: Vec::new(),
            columns: Vec::new(),
            has_append: false,
            parts: Vec::new(),
        };
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
        dissect.parts.resize(dissect.columns.len(), None);
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
                Some(column) => {
                    self.has_append = true;
                    Target::Append(column as u32)
                }
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
        let delimiter = Finder::new(delimiter).into_owned();
        self.steps.push(Step { target, delimiter, is_padded });
        Ok(())
    }

    /// Appends `start..end` to a column whose last delimiter was `delimiter`: by making the part longer where
    /// it is what stands between them, by writing it otherwise.
    fn append(&mut self, column: u32, part: Part, delimiter: &[u8], text: &[u8], row: &mut Row) {
        let Some(so_far) = &mut self.parts[column as usize] else { return };
        let end = so_far.start + so_far.len;
        if so_far.place == Place::Source && end as usize + delimiter.len() == part.start as usize {
            so_far.len = part.start + part.len - so_far.start;
            return;
        }
        let mark = row.written.len();
        if so_far.place == Place::Source {
            row.written.extend_from_slice(&text[so_far.start as usize..end as usize]);
        } else {
            row.written.extend_from_within(so_far.start as usize..end as usize);
        }
        row.written.extend_from_slice(delimiter);
        row.written.extend_from_slice(&text[part.start as usize..][..part.len as usize]);
        *so_far = row.written_since(mark);
    }
}

/// Where the next delimiter is.
#[inline]
fn find(text: &[u8], from: usize, delimiter: &Finder<'_>) -> Option<usize> {
    match delimiter.needle() {
        [] => Some(text.len()),
        [byte] => Some(find_byte(text, from, *byte)).filter(|at| *at < text.len()),
        _ => delimiter.find(&text[from..]).map(|at| from + at),
    }
}

impl RowParser for Dissect {
    fn columns(&self) -> &[String] {
        &self.columns
    }

    fn parse(&mut self, text: &[u8], row: &mut Row) -> Result<(), Expected> {
        if !text.starts_with(&self.prefix) {
            return Err(Expected::new("the text before the first key", 0));
        }
        let mut at = self.prefix.len();
        let steps = std::mem::take(&mut self.steps);
        let mut before: &[u8] = &self.prefix.clone();
        let mut failure = None;
        for step in &steps {
            let Some(end) = find(text, at, &step.delimiter) else {
                failure = Some(Expected::new("the delimiter behind the key", at));
                break;
            };
            let part = Part::source(at, end);
            match step.target {
                Target::Skip => {}
                Target::Column(column) if self.has_append => {
                    self.parts[column as usize] = Some(part);
                }
                Target::Column(column) => row.push(column, Value::Text(part)),
                Target::Append(column) => self.append(column, part, before, text, row),
            }
            before = step.delimiter.needle();
            at = end + before.len();
            while step.is_padded && !before.is_empty() && text[at..].starts_with(before) {
                at += before.len();
            }
        }
        self.steps = steps;
        if let Some(failure) = failure {
            return Err(failure);
        }
        if at < text.len() {
            return Err(Expected::new("the end", at));
        }
        if self.has_append {
            for (column, part) in self.parts.iter().enumerate() {
                row.values.extend(
                    part.map(|part| (crate::row::Name::Column(column as u32), Value::Text(part))),
                );
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
