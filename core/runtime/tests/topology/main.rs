//! Whole topologies of fake components: order, accounting, checkpoints, faults, stopping.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

mod fakes;
mod faults;
mod injection;
mod lost_input;
mod reload;
mod starts;
mod states;

use std::sync::{Arc, Mutex};

use fakes::{Disk, EagerClock, Fake, Faults, Lines, keep, lines, plan, store};
use lograil_plugin::MetricsRegistry;
use lograil_runtime::{Outcome, RunOptions, Running, Seams, TopologyStatus};
use lograil_testkit::SimFiles;

type Shared = Arc<Mutex<Disk>>;

fn seams(files: &SimFiles) -> Seams {
    Seams {
        clock: Arc::new(EagerClock::default()),
        files: files.shared(),
        metrics: MetricsRegistry::default(),
    }
}

fn options() -> (tempfile::TempDir, RunOptions) {
    let dir = tempfile::tempdir().unwrap();
    let data_dir = Some(dir.path().to_owned());
    (dir, RunOptions { once: true, data_dir })
}

async fn run(plan: lograil_config::Plan) -> (Outcome, TopologyStatus) {
    let (_dir, options) = options();
    let mut running = Running::start(plan, options, seams(&SimFiles::new())).await.unwrap();
    let observer = running.observer();
    running.wait().await;
    (running.finish().await, observer.status())
}

fn numbered(range: std::ops::Range<u64>) -> Vec<String> {
    range.map(|n| format!("line {n}")).collect()
}

