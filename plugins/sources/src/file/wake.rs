//! Waiting for something to do: time, and a hint from the machine that a file changed.
//!
//! Polling is the truth. The hint (inotify) only shortens the wait of a source that is idle: directories are
//! watched when an idle wait begins and no longer when it ends, so a busy source pays nothing for events it
//! would find anyway.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use lograil_plugin::fs::FileSystem;
use lograil_plugin::{Clock, Shutdown, SystemFiles};
use notify::{RecursiveMode, Watcher};
use tokio::sync::Notify;

/// Most directories that are watched. Files in others are found by polling.
const DIRECTORIES_MAX: usize = 512;
/// Waits below this are not worth a watch.
const WATCH_FROM: Duration = Duration::from_millis(150);

/// Why a wait ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Woken {
    /// The time is over.
    Time,
    /// A file or directory changed.
    Hint,
    /// The topology is stopping.
    Shutdown,
}

/// Waits.
pub struct WakeUp {
    clock: Arc<dyn Clock>,
    shutdown: Shutdown,
    hint: Arc<Notify>,
    watched: Option<(notify::RecommendedWatcher, HashSet<PathBuf>)>,
}

impl WakeUp {
    /// Waits on `clock`, and on the machine's hints where `files` is the machine's file system.
    #[must_use]
    pub fn new(clock: Arc<dyn Clock>, shutdown: Shutdown) -> Self {
        Self { clock, shutdown, hint: Arc::new(Notify::new()), watched: None }
    }

    /// Starts to watch for a wait of `period`, if that is worth it. Look at the files once more between this
    /// and the wait: what changed before the watch began gives no hint.
    pub fn prepare(
        &mut self,
        files: &dyn FileSystem,
        directories: &HashSet<PathBuf>,
        period: Duration,
    ) -> Watching {
        let kept = self.watched.as_ref().is_some_and(|(_, watched)| watched == directories);
        if kept || period < WATCH_FROM || directories.is_empty() {
            return Watching::AsBefore;
        }
        if !directories.iter().any(|directory| is_real(files, directory)) {
            return Watching::AsBefore;
        }
        let hint = Arc::clone(&self.hint);
        let watcher = notify::recommended_watcher(move |event: notify::Result<notify::Event>| {
            // Our own reading must not wake us.
            if !event.is_ok_and(|event| event.kind.is_access()) {
                hint.notify_one();
            }
        });
        let Ok(mut watcher) = watcher else { return Watching::AsBefore };
        for directory in directories.iter().take(DIRECTORIES_MAX) {
            if let Err(error) = watcher.watch(directory, RecursiveMode::NonRecursive) {
                tracing::debug!(?directory, %error, "cannot watch; polling finds changes");
            }
        }
        self.watched = Some((watcher, directories.clone()));
        Watching::Begun
    }

    /// Stops watching: there is work, and hints would only add to it.
    pub fn release(&mut self) {
        self.watched = None;
    }

    /// Waits until time, hint or shutdown.
    pub async fn wait(&mut self, period: Duration) -> Woken {
        let sleep = self.clock.sleep(period);
        let woken = tokio::select! {
            biased;
            () = self.shutdown.requested() => Woken::Shutdown,
            () = self.hint.notified(), if self.watched.is_some() => Woken::Hint,
            () = sleep => Woken::Time,
        };
        if woken != Woken::Time {
            self.watched = None;
        }
        woken
    }

    /// Whether the topology is stopping.
    #[must_use]
    pub fn is_stopping(&self) -> bool {
        self.shutdown.is_requested()
    }
}

/// Whether [`WakeUp::prepare`] has begun to watch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Watching {
    /// It has.
    Begun,
    /// Nothing changed.
    AsBefore,
}

/// Whether `files` shows the directory that the machine has under this path. A false yes costs nothing: the
/// hint is only a hint.
fn is_real(files: &dyn FileSystem, directory: &Path) -> bool {
    let here = if directory.as_os_str().is_empty() { Path::new(".") } else { directory };
    match (files.metadata(here), SystemFiles.metadata(here)) {
        (Ok(seen), Ok(real)) => seen.id == real.id,
        _ => false,
    }
}
