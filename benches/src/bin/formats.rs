//! The formats of the transform `parse` against regex captures into rows, in one run: `formats [--rounds N]`;
//! `formats FORMAT [--rounds N]` runs the transform of one format alone (`--auto`: as `format = "auto"`), for `valgrind --tool=callgrind`.

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
const LINES: usize = 2048;
/// The formats that `auto` finds by itself.
const AUTO: [&str; 6] = ["logfmt", "syslog", "syslog (3164)", "combined", "glog", "cef"];

/// A format: its options, a regex that makes the same fields, and lines of it.
struct Case {
    format: &'static str,
    options: Value,
    /// A pattern for each line, or with the groups `key` and `value` one that matches pair after pair.
    pattern: &'static str,
    is_of_pairs: bool,
    write_line: fn(&mut Random, &mut String) -> std::fmt::Result,
}

const MESSAGES: [&str; 3] =
    ["request served from the cache", "order accepted for payment", "session was renewed by token"];
const LEVELS: [&str; 4] = ["info", "info", "warn", "error"];

fn cases() -> Vec<Case> {
    let case = |format, options, pattern, is_of_pairs, write_line| Case {
        format,
        options,
        pattern,
        is_of_pairs,
        write_line,
    };
    let csv = r#"^([^,"]*|"(?:[^"]|"")*"),([^,"]*|"(?:[^"]|"")*"),([^,"]*|"(?:[^"]|"")*"),([^,"]*|"(?:[^"]|"")*"),([^,"]*|"(?:[^"]|"")*"),([^,"]*|"(?:[^"]|"")*"),([^,"]*|"(?:[^"]|"")*"),([^,"]*|"(?:[^"]|"")*")$"#;
    let columns = json!(["time", "level", "service", "host", "user", "status", "ms", "text"]);
    let syslog = r#"^<(?P<priority>\d{1,3})>(?P<version>\d{1,3}) (?P<timestamp>\S+) (?P<hostname>\S+) (?P<appname>\S+) (?P<procid>\S+) (?P<msgid>\S+) (?P<structured_data>-|(?:\[(?:[^\]"]|"(?:[^"\\]|\\.)*")*\])+)(?: (?P<message>.*))?$"#;
    let bsd = r"^<(?P<priority>\d{1,3})>(?P<timestamp>[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d) (?P<hostname>\S+) (?P<appname>[^\[: ]+)(?:\[(?P<procid>[^\]]+)\])?: (?P<message>.*)$";
    let nginx = r#"^(?P<host>\S+) (?P<identity>\S+) (?P<user>\S+) \[(?P<timestamp>[^\]]+)\] "(?P<method>[A-Z]+) (?P<path>\S+) (?P<protocol>[^"]+)" (?P<status>\d{3}) (?P<size>\d+) "(?P<referrer>[^"]*)" "(?P<agent>[^"]*)"$"#;
    let glog = r"^(?P<level>[IWEF])(?P<timestamp>\d{4} [\d:.]+) +(?P<id>\d+) (?P<file>[^:]+):(?P<line>\d+)\] (?P<message>.*)$";
    let dissected = r"^(?P<time>\S+ \S+) \[(?P<thread>[^\]]+)\] (?P<level>\S+) +(?P<logger>\S+) - (?P<text>.*)$";
    let pattern = "%{time} %{+time} [%{thread}] %{level->} %{logger} - %{text}";
    let cef = r"^CEF:(?P<v>\d+)\|(?P<vendor>[^|]*)\|(?P<product>[^|]*)\|(?P<pv>[^|]*)\|(?P<id>[^|]*)\|(?P<name>[^|]*)\|(?P<severity>[^|]*)\|src=(?P<src>\S+) dst=(?P<dst>\S+) msg=(?P<msg>.*)$";
    vec![
        case(
            "logfmt",
            json!({}),
            r#"(?P<key>[^\s="]+)=(?:"(?P<quoted>(?:[^"\\]|\\.)*)"|(?P<value>[^\s"]*))"#,
            true,
            logfmt_line,
        ),
        case(
            "key_value",
            json!({"key_value_delimiter": ": ", "field_delimiter": "; "}),
            r#"(?P<key>[^:;]+): (?:"(?P<quoted>(?:[^"\\]|\\.)*)"|(?P<value>[^;]*))(?:; |$)"#,
            true,
            key_value_line,
        ),
        case("csv", json!({"columns": columns}), csv, false, csv_line),
        case("syslog", json!({}), syslog, false, syslog_line),
        case("syslog (3164)", json!({"format": "syslog"}), bsd, false, bsd_line),
        case("combined", json!({}), nginx, false, access_line),
        case("glog", json!({}), glog, false, glog_line),
        case("dissect", json!({"pattern": pattern}), dissected, false, dissect_line),
        case("cef", json!({}), cef, false, cef_line),
    ]
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let rounds = measure::rounds(&arguments, 15);
    let name = arguments.first().filter(|name| !name.starts_with("--"));
    let cases = cases();
    let chosen = |case: &&Case| name.is_none_or(|name| name == case.format);
    if !cases.iter().any(|case| chosen(&case)) {
        let names: Vec<_> = cases.iter().map(|case| case.format).collect();
        eprintln!("no such format; there are: {}", names.join(", "));
        std::process::exit(2);
    }
    for case in cases.iter().filter(chosen) {
        let blocks = blocks(case);
        let size = Size { bytes: blocks.iter().map(Bytes::len).sum(), events: BLOCKS * LINES };
        let mut paths = vec![rows(case, &blocks), parse(case, &blocks, "parse")];
        if AUTO.contains(&case.format) {
            paths.push(parse(case, &blocks, "auto"));
        }
        if name.is_some() {
            let path = if arguments.iter().any(|argument| argument == "--auto") {
                "auto"
            } else {
                "parse"
            };
            measure::run_alone(&mut paths, path, rounds, size);
        } else {
            let title = format!("{}: {} bytes an event", case.format, size.bytes / size.events);
            measure::compare(&title, &mut paths, rounds, size);
        }
    }
}

