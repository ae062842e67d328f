//! Charsets: text that is not UTF-8, found line by line in its own bytes and decoded only then.
//!
//! Names and decoders are those of the WHATWG Encoding Standard (<https://encoding.spec.whatwg.org>). In all of them
//! but UTF-16 the byte 0x0A is a line feed and nothing else, also behind a lead byte.
//!
//! **Invariant:** lines are cut in the bytes of the stream, so that offsets never depend on what a line decodes to.

mod line_end;

pub use line_end::LineEnd;

use encoding_rs::{DecoderResult, Encoding, ISO_2022_JP, REPLACEMENT, UTF_8, UTF_16BE, UTF_16LE};
use lograil_plugin::ConfigError;

/// What a file in Unicode may begin with, in UTF-8.
pub const BYTE_ORDER_MARK: &[u8] = "\u{FEFF}".as_bytes();
/// What is put in place of bytes that mean nothing.
const REPLACEMENT_CHARACTER: &[u8] = "\u{FFFD}".as_bytes();

/// The charset of a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Charset(&'static Encoding);

impl Default for Charset {
    fn default() -> Self {
        Self(UTF_8)
    }
}

/// Whether a line is all there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wholeness {
    /// It is.
    Whole,
    /// It was cut, perhaps in a character, which then is left out.
    Cut,
}

impl Charset {
    /// The charset of a name, and a mistake in the option `charset` if there is none.
    pub fn check(label: Option<&str>, errors: &mut Vec<ConfigError>) -> Self {
        let Some(label) = label else { return Self::default() };
        match Encoding::for_label(label.as_bytes()) {
            Some(encoding) if encoding != REPLACEMENT => Self(encoding),
            _ => {
                let error = ConfigError::new(["charset"], format!("unknown charset \"{label}\""));
                errors.push(error.help(
                    "names are those of the WHATWG Encoding Standard, such as utf-8, utf-16le, utf-16be, \
                     iso-8859-1, windows-1252, windows-1251, koi8-r, shift_jis, euc-jp, gbk, gb18030, big5, euc-kr",
                ));
                Self::default()
            }
        }
    }

    /// Whether text is what its bytes are.
    #[must_use]
    #[inline]
    pub fn is_utf8(self) -> bool {
        self.0 == UTF_8
    }

    /// What its lines end with.
    #[must_use]
    #[inline]
    pub fn line_end(self) -> LineEnd {
        if self.0 == UTF_16LE {
            LineEnd::Utf16Le
        } else if self.0 == UTF_16BE {
            LineEnd::Utf16Be
        } else {
            LineEnd::Byte
        }
    }

    /// Whether the bytes are UTF-8 already, and mean the same in it.
    #[must_use]
    #[inline]
    pub fn is_text(self, line: &[u8]) -> bool {
        self.is_utf8()
            || (self.line_end() == LineEnd::Byte && self.0 != ISO_2022_JP && line.is_ascii())
    }

