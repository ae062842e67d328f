//! Instructions an event, counted by valgrind, which are the same however busy the machine is.

use std::path::Path as FilePath;
use std::process::Command;

use lograil_benches::measure::{Path, Size};

/// Runs each path under callgrind and prints what it counted in the transform, or in the check of its answer, of a second
/// round: the first one also binds symbols, reads the keys and fills caches, which is no cost of an event.
pub fn table(library: &FilePath, paths: &[Path<'_>], size: Size, records: f64) {
    println!("\n| path | instructions an event | a record | times the baseline |");
    println!("|---|--:|--:|--:|");
    let mut counted: Vec<(&str, f64)> = Vec::new();
    for path in paths {
        let Some(both) = count(library, path.name, 2) else { continue };
        let Some(first) = count(library, path.name, 1) else { continue };
        let each = (both - first) / size.events as f64;
        let base = counted.iter().find(|(name, _)| Some(*name) == path.baseline);
        let ratio = base.map_or(String::new(), |(_, base)| format!("{:.3}", each / base));
        println!("| {} | {each:.0} | {:.1} | {ratio} |", path.name, each / records);
        counted.push((path.name, each));
    }
}

/// What callgrind counts while one of the functions that are measured runs; none where nothing is counted.
fn count(library: &FilePath, path: &str, rounds: usize) -> Option<f64> {
    let ran = Command::new("valgrind")
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
        .arg("--toggle-collect=*through_*")
        .arg(std::env::current_exe().ok()?)
        .arg(library)
        .args([path, "--rounds", &rounds.to_string()])
        .output();
    let ran = ran.unwrap_or_else(|error| super::fail(&format!("valgrind: {error}")));
    let said = String::from_utf8_lossy(&ran.stderr);
    let collected = said.lines().find_map(|line| line.split_once("Collected :"));
    collected?.1.trim().parse().ok().filter(|count| *count > 0.0)
}
