//! Whether what was read behind the positions of a checkpoint can be read again: asked before sinks go back to theirs.
//!
//! **Invariant:** looks only. It finds a content where a start would find it, and where it is in doubt it says no: then
//! events may come twice, but none is lost.

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use lograil_plugin::fs::{FileId, Metadata};
use lograil_plugin::{FileSystem, SourceStart};

use super::globs::Globs;
use super::packed::{Unpacking, is_packed};
use super::position::Position;
use super::tracker::directory_of;

type Files = Vec<(PathBuf, Metadata)>;

/// Whether the content of each position is there up to its offset at least; if not, which is missing and why. One that
/// was over at the checkpoint has nothing behind it.
pub fn all_is_there(globs: &Globs, start: &SourceStart) -> Result<(), String> {
    let fs = Unpacking::new(Arc::clone(&start.files), Arc::clone(&start.clock), start.once);
    let positions: Vec<Position> = start
        .positions
        .iter()
        .filter_map(|(stream, json)| Position::from_json(stream, json))
        .filter(|position| !position.is_over)
        .collect();
    for position in &positions {
        if let Some(packed) = position.packed {
            fs.remember(position.id, packed, position.offset);
        }
    }
    let is_in_place = |position: &Position| {
        let metadata = fs.metadata(&position.path).ok().filter(|seen| seen.id == position.id);
        metadata.is_some_and(|seen| is_in(position, &fs, &position.path, seen))
    };
    let elsewhere: Vec<&Position> =
        positions.iter().filter(|position| !is_in_place(position)).collect();
    if elsewhere.is_empty() {
        return Ok(());
    }
    let known = positions.iter().map(|position| position.id).collect();
    let mut search = Search { found: globs.find(&fs).files, fs, known, beside: HashMap::new() };
    elsewhere.into_iter().try_for_each(|position| search.find(position))
}

fn is_in(position: &Position, fs: &Unpacking, path: &Path, metadata: Metadata) -> bool {
    position.is_in(fs, path, metadata).unwrap_or(false)
}

/// The files among which contents that are not under their paths are looked for.
struct Search {
    fs: Unpacking,
    /// Those that the patterns find.
    found: Files,
    /// Those that have a position of their own.
    known: HashSet<FileId>,
    /// Those in the directories that were looked into.
    beside: HashMap<PathBuf, Files>,
}

impl Search {
    fn find(&mut self, position: &Position) -> Result<(), String> {
        let Self { fs, found, known, beside } = self;
        let directory = directory_of(&position.path);
        let beside = beside.entry(directory).or_insert_with_key(|directory| list(fs, directory));
        let renamed = found.iter().chain(&*beside).find(|(_, seen)| seen.id == position.id);
        if let Some((path, seen)) = renamed
            && is_in(position, fs, path, *seen)
        {
            return Ok(());
        }
        let is_copy = |(path, seen): &&(PathBuf, Metadata)| {
            // As a start decides: of a file that is gone, short contents are too alike to tell.
            let is_sure = renamed.is_some()
                || position.is_distinct()
                || (is_packed(path) && position.offset == seen.len);
            is_sure
                && position.offset > 0
                && !known.contains(&seen.id)
                && is_in(position, fs, path, *seen)
        };
        if found.iter().any(|file| is_copy(&file)) {
            return Ok(());
        }
        let path = position.path.display();
        let offset = position.offset;
        Err(match renamed {
            Some((_, seen)) if seen.len < offset => {
                format!(
                    "{path} was truncated to {} bytes; {offset} bytes of it were read",
                    seen.len
                )
            }
            Some(_) => format!("{path} does not hold any more what was read of it"),
            None => format!("{path} is gone, or another file is in its place"),
        })
    }
}

/// The files of a directory.
fn list(fs: &Unpacking, directory: &Path) -> Files {
    let paths = fs.read_dir(directory).unwrap_or_default();
    paths.into_iter().filter_map(|path| Some((path.clone(), fs.metadata(&path).ok()?))).collect()
}
