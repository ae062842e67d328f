//! logfmt: `level=info msg="a line" took=3ms cached`, as the decoder of Go's kit reads it:
//! <https://pkg.go.dev/github.com/go-logfmt/logfmt>.

use crate::quoted::{Strictness, read_quoted};
use crate::row::{Expected, Name, Part, Row, RowParser, Value};

/// The parser of logfmt.
#[derive(Debug)]
pub struct Logfmt {
    strictness: Strictness,
}

impl Logfmt {
    /// A strict parser refuses quotes within keys and unquoted values, a second `=`, control characters and
    /// unknown escapes in quotes; a lenient one takes them for what they are.
    #[must_use]
    pub fn new(strictness: Strictness) -> Self {
        Self { strictness }
    }
}

/// What a byte is in logfmt.
#[derive(Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
enum Class {
    Plain,
    /// Plain, but JSON escapes it.
    Backslash,
    Quote,
    Equals,
    /// A space or a control character, which separate pairs.
    Space,
}

const CLASSES: [Class; 256] = {
    let mut classes = [Class::Plain; 256];
    let mut byte = 0;
    while byte <= b' ' as usize {
        classes[byte] = Class::Space;
        byte += 1;
    }
    classes[b'"' as usize] = Class::Quote;
    classes[b'=' as usize] = Class::Equals;
    classes[b'\\' as usize] = Class::Backslash;
    classes
};

#[inline]
fn class(byte: u8) -> Class {
    CLASSES[usize::from(byte)]
}

/// The text from `at` to the next byte that ends it, whether it is clean, and that position.
#[inline]
fn read_word(text: &[u8], at: usize, ends: impl Fn(Class) -> bool) -> (Part, usize) {
    let mut end = at;
    let mut is_clean = true;
    while let Some(byte) = text.get(end) {
        let class = class(*byte);
        if class != Class::Plain {
            if ends(class) {
                break;
            }
            is_clean &= class == Class::Equals;
        }
        end += 1;
    }
    (Part { is_clean, ..Part::source(at, end) }, end)
}

impl RowParser for Logfmt {
    fn columns(&self) -> &[String] {
        &[]
    }

    fn parse(&mut self, text: &[u8], row: &mut Row) -> Result<(), Expected> {
        let is_strict = self.strictness == Strictness::Strict;
        let mut at = 0;
        loop {
            while text.get(at).is_some_and(|byte| class(*byte) == Class::Space) {
                at += 1;
            }
            if at == text.len() {
                return Ok(());
            }
            let (key, end) = read_word(text, at, |class| match class {
                Class::Quote => is_strict,
                class => matches!(class, Class::Equals | Class::Space),
            });
            if key.len == 0 {
                return Err(Expected::new("a key", at));
            }
            if is_strict && std::str::from_utf8(&text[at..end]).is_err() {
                return Err(Expected::new("a key in UTF-8", at));
            }
            at = end;
            let mut value = Value::Null;
            match text.get(at) {
                Some(b'=') => (value, at) = self.value(text, at + 1, row)?,
                Some(b'"') => return Err(Expected::new("no quote in a key", at)),
                _ => {}
            }
            row.values.push((Name::Text(key), value));
        }
    }
}

impl Logfmt {
    /// The value that starts at `at`, behind the `=`, and the position behind it.
    #[inline]
    fn value(&self, text: &[u8], at: usize, row: &mut Row) -> Result<(Value, usize), Expected> {
        let is_strict = self.strictness == Strictness::Strict;
        if text.get(at) == Some(&b'"') {
            let (part, end) = read_quoted(text, at, self.strictness, row)?;
            if text.get(end).is_some_and(|byte| class(*byte) != Class::Space) && is_strict {
                return Err(Expected::new("a space behind the closing quote", end));
            }
            return Ok((Value::Text(part), end));
        }
        let (part, end) = read_word(text, at, |class| match class {
            Class::Space => true,
            class => is_strict && matches!(class, Class::Quote | Class::Equals),
        });
        match text.get(end) {
            Some(b'"' | b'=') => Err(Expected::new("no quote and no `=` in a value", end)),
            _ if part.len == 0 => Ok((Value::Null, end)),
            _ => Ok((Value::Text(part), end)),
        }
    }
}

#[cfg(test)]
mod tests;
