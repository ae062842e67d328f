//! Lines: blocks of bytes that were read become events that point into them.
//!
//! The work per line is one search for the newline and two appends; text is checked for UTF-8 a block at a
//! time and line by line only where the block is not UTF-8. A line of another charset is decoded into the batch.
//!
//! **Invariant:** knows nothing of where blocks come from; never copies a line in UTF-8. The raw span of an event is
//! the line as it was read, whatever its message is.

use std::sync::Arc;

use bytes::Bytes;
use lograil_event::{
    Batch, BatchMut, EventFlags, EventRecord, Field, FieldFlags, KeyTable, Origin,
    SEGMENTS_PER_SOURCE_BATCH_MAX, Span, Tag,
};
use lograil_plugin::schemars::{self, JsonSchema};
use lograil_plugin::{ByteSize, ConfigError};
use serde::{Deserialize, Serialize};

use crate::charset::{BYTE_ORDER_MARK, Charset, LineEnd, Wholeness};

/// Most events of a batch.
pub const BATCH_EVENTS_MAX: usize = 4096;
/// Bytes of text from which on a batch is full.
pub const BATCH_BYTES_MAX: usize = 1 << 20;

/// What becomes of a line that is longer than the limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Oversized {
    /// An event with the line's first bytes, marked as truncated.
    #[default]
    Truncate,
    /// A dead letter with the line's first bytes.
    DeadLetter,
}

/// Largest limit for a line: one has to fit into memory several times.
const LINE_BYTES_MAX: u64 = 64 << 20;

/// Checks the option `max_line_bytes`.
pub fn check_line_bytes(size: ByteSize, errors: &mut Vec<ConfigError>) {
    if size.0 == 0 || size.0 > LINE_BYTES_MAX {
        errors.push(
            ConfigError::new(["max_line_bytes"], "a line may have from 1 byte to 64 MiB")
                .help("the default is 1 MiB"),
        );
    }
}

/// What a block of bytes, whose first byte starts a line, holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Extent {
    /// Whole lines up to this length; what follows is the start of a line.
    Lines(usize),
    /// The start of a line that is over the limit already.
    TooLong,
    /// The start of a line that may still end within the limit.
    Partial,
}

/// What `data` holds, for lines of at most `line_bytes_max` bytes without their `\n` or `\r\n`.
#[must_use]
pub fn extent(data: &[u8], line_bytes_max: usize, line_end: LineEnd) -> Extent {
    match line_end.rfind(data) {
        Some(at) => Extent::Lines(at + line_end.unit()),
        None if is_too_long(data.len(), line_bytes_max, line_end) => Extent::TooLong,
        None => Extent::Partial,
    }
}

/// Whether so many bytes without a line feed are over the limit, even if the last is a carriage return.
#[must_use]
pub fn is_too_long(len: usize, line_bytes_max: usize, line_end: LineEnd) -> bool {
    line_end.whole_units(len) > line_bytes_max + line_end.unit()
}

/// How many bytes of a line tell whether it is over the limit.
#[must_use]
pub fn telling_bytes(line_bytes_max: usize, line_end: LineEnd) -> usize {
    line_end.whole_units(line_bytes_max) + 2 * line_end.unit()
}

/// Lines of one stream, read at one time, some of them perhaps turned into events already.
#[derive(Debug, Clone)]
pub struct LineBlock {
    bytes: Bytes,
    at: usize,
    origin: Origin,
    is_utf8: bool,
    read_ns: i64,
    /// Where its events end, if they are not its lines.
    ends: Option<Vec<usize>>,
}

impl LineBlock {
    /// A block that starts at `origin` and ends with a newline, or whose last line is to be taken as it is.
    #[must_use]
    pub fn new(bytes: Bytes, origin: Origin, read_ns: i64) -> Self {
        let is_utf8 = simdutf8::basic::from_utf8(&bytes).is_ok();
        Self { bytes, at: 0, origin, is_utf8, read_ns, ends: None }
    }

    /// The same bytes with an event up to each of `ends`, which are offsets of newlines in rising order, or
    /// the length of the block.
    #[must_use]
    pub fn with_ends(self, ends: Option<Vec<usize>>) -> Self {
        Self { ends, ..self }
    }

