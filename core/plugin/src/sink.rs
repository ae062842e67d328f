//! Sinks: what delivers events.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use futures::future::BoxFuture;
use lograil_event::Batch;

use crate::clock::Clock;
use crate::error::SinkError;
use crate::fs::FileSystem;
use crate::metrics::ComponentMetrics;

/// Delivers batches, one after the other. The runtime offers a batch again after [`SinkError::Retry`], with
/// backoff; acknowledges after [`Sink::commit`]; and calls nothing at the same time.
pub trait Sink: Send {
    /// Called once before the first batch: connect, open. `context.state` is what [`Sink::state`] said at
    /// the last checkpoint; if [`SinkContext::comes_again`], whatever was written after it is to be undone (cut
    /// off), because its events come again; if not, only an event that was cut short is.
    fn open(&mut self, context: SinkContext) -> BoxFuture<'_, Result<(), SinkError>>;

    /// Delivers a batch: all of it or, on an error, nothing of it.
    fn write<'a>(&'a mut self, batch: &'a Batch) -> BoxFuture<'a, Result<Delivery, SinkError>>;

    /// Makes everything that was written durable. Called when the input pauses, and now and then when it
    /// does not; a sink whose `write` is durable by itself has nothing to do.
    fn commit(&mut self) -> BoxFuture<'_, Result<(), SinkError>> {
        Box::pin(async { Ok(()) })
    }

    /// A count that grows whenever part of what is not committed yet was delivered. Waits between tries begin anew
    /// once it has grown: a peer that takes some requests and refuses others is not one that is down.
    fn progress(&self) -> u64 {
        0
    }

    /// When [`Sink::commit`] is called, and whether it may refuse events. Asked after every write.
    fn commit_policy(&self) -> CommitPolicy {
        CommitPolicy::default()
    }

    /// The events that a commit found to be refused, asked for after each that succeeded. Only those of sinks whose
    /// [`CommitPolicy::rejects_late`] holds are heeded.
    fn take_rejected(&mut self) -> Vec<LateRejection> {
        Vec::new()
    }

    /// Where the sink stands after the last write, for sinks that can undo what lies beyond. Becomes part of
    /// the checkpoint together with the positions of the events that were written before it.
    fn state(&self) -> Option<String> {
        None
    }

    /// Opens its files anew (SIGHUP).
    fn reopen(&mut self) {}

    /// Called once after the last batch, and after a `commit`.
    fn close(&mut self) -> BoxFuture<'_, Result<(), SinkError>> {
        Box::pin(async { Ok(()) })
    }
}

/// When a sink's writes are committed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CommitPolicy {
    /// While the input pauses: least time between two commits.
    pub pause: Duration,
    /// While it does not: longest time between them.
    pub interval: Duration,
    /// While nothing is written: how often a commit comes all the same, for work that time alone brings. Never if
    /// there is none.
    pub idle: Option<Duration>,
    /// Whether a commit may refuse events that a write took. Batches are kept until then, and a write refuses none.
    pub rejects_late: bool,
}

impl Default for CommitPolicy {
    /// For sinks whose commit flushes a disk: a trickle does not mean a flush an event.
    fn default() -> Self {
        Self {
            pause: Duration::from_millis(100),
            interval: Duration::from_secs(1),
            idle: None,
            rejects_late: false,
        }
    }
}

/// What the runtime gives a sink.
#[derive(Clone)]
pub struct SinkContext {
    /// The component's id in the topology.
    pub id: Arc<str>,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Files.
    pub files: Arc<dyn FileSystem>,
    /// What [`Sink::state`] said at the last checkpoint, if there was one.
    pub state: Option<String>,
    /// Whether every source above reads again what was not acknowledged, so that states belong to the checkpoint.
    pub upstream_replays: bool,
    /// Whether a source above cannot do so this time, because its input was truncated or deleted: what was written after
    /// `state` must be kept.
    pub must_keep: bool,
    /// The directory that relative paths of the topology start from.
    pub base_dir: PathBuf,
    /// Counters and gauges of this component.
    pub metrics: ComponentMetrics,
}

impl SinkContext {
    /// Whether every source above reads again what was written after `state`. If not, it must be kept.
    #[must_use]
    pub fn comes_again(&self) -> bool {
        self.upstream_replays && !self.must_keep
    }
}

/// What became of a batch that was written.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Delivery {
    /// Bytes as they were sent or stored, after encoding.
    pub bytes: u64,
    /// Events the sink will never take; the runtime sends them to the dead-letter output.
    pub rejected: Vec<Rejection>,
}

/// An event a sink will never take.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rejection {
    /// Its index in the batch.
    pub event: usize,
    /// Why, for the dead letter.
    pub reason: String,
}

/// An event that was written and then refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LateRejection {
    /// Which of the batches written since the commit before, from 0.
    pub batch: usize,
    /// The event and the reason.
    pub rejection: Rejection,
}
