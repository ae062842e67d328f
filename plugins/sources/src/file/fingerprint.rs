//! What a file's content is recognised by: the hash of its first bytes, and of the bytes just before the
//! offset that was reached.
//!
//! The hash is FNV-1a with 64 bits (Fowler, Noll, Vo): it is stored in checkpoints, so it must never change.

use std::io;

use lograil_plugin::fs::File;

/// Most bytes of a file's start that are hashed.
pub const HEAD_BYTES_MAX: usize = 1024;
/// Most bytes before the offset that are hashed.
pub const TAIL_BYTES_MAX: usize = 256;

const BASIS: u64 = 0xcbf2_9ce4_8422_2325;
const PRIME: u64 = 0x0100_0000_01b3;

/// The hash of some bytes.
#[must_use]
pub fn hash(bytes: &[u8]) -> u64 {
    extend(BASIS, bytes)
}

/// The hash of the bytes behind `hash` followed by `bytes`.
#[must_use]
pub fn extend(hash: u64, bytes: &[u8]) -> u64 {
    bytes.iter().fold(hash, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(PRIME))
}

/// Some bytes that were hashed: how many, and their hash.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Digest {
    /// Number of bytes.
    pub len: u32,
    /// Their hash.
    pub hash: u64,
}

impl Digest {
    /// Of no bytes.
    pub const EMPTY: Self = Self { len: 0, hash: BASIS };

    /// Of some bytes.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Self {
        Self { len: bytes.len() as u32, hash: hash(bytes) }
    }

    /// Of the last bytes of `bytes`, which end at the offset.
    #[must_use]
    pub fn of_tail(bytes: &[u8]) -> Self {
        Self::of(&bytes[bytes.len().saturating_sub(TAIL_BYTES_MAX)..])
    }

    /// Whether `bytes` begin with what was hashed.
    #[must_use]
    pub fn starts(&self, bytes: &[u8]) -> bool {
        bytes.get(..self.len as usize).is_some_and(|start| hash(start) == self.hash)
    }
}

/// Reads up to `len` bytes at `offset`; fewer only at the end of the file.
pub fn read_up_to(file: &dyn File, offset: u64, len: usize) -> io::Result<Vec<u8>> {
    let mut bytes = vec![0; len];
    let filled = fill(file, offset, &mut bytes)?;
    bytes.truncate(filled);
    Ok(bytes)
}

/// Fills `bytes` from `offset` on; how much of it, less only at the end of the file.
pub fn fill(file: &dyn File, offset: u64, bytes: &mut [u8]) -> io::Result<usize> {
    let mut filled = 0;
    while filled < bytes.len() {
        match file.read_at(&mut bytes[filled..], offset + filled as u64) {
            Ok(0) => break,
            Ok(n) => filled += n,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}

/// The first bytes of a file, as many as are hashed.
pub fn read_head(file: &dyn File) -> io::Result<Vec<u8>> {
    read_up_to(file, 0, HEAD_BYTES_MAX)
}

/// Whether the bytes before `offset` are those of `tail`.
pub fn has_tail(file: &dyn File, offset: u64, tail: Digest) -> io::Result<bool> {
    let Some(from) = offset.checked_sub(u64::from(tail.len)) else { return Ok(false) };
    Ok(Digest::of(&read_up_to(file, from, tail.len as usize)?) == tail)
}

/// The digest of the bytes before `offset`.
pub fn tail_at(file: &dyn File, offset: u64) -> io::Result<Digest> {
    let from = offset.saturating_sub(TAIL_BYTES_MAX as u64);
    Ok(Digest::of(&read_up_to(file, from, (offset - from) as usize)?))
}
