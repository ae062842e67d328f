//! Writing batches whole: append, split over files at event borders, undo, make durable.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use lograil_plugin::{Clock, FileSystem, SinkContext, SinkError};

use super::active::Active;
use super::location::Location;
use super::packing::{Compression, Packer};
use super::position::State;
use super::restore::{self, Beyond, Found};
use super::rotation::{Rotate, Schedule};
use super::slots::Slots;
use super::{Durability, Meters};

/// How often a path is asked for the file it names, and a failed rotation tried again.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// How much of backups is packed at a commit, and at the end.
const PACK_AT_COMMIT_BYTES: u64 = 16 << 20;
const PACK_AT_END_BYTES: u64 = 256 << 20;

/// How a file is written.
#[derive(Debug, Clone)]
pub(super) struct Settings {
    pub(super) durability: Durability,
    pub(super) rotate: Rotate,
    /// How backups are packed, if they are.
    pub(super) compression: Option<Compression>,
    /// What a file begins with.
    pub(super) header: Vec<u8>,
}

/// The position before a batch.
struct Mark {
    active: Active,
    schedule: Schedule,
}

/// A file, its backups, and all that keeps them in order.
pub(super) struct Writer {
    files: Arc<dyn FileSystem>,
    clock: Arc<dyn Clock>,
    location: Location,
    slots: Slots,
    durability: Durability,
    rotate: Rotate,
    /// What a file begins with.
    header: Vec<u8>,
    meters: Meters,
    id: Arc<str>,
    active: Active,
    schedule: Schedule,
    packer: Option<Packer>,
    /// Rotations since the batch began.
    rotations: u32,
    /// The position before the last batch, until that is known to stay.
    before: Option<Mark>,
    /// A batch that failed and could not be undone yet.
    undo: Option<Mark>,
    /// Directories whose entries are not durable yet.
    unsynced_dirs: Vec<PathBuf>,
    look_at: Duration,
    upstream_replays: bool,
}

impl Writer {
    /// Opens the file where `state` says it stood.
    pub(super) fn open(
        context: &SinkContext,
        location: Location,
        settings: &Settings,
        state: Option<State>,
        beyond: Beyond,
    ) -> io::Result<Self> {
        let Settings { durability, rotate, compression, header } = settings.clone();
        let files = Arc::clone(&context.files);
        let mut unsynced_dirs = location.prepare(&*files)?;
        let slots = Slots::new(&location.path);
        let slots = if compression.is_some() { slots.packing() } else { slots };
        unsynced_dirs.push(slots.directory().to_owned());
        let (active, found) =
            restore::start(&*files, &slots, state.as_ref(), beyond, rotate.max_files)?;
        let packer = compression.map(|compression| Packer::start(compression, &*files, &slots));
        let packer = packer.transpose()?;
        let oldest_slot = state.map_or(0, |state| state.oldest_slot);
        if let Found::Otherwise(why) = found {
            tracing::warn!(
                component_id = &*context.id,
                path = %location.path.display(),
                "{why}: going on at the end of what is there; events since then may come twice"
            );
        }
        let now = context.clock.monotonic();
        Ok(Self {
            clock: Arc::clone(&context.clock),
            meters: Meters::new(&context.metrics),
            id: Arc::clone(&context.id),
            schedule: Schedule::starting(&rotate, active.modified_ns, oldest_slot),
            files,
            location,
            slots,
            durability,
            rotate,
            header,
            active,
            packer,
            rotations: 0,
            before: None,
            undo: None,
            unsynced_dirs,
            look_at: now + LOOK_EVERY,
            upstream_replays: context.upstream_replays,
        })
    }

    /// After the last commit: where no checkpoint goes back, no backup has to outlive the others.
    pub(super) fn close(&mut self) -> io::Result<()> {
        let gave_way = if self.upstream_replays {
            Ok(())
        } else {
            self.schedule.give_way(&*self.files, &self.slots, &self.rotate)
        };
        self.pack(PACK_AT_END_BYTES);
        if let Some(packer) = &mut self.packer {
            packer.give_up(&*self.files, &self.slots);
        }
        gave_way
    }

