//! One entry of `inputs`: an id, an id with a port, or a glob.

use std::collections::HashMap;

use globset::GlobBuilder;
use lograil_plugin::{Kind, Port};

use super::{Edge, Vertex};
use crate::component::UnnamedOutput;
use crate::diagnostic::{Diagnostic, SourceFile};
use crate::document::{Node, Span};
use crate::suggest;

pub(super) struct Resolver<'a> {
    vertices: &'a [Vertex<'a>],
    ids: HashMap<&'a str, usize>,
    files: &'a [SourceFile],
}

impl<'a> Resolver<'a> {
    pub fn new(vertices: &'a [Vertex<'a>], files: &'a [SourceFile]) -> Self {
        let ids = vertices.iter().enumerate().map(|(index, vertex)| (vertex.id, index)).collect();
        Self { vertices, ids, files }
    }

    /// The output that a text names which is no pattern.
    pub fn output(&self, node: &Node) -> Result<(), Box<Diagnostic>> {
        let Some(text) = node.as_text() else { return Ok(()) };
        match self.ids.get(text.value.as_str()).map(|at| &self.vertices[*at]) {
            Some(vertex) if vertex.unnamed == UnnamedOutput::Unused => {
                Err(no_unnamed(vertex, node, ""))
            }
            _ => self.named(&text.value, node).map(|_| ()),
        }
    }

    /// All outputs that the component at `reader` reads, each once.
    pub fn inputs(
        &self,
        reader: usize,
        nodes: &[Node],
        diagnostics: &mut Vec<Diagnostic>,
    ) -> Vec<Edge> {
        let mut edges: Vec<Edge> = Vec::new();
        for node in nodes {
            let Some(text) = node.as_text() else { continue };
            let found = if is_pattern(&text.value) {
                self.glob(reader, &text.value, node)
            } else {
                self.named(&text.value, node).map(|edge| vec![edge])
            };
            match found {
                Ok(found) => {
                    for edge in found {
                        let same = |e: &Edge| (e.from, e.port) == (edge.from, edge.port);
                        if !edges.iter().any(same) {
                            edges.push(edge);
                        }
                    }
                }
                Err(diagnostic) => diagnostics.push(*diagnostic),
            }
        }
        edges
    }

    fn named(&self, text: &str, node: &Node) -> Result<Edge, Box<Diagnostic>> {
        let (id, port) = match text.split_once('.') {
            Some((id, port)) => (id, Some(port)),
            None => (text, None),
        };
        let Some(&from) = self.ids.get(id) else { return Err(self.unknown(text, id, node)) };
        let vertex = &self.vertices[from];
        let edge = |port| Edge { from, port, span: node.span };
        match port {
            None if vertex.kind == Kind::Sink => Err(self.is_sink(vertex, node)),
            None if vertex.unnamed == UnnamedOutput::Unused => {
                Err(no_unnamed(vertex, node, &format!(", or `{id}.*` for all of them")))
            }
            None => Ok(edge(Port::MAIN)),
            Some(name) => match vertex.port(name) {
                Some(port) => Ok(edge(port)),
                None => Err(self.unknown_port(vertex, name, id.len() + 1, node)),
            },
        }
    }

    /// Ids that match a pattern. A pattern may end in `.port`, which may be one too and then finds all named ports
    /// but that of dead letters; the reader itself never matches.
    fn glob(&self, reader: usize, text: &str, node: &Node) -> Result<Vec<Edge>, Box<Diagnostic>> {
        let (pattern, port) = match text.rsplit_once('.') {
            Some((pattern, port)) => (pattern, Some(port)),
            None => (text, None),
        };
        let mistake = |message: String, label: &str| {
            let diagnostic = Diagnostic::error("unknown-input", message);
            Box::new(diagnostic.at(node.span, label))
        };
        let matcher = |pattern: &str| {
            let glob = GlobBuilder::new(pattern).build().map_err(|error| {
                let message = format!("{} is not a pattern: {}", written(node), error.kind());
                mistake(message, "not a pattern")
            })?;
            Ok::<_, Box<Diagnostic>>(glob.compile_matcher())
        };
        let ids = matcher(pattern)?;
        let port_matcher = port.filter(|port| is_pattern(port)).map(matcher).transpose()?;
        let mut edges = Vec::new();
        for (from, vertex) in self.vertices.iter().enumerate() {
            if from == reader || !ids.is_match(vertex.id) {
                continue;
            }
            let has_unnamed = vertex.kind != Kind::Sink && vertex.unnamed == UnnamedOutput::Used;
            let edge = |port| Edge { from, port, span: node.span };
            match (port, &port_matcher) {
                (None, _) => edges.extend(has_unnamed.then_some(Port::MAIN).map(edge)),
                (Some(_), Some(ports)) => {
                    let names = vertex.ports.unwrap_or_default().iter();
                    let found = names.filter(|name| ports.is_match(name));
                    edges.extend(found.filter_map(|name| vertex.port(name)).map(edge));
                }
                (Some(name), None) => edges.extend(vertex.port(name).map(edge)),
            }
        }
        if edges.is_empty() {
            let message = format!("the input {} matches nothing", written(node));
            return Err(mistake(message, "no source or transform has such an output"));
        }
        Ok(edges)
    }

    fn unknown(&self, text: &str, id: &str, node: &Node) -> Box<Diagnostic> {
        let readable: Vec<&str> = self
            .vertices
            .iter()
            .filter(|vertex| vertex.kind != Kind::Sink)
            .map(|vertex| vertex.id)
            .collect();
        let close = node.as_text().filter(|text| text.replaced.is_none());
        let close = close.and_then(|_| suggest::closest(id, readable.iter().copied()));
        let label = suggest::label(close, "no component has this id");
        let message = format!("the input {} does not exist", written(node));
        let help = format!("there are {}", suggest::list(readable));
        let span = if id.len() == text.len() { node.span } else { self.part(node, 0, id.len()) };
        Box::new(Diagnostic::error("unknown-input", message).at(span, label).help(help))
    }

    fn unknown_port(
        &self,
        vertex: &Vertex<'_>,
        port: &str,
        at: usize,
        node: &Node,
    ) -> Box<Diagnostic> {
        let named = vertex.ports.unwrap_or_default().iter().map(String::as_str);
        let ports: Vec<&str> = named.chain([Port::DEAD_LETTER_NAME]).collect();
        let close = suggest::closest(port, ports.iter().copied());
        let label = suggest::label(close, "no such output");
        let message = format!("{} has no output `{port}`", vertex.name());
        let help = format!("its named outputs: {}", suggest::list(ports));
        let span = self.part(node, at, at + port.len());
        let diagnostic = Diagnostic::error("unknown-port", message).at(span, label);
        Box::new(diagnostic.at(vertex.id_span, "declared here").help(help))
    }

    fn is_sink(&self, vertex: &Vertex<'_>, node: &Node) -> Box<Diagnostic> {
        let message = format!("`{}` is a sink and cannot be an input", vertex.id);
        let help = format!(
            "read what the sink reads, or `{}.{}` for the events it refuses",
            vertex.id,
            Port::DEAD_LETTER_NAME
        );
        let diagnostic = Diagnostic::error("sink-input", message).at(node.span, "a sink");
        Box::new(diagnostic.at(vertex.id_span, "declared here").help(help))
    }

    fn part(&self, node: &Node, start: usize, end: usize) -> Span {
        node.text_span(self.files, start..end)
    }
}

fn is_pattern(text: &str) -> bool {
    text.contains(['*', '?', '[', '{'])
}

fn no_unnamed(vertex: &Vertex<'_>, node: &Node, or_all: &str) -> Box<Diagnostic> {
    let message = format!("{} has no unnamed output", vertex.name());
    let outputs: Vec<String> = vertex.named_outputs().collect();
    let outputs = suggest::list(outputs.iter().map(String::as_str));
    let help = format!("read one of {outputs}{or_all}");
    let diagnostic = Diagnostic::error("unnamed-output", message).at(node.span, "which output?");
    Box::new(diagnostic.at(vertex.id_span, "declared here").help(help))
}

fn written(node: &Node) -> String {
    let quoted = crate::schema::quoted(node).unwrap_or_default();
    format!("`{}`", quoted.trim_matches('"'))
}