fn blocks(case: &Case) -> Vec<Bytes> {
    let mut random = Random::new(0x10C5_0F13);
    let mut block = || {
        let mut text = String::new();
        for _ in 0..LINES {
            let written = (case.write_line)(&mut random, &mut text);
            debug_assert!(written.is_ok(), "writing into a string cannot fail");
            text.push('\n');
        }
        Bytes::from(text)
    };
    (0..BLOCKS).map(|_| block()).collect()
}

/// The row model: captures of the regex, each copied into a map.
fn rows<'a>(case: &'a Case, blocks: &'a [Bytes]) -> Path<'a> {
    let regex = regex::bytes::Regex::new(case.pattern);
    let text = |bytes: &[u8]| Value::from(String::from_utf8_lossy(bytes).into_owned());
    let run = move || {
        let Ok(regex) = &regex else { return 0 };
        let names: Vec<String> = regex
            .capture_names()
            .enumerate()
            .map(|(index, name)| name.map_or_else(|| format!("column{index}"), str::to_owned))
            .collect();
        let row_of = |line: &[u8]| -> Option<Row> {
            if case.is_of_pairs {
                let pair = |captures: regex::bytes::Captures<'_>| {
                    let key = String::from_utf8_lossy(captures.name("key")?.as_bytes());
                    let value = captures.name("quoted").or_else(|| captures.name("value"))?;
                    Some((key.into_owned(), text(value.as_bytes())))
                };
                return Some(regex.captures_iter(line).filter_map(pair).collect());
            }
            let captures = regex.captures(line)?;
            let groups = names.iter().enumerate().skip(1);
            Some(
                groups
                    .filter_map(|(index, name)| {
                        Some((name.clone(), text(captures.get(index)?.as_bytes())))
                    })
                    .collect(),
            )
        };
        let parse = |block: &Bytes| {
            let lines = block.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
            let rows: Vec<Row> = lines.filter_map(row_of).collect();
            assert_eq!(rows.len(), LINES, "every line is parsed");
            std::hint::black_box(&rows).len()
        };
        blocks.iter().map(parse).sum()
    };
    Path { name: "rows-regex", baseline: None, run: Box::new(run) }
}

/// The transform, from the block that was read to the batch that goes on: `parse` with the format by its name, or
/// `auto`, which has to find it out.
fn parse<'a>(case: &Case, blocks: &'a [Bytes], path: &'static str) -> Path<'a> {
    let mut options = case.options.clone();
    if path == "auto" {
        options["format"] = Value::from("auto");
    } else if options.get("format").is_none() {
        options["format"] = Value::from(case.format);
    }
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
                assert!(batch.event(batch.len() - 1).record().count >= 5, "every line is parsed");
                assert_eq!(batch.len(), LINES, "every line is parsed");
                events += std::hint::black_box(&batch).len();
            }
        }
        events
    };
    let baseline = if path == "auto" { "parse" } else { "rows-regex" };
    Path { name: path, baseline: Some(baseline), run: Box::new(run) }
}

