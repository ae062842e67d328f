//! The short texts of one field.

use std::ops::Range;

use lograil_event::{Batch, Key, Tag, WORD_EVENTS, bits};

use super::place::{Bytes, Place, first_bytes};

/// Bytes of a text that a [`Word`] tells from every other.
const TEXT_BYTES: usize = 7;

/// Where the length starts in a [`Word`].
const LENGTH_BIT: usize = 8 * TEXT_BYTES;

/// The first bytes of a text, the first one lowest, and its length on top; 255 stands for all that are longer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Word(u64);

impl Word {
    /// The word of a text on its own.
    fn of(text: &[u8]) -> Self {
        Self::new(first_bytes(text, 0, text.len()), text.len())
    }

    #[inline]
    fn new(first: u64, len: usize) -> Self {
        Self(first << 8 >> 8 | (len.min(255) as u64) << LENGTH_BIT)
    }
}

/// What the events of a stretch have in a field.
#[derive(Debug)]
pub(super) struct Texts {
    place: Place,
    /// The events it was read of.
    events: Range<usize>,
    words: [Word; WORD_EVENTS],
    /// Events whose field is text.
    pub known: u64,
    /// Events without the field.
    pub missing: u64,
}

impl Texts {
    pub(super) fn new(key: Key) -> Self {
        let words = [Word(0); WORD_EVENTS];
        Self { place: Place::new(key), events: 0..0, words, known: 0, missing: 0 }
    }

    pub(super) fn is_of(&self, key: Key) -> bool {
        self.place.key == key
    }

    /// Reads the field of the events, unless that was done.
    pub(super) fn read(&mut self, batch: &Batch, events: Range<usize>) {
        if self.events == events {
            return;
        }
        let (mut known, mut missing) = (0, 0);
        let (fields, mut bytes) = (batch.fields(), Bytes::new(batch));
        let records = batch.records()[events.clone()].iter();
        for (bit, (record, word)) in records.zip(&mut self.words).enumerate() {
            let Some(field) = self.place.field(fields, record) else {
                missing |= 1 << bit;
                continue;
            };
            if field.tag == Tag::Str {
                let span = field.span();
                let (offset, len) = (span.offset as usize, span.len as usize);
                *word = Word::new(first_bytes(bytes.of(span.segment), offset, len), len);
                known |= 1 << bit;
            }
        }
        (self.events, self.known, self.missing) = (events, known, missing);
    }

    /// Events whose text it is.
    pub(super) fn equal(&self, text: &[u8], batch: &Batch) -> u64 {
        let wanted = Word::of(text);
        let alike = self.each(|word| word == wanted);
        if text.len() <= TEXT_BYTES {
            return alike;
        }
        self.confirmed(alike, batch, |other| other == text)
    }

    /// Events whose text starts so.
    pub(super) fn starting_with(&self, prefix: &[u8], batch: &Batch) -> u64 {
        let len = prefix.len().min(TEXT_BYTES);
        let (wanted, mask) = (Word::of(&prefix[..len]), (1 << (8 * len)) - 1);
        let alike = self.each(|word| {
            (word.0 ^ wanted.0) & mask == 0 && word.0 >> LENGTH_BIT >= wanted.0 >> LENGTH_BIT
        });
        if prefix.len() == len {
            return alike;
        }
        self.confirmed(alike, batch, |other| other.starts_with(prefix))
    }

    /// Those of the events whose whole text passes.
    fn confirmed(&self, events: u64, batch: &Batch, test: impl Fn(&[u8]) -> bool) -> u64 {
        let passes = |bit: &usize| {
            let field = batch.event(self.events.start + bit).field(self.place.key);
            field.is_some_and(|field| test(batch.text(field.span())))
        };
        bits(events).filter(passes).fold(0, |all, bit| all | 1 << bit)
    }

    #[inline]
    fn each(&self, test: impl Fn(Word) -> bool) -> u64 {
        let words = self.words.iter().enumerate();
        words.fold(0, |all, (bit, word)| all | u64::from(test(*word)) << bit) & self.known
    }
}
