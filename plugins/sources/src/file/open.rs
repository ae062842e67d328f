//! Open files of the tracker, bounded in number, and deciding whose content a file has.

use std::io;
use std::time::Duration;

use lograil_plugin::FileSystem;
use lograil_plugin::fs::{FileId, Open};

use super::fingerprint::{
    Digest, HEAD_BYTES_MAX, TAIL_BYTES_MAX, has_tail, read_head, read_up_to, tail_at,
};
use super::packed::is_packed;
use super::position::Position;
use super::tracked::{Cut, Identity, Tracked};
use super::tracker::Tracker;

/// How long a file that has the content of another may keep its length before it is taken for a file of its
/// own: copytruncate truncates at once after copying.
const COPY_WAIT: Duration = Duration::from_secs(5);
/// How long the content of a deleted file is looked for in packed files.
const DELETED_FOR: Duration = Duration::from_secs(60);
/// How far back the start of the line is looked for when reading starts at the end.
const LINE_START_BYTES_MAX: u64 = 64 * 1024;
/// Most files whose content a new short file is compared with.
const COMPARED_MAX: usize = 64;

/// What became of the file that a packed one was made from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    /// It is there, or not read to its end yet.
    Kept,
    /// It is gone.
    Gone,
}

impl Tracker {
    /// Makes sure that a file is open. `Ok(false)`: it is nowhere to be found.
    pub(super) fn open(&mut self, index: usize, now: Duration) -> io::Result<bool> {
        if self.files[index].file.is_some() {
            return Ok(true);
        }
        self.make_room();
        let id = self.files[index].position.id;
        let opened = self.open_path(&self.files[index]);
        let file = match opened {
            Ok(Some(file)) => file,
            Ok(None) => match self.find_beside(&self.files[index].position.path, id) {
                None => return Ok(false),
                Some(path) => {
                    self.files[index].position.path = path;
                    match self.open_path(&self.files[index])? {
                        None => return Ok(false),
                        Some(file) => file,
                    }
                }
            },
            Err(error) => return Err(error),
        };
        let position = &self.files[index].position;
        let fits = position.offset == 0
            || (position.head.starts(&read_head(&*file)?)
                && has_tail(&*file, position.offset, position.tail)?);
        let metadata = file.metadata()?;
        self.files[index].observe(metadata, now);
        self.files[index].file = Some(file);
        self.opened.push_back(id);
        self.count_open();
        if !fits {
            self.replace_at(index, now);
        }
        Ok(true)
    }

