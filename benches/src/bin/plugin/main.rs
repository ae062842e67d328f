//! What crossing the C interface costs: the same transforms linked in and loaded from a shared library, on parsed events, and
//! the check of what a plugin answers. `plugin [LIBRARY] [--rounds N]` measures time; `plugin [LIBRARY] instructions` counts
//! instructions with valgrind; `plugin [LIBRARY] load` tells how long loading takes; `plugin [LIBRARY] PATH [--rounds N]` runs
//! one path alone. The library is that of the crate `built-in-transforms`, by default where cargo has put it.

mod instructions;
mod validation;

use std::path::{Path as FilePath, PathBuf};
use std::process::Command;
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
    let given = names.iter().find(|name| name.ends_with(".so"));
    let library = given.map_or_else(beside_this_program, |library| PathBuf::from(*library));
    let name = names.into_iter().find(|name| !name.ends_with(".so"));
    if name.is_some_and(|name| name == "load") {
        return load(&library, rounds);
    }
    let loaded = lograil_loader::load(&library, &Trust::default())
        .unwrap_or_else(|error| fail(&error.to_string()));
    let blocks: Vec<Bytes> =
        generator::ndjson(Shapes::One, BLOCKS, LINES).into_iter().map(Bytes::from).collect();
    let size = Size { bytes: blocks.iter().map(Bytes::len).sum(), events: BLOCKS * LINES };
    let batches = || -> Vec<Batch> {
        let mut parser = Parser::new();
        blocks.iter().map(|block| parsed(&mut parser, block)).collect()
    };
    let fields: usize =
        batches().iter().flat_map(Batch::records).map(|one| one.count as usize).sum();
    let records = 1.0 + fields as f64 / size.events as f64;
    let mut paths = transforms(&loaded.components, &blocks);
    let mut checks = validation::paths(batches);
    match name {
        Some(name) if name == "instructions" => {
            paths.remove(0);
            paths.append(&mut checks);
            instructions::table(&library, &paths, size, records);
        }
        Some(_) => {
            paths.append(&mut checks);
            measure::run("", &mut paths, name, rounds, size);
        }
        None => {
            measure::compare("parsed events", &mut paths, rounds, size);
            let title =
                format!("the check alone; an event and its fields are {records:.1} records");
            measure::compare(&title, &mut checks, rounds, size);
            load(&library, rounds);
        }
    }
}

/// Where cargo puts the library when it has built this program.
fn beside_this_program() -> PathBuf {
    let program = std::env::current_exe().unwrap_or_else(|error| fail(&error.to_string()));
    program.with_file_name("libbuilt_in_transforms.so")
}

/// The same transforms, linked in and from a library, after the floor of all.
fn transforms<'a>(theirs: &[ComponentSpec], blocks: &'a [Bytes]) -> Vec<Path<'a>> {
    let floor = Path { name: "parse", baseline: None, run: Box::new(|| floor(blocks)) };
    let mut paths = vec![floor];
    for (linked, crossed, name, options) in [
        ("filter", "filter-plugin", "filter", json!({"condition": ".status >= 500"})),
        ("pass", "pass-plugin", "filter", json!({"condition": ".status >= 0"})),
        ("add", "add-plugin", "remap", json!({"source": ".site = \"berlin\""})),
        (
            "add-number",
            "add-number-plugin",
            "remap",
            json!({"source": ".twice = to_int(.status) ?? 0"}),
        ),
        ("replace", "replace-plugin", "remap", json!({"source": ".status = to_int(.status) ?? 0"})),
    ] {
        let is_it = |spec: &&ComponentSpec| spec.name == name;
        let ours = lograil_transforms::SPECS.iter().find(is_it);
        let (Some(ours), Some(theirs)) = (ours, theirs.iter().find(is_it)) else {
            fail("it lacks a transform")
        };
        paths.push(path(linked, None, ours, options.clone(), blocks));
        paths.push(path(crossed, Some(linked), theirs, options, blocks));
    }
    paths
}

fn fail(why: &str) -> ! {
    eprintln!("{why}");
    std::process::exit(2);
}

/// Loading in the time of the wall, since the system reads and maps the file. A file that was loaded is not loaded again,
/// so each round is another process.
fn load(library: &FilePath, rounds: usize) {
    if std::env::var_os(LOAD_ONCE).is_some() {
        let start = Instant::now();
        let loaded = lograil_loader::load(library, &Trust::default());
        let time = start.elapsed();
        let loaded = loaded.unwrap_or_else(|error| fail(&error.to_string()));
        return println!("{} {}", time.as_nanos(), loaded.components.len());
    }
    let mut times: Vec<f64> = (0..rounds.max(3)).map(|_| load_once(library)).collect();
    times.sort_by(f64::total_cmp);
    let bytes = std::fs::metadata(library).map_or(0, |about| about.len());
    println!(
        "\nloading {:.1} MB: best {:.1} ms, median {:.1} ms of {} processes",
        bytes as f64 / 1e6,
        times[0],
        times[times.len() / 2],
        times.len()
    );
}

/// Set for a process that loads the library once and tells how many nanoseconds that took.
const LOAD_ONCE: &str = "LOGRAIL_BENCH_LOAD_ONCE";

fn load_once(library: &FilePath) -> f64 {
    let program = std::env::current_exe().unwrap_or_else(|error| fail(&error.to_string()));
    let mut command = Command::new(program);
    let ran = command.arg(library).arg("load").env(LOAD_ONCE, "1").output();
    let ran = ran.unwrap_or_else(|error| fail(&error.to_string()));
    let said = String::from_utf8_lossy(&ran.stdout);
    let ns = said.split(' ').next().and_then(|ns| ns.parse::<f64>().ok());
    ns.unwrap_or_else(|| fail(&String::from_utf8_lossy(&ran.stderr))) / 1e6
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
