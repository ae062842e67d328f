//! `lograil plugin`: what plugins say about themselves, whether they keep the rules, how to begin one and how to
//! exchange one.

mod check;
mod new;
mod swap;

use std::fmt::Write;

use lograil_loader::{Manifest, inspect, sha256_hex};
use serde_json::json;

use crate::args::{PluginArguments, PluginCommand, PluginInspectArguments, PluginListArguments};
use crate::catalogue::libraries_in;
use crate::exit::Exit;
use crate::output;

pub(crate) fn run(arguments: &PluginArguments) -> anyhow::Result<Exit> {
    match &arguments.command {
        PluginCommand::Inspect(arguments) => run_inspect(arguments),
        PluginCommand::List(arguments) => run_list(arguments),
        PluginCommand::Swap(arguments) => swap::run(arguments),
        PluginCommand::New(arguments) => new::run(arguments),
        PluginCommand::Check(arguments) => check::run(arguments),
        PluginCommand::CheckChild(arguments) => check::run_child(arguments),
        PluginCommand::TryOut(arguments) => lograil_loader::try_out(&arguments.name),
    }
}

fn run_inspect(arguments: &PluginInspectArguments) -> anyhow::Result<Exit> {
    let manifest = inspect(&arguments.file)?;
    let sha256 = sha256_hex(&std::fs::read(&arguments.file)?);
    let text = if arguments.json {
        let components: Vec<_> = manifest
            .components
            .iter()
            .map(|one| json!({ "name": one.name, "kind": one.kind, "summary": one.summary }))
            .collect();
        let document = json!({
            "name": manifest.name,
            "version": manifest.version,
            "abi": abi(&manifest),
            "target": manifest.target,
            "sha256": sha256,
            "components": components,
        });
        format!("{document:#}\n")
    } else {
        describe(&manifest, &sha256)?
    };
    output::answer(&text)?;
    Ok(Exit::Success)
}

fn abi(manifest: &Manifest) -> String {
    format!("{}.{}", manifest.abi.0, manifest.abi.1)
}

fn describe(manifest: &Manifest, sha256: &str) -> Result<String, std::fmt::Error> {
    let mut text = format!("{} {}\n", manifest.name, manifest.version);
    writeln!(text, "  interface {}, {}", abi(manifest), manifest.target)?;
    writeln!(text, "  sha256 {sha256}")?;
    for component in &manifest.components {
        writeln!(text, "  {:<9} {:<20} {}", component.kind, component.name, component.summary)?;
    }
    Ok(text)
}

/// A line a file: what it is, or why it is no plugin that this program can load.
fn run_list(arguments: &PluginListArguments) -> anyhow::Result<Exit> {
    let mut text = String::new();
    let mut exit = Exit::Success;
    for path in libraries_in(&arguments.directory)? {
        let file = path.file_name().unwrap_or_default().to_string_lossy();
        match inspect(&path) {
            Ok(manifest) => {
                let names: Vec<&str> = manifest.components.iter().map(|one| &*one.name).collect();
                let (name, version) = (&manifest.name, &manifest.version);
                writeln!(text, "{file:<24} {name} {version}: {}", names.join(", "))?;
            }
            Err(error) => {
                exit = Exit::Failed;
                output::error(&error.to_string());
            }
        }
    }
    output::answer(&text)?;
    Ok(exit)
}
