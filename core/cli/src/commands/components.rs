//! `lograil components`: the catalogue and the manuals.

use std::fmt::Write;

use anyhow::bail;
use lograil_config::PluginOptions;
use lograil_plugin::{ComponentSpec, Kind};
use serde_json::{Value, json};

use crate::args::ComponentsArguments;
use crate::catalogue::with_plugins;
use crate::exit::Exit;
use crate::output;

pub(crate) fn run(arguments: &ComponentsArguments) -> anyhow::Result<Exit> {
    let wanted_plugins =
        PluginOptions { path: arguments.plugins.clone(), ..PluginOptions::default() };
    let (catalogue, problems) = with_plugins(&wanted_plugins);
    if let Some(problem) = problems.first() {
        bail!("{}", problem.message);
    }
    let wanted = |spec: &&ComponentSpec| match &arguments.name {
        None => true,
        Some(name) => spec.name == name || format!("{}.{}", spec.kind().name(), spec.name) == *name,
    };
    let found: Vec<&ComponentSpec> = catalogue.iter().filter(wanted).collect();
    if let (Some(name), true) = (&arguments.name, found.is_empty()) {
        bail!("there is no component `{name}`; `lograil components` lists them");
    }
    let text = if arguments.json {
        let all: Vec<Value> = found.iter().map(|spec| describe(spec)).collect();
        format!("{:#}\n", Value::Array(all))
    } else if arguments.name.is_some() {
        let manuals: Vec<&str> = found.iter().map(|spec| spec.manual.trim_end()).collect();
        format!("{}\n", manuals.join("\n\n"))
    } else {
        list(&found)?
    };
    output::answer(&text)?;
    Ok(Exit::Success)
}

fn describe(spec: &ComponentSpec) -> Value {
    json!({
        "name": spec.name,
        "kind": spec.kind().name(),
        "summary": spec.summary,
        "schema": (spec.schema)(),
    })
}

fn list(specs: &[&ComponentSpec]) -> Result<String, std::fmt::Error> {
    let mut text = String::new();
    for kind in [Kind::Source, Kind::Transform, Kind::Sink] {
        writeln!(text, "{}", kind.table())?;
        for spec in specs.iter().filter(|spec| spec.kind() == kind) {
            writeln!(text, "  {:<12} {}", spec.name, spec.summary)?;
        }
    }
    writeln!(text, "\n`lograil components NAME` shows a manual.")?;
    Ok(text)
}
