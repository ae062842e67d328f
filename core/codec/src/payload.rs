//! Payloads to batches: lines, one JSON document a line, or a JSON array.
//!
//! **Invariant:** events point into the payload; what is no JSON is refused by itself.

use std::ops::Range;

use bytes::Bytes;
use lograil_event::{Batch, EventRecord, Field, Span, Tag};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::json::{self, JsonError, ParseOptions, Parser};
use crate::lines::EVENTS_PER_BATCH_MAX;

/// Bytes that an event takes beside its text: its place in the payload, its record and its first field.
pub const EVENT_BYTES: usize =
    size_of::<Range<usize>>() + size_of::<EventRecord>() + size_of::<Field>();

/// The field of a line, and of what could not be parsed.
const FIELD: &str = "message";

/// What a payload holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum PayloadFormat {
    /// JSON if the sender says so or it starts with `{` or `[`; lines otherwise.
    #[default]
    Auto,
    /// A JSON array of events, or one JSON document a line.
    Json,
    /// Plain lines, each under the field `message`.
    Lines,
}

impl PayloadFormat {
    /// Whether a payload is JSON; `says_json` if its sender says so.
    #[must_use]
    pub fn is_json(self, payload: &[u8], says_json: bool) -> bool {
        match self {
            Self::Json => true,
            Self::Lines => false,
            Self::Auto => says_json || matches!(first(payload), Some(b'{' | b'[')),
        }
    }
}

fn first(payload: &[u8]) -> Option<u8> {
    payload.iter().find(|byte| !byte.is_ascii_whitespace()).copied()
}

/// Events, and those that are refused with the mistake in each.
pub struct Decoded {
    /// Those that are taken.
    pub events: Batch,
    /// Those that are no JSON.
    pub refused: Option<(Batch, Vec<JsonError>)>,
    /// Which pieces those that are refused were, from the first of this batch.
    refused_at: Vec<usize>,
}

/// Which pieces of all were refused.
#[must_use]
pub fn refused_pieces(decoded: &[Decoded]) -> Vec<usize> {
    let mut from = 0;
    let mut all = Vec::new();
    for one in decoded {
        all.extend(one.refused_at.iter().map(|at| from + at));
        from += one.events.len() + one.refused_at.len();
    }
    all
}

/// Why a payload is not split.
#[derive(Debug)]
pub enum SplitError {
    /// It is an array that ends nowhere or holds no values.
    Json(JsonError),
    /// It has more events than are allowed.
    TooMany,
}

/// Adds where the events of a payload are, at most `events_max`; `from` is added to each place. Where that fails nothing
/// is added.
///
/// # Errors
/// If it is an array that is broken as a whole, or has too many events.
pub fn split(
    payload: &[u8],
    from: usize,
    is_json: bool,
    events_max: usize,
    pieces: &mut Vec<Range<usize>>,
) -> Result<(), SplitError> {
    let before = pieces.len();
    let mut count = 0;
    let mut add = |range: Range<usize>| {
        count += 1;
        if count <= events_max {
            pieces.push(from + range.start..from + range.end);
        }
    };
    let split = if is_json && first(payload) == Some(b'[') {
        json::elements(payload, add).map_err(SplitError::Json)
    } else {
        lines(payload, is_json, &mut add);
        Ok(())
    };
    let split = if count > events_max { Err(SplitError::TooMany) } else { split };
    if split.is_err() {
        pieces.truncate(before);
    }
    split
}

fn lines(payload: &[u8], is_json: bool, add: &mut impl FnMut(Range<usize>)) {
    let mut add = |start: usize, end: usize| {
        let line = &payload[start..end];
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        if !is_json || !line.trim_ascii().is_empty() {
            add(start..start + line.len());
        }
    };
    let mut start = 0;
    for end in memchr::memchr_iter(b'\n', payload) {
        add(start, end);
        start = end + 1;
    }
    if start < payload.len() {
        add(start, payload.len());
    }
}

/// The batches of the pieces of a block.
pub fn batches(
    block: &Bytes,
    pieces: &[Range<usize>],
    is_json: bool,
    now_ns: i64,
    parser: &mut Parser,
) -> Vec<Decoded> {
    let is_utf8 = simdutf8::basic::from_utf8(block).is_ok();
    let mut batch_of = |pieces: &[Range<usize>]| {
        let mut batch = Batch::new();
        let mut edit = batch.edit();
        let (from, to) = (pieces[0].start, pieces[pieces.len() - 1].end);
        let key = edit.key(FIELD);
        let segment = edit.add_segment(block.slice(from..to), None);
        for piece in pieces {
            let is_text = is_utf8 || simdutf8::basic::from_utf8(&block[piece.clone()]).is_ok();
            let tag = if is_text { Tag::Str } else { Tag::Bytes };
            let (offset, len) = ((piece.start - from) as u32, piece.len() as u32);
            let span = Span { segment, offset, len };
            edit.push_line(now_ns, key, tag, span, span);
        }
        if is_json { parse(batch, parser) } else { whole(batch) }
    };
    pieces.chunks(EVENTS_PER_BATCH_MAX).map(&mut batch_of).collect()
}

fn whole(events: Batch) -> Decoded {
    Decoded { events, refused: None, refused_at: Vec::new() }
}

fn parse(mut events: Batch, parser: &mut Parser) -> Decoded {
    let mut failures = Vec::new();
    parser.parse_batch(&mut events, FIELD, ParseOptions::default(), &mut failures);
    let (refused_at, mistakes): (Vec<usize>, Vec<JsonError>) = failures.into_iter().unzip();
    let is_failed = |event: usize| refused_at.binary_search(&event).is_ok();
    let refused = events.split_off_where(is_failed).map(|letters| (letters, mistakes));
    Decoded { events, refused, refused_at }
}
