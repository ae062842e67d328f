//! The real source, the real sink and the real runtime on a simulated disk that loses power, again and
//! again, at any moment: in the end every line is there once, whole and in order.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

use std::path::{Path, PathBuf};
use std::sync::Arc;

use lograil_config::{LoadOptions, Plan, SourceFile, load};
use lograil_plugin::{Catalogue, MetricsRegistry};
use lograil_runtime::{RunOptions, Running, Seams};
use lograil_testkit::{EagerClock, SimFiles};

const TOPOLOGY: &str = r#"
[sources.app]
type = "file"
include = ["/logs/app.log*"]
max_read_bytes = "4KiB"

[transforms.sevens]
type = "filter"
inputs = ["app"]
condition = 'contains(.message, "7")'

[sinks.all]
type = "file"
inputs = ["app"]
path = "/out/all.log"
encoding.codec = "raw"
rotate.max_bytes = "20KiB"
rotate.max_files = 1000

[sinks.some]
type = "file"
inputs = ["sevens"]
path = "/out/some.log"
encoding.codec = "raw"
"#;

fn plan() -> Plan {
    let all = [lograil_sources::SPECS, lograil_transforms::SPECS, lograil_sinks::SPECS];
    let catalogue = Catalogue::new(all.into_iter().flatten().copied());
    let files = vec![SourceFile { name: "t.toml".into(), text: TOPOLOGY.into() }];
    let env = |_: &str| None;
    let options = LoadOptions { files, sets: Vec::new(), env: &env, base_dir: PathBuf::from("/") };
    let loaded = load(options, &catalogue);
    assert!(loaded.diagnostics.is_empty(), "{:?}", loaded.diagnostics);
    loaded.plan.unwrap()
}

fn numbered(range: std::ops::Range<u64>) -> String {
    range.map(|n| format!("line {n}\n")).collect()
}

/// The sink's files, the oldest first, as one text.
fn output(files: &SimFiles, path: &str) -> String {
    let backup = |n: usize| format!("{path}.{n}");
    let count = (1..).take_while(|n| files.exists(backup(*n))).count();
    let mut text: String = (1..=count).rev().map(|n| files.text(backup(n))).collect();
    if files.exists(path) {
        text.push_str(&files.text(path));
    }
    text
}

async fn start(files: &SimFiles, data_dir: &Path) -> Running {
    let seams = Seams {
        clock: Arc::new(EagerClock::default()),
        files: files.shared(),
        metrics: MetricsRegistry::default(),
    };
    let options = RunOptions { once: true, data_dir: Some(data_dir.to_owned()) };
    Running::start(plan(), options, seams).await.unwrap()
}

/// Runs to the end, unless the power goes after so many calls on the disk. What is on the disk then, and
/// whether the power went.
async fn run(files: &SimFiles, data_dir: &Path, calls: u64, seed: u64) -> (SimFiles, bool) {
    files.lose_power_after(calls, seed);
    let mut running = start(files, data_dir).await;
    loop {
        if let Some(left) = files.after_loss() {
            running.abandon();
            running.wait().await;
            running.crash().await;
            return (left, true);
        }
        tokio::select! {
            biased;
            () = running.wait() => break,
            () = tokio::task::yield_now() => {}
        }
    }
    assert!(running.finish().await.is_clean());
    let left = files.after_loss();
    let lost = left.is_some();
    (left.unwrap_or_else(|| files.clone()), lost)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_line_is_there_once_after_any_number_of_power_losses() {
    let mut losses = 0;
    for seed in 0..100_u64 {
        let data_dir = tempfile::tempdir().unwrap();
        let mut files = SimFiles::new();
        files.mkdir("/logs");
        files.mkdir("/out");
        files.mkdir(data_dir.path());
        files.write("/logs/app.log.1", numbered(0..2_500));
        files.write("/logs/app.log", numbered(2_500..6_000));
        for round in 0.. {
            let calls = (seed * 131 + round * 71) % 100;
            let lost;
            (files, lost) = run(&files, data_dir.path(), calls, seed * 1000 + round).await;
            if !lost {
                break;
            }
            losses += 1;
        }
        assert_eq!(output(&files, "/out/all.log"), numbered(0..6_000), "seed {seed}");
        let some: String =
            numbered(0..6_000).split_inclusive('\n').filter(|line| line.contains('7')).collect();
        assert_eq!(output(&files, "/out/some.log"), some, "seed {seed}");
    }
    assert!(losses > 100, "only {losses} power losses");
}
