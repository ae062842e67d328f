//! The set of files that are followed: found by scans, told apart by inode and content.

use std::cmp::Reverse;
use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use lograil_plugin::fs::{FileId, FileSystem, Metadata};

use super::family::rotation_number;
use super::globs::Globs;
use super::meters::Meters;
use super::options::{ReadFrom, Rules};
use super::packed::Unpacking;
use super::position::Position;
use super::tracked::{Cut, Identity, Tracked};

/// How long the position of a file that is not found is kept: it may be on a mount that comes back.
const KEEP_POSITION: Duration = Duration::from_secs(3600);
/// How long a copy of a truncated file is waited for.
const KEEP_CUT: Duration = Duration::from_secs(60);
/// Most positions and contents kept for those that are not found.
const KEPT_MAX: usize = 65_536;

/// The files that are followed.
pub struct Tracker {
    pub(super) fs: Arc<Unpacking>,
    pub(super) rules: Rules,
    pub(super) meters: Meters,
    pub(super) files: Vec<Tracked>,
    pub(super) by_id: HashMap<FileId, usize>,
    /// Which file was last seen under a path.
    by_path: HashMap<PathBuf, FileId>,
    /// Positions whose file is not found, and since when.
    pub(super) saved: HashMap<FileId, (Position, Duration)>,
    /// Contents that were truncated away.
    pub(super) cuts: Vec<Cut>,
    /// Files too old to be read, with the length they had at the start.
    ignored: HashMap<FileId, u64>,
    /// Streams whose positions the checkpoint may drop.
    pub(super) forgotten: Vec<String>,
    /// Positions in contents that are gone from their files.
    pub(super) over: Vec<Position>,
    /// Files whose positions are to be written although nothing was read.
    pub(super) announced: Vec<FileId>,
    /// Open files in the order they were opened.
    pub(super) opened: VecDeque<FileId>,
    globs: Globs,
    pub(super) directories: HashSet<PathBuf>,
    pub(super) is_first_scan: bool,
    /// Whether there was a checkpoint.
    had_positions: bool,
    pub(super) wants_scan: bool,
}

impl Tracker {
    /// Follows nothing yet; `positions` is what the checkpoint holds.
    #[must_use]
    pub fn new(
        fs: Arc<Unpacking>,
        globs: Globs,
        rules: Rules,
        meters: Meters,
        positions: &BTreeMap<String, String>,
        now: Duration,
    ) -> Self {
        let mut tracker = Self {
            fs,
            rules,
            meters,
            files: Vec::new(),
            by_id: HashMap::new(),
            by_path: HashMap::new(),
            saved: HashMap::new(),
            cuts: Vec::new(),
            ignored: HashMap::new(),
            forgotten: Vec::new(),
            over: Vec::new(),
            announced: Vec::new(),
            opened: VecDeque::new(),
            globs,
            directories: HashSet::new(),
            is_first_scan: true,
            had_positions: !positions.is_empty(),
            wants_scan: true,
        };
        let mut read: Vec<Position> = Vec::new();
        for (stream, json) in positions {
            match Position::from_json(stream, json) {
                Some(position) => read.push(position),
                None => {
                    tracing::warn!(stream, "a position in the checkpoint cannot be understood");
                    tracker.forgotten.push(stream.clone());
                }
            }
        }
        read.sort_by_key(|position| position.generation);
        for position in read {
            tracker.by_path.insert(position.path.clone(), position.id);
            if let Some(packed) = position.packed {
                tracker.fs.remember(position.id, packed, position.offset);
            }
            if let Some((mut old, _)) = tracker.saved.insert(position.id, (position, now)) {
                tracker.end(&mut old);
                let until = now + KEEP_CUT;
                tracker.cuts.push(Cut {
                    position: old,
                    marks: VecDeque::new(),
                    until,
                    is_deleted: false,
                });
            }
        }
        tracker
    }

