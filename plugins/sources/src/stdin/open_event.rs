//! The last event of what was taken in, while more lines may belong to it.

use bytes::{Bytes, BytesMut};

use crate::charset::LineEnd;
use crate::multiline::{Close, Grouping};

/// Lines and where the events in them end.
pub struct Events {
    /// The lines.
    pub bytes: Bytes,
    /// Position of the first of them in the input.
    pub offset: u64,
    /// Where the events end; at the lines' ends if lines are not grouped.
    pub ends: Option<Vec<usize>>,
}

/// Groups lines, block after block, and keeps those that may go on in the next block.
pub struct OpenEvent {
    grouping: Option<Grouping>,
    line_end: LineEnd,
    lines: BytesMut,
    offset: u64,
}

impl OpenEvent {
    /// None yet.
    pub fn new(grouping: Option<Grouping>, line_end: LineEnd) -> Self {
        Self { grouping, line_end, lines: BytesMut::new(), offset: 0 }
    }

    /// The grouping whose timeout runs: there is an open event.
    pub fn waiting(&self) -> Option<&Grouping> {
        self.grouping.as_ref().filter(|_| !self.lines.is_empty())
    }

    /// Adds a block, of which only the last one, or one that holds a line over the limit, ends without a
    /// newline. Gives what is complete.
    pub fn add(&mut self, bytes: Bytes, offset: u64) -> Events {
        let Some(grouping) = &self.grouping else {
            return Events { bytes, offset, ends: None };
        };
        let (bytes, offset) = if self.lines.is_empty() {
            (bytes, offset)
        } else {
            self.lines.extend_from_slice(&bytes);
            (self.lines.split().freeze(), self.offset)
        };
        let close = if self.line_end.ends(&bytes) { Close::Hold } else { Close::Take };
        let mut ends = Vec::new();
        let len = grouping.cut(&bytes, close, &mut ends);
        self.lines.extend_from_slice(&bytes[len..]);
        self.offset = offset + len as u64;
        Events { bytes: bytes.slice(..len), offset, ends: Some(ends) }
    }

    /// The open event as it is, if there is one.
    pub fn take(&mut self) -> Option<Events> {
        let mut ends = Vec::new();
        self.waiting()?.cut(&self.lines, Close::Take, &mut ends);
        let bytes = self.lines.split().freeze();
        Some(Events { bytes, offset: self.offset, ends: Some(ends) })
    }
}
