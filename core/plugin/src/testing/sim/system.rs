//! The file system as components use it, and as the test itself changes it.

use std::io;
use std::path::{Path, PathBuf};

use crate::fs::{Metadata, Open};
use crate::{File, FileSystem};

use super::SimFiles;
use super::fault::SimOperation;
use super::handle::{Access, SimFile};
use super::state::State;

impl FileSystem for SimFiles {
    fn open(&self, path: &Path, how: Open) -> io::Result<Box<dyn File>> {
        let mut state = self.lock();
        state.enter(SimOperation::Open, path)?;
        let node = state.open(path, how)?;
        state.hold(node);
        let access = if how == Open::Read { Access::Read } else { Access::ReadWrite };
        Ok(Box::new(SimFile::new(self.clone(), node, path.to_owned(), access)))
    }

    fn metadata(&self, path: &Path) -> io::Result<Metadata> {
        let mut state = self.lock();
        state.enter(SimOperation::Metadata, path)?;
        state.describe_path(path)
    }

    fn canonicalize(&self, path: &Path) -> io::Result<PathBuf> {
        let mut state = self.lock();
        state.enter(SimOperation::Canonicalize, path)?;
        state.canonicalize(path)
    }

    fn read_dir(&self, path: &Path) -> io::Result<Vec<PathBuf>> {
        let mut state = self.lock();
        state.enter(SimOperation::ReadDir, path)?;
        state.read_dir(path)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let mut state = self.lock();
        state.enter(SimOperation::Rename, from)?;
        state.rename(from, to)
    }

    fn remove_file(&self, path: &Path) -> io::Result<()> {
        let mut state = self.lock();
        state.enter(SimOperation::Remove, path)?;
        state.remove(path)
    }

    fn create_dir_all(&self, path: &Path) -> io::Result<()> {
        let mut state = self.lock();
        state.enter(SimOperation::CreateDir, path)?;
        state.create_dir_all(path)
    }

    fn sync_dir(&self, path: &Path) -> io::Result<()> {
        let mut state = self.lock();
        state.enter(SimOperation::SyncDir, path)?;
        state.sync_dir(path)
    }
}

/// What the test does itself: free of faults, unrecorded, free of the disk limit and durable at once.
impl State {
    pub(crate) fn test_write(&mut self, path: &Path, content: &[u8], append: bool) {
        self.test_change(path, |state| {
            if let Some(parent) = path.parent() {
                state.create_dir_all(parent)?;
            }
            let how = if append { Open::Create } else { Open::CreateEmpty };
            let node = state.open(path, how)?;
            let limit = state.disk_limit.take();
            let offset = state.describe(node).len;
            let written = state.write(node, content, offset).map(drop);
            state.disk_limit = limit;
            state.sync(node);
            written
        });
    }

    pub(crate) fn test_truncate(&mut self, path: &Path, len: u64) {
        self.test_change(path, |state| {
            let node = state.open(path, Open::ReadWrite)?;
            state.set_len(node, len)?;
            state.sync(node);
            Ok(())
        });
    }

    pub(crate) fn test_read(&mut self, path: &Path) -> Vec<u8> {
        let mut bytes = Vec::new();
        self.test_change(path, |state| {
            let node = state.open(path, Open::Read)?;
            bytes.resize(usize::try_from(state.describe(node).len).unwrap_or(0), 0);
            state.read(node, &mut bytes, 0);
            Ok(())
        });
        bytes
    }

    pub(crate) fn test_rename(&mut self, from: &Path, to: &Path) {
        self.test_change(from, |state| {
            if let Some(parent) = to.parent() {
                state.create_dir_all(parent)?;
            }
            state.rename(from, to)
        });
    }

    pub(crate) fn test_remove(&mut self, path: &Path) {
        self.test_change(path, |state| state.remove(path));
    }

    pub(crate) fn test_symlink(&mut self, target: &Path, link: &Path) {
        self.test_change(link, |state| {
            if let Some(parent) = link.parent() {
                state.create_dir_all(parent)?;
            }
            state.symlink(target, link)
        });
    }

    pub(crate) fn test_mkdir(&mut self, path: &Path) {
        self.test_change(path, |state| state.create_dir_all(path));
    }

    /// Makes the names durable that `change` changed, and only those.
    fn test_change(&mut self, path: &Path, change: impl FnOnce(&mut Self) -> io::Result<()>) {
        let before = self.names.pending.len();
        if let Err(error) = change(self) {
            panic!("{}: {error}", path.display());
        }
        for change in self.names.pending.split_off(before) {
            change.apply(&mut self.names.durable);
        }
    }
}
