//! From a plan's inputs to its layout: who feeds whom, which transforms share a task, what lies upstream.

use std::collections::{BTreeSet, HashMap};

use lograil_config::Plan;
use lograil_plugin::{Kind, Port};

/// Which components have an edge in front of them, and which run in one task.
pub(crate) struct Layout {
    consumers: HashMap<(usize, Port), Vec<usize>>,
    /// The transform that runs in the same task right behind a transform.
    next_in_chain: HashMap<usize, usize>,
    edges: BTreeSet<usize>,
}

impl Layout {
    /// Lays an edge in front of every sink and every chain. One that `has_edge` already keeps it: there may be
    /// batches in it, and nothing but its own task could take them out.
    pub fn new(plan: &Plan, has_edge: impl Fn(&str) -> bool) -> Self {
        let mut consumers: HashMap<(usize, Port), Vec<usize>> = HashMap::new();
        for (index, component) in plan.components.iter().enumerate() {
            for input in &component.inputs {
                let of = consumers.entry((input.component, input.port)).or_default();
                if !of.contains(&index) {
                    of.push(index);
                }
            }
        }
        let mut layout = Self { consumers, next_in_chain: HashMap::new(), edges: BTreeSet::new() };
        for (index, component) in plan.components.iter().enumerate() {
            match layout.fused_behind(plan, index).filter(|_| !has_edge(&component.id)) {
                Some(before) => {
                    layout.next_in_chain.insert(before, index);
                }
                None if component.kind != Kind::Source => {
                    layout.edges.insert(index);
                }
                None => {}
            }
        }
        layout
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

    /// The components with an edge in front of them.
    pub fn edges(&self) -> impl Iterator<Item = usize> + '_ {
        self.edges.iter().copied()
    }

    /// The chains of transforms, each with those that share a task in their order.
    pub fn chains(&self, plan: &Plan) -> Vec<Vec<usize>> {
        let is_head = |index: &usize| plan.components[*index].kind == Kind::Transform;
        self.edges().filter(is_head).map(|head| self.chain_from(head)).collect()
    }

    fn chain_from(&self, head: usize) -> Vec<usize> {
        let mut chain = vec![head];
        while let Some(next) = chain.last().and_then(|last| self.next_in_chain.get(last)) {
            chain.push(*next);
        }
        chain
    }

    /// For every port of a component that is read, the consumers with an edge of their own.
    pub fn targets(&self, index: usize) -> Vec<(Port, &[usize])> {
        let is_outside =
            |port: Port| port != Port::MAIN || !self.next_in_chain.contains_key(&index);
        let of_component =
            |(component, port): (usize, Port)| component == index && is_outside(port);
        let consumers = self.consumers.iter().filter(|(from, _)| of_component(**from));
        consumers.map(|((_, port), to)| (*port, to.as_slice())).collect()
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
