//! Sinks in a change: suspended, committed, closed, and opened anew with their queue and their last state.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use lograil_buffer::EdgeReceiver;
use lograil_config::PlannedComponent;
use lograil_plugin::{BoxFuture, Clock, Kind, Sink, SinkContext, SinkError};

use super::next::{Built, Next, build};
use super::{Assembly, PATIENCE};
use crate::departures::Departures;
use crate::diff::Fate;
use crate::error::RuntimeError;
use crate::sink_task::{SinkTask, Uncommitted};
use crate::tasks::{Ending, Order, Task};

/// A sink that was started.
pub(super) struct RunningSink {
    pub task: Task<SinkTask>,
    pub upstream_replays: bool,
}

/// A sink that is no longer part of the plan, until it has ended.
pub(super) struct Leaving {
    id: String,
    claims: Vec<String>,
    ending: Ending,
}

impl Leaving {
    /// Whether it is in the way of a component.
    pub(super) fn has(&self, component: &PlannedComponent) -> bool {
        self.id == component.id || do_meet(&self.claims, &claims(component))
    }
}

pub(super) fn claims(component: &PlannedComponent) -> Vec<String> {
    (component.spec.claims)(&component.options.0)
}

fn do_meet(left: &[String], right: &[String]) -> bool {
    left.iter().any(|claim| right.contains(claim))
}

/// Waits for a call of a sink, but not for ever: the topology waits with it.
pub(super) async fn within<T>(
    clock: &Arc<dyn Clock>,
    call: BoxFuture<'_, Result<T, SinkError>>,
) -> Result<T, SinkError> {
    tokio::select! {
        biased;
        done = call => done,
        () = clock.sleep(PATIENCE) => Err(SinkError::retry("it takes long")),
    }
}

impl Assembly {
    /// Opens the sinks that take over from nobody, so that a mistake shows before anything is touched. One whose peer
    /// is away for now goes on trying in its task; in a reload also one that takes long, since what runs waits.
    pub(super) async fn open_new_sinks(
        &mut self,
        next: &mut Next,
        is_start: bool,
    ) -> Result<(), RuntimeError> {
        for index in 0..next.plan.components.len() {
            if next.fates[index] != Fate::New || next.plan.components[index].kind != Kind::Sink {
                continue;
            }
            let Some(Built::Sink(sink)) = next.built[index].take() else { continue };
            let mut task = self.sink_task(next, index, sink);
            if self.must_wait(next, index) {
                next.new_sinks.push((index, task));
                continue;
            }
            let opening = task.sink.open(task.context.clone());
            let opened =
                if is_start { opening.await } else { within(&self.seams.clock, opening).await };
            match opened {
                Ok(()) => {
                    task.is_open = true;
                    task.track();
                }
                Err(SinkError::Retry { reason, .. }) => {
                    tracing::warn!(component_id = %task.context.id, "open: {reason}; trying again");
                }
                Err(error) => {
                    let component = task.context.id.to_string();
                    return Err(RuntimeError::Open { component, message: error.to_string() });
                }
            }
            next.new_sinks.push((index, task));
            self.refuse_while_stopping()?;
        }
        Ok(())
    }

    /// Whether what a new sink claims is, or may be, in the hands of a component that changes or goes.
    fn must_wait(&self, next: &Next, index: usize) -> bool {
        let component = &next.plan.components[index];
        let wanted = claims(component);
        let is_in_the_way = self.plan.components.iter().any(|old| {
            let is_changing = next.fate_of(&old.id) != Some(Fate::Kept);
            is_changing && (old.id == component.id || do_meet(&claims(old), &wanted))
        });
        is_in_the_way || self.leaving.iter().any(|one| one.has(component))
    }

    fn sink_task(&mut self, next: &Next, index: usize, sink: Box<dyn Sink>) -> SinkTask {
        let component = &next.plan.components[index];
        let state = self.tracker.sink_state(&component.id);
        let counts = self.counts(component);
        SinkTask {
            sink,
            component_type: component.spec.name,
            context: SinkContext {
                must_keep: next.has_lost_input(index),
                ..self.sink_context(component, state, next.upstream_replays(index))
            },
            is_open: false,
            is_new_to_checkpoint: false,
            threading: component.spec.threading,
            after: Vec::new(),
            input: lograil_buffer::memory(0).1,
            outlet: crate::outlet::Outlet::new(Vec::new(), Arc::clone(&counts)),
            counts,
            tracker: Arc::clone(&self.tracker),
            tracked: None,
            reopen: self.reopen.clone(),
            at_hand: None,
            again: VecDeque::new(),
            progress: 0,
            departures: Departures::default(),
            uncommitted: Uncommitted::default(),
        }
    }

