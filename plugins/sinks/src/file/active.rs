//! The file being written: its end, and what of it is not durable yet.

use std::io;
use std::sync::Arc;

use lograil_plugin::File;
use lograil_plugin::fs::FileId;

use super::position::Tail;

/// How much of the file is in memory while unsynced bytes are written anew.
const REWRITE_BYTES: usize = 256 << 10;

/// An open file and where it ends. A clone is a mark to come back to.
#[derive(Clone)]
pub(super) struct Active {
    file: Arc<dyn File>,
    pub(super) id: FileId,
    pub(super) len: u64,
    pub(super) tail: Tail,
    /// When its last byte came, as far as known: decides the rotation by time.
    pub(super) modified_ns: i64,
    dirty: bool,
    /// From here on nothing was synced; `unsynced_crc` is over what came since.
    synced_len: u64,
    unsynced_crc: u32,
    /// Up to here it was committed: what lies beyond was not acknowledged.
    committed_len: u64,
    /// A sync failed. The kernel may now believe the lost pages to be clean.
    suspect: bool,
}

impl Active {
    /// A file to go on with at its end. A torn last line gets its newline, so that ours is not glued to it.
    pub(super) fn at_end(file: Arc<dyn File>) -> io::Result<Self> {
        let metadata = file.metadata()?;
        let tail = Tail::read(&*file, metadata.len)?;
        let mut active = Self {
            file,
            id: metadata.id,
            len: metadata.len,
            tail,
            modified_ns: metadata.modified_ns,
            dirty: true,
            synced_len: metadata.len,
            unsynced_crc: 0,
            committed_len: 0,
            suspect: false,
        };
        if active.tail.is_torn() {
            active.append(b"\n")?;
        }
        active.committed_len = active.len;
        Ok(active)
    }

    /// Takes note that all of it is to be acknowledged.
    pub(super) fn committed(&mut self) {
        self.committed_len = self.len;
    }

    /// Whether somebody deleted it: what is written to it is gone once it is closed.
    pub(super) fn is_deleted(&self) -> io::Result<bool> {
        Ok(self.file.metadata()?.links == 0)
    }

    /// What was not committed, from `start` on at the earliest. The runtime bounds it by the bytes between two commits.
    pub(super) fn uncommitted(&self, start: u64) -> io::Result<Vec<u8>> {
        let start = self.committed_len.max(start);
        let length = usize::try_from(self.len.saturating_sub(start)).unwrap_or(0);
        let mut bytes = vec![0; length];
        let mut filled = 0;
        while filled < length {
            match self.file.read_at(&mut bytes[filled..], start + filled as u64)? {
                0 => return Err(io::ErrorKind::UnexpectedEof.into()),
                n => filled += n,
            }
        }
        Ok(bytes)
    }

    /// Appends all of `bytes`. On an error some may have been written beyond `len`.
    pub(super) fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.dirty = true;
        self.file.write_all_at(bytes, self.len)?;
        self.len += bytes.len() as u64;
        self.tail.append(bytes);
        self.unsynced_crc = crc32c::crc32c_append(self.unsynced_crc, bytes);
        Ok(())
    }

    /// Appends all of `bytes` or, on an error, none.
    pub(super) fn append_or_cut(&mut self, bytes: &[u8]) -> io::Result<()> {
        let appended = self.append(bytes);
        if appended.is_err() {
            self.cut()?;
        }
        appended
    }

    /// Cuts off what lies beyond `len`.
    pub(super) fn cut(&mut self) -> io::Result<()> {
        self.dirty = true;
        self.file.set_len(self.len)
    }

    /// Takes note of a length that others changed: a truncation, or bytes of another writer.
    /// Returns whether there was such a change.
    pub(super) fn follow_others(&mut self) -> io::Result<bool> {
        if self.file.metadata()?.len == self.len {
            return Ok(false);
        }
        if self.suspect {
            return Err(lost());
        }
        let committed_len = self.committed_len;
        *self = Self::at_end(Arc::clone(&self.file))?;
        self.committed_len = committed_len.min(self.len);
        Ok(true)
    }

    /// Makes all of it durable.
    pub(super) fn sync(&mut self) -> io::Result<()> {
        if !self.dirty {
            return Ok(());
        }
        if self.suspect {
            self.rewrite_unsynced()?;
        }
        if let Err(error) = self.file.sync() {
            self.suspect = true;
            return Err(error);
        }
        self.dirty = false;
        self.suspect = false;
        self.synced_len = self.len;
        self.unsynced_crc = 0;
        Ok(())
    }

    /// Takes note of a sync that failed since this mark of the same file was set.
    pub(super) fn doubt_as(&mut self, later: &Self) {
        self.suspect |= later.suspect && later.id == self.id;
    }

    /// After a failed sync the next one may report success without having written anything, because the pages
    /// were marked clean. Writing the same bytes again makes them dirty; the checksum tells whether they are
    /// still the ones that were meant.
    fn rewrite_unsynced(&mut self) -> io::Result<()> {
        let mut block = vec![0; REWRITE_BYTES];
        let mut offset = self.synced_len;
        let mut crc = 0;
        while offset < self.len {
            let wanted = usize::try_from(self.len - offset).unwrap_or(REWRITE_BYTES);
            let n = self.file.read_at(&mut block[..wanted.min(REWRITE_BYTES)], offset)?;
            if n == 0 {
                break;
            }
            crc = crc32c::crc32c_append(crc, &block[..n]);
            self.file.write_all_at(&block[..n], offset)?;
            offset += n as u64;
        }
        if offset == self.len && crc == self.unsynced_crc {
            return Ok(());
        }
        Err(lost())
    }
}

/// `InvalidData`, because trying again cannot help: only a restart brings the events back.
fn lost() -> io::Error {
    io::Error::new(
        io::ErrorKind::InvalidData,
        "a failed sync lost bytes that were not durable yet; a restart delivers them again",
    )
}
