//! Paths measured in turn, round after round, so that what else the machine does hits all of them alike; the
//! best round of each counts. The time is this thread's on a processor, where the system tells it, so that
//! waiting for a busy machine does not count.

use std::sync::OnceLock;
use std::time::{Duration, Instant};

/// One way of doing a job over all of the input.
pub struct Path<'a> {
    /// The path's name, by which one path alone can be run.
    pub name: &'static str,
    /// The path it is compared with.
    pub baseline: Option<&'static str>,
    /// Does the job once; the number depends on all of the result.
    pub run: Box<dyn FnMut() -> usize + 'a>,
}

/// How much a path works through.
#[derive(Debug, Clone, Copy)]
pub struct Size {
    /// Bytes of input.
    pub bytes: usize,
    /// Events of input.
    pub events: usize,
}

/// Runs one path alone, `rounds` times: for a profiler or an instruction count. Whether there is such a path.
pub fn run_alone(paths: &mut [Path<'_>], name: &str, rounds: usize, size: Size) -> bool {
    let Some(path) = paths.iter_mut().find(|path| path.name == name) else { return false };
    let mut sum = 0;
    for _ in 0..rounds {
        sum = std::hint::black_box((path.run)());
    }
    println!("{name}: {rounds} rounds of {} events, result {sum}", size.events);
    true
}

/// The number behind `--rounds` on the command line, or the default.
#[must_use]
pub fn rounds(arguments: &[String], default: usize) -> usize {
    let at = arguments.iter().position(|argument| argument == "--rounds");
    at.and_then(|at| arguments.get(at + 1)?.parse().ok()).unwrap_or(default)
}

/// The time this thread has had on a processor, or else since the first call.
#[must_use]
pub fn thread_time() -> Duration {
    static START: OnceLock<Instant> = OnceLock::new();
    let start = START.get_or_init(Instant::now);
    // The kernel brings its account of a thread up to date when the thread gives up its processor.
    std::thread::yield_now();
    let account = std::fs::read_to_string("/proc/thread-self/schedstat").ok();
    let ns = account.and_then(|text| text.split_whitespace().next()?.parse().ok());
    ns.map_or_else(|| start.elapsed(), Duration::from_nanos)
}

/// Compares all paths, or runs the one alone that the command line names; one that it has not ends the program.
pub fn run(title: &str, paths: &mut [Path<'_>], name: Option<&String>, rounds: usize, size: Size) {
    match name {
        None => compare(title, paths, rounds, size),
        Some(name) if run_alone(paths, name, rounds, size) => {}
        Some(name) => {
            let names: Vec<_> = paths.iter().map(|path| path.name).collect();
            eprintln!("no path {name}; there are: {}", names.join(", "));
            std::process::exit(2);
        }
    }
}

/// Runs every path `rounds` times in turn and prints what the best rounds gave.
pub fn compare(title: &str, paths: &mut [Path<'_>], rounds: usize, size: Size) {
    let mut best = vec![Duration::MAX; paths.len()];
    for _ in 0..rounds {
        for (path, best) in paths.iter_mut().zip(&mut best) {
            let start = thread_time();
            std::hint::black_box((path.run)());
            *best = thread_time().saturating_sub(start).min(*best);
        }
    }
    println!("\n{title}");
    println!("| path | MB/s | ns/event | times the baseline |");
    println!("|---|--:|--:|--:|");
    for (path, time) in paths.iter().zip(&best) {
        let base = paths.iter().position(|other| Some(other.name) == path.baseline);
        let ratio = base.map_or(String::new(), |base| {
            format!("{:.2}", best[base].as_secs_f64() / time.as_secs_f64())
        });
        let megabytes = size.bytes as f64 / 1e6 / time.as_secs_f64();
        let ns = time.as_nanos() as f64 / size.events as f64;
        println!("| {} | {megabytes:.0} | {ns:.1} | {ratio} |", path.name);
    }
}
