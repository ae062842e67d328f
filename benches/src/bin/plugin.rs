//! What crossing the C interface costs: the same transforms linked in and loaded from a shared library, on parsed events:
//! `plugin LIBRARY [--rounds N]`; `plugin LIBRARY PATH [--rounds N]` runs one path alone, for
//! `valgrind --tool=callgrind --toggle-collect='*through_transform*'`. `plugin LIBRARY load` prints how long loading takes.
//! The library is that of `core/cli/tests/plugins/transforms`.

use std::path::{Path as FilePath, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use lograil_benches::generator::{self, Shapes};
use lograil_benches::measure::{self, Path, Size};
use lograil_benches::transform::{batch_of, build};
use lograil_codec::json::{ParseOptions, Parser};
use lograil_event::Batch;
use lograil_loader::Trust;
use lograil_plugin::{
    ComponentMetrics, ComponentSpec, Outputs, SystemClock, Transform, TransformContext,
};
use serde_json::{Value, json};

const BLOCKS: usize = 4;
const LINES: usize = 4096;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let rounds = measure::rounds(&arguments, 15);
    let names: Vec<&String> = arguments.iter().take_while(|name| !name.starts_with("--")).collect();
    let Some(library) = names.first() else { fail("which library?") };
    let library = PathBuf::from(library);
    if names.get(1).is_some_and(|name| *name == "load") {
        return load(&library);
    }
    let loaded = lograil_loader::load(&library, &Trust::default())
        .unwrap_or_else(|error| fail(&error.to_string()));
    let blocks: Vec<Bytes> =
        generator::ndjson(Shapes::One, BLOCKS, LINES).into_iter().map(Bytes::from).collect();
    let size = Size { bytes: blocks.iter().map(Bytes::len).sum(), events: BLOCKS * LINES };
    let floor = Path { name: "parse", baseline: None, run: Box::new(|| floor(&blocks)) };
    let mut paths = vec![floor];
    for (linked, crossed, name, options) in [
        ("filter", "filter-plugin", "filter", json!({"condition": ".status >= 500"})),
        ("pass", "pass-plugin", "filter", json!({"condition": ".status >= 0"})),
        ("add", "add-plugin", "remap", json!({"source": ".site = \"berlin\""})),
        ("replace", "replace-plugin", "remap", json!({"source": ".status = to_int(.status) ?? 0"})),
    ] {
        let is_it = |spec: &&ComponentSpec| spec.name == name;
        let ours = lograil_transforms::SPECS.iter().find(is_it);
        let theirs = loaded.components.iter().find(is_it);
        let (Some(ours), Some(theirs)) = (ours, theirs) else { fail("it lacks a transform") };
        paths.push(path(linked, None, ours, options.clone(), &blocks));
        paths.push(path(crossed, Some(linked), theirs, options, &blocks));
    }
    measure::run("parsed events", &mut paths, names.get(1).copied(), rounds, size);
}

fn fail(why: &str) -> ! {
    eprintln!("{why}");
    std::process::exit(2);
}

/// Loading once, in the time of the wall: the system reads and maps the file.
fn load(library: &FilePath) {
    let start = Instant::now();
    let loaded = lograil_loader::load(library, &Trust::default());
    let time = start.elapsed();
    let loaded = loaded.unwrap_or_else(|error| fail(&error.to_string()));
    let bytes = std::fs::metadata(library).map_or(0, |about| about.len());
    println!(
        "{} components of {:.1} MB in {:.2} ms",
        loaded.components.len(),
        bytes as f64 / 1e6,
        time.as_secs_f64() * 1e3
    );
}

/// The blocks, parsed; every round anew, so that no array is shared.
fn parsed(parser: &mut Parser, block: &Bytes) -> Batch {
    let mut batch = batch_of(block, None);
    let mut failures = Vec::new();
    parser.parse_batch(&mut batch, "message", ParseOptions::default(), &mut failures);
    batch
}

fn floor(blocks: &[Bytes]) -> usize {
    let mut parser = Parser::new();
    blocks.iter().map(|block| parsed(&mut parser, block).len()).sum()
}

fn path<'a>(
    name: &'static str,
    baseline: Option<&'static str>,
    spec: &ComponentSpec,
    options: Value,
    blocks: &'a [Bytes],
) -> Path<'a> {
    let Some(mut transform) = build(spec, options) else { fail("it refuses its options") };
    let clock = Arc::new(SystemClock::default());
    let context = TransformContext::new(Arc::from(name), clock, ComponentMetrics::detached());
    if let Err(error) = transform.start(context) {
        fail(&error.to_string());
    }
    let (mut parser, mut out) = (Parser::new(), Outputs::new(Arc::from(name), spec.name));
    let run = move || {
        let each = |block: &Bytes| {
            let batch = parsed(&mut parser, block);
            through_transform(&mut *transform, batch, &mut out)
        };
        blocks.iter().map(each).sum()
    };
    Path { name, baseline, run: Box::new(run) }
}

/// All that a batch costs in the transform, its end included.
#[inline(never)]
fn through_transform(transform: &mut dyn Transform, batch: Batch, out: &mut Outputs) -> usize {
    transform.process(batch, out);
    let events = out.take_emitted().map(|(_, batch)| std::hint::black_box(&batch).len()).sum();
    out.take_discarded().for_each(drop);
    events
}
