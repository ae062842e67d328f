//! What the pieces of a header look like.

use super::header::Range;

/// Bytes that a bracket may hold.
const BRACKET_LEN_MAX: usize = 256;

/// What stands between two elements.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Gap {
    pub(super) spaces: usize,
    pub(super) dashes: usize,
    pub(super) pipe: bool,
    pub(super) colon: bool,
    pub(super) comma: bool,
    /// Whether the bracket around the time was closed.
    pub(super) closed: bool,
}

impl Gap {
    /// Goes past punctuation between elements.
    #[inline]
    pub(super) fn skip(text: &[u8], at: &mut usize, closer: Option<u8>) -> Self {
        let mut gap = Self::default();
        while let Some(byte) = text.get(*at).copied() {
            if Some(byte) == closer {
                *at += 1;
                gap.closed = true;
                return gap;
            }
            match byte {
                b' ' | b'\t' => gap.spaces += 1,
                b'|' => gap.pipe = true,
                b':' => gap.colon = true,
                b',' => gap.comma = true,
                0x1B => {
                    *at = skip_escape(text, *at);
                    continue;
                }
                b'-' => {
                    let dashes = text[*at..].iter().take_while(|byte| **byte == b'-').count();
                    let is_alone = matches!(text.get(*at + dashes), None | Some(b' ' | b'\t'));
                    if !is_alone || dashes > 3 || gap.spaces == 0 || gap.dashes > 0 {
                        return gap;
                    }
                    gap.dashes = dashes;
                    *at += dashes;
                    continue;
                }
                _ => return gap,
            }
            *at += 1;
        }
        gap
    }
}

/// A bracket and what is in it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bracket {
    /// Without the spaces around it.
    pub(super) inner: Range,
    /// Behind the closing bracket.
    pub(super) end: usize,
}

impl Bracket {
    /// The bracket that opens at `at`, nested ones within.
    pub(super) fn at(text: &[u8], at: usize) -> Option<Self> {
        let open = *text.get(at)?;
        let close = if open == b'[' { b']' } else { b')' };
        let mut depth = 0usize;
        let limit = text.len().min(at + BRACKET_LEN_MAX);
        for (index, byte) in text[at..limit].iter().enumerate() {
            if *byte == open {
                depth += 1;
            } else if *byte == close {
                depth -= 1;
                if depth == 0 {
                    let mut inner = Range::new(skip_spaces(text, at + 1), at + index);
                    inner.start = inner.start.min(inner.end);
                    while inner.end > inner.start && text[inner.end - 1] == b' ' {
                        inner.end -= 1;
                    }
                    return Some(Self { inner, end: at + index + 1 });
                }
            }
        }
        None
    }
}

/// What closes the bracket that `text` leaves open.
pub(super) fn open_bracket(text: &[u8]) -> Option<u8> {
    let count = |byte: u8| text.iter().filter(|other| **other == byte).count();
    if count(b'[') > count(b']') {
        Some(b']')
    } else if count(b'(') > count(b')') {
        Some(b')')
    } else {
        None
    }
}

#[inline]
pub(super) fn skip_spaces(text: &[u8], mut at: usize) -> usize {
    while matches!(text.get(at), Some(b' ' | b'\t')) {
        at += 1;
    }
    at
}

/// Goes past spaces and what colours the text.
#[inline]
pub(super) fn skip_blank(text: &[u8], mut at: usize) -> usize {
    if text.starts_with(b"\xEF\xBB\xBF") {
        at = at.max(3);
    }
    loop {
        at = skip_spaces(text, at);
        if text.get(at) != Some(&0x1B) {
            return at;
        }
        at = skip_escape(text, at);
    }
}

/// Goes past `ESC [ 1 ; 31 m`.
fn skip_escape(text: &[u8], at: usize) -> usize {
    if text.get(at + 1) != Some(&b'[') {
        return at + 1;
    }
    let rest = &text[at + 2..];
    let len = rest.iter().take_while(|byte| matches!(byte, b'0'..=b'9' | b';')).count();
    (at + 2 + len + 1).min(text.len())
}

/// The bytes up to the next space.
#[inline]
pub(super) fn word(text: &[u8], at: usize) -> Range {
    let rest = text.get(at..).unwrap_or_default();
    let len = rest.iter().position(|byte| matches!(byte, b' ' | b'\t')).unwrap_or(rest.len());
    Range::new(at, at + len)
}

/// A word without the punctuation around it.
pub(super) fn trim(text: &[u8], word: Range) -> Range {
    let is_mark = |byte: u8| matches!(byte, b'[' | b']' | b'(' | b')' | b':' | b',' | b'<' | b'>');
    let mut range = word;
    while range.start < range.end && is_mark(text[range.start]) {
        range.start += 1;
    }
    while range.end > range.start && is_mark(text[range.end - 1]) {
        range.end -= 1;
    }
    range
}

