//! Bodies to batches: lines, one JSON document a line, or a JSON array.

use bytes::Bytes;
use lograil_codec::json::{self, JsonError, ParseOptions, Parser};
use lograil_codec::lines::{self, EVENTS_PER_BATCH_MAX, LastLine, LineOptions};
use lograil_event::{Batch, Span, Tag};

use super::options::BodyFormat;

/// The field of a line, and of what could not be parsed.
const FIELD: &str = "message";

/// Events of a body, and those that are refused with the reason of each.
pub(super) struct Decoded {
    pub events: Batch,
    pub refused: Option<(Batch, Vec<String>)>,
}

/// The batches of a body. An error means that it is an array that ends nowhere or holds no values.
pub(super) fn decode(
    body: &Bytes,
    format: BodyFormat,
    content_type: &str,
    now_ns: i64,
    parser: &mut Parser,
) -> Result<Vec<Decoded>, JsonError> {
    let first = body.iter().find(|byte| !byte.is_ascii_whitespace()).copied();
    let is_json = match format {
        BodyFormat::Json => true,
        BodyFormat::Lines => false,
        BodyFormat::Auto => content_type.contains("json") || matches!(first, Some(b'{' | b'[')),
    };
    let batches = if is_json && first == Some(b'[') {
        of_array(body, now_ns)?
    } else {
        of_lines(body, now_ns, is_json)
    };
    let parse =
        |events| if is_json { parse(events, parser) } else { Decoded { events, refused: None } };
    Ok(batches.into_iter().map(parse).collect())
}

fn of_lines(body: &Bytes, now_ns: i64, skips_blank: bool) -> Vec<Batch> {
    let options = LineOptions { last_line: LastLine::Take, ..LineOptions::new(FIELD, now_ns) };
    let (mut batches, mut rest) = (Vec::new(), body.clone());
    while !rest.is_empty() {
        let mut batch = Batch::new();
        let split = lines::split(&mut batch, &rest, None, options);
        if skips_blank {
            let blank: Vec<bool> = batch
                .iter()
                .map(|event| event.raw().is_some_and(|raw| raw.trim_ascii().is_empty()))
                .collect();
            batch.retain(|event| !blank[event]);
        }
        batches.push(batch);
        rest = rest.slice(split.consumed..);
    }
    batches
}

fn of_array(body: &Bytes, now_ns: i64) -> Result<Vec<Batch>, JsonError> {
    let elements = json::elements(body)?;
    let batch_of = |elements: &[std::ops::Range<usize>]| {
        let mut batch = Batch::new();
        let mut edit = batch.edit();
        let (from, to) = (elements[0].start, elements[elements.len() - 1].end);
        let key = edit.key(FIELD);
        let segment = edit.add_segment(body.slice(from..to), None);
        for element in elements {
            let (offset, len) = ((element.start - from) as u32, element.len() as u32);
            let span = Span { segment, offset, len };
            edit.push_line(now_ns, key, Tag::Str, span, span);
        }
        batch
    };
    Ok(elements.chunks(EVENTS_PER_BATCH_MAX).map(batch_of).collect())
}

fn parse(mut events: Batch, parser: &mut Parser) -> Decoded {
    let mut failures = Vec::new();
    parser.parse_batch(&mut events, FIELD, ParseOptions::default(), &mut failures);
    let is_failed = |event: usize| failures.binary_search_by_key(&event, |(at, _)| *at).is_ok();
    let letters = events.split_off_where(is_failed);
    let reasons = || failures.iter().map(|(_, error)| format!("no JSON: {error}")).collect();
    let refused = letters.map(|letters| (letters, reasons()));
    Decoded { events, refused }
}
