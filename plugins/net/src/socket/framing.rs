//! Framing: which bytes of a stream or a datagram are one message. Lines, or a count before each message (RFC 6587,
//! <https://www.rfc-editor.org/rfc/rfc6587>).
//!
//! **Invariant:** of a message that is longer than the limit nothing beyond the limit is kept, whatever it claims.

use std::ops::Range;

use schemars::JsonSchema;
use serde::Deserialize;

/// Digits that a message's length may have.
const COUNT_DIGITS_MAX: usize = 10;

/// How messages follow each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Framing {
    /// Each message is a line.
    Newline,
    /// Before each message stands its length in bytes and a space.
    OctetCounting,
    /// A length where a message begins with one that is followed by `<`, a line otherwise. A datagram is one message.
    Auto,
}

/// A message: where it lies in the bytes that were offered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Frame {
    pub range: Range<usize>,
    /// Whether its end is missing.
    pub is_cut: bool,
}

/// The bytes are no messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Broken;

/// What is passed over before the next message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Skip {
    Nothing,
    Line,
    Bytes(u64),
}

enum Step {
    Frame { frame: Frame, consumed: usize },
    Skipped(usize),
    More,
    Broken,
}

enum Count {
    Absent,
    Unfinished,
    Is { message: u64, head: usize },
}

/// Finds the messages of one stream.
#[derive(Debug)]
pub(crate) struct Framer {
    framing: Framing,
    bytes_max: usize,
    skip: Skip,
    /// Bytes at the start of what is offered next that hold no line end.
    searched: usize,
}

impl Framer {
    pub fn new(framing: Framing, bytes_max: usize) -> Self {
        Self { framing, bytes_max, skip: Skip::Nothing, searched: 0 }
    }

    /// Adds the messages of `data`, at most until there are `frames_max`. How many bytes are done with; the rest is to
    /// be offered again with more behind it.
    pub fn split(
        &mut self,
        data: &[u8],
        frames: &mut Vec<Frame>,
        frames_max: usize,
    ) -> Result<usize, Broken> {
        let mut at = 0;
        while frames.len() < frames_max {
            match self.step(&data[at..]) {
                Step::Frame { frame, consumed } => {
                    frames.push(Frame {
                        range: at + frame.range.start..at + frame.range.end,
                        is_cut: frame.is_cut,
                    });
                    at += consumed;
                }
                Step::Skipped(count) => at += count,
                Step::More => break,
                Step::Broken => return Err(Broken),
            }
        }
        Ok(at)
    }

    /// The message that the rest of a stream is, if it is any. A line needs no end; a counted message is cut.
    pub fn rest(&self, data: &[u8]) -> Option<Frame> {
        if data.is_empty() || self.skip != Skip::Nothing {
            return None;
        }
        if let Count::Is { head, .. } = self.count(data) {
            return Some(Frame { range: head..data.len(), is_cut: true });
        }
        let frame = self.cut(without_cr(data, 0..data.len()), 0);
        let is_cut = frame.is_cut || self.framing == Framing::OctetCounting;
        let is_nothing = frame.range.is_empty() && self.framing == Framing::Auto;
        (!is_nothing).then_some(Frame { is_cut, ..frame })
    }

    /// A message, cut at the limit if it is longer, or if bytes of it are `missing`.
    fn cut(&self, range: Range<usize>, missing: u64) -> Frame {
        let end = range.end.min(range.start + self.bytes_max);
        Frame { is_cut: missing > 0 || end < range.end, range: range.start..end }
    }

    fn step(&mut self, data: &[u8]) -> Step {
        if data.is_empty() {
            return Step::More;
        }
        match self.skip {
            Skip::Nothing => {}
            Skip::Line => {
                let end = memchr::memchr(b'\n', data);
                if end.is_some() {
                    self.skip = Skip::Nothing;
                }
                return Step::Skipped(end.map_or(data.len(), |end| end + 1));
            }
            Skip::Bytes(count) => {
                let now = count.min(data.len() as u64);
                self.skip = if now == count { Skip::Nothing } else { Skip::Bytes(count - now) };
                return Step::Skipped(now as usize);
            }
        }
        match self.count(data) {
            Count::Is { message, head } => self.counted(data, message, head),
            Count::Unfinished => Step::More,
            Count::Absent if self.framing == Framing::OctetCounting => Step::Broken,
            Count::Absent => self.line(data),
        }
    }