    /// How many of its bytes have become events.
    #[must_use]
    pub fn consumed(&self) -> usize {
        self.at
    }

    /// Whether all of them have.
    #[must_use]
    pub fn is_done(&self) -> bool {
        self.at == self.bytes.len()
    }
}

/// How lines become events.
#[derive(Debug, Clone)]
pub struct LineFormat {
    /// What their text is written in.
    pub charset: Charset,
    /// Longest line, without its end.
    pub line_bytes_max: usize,
    /// What becomes of longer ones.
    pub oversized: Oversized,
    /// Name of the field that says where the line was read, if wanted.
    pub file_key: Option<String>,
    /// Name of the field with the line's offset, if wanted.
    pub offset_key: Option<String>,
}

/// Gathers lines into a batch.
#[derive(Debug)]
pub struct LineBatcher {
    format: LineFormat,
    /// Keys 0.. are the message and those of the format, in the order of the format.
    keys: Arc<KeyTable>,
    batch: Batch,
    bytes: usize,
    letters: Batch,
    letters_bytes: usize,
    oversized: u64,
    damaged: u64,
}

const MESSAGE: u32 = 0;

impl LineBatcher {
    /// An empty one.
    #[must_use]
    pub fn new(format: LineFormat) -> Self {
        let mut keys = KeyTable::default();
        keys.intern("message");
        for name in [&format.file_key, &format.offset_key].into_iter().flatten() {
            keys.intern(name);
        }
        let keys = Arc::new(keys);
        let batch = Batch::with_keys(Arc::clone(&keys));
        let letters = Batch::with_keys(Arc::clone(&keys));
        Self { format, keys, batch, bytes: 0, letters, letters_bytes: 0, oversized: 0, damaged: 0 }
    }

    /// How lines become events.
    #[must_use]
    pub fn format(&self) -> &LineFormat {
        &self.format
    }

    /// Whether what was gathered must be taken before more is added.
    #[must_use]
    pub fn is_full(&self) -> bool {
        let segments = self.batch.segments().len().max(self.letters.segments().len());
        self.batch.len() >= BATCH_EVENTS_MAX
            || self.bytes.max(self.letters_bytes) >= BATCH_BYTES_MAX
            || segments + 2 >= SEGMENTS_PER_SOURCE_BATCH_MAX
    }

