//! Draws events and writes them into batches, one block a batch, nothing allocated per event.

use std::sync::Arc;

use bytes::Bytes;
use lograil_event::{Batch, Key, KeyTable, Origin, Span, Tag};

use super::catalogue::{Catalogue, Level};
use super::fields::Fields;
use super::format::Format;
use super::line::{Line, LineWriter, Style};
use super::options::{Events, GeneratorOptions};
use super::random::{Random, scale};
use super::request::Requests;
use super::schedule::Moments;
use super::sequence::{Ids, Sequences};
use super::template::{Values, write_number};

/// Most events and bytes of a batch.
pub(super) const BATCH_EVENTS_MAX: u64 = 4096;
const BLOCK_BYTES_MAX: usize = 1 << 20;

/// The block is the batch's only segment.
const BLOCK_SEGMENT: u8 = 0;

/// Room for a line of usual length, so that a block is seldom moved while it grows.
const LINE_BYTES_USUAL: usize = 256;

/// Who is alive.
const HEARTBEAT_SERVICE: &str = "log-generator";

/// Where the times of a batch's events come from.
pub(super) enum Times<'a> {
    /// All the same.
    Same(i64),
    /// The next moments of a rate after a start.
    After(i64, &'a mut Moments),
}

impl Times<'_> {
    #[inline]
    fn advance(&mut self) -> i64 {
        match self {
            Self::Same(ns) => *ns,
            Self::After(start_ns, moments) => start_ns.saturating_add_unsigned(moments.advance()),
        }
    }
}

/// What the events tell of.
enum Subject {
    Application(Catalogue),
    /// The same, but a part of the events, of 2^32, belongs to stories.
    Stories(Catalogue, Box<Sequences>, u32),
    Http(Requests),
    Heartbeat(Heartbeat),
}

/// A service that is alive.
struct Heartbeat {
    ids: Ids,
    /// Its number and the time of the first.
    count: u64,
    first_ns: i64,
}

/// Makes batches of events; the same seed and the same times make the same bytes, however they are cut.
pub(super) struct Producer {
    random: Random,
    levels: Vec<(Level, u32)>,
    least: Level,
    subject: Subject,
    writer: LineWriter,
    line_bytes_max: usize,
    message: Vec<u8>,
    keys: Arc<KeyTable>,
    key: Key,
    /// The stream and how many bytes of it were written so far.
    position: Origin,
}

