//! The thread that reads: takes bytes in and hands whole lines on.
//!
//! A block is handed on at once while the other side is waiting, so a line that is typed comes out at once.
//! While the other side is busy the block is filled further, so blocks grow under load.

use std::io::{self, Read};

use bytes::{Bytes, BytesMut};
use tokio::sync::mpsc;

use crate::block_pool::{BLOCK_BYTES, BlockPool};
use crate::charset::LineEnd;
use crate::line_blocks::{is_too_long, telling_bytes};

/// Blocks that wait to be turned into events.
const QUEUE_BLOCKS: usize = 2;

/// What was taken in.
#[derive(Debug)]
pub enum Taken {
    /// Lines; the last may lack its newline at the end of the input, or be cut above the limit.
    Lines {
        /// The lines.
        bytes: Bytes,
        /// Position of the first of them in the input.
        offset: u64,
    },
    /// The input cannot be read any more.
    Failed(io::Error),
}

/// The reading side.
pub struct Intake {
    input: Box<dyn Read + Send>,
    line_bytes_max: usize,
    line_end: LineEnd,
    pool: BlockPool,
    block: BytesMut,
    /// Bytes of the block that hold input not yet handed on.
    filled: usize,
    /// Bytes of these that are whole lines.
    lines: usize,
    /// Whether a line over the limit is being skipped.
    is_skipping: bool,
    /// Position of the block's first byte in the input.
    offset: u64,
    sender: mpsc::Sender<Taken>,
}

/// Nobody takes lines any more.
struct Abandoned;

impl Intake {
    /// Starts to read on a thread of its own. The thread ends with the input, or with its first read after
    /// the receiver is gone; nobody waits for it.
    pub fn start(
        input: Box<dyn Read + Send>,
        line_bytes_max: usize,
        line_end: LineEnd,
    ) -> io::Result<mpsc::Receiver<Taken>> {
        let (sender, receiver) = mpsc::channel(QUEUE_BLOCKS);
        let mut pool = BlockPool::default();
        let block = pool.take();
        let intake = Self {
            input,
            line_bytes_max,
            line_end,
            pool,
            block,
            filled: 0,
            lines: 0,
            is_skipping: false,
            offset: 0,
            sender,
        };
        std::thread::Builder::new().name("stdin".to_owned()).spawn(move || intake.run())?;
        Ok(receiver)
    }

    fn run(mut self) {
        // Either way the receiver learns of the end from the dropped sender.
        let _ended = self.take_in();
    }

    fn take_in(&mut self) -> Result<(), Abandoned> {
        loop {
            if self.filled == self.block.len() {
                self.make_room()?;
            }
            match self.input.read(&mut self.block[self.filled..]) {
                Ok(0) => return self.end(),
                Ok(n) => self.note(n)?,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => {
                    self.end()?;
                    return self.send(Taken::Failed(error));
                }
            }
        }
    }

    /// Takes note of `n` more bytes.
    fn note(&mut self, n: usize) -> Result<(), Abandoned> {
        let line_end = self.line_end;
        // The first half of a line feed may be there already.
        let new = line_end.whole_units(self.filled);
        self.filled += n;
        if self.is_skipping {
            // A skipped line is always at the front of the block.
            match line_end.find(&self.block[..self.filled]) {
                None => {
                    self.skip(line_end.whole_units(self.filled));
                    return Ok(());
                }
                Some(at) => {
                    self.skip(at + line_end.unit());
                    self.is_skipping = false;
                    let last = line_end.rfind(&self.block[..self.filled]);
                    self.lines = last.map_or(0, |at| at + line_end.unit());
                }
            }
        } else if let Some(at) = line_end.rfind(&self.block[new..self.filled]) {
            self.lines = new + at + line_end.unit();
        }
        if self.lines == 0 {
            return self.cut_if_too_long();
        }
        // With room in the queue the other side is waiting, or soon will be.
        let is_full = match self.sender.try_reserve() {
            Ok(_) => false,
            Err(mpsc::error::TrySendError::Full(())) => true,
            Err(mpsc::error::TrySendError::Closed(())) => return Err(Abandoned),
        };
        if is_full { Ok(()) } else { self.hand_on(self.lines, 0) }
    }

    /// Drops the first bytes of the block.
    fn skip(&mut self, count: usize) {
        self.block.copy_within(count..self.filled, 0);
        self.filled -= count;
        self.offset += count as u64;
    }

    fn cut_if_too_long(&mut self) -> Result<(), Abandoned> {
        if !is_too_long(self.filled, self.line_bytes_max, self.line_end) {
            return Ok(());
        }
        self.is_skipping = true;
        let seen = self.line_end.whole_units(self.filled);
        let kept = telling_bytes(self.line_bytes_max, self.line_end).min(seen);
        let beyond = seen - kept;
        self.block.copy_within(seen..self.filled, kept);
        self.filled -= beyond;
        self.hand_on(kept, beyond as u64)
    }

    /// The block is full.
    fn make_room(&mut self) -> Result<(), Abandoned> {
        if self.lines > 0 {
            return self.hand_on(self.lines, 0);
        }
        // A line longer than the block, but perhaps within the limit.
        let enough = telling_bytes(self.line_bytes_max, self.line_end);
        let len = (self.filled * 2).min(enough).max(self.filled + 1);
        let mut longer = BytesMut::zeroed(len);
        longer[..self.filled].copy_from_slice(&self.block[..self.filled]);
        let block = std::mem::replace(&mut self.block, longer);
        self.pool.give_back(block);
        Ok(())
    }

    fn end(&mut self) -> Result<(), Abandoned> {
        if self.filled > 0 && !self.is_skipping { self.hand_on(self.filled, 0) } else { Ok(()) }
    }

    /// Hands on the first `len` bytes; what follows moves to the front of the next block. `beyond`: bytes of
    /// the input behind them that are skipped.
    fn hand_on(&mut self, len: usize, beyond: u64) -> Result<(), Abandoned> {
        let mut next = self.pool.take();
        let rest = self.filled - len;
        if next.len() < rest + BLOCK_BYTES / 4 {
            next = BytesMut::zeroed(rest + BLOCK_BYTES);
        }
        next[..rest].copy_from_slice(&self.block[len..self.filled]);
        let block = std::mem::replace(&mut self.block, next);
        self.filled = rest;
        self.lines = 0;
        let bytes = self.pool.share(block, len);
        let offset = self.offset;
        self.offset += len as u64 + beyond;
        self.send(Taken::Lines { bytes, offset })
    }

    fn send(&self, taken: Taken) -> Result<(), Abandoned> {
        self.sender.blocking_send(taken).map_err(|_| Abandoned)
    }
}
