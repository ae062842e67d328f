//! What the admin server tells of the plugins: which file runs, since when, and why another one does not.

use lograil_config::{Plan, PlannedComponent};
use lograil_loader::LoadedPlugin;
use lograil_plugin::ComponentSpec;
use lograil_server::{PluginInfo, PluginMistake};

/// The plugins of what runs; `before` are those until now, whose exchanges are counted on.
pub(crate) fn of(plugins: &[LoadedPlugin], before: &[PluginInfo]) -> Vec<PluginInfo> {
    plugins.iter().map(|plugin| about(plugin, before)).collect()
}

fn about(plugin: &LoadedPlugin, before: &[PluginInfo]) -> PluginInfo {
    let component = |spec: &ComponentSpec| format!("{} {}", spec.kind().name(), spec.name);
    let manifest = &plugin.manifest;
    let file = plugin.path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let old = before.iter().find(|old| old.file == file);
    let sha256 = plugin.sha256().map_or_else(|error| format!("unknown: {error}"), str::to_owned);
    let kept = old.filter(|old| old.sha256 == sha256);
    PluginInfo {
        name: manifest.name.clone(),
        version: manifest.version.clone(),
        abi: format!("{}.{}", manifest.abi.0, manifest.abi.1),
        sha256,
        components: plugin.components.iter().map(component).collect(),
        generation: old.map_or(1, |old| old.generation + u64::from(kept.is_none())),
        loaded_at: kept.map_or_else(now, |kept| kept.loaded_at.clone()),
        last_error: old.and_then(|old| old.last_error.clone()),
        left_behind: lograil_loader::instances_left_behind,
        file,
    }
}

/// Keeps with each plugin what of these mistakes names its file or a component of it that runs.
pub(crate) fn refuse(plugins: &mut [PluginInfo], mistakes: &[String], running: &Plan) {
    for plugin in plugins {
        let is_of_it = |one: &&PlannedComponent| {
            plugin.components.contains(&format!("{} {}", one.kind.name(), one.spec.name))
        };
        let ids = running.components.iter().filter(is_of_it).map(|one| one.id.as_str());
        let names: Vec<&str> = ids.chain([plugin.file.as_str()]).collect();
        let is_named = |message: &&String| {
            let mut words = message.split(|c: char| c.is_whitespace() || "`:,/\"'".contains(c));
            words.any(|word| names.contains(&word))
        };
        if let Some(message) = mistakes.iter().find(is_named) {
            plugin.last_error = Some(PluginMistake { at: now(), message: message.clone() });
        }
    }
}

/// The time as the API writes it.
pub(crate) fn now() -> String {
    let since = std::time::SystemTime::UNIX_EPOCH.elapsed().unwrap_or_default();
    let mut text = Vec::new();
    lograil_codec::time::write_rfc3339(
        i64::try_from(since.as_nanos()).unwrap_or(i64::MAX),
        &mut text,
    );
    String::from_utf8(text).unwrap_or_default()
}
