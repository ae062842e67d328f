//! Watching the files of a topology, those that its options name, and those of its plugins.
//!
//! They are looked at again and again: a notification would have to follow directories, links and files that are
//! replaced, as editors and Kubernetes do, and a topology is small.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use lograil_config::{PluginOptions, TextFile};

use crate::args::TopologyArguments;
use crate::{catalogue, topology};

/// How often the files are looked at.
const PERIOD: Duration = Duration::from_millis(300);

/// What the files held.
#[derive(Debug)]
pub(crate) struct Watch {
    /// When they were read, or last told to have changed.
    known: Prints,
    /// At the last look, if that was something else.
    seen: Option<Prints>,
    /// The files that options of the topology name, as it was read last.
    texts: Vec<PathBuf>,
}

/// What tells one state of the files from another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Prints {
    topology: u64,
    texts: u64,
    /// None until the topology has told which they are.
    plugins: Option<u64>,
}

impl Watch {
    /// To be made before the topology is read: what changes after it is told, however soon.
    pub(crate) fn new(arguments: &TopologyArguments) -> Self {
        let known = Prints { topology: of_topology(arguments), texts: of_texts([]), plugins: None };
        Self { known, seen: None, texts: Vec::new() }
    }

    /// The topology was read, with these files: what changes after that is told.
    pub(crate) fn follow(&mut self, texts: &[TextFile]) {
        self.texts = texts.iter().map(|text| text.path.clone()).collect();
        let texts = texts.iter().map(|text| (text.path.as_path(), text.content.clone()));
        (self.known.texts, self.seen) = (of_texts(texts), None);
    }

    /// Waits until the files differ from what they were, and have not changed between two looks: whoever writes them
    /// is done.
    pub(crate) async fn changed(&mut self, arguments: &TopologyArguments, plugins: &PluginOptions) {
        loop {
            let plugins = Some(of_plugins(plugins));
            let texts =
                of_texts(self.texts.iter().map(|path| (path.as_path(), TextFile::read(path).ok())));
            let now = Prints { topology: of_topology(arguments), texts, plugins };
            self.known.plugins = self.known.plugins.or(plugins);
            if self.known == now {
                self.seen = None;
            } else if self.seen == Some(now) {
                (self.known, self.seen) = (now, None);
                return;
            } else {
                self.seen = Some(now);
            }
            tokio::time::sleep(PERIOD).await;
        }
    }
}

fn of_topology(arguments: &TopologyArguments) -> u64 {
    let mut hasher = DefaultHasher::new();
    for path in topology::files(arguments) {
        path.hash(&mut hasher);
        std::fs::read(&path).ok().hash(&mut hasher);
    }
    hasher.finish()
}

fn of_texts<'a>(texts: impl IntoIterator<Item = (&'a Path, Option<Vec<u8>>)>) -> u64 {
    let mut hasher = DefaultHasher::new();
    texts.into_iter().for_each(|text| text.hash(&mut hasher));
    hasher.finish()
}

fn of_plugins(plugins: &PluginOptions) -> u64 {
    let mut hasher = DefaultHasher::new();
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

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_change_between_reading_and_the_first_look_is_told() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("t.toml");
        std::fs::write(&path, "first").unwrap();
        let arguments = TopologyArguments { files: vec![path.clone()], sets: Vec::new() };
        let plugins = PluginOptions::default();
        let mut watch = Watch::new(&arguments);
        let mut is_told_within = async |seconds| {
            let change = watch.changed(&arguments, &plugins);
            tokio::time::timeout(Duration::from_secs(seconds), change).await.is_ok()
        };
        std::fs::write(&path, "other").unwrap();
        assert!(is_told_within(60).await);
        assert!(!is_told_within(1).await, "once");
        std::fs::write(&path, "third").unwrap();
        assert!(is_told_within(60).await);
    }

    #[tokio::test]
    async fn a_file_that_an_option_names_is_watched_from_when_it_was_read() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("t.vrl");
        let arguments = TopologyArguments { files: Vec::new(), sets: Vec::new() };
        let plugins = PluginOptions::default();
        let mut watch = Watch::new(&arguments);
        let as_read = || TextFile { path: path.clone(), content: TextFile::read(&path).ok() };
        let is_told_within = async |watch: &mut Watch, seconds| {
            let change = watch.changed(&arguments, &plugins);
            tokio::time::timeout(Duration::from_secs(seconds), change).await.is_ok()
        };
        watch.follow(&[as_read()]);
        assert!(!is_told_within(&mut watch, 1).await, "missing as before");
        std::fs::write(&path, "first").unwrap();
        assert!(is_told_within(&mut watch, 60).await);
        let read = as_read();
        std::fs::write(&path, "other").unwrap();
        watch.follow(&[read]);
        assert!(is_told_within(&mut watch, 60).await, "changed after it was read");
        watch.follow(&[as_read()]);
        assert!(!is_told_within(&mut watch, 1).await, "as it was read");
    }
}