    /// Whether nothing was gathered.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.batch.is_empty() && self.letters.is_empty()
    }

    /// What was gathered: events, and lines over the limit that are to be dead letters.
    pub fn take(&mut self) -> (Batch, Batch) {
        self.bytes = 0;
        self.letters_bytes = 0;
        let batch = Batch::with_keys(Arc::clone(&self.keys));
        let letters = Batch::with_keys(Arc::clone(&self.keys));
        (std::mem::replace(&mut self.batch, batch), std::mem::replace(&mut self.letters, letters))
    }

    /// How many lines over the limit were met since this was last asked.
    pub fn take_oversized(&mut self) -> u64 {
        std::mem::take(&mut self.oversized)
    }

    /// How many lines with bytes that mean nothing in their charset were met since this was last asked.
    pub fn take_damaged(&mut self) -> u64 {
        std::mem::take(&mut self.damaged)
    }

    /// Adds lines of `block` until the batch is full or the block is done. `path` is the value of
    /// `file_key`.
    pub fn add(&mut self, block: &mut LineBlock, path: &str) {
        if block.is_done() || self.is_full() {
            return;
        }
        if self.format.charset.is_utf8() {
            self.add_lines::<true>(block, path);
        } else {
            self.add_lines::<false>(block, path);
        }
    }

    /// The same, compiled by itself for UTF-8, in which no line has to be asked what its charset makes of it.
    fn add_lines<const IS_UTF8: bool>(&mut self, block: &mut LineBlock, path: &str) {
        match block.ends.take() {
            None => {
                let bytes = block.bytes.clone();
                let from = block.at;
                let newlines = memchr::memchr_iter(b'\n', &bytes[from..]);
                let last = std::iter::once(bytes.len());
                match self.line_end::<IS_UTF8>() {
                    LineEnd::Byte => {
                        let ends = newlines.map(|at| from + at).chain(last);
                        self.add_each::<IS_UTF8>(block, path, ends);
                    }
                    wide => {
                        let ends = wide.wide(&bytes[from..], newlines).map(|at| from + at);
                        self.add_each::<IS_UTF8>(block, path, ends.chain(last));
                    }
                }
            }
            Some(ends) => {
                let next = ends.partition_point(|end| *end < block.at);
                self.add_each::<IS_UTF8>(block, path, ends[next..].iter().copied());
                block.ends = Some(ends);
            }
        }
    }

    /// What lines end with: for UTF-8 a constant.
    #[inline]
    fn line_end<const IS_UTF8: bool>(&self) -> LineEnd {
        if IS_UTF8 { LineEnd::Byte } else { self.format.charset.line_end() }
    }

    /// Adds what of `block` goes up to each of `ends`.
    fn add_each<const IS_UTF8: bool>(
        &mut self,
        block: &mut LineBlock,
        path: &str,
        ends: impl Iterator<Item = usize>,
    ) {
        let shape = self.shape(path);
        let from = block.at;
        let limit = from.saturating_add(BATCH_BYTES_MAX - self.bytes);
        let line_end = self.line_end::<IS_UTF8>();
        let mut edit = self.batch.edit();
        if !IS_UTF8 {
            // What is decoded lies in the arena, which has to have its segment before the block does.
            edit.push_text(b"");
        }
        let segment = edit.segment_count() as u8;
        let first_event = edit.events().len();
        let room = BATCH_EVENTS_MAX - first_event;
        let expected = room.min((block.bytes.len() - from) / 128 + 1);
        edit.events().reserve(expected);
        edit.fields().reserve(expected * shape.fields());
        let last = block.bytes.len();
        for end in ends {
            let start = block.at;
            if start == last {
                break;
            }
            block.at = (end + line_end.unit()).min(last);
            let mut line = line_end.strip_cr(&block.bytes[start..end]);
            let too_long = line.len() > self.format.line_bytes_max;
            if too_long {
                self.oversized += 1;
                line = &line[..line_end.whole_units(self.format.line_bytes_max)];
                if self.format.oversized == Oversized::DeadLetter {
                    self.letters_bytes += line.len();
                    add_letter(&mut self.letters, line, block, start);
                    if self.letters_bytes >= BATCH_BYTES_MAX || letters_full(&self.letters) {
                        break;
                    }
                    continue;
                }
            }
            let span = Span { segment, offset: (start - from) as u32, len: line.len() as u32 };
            let first = edit.fields().len() as u32;
            let (tag, text) = if IS_UTF8 || self.format.charset.is_text(line) {
                (tag_of(line, block.is_utf8 && !too_long), span)
            } else {
                let wholeness = if too_long { Wholeness::Cut } else { Wholeness::Whole };
                let decode = |out: &mut Vec<u8>| {
                    let is_damaged = self.format.charset.decode(line, wholeness, out);
                    self.damaged += u64::from(is_damaged);
                };
                (Tag::Str, edit.write_text(decode))
            };
            edit.fields().push(Field::text(MESSAGE, tag, text, FieldFlags::NONE));
            shape.push_rest(edit.fields(), block.origin.offset + start as u64);
            let mut record = EventRecord::empty(block.read_ns, first);
            record.count = shape.fields() as u32;
            record.capacity = record.count;
            record.set_raw(span);
            if too_long {
                record.flags.insert(EventFlags::TRUNCATED);
            }
            edit.events().push(record);
            if edit.events().len() >= BATCH_EVENTS_MAX || block.at >= limit {
                break;
            }
        }
        let origin =
            Origin { stream: block.origin.stream, offset: block.origin.offset + from as u64 };
        self.bytes += block.at - from;
        edit.add_segment(block.bytes.slice(from..block.at), Some(origin));
        if origin.offset == 0 {
            strip_byte_order_mark(&mut edit, first_event);
        }
    }

    /// The fields every line of this stream gets in this batch.
    fn shape(&mut self, path: &str) -> Shape {
        let mut next_key = MESSAGE;
        let path = self.format.file_key.is_some().then(|| {
            next_key += 1;
            let span = self.batch.edit().push_text(path.as_bytes());
            Field::text(next_key, Tag::Str, span, FieldFlags::NONE)
        });
        let offset_key = self.format.offset_key.is_some().then_some(next_key + 1);
        Shape { path, offset_key }
    }
}

