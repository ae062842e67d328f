//! Runs one source, keeps what it sends, and plays checkpoint, back-pressure and stop.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::{
    BatchSender, BoxFuture, Closed, ComponentMetrics, FileSystem, Port, PositionUpdate,
    ShutdownTrigger, Source, SourceError, SourceOutput, SourceStart,
};
use lograil_event::Batch;
use serde_json::Value;
use tokio::runtime::Runtime;
use tokio::sync::{Notify, oneshot};

use super::{COMPONENT_ID, current_thread, in_time};
use crate::testing::batches::{events_of, lines_of};
use crate::testing::clock::{ManualClock, settle};
use crate::testing::sim::SimFiles;

/// What a source sent in one call.
#[derive(Debug)]
pub struct Sent {
    /// The output it went to.
    pub port: Port,
    /// The batch itself.
    pub batch: Batch,
    /// What the checkpoint learns when it is acknowledged.
    pub positions: Vec<PositionUpdate>,
}

impl Sent {
    /// The events as JSON objects.
    #[must_use]
    pub fn events(&self) -> Vec<Value> {
        events_of(&self.batch)
    }

    /// The bytes of the field `message` of each event.
    #[must_use]
    pub fn lines(&self) -> Vec<Vec<u8>> {
        lines_of(&self.batch)
    }
}

/// How the source's output behaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Flow {
    Open,
    Held,
    Closed,
}

struct Output {
    flow: Flow,
    /// Sends that wait while the output is held.
    waiting: usize,
    sent: Vec<Arc<Sent>>,
    /// Whether the source has returned or panicked.
    ended: bool,
}

struct Shared {
    output: Mutex<Output>,
    changed: Notify,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Output> {
        self.output.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn set_flow(&self, flow: Flow) {
        self.lock().flow = flow;
        self.changed.notify_waiters();
    }
}

/// Says that the source has ended, when it is dropped: also by a panic.
struct End(Arc<Shared>);

impl Drop for End {
    fn drop(&mut self) {
        self.0.lock().ended = true;
        self.0.changed.notify_waiters();
    }
}

struct Capture(Arc<Shared>);

impl BatchSender for Capture {
    fn send<'a>(
        &'a mut self,
        port: Port,
        mut batch: Batch,
        positions: Vec<PositionUpdate>,
    ) -> BoxFuture<'a, Result<(), Closed>> {
        batch.freeze();
        Box::pin(async move {
            let mut waits = false;
            loop {
                let changed = self.0.changed.notified();
                {
                    let mut output = self.0.lock();
                    if output.flow != Flow::Held {
                        output.waiting -= usize::from(waits);
                        if output.flow == Flow::Closed {
                            return Err(Closed);
                        }
                        output.sent.push(Arc::new(Sent { port, batch, positions }));
                        break;
                    }
                    output.waiting += usize::from(!waits);
                    waits = true;
                }
                changed.await;
            }
            self.0.changed.notify_waiters();
            // As a full edge does now and then: others run between two batches.
            tokio::task::yield_now().await;
            Ok(())
        })
    }
}

/// What the source under test is given.
pub struct SourceHarnessBuilder {
    source: Box<dyn Source>,
    clock: ManualClock,
    files: Arc<dyn FileSystem>,
    positions: BTreeMap<String, String>,
    once: bool,
    own_thread: bool,
    flow: Flow,
    metrics: ComponentMetrics,
}

impl SourceHarnessBuilder {
    /// The clock; a new one otherwise.
    #[must_use]
    pub fn clock(mut self, clock: &ManualClock) -> Self {
        self.clock = clock.clone();
        self
    }

    /// The file system; an empty simulated one otherwise.
    #[must_use]
    pub fn files(mut self, files: Arc<dyn FileSystem>) -> Self {
        self.files = files;
        self
    }

    /// The positions to start from, as [`SourceHarness::acknowledged_positions`] of an earlier run says.
    #[must_use]
    pub fn positions(mut self, positions: BTreeMap<String, String>) -> Self {
        self.positions = positions;
        self
    }

    /// The metrics; detached ones otherwise.
    #[must_use]
    pub fn metrics(mut self, metrics: ComponentMetrics) -> Self {
        self.metrics = metrics;
        self
    }

    /// Runs the source to the end of its input as it is now.
    #[must_use]
    pub fn once(mut self) -> Self {
        self.once = true;
        self
    }

    /// Holds back the first send already.
    #[must_use]
    pub fn held(mut self) -> Self {
        self.flow = Flow::Held;
        self
    }

