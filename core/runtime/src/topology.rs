//! Starting a plan, and following it to its end.

use std::future::Future;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use lograil_config::Plan;
use lograil_plugin::{
    Clock, FileSystem, MetricsRegistry, ShutdownTrigger, SystemClock, SystemFiles,
};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;

use crate::assembly::{Assembly, Changes};
use crate::checkpoint::Snapshot;
use crate::error::RuntimeError;
use crate::status::Observer;
use crate::store::CheckpointStore;
use crate::tasks::{Ended, Spawner};
use crate::transform_state::TransformStates;

/// How often the checkpoint is written while batches are delivered.
const CHECKPOINT_INTERVAL: Duration = Duration::from_millis(500);

/// How often rates are sampled.
const SAMPLE_INTERVAL: Duration = Duration::from_secs(1);

/// Time, files and metrics: what tests replace.
#[derive(Clone)]
pub struct Seams {
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Files.
    pub files: Arc<dyn FileSystem>,
    /// Where metrics are registered.
    pub metrics: MetricsRegistry,
}

impl Default for Seams {
    fn default() -> Self {
        Self {
            clock: Arc::new(SystemClock::default()),
            files: Arc::new(SystemFiles),
            metrics: MetricsRegistry::default(),
        }
    }
}

/// How a plan is to run.
#[derive(Debug, Clone, Default)]
pub struct RunOptions {
    /// Sources that can end do so at the end of their input as it is now.
    pub once: bool,
    /// Where checkpoints are kept. Used only if a source can replay.
    pub data_dir: Option<PathBuf>,
}

/// How a topology ended.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    /// Components that failed, with the reason.
    pub failures: Vec<(String, String)>,
    /// Batches that were read but not delivered. They are read again at the next start, where a source can.
    pub undelivered_batches: u64,
}

impl Outcome {
    /// Whether everything that was read was delivered and nothing failed.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        self.failures.is_empty() && self.undelivered_batches == 0
    }
}

/// A topology that runs.
pub struct Running {
    assembly: Assembly,
    reopen: watch::Sender<u64>,
    /// Tells tasks to end wherever they are.
    abandon: watch::Sender<bool>,
    ended: mpsc::UnboundedReceiver<Ended>,
    outcome: Outcome,
    output_closed: bool,
    clock: Arc<dyn Clock>,
    drain_timeout: Duration,
    /// Until when the components may drain after one of them ended the topology, in monotonic time.
    drain_until: Option<Duration>,
    observer: Observer,
    stores: watch::Sender<Stores>,
    background: Vec<JoinHandle<()>>,
    /// Tells the background tasks to end; dropping it does, too.
    background_stop: watch::Sender<bool>,
}

/// Says to a topology that is being changed that it is to stop.
#[derive(Clone)]
pub struct Stopper(Arc<ShutdownTrigger>);

impl Stopper {
    /// A change that is under way is broken off where it has touched nothing yet, else brought to its end; there is no
    /// other. [`Running::stop`] is to follow.
    pub fn request(&self) {
        self.0.request();
    }
}

/// Where what must not be lost is written; a reload may bring them.
#[derive(Clone, Default)]
struct Stores {
    checkpoints: Option<Arc<CheckpointStore>>,
    states: Option<Arc<TransformStates>>,
}

impl Running {
    /// Opens the sinks, then starts everything. Must be called inside a tokio runtime.
    pub async fn start(
        plan: Plan,
        options: RunOptions,
        seams: Seams,
    ) -> Result<Self, RuntimeError> {
        let drain_timeout = plan.global.shutdown_timeout.0;
        let (reopen, reopened) = watch::channel(0);
        let (abandon, abandoned) = watch::channel(false);
        let (ended_sender, ended) = mpsc::unbounded_channel();
        let spawner = Spawner { ended: ended_sender, abandon: abandoned };
        let mut assembly = Assembly::new(&plan, options, seams.clone(), spawner, reopened);
        let observer = Observer::new(&assembly.tracker, &seams);
        assembly.apply(plan).await?;
        observer.look_at(assembly.observe());
        observer.let_in(assembly.entrances());
        let mut running = Self {
            reopen,
            abandon,
            ended,
            outcome: Outcome::default(),
            output_closed: false,
            clock: Arc::clone(&seams.clock),
            drain_timeout,
            drain_until: None,
            observer,
            stores: watch::channel(stores_of(&assembly)).0,
            assembly,
            background: Vec::new(),
            background_stop: watch::channel(false).0,
        };
        running.spawn_background(&seams.clock);
        Ok(running)
    }

    /// Turns the topology into what another plan says, while it runs: what is the same in both goes on untouched,
    /// with its state and its connections; what changes takes over the queue, the state or the position of what was
    /// there under its id; what is gone delivers what it has. On an error nothing has changed. Not to be cancelled.
    pub async fn reload(&mut self, plan: Plan) -> Result<Changes, RuntimeError> {
        if self.drain_until.is_some() {
            return Err(RuntimeError::Refused("the topology is ending".to_owned()));
        }
        let drain_timeout = plan.global.shutdown_timeout.0;
        let changes = self.assembly.apply(plan).await?;
        self.drain_timeout = drain_timeout;
        self.stores.send_replace(stores_of(&self.assembly));
        self.observer.look_at(self.assembly.observe());
        self.observer.let_in(self.assembly.entrances());
        Ok(changes)
    }

    /// The plan that runs.
    #[must_use]
    pub fn plan(&self) -> &Plan {
        self.assembly.plan()
    }