    /// Where the file stands after the last whole batch.
    pub(super) fn state(&self) -> State {
        self.state_at(self.undo.as_ref().map_or(&self.active, |mark| &mark.active))
    }

    /// Where it stood before the last batch, if that may still be taken back.
    pub(super) fn position_before_batch(&self) -> Option<State> {
        self.before.as_ref().map(|mark| self.state_at(&mark.active))
    }

    fn state_at(&self, active: &Active) -> State {
        State {
            path: self.location.path.to_string_lossy().into_owned(),
            device: active.id.device,
            inode: active.id.inode,
            length: active.len,
            tail_crc32c: active.tail.checksum(),
            oldest_slot: self.schedule.oldest_slot,
        }
    }

    /// Looks at the path again before the next batch.
    pub(super) fn reopen(&mut self) {
        self.look_at = Duration::ZERO;
    }

    /// Appends `bytes`, events that end at `ends`: all of them or, on an error, none.
    pub(super) fn write(&mut self, bytes: &[u8], ends: &[usize]) -> Result<(), SinkError> {
        self.try_write(bytes, ends).map_err(|(step, error)| self.failure(step, &error))
    }

    /// The same; the error comes with the step that failed.
    pub(super) fn try_write(
        &mut self,
        bytes: &[u8],
        ends: &[usize],
    ) -> Result<(), (&'static str, io::Error)> {
        self.settle()?;
        let mark = self.mark();
        let written = self.append(bytes, ends);
        match &written {
            Ok(()) => self.before = Some(mark),
            Err(error) => {
                self.undo = Some(mark);
                self.recover(error.kind());
            }
        }
        self.meters.bytes.set(i64::try_from(self.active.len).unwrap_or(i64::MAX));
        written.map_err(|error| ("write", error))
    }

    /// Takes it that the checkpoint may name any backup: the file was closed, and opened again.
    pub(super) fn protect_backups(&mut self) -> io::Result<()> {
        if !self.rotate.is_on() {
            return Ok(());
        }
        let highest = self.slots.taken(&*self.files)?.last().copied().unwrap_or(0);
        self.schedule.protect(highest);
        Ok(())
    }

    /// The last batch stays.
    pub(super) fn keep(&mut self) {
        self.before = None;
    }

    /// Takes the last batch back, although it was written.
    pub(super) fn take_back(&mut self) {
        if let Some(mark) = self.before.take() {
            self.undo = Some(mark);
            self.recover(io::ErrorKind::Other);
        }
    }

    /// Takes a failed batch back. What cannot be undone now is undone before the next batch.
    fn recover(&mut self, cause: io::ErrorKind) {
        let mut recovered = self.roll_back();
        if matches!(cause, io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded) {
            recovered = recovered
                .and_then(|()| self.schedule.give_way(&*self.files, &self.slots, &self.rotate));
        }
        if let Err(error) = recovered {
            tracing::debug!(component_id = &*self.id, "undo a batch: {error}");
        }
    }

    /// Makes everything that was written durable.
    pub(super) fn commit(&mut self) -> Result<(), SinkError> {
        self.before = None;
        self.roll_back().map_err(|error| self.failure("undo a batch in", &error))?;
        if self.active.is_deleted().map_err(|error| self.failure("look for", &error))? {
            self.follow_path().map_err(|error| self.failure("open", &error))?;
        }
        if self.durability == Durability::Commit {
            self.active.sync().map_err(|error| self.failure("sync", &error))?;
            while let Some(directory) = self.unsynced_dirs.last() {
                let synced = self.files.sync_dir(directory);
                synced.map_err(|error| self.failure("sync the directory of", &error))?;
                self.unsynced_dirs.pop();
            }
        }
        self.active.committed();
        let now = self.clock.monotonic();
        let pruned = self.schedule.committed(&*self.files, &self.slots, &self.rotate, now);
        if let Err(error) = pruned {
            self.warn("remove old backups", &error);
        }
        self.pack(PACK_AT_COMMIT_BYTES);
        Ok(())
    }

