//! Writes numbered lines to a file and rotates it as log writers and `logrotate` do.

use std::ffi::OsString;
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use super::line::write_line;

/// What happens to a file that has grown enough.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rotate {
    /// Nothing.
    Never,
    /// It is renamed to `PATH.1` (which becomes `PATH.2`, and so on), and a new one is made.
    Create,
    /// It is copied to `PATH.1` (the older ones as with `Create`), and then emptied.
    CopyTruncate,
    /// It is emptied: what nobody has read is lost.
    Truncate,
}

/// Writes numbered lines of one stream to one path.
#[derive(Debug)]
pub struct Writer {
    path: PathBuf,
    stream: String,
    rotate: Rotate,
    every_bytes: u64,
    split_every: u64,
    file: File,
    written_bytes: u64,
    next_seq: u64,
    rotations: u64,
    line: Vec<u8>,
}

impl Writer {
    /// Appends to `path`, made if missing, and rotates it when it has `every_bytes` or more.
    pub fn open(
        path: impl Into<PathBuf>,
        stream: &str,
        rotate: Rotate,
        every_bytes: u64,
    ) -> io::Result<Self> {
        let path = path.into();
        let file = append_to(&path)?;
        let written_bytes = file.metadata()?.len();
        Ok(Self {
            path,
            stream: stream.to_owned(),
            rotate,
            every_bytes,
            split_every: 0,
            file,
            written_bytes,
            next_seq: 0,
            rotations: 0,
            line: Vec::new(),
        })
    }

    /// Goes on with this number.
    #[must_use]
    pub fn starting_at(mut self, seq: u64) -> Self {
        self.next_seq = seq;
        self
    }

    /// Writes every so many-th line in two calls, so that readers see a line without its end.
    #[must_use]
    pub fn split_every(mut self, lines: u64) -> Self {
        self.split_every = lines;
        self
    }

    /// Lines written.
    #[must_use]
    pub fn next_seq(&self) -> u64 {
        self.next_seq
    }

    /// How often the file was rotated.
    #[must_use]
    pub fn rotations(&self) -> u64 {
        self.rotations
    }

    /// Writes the next line, and rotates the file if it is time.
    pub fn write(&mut self) -> io::Result<()> {
        self.line.clear();
        write_line(&mut self.line, &self.stream, self.next_seq);
        let splits = self.split_every > 0 && self.next_seq.is_multiple_of(self.split_every);
        let (head, tail) = self.line.split_at(if splits { self.line.len() / 2 } else { 0 });
        if !head.is_empty() {
            self.file.write_all(head)?;
            std::thread::yield_now();
        }
        self.file.write_all(tail)?;
        self.next_seq += 1;
        self.written_bytes += self.line.len() as u64;
        if self.rotate != Rotate::Never && self.written_bytes >= self.every_bytes {
            self.rotate()?;
        }
        Ok(())
    }

    /// Writes so many lines.
    pub fn write_lines(&mut self, lines: u64) -> io::Result<()> {
        (0..lines).try_for_each(|_| self.write())
    }

    /// Rotates the file now.
    pub fn rotate(&mut self) -> io::Result<()> {
        match self.rotate {
            Rotate::Never => return Ok(()),
            Rotate::Create => {
                shift(&self.path, 1)?;
                std::fs::rename(&self.path, numbered(&self.path, 1))?;
                self.file = append_to(&self.path)?;
            }
            Rotate::CopyTruncate => {
                shift(&self.path, 1)?;
                std::fs::copy(&self.path, numbered(&self.path, 1))?;
                self.file.set_len(0)?;
            }
            Rotate::Truncate => self.file.set_len(0)?,
        }
        self.written_bytes = 0;
        self.rotations += 1;
        Ok(())
    }
}

fn append_to(path: &Path) -> io::Result<File> {
    OpenOptions::new().append(true).create(true).open(path)
}

/// `PATH.n`.
fn numbered(path: &Path, n: u64) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(format!(".{n}"));
    PathBuf::from(name)
}

/// Renames `PATH.n` to `PATH.n+1`, the oldest first.
fn shift(path: &Path, n: u64) -> io::Result<()> {
    let mut last = n;
    while numbered(path, last).exists() {
        last += 1;
    }
    for n in (n..last).rev() {
        std::fs::rename(numbered(path, n), numbered(path, n + 1))?;
    }
    Ok(())
}
