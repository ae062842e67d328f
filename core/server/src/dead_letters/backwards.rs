//! The letters from the newest to the oldest, a page at a time over all files.
//!
//! **Invariant:** a place that a page ended at is found again although files were put aside or removed meanwhile, and is
//! never taken for another.

use std::fmt;
use std::fs::File;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::Path;

use super::snapshot::open_files;

/// Bytes that are read at a time.
const CHUNK_BYTES: u64 = 1 << 20;

/// A line that a page ended with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct LetterPlace {
    inode: u64,
    /// Where the line begins.
    offset: u64,
    /// Of its bytes: another file may get the number of one that was removed.
    hash: u64,
}

impl LetterPlace {
    /// Reads a place as it is written: three numbers in hexadecimal with dashes between.
    pub fn parse(text: &str) -> Option<Self> {
        let mut numbers = text.split('-').map(|part| {
            let is_hex = part.bytes().all(|byte| byte.is_ascii_hexdigit());
            u64::from_str_radix(part, 16).ok().filter(|_| is_hex)
        });
        let (inode, offset, hash) = (numbers.next()??, numbers.next()??, numbers.next()??);
        numbers.next().is_none().then_some(Self { inode, offset, hash })
    }
}

impl fmt::Display for LetterPlace {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{:x}-{:x}-{:x}", self.inode, self.offset, self.hash)
    }
}

/// A way through the lines of the files, backwards.
pub(crate) struct Backwards {
    /// The newest last; each with its number, and its length when it was opened.
    files: Vec<(File, u64, u64)>,
    /// The rest of the last of the files: from its start, or from `from` on.
    text: Vec<u8>,
    from: u64,
}

/// A whole line without its end, and where it is.
pub(crate) struct PlacedLine {
    pub line: Vec<u8>,
    inode: u64,
    offset: u64,
}

impl PlacedLine {
    pub fn place(&self) -> LetterPlace {
        LetterPlace { inode: self.inode, offset: self.offset, hash: hash_of(&self.line) }
    }
}

fn hash_of(line: &[u8]) -> u64 {
    let mut hasher = DefaultHasher::new();
    line.hash(&mut hasher);
    hasher.finish()
}

impl Backwards {
    /// Begins with the newest letter, or behind the place where the page before ended; that place may be gone, and with it
    /// all that was older.
    pub fn begin(path: &Path, after: Option<LetterPlace>) -> io::Result<Self> {
        let mut files: Vec<(File, u64, u64)> = open_files(path)?
            .into_iter()
            .map(|(file, about)| (file, about.ino(), about.len()))
            .collect();
        files.reverse();
        let mut way = Self { files, text: Vec::new(), from: 0 };
        match after {
            None => way.open_last(None)?,
            Some(place) => way.go_behind(place)?,
        }
        Ok(way)
    }

    fn go_behind(&mut self, place: LetterPlace) -> io::Result<()> {
        let found = self.files.iter().rposition(|(_, inode, _)| *inode == place.inode);
        self.files.truncate(found.map_or(0, |at| at + 1));
        let Some((file, _, length)) = self.files.last() else { return Ok(()) };
        let is_there = place.offset < *length
            && line_at(file, place.offset, *length)?
                .is_some_and(|line| hash_of(&line) == place.hash);
        if !is_there {
            self.files.clear();
            return Ok(());
        }
        self.open_last(Some(place.offset))
    }

    /// Stands at the end of the last file, or before `end`.
    fn open_last(&mut self, end: Option<u64>) -> io::Result<()> {
        self.text.clear();
        let Some((_, _, length)) = self.files.last() else { return Ok(()) };
        self.from = end.unwrap_or(*length);
        if end.is_none() {
            // What has no end is being written, or was when the process died.
            while !self.text.contains(&b'\n') && self.from > 0 {
                self.extend()?;
            }
            let whole = memchr::memrchr(b'\n', &self.text).map_or(0, |end| end + 1);
            self.text.truncate(whole);
        }
        Ok(())
    }

    /// Reads more of the last file, before what is there.
    fn extend(&mut self) -> io::Result<()> {
        let Some((file, _, _)) = self.files.last() else { return Ok(()) };
        // More at a time for a line that is long, so that it is not moved again and again.
        let more = self.from.min(CHUNK_BYTES.max(self.text.len() as u64));
        let mut text = vec![0; usize::try_from(more).map_err(io::Error::other)?];
        file.read_exact_at(&mut text, self.from - more)?;
        text.append(&mut self.text);
        (self.text, self.from) = (text, self.from - more);
        Ok(())
    }

