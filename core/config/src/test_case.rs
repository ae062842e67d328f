//! `[[tests]]`: what a topology says of itself, for `lograil test`.

use lograil_plugin::schemars::JsonSchema;
use lograil_plugin::{Kind, schemars};
use serde::Deserialize;
use serde_json::Value as Json;

use crate::diagnostic::{Diagnostic, Label, SourceFile};
use crate::document::{Node, Span, Table, Value};
use crate::schema::{self, Validator};
use crate::{json, suggest};

/// One case: events that are put in, and what must come out.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[schemars(crate = "schemars")]
#[serde(deny_unknown_fields)]
pub struct TestCase {
    /// What the case shows, in a few words.
    pub name: String,
    /// What is put in.
    pub inputs: Vec<TestInput>,
    /// What must come out.
    #[serde(default)]
    pub outputs: Vec<TestOutput>,
    /// Outputs of which nothing may come: `id` or `id.port`.
    #[serde(default)]
    pub no_outputs_from: Vec<String>,
    /// Where the case was written.
    #[serde(skip)]
    pub location: Option<Label>,
    /// The how many-th case of its file it is.
    #[serde(skip)]
    pub index_in_file: usize,
}

/// Events for one transform.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[schemars(crate = "schemars")]
#[serde(deny_unknown_fields)]
pub struct TestInput {
    /// The transform that gets them.
    pub insert_at: String,
    /// Lines, as a source reads them: each an event with the field `message`.
    #[serde(default)]
    pub lines: Vec<String>,
    /// Events: tables, or texts that hold a JSON object.
    #[serde(default)]
    pub events: Vec<Json>,
}

/// What must come out of one output.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[schemars(crate = "schemars")]
#[serde(deny_unknown_fields)]
pub struct TestOutput {
    /// The output: `id` or `id.port`.
    pub extract_from: String,
    /// Exactly these events in this order: tables, or texts that hold a JSON object.
    pub events: Option<Vec<Json>>,
    /// Conditions that every event must meet; there must be at least one event.
    #[serde(default)]
    pub conditions: Vec<String>,
}

/// Takes the cases out of the top level and checks them, as far as that can be done before the components are
/// known; gives also the texts that name outputs.
pub(crate) fn take(
    root: &mut Table,
    components: &[(Kind, String)],
    files: &[SourceFile],
    diagnostics: &mut Vec<Diagnostic>,
) -> (Vec<TestCase>, Vec<Node>) {
    let Some(entry) = root.take("tests") else { return Default::default() };
    let Value::Array(nodes) = entry.node.value else {
        let message = "`tests` must be a list of tables";
        diagnostics.push(
            Diagnostic::error("wrong-type", message)
                .at(entry.key_span, "expected a list of tables")
                .help("write each case as `[[tests]]`"),
        );
        return Default::default();
    };
    let schema = lograil_plugin::spec::schema_of::<TestCase>();
    let mut in_file = vec![0; files.len()];
    let (mut cases, mut outputs) = (Vec::new(), Vec::new());
    for node in nodes {
        let index = in_file.get(node.span.file).copied().unwrap_or(0);
        if let Some(count) = in_file.get_mut(node.span.file) {
            *count += 1;
        }
        cases.extend(check(node, index, &schema, components, &mut outputs, diagnostics));
    }
    (cases, outputs)
}

fn check(
    node: Node,
    index_in_file: usize,
    schema: &Json,
    components: &[(Kind, String)],
    outputs: &mut Vec<Node>,
    diagnostics: &mut Vec<Diagnostic>,
) -> Option<TestCase> {
    let Span { file, start, end } = node.span;
    let Value::Table(mut table) = node.value else { return None };
    schema::annotate(schema, &mut table);
    let validator = Validator { root: schema, owner: "a test", extra_names: &[] };
    let found = validator.check(&table, node.span);
    if !found.is_empty() {
        diagnostics.extend(found);
        return None;
    }
    let mut case: TestCase = match serde_json::from_value(json::options(&table)) {
        Ok(case) => case,
        Err(error) => {
            let message = format!("a test cannot be read: {error}");
            diagnostics.push(Diagnostic::error("invalid-option", message).at(node.span, ""));
            return None;
        }
    };
    case.location = Some(Label { file, span: start..end, text: String::new() });
    case.index_in_file = index_in_file;
    let before = diagnostics.len();
    names(&case, &table, components, outputs, diagnostics);
    (diagnostics.len() == before).then_some(case)
}

/// Every transform a case names must exist. Gives the texts that name an output of one that does.
fn names(
    case: &TestCase,
    table: &Table,
    components: &[(Kind, String)],
    named_outputs: &mut Vec<Node>,
    diagnostics: &mut Vec<Diagnostic>,
) {
    let inputs = case.inputs.iter().enumerate();
    let inputs = inputs.map(|(at, i)| (["inputs", "insert_at"], at, i.insert_at.as_str()));
    let silent = case.no_outputs_from.iter().enumerate();
    let silent = silent.map(|(at, named)| (["no_outputs_from", ""], at, named.as_str()));
    let outputs = case.outputs.iter().enumerate();
    let outputs = outputs.map(|(at, o)| (["outputs", "extract_from"], at, o.extract_from.as_str()));
    let transforms = || {
        let all = components.iter().filter(|(kind, _)| *kind == Kind::Transform);
        all.map(|(_, id)| id.as_str())
    };
    for ([list, option], at, named) in inputs.chain(outputs).chain(silent) {
        let id = named.split('.').next().unwrap_or(named);
        let path = [at.to_string(), option.to_owned()];
        let path = if option.is_empty() { &path[..1] } else { &path };
        let node = table.get(list).map(|entry| entry.node.descend(path));
        if transforms().any(|known| known == id) {
            named_outputs.extend(node.filter(|_| list != "inputs").cloned());
            continue;
        }
        let span = node.map(|node| node.span);
        let label = suggest::label(suggest::closest(id, transforms()), "no such transform");
        diagnostics.push(
            Diagnostic::error(
                "unknown-transform",
                format!("test `{}`: there is no transform `{id}`", case.name),
            )
            .at(span.unwrap_or(Span { file: 0, start: 0, end: 0 }), label)
            .help(format!("there are {}", suggest::list(transforms()))),
        );
    }
}
