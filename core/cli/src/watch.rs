//! Watching the files of a topology, and those of its plugins.
//!
//! They are looked at again and again: a notification would have to follow directories, links and files that are
//! replaced, as editors and Kubernetes do, and a topology is small.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::os::unix::fs::MetadataExt;
use std::time::Duration;

use lograil_config::PluginOptions;

use crate::args::TopologyArguments;
use crate::{catalogue, topology};

/// How often the files are looked at.
const PERIOD: Duration = Duration::from_millis(300);

/// What the files held.
#[derive(Debug, Default)]
pub(crate) struct Watch {
    /// When they were last told to have changed, or first looked at.
    known: Option<u64>,
    /// At the last look, if that was something else.
    seen: Option<u64>,
}

impl Watch {
    /// Waits until the files differ from what they were, and have not changed between two looks: whoever writes them
    /// is done.
    pub(crate) async fn changed(&mut self, arguments: &TopologyArguments, plugins: &PluginOptions) {
        loop {
            let now = fingerprint(arguments, plugins);
            if self.known.is_none() {
                self.known = Some(now);
            }
            if self.known == Some(now) {
                self.seen = None;
            } else if self.seen == Some(now) {
                (self.known, self.seen) = (Some(now), None);
                return;
            } else {
                self.seen = Some(now);
            }
            tokio::time::sleep(PERIOD).await;
        }
    }
}

fn fingerprint(arguments: &TopologyArguments, plugins: &PluginOptions) -> u64 {
    let mut hasher = DefaultHasher::new();
    for path in topology::files(arguments) {
        path.hash(&mut hasher);
        std::fs::read(&path).ok().hash(&mut hasher);
    }
    let of_dir = plugins.dir.as_deref().filter(|_| plugins.path.is_empty());
    let of_dir = of_dir.map(|dir| catalogue::libraries_in(dir).unwrap_or_default());
    for path in plugins.path.iter().chain(of_dir.iter().flatten()) {
        path.hash(&mut hasher);
        // They are large: their dates and places tell as much.
        let file = std::fs::metadata(path).ok();
        file.map(|file| (file.ino(), file.len(), file.mtime(), file.mtime_nsec()))
            .hash(&mut hasher);
    }
    hasher.finish()
}
