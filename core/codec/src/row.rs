//! What a parser of one line gives: names and values as places in the text, which become fields without a copy.
//!
//! **Invariant:** a [`Row`] is used over and over; parsing a line allocates nothing once it has grown.

use std::fmt;

/// Where the bytes of a [`Part`] are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// In the text that was parsed.
    Source,
    /// In [`Row::written`]: text that is not in the source as it is meant, because of escapes.
    Written,
    /// In [`RowParser::words`]: a word the format has instead of a number.
    Words,
}

/// A piece of text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Part {
    /// First byte.
    pub start: u32,
    /// Number of bytes.
    pub len: u32,
    /// What `start` counts in.
    pub place: Place,
    /// Whether it is known that JSON needs no escape in the text.
    pub is_clean: bool,
}

impl Part {
    /// `start..end` of the source; whoever asks has checked that the text is shorter than 4 GiB.
    #[must_use]
    #[inline]
    pub const fn source(start: usize, end: usize) -> Self {
        let (start, len) = (start as u32, (end - start) as u32);
        Self { start, len, place: Place::Source, is_clean: false }
    }

    /// `start..end` of a [`RowParser`]'s words, none of which needs an escape.
    #[must_use]
    pub const fn word(start: usize, end: usize) -> Self {
        let (start, len) = (start as u32, (end - start) as u32);
        Self { start, len, place: Place::Words, is_clean: true }
    }

    /// The same text, known to need no escape in JSON.
    #[must_use]
    #[inline]
    pub const fn clean(self) -> Self {
        Self { is_clean: true, ..self }
    }
}

/// What a value is called.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Name {
    /// A name of [`RowParser::columns`].
    Column(u32),
    /// A name that the line itself has.
    Text(Part),
}

/// What a value is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Value {
    /// Text.
    Text(Part),
    /// A whole number.
    Int(i64),
    /// A number as it is written, in JSON's grammar.
    Number(Part),
    /// An object as JSON.
    Object(Part),
    /// A name without a value.
    Null,
}

/// The values of one line, and what a parser must know beyond the text.
#[derive(Debug, Default)]
pub struct Row {
    /// Names and values in their order. Of two values with the same name the last counts.
    pub values: Vec<(Name, Value)>,
    /// Text that a [`Part`] can point to. It is UTF-8 where the source is.
    pub written: Vec<u8>,
    /// When it happened, where the line says so.
    pub timestamp_ns: Option<i64>,
    /// Whether the line is no event but says how those after it are to be read.
    pub is_header: bool,
    /// Given: about when the line was read, in nanoseconds, to complete a date without a year.
    pub now_ns: i64,
    /// Given: where the line was read, if that is known.
    pub stream: Option<u64>,
    /// Given: whether the line is the first of its stream.
    pub is_first: Option<bool>,
}

impl Row {
    /// Forgets the last line's values.
    #[inline]
    pub fn clear(&mut self) {
        self.values.clear();
        self.written.clear();
        self.timestamp_ns = None;
        self.is_header = false;
    }

    /// Adds the value of a column.
    #[inline]
    pub fn push(&mut self, column: u32, value: Value) {
        self.values.push((Name::Column(column), value));
    }

    /// Adds the text `start..end` of the source as the value of a column.
    #[inline]
    pub fn push_text(&mut self, column: u32, start: usize, end: usize) {
        self.push(column, Value::Text(Part::source(start, end)));
    }

    /// Everything written since the mark, which is an earlier length of [`Self::written`].
    #[must_use]
    pub fn written_since(&self, mark: usize) -> Part {
        let (start, len) = (mark as u32, (self.written.len() - mark) as u32);
        Part { start, len, place: Place::Written, is_clean: false }
    }

    /// The bytes of a part. Empty if it lies outside, which no parser of ours does.
    #[must_use]
    pub fn bytes<'a>(&'a self, part: Part, source: &'a [u8], words: &'static [u8]) -> &'a [u8] {
        let block = match part.place {
            Place::Source => source,
            Place::Written => &self.written,
            Place::Words => words,
        };
        block
            .get(part.start as usize..)
            .and_then(|rest| rest.get(..part.len as usize))
            .unwrap_or(b"")
    }
}

/// Why a line is not of the format: what was expected, and at which byte.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Expected {
    /// What was expected, such as "`=`".
    pub what: &'static str,
    /// Byte of the text at which it was.
    pub at: usize,
}

impl Expected {
    /// The error "expected `what` at byte `at`".
    #[must_use]
    pub const fn new(what: &'static str, at: usize) -> Self {
        Self { what, at }
    }
}

impl fmt::Display for Expected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "expected {} at byte {}", self.what, self.at)
    }
}

/// A parser of a format in which every line has a row of values.
pub trait RowParser: Send {
    /// The names that [`Name::Column`] counts. They may become more, but never change.
    fn columns(&self) -> &[String];

    /// The text that [`Place::Words`] points into.
    fn words(&self) -> &'static [u8] {
        b""
    }

    /// Parses a text shorter than 4 GiB into a row that is clear. What the row has after an error means nothing.
    fn parse(&mut self, text: &[u8], row: &mut Row) -> Result<(), Expected>;
}

/// Names of columns.
pub(crate) fn names(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}
