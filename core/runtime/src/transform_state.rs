//! States of transforms across restarts: taken between two batches, written once the checkpoint has caught up.
//!
//! **Invariant:** a state on disk is never ahead of the checkpoint on disk. Otherwise a `dedupe` would drop, as
//! seen before, an event that comes again because it was never delivered.

use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use lograil_plugin::FileSystem;

use crate::checkpoint::{Mark, Tracker};

/// The directory of the states in the data directory.
const DIRECTORY: &str = "states";

const EXTENSION: &str = ".state";

/// The first word of a state file; the version of its layout follows.
const MAGIC: &str = "lograil-state 1";

/// Bytes a state may have. A larger one is not kept, which is said.
const STATE_BYTES_MAX: usize = 64 << 20;

/// Between two states of a transform pass as many ticks, of a second each, as the last one had of these bytes:
/// large ones cost more to take and to write.
const BYTES_PER_TICK: usize = 1 << 20;

/// The states of all transforms of a topology.
pub(crate) struct TransformStates {
    directory: PathBuf,
    files: Arc<dyn FileSystem>,
    taken: Mutex<BTreeMap<String, VecDeque<Taken>>>,
}

/// A state that waits for the checkpoint.
struct Taken {
    mark: Mark,
    content: Vec<u8>,
}

impl TransformStates {
    pub fn new(data_dir: &Path, files: Arc<dyn FileSystem>) -> Self {
        Self { directory: data_dir.join(DIRECTORY), files, taken: Mutex::default() }
    }

    fn path(&self, id: &str) -> PathBuf {
        self.directory.join(format!("{id}{EXTENSION}"))
    }

    /// The state that a transform kept last. One that cannot be used is no reason not to start.
    pub fn load(&self, id: &str, component_type: &str) -> Option<Arc<[u8]>> {
        let path = self.path(id);
        match self.read(&path, component_type) {
            Ok(state) => state,
            Err(why) => {
                tracing::warn!(
                    component_id = %id,
                    "the state in {} cannot be used, the component starts without: {why}",
                    path.display()
                );
                None
            }
        }
    }

    fn read(&self, path: &Path, component_type: &str) -> Result<Option<Arc<[u8]>>, String> {
        let limit = (STATE_BYTES_MAX + 4096) as u64;
        match self.files.metadata(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Ok(found) if found.len > limit => return Err(format!("it has {} bytes", found.len)),
            _ => {}
        }
        let content = self.files.read(path).map_err(|error| error.to_string())?;
        decode(&content, component_type).map(|state| Some(state.into()))
    }

    /// Removes the states of transforms that are none any more: one that comes back under an old name starts anew.
    pub fn forget_all_but(&self, is_kept: impl Fn(&str) -> bool) {
        // There is no directory yet.
        let Ok(paths) = self.files.read_dir(&self.directory) else { return };
        let is_left = |path: &PathBuf| {
            let id = path.file_name().and_then(|name| name.to_str()?.strip_suffix(EXTENSION));
            id.is_some_and(|id| !is_kept(id))
        };
        for path in paths.iter().filter(|path| is_left(path)) {
            if let Err(error) = self.files.remove_file(path) {
                tracing::warn!("remove the old state {}: {error}", path.display());
            }
        }
    }

    /// Forgets what was taken of a transform and waits for the checkpoint: another instance takes over.
    pub fn forget_taken(&self, id: &str) {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner).remove(id);
    }

    /// Forgets a transform that is no more.
    pub fn forget(&self, id: &str) {
        self.forget_taken(id);
        match self.files.remove_file(&self.path(id)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                tracing::warn!(component_id = %id, "remove its state: {error}");
            }
            _ => {}
        }
    }

    /// Whether nothing of this transform waits for the checkpoint.
    fn is_idle(&self, id: &str) -> bool {
        let taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        taken.get(id).is_none_or(VecDeque::is_empty)
    }

    fn offer(&self, id: &str, taken: Taken) {
        let mut all = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        all.entry(id.to_owned()).or_default().push_back(taken);
    }

    /// Writes what the checkpoint, which has just been made durable, has caught up with.
    pub fn publish(&self, tracker: &Tracker) {
        for (id, content) in self.take_covered(tracker) {
            let written = self
                .files
                .create_dir_all(&self.directory)
                .and_then(|()| self.files.replace(&self.path(&id), &content));
            if let Err(error) = written {
                tracing::warn!(component_id = %id, "write state: {error}; the last one stays");
            }
        }
    }

    /// For each transform the newest state that is not ahead of the last cut.
    fn take_covered(&self, tracker: &Tracker) -> Vec<(String, Vec<u8>)> {
        let mut all = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        let mut covered = Vec::new();
        for (id, waiting) in all.iter_mut() {
            let count = waiting.iter().take_while(|one| tracker.covers(&one.mark)).count();
            if let Some(newest) = waiting.drain(..count).next_back() {
                covered.push((id.clone(), newest.content));
            }
        }
        covered
    }
}

