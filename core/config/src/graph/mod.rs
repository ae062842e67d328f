//! The edges between components: inputs resolved to outputs, cycles, what nothing reads, and an order.

mod input;
mod order;

use lograil_plugin::{Kind, Port};

use crate::component::UnnamedOutput;
use crate::diagnostic::{Diagnostic, SourceFile};
use crate::document::{Node, Span};
use crate::suggest;

pub(crate) use order::{cycles, topological};

/// A component as the graph sees it.
pub(crate) struct Vertex<'a> {
    pub kind: Kind,
    pub id: &'a str,
    pub id_span: Span,
    /// Its named ports; `None` if its type is not known, and with it any port may be.
    pub ports: Option<&'a [String]>,
    pub unnamed: UnnamedOutput,
    pub inputs: VertexInputs<'a>,
}

/// What a component reads, as far as it could be read.
pub(crate) enum VertexInputs<'a> {
    Absent,
    Invalid,
    Listed(Span, &'a [Node]),
}

/// An output that a component reads, and the text that says so.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Edge {
    pub from: usize,
    pub port: Port,
    pub span: Span,
}

impl Vertex<'_> {
    fn name(&self) -> String {
        format!("{} `{}`", self.kind.name(), self.id)
    }

    /// The number of a port; the unnamed one and that of dead letters included.
    fn port(&self, name: &str) -> Option<Port> {
        if name == Port::DEAD_LETTER_NAME {
            return Some(Port::DEAD_LETTER);
        }
        let Some(ports) = self.ports else { return Some(Port::MAIN) };
        let at = ports.iter().position(|port| port == name)?;
        u16::try_from(at + 1).ok().map(Port)
    }

    /// How its named ports are written in `inputs`, but that of dead letters.
    fn named_outputs(&self) -> impl Iterator<Item = String> {
        self.ports.unwrap_or_default().iter().map(|port| format!("{}.{port}", self.id))
    }
}

/// What every component reads.
pub(crate) fn resolve(
    vertices: &[Vertex<'_>],
    files: &[SourceFile],
    diagnostics: &mut Vec<Diagnostic>,
) -> Vec<Vec<Edge>> {
    let resolver = input::Resolver::new(vertices, files);
    let mut edges = Vec::new();
    for (index, vertex) in vertices.iter().enumerate() {
        edges.push(match (&vertex.inputs, vertex.kind) {
            (VertexInputs::Listed(span, _), Kind::Source) => {
                diagnostics.push(source_with_inputs(vertex, *span));
                Vec::new()
            }
            (VertexInputs::Listed(_, nodes), _) if !nodes.is_empty() => {
                resolver.inputs(index, nodes, diagnostics)
            }
            (VertexInputs::Listed(span, _), _) => {
                diagnostics.push(without_inputs(vertices, vertex, *span, "nothing is listed"));
                Vec::new()
            }
            (VertexInputs::Absent, Kind::Transform | Kind::Sink) => {
                let label = "`inputs` is missing here";
                diagnostics.push(without_inputs(vertices, vertex, vertex.id_span, label));
                Vec::new()
            }
            (VertexInputs::Absent | VertexInputs::Invalid, _) => Vec::new(),
        });
    }
    edges
}

/// Checks texts that name one output each.
pub(crate) fn name_outputs(
    vertices: &[Vertex<'_>],
    nodes: &[Node],
    files: &[SourceFile],
    diagnostics: &mut Vec<Diagnostic>,
) {
    let resolver = input::Resolver::new(vertices, files);
    diagnostics.extend(nodes.iter().filter_map(|node| resolver.output(node).err()).map(|d| *d));
}

fn source_with_inputs(vertex: &Vertex<'_>, span: Span) -> Diagnostic {
    Diagnostic::error("source-inputs", format!("{} cannot have inputs", vertex.name()))
        .at(span, "a source reads from outside, not from components")
        .help("remove `inputs`, or make it a transform or a sink")
}

fn without_inputs(
    vertices: &[Vertex<'_>],
    vertex: &Vertex<'_>,
    span: Span,
    label: &str,
) -> Diagnostic {
    let readable = vertices
        .iter()
        .filter(|other| other.kind != Kind::Sink && other.id != vertex.id)
        .map(|other| other.id);
    Diagnostic::error("missing-inputs", format!("{} has no inputs", vertex.name()))
        .at(span, label)
        .help(format!("it can read {}", suggest::list(readable)))
}

/// Warnings about outputs that nothing reads.
pub(crate) fn unused(vertices: &[Vertex<'_>], edges: &[Vec<Edge>]) -> Vec<Diagnostic> {
    let mut warnings = Vec::new();
    // Inputs that could not be read may be the reader that seems to be missing.
    if vertices.iter().any(|vertex| matches!(vertex.inputs, VertexInputs::Invalid)) {
        return warnings;
    }
    let could_be_read = |vertex: &Vertex<'_>| vertex.kind != Kind::Sink && vertex.ports.is_some();
    for (index, vertex) in vertices.iter().enumerate().filter(|(_, v)| could_be_read(v)) {
        let readers = edges.iter().flatten().filter(|edge| edge.from == index);
        let read = readers.map(|edge| edge.port).filter(|port| *port != Port::DEAD_LETTER);
        let read: Vec<Port> = read.collect();
        if vertex.unnamed == UnnamedOutput::Unused {
            warnings.extend(unread_ports(vertex, &read));
            continue;
        }
        if !read.is_empty() {
            continue;
        }
        let label = "its events go nowhere";
        warnings.push(
            Diagnostic::warning("unused", format!("nothing reads {}", vertex.name()))
                .at(vertex.id_span, label)
                .help(format!("add `{}` to the `inputs` of a sink or a transform", vertex.id)),
        );
    }
    warnings
}

/// Of a component that has no other outputs.
fn unread_ports(vertex: &Vertex<'_>, read: &[Port]) -> Option<Diagnostic> {
    let ports =
        (1..).map(Port).zip(vertex.ports.unwrap_or_default().iter().zip(vertex.named_outputs()));
    let unread = ports.filter(|(port, _)| !read.contains(port)).map(|(_, names)| names);
    let (ports, outputs): (Vec<&String>, Vec<String>) = unread.unzip();
    let noun = if ports.len() == 1 { "the output" } else { "the outputs" };
    let ports = suggest::list(ports.iter().map(|port| port.as_str()));
    let outputs_list = suggest::list(outputs.iter().map(String::as_str));
    let message = format!("nothing reads {noun} {ports} of {}", vertex.name());
    (!outputs.is_empty()).then(|| {
        Diagnostic::warning("unused", message)
            .at(vertex.id_span, "their events go nowhere")
            .help(format!("add {outputs_list} to the `inputs` of a sink or a transform"))
    })
}
