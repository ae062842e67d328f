//! A file system in memory: handles outlive names, what was not synced can be lost, and any call can be
//! made to fail.
//!
//! What is durable: a file's content up to its last `sync`, names up to the last `sync_dir` of their
//! directory. What a test writes through [`SimFiles::write`] and its like is durable at once.

mod fault;
mod handle;
mod names;
mod node;
mod power;
mod state;
mod system;

pub use fault::{EIO, EMFILE, ENOSPC, Fault, Hits, Logged, SimOperation};

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::{Clock, FileSystem};

use state::State;

/// A file system in memory. Clones are the same file system.
#[derive(Clone)]
pub struct SimFiles(Arc<Mutex<State>>);

impl Default for SimFiles {
    fn default() -> Self {
        Self::new()
    }
}

impl std::fmt::Debug for SimFiles {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("SimFiles").field(&self.list()).finish()
    }
}

impl SimFiles {
    /// An empty file system. Times of change are a counter.
    #[must_use]
    pub fn new() -> Self {
        Self::of(State::new(None))
    }

    /// An empty file system whose times of change are `clock`'s.
    #[must_use]
    pub fn with_clock(clock: Arc<dyn Clock>) -> Self {
        Self::of(State::new(Some(clock)))
    }

    fn of(state: State) -> Self {
        Self(Arc::new(Mutex::new(state)))
    }

    /// The same file system, as components are handed it.
    #[must_use]
    pub fn shared(&self) -> Arc<dyn FileSystem> {
        Arc::new(self.clone())
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What a kill -9 leaves: everything that was written, nothing open. Not yet durable things stay so.
    #[must_use]
    pub fn crash(&self) -> Self {
        Self::of(self.lock().after_crash())
    }

    /// What a power loss could leave. Each content change since the last `sync` is kept, dropped or torn at
    /// a byte, and of the name changes since the last `sync_dir` the first few are kept, as `seed` decides.
    #[must_use]
    pub fn power_loss(&self, seed: u64) -> Self {
        Self::of(self.lock().after_power_loss(seed))
    }

    /// Takes the power after so many further calls of components, as [`SimFiles::power_loss`] does. Those
    /// calls go on as if nothing had happened; what was left is in [`SimFiles::after_loss`].
    pub fn lose_power_after(&self, calls: u64, seed: u64) {
        self.lock().loss_due = Some((calls, seed));
    }

    /// What the power loss that was asked for has left, once it has happened.
    #[must_use]
    pub fn after_loss(&self) -> Option<Self> {
        self.lock().loss.take().map(|state| Self::of(*state))
    }

    /// Makes calls fail; the answer counts how often it did.
    pub fn inject(&self, fault: Fault) -> Hits {
        self.lock().faults.inject(fault)
    }

    /// Takes all faults away.
    pub fn heal(&self) {
        self.lock().faults.heal();
    }

    /// Limits the bytes all files together may have; what lies beyond fails with `ENOSPC`, after a partial
    /// write where some of it fits. `None` lifts the limit.
    pub fn set_disk_limit(&self, bytes: Option<u64>) {
        self.lock().disk_limit = bytes;
    }

    /// Bytes all files have, unlinked ones that are still open included.
    #[must_use]
    pub fn used_bytes(&self) -> u64 {
        self.lock().used_bytes()
    }

    /// Lets new files take the inode numbers of deleted ones, the last one first, as ext4 does.
    pub fn reuse_inodes(&self) {
        self.lock().reuse_inodes = true;
    }

    /// How often components made calls of a kind, failed ones included.
    #[must_use]
    pub fn count(&self, operation: SimOperation) -> u64 {
        self.lock().faults.count(operation)
    }

    /// The last 100,000 calls components made, in order.
    #[must_use]
    pub fn log(&self) -> Vec<Logged> {
        self.lock().faults.log()
    }

    /// Handles open now.
    #[must_use]
    pub fn open_handles(&self) -> usize {
        self.lock().open_handles
    }

    /// The most handles that ever were open at the same time.
    #[must_use]
    pub fn open_handles_peak(&self) -> usize {
        self.lock().open_handles_peak
    }

    /// Puts `content` into a file, made with its directories if missing; an existing one keeps its inode
    /// (as a shell's `>` does). Durable, free of faults.
    pub fn write(&self, path: impl AsRef<Path>, content: impl AsRef<[u8]>) {
        self.lock().test_write(path.as_ref(), content.as_ref(), false);
    }

    /// Appends to a file, made with its directories if missing. Durable, free of faults.
    pub fn append(&self, path: impl AsRef<Path>, content: impl AsRef<[u8]>) {
        self.lock().test_write(path.as_ref(), content.as_ref(), true);
    }

    /// Cuts a file to `len` bytes (copytruncate: 0). Durable, free of faults.
    pub fn truncate(&self, path: impl AsRef<Path>, len: u64) {
        self.lock().test_truncate(path.as_ref(), len);
    }

    /// The content of a file; panics if there is none.
    #[must_use]
    pub fn content(&self, path: impl AsRef<Path>) -> Vec<u8> {
        self.lock().test_read(path.as_ref())
    }

    /// The content of a file as text; panics if there is none or it is not UTF-8.
    #[must_use]
    pub fn text(&self, path: impl AsRef<Path>) -> String {
        String::from_utf8(self.content(path)).unwrap_or_else(|error| panic!("{error}"))
    }

    /// Whether a path exists; symbolic links are followed.
    #[must_use]
    pub fn exists(&self, path: impl AsRef<Path>) -> bool {
        self.lock().exists(path.as_ref())
    }

    /// Moves a file. Durable, free of faults; panics if it cannot.
    pub fn mv(&self, from: impl AsRef<Path>, to: impl AsRef<Path>) {
        self.lock().test_rename(from.as_ref(), to.as_ref());
    }

    /// Deletes a file or a symbolic link. Durable, free of faults; panics if it cannot.
    pub fn rm(&self, path: impl AsRef<Path>) {
        self.lock().test_remove(path.as_ref());
    }

    /// Makes a symbolic link at `link` to `target`, in place of one that is there. Durable.
    pub fn symlink(&self, target: impl AsRef<Path>, link: impl AsRef<Path>) {
        self.lock().test_symlink(target.as_ref(), link.as_ref());
    }

    /// Makes a directory and those above it. Durable.
    pub fn mkdir(&self, path: impl AsRef<Path>) {
        self.lock().test_mkdir(path.as_ref());
    }

    /// All files and symbolic links, sorted.
    #[must_use]
    pub fn list(&self) -> Vec<PathBuf> {
        self.lock().list()
    }

    /// The inode number of a path; panics if there is none.
    #[must_use]
    pub fn inode(&self, path: impl AsRef<Path>) -> u64 {
        let described = self.lock().describe_path(path.as_ref());
        described.unwrap_or_else(|error| panic!("{}: {error}", path.as_ref().display())).id.inode
    }
}

#[cfg(test)]
mod tests;
