//! The names a rotated file goes through: slot 0 is the path itself, slot n is `path.n`, higher is older.

use std::io;
use std::path::{Path, PathBuf};

use lograil_plugin::FileSystem;

/// The slots of one path.
#[derive(Debug, Clone)]
pub(super) struct Slots {
    path: PathBuf,
}

impl Slots {
    pub(super) fn new(path: &Path) -> Self {
        Self { path: path.to_owned() }
    }

    /// The name of a slot.
    pub(super) fn name(&self, slot: u32) -> PathBuf {
        if slot == 0 {
            return self.path.clone();
        }
        let mut name = self.path.file_name().unwrap_or_default().to_owned();
        name.push(format!(".{slot}"));
        self.path.with_file_name(name)
    }

    /// The directory the slots are in.
    pub(super) fn directory(&self) -> &Path {
        match self.path.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent,
            _ => Path::new("."),
        }
    }

    /// Whether something has the name of a slot.
    pub(super) fn is_taken(&self, files: &dyn FileSystem, slot: u32) -> io::Result<bool> {
        match files.metadata(&self.name(slot)) {
            Ok(_) => Ok(true),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// The slots that are taken, in ascending order, with gaps where a crash or a user left them.
    pub(super) fn taken(&self, files: &dyn FileSystem) -> io::Result<Vec<u32>> {
        let Some(own) = self.path.file_name().and_then(|name| name.to_str()) else {
            return Ok(Vec::new());
        };
        let mut slots = Vec::new();
        for entry in files.read_dir(self.directory())? {
            let Some(name) = entry.file_name().and_then(|name| name.to_str()) else { continue };
            if name == own {
                slots.push(0);
            } else if let Some(slot) = name.strip_prefix(own).and_then(number) {
                slots.push(slot);
            }
        }
        slots.sort_unstable();
        Ok(slots)
    }

    /// Frees slot 1 by moving backups up. The first gap takes up the move; without one, the file in slot
    /// `limit` gives way. Returns the highest slot that is taken then. Every single step leaves each file but that one under some slot, in its order.
    pub(super) fn make_room(&self, files: &dyn FileSystem, limit: u32) -> io::Result<u32> {
        let mut free = 1;
        while free < limit && self.is_taken(files, free)? {
            free += 1;
        }
        for slot in (1..free).rev() {
            files.rename(&self.name(slot), &self.name(slot + 1))?;
        }
        Ok(free)
    }
}

/// The number in `.12`; `.012` or `.+12` is no name of ours.
fn number(suffix: &str) -> Option<u32> {
    let digits = suffix.strip_prefix('.')?;
    let plain = digits.bytes().all(|byte| byte.is_ascii_digit()) && !digits.starts_with('0');
    if plain { digits.parse().ok() } else { None }
}
