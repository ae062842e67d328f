//! The file of a table, read on a thread of its own whenever it has changed.
//!
//! **Invariant:** the transform's thread never waits for the file once it has started.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use lograil_plugin::FileSystem;
use lograil_plugin::fs::Metadata;

use super::table::{Table, Wanted};

/// Where a table comes from.
#[derive(Clone)]
pub(super) struct Origin {
    pub(super) path: PathBuf,
    pub(super) wanted: Wanted,
    pub(super) bytes_max: u64,
    pub(super) files: Arc<dyn FileSystem>,
}

/// Looks at the file when told to, and says what it found if the file is another.
pub(super) struct Watch {
    orders: SyncSender<()>,
    found: Receiver<Result<Table, String>>,
}

impl Origin {
    /// Reads the file as it is now.
    pub(super) fn load(&self) -> Result<(Table, Metadata), String> {
        let metadata = self.metadata()?;
        if !metadata.is_file {
            return Err(self.mistake("it is no regular file"));
        }
        if metadata.len > self.bytes_max {
            let (len, max) = (metadata.len, self.bytes_max);
            return Err(self.mistake(&format!("it has {len} bytes, but `max_bytes` is {max}")));
        }
        let content =
            self.files.read(&self.path).map_err(|error| self.mistake(&error.to_string()))?;
        let table = Table::parse(&content, &self.wanted).map_err(|why| self.mistake(&why))?;
        Ok((table, metadata))
    }

    fn metadata(&self) -> Result<Metadata, String> {
        self.files.metadata(&self.path).map_err(|error| self.mistake(&error.to_string()))
    }

    fn mistake(&self, why: &str) -> String {
        format!("{}: {why}", shown(&self.path))
    }
}

fn shown(path: &Path) -> String {
    path.display().to_string()
}

impl Watch {
    /// Starts the thread; `loaded` is the file that was read already. The thread ends with the watch.
    pub(super) fn start(origin: Origin, loaded: Metadata) -> std::io::Result<Self> {
        let (orders, ordered) = sync_channel::<()>(1);
        let (sender, found) = sync_channel(1);
        let run = move || {
            let mut watched = Watched { loaded: Some(loaded), seen: Ok(loaded) };
            while ordered.recv().is_ok() {
                if let Some(result) = watched.look(&origin)
                    && sender.send(result).is_err()
                {
                    break;
                }
            }
        };
        std::thread::Builder::new().name("lookup".to_owned()).spawn(run)?;
        Ok(Self { orders, found })
    }

    /// Has the thread look at the file.
    pub(super) fn order(&self) {
        // A thread that is busy looks anyway, and without one there is nothing new.
        let _is_taken = self.orders.try_send(());
    }

    /// What was found since the last call.
    pub(super) fn found(&self) -> Option<Result<Table, String>> {
        self.found.try_recv().ok()
    }
}

/// What is known of the file.
struct Watched {
    /// The file that was read last; none if it could not be.
    loaded: Option<Metadata>,
    /// What the last look saw.
    seen: Result<Metadata, String>,
}

impl Watched {
    /// A file that has changed is read when two looks have seen the same: whoever writes it is done then.
    fn look(&mut self, origin: &Origin) -> Option<Result<Table, String>> {
        let now = origin.metadata();
        if now != self.seen {
            self.seen = now;
            // A file that is gone may be about to be replaced: that is said with the next look.
            return None;
        }
        match &self.seen {
            Ok(now) if self.loaded == Some(*now) => None,
            Ok(now) => {
                // Also a broken file is not read again before it has changed.
                self.loaded = Some(*now);
                Some(origin.load().map(|(table, _)| table))
            }
            // Once: with the next look nothing is loaded, and nothing is new.
            Err(why) => self.loaded.take().map(|_| Err(why.clone())),
        }
    }
}
