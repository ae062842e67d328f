//! Files, directories and links, apart from their names.

use std::path::PathBuf;

/// A change of content that is not durable yet.
#[derive(Debug, Clone)]
pub(crate) enum Change {
    Write { offset: usize, bytes: Vec<u8> },
    SetLen(usize),
}

/// What a node is.
#[derive(Debug, Clone)]
pub(crate) enum Kind {
    File(Content),
    Directory,
    Link(PathBuf),
}

/// A file's bytes: as they are read now, as a power loss leaves them, and the changes between.
#[derive(Debug, Clone, Default)]
pub(crate) struct Content {
    pub(crate) bytes: Vec<u8>,
    pub(crate) durable: Vec<u8>,
    pub(crate) pending: Vec<Change>,
}

#[derive(Debug, Clone)]
pub(crate) struct Node {
    pub(crate) inode: u64,
    pub(crate) kind: Kind,
    pub(crate) modified_ns: i64,
    /// Names in the file system as it is now: 0 or 1, there are no hard links.
    pub(crate) names: usize,
    pub(crate) handles: usize,
}

impl Change {
    pub(crate) fn apply(&self, bytes: &mut Vec<u8>) {
        match self {
            Self::Write { offset, bytes: new } => write_at(bytes, *offset, new),
            Self::SetLen(len) => bytes.resize(*len, 0),
        }
    }
}

fn write_at(bytes: &mut Vec<u8>, offset: usize, new: &[u8]) {
    let end = offset + new.len();
    if bytes.len() < end {
        bytes.resize(end, 0);
    }
    bytes[offset..end].copy_from_slice(new);
}

impl Content {
    pub(crate) fn change(&mut self, change: Change) {
        change.apply(&mut self.bytes);
        self.pending.push(change);
    }

    pub(crate) fn sync(&mut self) {
        for change in self.pending.drain(..) {
            change.apply(&mut self.durable);
        }
    }
}

impl Node {
    pub(crate) fn content(&self) -> Option<&Content> {
        match &self.kind {
            Kind::File(content) => Some(content),
            _ => None,
        }
    }

    pub(crate) fn content_mut(&mut self) -> Option<&mut Content> {
        match &mut self.kind {
            Kind::File(content) => Some(content),
            _ => None,
        }
    }
}