struct Shape {
    path: Option<Field>,
    offset_key: Option<u32>,
}

impl Shape {
    fn fields(&self) -> usize {
        1 + usize::from(self.path.is_some()) + usize::from(self.offset_key.is_some())
    }

    #[inline]
    fn push_rest(&self, fields: &mut Vec<Field>, offset: u64) {
        if let Some(path) = self.path {
            fields.push(path);
        }
        if let Some(key) = self.offset_key {
            fields.push(Field::i64(key, offset.cast_signed()));
        }
    }
}

/// A dead letter outlives its block in a queue of its own, so it gets a copy of the line's first bytes.
fn add_letter(letters: &mut Batch, line: &[u8], block: &LineBlock, start: usize) {
    let origin = Origin { stream: block.origin.stream, offset: block.origin.offset + start as u64 };
    let mut edit = letters.edit();
    let segment = edit.add_segment(Bytes::copy_from_slice(line), Some(origin));
    let span = Span { segment, offset: 0, len: line.len() as u32 };
    let key = edit.key("message");
    edit.push_line(block.read_ns, key, tag_of(line, false), span, span);
}

fn letters_full(letters: &Batch) -> bool {
    letters.segments().len() + 2 >= SEGMENTS_PER_SOURCE_BATCH_MAX
}

/// Takes the mark off the message of `event`, if its line is the first of the segment, which begins a stream.
fn strip_byte_order_mark(edit: &mut BatchMut<'_>, event: usize) {
    let Some(record) = edit.events().get(event) else { return };
    let is_first = record.raw().is_some_and(|raw| raw.offset == 0);
    let at = record.first as usize;
    let message = edit.fields()[at];
    let span = message.span();
    if is_first && edit.text(span).starts_with(BYTE_ORDER_MARK) {
        let mark = BYTE_ORDER_MARK.len() as u32;
        let text = Span { offset: span.offset + mark, len: span.len - mark, ..span };
        edit.fields()[at] = Field::text(MESSAGE, message.tag, text, FieldFlags::NONE);
    }
}