fn pick<'a>(random: &mut Random, texts: &[&'a str]) -> &'a str {
    texts[random.below(texts.len())]
}

fn logfmt_line(random: &mut Random, out: &mut String) -> std::fmt::Result {
    let (level, text) = (pick(random, &LEVELS), pick(random, &MESSAGES));
    let (second, user, status) =
        (random.below(60), random.below(1_000_000), 200 + random.below(300));
    write!(
        out,
        "ts=2026-03-01T12:00:{second:02}.250Z level={level} service=checkout host=web-07 user={user} status={status} duration=14.2ms msg=\"{text}\""
    )
}

fn key_value_line(random: &mut Random, out: &mut String) -> std::fmt::Result {
    let (level, text) = (pick(random, &LEVELS), pick(random, &MESSAGES));
    let (user, status) = (random.below(1_000_000), 200 + random.below(300));
    write!(
        out,
        "level: {level}; service: checkout; host: web-07; user: {user}; status: {status}; msg: \"{text}\""
    )
}

fn csv_line(random: &mut Random, out: &mut String) -> std::fmt::Result {
    let (level, text) = (pick(random, &LEVELS), pick(random, &MESSAGES));
    let (second, user, status) =
        (random.below(60), random.below(1_000_000), 200 + random.below(300));
    write!(
        out,
        "2026-03-01T12:00:{second:02}.250Z,{level},checkout,web-07,{user},{status},14.2,\"{text}, done\""
    )
}

fn syslog_line(random: &mut Random, out: &mut String) -> std::fmt::Result {
    let (priority, text) = (random.below(192), pick(random, &MESSAGES));
    let (second, pid) = (random.below(60), random.below(65_536));
    write!(
        out,
        "<{priority}>1 2026-03-01T12:00:{second:02}.250Z web-07 checkout {pid} ID47 [req@32473 id=\"{pid}\" path=\"/orders\"] {text}"
    )
}

fn bsd_line(random: &mut Random, out: &mut String) -> std::fmt::Result {
    let (priority, text) = (random.below(192), pick(random, &MESSAGES));
    let (second, pid) = (random.below(60), random.below(65_536));
    write!(out, "<{priority}>Mar  1 12:00:{second:02} web-07 checkout[{pid}]: {text}")
}

fn access_line(random: &mut Random, out: &mut String) -> std::fmt::Result {
    let agents = [
        "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Safari/537.36",
        "curl/8.5.0",
    ];
    let paths = ["/", "/assets/app.3f9a.js", "/api/v1/orders?page=2&size=50"];
    let (path, agent) = (pick(random, &paths), pick(random, &agents));
    let (address, second, size) = (random.below(256), random.below(60), random.below(90_000));
    write!(
        out,
        "203.0.113.{address} - - [01/Mar/2026:12:00:{second:02} +0000] \"GET {path} HTTP/1.1\" 200 {size} \"https://shop.example/\" \"{agent}\""
    )
}

fn glog_line(random: &mut Random, out: &mut String) -> std::fmt::Result {
    let (level, text) = (pick(random, &["I", "W", "E"]), pick(random, &MESSAGES));
    let (second, id) = (random.below(60), random.below(65_536));
    write!(out, "{level}0301 12:00:{second:02}.250000   {id} checkout.go:117] {text}")
}

fn dissect_line(random: &mut Random, out: &mut String) -> std::fmt::Result {
    let (level, text) = (pick(random, &["INFO ", "WARN ", "ERROR"]), pick(random, &MESSAGES));
    let (second, thread) = (random.below(60), random.below(64));
    write!(
        out,
        "2026-03-01 12:00:{second:02},250 [worker-{thread}] {level} shop.checkout.Cart - {text}"
    )
}

fn cef_line(random: &mut Random, out: &mut String) -> std::fmt::Result {
    let (severity, text) = (random.below(11), pick(random, &MESSAGES));
    let address = random.below(256);
    write!(
        out,
        "CEF:0|Example|Shop|1.0|100|order|{severity}|src=203.0.113.{address} dst=198.51.100.7 msg={text}"
    )
}
