//! Runs one sink.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::{ComponentMetrics, Delivery, FileSystem, LateRejection, Sink, SinkContext, SinkError};
use futures::FutureExt;
use lograil_event::Batch;
use serde_json::Value;
use tokio::runtime::Runtime;

use super::{COMPONENT_ID, current_thread, in_time};
use crate::testing::batches::{batch_of_json, batch_of_lines};
use crate::testing::clock::ManualClock;
use crate::testing::sim::SimFiles;

/// A sink and what it is given.
pub struct SinkHarness {
    runtime: Runtime,
    sink: Box<dyn Sink>,
    clock: ManualClock,
    files: Arc<dyn FileSystem>,
    state: Option<String>,
    upstream_replays: bool,
    must_keep: bool,
    base_dir: PathBuf,
    metrics: ComponentMetrics,
}

impl SinkHarness {
    /// A harness with a new clock, an empty simulated file system, the base directory `/`, sources
    /// that replay, and no state.
    #[must_use]
    pub fn new(sink: Box<dyn Sink>) -> Self {
        Self {
            runtime: current_thread(),
            sink,
            clock: ManualClock::new(),
            files: SimFiles::new().shared(),
            state: None,
            upstream_replays: true,
            must_keep: false,
            base_dir: PathBuf::from("/"),
            metrics: ComponentMetrics::detached(),
        }
    }

    /// The clock to use.
    #[must_use]
    pub fn with_clock(mut self, clock: &ManualClock) -> Self {
        self.clock = clock.clone();
        self
    }

    /// The file system to use.
    #[must_use]
    pub fn with_files(mut self, files: Arc<dyn FileSystem>) -> Self {
        self.files = files;
        self
    }

    /// The state of the last checkpoint, as [`Self::state`] of an earlier run said.
    #[must_use]
    pub fn with_state(mut self, state: Option<String>) -> Self {
        self.state = state;
        self
    }

    /// For sources above that do not read again what was written after the checkpoint.
    #[must_use]
    pub fn without_replay(mut self) -> Self {
        self.upstream_replays = false;
        self
    }

    /// For sources above that replay, but of which one has lost what was written after the checkpoint.
    #[must_use]
    pub fn with_lost_input(mut self) -> Self {
        self.must_keep = true;
        self
    }

    /// The directory relative paths start from.
    #[must_use]
    pub fn with_base_dir(mut self, base_dir: impl AsRef<Path>) -> Self {
        self.base_dir = base_dir.as_ref().to_owned();
        self
    }

    /// The metrics to use.
    #[must_use]
    pub fn with_metrics(mut self, metrics: ComponentMetrics) -> Self {
        self.metrics = metrics;
        self
    }

    /// The sink's clock.
    #[must_use]
    pub fn clock(&self) -> &ManualClock {
        &self.clock
    }

    /// Opens the sink.
    pub fn open(&mut self) -> Result<(), SinkError> {
        let context = SinkContext {
            id: COMPONENT_ID.into(),
            clock: self.clock.shared(),
            files: Arc::clone(&self.files),
            state: self.state.clone(),
            upstream_replays: self.upstream_replays,
            must_keep: self.must_keep,
            base_dir: self.base_dir.clone(),
            metrics: self.metrics.clone(),
        };
        self.runtime.block_on(in_time("open the sink", self.sink.open(context)))
    }

    /// Opens the sink; panics if it cannot.
    #[must_use]
    pub fn opened(mut self) -> Self {
        if let Err(error) = self.open() {
            panic!("open the sink: {error}");
        }
        self
    }

    /// Begins to offer a batch and waits for nothing: as when the topology is given up meanwhile.
    pub fn begin_write(&mut self, batch: &Batch) {
        let sink = &mut self.sink;
        let _given_up = self.runtime.block_on(async { sink.write(batch).now_or_never() });
    }

    /// Offers a batch.
    pub fn write(&mut self, batch: &Batch) -> Result<Delivery, SinkError> {
        self.runtime.block_on(in_time("write a batch", self.sink.write(batch)))
    }

    /// Offers a batch of lines.
    pub fn write_lines(&mut self, lines: &[&str]) -> Result<Delivery, SinkError> {
        self.write(&batch_of_lines(lines))
    }

    /// Offers a batch of JSON objects.
    pub fn write_json(&mut self, events: &[Value]) -> Result<Delivery, SinkError> {
        self.write(&batch_of_json(events))
    }

    /// Makes durable what was written.
    pub fn commit(&mut self) -> Result<(), SinkError> {
        self.runtime.block_on(in_time("commit", self.sink.commit()))
    }

    /// What the commits since this was last asked refused.
    pub fn take_rejected(&mut self) -> Vec<LateRejection> {
        self.sink.take_rejected()
    }

    /// What a checkpoint would keep.
    #[must_use]
    pub fn state(&self) -> Option<String> {
        self.sink.state()
    }

    /// SIGHUP.
    pub fn reopen(&mut self) {
        self.sink.reopen();
    }

    /// Commits and closes.
    pub fn close(mut self) -> Result<(), SinkError> {
        self.commit()?;
        self.runtime.block_on(in_time("close the sink", self.sink.close()))
    }
}
