//! Sources in a change: stopped, and started where their predecessors left off. Where one cannot start, those that were
//! stopped go on in new instances of what they were.

use std::sync::{Arc, PoisonError, Weak};

use lograil_config::{Plan, PlannedComponent};
use lograil_plugin::{Kind, ShutdownTrigger, Source, SourceStart, Threading};

use super::next::{Built, Next};
use super::returning::{Returning, in_time, instance};
use super::sinks::claims;
use super::{Assembly, PATIENCE};
use crate::departures::Departures;
use crate::diff::Fate;
use crate::error::RuntimeError;
use crate::outlet::Outlet;
use crate::source_task::{self, LeftBehind, SourceSender};
use crate::tasks::{Ended, Exit, Order, Task};
use crate::wiring::sources_above;

/// Bounds of the buckets that count how long batches are under way.
const DELIVERY_SECONDS: [f64; 10] = [0.001, 0.005, 0.02, 0.1, 0.25, 0.5, 1.0, 5.0, 30.0, 300.0];

/// A source that was started.
pub(super) struct RunningSource {
    task: Task<()>,
    stopping: ShutdownTrigger,
    left: LeftBehind,
    pub replays: bool,
    restarts: bool,
}

/// A source that was stopped in a change.
pub(super) struct StoppedSource {
    id: String,
    /// `None` if it had ended.
    outlet: Option<Arc<Outlet>>,
    replays: bool,
}

/// Whether two components may be in each other's way: a port may be taken for one address and for all.
fn may_meet(left: &[String], right: &[String]) -> bool {
    let port = |claim: &String| claim.rsplit_once(':').map(|(_, port)| port.to_owned());
    left.iter().any(|one| {
        right.iter().any(|other| one == other || (port(one).is_some() && port(one) == port(other)))
    })
}

impl RunningSource {
    pub fn stop(&self) {
        self.stopping.request();
    }
}

impl Assembly {
    /// Refuses to change a source whose input would be lost.
    pub(super) fn refuse_lost_sources(
        &mut self,
        plan: &Plan,
        fates: &[Fate],
    ) -> Result<(), RuntimeError> {
        for (id, source) in &mut self.sources {
            let is_kept = plan.find(id).is_some_and(|at| fates[at] == Fate::Kept);
            if !is_kept && !source.restarts && !source.task.is_over() {
                let why = format!(
                    "the source `{id}` cannot be stopped without losing input: start the program anew"
                );
                return Err(RuntimeError::Refused(why));
            }
        }
        Ok(())
    }

    /// Starts the sources that need not wait for others to stop, so that a mistake shows before anything is touched.
    pub(super) async fn start_free_sources(
        &mut self,
        next: &mut Next,
        is_start: bool,
    ) -> Result<(), RuntimeError> {
        for index in 0..next.plan.components.len() {
            if self.is_free(next, index) {
                self.start_source(next, index, is_start).await?;
            }
        }
        Ok(())
    }

    /// Whether a source may start while what it takes over from is still at work.
    fn is_free(&self, next: &Next, index: usize) -> bool {
        let component = &next.plan.components[index];
        let wanted = claims(component);
        if next.fates[index] == Fate::Changed {
            let old = self.plan.find(&component.id).map(|at| claims(&self.plan.components[at]));
            let is_known = !wanted.is_empty() && old.is_some_and(|old| !old.is_empty());
            // What the two need must be known, and how far the old one came must not matter.
            if !is_known || next.source_replays[index] {
                return false;
            }
        }
        let is_going = |old: &&PlannedComponent| next.fate_of(&old.id) != Some(Fate::Kept);
        let mut going = self.plan.components.iter().filter(is_going);
        !going.any(|old| may_meet(&claims(old), &wanted))
    }

    /// Puts new instances in place of the sources that change, and stops those that go.
    pub(super) async fn change_sources(&mut self, next: &mut Next) -> Result<(), RuntimeError> {
        self.stop_sources(next).await;
        for index in 0..next.plan.components.len() {
            self.start_source(next, index, false).await?;
        }
        Ok(())
    }

