//! Going back to a stated position: after a crash to that of the checkpoint, after a failed write to that
//! before the batch. What was written later, also into files begun later, comes again and is removed.

use std::io;
use std::path::Path;
use std::sync::Arc;

use lograil_plugin::fs::Open;
use lograil_plugin::{File, FileSystem};

use super::active::Active;
use super::position::{State, Tail};
use super::slots::Slots;

/// How a start found the file.
pub(super) enum Found {
    /// As stated; whatever was written later is removed.
    AsStated,
    /// Nothing was stated.
    Unstated,
    /// Not as stated, for the reason given: it goes on at the end of what is there.
    Otherwise(&'static str),
}

/// What becomes of bytes beyond the stated position.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Beyond {
    /// They come again.
    Remove,
    /// Nobody sends them again; only a line that was cut short is removed.
    KeepWholeLines,
}

/// Opens the file at the start.
pub(super) fn start(
    files: &dyn FileSystem,
    slots: &Slots,
    state: Option<&State>,
    beyond: Beyond,
    max_files: u32,
) -> io::Result<(Active, Found)> {
    let path = slots.name(0);
    let Some(state) = state else {
        return Ok((at_end(files, &path)?, Found::Unstated));
    };
    let slot = find(files, slots, |file| state.fits(file))?;
    match (slot, beyond) {
        (Some(slot), Beyond::Remove) => {
            let file = cut(files, &slots.name(slot), state.length)?;
            // Backups that had to go at the next commit: they will not be found by their numbers later.
            // Without rotation, which keeps one at least, none had to.
            let surplus = slot.max(max_files)..slot.saturating_add(state.oldest_slot);
            for older in surplus.map(|slot| slot + 1) {
                if slot > 0 && max_files > 0 && slots.is_taken(files, older)? {
                    slots.remove(files, older)?;
                }
            }
            return_to(files, slots, slot)?;
            Ok((Active::at_end(file)?, Found::AsStated))
        }
        (Some(slot), Beyond::KeepWholeLines) => {
            let keep = if slot == 0 { state.length } else { 0 };
            cut_torn_line(files, &path, keep)?;
            Ok((at_end(files, &path)?, Found::AsStated))
        }
        (None, _) => {
            let shorter = match files.metadata(&path) {
                Ok(metadata) => metadata.id == state.id() && metadata.len < state.length,
                Err(_) => false,
            };
            let why = if shorter {
                "the file is shorter than at the last checkpoint"
            } else {
                "the file of the last checkpoint is not there any more"
            };
            Ok((at_end(files, &path)?, Found::Otherwise(why)))
        }
    }
}

/// Opens the file at `path`, made if it is missing, to go on at its end.
pub(super) fn at_end(files: &dyn FileSystem, path: &Path) -> io::Result<Active> {
    Active::at_end(Arc::from(files.open(path, Open::Create)?))
}

/// The slot of the file that `is_meant`.
pub(super) fn find(
    files: &dyn FileSystem,
    slots: &Slots,
    is_meant: impl Fn(&dyn File) -> io::Result<bool>,
) -> io::Result<Option<u32>> {
    for slot in slots.taken(files)? {
        let name = slots.name(slot);
        match files.metadata(&name) {
            // Opening a pipe or a device that has such a name could block.
            Ok(metadata) if !metadata.is_file => continue,
            Ok(_) => {}
            // A link to nothing.
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            Err(error) => return Err(error),
        }
        let file = match files.open(&name, Open::Read) {
            Ok(file) => file,
            // Someone else's, whose name only looks like ours; at the path itself it is a mistake to tell.
            Err(error) if slot > 0 && error.kind() == io::ErrorKind::PermissionDenied => continue,
            Err(error) => return Err(error),
        };
        if is_meant(&*file)? {
            return Ok(Some(slot));
        }
    }
    Ok(None)
}

/// Makes the file of `slot` the one at the path again, and removes those that were begun after it. Older
/// backups keep their slots: the rotations that come again find theirs free.
///
/// A crash between any two steps leaves the file under a slot, so that the next start does the rest; for the
/// same reason nothing is synced before the next commit.
pub(super) fn return_to(files: &dyn FileSystem, slots: &Slots, slot: u32) -> io::Result<()> {
    if slot == 0 {
        return Ok(());
    }
    for newer in slots.taken(files)?.into_iter().filter(|taken| (1..slot).contains(taken)) {
        slots.remove(files, newer)?;
    }
    // Replaces the newest, in one step.
    files.rename(&slots.name(slot), &slots.name(0))
}

fn cut(files: &dyn FileSystem, path: &Path, len: u64) -> io::Result<Arc<dyn File>> {
    let file = files.open(path, Open::ReadWrite)?;
    if file.metadata()?.len > len {
        file.set_len(len)?;
    }
    Ok(Arc::from(file))
}

/// Removes what follows the last newline, but nothing before `keep`.
fn cut_torn_line(files: &dyn FileSystem, path: &Path, keep: u64) -> io::Result<()> {
    let file = match files.open(path, Open::ReadWrite) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
    };
    let len = file.metadata()?.len;
    let mut end = len;
    while end > keep {
        let tail = Tail::read(&*file, end)?;
        let seen = tail.bytes();
        if let Some(newline) = seen.iter().rposition(|byte| *byte == b'\n') {
            end -= (seen.len() - newline - 1) as u64;
            break;
        }
        end -= seen.len() as u64;
    }
    let end = end.max(keep);
    if end < len {
        file.set_len(end)?;
    }
    Ok(())
}
