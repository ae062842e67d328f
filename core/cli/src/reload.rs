//! Reading the topology again while it runs.
//!
//! **Invariant:** what runs goes on as it is unless all of the new topology is right.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use lograil_config::{Level, Plan, PluginOptions, TextFile};
use lograil_loader::LoadedPlugin;
use lograil_plugin::MetricsRegistry;
use lograil_runtime::{Changes, Running};
use lograil_server::{Described, ReloadReport};
use tokio::sync::watch;

use crate::args::TopologyArguments;
use crate::commands::run::describe;
use crate::run_file::RunFile;
use crate::watch::Watch;
use crate::{catalogue, dead_letters, loaded_plugins, topology};

/// What a topology is read from again.
pub(crate) struct Reload {
    topology: TopologyArguments,
    data_dir: PathBuf,
    options: PluginOptions,
    /// What runs.
    plugins: Vec<LoadedPlugin>,
    run_file: RunFile,
    watch: Option<Watch>,
    metrics: MetricsRegistry,
    /// Where the admin server looks.
    described: Option<watch::Sender<Arc<Described>>>,
}

impl Reload {
    pub(crate) fn new(
        topology: &TopologyArguments,
        plan: &Plan,
        data_dir: &Path,
        watch: Option<Watch>,
    ) -> Self {
        catalogue::try_out_first();
        Self {
            topology: topology.clone(),
            data_dir: data_dir.to_owned(),
            options: plan.global.plugins.clone(),
            plugins: Vec::new(),
            run_file: RunFile::of_this_process(),
            watch,
            metrics: MetricsRegistry::default(),
            described: None,
        }
    }

    /// What runs was read with these files besides those of the topology.
    pub(crate) fn reading(mut self, texts: &[TextFile]) -> Self {
        self.follow(texts);
        self
    }

    fn follow(&mut self, texts: &[TextFile]) {
        if let Some(watch) = &mut self.watch {
            watch.follow(texts);
        }
    }

    /// What runs has these plugins.
    pub(crate) fn using(mut self, plugins: Vec<LoadedPlugin>) -> Self {
        self.run_file.plugins = RunFile::hashes(&plugins);
        self.plugins = plugins;
        self
    }

    pub(crate) fn plugins(&self) -> &[LoadedPlugin] {
        &self.plugins
    }

    /// Counts in these metrics, and says what runs now.
    pub(crate) fn report_to(
        mut self,
        metrics: &MetricsRegistry,
        described: watch::Sender<Arc<Described>>,
    ) -> Self {
        (self.metrics, self.described) = (metrics.clone(), Some(described));
        self.tell_success(true);
        self.write_run_file();
        self
    }

    /// Waits until the files differ from those that were read last; for ever if they are not watched.
    pub(crate) async fn changed(&mut self) {
        match &mut self.watch {
            Some(watch) => watch.changed(&self.topology, &self.options).await,
            None => std::future::pending().await,
        }
    }

    /// Reads the topology again and changes what differs. Whatever is wrong with it is logged, and changes nothing.
    pub(crate) async fn run(&mut self, running: &mut Running) {
        if self.topology.files.is_empty() {
            return;
        }
        let start = Instant::now();
        self.run_file.is_changing = true;
        self.write_run_file();
        let result = match self.read() {
            Ok((plan, plugins)) => match running.reload(plan).await {
                Ok(changes) => {
                    self.plugins = plugins;
                    Ok(changes)
                }
                Err(error) => Err(vec![error.to_string()]),
            },
            Err(mistakes) => Err(mistakes),
        };
        let (name, is_success) = match &result {
            Ok(changes) if changes.is_empty() => ("unchanged", true),
            Ok(_) => ("applied", true),
            Err(_) => ("refused", false),
        };
        let help = "Times the topology was read again while it ran, by what came of it.";
        self.metrics.counter("reloads", help, &[("result", name)]).inc();
        self.tell_success(is_success);
        self.options = running.plan().global.plugins.clone();
        let is_applied = result.is_ok();
        // Those of what runs, also where the other one was refused that had its own while it was made.
        catalogue::set_limits(&self.options);
        self.run_file.is_changing = false;
        self.run_file.plugins = RunFile::hashes(&self.plugins);
        self.run_file.reloads += 1;
        self.run_file.is_refused = !is_success;
        self.run_file.messages = match result {
            Ok(changes) => {
                let told = tell(&changes);
                tracing::info!("reload: {told} ({:.0?})", start.elapsed());
                vec![told]
            }
            Err(mistakes) => {
                for mistake in &mistakes {
                    tracing::error!("reload: {mistake}");
                }
                tracing::error!("reload: nothing is changed; what runs goes on");
                mistakes
            }
        };
        self.describe(running, is_applied);
        // Last: who waits for it may ask the admin server next.
        self.write_run_file();
    }

    /// Tells the admin server what runs now, and how the reload went.
    fn describe(&self, running: &Running, is_applied: bool) {
        let Some(sender) = &self.described else { return };
        let before = Arc::clone(&sender.borrow());
        let mut described = if is_applied {
            describe(running.plan(), &self.plugins, &before.plugins)
        } else {
            let mut before = Described::clone(&before);
            loaded_plugins::refuse(&mut before.plugins, &self.run_file.messages, running.plan());
            before
        };
        described.reload = Some(ReloadReport {
            count: self.run_file.reloads,
            at: loaded_plugins::now(),
            is_refused: !is_applied,
            messages: self.run_file.messages.clone(),
        });
        sender.send_replace(Arc::new(described));
    }

    /// Says in the data directory who runs and how the last reload went, for `plugin swap`.
    fn write_run_file(&self) {
        if let Err(error) = self.run_file.write(&self.data_dir) {
            tracing::warn!("write run.json in {}: {error}", self.data_dir.display());
        }
    }

    fn tell_success(&self, is_success: bool) {
        let help =
            "Whether the last reload went well: 1, or 0 if it was refused and changed nothing.";
        let value = if is_success { 1.0 } else { 0.0 };
        self.metrics.gauge("last_reload_successful", help, &[]).set(value);
    }

    /// The topology as it is now with its plugins, or what is wrong with it.
    fn read(&mut self) -> Result<(Plan, Vec<LoadedPlugin>), Vec<String>> {
        if self.topology.files.iter().any(|path| path == Path::new("-")) {
            return Err(vec![
                "the topology came from stdin, which cannot be read again".to_owned(),
            ]);
        }
        let read = topology::read_with_plugins(&self.topology);
        let (loaded, plugins) = read.map_err(|error| vec![format!("{error:#}")])?;
        self.follow(&loaded.text_files);
        let lines = |level: Level| -> Vec<String> {
            let of_level = loaded.diagnostics.iter().filter(|one| one.level == level);
            of_level.map(|one| one.to_line(&loaded.files)).collect()
        };
        for warning in lines(Level::Warning) {
            tracing::warn!("reload: {warning}");
        }
        let Some(mut plan) = loaded.plan else { return Err(lines(Level::Error)) };
        let letters = dead_letters::file_options(&self.data_dir);
        dead_letters::add_sink(&mut plan, "file", letters);
        Ok((plan, plugins))
    }
}

/// `added a, b; changed c; removed d`.
fn tell(changes: &Changes) -> String {
    let parts =
        [("added", &changes.added), ("changed", &changes.changed), ("removed", &changes.removed)];
    let named = parts.iter().filter(|(_, ids)| !ids.is_empty());
    let named: Vec<String> =
        named.map(|(what, ids)| format!("{what} {}", ids.join(", "))).collect();
    if named.is_empty() { "no component differs".to_owned() } else { named.join("; ") }
}
