//! What a running program says about itself in its data directory: who it is and how its last reload went.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

/// The file.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct RunFile {
    /// The process.
    pub pid: i32,
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
        Self { pid, ..Self::default() }
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
        let command = std::fs::read_to_string(format!("/proc/{}/comm", file.pid)).ok()?;
        // The number may be that of another program by now.
        (command.trim() == "lograil").then_some(file)
    }
}