    fn sink_context(
        &self,
        component: &PlannedComponent,
        state: Option<String>,
        upstream_replays: bool,
    ) -> SinkContext {
        SinkContext {
            id: component.id.as_str().into(),
            clock: Arc::clone(&self.seams.clock),
            files: Arc::clone(&self.seams.files),
            state,
            upstream_replays,
            must_keep: false,
            base_dir: self.plan.base_dir.clone(),
            metrics: self.metrics(component),
        }
    }

    /// Puts new instances in place of the sinks that change.
    pub(super) async fn change_sinks(&mut self, next: &mut Next) -> Result<(), RuntimeError> {
        self.suspend_sinks(next).await?;
        self.refuse_while_stopping()?;
        let mut sinks = std::mem::take(&mut next.suspended_sinks);
        let changed = self.exchange(&mut sinks, next).await;
        next.suspended_sinks = sinks;
        changed
    }

    async fn suspend_sinks(&mut self, next: &mut Next) -> Result<(), RuntimeError> {
        let is_changed = |at: &usize| {
            next.fates[*at] == Fate::Changed && next.plan.components[*at].kind == Kind::Sink
        };
        let changed: Vec<usize> = (0..next.plan.components.len()).filter(is_changed).collect();
        let id = |at: usize| next.plan.components[at].id.clone();
        for at in &changed {
            if let Some(running) = self.sinks.get(&id(*at)) {
                running.task.order(Order::Suspend);
            }
        }
        let mut refused = None;
        for at in changed {
            let id = id(at);
            let Some(running) = self.sinks.get_mut(&id) else { continue };
            match running.task.suspend(PATIENCE, &self.seams.clock).await {
                Ok(Some(task)) => {
                    self.tasks_open = self.tasks_open.saturating_sub(1);
                    self.sinks.remove(&id);
                    next.suspended_sinks.push((at, task));
                }
                Ok(None) => {
                    self.sinks.remove(&id);
                    refused = Some(format!("the sink `{id}` has ended"));
                }
                Err(_) => {
                    refused = Some(format!("the sink `{id}` is in a call that does not return"))
                }
            }
        }
        refused.map_or(Ok(()), |why| Err(RuntimeError::Refused(why)))
    }

    /// Commits all, closes all, opens all: one may claim what another has.
    async fn exchange(
        &mut self,
        sinks: &mut [(usize, SinkTask)],
        next: &mut Next,
    ) -> Result<(), RuntimeError> {
        for (_, task) in sinks.iter_mut() {
            let clock = Arc::clone(&self.seams.clock);
            let id = Arc::clone(&task.context.id);
            if let Err(error) = within(&clock, Box::pin(task.commit_once())).await
                && !task.keeps_all()
            {
                let why = format!("the sink `{id}` cannot commit what it has written: {error}");
                return Err(RuntimeError::Refused(why));
            }
        }
        next.are_sinks_exchanged = true;
        for (_, task) in sinks.iter_mut() {
            self.close(task).await;
            task.take_back();
        }
        for (index, task) in sinks.iter_mut() {
            let Some(Built::Sink(sink)) = next.built[*index].take() else { continue };
            let component = next.plan.components[*index].clone();
            self.put_in(task, sink, &component, next.upstream_replays(*index));
            if !self.must_wait_for_leaving(next, &component) {
                self.open(task).await?;
            }
        }
        Ok(())
    }

    fn must_wait_for_leaving(&self, next: &Next, component: &PlannedComponent) -> bool {
        let wanted = claims(component);
        let is_leaving = |old: &&PlannedComponent| next.fate_of(&old.id).is_none();
        let mut leaving = self.plan.components.iter().filter(is_leaving);
        leaving.any(|old| do_meet(&claims(old), &wanted))
            || self.leaving.iter().any(|one| one.has(component))
    }

    async fn close(&self, task: &mut SinkTask) {
        if std::mem::take(&mut task.is_open) {
            task.context.state = task.sink.state();
            let id = Arc::clone(&task.context.id);
            if let Err(error) = within(&self.seams.clock, task.sink.close()).await {
                tracing::warn!(component_id = %id, "close: {error}");
            }
        }
    }