fn assert_balanced(status: &TopologyStatus) {
    for component in &status.components {
        assert_eq!(component.in_flight_events, 0, "{}: {:?}", component.id, component.ledger);
        assert_eq!(component.ledger.created, 0, "{}: {:?}", component.id, component.ledger);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn keeps_order_and_accounts_for_every_event() {
    let disk = Shared::default();
    let (outcome, status) = run(plan(vec![
        ("in", lines(1000, 7), &[]),
        ("first", keep("line", "a"), &["in"]),
        ("second", keep("5", "b"), &["first"]),
        ("out", store(&disk, Faults::default()), &["second"]),
    ]))
    .await;
    assert!(outcome.is_clean(), "{outcome:?}");
    let wanted: Vec<_> = numbered(0..1000).into_iter().filter(|l| l.contains('5')).collect();
    assert_eq!(disk.lock().unwrap().lines, wanted);
    assert_balanced(&status);
    assert_eq!(status.components[2].ledger.discarded, 1000 - wanted.len() as u64);
    assert_eq!(status.in_flight_batches, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_branch_does_not_change_what_the_other_sees() {
    let (left, right) = (Shared::default(), Shared::default());
    let (outcome, status) = run(plan(vec![
        ("in", lines(500, 11), &[]),
        ("half", keep("2", "left"), &["in"]),
        ("left", store(&left, Faults::default()), &["half"]),
        ("right", store(&right, Faults::default()), &["in"]),
    ]))
    .await;
    assert!(outcome.is_clean());
    assert_eq!(right.lock().unwrap().lines, numbered(0..500));
    assert!(left.lock().unwrap().lines.iter().all(|line| line.contains('2')));
    assert_balanced(&status);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sink_that_fails_for_a_while_gets_everything_once() {
    let disk = Shared::default();
    let faults = Faults { write_failures: 9, ..Faults::default() };
    let (outcome, status) =
        run(plan(vec![("in", lines(300, 10), &[]), ("out", store(&disk, faults), &["in"])])).await;
    assert!(outcome.is_clean());
    assert_eq!(disk.lock().unwrap().lines, numbered(0..300));
    assert_eq!(status.components[1].errors, 9);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn refused_events_go_to_the_dead_letter_output_with_the_reason() {
    let (disk, letters) = (Shared::default(), Shared::default());
    let faults = Faults { refuse: Some("7"), ..Faults::default() };
    let (outcome, status) = run(plan(vec![
        ("in", lines(100, 9), &[]),
        ("out", store(&disk, faults), &["in"]),
        ("letters", store(&letters, Faults::default()), &["out.dead_letter"]),
    ]))
    .await;
    assert!(outcome.is_clean(), "{outcome:?}");
    let (kept, refused): (Vec<_>, Vec<_>) =
        numbered(0..100).into_iter().partition(|line| !line.contains('7'));
    assert_eq!(disk.lock().unwrap().lines, kept);
    assert_eq!(letters.lock().unwrap().lines, refused);
    assert_eq!(status.components[1].ledger.dead_lettered, refused.len() as u64);
    assert_balanced(&status);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ends_quietly_when_nobody_reads_the_output() {
    let disk = Shared::default();
    let faults = Faults { closes_after: Some(3), ..Faults::default() };
    let endless = Fake::Source(Box::new(|| {
        Box::new(Lines { count: 1_000_000, per_batch: 1, replays: false, endless: true })
    }));
    let (outcome, _) =
        run(plan(vec![("in", endless, &[]), ("out", store(&disk, faults), &["in"])])).await;
    assert!(outcome.is_clean(), "{outcome:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sink_that_fails_for_good_ends_the_topology_and_leaves_the_rest_undelivered() {
    let disk = Shared::default();
    let faults = Faults { fails_after: Some(3), ..Faults::default() };
    let (outcome, _) =
        run(plan(vec![("in", lines(1000, 1), &[]), ("out", store(&disk, faults), &["in"])])).await;
    assert_eq!(outcome.failures, [("out".to_owned(), "broken".to_owned())]);
    assert!(outcome.undelivered_batches > 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn giving_up_on_a_stuck_sink_says_what_was_not_delivered() {
    let disk = Shared::default();
    let faults = Faults { stuck: true, ..Faults::default() };
    let plan = plan(vec![("in", lines(10, 1), &[]), ("out", store(&disk, faults), &["in"])]);
    let (_dir, options) = options();
    let mut running = Running::start(plan, options, seams(&SimFiles::new())).await.unwrap();
    running.stop();
    running.abandon();
    running.wait().await;
    let outcome = running.finish().await;
    assert!(outcome.failures.is_empty(), "{outcome:?}");
    let batches_sent = outcome.undelivered_batches;
    assert!(disk.lock().unwrap().lines.is_empty() && batches_sent <= 10);
}

/// Abandons the topology at a random moment and starts it again, until all lines are through; two sinks,
/// one of them behind a filter, must in the end hold every line once and in order.
#[tokio::test]
async fn every_line_is_stored_once_whatever_moment_it_is_cut_off() {
    let mut cut_off_between = 0;
    for seed in 0..100_u64 {
        let (all, some) = (Shared::default(), Shared::default());
        let files = SimFiles::new();
        let (_dir, options) = options();
        let mut restarts = 0;
        loop {
            let slow = Faults { write_failures: seed % 3, ..Faults::default() };
            let plan = plan(vec![
                ("in", lines(400, 1 + seed % 5), &[]),
                ("odd", keep("1", "x"), &["in"]),
                ("all", store(&all, Faults::default()), &["in"]),
                ("some", store(&some, slow), &["odd"]),
            ]);
            let mut running = Running::start(plan, options.clone(), seams(&files)).await.unwrap();
            let turns = (seed * 37 + restarts * 101) % 40;
            let cut_off = async {
                for _ in 0..turns * (restarts / 4 + 1) {
                    tokio::task::yield_now().await;
                }
            };
            tokio::select! {
                biased;
                () = running.wait() => {
                    assert!(running.finish().await.is_clean());
                    break;
                }
                () = cut_off => running.abandon(),
            }
            running.wait().await;
            running.crash().await;
            restarts += 1;
            let stored = all.lock().unwrap().lines.len();
            cut_off_between += u64::from(stored > 0 && stored < 400);
        }
        assert_eq!(all.lock().unwrap().lines, numbered(0..400), "seed {seed}");
        let odd: Vec<_> = numbered(0..400).into_iter().filter(|l| l.contains('1')).collect();
        assert_eq!(some.lock().unwrap().lines, odd, "seed {seed}");
    }
    assert!(cut_off_between > 100, "{cut_off_between}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_topology_on_the_same_data_directory_is_refused() {
    let disk = Shared::default();
    let make = || {
        let endless = Fake::Source(Box::new(|| {
            Box::new(Lines { count: 0, per_batch: 1, replays: true, endless: true })
        }));
        plan(vec![("in", endless, &[]), ("out", store(&disk, Faults::default()), &["in"])])
    };
    let (_dir, options) = options();
    let files = SimFiles::new();
    let first = Running::start(make(), options.clone(), seams(&files)).await.unwrap();
    let second = Running::start(make(), options, seams(&files)).await;
    let message = second.err().map(|error| error.to_string()).unwrap_or_default();
    assert!(message.contains("another lograil process"), "{message}");
    drop(first);
}

#[tokio::test]
async fn a_damaged_checkpoint_is_reported_and_left_alone() {
    let disk = Shared::default();
    let files = SimFiles::new();
    let (dir, options) = options();
    files.shared().create_dir_all(dir.path()).unwrap();
    let path = dir.path().join("checkpoint.json");
    files.write(&path, "{ not json");
    let plan =
        plan(vec![("in", lines(1, 1), &[]), ("out", store(&disk, Faults::default()), &["in"])]);
    let error = Running::start(plan, options, seams(&files)).await.err().unwrap().to_string();
    assert!(error.contains("checkpoint.json") && error.contains("move it away"), "{error}");
    assert_eq!(files.text(&path), "{ not json");
}
