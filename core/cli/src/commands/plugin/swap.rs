//! `lograil plugin swap`: another version of a plugin for a topology that runs.

use std::fs::{File, TryLockError};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use lograil_config::PluginOptions;
use lograil_loader::{inspect, sha256_hex};
use rustix::process::{Pid, Signal, kill_process};

use crate::args::PluginSwapArguments;
use crate::commands::run::data_dir_of;
use crate::exit::Exit;
use crate::run_file::RunFile;
use crate::{catalogue, output, topology};

/// How long the running program may take to tell what came of it.
const PATIENCE: Duration = Duration::from_secs(60);

const POLL: Duration = Duration::from_millis(20);

/// Puts the new file in place of the old one, has the running program take it over, and puts the old one back if that
/// fails at any step.
pub(crate) fn run(arguments: &PluginSwapArguments) -> anyhow::Result<Exit> {
    // The old file is to be put back, whatever the new one does.
    catalogue::try_out_first();
    let loaded = topology::read(&arguments.topology)?;
    let Some(plan) = &loaded.plan else {
        topology::report(&loaded);
        return Ok(Exit::Failed);
    };
    let data_dir = data_dir_of(arguments.data_dir.as_ref(), plan, &arguments.topology.files);
    let new = std::fs::read(&arguments.file)
        .with_context(|| format!("read {}", arguments.file.display()))?;
    let installed = installed(&arguments.file, &new, &plan.global.plugins)?;
    let directory = installed.parent().unwrap_or(Path::new("."));
    let lock = File::open(directory).with_context(|| format!("open {}", directory.display()))?;
    match lock.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            bail!("another swap in {} is under way", directory.display());
        }
        Err(TryLockError::Error(error)) => bail!("lock {}: {error}", directory.display()),
    }
    wait_for_reload(&data_dir)?;
    let kept = beside(&installed, "before");
    std::fs::copy(&installed, &kept).with_context(|| format!("keep {}", installed.display()))?;
    install(&new, &installed)?;
    let swapped = take_over(arguments, &data_dir, &installed, &sha256_hex(&new));
    let is_swapped = matches!(swapped, Ok(Exit::Success));
    if is_swapped {
        std::fs::remove_file(&kept).with_context(|| format!("remove {}", kept.display()))?;
    } else {
        std::fs::rename(&kept, &installed)
            .with_context(|| format!("put {} back", installed.display()))?;
        output::error(&format!("nothing is swapped: {} is as it was", installed.display()));
    }
    swapped
}

/// Checks the topology with the new file, and has the program that runs it take it over.
fn take_over(
    arguments: &PluginSwapArguments,
    data_dir: &Path,
    installed: &Path,
    sha256: &str,
) -> anyhow::Result<Exit> {
    if topology::report(&topology::read(&arguments.topology)?) {
        return Ok(Exit::Failed);
    }
    let Some(before) = RunFile::read(data_dir) else {
        let place = data_dir.display();
        output::answer(&format!("no program runs with {place}: the next start takes it over\n"))?;
        return Ok(Exit::Success);
    };
    let pid = Pid::from_raw(before.pid).context("find the running program")?;
    kill_process(pid, Signal::HUP).with_context(|| format!("signal the process {}", before.pid))?;
    let start = Instant::now();
    while start.elapsed() < PATIENCE {
        let Some(now) = RunFile::read(data_dir).filter(|now| now.pid == before.pid) else {
            bail!("the process {} has ended meanwhile", before.pid);
        };
        if now.reloads > before.reloads {
            let told = now.messages.join("\n");
            if now.is_refused {
                output::error(&told);
                return Ok(Exit::Failed);
            }
            // One that had begun before has read the old file: the one that was asked for comes next.
            if now.plugins.get(installed).is_some_and(|runs| runs == sha256) {
                output::answer(&format!("process {}: {told}\n", before.pid))?;
                return Ok(Exit::Success);
            }
        }
        std::thread::sleep(POLL);
    }
    bail!("the process {} has not told within {PATIENCE:?} what came of it", before.pid)
}

/// Waits for the end of a reload that is under way: which file it reads nobody could tell.
fn wait_for_reload(data_dir: &Path) -> anyhow::Result<()> {
    let start = Instant::now();
    while let Some(running) = RunFile::read(data_dir).filter(|running| running.is_changing) {
        if start.elapsed() >= PATIENCE {
            bail!("the process {} is in a reload that does not end", running.pid);
        }
        std::thread::sleep(POLL);
    }
    Ok(())
}

/// The file in use of the plugin with the same name.
fn installed(file: &Path, content: &[u8], options: &PluginOptions) -> anyhow::Result<PathBuf> {
    let manifest = inspect(file)?;
    let (plugins, _) = catalogue::plugins(options);
    let same = plugins.iter().find(|(_, plugin)| plugin.manifest.name == manifest.name);
    let Some((_, plugin)) = same else {
        bail!("the topology uses no plugin `{}` that could be swapped", manifest.name);
    };
    let name = plugin.path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let sha256 = sha256_hex(content);
    if options.sha256.get(&name).is_some_and(|pin| !pin.eq_ignore_ascii_case(&sha256)) {
        bail!(
            "`[plugins] sha256` pins `{name}` to another file: write {sha256} there, put the new file in its place \
             and send SIGHUP"
        );
    }
    Ok(plugin.path.clone())
}

fn beside(path: &Path, extension: &str) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".");
    name.push(extension);
    path.with_file_name(name)
}

/// Replaces a file as a whole, with the permissions it had.
fn install(content: &[u8], at: &Path) -> anyhow::Result<()> {
    let new = beside(at, "new");
    let write = || {
        let mut file = File::create(&new)?;
        file.write_all(content)?;
        file.set_permissions(std::fs::metadata(at)?.permissions())?;
        file.sync_all()?;
        std::fs::rename(&new, at)
    };
    write().with_context(|| format!("install {}", at.display()))
}
