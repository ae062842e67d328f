//! Why a text is not JSON, or an event has none, as a sentence.

use std::fmt;

/// What is wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum JsonErrorKind {
    /// Something else was expected; `found` is what stands there, `None` at the end of the text.
    Expected {
        /// What the grammar allows there.
        expected: &'static str,
        /// The character that stands there.
        found: Option<char>,
    },
    /// A control character inside a string.
    ControlCharacter(u8),
    /// A backslash before something that is no escape.
    InvalidEscape,
    /// Half of a surrogate pair.
    LoneSurrogate,
    /// Objects and arrays are nested too deep.
    TooDeep,
    /// The bytes are not UTF-8.
    NotUtf8,
    /// The event does not have the field.
    MissingField,
    /// The field is not text.
    NotText,
}

/// Why a text is not JSON, or an event has none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct JsonError {
    /// Where, in bytes from the start of the text.
    pub offset: usize,
    /// What.
    pub kind: JsonErrorKind,
}

impl JsonError {
    /// The error that the grammar allows only `expected` at `offset` of `text`.
    #[cold]
    pub(crate) fn expected(text: &[u8], offset: usize, expected: &'static str) -> Self {
        let offset = offset.min(text.len());
        let rest = &text[offset..];
        let head = &rest[..rest.len().min(4)];
        let found = head
            .utf8_chunks()
            .next()
            .map(|chunk| chunk.valid().chars().next().unwrap_or(char::REPLACEMENT_CHARACTER));
        Self { offset, kind: JsonErrorKind::Expected { expected, found } }
    }

    #[cold]
    pub(crate) const fn new(offset: usize, kind: JsonErrorKind) -> Self {
        Self { offset, kind }
    }
}

impl fmt::Display for JsonError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let at = self.offset;
        match self.kind {
            JsonErrorKind::Expected { expected, found: Some(found) } => {
                write!(f, "expected {expected} at byte {at}, found `{}`", found.escape_debug())
            }
            JsonErrorKind::Expected { expected, found: None } => {
                write!(f, "expected {expected} at byte {at}, found the end of the text")
            }
            JsonErrorKind::ControlCharacter(byte) => write!(
                f,
                "the control character 0x{byte:02x} at byte {at} must be escaped inside a string"
            ),
            JsonErrorKind::InvalidEscape => write!(
                f,
                "the escape at byte {at} is none of \\\" \\\\ \\/ \\b \\f \\n \\r \\t \\uXXXX"
            ),
            JsonErrorKind::LoneSurrogate => {
                write!(f, "the escape at byte {at} is half of a surrogate pair")
            }
            JsonErrorKind::TooDeep => {
                write!(f, "objects and arrays are nested too deep at byte {at}")
            }
            JsonErrorKind::NotUtf8 => write!(f, "the byte at {at} is not valid UTF-8"),
            JsonErrorKind::MissingField => f.write_str("the event does not have the field"),
            JsonErrorKind::NotText => f.write_str("the field is not text"),
        }
    }
}

impl std::error::Error for JsonError {}