    /// The step of a new instance that can fail.
    async fn start_source(
        &self,
        next: &mut Next,
        index: usize,
        is_start: bool,
    ) -> Result<(), RuntimeError> {
        let Some(Built::Source(mut source)) =
            next.built[index].take_if(|built| matches!(built, Built::Source(_)))
        else {
            return Ok(());
        };
        let component = &next.plan.components[index];
        let start = self.source_start(component);
        let starting = source.start(&start);
        let started =
            if is_start { starting.await } else { in_time(&self.seams.clock, starting).await };
        let component = component.id.clone();
        started.map_err(|error| RuntimeError::Start { component, message: error.to_string() })?;
        next.started_sources.push((index, source));
        Ok(())
    }

    /// Asks the sources that replay whether all is still there that they are to give again after a kill. Sinks below one that
    /// says no keep what they have.
    pub(super) fn ask_for_losses(&self, next: &mut Next) {
        for index in 0..next.plan.components.len() {
            let Some(Built::Source(source)) = &next.built[index] else { continue };
            if !next.source_replays[index] {
                continue;
            }
            let component = &next.plan.components[index];
            let Err(why) = source.can_replay(&self.source_start(component)) else { continue };
            next.has_lost[index] = true;
            let is_below = |at: usize| {
                let one = &next.plan.components[at];
                one.kind == Kind::Sink
                    && self.tracker.sink_state(&one.id).is_some()
                    && sources_above(&next.plan, at).contains(&index)
            };
            if (0..next.plan.components.len()).any(is_below) {
                tracing::warn!(
                    component_id = %component.id,
                    "{why}: what was read since the last checkpoint cannot all be read again; the sinks below keep what they have, and some events may be in them twice"
                );
            }
        }
    }

    fn source_start(&self, component: &PlannedComponent) -> SourceStart {
        SourceStart {
            id: component.id.as_str().into(),
            clock: Arc::clone(&self.seams.clock),
            files: Arc::clone(&self.seams.files),
            positions: self.tracker.positions_sent(&component.id),
            once: self.options.once,
            metrics: self.metrics(component),
        }
    }

    /// Stops the sources that change or go. What they still had to send is left behind.
    async fn stop_sources(&mut self, next: &mut Next) {
        let is_stopped = |id: &String| next.fate_of(id) != Some(Fate::Kept);
        let ids: Vec<String> = self.sources.keys().filter(|id| is_stopped(id)).cloned().collect();
        let mut stopped: Vec<(StoppedSource, RunningSource)> = Vec::new();
        for id in ids {
            let Some(source) = self.sources.get(&id) else { continue };
            next.left_behind.insert(id.clone(), Arc::clone(&source.left));
            if source.task.is_over() {
                continue;
            }
            let outlet = self.outlets.get(&id).and_then(Weak::upgrade);
            if let Some(source) = self.sources.remove(&id) {
                // First: one that ended before it heard this would have ended for good.
                source.task.order(Order::Suspend);
                source.stop();
                stopped.push((StoppedSource { id, outlet, replays: source.replays }, source));
            }
        }
        for (one, mut source) in stopped {
            match source.task.suspend(PATIENCE, &self.seams.clock).await {
                Ok(Some(())) => self.tasks_open = self.tasks_open.saturating_sub(1),
                Ok(None) => continue,
                Err(_) => {
                    // It is in a call that does not return. What it sends from now on is refused.
                    source.task.order(Order::Interrupt);
                    self.tasks_open = self.tasks_open.saturating_sub(1);
                    tracing::error!(component_id = %one.id, "the source does not stop; it is left behind");
                }
            }
            next.stopped_sources.push(one);
        }
    }

