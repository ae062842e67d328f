//! Lines: a block of bytes to one event a line, each pointing into the block.

use bytes::Bytes;
use lograil_event::{Batch, BatchMut, Key, Origin, SEGMENTS_MAX, Span, Tag};

/// Most events [`split`] puts into one batch unless told otherwise.
pub const EVENTS_PER_BATCH_MAX: usize = 4096;

/// What becomes of a last line that has no newline.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum LastLine {
    /// It is not finished: it stays, and is not counted as consumed.
    #[default]
    Keep,
    /// It is an event: the stream ends here.
    Take,
}

/// How a block is split.
#[derive(Debug, Clone, Copy)]
pub struct LineOptions<'a> {
    /// The field a line is put under.
    pub field: &'a str,
    /// The events' time in nanoseconds since the Unix epoch, or [`lograil_event::TIMESTAMP_UNKNOWN`].
    pub timestamp_ns: i64,
    /// Events the batch may have in the end.
    pub events_max: usize,
    /// What becomes of a last line without a newline.
    pub last_line: LastLine,
}

impl<'a> LineOptions<'a> {
    /// Lines under `field`, at most [`EVENTS_PER_BATCH_MAX`] events, an unfinished last line is kept.
    #[must_use]
    pub fn new(field: &'a str, timestamp_ns: i64) -> Self {
        Self { field, timestamp_ns, events_max: EVENTS_PER_BATCH_MAX, last_line: LastLine::Keep }
    }
}

/// What [`split`] did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Split {
    /// Bytes of the block that are events now, with their newlines. The caller offers the rest again.
    pub consumed: usize,
    /// Events that were added.
    pub events: usize,
    /// Whether the batch is full: it has `events_max` events or no room for a segment, and lines are left.
    pub full: bool,
}

/// Adds one event for each line of `block`; an event's raw bytes are its line without `\n` or `\r\n`.
///
/// A line that is UTF-8 becomes text, any other bytes. The block is shorter than 4 GiB.
pub fn split(
    batch: &mut Batch,
    block: &Bytes,
    origin: Option<Origin>,
    options: LineOptions<'_>,
) -> Split {
    let room = options.events_max.saturating_sub(batch.len());
    let end = match options.last_line {
        LastLine::Take => block.len(),
        LastLine::Keep => memchr::memrchr(b'\n', block).map_or(0, |at| at + 1),
    };
    if end == 0 {
        return Split::default();
    }
    if room == 0 || batch.segments().len() >= SEGMENTS_MAX {
        return Split { full: true, ..Split::default() };
    }
    let is_utf8 = simdutf8::basic::from_utf8(&block[..end]).is_ok();
    let mut edit = batch.edit();
    let key = edit.key(options.field);
    // Counting costs less than growing by doubling does.
    let expected = (memchr::memchr_iter(b'\n', &block[..end]).count() + 1).min(room);
    edit.fields().reserve(expected);
    edit.events().reserve(expected);
    let segment = edit.segment_count() as u8;
    let mut lines = LinePusher { edit, key, segment, timestamp_ns: options.timestamp_ns };
    let (mut start, mut events) = (0, 0);
    for newline in memchr::memchr_iter(b'\n', &block[..end]) {
        if events == room {
            break;
        }
        lines.push(block, start, newline, is_utf8);
        start = newline + 1;
        events += 1;
    }
    if start < end && events < room {
        lines.push(block, start, end, is_utf8);
        start = end;
        events += 1;
    }
    // Only what became events is held on to, so that a batch's size is what it delivers.
    lines.edit.add_segment(block.slice(..start), origin);
    Split { consumed: start, events, full: start < end }
}

struct LinePusher<'b> {
    edit: BatchMut<'b>,
    key: Key,
    segment: u8,
    timestamp_ns: i64,
}

