//! Sources in a change: stopped, and started where their predecessors left off.

use std::sync::{Arc, PoisonError};

use lograil_config::Plan;
use lograil_plugin::{Kind, Shutdown, ShutdownTrigger, Source, SourceContext};

use super::next::{Built, Next};
use super::{Assembly, PATIENCE};
use crate::departures::Departures;
use crate::diff::Fate;
use crate::error::RuntimeError;
use crate::source_task::{self, LeftBehind, SourceSender};
use crate::tasks::{Ended, Exit, Order, Task};

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

    /// Stops the sources that change or go. What they still had to send is left behind.
    pub(super) async fn stop_sources(&mut self, next: &mut Next) {
        let is_stopped = |id: &String| next.fate_of(id) != Some(Fate::Kept);
        let ids: Vec<String> = self.sources.keys().filter(|id| is_stopped(id)).cloned().collect();
        let mut stopped: Vec<(String, RunningSource)> = Vec::new();
        for id in ids {
            if let Some(source) = self.sources.remove(&id) {
                source.stop();
                source.task.order(Order::Suspend);
                stopped.push((id, source));
            }
        }
        for (id, mut source) in stopped {
            match source.task.suspend(PATIENCE, &self.seams.clock).await {
                Ok(Some(())) => self.tasks_open = self.tasks_open.saturating_sub(1),
                Ok(None) => {}
                Err(_) => {
                    // It is in a call that does not return. What it sends from now on is refused.
                    source.task.order(Order::Interrupt);
                    self.tasks_open = self.tasks_open.saturating_sub(1);
                    tracing::error!(component_id = %id, "the source does not stop; it is left behind");
                }
            }
            next.left_behind.insert(id, source.left);
        }
    }

    pub(super) fn start_sources(&mut self, next: &mut Next) {
        for (index, replays) in next.source_replays.clone().into_iter().enumerate() {
            let Some(Built::Source(source)) =
                next.built[index].take_if(|built| matches!(built, Built::Source(_)))
            else {
                continue;
            };
            self.start_source(next, index, source, replays);
        }
        // Of those that are gone for good.
        for (id, left) in std::mem::take(&mut next.left_behind) {
            let mut departures = taken(&left);
            if !departures.is_empty() {
                let send_rest = move |_| async move {
                    // Whether anybody takes it: nobody is left who would care.
                    let _taken = departures.deliver().await;
                    Exit::<()>::Over(Ended::Done)
                };
                let task = self.spawn(&id, lograil_plugin::Threading::Async, send_rest);
                let _ending = task.drain(None, &self.seams.clock);
            }
        }
    }

    fn start_source(
        &mut self,
        next: &mut Next,
        index: usize,
        source: Box<dyn Source>,
        replays: bool,
    ) {
        let component = &next.plan.components[index];
        let (id, metrics) = (component.id.clone(), self.metrics(component));
        let Some(outlet) = next.outlets.get(&id).map(Arc::clone) else { return };
        let number = self.tracker.source(&id);
        let help = "Seconds from the sending of a batch to its delivery everywhere.";
        let histogram = metrics.histogram("delivery_seconds", help, &DELIVERY_SECONDS);
        self.tracker.time_source(number, Arc::clone(&self.seams.clock), histogram);
        let (stopping, shutdown) = ShutdownTrigger::new();
        let (left, restarts) = (LeftBehind::default(), source.restarts());
        let (tracker, counts) = (Arc::clone(&self.tracker), self.counts(component));
        let departures = next.left_behind.remove(&id).map(|left| taken(&left)).unwrap_or_default();
        let context = self.source_context(&id, metrics, shutdown);
        let task = self.spawn(&id.clone(), component.spec.threading, {
            let left = Arc::clone(&left);
            move |orders| {
                let sender =
                    SourceSender { number, tracker, outlet, counts, orders, departures, left };
                source_task::run(source, sender, id, context)
            }
        });
        let running = RunningSource { task, stopping, left, replays, restarts };
        self.sources.insert(component.id.clone(), running);
    }

    fn source_context(
        &self,
        id: &str,
        metrics: lograil_plugin::ComponentMetrics,
        shutdown: Shutdown,
    ) -> impl FnOnce(lograil_plugin::SourceOutput) -> SourceContext + Send + 'static {
        let (clock, files) = (Arc::clone(&self.seams.clock), Arc::clone(&self.seams.files));
        let (positions, once) = (self.tracker.positions_sent(id), self.options.once);
        let id = id.into();
        move |output| SourceContext { id, output, shutdown, clock, files, positions, once, metrics }
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