    /// Puts an instance in place of one that is closed.
    fn put_in(
        &self,
        task: &mut SinkTask,
        sink: Box<dyn Sink>,
        component: &PlannedComponent,
        upstream_replays: bool,
    ) {
        let is_same_type = task.component_type == component.spec.name;
        let state = task.context.state.take().filter(|_| is_same_type);
        task.sink = sink;
        task.component_type = component.spec.name;
        task.context = self.sink_context(component, state, upstream_replays);
        task.threading = component.spec.threading;
    }

    /// Opens an instance that takes over. One whose peer is away goes on trying in its task.
    async fn open(&self, task: &mut SinkTask) -> Result<(), RuntimeError> {
        if !task.after.is_empty() {
            return Ok(());
        }
        let id = Arc::clone(&task.context.id);
        match within(&self.seams.clock, task.sink.open(task.context.clone())).await {
            Ok(()) => {
                task.is_open = true;
                task.track();
                Ok(())
            }
            Err(SinkError::Retry { reason, .. }) => {
                tracing::warn!(component_id = %id, "open: {reason}; trying again");
                Ok(())
            }
            Err(error) => {
                Err(RuntimeError::Open { component: id.to_string(), message: error.to_string() })
            }
        }
    }

    /// Goes back to the instance that was there before.
    pub(super) async fn put_back(&self, task: &mut SinkTask) {
        self.close(task).await;
        let Some(at) = self.plan.find(&task.context.id) else { return };
        let component = &self.plan.components[at];
        let Ok(Built::Sink(sink)) = build(component) else { return };
        let upstream_replays = task.context.upstream_replays;
        self.put_in(task, sink, component, upstream_replays);
        if let Err(error) = self.open(task).await {
            // Its task tries once more and reports the failure.
            tracing::error!("go back to what it was: {error}");
        }
    }

    /// Lets the sinks that are no longer in the plan deliver what they have.
    pub(super) fn remove_sinks(&mut self, next: &Next) {
        self.leaving.retain(|one| one.ending.clone().now_or_never().is_none());
        let limit: Duration = next.plan.global.shutdown_timeout.0;
        let is_leaving = |id: &&String| next.fate_of(id).is_none();
        let ids: Vec<String> = self.sinks.keys().filter(is_leaving).cloned().collect();
        for id in ids {
            let Some(running) = self.sinks.remove(&id) else { continue };
            let old = self.plan.find(&id).map(|at| &self.plan.components[at]);
            let claims = old.map(claims).unwrap_or_default();
            // One of which the input had ended only makes way for another instance.
            let is_replaced =
                next.plan.components.iter().any(|one| one.id == id && one.kind == Kind::Sink);
            let ending = if is_replaced {
                running.task.ending()
            } else {
                running.task.drain(Some(limit), &self.seams.clock)
            };
            self.leaving.push(Leaving { id, claims, ending });
        }
    }

    pub(super) fn start_sinks(
        &mut self,
        next: &mut Next,
        receivers: &mut HashMap<String, EdgeReceiver>,
    ) {
        for (index, mut task) in std::mem::take(&mut next.new_sinks) {
            let Some(input) = receivers.remove(&*task.context.id) else { continue };
            task.input = input;
            self.start_sink(next, index, task);
        }
        for (index, task) in std::mem::take(&mut next.suspended_sinks) {
            self.start_sink(next, index, task);
        }
    }

    fn start_sink(&mut self, next: &Next, index: usize, mut task: SinkTask) {
        let component = &next.plan.components[index];
        task.counts = self.counts(component);
        if let Some(outlet) = next.outlets.get(&component.id) {
            task.outlet = Arc::clone(outlet);
        }
        if !task.is_open {
            let in_the_way = self.leaving.iter().filter(|one| one.has(component));
            task.after.extend(in_the_way.map(|one| one.ending.clone()));
        }
        self.spawn_sink(task);
    }

    pub(super) fn spawn_sink(&mut self, task: SinkTask) {
        let id = task.context.id.to_string();
        let upstream_replays = task.context.upstream_replays;
        let task = self.spawn(&id, task.threading, |orders| task.run(orders));
        self.sinks.insert(id, RunningSink { task, upstream_replays });
    }
}
