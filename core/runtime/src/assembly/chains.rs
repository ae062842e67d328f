//! Transforms in a change: chains are taken apart between two batches and put together anew.

use std::collections::{BTreeSet, HashMap};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use lograil_buffer::{EdgeReceiver, EdgeSender};
use lograil_config::PlannedComponent;
use lograil_plugin::{Kind, Outputs, Threading, Transform, TransformContext};

use super::next::{Built, Next};
use super::{Assembly, PATIENCE};
use crate::chain::{Chain, Stage};
use crate::departures::Departures;
use crate::diff::Fate;
use crate::door::DoorSender;
use crate::error::RuntimeError;
use crate::tasks::Task;
use crate::transform_state::StateKeeper;

/// A chain that was started.
pub(super) struct RunningChain {
    pub ids: Vec<String>,
    /// Where batches are put in behind its first transform.
    pub door: DoorSender,
    task: Task<Chain>,
}

/// What remains of suspended chains.
#[derive(Default)]
pub(super) struct Remains {
    stages: HashMap<String, Stage>,
    /// By the id of the head: what waits in front of the chain and behind it.
    ends: HashMap<String, (EdgeReceiver, Departures)>,
    /// By the id of a stage: until when its chain was to take no input.
    paused_until: HashMap<String, Option<Duration>>,
}

impl RunningChain {
    pub fn is_over(&mut self, senders: &HashMap<String, EdgeSender>) -> bool {
        self.task.is_over() || self.ids.first().is_none_or(|head| !senders.contains_key(head))
    }
}

impl Assembly {
    /// The transforms that must have an edge in front of them: those that have one, and the first behind a head
    /// that goes, because what waits in front of that head has still to pass it.
    pub(super) fn heirs_of_edges(
        &mut self,
        survives: &dyn Fn(&str) -> bool,
        senders: &HashMap<String, EdgeSender>,
    ) -> BTreeSet<String> {
        let mut heirs = BTreeSet::new();
        for chain in &mut self.chains {
            if !chain.is_over(senders) {
                heirs.extend(chain.ids.iter().find(|id| survives(id)).cloned());
            }
        }
        heirs
    }

    /// Starts the transforms that take over from nobody, so that a mistake shows before anything is touched.
    pub(super) fn start_new_transforms(&self, next: &mut Next) -> Result<(), RuntimeError> {
        for (index, component) in next.plan.components.iter().enumerate() {
            let Some(Built::Transform(transform)) = &mut next.built[index] else { continue };
            if next.fates[index] == Fate::New {
                let states = self.stores.states.as_ref();
                let state = states.and_then(|all| all.load(&component.id, component.spec.name));
                self.start_transform(component, &mut **transform, state)?;
            }
        }
        Ok(())
    }

    fn start_transform(
        &self,
        component: &PlannedComponent,
        transform: &mut dyn Transform,
        state: Option<Arc<[u8]>>,
    ) -> Result<(), RuntimeError> {
        let context = TransformContext {
            id: component.id.as_str().into(),
            clock: Arc::clone(&self.seams.clock),
            state,
            base_dir: self.plan.base_dir.clone(),
            metrics: self.metrics(component),
        };
        transform.start(context).map_err(|error| RuntimeError::Open {
            component: component.id.clone(),
            message: error.to_string(),
        })
    }

    /// Holds the data directory also where only transforms have something to keep in it.
    pub(super) fn lock_states(&mut self, next: &Next) -> Result<(), RuntimeError> {
        let is_stateful = |one: &Option<Built>| matches!(one, Some(Built::Transform(transform)) if transform.state().is_some());
        let is_new =
            |(built, fate): (&Option<Built>, &Fate)| *fate == Fate::New && is_stateful(built);
        if let Some(data_dir) = self.options.data_dir.clone()
            && next.built.iter().zip(&next.fates).any(is_new)
        {
            self.lock(&data_dir)?;
        }
        Ok(())
    }