    fn spawn_background(&mut self, clock: &Arc<dyn Clock>) {
        let observer = self.observer.clone();
        self.every(SAMPLE_INTERVAL, clock, move || {
            observer.sample();
            std::future::ready(())
        });
        let observer = self.observer.clone();
        let stores = self.stores.subscribe();
        self.every(CHECKPOINT_INTERVAL, clock, move || {
            let (observer, stores) = (observer.clone(), stores.borrow().clone());
            async move {
                let snapshot = observer.tracker().cut();
                checkpoint(&observer, snapshot, stores).await;
            }
        });
    }

    /// Does something again and again until told to stop, but never stops in the middle of it: a checkpoint
    /// that is being written must not come after a later one.
    fn every<F: Future<Output = ()> + Send>(
        &mut self,
        period: Duration,
        clock: &Arc<dyn Clock>,
        mut action: impl FnMut() -> F + Send + 'static,
    ) {
        let clock = Arc::clone(clock);
        let mut stop = self.background_stop.subscribe();
        self.background.push(tokio::spawn(async move {
            loop {
                tokio::select! {
                    _ = stop.changed() => return,
                    () = clock.sleep(period) => action().await,
                }
            }
        }));
    }

    async fn stop_background(&mut self) {
        self.background_stop.send_replace(true);
        for task in self.background.drain(..) {
            if let Err(error) = task.await {
                tracing::error!("end a background task: {error}");
            }
        }
    }

    /// For whoever hears a request to stop while [`Running::reload`] is under way.
    #[must_use]
    pub fn stopper(&self) -> Stopper {
        Stopper(Arc::clone(&self.assembly.stopping))
    }

    /// Asks the sources to stop; what they have read is still delivered.
    pub fn stop(&self) {
        self.assembly.stop();
    }

    /// Ends every task wherever it is. What is not delivered stays undelivered.
    pub fn abandon(&self) {
        self.abandon.send_replace(true);
    }

    /// Makes the sinks open their files anew.
    pub fn reopen(&self) {
        self.reopen.send_modify(|count| *count += 1);
    }

    /// A view from outside.
    #[must_use]
    pub fn observer(&self) -> Observer {
        self.observer.clone()
    }

    /// Follows the topology to its end. May be cancelled and called again.
    ///
    /// When a component ends the topology, the others drain for `shutdown_timeout` and are abandoned then: a
    /// sink whose peer is away would otherwise try for ever. After a [`Running::stop`] it is the caller who
    /// decides how long to wait.
    pub async fn wait(&mut self) {
        while self.assembly.tasks_open > 0 {
            let ended = match self.drain_until {
                None => self.ended.recv().await,
                Some(until) => {
                    let left = until.saturating_sub(self.clock.monotonic());
                    tokio::select! {
                        ended = self.ended.recv() => ended,
                        () = self.clock.sleep(left) => return self.give_up(),
                    }
                }
            };
            let Some(ended) = ended else { break };
            self.assembly.tasks_open = self.assembly.tasks_open.saturating_sub(1);
            match ended {
                Ended::Done => {}
                Ended::OutputClosed => {
                    self.output_closed = true;
                    self.wind_down();
                }
                Ended::Failed { component, reason } => {
                    tracing::error!(component_id = %component, "{reason}");
                    self.outcome.failures.push((component, reason));
                    self.wind_down();
                }
            }
        }
    }

    /// Stops because a component ended, and gives the others time to drain.
    fn wind_down(&mut self) {
        self.stop();
        let until = self.clock.monotonic().saturating_add(self.drain_timeout);
        self.drain_until.get_or_insert(until);
    }

    fn give_up(&mut self) {
        tracing::error!(
            "not everything could be delivered within {:?}; giving up",
            self.drain_timeout
        );
        self.abandon();
        // Tasks that are stuck in a blocking call cannot be waited for.
        self.assembly.tasks_open = 0;
    }

    /// Writes the last checkpoint and says how it ended. Call after [`Running::wait`], or when giving up.
    pub async fn finish(mut self) -> Outcome {
        self.stop_background().await;
        let snapshot = self.observer.tracker().last_cut();
        checkpoint(&self.observer, snapshot, self.stores.borrow().clone()).await;
        // A reader that went away took the rest of the output with it on purpose.
        if !self.output_closed {
            self.outcome.undelivered_batches = self.observer.tracker().in_flight();
        }
        self.outcome
    }

    /// Ends without a last checkpoint, as a crash would. Call after [`Running::abandon`] and
    /// [`Running::wait`].
    pub async fn crash(mut self) {
        self.stop_background().await;
    }
}

/// Saves what a cut gave, if there is a store; the cut also lets the tracker forget what lies before it. A failure is not the
/// end: the last checkpoint stays valid.
async fn checkpoint(observer: &Observer, snapshot: Option<Snapshot>, stores: Stores) {
    let tracker = observer.tracker();
    if let (Some(snapshot), Some(store)) = (snapshot, stores.checkpoints) {
        let saved = tokio::task::spawn_blocking(move || store.save(snapshot)).await;
        if let Err(error) = saved.unwrap_or_else(|crash| Err(std::io::Error::other(crash))) {
            tracing::warn!("write checkpoint: {error}; the last one stays in force");
            return tracker.retry_save();
        }
    }
    tracker.saved();
    observer.note_checkpoint();
    if let Some(states) = stores.states {
        let observer = observer.clone();
        let published = tokio::task::spawn_blocking(move || states.publish(observer.tracker()));
        if let Err(error) = published.await {
            tracing::error!("write states: {error}");
        }
    }
}

fn stores_of(assembly: &Assembly) -> Stores {
    let stores = &assembly.stores;
    Stores { checkpoints: stores.checkpoints.clone(), states: stores.states.clone() }
}