    /// Lets the sources that were stopped go on, in new instances of what they were.
    pub(super) async fn put_back_sources(&mut self, next: &mut Next) {
        // What these took may be what the others need.
        next.started_sources.clear();
        for StoppedSource { id, outlet, replays } in std::mem::take(&mut next.stopped_sources) {
            let at = self.plan.find(&id).map(|at| self.plan.components[at].clone());
            let departures = next.left_behind.remove(&id).map(|left| taken(&left));
            let departures = departures.unwrap_or_default();
            let (Some(component), Some(outlet)) = (at, outlet) else { continue };
            if self.shutdown.is_requested() {
                self.send_rest(&id, departures);
                continue;
            }
            let start = self.source_start(&component);
            let source = match instance(&component, &start).await {
                Ok(source) => source,
                Err(hindrance) => {
                    Box::new(Returning { component: component.clone(), start, hindrance })
                }
            };
            self.run_source(&component, source, replays, outlet, departures);
        }
    }

    /// Lets the sources run that were started.
    pub(super) fn run_sources(&mut self, next: &mut Next) {
        self.sources.retain(|id, _| next.fate_of(id) == Some(Fate::Kept));
        for (index, source) in std::mem::take(&mut next.started_sources) {
            let component = next.plan.components[index].clone();
            let Some(outlet) = next.outlets.get(&component.id).map(Arc::clone) else { continue };
            let left = next.left_behind.remove(&component.id);
            let departures = left.map(|left| taken(&left)).unwrap_or_default();
            let replays = next.source_replays[index];
            self.run_source(&component, source, replays, outlet, departures);
        }
        // Of those that are gone for good.
        for (id, left) in std::mem::take(&mut next.left_behind) {
            self.send_rest(&id, taken(&left));
        }
    }

    /// Sends what a source that does not go on still had to send.
    fn send_rest(&mut self, id: &str, mut departures: Departures) {
        if departures.is_empty() {
            return;
        }
        let send_rest = move |_| async move {
            // Whether anybody takes it: nobody is left who would care.
            let _taken = departures.deliver().await;
            Exit::<()>::Over(Ended::Done)
        };
        let task = self.spawn(id, Threading::Async, send_rest);
        let _ending = task.drain(None, &self.seams.clock);
    }

    fn run_source(
        &mut self,
        component: &PlannedComponent,
        source: Box<dyn Source>,
        replays: bool,
        outlet: Arc<Outlet>,
        departures: Departures,
    ) {
        let start = self.source_start(component);
        let number = self.tracker.source(&component.id);
        let help = "Seconds from the sending of a batch to its delivery everywhere.";
        let histogram = start.metrics.histogram("delivery_seconds", help, &DELIVERY_SECONDS);
        self.tracker.time_source(number, Arc::clone(&self.seams.clock), histogram);
        let (stopping, shutdown) = ShutdownTrigger::new();
        let (left, restarts) = (LeftBehind::default(), source.restarts());
        let (tracker, counts) = (Arc::clone(&self.tracker), self.counts(component));
        let (id, threading) = (component.id.clone(), component.spec.threading);
        let task = self.spawn(&component.id, threading, {
            let left = Arc::clone(&left);
            move |orders| {
                let sender =
                    SourceSender { number, tracker, outlet, counts, orders, departures, left };
                let context = move |output| start.run_with(output, shutdown);
                source_task::run(source, sender, id, context)
            }
        });
        let running = RunningSource { task, stopping, left, replays, restarts };
        self.sources.insert(component.id.clone(), running);
    }

    /// Whether what runs under an id has ended or is about to: nothing can take over from it. Not asked of
    /// sources, which end for good.
    pub(super) fn is_over(
        &mut self,
        id: &str,
        senders: &std::collections::HashMap<String, lograil_buffer::EdgeSender>,
    ) -> bool {
        let Some(at) = self.plan.find(id) else { return false };
        match self.plan.components[at].kind {
            Kind::Source => false,
            Kind::Transform => {
                let chain =
                    self.chains.iter_mut().find(|chain| chain.ids.iter().any(|one| one == id));
                chain.is_none_or(|chain| chain.is_over(senders))
            }
            Kind::Sink => {
                let sink = self.sinks.get_mut(id);
                !senders.contains_key(id) || sink.is_none_or(|sink| sink.task.is_over())
            }
        }
    }
}

fn taken(left: &LeftBehind) -> Departures {
    std::mem::take(&mut *left.lock().unwrap_or_else(PoisonError::into_inner))
}
