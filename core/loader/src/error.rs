//! Why a plugin is refused, in one sentence each.

use std::path::PathBuf;

use thiserror::Error;

/// Why a plugin is refused.
#[derive(Debug, Error)]
pub enum PluginError {
    /// The file cannot be read.
    #[error("cannot read {path}: {source}")]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// No ELF file, or one without a manifest.
    #[error("{path} is not a lograil plugin: {why}")]
    NotAPlugin {
        /// The file.
        path: PathBuf,
        /// What is missing.
        why: String,
    },
    /// Built for another machine.
    #[error("{path} was built for {found}; this machine needs {expected}")]
    Architecture {
        /// The file.
        path: PathBuf,
        /// What it was built for.
        found: String,
        /// What would do.
        expected: &'static str,
    },
    /// Built for another version of the interface.
    #[error("{path} was built for plugin interface {found}; this program offers {offered}")]
    Abi {
        /// The file.
        path: PathBuf,
        /// What it was built for.
        found: String,
        /// What there is.
        offered: String,
    },
    /// Anyone could put other code there.
    #[error("{path} can be written by everyone; take that right away (`chmod o-w`)")]
    WorldWritable {
        /// The file, or a directory above it.
        path: PathBuf,
    },
    /// Not where plugins are.
    #[error("{path} lies outside the configured plugin directory {directory}")]
    OutsideDirectory {
        /// The file, without symbolic links.
        path: PathBuf,
        /// Where it should be.
        directory: PathBuf,
    },
    /// Not the file that was pinned.
    #[error("{path} has the sha256 {found}, but the topology pins {pinned}")]
    Pin {
        /// The file.
        path: PathBuf,
        /// Its hash.
        found: String,
        /// What it should be.
        pinned: String,
    },
    /// The system's loader refused it: a missing library, an older C library.
    #[error("the system cannot load {path}: {why}")]
    Load {
        /// The file.
        path: PathBuf,
        /// What the loader said.
        why: String,
    },
    /// Its tables break the rules of the interface.
    #[error("{path} breaks the rules of the plugin interface: {why}")]
    Tables {
        /// The file.
        path: PathBuf,
        /// Which one.
        why: String,
    },
}