/// What a transform's task needs to keep its state.
pub(crate) struct StateKeeper {
    states: Arc<TransformStates>,
    tracker: Arc<Tracker>,
    id: String,
    component_type: &'static str,
    ticks: usize,
    /// Bytes of the last state.
    size_bytes: usize,
    is_changed: bool,
}

impl StateKeeper {
    pub fn new(
        states: Arc<TransformStates>,
        tracker: Arc<Tracker>,
        id: &str,
        component_type: &'static str,
    ) -> Self {
        let id = id.to_owned();
        Self { states, tracker, id, component_type, ticks: 0, size_bytes: 0, is_changed: false }
    }

    /// The transform was given a batch.
    pub fn changed(&mut self) {
        self.is_changed = true;
    }

    /// Whether a state is to be taken now. While one waits for the checkpoint the next is not taken: under
    /// load the checkpoint would never catch up with one that is replaced all the time.
    pub fn is_due(&mut self) -> bool {
        self.ticks += 1;
        self.ticks > self.size_bytes / BYTES_PER_TICK
            && self.is_changed
            && self.states.is_idle(&self.id)
    }

    /// Keeps the state as it is now, after all batches that the transform was given.
    pub fn keep(&mut self, state: &[u8]) {
        (self.ticks, self.size_bytes, self.is_changed) = (0, state.len(), false);
        if state.len() > STATE_BYTES_MAX {
            tracing::warn!(
                component_id = %self.id,
                "its state of {} bytes is not kept: {STATE_BYTES_MAX} are the limit",
                state.len()
            );
            return;
        }
        let content = encode(state, self.component_type);
        self.states.offer(&self.id, Taken { mark: self.tracker.mark(), content });
    }
}

/// A line that says what follows, then the state.
fn encode(state: &[u8], component_type: &str) -> Vec<u8> {
    let (length, sum) = (state.len(), crc32c::crc32c(state));
    let mut content = format!("{MAGIC} {component_type} {length} {sum:08x}\n").into_bytes();
    content.extend_from_slice(state);
    content
}

fn decode<'a>(content: &'a [u8], component_type: &str) -> Result<&'a [u8], String> {
    let end = content.iter().position(|byte| *byte == b'\n').ok_or("it has no first line")?;
    let (line, state) = (&content[..end], &content[end + 1..]);
    let line = std::str::from_utf8(line).map_err(|_| "its first line is no text")?;
    let line = line.strip_prefix(MAGIC).ok_or("it is no state, or of another version")?;
    let [of, length, sum] = line.split_ascii_whitespace().collect::<Vec<_>>()[..] else {
        return Err("its first line is not whole".to_owned());
    };
    if of != component_type {
        return Err(format!("it is that of a component of the type `{of}`"));
    }
    let is_whole = length.parse() == Ok(state.len())
        && u32::from_str_radix(sum, 16) == Ok(crc32c::crc32c(state));
    if is_whole { Ok(state) } else { Err("it is damaged".to_owned()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_state_comes_back_whole_or_not_at_all() {
        let content = encode(b"what it knows\n", "dedupe");
        assert_eq!(decode(&content, "dedupe"), Ok(&b"what it knows\n"[..]));
        let foreign = decode(&content, "throttle").unwrap_err();
        assert_eq!(foreign, "it is that of a component of the type `dedupe`");
        for len in 0..content.len() {
            assert!(decode(&content[..len], "dedupe").is_err(), "{len}");
        }
        for at in 0..content.len() {
            let mut bad = content.clone();
            bad[at] ^= 0x01;
            assert!(decode(&bad, "dedupe").is_err(), "{at}");
        }
    }
}
