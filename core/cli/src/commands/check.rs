//! `lograil check`: every mistake in a topology at once.

use serde_json::json;

use crate::args::CheckArguments;
use crate::exit::Exit;
use crate::{output, topology};

pub(crate) fn run(arguments: &CheckArguments) -> anyhow::Result<Exit> {
    let loaded = topology::read(&arguments.topology)?;
    if arguments.json {
        let diagnostics: Vec<_> =
            loaded.diagnostics.iter().map(|d| d.to_json(&loaded.files)).collect();
        let valid = loaded.plan.is_some();
        let document = json!({ "valid": valid, "diagnostics": diagnostics });
        output::answer(&format!("{document:#}\n"))?;
        return Ok(if valid { Exit::Success } else { Exit::Failed });
    }
    if topology::report(&loaded) {
        return Ok(Exit::Failed);
    }
    let components = loaded.plan.as_ref().map_or(0, |plan| plan.components.len());
    let components = output::counted(components as u64, "component", "components");
    output::answer(&format!("valid: {components}\n"))?;
    Ok(Exit::Success)
}
