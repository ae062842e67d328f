//! Running a sink: writing with retry, group commit, acknowledgement, dead letters.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use lograil_buffer::EdgeReceiver;
use lograil_event::{AckStatus, Acks, Batch};
use lograil_plugin::{
    Backoff, Port, Rejection, Sink, SinkContext, SinkError, Threading, dead_letter,
};
use tokio::sync::watch;

use crate::checkpoint::Tracker;
use crate::departures::Departures;
use crate::ledger::Counts;
use crate::outlet::Outlet;
use crate::tasks::{Ended, Ending, Exit, Leave, Order, Orders};

/// Bytes written after which a commit happens even if the input does not pause.
const UNCOMMITTED_BYTES_MAX: u64 = 16 << 20;

/// Batches written after which a commit happens: their acknowledgements are kept until then.
const UNCOMMITTED_BATCHES_MAX: usize = 4096;

/// Why a sink stopped working.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum SinkEnd {
    /// Nobody reads its output any more.
    Closed,
    /// It cannot go on.
    Failed(String),
    /// It was told to leave.
    Left(Leave),
}

impl From<SinkError> for SinkEnd {
    fn from(error: SinkError) -> Self {
        match error {
            SinkError::Closed => Self::Closed,
            other => Self::Failed(other.to_string()),
        }
    }
}

/// A sink, its input, and all it needs to report.
pub(crate) struct SinkTask {
    pub sink: Box<dyn Sink>,
    pub component_type: &'static str,
    pub context: SinkContext,
    /// Whether `open` has succeeded already.
    pub is_open: bool,
    /// Whether the checkpoint must have been saved before the first write.
    pub is_new_to_checkpoint: bool,
    pub threading: Threading,
    /// Sinks that must have ended before this one opens: they have what it claims.
    pub after: Vec<Ending>,
    pub input: EdgeReceiver,
    pub outlet: Arc<Outlet>,
    pub counts: Arc<Counts>,
    pub tracker: Arc<Tracker>,
    /// Its number in the tracker, if its state belongs to the checkpoint.
    pub tracked: Option<usize>,
    pub reopen: watch::Receiver<u64>,
    /// The batch that is being written.
    pub at_hand: Option<Batch>,
    /// Batches to write before those that wait: an instance that is gone could not commit them.
    pub again: VecDeque<Batch>,
    /// How far the sink had come at its last error.
    pub progress: u64,
    /// Dead letters on their way.
    pub departures: Departures,
    pub uncommitted: Uncommitted,
}

/// What was written since the last commit.
#[derive(Default)]
pub(crate) struct Uncommitted {
    acks: Vec<Acks>,
    /// The batches themselves, with shares in `acks`, where a commit may refuse events.
    kept: Vec<Batch>,
    events: usize,
    bytes: u64,
    last_commit: Duration,
}

/// The reason with which events are discarded that a removed sink cannot deliver; a metric label.
const REMOVED: &str = "sink_removed";

enum Next {
    Batch(Batch),
    Commit,
    Reopen,
    End,
}

impl SinkTask {
    /// Runs until the input ends, the output closes, the sink fails for good, or it is told to leave.
    pub async fn run(mut self, orders: Orders) -> Exit<Self> {
        let end = self.drive(&orders).await;
        let is_removed = matches!(orders.now(), Order::Drain | Order::GiveUp);
        let ended = match end {
            Err(SinkEnd::Left(Leave::Suspended)) => return Exit::Back(self),
            Err(SinkEnd::Failed(reason)) if is_removed => {
                self.discard_rest(&reason).await;
                Ended::Done
            }
            Err(SinkEnd::Closed) if is_removed => {
                self.discard_rest("its reader is gone").await;
                Ended::Done
            }
            Err(SinkEnd::Left(Leave::GivenUp)) => {
                self.discard_rest("it did not deliver it in time").await;
                Ended::Done
            }
            Ok(()) => Ended::Done,
            Err(SinkEnd::Closed) => Ended::OutputClosed,
            Err(SinkEnd::Failed(reason)) => {
                Ended::Failed { component: self.context.id.to_string(), reason }
            }
        };
        if is_removed {
            self.untrack();
        }
        Exit::Over(ended)
    }

