//! What a line ends with, as bytes of its charset.
//!
//! **Invariant:** data begins at the start of a code unit; so do all places that are given back.

/// The line feed, optionally behind a carriage return.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LineEnd {
    /// One byte.
    Byte,
    /// Two bytes, the low one first.
    Utf16Le,
    /// Two bytes, the high one first.
    Utf16Be,
}

impl LineEnd {
    /// Bytes of a line feed: those of a code unit.
    #[must_use]
    #[inline]
    pub const fn unit(self) -> usize {
        match self {
            Self::Byte => 1,
            Self::Utf16Le | Self::Utf16Be => 2,
        }
    }

    /// The most of `len` bytes that are whole code units.
    #[must_use]
    #[inline]
    pub const fn whole_units(self, len: usize) -> usize {
        len - len % self.unit()
    }

    /// Where the first line feed begins.
    #[must_use]
    #[inline]
    pub fn find(self, data: &[u8]) -> Option<usize> {
        match self {
            Self::Byte => memchr::memchr(b'\n', data),
            _ => self.wide(data, memchr::memchr_iter(b'\n', data)).next(),
        }
    }

    /// Where the last line feed begins.
    #[must_use]
    #[inline]
    pub fn rfind(self, data: &[u8]) -> Option<usize> {
        match self {
            Self::Byte => memchr::memrchr(b'\n', data),
            _ => self.wide(data, memchr::memchr_iter(b'\n', data).rev()).next(),
        }
    }

    /// Where the line feeds of two bytes begin, of which `at` are the low bytes and some others.
    pub fn wide<'d>(
        self,
        data: &'d [u8],
        at: impl Iterator<Item = usize> + 'd,
    ) -> impl Iterator<Item = usize> + 'd {
        at.filter_map(move |at| {
            let (start, high) = match self {
                Self::Utf16Be => (at.checked_sub(1)?, at.checked_sub(1)?),
                _ => (at, at + 1),
            };
            (start % 2 == 0 && data.get(high) == Some(&0)).then_some(start)
        })
    }

    /// Whether a line feed is the last of the data.
    #[must_use]
    pub fn ends(self, data: &[u8]) -> bool {
        let last = data.len().checked_sub(self.unit());
        last.is_some_and(|last| {
            self.whole_units(last) == last && self.find(&data[last..]) == Some(0)
        })
    }

    /// The line without a carriage return at its end.
    #[must_use]
    #[inline]
    pub fn strip_cr(self, line: &[u8]) -> &[u8] {
        match self {
            Self::Byte => line.strip_suffix(b"\r").unwrap_or(line),
            Self::Utf16Le => line.strip_suffix(b"\r\0").unwrap_or(line),
            Self::Utf16Be => line.strip_suffix(b"\0\r").unwrap_or(line),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `a\r\n`, `ĊਊĀ` (whose bytes are those of a line feed, crosswise), `\n`.
    const UNITS: [u16; 7] = [0x61, 0x0D, 0x0A, 0x010A, 0x0A0A, 0x0A00, 0x0A];

    #[test]
    fn a_line_feed_is_a_whole_code_unit() {
        let little: Vec<u8> = UNITS.iter().flat_map(|unit| unit.to_le_bytes()).collect();
        let big: Vec<u8> = UNITS.iter().flat_map(|unit| unit.to_be_bytes()).collect();
        for (end, data) in [(LineEnd::Utf16Le, little), (LineEnd::Utf16Be, big)] {
            assert_eq!((end.find(&data), end.rfind(&data)), (Some(4), Some(12)), "{end:?}");
            assert_eq!(end.find(&data[6..12]), None, "{end:?}");
            assert_eq!(end.strip_cr(&data[..4]).len(), 2, "{end:?}");
            assert_eq!(end.rfind(&data[..13]), Some(4), "half a line feed");
        }
        assert!(LineEnd::Utf16Le.ends(b"a\0\n\0") && !LineEnd::Utf16Le.ends(b"\0\n\0"));
        assert!(
            LineEnd::Byte.ends(b"\n") && !LineEnd::Byte.ends(b"") && !LineEnd::Byte.ends(b"\na")
        );
        assert_eq!(LineEnd::Byte.find(b"a\r\n\n"), Some(2));
        assert_eq!(LineEnd::Byte.rfind(b"a\r\n\n"), Some(3));
        assert_eq!((LineEnd::Byte.whole_units(3), LineEnd::Utf16Be.whole_units(3)), (3, 2));
    }
}
