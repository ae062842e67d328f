//! One component: its type, its options against the schema, and a trial build.

use std::sync::Arc;
use std::time::Duration;

use lograil_plugin::{
    Build, Catalogue, ComponentSpec, ConfigError, ConfigErrors, DeliveryWait, Kind, Options,
};

use crate::diagnostic::{Diagnostic, Level, SourceFile};
use crate::document::{Entry, Node, Notation, Span, Table, Value};
use crate::schema::{self, Validator};
use crate::secret;
use crate::topology::Declared;
use crate::{json, suggest};

/// What every component has beside its own options.
const OWN_NAMES: [&str; 2] = ["type", "inputs"];

/// A component after all checks that need no other component.
pub(crate) struct Component {
    pub origin: Arc<Origin>,
    /// Its type, if it is known.
    pub spec: Option<ComponentSpec>,
    pub options: Options,
    pub inputs: Inputs,
    pub ports: Vec<String>,
    pub unnamed: UnnamedOutput,
    pub claims: Vec<String>,
    /// How long it holds events back at most.
    pub held: Duration,
    /// How long those who send to it wait.
    pub delivery_wait: Option<DeliveryWait>,
}

/// What a component says of itself once it is built.
#[derive(Default)]
struct Traits {
    unnamed: UnnamedOutput,
    held: Duration,
    delivery_wait: Option<DeliveryWait>,
    warnings: Vec<ConfigError>,
}

/// Whether the output without a name carries anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum UnnamedOutput {
    /// It does, as far as is known.
    #[default]
    Used,
    /// It never does.
    Unused,
}

/// What `inputs` says.
pub(crate) enum Inputs {
    /// Nothing: the option is not there.
    Absent,
    /// The option is there but cannot be read.
    Invalid,
    /// Where the option is, and what it lists.
    Listed(Span, Vec<Node>),
}

/// Where a component was written, kept to explain what goes wrong with it later.
pub(crate) struct Origin {
    pub kind: Kind,
    pub id: String,
    pub id_span: Span,
    pub options: Table,
    pub files: Arc<Vec<SourceFile>>,
}

/// Checks a component and builds it once. Mistakes are added to `diagnostics`.
pub(crate) fn check(
    declared: Declared,
    catalogue: &Catalogue,
    files: &Arc<Vec<SourceFile>>,
    diagnostics: &mut Vec<Diagnostic>,
) -> Component {
    let name = declared.name();
    let Declared { kind, id, id_span, mut table } = declared;
    let before = diagnostics.len();
    let spec = find_type(kind, &name, id_span, &mut table, catalogue, diagnostics);
    let inputs = take_inputs(&mut table, &name, diagnostics);
    match &spec {
        Some(spec) => {
            let root = (spec.schema)();
            schema::annotate(&root, &mut table);
            let extra_names = if kind == Kind::Source { &OWN_NAMES[..1] } else { &OWN_NAMES[..] };
            let validator = Validator { root: &root, owner: &name, extra_names };
            diagnostics.extend(validator.check(&table, id_span));
        }
        None => secret::guess(&mut table),
    }
    let options = Options(json::options(&table));
    let origin = Origin { kind, id, id_span, options: table, files: Arc::clone(files) };
    let (mut ports, mut claims) = (Vec::new(), Vec::new());
    let mut traits = Traits::default();
    if let Some(spec) = &spec {
        ports = (spec.ports)(&options.0);
        let found = &diagnostics[before..];
        if has_invalid(&origin.options) {
            // Said already.
        } else if found.is_empty() {
            claims = (spec.claims)(&options.0);
            match build(spec, &options) {
                Ok(found) => {
                    diagnostics.extend(found.warnings.iter().map(|one| origin.warn(one)));
                    traits = found;
                }
                Err(errors) => diagnostics.extend(origin.explain(&errors)),
            }
        } else if found.iter().all(|one| one.code == "unknown-option") {
            diagnostics.extend(origin.explain(&build_known(spec, &options)));
        }
    }
    let Traits { unnamed, held, delivery_wait, .. } = traits;
    let origin = Arc::new(origin);
    Component { origin, spec, options, inputs, ports, unnamed, claims, held, delivery_wait }
}

fn build(spec: &ComponentSpec, options: &Options) -> Result<Traits, ConfigErrors> {
    let mut traits = Traits::default();
    match spec.build {
        Build::Source(build) => traits.delivery_wait = build(options)?.delivery_wait(),
        Build::Transform(build) => {
            let transform = build(options)?;
            traits.held = transform.held_for();
            traits.warnings = transform.warnings();
            if !transform.has_unnamed_output() {
                traits.unnamed = UnnamedOutput::Unused;
            }
        }
        Build::Sink(build) => drop(build(options)?),
    }
    Ok(traits)
}

/// What a component refuses apart from options it does not know, which it need not be told about.
fn build_known(spec: &ComponentSpec, options: &Options) -> ConfigErrors {
    let root = (spec.schema)();
    let known = schema::option_names(&root, &root);
    let mut options = options.clone();
    if let Some(table) = options.0.as_object_mut() {
        table.retain(|key, _| known.contains(&key.as_str()));
    }
    let mut errors = build(spec, &options).err().unwrap_or(ConfigErrors(Vec::new()));
    // Without a place it is about the table as a whole: an unknown option further down.
    errors.0.retain(|error| !error.path.is_empty());
    errors
}

