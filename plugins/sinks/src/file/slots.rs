//! The names a rotated file goes through: slot 0 is the path itself, slot n is `path.n`, higher is older. Where
//! backups are packed, slot n may also be `path.n.gz` or `path.n.zst`.

use std::io;
use std::path::{Path, PathBuf};

use lograil_plugin::FileSystem;

/// What the names of packed backups end with.
const PACKED: [&str; 2] = ["gz", "zst"];

/// The slots of one path.
#[derive(Debug, Clone)]
pub(super) struct Slots {
    path: PathBuf,
    temporary: PathBuf,
    /// Whether backups may be packed.
    are_packed: bool,
}

impl Slots {
    pub(super) fn new(path: &Path) -> Self {
        let mut name = std::ffi::OsString::from(".");
        name.push(path.file_name().unwrap_or_default());
        name.push(".packing");
        Self { path: path.to_owned(), temporary: path.with_file_name(name), are_packed: false }
    }

    /// The same with backups that may be packed.
    pub(super) fn packing(self) -> Self {
        Self { are_packed: true, ..self }
    }

    /// The name of a slot that is not packed.
    pub(super) fn name(&self, slot: u32) -> PathBuf {
        if slot == 0 {
            return self.path.clone();
        }
        self.with_suffix(&format!(".{slot}"))
    }

    /// The name of a slot that is packed.
    pub(super) fn packed(&self, slot: u32, extension: &str) -> PathBuf {
        self.with_suffix(&format!(".{slot}.{extension}"))
    }

    /// The name of a backup while it is being packed.
    pub(super) fn temporary(&self) -> &Path {
        &self.temporary
    }

    fn with_suffix(&self, suffix: &str) -> PathBuf {
        let mut name = self.path.file_name().unwrap_or_default().to_owned();
        name.push(suffix);
        self.path.with_file_name(name)
    }

    /// All names a slot can have.
    fn names(&self, slot: u32) -> impl Iterator<Item = PathBuf> {
        let extensions = if self.are_packed && slot > 0 { &PACKED[..] } else { &[] };
        let packed = extensions.iter().map(move |extension| self.packed(slot, extension));
        std::iter::once(self.name(slot)).chain(packed)
    }

    /// The directory the slots are in.
    pub(super) fn directory(&self) -> &Path {
        match self.path.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent,
            _ => Path::new("."),
        }
    }

    /// Whether something has a name of a slot.
    pub(super) fn is_taken(&self, files: &dyn FileSystem, slot: u32) -> io::Result<bool> {
        for name in self.names(slot) {
            if exists(files, &name)? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Removes what is in a slot.
    pub(super) fn remove(&self, files: &dyn FileSystem, slot: u32) -> io::Result<()> {
        if !self.are_packed {
            return files.remove_file(&self.name(slot));
        }
        for name in self.names(slot) {
            if exists(files, &name)? {
                files.remove_file(&name)?;
            }
        }
        Ok(())
    }

    /// Removes the packed form of a slot.
    pub(super) fn remove_packed(&self, files: &dyn FileSystem, slot: u32) -> io::Result<()> {
        for name in self.names(slot).skip(1) {
            if exists(files, &name)? {
                files.remove_file(&name)?;
            }
        }
        Ok(())
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
            } else if let Some(slot) = name.strip_prefix(own).and_then(|rest| self.number(rest)) {
                slots.push(slot);
            }
        }
        slots.sort_unstable();
        slots.dedup();
        Ok(slots)
    }

    /// Frees slot 1 by moving backups up. The first gap takes up the move; without one, the file in slot
    /// `limit` gives way. Returns the highest slot that is taken then. Every single step leaves each file but that one under some slot, in its order.
    pub(super) fn make_room(&self, files: &dyn FileSystem, limit: u32) -> io::Result<u32> {
        let mut free = 1;
        while free < limit && self.is_taken(files, free)? {
            free += 1;
        }
        if self.are_packed {
            // What moves there need not have the same form, and then would not replace it.
            self.remove(files, free)?;
        }
        for slot in (1..free).rev() {
            self.move_up(files, slot)?;
        }
        Ok(free)
    }

    fn move_up(&self, files: &dyn FileSystem, slot: u32) -> io::Result<()> {
        if !self.are_packed {
            return files.rename(&self.name(slot), &self.name(slot + 1));
        }
        for (from, to) in self.names(slot).zip(self.names(slot + 1)) {
            if exists(files, &from)? {
                files.rename(&from, &to)?;
            }
        }
        Ok(())
    }

    fn number(&self, suffix: &str) -> Option<u32> {
        number(suffix, self.are_packed)
    }
}

/// The name of the file that a file of this name is a backup of, packed or not.
pub(super) fn owner(name: &str) -> Option<&str> {
    let mut dots = name.match_indices('.').map(|(at, _)| at);
    dots.find(|at| number(&name[*at..], true).is_some()).map(|at| &name[..at])
}

/// The number in `.12`; `.012` or `.+12` is no name of ours.
fn number(suffix: &str, may_be_packed: bool) -> Option<u32> {
    let digits = suffix.strip_prefix('.')?;
    let digits = match digits.split_once('.') {
        Some((digits, extension)) if may_be_packed && PACKED.contains(&extension) => digits,
        _ => digits,
    };
    let plain = digits.bytes().all(|byte| byte.is_ascii_digit()) && !digits.starts_with('0');
    if plain { digits.parse().ok() } else { None }
}

/// Whether something has this name.
pub(super) fn exists(files: &dyn FileSystem, path: &Path) -> io::Result<bool> {
    match files.metadata(path) {
        Ok(_) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}
