//! The transform `parse` with a user's regex against regex captures into rows, in one run: `regex [--rounds N]`;
//! `regex PATH [--rounds N]` runs one path alone, for `valgrind --tool=callgrind`.

use std::fmt::Write;
use std::sync::Arc;

use bytes::Bytes;
use lograil_benches::generator::Random;
use lograil_benches::measure::{self, Path, Size};
use lograil_benches::rows::Row;
use lograil_benches::transform::{self, batch_of};
use lograil_plugin::Outputs;
use serde_json::{Value, json};

const BLOCKS: usize = 4;
const LINES: usize = 4096;

/// nginx's format "combined", as users write it.
const COMBINED: &str = r#"^(?P<remote_addr>\S+) - (?P<remote_user>\S+) \[(?P<time_local>[^\]]+)\] "(?P<request>[^"]*)" (?P<status>\d{3}) (?P<body_bytes_sent>\d+) "(?P<http_referer>[^"]*)" "(?P<http_user_agent>[^"]*)"$"#;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let rounds = measure::rounds(&arguments, 15);
    let name = arguments.first().filter(|name| !name.starts_with("--"));
    let blocks = access_log(BLOCKS, LINES);
    let size = Size { bytes: blocks.iter().map(Bytes::len).sum(), events: BLOCKS * LINES };
    let mut paths = paths(&blocks);
    let title =
        format!("nginx combined: {} events of {} bytes", size.events, size.bytes / size.events);
    measure::run(&title, &mut paths, name, rounds, size);
}

fn paths(blocks: &[Bytes]) -> Vec<Path<'_>> {
    let types = json!({"status": "int", "body_bytes_sent": "int"});
    let mut paths = vec![
        rows(blocks),
        parse("parse-combined", blocks, json!({"format": "regex", "pattern": COMBINED})),
        parse(
            "parse-types",
            blocks,
            json!({"format": "regex", "pattern": COMBINED, "types": types}),
        ),
        parse(
            "parse-unanchored",
            blocks,
            json!({"format": "regex", "pattern": COMBINED.trim_start_matches('^')}),
        ),
        // An assertion is never lowered: the same fields by the regex engine.
        parse(
            "parse-regex-engine",
            blocks,
            json!({"format": "regex", "pattern": COMBINED.replace(r"\d{3}", r"\d{3}(?-u:\b)")}),
        ),
    ];
    paths.push(Path {
        name: "lines-only",
        baseline: Some("rows-regex"),
        run: Box::new(|| blocks.iter().map(|block| batch_of(block, None).len()).sum()),
    });
    paths
}

/// The row model: captures of the regex, each copied into a map.
fn rows(blocks: &[Bytes]) -> Path<'_> {
    let regex = regex::bytes::Regex::new(COMBINED);
    let run = move || {
        let Ok(regex) = &regex else { return 0 };
        let parse = |block: &Bytes| {
            let lines = block.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
            let rows: Vec<Row> = lines
                .filter_map(|line| {
                    let captures = regex.captures(line)?;
                    let group = |name: &str| {
                        let text = String::from_utf8_lossy(captures.name(name)?.as_bytes());
                        Some((name.to_owned(), Value::from(text.into_owned())))
                    };
                    Some(regex.capture_names().flatten().filter_map(group).collect())
                })
                .collect();
            std::hint::black_box(&rows).len()
        };
        blocks.iter().map(parse).sum()
    };
    Path { name: "rows-regex", baseline: None, run: Box::new(run) }
}

/// The transform, from the block that was read to the batch that goes on.
fn parse<'a>(name: &'static str, blocks: &'a [Bytes], options: Value) -> Path<'a> {
    let mut transform = transform::build(&lograil_transforms::parse::SPEC, options);
    let mut out = Outputs::new(Arc::from("bench"), "parse");
    let mut keys = None;
    let run = move || {
        let Some(transform) = &mut transform else { return 0 };
        let mut events = 0;
        for block in blocks {
            let batch = batch_of(block, keys.as_ref());
            keys.get_or_insert_with(|| Arc::clone(batch.shared_keys()));
            transform.process(batch, &mut out);
            for (_, batch) in out.take_emitted() {
                assert!(batch.event(batch.len() - 1).record().count >= 8, "every line is parsed");
                events += std::hint::black_box(&batch).len();
            }
        }
        events
    };
    Path { name, baseline: Some("rows-regex"), run: Box::new(run) }
}

fn access_log(blocks: usize, lines: usize) -> Vec<Bytes> {
    const AGENTS: [&str; 3] = [
        "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Safari/537.36",
        "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:127.0) Gecko/20100101 Firefox/127.0",
        "curl/8.5.0",
    ];
    const PATHS: [&str; 3] = ["/", "/assets/app.3f9a.js", "/api/v1/orders?page=2&size=50"];
    const REFERERS: [&str; 2] = ["-", "https://shop.example/catalogue/shoes"];
    let mut random = Random::new(0x10C5_0F12);
    let mut block = || {
        let mut text = String::new();
        for _ in 0..lines {
            let mut number = |bound: usize| random.below(bound);
            let (a, b) = (number(256), number(256));
            let (minute, second) = (number(60), number(60));
            let (path, status, bytes) =
                (PATHS[number(3)], 200 + number(5) * 100 % 400, number(90_000));
            let (referer, agent) = (REFERERS[number(2)], AGENTS[number(3)]);
            let written = writeln!(
                text,
                "203.0.{a}.{b} - - [01/Mar/2026:12:{minute:02}:{second:02} +0000] \"GET {path} HTTP/1.1\" {status} {bytes} \"{referer}\" \"{agent}\"",
            );
            debug_assert!(written.is_ok(), "writing into a string cannot fail");
        }
        Bytes::from(text)
    };
    (0..blocks).map(|_| block()).collect()
}
