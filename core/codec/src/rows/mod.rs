//! The formats in which every line has a row of values: from what a [`RowParser`] found to the fields of a batch.
//!
//! **Invariant:** a field points into the text it was parsed from unless that has escapes.

mod keys;

use crate::row::{Expected, Name, Part, Place, Row, RowParser, Value};
use lograil_event::{Batch, BatchMut, EventFlags, Field, FieldFlags, Key, Origin, Span, Tag};

use keys::Keys;

/// Fields that room is made for at most.
const FIELDS_PER_EVENT_MAX: usize = 64;

/// Why an event could not be parsed.
#[derive(Debug, Clone, Copy)]
enum Failure {
    Missing,
    NotText(&'static str),
    Expected(Expected),
    NotUtf8(&'static str),
}

/// Parses a field of every event of a batch, row by row.
pub struct Rows<P> {
    parser: P,
    field: String,
    keep_field: bool,
    row: Row,
    now_ns: i64,
    /// Fields that an event of the last batch had on average.
    fields_per_event: usize,
    keys: Keys,
    failures: Vec<Failure>,
    /// Where the batch's segments were read.
    origins: Vec<Option<Origin>>,
    /// Events of the batch that are header lines.
    headers: Vec<usize>,
}

impl<P: RowParser> Rows<P> {
    /// Parses the field `field`, which stays if `keep_field`.
    #[must_use]
    pub fn new(parser: P, field: &str, keep_field: bool) -> Self {
        Self {
            parser,
            field: field.to_owned(),
            keep_field,
            row: Row::default(),
            now_ns: 0,
            fields_per_event: 0,
            keys: Keys::default(),
            failures: Vec::new(),
            origins: Vec::new(),
            headers: Vec::new(),
        }
    }

    /// States the time, which completes dates without a year.
    pub fn set_now(&mut self, now_ns: i64) {
        self.now_ns = now_ns;
    }

    /// How many events of the last batch were header lines, which were taken out.
    #[must_use]
    pub fn headers(&self) -> usize {
        self.headers.len()
    }

    /// Why the `nth` failed event of the last batch could not be parsed; never the text itself.
    #[must_use]
    pub fn reason(&self, nth: usize) -> String {
        let field = &self.field;
        match self.failures.get(nth) {
            None | Some(Failure::Missing) => format!("the event has no field `{field}`"),
            Some(Failure::NotText(kind)) => {
                format!("`{field}` must be text to be parsed, but is of the type {kind}")
            }
            Some(Failure::Expected(expected)) => format!("`{field}`: {expected}"),
            Some(Failure::NotUtf8(what)) => format!("`{field}`: {what} is not UTF-8"),
        }
    }

    /// Parses the events that are not done, by their index. One that cannot be parsed stays as it is; its index is
    /// added to `failed`, in rising order.
    pub fn parse_others(&mut self, batch: &mut Batch, failed: &mut Vec<usize>, is_done: &[bool]) {
        self.failures.clear();
        self.headers.clear();
        // Room for a segment, where they have become scarce.
        batch.freeze();
        self.origins.clear();
        self.origins.extend(batch.segments().iter().map(|segment| segment.origin));
        let events = batch.len();
        let source = batch.find_key(&self.field);
        let mut edit = batch.edit();
        self.keys.begin(&mut edit);
        edit.fields().reserve(events * (self.fields_per_event + 1));
        let first = edit.fields().len();
        let words = self.parser.words();
        let mut run = Run {
            parser: &mut self.parser,
            row: &mut self.row,
            keys: &mut self.keys,
            origins: &self.origins,
            keep_field: self.keep_field,
            now_ns: self.now_ns,
            words: (!words.is_empty()).then(|| edit.push_text(words)),
        };
        for event in (0..events).filter(|event| is_done.get(*event) != Some(&true)) {
            let parsed = match source {
                Some(source) => run.event(&mut edit, event, source),
                None => Err(Failure::Missing),
            };
            match parsed {
                Ok(Parsed::Event) => {}
                Ok(Parsed::Header) => self.headers.push(event),
                Err(failure) => {
                    failed.push(event);
                    self.failures.push(failure);
                }
            }
        }
        // What the next batch makes room for; bounded, because one event may be of another kind.
        let fields = edit.fields().len() - first;
        self.fields_per_event = fields.checked_div(events).unwrap_or(0).min(FIELDS_PER_EVENT_MAX);
        self.keys.keep(batch.shared_keys());
        drop_headers(&self.headers, batch, failed);
    }
}

/// Takes header lines out of the batch; the indices of failed events move up.
fn drop_headers(headers: &[usize], batch: &mut Batch, failed: &mut [usize]) {
    if headers.is_empty() {
        return;
    }
    for index in failed.iter_mut() {
        *index -= headers.partition_point(|header| header < index);
    }
    let mut next = headers.iter().copied().peekable();
    batch.retain(|event| next.next_if_eq(&event).is_none());
}

enum Parsed {
    Event,
    Header,
}

/// The parsing of one batch.
struct Run<'r, P> {
    parser: &'r mut P,
    row: &'r mut Row,
    keys: &'r mut Keys,
    origins: &'r [Option<Origin>],
    keep_field: bool,
    now_ns: i64,
    /// The parser's words in the batch's arena.
    words: Option<Span>,
}

/// Where the parts of one event are.
struct Places {
    /// The source, what was written, and the words.
    bases: [Span; 3],
    is_clean: bool,
    is_utf8: bool,
}

impl Places {
    #[inline(always)]
    fn span(&self, part: Part) -> Span {
        let base = match part.place {
            Place::Source => &self.bases[0],
            Place::Written => &self.bases[1],
            Place::Words => &self.bases[2],
        };
        let end = part.start.checked_add(part.len);
        assert!(end.is_some_and(|end| end <= base.len), "a parser's part lies within its text");
        Span { segment: base.segment, offset: base.offset + part.start, len: part.len }
    }