    /// The file of an identity.
    #[must_use]
    pub fn get(&self, id: FileId) -> Option<&Tracked> {
        self.by_id.get(&id).map(|index| &self.files[*index])
    }

    /// Whether a file was last seen under this path.
    #[must_use]
    pub fn is_known(&self, path: &Path) -> bool {
        self.by_path.contains_key(path)
    }

    /// Looks for files that are new, grown, renamed or gone. How many the patterns find.
    pub fn scan(&mut self, now: Duration, wall_ns: i64) -> usize {
        let found = self.globs.find(&*self.fs);
        let count = found.files.len();
        for unreadable in &found.unreadable {
            self.meters.error(&unreadable.path, &unreadable.error);
        }
        self.directories = found.directories;
        for file in &mut self.files {
            file.is_found = false;
        }
        let mut new = Vec::new();
        for (path, metadata) in self.one_path_each(found.files) {
            match self.by_id.get(&metadata.id) {
                Some(&index) => self.see_again(index, path, metadata, now),
                None => new.push((path, metadata)),
            }
        }
        new.sort_by_cached_key(|(path, metadata)| {
            // Files of one moment (clocks of file systems tick in milliseconds): `app.log.2` is the older one.
            (metadata.modified_ns, Reverse(rotation_number(path)), path.clone())
        });
        // Those with a position first: others may turn out to continue one that does not fit any more.
        let (known, unknown): (Vec<_>, Vec<_>) =
            new.into_iter().partition(|(_, metadata)| self.saved.contains_key(&metadata.id));
        let mut added: Vec<(PathBuf, FileId)> = Vec::new();
        for (path, metadata) in known {
            if self.resume(&path, metadata, now) {
                added.push((path, metadata.id));
            }
        }
        if self.is_first_scan {
            self.resume_renamed(now);
            self.end_missing();
        }
        for (path, metadata) in unknown {
            if !self.is_too_old(metadata, wall_ns) {
                self.add_new(&path, metadata, now);
                added.push((path, metadata.id));
            }
        }
        for (path, id) in added {
            self.link(path, id, now);
        }
        self.note_missing(now);
        self.expire(now);
        self.is_first_scan = false;
        self.wants_scan = false;
        self.meters.followed_files.set(self.files.len() as i64);
        self.meters.lag_bytes.set(self.files.iter().map(Tracked::unread).sum::<u64>() as i64);
        count
    }

    /// One path for each file: the one it is known by, else the first in order.
    fn one_path_each(&self, found: Vec<(PathBuf, Metadata)>) -> Vec<(PathBuf, Metadata)> {
        let mut index: HashMap<FileId, usize> = HashMap::with_capacity(found.len());
        let mut each: Vec<(PathBuf, Metadata)> = Vec::with_capacity(found.len());
        for (path, metadata) in found {
            let known = self.get(metadata.id).map(|file| file.position.path.as_path());
            match index.entry(metadata.id) {
                std::collections::hash_map::Entry::Vacant(free) => {
                    free.insert(each.len());
                    each.push((path, metadata));
                }
                std::collections::hash_map::Entry::Occupied(at) => {
                    let kept = &mut each[*at.get()].0;
                    let is_known = |path: &Path| known == Some(path);
                    if is_known(&path) || (!is_known(kept) && path < *kept) {
                        *kept = path;
                    }
                }
            }
        }
        each
    }

    fn see_again(&mut self, index: usize, path: PathBuf, metadata: Metadata, now: Duration) {
        let file = &mut self.files[index];
        file.is_found = true;
        file.observe(metadata, now);
        if file.position.path == path {
            return;
        }
        tracing::debug!(from = %file.position.path.display(), to = %path.display(), "file was renamed");
        file.position.path.clone_from(&path);
        file.left_at.get_or_insert(now);
        file.is_hot = true;
        let id = metadata.id;
        self.by_path.insert(path, id);
    }

