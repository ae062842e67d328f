//! How long events are held back on their way, and sources whose senders do not wait for so long: these would send again
//! what is in already.

use std::time::Duration;

use lograil_plugin::{DeliveryWait, Port};

use crate::component::Component;
use crate::diagnostic::Diagnostic;
use crate::graph::Edge;

/// For how long events of `start` may have been held back when they leave each component by its unnamed output; `None`
/// for components that they do not reach. `inputs` says what each component reads, `held` how long it holds back.
pub(crate) fn totals(
    start: usize,
    inputs: &[Vec<(usize, Port)>],
    held: &[Duration],
) -> Vec<Option<Duration>> {
    let mut totals = vec![None; held.len()];
    totals[start] = Some(held[start]);
    // No path is longer than there are components. A topology may have a cycle: that is reported elsewhere.
    for _ in 0..held.len() {
        let before = totals.clone();
        for (at, inputs) in inputs.iter().enumerate() {
            let come = |&(from, port): &(usize, Port)| {
                let total: Duration = before[from]?;
                // What leaves by another output was not held back.
                Some(if port == Port::MAIN { total } else { total.saturating_sub(held[from]) })
            };
            let longest = inputs.iter().filter_map(come).max();
            totals[at] = totals[at].max(longest.map(|total| total.saturating_add(held[at])));
        }
        if totals == before {
            break;
        }
    }
    totals
}

/// Errors about transforms that hold events back for longer than senders to a source above them wait.
pub(crate) fn find(components: &[Component], edges: &[Vec<Edge>]) -> Vec<Diagnostic> {
    let read = |edges: &Vec<Edge>| edges.iter().map(|edge| (edge.from, edge.port)).collect();
    let inputs: Vec<Vec<(usize, Port)>> = edges.iter().map(read).collect();
    let held: Vec<Duration> = components.iter().map(|component| component.held).collect();
    let mut found = Vec::new();
    for (index, source) in components.iter().enumerate() {
        let Some(wait) = &source.delivery_wait else { continue };
        let totals = totals(index, &inputs, &held);
        let is_too_long = |at: &usize| {
            !held[*at].is_zero() && totals[*at].is_some_and(|total| total >= wait.within)
        };
        // One is enough: the remedy is the same for all.
        if let Some(at) = (0..components.len()).find(is_too_long) {
            found.push(explain(source, wait, &components[at], totals[at].unwrap_or_default()));
        }
    }
    found
}

fn explain(
    source: &Component,
    wait: &DeliveryWait,
    transform: &Component,
    total: Duration,
) -> Diagnostic {
    let how_long = match total {
        Duration::MAX => "without a bound".to_owned(),
        total => format!("for up to {total:?}"),
    };
    let message = format!(
        "events are held back {how_long} at {}, but senders to {} wait only {:?} for their delivery: they would send \
         again what is in already",
        transform.origin.name(),
        source.origin.name(),
        wait.within
    );
    Diagnostic::error("held-back", message)
        .at(transform.origin.id_span, "held back here")
        .at(source.origin.id_span, "answers once all is delivered")
        .help(format!("{}; or let the transform hold events back for a shorter time", wait.remedy))
}
