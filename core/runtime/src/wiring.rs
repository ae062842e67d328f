//! From a plan's inputs to edges: who feeds whom, which transforms share a task, what lies upstream.

use std::collections::HashMap;

use lograil_buffer::{EdgeLevel, EdgeReceiver, EdgeSender, memory};
use lograil_config::Plan;
use lograil_plugin::{Kind, Port};
use std::sync::Arc;

/// The edges of a topology and its chains.
pub(crate) struct Wiring {
    consumers: HashMap<(usize, Port), Vec<usize>>,
    /// The transform that runs in the same task right behind a transform.
    next_in_chain: HashMap<usize, usize>,
    senders: HashMap<usize, EdgeSender>,
    receivers: HashMap<usize, EdgeReceiver>,
}

impl Wiring {
    /// Makes an edge of `edge_bytes` in front of every sink and every chain.
    pub fn new(plan: &Plan, edge_bytes: usize) -> Self {
        let mut consumers: HashMap<(usize, Port), Vec<usize>> = HashMap::new();
        for (index, component) in plan.components.iter().enumerate() {
            for input in &component.inputs {
                let of = consumers.entry((input.component, input.port)).or_default();
                if !of.contains(&index) {
                    of.push(index);
                }
            }
        }
        let mut wiring = Self {
            consumers,
            next_in_chain: HashMap::new(),
            senders: HashMap::new(),
            receivers: HashMap::new(),
        };
        for (index, component) in plan.components.iter().enumerate() {
            match wiring.fused_behind(plan, index) {
                Some(before) => {
                    wiring.next_in_chain.insert(before, index);
                }
                None if component.kind != Kind::Source => {
                    let (sender, receiver) = memory(edge_bytes);
                    wiring.senders.insert(index, sender);
                    wiring.receivers.insert(index, receiver);
                }
                None => {}
            }
        }
        wiring
    }

    /// The transform that `index` can share a task with: it is a transform whose only input is the main
    /// output of another transform that feeds nobody else.
    fn fused_behind(&self, plan: &Plan, index: usize) -> Option<usize> {
        let component = &plan.components[index];
        let [input] = component.inputs.as_slice() else { return None };
        let before = &plan.components[input.component];
        let both = component.kind == Kind::Transform && before.kind == Kind::Transform;
        let alone =
            self.consumers.get(&(input.component, Port::MAIN)).is_some_and(|c| c.len() == 1);
        (both && alone && input.port == Port::MAIN).then_some(input.component)
    }

    /// The chain that starts at a transform, or `None` if the transform is inside one.
    pub fn chain_from(&self, index: usize) -> Option<Vec<usize>> {
        self.receivers.get(&index)?;
        let mut chain = vec![index];
        while let Some(next) = chain.last().and_then(|last| self.next_in_chain.get(last)) {
            chain.push(*next);
        }
        Some(chain)
    }

    /// The receiving end in front of a sink or a chain.
    pub fn take_input(&mut self, index: usize) -> Option<EdgeReceiver> {
        self.receivers.remove(&index)
    }

    /// The sending ends of every port of a component.
    pub fn targets(&self, index: usize) -> Vec<(Port, Vec<EdgeSender>)> {
        let mut targets = Vec::new();
        for ((component, port), consumers) in &self.consumers {
            if *component != index || self.is_inside_chain(index, *port) {
                continue;
            }
            let edges = consumers.iter().filter_map(|to| self.senders.get(to).cloned()).collect();
            targets.push((*port, edges));
        }
        targets
    }

    fn is_inside_chain(&self, index: usize, port: Port) -> bool {
        port == Port::MAIN && self.next_in_chain.contains_key(&index)
    }

    /// How full the edge in front of a component is; `None` for sources and inside a chain.
    pub fn level(&self, index: usize) -> Option<Arc<EdgeLevel>> {
        self.senders.get(&index).map(EdgeSender::level)
    }
}

/// The sources whose events can reach a component.
pub(crate) fn sources_above(plan: &Plan, index: usize) -> Vec<usize> {
    let (mut open, mut seen, mut sources) = (vec![index], vec![index], Vec::new());
    while let Some(at) = open.pop() {
        let component = &plan.components[at];
        if component.kind == Kind::Source {
            sources.push(at);
        }
        for input in &component.inputs {
            if !seen.contains(&input.component) {
                seen.push(input.component);
                open.push(input.component);
            }
        }
    }
    sources
}
