//! Sources: what brings events in.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use futures::future::BoxFuture;
use lograil_event::Batch;
use thiserror::Error;

use crate::clock::Clock;
use crate::error::SourceError;
use crate::fs::FileSystem;
use crate::metrics::ComponentMetrics;
use crate::shutdown::Shutdown;
use crate::spec::Port;

/// Brings events in until its input ends or it is asked to stop.
pub trait Source: Send {
    /// What may fail for good before the first event: to bind a port, to read certificates. Called before
    /// [`Source::run`], once, when no other instance of the component is at work; where it has a claim that is free and does
    /// not replay, also while its predecessor still is. On an error the topology does not start, or the change that brought
    /// the source is refused and the predecessor goes on. What it took is given back when the source is dropped.
    fn start<'a>(&'a mut self, _start: &'a SourceStart) -> BoxFuture<'a, Result<(), SourceError>> {
        Box::pin(std::future::ready(Ok(())))
    }

    /// Runs the source. `Ok` means that the input ended, or that `context.shutdown` was obeyed: stop reading,
    /// send what is at hand, return. Batches already sent are drained by the runtime.
    fn run(self: Box<Self>, context: SourceContext) -> BoxFuture<'static, Result<(), SourceError>>;

    /// Whether a restart reads again, from [`SourceContext::positions`], all that was not acknowledged. Only
    /// then may a sink undo what it wrote after its last checkpoint.
    fn replays(&self) -> bool {
        false
    }

    /// Whether all that was read behind [`SourceStart::positions`] is still there to be read again; if not, what is
    /// missing and why: a clause for people. Asked at the start of the program of sources that replay, before sinks open:
    /// those below keep what they have then, instead of undoing what they wrote after the checkpoint.
    fn can_replay(&self, _start: &SourceStart) -> Result<(), String> {
        Ok(())
    }

    /// Whether it would read the file at a path, were it there. A topology in which a sink behind it writes that file
    /// is refused.
    fn reads_file(&self, _path: &Path) -> bool {
        false
    }

    /// How long those who send to it wait for the delivery of what they sent, before they send it again; `None` if they
    /// do not wait. A topology in which a transform behind it holds events back for as long is refused.
    fn delivery_wait(&self) -> Option<DeliveryWait> {
        None
    }

    /// Whether another instance in the same process loses nothing when this one is stopped. A reload refuses to
    /// change a source of which the input cannot be handed over.
    fn restarts(&self) -> bool {
        true
    }
}

/// What [`Source::delivery_wait`] says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeliveryWait {
    /// How long senders wait.
    pub within: Duration,
    /// What to change in the source's options so that they wait longer or not at all: a clause for people, beginning with
    /// a verb.
    pub remedy: Cow<'static, str>,
}

/// What a source is told when it starts.
#[derive(Clone)]
pub struct SourceStart {
    /// The component's id in the topology.
    pub id: Arc<str>,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Files.
    pub files: Arc<dyn FileSystem>,
    /// As in [`SourceContext`].
    pub positions: BTreeMap<String, String>,
    /// As in [`SourceContext`].
    pub once: bool,
    /// Counters and gauges of this component.
    pub metrics: ComponentMetrics,
}

impl SourceStart {
    /// What the source runs with, once it is started.
    #[must_use]
    pub fn run_with(self, output: SourceOutput, shutdown: Shutdown) -> SourceContext {
        let Self { id, clock, files, positions, once, metrics } = self;
        SourceContext { id, output, shutdown, clock, files, positions, once, metrics }
    }
}

/// What the runtime gives a source.
pub struct SourceContext {
    /// The component's id in the topology.
    pub id: Arc<str>,
    /// Where batches go.
    pub output: SourceOutput,
    /// The request to stop.
    pub shutdown: Shutdown,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Files.
    pub files: Arc<dyn FileSystem>,
    /// The positions that were acknowledged before the last stop or crash, as [`PositionUpdate`] gave them.
    pub positions: BTreeMap<String, String>,
    /// Whether to run to the end of the input as it is now and return, where that is possible.
    pub once: bool,
    /// Counters and gauges of this component.
    pub metrics: ComponentMetrics,
}

/// How far a source has come in one of its streams, once the batch it goes with is acknowledged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PositionUpdate {
    /// The stream: a file's identity, a partition.
    pub stream: String,
    /// The position in the source's own notation; `None` forgets the stream.
    pub position: Option<String>,
}

impl PositionUpdate {
    /// Brings the positions of a source's streams up to date.
    pub fn apply(self, positions: &mut BTreeMap<String, String>) {
        match self.position {
            Some(position) => positions.insert(self.stream, position),
            None => positions.remove(&self.stream),
        };
    }
}

/// The topology is stopping: nobody takes the batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("the topology is stopping")]
pub struct Closed;

/// The runtime's end of a source's output.
pub trait BatchSender: Send {
    /// Takes a batch, waiting while the edges are full. See [`SourceOutput::send`].
    fn send<'a>(
        &'a mut self,
        port: Port,
        batch: Batch,
        positions: Vec<PositionUpdate>,
    ) -> BoxFuture<'a, Result<(), Closed>>;
}

/// Where a source's batches go.
pub struct SourceOutput(Box<dyn BatchSender>);

impl SourceOutput {
    /// An output that hands batches to `sender`.
    #[must_use]
    pub fn new(sender: Box<dyn BatchSender>) -> Self {
        Self(sender)
    }

    /// Sends a batch, waiting while the edges are full. When it and all batches before it are acknowledged,
    /// `positions` become part of the checkpoint. An empty batch is fine: it carries positions only.
    pub async fn send(
        &mut self,
        batch: Batch,
        positions: Vec<PositionUpdate>,
    ) -> Result<(), Closed> {
        self.0.send(Port::MAIN, batch, positions).await
    }

    /// Sends events the source refuses, made by [`crate::dead_letter::convert`], to the dead-letter output.
    pub async fn dead_letter(&mut self, batch: Batch) -> Result<(), Closed> {
        self.0.send(Port::DEAD_LETTER, batch, Vec::new()).await
    }
}