#[inline]
fn tag_of(line: &[u8], known_utf8: bool) -> Tag {
    if known_utf8 || simdutf8::basic::from_utf8(line).is_ok() { Tag::Str } else { Tag::Bytes }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn batcher(line_bytes_max: usize, oversized: Oversized) -> LineBatcher {
        LineBatcher::new(LineFormat {
            charset: Charset::default(),
            line_bytes_max,
            oversized,
            file_key: None,
            offset_key: None,
        })
    }

    fn block(text: &[u8]) -> LineBlock {
        LineBlock::new(Bytes::copy_from_slice(text), Origin { stream: 9, offset: 100 }, 5)
    }

    fn messages(batch: &Batch) -> Vec<Vec<u8>> {
        batch.iter().map(|e| e.get_named("message").unwrap().as_bytes().unwrap().to_vec()).collect()
    }

    #[test]
    fn lines_keep_their_bytes_their_emptiness_and_their_offset() {
        let mut lines = batcher(100, Oversized::Truncate);
        lines.add(&mut block(b"one\r\n\nn\0l\n\xFFx\nlast"), "");
        let (batch, letters) = lines.take();
        let expected: Vec<&[u8]> = vec![b"one", b"", b"n\0l", b"\xFFx", b"last"];
        assert_eq!(messages(&batch), expected);
        let offsets: Vec<_> = batch.iter().map(|event| event.origin().unwrap()).collect();
        assert_eq!(offsets, [(9, 100), (9, 105), (9, 106), (9, 110), (9, 113)]);
        assert_eq!(batch.fields()[0].tag, Tag::Str);
        assert_eq!(batch.fields()[3].tag, Tag::Bytes);
        assert!(letters.is_empty());
    }

    #[test]
    fn a_line_over_the_limit_is_cut_and_marked_and_one_at_the_limit_is_not() {
        let mut lines = batcher(4, Oversized::Truncate);
        lines.add(&mut block(b"1234\r\n12345\n123\xD0\xB0\n"), "");
        assert_eq!(lines.take_oversized(), 2);
        let (batch, _) = lines.take();
        let expected: Vec<&[u8]> = vec![b"1234", b"1234", b"123\xD0"];
        assert_eq!(messages(&batch), expected);
        let cut: Vec<bool> =
            batch.records().iter().map(|r| r.flags.contains(EventFlags::TRUNCATED)).collect();
        assert_eq!(cut, [false, true, true]);
        assert_eq!(batch.fields()[2].tag, Tag::Bytes, "the cut went through a character");
    }

    #[test]
    fn a_line_over_the_limit_becomes_a_dead_letter_when_asked_for() {
        let mut lines = batcher(4, Oversized::DeadLetter);
        lines.add(&mut block(b"a\n12345\nb\n"), "");
        let (batch, letters) = lines.take();
        assert_eq!(messages(&batch), [b"a", b"b"]);
        assert_eq!(messages(&letters), [b"1234"]);
        assert_eq!(letters.event(0).origin(), Some((9, 102)));
    }

    #[test]
    fn only_the_line_a_stream_begins_with_loses_a_byte_order_mark() {
        let text = "\u{FEFF}one\n\u{FEFF}two\n";
        let mut lines = batcher(6, Oversized::Truncate);
        let mut start = block(text.as_bytes());
        start.origin.offset = 0;
        lines.add(&mut start.clone(), "");
        lines.add(&mut block(text.as_bytes()), "");
        let (batch, _) = lines.take();
        let (one, two) = ("\u{FEFF}one".as_bytes(), "\u{FEFF}two".as_bytes());
        assert_eq!(messages(&batch), [&b"one"[..], two, one, two]);
        assert_eq!(batch.event(0).raw(), Some(one));

        let mut lines = batcher(5, Oversized::DeadLetter);
        start.bytes = Bytes::from(text.replace("two", "2"));
        lines.add(&mut start, "");
        let (batch, letters) = lines.take();
        assert_eq!(messages(&batch), ["\u{FEFF}2".as_bytes()], "the first line is no event");
        assert_eq!(messages(&letters), [&one[..5]]);
    }

    #[test]
    fn path_and_offset_become_fields() {
        let mut lines = LineBatcher::new(LineFormat {
            charset: Charset::default(),
            line_bytes_max: 100,
            oversized: Oversized::Truncate,
            file_key: Some("file".into()),
            offset_key: Some("at".into()),
        });
        lines.add(&mut block(b"a\nb\n"), "/x.log");
        let (batch, _) = lines.take();
        let event = batch.event(1);
        assert_eq!(event.get_named("message").unwrap().as_bytes(), Some(&b"b"[..]));
        assert_eq!(event.get_named("file").unwrap().as_bytes(), Some(&b"/x.log"[..]));
        assert_eq!(event.get_named("at"), Some(lograil_event::ValueRef::I64(102)));
    }

    #[test]
    fn batches_are_bounded_by_events_and_point_only_at_their_own_part_of_the_block() {
        let mut lines = batcher(100, Oversized::Truncate);
        let mut block = block("x\n".repeat(10_000).as_bytes());
        let mut sizes = Vec::new();
        while !block.is_done() {
            lines.add(&mut block, "");
            let (batch, _) = lines.take();
            assert!(batch.segments()[0].bytes.len() == batch.len() * 2);
            sizes.push(batch.len());
        }
        assert_eq!(sizes, [4096, 4096, 1808]);
    }

    proptest! {
        #[test]
        fn any_bytes_come_out_as_split_does(text in proptest::collection::vec(
            prop_oneof![Just(b'\n'), Just(b'\r'), any::<u8>()], 0..200)) {
            let mut lines = batcher(1000, Oversized::Truncate);
            lines.add(&mut block(&text), "");
            let (batch, _) = lines.take();
            let whole = text.strip_suffix(b"\n").unwrap_or(&text);
            let expected: Vec<Vec<u8>> = if text.is_empty() { vec![] } else {
                whole.split(|b| *b == b'\n').map(|l| LineEnd::Byte.strip_cr(l).to_vec()).collect()
            };
            prop_assert_eq!(messages(&batch), expected);
        }
    }
}
