//! A position in a text.

/// Reads a text from left to right. What fails leaves the position where it was.
#[derive(Clone, Copy)]
pub(super) struct Cursor<'t> {
    pub(super) text: &'t [u8],
    pub(super) at: usize,
}

impl<'t> Cursor<'t> {
    pub(super) fn new(text: &'t [u8]) -> Self {
        Self { text, at: 0 }
    }

    #[inline]
    pub(super) fn peek(&self) -> Option<u8> {
        self.text.get(self.at).copied()
    }

    /// The byte `ahead` of the next.
    #[inline]
    pub(super) fn peek_at(&self, ahead: usize) -> Option<u8> {
        self.text.get(self.at + ahead).copied()
    }

    #[inline]
    pub(super) fn take(&mut self, byte: u8) -> Option<()> {
        (self.peek() == Some(byte)).then(|| self.at += 1)
    }

    /// A number of `min` to `max` digits; as many as there are, and no digit after it.
    #[inline]
    pub(super) fn number(&mut self, min: usize, max: usize) -> Option<i64> {
        let (mut value, mut count) = (0i64, 0);
        while let Some(byte @ b'0'..=b'9') = self.peek_at(count) {
            if count == max {
                return None;
            }
            value = value * 10 + i64::from(byte - b'0');
            count += 1;
        }
        if count < min {
            return None;
        }
        self.at += count;
        Some(value)
    }

    /// Exactly `count` digits, whatever follows.
    #[inline]
    pub(super) fn digits(&mut self, count: usize) -> Option<i64> {
        let text = self.text.get(self.at..self.at + count)?;
        let mut value = 0i64;
        for byte in text {
            value = value * 10 + i64::from(char::from(*byte).to_digit(10)?);
        }
        self.at += count;
        Some(value)
    }

    /// How many digits are next.
    #[inline]
    pub(super) fn digit_count(&self) -> usize {
        self.text[self.at..].iter().take_while(|byte| byte.is_ascii_digit()).count()
    }

    /// The letters that are next.
    #[inline]
    pub(super) fn letters(&self) -> &'t [u8] {
        let rest = &self.text[self.at..];
        &rest[..rest.iter().take_while(|byte| byte.is_ascii_alphabetic()).count()]
    }

    /// Goes past spaces; whether there were any.
    #[inline]
    pub(super) fn spaces(&mut self) -> bool {
        let before = self.at;
        while self.peek() == Some(b' ') {
            self.at += 1;
        }
        self.at > before
    }

    /// Whether what was read ends here: no letter or digit follows.
    #[inline]
    pub(super) fn is_boundary(&self) -> bool {
        !self.peek().is_some_and(|byte| byte.is_ascii_alphanumeric())
    }
}
