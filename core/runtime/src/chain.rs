//! A chain of transforms between two edges: one task, no channel in between.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use lograil_buffer::EdgeReceiver;
use lograil_event::Batch;
use lograil_plugin::{BoxFuture, Clock, Outputs, Port, Shutdown, Threading, Transform};

use crate::crash;
use crate::departures::Departures;
use crate::door::Door;
use crate::ledger::Counts;
use crate::outlet::Outlet;
use crate::tasks::{Ended, Exit, Order, Orders};
use crate::transform_state::StateKeeper;

/// How often transforms are told the time.
const TICK: Duration = Duration::from_secs(1);

/// One transform of a chain.
pub(crate) struct Stage {
    pub id: Arc<str>,
    pub transform: Box<dyn Transform>,
    pub outputs: Outputs,
    pub counts: Arc<Counts>,
    pub outlet: Arc<Outlet>,
    /// Keeps its state, if it has one and there is a place for it.
    pub keeper: Option<StateKeeper>,
}

/// Transforms of which each feeds only the next, and the edge that feeds the first.
pub(crate) struct Chain {
    pub stages: Vec<Stage>,
    pub input: EdgeReceiver,
    /// Where batches are put in behind the first transform.
    pub door: Door,
    pub clock: Arc<dyn Clock>,
    shutdown: Shutdown,
    crash: Option<Crash>,
    /// What leaves the chain.
    pub departures: Departures,
    /// Until when, in monotonic time, a stage wants no input.
    pub paused_until: Option<Duration>,
    pub threading: Threading,
}

/// A stage panicked.
#[derive(Debug)]
pub(crate) struct Crash {
    pub stage: usize,
    pub reason: String,
}

/// What a chain has to do.
enum Next {
    Nothing,
    Batch(Batch),
    /// One that was put in for the transform of this id.
    Entering(Arc<str>, Batch),
    Tick,
    End,
}

#[derive(Clone, Copy)]
enum Call {
    Tick(i64),
    Flush,
}

impl Chain {
    pub fn new(
        stages: Vec<Stage>,
        input: EdgeReceiver,
        clock: Arc<dyn Clock>,
        shutdown: Shutdown,
    ) -> Self {
        Self {
            stages,
            input,
            door: Door::default(),
            clock,
            shutdown,
            crash: None,
            departures: Departures::default(),
            paused_until: None,
            threading: Threading::Async,
        }
    }

    /// Runs until the edge ends, or it is suspended between two batches. Ends early when nobody takes its output any
    /// more, or a stage crashes.
    pub async fn run(mut self, orders: Orders) -> Exit<Self> {
        let mut tick = self.clock.sleep(TICK);
        let mut next = Next::Nothing;
        loop {
            match next {
                Next::Nothing => {}
                Next::Batch(batch) => self.process(0, batch),
                Next::Entering(id, batch) => {
                    if let Some(at) = self.stages.iter().position(|stage| stage.id == id) {
                        self.process(at, batch);
                    }
                }
                Next::Tick => {
                    let now_ns = self.clock.now_ns();
                    self.call_all(Call::Tick(now_ns));
                    self.keep_states(StateKeeper::is_due);
                }
                Next::End => break,
            }
            tokio::select! {
                biased;
                is_taken = self.deliver() => if !is_taken {
                    return Exit::Over(Ended::Done);
                },
                _ = orders.leave(Order::Suspend) => return Exit::Back(self),
            }
            if let Some(crash) = self.crash.take() {
                return Exit::Over(self.failed(crash));
            }
            next = tokio::select! {
                biased;
                _ = orders.leave(Order::Suspend) => return Exit::Back(self),
                next = self.next(&mut tick) => next,
            };
        }
        self.call_all(Call::Flush);
        self.deliver().await;
        self.keep_states(|_| true);
        match self.crash.take() {
            Some(crash) => Exit::Over(self.failed(crash)),
            None => Exit::Over(Ended::Done),
        }
    }

    fn failed(&self, Crash { stage, reason }: Crash) -> Ended {
        Ended::Failed { component: self.stages[stage].id.to_string(), reason }
    }

    /// Waits for what is to be done next. While a stage wants a pause there is no input, unless the topology
    /// stops, when everything is to come out.
    async fn next(&mut self, tick: &mut BoxFuture<'static, ()>) -> Next {
        let pause = self.paused_until.map(|until| until.saturating_sub(self.clock.monotonic()));
        if let Some(pause) = pause.filter(|_| !self.shutdown.is_requested()) {
            tokio::select! {
                () = &mut *tick => {
                    *tick = self.clock.sleep(TICK);
                    return Next::Tick;
                }
                () = self.clock.sleep(pause) => {
                    self.paused_until = None;
                    return Next::Tick;
                }
                () = self.shutdown.requested() => {}
            }
        }
        self.paused_until = None;
        tokio::select! {
            // The tick first: an input that never pauses must not keep it away.
            biased;
            () = &mut *tick => {
                *tick = self.clock.sleep(TICK);
                Next::Tick
            }
            // Before the input, which may never pause; whoever puts something in waits until it is taken.
            (id, batch) = self.door.recv() => Next::Entering(id, batch),
            received = self.input.recv() => received.map_or(Next::End, Next::Batch),
        }
    }

