//! The component types this program knows: the built-in ones and those of plugins.

use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use lograil_config::{PluginOptions, PluginProblem};
use lograil_loader::{LoadedPlugin, Trust};
use lograil_plugin::{Catalogue, ComponentSpec};

/// All built-in component types.
pub(crate) fn catalogue() -> Catalogue {
    static BUILT_IN: OnceLock<Catalogue> = OnceLock::new();
    BUILT_IN.get_or_init(|| Catalogue::new(built_in())).clone()
}

fn built_in() -> impl Iterator<Item = ComponentSpec> {
    let all = [
        lograil_sources::SPECS,
        lograil_transforms::SPECS,
        lograil_sinks::SPECS,
        lograil_sqlite::SPECS,
        lograil_net::SPECS,
    ];
    all.into_iter().flatten().copied()
}

/// All component types, with those of the plugins that a topology asks for, and what went wrong.
pub(crate) fn with_plugins(options: &PluginOptions) -> (Catalogue, Vec<PluginProblem>) {
    let (catalogue, _, problems) = with_these_plugins(options);
    (catalogue, problems)
}

/// The same, and the plugins.
pub(crate) fn with_these_plugins(
    options: &PluginOptions,
) -> (Catalogue, Vec<LoadedPlugin>, Vec<PluginProblem>) {
    let (plugins, mut problems) = plugins(options);
    let mut specs: Vec<ComponentSpec> = built_in().collect();
    for (option, plugin) in &plugins {
        for spec in plugin.components.iter().copied() {
            if specs.iter().any(|one| one.kind() == spec.kind() && one.name == spec.name) {
                let (file, kind) = (plugin.path.display(), spec.kind().name());
                let message =
                    format!("{file} brings the {kind} `{}`, which is there already", spec.name);
                problems.push(PluginProblem { option: option.clone(), message });
            } else {
                specs.push(spec);
            }
        }
    }
    let plugins = plugins.into_iter().map(|(_, plugin)| plugin).collect();
    (Catalogue::new(specs), plugins, problems)
}

/// All component types, with those of plugins that were loaded for a topology.
pub(crate) fn of(plugins: &[LoadedPlugin]) -> Catalogue {
    let specs = plugins.iter().flat_map(|plugin| plugin.components.iter().copied());
    Catalogue::new(built_in().chain(specs))
}

/// Has calls into plugins last no longer than the options of what runs say.
pub(crate) fn set_limits(options: &PluginOptions) {
    lograil_loader::set_hang_after(options.hang_after.0);
    lograil_loader::set_hang_limit(options.hang_limit.map(|limit| limit.0));
}

/// Has another process load a library first, where this one is to go on whatever the library does.
pub(crate) fn try_out_first() {
    lograil_loader::try_out_first(&["plugin", "try-out"]);
}

type Place = Vec<String>;

/// The plugins that a topology asks for, each with the option that asks for it.
pub(crate) fn plugins(options: &PluginOptions) -> (Vec<(Place, LoadedPlugin)>, Vec<PluginProblem>) {
    lograil_loader::set_preparation_limit(options.hang_limit.map(|limit| limit.0));
    let trust = Trust { directory: options.dir.clone(), sha256: options.sha256.clone() };
    let (mut loaded, mut problems) = (Vec::new(), Vec::new());
    let place = |at: usize| vec!["path".to_owned(), at.to_string()];
    let mut files: Vec<(Place, PathBuf)> =
        options.path.iter().enumerate().map(|(at, path)| (place(at), path.clone())).collect();
    if let (Some(dir), true) = (&options.dir, files.is_empty()) {
        match libraries_in(dir) {
            Ok(found) => files.extend(found.into_iter().map(|path| (vec!["dir".to_owned()], path))),
            Err(error) => {
                let message =
                    format!("cannot read the plugin directory {}: {error}", dir.display());
                problems.push(PluginProblem { option: vec!["dir".to_owned()], message });
            }
        }
    }
    for name in options.sha256.keys() {
        let is_named = |(_, path): &(Place, PathBuf)| path.file_name() == Some(name.as_ref());
        if !files.iter().any(is_named) {
            let message = format!("`sha256` pins `{name}`, but no plugin of that name is loaded");
            problems
                .push(PluginProblem { option: vec!["sha256".to_owned(), name.clone()], message });
        }
    }
    for (option, path) in files {
        match lograil_loader::load(&path, &trust) {
            Ok(plugin) => loaded.push((option, plugin)),
            Err(error) => problems.push(PluginProblem { option, message: error.to_string() }),
        }
    }
    (loaded, problems)
}

/// The shared libraries of a directory, by name.
pub(crate) fn libraries_in(dir: &Path) -> std::io::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(dir)? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "so") {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}
