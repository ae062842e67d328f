//! How far a file was read, and what it is recognised by: what a checkpoint holds of a file.

use std::io;
use std::path::{Path, PathBuf};

use lograil_plugin::FileSystem;
use lograil_plugin::fs::{File, FileId, Metadata, Open};
use serde::{Deserialize, Serialize};

use super::fingerprint::{Digest, HEAD_BYTES_MAX, extend, has_tail, hash, read_head};
use super::packed::Unpacking;

/// A file's position, as JSON in the checkpoint. Hashes are in hexadecimal.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Written {
    path: String,
    dev: u64,
    inode: u64,
    generation: u32,
    head_len: u32,
    head: String,
    offset: u64,
    tail_len: u32,
    tail: String,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    skipping: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    packed: Option<(u64, i64)>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    over: bool,
}

/// How far the content of a file was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Position {
    /// Names the content: part of every event's identity. 0 until the first line was read.
    pub stream: u64,
    /// Where the file was last seen.
    pub path: PathBuf,
    /// Which file it was.
    pub id: FileId,
    /// How often the content of this file was replaced.
    pub generation: u32,
    /// Its first bytes.
    pub head: Digest,
    /// The first byte that was not yet read: the start of a line, unless `skipping`.
    pub offset: u64,
    /// The bytes before the offset.
    pub tail: Digest,
    /// Whether the offset is inside a line over the limit, whose rest is to be skipped.
    pub skipping: bool,
    /// If the file is packed and was read to its end: the length and the time of its packed bytes.
    pub packed: Option<(u64, i64)>,
    /// Whether the content was found gone from its file: nothing was read of it behind the offset.
    pub is_over: bool,
}

impl Position {
    /// The start of a file.
    #[must_use]
    pub fn start(path: PathBuf, id: FileId, generation: u32) -> Self {
        Self {
            stream: 0,
            path,
            id,
            generation,
            head: Digest::EMPTY,
            offset: 0,
            tail: Digest::EMPTY,
            skipping: false,
            packed: None,
            is_over: false,
        }
    }

    /// Reads what [`Position::to_json`] wrote.
    #[must_use]
    pub fn from_json(stream: &str, json: &str) -> Option<Self> {
        let written: Written = serde_json::from_str(json).ok()?;
        let digest =
            |len, hash: &str| Some(Digest { len, hash: u64::from_str_radix(hash, 16).ok()? });
        Some(Self {
            stream: u64::from_str_radix(stream, 16).ok()?,
            path: PathBuf::from(written.path),
            id: FileId { device: written.dev, inode: written.inode },
            generation: written.generation,
            head: digest(written.head_len, &written.head)?,
            offset: written.offset,
            tail: digest(written.tail_len, &written.tail)?,
            skipping: written.skipping,
            packed: written.packed,
            is_over: written.over,
        })
    }

    /// What the checkpoint keeps.
    #[must_use]
    pub fn to_json(&self) -> String {
        let written = Written {
            path: self.path.to_string_lossy().into_owned(),
            dev: self.id.device,
            inode: self.id.inode,
            generation: self.generation,
            head_len: self.head.len,
            head: format!("{:016x}", self.head.hash),
            offset: self.offset,
            tail_len: self.tail.len,
            tail: format!("{:016x}", self.tail.hash),
            skipping: self.skipping,
            packed: self.packed,
            over: self.is_over,
        };
        // A struct of texts and numbers always serializes.
        serde_json::to_string(&written).unwrap_or_default()
    }

    /// The stream's name in the checkpoint.
    #[must_use]
    pub fn key(&self) -> String {
        format!("{:016x}", self.stream)
    }

    /// Names the content by the file's identity and its first line. The first line, because it is complete
    /// when the first event is made and stays when the file grows: the name comes out the same when the file
    /// is read again after a crash.
    pub fn name_stream(&mut self, head: &[u8]) {
        let line = memchr::memchr(b'\n', head).map_or(head, |at| &head[..=at]);
        let mut name = hash(&self.id.device.to_le_bytes());
        name = extend(name, &self.id.inode.to_le_bytes());
        name = extend(name, &self.generation.to_le_bytes());
        self.stream = extend(name, line).max(1);
    }

    /// Whether a file under `path` has the content that this position is in.
    pub fn is_in(&self, fs: &Unpacking, path: &Path, metadata: Metadata) -> io::Result<bool> {
        if metadata.len < self.offset {
            return Ok(false);
        }
        // What was unpacked to its end and is as it was then need not be unpacked again.
        let is_read = self.packed.is_some() && metadata.len == self.offset;
        if is_read && fs.source_of(metadata.id) == self.packed {
            return Ok(true);
        }
        let file = fs.open(path, Open::Read)?;
        self.fits(&*file, &read_head(&*file)?)
    }

    /// Whether so many first bytes are known that no other file is taken for this one.
    #[must_use]
    pub fn is_distinct(&self) -> bool {
        self.head.len as usize == HEAD_BYTES_MAX
    }

    /// Whether the file has the content that this position is in, as far as hashes tell.
    pub fn fits(&self, file: &dyn File, head: &[u8]) -> io::Result<bool> {
        Ok(self.head.starts(head) && has_tail(file, self.offset, self.tail)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_position_survives_the_checkpoint() {
        let id = FileId { device: 1, inode: u64::MAX };
        let mut position = Position::start("/var/log/a b\".log".into(), id, 3);
        position.name_stream(b"first\nsecond");
        position.head = Digest::of(b"first\nsecond");
        position.offset = 6;
        position.tail = Digest::of_tail(b"first\n");
        position.skipping = true;
        position.packed = Some((7, -1));
        position.is_over = true;
        let back = Position::from_json(&position.key(), &position.to_json());
        assert_eq!(back, Some(position));
        assert_eq!(Position::from_json("x", "{}"), None);
    }

    #[test]
    fn a_stream_keeps_its_name_while_the_file_grows() {
        let mut short = Position::start("a".into(), FileId { device: 1, inode: 2 }, 0);
        let mut long = short.clone();
        let mut replaced = Position { generation: 1, ..short.clone() };
        short.name_stream(b"first\n");
        long.name_stream(b"first\nsecond\n");
        replaced.name_stream(b"first\n");
        assert_eq!(short.stream, long.stream);
        assert_ne!(short.stream, replaced.stream);
    }
}