    /// Runs the source on a thread of its own, for sources that block it (reads of a pipe). Without that,
    /// the source runs only while the test waits in a method of the harness.
    #[must_use]
    pub fn on_own_thread(mut self) -> Self {
        self.own_thread = true;
        self
    }

    /// Starts the source.
    #[must_use]
    pub fn start(self) -> SourceHarness {
        let output = Output { flow: self.flow, waiting: 0, sent: Vec::new(), ended: false };
        let shared = Arc::new(Shared { output: Mutex::new(output), changed: Notify::new() });
        let (trigger, shutdown) = ShutdownTrigger::new();
        let output = SourceOutput::new(Box::new(Capture(Arc::clone(&shared))));
        let start = SourceStart {
            id: COMPONENT_ID.into(),
            clock: self.clock.shared(),
            files: self.files,
            positions: self.positions.clone(),
            once: self.once,
            metrics: self.metrics,
        };
        let runtime = current_thread();
        let (report, result) = oneshot::channel();
        let mut source = self.source;
        let end = End(Arc::clone(&shared));
        let run = async move {
            let _end = end;
            let result = match source.start(&start).await {
                Ok(()) => source.run(start.run_with(output, shutdown)).await,
                failed => failed,
            };
            // The harness may be gone: then nobody asks.
            let _unasked = report.send(result);
        };
        if self.own_thread {
            std::thread::spawn(move || current_thread().block_on(run));
        } else {
            runtime.spawn(run);
        }
        SourceHarness {
            runtime,
            clock: self.clock,
            shared,
            trigger,
            result: Some(result),
            ended: None,
            positions: self.positions,
            next: 0,
        }
    }
}

/// A running source.
pub struct SourceHarness {
    runtime: Runtime,
    clock: ManualClock,
    shared: Arc<Shared>,
    trigger: ShutdownTrigger,
    result: Option<oneshot::Receiver<Result<(), SourceError>>>,
    ended: Option<Result<(), String>>,
    positions: BTreeMap<String, String>,
    next: usize,
}

impl SourceHarness {
    /// A harness for a source.
    #[must_use]
    pub fn builder(source: Box<dyn Source>) -> SourceHarnessBuilder {
        SourceHarnessBuilder {
            source,
            clock: ManualClock::new(),
            files: SimFiles::new().shared(),
            positions: BTreeMap::new(),
            once: false,
            own_thread: false,
            flow: Flow::Open,
            metrics: ComponentMetrics::detached(),
        }
    }

    /// The source's clock.
    #[must_use]
    pub fn clock(&self) -> &ManualClock {
        &self.clock
    }

    /// Lets the source run until it waits for something.
    pub fn settle(&self) {
        self.runtime.block_on(settle());
    }

    /// Moves time on and lets the source run until it waits for something.
    pub fn advance(&self, period: Duration) {
        self.runtime.block_on(async {
            settle().await;
            self.clock.advance(period);
            settle().await;
        });
    }

    /// Lets the source run until it sleeps, moves time to the end of that sleep and lets it run again.
    pub fn advance_to_next_sleep(&self) -> Duration {
        let asleep = self.clock.advance_to_next_sleep();
        self.runtime.block_on(in_time("wait for the source to sleep", asleep))
    }

    /// The next thing the source sends, of what was not asked for yet. Time stands still meanwhile.
    pub fn next_sent(&mut self) -> Arc<Sent> {
        self.wait_for(|output, next| output.sent.len() > next, "wait for a batch");
        self.next += 1;
        Arc::clone(&self.shared.lock().sent[self.next - 1])
    }

    /// What the source sends without time moving on, if it sends something.
    pub fn try_next(&mut self) -> Option<Arc<Sent>> {
        self.settle();
        let sent = self.shared.lock().sent.get(self.next).map(Arc::clone)?;
        self.next += 1;
        Some(sent)
    }

    /// Sends up to and including the one that brings the events on the main output to `events`; time moves
    /// from sleep to sleep as long as there are fewer. The events of all of them.
    pub fn next_events(&mut self, events: usize) -> Vec<Value> {
        self.collect(events, Sent::events)
    }

    /// [`Self::next_events`] as the bytes of `message`.
    pub fn next_lines(&mut self, events: usize) -> Vec<Vec<u8>> {
        self.collect(events, Sent::lines)
    }

