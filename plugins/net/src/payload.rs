//! Payloads to batches: lines, one JSON document a line, or a JSON array.
//!
//! **Invariant:** events point into the payload; what is no JSON is refused by itself.

use std::ops::Range;

use bytes::Bytes;
use lograil_codec::json::{self, JsonError, ParseOptions, Parser};
use lograil_codec::lines::EVENTS_PER_BATCH_MAX;
use lograil_event::{Batch, Span, Tag};
use schemars::JsonSchema;
use serde::Deserialize;

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

/// Events, and those that are refused with the reason of each.
pub(crate) struct Decoded {
    pub events: Batch,
    pub refused: Option<(Batch, Vec<String>)>,
    /// Which pieces those that are refused were, from the first of this batch.
    refused_at: Vec<usize>,
}

/// Which pieces of all were refused.
pub(crate) fn refused_pieces(decoded: &[Decoded]) -> Vec<usize> {
    let mut from = 0;
    let mut all = Vec::new();
    for one in decoded {
        all.extend(one.refused_at.iter().map(|at| from + at));
        from += one.events.len() + one.refused_at.len();
    }
    all
}

/// Adds where the events of a payload are; `from` is added to each place. An error means that it is an array that ends
/// nowhere or holds no values; then nothing is added.
pub(crate) fn split(
    payload: &[u8],
    from: usize,
    is_json: bool,
    pieces: &mut Vec<Range<usize>>,
) -> Result<(), JsonError> {
    if is_json && first(payload) == Some(b'[') {
        let elements = json::elements(payload)?;
        pieces.extend(elements.into_iter().map(|range| from + range.start..from + range.end));
        return Ok(());
    }
    let mut add = |start: usize, end: usize| {
        let line = &payload[start..end];
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        if !is_json || !line.trim_ascii().is_empty() {
            pieces.push(from + start..from + start + line.len());
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
    Ok(())
}

/// The batches of the pieces of a block.
pub(crate) fn batches(
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
    let refused_at: Vec<usize> = failures.iter().map(|(at, _)| *at).collect();
    let is_failed = |event: usize| refused_at.binary_search(&event).is_ok();
    let letters = events.split_off_where(is_failed);
    let reasons = || failures.iter().map(|(_, error)| format!("no JSON: {error}")).collect();
    let refused = letters.map(|letters| (letters, reasons()));
    Decoded { events, refused, refused_at }
}
