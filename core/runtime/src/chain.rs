//! A chain of transforms between two edges: one task, no channel in between.

use std::sync::Arc;
use std::time::Duration;

use lograil_buffer::EdgeReceiver;
use lograil_event::Batch;
use lograil_plugin::{Clock, Outputs, Port, Transform};

use crate::ledger::Counts;
use crate::outlet::Outlet;

/// How often transforms are told the time.
const TICK: Duration = Duration::from_secs(1);

/// One transform of a chain.
pub(crate) struct Stage {
    pub transform: Box<dyn Transform>,
    pub outputs: Outputs,
    pub counts: Arc<Counts>,
    pub outlet: Outlet,
}

/// Transforms of which each feeds only the next, and the edge that feeds the first.
pub(crate) struct Chain {
    pub stages: Vec<Stage>,
    pub input: EdgeReceiver,
    pub clock: Arc<dyn Clock>,
    /// Outputs that leave the chain, in the order in which they came out.
    leaving: Vec<(usize, Port, Batch)>,
}

#[derive(Clone, Copy)]
enum Call {
    Tick(i64),
    Flush,
}

impl Chain {
    pub fn new(stages: Vec<Stage>, input: EdgeReceiver, clock: Arc<dyn Clock>) -> Self {
        Self { stages, input, clock, leaving: Vec::new() }
    }

    /// Runs until the edge ends. Ends early when nobody takes its output any more.
    pub async fn run(mut self) {
        let mut tick = self.clock.sleep(TICK);
        loop {
            let received = tokio::select! {
                biased;
                received = self.input.recv() => Some(received),
                () = &mut tick => None,
            };
            match received {
                Some(Some(batch)) => self.process(0, batch),
                Some(None) => break,
                None => {
                    tick = self.clock.sleep(TICK);
                    let now_ns = self.clock.now_ns();
                    self.call_all(Call::Tick(now_ns));
                }
            }
            if !self.deliver().await {
                return;
            }
        }
        self.call_all(Call::Flush);
        self.deliver().await;
    }

    fn process(&mut self, index: usize, batch: Batch) {
        let stage = &mut self.stages[index];
        stage.counts.received(batch.len());
        let start = self.clock.monotonic();
        stage.transform.process(batch, &mut stage.outputs);
        stage.counts.busy(self.clock.monotonic().saturating_sub(start));
        self.pass_on(index);
    }

    /// Ticks or flushes each stage, first to last, so that what one lets go reaches the next in time.
    fn call_all(&mut self, call: Call) {
        for index in 0..self.stages.len() {
            let stage = &mut self.stages[index];
            match call {
                Call::Tick(now_ns) => stage.transform.tick(now_ns, &mut stage.outputs),
                Call::Flush => stage.transform.flush(&mut stage.outputs),
            }
            self.pass_on(index);
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
        for (port, batch) in emitted {
            self.stages[index].outlet.count(port, batch.len());
            if last || port != Port::MAIN || batch.is_empty() {
                self.leaving.push((index, port, batch));
            } else {
                self.process(index + 1, batch);
            }
        }
    }

    /// Whether there is still somebody to deliver to.
    async fn deliver(&mut self) -> bool {
        let mut open = true;
        for (index, port, batch) in self.leaving.drain(..) {
            open &= self.stages[index].outlet.send(port, batch).await.is_ok();
        }
        open
    }
}