    async fn drive(&mut self, orders: &Orders) -> Result<(), SinkEnd> {
        while let Some(ending) = self.after.last_mut() {
            tokio::select! {
                biased;
                () = ending => {}
                leave = orders.leave(Order::Suspend) => return Err(SinkEnd::Left(leave)),
            }
            self.after.pop();
            // Known only now, if it is the one that this one replaces.
            if self.tracked.is_none() {
                self.context.state = self.tracker.sink_state(&self.context.id);
            }
        }
        if !self.is_open {
            self.open(orders).await?;
            self.is_open = true;
            self.track();
        }
        if std::mem::take(&mut self.is_new_to_checkpoint) {
            // A crash must find what to go back to in the checkpoint before there is anything to undo.
            self.tracker.wait_for_save().await;
        }
        self.send_letters(orders).await?;
        loop {
            if self.at_hand.is_none() {
                self.at_hand = self.again.pop_front();
            }
            if self.at_hand.is_some() {
                self.write(orders).await?;
                if !self.again.is_empty() {
                    continue;
                }
            }
            if self.must_commit() {
                self.commit(orders).await?;
            }
            match self.next(orders).await? {
                Next::Batch(batch) => self.take(batch),
                Next::Commit => self.commit(orders).await?,
                Next::Reopen => self.sink.reopen(),
                Next::End => break,
            }
        }
        self.commit(orders).await?;
        self.sink.close().await.map_err(SinkEnd::from)
    }

    fn take(&mut self, mut batch: Batch) {
        self.counts.received(batch.len());
        self.counts.tap.offer(Port::MAIN, &mut batch);
        self.at_hand = Some(batch);
    }

