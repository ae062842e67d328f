//! The whole program on a large file in the page cache, against `cat` and against the same work done by the
//! library alone: CPU time of each process, in one run, rounds interleaved.
//!
//! `cargo build --release && cargo run --release -p lograil-benches --bin end_to_end -- [MEGABYTES] [ROUNDS]`

use std::error::Error;
use std::fs::{self, File};
use std::hint::black_box;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;

use bytes::Bytes;
use lograil_benches::generator::{Shapes, ndjson};
use lograil_codec::lines::{self, LineOptions};
use lograil_codec::{Encoder, EncodingConfig};
use lograil_event::{Batch, KeyTable};
use lograil_plugin::{Build, Options, Outputs, Port, Transform};
use serde_json::json;

const CONDITION: &str = ".status >= 500";
const BLOCK_BYTES: usize = 1 << 20;

type Failure = Box<dyn Error>;

/// What one run of a process cost.
#[derive(Debug, Clone, Copy)]
struct Cost {
    cpu_seconds: f64,
    peak_kib: u64,
}

fn main() -> Result<(), Failure> {
    let mut arguments = std::env::args().skip(1);
    let first = arguments.next();
    if let Some("library" | "input") = first.as_deref() {
        return alone(first.as_deref() == Some("library"), arguments);
    }
    let megabytes: usize = first.map_or(Ok(500), |text| text.parse())?;
    let rounds: usize = arguments.next().map_or(Ok(5), |text| text.parse())?;
    let directory = std::env::temp_dir().join(format!("lograil-bench-{}", std::process::id()));
    fs::create_dir_all(&directory)?;
    let result = measure(&directory, megabytes, rounds);
    fs::remove_dir_all(&directory)?;
    result
}

/// `library FILE` runs the library path once and `input FILE MEGABYTES` only writes the input: for counting
/// instructions of one process.
fn alone(is_library: bool, mut arguments: impl Iterator<Item = String>) -> Result<(), Failure> {
    let file = PathBuf::from(arguments.next().ok_or("name a file")?);
    if is_library {
        library(&file)?;
    } else {
        let megabytes = arguments.next().ok_or("say how many megabytes")?.parse()?;
        println!("{} lines", write_input(&file, &ndjson(Shapes::One, 4, 4096), megabytes)?);
    }
    Ok(())
}

fn measure(directory: &Path, megabytes: usize, rounds: usize) -> Result<(), Failure> {
    let input = directory.join("input.ndjson");
    let blocks = ndjson(Shapes::One, 16, 4096);
    let lines = write_input(&input, &blocks, megabytes)?;
    let bytes = fs::metadata(&input)?.len();
    println!("{lines} lines, {} MB, {rounds} rounds\n", bytes / 1_000_000);
    let mut runs: [(&str, Vec<Cost>); 4] = [
        ("cat file > file", Vec::new()),
        ("lograil file -> file (checkpoints, acks)", Vec::new()),
        ("library: parse, filter, encode", Vec::new()),
        ("lograil stdin -> parse -> filter -> stdout", Vec::new()),
    ];
    for _ in 0..rounds {
        runs[0].1.push(cat(directory, &input)?);
        runs[1].1.push(file_to_file(directory, &input, lines)?);
        runs[2].1.push(library(&input)?);
        runs[3].1.push(pipe(&input)?);
    }
    println!(
        "{:<44} {:>8} {:>8} {:>10}",
        "path (best of the rounds)", "CPU s", "ns/line", "peak MiB"
    );
    for (name, costs) in &runs {
        let cost = best(costs);
        let ns = cost.cpu_seconds * 1e9 / lines as f64;
        println!("{name:<44} {:>8.2} {ns:>8.0} {:>10}", cost.cpu_seconds, cost.peak_kib / 1024);
    }
    let ratio = |a: usize, b: usize| best(&runs[a].1).cpu_seconds / best(&runs[b].1).cpu_seconds;
    println!("\nfile -> file / cat: {:.2} (goal: at most 4)", ratio(1, 0));
    println!("library / pipe: {:.0} % (goal: at least 50 %)", ratio(2, 3) * 100.0);
    Ok(())
}

fn best(costs: &[Cost]) -> Cost {
    let cheapest = |a: &Cost, b: &Cost| if b.cpu_seconds < a.cpu_seconds { *b } else { *a };
    let first = Cost { cpu_seconds: f64::INFINITY, peak_kib: 0 };
    let mut best = costs.iter().fold(first, |best, cost| cheapest(&best, cost));
    best.peak_kib = costs.iter().map(|cost| cost.peak_kib).max().unwrap_or(0);
    best
}

fn write_input(path: &Path, blocks: &[Vec<u8>], megabytes: usize) -> Result<u64, Failure> {
    let mut out = BufWriter::new(File::create(path)?);
    let (mut written, mut lines) = (0, 0);
    for block in blocks.iter().cycle() {
        if written >= megabytes * 1_000_000 {
            break;
        }
        out.write_all(block)?;
        written += block.len();
        lines += block.iter().filter(|byte| **byte == b'\n').count() as u64;
    }
    out.flush()?;
    Ok(lines)
}

