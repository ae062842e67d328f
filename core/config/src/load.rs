//! From files to a plan.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;

use lograil_plugin::{Catalogue, Kind};

use crate::component::{self, Component, Inputs};
use crate::diagnostic::{Diagnostic, Label, Level, SourceFile, position};
use crate::document::{self, Node, Span, Table};
use crate::global::PluginOptions;
use crate::graph::{self, Edge, Vertex, VertexInputs};
use crate::plan::{InputRef, Plan, PlannedComponent};
use crate::test_case::{self, TestCase};
use crate::text_file::{self, TextFile};
use crate::{feedback, global, holding, interpolate, json, secret, set, topology};

/// What a topology is read from.
pub struct LoadOptions<'a> {
    /// The files; together they are one topology.
    pub files: Vec<SourceFile>,
    /// Values of `--set`: `sources.x.rate=5`. They override what the files say.
    pub sets: Vec<String>,
    /// Environment variables.
    pub env: &'a dyn Fn(&str) -> Option<String>,
    /// The directory that relative paths of the topology start from.
    pub base_dir: PathBuf,
}

/// A topology as it was read.
pub struct Loaded {
    /// The topology, unless there is a diagnostic of level error.
    pub plan: Option<Plan>,
    /// Its `[[tests]]`.
    pub tests: Vec<TestCase>,
    /// All mistakes and warnings, in the order of the files.
    pub diagnostics: Vec<Diagnostic>,
    /// The files that labels refer to, with `--set` behind those of the topology if it was used, and last those that
    /// options name; secrets masked.
    pub files: Vec<SourceFile>,
    /// The files that options name and whose text is part of the topology, also where it has mistakes.
    pub text_files: Vec<TextFile>,
}

/// Why the components of a plugin cannot be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PluginProblem {
    /// Which option of `[plugins]` it is about, and which item of it: `["path", "0"]`.
    pub option: Vec<String>,
    /// What is wrong, as a sentence without its full stop.
    pub message: String,
}

/// Reads a topology and checks it, down to building every component once.
#[must_use]
pub fn load(options: LoadOptions<'_>, catalogue: &Catalogue) -> Loaded {
    load_with_plugins(options, &mut |_| (catalogue.clone(), Vec::new()))
}

/// As [`load`], with the components of the plugins that the topology asks for: `load_plugins` gives all
/// component types there are, and what went wrong.
#[must_use]
pub fn load_with_plugins(
    options: LoadOptions<'_>,
    load_plugins: &mut dyn FnMut(&PluginOptions) -> (Catalogue, Vec<PluginProblem>),
) -> Loaded {
    let LoadOptions { mut files, sets, env, base_dir } = options;
    let mut diagnostics = Vec::new();
    let mut root = read(&mut files, &sets, &mut diagnostics);
    interpolate::interpolate(&mut root, env, &files, &mut diagnostics);
    let mut topology = topology::split(root, &mut diagnostics);
    let ids: Vec<_> = topology.components.iter().map(|c| (c.kind, c.id.clone())).collect();
    let (tests, tested_outputs) =
        test_case::take(&mut topology.global, &ids, &files, &mut diagnostics);
    let plugins = topology.global.get("plugins").map(|entry| (entry.key_span, entry.node.clone()));
    let global = global::check(topology.global, &base_dir, &files, &mut diagnostics);
    let wanted = global.as_ref().map(|global| global.plugins.clone()).unwrap_or_default();
    let (catalogue, problems) = load_plugins(&wanted);
    let declared = &mut topology.components;
    let text_files =
        text_file::read_all(declared, &catalogue, &base_dir, &mut files, &mut diagnostics);
    let files = Arc::new(files);
    let mut components = Vec::new();
    for declared in topology.components {
        components.push(component::check(declared, &catalogue, &files, &mut diagnostics));
    }
    if global.is_none() || !problems.is_empty() {
        // It may be the type of a plugin that is not there: `acme.redact`.
        diagnostics.retain(|one| one.code != "unknown-type" || !one.message.contains('.'));
    }
    diagnostics.extend(problems.iter().map(|problem| explain(problem, plugins.as_ref())));
    let edges = connect(&components, &tested_outputs, &files, &mut diagnostics);
    diagnostics.extend(double_claims(&components));
    diagnostics.extend(feedback::find(&components, &edges));
    diagnostics.extend(holding::find(&components, &edges));

    settle(&mut diagnostics, &files);
    let mut secrets = secret::Places::default();
    components.iter().for_each(|component| secrets.add(&component.origin.options));
    let failed = diagnostics.iter().any(|diagnostic| diagnostic.level == Level::Error);
    let plan = global.filter(|_| !failed).map(|global| Plan {
        global,
        base_dir,
        components: plan(components, &edges),
    });
    let files = secrets.mask(&files);
    Loaded { plan, tests, diagnostics, files, text_files }
}

fn explain(problem: &PluginProblem, plugins: Option<&(Span, Node)>) -> Diagnostic {
    let diagnostic = Diagnostic::error("plugin", problem.message.clone());
    let Some((key_span, node)) = plugins else { return diagnostic };
    let at = node.descend(&problem.option);
    let span = if std::ptr::eq(at, node) { *key_span } else { at.span };
    diagnostic.at(span, "asked for here")
}

/// All files and flags as one document.
fn read(files: &mut Vec<SourceFile>, sets: &[String], diagnostics: &mut Vec<Diagnostic>) -> Table {
    let mut root = Table::default();
    for (index, file) in files.iter().enumerate() {
        let table = document::parse(index, file, diagnostics);
        topology::merge(&mut root, table, diagnostics);
    }
    if !sets.is_empty() {
        let index = files.len();
        files.push(set::file(sets));
        for table in set::parse(index, sets, diagnostics) {
            set::apply(&mut root, table);
        }
    }
    root
}