    /// A file whose position is known by its inode. Whether it can be followed.
    fn resume(&mut self, path: &Path, metadata: Metadata, now: Duration) -> bool {
        let Some((mut position, since)) = self.saved.remove(&metadata.id) else { return false };
        let fits = match position.is_in(&self.fs, path, metadata) {
            Ok(fits) => fits,
            Err(error) => {
                self.meters.error(path, &error);
                self.saved.insert(metadata.id, (position, since));
                return false;
            }
        };
        self.meters.recovered(path);
        if fits {
            self.reopen(&mut position);
        }
        let mut file = Tracked::new(position, metadata, now);
        file.position.path = path.to_path_buf();
        file.limit = self.rules.once.then_some(metadata.len);
        file.identity = Identity::Settled;
        if !fits {
            self.replace(&mut file, now);
        }
        self.insert(file);
        true
    }

    /// Files that were renamed beyond the patterns while nobody looked: found beside their old path.
    fn resume_renamed(&mut self, now: Duration) {
        let mut beside: HashMap<PathBuf, HashMap<FileId, (PathBuf, Metadata)>> = HashMap::new();
        let mut ids: Vec<FileId> = self.saved.keys().copied().collect();
        ids.sort_unstable();
        for id in ids {
            let Some((position, _)) = self.saved.get(&id) else { continue };
            let directory = directory_of(&position.path);
            let listing =
                beside.entry(directory).or_insert_with_key(|directory| self.list(directory));
            let Some((path, metadata)) = listing.get(&id).cloned() else { continue };
            let fits = position.is_in(&self.fs, &path, metadata).unwrap_or(false);
            if !metadata.is_file || !fits {
                continue;
            }
            let Some((mut position, _)) = self.saved.remove(&id) else { continue };
            self.reopen(&mut position);
            let mut file = Tracked::new(position, metadata, now);
            file.position.path = path;
            file.identity = Identity::Settled;
            file.is_hot = true;
            file.is_found = false;
            file.left_at = Some(now);
            file.limit = self.rules.once.then_some(metadata.len);
            self.insert(file);
        }
    }

    /// What is not found is not read, so that a later start need not ask for it.
    fn end_missing(&mut self) {
        let mut saved = std::mem::take(&mut self.saved);
        saved.values_mut().for_each(|(position, _)| self.end(position));
        self.saved = saved;
    }

    /// Nothing will be read behind a position, as long as its content is not found again.
    pub(super) fn end(&mut self, position: &mut Position) {
        if !std::mem::replace(&mut position.is_over, true) {
            self.over.push(position.clone());
        }
    }

    /// A file with the content of a position that was over may be read on.
    fn reopen(&mut self, position: &mut Position) {
        if std::mem::take(&mut position.is_over) {
            self.announced.push(position.id);
        }
    }

    /// The files of a directory by identity.
    fn list(&self, directory: &Path) -> HashMap<FileId, (PathBuf, Metadata)> {
        let paths = self.fs.read_dir(directory).unwrap_or_default();
        paths
            .into_iter()
            .filter_map(|path| {
                let metadata = self.fs.metadata(&path).ok()?;
                Some((metadata.id, (path, metadata)))
            })
            .collect()
    }

    /// Where a file is now, if it is still in its directory.
    pub(super) fn find_beside(&self, path: &Path, id: FileId) -> Option<PathBuf> {
        self.list(&directory_of(path)).remove(&id).map(|(path, _)| path)
    }

    fn is_too_old(&mut self, metadata: Metadata, wall_ns: i64) -> bool {
        let Some(oldest) = self.rules.ignore_older else { return false };
        let age_ns = i128::from(wall_ns) - i128::from(metadata.modified_ns);
        let is_old = age_ns > oldest.as_nanos() as i128;
        if is_old && self.is_first_scan && self.ignored.len() < KEPT_MAX {
            self.ignored.insert(metadata.id, metadata.len);
        }
        is_old
    }

