//! The transform `template` against a floor that only adds the same fields, in one run: `template [--rounds N]`;
//! `template PATH [--rounds N]` runs one path alone, for `valgrind --tool=callgrind`.

use std::fmt::Write;
use std::sync::Arc;

use bytes::Bytes;
use lograil_benches::generator::Random;
use lograil_benches::measure::{self, Path, Size};
use lograil_benches::transform::{self, batch_of};
use lograil_event::{Field, FieldFlags, Tag};
use lograil_plugin::Outputs;
use serde_json::{Value, json};

const BLOCKS: usize = 4;
const LINES: usize = 4096;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let rounds = measure::rounds(&arguments, 15);
    let name = arguments.first().filter(|name| !name.starts_with("--"));
    let known = messages(BLOCKS, LINES);
    let size = Size { bytes: known.iter().map(Bytes::len).sum(), events: BLOCKS * LINES };
    let distinct = distinct(BLOCKS, LINES);
    let mut paths = paths(&known, &distinct);
    let title =
        format!("messages of 40 templates: {} of {} bytes", size.events, size.bytes / size.events);
    measure::run(&title, &mut paths, name, rounds, size);
}

fn paths<'a>(known: &'a [Bytes], distinct: &'a [Bytes]) -> Vec<Path<'a>> {
    let id_only = json!({"text_key": "", "parameters_key": ""});
    // So few that each message is forgotten before it comes again.
    let few = json!({"max_templates": 1_000});
    vec![
        Path { name: "floor-fields", baseline: None, run: Box::new(|| floor(known)) },
        template("template", known, json!({})),
        template("template-id-only", known, id_only),
        template("template-all-new", distinct, few),
    ]
}

/// Adds three texts to each event.
fn floor(blocks: &[Bytes]) -> usize {
    let mut events = 0;
    for block in blocks {
        let mut batch = batch_of(block, None);
        let mut edit = batch.edit();
        let span = edit.push_text(b"0123456789abcdef");
        let keys = ["template_id", "template", "template_parameters"].map(|name| edit.key(name));
        for event in 0..edit.events().len() {
            for key in keys {
                edit.set(event, Field::text(key.0, Tag::Str, span, FieldFlags::CLEAN));
            }
        }
        events += std::hint::black_box(&batch).len();
    }
    events
}

fn template<'a>(name: &'static str, blocks: &'a [Bytes], options: Value) -> Path<'a> {
    let mut transform = transform::build(&lograil_transforms::template::SPEC, options);
    let mut out = Outputs::new(Arc::from("bench"), "template");
    let run = move || {
        let Some(transform) = &mut transform else { return 0 };
        let mut events = 0;
        for block in blocks {
            transform.process(batch_of(block, None), &mut out);
            for (_, batch) in out.take_emitted() {
                events += std::hint::black_box(&batch).len();
            }
        }
        events
    };
    Path { name, baseline: Some("floor-fields"), run: Box::new(run) }
}

/// Messages of 40 templates with numbers, addresses, paths and names in them; one name in eight was hardly ever seen.
fn messages(blocks: usize, lines: usize) -> Vec<Bytes> {
    const WHAT: [&str; 10] = [
        "order",
        "session",
        "request",
        "block",
        "container",
        "task",
        "volume",
        "lease",
        "job",
        "query",
    ];
    const NAMES: [&str; 8] = ["ann", "bob", "cid", "dan", "eve", "fay", "gus", "hal"];
    let mut random = Random::new(0x7E3A_91C4);
    let mut block = || {
        let mut text = String::new();
        for _ in 0..lines {
            let what = WHAT[random.below(10)];
            let (a, b, c) = (random.below(256), random.below(65_536), random.below(1 << 30));
            let name = match random.below(8) {
                0 => rare_name(c),
                at => NAMES[at].to_owned(),
            };
            let written = match random.below(4) {
                0 => writeln!(text, "{what} {c} of user {name} accepted from 10.0.{a}.7 port {b}"),
                1 => writeln!(
                    text,
                    "{what} timed out after {b} ms, retrying in {a} s (attempt {a}/5)"
                ),
                2 => writeln!(
                    text,
                    "wrote {what} to /var/lib/app/{c}/part-{a}.dat: {b} bytes, checksum 0x{c:08x}"
                ),
                _ => writeln!(text, "{what}_{c}: state changed to READY; owner={name}, size={b}KB"),
            };
            debug_assert!(written.is_ok(), "writing into a string cannot fail");
        }
        Bytes::from(text)
    };
    (0..blocks).map(|_| block()).collect()
}

/// Messages of eight words, none of which comes in another.
fn distinct(blocks: usize, lines: usize) -> Vec<Bytes> {
    let mut number = 1_000_000;
    let mut line = || {
        number += 1;
        let name = rare_name(number);
        format!("{name} a{name} b{name} c{name} d{name} e{name} f{name} g{name}\n")
    };
    (0..blocks).map(|_| Bytes::from((0..lines).map(|_| line()).collect::<String>())).collect()
}

fn rare_name(mut number: usize) -> String {
    let mut name = String::new();
    while number > 0 {
        name.push(char::from(b'a' + (number % 26) as u8));
        number /= 26;
    }
    name
}
