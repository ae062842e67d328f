//! The journal of the letters that are done: an id a line, in `FILE.done` beside the file of the letters.
//!
//! **Invariant:** an id counts once its line has an end. Lines are only added, and made durable before anybody relies on
//! them; the whole is only replaced by a file that is durable.

use std::collections::HashSet;
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use super::LetterId;

/// Ids of letters that are gone, beyond which the journal is written anew.
const SURPLUS_MAX: usize = 1000;

/// The letters that are done.
pub(crate) struct Done {
    path: PathBuf,
    ids: HashSet<LetterId>,
    /// Bytes of the whole lines.
    length: u64,
}

impl Done {
    /// Reads the journal of a file of letters, if there is one.
    pub fn read(letters: &Path) -> io::Result<Self> {
        let mut name = letters.as_os_str().to_owned();
        name.push(".done");
        let path = PathBuf::from(name);
        let text = match std::fs::read(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
            Err(error) => return Err(error),
        };
        let length = memchr::memrchr(b'\n', &text).map_or(0, |end| end + 1);
        let lines = text[..length].split(|byte| *byte == b'\n');
        let ids = lines.filter_map(|line| LetterId::parse(std::str::from_utf8(line).ok()?));
        Ok(Self { path, ids: ids.collect(), length: length as u64 })
    }

    pub fn contains(&self, id: LetterId) -> bool {
        self.ids.contains(&id)
    }

    /// Notes letters, durably. Only one at a time may do so.
    pub fn add(&mut self, ids: &[LetterId]) -> io::Result<()> {
        let is_new = self.length == 0;
        let mut file = OpenOptions::new().create(true).append(true).open(&self.path)?;
        // What a crash left without an end must not become the start of the next line.
        file.set_len(self.length)?;
        let text = lines_of(ids.iter());
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        if is_new {
            self.sync_directory()?;
        }
        self.length += text.len() as u64;
        self.ids.extend(ids);
        Ok(())
    }

    /// Forgets the letters that are no longer in the files, `there` being all that are: ids are never given twice.
    pub fn forget_all_but(&mut self, there: &HashSet<LetterId>) -> io::Result<()> {
        let kept: HashSet<LetterId> = self.ids.intersection(there).copied().collect();
        if self.ids.len() - kept.len() < SURPLUS_MAX.max(kept.len()) {
            return Ok(());
        }
        let text = lines_of(kept.iter());
        let new = self.path.with_extension("done.new");
        let mut file = File::create(&new)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        std::fs::rename(new, &self.path)?;
        self.sync_directory()?;
        (self.ids, self.length) = (kept, text.len() as u64);
        Ok(())
    }

    fn sync_directory(&self) -> io::Result<()> {
        File::open(self.path.parent().unwrap_or(Path::new(".")))?.sync_all()
    }
}

fn lines_of<'a>(ids: impl Iterator<Item = &'a LetterId>) -> String {
    ids.map(|id| format!("{id}\n")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ids(numbers: std::ops::Range<u32>) -> Vec<LetterId> {
        numbers.map(|n| LetterId::parse(&format!("00000000000000aa-{n:x}")).unwrap()).collect()
    }

    #[test]
    fn what_was_noted_is_read_again_and_what_was_torn_is_not() {
        let dir = tempfile::tempdir().unwrap();
        let letters = dir.path().join("letters");
        let all = ids(0..20);
        Done::read(&letters).unwrap().add(&all[..17]).unwrap();
        let journal = dir.path().join("letters.done");
        // A crash in the middle of a line: the start of an id is another id.
        let mut text = std::fs::read_to_string(&journal).unwrap();
        text.push_str(&all[18].to_string()[..18]);
        std::fs::write(&journal, text).unwrap();
        let mut done = Done::read(&letters).unwrap();
        assert_eq!(all.iter().filter(|id| done.contains(**id)).count(), 17);
        done.add(&all[19..]).unwrap();
        let done = Done::read(&letters).unwrap();
        let found: Vec<bool> = all[16..].iter().map(|id| done.contains(*id)).collect();
        assert_eq!(found, [true, false, false, true]);
    }

    #[test]
    fn letters_that_are_gone_are_forgotten() {
        let dir = tempfile::tempdir().unwrap();
        let letters = dir.path().join("letters");
        let mut done = Done::read(&letters).unwrap();
        let all = ids(0..3000);
        done.add(&all).unwrap();
        done.forget_all_but(&all[500..].iter().copied().collect()).unwrap();
        assert!(done.contains(all[0]), "few are gone");
        done.forget_all_but(&all[2990..].iter().copied().collect()).unwrap();
        done.add(&ids(5000..5001)).unwrap();
        let read = Done::read(&letters).unwrap();
        assert_eq!(read.ids.len(), 11);
        assert!(read.contains(all[2990]) && !read.contains(all[2989]));
    }
}