    fn process(&mut self, index: usize, batch: Batch) {
        let stage = &mut self.stages[index];
        stage.counts.received(batch.len());
        if let Some(keeper) = &mut stage.keeper {
            keeper.changed();
        }
        self.call(index, |transform, outputs| transform.process(batch, outputs));
        self.pass_on(index);
    }

    /// Ticks or flushes each stage, first to last, so that what one lets go reaches the next in time.
    fn call_all(&mut self, call: Call) {
        for index in 0..self.stages.len() {
            self.call(index, |transform, outputs| match call {
                Call::Tick(now_ns) => transform.tick(now_ns, outputs),
                Call::Flush => transform.flush(outputs),
            });
            self.pass_on(index);
        }
    }

    /// Lets a stage that is to go let out all that it holds back.
    pub fn flush_stage(&mut self, index: usize) {
        self.call(index, |transform, outputs| transform.flush(outputs));
        self.pass_on(index);
    }

    /// Says that a stage crashed, for a chain that is not going to run any more.
    pub fn report_crash(&mut self) {
        if let Some(Crash { stage, reason }) = self.crash.take() {
            tracing::error!(component_id = %self.stages[stage].id, "{reason}");
        }
    }

    /// Keeps the states of the transforms for which `is_due` says so.
    fn keep_states(&mut self, mut is_due: impl FnMut(&mut StateKeeper) -> bool) {
        for index in 0..self.stages.len() {
            let Some(mut keeper) = self.stages[index].keeper.take() else { continue };
            if is_due(&mut keeper) {
                self.call(index, |transform, _| {
                    if let Some(state) = transform.state() {
                        keeper.keep(&state);
                    }
                });
            }
            self.stages[index].keeper = Some(keeper);
        }
    }

    /// Lets a stage work, and counts its own time: not that of the stages behind it. After a crash no stage
    /// works any more, and what it had at hand is dropped, undelivered.
    fn call(&mut self, index: usize, work: impl FnOnce(&mut dyn Transform, &mut Outputs)) {
        if self.crash.is_some() {
            return;
        }
        let stage = &mut self.stages[index];
        let start = self.clock.monotonic();
        let transform = &mut *stage.transform;
        let worked = catch_unwind(AssertUnwindSafe(|| work(transform, &mut stage.outputs)));
        if let Err(panic) = worked {
            self.crash = Some(Crash { stage: index, reason: crash::reason(&*panic) });
            stage.outputs.take_emitted().for_each(drop);
        }
        stage.counts.busy(self.clock.monotonic().saturating_sub(start));
        stage.counts.created(stage.outputs.take_created());
        if let Some(pause) = stage.outputs.take_pause() {
            let until = self.clock.monotonic().saturating_add(pause);
            self.paused_until = self.paused_until.max(Some(until));
        }
    }

    /// Hands what a stage emitted to the next one, or puts it with what leaves the chain.
    fn pass_on(&mut self, index: usize) {
        let last = index + 1 == self.stages.len();
        let stage = &mut self.stages[index];
        for (reason, events) in stage.outputs.take_discarded() {
            stage.counts.discarded(reason, events);
        }
        let emitted: Vec<_> = stage.outputs.take_emitted().collect();
        for (port, mut batch) in emitted {
            if last || port != Port::MAIN || batch.is_empty() {
                self.stages[index].outlet.depart(port, batch, &mut self.departures);
            } else {
                self.stages[index].counts.tap.offer(port, &mut batch);
                self.stages[index].outlet.count(port, batch.len());
                self.process(index + 1, batch);
            }
        }
    }

