//! Blocks of memory to read into, used again once the last batch that points into them is gone.
//!
//! **Invariant:** knows neither files nor lines.

use std::collections::VecDeque;

use bytes::{Bytes, BytesMut};

/// Bytes of a block.
pub const BLOCK_BYTES: usize = 256 * 1024;
/// Blocks that are remembered, in use or free: 8 MiB. More may be in flight; those are freed, not reused.
const REMEMBERED_MAX: usize = 32;

/// Blocks that were handed out, oldest first.
#[derive(Debug, Default)]
pub struct BlockPool {
    spare: Option<BytesMut>,
    handed_out: VecDeque<Bytes>,
}

impl BlockPool {
    /// A block of [`BLOCK_BYTES`], initialised, with any content.
    pub fn take(&mut self) -> BytesMut {
        if let Some(spare) = self.spare.take() {
            return spare;
        }
        // Batches are acknowledged about in order, so the first two tell whether any is free.
        for at in 0..self.handed_out.len().min(2) {
            if !self.handed_out[at].is_unique() {
                continue;
            }
            if let Some(Ok(block)) = self.handed_out.remove(at).map(Bytes::try_into_mut) {
                return block;
            }
        }
        BytesMut::zeroed(BLOCK_BYTES)
    }

    /// Takes back a block that was not handed out.
    pub fn give_back(&mut self, block: BytesMut) {
        if block.len() == BLOCK_BYTES {
            self.spare = Some(block);
        }
    }

    /// The first `len` bytes of a block, immutable. A short piece is copied, so that it does not keep the
    /// whole block alive.
    pub fn share(&mut self, block: BytesMut, len: usize) -> Bytes {
        if len < block.len() / 4 {
            let piece = Bytes::copy_from_slice(&block[..len]);
            self.give_back(block);
            piece
        } else {
            self.hand_out(block).slice(..len)
        }
    }

    /// Makes a block immutable, to be sliced and handed out; remembers it.
    fn hand_out(&mut self, block: BytesMut) -> Bytes {
        let bytes = block.freeze();
        if bytes.len() == BLOCK_BYTES {
            if self.handed_out.len() == REMEMBERED_MAX {
                self.handed_out.pop_front();
            }
            self.handed_out.push_back(bytes.clone());
        }
        bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_block_is_used_again_only_when_nobody_points_into_it() {
        let mut pool = BlockPool::default();
        let mut block = pool.take();
        block[0] = 7;
        let address = block.as_ptr();
        let slice = pool.hand_out(block).slice(0..1);
        assert_ne!(pool.take().as_ptr(), address);
        assert_eq!(slice[0], 7);
        drop(slice);
        let again = pool.take();
        assert_eq!((again.as_ptr(), again.len()), (address, BLOCK_BYTES));
    }
}