    fn collect<T>(&mut self, events: usize, of: impl Fn(&Sent) -> Vec<T>) -> Vec<T> {
        let mut collected = Vec::new();
        let mut sleeps = 0;
        while collected.len() < events {
            if let Some(sent) = self.try_next() {
                if sent.port == Port::MAIN {
                    collected.extend(of(&sent));
                }
                continue;
            }
            assert!(!self.has_ended(), "the source ended after {} events", collected.len());
            assert!(sleeps < 10_000, "10000 sleeps brought {} events only", collected.len());
            sleeps += 1;
            self.advance_or_wait();
        }
        collected
    }

    /// Moves time to the end of the next sleep, or waits for a source on a thread of its own to send or end.
    fn advance_or_wait(&self) {
        let next = self.next;
        self.runtime.block_on(in_time("wait for the source to send or sleep", async {
            let sends = async {
                loop {
                    let changed = self.shared.changed.notified();
                    let done = {
                        let output = self.shared.lock();
                        output.sent.len() > next || output.ended
                    };
                    if done {
                        return;
                    }
                    changed.await;
                }
            };
            tokio::select! {
                () = sends => {}
                _ = self.clock.advance_to_next_sleep() => {}
            }
        }));
    }

    /// Everything that was sent so far, in order.
    #[must_use]
    pub fn sent(&self) -> Vec<Arc<Sent>> {
        self.shared.lock().sent.clone()
    }

    /// The events of everything that was sent so far on an output.
    #[must_use]
    pub fn events(&self, port: Port) -> Vec<Value> {
        let sent = self.sent();
        sent.iter().filter(|sent| sent.port == port).flat_map(|sent| sent.events()).collect()
    }

    /// The bytes of `message` of everything that was sent so far on the main output.
    #[must_use]
    pub fn lines(&self) -> Vec<Vec<u8>> {
        let sent = self.sent();
        sent.iter().filter(|sent| sent.port == Port::MAIN).flat_map(|sent| sent.lines()).collect()
    }

    /// Makes the edges full: sends wait until [`Self::release`].
    pub fn hold(&self) {
        self.shared.set_flow(Flow::Held);
    }

    /// Whether the source waits in a send.
    #[must_use]
    pub fn is_waiting(&self) -> bool {
        self.settle();
        self.shared.lock().waiting > 0
    }

    /// Ends [`Self::hold`].
    pub fn release(&self) {
        self.shared.set_flow(Flow::Open);
    }

    /// Makes this and every further send fail with [`Closed`].
    pub fn close(&self) {
        self.shared.set_flow(Flow::Closed);
    }

    /// The positions of the checkpoint once the first `sends` sends are acknowledged: where a restart would
    /// start from.
    #[must_use]
    pub fn acknowledged_positions(&self, sends: usize) -> BTreeMap<String, String> {
        let mut positions = self.positions.clone();
        let sent = self.sent();
        assert!(sends <= sent.len(), "{sends} sends acknowledged of {}", sent.len());
        for update in sent.iter().take(sends).flat_map(|sent| &sent.positions) {
            match &update.position {
                Some(position) => positions.insert(update.stream.clone(), position.clone()),
                None => positions.remove(&update.stream),
            };
        }
        positions
    }

    /// The positions once everything that was sent is acknowledged.
    #[must_use]
    pub fn all_positions(&self) -> BTreeMap<String, String> {
        self.acknowledged_positions(self.sent().len())
    }

    /// Asks the source to stop, and goes on.
    pub fn request_stop(&self) {
        self.trigger.request();
    }

    /// Asks the source to stop and waits until it has.
    pub fn stop(&mut self) -> Result<(), String> {
        self.trigger.request();
        self.finish()
    }

    /// Waits until the source ends by itself. Time stands still meanwhile.
    pub fn finish(&mut self) -> Result<(), String> {
        if let Some(result) = self.result.take() {
            let ended = self.runtime.block_on(in_time("wait for the source to end", result));
            let ended = ended.unwrap_or_else(|_| panic!("the source panicked"));
            self.ended = Some(ended.map_err(|error| error.to_string()));
        }
        self.ended.clone().unwrap_or(Ok(()))
    }

    /// Whether the source has ended.
    pub fn has_ended(&mut self) -> bool {
        self.settle();
        self.shared.lock().ended
    }

    fn wait_for(&mut self, ready: impl Fn(&Output, usize) -> bool, what: &str) {
        let next = self.next;
        let ended = self.runtime.block_on(in_time(what, async {
            loop {
                let changed = self.shared.changed.notified();
                if ready(&self.shared.lock(), next) {
                    return false;
                }
                if self.shared.lock().ended {
                    return !ready(&self.shared.lock(), next);
                }
                changed.await;
            }
        }));
        if ended {
            panic!("{what}: the source ended: {:?}", self.finish());
        }
    }
}