    /// The length at the start of a message.
    fn count(&self, data: &[u8]) -> Count {
        if self.framing == Framing::Newline {
            return Count::Absent;
        }
        let digits = data.iter().take_while(|byte| byte.is_ascii_digit()).count();
        if digits > COUNT_DIGITS_MAX || data[0] == b'0' {
            return Count::Absent;
        }
        // In a stream of both kinds a line may start with a number, too.
        let is_sure = self.framing == Framing::OctetCounting;
        match (data.get(digits), data.get(digits + 1)) {
            (None, _) => return Count::Unfinished,
            (Some(b' '), None) if digits > 0 && !is_sure => return Count::Unfinished,
            (Some(b' '), next) if digits > 0 && (is_sure || next == Some(&b'<')) => {}
            _ => return Count::Absent,
        }
        let message =
            data[..digits].iter().fold(0, |sum, digit| sum * 10 + u64::from(digit - b'0'));
        Count::Is { message, head: digits + 1 }
    }

    fn counted(&mut self, data: &[u8], message: u64, head: usize) -> Step {
        let kept = message.min(self.bytes_max as u64);
        let (missing, end) = (message - kept, head + kept as usize);
        if data.len() < end {
            return Step::More;
        }
        if missing > 0 {
            self.skip = Skip::Bytes(missing);
        }
        // Some senders count a line end behind the message.
        let range = if missing > 0 { head..end } else { without_end(data, head..end) };
        Step::Frame { frame: self.cut(range, missing), consumed: end }
    }

    fn line(&mut self, data: &[u8]) -> Step {
        let from = self.searched.min(data.len());
        if let Some(end) = memchr::memchr(b'\n', &data[from..]).map(|at| from + at) {
            self.searched = 0;
            let range = without_cr(data, 0..end);
            // What stands between counted messages is no message.
            if range.is_empty() && self.framing == Framing::Auto {
                return Step::Skipped(end + 1);
            }
            return Step::Frame { frame: self.cut(range, 0), consumed: end + 1 };
        }
        // One more byte than the limit may be the `\r` of a line end.
        if data.len() > self.bytes_max + 1 {
            self.searched = 0;
            self.skip = Skip::Line;
            let frame = Frame { range: 0..self.bytes_max, is_cut: true };
            return Step::Frame { frame, consumed: data.len() };
        }
        self.searched = data.len();
        Step::More
    }
}

/// The messages of a datagram.
pub(crate) fn of_datagram(
    framing: Framing,
    bytes_max: usize,
    data: &[u8],
    mut add: impl FnMut(Frame),
) {
    let framer = Framer::new(framing, bytes_max);
    if framing != Framing::Newline {
        return add(framer.cut(without_end(data, 0..data.len()), 0));
    }
    let mut start = 0;
    for end in memchr::memchr_iter(b'\n', data) {
        add(framer.cut(without_cr(data, start..end), 0));
        start = end + 1;
    }
    if start < data.len() {
        add(framer.cut(without_cr(data, start..data.len()), 0));
    }
}

/// The range without the `\r` at its end.
fn without_cr(data: &[u8], range: Range<usize>) -> Range<usize> {
    let is_crlf = data[range.clone()].ends_with(b"\r");
    range.start..range.end - usize::from(is_crlf)
}

