//! The oracle for end-to-end tests: `oracle write` writes numbered lines, `oracle check` says what of them
//! came out at the other end.

use std::io::Write;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use lograil_testkit::oracle::{Rotate, Writer, check};

const HELP: &str = "\
oracle write [--rate N] --lines N [--start N] [--stream NAME] [--split-every N]
             [--rotate never|create|copytruncate|truncate --every BYTES] PATH
    Writes lines N, numbered from --start, at --rate lines a second (0: as fast as it goes).
    Prints {\"written\", \"next\", \"rotations\"}.
oracle check --lines N [--stream NAME]... OUTPUT...
    Reads the outputs, the oldest first, and prints
    {\"lines\", \"lost\", \"duplicated\", \"torn\", \"out_of_order\", \"unexpected\"}.
    Exit code 0 if everything arrived, once, whole and in order; 1 if not; 2 if it could not be told.
The stream is `app` unless named.";

/// Lines are paced in steps of this length.
const STEP: Duration = Duration::from_millis(5);

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    let result = match arguments.next().as_deref() {
        Some("write") => Arguments::parse(arguments).and_then(|arguments| write(&arguments)),
        Some("check") => Arguments::parse(arguments).and_then(|arguments| compare(&arguments)),
        Some("--help" | "-h") => {
            println!("{HELP}");
            return ExitCode::SUCCESS;
        }
        _ => Err(HELP.to_owned()),
    };
    result.unwrap_or_else(|message| {
        eprintln!("{message}");
        ExitCode::from(2)
    })
}

struct Arguments {
    rate: u64,
    lines: u64,
    start: u64,
    every_bytes: u64,
    split_every: u64,
    rotate: Rotate,
    streams: Vec<String>,
    paths: Vec<String>,
}

impl Arguments {
    fn parse(mut given: impl Iterator<Item = String>) -> Result<Self, String> {
        let mut lines = None;
        let mut parsed = Self {
            rate: 0,
            lines: 0,
            start: 0,
            every_bytes: 1 << 20,
            split_every: 0,
            rotate: Rotate::Never,
            streams: Vec::new(),
            paths: Vec::new(),
        };
        while let Some(name) = given.next() {
            if !name.starts_with("--") {
                parsed.paths.push(name);
                continue;
            }
            let value = given.next().ok_or_else(|| format!("{name} needs a value"))?;
            let number =
                || value.parse::<u64>().map_err(|error| format!("{name} {value}: {error}"));
            match name.as_str() {
                "--rate" => parsed.rate = number()?,
                "--lines" => lines = Some(number()?),
                "--start" => parsed.start = number()?,
                "--every" => parsed.every_bytes = number()?,
                "--split-every" => parsed.split_every = number()?,
                "--stream" => parsed.streams.push(value),
                "--rotate" => {
                    parsed.rotate = match value.as_str() {
                        "never" => Rotate::Never,
                        "create" => Rotate::Create,
                        "copytruncate" => Rotate::CopyTruncate,
                        "truncate" => Rotate::Truncate,
                        _ => return Err(format!("--rotate {value}: unknown\n{HELP}")),
                    };
                }
                _ => return Err(format!("{name}: unknown\n{HELP}")),
            }
        }
        parsed.lines = lines.ok_or("--lines is missing")?;
        if parsed.streams.is_empty() {
            parsed.streams.push("app".to_owned());
        }
        Ok(parsed)
    }
}

fn write(arguments: &Arguments) -> Result<ExitCode, String> {
    let [path] = &arguments.paths[..] else {
        return Err("write to one PATH".to_owned());
    };
    let failed = |error: std::io::Error| format!("write {path}: {error}");
    let stream = &arguments.streams[0];
    let writer = Writer::open(path, stream, arguments.rotate, arguments.every_bytes);
    let writer = writer.map_err(failed)?.starting_at(arguments.start);
    let mut writer = writer.split_every(arguments.split_every);
    let started = Instant::now();
    let mut written = 0;
    while written < arguments.lines {
        let due = match arguments.rate {
            0 => arguments.lines,
            rate => (started.elapsed().as_secs_f64() * rate as f64) as u64,
        };
        let due = due.min(arguments.lines);
        writer.write_lines(due.saturating_sub(written)).map_err(failed)?;
        written = written.max(due);
        if written < arguments.lines {
            std::thread::sleep(STEP);
        }
    }
    let (next, rotations) = (writer.next_seq(), writer.rotations());
    print_line(&serde_json::json!({ "written": written, "next": next, "rotations": rotations }));
    Ok(ExitCode::SUCCESS)
}

fn compare(arguments: &Arguments) -> Result<ExitCode, String> {
    let streams: Vec<&str> = arguments.streams.iter().map(String::as_str).collect();
    let report = check(arguments.lines, &streams, &arguments.paths);
    let report = report.map_err(|error| format!("read outputs: {error}"))?;
    print_line(&report.to_json());
    Ok(ExitCode::from(u8::from(!report.is_perfect())))
}

/// Prints a line; nobody reading it is no failure.
fn print_line(value: &serde_json::Value) {
    let _unread = writeln!(std::io::stdout(), "{value}");
}
