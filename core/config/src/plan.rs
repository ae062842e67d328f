//! The resolved topology.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use lograil_plugin::{ComponentSpec, ConfigError, ConfigErrors, Kind, Options, Port};
use serde_json::{Value, json};

use crate::component::Origin;
use crate::diagnostic::{Diagnostic, Label};
use crate::global::Global;
use crate::holding;

/// A topology without mistakes: every name resolved, every option checked, no cycle.
#[derive(Debug, Clone)]
pub struct Plan {
    /// Settings of the whole process.
    pub global: Global,
    /// The directory that relative paths of the topology start from.
    pub base_dir: PathBuf,
    /// The components, each after those it reads from.
    pub components: Vec<PlannedComponent>,
}

/// An output that a component reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct InputRef {
    /// Index into [`Plan::components`].
    pub component: usize,
    /// Which of its outputs.
    pub port: Port,
}

/// A component of a [`Plan`].
#[derive(Clone)]
pub struct PlannedComponent {
    /// Its name in the topology.
    pub id: String,
    /// Whether it is a source, a transform or a sink.
    pub kind: Kind,
    /// Its type; `spec.build` makes it from `options`.
    pub spec: ComponentSpec,
    /// Its options, checked, variables replaced.
    pub options: Options,
    /// What it reads, each output once, in the order of the file; empty for sources.
    pub inputs: Vec<InputRef>,
    /// Names of its ports beyond the unnamed one, in the order of their numbers from 1.
    pub ports: Vec<String>,
    /// How long it holds an event back at most.
    pub held: Duration,
    /// Where it was written: its id.
    pub location: Label,
    pub(crate) redacted: Value,
    /// Where its options were written; nowhere for one that no file names.
    pub(crate) origin: Option<Arc<Origin>>,
}

impl PlannedComponent {
    /// A component that no file names: one the program itself adds to a plan.
    #[must_use]
    pub fn added(id: &str, spec: ComponentSpec, options: Value, inputs: Vec<InputRef>) -> Self {
        Self {
            id: id.to_owned(),
            kind: spec.kind(),
            spec,
            redacted: options.clone(),
            options: Options(options),
            inputs,
            ports: Vec::new(),
            held: Duration::ZERO,
            location: Label { file: 0, span: 0..0, text: String::new() },
            origin: None,
        }
    }
}

impl std::fmt::Debug for PlannedComponent {
    /// Without the options: they may hold secrets.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PlannedComponent")
            .field("id", &self.id)
            .field("spec", &self.spec)
            .field("inputs", &self.inputs)
            .finish_non_exhaustive()
    }
}

impl Plan {
    /// Mistakes that building the component at `component` reported, as they concern its file. Rendered with
    /// [`crate::Loaded::files`].
    #[must_use]
    pub fn diagnose(&self, component: usize, errors: &ConfigErrors) -> Vec<Diagnostic> {
        let Some(component) = self.components.get(component) else { return Vec::new() };
        if let Some(origin) = &component.origin {
            return origin.explain(errors);
        }
        let name = format!("{} `{}`", component.kind.name(), component.id);
        let explain = |error: &ConfigError| {
            let message = format!("{name}: {}", error.message);
            let diagnostic = Diagnostic::error("invalid-option", message);
            Diagnostic { help: error.help.clone(), ..diagnostic }
        };
        errors.0.iter().map(explain).collect()
    }

    /// How long events of a component may be held back by transforms behind it, and by which one last; `None` if none
    /// does.
    #[must_use]
    pub fn held_behind(&self, component: usize) -> Option<(&str, Duration)> {
        let read = |one: &PlannedComponent| {
            one.inputs.iter().map(|input| (input.component, input.port)).collect()
        };
        let inputs: Vec<Vec<(usize, Port)>> = self.components.iter().map(read).collect();
        let held: Vec<Duration> = self.components.iter().map(|one| one.held).collect();
        let totals = holding::totals(component, &inputs, &held);
        let behind = self.components.iter().zip(totals).filter(|(one, _)| !one.held.is_zero());
        let behind = behind.filter_map(|(one, total)| Some((one.id.as_str(), total?)));
        behind.max_by_key(|(_, total)| *total)
    }

    /// The index of a component.
    #[must_use]
    pub fn find(&self, id: &str) -> Option<usize> {
        self.components.iter().position(|component| component.id == id)
    }

    /// How `inputs` names an output: `id` or `id.port`.
    #[must_use]
    pub fn output_name(&self, input: InputRef) -> String {
        let Some(component) = self.components.get(input.component) else { return String::new() };
        let named = usize::from(input.port.0).checked_sub(1);
        match (input.port, named.and_then(|at| component.ports.get(at))) {
            (Port::DEAD_LETTER, _) => format!("{}.{}", component.id, Port::DEAD_LETTER_NAME),
            (_, Some(name)) => format!("{}.{name}", component.id),
            (_, None) => component.id.clone(),
        }
    }

    /// The running configuration in the form of the file, with secrets as `***` and variables as they were
    /// written.
    #[must_use]
    pub fn redacted_json(&self) -> Value {
        let mut root = self.global.to_json();
        for component in &self.components {
            let mut table = json!({ "type": component.spec.name });
            if component.kind != Kind::Source {
                let inputs = component.inputs.iter();
                table["inputs"] = inputs.map(|input| self.output_name(*input)).collect();
            }
            if let (Some(table), Value::Object(options)) =
                (table.as_object_mut(), &component.redacted)
            {
                table.extend(options.clone());
            }
            root[component.kind.table()][&component.id] = table;
        }
        root
    }
}