impl Producer {
    /// A producer of the stream `stream`. The options were checked.
    pub(super) fn new(seed: u64, options: &GeneratorOptions, stream: u64) -> Self {
        let mut keys = KeyTable::default();
        let key = keys.intern("message");
        let mut random = Random::new(seed);
        let writer = writer(options);
        let least = options.min_level.0;
        Self {
            levels: options.levels.thresholds(least),
            least,
            subject: subject(options, &mut random),
            random,
            line_bytes_max: writer.line_bytes_max(),
            writer,
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
        let is_first = self.position.offset == 0;
        let mut header = if is_first { self.writer.header() } else { None };
        let mut written = 0;
        while written < events && block.len() + self.line_bytes_max <= BLOCK_BYTES_MAX {
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
        self.writer.fields.draw(&mut self.random);
        self.message.clear();
        match &self.subject {
            Subject::Application(_) => self.write_application_event(time_ns, block),
            Subject::Stories(_, _, share) => {
                let share = *share;
                let is_story = (self.random.bits() >> 32) as u32 <= share;
                if !(is_story && self.write_story_event(time_ns, block)) {
                    self.write_application_event(time_ns, block);
                }
            }
            Subject::Http(_) => self.write_request(time_ns, block),
            Subject::Heartbeat(_) => self.write_heartbeat(time_ns, block),
        }
    }

    #[inline]
    fn write_application_event(&mut self, time_ns: i64, block: &mut Vec<u8>) {
        let (Subject::Application(catalogue) | Subject::Stories(catalogue, ..)) = &self.subject
        else {
            return;
        };
        let random = &mut self.random;
        let level = draw_level(&self.levels, random);
        let user = draw_user(random);
        let duration_ms = level.draw_duration_ms(random);
        let id = random.bits();
        let request = random.bits();
        let values = Values { user, duration_ms };
        let service = catalogue.draw(level, random, values, &mut self.message);
        let line = Line {
            time_ns,
            level,
            id: event_id(id),
            service,
            user,
            request: request_id(request),
            duration_ms,
            message: &self.message,
            http: None,
        };
        self.writer.write(&line, block);
    }

    /// Writes the next event of a story. Whether there was one.
    fn write_story_event(&mut self, time_ns: i64, block: &mut Vec<u8>) -> bool {
        let Subject::Stories(_, sequences, _) = &mut self.subject else { return false };
        let random = &mut self.random;
        let Some(step) = sequences.step(self.least, random) else { return false };
        let duration_ms = step.level.draw_duration_ms(random);
        let values = Values { user: step.ids.user, duration_ms };
        step.message.render(random, values, &mut self.message);
        let line = Line {
            time_ns,
            level: step.level,
            id: event_id(step.ids.id),
            service: step.service,
            user: step.ids.user,
            request: request_id(step.ids.request),
            duration_ms,
            message: &self.message,
            http: None,
        };
        self.writer.write(&line, block);
        true
    }

    fn write_request(&mut self, time_ns: i64, block: &mut Vec<u8>) {
        let Subject::Http(requests) = &mut self.subject else { return };
        let random = &mut self.random;
        let level = draw_level(&self.levels, random);
        let user = draw_user(random);
        let duration_ms = level.draw_duration_ms(random);
        let id = random.bits();
        let request = random.bits();
        let values = Values { user, duration_ms };
        let (service, http) = requests.draw(level, random, values, &mut self.message);
        let line = Line {
            time_ns,
            level,
            id: event_id(id),
            service,
            user,
            request: request_id(request),
            duration_ms,
            message: &self.message,
            http: Some(http),
        };
        self.writer.write(&line, block);
    }

    fn write_heartbeat(&mut self, time_ns: i64, block: &mut Vec<u8>) {
        let Subject::Heartbeat(heartbeat) = &mut self.subject else { return };
        if heartbeat.count == 0 {
            heartbeat.first_ns = time_ns;
        }
        heartbeat.count += 1;
        let up_s = time_ns.saturating_sub(heartbeat.first_ns).max(0) / 1_000_000_000;
        let message = &mut self.message;
        message.extend_from_slice(b"Heartbeat ");
        write_number(u32::try_from(heartbeat.count).unwrap_or(u32::MAX), message);
        message.extend_from_slice(b", up for ");
        write_number(u32::try_from(up_s).unwrap_or(u32::MAX), message);
        message.extend_from_slice(b" s");
        let line = Line {
            time_ns,
            level: Level::Info,
            id: event_id(heartbeat.ids.id),
            service: HEARTBEAT_SERVICE,
            user: heartbeat.ids.user,
            request: request_id(heartbeat.ids.request),
            duration_ms: Level::Debug.draw_duration_ms(&mut self.random),
            message,
            http: None,
        };
        self.writer.write(&line, block);
    }
}

fn writer(options: &GeneratorOptions) -> LineWriter {
    let fields = Fields::new(&options.fields);
    let style = match &options.format {
        Format::Text => Style::Text,
        Format::Json => Style::Json,
        Format::Csv => Style::Csv { of_requests: options.events() == Events::Http },
        Format::Access => Style::Access,
        Format::Layout(_) => match options.layout(&fields) {
            Ok(Some(layout)) => Style::Layout(layout),
            _ => Style::Text,
        },
    };
    LineWriter::new(style, fields)
}

fn subject(options: &GeneratorOptions, random: &mut Random) -> Subject {
    match options.events() {
        Events::Http => Subject::Http(Requests::new()),
        Events::Heartbeat => {
            let ids = Ids::draw(random);
            Subject::Heartbeat(Heartbeat { ids, count: 0, first_ns: 0 })
        }
        Events::Application if options.patterns.enabled && options.patterns.share > 0.0 => {
            let share = (options.patterns.share * f64::from(u32::MAX)) as u32;
            let sequences = Box::new(Sequences::new(random));
            Subject::Stories(Catalogue::new(), sequences, share)
        }
        Events::Application => Subject::Application(Catalogue::new()),
    }
}

#[inline]
fn draw_user(random: &mut Random) -> u32 {
    10_000 + random.below(90_000)
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
