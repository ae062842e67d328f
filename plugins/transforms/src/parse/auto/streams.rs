//! What each stream's last line was, so that the next is tried as that first.

use super::words::FormatWord;

/// Streams that are told apart. Beyond, several share one memory, which costs time but changes little.
const STREAMS_MAX: usize = 64;

/// The last formats by stream.
pub(super) struct Streams {
    formats: [FormatWord; STREAMS_MAX],
    selected: usize,
}

impl Default for Streams {
    fn default() -> Self {
        Self { formats: [FormatWord::Application; STREAMS_MAX], selected: 0 }
    }
}

impl Streams {
    /// Turns to a stream; the format of its last line.
    #[inline]
    pub(super) fn select(&mut self, stream: Option<u64>) -> FormatWord {
        let hash = stream.unwrap_or_default().wrapping_mul(0x9E37_79B9_7F4A_7C15);
        self.selected = (hash >> 58) as usize % STREAMS_MAX;
        self.last()
    }

    /// The format of the stream's last line.
    #[inline]
    pub(super) fn last(&self) -> FormatWord {
        self.formats[self.selected]
    }

    /// Remembers the format of the stream's present line.
    #[inline]
    pub(super) fn set_last(&mut self, format: FormatWord) {
        self.formats[self.selected] = format;
    }
}