fn cat(directory: &Path, input: &Path) -> Result<Cost, Failure> {
    let output = directory.join("cat.out");
    let mut command = Command::new("cat");
    command.arg(input).stdout(File::create(&output)?);
    let cost = cost_of(command.spawn()?)?;
    fs::remove_file(output)?;
    Ok(cost)
}

/// The program, built beside this one.
fn lograil() -> Result<Command, Failure> {
    let path: PathBuf = std::env::current_exe()?.with_file_name("lograil");
    if !path.is_file() {
        return Err(format!("{} is missing: cargo build --release", path.display()).into());
    }
    Ok(Command::new(path))
}

fn file_to_file(directory: &Path, input: &Path, lines: u64) -> Result<Cost, Failure> {
    let (data, output) = (directory.join("data"), directory.join("lograil.out"));
    let topology = directory.join("copy.toml");
    fs::write(
        &topology,
        format!(
            "data_dir = {data:?}\n[sources.in]\ntype = \"file\"\ninclude = [{input:?}]\n\
             [sinks.out]\ntype = \"file\"\ninputs = [\"in\"]\npath = {output:?}\nencoding.codec = \"raw\"\n"
        ),
    )?;
    let mut command = lograil()?;
    command.args(["run", "--once", "--quiet"]).arg(&topology);
    let cost = cost_of(command.spawn()?)?;
    let (wanted, got) = (fs::metadata(input)?.len(), fs::metadata(&output)?.len());
    if wanted != got {
        return Err(format!("{lines} lines: {wanted} bytes in, {got} out").into());
    }
    fs::remove_file(output)?;
    fs::remove_dir_all(data)?;
    Ok(cost)
}

fn pipe(input: &Path) -> Result<Cost, Failure> {
    let mut command = lograil()?;
    command.args(["pipe", "--parse", "json", "--where", CONDITION, "--format", "json"]);
    command.stdin(File::open(input)?).stdout(Stdio::null());
    cost_of(command.spawn()?)
}

/// CPU time and peak memory of a child, from /proc while it runs and after it has ended.
fn cost_of(mut child: Child) -> Result<Cost, Failure> {
    let before = children_ticks()?;
    let mut peak_kib = 0;
    let status = loop {
        if let Some(status) = child.try_wait()? {
            break status;
        }
        if let Ok(text) = fs::read_to_string(format!("/proc/{}/status", child.id())) {
            let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"));
            let kib = line.and_then(|line| line.trim().trim_end_matches(" kB").parse().ok());
            peak_kib = peak_kib.max(kib.unwrap_or(0));
        }
        std::thread::sleep(std::time::Duration::from_millis(5));
    };
    if !status.success() {
        return Err(format!("a measured command ended with {status}").into());
    }
    // The kernel counts in hundredths of a second (USER_HZ), whatever its own clock.
    Ok(Cost { cpu_seconds: (children_ticks()? - before) as f64 / 100.0, peak_kib })
}

/// User and system time of all children that have ended: fields 16 and 17 of /proc/self/stat.
fn children_ticks() -> Result<u64, Failure> {
    ticks(13)
}

fn ticks(first: usize) -> Result<u64, Failure> {
    let stat = fs::read_to_string("/proc/self/stat")?;
    let behind_name = stat.rsplit_once(')').ok_or("read /proc/self/stat")?.1;
    let fields: Vec<&str> = behind_name.split_whitespace().collect();
    Ok(fields[first].parse::<u64>()? + fields[first + 1].parse::<u64>()?)
}

/// The same work in this process, without any runtime: split, parse, filter, encode.
fn library(input: &Path) -> Result<Cost, Failure> {
    let mut parse = transform("parse", json!({ "format": "json" }))?;
    let mut filter = transform("filter", json!({ "condition": CONDITION }))?;
    let mut encoder: Encoder = EncodingConfig::default().build()?;
    let text = Bytes::from(fs::read(input)?);
    let keys = Arc::new(KeyTable::default());
    let (mut outputs, mut encoded) = (Outputs::default(), Vec::new());
    let before = ticks(11)?;
    let mut at = 0;
    while at < text.len() {
        let mut batch = Batch::with_keys(Arc::clone(&keys));
        let block = text.slice(at..(at + BLOCK_BYTES).min(text.len()));
        at += lines::split(&mut batch, &block, None, LineOptions::new("message", 0)).consumed;
        parse.process(batch, &mut outputs);
        let parsed: Vec<(Port, Batch)> = outputs.take_emitted().collect();
        for (_, batch) in parsed {
            filter.process(batch, &mut outputs);
        }
        let filtered: Vec<(Port, Batch)> = outputs.take_emitted().collect();
        for (_, batch) in filtered {
            encoded.clear();
            encoder.encode(&batch, &mut encoded);
            black_box(&encoded);
        }
        outputs.take_discarded().for_each(drop);
    }
    Ok(Cost { cpu_seconds: (ticks(11)? - before) as f64 / 100.0, peak_kib: 0 })
}

fn transform(name: &str, options: serde_json::Value) -> Result<Box<dyn Transform>, Failure> {
    let spec = lograil_transforms::SPECS.iter().find(|spec| spec.name == name);
    let Some(Build::Transform(build)) = spec.map(|spec| spec.build) else {
        return Err(format!("there is no transform {name}").into());
    };
    build(&Options(options)).map_err(|errors| format!("{errors:?}").into())
}
