//! Starts at which a source says that it cannot give again what was read since the checkpoint.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::fakes::{Fake, Faults, HasLost, Lines, plan, store};
use crate::{Shared, numbered, options, seams};
use lograil_runtime::{Running, Seams};
use lograil_testkit::{ManualClock, SimFiles};

fn none(is_lost: bool, asked: &Arc<AtomicU64>) -> Fake {
    let asked = Arc::clone(asked);
    let none = || Lines { count: 0, per_batch: 1, replays: true, endless: false };
    Fake::Source(Box::new(move || {
        let asked = Arc::clone(&asked);
        if is_lost { Box::new(HasLost { lines: none(), asked }) } else { Box::new(none()) }
    }))
}

/// Writes 60 lines behind the first checkpoint, and is killed.
async fn killed(disk: &Shared, options: &lograil_runtime::RunOptions, files: &SimFiles) {
    let endless = Fake::Source(Box::new(|| {
        Box::new(Lines { count: 60, per_batch: 7, replays: true, endless: true })
    }));
    let plan = plan(vec![("in", endless, &[]), ("out", store(disk, Faults::default()), &["in"])]);
    // Time stands still, so that no other checkpoint is written.
    let seams = Seams { clock: ManualClock::new().shared(), ..seams(files) };
    let mut running = Running::start(plan, options.clone(), seams).await.unwrap();
    while disk.lock().unwrap().lines.len() < 60 {
        tokio::task::yield_now().await;
    }
    running.abandon();
    running.wait().await;
    running.crash().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sinks_keep_what_a_source_above_cannot_give_again_and_only_those() {
    for (is_lost, wanted) in [(true, 60), (false, 0)] {
        let (disk, asked) = (Shared::default(), Arc::default());
        let (files, (_dir, options)) = (SimFiles::new(), options());
        killed(&disk, &options, &files).await;
        // The second start is after a clean end: there is nothing to give again.
        for start in 0..2 {
            let plan = plan(vec![
                ("in", none(is_lost, &asked), &[]),
                ("out", store(&disk, Faults::default()), &["in"]),
            ]);
            let mut running = Running::start(plan, options.clone(), seams(&files)).await.unwrap();
            running.wait().await;
            assert!(running.finish().await.is_clean());
            assert_eq!(disk.lock().unwrap().lines, numbered(0..wanted), "start {start}");
            assert_eq!(asked.load(Ordering::Relaxed), u64::from(is_lost), "start {start}");
        }
    }
}

/// One that opens late must keep it as well, also if it is killed again before that.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sink_that_is_away_at_such_a_start_keeps_it_at_the_next() {
    let (disk, asked) = (Shared::default(), Arc::default());
    let (files, (_dir, options)) = (SimFiles::new(), options());
    killed(&disk, &options, &files).await;
    let away = Faults { open_failures: u64::MAX, ..Faults::default() };
    let first = plan(vec![("in", none(true, &asked), &[]), ("out", store(&disk, away), &["in"])]);
    let mut running = Running::start(first, options.clone(), seams(&files)).await.unwrap();
    running.abandon();
    running.wait().await;
    running.crash().await;
    let second = plan(vec![
        ("in", none(false, &asked), &[]),
        ("out", store(&disk, Faults::default()), &["in"]),
    ]);
    let mut running = Running::start(second, options, seams(&files)).await.unwrap();
    running.wait().await;
    assert!(running.finish().await.is_clean());
    assert_eq!(disk.lock().unwrap().lines, numbered(0..60));
}
