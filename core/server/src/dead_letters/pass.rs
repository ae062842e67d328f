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
    /// Whether these are all there are.
    is_through: bool,
}

impl Pass {
    pub fn begin(file: &Path, selection: Selection) -> io::Result<Self> {
        let snapshot = Snapshot::take(file)?;
        let (done, there) = (Done::read(file)?, HashSet::new());
        Ok(Self { snapshot, done, selection, there, is_through: false })
    }

    /// The next letters that are asked for and not done; none at the end.
    pub fn next_chunk(&mut self) -> io::Result<Vec<Letter>> {
        let (mut letters, mut bytes) = (Vec::new(), 0);
        while letters.len() < CHUNK_LETTERS_MAX && bytes < CHUNK_BYTES_MAX {
            let Some(line) = self.snapshot.next_line()? else {
                self.is_through = true;
                break;
            };
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

    /// At the end: the ids that were asked for and are not there, or were done before. Forgets what is rotated away, which
    /// is known only once all letters were met.
    pub fn end(mut self, handled: &HashSet<LetterId>) -> io::Result<Vec<LetterId>> {
        if self.is_through {
            self.done.forget_all_but(&self.there)?;
        }
        let asked = self.selection.ids.take().unwrap_or_default();
        let is_gone = |id: &LetterId| !self.there.contains(id) || self.done.contains(*id);
        Ok(asked.into_iter().filter(|id| !handled.contains(id) && is_gone(id)).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(number: usize) -> LetterId {
        LetterId::parse(&format!("00000000000000aa-{number:x}")).unwrap()
    }

    fn write_letters(file: &Path, count: usize) {
        let line = |number: usize| {
            let why = r#"{"component_id":"out","reason":"no"}"#;
            format!(r#"{{"dead_letter_id":"{}","dead_letter":{why}}}"#, id(number)) + "\n"
        };
        std::fs::write(file, (0..count).map(line).collect::<String>()).unwrap();
    }

    #[test]
    fn a_pass_that_is_broken_off_forgets_no_letter_that_is_done() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("letters");
        write_letters(&file, 6000);
        let done: Vec<LetterId> = (2000..6000).map(id).collect();
        Done::read(&file).unwrap().add(&done).unwrap();
        let mut pass = Pass::begin(&file, Selection::default()).unwrap();
        assert_eq!(pass.next_chunk().unwrap().len(), CHUNK_LETTERS_MAX);
        pass.end(&HashSet::new()).unwrap();
        let read = Done::read(&file).unwrap();
        assert!(done.iter().all(|id| read.contains(*id)));
    }

    #[test]
    fn a_letter_that_stays_is_not_unknown() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("letters");
        write_letters(&file, 3);
        Done::read(&file).unwrap().add(&[id(1)]).unwrap();
        let ids = Some(HashSet::from([id(0), id(1), id(7)]));
        let mut pass = Pass::begin(&file, Selection { ids, ..Selection::default() }).unwrap();
        while !pass.next_chunk().unwrap().is_empty() {}
        let unknown: HashSet<LetterId> = pass.end(&HashSet::new()).unwrap().into_iter().collect();
        assert_eq!(unknown, HashSet::from([id(1), id(7)]));
    }
}
