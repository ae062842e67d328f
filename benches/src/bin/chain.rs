//! What twelve small programs cost an event, each a `remap` of its own, on parsed events: `chain [--rounds N]`;
//! `chain PATH [--rounds N]` runs one path alone, for `valgrind --tool=callgrind --toggle-collect='*through_chain*'`.

use std::sync::Arc;

use bytes::Bytes;
use lograil_benches::measure::{self, Path};
use lograil_benches::parsed::{Bench, parsed};
use lograil_benches::transform::build;
use lograil_codec::json::Parser;
use lograil_event::Batch;
use lograil_plugin::{Outputs, Transform};
use lograil_transforms::remap;
use serde_json::json;

/// What people do to their events, a step each.
const STEPS: [&str; 12] = [
    ".site = \"berlin\"",
    ".team = .service",
    ".level = upcase(string(.level) ?? \"info\")",
    ".is_slow = (to_float(.duration_ms) ?? 0.0) > 500.0",
    ".status = to_int(.status) ?? 0",
    "if .status == 500 { .page = true }",
    "del(.request_id)",
    ".env = \"prod\"",
    ".user = to_string(.user) ?? \"\"",
    "if starts_with(string(.host) ?? \"\", \"web-1\") { .zone = 1 }",
    ".seconds = (to_float(.duration_ms) ?? 0.0) / 1000.0",
    ".version = 3",
];

fn main() {
    let Bench { name, rounds, blocks, size } = Bench::from_command_line();
    let mut paths =
        vec![path("parse", None, &[], &blocks), path("chain", Some("parse"), &STEPS, &blocks)];
    measure::run("twelve programs on parsed events", &mut paths, name.as_ref(), rounds, size);
}

fn path<'a>(
    name: &'static str,
    baseline: Option<&'static str>,
    steps: &[&str],
    blocks: &'a [Bytes],
) -> Path<'a> {
    let mut chain: Vec<Box<dyn Transform>> = steps
        .iter()
        .map(|source| {
            build(&remap::SPEC, json!({ "source": source })).unwrap_or_else(|| {
                eprintln!("remap refuses {source}");
                std::process::exit(2);
            })
        })
        .collect();
    let (mut parser, mut out) = (Parser::new(), Outputs::new(Arc::from(name), "remap"));
    let run = move || {
        let each = |block: &Bytes| {
            let batch = parsed(&mut parser, block);
            through_chain(&mut chain, batch, &mut out).map_or(0, |batch| batch.fields().len())
        };
        blocks.iter().map(each).sum()
    };
    Path { name, baseline, run: Box::new(run) }
}

/// One batch through all steps, as a chain of the runtime calls them.
#[inline(never)]
fn through_chain(
    chain: &mut [Box<dyn Transform>],
    batch: Batch,
    out: &mut Outputs,
) -> Option<Batch> {
    let mut batch = Some(batch);
    for transform in chain {
        transform.process(batch.take()?, out);
        batch = out.take_emitted().map(|(_, batch)| batch).next();
    }
    batch
}