/// The range without the NUL and the line end that some senders put behind a message.
fn without_end(data: &[u8], mut range: Range<usize>) -> Range<usize> {
    for end in [b'\0', b'\n'] {
        range.end -= usize::from(data[range.clone()].ends_with(&[end]));
    }
    without_cr(data, range)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const LIMIT: usize = 8;

    /// Offers `data` in pieces of `step` bytes, as a connection does.
    fn frames(framing: Framing, data: &[u8], step: usize) -> Result<Vec<(Vec<u8>, bool)>, Broken> {
        let mut framer = Framer::new(framing, LIMIT);
        let (mut kept, mut all) = (Vec::new(), Vec::new());
        let take = |kept: &[u8], frame: &Frame| (kept[frame.range.clone()].to_vec(), frame.is_cut);
        for piece in data.chunks(step.max(1)) {
            kept.extend_from_slice(piece);
            let mut found = Vec::new();
            let consumed = framer.split(&kept, &mut found, usize::MAX)?;
            all.extend(found.iter().map(|frame| take(&kept, frame)));
            kept.drain(..consumed);
            assert!(kept.len() <= LIMIT + COUNT_DIGITS_MAX + 2, "{} bytes are kept", kept.len());
        }
        all.extend(framer.rest(&kept).iter().map(|frame| take(&kept, frame)));
        Ok(all)
    }

    fn check(framing: Framing, data: &[u8], expected: &[(&str, bool)]) {
        let expected: Vec<_> =
            expected.iter().map(|(text, is_cut)| (text.as_bytes().to_vec(), *is_cut)).collect();
        for step in 1..=data.len() {
            let found = frames(framing, data, step);
            assert_eq!(found.as_ref(), Ok(&expected), "{framing:?} in steps of {step}");
        }
    }

    #[test]
    fn lines_end_with_a_newline_and_are_cut_at_the_limit() {
        check(
            Framing::Newline,
            b"a\r\n\n12345678\n",
            &[("a", false), ("", false), ("12345678", false)],
        );
        check(Framing::Newline, b"12345678\r\nb", &[("12345678", false), ("b", false)]);
        check(Framing::Newline, b"1234567890\nb\n", &[("12345678", true), ("b", false)]);
        check(Framing::Newline, b"5 <1>x\n", &[("5 <1>x", false)]);
    }

    #[test]
    fn counted_messages_hold_anything_and_are_cut_at_the_limit() {
        check(Framing::OctetCounting, b"4 a\nbc3 <1>", &[("a\nbc", false), ("<1>", false)]);
        check(Framing::OctetCounting, b"12 123456789012" as &[u8], &[("12345678", true)]);
        check(Framing::OctetCounting, b"10 12345678902 ab", &[("12345678", true), ("ab", false)]);
        check(Framing::OctetCounting, b"5 abc", &[("abc", true)]);
        assert_eq!(frames(Framing::OctetCounting, b"1 ax", 4), Err(Broken));
        assert_eq!(frames(Framing::OctetCounting, b"99999999999 ", 12), Err(Broken));
        assert_eq!(frames(Framing::OctetCounting, b"012 a", 5), Err(Broken));
    }

    #[test]
    fn a_length_that_is_never_sent_keeps_no_more_than_the_limit() {
        let text = [&b"2147483648 "[..], &[b'x'; 5000]].concat();
        assert_eq!(
            frames(Framing::OctetCounting, &text, 100).unwrap(),
            [(vec![b'x'; LIMIT], true)]
        );
    }

    #[test]
    fn both_kinds_may_alternate() {
        let text = b"6 <1>abc<2>b\n\n200 OK\n7 <3>abc\n<4>d";
        let expected = [
            ("<1>abc", false),
            ("<2>b", false),
            ("200 OK", false),
            ("<3>abc", false),
            ("<4>d", false),
        ];
        check(Framing::Auto, text, &expected);
    }

    #[test]
    fn a_datagram_is_one_message_or_lines() {
        let of = |framing, data: &[u8]| {
            let mut all = Vec::new();
            of_datagram(framing, LIMIT, data, |frame| {
                all.push((
                    String::from_utf8_lossy(&data[frame.range.clone()]).into_owned(),
                    frame.is_cut,
                ));
            });
            all
        };
        let plain = |text: &str| (text.to_owned(), false);
        assert_eq!(of(Framing::Auto, b"<1>a\nb\r\n\0"), [plain("<1>a\nb")]);
        assert_eq!(of(Framing::Newline, b"a\n\nb"), [plain("a"), plain(""), plain("b")]);
        assert_eq!(of(Framing::Auto, b"0123456789"), [("01234567".to_owned(), true)]);
        assert_eq!(of(Framing::Newline, b""), []);
    }

    proptest! {
        #[test]
        fn what_is_found_does_not_depend_on_how_it_arrives(
            data in proptest::collection::vec(
                prop_oneof![Just(b'\n'), Just(b' '), Just(b'<'), b'0'..b'4', Just(b'x')], 0..80),
            step in 1..20_usize,
            framing in prop_oneof![
                Just(Framing::Newline), Just(Framing::OctetCounting), Just(Framing::Auto)],
        ) {
            prop_assert_eq!(frames(framing, &data, step), frames(framing, &data, data.len()));
        }
    }
}
