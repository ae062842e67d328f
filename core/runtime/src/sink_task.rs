//! Running a sink: writing with retry, group commit, acknowledgement, dead letters.

use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use lograil_buffer::EdgeReceiver;
use lograil_event::{AckStatus, Acks, Batch};
use lograil_plugin::{
    Backoff, Delivery, Port, Rejection, Sink, SinkContext, SinkError, dead_letter,
};
use tokio::sync::watch;

use crate::checkpoint::Tracker;
use crate::ledger::Counts;
use crate::outlet::Outlet;

/// Commits of a sink are at least this far apart, so that a trickle does not mean a disk flush an event.
const COMMIT_INTERVAL: Duration = Duration::from_millis(100);

/// Bytes written after which a commit happens even if the input does not pause.
const UNCOMMITTED_BYTES_MAX: u64 = 16 << 20;

/// Batches written after which a commit happens: their acknowledgements are kept until then.
const UNCOMMITTED_BATCHES_MAX: usize = 4096;

/// Longest time between commits while the input does not pause.
const UNCOMMITTED_TIME_MAX: Duration = Duration::from_secs(1);

/// Why a sink ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum SinkEnd {
    /// Its input ended and all of it is durable.
    Drained,
    /// Nobody reads its output any more.
    Closed,
    /// It cannot go on.
    Failed(String),
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
    pub input: EdgeReceiver,
    pub outlet: Outlet,
    pub counts: Arc<Counts>,
    pub tracker: Arc<Tracker>,
    /// Its number in the tracker, if its state belongs to the checkpoint.
    pub tracked: Option<usize>,
    pub reopen: watch::Receiver<u64>,
    pub uncommitted: Uncommitted,
}

/// What was written since the last commit.
#[derive(Default)]
pub(crate) struct Uncommitted {
    acks: Vec<Acks>,
    events: usize,
    bytes: u64,
    last_commit: Duration,
}

enum Next {
    Batch(Batch),
    Commit,
    Reopen,
    End,
}

impl SinkTask {
    /// Runs until the input ends, the output closes, or the sink fails for good.
    pub async fn run(mut self) -> SinkEnd {
        match self.drive().await {
            Ok(()) => SinkEnd::Drained,
            Err(end) => end,
        }
    }

    async fn drive(&mut self) -> Result<(), SinkEnd> {
        if !self.is_open {
            self.open().await?;
            if self.context.upstream_replays {
                self.track();
                // A crash must find what to go back to in the checkpoint before there is anything to undo.
                self.tracker.wait_for_save().await;
            }
        }
        loop {
            match self.next().await {
                Next::Batch(batch) => self.write(batch).await?,
                Next::Commit => self.commit().await?,
                Next::Reopen => self.sink.reopen(),
                Next::End => break,
            }
            if self.must_commit() {
                self.commit().await?;
            }
        }
        self.commit().await?;
        self.sink.close().await.map_err(SinkEnd::from)
    }

    /// The next batch; or, if there is none for now, a commit of what was written.
    async fn next(&mut self) -> Next {
        // Looked at first: an input that never pauses must not keep the files from being opened anew.
        if self.reopen.has_changed().unwrap_or(false) {
            self.reopen.mark_unchanged();
            return Next::Reopen;
        }
        // Not `try_recv`: this one comes back empty-handed now and then, so that the task gives way to others.
        if let Some(received) = self.input.recv().now_or_never() {
            return received.map_or(Next::End, Next::Batch);
        }
        let clock = Arc::clone(&self.context.clock);
        let pending = !self.uncommitted.acks.is_empty();
        let due =
            (self.uncommitted.last_commit + COMMIT_INTERVAL).saturating_sub(clock.monotonic());
        let wait = async {
            if !pending {
                std::future::pending::<()>().await;
            }
            clock.sleep(due).await;
        };
        tokio::select! {
            biased;
            Ok(()) = self.reopen.changed() => Next::Reopen,
            received = self.input.recv() => received.map_or(Next::End, Next::Batch),
            () = wait => Next::Commit,
        }
    }

    fn must_commit(&self) -> bool {
        let since = self.context.clock.monotonic().saturating_sub(self.uncommitted.last_commit);
        self.uncommitted.bytes >= UNCOMMITTED_BYTES_MAX
            || self.uncommitted.acks.len() >= UNCOMMITTED_BATCHES_MAX
            || (!self.uncommitted.acks.is_empty() && since >= UNCOMMITTED_TIME_MAX)
    }