    /// At a start: forgets the states of transforms that are no longer in the plan. What goes in a reload is
    /// forgotten with it.
    pub(super) fn forget_other_states(&self, next: &Next) {
        if let (Some(states), Some(_)) = (&self.stores.states, &self.stores.lock) {
            let transforms = next.plan.components.iter().filter(|one| one.kind == Kind::Transform);
            let ids: Vec<&str> = transforms.map(|one| one.id.as_str()).collect();
            states.forget_all_but(|id| ids.contains(&id));
        }
    }

    /// Suspends the chains of which a part changes, and starts the changed transforms with what their predecessors
    /// know.
    pub(super) async fn suspend_chains(&mut self, next: &mut Next) -> Result<(), RuntimeError> {
        let planned = next.layout.chains(&next.plan);
        let ids_of = |chain: &Vec<usize>| -> Vec<String> {
            chain.iter().map(|at| next.plan.components[*at].id.clone()).collect()
        };
        let planned: Vec<Vec<String>> = planned.iter().map(ids_of).collect();
        let is_touched = |chain: &RunningChain| {
            let is_kept = |id: &String| next.fate_of(id) == Some(Fate::Kept);
            !chain.ids.iter().all(is_kept) || !planned.contains(&chain.ids)
        };
        let running = std::mem::take(&mut self.chains);
        let (touched, untouched): (Vec<_>, Vec<_>) = running.into_iter().partition(is_touched);
        self.chains = untouched;
        let mut refused = None;
        for mut chain in touched {
            if chain.is_over(&next.senders) {
                let _ending = chain.task.drain(None, &self.seams.clock);
                continue;
            }
            match chain.task.suspend(PATIENCE, &self.seams.clock).await {
                Ok(Some(suspended)) => {
                    self.tasks_open = self.tasks_open.saturating_sub(1);
                    next.suspended_chains.push((chain.ids, suspended));
                }
                Ok(None) => refused = Some(format!("{} has ended", chain.ids.join(", "))),
                Err(_) => {
                    refused = Some(format!("{} does not pause", chain.ids.join(", ")));
                    self.chains.push(chain);
                }
            }
        }
        match refused {
            Some(why) => Err(RuntimeError::Refused(why)),
            None => self.start_changed_transforms(next),
        }
    }

    fn start_changed_transforms(&self, next: &mut Next) -> Result<(), RuntimeError> {
        for stage in next.suspended_chains.iter().flat_map(|(_, chain)| &chain.stages) {
            let Some(at) = next.plan.find(&stage.id) else { continue };
            let component = &next.plan.components[at];
            let Some(Built::Transform(transform)) = &mut next.built[at] else { continue };
            if next.fates[at] == Fate::Changed {
                let is_same = stage.outputs.component_type() == component.spec.name;
                let state = || catch_unwind(AssertUnwindSafe(|| stage.transform.state())).ok();
                let state = if is_same { state().flatten() } else { None };
                self.start_transform(component, &mut **transform, state.map(Into::into))?;
            }
        }
        Ok(())
    }

    /// Flushes what changes or goes in its old place, and keeps the rest for the new chains.
    pub(super) fn take_chains_apart(&mut self, next: &mut Next) {
        for (_, mut chain) in std::mem::take(&mut next.suspended_chains) {
            let fates: Vec<Option<Fate>> =
                chain.stages.iter().map(|stage| next.fate_of(&stage.id)).collect();
            // Those at the head that go have still to see what waits in front of them.
            let gone = fates.iter().take_while(|fate| fate.is_none()).count();
            for (at, fate) in fates.iter().enumerate().skip(gone) {
                if *fate != Some(Fate::Kept) {
                    chain.flush_stage(at);
                }
            }
            chain.report_crash();
            let remaining = chain.stages.split_off(gone);
            let heir = remaining.first().map(|stage| stage.id.to_string());
            for (stage, fate) in remaining.into_iter().zip(&fates[gone..]) {
                self.keep_or_forget(stage, *fate, chain.paused_until, next);
            }
            for stage in &mut chain.stages {
                stage.keeper = None;
                self.forget_state(&stage.id);
            }
            match heir {
                Some(head) if gone == 0 => {
                    next.remains.ends.insert(head, (chain.input, chain.departures));
                }
                heir => next.draining_chains.push((chain, heir)),
            }
        }
    }

