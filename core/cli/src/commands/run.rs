//! `lograil run`: a topology until its input ends or it is stopped.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context;
use lograil_config::{Plan, PlannedComponent};
use lograil_loader::LoadedPlugin;
use lograil_plugin::Kind;
use lograil_runtime::{Outcome, RunOptions, Running, Seams, TopologyStatus};
use lograil_server::{AdminState, Described, IngestSource, PluginInfo};
use tokio::runtime::Handle;
use tokio::sync::watch;

use crate::args::RunArguments;
use crate::exit::Exit;
use crate::refusals::Refusals;
use crate::reload::Reload;
use crate::signals::Signals;
use crate::watch::Watch;
use crate::{catalogue, dead_letters, loaded_plugins, output, signals, stores, topology};

pub(crate) fn run(arguments: &RunArguments) -> anyhow::Result<Exit> {
    let watch = arguments.watch.then(|| Watch::new(&arguments.topology));
    let (loaded, plugins) = topology::read_with_plugins(&arguments.topology)?;
    topology::report(&loaded);
    let Some(mut plan) = loaded.plan else { return Ok(Exit::Failed) };
    let data_dir = data_dir_of(arguments.data_dir.as_ref(), &plan, &arguments.topology.files);
    dead_letters::add_sink(&mut plan, "file", dead_letters::file_options(&data_dir));
    let reload = Reload::new(&arguments.topology, &plan, &data_dir, watch);
    let reload = reload.using(plugins).reading(&loaded.text_files);
    let options = RunOptions { once: arguments.once, data_dir: Some(data_dir) };
    let summary = if arguments.quiet { Summary::None } else { Summary::Print };
    start(plan, options, summary, Some(reload))
}

/// Whether to tell at the end what became of the events.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Summary {
    Print,
    None,
}

/// Runs a plan to its end.
pub(crate) fn start(
    plan: Plan,
    options: RunOptions,
    summary: Summary,
    reload: Option<Reload>,
) -> anyhow::Result<Exit> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .thread_name("lograil")
        .build()
        .context("start the runtime")?;
    catalogue::set_limits(&plan.global.plugins);
    let admin = plan.global.admin.clone();
    let plugins = reload.as_ref().map(Reload::plugins).unwrap_or_default();
    let letters = dead_letters::file_of(&plan);
    let (described, watched) = watch::channel(Arc::new(describe(&plan, plugins, &[])));
    let seams = Seams::default();
    let result: anyhow::Result<Option<(Outcome, TopologyStatus)>> = runtime.block_on(async {
        let mut signals = Signals::listen()?;
        let given = seams.clone();
        let start = move |runtime: Handle| runtime.block_on(Running::start(plan, options, given));
        let Some(running) = signals.unless_stopped(start).await else { return Ok(None) };
        let running = running?;
        let observer = running.observer();
        if let Some(admin) = admin {
            let listen = admin.listen;
            let state = AdminState {
                observer: observer.clone(),
                metrics: seams.metrics.clone(),
                described: watched,
                token: admin.token,
                query_timeout: admin.query_timeout.0,
            };
            let address = lograil_server::listen(listen, state)
                .await
                .with_context(|| format!("listen on {listen} for the admin server"))?;
            tracing::info!("admin server on http://{address}");
        }
        let reload = reload.map(|reload| reload.report_to(&seams.metrics, described));
        let follow = signals::follow(running, signals, reload);
        let Some(file) = letters else { return Ok(Some((follow.await, observer.status()))) };
        let mut refusals = Refusals::kept_in(&file);
        let outcome = tokio::select! {
            outcome = follow => outcome,
            never = refusals.watch(&observer) => match never {},
        };
        refusals.tell(&observer.status());
        Ok(Some((outcome, observer.status())))
    });
    // Threads that are stuck in a device or a dead peer must not hold up the end.
    runtime.shutdown_background();
    let Some((outcome, status)) = result? else {
        tracing::warn!("stopped before the topology had started");
        return Ok(Exit::Success);
    };
    if summary == Summary::Print {
        tell(&status);
    }
    Ok(exit_of(&outcome))
}

/// What the admin server tells of a topology with these plugins besides its state; `before` are the plugins until now.
pub(crate) fn describe(plan: &Plan, plugins: &[LoadedPlugin], before: &[PluginInfo]) -> Described {
    Described {
        configuration: plan.redacted_json(),
        catalogue: catalogue::of(plugins),
        plugins: loaded_plugins::of(plugins, before),
        reload: None,
        stores: stores::attach(plan),
        ingest: ingest_sources(plan),
        dead_letters: dead_letters::file_of(plan),
    }
}

/// The sources as which the admin server takes events: those that take what anybody sends by HTTP.
fn ingest_sources(plan: &Plan) -> Vec<IngestSource> {
    let is_http =
        |one: &(usize, &PlannedComponent)| one.1.kind == Kind::Source && one.1.spec.name == "http";
    let about = |(index, one): (usize, &PlannedComponent)| {
        let held_behind = plan.held_behind(index).map(|(id, time)| (id.to_owned(), time));
        IngestSource { id: one.id.clone(), component_type: one.spec.name, held_behind }
    };
    plan.components.iter().enumerate().filter(is_http).map(about).collect()
}

fn exit_of(outcome: &Outcome) -> Exit {
    if !outcome.failures.is_empty() {
        return Exit::Failed;
    }
    if outcome.undelivered_batches > 0 {
        let batches = output::counted(outcome.undelivered_batches, "batch was", "batches were");
        tracing::error!("{batches} read but not delivered");
        return Exit::Undelivered;
    }
    Exit::Success
}

/// One line a component: what became of its events.
fn tell(status: &TopologyStatus) {
    for component in &status.components {
        let ledger = component.ledger;
        if component.id.contains(':') && ledger.received == 0 {
            continue;
        }
        let created = match ledger.created {
            0 => String::new(),
            created => format!(", {created} created"),
        };
        tracing::info!(
            "{} {}: {} in{created}, {} out, {} discarded, {} dead-lettered",
            component.kind,
            component.id,
            ledger.received,
            ledger.sent,
            ledger.discarded,
            ledger.dead_lettered,
        );
    }
}

/// Where a topology keeps what must not be lost: as the command line says, or the topology, or a directory of its own.
pub(crate) fn data_dir_of(asked: Option<&PathBuf>, plan: &Plan, files: &[PathBuf]) -> PathBuf {
    let said = asked.or(plan.global.data_dir.as_ref());
    said.cloned().unwrap_or_else(|| default_data_dir(files))
}

/// `$XDG_STATE_HOME/lograil/NAME-HASH`, where the name and the hash are those of the topology's first file:
/// two topologies never share a directory, and one finds its own again.
fn default_data_dir(files: &[PathBuf]) -> PathBuf {
    let state = std::env::var_os("XDG_STATE_HOME")
        .map(PathBuf::from)
        .filter(|path| path.is_absolute())
        .or_else(|| std::env::var_os("HOME").map(|home| Path::new(&home).join(".local/state")))
        .unwrap_or_else(|| PathBuf::from("/var/lib"));
    let first = files.first().cloned().unwrap_or_default();
    let path = first.canonicalize().unwrap_or_else(|_| first.clone());
    let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    let mut hasher = DefaultHasher::new();
    path.hash(&mut hasher);
    state.join("lograil").join(format!("{name}-{:08x}", hasher.finish() & 0xFFFF_FFFF))
}
