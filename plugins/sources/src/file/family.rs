//! Rotation families: `app.log` and what it was called before, `app.log.1`, `app.log-20260101`.
//!
//! The files of a family are one log in pieces. They are read one after the other, the oldest first, however
//! many of them were rotated between two looks.

use std::cmp::Reverse;
use std::collections::HashMap;
use std::path::{Path, PathBuf};

use lograil_plugin::fs::FileId;

use super::packed::unpacked_name;
use super::tracked::{Identity, Tracked};

/// When a file's content ends in its log: by time of change, then by rotation number, the higher the older.
type Age = (i64, Reverse<u64>);

/// Which files are a family.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Families {
    /// Those of one name.
    ByName,
    /// All of them.
    One,
}

impl Families {
    fn of(self, path: &Path, is_known: impl Fn(&Path) -> bool) -> Option<PathBuf> {
        match self {
            Self::ByName => family_of(path, is_known),
            Self::One => Some(PathBuf::new()),
        }
    }
}

/// The files that come first in their families.
#[derive(Debug)]
pub struct OldestOfFamilies {
    families: Families,
    oldest: HashMap<PathBuf, (Age, FileId)>,
}

impl OldestOfFamilies {
    /// None yet.
    #[must_use]
    pub fn new(families: Families) -> Self {
        Self { families, oldest: HashMap::new() }
    }

    /// Takes note of a file that can be read now. `is_known` says which paths have a file.
    pub fn add(&mut self, file: &Tracked, is_known: impl Fn(&Path) -> bool) {
        let is_settled = file.identity == Identity::Settled;
        let is_read = file.is_drained && !file.has_open_event;
        if !is_settled || !file.is_hot || is_read || file.after.is_some() {
            return;
        }
        let Some(family) = self.families.of(&file.position.path, is_known) else { return };
        let this = (age_of(file), file.position.id);
        let oldest = self.oldest.entry(family).or_insert(this);
        *oldest = this.min(*oldest);
    }

    /// Another file of its family that has to be read before this one.
    pub fn before(&self, file: &Tracked, is_known: impl Fn(&Path) -> bool) -> Option<FileId> {
        let family = self.families.of(&file.position.path, is_known)?;
        let (age, id) = self.oldest.get(&family)?;
        (*id != file.position.id && *age < age_of(file)).then_some(*id)
    }
}

fn age_of(file: &Tracked) -> Age {
    (file.modified_ns, Reverse(rotation_number(&file.position.path)))
}

/// The number behind the last dot of a name, as rotation gives it; 0 without one.
pub fn rotation_number(path: &Path) -> u64 {
    let path = unpacked_name(path);
    path.extension().and_then(|number| number.to_str()?.parse().ok()).unwrap_or(0)
}

/// The path that a file's family is named by: its own without the number or the date that rotation put
/// behind it, if that is the path of a file; else its own.
fn family_of(path: &Path, is_known: impl Fn(&Path) -> bool) -> Option<PathBuf> {
    let path = &unpacked_name(path);
    let name = path.file_name()?.to_str()?;
    let stem = name.trim_end_matches(|c: char| c.is_ascii_digit() || matches!(c, '.' | '-' | '_'));
    if stem.len() == name.len() || stem.is_empty() {
        return Some(path.to_path_buf());
    }
    let base = path.with_file_name(stem);
    Some(if is_known(&base) { base } else { path.to_path_buf() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_family_is_named_by_the_path_without_what_rotation_added() {
        let family = |path: &str| {
            let known = ["/l/app.log", "/l/worker"].map(PathBuf::from);
            let family = family_of(Path::new(path), |base| known.iter().any(|known| known == base));
            family.unwrap().to_str().unwrap().to_owned()
        };
        for path in [
            "/l/app.log",
            "/l/app.log.1",
            "/l/app.log-20260101",
            "/l/app.log.2026-01-01",
            "/l/app.log_3",
            "/l/app.log.4.gz",
            "/l/app.log-20260101.zst",
            "/l/app.log.gz",
        ] {
            assert_eq!(family(path), "/l/app.log");
        }
        assert_eq!(family("/l/worker.12"), "/l/worker");
        for alone in ["/l/host-1", "/l/12345", "/k/app.log.1"] {
            assert_eq!(family(alone), alone);
        }
    }
}
