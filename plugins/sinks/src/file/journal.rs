//! Which files were opened, and how long they were then: what a checkpoint taken before cannot know.
//!
//! A line per opening, durable before the file is written to. After a crash the files of lines behind the
//! checkpoint's are cut to the length they had.

use std::collections::VecDeque;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use lograil_plugin::fs::Open;
use lograil_plugin::{File, FileSystem};
use serde::{Deserialize, Serialize};

use super::Durability;
use super::position::State;

/// Length from which on old lines are dropped.
const PRUNE_FROM_BYTES: u64 = 256 << 10;
/// How old a line is at least when it is dropped: checkpoints are written more often.
const KEPT_FOR: Duration = Duration::from_secs(60);
/// Time between two notes of how far the journal was.
const NOTE_EVERY: Duration = Duration::from_secs(10);

#[derive(Debug, Serialize, Deserialize)]
struct Head {
    journal: i64,
}

#[derive(Debug, Serialize, Deserialize)]
struct Line {
    opening: u64,
    file: State,
}

/// What a checkpoint says of a journal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Known {
    /// Which journal.
    pub(super) journal: i64,
    /// The last opening it had.
    pub(super) openings: u64,
}

/// A journal that is open.
pub(super) struct Journal {
    files: Arc<dyn FileSystem>,
    path: PathBuf,
    file: Box<dyn File>,
    durability: Durability,
    len: u64,
    known: Known,
    /// How far it was at times of the past.
    notes: VecDeque<(Duration, u64)>,
}

impl Journal {
    /// Opens the journal that the checkpoint knows, and gives the openings that it does not know; else begins
    /// a new one, named by the time `now_ns`.
    pub(super) fn open(
        files: Arc<dyn FileSystem>,
        path: PathBuf,
        durability: Durability,
        known: Option<Known>,
        now_ns: i64,
    ) -> io::Result<(Self, Vec<State>)> {
        let text = match files.read(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
            Err(error) => return Err(error),
        };
        let mut lines = text.split_inclusive(|byte| *byte == b'\n');
        let head = lines.next().and_then(|line| serde_json::from_slice::<Head>(line).ok());
        let same =
            known.filter(|known| head.as_ref().is_some_and(|head| head.journal == known.journal));
        let mut unknown = Vec::new();
        let mut openings = known.map_or(0, |known| known.openings);
        let len = if let Some(known) = same {
            let mut len = text.iter().position(|byte| *byte == b'\n').map_or(0, |at| at + 1);
            // The last line may be torn: then its file was not written to.
            for bytes in lines.filter(|bytes| bytes.ends_with(b"\n")) {
                let Ok(line) = serde_json::from_slice::<Line>(bytes) else { break };
                len += bytes.len();
                openings = openings.max(line.opening);
                let is_first = |state: &State| state.path != line.file.path;
                if line.opening > known.openings && unknown.iter().all(is_first) {
                    unknown.push(line.file);
                }
            }
            len
        } else {
            let mut head = serde_json::to_vec(&Head { journal: now_ns }).unwrap_or_default();
            head.push(b'\n');
            files.replace(&path, &head)?;
            head.len()
        };
        let known = Known { journal: same.map_or(now_ns, |known| known.journal), openings };
        let file = files.open(&path, Open::ReadWrite)?;
        file.set_len(len as u64)?;
        let len = len as u64;
        let journal = Self { files, path, file, durability, len, known, notes: VecDeque::new() };
        Ok((journal, unknown))
    }

    /// How far it is.
    pub(super) fn known(&self) -> Known {
        self.known
    }

    /// Takes note of a file that was opened and not yet written to.
    pub(super) fn opened(&mut self, file: State) -> io::Result<()> {
        let opening = self.known.openings + 1;
        let mut line = serde_json::to_vec(&Line { opening, file })?;
        line.push(b'\n');
        self.file.write_all_at(&line, self.len)?;
        if self.durability == Durability::Commit {
            self.file.sync()?;
        }
        self.len += line.len() as u64;
        self.known.openings = opening;
        Ok(())
    }

    /// After a commit: drops lines that no checkpoint needs any more.
    pub(super) fn committed(&mut self, now: Duration) -> io::Result<()> {
        let is_due = self.notes.back().is_none_or(|(at, _)| now.saturating_sub(*at) >= NOTE_EVERY);
        if is_due {
            self.notes.push_back((now, self.known.openings));
        }
        while self.notes.get(1).is_some_and(|(at, _)| now.saturating_sub(*at) >= KEPT_FOR) {
            self.notes.pop_front();
        }
        match self.notes.front() {
            Some((at, openings))
                if self.len > PRUNE_FROM_BYTES && now.saturating_sub(*at) >= KEPT_FOR =>
            {
                let openings = *openings;
                self.prune(openings)
            }
            _ => Ok(()),
        }
    }

    fn prune(&mut self, openings: u64) -> io::Result<()> {
        let text = self.files.read(&self.path)?;
        let kept = text.split_inclusive(|byte| *byte == b'\n').filter(|bytes| {
            serde_json::from_slice::<Line>(bytes).map_or(true, |line| line.opening > openings)
        });
        let kept: Vec<u8> = kept.flatten().copied().collect();
        self.files.replace(&self.path, &kept)?;
        self.file = self.files.open(&self.path, Open::ReadWrite)?;
        self.len = kept.len() as u64;
        Ok(())
    }
}