    fn add_new(&mut self, path: &Path, metadata: Metadata, now: Duration) {
        let position = Position::start(path.to_path_buf(), metadata.id, 0);
        let mut file = Tracked::new(position, metadata, now);
        // With a checkpoint, a rotation may have been under way when the source was stopped.
        file.is_initial = self.is_first_scan && !self.had_positions;
        file.limit = self.rules.once.then_some(metadata.len);
        let at_start = self.ignored.remove(&metadata.id);
        if self.rules.read_from == ReadFrom::End && (self.is_first_scan || at_start.is_some()) {
            let index = self.insert(file);
            self.start_at_end(index, at_start.unwrap_or(metadata.len));
        } else {
            self.insert(file);
        }
    }

    /// Orders a new file behind the one that had its path.
    fn link(&mut self, path: PathBuf, id: FileId, now: Duration) {
        let before = self.by_path.insert(path, id).filter(|before| *before != id);
        let Some(before) = before else { return };
        if !self.is_first_scan {
            self.meters.rotations.inc();
        }
        if let Some(&old) = self.by_id.get(&before) {
            let old = &mut self.files[old];
            old.left_at.get_or_insert(now);
            old.is_hot = true;
            old.is_drained = false;
            if let Some(&new) = self.by_id.get(&id) {
                self.files[new].after = Some(before);
            }
        }
    }

    fn note_missing(&mut self, now: Duration) {
        for file in self.files.iter_mut().filter(|file| !file.is_found) {
            if file.left_at.is_none() {
                file.left_at = Some(now);
                file.is_hot = true;
                file.is_drained = false;
            }
            // One that is not open is looked for, and no longer followed if it is gone.
            let is_open = file.file.is_some();
            file.is_hot |= file.has_failed || file.identity != Identity::Settled || !is_open;
        }
    }

    /// Drops what was kept long enough.
    fn expire(&mut self, now: Duration) {
        let forgotten = &mut self.forgotten;
        let full = self.saved.len() > KEPT_MAX;
        self.saved.retain(|_, (position, since)| {
            let keep = !full && now.saturating_sub(*since) < KEEP_POSITION;
            if !keep {
                forgotten.push(position.key());
            }
            keep
        });
        let full = self.cuts.len() > KEPT_MAX;
        self.cuts.retain(|cut| {
            let keep = !full && now < cut.until;
            if !keep && !cut.is_deleted {
                forgotten.push(cut.position.key());
            }
            keep
        });
    }

    /// The content of a file was replaced: it starts anew, and a copy of the old content is looked for.
    pub(super) fn replace(&mut self, file: &mut Tracked, now: Duration) {
        tracing::debug!(path = %file.position.path.display(), "file was truncated or replaced");
        self.meters.rotations.inc();
        if file.len >= file.position.offset {
            self.meters.mismatches.inc();
        }
        let mut cut = file.replace_content();
        if cut.position.stream != 0 {
            cut.until = now + KEEP_CUT;
            self.end(&mut cut.position);
            self.cuts.push(cut);
        }
        self.wants_scan = true;
    }

    /// Follows a file.
    pub(super) fn insert(&mut self, file: Tracked) -> usize {
        let index = self.files.len();
        self.by_id.insert(file.position.id, index);
        self.files.push(file);
        index
    }

    /// Lets no file wait for this one any more: it is gone, and its inode may come to mean another file.
    pub(super) fn release(&mut self, id: FileId) {
        for file in self.files.iter_mut().filter(|file| file.after == Some(id)) {
            file.after = None;
        }
    }

    /// Stops following a file.
    pub(super) fn remove(&mut self, index: usize) -> Tracked {
        let file = self.files.remove(index);
        self.release(file.position.id);
        self.by_id.clear();
        self.by_id.extend(self.files.iter().enumerate().map(|(at, file)| (file.position.id, at)));
        if self.by_path.get(&file.position.path) == Some(&file.position.id) {
            self.by_path.remove(&file.position.path);
        }
        self.count_open();
        file
    }
}

/// The directory a path is in.
pub(super) fn directory_of(path: &Path) -> PathBuf {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent.to_path_buf(),
        _ => PathBuf::from("."),
    }
}