    #[inline(always)]
    fn flags(&self, part: Part) -> FieldFlags {
        let is_clean = part.is_clean || (self.is_clean && part.place == Place::Source);
        if is_clean { FieldFlags::CLEAN } else { FieldFlags::NONE }
    }

    /// Whether a part can be text that is not UTF-8.
    fn is_doubtful(&self, part: Part) -> bool {
        !self.is_utf8 && part.place != Place::Words
    }
}

impl<P: RowParser> Run<'_, P> {
    fn event(
        &mut self,
        edit: &mut BatchMut<'_>,
        event: usize,
        source: Key,
    ) -> Result<Parsed, Failure> {
        let field = edit.find(event, source).ok_or(Failure::Missing)?;
        let is_utf8 = match field.tag {
            Tag::Str => true,
            Tag::Bytes => false,
            tag => return Err(Failure::NotText(kind(tag))),
        };
        let span = field.span();
        self.describe(edit, event);
        self.parser.parse(edit.text(span), self.row).map_err(Failure::Expected)?;
        if self.row.is_header {
            return Ok(Parsed::Header);
        }
        let written = &self.row.written;
        let nothing = Span { len: 0, ..span };
        let written = if written.is_empty() { nothing } else { edit.push_text(written) };
        let places = Places {
            bases: [span, written, self.words.unwrap_or(nothing)],
            is_clean: field.flags().contains(FieldFlags::CLEAN),
            is_utf8,
        };
        let first = edit.fields().len();
        if let Err(failure) = self.push_values(edit, &places, first) {
            edit.fields().truncate(first);
            return Err(failure);
        }
        self.keep_others(edit, event, source, first);
        if let Some(timestamp_ns) = self.row.timestamp_ns {
            edit.events()[event].timestamp_ns = timestamp_ns;
        }
        Ok(Parsed::Event)
    }

    /// Clears the row and tells it where the event comes from.
    fn describe(&mut self, edit: &mut BatchMut<'_>, event: usize) {
        let record = &edit.events()[event];
        self.row.clear();
        self.row.now_ns = self.now_ns;
        let raw = record.read_at();
        let origin =
            raw.and_then(|raw| self.origins.get(usize::from(raw.segment)).copied().flatten());
        self.row.stream = origin.map(|origin| origin.stream);
        self.row.is_first =
            raw.zip(origin).map(|(raw, origin)| origin.offset + u64::from(raw.offset) == 0);
    }

    fn push_values(
        &mut self,
        edit: &mut BatchMut<'_>,
        places: &Places,
        first: usize,
    ) -> Result<(), Failure> {
        self.keys.begin_event(edit, self.parser.columns());
        for (name, value) in &self.row.values {
            let key = match name {
                Name::Column(column) => self.keys.column(*column),
                Name::Text(part) => {
                    let span = places.span(*part);
                    let is_doubtful = places.is_doubtful(*part);
                    if is_doubtful && std::str::from_utf8(edit.text(span)).is_err() {
                        return Err(Failure::NotUtf8("a key"));
                    }
                    self.keys.named(edit, span)
                }
            };
            let field = match *value {
                Value::Int(value) => Field::i64(key, value),
                Value::Null => Field::null(key),
                Value::Text(part) => text_field(edit, places, key, part),
                Value::Number(part) => {
                    Field::text(key, Tag::Number, places.span(part), FieldFlags::NONE)
                }
                Value::Object(part) => {
                    let span = places.span(part);
                    if places.is_doubtful(part) && std::str::from_utf8(edit.text(span)).is_err() {
                        return Err(Failure::NotUtf8("the structured data"));
                    }
                    Field::text(key, Tag::Object, span, FieldFlags::NONE)
                }
            };
            let position = (edit.fields().len() - first) as u32;
            match self.keys.mark(key, position) {
                Some(earlier) => edit.fields()[first + earlier as usize] = field,
                None => edit.fields().push(field),
            }
        }
        Ok(())
    }

    /// Moves the event's other fields behind the parsed ones, which start at `first`.
    fn keep_others(&mut self, edit: &mut BatchMut<'_>, event: usize, source: Key, first: usize) {
        let record = edit.events()[event];
        for index in record.first..record.first + record.count {
            let other = edit.fields()[index as usize];
            let is_dropped = other.key == source.0 && !self.keep_field;
            if !is_dropped && !self.keys.is_marked(other.key) {
                edit.fields().push(other);
            }
        }
        let count = (edit.fields().len() - first) as u32;
        let record = &mut edit.events()[event];
        record.first = first as u32;
        record.count = count;
        record.capacity = count;
        record.raw_fields = 0;
        record.flags.remove(EventFlags::RAW_JSON);
    }
}

#[inline(always)]
fn text_field(edit: &BatchMut<'_>, places: &Places, key: u32, part: Part) -> Field {
    let span = places.span(part);
    let is_bytes = places.is_doubtful(part) && std::str::from_utf8(edit.text(span)).is_err();
    let tag = if is_bytes { Tag::Bytes } else { Tag::Str };
    Field::text(key, tag, span, places.flags(part))
}

/// What a value of a tag is called.
#[must_use]
pub fn kind(tag: Tag) -> &'static str {
    match tag {
        Tag::Null => "null",
        Tag::Bool => "boolean",
        Tag::I64 | Tag::U64 => "integer",
        Tag::F64 => "float",
        Tag::Timestamp => "timestamp",
        Tag::Number => "number",
        Tag::Str | Tag::Bytes => "string",
        Tag::Object => "object",
        Tag::Array => "array",
    }
}