fn vertex(component: &Component) -> Vertex<'_> {
    Vertex {
        kind: component.origin.kind,
        id: &component.origin.id,
        id_span: component.origin.id_span,
        ports: component.spec.map(|_| component.ports.as_slice()),
        unnamed: component.unnamed,
        inputs: match &component.inputs {
            Inputs::Absent => VertexInputs::Absent,
            Inputs::Invalid => VertexInputs::Invalid,
            Inputs::Listed(span, nodes) => VertexInputs::Listed(*span, nodes),
        },
    }
}

fn connect(
    components: &[Component],
    tested_outputs: &[Node],
    files: &[SourceFile],
    diagnostics: &mut Vec<Diagnostic>,
) -> Vec<Vec<Edge>> {
    let vertices: Vec<Vertex<'_>> = components.iter().map(vertex).collect();
    let before = diagnostics.len();
    let edges = graph::resolve(&vertices, files, diagnostics);
    // The same goes for inputs that could not be resolved.
    if diagnostics.len() == before {
        diagnostics.extend(graph::unused(&vertices, &edges));
    }
    diagnostics.extend(graph::cycles(&vertices, &edges));
    graph::name_outputs(&vertices, tested_outputs, files, diagnostics);
    if !components.iter().any(|component| component.origin.kind == Kind::Source)
        && !diagnostics.iter().any(|diagnostic| diagnostic.level == Level::Error)
    {
        let start = Span { file: 0, start: 0, end: 0 };
        diagnostics.push(
            Diagnostic::error("no-sources", "the topology has no sources")
                .at(start, "")
                .help("add one: `[sources.ID]` with a `type`"),
        );
    }
    edges
}

/// Errors about things that only one component may use, and two do.
fn double_claims(components: &[Component]) -> Vec<Diagnostic> {
    let mut owners: HashMap<&str, &Component> = HashMap::new();
    let mut found = Vec::new();
    for component in components {
        for claim in &component.claims {
            let Some(owner) = owners.get(claim.as_str()) else {
                owners.insert(claim, component);
                continue;
            };
            let mut sensitive = secret::values(&component.origin.options);
            sensitive.extend(secret::values(&owner.origin.options));
            let claim_shown = secret::scrub(claim, &sensitive);
            let (first, second) = (owner.origin.name(), component.origin.name());
            let message = format!("{first} and {second} both use {claim_shown}");
            found.push(
                Diagnostic::error("claim", message)
                    .at(claim_span(component, claim), format!("used by `{}`", component.origin.id))
                    .at(claim_span(owner, claim), format!("used by `{}`", owner.origin.id))
                    .help("only one component may use it at a time"),
            );
        }
    }
    found
}

/// The option that a claim was made from, if it can be told, or else the component.
fn claim_span(component: &Component, claim: &str) -> Span {
    let is_in_claim = |node: &Node| {
        node.as_text().is_some_and(|text| {
            !text.value.is_empty() && claim.ends_with(text.value.trim_start_matches("./"))
        })
    };
    let entries = &component.origin.options.entries;
    let option = entries.iter().find(|entry| is_in_claim(&entry.node));
    option.map_or(component.origin.id_span, |entry| entry.node.span)
}

/// Brings diagnostics into the order of the files, without what only follows from a mistake of syntax: what
/// is missing may stand in the part that could not be read.
fn settle(diagnostics: &mut Vec<Diagnostic>, files: &[SourceFile]) {
    const OF_ABSENCE: [&str; 8] = [
        "missing-option",
        "missing-type",
        "missing-inputs",
        "unknown-input",
        "unused",
        "no-sources",
        "wrong-type",
        "invalid-option",
    ];
    let line = |label: &Label| {
        files.get(label.file).map(|file| (label.file, position(&file.text, label.span.start).0))
    };
    let is_syntax = |diagnostic: &&Diagnostic| diagnostic.code == "syntax";
    let first = |diagnostic: &Diagnostic| diagnostic.labels.first().and_then(line);
    let broken: Vec<_> = diagnostics.iter().filter(is_syntax).filter_map(first).collect();
    if !broken.is_empty() {
        diagnostics.retain(|diagnostic| {
            let on_line = first(diagnostic).is_some_and(|line| broken.contains(&line));
            diagnostic.code == "syntax" || !(on_line || OF_ABSENCE.contains(&diagnostic.code))
        });
    }
    diagnostics.sort_by_key(|diagnostic| {
        diagnostic.labels.first().map(|label| (label.file, label.span.start))
    });
    diagnostics.dedup();
}

/// The components in their order, with what they read.
fn plan(components: Vec<Component>, edges: &[Vec<Edge>]) -> Vec<PlannedComponent> {
    let order = graph::topological(edges);
    let mut place = vec![0; components.len()];
    order.iter().enumerate().for_each(|(at, index)| place[*index] = at);
    let mut components: Vec<Option<Component>> = components.into_iter().map(Some).collect();
    let mut planned = Vec::new();
    for index in order {
        let Some(component) = components[index].take() else { continue };
        let Some(spec) = component.spec else { continue };
        let inputs = edges[index].iter();
        let inputs = inputs.map(|edge| InputRef { component: place[edge.from], port: edge.port });
        let origin = component.origin;
        let Span { file, start, end } = origin.id_span;
        planned.push(PlannedComponent {
            id: origin.id.clone(),
            kind: origin.kind,
            spec,
            options: component.options,
            inputs: inputs.collect(),
            ports: component.ports,
            held: component.held,
            location: Label { file, span: start..end, text: String::new() },
            redacted: json::redacted(&origin.options),
            origin: Some(origin),
        });
    }
    planned
}
