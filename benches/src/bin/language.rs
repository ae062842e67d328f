//! What the expression language costs an event: `route` into four lanes, and the documented example of each function
//! that reads a field, beside a program that only reads one: `language [--rounds N]`; `language NAME` runs one `route`
//! or one function alone, for `valgrind --tool=callgrind --toggle-collect='*through_route*'` or `'*through_calls*'`.

use std::hint::black_box;
use std::sync::Arc;

use bytes::Bytes;
use lograil_benches::measure::{self, Path};
use lograil_benches::parsed::{Bench, parsed};
use lograil_benches::transform::build;
use lograil_codec::json::Parser;
use lograil_event::Batch;
use lograil_expr::{Function, Program, functions};
use lograil_plugin::{Outputs, Transform};
use lograil_transforms::route;
use serde_json::json;

/// Conditions of lanes.
const LANES: [(&str, Option<&str>, &[&str]); 3] = [
    ("lane", None, &[".level == \"error\""]),
    (
        "levels",
        Some("lane"),
        &[".level == \"error\"", ".level == \"warn\"", ".level == \"info\"", ".level == \"debug\""],
    ),
    (
        "mixed",
        Some("lane"),
        &[
            ".level == \"error\"",
            ".duration_ms >= 500",
            ".status >= 500 && .service != \"search\"",
            "starts_with(.host, \"web-0\")",
        ],
    ),
];

/// Events that a function is called for in a row.
const CALLS: usize = 1024;

/// Functions that are shown each in a line of its own; of the others the number.
const SHOWN_NS: f64 = 100.0;

fn main() {
    let Bench { name, rounds, blocks, size } = Bench::from_command_line();
    let function = functions().find(|function| Some(function.name) == name.as_deref());
    if let Some(mut call) = function.and_then(Call::of) {
        (0..rounds).for_each(|_| call.run());
        println!("{}: {:.1} ns, `{}`", call.name, call.ns, call.source);
        return;
    }
    let mut paths = LANES.map(|(name, baseline, lanes)| {
        let batches = blocks.iter().map(frozen).collect();
        route_path(name, baseline, batches, lanes)
    });
    let title = "route into lanes, of parsed events";
    measure::run(title, &mut paths, name.as_ref(), rounds, size);
    if name.is_none() {
        compare_functions(rounds);
    }
}

fn frozen(block: &Bytes) -> Batch {
    let mut batch = parsed(&mut Parser::new(), block);
    batch.freeze();
    batch
}

fn route_path<'a>(
    name: &'static str,
    baseline: Option<&'static str>,
    batches: Vec<Batch>,
    conditions: &[&str],
) -> Path<'a> {
    let named = conditions.iter().enumerate();
    let lanes: serde_json::Map<String, serde_json::Value> =
        named.map(|(lane, condition)| (format!("lane{lane}"), json!(condition))).collect();
    let Some(mut transform) = build(&route::SPEC, json!({ "route": lanes })) else {
        eprintln!("route refuses the lanes");
        std::process::exit(2);
    };
    let mut out = Outputs::new(Arc::from(name), "route");
    let run = move || {
        let each = |batch: &Batch| through_route(&mut *transform, batch.snapshot(), &mut out);
        batches.iter().map(each).sum()
    };
    Path { name, baseline, run: Box::new(run) }
}

#[inline(never)]
fn through_route(transform: &mut dyn Transform, batch: Batch, out: &mut Outputs) -> usize {
    transform.process(batch, out);
    out.take_emitted().map(|(_, batch)| batch.len()).sum()
}

/// One example of a function, over copies of its event.
struct Call {
    name: &'static str,
    source: &'static str,
    program: Program,
    batch: Batch,
    ns: f64,
}

impl Call {
    fn new(name: &'static str, source: &'static str, event: &str) -> Option<Self> {
        let program = Program::compile(source).ok()?;
        let block = Bytes::from(format!("{event}\n").repeat(CALLS));
        let batch = frozen(&block);
        // An example may need what JSON has no form for.
        let result = program.bind(&batch).eval(batch.event(0)).is_ok();
        (batch.len() == CALLS && result).then_some(Self {
            name,
            source,
            program,
            batch,
            ns: f64::MAX,
        })
    }

    /// The first example that reads its event.
    fn of(function: &'static Function) -> Option<Self> {
        let reads = |example: &&lograil_expr::Example| {
            example.result.is_ok() && example.event != "{}" && !example.event.contains('$')
        };
        let mut examples = function.examples.iter().filter(reads);
        examples.find_map(|example| {
            Self::new(function.name, example.source, &example.event.replace('\n', " "))
        })
    }

    fn run(&mut self) {
        let start = measure::thread_time();
        through_calls(&self.program, &self.batch);
        let took = measure::thread_time().saturating_sub(start);
        self.ns = self.ns.min(took.as_nanos() as f64 / CALLS as f64);
    }
}

#[inline(never)]
fn through_calls(program: &Program, batch: &Batch) {
    let mut bound = program.bind(batch);
    for event in batch.iter() {
        let _ = black_box(bound.eval(black_box(event)));
    }
}

fn compare_functions(rounds: usize) {
    let all = functions().count();
    let mut calls: Vec<Call> = functions().filter_map(Call::of).collect();
    calls.extend(Call::new("(a field)", ".a", "{\"a\":\"text\"}"));
    for _ in 0..rounds {
        calls.iter_mut().for_each(Call::run);
    }
    calls.sort_by(|left, right| right.ns.total_cmp(&left.ns));
    let field = calls.iter().find(|call| call.name == "(a field)").map_or(1.0, |call| call.ns);
    println!("\nexamples of {} of {all} functions", calls.len() - 1);
    println!("| function | ns/event | times reading a field | example |");
    println!("|---|--:|--:|---|");
    let (shown, rest): (Vec<_>, Vec<_>) =
        calls.iter().partition(|call| call.ns > SHOWN_NS || call.name == "(a field)");
    for Call { name, ns, source, .. } in shown {
        println!("| {name} | {ns:.1} | {:.1} | `{source}` |", ns / field);
    }
    let median = rest.get(rest.len() / 2).map_or(0.0, |call| call.ns);
    println!("| {} more | at most {SHOWN_NS:.0} | median {:.1} | |", rest.len(), median / field);
}