impl LinePusher<'_> {
    #[inline]
    fn push(&mut self, block: &[u8], start: usize, newline: usize, is_utf8: bool) {
        let is_crlf = newline > start && block[newline - 1] == b'\r';
        let end = if is_crlf && newline < block.len() { newline - 1 } else { newline };
        let is_text = is_utf8 || simdutf8::basic::from_utf8(&block[start..end]).is_ok();
        let tag = if is_text { Tag::Str } else { Tag::Bytes };
        let span = Span { segment: self.segment, offset: start as u32, len: (end - start) as u32 };
        self.edit.push_line(self.timestamp_ns, self.key, tag, span, span);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use lograil_event::ValueRef;
    use proptest::prelude::*;

    fn raws(batch: &Batch) -> Vec<&[u8]> {
        batch.iter().map(|event| event.raw().unwrap()).collect()
    }

    fn split_all(block: &'static [u8], last_line: LastLine) -> (Batch, Split) {
        let mut batch = Batch::new();
        let options = LineOptions { last_line, ..LineOptions::new("message", 7) };
        let origin = Some(Origin { stream: 3, offset: 100 });
        let split = split(&mut batch, &Bytes::from_static(block), origin, options);
        (batch, split)
    }

    #[test]
    fn an_unfinished_last_line_stays_unless_it_is_taken() {
        let (batch, kept) = split_all(b"one\r\n\ntwo\nrest", LastLine::Keep);
        assert_eq!(raws(&batch), [&b"one"[..], b"", b"two"]);
        assert_eq!(kept, Split { consumed: 10, events: 3, full: false });
        let (batch, taken) = split_all(b"one\nrest\r", LastLine::Take);
        assert_eq!(raws(&batch), [&b"one"[..], b"rest\r"]);
        assert_eq!(taken, Split { consumed: 9, events: 2, full: false });
        assert_eq!(batch.event(1).origin(), Some((3, 104)));
        assert_eq!(batch.event(1).timestamp_ns(), 7);
        assert_eq!(split_all(b"rest", LastLine::Keep).1, Split::default());
        assert_eq!(split_all(b"", LastLine::Take).1, Split::default());
    }

    #[test]
    fn only_the_lines_that_are_not_utf8_are_bytes() {
        let (batch, _) = split_all(b"fine\n\xFF\xFE\n\xC3\xA9\n", LastLine::Keep);
        let kinds: Vec<_> = batch.iter().map(|e| e.get_named("message").unwrap()).collect();
        assert_eq!(kinds[0].as_str(), Some("fine"));
        assert_eq!(kinds[1], ValueRef::Bytes(b"\xFF\xFE"));
        assert_eq!(kinds[2].as_str(), Some("é"));
    }

    #[test]
    fn stops_at_the_most_events_and_says_where() {
        let mut batch = Batch::new();
        let block = Bytes::from_static(b"a\nbb\nccc\n");
        let options = LineOptions { events_max: 2, ..LineOptions::new("message", 0) };
        let first = split(&mut batch, &block, None, options);
        assert_eq!(first, Split { consumed: 5, events: 2, full: true });
        assert_eq!(batch.segments()[0].bytes.len(), 5);
        assert_eq!(
            split(&mut batch, &block, None, options),
            Split { full: true, ..Split::default() }
        );
        assert_eq!(batch.len(), 2);
    }

    #[test]
    fn blocks_add_up_in_one_batch() {
        let mut batch = Batch::new();
        for block in [&b"a\n"[..], b"b\n"] {
            let options = LineOptions::new("message", 0);
            split(&mut batch, &Bytes::copy_from_slice(block), None, options);
        }
        assert_eq!(raws(&batch), [b"a", b"b"]);
    }

    proptest! {
        #[test]
        fn lines_are_those_of_a_plain_split(text in "[ab\r\n\u{e9}]{0,60}", take in any::<bool>()) {
            let mut batch = Batch::new();
            let last_line = if take { LastLine::Take } else { LastLine::Keep };
            let options = LineOptions { last_line, ..LineOptions::new("message", 0) };
            let split = split(&mut batch, &Bytes::from(text.clone()), None, options);
            let mut expected: Vec<&str> = text.split('\n').collect();
            let rest = expected.pop().unwrap_or_default();
            let mut expected: Vec<&str> =
                expected.iter().map(|line| line.strip_suffix('\r').unwrap_or(line)).collect();
            let kept = if take { 0 } else { rest.len() };
            if take && !rest.is_empty() {
                expected.push(rest);
            }
            prop_assert_eq!(split.consumed, text.len() - kept);
            let seen: Vec<_> = batch.iter().map(|e| e.get_named("message").unwrap()).collect();
            let seen: Vec<_> = seen.iter().map(|v| v.as_str().unwrap()).collect();
            prop_assert_eq!(seen, expected);
        }
    }
}
