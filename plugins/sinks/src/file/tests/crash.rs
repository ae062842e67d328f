//! A crash or a power loss at every single call of a run with rotations: after the restart with the last
//! checkpoint the files are the ones of a run without it, byte for byte and name for name.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use lograil_plugin::SinkError;
use lograil_testkit::SimOperation;
use lograil_testkit::sim::Fault;
use serde_json::json;

use super::Setup;

const OPERATIONS: [SimOperation; 12] = [
    SimOperation::Open,
    SimOperation::Read,
    SimOperation::Write,
    SimOperation::SetLen,
    SimOperation::Sync,
    SimOperation::Metadata,
    SimOperation::Canonicalize,
    SimOperation::ReadDir,
    SimOperation::Rename,
    SimOperation::Remove,
    SimOperation::CreateDir,
    SimOperation::SyncDir,
];

/// What the runtime keeps: the sink's state and how many lines belong to it.
#[derive(Clone, Default)]
pub(super) struct Checkpoint {
    state: Option<String>,
    pub(super) lines: usize,
}

/// Offers `lines` from the checkpoint on, in batches of changing size, with a commit after every other one.
pub(super) fn deliver(
    setup: &Setup,
    lines: &[String],
    checkpoint: &mut Checkpoint,
) -> Result<(), SinkError> {
    let mut sink = setup.harness(checkpoint.state.clone());
    sink.open()?;
    sink.commit()?;
    checkpoint.state = sink.state();
    let mut next = checkpoint.lines;
    for round in 0.. {
        if next == lines.len() {
            break;
        }
        let end = (next + 1 + (next + round) % 5).min(lines.len());
        let batch: Vec<&str> = lines[next..end].iter().map(String::as_str).collect();
        sink.write_lines(&batch)?;
        next = end;
        if round % 2 == 1 || next == lines.len() {
            setup.clock.advance(Duration::from_secs(1));
            sink.commit()?;
            *checkpoint = Checkpoint { state: sink.state(), lines: next };
        }
    }
    // Backups that outlived their count for the sake of a checkpoint go with later commits.
    for _ in 0..2 {
        setup.clock.advance(Duration::from_secs(1));
        sink.commit()?;
    }
    Ok(())
}

/// Lets the machine stop at call number `call`: that one and all later ones fail.
pub(super) fn stop_at(setup: &Setup, call: u64) -> Arc<AtomicU64> {
    let calls = Arc::new(AtomicU64::new(0));
    for operation in OPERATIONS {
        let calls = Arc::clone(&calls);
        let stops = move |_: &std::path::Path| calls.fetch_add(1, Ordering::Relaxed) >= call;
        setup.files.inject(Fault::new(operation).on_path(stops));
    }
    calls
}

pub(super) fn lines(count: usize) -> Vec<String> {
    (0..count).map(|n| format!("{n:02} {}", "x".repeat(n * 7 % 23))).collect()
}

pub(super) fn setup(max_files: u32) -> Setup {
    Setup::new(json!({"rotate": {"max_bytes": 64, "max_files": max_files}}))
}

/// The same, with a header line in every file.
fn setup_with_headers(max_files: u32) -> Setup {
    let mut setup = setup(max_files);
    setup.options["encoding"] = json!({"codec": "csv", "csv": {"fields": ["message"]}});
    setup
}

/// The same, with backups that are packed.
fn setup_with_packing(max_files: u32) -> Setup {
    let mut setup = setup(max_files);
    setup.options["rotate"]["compression"] = json!("gzip");
    setup
}

fn check_every_call(setup: fn(u32) -> Setup, max_files: u32, seeds: std::ops::Range<u64>) {
    let lines = lines(30);
    let reference = setup(max_files);
    let calls = stop_at(&reference, u64::MAX);
    deliver(&reference, &lines, &mut Checkpoint::default()).unwrap();
    let expected = reference.layout();
    assert!(expected.len() > max_files.min(7) as usize, "the run rotates");
    for call in 0..calls.load(Ordering::Relaxed) {
        let mut stopped = setup(max_files);
        let calls = stop_at(&stopped, call);
        let mut checkpoint = Checkpoint::default();
        // The clean-up after the last commit may fail without an error.
        let _ = deliver(&stopped, &lines, &mut checkpoint);
        assert!(calls.load(Ordering::Relaxed) > call, "the machine stopped");
        stopped.files.heal();
        let powerless = seeds.clone().map(|seed| stopped.files.power_loss(seed));
        let survivors: Vec<_> = powerless.chain([stopped.files.crash()]).collect();
        for (survivor, files) in survivors.into_iter().enumerate() {
            stopped.files = files;
            let mut checkpoint = checkpoint.clone();
            deliver(&stopped, &lines, &mut checkpoint).unwrap();
            assert_eq!(stopped.layout(), expected, "stopped at call {call}, survivor {survivor}");
        }
    }
}

#[test]
fn nothing_is_lost_torn_or_doubled_wherever_the_machine_stops() {
    check_every_call(setup, 100, 0..6);
}

#[test]
fn the_backups_are_the_same_wherever_the_machine_stops() {
    check_every_call(setup, 2, 0..6);
}

#[test]
fn headers_are_neither_lost_nor_doubled_wherever_the_machine_stops() {
    check_every_call(setup_with_headers, 100, 0..3);
    check_every_call(setup_with_headers, 2, 0..3);
}

#[test]
fn packed_backups_are_neither_lost_nor_doubled_wherever_the_machine_stops() {
    check_every_call(setup_with_packing, 100, 0..3);
    check_every_call(setup_with_packing, 2, 0..3);
}
