//! Mermaid, as Markdown renderers draw it.

use std::fmt::Write;

use lograil_plugin::Kind;

use super::Drawing;

/// The drawing in Mermaid's language. Nodes are numbered: an id such as `end` would be a word of it.
pub(super) fn write(drawing: &Drawing) -> Result<String, std::fmt::Error> {
    let mut out = String::from("flowchart LR\n");
    for (number, node) in drawing.nodes.iter().enumerate() {
        let (open, close) = match node.kind {
            Kind::Source => ("([", "])"),
            Kind::Transform => ("[", "]"),
            Kind::Sink => ("[[", "]]"),
        };
        writeln!(out, "  n{number}{open}\"{}<br>{}\"{close}", node.id, node.component_type)?;
    }
    for edge in &drawing.edges {
        match &edge.port {
            None => writeln!(out, "  n{} --> n{}", edge.from, edge.to)?,
            Some(port) => writeln!(out, "  n{} -. {port} .-> n{}", edge.from, edge.to)?,
        }
    }
    Ok(out)
}
