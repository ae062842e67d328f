//! Whether a text is JSON, strictly by RFC 8259: for text of which nothing is known, from a disk, a wire or a
//! plugin. Text that we read ourselves is checked by the codec, which also says what is wrong and where.

use crate::scan::find_special;

/// Most objects and arrays inside each other: with the event around it, what the codec reads back.
const DEPTH_MAX: u32 = 126;

/// Whether `text` is one JSON value and nothing else. It must be UTF-8, which is not looked at here.
#[must_use]
pub fn is_value(text: &[u8]) -> bool {
    value(text, 0, 0) == Some(text.len())
}

/// Whether `text` is one JSON number and nothing else.
pub(crate) fn is_number(text: &[u8]) -> bool {
    number(text, 0) == Some(text.len())
}

/// Behind the value at `at`.
fn value(text: &[u8], at: usize, depth: u32) -> Option<usize> {
    match *text.get(at)? {
        b'"' => string(text, at),
        b'{' if depth < DEPTH_MAX => items(text, at, b'}', |at| {
            let colon = skip_space(text, string(text, at)?);
            let start = skip_space(text, expect(text, colon, b':')?);
            value(text, start, depth + 1)
        }),
        b'[' if depth < DEPTH_MAX => items(text, at, b']', |at| value(text, at, depth + 1)),
        b't' => word(text, at, b"true"),
        b'f' => word(text, at, b"false"),
        b'n' => word(text, at, b"null"),
        _ => number(text, at),
    }
}

/// Behind the object or array that opens at `at`.
fn items(
    text: &[u8],
    at: usize,
    close: u8,
    item: impl Fn(usize) -> Option<usize>,
) -> Option<usize> {
    let mut at = skip_space(text, at + 1);
    if text.get(at) == Some(&close) {
        return Some(at + 1);
    }
    loop {
        at = skip_space(text, item(at)?);
        match *text.get(at)? {
            b',' => at = skip_space(text, at + 1),
            byte if byte == close => return Some(at + 1),
            _ => return None,
        }
    }
}

fn string(text: &[u8], at: usize) -> Option<usize> {
    let mut at = expect(text, at, b'"')?;
    loop {
        at = find_special(text, at);
        at = match (*text.get(at)?, text.get(at + 1)) {
            (b'"', _) => return Some(at + 1),
            (b'\\', Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't')) => at + 2,
            (b'\\', Some(b'u')) => code_point(text, at)?,
            _ => return None,
        };
    }
}

/// Behind the `\uXXXX` at `at`, or the pair of them that makes one character.
fn code_point(text: &[u8], at: usize) -> Option<usize> {
    match unit(text, at)? {
        0xD800..0xDC00 if (0xDC00..0xE000).contains(&unit(text, at + 6)?) => Some(at + 12),
        0xD800..0xE000 => None,
        _ => Some(at + 6),
    }
}

/// The value of the `\uXXXX` at `at`.
fn unit(text: &[u8], at: usize) -> Option<u32> {
    let digits = text.get(at..at + 6)?.strip_prefix(b"\\u")?;
    digits.iter().try_fold(0, |value, digit| Some(value << 4 | char::from(*digit).to_digit(16)?))
}

fn number(text: &[u8], at: usize) -> Option<usize> {
    let mut at = at + usize::from(text.get(at) == Some(&b'-'));
    at = if text.get(at) == Some(&b'0') { at + 1 } else { digits(text, at)? };
    if text.get(at) == Some(&b'.') {
        at = digits(text, at + 1)?;
    }
    if matches!(text.get(at), Some(b'e' | b'E')) {
        at = digits(text, at + 1 + usize::from(matches!(text.get(at + 1), Some(b'+' | b'-'))))?;
    }
    Some(at)
}

/// Behind one digit or more.
fn digits(text: &[u8], at: usize) -> Option<usize> {
    let count = text.get(at..)?.iter().take_while(|byte| byte.is_ascii_digit()).count();
    (count > 0).then_some(at + count)
}

fn word(text: &[u8], at: usize, word: &[u8]) -> Option<usize> {
    text[at..].starts_with(word).then_some(at + word.len())
}

fn expect(text: &[u8], at: usize, byte: u8) -> Option<usize> {
    (text.get(at) == Some(&byte)).then_some(at + 1)
}

fn skip_space(text: &[u8], mut at: usize) -> usize {
    while matches!(text.get(at), Some(b' ' | b'\t' | b'\n' | b'\r')) {
        at += 1;
    }
    at
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn agrees(text: &str) {
        let theirs = match serde_json::from_str::<serde_json::Value>(text) {
            // Space around a value is JSON, but no value.
            Ok(_) => text.trim_ascii() == text,
            // 1e400: a number that it cannot hold.
            Err(error) => error.to_string().contains("out of range"),
        };
        assert_eq!(is_value(text.as_bytes()), theirs, "{text:?}");
    }

    #[test]
    fn refuses_what_is_no_json() {
        for text in [
            "",
            " ",
            "{",
            "}",
            "[1,]",
            "[,1]",
            "{\"a\":1,}",
            "{\"a\"}",
            "{a:1}",
            "{\"a\" 1}",
            "01",
            "-",
            "1.",
            ".5",
            "1e",
            "1e+",
            "+1",
            "nul",
            "nulll",
            "'a'",
            "\"\u{1}\"",
            r#""\x""#,
            r#""\u12""#,
            r#""\ud800""#,
            r#""\ud800\u0041""#,
            r#""\udc00""#,
            "[1 2]",
            "[1]]",
            "1 2",
            "NaN",
            "tru",
            "\"",
            "\"\\",
            "\"\\u",
        ] {
            assert!(!is_value(text.as_bytes()), "{text:?}");
        }
    }

    #[test]
    fn takes_what_is_json_up_to_a_depth() {
        for text in
            ["{}", "[ ]", "-0.5e-7", r#"{"a" : [1 , {"b":null}], "":"\ud83d\ude00\/"}"#, "1e400"]
        {
            assert!(is_value(text.as_bytes()), "{text:?}");
        }
        let nested = |depth: usize| "[".repeat(depth) + &"]".repeat(depth);
        assert!(is_value(nested(126).as_bytes()));
        assert!(!is_value(nested(127).as_bytes()));
        assert!(!is_value("[".repeat(if cfg!(miri) { 1_000 } else { 1_000_000 }).as_bytes()));
        assert!(is_number(b"-12.50") && !is_number(b"1 ") && !is_number(b"\"1\""));
    }

    proptest! {
        #[test]
        fn agrees_with_serde_json(text in r#"[\[\]{}:, "\\ua0d8n1e.+-]{0,12}"#) {
            agrees(&text);
        }
    }
}