    /// The next batch; or, if there is none for now, a commit of what was written, or of nothing if the sink asks for it.
    async fn next(&mut self, orders: &Orders) -> Result<Next, SinkEnd> {
        // Looked at first: an input that never pauses must not keep the files from being opened anew.
        if self.reopen.has_changed().unwrap_or(false) {
            self.reopen.mark_unchanged();
            return Ok(Next::Reopen);
        }
        if orders.now() < Order::Suspend {
            // Not `try_recv`: this one comes back empty-handed now and then, so that the task gives way to others.
            if let Some(received) = self.input.recv().now_or_never() {
                return Ok(received.map_or(Next::End, Next::Batch));
            }
        }
        let clock = Arc::clone(&self.context.clock);
        let policy = self.sink.commit_policy();
        let is_pending = !self.uncommitted.acks.is_empty();
        let pause = if is_pending { Some(policy.pause) } else { policy.idle };
        let since = clock.monotonic().saturating_sub(self.uncommitted.last_commit);
        let wait = async {
            match pause {
                Some(pause) => clock.sleep(pause.saturating_sub(since)).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            biased;
            leave = orders.leave(Order::Suspend) => Err(SinkEnd::Left(leave)),
            Ok(()) = self.reopen.changed() => Ok(Next::Reopen),
            received = self.input.recv() => Ok(received.map_or(Next::End, Next::Batch)),
            () = wait => Ok(Next::Commit),
        }
    }

    fn must_commit(&self) -> bool {
        let since = self.context.clock.monotonic().saturating_sub(self.uncommitted.last_commit);
        self.uncommitted.bytes >= UNCOMMITTED_BYTES_MAX
            || self.uncommitted.acks.len() >= UNCOMMITTED_BATCHES_MAX
            || (!self.uncommitted.acks.is_empty() && since >= self.sink.commit_policy().interval)
    }

    /// Makes the state of the open sink part of the checkpoint, if it has one.
    pub fn track(&mut self) {
        match self.sink.state().filter(|_| self.context.upstream_replays) {
            Some(state) => {
                self.is_new_to_checkpoint = self.tracked.is_none();
                self.tracked = Some(self.tracker.track_sink(&self.context.id, state));
            }
            None => self.untrack(),
        }
    }

    /// Takes the sink's state out of the checkpoint.
    pub fn untrack(&mut self) {
        self.tracked = None;
        self.tracker.untrack_sink(&self.context.id);
    }

    /// Whether a call that waits for its peer may be broken off. What it was writing is offered again then, which a
    /// sink with a state must not see.
    fn may_be_broken_off(&self) -> Option<Order> {
        let may = self.threading == Threading::Async && self.tracked.is_none();
        may.then_some(Order::Interrupt)
    }

    async fn open(&mut self, orders: &Orders) -> Result<(), SinkEnd> {
        let mut backoff = Backoff::default();
        loop {
            let (broken_off, context) = (self.may_be_broken_off(), self.context.clone());
            match call(broken_off, orders, self.sink.open(context)).await? {
                Ok(()) => return Ok(()),
                Err(error) => self.wait_after("open", error, &mut backoff, orders).await?,
            }
        }
    }

    /// Writes the batch that is at hand. If it is told to leave before that is done, the batch stays there.
    async fn write(&mut self, orders: &Orders) -> Result<(), SinkEnd> {
        let mut backoff = Backoff::default();
        let delivery = loop {
            let Some(batch) = &self.at_hand else { return Ok(()) };
            let start = self.context.clock.monotonic();
            let broken_off = self.may_be_broken_off();
            let result = call(broken_off, orders, self.sink.write(batch)).await?;
            self.counts.busy(self.context.clock.monotonic().saturating_sub(start));
            match result {
                Ok(delivery) => break delivery,
                Err(error) => self.wait_after("write", error, &mut backoff, orders).await?,
            }
        };
        let Some(mut batch) = self.at_hand.take() else { return Ok(()) };
        self.counts.sent_bytes(delivery.bytes);
        self.uncommitted.bytes += delivery.bytes;
        self.refuse(&mut batch, delivery.rejected);
        self.uncommitted.events += batch.len();
        let is_kept = self.sink.commit_policy().rejects_late;
        let acks = if is_kept { batch.acks().clone() } else { batch.take_acks() };
        if let (Some(number), Some(state)) = (self.tracked, self.sink.state()) {
            self.tracker.written(number, &acks, state);
        }
        self.uncommitted.acks.push(acks);
        if is_kept {
            self.uncommitted.kept.push(batch);
        }
        self.send_letters(orders).await
    }

    /// Sends what the sink refused on its way to the dead-letter output.
    fn refuse(&mut self, batch: &mut Batch, mut rejected: Vec<Rejection>) {
        if rejected.is_empty() {
            return;
        }
        rejected.sort_by_key(|rejection| rejection.event);
        // A second reason for one event would shift the reasons of those behind it.
        rejected.dedup_by_key(|rejection| rejection.event);
        let is_rejected = |index: usize| rejected.binary_search_by_key(&index, |r| r.event).is_ok();
        let Some(letters) = batch.split_off_where(is_rejected) else { return };
        let reason = |index: usize| rejected.get(index).map_or("", |r| r.reason.as_str());
        let letters = dead_letter::convert(letters, &self.context.id, self.component_type, reason);
        self.counts.error("rejected");
        self.outlet.depart(Port::DEAD_LETTER, letters, &mut self.departures);
    }

    async fn send_letters(&mut self, orders: &Orders) -> Result<(), SinkEnd> {
        let sent = tokio::select! {
            biased;
            sent = self.departures.deliver() => sent,
            leave = orders.leave(Order::Suspend) => return Err(SinkEnd::Left(leave)),
        };
        sent.map_err(|_| SinkEnd::Failed("the dead-letter output is gone".to_owned()))
    }

    async fn commit(&mut self, orders: &Orders) -> Result<(), SinkEnd> {
        let mut backoff = Backoff::default();
        while let Err(error) = self.commit_once().await {
            self.wait_after("commit", error, &mut backoff, orders).await?;
        }
        self.send_letters(orders).await
    }

    /// Makes what was written durable, and says so to its sources.
    pub async fn commit_once(&mut self) -> Result<(), SinkError> {
        self.uncommitted.last_commit = self.context.clock.monotonic();
        if self.uncommitted.acks.is_empty() && self.sink.commit_policy().idle.is_none() {
            return Ok(());
        }
        let start = self.context.clock.monotonic();
        let result = self.sink.commit().await;
        self.counts.busy(self.context.clock.monotonic().saturating_sub(start));
        result?;
        if let Some(number) = self.tracked {
            self.tracker.committed(number);
        }
        let mut done = std::mem::take(&mut self.uncommitted);
        self.refuse_late(&mut done);
        self.counts.sent(done.events);
        for acks in done.acks {
            acks.resolve(AckStatus::Delivered);
        }
        self.uncommitted.last_commit = self.context.clock.monotonic();
        Ok(())
    }

    /// Whether all that is written and not committed was kept, to be written by another instance.
    pub fn keeps_all(&self) -> bool {
        self.tracked.is_none() && self.uncommitted.kept.len() == self.uncommitted.acks.len()
    }

    /// Takes back what an instance has written and could not commit, for the one that replaces it: all of it was kept.
    pub fn take_back(&mut self) {
        let done = std::mem::take(&mut self.uncommitted);
        // These shares decide nothing: the batches have theirs.
        done.acks.into_iter().for_each(|acks| acks.resolve(AckStatus::Delivered));
        let later = std::mem::take(&mut self.again).into_iter();
        self.again = done.kept.into_iter().chain(self.at_hand.take()).chain(later).collect();
    }

    /// Sends what the commit refused on its way to the dead-letter output.
    fn refuse_late(&mut self, done: &mut Uncommitted) {
        let mut late = self.sink.take_rejected();
        late.sort_by_key(|one| one.batch);
        for same in late.chunk_by(|one, other| one.batch == other.batch) {
            let Some(batch) = done.kept.get_mut(same[0].batch) else { continue };
            let before = batch.len();
            self.refuse(batch, same.iter().map(|one| one.rejection.clone()).collect());
            done.events -= before - batch.len();
        }
        done.acks.extend(done.kept.iter_mut().map(Batch::take_acks));
    }

    /// A sink that was taken out of the topology cannot deliver: what it had is discarded, which is counted, so that
    /// the sources need not read it again for ever.
    async fn discard_rest(&mut self, why: &str) {
        let mut uncommitted = std::mem::take(&mut self.uncommitted);
        let mut events = uncommitted.events;
        self.counts.discarded(REMOVED, uncommitted.events as u64);
        uncommitted.acks.extend(uncommitted.kept.iter_mut().map(Batch::take_acks));
        uncommitted.acks.drain(..).for_each(|acks| acks.resolve(AckStatus::Delivered));
        let letters = self.departures.discard();
        self.counts.discarded(REMOVED, letters as u64);
        events += letters;
        let unwritten = std::mem::take(&mut self.again);
        for batch in self.at_hand.take().into_iter().chain(unwritten) {
            events += self.discard(batch);
        }
        while let Some(batch) = self.input.recv().await {
            self.counts.received(batch.len());
            events += self.discard(batch);
        }
        if events > 0 {
            tracing::warn!(
                component_id = %self.context.id,
                "{events} events for the sink that was removed are discarded: {why}"
            );
        }
    }

    fn discard(&self, mut batch: Batch) -> usize {
        self.counts.discarded(REMOVED, batch.len() as u64);
        batch.take_acks().resolve(AckStatus::Delivered);
        batch.len()
    }

    /// After an error that may pass: says so and waits. Any other error ends the sink.
    async fn wait_after(
        &mut self,
        action: &'static str,
        error: SinkError,
        backoff: &mut Backoff,
        orders: &Orders,
    ) -> Result<(), SinkEnd> {
        if !matches!(error, SinkError::Closed) {
            self.counts.error(action);
        }
        let SinkError::Retry { reason, after } = error else { return Err(error.into()) };
        let progress = self.sink.progress();
        if std::mem::replace(&mut self.progress, progress) != progress {
            *backoff = Backoff::default();
        }
        let wait = backoff.next(after);
        tracing::warn!(
            component_id = %self.context.id,
            tries = backoff.tries(),
            "{action}: {reason}; trying again in {wait:.1?}"
        );
        tokio::select! {
            biased;
            leave = orders.leave(Order::Suspend) => Err(SinkEnd::Left(leave)),
            () = self.context.clock.sleep(wait) => Ok(()),
        }
    }
}

/// Waits for a call of the sink, or breaks it off at the order at which it may be.
async fn call<T>(
    broken_off: Option<Order>,
    orders: &Orders,
    work: impl Future<Output = T>,
) -> Result<T, SinkEnd> {
    let Some(order) = broken_off else { return Ok(work.await) };
    tokio::select! {
        biased;
        done = work => Ok(done),
        leave = orders.leave(order) => Err(SinkEnd::Left(leave)),
    }
}

#[cfg(test)]
#[path = "sink_task_tests.rs"]
mod tests;