    /// The last commit and what comes after it, maybe in the midst of a batch: if that fails, this file's part of
    /// the batch can still be taken back.
    pub(super) fn finish(&mut self) -> io::Result<()> {
        let before = self.before.take();
        let committed = self.commit().map_err(|error| match error {
            SinkError::Fatal(reason) => io::Error::new(io::ErrorKind::InvalidData, reason),
            other => io::Error::other(other.to_string()),
        });
        let finished = committed.and_then(|()| self.close());
        if finished.is_err() {
            self.before = before;
        }
        finished
    }

    /// Packs what no checkpoint names any more.
    fn pack(&mut self, budget_bytes: u64) {
        let Some(packer) = &mut self.packer else { return };
        let now = self.clock.monotonic();
        let fixed = self.schedule.fixed_slot();
        if let Err(error) = packer.work(&*self.files, &self.slots, fixed, budget_bytes, now) {
            self.warn("compress an old file of", &error);
        }
    }

    /// Puts right what came between two batches: a failed one, a moved or truncated file.
    fn settle(&mut self) -> Result<(), (&'static str, io::Error)> {
        self.roll_back().map_err(|error| ("undo a batch in", error))?;
        let now = self.clock.monotonic();
        if now >= self.look_at {
            self.follow_path().map_err(|error| ("open", error))?;
            self.look_at = now + LOOK_EVERY;
        }
        if self.active.follow_others().map_err(|error| ("read", error))? {
            tracing::warn!(
                component_id = &*self.id,
                path = %self.location.path.display(),
                "somebody else truncated the file or wrote to it: going on at its end"
            );
        }
        Ok(())
    }

