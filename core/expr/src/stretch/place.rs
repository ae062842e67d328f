//! Where events have a key: most often where the event before had it.

use lograil_event::{Batch, EventRecord, Field, Key};

/// A key and the place of its field in the last event.
#[derive(Debug)]
pub(super) struct Place {
    pub key: Key,
    last: usize,
}

impl Place {
    pub(super) fn new(key: Key) -> Self {
        Self { key, last: 0 }
    }

    /// The field of the key, if the event has it; an event has a key at most once.
    #[inline]
    pub(super) fn field<'b>(
        &mut self,
        fields: &'b [Field],
        record: &EventRecord,
    ) -> Option<&'b Field> {
        let fields = &fields[record.first as usize..][..record.count as usize];
        let is_it = |at: usize| fields.get(at).is_some_and(|field| field.key == self.key.0);
        // A field before that only some events have moves it by one: no branch, because nobody can predict it.
        let at = self.last + usize::from(!is_it(self.last));
        match fields.get(at) {
            Some(field) if field.key == self.key.0 => Some(field),
            _ => self.search(fields),
        }
    }

    #[cold]
    fn search<'b>(&mut self, fields: &'b [Field]) -> Option<&'b Field> {
        let at = fields.iter().position(|field| field.key == self.key.0)?;
        self.last = at;
        Some(&fields[at])
    }
}

/// The bytes of the segment that the last field pointed into.
pub(super) struct Bytes<'b> {
    batch: &'b Batch,
    segment: Option<u8>,
    bytes: &'b [u8],
}

impl<'b> Bytes<'b> {
    pub(super) fn new(batch: &'b Batch) -> Self {
        Self { batch, segment: None, bytes: &[] }
    }

    #[inline]
    pub(super) fn of(&mut self, segment: u8) -> &'b [u8] {
        if self.segment != Some(segment) {
            (self.segment, self.bytes) = (Some(segment), self.batch.block(segment));
        }
        self.bytes
    }
}

/// The first eight bytes of a span, and zeroes behind its end.
#[inline]
pub(super) fn first_bytes(bytes: &[u8], offset: usize, len: usize) -> u64 {
    let Some(first) = bytes.get(offset..).and_then(|rest| rest.first_chunk::<8>()) else {
        return last_bytes(&bytes[offset..][..len]);
    };
    let unused = 64 - 8 * len.min(8) as u32;
    // Nothing is left of a word that is moved by all of its bits.
    u64::from_le_bytes(*first) & u64::MAX.checked_shr(unused).unwrap_or(0)
}

/// The same at the end of a segment.
#[cold]
fn last_bytes(text: &[u8]) -> u64 {
    text.iter().take(8).rev().fold(0, |word, byte| word << 8 | u64::from(*byte))
}

#[cfg(test)]
mod tests {
    use super::first_bytes;

    #[test]
    fn the_end_of_a_segment_is_read_as_all_else() {
        let text = b"0123456789abcdef";
        for offset in 0..text.len() {
            for len in 0..=text.len() - offset {
                let mut wanted = [0; 8];
                let kept = len.min(8);
                wanted[..kept].copy_from_slice(&text[offset..][..kept]);
                let word = first_bytes(text, offset, len);
                assert_eq!(word.to_le_bytes(), wanted, "{offset} {len}");
            }
        }
    }
}
