//! Where a file stands: what a checkpoint says of it, and the last bytes that prove it is the same file.

use std::io;
use std::path::Path;

use lograil_plugin::File;
use lograil_plugin::fs::FileId;
use serde::{Deserialize, Serialize};

/// How many bytes before the stated length are compared. Inodes are used again after a file was deleted, so
/// device and inode alone do not say that a file is ours; a few log lines with their times do.
const TAIL_BYTES: usize = 256;

/// The last bytes of a file, up to [`TAIL_BYTES`].
#[derive(Clone, Copy)]
pub(super) struct Tail {
    bytes: [u8; TAIL_BYTES],
    len: usize,
}

impl Tail {
    pub(super) const EMPTY: Self = Self { bytes: [0; TAIL_BYTES], len: 0 };

    /// The bytes of `file` before `end`.
    pub(super) fn read(file: &dyn File, end: u64) -> io::Result<Self> {
        let mut tail = Self::EMPTY;
        let wanted = usize::try_from(end).unwrap_or(TAIL_BYTES).min(TAIL_BYTES);
        while tail.len < wanted {
            let offset = end - (wanted - tail.len) as u64;
            match file.read_at(&mut tail.bytes[tail.len..wanted], offset) {
                Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(n) => tail.len += n,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(tail)
    }

    /// Follows bytes that were appended.
    pub(super) fn append(&mut self, bytes: &[u8]) {
        let new = &bytes[bytes.len().saturating_sub(TAIL_BYTES)..];
        let kept = self.len.min(TAIL_BYTES - new.len());
        self.bytes.copy_within(self.len - kept..self.len, 0);
        self.bytes[kept..kept + new.len()].copy_from_slice(new);
        self.len = kept + new.len();
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes[..self.len]
    }

    /// Whether the file ends in the middle of a line.
    pub(super) fn is_torn(&self) -> bool {
        self.len > 0 && self.bytes[self.len - 1] != b'\n'
    }

    pub(super) fn checksum(&self) -> u32 {
        crc32c::crc32c(self.bytes())
    }
}

/// What the sink says to the checkpoint.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct State {
    /// The configured path, absolute if the topology's directory is.
    pub(super) path: String,
    pub(super) device: u64,
    pub(super) inode: u64,
    /// Bytes that belong to the checkpoint.
    pub(super) length: u64,
    /// CRC-32C of the last bytes before `length`, up to 256.
    pub(super) tail_crc32c: u32,
    /// The highest number a backup of ours had.
    pub(super) oldest_slot: u32,
}

impl State {
    /// Whether it speaks of the file at `path`: another path is another output, and starts afresh.
    pub(super) fn is_of(&self, path: &Path) -> bool {
        self.path == path.to_string_lossy()
    }

    pub(super) fn id(&self) -> FileId {
        FileId { device: self.device, inode: self.inode }
    }

    /// Whether `file` holds at `length` what the checkpoint saw there.
    pub(super) fn fits(&self, file: &dyn File) -> io::Result<bool> {
        let metadata = file.metadata()?;
        if metadata.id != self.id() || metadata.len < self.length {
            return Ok(false);
        }
        Ok(Tail::read(file, self.length)?.checksum() == self.tail_crc32c)
    }
}
