//! The checks of a source: it runs on a thread as in the program, and is stopped in every way.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use lograil_event::{AckStatus, Batch};
use lograil_plugin::{
    BatchSender, BoxFuture, Build, Closed, ComponentMetrics, Options, Port, PositionUpdate,
    ShutdownTrigger, SourceError, SourceOutput, SourceStart, SystemClock, SystemFiles,
};
use tokio::sync::Semaphore;

use super::report::Verdict;
use super::subject::{Check, Subject, leaves_no_threads, words};

/// How long a source runs before it is stopped.
const RUNNING: Duration = Duration::from_millis(150);

/// Runs before and while threads are counted.
const RUNS_BEFORE: usize = 1;
const RUNS: usize = 3;

pub(super) fn checks() -> Vec<Check> {
    vec![
        Check::new("stopped as soon as it starts", |subject| {
            judge(Run::start(subject, Room::Enough).and_then(Run::stop))
        }),
        Check::new("stopped while it runs", |subject| {
            judge(Run::start(subject, Room::Enough).and_then(|run| run.wait().stop()))
        }),
        Check::new("stopped while nobody takes its events (back-pressure)", |subject| {
            judge(Run::start(subject, Room::None).and_then(|run| {
                let run = run.wait();
                run.trigger.request();
                let run = run.wait();
                run.gate.add_permits(Semaphore::MAX_PERMITS);
                run.stop()
            }))
        }),
        Check::new("the topology is gone", |subject| {
            judge(Run::start(subject, Room::Enough).and_then(|run| {
                run.gate.close();
                run.wait().stop()
            }))
        }),
        Check::new("no threads or files are left", |subject| {
            let mut skipped = None;
            let verdict = leaves_no_threads(RUNS_BEFORE, RUNS, || {
                let ran = Run::start(subject, Room::Enough).and_then(|run| run.wait().stop());
                match judge(ran) {
                    Verdict::Failed(why) => return Err(why),
                    Verdict::Skipped(why) => skipped = Some(why),
                    _ => {}
                }
                Ok(())
            });
            skipped.map_or(verdict, Verdict::Skipped)
        }),
        Check::new("cost", |subject| {
            let begun = Instant::now();
            match Run::start(subject, Room::Enough).and_then(|run| run.wait().stop()) {
                Ok(0) => Verdict::Skipped("it had no events".to_owned()),
                Ok(events) => Verdict::Measured(begun.elapsed().as_nanos() as f64 / events as f64),
                Err(error) => judge(Err(error)),
            }
        }),
    ]
}

fn judge(ran: Result<u64, String>) -> Verdict {
    match ran {
        Ok(_) => Verdict::Passed,
        Err(why) if why.contains("broke the rules") || why.contains("panicked") => {
            Verdict::Failed(why)
        }
        // It says itself that it cannot work here: a server that is not there.
        Err(why) => Verdict::Skipped(format!("it cannot run with the options given here: {why}")),
    }
}

/// Whether batches are taken.
enum Room {
    Enough,
    None,
}

/// A source at work.
struct Run {
    trigger: ShutdownTrigger,
    gate: Arc<Semaphore>,
    events: Arc<AtomicU64>,
    thread: JoinHandle<Result<(), SourceError>>,
}

struct Gate {
    open: Arc<Semaphore>,
    events: Arc<AtomicU64>,
}

impl BatchSender for Gate {
    fn send<'a>(
        &'a mut self,
        _: Port,
        mut batch: Batch,
        _: Vec<PositionUpdate>,
    ) -> BoxFuture<'a, Result<(), Closed>> {
        Box::pin(async move {
            let _room = self.open.acquire().await.map_err(|_| Closed)?;
            self.events.fetch_add(batch.len() as u64, Ordering::Relaxed);
            batch.take_acks().resolve(AckStatus::Delivered);
            Ok(())
        })
    }
}

impl Run {
    fn start(subject: &Subject, room: Room) -> Result<Self, String> {
        let Build::Source(build) = subject.spec.build else {
            return Err("it is no source".to_owned());
        };
        let mut source =
            build(&Options(subject.options.clone())).map_err(|errors| words(&errors))?;
        let permits = match room {
            Room::Enough => Semaphore::MAX_PERMITS,
            Room::None => 0,
        };
        let (gate, events) = (Arc::new(Semaphore::new(permits)), Arc::new(AtomicU64::new(0)));
        let (trigger, shutdown) = ShutdownTrigger::new();
        let output =
            SourceOutput::new(Box::new(Gate { open: gate.clone(), events: events.clone() }));
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            let runtime = runtime.map_err(|error| SourceError::Failed(error.to_string()))?;
            let start = SourceStart {
                id: "checked".into(),
                clock: Arc::new(SystemClock::default()),
                files: Arc::new(SystemFiles),
                positions: BTreeMap::new(),
                once: false,
                metrics: ComponentMetrics::detached(),
            };
            runtime.block_on(async {
                source.start(&start).await?;
                source.run(start.run_with(output, shutdown)).await
            })
        });
        Ok(Self { trigger, gate, events, thread })
    }

    /// Lets it run for a while, or to its end.
    fn wait(self) -> Self {
        let begun = Instant::now();
        while !self.thread.is_finished() && begun.elapsed() < RUNNING {
            std::thread::sleep(Duration::from_millis(1));
        }
        self
    }

    /// Stops it; how many events it brought. That it does end is what the parent waits for.
    fn stop(self) -> Result<u64, String> {
        self.trigger.request();
        match self.thread.join() {
            Ok(Ok(())) => Ok(self.events.load(Ordering::Relaxed)),
            Ok(Err(error)) => Err(error.to_string()),
            Err(_) => Err("its thread panicked".to_owned()),
        }
    }
}
