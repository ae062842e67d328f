//! Why a topology could not start.

use std::path::PathBuf;

use thiserror::Error;

/// Why a topology could not start, or be changed while it runs.
#[derive(Debug, Error)]
pub enum RuntimeError {
    /// A component's options, checked before, are refused now.
    #[error("build {component}: {message}")]
    Build {
        /// The component.
        component: String,
        /// Why.
        message: String,
    },
    /// A sink could not be opened and never will.
    #[error("open sink {component}: {message}")]
    Open {
        /// The component.
        component: String,
        /// Why.
        message: String,
    },
    /// A source cannot start.
    #[error("start source {component}: {message}")]
    Start {
        /// The component.
        component: String,
        /// Why.
        message: String,
    },
    /// The data directory cannot be used.
    #[error("use data directory {path}: {source}")]
    DataDir {
        /// The directory.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The checkpoint is there but cannot be read.
    #[error("read checkpoint {path}: {message}; move it away to start anew")]
    Checkpoint {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        message: String,
    },
    /// What runs cannot become what the plan says without a stop.
    #[error("{0}")]
    Refused(String),
}
