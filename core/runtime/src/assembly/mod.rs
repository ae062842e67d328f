//! What runs, and turning it into what a plan says: at the start from nothing, in a reload from another plan.
//!
//! A change goes in two steps. First everything that can fail: new instances are built, started and opened, what is
//! to change is suspended between two batches, sinks are closed and opened anew, sources stopped and started anew. If any
//! of that fails, all goes on as it was. Then what cannot fail: transforms are flushed, edges laid, tasks started.
//!
//! An edge belongs to the id of its consumer. A successor takes over its receiving end with all that waits there;
//! producers only get other targets, so that nothing needs to be drained. What is no longer part of the plan gets no
//! more input and ends when its edge is empty.
//!
//! **Invariant:** what is not named in a change is not touched: it keeps its task, its state and its connections.

mod chains;
mod entrances;
mod next;
mod returning;
mod sinks;
mod sources;

use std::collections::HashMap;
use std::path::Path;
use std::sync::{Arc, Weak};
use std::time::Duration;

use lograil_buffer::{EdgeReceiver, EdgeSender, WeakEdgeSender};
use lograil_config::{Plan, PlannedComponent};
use lograil_plugin::{ComponentMetrics, Kind, Shutdown, ShutdownTrigger};
use tokio::sync::watch;

use crate::checkpoint::{Snapshot, Tracker};
use crate::diff::Fate;
use crate::error::RuntimeError;
use crate::ledger::Counts;
use crate::outlet::{Outlet, Targets};
use crate::status::Observed;
use crate::store::{self, CheckpointStore};
use crate::tasks::{Exit, Orders, Spawner, Task};
use crate::topology::{RunOptions, Seams};
use crate::transform_state::TransformStates;
use chains::RunningChain;
use next::Next;
use sinks::{Leaving, RunningSink, within};
use sources::RunningSource;

/// How long a task may take to give itself back before it is interrupted, and once more before the change is refused.
const PATIENCE: Duration = Duration::from_secs(1);

/// Where what must not be lost is kept.
pub(crate) struct Stores {
    pub checkpoints: Option<Arc<CheckpointStore>>,
    pub states: Option<Arc<TransformStates>>,
    /// Held so that no second process uses the data directory.
    lock: Option<std::fs::File>,
}

/// Everything that runs.
pub(crate) struct Assembly {
    plan: Plan,
    options: RunOptions,
    seams: Seams,
    pub tracker: Arc<Tracker>,
    pub stores: Stores,
    spawner: Spawner,
    /// Ends pauses, and a change that is under way.
    pub stopping: Arc<ShutdownTrigger>,
    shutdown: Shutdown,
    reopen: watch::Receiver<u64>,
    /// By id, kind and type: counts go on where a component comes back.
    ledgers: HashMap<(String, Kind, &'static str), Arc<Counts>>,
    sources: HashMap<String, RunningSource>,
    chains: Vec<RunningChain>,
    sinks: HashMap<String, RunningSink>,
    /// Sinks that are no longer in the plan, until they have ended.
    leaving: Vec<Leaving>,
    outlets: HashMap<String, Weak<Outlet>>,
    edges: HashMap<String, WeakEdgeSender>,
    /// Tasks that will report their end.
    pub tasks_open: usize,
}

/// What a change did, by ids.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Changes {
    /// Components that were not there.
    pub added: Vec<String>,
    /// Components of which a new instance took over.
    pub changed: Vec<String>,
    /// Components that are no longer there.
    pub removed: Vec<String>,
}

impl Changes {
    /// Whether no component is another than before.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.added.is_empty() && self.changed.is_empty() && self.removed.is_empty()
    }
}

impl Assembly {
    /// Nothing runs yet; the plan gives the settings of the whole.
    pub fn new(
        plan: &Plan,
        options: RunOptions,
        seams: Seams,
        spawner: Spawner,
        reopen: watch::Receiver<u64>,
    ) -> Self {
        let (stopping, shutdown) = ShutdownTrigger::new();
        let states = options.data_dir.as_deref();
        let states =
            states.map(|dir| Arc::new(TransformStates::new(dir, Arc::clone(&seams.files))));
        Self {
            plan: Plan { components: Vec::new(), ..plan.clone() },
            options,
            seams,
            tracker: Tracker::new(Snapshot::default()),
            stores: Stores { checkpoints: None, states, lock: None },
            spawner,
            stopping: Arc::new(stopping),
            shutdown,
            reopen,
            ledgers: HashMap::new(),
            sources: HashMap::new(),
            chains: Vec::new(),
            sinks: HashMap::new(),
            leaving: Vec::new(),
            outlets: HashMap::new(),
            edges: HashMap::new(),
            tasks_open: 0,
        }
    }

    /// The plan that runs.
    pub fn plan(&self) -> &Plan {
        &self.plan
    }

