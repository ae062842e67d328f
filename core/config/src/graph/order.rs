//! An order in which every component comes after those it reads, and the cycles that forbid one.

use std::collections::{BTreeSet, HashSet};

use super::{Edge, Vertex};
use crate::diagnostic::Diagnostic;

/// Indices of the components, each after those it reads; otherwise in the order of the files. Components
/// on or behind a cycle are left out.
pub(crate) fn topological(edges: &[Vec<Edge>]) -> Vec<usize> {
    let mut readers: Vec<Vec<usize>> = vec![Vec::new(); edges.len()];
    let mut waiting: Vec<usize> = vec![0; edges.len()];
    for (reader, inputs) in edges.iter().enumerate() {
        let sources: BTreeSet<usize> = inputs.iter().map(|edge| edge.from).collect();
        waiting[reader] = sources.len();
        sources.into_iter().for_each(|from| readers[from].push(reader));
    }
    let is_ready = |index: &usize| waiting[*index] == 0;
    let mut ready: BTreeSet<usize> = (0..edges.len()).filter(is_ready).collect();
    let mut order = Vec::with_capacity(edges.len());
    while let Some(next) = ready.pop_first() {
        order.push(next);
        for reader in &readers[next] {
            waiting[*reader] -= 1;
            if waiting[*reader] == 0 {
                ready.insert(*reader);
            }
        }
    }
    order
}

/// One error for each group of components that read each other in a circle.
pub(crate) fn cycles(vertices: &[Vertex<'_>], edges: &[Vec<Edge>]) -> Vec<Diagnostic> {
    let mut found = Vec::new();
    let mut on_cycle: HashSet<usize> = HashSet::new();
    let mut done = vec![false; edges.len()];
    for start in 0..edges.len() {
        if done[start] {
            continue;
        }
        // Depth first, against the flow: `path` holds who reads whom, with the input to try next.
        let mut path: Vec<(usize, usize)> = vec![(start, 0)];
        while let Some((vertex, next)) = path.last_mut() {
            let Some(edge) = edges[*vertex].get(*next) else {
                done[*vertex] = true;
                path.pop();
                continue;
            };
            *next += 1;
            let from = edge.from;
            if let Some(at) = path.iter().position(|(vertex, _)| *vertex == from) {
                let members: Vec<usize> = path[at..].iter().map(|(vertex, _)| *vertex).collect();
                if !members.iter().any(|member| on_cycle.contains(member)) {
                    found.push(cycle(vertices, edges, &members));
                }
                on_cycle.extend(members);
            } else if !done[from] {
                path.push((from, 0));
            }
        }
    }
    found
}

/// `members`: each reads the next, the last one reads the first.
fn cycle(vertices: &[Vertex<'_>], edges: &[Vec<Edge>], members: &[usize]) -> Diagnostic {
    let mut members: Vec<usize> = members.iter().rev().copied().collect();
    let lowest = members.iter().enumerate().min_by_key(|(_, member)| **member);
    let lowest = lowest.map_or(0, |(at, _)| at);
    members.rotate_left(lowest);
    let mut names: Vec<&str> = members.iter().map(|member| vertices[*member].id).collect();
    names.extend(names.first().copied());
    let mut diagnostic = Diagnostic::error("cycle", format!("cycle: {}", names.join(" -> ")));
    let nexts = members.iter().cycle().skip(1);
    for (from, reader) in members.iter().zip(nexts) {
        if let Some(edge) = edges[*reader].iter().find(|edge| edge.from == *from) {
            let text = format!("`{}` reads `{}`", vertices[*reader].id, vertices[*from].id);
            diagnostic = diagnostic.at(edge.span, text);
        }
    }
    diagnostic.help("events can only flow one way; remove one of these inputs")
}
