//! How well bursts are found: needs the generator and the scorer of the burst benchmark, which are not part of the
//! repository; found beside the directory that LOGRAIL_SHARED_DATA names, and says so where they are missing.

use std::io::{BufRead, BufReader, Write};
use std::process::{Command, Stdio};

use super::detector::{Change, Detector};
use super::options::BurstOptions;
use crate::shared_data;

/// Seeds that are run; LOGRAIL_BURST_SEEDS (`1-20`) says otherwise.
const SEEDS: &str = "1-3";

/// Writes the counts of a stream, reads what was found in it, stream after stream; then prints the benchmark's table, and
/// as the last line macro-F1 and false alarms an hour.
const REFEREE: &str = "
import io, json, sys, contextlib
sys.path.insert(0, sys.argv[1])
import burst_bench as bench
first, last = map(int, sys.argv[2].split('-'))
sums = {}
for seed in range(first, last + 1):
    for family in bench.FAM:
        for snr in (bench.SNR if family != 'nobursts' else [0]):
            counts, truth = bench.stream(family, snr, seed)
            print(' '.join(map(str, counts)), flush=True)
            found = json.loads(sys.stdin.readline())
            ignored = [(bench.L // 2, bench.L // 2 + 900)] if family == 'step' else []
            hits, false, delays, errors = bench.match(truth, found, ignored)
            for key in ('all', family, 'snr%d' % snr):
                total = sums.setdefault(('burst', key), [0, 0, 0, [], [], 0])
                total[0] += hits; total[1] += len(truth); total[2] += false
                total[3] += delays; total[4] += errors; total[5] += 1
print('END')
bench.show(sums, ['burst'])
f1 = []
for family in bench.FAM:
    if family != 'nobursts':
        hits, all, false = sums[('burst', family)][:3]
        f1.append(2 * hits / (hits + false + all))
total = sums[('burst', 'all')]
print(sum(f1) / len(f1), total[2] / total[5] / 6)
";

/// Starts and ends, in seconds, each as it is told.
fn detect(counts: &str) -> Vec<[usize; 2]> {
    let limit = BurstOptions::default().sensitivity;
    let mut detector = Detector::new();
    let mut found = Vec::new();
    let mut start = None;
    let mut seconds = 0;
    for count in counts.split_ascii_whitespace() {
        match detector.close(count.parse().unwrap(), limit) {
            Some(Change::Started(_)) => start = Some(seconds),
            Some(Change::Ended(..)) => found.extend(start.take().map(|start| [start, seconds])),
            None => {}
        }
        seconds += 1;
    }
    found.extend(start.map(|start| [start, seconds]));
    found
}

#[test]
fn finds_the_bursts_of_the_benchmark() {
    let Some(data) = shared_data::root() else { return };
    let Some(python) = shared_data::python() else { return };
    let seeds = std::env::var("LOGRAIL_BURST_SEEDS").unwrap_or_else(|_| SEEDS.to_owned());
    let mut referee = Command::new(python)
        .args(["-c", REFEREE])
        .arg(data.join("../tools"))
        .arg(seeds)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut answers = referee.stdin.take().unwrap();
    let mut lines = BufReader::new(referee.stdout.take().unwrap()).lines();
    for counts in lines.by_ref() {
        let counts = counts.unwrap();
        if counts == "END" {
            break;
        }
        writeln!(answers, "{}", serde_json::to_string(&detect(&counts)).unwrap()).unwrap();
    }
    let table: Vec<String> = lines.map(|line| line.unwrap()).collect();
    assert!(referee.wait().unwrap().success());
    let (figures, table) = table.split_last().unwrap();
    println!("{}", table.join("\n"));
    let (macro_f1, false_per_hour) = figures.split_once(' ').unwrap();
    println!("| burst | macro-F1 | false alarms an hour |\n|---|--:|--:|");
    println!("| default | {macro_f1:.5} | {false_per_hour:.5} |");
    assert!(macro_f1.parse::<f64>().unwrap() >= 0.72, "{macro_f1}");
    assert!(false_per_hour.parse::<f64>().unwrap() <= 0.4, "{false_per_hour}");
}