    /// Whether there is still somebody to deliver to. As long as one consumer is there, it gets what has been
    /// read, whatever became of the others.
    async fn deliver(&mut self) -> bool {
        let is_taken = self.departures.deliver().await.is_ok();
        is_taken || self.stages.iter().any(|stage| stage.outlet.has_consumer())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use lograil_plugin::{ComponentMetrics, ShutdownTrigger};
    use lograil_testkit::{ManualClock, batch_of_lines};

    use super::*;

    /// Moves the clock by a second for every batch, and keeps a log of its calls.
    struct Slow {
        clock: ManualClock,
        calls: Arc<Mutex<Vec<&'static str>>>,
    }

    impl Transform for Slow {
        fn process(&mut self, batch: Batch, out: &mut Outputs) {
            self.clock.advance(TICK);
            self.calls.lock().unwrap().push("batch");
            out.emit(batch);
        }

        fn tick(&mut self, _now_ns: i64, _out: &mut Outputs) {
            self.calls.lock().unwrap().push("tick");
        }
    }

    fn stage(transform: impl Transform + 'static) -> Stage {
        let counts = Counts::new(ComponentMetrics::detached());
        Stage {
            id: "stage".into(),
            transform: Box::new(transform),
            outputs: Outputs::default(),
            outlet: Outlet::new(Vec::new(), Arc::clone(&counts)),
            counts,
            keeper: None,
        }
    }

    async fn run_on(batches: usize, stages: Vec<Stage>, clock: &ManualClock) {
        let (sender, receiver) = lograil_buffer::memory(1 << 20);
        for _ in 0..batches {
            sender.send(batch_of_lines(&["line"])).await.unwrap();
        }
        drop(sender);
        let (_trigger, shutdown) = ShutdownTrigger::new();
        ended(Chain::new(stages, receiver, clock.shared(), shutdown).run(Orders::none()).await);
    }

    fn ended(exit: Exit<Chain>) {
        assert!(matches!(exit, Exit::Over(Ended::Done)));
    }

    #[tokio::test]
    async fn time_is_told_also_while_the_input_never_pauses() {
        let (clock, calls) = (ManualClock::new(), Arc::new(Mutex::new(Vec::new())));
        let slow = Slow { clock: clock.clone(), calls: Arc::clone(&calls) };
        run_on(3, vec![stage(slow)], &clock).await;
        assert_eq!(*calls.lock().unwrap(), ["batch", "tick", "batch", "tick", "batch", "tick"]);
    }

    #[tokio::test]
    async fn the_time_of_a_stage_is_not_that_of_the_stages_behind_it() {
        let clock = ManualClock::new();
        let slow = || stage(Slow { clock: clock.clone(), calls: Arc::default() });
        let stages = vec![slow(), slow(), slow()];
        let counts: Vec<_> = stages.iter().map(|stage| Arc::clone(&stage.counts)).collect();
        run_on(4, stages, &clock).await;
        let busy: Vec<_> = counts.iter().map(|counts| counts.busy_seconds()).collect();
        assert_eq!(busy, [4.0, 4.0, 4.0]);
    }

    /// Takes one batch an hour, or less.
    struct Paced(Arc<Mutex<Vec<&'static str>>>, Duration);

    impl Transform for Paced {
        fn process(&mut self, batch: Batch, out: &mut Outputs) {
            self.0.lock().unwrap().push("batch");
            out.emit(batch);
            out.pause(Duration::from_secs(3600));
            out.pause(self.1);
        }

        fn tick(&mut self, _now_ns: i64, _out: &mut Outputs) {
            self.0.lock().unwrap().push("tick");
        }

        fn flush(&mut self, _out: &mut Outputs) {
            self.0.lock().unwrap().push("flush");
        }
    }

    #[tokio::test]
    async fn a_stage_that_asks_for_a_pause_gets_no_input_until_it_is_over_or_the_topology_stops() {
        let (clock, calls) = (ManualClock::new(), Arc::new(Mutex::new(Vec::new())));
        let (sender, receiver) = lograil_buffer::memory(1 << 20);
        for _ in 0..3 {
            sender.send(batch_of_lines(&["line"])).await.unwrap();
        }
        drop(sender);
        let (trigger, shutdown) = ShutdownTrigger::new();
        let stages = vec![stage(Paced(Arc::clone(&calls), Duration::ZERO))];
        let chain = Chain::new(stages, receiver, clock.shared(), shutdown);
        let running = tokio::spawn(chain.run(Orders::none()));
        let settle = || async {
            for _ in 0..100 {
                tokio::task::yield_now().await;
            }
        };
        settle().await;
        assert_eq!(*calls.lock().unwrap(), ["batch"]);
        clock.advance(Duration::from_secs(3600));
        settle().await;
        let so_far = calls.lock().unwrap().clone();
        assert_eq!(so_far.iter().filter(|call| **call == "batch").count(), 2, "{so_far:?}");
        trigger.request();
        ended(running.await.unwrap());
        let calls = calls.lock().unwrap();
        assert_eq!(calls.iter().filter(|call| **call == "batch").count(), 3, "{calls:?}");
        assert_eq!(calls.last(), Some(&"flush"));
    }

    #[tokio::test]
    async fn a_pause_without_an_end_is_over_when_the_topology_stops() {
        let (clock, calls) = (ManualClock::new(), Arc::new(Mutex::new(Vec::new())));
        let (sender, receiver) = lograil_buffer::memory(1 << 20);
        for _ in 0..2 {
            sender.send(batch_of_lines(&["line"])).await.unwrap();
        }
        drop(sender);
        clock.advance(Duration::from_secs(1));
        let (trigger, shutdown) = ShutdownTrigger::new();
        let stages = vec![stage(Paced(Arc::clone(&calls), Duration::MAX))];
        trigger.request();
        ended(Chain::new(stages, receiver, clock.shared(), shutdown).run(Orders::none()).await);
        assert_eq!(calls.lock().unwrap().iter().filter(|call| **call == "batch").count(), 2);
    }
}
