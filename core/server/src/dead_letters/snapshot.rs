//! The files of dead letters as they are at one moment, read from the oldest letter to the newest.
//!
//! **Invariant:** what is written or rotated meanwhile changes nothing: the files are held open, each up to its length.

use std::collections::HashSet;
use std::fs::{File, Metadata};
use std::io::{self, BufRead, BufReader, Read, Take};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// Old files that are looked for; the sink keeps fewer.
const FILES_MAX: usize = 1000;

/// The letters that were there.
pub(crate) struct Snapshot {
    /// The newest first.
    files: Vec<BufReader<Take<File>>>,
    line: Vec<u8>,
}

/// The name of the file, or of the one that was put aside as the `slot`-th.
pub(crate) fn slot(path: &Path, slot: usize) -> PathBuf {
    if slot == 0 {
        return path.to_owned();
    }
    let mut name = path.as_os_str().to_owned();
    name.push(format!(".{slot}"));
    name.into()
}

/// Opens the files that are there, the newest first: a file that is put aside meanwhile is met twice then, which is noticed,
/// and not passed over.
pub(super) fn open_files(path: &Path) -> io::Result<Vec<(File, Metadata)>> {
    let (mut files, mut seen) = (Vec::new(), HashSet::new());
    let mut is_gap = false;
    for number in 0..FILES_MAX {
        let file = match File::open(slot(path, number)) {
            Ok(file) => file,
            // A rotation that is under way leaves one place free.
            Err(error) if error.kind() == io::ErrorKind::NotFound && !is_gap => {
                is_gap = true;
                continue;
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => break,
            Err(error) => return Err(error),
        };
        is_gap = false;
        let about = file.metadata()?;
        if seen.insert((about.dev(), about.ino())) {
            files.push((file, about));
        }
    }
    Ok(files)
}

impl Snapshot {
    /// Opens what is there.
    pub fn take(path: &Path) -> io::Result<Self> {
        let files = open_files(path)?.into_iter();
        let files = files.map(|(file, about)| BufReader::new(file.take(about.len()))).collect();
        Ok(Self { files, line: Vec::new() })
    }

    /// The next whole line.
    pub fn next_line(&mut self) -> io::Result<Option<&[u8]>> {
        while let Some(file) = self.files.last_mut() {
            self.line.clear();
            file.read_until(b'\n', &mut self.line)?;
            if self.line.pop_if(|last| *last == b'\n').is_some() {
                return Ok(Some(&self.line));
            }
            // A line without an end is being written, or was when the process died.
            self.files.pop();
        }
        Ok(None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_from_the_oldest_to_the_newest_what_was_there_when_it_was_taken() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("letters");
        for (number, text) in [(2, "a\nb\n"), (1, "c\n"), (0, "d\nunfinished")] {
            std::fs::write(slot(&path, number), text).unwrap();
        }
        let mut snapshot = Snapshot::take(&path).unwrap();
        for number in (0..3).rev() {
            std::fs::rename(slot(&path, number), slot(&path, number + 1)).unwrap();
        }
        std::fs::write(slot(&path, 1), "d\nfinished\nlater\n").unwrap();
        std::fs::write(&path, "new\n").unwrap();
        let mut lines = Vec::new();
        while let Some(line) = snapshot.next_line().unwrap() {
            lines.push(String::from_utf8(line.to_vec()).unwrap());
        }
        assert_eq!(lines[..4], ["a", "b", "c", "d"]);
        assert!(!lines.iter().any(|line| line == "new" || line == "later"), "{lines:?}");
        let mut nothing = Snapshot::take(&dir.path().join("none")).unwrap();
        assert_eq!(nothing.next_line().unwrap(), None);
    }

    #[test]
    fn a_rotation_that_is_under_way_hides_no_file() {
        for gap in 0..4 {
            let dir = tempfile::tempdir().unwrap();
            let path = dir.path().join("letters");
            for number in (0..4).filter(|number| *number != gap) {
                std::fs::write(slot(&path, number), "a\n").unwrap();
            }
            let mut snapshot = Snapshot::take(&path).unwrap();
            let mut lines = 0;
            while snapshot.next_line().unwrap().is_some() {
                lines += 1;
            }
            assert_eq!(lines, 3, "{gap}");
        }
    }
}
