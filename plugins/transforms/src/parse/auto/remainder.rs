//! What a header says that no field takes: columns nobody knows the meaning of, a second name in brackets.
//!
//! **Invariant:** every letter and digit of a line is in a field, but for words that only say what stands behind them.

use super::element;
use super::header::{Header, Range};

/// Most parts of a header that have a field.
const PARTS_MAX: usize = 9;

/// Words that name what follows.
const LABELS: [&[u8]; 5] = [b"pid", b"tid", b"thread", b"level", b"time"];

/// From the first to the last of what the fields of a header leave out.
pub(super) fn find(text: &[u8], header: &Header) -> Option<Range> {
    let message = header.message?;
    let mut parts = [message; PARTS_MAX];
    let known = [
        header.time.map(|(range, _)| range),
        header.level.map(|(range, _)| range),
        header.host,
        header.component,
        header.pid,
        header.thread,
        header.location,
        header.context,
    ];
    let mut count = 1;
    for range in known.into_iter().flatten().filter(|range| range.start < message.start) {
        parts[count] = range;
        count += 1;
    }
    let parts = &mut parts[..count];
    parts.sort_unstable_by_key(|range| range.start);
    let mut left: Option<Range> = None;
    let mut at = 0;
    for part in parts {
        if let Some(found) = words(text, at, part.start.max(at)) {
            let start = left.map_or(found.start, |left| left.start);
            left = Some(Range::new(start, found.end));
        }
        at = at.max(part.end);
    }
    left
}

fn is_separator(byte: u8) -> bool {
    byte.is_ascii_control()
        || matches!(
            byte,
            b' ' | b'[' | b']' | b'(' | b')' | b'<' | b'>' | b'|' | b',' | b':' | b';' | b'"'
        )
}

/// From the first to the last word of a stretch between two parts.
#[inline]
fn words(text: &[u8], start: usize, end: usize) -> Option<Range> {
    let is_word = |byte: &u8| byte.is_ascii_alphanumeric() || *byte >= 0x80;
    if !text[start..end].iter().any(is_word) {
        return None;
    }
    let mut at = element::skip_blank(text, start);
    while at < end && !is_word(&text[at]) {
        at = if text[at] == 0x1B { element::skip_blank(text, at) } else { at + 1 };
    }
    let mut last = at + text[at.min(end)..end].iter().rposition(is_word)? + 1;
    // `/a` and `50%` are what they are with their marks.
    while at > start && !is_separator(text[at - 1]) {
        at -= 1;
    }
    while last < end && !is_separator(text[last]) {
        last += 1;
    }
    let found = Range::new(at, last);
    (!LABELS.contains(&found.of(text))).then_some(found)
}