    /// Opens a file under its path, if that still leads to it.
    fn open_path(&self, file: &Tracked) -> io::Result<Option<Box<dyn lograil_plugin::File>>> {
        match self.fs.open(&file.position.path, Open::Read) {
            Ok(open) if open.metadata()?.id == file.position.id => Ok(Some(open)),
            Ok(_) => Ok(None),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Closes the file that was opened first among those that can be opened again without loss.
    fn make_room(&mut self) {
        for attempt in 0.. {
            if self.opened.len() < self.rules.max_open_files {
                return;
            }
            let Some(id) = self.opened.pop_front() else { return };
            let Some(&index) = self.by_id.get(&id) else { continue };
            let file = &mut self.files[index];
            // One that has lost its path cannot be opened again; with only such files open it must go.
            if file.left_at.is_some() && !file.is_found && attempt < self.rules.max_open_files {
                self.opened.push_back(id);
                continue;
            }
            file.file = None;
        }
    }

    pub(super) fn count_open(&mut self) {
        let (files, by_id) = (&self.files, &self.by_id);
        self.opened.retain(|id| by_id.get(id).is_some_and(|index| files[*index].file.is_some()));
        self.meters.open_files.set(self.opened.len() as i64);
    }

    /// See [`Tracker::replace`]. The file rests until the next scan, so that a copy of its old content is
    /// found before its new content is read.
    pub(super) fn replace_at(&mut self, index: usize, now: Duration) {
        self.release(self.files[index].position.id);
        let mut file = self.files.swap_remove(index);
        self.replace(&mut file, now);
        file.is_hot = false;
        file.modified_ns = i64::MIN;
        self.files.push(file);
        let last = self.files.len() - 1;
        self.files.swap(index, last);
    }

    /// Looks at a file before it is read. `Some(true)`: read it. `Some(false)`: its content was replaced.
    /// `None`: it is nowhere.
    pub(super) fn look(&mut self, index: usize, now: Duration) -> io::Result<Option<bool>> {
        if !self.open(index, now)? {
            return Ok(None);
        }
        let tracked = &self.files[index];
        if self.wants_scan && tracked.modified_ns == i64::MIN {
            return Ok(Some(false));
        }
        let Some(file) = &tracked.file else { return Ok(None) };
        let metadata = file.metadata()?;
        let position = &tracked.position;
        let was_touched = !tracked.is_checked || metadata.modified_ns != tracked.modified_ns;
        let is_other = metadata.len < position.offset
            || (metadata.len == position.offset
                && was_touched
                && !has_tail(&**file, position.offset, position.tail)?);
        self.files[index].observe(metadata, now);
        self.files[index].is_checked = true;
        if is_other {
            self.replace_at(index, now);
            return Ok(Some(false));
        }
        if self.files[index].has_failed {
            self.files[index].has_failed = false;
            self.meters.recovered(&self.files[index].position.path);
        }
        Ok(Some(true))
    }

    /// Looks whether the content before the offset is still there, also where the file has grown.
    pub(super) fn verify(&mut self, index: usize, now: Duration) -> io::Result<()> {
        if self.look(index, now)? != Some(true) {
            return Ok(());
        }
        let tracked = &self.files[index];
        let Some(file) = &tracked.file else { return Ok(()) };
        if !has_tail(&**file, tracked.position.offset, tracked.position.tail)? {
            self.replace_at(index, now);
        }
        Ok(())
    }

    /// Stops following a file that is gone and read.
    pub(super) fn retire(&mut self, id: FileId, now: Duration) {
        let Some(&index) = self.by_id.get(&id) else { return };
        let file = self.remove(index);
        let mut position = file.position;
        if position.stream == 0 {
            return;
        }
        // A packed file that is about to be found may have its content.
        self.cuts.push(Cut {
            position: position.clone(),
            marks: file.marks,
            until: now + DELETED_FOR,
            is_deleted: true,
        });
        // One that still exists may come back under a name the patterns find; of one that does not, the
        // inode is free for another file.
        if self.find_beside(&position.path, id).is_some() {
            self.end(&mut position);
            self.saved.insert(id, (position, now));
        } else {
            self.forgotten.push(position.key());
        }
    }

    /// Names the content of a file by its first line.
    pub(super) fn name_stream(&mut self, index: usize) -> io::Result<()> {
        if let Some(file) = &self.files[index].file {
            let head = read_head(&**file)?;
            self.name(index, &head);
        }
        Ok(())
    }

    /// Hashes more of a short file's start when it has grown.
    pub(super) fn refresh_head(&mut self, index: usize) -> io::Result<()> {
        let Tracked { position, file: Some(file), .. } = &self.files[index] else { return Ok(()) };
        let known = position.head;
        if known.len as usize == HEAD_BYTES_MAX || position.offset <= u64::from(known.len) {
            return Ok(());
        }
        let head = read_head(&**file)?;
        if known.starts(&head) {
            self.files[index].position.head = Digest::of(&head);
        }
        Ok(())
    }

    /// Starts a file at the last line start before `len`.
    pub(super) fn start_at_end(&mut self, index: usize, len: u64) {
        self.files[index].identity = Identity::Settled;
        let path = self.files[index].position.path.clone();
        let line_end = self.rules.line_end;
        let middle = len - len % line_end.unit() as u64;
        let outcome = self.fs.open(&path, Open::Read).and_then(|file| {
            let from = middle.saturating_sub(LINE_START_BYTES_MAX);
            let before = read_up_to(&*file, from, (len - from) as usize)?;
            let start = line_end.rfind(&before).map_or(0, |at| (at + line_end.unit()) as u64);
            // Without a line start nearby, the line is taken up in its middle.
            let offset = if start == 0 && from > 0 { middle } else { from + start };
            Ok((offset, read_head(&*file)?, tail_at(&*file, offset)?))
        });
        match outcome {
            Ok((offset, head, tail)) => {
                let file = &mut self.files[index];
                file.position.offset = offset;
                file.position.tail = tail;
                self.name(index, &head);
                self.announce(index);
            }
            Err(error) => {
                self.files[index].position.offset = len;
                self.meters.error(&path, &error);
            }
        }
    }

    /// Takes note of a file's first bytes, and names its content by them the first time.
    pub(super) fn name(&mut self, index: usize, head: &[u8]) {
        self.files[index].note_opening(head);
        let position = &mut self.files[index].position;
        position.head = Digest::of(head);
        if position.stream == 0 {
            position.name_stream(head);
        }
    }

    fn announce(&mut self, index: usize) {
        self.announced.push(self.files[index].position.id);
    }

    /// Decides whether a file that has its first bytes is to be read, and from where.
    pub(super) fn settle(&mut self, index: usize, now: Duration) -> io::Result<()> {
        if self.files[index].identity == Identity::Settled {
            return Ok(());
        }
        let is_changed = |file: &dyn lograil_plugin::File| {
            file.metadata().is_err_and(|error| error.kind() == io::ErrorKind::NotFound)
        };
        if self.files[index].file.as_deref().is_some_and(is_changed) {
            self.files[index].file = None;
        }
        if !self.open(index, now)? {
            // It is gone; reading it will find that out.
            self.files[index].identity = Identity::Settled;
            return Ok(());
        }
        let Some(file) = self.files[index].file.take() else { return Ok(()) };
        let outcome = self.settle_open(index, &*file, now);
        self.files[index].file = Some(file);
        outcome
    }

    fn settle_open(
        &mut self,
        index: usize,
        file: &dyn lograil_plugin::File,
        now: Duration,
    ) -> io::Result<()> {
        let head = read_head(file)?;
        let len = file.metadata()?.len;
        if head.is_empty() {
            return Ok(());
        }
        self.files[index].note_opening(&head);
        let is_packed = is_packed(&self.files[index].position.path);
        if is_packed && self.settle_packed(index, file, &head, now)? {
            return Ok(());
        }
        if let Some((position, original)) = self.continues(index, file, &head, len)? {
            self.go_on_in(index, position, now);
            let id = self.files[index].position.id;
            if let Some(&original) = self.by_id.get(&original).filter(|at| **at != index) {
                self.files[original].after = Some(id);
            }
            return Ok(());
        }
        if self.is_read_copy(file, &head, len)? {
            let tail = tail_at(file, len)?;
            let tracked = &mut self.files[index];
            tracked.position.offset = len;
            tracked.position.tail = tail;
            tracked.identity = Identity::Settled;
            tracked.left_at = Some(now);
            self.name(index, &head);
            self.announce(index);
            return Ok(());
        }
        let tracked = &self.files[index];
        let is_alone = tracked.is_initial || self.rules.once || !tracked.is_found;
        let original =
            if is_alone && !is_packed { None } else { self.original_of(index, file, &head, len)? };
        // The packed form of a file that is there, and not only something that begins like it.
        let is_packed_form = is_packed
            && original.is_some_and(|other| {
                let other_len = self.get(other).map(|other| other.len);
                head.len() == HEAD_BYTES_MAX || other_len == Some(len)
            });
        let original = original.filter(|_| !is_alone || is_packed_form);
        let since = match (tracked.identity, original) {
            (_, None) => None,
            (Identity::PerhapsCopy { since, len: before, .. }, Some(_)) if before == len => {
                // It may be in the making for long, and its original may stay.
                (is_packed_form || now.saturating_sub(since) < COPY_WAIT).then_some(since)
            }
            (_, Some(_)) => Some(now),
        };
        self.files[index].identity = match (original, since) {
            (Some(original), Some(since)) => Identity::PerhapsCopy { original, since, len },
            _ => Identity::Settled,
        };
        Ok(())
    }

    /// Decides of a packed file that was made from one that is or was followed. Whether it was.
    fn settle_packed(
        &mut self,
        index: usize,
        file: &dyn lograil_plugin::File,
        head: &[u8],
        now: Duration,
    ) -> io::Result<bool> {
        let len = file.metadata()?.len;
        match self.unpacked_form_of(index, file, head, len)? {
            Some((original, Form::Kept)) => {
                let original = self.files[original].position.id;
                self.files[index].identity = Identity::PerhapsCopy { original, since: now, len };
                Ok(true)
            }
            Some((original, Form::Gone)) => {
                let position = self.files[original].position.clone();
                // Its stream goes on in this file, so it is not to be forgotten with that one.
                self.files[original].position.stream = 0;
                self.go_on_in(index, position, now);
                Ok(true)
            }
            None => Ok(false),
        }
    }

    /// A file has the content that `position` is in: reading goes on there.
    fn go_on_in(&mut self, index: usize, position: Position, now: Duration) {
        let tracked = &mut self.files[index];
        let (id, path) = (tracked.position.id, tracked.position.path.clone());
        tracing::debug!(path = %path.display(), "file is a copy; reading goes on in it");
        tracked.position = Position { id, path, packed: None, is_over: false, ..position };
        tracked.identity = Identity::Settled;
        // It was rotated away: nobody writes to it.
        tracked.left_at = Some(now);
        self.announce(index);
    }

    /// The file that a packed one was made from, where that is or was followed.
    fn unpacked_form_of(
        &self,
        index: usize,
        file: &dyn lograil_plugin::File,
        head: &[u8],
        len: u64,
    ) -> io::Result<Option<(usize, Form)>> {
        for (at, other) in self.files.iter().enumerate() {
            let position = &other.position;
            let is_candidate = at != index && position.offset > 0 && position.stream != 0;
            let is_whole = position.head.len as usize == HEAD_BYTES_MAX || other.len == len;
            if !is_candidate || !is_whole || position.offset > len || !position.fits(file, head)? {
                continue;
            }
            let is_there = !matches!(self.open_path(other), Ok(None))
                || self.find_beside(&position.path, position.id).is_some();
            let is_read = other.file.is_none() || other.is_drained;
            let form = if is_there || !is_read { Form::Kept } else { Form::Gone };
            return Ok(Some((at, form)));
        }
        Ok(None)
    }

    /// The position of a content that is gone from its file but is in this one, and the file it was in.
    fn continues(
        &mut self,
        index: usize,
        file: &dyn lograil_plugin::File,
        head: &[u8],
        len: u64,
    ) -> io::Result<Option<(Position, FileId)>> {
        let is_packed = is_packed(&self.files[index].position.path);
        for at in 0..self.cuts.len() {
            let Cut { position, is_deleted, .. } = &self.cuts[at];
            if *is_deleted && !(is_packed && (position.is_distinct() || position.offset == len)) {
                continue;
            }
            if position.offset > 0 && position.offset <= len && position.fits(file, head)? {
                let position = self.cuts.swap_remove(at).position;
                let id = position.id;
                return Ok(Some((position, id)));
            }
        }
        // A file that is gone and whose content is found under another inode was moved, or its device has
        // another number since the machine started. Short contents are too alike to tell.
        let moved = self.saved.values().find_map(|(position, _)| {
            let is_sure = position.is_distinct() || (is_packed && position.offset == len);
            (is_sure
                && position.offset > 0
                && position.offset <= len
                && position.fits(file, head).unwrap_or(false))
            .then_some(position.id)
        });
        Ok(moved.and_then(|id| self.saved.remove(&id)).map(|(position, _)| {
            let id = position.id;
            (position, id)
        }))
    }

    /// Whether the file is a copy, all of which was read from the original before that was truncated.
    fn is_read_copy(
        &self,
        file: &dyn lograil_plugin::File,
        head: &[u8],
        len: u64,
    ) -> io::Result<bool> {
        for cut in self.cuts.iter().filter(|cut| !cut.is_deleted) {
            let known = cut.position.head;
            let is_comparable = head.len() >= known.len as usize;
            if cut.position.offset <= len || (is_comparable && !known.starts(head)) {
                continue;
            }
            let mark = cut.marks.iter().rev().find(|(offset, _)| *offset > 0 && *offset <= len);
            if let Some(&(offset, tail)) = mark
                && has_tail(file, offset, tail)?
            {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// The file that has, at this moment, the same content as far as the new one goes.
    fn original_of(
        &self,
        index: usize,
        file: &dyn lograil_plugin::File,
        head: &[u8],
        len: u64,
    ) -> io::Result<Option<FileId>> {
        let mut compared = 0;
        for (at, other) in self.files.iter().enumerate() {
            let known = other.position.head;
            let is_short = head.len() < known.len as usize;
            if at == index
                || other.identity != Identity::Settled
                || other.len == 0
                || !other.may_begin_with(head)
                || (!is_short && !known.starts(head))
            {
                continue;
            }
            compared += 1;
            if compared > COMPARED_MAX {
                break;
            }
            let Ok(Some(original)) = self.open_path(other) else { continue };
            let Ok(original_head) = read_head(&*original) else { continue };
            // An original that is whole is at least as long as its copy.
            if !original_head.starts_with(head) {
                continue;
            }
            let from = len.saturating_sub(TAIL_BYTES_MAX as u64);
            let ours = read_up_to(file, from, (len - from) as usize)?;
            let theirs = read_up_to(&*original, from, (len - from) as usize).unwrap_or_default();
            if ours == theirs {
                return Ok(Some(other.position.id));
            }
        }
        Ok(None)
    }
}