/// The next place where a time might begin: behind a space or a mark, at a digit or a capital.
pub(super) fn next_start(text: &[u8], at: usize, limit: usize) -> Option<usize> {
    let end = text.len().min(limit);
    let mut at = at + 1;
    while at < end {
        let before = text[at - 1];
        let is_start =
            matches!(before, b' ' | b'\t' | b'[' | b'(' | b'|' | b':' | b'"' | b'+' | b'#');
        let can_be = match text[at] {
            b'0'..=b'9' => true,
            byte => byte.is_ascii_uppercase() && before != b':',
        };
        if is_start && can_be {
            return Some(at);
        }
        at += 1;
    }
    None
}

/// Whether a word can name a component: letters, digits and the marks of names, with a letter.
pub(super) fn is_name(word: &[u8]) -> bool {
    let is_mark = |byte: u8| {
        matches!(
            byte,
            b'.' | b'_'
                | b'-'
                | b'/'
                | b'$'
                | b'@'
                | b'#'
                | b'%'
                | b'+'
                | b'*'
                | b'~'
                | b'\\'
                | b'&'
                | b'<'
                | b'>'
        )
    };
    !word.is_empty()
        && word.iter().all(|byte| byte.is_ascii_alphanumeric() || is_mark(*byte) || *byte >= 0x80)
        && word.iter().any(u8::is_ascii_alphabetic)
}

/// Whether a word is made of names with dots or colons between them: `org.apache.Server`, `std::thread`.
pub(super) fn is_dotted(word: &[u8]) -> bool {
    let has_dot = word.windows(3).any(|three| {
        three[1] == b'.'
            && three[0].is_ascii_alphanumeric()
            && (three[2].is_ascii_alphabetic() || three[2] == b'_')
    });
    let has_colons = word.windows(2).any(|two| two == b"::");
    let is_number = word.first().is_none_or(u8::is_ascii_digit);
    let is_path = word.contains(&b'/');
    let is_rest_name = word.iter().all(|byte| {
        byte.is_ascii_alphanumeric()
            || matches!(byte, b'.' | b'_' | b'$' | b':' | b'-' | b'<' | b'>')
    });
    (has_dot || has_colons) && !is_number && !is_path && is_rest_name
}

/// Whether a name looks like that of a thread: `main`, `pool-1-thread-3`, `http-nio-8080-exec-1`.
pub(super) fn is_thread_like(word: &[u8]) -> bool {
    let contains =
        |part: &[u8]| word.windows(part.len()).any(|window| window.eq_ignore_ascii_case(part));
    word == b"main"
        || contains(b"thread")
        || contains(b"worker")
        || contains(b"exec-")
        || contains(b"pool-")
        || (word.last().is_some_and(u8::is_ascii_digit) && word.contains(&b'-'))
}

/// Whether a word before the level belongs to a header rather than to prose.
pub(super) fn is_header_like(word: &[u8]) -> bool {
    let is_capital = |byte: &u8| !byte.is_ascii_lowercase();
    let has_mark = |byte: &u8| {
        byte.is_ascii_digit() || matches!(byte, b'=' | b'@' | b'_' | b'[' | b'(' | b'-' | b'/')
    };
    word.iter().all(is_capital) || word.iter().any(has_mark)
}

/// Whether it says where in the program: `util.go:148`, `LogAdapter.java:info(51)`.
pub(super) fn is_location(word: &[u8]) -> bool {
    let Some(colon) = memchr::memrchr(b':', word) else { return false };
    let (file, line) = (&word[..colon], &word[colon + 1..]);
    let file_name = &file[file.iter().rposition(|byte| *byte == b'/').map_or(0, |at| at + 1)..];
    let is_file = file_name.iter().rposition(|byte| *byte == b'.').is_some_and(|dot| {
        let extension = &file_name[dot + 1..];
        (1..=5).contains(&extension.len()) && extension.iter().all(u8::is_ascii_alphanumeric)
    });
    is_file && line.iter().any(u8::is_ascii_digit) && !file.contains(&b' ')
}

/// The class at the end of a message, as in Kafka's `started (kafka.server.KafkaServer)`, and where the
/// message ends without it.
pub(super) fn trailing_class(text: &[u8], message: Range) -> Option<(Range, usize)> {
    let body = message.of(text);
    let inner = body.strip_suffix(b")")?;
    let open = memchr::memrchr(b'(', inner)?;
    let class = &inner[open + 1..];
    if open == 0 || body[open - 1] != b' ' || !is_dotted(class) || class.contains(&b':') {
        return None;
    }
    let start = message.start + open + 1;
    Some((Range::new(start, start + class.len()), message.start + open - 1))
}

/// Whether the word is a method of HTTP.
pub(super) fn is_method(word: &[u8]) -> bool {
    matches!(
        word,
        b"GET"
            | b"POST"
            | b"PUT"
            | b"HEAD"
            | b"DELETE"
            | b"PATCH"
            | b"OPTIONS"
            | b"CONNECT"
            | b"PROPFIND"
    )
}

/// Whether a name is that of a class: with packages, or capitalised.
pub(super) fn is_class_like(word: &[u8]) -> bool {
    is_dotted(word) || word.first().is_some_and(u8::is_ascii_uppercase)
}
