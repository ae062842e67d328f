//! Draws events and writes them into batches, one block a batch, nothing allocated per event.

use std::sync::Arc;

use bytes::Bytes;
use lograil_event::{Batch, Key, KeyTable, Origin, Span, Tag};

use super::catalogue::{Catalogue, Level};
use super::line::{LINE_BYTES_MAX, Line, LineWriter};
use super::options::{Format, LevelWeights};
use super::random::{Random, scale};
use super::schedule::Ticks;
use super::template::Values;

/// Most events and bytes of a batch.
pub(super) const BATCH_EVENTS_MAX: u64 = 4096;
const BLOCK_BYTES_MAX: usize = 1 << 20;

/// The block is the batch's only segment.
const BLOCK_SEGMENT: u8 = 0;

/// Room for a line of usual length, so that a block is seldom moved while it grows.
const LINE_BYTES_USUAL: usize = 256;

/// Where the times of a batch's events come from.
pub(super) enum Times<'a> {
    /// All the same.
    Same(i64),
    /// The next moments of a rate after a start.
    After(i64, &'a mut Ticks),
}

impl Times<'_> {
    #[inline]
    fn advance(&mut self) -> i64 {
        match self {
            Self::Same(ns) => *ns,
            Self::After(start_ns, ticks) => start_ns.saturating_add_unsigned(ticks.advance()),
        }
    }
}

/// Makes batches of events; the same seed and the same times make the same bytes, however they are cut.
pub(super) struct Producer {
    random: Random,
    levels: Vec<(Level, u32)>,
    catalogue: Catalogue,
    writer: LineWriter,
    message: Vec<u8>,
    keys: Arc<KeyTable>,
    key: Key,
    /// The stream and how many bytes of it were written so far.
    position: Origin,
}

impl Producer {
    /// A producer of the stream `stream`.
    pub(super) fn new(seed: u64, levels: &LevelWeights, format: Format, stream: u64) -> Self {
        let mut keys = KeyTable::default();
        let key = keys.intern("message");
        Self {
            random: Random::new(seed),
            levels: levels.thresholds(),
            catalogue: Catalogue::new(),
            writer: LineWriter::new(format),
            message: Vec::with_capacity(LINE_BYTES_USUAL),
            keys: Arc::new(keys),
            key,
            position: Origin { stream, offset: 0 },
        }
    }

    /// A batch of up to `events` events, and how many there are: at least one, unless none is asked for. The
    /// first batch of a format with a header has the header before them.
    pub(super) fn produce(&mut self, events: u64, mut times: Times<'_>) -> (Batch, u64) {
        let events = events.min(BATCH_EVENTS_MAX);
        let lines = events as usize + 1;
        let mut block = Vec::with_capacity((lines * LINE_BYTES_USUAL).min(BLOCK_BYTES_MAX));
        let mut batch = Batch::with_keys(Arc::clone(&self.keys));
        let mut edit = batch.edit();
        edit.fields().reserve_exact(lines);
        edit.events().reserve_exact(lines);
        let mut header = self.writer.header().filter(|_| self.position.offset == 0);
        let mut written = 0;
        while written < events && block.len() + LINE_BYTES_MAX <= BLOCK_BYTES_MAX {
            let time_ns = times.advance();
            if let Some(header) = header.take() {
                let span =
                    line_from(&mut block, |block| block.extend_from_slice(header.as_bytes()));
                edit.push_line(time_ns, self.key, Tag::Str, span, span);
            }
            let span = line_from(&mut block, |block| self.write_event(time_ns, block));
            edit.push_line(time_ns, self.key, Tag::Str, span, span);
            written += 1;
        }
        let origin = self.position;
        self.position.offset += block.len() as u64;
        let segment = edit.add_segment(Bytes::from(block), Some(origin));
        assert_eq!(segment, BLOCK_SEGMENT, "a new batch has no segment");
        (batch, written)
    }

    #[inline]
    fn write_event(&mut self, time_ns: i64, block: &mut Vec<u8>) {
        let random = &mut self.random;
        let level = draw_level(&self.levels, random);
        let user = 10_000 + random.below(90_000);
        let duration_ms = level.draw_duration_ms(random);
        let id = random.bits();
        let request = random.bits();
        self.message.clear();
        let values = Values { user, duration_ms };
        let service = self.catalogue.draw(level, random, values, &mut self.message);
        let line = Line {
            time_ns,
            level,
            id: event_id(id),
            service,
            user,
            request: request_id(request),
            duration_ms,
            message: &self.message,
        };
        self.writer.write(&line, block);
    }
}

/// Appends a line and its line feed to a block; where the line is.
#[inline]
fn line_from(block: &mut Vec<u8>, write: impl FnOnce(&mut Vec<u8>)) -> Span {
    let offset = block.len();
    write(block);
    let len = (block.len() - offset) as u32;
    block.push(b'\n');
    Span { segment: BLOCK_SEGMENT, offset: offset as u32, len }
}

/// The level in whose share a random number falls.
#[inline]
fn draw_level(levels: &[(Level, u32)], random: &mut Random) -> Level {
    let drawn = (random.bits() >> 32) as u32;
    let found = levels.iter().find(|(_, end)| drawn < *end).or(levels.last());
    found.map_or(Level::Info, |(level, _)| *level)
}

/// `abc-1234`, from 64 random bits.
fn event_id(bits: u64) -> [u8; 8] {
    let [a, b, c] = letters(bits as u32);
    let [d, e, f, g] = super::template::digits(scale((bits >> 32) as u32, 10_000));
    [a, b, c, b'-', d, e, f, g]
}

/// `xyz789`, from 64 random bits.
fn request_id(bits: u64) -> [u8; 6] {
    let [a, b, c] = letters(bits as u32);
    let [d, e, f] = super::template::digits(scale((bits >> 32) as u32, 1_000));
    [a, b, c, d, e, f]
}

fn letters(bits: u32) -> [u8; 3] {
    let number = scale(bits, 26 * 26 * 26);
    [number / (26 * 26), number / 26 % 26, number % 26].map(|letter| b'a' + letter as u8)
}
