//! Who may have written a file: checked before any of its code runs.

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use crate::error::PluginError;
use crate::image::Image;

const OTHERS_MAY_WRITE: u32 = 0o002;
const STICKY: u32 = 0o1000;

/// What is demanded of a plugin's file.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Trust {
    /// The only directory that plugins may come from, if there is one.
    pub directory: Option<PathBuf>,
    /// The sha256 of files, in hexadecimal, by file name.
    pub sha256: BTreeMap<String, String>,
}

/// The sha256 of a text in hexadecimal.
#[must_use]
pub fn sha256_hex(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A file that may be loaded.
pub(crate) struct Trusted {
    /// Without symbolic links.
    pub path: PathBuf,
    /// Its content, which is what is loaded.
    pub file: Image,
}

impl Trust {
    /// A file, if it may be loaded.
    pub(crate) fn read(&self, path: &Path) -> Result<Trusted, PluginError> {
        let unreadable = |path: &Path| {
            let path = path.to_owned();
            move |source| PluginError::Read { path, source }
        };
        let real = path.canonicalize().map_err(unreadable(path))?;
        if let Some(directory) = &self.directory {
            let directory = directory.canonicalize().map_err(unreadable(directory))?;
            if !real.starts_with(&directory) {
                return Err(PluginError::OutsideDirectory { path: real, directory });
            }
        }
        for place in real.ancestors() {
            let metadata = std::fs::metadata(place).map_err(unreadable(place))?;
            let mode = metadata.permissions().mode();
            // In a sticky directory others can add files, but not replace this one.
            let is_sticky = metadata.is_dir() && mode & STICKY != 0;
            if mode & OTHERS_MAY_WRITE != 0 && !is_sticky {
                return Err(PluginError::WorldWritable { path: place.to_owned() });
            }
        }
        let file = Image::read(&real).map_err(unreadable(&real))?;
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        if let Some(pinned) = self.sha256.get(&*name) {
            let found = file.sha256().map_err(unreadable(&real))?;
            if !found.eq_ignore_ascii_case(pinned.trim()) {
                let (found, pinned) = (found.to_owned(), pinned.clone());
                return Err(PluginError::Pin { path: real, found, pinned });
            }
        }
        Ok(Trusted { path: real, file })
    }
}
