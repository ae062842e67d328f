//! Graphviz.

use std::fmt::{Result, Write};

use lograil_plugin::Kind;

use super::Drawing;

/// The drawing in Graphviz's language. Ids are letters, digits, `_` and `-`, so that quoting them is enough.
pub(super) fn write(drawing: &Drawing) -> std::result::Result<String, std::fmt::Error> {
    let mut out = String::from("digraph lograil {\n  rankdir=LR;\n  node [shape=box];\n");
    nodes(drawing, &mut out)?;
    for edge in &drawing.edges {
        let (from, to) = (&drawing.nodes[edge.from].id, &drawing.nodes[edge.to].id);
        write!(out, "  \"{from}\" -> \"{to}\"")?;
        if let Some(port) = &edge.port {
            write!(out, " [label=\"{port}\", style=dashed]")?;
        }
        out.push_str(";\n");
    }
    out.push_str("}\n");
    Ok(out)
}

fn nodes(drawing: &Drawing, out: &mut String) -> Result {
    for node in &drawing.nodes {
        let style = match node.kind {
            Kind::Source => ", style=rounded",
            Kind::Transform => "",
            Kind::Sink => ", style=bold",
        };
        let (id, component_type) = (&node.id, node.component_type);
        writeln!(out, "  \"{id}\" [label=\"{id}\\n{component_type}\"{style}];")?;
    }
    Ok(())
}
