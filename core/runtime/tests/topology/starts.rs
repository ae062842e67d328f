//! Sources that cannot start: the topology does not, or what ran goes on, whatever else was to change with them.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use lograil_plugin::{BoxFuture, ComponentSpec, Source, SourceContext, SourceError, SourceStart};
use lograil_runtime::{Running, RuntimeError};
use lograil_testkit::SimFiles;
use tempfile::TempDir;

use crate::fakes::{Fake, Faults, Lines, keep, plan, store};
use crate::reload::{Dice, assert_each_once, turns};
use crate::{Shared, options, seams};

const LINES: u64 = 1500;

struct Unable;

impl Source for Unable {
    fn start<'a>(&'a mut self, _: &'a SourceStart) -> BoxFuture<'a, Result<(), SourceError>> {
        Box::pin(async { Err(SourceError::Failed("the port is taken".to_owned())) })
    }

    fn run(self: Box<Self>, _: SourceContext) -> BoxFuture<'static, Result<(), SourceError>> {
        panic!("it did not start");
    }

    fn replays(&self) -> bool {
        true
    }
}

fn unable() -> ComponentSpec {
    Fake::Source(Box::new(|| Box::new(Unable))).spec()
}

/// Starts the first time, then not for some times.
struct Hindered {
    starts: Arc<AtomicU64>,
    failures: u64,
    lines: Lines,
}

impl Source for Hindered {
    fn start<'a>(&'a mut self, _: &'a SourceStart) -> BoxFuture<'a, Result<(), SourceError>> {
        let before = self.starts.fetch_add(1, Ordering::Relaxed);
        let is_hindered = (1..=self.failures).contains(&before);
        let hindrance = || SourceError::Failed("somebody else has the port".to_owned());
        Box::pin(async move { if is_hindered { Err(hindrance()) } else { Ok(()) } })
    }

    fn run(self: Box<Self>, context: SourceContext) -> BoxFuture<'static, Result<(), SourceError>> {
        Box::new(self.lines).run(context)
    }

    fn replays(&self) -> bool {
        true
    }
}

fn hindered(starts: &Arc<AtomicU64>, failures: u64) -> ComponentSpec {
    let starts = Arc::clone(starts);
    Fake::Source(Box::new(move || {
        let lines = Lines { count: LINES, per_batch: 3, replays: true, endless: true };
        Box::new(Hindered { starts: Arc::clone(&starts), failures, lines })
    }))
    .spec()
}

/// A topology of which the source was stopped in a change that was refused, and cannot start again for some times.
async fn refused_and_hindered(
    disk: &Shared,
    starts: &Arc<AtomicU64>,
    failures: u64,
) -> (TempDir, Running) {
    let first = hindered(starts, failures);
    let out = store(disk, Faults::default()).spec();
    let with =
        |input| plan(vec![("in", Fake::Made(input), &[]), ("out", Fake::Made(out), &["in"])]);
    let (dir, options) = options();
    let mut running = Running::start(with(first), options, seams(&SimFiles::new())).await.unwrap();
    turns(20).await;
    assert_told(&running.reload(with(unable())).await.unwrap_err());
    (dir, running)
}

#[tokio::test]
async fn a_source_that_cannot_go_on_at_once_goes_on_when_it_can() {
    let (disk, starts) = (Shared::default(), Arc::default());
    let (_dir, mut running) = refused_and_hindered(&disk, &starts, 4).await;
    for _ in 0..100_000 {
        turns(1).await;
        if disk.lock().unwrap().lines.len() as u64 == LINES {
            break;
        }
    }
    running.stop();
    running.wait().await;
    let status = running.observer().status();
    let outcome = running.finish().await;
    assert!(outcome.is_clean(), "{outcome:?}");
    assert_eq!(starts.load(Ordering::Relaxed), 6);
    assert_each_once(&disk, LINES, "hindered");
    crate::assert_balanced(&status);
}

#[tokio::test]
async fn a_stop_does_not_wait_for_a_source_that_cannot_go_on() {
    let (disk, starts) = (Shared::default(), Arc::default());
    let (_dir, mut running) = refused_and_hindered(&disk, &starts, u64::MAX).await;
    running.stop();
    running.wait().await;
    let outcome = running.finish().await;
    assert!(outcome.is_clean(), "{outcome:?}");
}

#[tokio::test]
async fn a_source_that_cannot_go_on_for_long_ends_the_topology() {
    let (disk, starts) = (Shared::default(), Arc::default());
    let (_dir, mut running) = refused_and_hindered(&disk, &starts, u64::MAX).await;
    running.wait().await;
    let outcome = running.finish().await;
    let told = format!("{outcome:?}");
    assert!(told.contains("somebody else has the port; tried again for 300 s"), "{told}");
}

fn able(per_batch: u64) -> ComponentSpec {
    Fake::Source(Box::new(move || {
        Box::new(Lines { count: LINES, per_batch, replays: true, endless: true })
    }))
    .spec()
}

fn assert_told(error: &RuntimeError) {
    assert_eq!(error.to_string(), "start source in: the port is taken");
}

#[tokio::test]
async fn a_source_that_cannot_start_leaves_all_as_it_was() {
    let (mut applied, mut refused) = (0, 0);
    for seed in 0..40 {
        let (disk, mut dice) = (Shared::default(), Dice(seed));
        let faults = Faults { write_failures: seed % 3, ..Faults::default() };
        let inputs = [able(1 + seed % 3), able(2), unable(), unable()];
        let passes = [keep("line", "x").spec(), keep("line", "x").spec()];
        let outs = [store(&disk, faults).spec(), store(&disk, Faults::default()).spec()];
        let with = |input: u64, dice: &mut Dice| {
            plan(vec![
                ("in", Fake::Made(inputs[input as usize]), &[]),
                ("pass", Fake::Made(passes[dice.throw(2) as usize]), &["in"]),
                ("out", Fake::Made(outs[dice.throw(2) as usize]), &["pass"]),
            ])
        };
        let (_dir, options) = options();
        let first = with(0, &mut dice);
        let mut running = Running::start(first, options, seams(&SimFiles::new())).await.unwrap();
        for _ in 0..20 {
            turns(dice.throw(40)).await;
            let input = dice.throw(4);
            match running.reload(with(input, &mut dice)).await {
                Ok(_) => applied += 1,
                Err(error) => {
                    assert!(input >= 2, "{error}");
                    assert_told(&error);
                    refused += 1;
                }
            }
        }
        while (disk.lock().unwrap().lines.len() as u64) < LINES {
            tokio::task::yield_now().await;
        }
        running.stop();
        running.wait().await;
        let status = running.observer().status();
        assert!(running.finish().await.is_clean(), "seed {seed}");
        assert_each_once(&disk, LINES, &format!("seed {seed}"));
        crate::assert_balanced(&status);
    }
    assert!(applied > 200 && refused > 200, "{applied} applied, {refused} refused");
}

#[tokio::test]
async fn a_topology_of_which_a_source_cannot_start_does_not_start() {
    let disk = Shared::default();
    let all = vec![
        ("other", Fake::Made(able(3)), &[][..]),
        ("in", Fake::Made(unable()), &[]),
        ("out", store(&disk, Faults::default()), &["in", "other"]),
    ];
    let (_dir, options) = options();
    let started = Running::start(plan(all), options, seams(&SimFiles::new())).await;
    assert_told(&started.err().unwrap());
    turns(100).await;
    assert!(disk.lock().unwrap().lines.is_empty());
}