    /// Asks all sources to stop.
    pub fn stop(&self) {
        self.stopping.request();
        self.sources.values().for_each(RunningSource::stop);
    }

    /// Makes what runs into what `plan` says. On an error everything is as it was.
    pub async fn apply(&mut self, plan: Plan) -> Result<Changes, RuntimeError> {
        self.refuse_while_stopping()?;
        let mut next = Next::new(self, plan)?;
        if let Err(error) = self.prepare(&mut next).await {
            self.resume(next).await;
            return Err(error);
        }
        let changes = next.changes(&self.plan);
        self.commit(next);
        Ok(changes)
    }

    /// A request to stop does not wait for a change that has not yet touched anything.
    fn refuse_while_stopping(&self) -> Result<(), RuntimeError> {
        if self.shutdown.is_requested() {
            return Err(RuntimeError::Refused("the topology is ending".to_owned()));
        }
        Ok(())
    }

    /// The step that can fail.
    async fn prepare(&mut self, next: &mut Next) -> Result<(), RuntimeError> {
        let is_start = self.plan.components.is_empty();
        let was_complete = self.open_stores(next, is_start)?;
        self.start_new_transforms(next)?;
        self.lock_states(next)?;
        if is_start && !was_complete {
            self.ask_for_losses(next);
        }
        self.open_new_sinks(next, is_start).await?;
        if is_start {
            self.save_first_checkpoint(next)?;
        }
        self.start_free_sources(next, is_start).await?;
        self.suspend_chains(next).await?;
        self.refuse_while_stopping()?;
        self.change_sinks(next).await?;
        self.refuse_while_stopping()?;
        self.change_sources(next).await
    }

    /// Lets everything go on that was suspended or stopped, and closes what was opened.
    async fn resume(&mut self, mut next: Next) {
        if next.are_sinks_exchanged {
            for (_, task) in &mut next.suspended_sinks {
                self.put_back(task).await;
            }
        }
        self.put_back_sources(&mut next).await;
        for (ids, chain) in next.suspended_chains {
            self.spawn_chain(ids, chain);
        }
        for (_, task) in next.suspended_sinks {
            self.spawn_sink(task);
        }
        for (_, mut task) in next.new_sinks.into_iter().filter(|(_, task)| task.is_open) {
            task.untrack();
            if let Err(error) = within(&self.seams.clock, task.sink.close()).await {
                tracing::warn!(component_id = %task.context.id, "close: {error}");
            }
        }
    }

    /// The step that cannot fail.
    fn commit(&mut self, mut next: Next) {
        if self.plan.components.is_empty() {
            self.forget_other_states(&next);
        }
        self.take_chains_apart(&mut next);
        let mut receivers = self.lay_edges(&mut next);
        self.wire(&mut next);
        self.remove_sinks(&next);
        self.start_sinks(&mut next, &mut receivers);
        self.start_chains(&mut next, &mut receivers);
        self.run_sources(&mut next);
        self.plan = next.plan;
        self.end_taps();
    }

    /// Whoever listens to a component that is gone hears that nothing more will come.
    fn end_taps(&self) {
        for ((id, kind, component_type), counts) in &self.ledgers {
            let is_there = self.plan.find(id).is_some_and(|at| {
                let component = &self.plan.components[at];
                (component.kind, component.spec.name) == (*kind, *component_type)
            });
            if !is_there {
                counts.tap.end();
            }
        }
    }

    /// An edge in front of each component that is to have one and has none. The receiving ends of new ones.
    fn lay_edges(&mut self, next: &mut Next) -> HashMap<String, EdgeReceiver> {
        let bytes = usize::try_from(next.plan.global.buffer.max_bytes.0).unwrap_or(usize::MAX);
        let mut receivers = HashMap::new();
        let mut senders: HashMap<String, EdgeSender> = HashMap::new();
        for index in next.layout.edges() {
            let id = &next.plan.components[index].id;
            let running = next.senders.remove(id).filter(|_| next.fates[index] != Fate::New);
            let sender = running.unwrap_or_else(|| {
                let (sender, receiver) = lograil_buffer::memory(bytes);
                receivers.insert(id.clone(), receiver);
                sender
            });
            senders.insert(id.clone(), sender);
        }
        // What is left has no consumer in the plan: those who wait for room there are to go on.
        next.senders.values().for_each(EdgeSender::lift_limit);
        self.edges = senders.iter().map(|(id, sender)| (id.clone(), sender.downgrade())).collect();
        next.senders = senders;
        receivers
    }