fn has_invalid(table: &Table) -> bool {
    fn invalid(node: &Node) -> bool {
        match &node.value {
            Value::Invalid => true,
            Value::Array(nodes) => nodes.iter().any(invalid),
            Value::Table(table) => has_invalid(table),
            _ => false,
        }
    }
    table.entries.iter().any(|entry| invalid(&entry.node))
}

/// Takes `type` out of the table and looks it up.
fn find_type(
    kind: Kind,
    name: &str,
    id_span: Span,
    table: &mut Table,
    catalogue: &Catalogue,
    diagnostics: &mut Vec<Diagnostic>,
) -> Option<ComponentSpec> {
    let types = || catalogue.iter().filter(|spec| spec.kind() == kind).map(|spec| spec.name);
    let help = || format!("types of {}: {}", kind.table(), suggest::list(types()));
    let Some(entry) = table.take("type") else {
        let close = table.entries.iter().find(|entry| {
            suggest::closest(&entry.key, ["type"]).is_some() && entry.node.as_text().is_some()
        });
        let diagnostic = Diagnostic::error("missing-type", format!("{name} has no `type`"))
            .at(id_span, "`type` is missing here")
            .help(help());
        diagnostics.push(match close {
            Some(entry) => diagnostic.at(entry.key_span, "did you mean `type`?"),
            None => diagnostic,
        });
        return None;
    };
    let Some(text) = entry.node.as_text() else {
        if !matches!(entry.node.value, Value::Invalid) {
            let found = schema::shown(&entry.node);
            let message = format!("`type` of {name} must be a string, found {found}");
            let diagnostic = Diagnostic::error("wrong-type", message);
            diagnostics.push(diagnostic.at(entry.node.span, "expected string").help(help()));
        }
        return None;
    };
    let spec = catalogue.find(kind, &text.value);
    if spec.is_none() {
        let other = catalogue.iter().find(|spec| spec.name == text.value);
        let label = match other {
            Some(spec) => format!("this is a type of {}", spec.kind().table()),
            None => suggest::label(suggest::closest(&text.value, types()), "no such type"),
        };
        let written = schema::quoted(&entry.node).unwrap_or_default();
        let message = format!("unknown {} type {written}", kind.name());
        let diagnostic = Diagnostic::error("unknown-type", message);
        diagnostics.push(diagnostic.at(entry.node.span, label).help(help()));
    }
    spec.copied()
}

/// Takes `inputs` out of the table: a list of strings, or one string.
fn take_inputs(table: &mut Table, name: &str, diagnostics: &mut Vec<Diagnostic>) -> Inputs {
    let Some(entry) = table.take("inputs") else { return Inputs::Absent };
    let nodes = match entry.node.value {
        Value::Invalid => return Inputs::Invalid,
        Value::Array(nodes) => nodes,
        value => vec![Node::new(entry.node.span, value)],
    };
    let mut inputs = Inputs::Invalid;
    let invalid = |node: &&Node| !matches!(node.value, Value::String(_) | Value::Invalid);
    if let Some(node) = nodes.iter().find(invalid) {
        let found = schema::shown(node);
        let message = format!("`inputs` of {name} must be ids of components, found {found}");
        diagnostics.push(
            Diagnostic::error("wrong-type", message)
                .at(node.span, "expected string")
                .help("write `inputs = [\"id\", \"other_id.port\", \"prefix-*\"]`"),
        );
    } else if !nodes.iter().any(|node| matches!(node.value, Value::Invalid)) {
        inputs = Inputs::Listed(entry.key_span, nodes);
    }
    inputs
}

impl Origin {
    /// ``source `app` ``.
    pub fn name(&self) -> String {
        format!("{} `{}`", self.kind.name(), self.id)
    }

    /// Mistakes that the component itself reported, as they concern its file.
    pub fn explain(&self, errors: &ConfigErrors) -> Vec<Diagnostic> {
        errors.0.iter().map(|error| self.explain_one(error)).collect()
    }

    /// What the component finds suspicious about its own options.
    fn warn(&self, warning: &ConfigError) -> Diagnostic {
        Diagnostic { level: Level::Warning, code: "suspicious", ..self.explain_one(warning) }
    }

    fn explain_one(&self, error: &ConfigError) -> Diagnostic {
        let sensitive = secret::values(&self.options);
        let message = secret::scrub(&error.message, &sensitive).replace('\n', " ");
        let name = self.name();
        let mut path = String::new();
        for part in &error.path {
            match part.parse::<usize>() {
                Ok(at) => path.push_str(&format!("[{at}]")),
                Err(_) if path.is_empty() => path.push_str(part),
                Err(_) => path.push_str(&format!(".{part}")),
            }
        }
        let of_file = |entry: &Entry| {
            entry.node.as_text().is_some_and(|text| text.notation == Notation::File)
        };
        // In a file of its own the option is all there is.
        let is_named = !path.is_empty() && !self.options.get(&path).is_some_and(of_file);
        let message = match is_named {
            false => format!("{name}: {message}"),
            true => format!("option `{path}` of {name}: {message}"),
        };
        let diagnostic = Diagnostic::error("invalid-option", message).at(self.span_of(error), "");
        match &error.help {
            Some(help) => diagnostic.help(secret::scrub(help, &sensitive)),
            None => diagnostic,
        }
    }

    fn span_of(&self, error: &ConfigError) -> Span {
        let Some(entry) = error.path.first().and_then(|first| self.options.get(first)) else {
            return self.id_span;
        };
        let node = entry.node.descend(&error.path[1..]);
        match &error.within {
            Some(range) => node.text_span(&self.files, range.clone()),
            None => node.span,
        }
    }
}
