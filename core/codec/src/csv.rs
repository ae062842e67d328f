//! CSV after RFC 4180 (<https://www.rfc-editor.org/rfc/rfc4180>), with any single byte between the fields.

use std::collections::{HashMap, VecDeque};

use memchr::{memchr, memchr2};

use crate::quoted::find_byte;
use crate::row::{Expected, Part, Row, RowParser, Value};

/// Streams whose header lines are remembered.
const STREAMS_MAX: usize = 4096;
/// Names of columns that are remembered over all streams.
const NAMES_MAX: usize = 65_536;

/// How CSV is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Dialect {
    /// The byte between two fields.
    pub delimiter: u8,
    /// The byte around a field; doubled, it stands for itself.
    pub quote: u8,
}

impl Default for Dialect {
    fn default() -> Self {
        Self { delimiter: b',', quote: b'"' }
    }
}

impl Dialect {
    /// Where the first record of a text ends, its line end included: a newline within quotes does not end it.
    #[must_use]
    pub fn record_len(self, text: &[u8]) -> usize {
        let mut at = 0;
        loop {
            if text.get(at) == Some(&self.quote) {
                at += 1;
                loop {
                    at = find_byte(text, at, self.quote);
                    match text.get(at + 1) {
                        Some(byte) if *byte == self.quote => at += 2,
                        _ => break,
                    }
                }
                at = (at + 1).min(text.len());
            }
            match memchr2(self.delimiter, b'\n', &text[at..]) {
                None => return text.len(),
                Some(offset) if text[at + offset] == b'\n' => return at + offset + 1,
                Some(offset) => at += offset + 1,
            }
        }
    }
}

/// Where the names of the columns come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Header {
    /// The first line of each stream.
    Line,
    /// They are given, and there is no such line.
    Given(Vec<String>),
    /// They are given; the first line of each stream is passed over.
    Replaced(Vec<String>),
}

/// The parser of CSV.
#[derive(Debug)]
pub struct Csv {
    dialect: Dialect,
    header: Header,
    /// All names of all streams.
    names: Vec<String>,
    ids: HashMap<String, u32>,
    /// The columns of a stream as positions in `names`.
    streams: HashMap<Option<u64>, Vec<u32>>,
    /// The streams in the order of their first line, to forget the oldest.
    order: VecDeque<Option<u64>>,
    /// The columns of the stream of the last line, taken out of `streams`.
    current: Option<(Option<u64>, Vec<u32>)>,
}

impl Csv {
    /// A parser.
    #[must_use]
    pub fn new(dialect: Dialect, header: Header) -> Self {
        let mut csv = Self {
            dialect,
            header,
            names: Vec::new(),
            ids: HashMap::new(),
            streams: HashMap::new(),
            order: VecDeque::new(),
            current: None,
        };
        if let Header::Given(names) | Header::Replaced(names) = &csv.header {
            csv.names.clone_from(names);
        }
        csv
    }

    fn is_header(&self, row: &Row) -> bool {
        match &self.header {
            Header::Given(_) => false,
            Header::Line | Header::Replaced(_) => {
                row.is_first.unwrap_or_else(|| !self.knows(row.stream))
            }
        }
    }

    fn knows(&self, stream: Option<u64>) -> bool {
        self.current.as_ref().is_some_and(|(current, _)| *current == stream)
            || self.streams.contains_key(&stream)
    }

    /// Makes the columns of a stream the current ones. Whether they are known.
    fn select(&mut self, stream: Option<u64>) -> bool {
        if self.current.as_ref().is_some_and(|(current, _)| *current == stream) {
            return true;
        }
        if let Some((other, columns)) = self.current.take() {
            self.streams.insert(other, columns);
        }
        self.current = self.streams.remove(&stream).map(|columns| (stream, columns));
        self.current.is_some()
    }

    fn read_header(&mut self, text: &[u8], row: &mut Row) -> Result<(), Expected> {
        let text = text.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(text);
        read_record(self.dialect, text, row)?;
        let mut columns = Vec::with_capacity(row.values.len());
        for (_, value) in &row.values {
            let Value::Text(part) = value else { continue };
            let name = String::from_utf8_lossy(row.bytes(*part, text, b""));
            columns.push(self.name_id(name.trim())?);
        }
        self.select(row.stream);
        if self.current.is_none() {
            self.order.push_back(row.stream);
            if self.order.len() > STREAMS_MAX
                && let Some(oldest) = self.order.pop_front()
            {
                self.streams.remove(&oldest);
            }
        }
        self.current = Some((row.stream, columns));
        Ok(())
    }