    /// Makes the state of the open sink part of the checkpoint, if it has one.
    pub fn track(&mut self) {
        let id = &*self.context.id;
        match self.sink.state() {
            Some(state) => self.tracked = Some(self.tracker.add_sink(id, state)),
            None => self.tracker.forget_sinks(|other| other != id),
        }
    }

    async fn open(&mut self) -> Result<(), SinkEnd> {
        let mut backoff = Backoff::default();
        loop {
            let context = self.context.clone();
            match self.sink.open(context).await {
                Ok(()) => return Ok(()),
                Err(error) => self.wait_after("open", error, &mut backoff).await?,
            }
        }
    }

    async fn write(&mut self, mut batch: Batch) -> Result<(), SinkEnd> {
        self.counts.received(batch.len());
        self.counts.tap.offer(Port::MAIN, &mut batch);
        let mut backoff = Backoff::default();
        let delivery = loop {
            let start = self.context.clock.monotonic();
            let result = self.sink.write(&batch).await;
            self.counts.busy(self.context.clock.monotonic().saturating_sub(start));
            match result {
                Ok(delivery) => break delivery,
                Err(error) => self.wait_after("write", error, &mut backoff).await?,
            }
        };
        self.counts.sent_bytes(delivery.bytes);
        self.uncommitted.bytes += delivery.bytes;
        self.refuse(&mut batch, delivery).await?;
        self.uncommitted.events += batch.len();
        let acks = batch.take_acks();
        if let (Some(number), Some(state)) = (self.tracked, self.sink.state()) {
            self.tracker.written(number, &acks, state);
        }
        self.uncommitted.acks.push(acks);
        Ok(())
    }

    /// Sends what the sink refused to its dead-letter output.
    async fn refuse(&mut self, batch: &mut Batch, delivery: Delivery) -> Result<(), SinkEnd> {
        if delivery.rejected.is_empty() {
            return Ok(());
        }
        let mut rejected: Vec<Rejection> = delivery.rejected;
        rejected.sort_by_key(|rejection| rejection.event);
        // A second reason for one event would shift the reasons of those behind it.
        rejected.dedup_by_key(|rejection| rejection.event);
        let is_rejected = |index: usize| rejected.binary_search_by_key(&index, |r| r.event).is_ok();
        let Some(letters) = batch.split_off_where(is_rejected) else { return Ok(()) };
        let reason = |index: usize| rejected.get(index).map_or("", |r| r.reason.as_str());
        let letters = dead_letter::convert(letters, &self.context.id, self.component_type, reason);
        self.counts.error("rejected");
        self.outlet
            .send(Port::DEAD_LETTER, letters)
            .await
            .map_err(|_| SinkEnd::Failed("the dead-letter output is gone".to_owned()))
    }

    async fn commit(&mut self) -> Result<(), SinkEnd> {
        self.uncommitted.last_commit = self.context.clock.monotonic();
        if self.uncommitted.acks.is_empty() {
            return Ok(());
        }
        let mut backoff = Backoff::default();
        loop {
            let start = self.context.clock.monotonic();
            let result = self.sink.commit().await;
            self.counts.busy(self.context.clock.monotonic().saturating_sub(start));
            match result {
                Ok(()) => break,
                Err(error) => self.wait_after("commit", error, &mut backoff).await?,
            }
        }
        if let Some(number) = self.tracked {
            self.tracker.committed(number);
        }
        let done = std::mem::take(&mut self.uncommitted);
        self.counts.sent(done.events);
        for acks in done.acks {
            acks.resolve(AckStatus::Delivered);
        }
        self.uncommitted.last_commit = self.context.clock.monotonic();
        Ok(())
    }

    /// After an error that may pass: says so and waits. Any other error ends the sink.
    async fn wait_after(
        &mut self,
        action: &'static str,
        error: SinkError,
        backoff: &mut Backoff,
    ) -> Result<(), SinkEnd> {
        if !matches!(error, SinkError::Closed) {
            self.counts.error(action);
        }
        let SinkError::Retry { reason, after } = error else { return Err(error.into()) };
        let wait = backoff.next(after);
        tracing::warn!(
            component_id = %self.context.id,
            tries = backoff.tries(),
            "{action}: {reason}; trying again in {wait:.1?}"
        );
        self.context.clock.sleep(wait).await;
        Ok(())
    }
}

#[cfg(test)]
#[path = "sink_task_tests.rs"]
mod tests;
