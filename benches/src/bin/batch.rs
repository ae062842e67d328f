//! The flat batch against the row model, in one run: `batch [--rounds N]`; `batch PATH [--shuffled] [--rounds N]`
//! runs one path alone, for `valgrind --tool=callgrind`.

use bytes::Bytes;
use lograil_benches::generator::{self, Shapes};
use lograil_benches::measure::{self, Path, Size};
use lograil_benches::rows;
use lograil_codec::json::{self, ParseOptions, Parser};
use lograil_codec::lines::{self, LineOptions};
use lograil_event::{Batch, EventFlags, Field, FieldFlags, Tag};

const BLOCKS: usize = 4;
const LINES: usize = 4096;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let has = |flag: &str| arguments.iter().any(|argument| argument == flag);
    let rounds = measure::rounds(&arguments, 15);
    let name = arguments.first().filter(|name| !name.starts_with("--"));
    let inputs: &[Shapes] = match (name, has("--shuffled")) {
        (None, _) => &[Shapes::One, Shapes::SixShuffled],
        (_, true) => &[Shapes::SixShuffled],
        _ => &[Shapes::One],
    };
    for shapes in inputs {
        let blocks: Vec<Bytes> =
            generator::ndjson(*shapes, BLOCKS, LINES).into_iter().map(Bytes::from).collect();
        let size =
            Size { bytes: blocks.iter().map(Bytes::len).sum(), events: blocks.len() * LINES };
        let mut paths = paths(&blocks);
        let title =
            format!("{shapes:?}: {} events of {} bytes", size.events, size.bytes / size.events);
        measure::run(&title, &mut paths, name, rounds, size);
    }
}

fn path<'a>(
    name: &'static str,
    baseline: Option<&'static str>,
    run: impl FnMut() -> usize + 'a,
) -> Path<'a> {
    Path { name, baseline, run: Box::new(run) }
}

fn paths(blocks: &[Bytes]) -> Vec<Path<'_>> {
    let mut paths = row_paths(blocks);
    paths.extend(batch_paths(blocks));
    paths.extend(floors(blocks));
    paths
}

fn row_paths(blocks: &[Bytes]) -> Vec<Path<'_>> {
    let mut out = Vec::new();
    let mut filtered = Vec::new();
    vec![
        path("rows-parse", None, || blocks.iter().map(|block| rows::parse(block).len()).sum()),
        path("rows-add", None, move || {
            let each = |block: &Bytes| {
                let mut rows = rows::parse(block);
                rows::add(&mut rows, "site", "berlin");
                out.clear();
                rows::encode(&rows, &mut out);
                out.len()
            };
            blocks.iter().map(each).sum()
        }),
        path("rows-filter", None, move || {
            let each = |block: &Bytes| {
                let mut rows = rows::parse(block);
                rows::filter(&mut rows, "status", 500);
                filtered.clear();
                rows::encode(&rows, &mut filtered);
                filtered.len()
            };
            blocks.iter().map(each).sum()
        }),
    ]
}

/// A block's lines as a batch, parsed.
fn parsed(parser: &mut Parser, block: &Bytes) -> Batch {
    let mut batch = Batch::new();
    lines::split(&mut batch, block, None, LineOptions::new("message", 0));
    let mut failures = Vec::new();
    parser.parse_batch(&mut batch, "message", ParseOptions::default(), &mut failures);
    assert!(failures.is_empty(), "every generated line is an object");
    batch
}

fn add(batch: &mut Batch) {
    let mut edit = batch.edit();
    let key = edit.key("site");
    let span = edit.push_text(b"berlin");
    for event in 0..edit.events().len() {
        edit.set(event, Field::text(key.0, Tag::Str, span, FieldFlags::CLEAN));
    }
}

fn batch_paths(blocks: &[Bytes]) -> Vec<Path<'_>> {
    let mut parsers: Vec<Parser> = (0..4).map(|_| Parser::new()).collect();
    let mut next = || parsers.pop().unwrap_or_default();
    let (mut p0, mut p1, mut p2, mut p3) = (next(), next(), next(), next());
    let (mut out1, mut out2, mut out3) = (Vec::new(), Vec::new(), Vec::new());
    vec![
        path("batch-parse", Some("rows-parse"), move || {
            blocks.iter().map(|block| parsed(&mut p0, block).fields().len()).sum()
        }),
        path("batch-add-rewrite", Some("rows-add"), move || {
            let each = |block: &Bytes| {
                let mut batch = parsed(&mut p1, block);
                add(&mut batch);
                for record in batch.edit().events() {
                    record.flags.insert(EventFlags::CHANGED);
                }
                out1.clear();
                json::encode_batch(&batch, &mut out1);
                out1.len()
            };
            blocks.iter().map(each).sum()
        }),
        path("batch-add-splice", Some("rows-add"), move || {
            let each = |block: &Bytes| {
                let mut batch = parsed(&mut p2, block);
                add(&mut batch);
                out2.clear();
                json::encode_batch(&batch, &mut out2);
                out2.len()
            };
            blocks.iter().map(each).sum()
        }),
        path("batch-filter", Some("rows-filter"), move || {
            let each = |block: &Bytes| {
                let mut batch = parsed(&mut p3, block);
                filter(&mut batch);
                out3.clear();
                json::encode_batch(&batch, &mut out3);
                out3.len()
            };
            blocks.iter().map(each).sum()
        }),
    ]
}

fn filter(batch: &mut Batch) {
    let Some(key) = batch.find_key("status") else { return };
    let passes: Vec<bool> = batch
        .iter()
        .map(|event| event.get(key).and_then(|value| value.as_i64()).is_some_and(|s| s >= 500))
        .collect();
    batch.retain(|event| passes[event]);
}

fn floors(blocks: &[Bytes]) -> Vec<Path<'_>> {
    let mut copy = Vec::new();
    vec![
        path("floor-lines", None, || {
            let each = |block: &Bytes| {
                let mut batch = Batch::new();
                lines::split(&mut batch, block, None, LineOptions::new("message", 0)).events
            };
            blocks.iter().map(each).sum()
        }),
        path("floor-copy", None, move || {
            let each = |block: &Bytes| {
                copy.clear();
                copy.extend_from_slice(block);
                copy.len()
            };
            blocks.iter().map(each).sum()
        }),
    ]
}
