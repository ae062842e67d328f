//! One file that is followed.

use std::collections::VecDeque;
use std::time::Duration;

use lograil_plugin::fs::{File, FileId, Metadata};

use super::fingerprint::Digest;
use super::position::Position;

/// Offsets that are remembered of a file, to recognise a copy that ends before the current one.
const MARKS_MAX: usize = 8;

/// Whether a file's content is known to be its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Identity {
    /// Not yet looked at.
    Unknown,
    /// It may be a copy that is about to take the place of `original`'s content (copytruncate).
    PerhapsCopy {
        /// The file it has the content of.
        original: FileId,
        /// Since when it has its present length.
        since: Duration,
        /// Its length.
        len: u64,
    },
    /// It is to be read.
    Settled,
}

/// A file that is followed: what is remembered between two looks at it.
pub struct Tracked {
    /// How far it was read.
    pub position: Position,
    /// The open file; closed when too many are open.
    pub file: Option<Box<dyn File>>,
    /// Length when it was last looked at.
    pub len: u64,
    /// Time of change when it was last looked at.
    pub modified_ns: i64,
    /// Whether its content is known to be its own.
    pub identity: Identity,
    /// Whether it was there when the source started.
    pub is_initial: bool,
    /// Whether to look at it in the next round; otherwise the next scan tells.
    pub is_hot: bool,
    /// Whether its end was reached since it was last found grown.
    pub is_drained: bool,
    /// Whether its last event may go on in lines to come. Its position is where that event starts.
    pub has_open_event: bool,
    /// Whether its content was looked at since it was last found changed.
    pub is_checked: bool,
    /// Whether it could not be opened or read.
    pub has_failed: bool,
    /// When it last grew.
    pub changed_at: Duration,
    /// Since when its path leads to another file, or nowhere.
    pub left_at: Option<Duration>,
    /// Whether the patterns still find it under some name.
    pub is_found: bool,
    /// The file that must be drained before this one is read: what was under this path before.
    pub after: Option<FileId>,
    /// Where to stop, for a source that runs once.
    pub limit: Option<u64>,
    /// Earlier offsets with the bytes before them.
    pub marks: VecDeque<(u64, Digest)>,
    /// Its first bytes, as a cheap way to tell it from most other files. Empty if not looked at.
    pub opening: Vec<u8>,
}

/// Most bytes of [`Tracked::opening`].
const OPENING_BYTES_MAX: usize = 24;

impl Tracked {
    /// A file just found, or found again at a position.
    #[must_use]
    pub fn new(position: Position, metadata: Metadata, now: Duration) -> Self {
        Self {
            is_hot: metadata.len != position.offset,
            position,
            file: None,
            len: metadata.len,
            modified_ns: metadata.modified_ns,
            identity: Identity::Unknown,
            is_initial: false,
            is_drained: false,
            has_open_event: false,
            is_checked: true,
            has_failed: false,
            changed_at: now,
            left_at: None,
            is_found: true,
            after: None,
            limit: None,
            marks: VecDeque::new(),
            opening: Vec::new(),
        }
    }

    /// Takes note of its first bytes.
    pub fn note_opening(&mut self, head: &[u8]) {
        self.opening = head[..head.len().min(OPENING_BYTES_MAX)].to_vec();
    }

    /// Whether its first bytes may be those of `head`.
    #[must_use]
    pub fn may_begin_with(&self, head: &[u8]) -> bool {
        let len = self.opening.len().min(head.len());
        self.opening[..len] == head[..len]
    }

    /// Takes note of what the file system says of it.
    pub fn observe(&mut self, metadata: Metadata, now: Duration) {
        if metadata.len != self.len || metadata.modified_ns != self.modified_ns {
            self.len = metadata.len;
            self.modified_ns = metadata.modified_ns;
            self.changed_at = now;
            self.is_hot = true;
            self.is_drained = false;
            self.is_checked = false;
        }
        let waits = matches!(self.identity, Identity::PerhapsCopy { .. });
        if waits || (self.has_failed && self.len != self.position.offset) {
            self.is_hot = true;
        }
    }

    /// Bytes that were not yet read.
    #[must_use]
    pub fn unread(&self) -> u64 {
        self.len.saturating_sub(self.position.offset)
    }

    /// Where its end is taken to be.
    #[must_use]
    pub fn end(&self) -> u64 {
        self.limit.map_or(self.len, |limit| limit.min(self.len))
    }

    /// Remembers the present offset.
    pub fn mark(&mut self) {
        let mark = (self.position.offset, self.position.tail);
        if self.marks.back() != Some(&mark) {
            if self.marks.len() == MARKS_MAX {
                self.marks.pop_front();
            }
            self.marks.push_back(mark);
        }
    }

    /// The content was replaced: starts anew at the first byte. Gives what was.
    pub fn replace_content(&mut self) -> Cut {
        let old = &self.position;
        let new = Position::start(old.path.clone(), old.id, old.generation.wrapping_add(1));
        let position = std::mem::replace(&mut self.position, new);
        // The new content may be that of another file whose copy took this one's place, or its inode.
        self.identity = Identity::Unknown;
        self.is_initial = false;
        self.opening.clear();
        self.is_hot = true;
        self.is_drained = false;
        self.has_open_event = false;
        self.limit = self.limit.map(|_| self.len);
        Cut {
            position,
            marks: std::mem::take(&mut self.marks),
            until: Duration::ZERO,
            is_deleted: false,
        }
    }
}

/// A content that is gone from its file, but that a copy may still hold.
pub struct Cut {
    /// How far it was read.
    pub position: Position,
    /// Earlier offsets.
    pub marks: VecDeque<(u64, Digest)>,
    /// When to stop looking for a copy.
    pub until: Duration,
    /// Whether the file is deleted. Then only a packed file can have its content; the checkpoint does not
    /// know of it any more.
    pub is_deleted: bool,
}
