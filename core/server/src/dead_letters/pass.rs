//! Going once through the letters that are there, for those that are asked for.

use std::collections::HashSet;
use std::io;
use std::path::Path;

use super::snapshot::Snapshot;
use super::{Done, Letter, LetterId};

/// Letters that are worked on at a time, and bytes of them.
const CHUNK_LETTERS_MAX: usize = 1024;
const CHUNK_BYTES_MAX: usize = 4 << 20;

/// Which letters.
#[derive(Debug, Default)]
pub(crate) struct Selection {
    /// Those of these ids; all without it.
    pub ids: Option<HashSet<LetterId>>,
    /// Those that this component refused.
    pub component: Option<String>,
    /// Those whose reason has this in it.
    pub reason: Option<String>,
}

impl Selection {
    pub fn has(&self, id: Option<LetterId>, component: &str, reason: &str) -> bool {
        let is_one = |ids: &HashSet<LetterId>| id.is_some_and(|id| ids.contains(&id));
        self.ids.as_ref().is_none_or(is_one)
            && self.component.as_ref().is_none_or(|id| id == component)
            && self.reason.as_ref().is_none_or(|text| reason.contains(text.as_str()))
    }
}

/// A way through the letters, from the oldest to the newest that was there when it began.
pub(crate) struct Pass {
    snapshot: Snapshot,
    pub done: Done,
    selection: Selection,
    /// All letters that were met.
    there: HashSet<LetterId>,
}

impl Pass {
    pub fn begin(file: &Path, selection: Selection) -> io::Result<Self> {
        let snapshot = Snapshot::take(file)?;
        Ok(Self { snapshot, done: Done::read(file)?, selection, there: HashSet::new() })
    }

    /// The next letters that are asked for and not done; none at the end.
    pub fn next_chunk(&mut self) -> io::Result<Vec<Letter>> {
        let (mut letters, mut bytes) = (Vec::new(), 0);
        while letters.len() < CHUNK_LETTERS_MAX && bytes < CHUNK_BYTES_MAX {
            let Some(line) = self.snapshot.next_line()? else { break };
            let Some(letter) = Letter::read(line) else { continue };
            let is_new = self.there.insert(letter.id);
            let why = &letter.why;
            let is_wanted = self.selection.has(Some(letter.id), &why.component_id, &why.reason);
            if is_new && is_wanted && !self.done.contains(letter.id) {
                bytes += letter.line.len();
                letters.push(letter);
            }
        }
        Ok(letters)
    }

    /// At the end: the ids that were asked for and are not there, or were done before. Forgets what is rotated away.
    pub fn end(mut self, handled: &HashSet<LetterId>) -> io::Result<Vec<LetterId>> {
        self.done.forget_all_but(&self.there)?;
        let asked = self.selection.ids.take().unwrap_or_default();
        Ok(asked.into_iter().filter(|id| !handled.contains(id)).collect())
    }
}
