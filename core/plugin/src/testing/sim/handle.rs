//! An open file.

use std::io;
use std::path::PathBuf;

use crate::File;
use crate::fs::Metadata;

use super::SimFiles;
use super::fault::SimOperation;

/// An open file; it stays what it is when its name goes to another one.
pub(crate) struct SimFile {
    files: SimFiles,
    node: usize,
    /// The name it was opened by, for faults and the record.
    path: PathBuf,
    access: Access,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Access {
    Read,
    ReadWrite,
}

impl SimFile {
    pub(crate) fn new(files: SimFiles, node: usize, path: PathBuf, access: Access) -> Self {
        Self { files, node, path, access }
    }

    fn check_writable(&self) -> io::Result<()> {
        match self.access {
            Access::ReadWrite => Ok(()),
            Access::Read => Err(io::ErrorKind::PermissionDenied.into()),
        }
    }
}

impl Drop for SimFile {
    fn drop(&mut self) {
        self.files.lock().let_go(self.node);
    }
}

impl File for SimFile {
    fn read_at(&self, buf: &mut [u8], offset: u64) -> io::Result<usize> {
        let mut state = self.files.lock();
        let bound = state.enter(SimOperation::Read, &self.path)?;
        let len = buf.len().min(bound);
        Ok(state.read(self.node, &mut buf[..len], offset))
    }

    fn write_at(&self, buf: &[u8], offset: u64) -> io::Result<usize> {
        self.check_writable()?;
        let mut state = self.files.lock();
        let bound = state.enter(SimOperation::Write, &self.path)?;
        state.write(self.node, &buf[..buf.len().min(bound)], offset)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.check_writable()?;
        let mut state = self.files.lock();
        state.enter(SimOperation::SetLen, &self.path)?;
        state.set_len(self.node, len)
    }

    fn sync(&self) -> io::Result<()> {
        let mut state = self.files.lock();
        let struck = state.enter(SimOperation::Sync, &self.path);
        if state.faults.lost_writes {
            state.forget_pending(self.node);
        }
        struck?;
        state.sync(self.node);
        Ok(())
    }

    fn metadata(&self) -> io::Result<Metadata> {
        let mut state = self.files.lock();
        state.enter(SimOperation::Metadata, &self.path)?;
        Ok(state.describe(self.node))
    }
}
