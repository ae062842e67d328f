//! Where refused events go when the topology does not say: a rotating file in the data directory.

use std::path::{Path, PathBuf};

use lograil_config::{InputRef, Plan, PlannedComponent};
use lograil_plugin::{Kind, Port};
use serde_json::json;

use crate::catalogue::catalogue;

/// The id of the sink that is added; no topology can name it, since ids have no colon.
pub(crate) const ID: &str = "lograil:dead_letters";

/// Adds a sink of `component_type` with `options` for every dead-letter output that nobody reads.
pub(crate) fn add_sink(plan: &mut Plan, component_type: &str, options: serde_json::Value) {
    let is_read = |index: usize| {
        let mut inputs = plan.components.iter().flat_map(|component| &component.inputs);
        inputs.any(|input| input.component == index && input.port == Port::DEAD_LETTER)
    };
    let unread = |index: &usize| !is_read(*index);
    let inputs: Vec<InputRef> = (0..plan.components.len())
        .filter(unread)
        .map(|component| InputRef { component, port: Port::DEAD_LETTER })
        .collect();
    let Some(spec) = catalogue().find(Kind::Sink, component_type).copied() else { return };
    if !inputs.is_empty() {
        plan.components.push(PlannedComponent::added(ID, spec, options, inputs));
    }
}

/// The file of the sink that was added to a plan.
pub(crate) fn file_of(plan: &Plan) -> Option<PathBuf> {
    let sink = plan.components.iter().find(|component| component.id == ID)?;
    sink.options.0["path"].as_str().map(PathBuf::from)
}

/// Options of the file sink that keeps dead letters in `data_dir`.
pub(crate) fn file_options(data_dir: &Path) -> serde_json::Value {
    json!({
        "path": data_dir.join("dead-letters.ndjson"),
        "encoding": { "codec": "json" },
        "rotate": { "max_bytes": "64MiB", "max_files": 8 },
    })
}
