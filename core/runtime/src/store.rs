//! Where checkpoints are kept: one file in the data directory, replaced as a whole.

use std::collections::BTreeMap;
use std::fs::{File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use lograil_plugin::FileSystem;
use serde::{Deserialize, Serialize};

use crate::checkpoint::Snapshot;
use crate::error::RuntimeError;

const VERSION: u32 = 1;

#[derive(Serialize, Deserialize)]
struct Document {
    version: u32,
    sources: BTreeMap<String, BTreeMap<String, String>>,
    sinks: BTreeMap<String, String>,
    /// Whether all had ended, so that nothing came after it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    complete: bool,
}

/// The checkpoint file of one data directory.
pub(crate) struct CheckpointStore {
    path: PathBuf,
    files: Arc<dyn FileSystem>,
}

impl CheckpointStore {
    /// Opens the store in `data_dir` and reads what it holds.
    pub fn open(
        data_dir: &Path,
        files: Arc<dyn FileSystem>,
    ) -> Result<(Self, Snapshot), RuntimeError> {
        files
            .create_dir_all(data_dir)
            .map_err(|source| RuntimeError::DataDir { path: data_dir.to_owned(), source })?;
        let path = data_dir.join("checkpoint.json");
        let refused = |message: String| RuntimeError::Checkpoint { path: path.clone(), message };
        let snapshot = match files.read(&path) {
            Ok(content) => parse(&content).map_err(refused)?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => Snapshot::default(),
            Err(error) => return Err(refused(error.to_string())),
        };
        Ok((Self { path, files }, snapshot))
    }

    /// Puts a snapshot in place of the last one; durable when this returns.
    pub fn save(&self, snapshot: Snapshot) -> io::Result<()> {
        let document = Document {
            version: VERSION,
            sources: snapshot.positions,
            sinks: snapshot.sink_states,
            complete: snapshot.is_complete,
        };
        self.files.replace(&self.path, &serde_json::to_vec(&document)?)
    }
}

fn parse(content: &[u8]) -> Result<Snapshot, String> {
    let document: Document = serde_json::from_slice(content).map_err(|error| error.to_string())?;
    if document.version != VERSION {
        return Err(format!("it has version {}, this program reads {VERSION}", document.version));
    }
    Ok(Snapshot {
        positions: document.sources,
        sink_states: document.sinks,
        is_complete: document.complete,
    })
}

/// Holds a data directory against a second process. The lock goes when the process does.
pub(crate) fn lock(data_dir: &Path) -> Result<File, RuntimeError> {
    let refused = |source| RuntimeError::DataDir { path: data_dir.to_owned(), source };
    std::fs::create_dir_all(data_dir).map_err(refused)?;
    let file = File::options()
        .create(true)
        .truncate(false)
        .write(true)
        .open(data_dir.join("lock"))
        .map_err(refused)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::Error(error)) => Err(refused(error)),
        Err(TryLockError::WouldBlock) => {
            let why = "another lograil process uses it; stop that one or set another `data_dir`";
            Err(refused(io::Error::new(io::ErrorKind::ResourceBusy, why)))
        }
    }
}
