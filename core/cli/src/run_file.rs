//! What a running program says about itself in its data directory: who it is and how its last reload went.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use lograil_loader::LoadedPlugin;
use serde::{Deserialize, Serialize};

/// The file.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct RunFile {
    /// The process.
    pub pid: i32,
    /// When it began, in the kernel's notation: the number may be another process's by now.
    pub started: String,
    /// Whether it is reading the topology again.
    pub is_changing: bool,
    /// The sha256 of the plugins that run, by the paths of their files.
    pub plugins: BTreeMap<PathBuf, String>,
    /// Times the topology was read again.
    pub reloads: u64,
    /// Whether the last reload changed nothing because of a mistake.
    pub is_refused: bool,
    /// What was told of it.
    pub messages: Vec<String>,
}

impl RunFile {
    /// This process, before any reload.
    pub(crate) fn of_this_process() -> Self {
        let pid = std::process::id().cast_signed();
        Self { pid, started: started(pid).unwrap_or_default(), ..Self::default() }
    }

    fn path(data_dir: &Path) -> PathBuf {
        data_dir.join("run.json")
    }

    /// Puts it in place of what is there, as a whole.
    pub(crate) fn write(&self, data_dir: &Path) -> std::io::Result<()> {
        std::fs::create_dir_all(data_dir)?;
        let (path, new) = (Self::path(data_dir), data_dir.join("run.json.new"));
        std::fs::write(&new, serde_json::to_vec(self)?)?;
        std::fs::rename(new, path)
    }

    /// What the process that uses the directory wrote, if one runs.
    pub(crate) fn read(data_dir: &Path) -> Option<Self> {
        let content = std::fs::read(Self::path(data_dir)).ok()?;
        let file: Self = serde_json::from_slice(&content).ok()?;
        (started(file.pid)? == file.started).then_some(file)
    }

    pub(crate) fn hashes(plugins: &[LoadedPlugin]) -> BTreeMap<PathBuf, String> {
        plugins
            .iter()
            .map(|plugin| {
                let sha256 = plugin.sha256().unwrap_or_default().to_owned();
                (plugin.path.clone(), sha256)
            })
            .collect()
    }
}

/// When a process began (field 22 of proc_pid_stat(5)), if there is one.
fn started(pid: i32) -> Option<String> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name before may hold anything.
    let (_, fields) = stat.rsplit_once(')')?;
    fields.split_whitespace().nth(19).map(str::to_owned)
}