    fn keep_or_forget(
        &self,
        stage: Stage,
        fate: Option<Fate>,
        paused_until: Option<Duration>,
        next: &mut Next,
    ) {
        let id = stage.id.to_string();
        match (fate, &self.stores.states) {
            (None, _) => return self.forget_state(&id),
            (Some(Fate::Changed), Some(states)) => states.forget_taken(&id),
            _ => {}
        }
        next.remains.paused_until.insert(id.clone(), paused_until);
        next.remains.stages.insert(id, stage);
    }

    fn forget_state(&self, id: &str) {
        if let Some(states) = &self.stores.states {
            states.forget(id);
        }
    }

    pub(super) fn start_chains(
        &mut self,
        next: &mut Next,
        receivers: &mut HashMap<String, EdgeReceiver>,
    ) {
        for (chain, _) in std::mem::take(&mut next.draining_chains) {
            let id = chain.stages.first().map(|stage| stage.id.to_string()).unwrap_or_default();
            let task = self.spawn(&id, chain.threading, |orders| chain.run(orders));
            let _ending = task.drain(None, &self.seams.clock);
        }
        for planned in next.layout.chains(&next.plan) {
            let id = |at: &usize| next.plan.components[*at].id.clone();
            let ids: Vec<String> = planned.iter().map(id).collect();
            if self.chains.iter().any(|running| running.ids == ids) {
                continue;
            }
            let new = || receivers.remove(&ids[0]).map(|input| (input, Departures::default()));
            let Some((input, departures)) = next.remains.ends.remove(&ids[0]).or_else(new) else {
                continue;
            };
            let paused_until = ids.iter().filter_map(|id| next.remains.paused_until.remove(id));
            let paused_until = paused_until.max().flatten();
            let stages = planned.iter().filter_map(|at| self.stage(next, *at)).collect();
            let clock = Arc::clone(&self.seams.clock);
            let mut chain = Chain::new(stages, input, clock, self.shutdown.clone());
            (chain.departures, chain.paused_until) = (departures, paused_until);
            let blocks =
                |at: &usize| next.plan.components[*at].spec.threading == Threading::Blocking;
            if planned.iter().any(blocks) {
                chain.threading = Threading::Blocking;
            }
            self.spawn_chain(ids, chain);
        }
    }

    pub(super) fn spawn_chain(&mut self, ids: Vec<String>, chain: Chain) {
        let head = ids.first().cloned().unwrap_or_default();
        let door = chain.door.sender();
        let task = self.spawn(&head, chain.threading, |orders| chain.run(orders));
        self.chains.push(RunningChain { ids, door, task });
    }

    /// A transform at its place: the one that is kept, or the new instance.
    fn stage(&mut self, next: &mut Next, at: usize) -> Option<Stage> {
        let component = &next.plan.components[at];
        let old = next.remains.stages.remove(&component.id);
        let Some(Built::Transform(transform)) = next.built[at].take() else { return old };
        let id: Arc<str> = component.id.as_str().into();
        let keeper = self.stores.states.as_ref().filter(|_| transform.state().is_some());
        let keeper = keeper.map(|states| {
            let (states, tracker) = (Arc::clone(states), Arc::clone(&self.tracker));
            StateKeeper::new(states, tracker, &component.id, component.spec.name)
        });
        Some(Stage {
            id: Arc::clone(&id),
            transform,
            outputs: Outputs::new(id, component.spec.name),
            counts: self.counts(component),
            outlet: next.outlets.get(&component.id).map(Arc::clone)?,
            keeper,
        })
    }
}
