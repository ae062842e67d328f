//! Building every component of a plan and giving each its task.

use std::any::Any;
use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use futures::FutureExt;
use lograil_config::{Plan, PlannedComponent};
use lograil_plugin::{
    Build, ComponentMetrics, Kind, Outputs, Port, Shutdown, ShutdownTrigger, Sink, SinkContext,
    SinkError, Source, SourceContext, SourceOutput, Threading, Transform, TransformContext,
};
use tokio::sync::{mpsc, watch};

use crate::chain::{Chain, Crash, Stage};
use crate::checkpoint::{Snapshot, Tracker};
use crate::crash;
use crate::error::RuntimeError;
use crate::gauges::TopologyGauges;
use crate::ledger::Counts;
use crate::outlet::Outlet;
use crate::sink_task::{SinkEnd, SinkTask, Uncommitted};
use crate::source_task::SourceSender;
use crate::status::{Observed, Observer, ObserverParts};
use crate::store::{self, CheckpointStore};
use crate::topology::{Ended, RunOptions, Seams};
use crate::transform_state::{StateKeeper, TransformStates};
use crate::wiring::{Wiring, sources_above};

/// Bounds of the buckets that count how long batches are under way.
const DELIVERY_SECONDS: [f64; 10] = [0.001, 0.005, 0.02, 0.1, 0.25, 0.5, 1.0, 5.0, 30.0, 300.0];

/// What a running topology is held by.
pub(crate) struct Parts {
    pub shutdown: ShutdownTrigger,
    pub reopen: watch::Sender<u64>,
    pub abandon: watch::Sender<bool>,
    pub ended: mpsc::UnboundedReceiver<Ended>,
    pub tasks: usize,
    pub observer: Observer,
}

/// A topology whose tasks run.
pub(crate) struct Started {
    pub parts: Parts,
    pub checkpoints: Option<CheckpointStore>,
    pub states: Option<Arc<TransformStates>>,
    pub lock: Option<std::fs::File>,
}

/// An instance, made but not started.
enum Built {
    Source(Box<dyn Source>),
    Transform(Box<dyn Transform>),
    Sink(Box<dyn Sink>),
}

struct Starter<'a> {
    plan: &'a Plan,
    options: &'a RunOptions,
    seams: &'a Seams,
    wiring: Wiring,
    tracker: Arc<Tracker>,
    snapshot: Snapshot,
    shutdown: Shutdown,
    reopen: watch::Receiver<u64>,
    abandon: watch::Receiver<bool>,
    ended: mpsc::UnboundedSender<Ended>,
    counts: Vec<Arc<Counts>>,
    metrics: Vec<ComponentMetrics>,
    /// Where the states of transforms are kept.
    states: Option<Arc<TransformStates>>,
    tasks: usize,
}

pub(crate) async fn start(
    plan: Plan,
    options: RunOptions,
    seams: &Seams,
) -> Result<Started, RuntimeError> {
    let mut built = build_all(&plan)?;
    let (checkpoints, snapshot, mut lock) = open_store(&built, &options, seams)?;
    let (trigger, shutdown) = ShutdownTrigger::new();
    let (reopen_sender, reopen) = watch::channel(0);
    let (abandon_sender, abandon) = watch::channel(false);
    let (ended_sender, ended) = mpsc::unbounded_channel();
    let metrics: Vec<_> = plan.components.iter().map(|c| metrics_of(c, seams)).collect();
    let edge_bytes = usize::try_from(plan.global.buffer.max_bytes.0).unwrap_or(usize::MAX);
    let mut starter = Starter {
        wiring: Wiring::new(&plan, edge_bytes),
        tracker: Tracker::new(snapshot.clone()),
        counts: metrics.iter().cloned().map(Counts::new).collect(),
        metrics,
        plan: &plan,
        options: &options,
        seams,
        snapshot,
        shutdown,
        reopen,
        abandon,
        ended: ended_sender,
        states: options.data_dir.as_deref().map(|dir| open_states(dir, seams)),
        tasks: 0,
    };
    let observer = starter.observer();
    let replays: Vec<bool> = built.iter().map(|b| b.as_ref().is_some_and(Built::replays)).collect();
    starter.start_transforms(&mut built)?;
    starter.lock_states(&built, &mut lock)?;
    let sinks = starter.open_sinks(&mut built, &replays).await?;
    // The states of the sinks as they are now, before the first event: what a crash goes back to.
    if let (Some(store), Some(snapshot)) = (&checkpoints, starter.tracker.cut()) {
        store.save(snapshot).map_err(|source| RuntimeError::DataDir {
            path: options.data_dir.clone().unwrap_or_default(),
            source,
        })?;
    }
    starter.spawn_sinks(sinks);
    starter.spawn_chains(&mut built);
    starter.spawn_sources(built);
    let (tasks, states) = (starter.tasks, starter.states.take());
    // With the starter go its senders, without which no edge would ever end.
    drop(starter);
    let parts = Parts {
        shutdown: trigger,
        reopen: reopen_sender,
        abandon: abandon_sender,
        ended,
        tasks,
        observer,
    };
    Ok(Started { parts, checkpoints, states, lock })
}

