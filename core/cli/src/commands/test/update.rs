//! `--update`: writes what came into the file, in place of what was expected, and leaves the rest of it as
//! it is.

use std::path::Path;

use anyhow::Context;
use toml_edit::{Array, ArrayOfTables, DocumentMut, Item};

use super::Verdict;

/// Puts what came into the file at `path`, where it differs.
pub(super) fn write(path: &Path, verdicts: &[Verdict]) -> anyhow::Result<()> {
    let name = path.display();
    let text = std::fs::read_to_string(path).with_context(|| format!("read {name}"))?;
    let mut document: DocumentMut = text.parse().with_context(|| format!("read {name}"))?;
    let Some(cases) = document.get_mut("tests").and_then(Item::as_array_of_tables_mut) else {
        return Ok(());
    };
    let mut changed = false;
    for verdict in verdicts.iter().filter(|verdict| !verdict.failures.is_empty()) {
        changed |= put(cases, verdict);
    }
    if changed {
        std::fs::write(path, document.to_string()).with_context(|| format!("write {name}"))?;
    }
    Ok(())
}

fn put(cases: &mut ArrayOfTables, verdict: &Verdict) -> bool {
    let outputs = cases.get_mut(verdict.index_in_file).and_then(|case| case.get_mut("outputs"));
    let Some(outputs) = outputs.and_then(Item::as_array_of_tables_mut) else { return false };
    let mut changed = false;
    for (at, came) in verdict.came.iter().enumerate() {
        if let (Some(came), Some(output)) = (came, outputs.get_mut(at)) {
            let mut events = Array::new();
            for event in came {
                let mut value = toml_edit::Value::from(event.to_string());
                value.decor_mut().set_prefix("\n    ");
                events.push_formatted(value);
            }
            if !events.is_empty() {
                events.set_trailing("\n");
                events.set_trailing_comma(true);
            }
            output["events"] = toml_edit::value(events);
            changed = true;
        }
    }
    changed
}
