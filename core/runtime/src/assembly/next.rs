//! A change on its way: the new plan, what becomes of each component, and what is ready for it.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use lograil_buffer::EdgeSender;
use lograil_config::{Plan, PlannedComponent};
use lograil_plugin::{Build, Sink, Source, Transform};

use super::chains::Remains;
use super::sources::StoppedSource;
use super::{Assembly, Changes};
use crate::chain::Chain;
use crate::diff::{self, Fate};
use crate::error::RuntimeError;
use crate::outlet::{Outlet, Targets};
use crate::sink_task::SinkTask;
use crate::source_task::LeftBehind;
use crate::wiring::{Layout, sources_above};

/// An instance, made but not started.
pub(super) enum Built {
    Source(Box<dyn Source>),
    Transform(Box<dyn Transform>),
    Sink(Box<dyn Sink>),
}

/// A change on its way.
pub(super) struct Next {
    pub plan: Plan,
    pub layout: Layout,
    /// What becomes of each component of the plan.
    pub fates: Vec<Fate>,
    /// The new instance of each that is not kept, until it is where it belongs.
    pub built: Vec<Option<Built>>,
    /// For each component whether it is a source that replays.
    pub source_replays: Vec<bool>,
    /// For each component whether it is a source that has lost what it is to give again.
    pub has_lost: Vec<bool>,
    /// Keeps the edges that are there from ending meanwhile.
    pub senders: HashMap<String, EdgeSender>,
    /// New sinks, open if they could be.
    pub new_sinks: Vec<(usize, SinkTask)>,
    /// Chains of which a part changes, with the ids of their transforms.
    pub suspended_chains: Vec<(Vec<String>, Chain)>,
    /// Sinks that change.
    pub suspended_sinks: Vec<(usize, SinkTask)>,
    /// Whether no old instance of a sink that changes goes on.
    pub are_sinks_exchanged: bool,
    /// Sources that take over, once they are started.
    pub started_sources: Vec<(usize, Box<dyn Source>)>,
    /// Sources that were stopped.
    pub stopped_sources: Vec<StoppedSource>,
    /// What stopped sources had still to send.
    pub left_behind: HashMap<String, LeftBehind>,
    /// Chains that are no longer part of the plan but have batches waiting, and who is to get what comes out.
    pub draining_chains: Vec<(Chain, Option<String>)>,
    /// What remains of suspended chains.
    pub remains: Remains,
    pub outlets: HashMap<String, Arc<Outlet>>,
}

impl Next {
    /// Compares the plan with what runs and builds what is new. Has no effect outside.
    pub fn new(running: &mut Assembly, plan: Plan) -> Result<Self, RuntimeError> {
        let refused = diff::refused(&running.plan, &plan);
        if !refused.is_empty() {
            return Err(RuntimeError::Refused(refused.join("; ")));
        }
        let alive = |(id, edge): (&String, &lograil_buffer::WeakEdgeSender)| {
            edge.upgrade().map(|sender| (id.clone(), sender))
        };
        let senders: HashMap<String, EdgeSender> = running.edges.iter().filter_map(alive).collect();
        let (mut fates, mut built) = (Vec::new(), Vec::new());
        let mut source_replays = Vec::new();
        for (index, component) in plan.components.iter().enumerate() {
            let old =
                running.plan.find(&component.id).map(|at| running.plan.components[at].clone());
            let is_over = running.is_over(&component.id, &senders);
            let mut fate = diff::fate(old.as_ref(), component, is_over);
            let upstream = upstream_replays(&plan, index, &source_replays);
            let sink = running.sinks.get(&component.id);
            if fate == Fate::Kept && sink.is_some_and(|sink| sink.upstream_replays != upstream) {
                fate = Fate::Changed;
            }
            let made = if fate == Fate::Kept { None } else { Some(build(component)?) };
            source_replays.push(match &made {
                Some(Built::Source(source)) => source.replays(),
                _ => running.sources.get(&component.id).is_some_and(|source| source.replays),
            });
            fates.push(fate);
            built.push(made);
        }
        running.refuse_lost_sources(&plan, &fates)?;
        let survives = |id: &str| plan.find(id).is_some_and(|at| fates[at] != Fate::New);
        let has_edge: BTreeSet<String> = running.heirs_of_edges(&survives, &senders);
        let layout = Layout::new(&plan, |id| has_edge.contains(id));
        Ok(Self {
            plan,
            layout,
            fates,
            built,
            has_lost: vec![false; source_replays.len()],
            source_replays,
            senders,
            new_sinks: Vec::new(),
            suspended_chains: Vec::new(),
            suspended_sinks: Vec::new(),
            are_sinks_exchanged: false,
            started_sources: Vec::new(),
            stopped_sources: Vec::new(),
            left_behind: HashMap::new(),
            draining_chains: Vec::new(),
            remains: Remains::default(),
            outlets: HashMap::new(),
        })
    }

    /// The fate of what runs under an id; `None` if the plan has nothing that takes it over.
    pub fn fate_of(&self, id: &str) -> Option<Fate> {
        self.plan.find(id).map(|at| self.fates[at]).filter(|fate| *fate != Fate::New)
    }

    /// Whether every source above a component replays.
    pub fn upstream_replays(&self, index: usize) -> bool {
        upstream_replays(&self.plan, index, &self.source_replays)
    }

    /// Whether a source above a component has lost what it is to give again.
    pub fn has_lost_input(&self, index: usize) -> bool {
        sources_above(&self.plan, index).iter().any(|source| self.has_lost[*source])
    }

    /// The edges that each port of a component feeds.
    pub fn targets(&self, index: usize) -> Targets {
        let sender = |to: &usize| self.senders.get(&self.plan.components[*to].id).cloned();
        let targets = self.layout.targets(index).into_iter();
        targets.map(|(port, to)| (port, to.iter().filter_map(sender).collect())).collect()
    }

    /// What of the new plan differs from the old one.
    pub fn changes(&self, old: &Plan) -> Changes {
        let of = |fate: Fate| {
            let ids = self.plan.components.iter().zip(&self.fates);
            ids.filter(|(_, one)| **one == fate)
                .map(|(component, _)| component.id.clone())
                .collect()
        };
        let is_gone = |one: &&PlannedComponent| self.fate_of(&one.id).is_none();
        let removed = old.components.iter().filter(is_gone).map(|one| one.id.clone()).collect();
        Changes { added: of(Fate::New), changed: of(Fate::Changed), removed }
    }
}

fn upstream_replays(plan: &Plan, index: usize, source_replays: &[bool]) -> bool {
    let above = sources_above(plan, index);
    let replays = |source: &usize| source_replays.get(*source).copied().unwrap_or(false);
    !above.is_empty() && above.iter().all(replays)
}

pub(super) fn build(component: &PlannedComponent) -> Result<Built, RuntimeError> {
    let options = &component.options;
    let built = match component.spec.build {
        Build::Source(make) => make(options).map(Built::Source),
        Build::Transform(make) => make(options).map(Built::Transform),
        Build::Sink(make) => make(options).map(Built::Sink),
    };
    built.map_err(|errors| RuntimeError::Build {
        component: component.id.clone(),
        message: errors.0.first().map(|error| error.message.clone()).unwrap_or_default(),
    })
}