impl Built {
    fn replays(&self) -> bool {
        matches!(self, Self::Source(source) if source.replays())
    }
}

fn build_all(plan: &Plan) -> Result<Vec<Option<Built>>, RuntimeError> {
    let build = |component: &PlannedComponent| {
        let options = &component.options;
        let built = match component.spec.build {
            Build::Source(make) => make(options).map(Built::Source),
            Build::Transform(make) => make(options).map(Built::Transform),
            Build::Sink(make) => make(options).map(Built::Sink),
        };
        built.map(Some).map_err(|errors| RuntimeError::Build {
            component: component.id.clone(),
            message: errors.0.first().map(|error| error.message.clone()).unwrap_or_default(),
        })
    };
    plan.components.iter().map(build).collect()
}

/// Opens the checkpoints if a source can use them.
fn open_store(
    built: &[Option<Built>],
    options: &RunOptions,
    seams: &Seams,
) -> Result<(Option<CheckpointStore>, Snapshot, Option<std::fs::File>), RuntimeError> {
    let replays = built.iter().flatten().any(Built::replays);
    let Some(data_dir) = options.data_dir.as_deref().filter(|_| replays) else {
        return Ok((None, Snapshot::default(), None));
    };
    let lock = store::lock(data_dir)?;
    let (store, snapshot) = CheckpointStore::open(data_dir, Arc::clone(&seams.files))?;
    Ok((Some(store), snapshot, Some(lock)))
}

fn open_states(data_dir: &Path, seams: &Seams) -> Arc<TransformStates> {
    Arc::new(TransformStates::new(data_dir, Arc::clone(&seams.files)))
}

fn metrics_of(component: &PlannedComponent, seams: &Seams) -> ComponentMetrics {
    seams.metrics.component(&component.id, component.kind.name(), component.spec.name)
}

