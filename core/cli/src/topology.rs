//! Reading topologies, and telling the user what is wrong with them.

use std::io::{IsTerminal, Read};
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use lograil_config::{
    Diagnostic, Level, LoadOptions, Loaded, SourceFile, load_with_plugins, render,
};

use lograil_loader::LoadedPlugin;

use crate::args::TopologyArguments;
use crate::catalogue::with_these_plugins;
use crate::output;

/// The topology that runs when the command line names none.
const DEMONSTRATION: &str = include_str!("../../../configs/demo.toml");

/// Reads and checks the topology the command line names.
pub(crate) fn read(arguments: &TopologyArguments) -> anyhow::Result<Loaded> {
    Ok(read_with_plugins(arguments)?.0)
}

/// The same, and the plugins that it uses.
pub(crate) fn read_with_plugins(
    arguments: &TopologyArguments,
) -> anyhow::Result<(Loaded, Vec<LoadedPlugin>)> {
    let mut files = Vec::new();
    if arguments.files.is_empty() {
        tracing::info!(
            "no topology is named: this is the built-in demonstration; end it with Ctrl-C"
        );
        files.push(SourceFile { name: "<demo>".to_owned(), text: DEMONSTRATION.to_owned() });
    }
    for path in &arguments.files {
        read_into(path, &mut files)?;
    }
    check_with_plugins(files, arguments.sets.clone())
}

/// The files of a topology as they are now, the directories among them gone through. Not those that are read once.
pub(crate) fn files(arguments: &TopologyArguments) -> Vec<PathBuf> {
    let mut paths = Vec::new();
    for path in &arguments.files {
        // One that cannot be read now is one that changes.
        let _unreadable = expand(path, &mut paths);
    }
    paths
}

/// Checks a topology that is at hand.
pub(crate) fn check(files: Vec<SourceFile>, sets: Vec<String>) -> anyhow::Result<Loaded> {
    Ok(check_with_plugins(files, sets)?.0)
}

fn check_with_plugins(
    files: Vec<SourceFile>,
    sets: Vec<String>,
) -> anyhow::Result<(Loaded, Vec<LoadedPlugin>)> {
    let base_dir = std::env::current_dir().context("find the current directory")?;
    let env = |name: &str| std::env::var(name).ok();
    let options = LoadOptions { files, sets, env: &env, base_dir };
    let mut used = Vec::new();
    let loaded = load_with_plugins(options, &mut |options| {
        let (catalogue, plugins, problems) = with_these_plugins(options);
        used = plugins;
        (catalogue, problems)
    });
    Ok((loaded, used))
}

fn read_into(path: &Path, files: &mut Vec<SourceFile>) -> anyhow::Result<()> {
    if path == Path::new("-") {
        let mut text = String::new();
        std::io::stdin().read_to_string(&mut text).context("read the topology from stdin")?;
        files.push(SourceFile { name: "<stdin>".to_owned(), text });
        return Ok(());
    }
    let mut paths = Vec::new();
    expand(path, &mut paths)?;
    for path in paths {
        let text = std::fs::read_to_string(&path)
            .with_context(|| format!("read topology {}", path.display()))?;
        files.push(SourceFile { name: path.display().to_string(), text });
    }
    Ok(())
}

/// A file as it is; a directory as all its topologies in order.
pub(crate) fn expand(path: &Path, paths: &mut Vec<PathBuf>) -> anyhow::Result<()> {
    if !path.is_dir() {
        paths.push(path.to_owned());
        return Ok(());
    }
    let topologies = topologies_in(path)?;
    if topologies.is_empty() {
        bail!("{} has no *.toml file", path.display());
    }
    paths.extend(topologies);
    Ok(())
}

fn topologies_in(directory: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let entries = std::fs::read_dir(directory)
        .with_context(|| format!("read directory {}", directory.display()))?;
    let mut paths = Vec::new();
    for entry in entries {
        let path = entry.with_context(|| format!("read directory {}", directory.display()))?.path();
        if path.extension().is_some_and(|extension| extension == "toml") && path.is_file() {
            paths.push(path);
        }
    }
    paths.sort();
    Ok(paths)
}

/// Shows diagnostics on stderr. Whether there is an error among them.
pub(crate) fn report(loaded: &Loaded) -> bool {
    if !loaded.diagnostics.is_empty() {
        let color = output::use_color(std::io::stderr().is_terminal());
        eprint!("{}", render(&loaded.diagnostics, &loaded.files, color));
    }
    let is_error = |diagnostic: &&Diagnostic| diagnostic.level == Level::Error;
    let errors = loaded.diagnostics.iter().filter(is_error).count();
    if errors > 0 {
        let plural = if errors == 1 { "" } else { "s" };
        output::error(&format!("{errors} error{plural} in the topology"));
    }
    errors > 0
}
