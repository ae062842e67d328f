//! `lograil graph`: a topology as a drawing.

mod dot;
mod mermaid;
mod svg;

use lograil_config::Plan;
use lograil_plugin::{Kind, Port};

use crate::args::{GraphArguments, GraphFormat};
use crate::exit::Exit;
use crate::{output, topology};

pub(crate) fn run(arguments: &GraphArguments) -> anyhow::Result<Exit> {
    let loaded = topology::read(&arguments.topology)?;
    topology::report(&loaded);
    let Some(plan) = &loaded.plan else { return Ok(Exit::Failed) };
    let drawing = Drawing::of(plan);
    let text = match arguments.format {
        GraphFormat::Dot => dot::write(&drawing),
        GraphFormat::Mermaid => mermaid::write(&drawing),
        GraphFormat::Svg => svg::write(&drawing),
    }?;
    output::answer(&text)?;
    Ok(Exit::Success)
}

/// What every language draws.
struct Drawing {
    nodes: Vec<Node>,
    edges: Vec<Edge>,
}

struct Node {
    id: String,
    kind: Kind,
    component_type: &'static str,
}

struct Edge {
    from: usize,
    to: usize,
    /// The port's name, for all but the main output.
    port: Option<String>,
}

impl Drawing {
    fn of(plan: &Plan) -> Self {
        let mut drawing = Self { nodes: Vec::new(), edges: Vec::new() };
        for (to, component) in plan.components.iter().enumerate() {
            drawing.nodes.push(Node {
                id: component.id.clone(),
                kind: component.kind,
                component_type: component.spec.name,
            });
            for input in &component.inputs {
                let name = plan.output_name(*input);
                let port = name.split_once('.').map(|(_, port)| port.to_owned());
                let port = port.filter(|_| input.port != Port::MAIN);
                drawing.edges.push(Edge { from: input.component, to, port });
            }
        }
        drawing
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drawing() -> Drawing {
        let node =
            |id: &str, kind, component_type| Node { id: id.to_owned(), kind, component_type };
        Drawing {
            nodes: vec![
                node("app", Kind::Source, "file"),
                node("parse", Kind::Transform, "parse"),
                node("out", Kind::Sink, "stdout"),
                node("bad", Kind::Sink, "file"),
            ],
            edges: vec![
                Edge { from: 0, to: 1, port: None },
                Edge { from: 1, to: 2, port: None },
                Edge { from: 1, to: 3, port: Some("dead_letter".to_owned()) },
            ],
        }
    }

    #[test]
    fn every_language_draws_every_node_and_every_edge() {
        let drawing = drawing();
        let dot = dot::write(&drawing).unwrap();
        assert!(
            dot.contains("\"parse\" -> \"bad\" [label=\"dead_letter\", style=dashed]"),
            "{dot}"
        );
        assert_eq!(dot.matches("->").count(), 3);
        let mermaid = mermaid::write(&drawing).unwrap();
        assert!(mermaid.contains("n1 -. dead_letter .-> n3"), "{mermaid}");
        assert_eq!(mermaid.lines().filter(|line| line.contains("->")).count(), 3);
        let svg = svg::write(&drawing).unwrap();
        assert_eq!(svg.matches("<rect").count(), 4);
        assert_eq!(svg.matches("<path class=\"edge").count(), 3);
        assert!(svg.starts_with("<svg") && svg.trim_end().ends_with("</svg>"));
    }

    #[test]
    fn boxes_of_a_column_never_overlap() {
        let drawing = drawing();
        let places = svg::place(&drawing);
        for (i, a) in places.iter().enumerate() {
            for b in &places[i + 1..] {
                assert!(a.x != b.x || a.y.abs_diff(b.y) >= svg::ROW_HEIGHT, "{a:?} {b:?}");
            }
        }
        assert!(places[0].x < places[1].x && places[1].x < places[2].x);
    }
}