    fn name_id(&mut self, name: &str) -> Result<u32, Expected> {
        if let Some(id) = self.ids.get(name) {
            return Ok(*id);
        }
        if self.names.len() == NAMES_MAX {
            return Err(Expected::new("a column seen before; there are too many by now", 0));
        }
        let id = self.names.len() as u32;
        self.names.push(name.to_owned());
        self.ids.insert(name.to_owned(), id);
        Ok(id)
    }
}

impl RowParser for Csv {
    fn columns(&self) -> &[String] {
        &self.names
    }

    fn parse(&mut self, text: &[u8], row: &mut Row) -> Result<(), Expected> {
        if self.is_header(row) {
            if self.header == Header::Line {
                self.read_header(text, row)?;
            } else if !self.select(row.stream) {
                self.current = Some((row.stream, Vec::new()));
                self.order.push_back(row.stream);
            }
            row.values.clear();
            row.is_header = true;
            return Ok(());
        }
        read_record(self.dialect, text, row)?;
        let columns = if self.header == Header::Line {
            if !self.select(row.stream) {
                return Err(Expected::new("the header line before it, or the option `columns`", 0));
            }
            self.current.as_ref().map(|(_, columns)| columns.as_slice())
        } else {
            None
        };
        let count = columns.map_or(self.names.len(), <[u32]>::len);
        if row.values.len() > count {
            let Some((_, Value::Text(part))) = row.values.get(count) else {
                return Err(Expected::new("fewer fields", text.len()));
            };
            let at = if part.place == crate::row::Place::Source {
                part.start as usize
            } else {
                text.len()
            };
            return Err(Expected::new("no more fields than there are columns", at));
        }
        if let Some(columns) = columns {
            for ((name, _), column) in row.values.iter_mut().zip(columns) {
                *name = crate::row::Name::Column(*column);
            }
        }
        Ok(())
    }
}

/// Reads the only record of a text; the names of its values are their positions.
fn read_record(dialect: Dialect, text: &[u8], row: &mut Row) -> Result<(), Expected> {
    let Dialect { delimiter, quote } = dialect;
    let mut at = 0;
    let mut column = 0;
    loop {
        if text.get(at) == Some(&quote) {
            let (part, end) = read_quoted_field(quote, text, at, row)?;
            row.push(column, Value::Text(part));
            at = end;
        } else {
            let end = text[at..].iter().position(|byte| *byte == delimiter || *byte == b'\n');
            let end = end.map_or(text.len(), |offset| at + offset);
            let is_last = text.get(end) != Some(&delimiter);
            let has_return = is_last && end > at && text[end - 1] == b'\r';
            row.push_text(column, at, end - usize::from(has_return));
            at = end;
        }
        match text.get(at) {
            None => return Ok(()),
            Some(byte) if *byte == delimiter => at += 1,
            Some(b'\n') if at + 1 == text.len() => return Ok(()),
            Some(b'\r') if matches!(&text[at + 1..], b"" | b"\n") => return Ok(()),
            Some(b'\n') => return Err(Expected::new("the end of the record", at)),
            Some(_) => return Err(Expected::new("a delimiter behind the closing quote", at)),
        }
        column += 1;
    }
}

/// Reads a quoted field; gives its content and the position behind it.
fn read_quoted_field(
    quote: u8,
    text: &[u8],
    at: usize,
    row: &mut Row,
) -> Result<(Part, usize), Expected> {
    let start = at + 1;
    let find = |from: usize| {
        let offset = text.get(from..).and_then(|rest| memchr(quote, rest));
        offset.map(|offset| from + offset).ok_or(Expected::new("the closing quote", text.len()))
    };
    let mut end = find(start)?;
    if text.get(end + 1) != Some(&quote) {
        return Ok((Part::source(start, end), end + 1));
    }
    let mark = row.written.len();
    let mut from = start;
    loop {
        row.written.extend_from_slice(&text[from..end]);
        if text.get(end + 1) != Some(&quote) {
            return Ok((row.written_since(mark), end + 1));
        }
        row.written.push(quote);
        from = end + 2;
        end = find(from)?;
    }
}

#[cfg(test)]
mod tests;