    /// Gives every output its consumers.
    fn wire(&mut self, next: &mut Next) {
        let mut outlets = HashMap::new();
        for (index, component) in next.plan.components.iter().enumerate() {
            let known = self.outlets.get(&component.id).and_then(Weak::upgrade);
            let counts = ledger(&mut self.ledgers, component, &self.seams);
            let targets = next.targets(index);
            let outlet = match known
                .filter(|outlet| next.fates[index] != Fate::New && outlet.counts_in(&counts))
            {
                Some(outlet) => outlet,
                None => Outlet::new(Targets::new(), counts),
            };
            outlet.rewire(targets);
            outlets.insert(component.id.clone(), outlet);
        }
        for (chain, heir) in &next.draining_chains {
            let heir = heir.as_ref().and_then(|id| next.senders.get(id));
            if let (Some(last), Some(heir)) = (chain.stages.last(), heir) {
                last.outlet.rewire_port(lograil_plugin::Port::MAIN, vec![heir.clone()]);
            }
        }
        self.outlets =
            outlets.iter().map(|(id, outlet)| (id.clone(), Arc::downgrade(outlet))).collect();
        next.outlets = outlets;
    }

    /// Opens the checkpoints if a source can use them and none did so far. Whether what is read from there says that
    /// nothing was written after it.
    fn open_stores(&mut self, next: &Next, is_start: bool) -> Result<bool, RuntimeError> {
        let is_wanted = next.source_replays.iter().any(|replays| *replays);
        let Some(data_dir) = self.options.data_dir.clone() else { return Ok(false) };
        if !is_wanted || self.stores.checkpoints.is_some() {
            return Ok(false);
        }
        self.lock(&data_dir)?;
        let files = Arc::clone(&self.seams.files);
        let (store, mut snapshot) = CheckpointStore::open(&data_dir, files)?;
        if !is_start {
            // The sinks have written since, without being tracked.
            snapshot.sink_states.clear();
        }
        let was_complete = snapshot.is_complete;
        self.tracker.adopt(snapshot);
        self.stores.checkpoints = Some(Arc::new(store));
        Ok(was_complete)
    }

    fn lock(&mut self, data_dir: &Path) -> Result<(), RuntimeError> {
        if self.stores.lock.is_none() {
            self.stores.lock = Some(store::lock(data_dir)?);
        }
        Ok(())
    }

    /// The states of the sinks as they are now, before the first event: what a crash goes back to.
    fn save_first_checkpoint(&mut self, next: &mut Next) -> Result<(), RuntimeError> {
        let tracked = |id: &str| {
            next.new_sinks
                .iter()
                // What one must keep that could not be opened yet, no later start may undo.
                .filter(|(_, task)| task.is_open || !task.context.must_keep)
                .any(|(_, task)| task.context.upstream_replays && &*task.context.id == id)
        };
        self.tracker.forget_sinks(tracked);
        if let (Some(store), Some(snapshot)) = (&self.stores.checkpoints, self.tracker.cut()) {
            store.save(snapshot).map_err(|source| RuntimeError::DataDir {
                path: self.options.data_dir.clone().unwrap_or_default(),
                source,
            })?;
        }
        next.new_sinks.iter_mut().for_each(|(_, task)| task.is_new_to_checkpoint = false);
        Ok(())
    }

    fn metrics(&self, component: &PlannedComponent) -> ComponentMetrics {
        self.seams.metrics.component(&component.id, component.kind.name(), component.spec.name)
    }

    fn counts(&mut self, component: &PlannedComponent) -> Arc<Counts> {
        ledger(&mut self.ledgers, component, &self.seams)
    }

    fn spawn<T: Send + 'static, F>(
        &mut self,
        component: &str,
        threading: lograil_plugin::Threading,
        task: impl FnOnce(Orders) -> F,
    ) -> Task<T>
    where
        F: Future<Output = Exit<T>> + Send + 'static,
    {
        self.tasks_open += 1;
        self.spawner.spawn(component, threading, task)
    }

    /// All components as they are looked at from outside.
    pub fn observe(&mut self) -> Vec<Observed> {
        let mut all = Vec::new();
        for component in self.plan.components.clone() {
            let inputs = component.inputs.iter().map(|input| self.plan.output_name(*input));
            let ends = (inputs.collect(), component.ports.clone());
            let who = (component.id.clone(), component.kind.name(), component.spec.name);
            let level = self.edges.get(&component.id).map(WeakEdgeSender::level);
            let (counts, metrics) = (self.counts(&component), self.metrics(&component));
            all.push(Observed::new(who, ends, counts, level, &metrics));
        }
        all
    }
}

/// The counts of a component, which go on if it was there before.
fn ledger(
    ledgers: &mut HashMap<(String, Kind, &'static str), Arc<Counts>>,
    component: &PlannedComponent,
    seams: &Seams,
) -> Arc<Counts> {
    let (id, kind, name) = (&component.id, component.kind, component.spec.name);
    let make = || Counts::new(seams.metrics.component(id, kind.name(), name));
    Arc::clone(ledgers.entry((id.clone(), kind, name)).or_insert_with(make))
}
