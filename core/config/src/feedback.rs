//! Sources that would read what they are the cause of: a file that a sink behind them writes.

use std::path::Path;

use lograil_plugin::{Build, Kind};

use crate::component::Component;
use crate::diagnostic::Diagnostic;
use crate::graph::Edge;

/// How the claim of a sink begins that writes a file.
const FILE_CLAIM: &str = "file ";

/// Errors about sinks whose file a source above them reads: every event would come again for ever.
pub(crate) fn find(components: &[Component], edges: &[Vec<Edge>]) -> Vec<Diagnostic> {
    let mut found = Vec::new();
    for (index, sink) in components.iter().enumerate() {
        if sink.origin.kind != Kind::Sink {
            continue;
        }
        let written = sink.claims.iter().filter_map(|claim| claim.strip_prefix(FILE_CLAIM));
        for path in written {
            let above = above(index, edges);
            let reads = |source: &&Component| reads_file(source, Path::new(path));
            let sources = above.into_iter().map(|at| &components[at]).filter(reads);
            found.extend(sources.map(|source| explain(source, sink)));
        }
    }
    found
}

/// All that a component reads, by itself or through others.
fn above(index: usize, edges: &[Vec<Edge>]) -> Vec<usize> {
    let mut seen = vec![false; edges.len()];
    let mut found = vec![index];
    let mut next = 0;
    while let Some(&at) = found.get(next) {
        next += 1;
        for edge in &edges[at] {
            if !std::mem::replace(&mut seen[edge.from], true) {
                found.push(edge.from);
            }
        }
    }
    found
}

fn reads_file(component: &Component, path: &Path) -> bool {
    let Some(Build::Source(build)) = component.spec.map(|spec| spec.build) else { return false };
    // What cannot be built was reported.
    build(&component.options).is_ok_and(|source| source.reads_file(path))
}

fn explain(source: &Component, sink: &Component) -> Diagnostic {
    let entries = &sink.origin.options.entries;
    let path = entries.iter().find(|entry| entry.key == "path");
    let span = path.map_or(sink.origin.id_span, |entry| entry.node.span);
    let message = format!(
        "{} reads what {} writes, which is what it read: it would never end",
        source.origin.name(),
        sink.origin.name()
    );
    Diagnostic::error("feedback", message)
        .at(span, "written here")
        .at(source.origin.id_span, "its files include that one")
        .help("write to another place, or leave the file out of the source with `exclude`")
}