impl Starter<'_> {
    fn observer(&self) -> Observer {
        let observe = |(index, component): (usize, &PlannedComponent)| {
            let who = (component.id.clone(), component.kind.name(), component.spec.name);
            let inputs = component.inputs.iter().map(|input| self.input_name(*input)).collect();
            let ends = (inputs, component.ports.clone());
            let counts = Arc::clone(&self.counts[index]);
            let level = self.wiring.level(index);
            Observed::new(who, ends, counts, level, &self.metrics[index])
        };
        let observer = Observer(Arc::new(ObserverParts {
            components: self.plan.components.iter().enumerate().map(observe).collect(),
            tracker: Arc::clone(&self.tracker),
            clock: Arc::clone(&self.seams.clock),
            start: self.seams.clock.monotonic(),
            gauges: TopologyGauges::new(&self.seams.metrics),
            checkpointed_ns: AtomicU64::default(),
        }));
        observer.note_checkpoint();
        observer
    }

    fn input_name(&self, input: lograil_config::InputRef) -> String {
        let from = &self.plan.components[input.component];
        match input.port {
            Port::MAIN => from.id.clone(),
            Port::DEAD_LETTER => format!("{}.{}", from.id, Port::DEAD_LETTER_NAME),
            Port(number) => {
                let name = from.ports.get(usize::from(number) - 1).map_or("?", String::as_str);
                format!("{}.{name}", from.id)
            }
        }
    }

    fn outlet(&self, index: usize) -> Outlet {
        Outlet::new(self.wiring.targets(index), Arc::clone(&self.counts[index]))
    }

    /// Opens the sinks, so that a mistake shows before anything is read. One whose peer is away for now
    /// goes on trying in its task.
    async fn open_sinks(
        &mut self,
        built: &mut [Option<Built>],
        replays: &[bool],
    ) -> Result<Vec<(usize, SinkTask)>, RuntimeError> {
        let mut sinks = Vec::new();
        for (index, component) in self.plan.components.iter().enumerate() {
            let Some(Built::Sink(sink)) = built[index].take_if(|b| matches!(b, Built::Sink(_)))
            else {
                continue;
            };
            let mut task = self.sink_task(index, component, sink, replays);
            match task.sink.open(task.context.clone()).await {
                Ok(()) => task.is_open = true,
                Err(SinkError::Retry { reason, .. }) => {
                    tracing::warn!(component_id = %component.id, "open: {reason}; trying again");
                }
                Err(error) => {
                    let (component, message) = (component.id.clone(), error.to_string());
                    return Err(RuntimeError::Open { component, message });
                }
            }
            if task.is_open && task.context.upstream_replays {
                task.track();
            }
            sinks.push((index, task));
        }
        let is_tracked = |id: &str| {
            sinks.iter().any(|(_, task)| task.context.upstream_replays && &*task.context.id == id)
        };
        self.tracker.forget_sinks(is_tracked);
        Ok(sinks)
    }

    fn sink_task(
        &mut self,
        index: usize,
        component: &PlannedComponent,
        sink: Box<dyn Sink>,
        replays: &[bool],
    ) -> SinkTask {
        let above = sources_above(self.plan, index);
        let upstream_replays = !above.is_empty() && above.iter().all(|source| replays[*source]);
        let input = self.wiring.take_input(index);
        let context = SinkContext {
            id: component.id.as_str().into(),
            clock: Arc::clone(&self.seams.clock),
            files: Arc::clone(&self.seams.files),
            state: self.snapshot.sink_states.get(&component.id).cloned(),
            upstream_replays,
            base_dir: self.plan.base_dir.clone(),
            metrics: self.metrics[index].clone(),
        };
        SinkTask {
            sink,
            component_type: component.spec.name,
            context,
            is_open: false,
            input: input.unwrap_or_else(|| lograil_buffer::memory(0).1),
            outlet: self.outlet(index),
            counts: Arc::clone(&self.counts[index]),
            tracker: Arc::clone(&self.tracker),
            tracked: None,
            reopen: self.reopen.clone(),
            uncommitted: Uncommitted::default(),
        }
    }

    fn spawn_sinks(&mut self, sinks: Vec<(usize, SinkTask)>) {
        for (index, task) in sinks {
            let component = self.plan.components[index].id.clone();
            self.spawn(index, async move {
                match task.run().await {
                    SinkEnd::Drained => Ended::Done,
                    SinkEnd::Closed => Ended::OutputClosed,
                    SinkEnd::Failed(reason) => Ended::Failed { component, reason },
                }
            });
        }
    }

    fn spawn_chains(&mut self, built: &mut [Option<Built>]) {
        for index in 0..self.plan.components.len() {
            if self.plan.components[index].kind != Kind::Transform {
                continue;
            }
            let Some(chain) = self.wiring.chain_from(index) else { continue };
            let Some(input) = self.wiring.take_input(index) else { continue };
            let stages = chain.iter().filter_map(|at| self.stage(*at, built[*at].take())).collect();
            let ids: Vec<String> =
                chain.iter().map(|at| self.plan.components[*at].id.clone()).collect();
            let clock = Arc::clone(&self.seams.clock);
            let chain = Chain::new(stages, input, clock, self.shutdown.clone());
            self.spawn(index, async move {
                match chain.run().await {
                    Ok(()) => Ended::Done,
                    Err(Crash { stage, reason }) => {
                        Ended::Failed { component: ids[stage].clone(), reason }
                    }
                }
            });
        }
    }

    /// Starts the transforms, so that a mistake shows before anything is read.
    fn start_transforms(&self, built: &mut [Option<Built>]) -> Result<(), RuntimeError> {
        for (index, component) in self.plan.components.iter().enumerate() {
            let Some(Built::Transform(transform)) = &mut built[index] else { continue };
            let states = self.states.as_ref();
            let context = TransformContext {
                id: component.id.as_str().into(),
                clock: Arc::clone(&self.seams.clock),
                state: states.and_then(|states| states.load(&component.id, component.spec.name)),
                base_dir: self.plan.base_dir.clone(),
                metrics: self.metrics[index].clone(),
            };
            transform.start(context).map_err(|error| RuntimeError::Open {
                component: component.id.clone(),
                message: error.to_string(),
            })?;
        }
        Ok(())
    }

    /// Holds the data directory also where only transforms have something to keep in it.
    fn lock_states(
        &self,
        built: &[Option<Built>],
        lock: &mut Option<std::fs::File>,
    ) -> Result<(), RuntimeError> {
        let is_stateful =
            |one: &Built| matches!(one, Built::Transform(transform) if transform.state().is_some());
        if let (Some(data_dir), None) = (self.options.data_dir.as_deref(), &lock)
            && built.iter().flatten().any(is_stateful)
        {
            *lock = Some(store::lock(data_dir)?);
        }
        if let (Some(states), Some(_)) = (&self.states, &lock) {
            let transforms = self.plan.components.iter().filter(|one| one.kind == Kind::Transform);
            let ids: Vec<&str> = transforms.map(|one| one.id.as_str()).collect();
            states.forget_all_but(|id| ids.contains(&id));
        }
        Ok(())
    }

    fn stage(&self, index: usize, built: Option<Built>) -> Option<Stage> {
        let Some(Built::Transform(transform)) = built else { return None };
        let component = &self.plan.components[index];
        let id: Arc<str> = component.id.as_str().into();
        let keeper = self.states.as_ref().filter(|_| transform.state().is_some()).map(|states| {
            let (states, tracker) = (Arc::clone(states), Arc::clone(&self.tracker));
            StateKeeper::new(states, tracker, &component.id, component.spec.name)
        });
        Some(Stage {
            transform,
            outputs: Outputs::new(id, component.spec.name),
            counts: Arc::clone(&self.counts[index]),
            outlet: self.outlet(index),
            keeper,
        })
    }

    fn spawn_sources(&mut self, built: Vec<Option<Built>>) {
        // Numbered before the first starts, so that no batch meets a tracker that does not know its source.
        let numbers: Vec<u32> =
            self.plan.components.iter().map(|c| self.tracker.add_source(&c.id)).collect();
        for (index, built) in built.into_iter().enumerate() {
            let Some(Built::Source(source)) = built else { continue };
            let component = &self.plan.components[index];
            let help = "Seconds from the sending of a batch to its delivery everywhere.";
            self.tracker.time_source(
                numbers[index],
                Arc::clone(&self.seams.clock),
                self.metrics[index].histogram("delivery_seconds", help, &DELIVERY_SECONDS),
            );
            let sender = SourceSender {
                number: numbers[index],
                tracker: Arc::clone(&self.tracker),
                outlet: self.outlet(index),
                counts: Arc::clone(&self.counts[index]),
            };
            let context = SourceContext {
                id: component.id.as_str().into(),
                output: SourceOutput::new(Box::new(sender)),
                shutdown: self.shutdown.clone(),
                clock: Arc::clone(&self.seams.clock),
                files: Arc::clone(&self.seams.files),
                positions: self.snapshot.positions.get(&component.id).cloned().unwrap_or_default(),
                once: self.options.once,
                metrics: self.metrics[index].clone(),
            };
            let component = component.id.clone();
            self.spawn(index, async move {
                match source.run(context).await {
                    Ok(()) => Ended::Done,
                    Err(error) => Ended::Failed { component, reason: error.to_string() },
                }
            });
        }
    }

    /// Gives a component its task, on a thread of its own if it blocks. The task reports its end whatever
    /// happens, also when it panics or is abandoned.
    fn spawn(&mut self, index: usize, task: impl Future<Output = Ended> + Send + 'static) {
        self.tasks += 1;
        let component = self.plan.components[index].id.clone();
        let mut report = Report { ended: self.ended.clone(), component: Some(component.clone()) };
        let mut abandon = self.abandon.clone();
        let name = component.clone();
        let task = async move {
            let crashed = |panic: Box<dyn Any + Send>| Ended::Failed {
                component: name,
                reason: crash::reason(&*panic),
            };
            let ended = tokio::select! {
                ended = AssertUnwindSafe(task).catch_unwind() => ended.unwrap_or_else(crashed),
                _ = abandon.wait_for(|abandoned| *abandoned) => Ended::Done,
            };
            report.send(ended);
        };
        match self.plan.components[index].spec.threading {
            Threading::Async => {
                tokio::spawn(task);
            }
            Threading::Blocking => {
                let runtime = tokio::runtime::Handle::current();
                let thread = std::thread::Builder::new().name(component);
                // A thread that cannot be made drops the task, whose report then says so.
                let _detached = thread.spawn(move || runtime.block_on(task));
            }
        }
    }
}

/// Reports the end of a task; if the task never says how it ended, that it never ran.
struct Report {
    ended: mpsc::UnboundedSender<Ended>,
    component: Option<String>,
}

impl Report {
    fn send(&mut self, ended: Ended) {
        self.component = None;
        // Nobody listens any more only when the topology is gone.
        let _listening = self.ended.send(ended);
    }
}

impl Drop for Report {
    fn drop(&mut self) {
        if let Some(component) = self.component.take() {
            let reason = "it was given no thread, or the runtime is gone".to_owned();
            self.send(Ended::Failed { component, reason });
        }
    }
}