    /// The next older line; none at the end.
    pub fn next_line(&mut self) -> io::Result<Option<PlacedLine>> {
        while let Some((_, inode, _)) = self.files.last() {
            let inode = *inode;
            // The text ends with the end of the line that is wanted.
            let end = self.text.len().saturating_sub(1);
            match memchr::memrchr(b'\n', &self.text[..end]) {
                None if self.from > 0 => self.extend()?,
                None if self.text.is_empty() => {
                    self.files.pop();
                    self.open_last(None)?;
                }
                newline => {
                    let start = newline.map_or(0, |newline| newline + 1);
                    let mut line = self.text.split_off(start);
                    line.pop();
                    return Ok(Some(PlacedLine { line, inode, offset: self.from + start as u64 }));
                }
            }
        }
        Ok(None)
    }
}

/// The line that begins at an offset, without its end.
fn line_at(file: &File, offset: u64, length: u64) -> io::Result<Option<Vec<u8>>> {
    let mut line = Vec::new();
    let mut at = offset;
    while at < length {
        let more = usize::try_from((length - at).min(CHUNK_BYTES)).map_err(io::Error::other)?;
        let before = line.len();
        line.resize(before + more, 0);
        file.read_exact_at(&mut line[before..], at)?;
        if let Some(end) = memchr::memchr(b'\n', &line[before..]) {
            line.truncate(before + end);
            return Ok(Some(line));
        }
        at += more as u64;
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::super::slot;
    use super::*;

    fn lines(path: &Path, after: Option<LetterPlace>) -> Vec<(String, LetterPlace)> {
        let mut way = Backwards::begin(path, after).unwrap();
        let mut lines = Vec::new();
        while let Some(line) = way.next_line().unwrap() {
            lines.push((String::from_utf8(line.line.clone()).unwrap(), line.place()));
        }
        lines
    }

    fn texts(lines: &[(String, LetterPlace)]) -> Vec<&str> {
        lines.iter().map(|(text, _)| text.as_str()).collect()
    }

    #[test]
    fn goes_from_the_newest_line_to_the_oldest_over_all_files() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("letters");
        assert!(lines(&path, None).is_empty());
        let long = "x".repeat(3_500_000);
        std::fs::write(slot(&path, 2), "a\n\nb\n").unwrap();
        std::fs::write(slot(&path, 1), format!("{long}\nc\n")).unwrap();
        std::fs::write(&path, format!("d\ne\n{long}")).unwrap();
        let all = lines(&path, None);
        assert_eq!(texts(&all), ["e", "d", "c", &long, "b", "", "a"]);
        for (at, (_, place)) in all.iter().enumerate() {
            let written = place.to_string();
            assert_eq!(LetterPlace::parse(&written), Some(*place));
            assert_eq!(texts(&lines(&path, Some(*place))), texts(&all[at + 1..]));
        }
    }

    #[test]
    fn a_place_is_found_again_after_a_rotation_and_never_taken_for_another() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("letters");
        std::fs::write(slot(&path, 1), "a\nb\n").unwrap();
        std::fs::write(&path, "c\nd\n").unwrap();
        let all = lines(&path, None);
        for number in (0..2).rev() {
            std::fs::rename(slot(&path, number), slot(&path, number + 1)).unwrap();
        }
        std::fs::write(&path, "e\n").unwrap();
        assert_eq!(texts(&lines(&path, Some(all[0].1))), ["c", "b", "a"]);
        std::fs::write(slot(&path, 2), "a\nB\n").unwrap();
        assert!(lines(&path, Some(all[2].1)).is_empty(), "`b` is not there any more");
        std::fs::remove_file(slot(&path, 2)).unwrap();
        assert!(lines(&path, Some(all[2].1)).is_empty());
        for wrong in ["", "1-2", "1-2-3-4", "1-2-", "+1-2-3", "g-1-2", "1-2-11112222333344445"] {
            assert_eq!(LetterPlace::parse(wrong), None, "{wrong}");
        }
        let beyond = LetterPlace { offset: u64::MAX, ..all[0].1 };
        assert!(lines(&path, Some(beyond)).is_empty());
    }
}
