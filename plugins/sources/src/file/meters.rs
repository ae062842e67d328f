//! What the source counts beyond what the runtime counts of every component.

use std::collections::HashSet;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use lograil_plugin::ComponentMetrics;
use prometheus::{IntCounter, IntGauge};

use crate::line_meters::LineMeters;

/// Paths whose errors were reported are remembered up to this many; then reports may repeat.
const WARNED_MAX: usize = 10_000;

/// The source's own metrics, and the warnings that go with them.
pub struct Meters {
    /// Files held open.
    pub open_files: IntGauge,
    /// Files followed.
    pub followed_files: IntGauge,
    /// Bytes not yet read.
    pub lag_bytes: IntGauge,
    /// Lines over the limit, and lines with bytes that mean nothing in their charset.
    pub lines: LineMeters,
    /// Files replaced by rename or truncation.
    pub rotations: IntCounter,
    /// Contents that were not what the checkpoint said.
    pub mismatches: IntCounter,
    errors: IntCounter,
    warned: HashSet<PathBuf>,
}

impl Meters {
    /// Resolves the handles.
    #[must_use]
    pub fn new(metrics: &ComponentMetrics, id: &Arc<str>) -> Self {
        Self {
            open_files: metrics.gauge("open_files", "Files held open."),
            followed_files: metrics.gauge("followed_files", "Files followed."),
            lag_bytes: metrics.gauge("lag_bytes", "Bytes in followed files not yet read."),
            lines: LineMeters::new(metrics, id),
            rotations: metrics
                .counter("rotations", "Files replaced by rename, copytruncate or truncation."),
            mismatches: metrics.counter(
                "fingerprint_mismatches",
                "Files whose content was not the one remembered under their inode.",
            ),
            errors: metrics.counter("file_errors", "Files or directories that could not be read."),
            warned: HashSet::new(),
        }
    }

    /// Counts an error; warns of it the first time.
    pub fn error(&mut self, path: &Path, error: &io::Error) {
        self.errors.inc();
        if self.warned.contains(path) {
            return;
        }
        if self.warned.len() >= WARNED_MAX {
            self.warned.clear();
        }
        self.warned.insert(path.to_path_buf());
        tracing::warn!(path = %path.display(), %error, "cannot read; will try again");
    }

    /// The path can be read again: its next error is news.
    pub fn recovered(&mut self, path: &Path) {
        if !self.warned.is_empty() {
            self.warned.remove(path);
        }
    }
}