    /// Opens the path anew if it names another file than the open one, or none. Where the open one was deleted, what
    /// was not committed of it is written again.
    fn follow_path(&mut self) -> io::Result<()> {
        match self.files.metadata(&self.location.path) {
            Ok(metadata) if metadata.id == self.active.id => return Ok(()),
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
        let is_deleted = self.active.is_deleted()?;
        if self.durability == Durability::Commit && !is_deleted {
            self.active.sync()?;
        }
        self.unsynced_dirs.extend(self.location.prepare(&*self.files)?);
        let mut next = restore::at_end(&*self.files, &self.location.path)?;
        if is_deleted {
            self.write_again(&mut next)?;
        }
        self.active = next;
        self.names_changed();
        self.schedule =
            Schedule::starting(&self.rotate, self.active.modified_ns, self.schedule.oldest_slot);
        self.meters.reopens.inc();
        tracing::info!(
            component_id = &*self.id,
            path = %self.location.path.display(),
            "opened the file anew, because its path names another one now"
        );
        Ok(())
    }

    /// Appends what was not committed of a deleted file to the next one.
    fn write_again(&self, next: &mut Active) -> io::Result<()> {
        let bytes = self.active.uncommitted(self.header.len() as u64)?;
        if !bytes.is_empty() {
            if next.len == 0 && !self.header.is_empty() {
                next.append(&self.header)?;
            }
            next.append_or_cut(&bytes)?;
        }
        tracing::warn!(
            component_id = &*self.id,
            path = %self.location.path.display(),
            bytes = bytes.len(),
            "somebody deleted the file while it was written: wrote again what was not acknowledged, the rest is gone"
        );
        Ok(())
    }

    /// The next commit makes the names durable too.
    fn names_changed(&mut self) {
        let directory = self.slots.directory();
        if !self.unsynced_dirs.iter().any(|unsynced| unsynced == directory) {
            self.unsynced_dirs.push(directory.to_owned());
        }
    }

    fn mark(&mut self) -> Mark {
        self.rotations = 0;
        Mark { active: self.active.clone(), schedule: self.schedule }
    }

    /// Goes back to the mark of a failed batch, if there is one.
    fn roll_back(&mut self) -> io::Result<()> {
        let Some(id) = self.undo.as_ref().map(|mark| mark.active.id) else { return Ok(()) };
        if self.rotations > 0 {
            let is_meant = |file: &dyn lograil_plugin::File| Ok(file.metadata()?.id == id);
            match restore::find(&*self.files, &self.slots, is_meant)? {
                Some(slot) => {
                    self.names_changed();
                    restore::return_to(&*self.files, &self.slots, slot)?;
                }
                // Somebody took it away: what is open has no name to be found by.
                None => self.look_at = Duration::ZERO,
            }
        }
        if let Some(mark) = &mut self.undo {
            mark.active.cut()?;
        }
        if let Some(mut mark) = self.undo.take() {
            mark.active.doubt_as(&self.active);
            self.active = mark.active;
            self.schedule.return_to(&mark.schedule);
        }
        Ok(())
    }

    fn append(&mut self, bytes: &[u8], ends: &[usize]) -> io::Result<()> {
        if self.schedule.is_due(&self.rotate, self.clock.now_ns(), self.active.len) {
            self.try_rotate();
        }
        let mut start = 0;
        while start < bytes.len() {
            if self.active.len == 0 && !self.header.is_empty() {
                self.active.append(&self.header)?;
            }
            let is_fresh = self.active.len <= self.header.len() as u64;
            let room = match self.rotate.max_bytes {
                Some(max) => {
                    usize::try_from(max.saturating_sub(self.active.len)).unwrap_or(usize::MAX)
                }
                None => usize::MAX,
            };
            let mut end = last_end_within(bytes.len(), ends, start, room);
            if end == start {
                if !is_fresh && self.try_rotate() {
                    continue;
                }
                end = if is_fresh {
                    // An event larger than the limit gets a file of its own.
                    ends[ends.partition_point(|end| *end <= start)..].first().copied()
                } else {
                    None
                }
                .unwrap_or(bytes.len());
            }
            self.active.append(&bytes[start..end])?;
            start = end;
        }
        Ok(())
    }

    /// Begins a new file. If that cannot be, the old one is written on.
    fn try_rotate(&mut self) -> bool {
        let now = self.clock.monotonic();
        if !self.schedule.may_try(now) {
            return false;
        }
        match self.rotate_now() {
            Ok(()) => {
                self.rotations += 1;
                if let Some(packer) = &mut self.packer {
                    packer.rotated();
                }
                self.meters.rotations.inc();
                true
            }
            Err(error) => {
                self.schedule.failed(now + LOOK_EVERY);
                self.meters.rotation_errors.inc();
                self.warn("rotate", &error);
                false
            }
        }
    }

    fn rotate_now(&mut self) -> io::Result<()> {
        if self.files.metadata(&self.location.path)?.id != self.active.id {
            self.look_at = Duration::ZERO;
            return Err(io::Error::other("the path names another file now"));
        }
        if self.durability == Durability::Commit {
            self.active.sync()?;
        }
        self.names_changed();
        let filled = self
            .slots
            .make_room(&*self.files, self.schedule.limit(&self.rotate, self.rotations))?;
        let path = &self.location.path;
        let backup = self.slots.name(1);
        self.files.rename(path, &backup)?;
        match restore::at_end(&*self.files, path) {
            Ok(active) => {
                self.active = active;
                self.schedule.rotated(&self.rotate, self.clock.now_ns(), filled);
                Ok(())
            }
            Err(error) => {
                self.files.rename(&backup, path)?;
                Err(error)
            }
        }
    }

    fn warn(&self, action: &str, error: &io::Error) {
        let path = self.location.path.display();
        tracing::warn!(component_id = &*self.id, "{action} {path}: {error}");
    }

    fn failure(&self, action: &str, error: &io::Error) -> SinkError {
        let reason = format!("{action} {}: {error}", self.location.path.display());
        match error.kind() {
            io::ErrorKind::InvalidData => SinkError::Fatal(reason),
            _ => SinkError::retry(reason),
        }
    }
}

/// The end of the last event that ends within `room` bytes of `start`; `start` if none does.
fn last_end_within(len: usize, ends: &[usize], start: usize, room: usize) -> usize {
    if len - start <= room {
        return len;
    }
    match ends.partition_point(|end| *end - start.min(*end) <= room) {
        0 => start,
        n => ends[n - 1].max(start),
    }
}