    /// Appends what `line` means as UTF-8, U+FFFD in place of what means nothing. Whether there was such.
    pub fn decode(self, line: &[u8], wholeness: Wholeness, out: &mut Vec<u8>) -> bool {
        let mut decoder = self.0.new_decoder_without_bom_handling();
        let is_whole = wholeness == Wholeness::Whole;
        let (mut read, mut is_damaged) = (0, false);
        loop {
            let rest = &line[read..];
            let filled = out.len();
            // No charset grows by more; a line of such a length is far below what overflows.
            let room = decoder.max_utf8_buffer_length_without_replacement(rest.len());
            out.resize(filled + room.unwrap_or(rest.len() * 3 + 16), 0);
            let (result, consumed, written) =
                decoder.decode_to_utf8_without_replacement(rest, &mut out[filled..], is_whole);
            out.truncate(filled + written);
            read += consumed;
            match result {
                DecoderResult::InputEmpty => return is_damaged,
                DecoderResult::OutputFull => {}
                DecoderResult::Malformed(..) => {
                    out.extend_from_slice(REPLACEMENT_CHARACTER);
                    is_damaged = true;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn charset(label: &str) -> Charset {
        let mut errors = Vec::new();
        let charset = Charset::check(Some(label), &mut errors);
        assert!(errors.is_empty(), "{errors:?}");
        charset
    }

    fn decoded(label: &str, line: &[u8], wholeness: Wholeness) -> (String, bool) {
        let mut out = b"before ".to_vec();
        let is_damaged = charset(label).decode(line, wholeness, &mut out);
        (String::from_utf8(out).unwrap()[7..].to_owned(), is_damaged)
    }

    #[test]
    fn text_of_many_charsets_becomes_utf8() {
        let whole = |label, line| decoded(label, line, Wholeness::Whole);
        assert_eq!(whole("iso-8859-1", b"caf\xE9 \x80"), ("café €".to_owned(), false));
        assert_eq!(
            whole("windows-1251", b"\xCF\xF0\xE8\xE2\xE5\xF2"),
            ("Привет".to_owned(), false)
        );
        assert_eq!(whole("Shift_JIS", b"\x83G\x83\x89\x81["), ("エラー".to_owned(), false));
        assert_eq!(whole("gbk", b"\xB4\xED\xCE\xF3"), ("错误".to_owned(), false));
        assert_eq!(whole("euc-kr", b"\xBF\xC0\xB7\xF9"), ("오류".to_owned(), false));
        assert_eq!(whole("iso-2022-jp", b"\x1B$B%(%i\x1B(B!"), ("エラ!".to_owned(), false));
        assert_eq!(whole("utf-16le", b"a\0=\xD8\0\xDE"), ("a😀".to_owned(), false));
        assert_eq!(whole("utf-16be", b"\0a\xD8=\xDE\0"), ("a😀".to_owned(), false));
    }

    #[test]
    fn what_means_nothing_is_replaced_and_told_and_a_character_that_was_cut_is_left_out() {
        assert_eq!(
            decoded("gbk", b"a\xFFb\xB4", Wholeness::Whole),
            ("a\u{FFFD}b\u{FFFD}".into(), true)
        );
        assert_eq!(decoded("gbk", b"a\xB4", Wholeness::Cut), ("a".into(), false));
        assert_eq!(decoded("utf-16le", b"a\0=\xD8", Wholeness::Whole), ("a\u{FFFD}".into(), true));
        assert_eq!(decoded("utf-16le", b"a\0=\xD8", Wholeness::Cut), ("a".into(), false));
        assert_eq!(decoded("utf-16le", b"a\0b", Wholeness::Whole), ("a\u{FFFD}".into(), true));
    }

    #[test]
    fn only_ascii_needs_no_decoding_and_only_where_ascii_is_ascii() {
        assert!(charset("gbk").is_text(b"GET /"));
        assert!(!charset("gbk").is_text(b"\xB4\xED"));
        assert!(!charset("iso-2022-jp").is_text(b"\x1B$B%(%i"));
        assert!(!charset("utf-16le").is_text(b"a\0"));
        assert!(charset("utf8").is_text(b"\xFF"));
    }

    #[test]
    fn an_unknown_charset_is_refused_with_names_that_are_known() {
        for label in ["utf-9", "", "iso-2022-kr"] {
            let mut errors = Vec::new();
            assert!(Charset::check(Some(label), &mut errors).is_utf8());
            assert_eq!(errors.len(), 1, "{label}");
        }
    }

    proptest! {
        /// Lines are cut before they are decoded: that must not take a byte out of the middle of a character.
        #[test]
        fn a_line_feed_is_never_part_of_a_character(text in "[a-zéЖ錯エ오\n]{0,40}", which in 0..9usize) {
            let labels = ["iso-8859-1", "windows-1251", "koi8-r", "shift_jis", "euc-jp", "gbk", "gb18030", "big5",
                "euc-kr"];
            let encoding = Encoding::for_label(labels[which].as_bytes()).unwrap();
            let (bytes, ..) = encoding.encode(&text);
            let (expected, ..) = encoding.decode_without_bom_handling(&bytes);
            let mut lines = Vec::new();
            for line in bytes.split(|byte| *byte == b'\n') {
                let mut out = Vec::new();
                Charset(encoding).decode(line, Wholeness::Whole, &mut out);
                lines.push(String::from_utf8(out).unwrap());
            }
            prop_assert_eq!(lines.join("\n"), expected);
        }

        #[test]
        fn any_bytes_are_replaced_as_the_standard_says(bytes in proptest::collection::vec(any::<u8>(), 0..60),
            which in 0..6usize) {
            let labels = ["utf-16le", "utf-16be", "shift_jis", "gb18030", "iso-2022-jp", "windows-1253"];
            let encoding = Encoding::for_label(labels[which].as_bytes()).unwrap();
            let (expected, is_damaged) = encoding.decode_without_bom_handling(&bytes);
            let (text, told) = decoded(labels[which], &bytes, Wholeness::Whole);
            prop_assert_eq!((text.as_str(), told), (&*expected, is_damaged));
        }
    }
}
