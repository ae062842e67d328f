//! Reading the files in turns, and sending what they hold.

use std::sync::Arc;
use std::time::Duration;

use bytes::BytesMut;
use lograil_event::Origin;
use lograil_plugin::dead_letter;
use lograil_plugin::fs::FileId;
use lograil_plugin::{Clock, Closed, PositionUpdate, SourceContext, SourceError, SourceOutput};

use super::family::OldestOfFamilies;
use super::fingerprint::{Digest, TAIL_BYTES_MAX, fill};
use super::meters::Meters;
use super::options::Checked;
use super::tracked::Identity;
use super::tracker::Tracker;
use super::wake::{WakeUp, Watching, Woken};
use crate::block_pool::{BLOCK_BYTES, BlockPool};
use crate::line_blocks::{Extent, LineBatcher, LineBlock, extent};

/// First wait after the last line; doubled with every wait in vain.
const WAIT_MIN: Duration = Duration::from_millis(10);
/// Longest wait.
const WAIT_MAX: Duration = Duration::from_secs(1);
/// Least time between two scans that are made because something happened.
const SCAN_SPACING: Duration = Duration::from_millis(50);
/// Bytes read at a time: a block, less what is read again before the offset.
const READ_BYTES: usize = BLOCK_BYTES - TAIL_BYTES_MAX;
/// How long a file is looked at in every round after it last grew; then only scans look at it.
const HOT_FOR: Duration = Duration::from_secs(2);

/// New empty files that may be looked at in every round.
const FEW_FILES: usize = 64;

/// Longest row of files that wait for each other.
const RING_MAX: usize = 64;

/// What to do with a last line that has no newline.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum LastLine {
    /// It may still grow.
    Hold,
    /// It will not.
    Take,
}

/// What a look at a file brought.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Outcome {
    /// Nothing new.
    Nothing,
    /// It was read, or found to be another.
    Progress,
}

/// A block with the bytes before the offset in front.
struct Chunk {
    block: BytesMut,
    /// Bytes in front of the offset.
    before: usize,
    /// Bytes in all.
    filled: usize,
    /// Whether the file has more.
    has_more: bool,
}

/// What reading a block can come to.
enum ReadOutcome {
    Chunk(Chunk),
    End,
    Replaced,
}

/// The source at work.
pub struct Reader {
    tracker: Tracker,
    batcher: LineBatcher,
    pool: BlockPool,
    output: SourceOutput,
    wake: WakeUp,
    clock: Arc<dyn Clock>,
    component_id: Arc<str>,
    once: bool,
    /// Files to look at in the next round.
    hot: Vec<FileId>,
    /// Files whose lines are in the batch.
    touched: Vec<FileId>,
}

impl Reader {
    /// A source that has not yet looked at any file.
    #[must_use]
    pub fn new(checked: Checked, context: SourceContext) -> Self {
        let mut rules = checked.rules;
        rules.once = context.once;
        let tracker = Tracker::new(
            context.files,
            checked.globs,
            rules,
            Meters::new(&context.metrics),
            &context.positions,
            context.clock.monotonic(),
        );
        Self {
            tracker,
            batcher: LineBatcher::new(checked.format),
            pool: BlockPool::default(),
            output: context.output,
            wake: WakeUp::new(Arc::clone(&context.clock), context.shutdown),
            clock: context.clock,
            component_id: context.id,
            once: context.once,
            hot: Vec::new(),
            touched: Vec::new(),
        }
    }

    /// Runs until the topology stops or, once, until all files are read.
    pub async fn run(mut self) -> Result<(), SourceError> {
        match self.follow().await {
            Ok(()) | Err(Closed) => Ok(()),
        }
    }

    async fn follow(&mut self) -> Result<(), Closed> {
        let mut wait = WAIT_MIN;
        let mut scanned_at: Option<Duration> = None;
        loop {
            if self.wake.is_stopping() {
                return self.flush().await;
            }
            let now = self.clock.monotonic();
            let next_scan = scanned_at.map_or(now, |at| at + self.scan_spacing());
            if now >= next_scan {
                self.scan(now);
                scanned_at = Some(now);
            }
            let outcome = self.round(LastLine::Hold).await?;
            self.flush().await?;
            if outcome == Outcome::Progress {
                wait = WAIT_MIN;
                self.wake.release();
                continue;
            }
            if self.once {
                if self.tracker.wants_scan {
                    continue;
                }
                self.finish().await?;
                return self.flush().await;
            }
            let next_scan = scanned_at.map_or(now, |at| at + self.scan_spacing());
            let period = wait.min(next_scan.saturating_sub(now)).max(Duration::from_millis(1));
            let tracker = &self.tracker;
            if self.wake.prepare(&*tracker.fs, &tracker.directories, period) == Watching::Begun {
                scanned_at = None;
                continue;
            }
            match self.wake.wait(period).await {
                Woken::Shutdown => return self.flush().await,
                Woken::Time => wait = (wait * 2).min(WAIT_MAX),
                Woken::Hint => {
                    wait = WAIT_MIN;
                    scanned_at = None;
                }
            }
        }
    }

    fn scan_spacing(&self) -> Duration {
        match (self.tracker.wants_scan, self.once) {
            (true, true) => Duration::ZERO,
            (true, false) => SCAN_SPACING,
            // Files are read to their present end: there is nothing to look for later.
            (false, true) => Duration::MAX / 4,
            (false, false) => self.tracker.rules.scan_period,
        }
    }

    fn scan(&mut self, now: Duration) {
        self.tracker.scan(now, self.clock.now_ns());
        self.hot.clear();
        let hot = self.tracker.files.iter().filter(|file| file.is_hot);
        self.hot.extend(hot.map(|file| file.position.id));
    }

    /// Takes the last lines that have no newline.
    async fn finish(&mut self) -> Result<(), Closed> {
        let unread = self.tracker.files.iter().filter(|file| file.position.offset < file.end());
        let ids: Vec<FileId> = unread.map(|file| file.position.id).collect();
        for id in ids {
            self.turn(id, LastLine::Take).await?;
        }
        Ok(())
    }

    /// Gives every hot file its turn.
    async fn round(&mut self, last_line: LastLine) -> Result<Outcome, Closed> {
        self.settle();
        let oldest = self.oldest_of_families();
        let mut outcome = Outcome::Nothing;
        for at in 0..self.hot.len() {
            let id = self.hot[at];
            let Some(&index) = self.tracker.by_id.get(&id) else { continue };
            if !self.tracker.files[index].is_hot || self.is_blocked(index) {
                continue;
            }
            let tracker = &self.tracker;
            if oldest.is_before(&tracker.files[index], |path| tracker.is_known(path)) {
                // The older one is read in this round, and after it this one.
                outcome = Outcome::Progress;
                continue;
            }
            if self.turn(id, last_line).await? == Outcome::Progress {
                outcome = Outcome::Progress;
            } else {
                self.rest(id).await?;
            }
            if self.wake.is_stopping() {
                break;
            }
        }
        let tracker = &self.tracker;
        self.hot.retain(|id| tracker.get(*id).is_some_and(|file| file.is_hot));
        Ok(outcome)
    }

    /// Which files come first in their rotation families.
    fn oldest_of_families(&self) -> OldestOfFamilies {
        let mut oldest = OldestOfFamilies::default();
        if self.hot.len() > 1 {
            let tracker = &self.tracker;
            for file in self.hot.iter().filter_map(|id| tracker.get(*id)).filter(|file| file.is_hot)
            {
                oldest.add(file, |path| tracker.is_known(path));
            }
        }
        oldest
    }

    /// Decides of new files whether they are to be read.
    fn settle(&mut self) {
        let now = self.clock.monotonic();
        let hot = self.hot.iter().filter_map(|id| self.tracker.by_id.get(id));
        let (settled, new): (Vec<usize>, Vec<usize>) =
            hot.partition(|index| self.tracker.files[**index].identity == Identity::Settled);
        if new.is_empty() {
            return;
        }
        // A new file may be the copy of one that was truncated just now.
        let outcomes =
            settled.into_iter().map(|index| (index, self.tracker.verify(index, now).err()));
        let mut failed: Vec<_> = outcomes.collect();
        failed.extend(new.into_iter().map(|index| (index, self.tracker.settle(index, now).err())));
        for (index, error) in failed {
            if let Some(error) = error {
                self.fail(index, &error);
            }
        }
    }

    /// Whether a file has to wait: for the file that had its path, or to be recognised.
    fn is_blocked(&mut self, index: usize) -> bool {
        if self.tracker.files[index].identity != Identity::Settled {
            // Looked at again by the next scan; sooner if it is empty and few are.
            let now = self.clock.monotonic();
            let is_few = self.hot.len() <= FEW_FILES;
            let file = &mut self.tracker.files[index];
            let is_fresh = now.saturating_sub(file.changed_at) < HOT_FOR;
            file.is_hot = is_few && is_fresh && file.identity == Identity::Unknown;
            return true;
        }
        let Some(before) = self.tracker.files[index].after else { return false };
        let blocks = self.tracker.get(before).is_some_and(|file| file.is_hot && !file.is_drained);
        if !blocks || self.waits_for_itself(index) {
            self.tracker.files[index].after = None;
            return false;
        }
        true
    }

    /// Whether the files that wait for each other form a ring: then none of them would ever be read.
    fn waits_for_itself(&self, index: usize) -> bool {
        let id = self.tracker.files[index].position.id;
        let mut next = self.tracker.files[index].after;
        for _ in 0..RING_MAX {
            match next {
                None => return false,
                Some(before) if before == id => return true,
                Some(before) => next = self.tracker.get(before).and_then(|file| file.after),
            }
        }
        true
    }

    /// Reads a file up to its end or its share.
    async fn turn(&mut self, id: FileId, last_line: LastLine) -> Result<Outcome, Closed> {
        let now = self.clock.monotonic();
        let Some(&index) = self.tracker.by_id.get(&id) else { return Ok(Outcome::Nothing) };
        match self.tracker.look(index, now) {
            Ok(Some(true)) => {}
            Ok(Some(false)) => return Ok(Outcome::Progress),
            Ok(None) => {
                self.flush().await?;
                self.tracker.retire(id, now);
                return Ok(Outcome::Progress);
            }
            Err(error) => {
                self.fail(index, &error);
                return Ok(Outcome::Nothing);
            }
        }
        if self.tracker.files[index].is_drained && last_line == LastLine::Hold {
            return Ok(Outcome::Nothing);
        }
        let start = self.tracker.files[index].position.offset;
        let share_end = start.saturating_add(self.tracker.rules.max_read_bytes);
        let mut want = READ_BYTES;
        while self.tracker.files[index].position.offset < share_end {
            match self.read(index, want) {
                Ok(ReadOutcome::Chunk(chunk)) => match self.take(index, chunk, last_line).await? {
                    Some(more) => want = more,
                    None => break,
                },
                Ok(ReadOutcome::End) => {
                    self.tracker.files[index].is_drained = true;
                    break;
                }
                Ok(ReadOutcome::Replaced) => {
                    self.tracker.replace_at(index, now);
                    return Ok(Outcome::Progress);
                }
                Err(error) => {
                    self.fail(index, &error);
                    break;
                }
            }
        }
        let file = &mut self.tracker.files[index];
        if file.position.offset == start {
            return Ok(Outcome::Nothing);
        }
        file.mark();
        if let Err(error) = self.tracker.refresh_head(index) {
            self.fail(index, &error);
        }
        Ok(Outcome::Progress)
    }

    /// Reads a block at the file's offset, and checks that what is before the offset is what was there.
    fn read(&mut self, index: usize, want: usize) -> std::io::Result<ReadOutcome> {
        let tracked = &self.tracker.files[index];
        let position = &tracked.position;
        let unread = tracked.end().saturating_sub(position.offset);
        let Some(file) = tracked.file.as_ref().filter(|_| unread > 0) else {
            return Ok(ReadOutcome::End);
        };
        let before = position.tail.len as usize;
        let room = before + want;
        let mut block = if room <= BLOCK_BYTES { self.pool.take() } else { BytesMut::zeroed(room) };
        let room = room.min(block.len()).min(before.saturating_add(unread as usize));
        let filled = fill(&**file, position.offset - before as u64, &mut block[..room])?;
        if filled < before || Digest::of(&block[..before]) != position.tail {
            self.pool.give_back(block);
            return Ok(ReadOutcome::Replaced);
        }
        // Truncated and written anew since it was looked at: what was there is in a copy, which comes first.
        let opening = &tracked.opening[..tracked.opening.len().min(filled)];
        if position.offset == 0 && !block[..filled].starts_with(opening) {
            self.pool.give_back(block);
            return Ok(ReadOutcome::Replaced);
        }
        if filled == before {
            self.pool.give_back(block);
            return Ok(ReadOutcome::End);
        }
        let has_more = ((filled - before) as u64) < unread;
        Ok(ReadOutcome::Chunk(Chunk { block, before, filled, has_more }))
    }

    /// Turns a chunk into events. How much to read next, or nothing if the end is reached.
    async fn take(
        &mut self,
        index: usize,
        chunk: Chunk,
        last_line: LastLine,
    ) -> Result<Option<usize>, Closed> {
        let Chunk { block, before, filled, has_more } = chunk;
        let data = &block[before..filled];
        let limit = self.batcher.format().line_bytes_max;
        let next = if has_more { Some(READ_BYTES) } else { None };
        if self.tracker.files[index].position.skipping {
            let end = memchr::memchr(b'\n', data).map(|at| at + 1);
            let position = &mut self.tracker.files[index].position;
            position.skipping = end.is_none();
            let skipped = end.unwrap_or(data.len());
            position.offset += skipped as u64;
            position.tail = Digest::of_tail(&block[..before + skipped]);
            self.touch(index);
            let rest = skipped < data.len();
            self.pool.give_back(block);
            self.tracker.files[index].is_drained = !rest && !has_more;
            return Ok(if rest { Some(READ_BYTES) } else { next });
        }
        match extent(data, limit) {
            Extent::Lines(len) => {
                let partial = data.len() - len;
                self.tracker.files[index].is_drained = !has_more;
                self.emit(index, block, before, len, None).await?;
                // A line that is complete but for its newline, or one that goes on beyond the block.
                let goes_on = partial > 0 && (has_more || last_line == LastLine::Take);
                Ok(if goes_on { Some(READ_BYTES) } else { next })
            }
            Extent::TooLong => {
                self.tracker.files[index].is_drained = !has_more;
                let skip = Some(data.len());
                let len = (limit + 2).min(data.len());
                self.emit(index, block, before, len, skip).await?;
                Ok(next)
            }
            Extent::Partial if has_more => {
                self.pool.give_back(block);
                Ok(Some(limit + 2))
            }
            Extent::Partial if last_line == LastLine::Take => {
                let len = data.len();
                self.tracker.files[index].is_drained = true;
                self.emit(index, block, before, len, None).await?;
                Ok(None)
            }
            Extent::Partial => {
                self.pool.give_back(block);
                self.tracker.files[index].is_drained = true;
                Ok(None)
            }
        }
    }

    /// Makes events of the `len` bytes at the offset. `skip`: they are a line over the limit, and this many
    /// bytes of it were seen.
    async fn emit(
        &mut self,
        index: usize,
        block: BytesMut,
        before: usize,
        len: usize,
        skip: Option<usize>,
    ) -> Result<(), Closed> {
        if self.tracker.files[index].position.stream == 0
            && let Err(error) = self.tracker.name_stream(index)
        {
            self.fail(index, &error);
            self.pool.give_back(block);
            return Ok(());
        }
        let whole = self.pool.share(block, before + skip.unwrap_or(len));
        let position = &self.tracker.files[index].position;
        let offset = position.offset;
        let path = match self.batcher.format().file_key {
            Some(_) => position.path.to_string_lossy().into_owned(),
            None => String::new(),
        };
        let origin = Origin { stream: position.stream, offset };
        let lines = whole.slice(before..before + len);
        let mut lines = LineBlock::new(lines, origin, self.clock.now_ns());
        while !lines.is_done() {
            self.batcher.add(&mut lines, &path);
            let consumed = match skip {
                Some(seen) if lines.is_done() => seen,
                _ => lines.consumed(),
            };
            let position = &mut self.tracker.files[index].position;
            position.offset = offset + consumed as u64;
            position.tail = Digest::of_tail(&whole[..before + consumed]);
            position.skipping = skip.is_some() && lines.is_done();
            self.touch(index);
            if self.batcher.is_full() {
                self.flush().await?;
            }
        }
        Ok(())
    }

    fn touch(&mut self, index: usize) {
        let id = self.tracker.files[index].position.id;
        if self.touched.last() != Some(&id) {
            self.touched.push(id);
        }
    }

    /// After a turn in vain: whether to look again, and whether the file has come to its end for good.
    async fn rest(&mut self, id: FileId) -> Result<(), Closed> {
        let Some(&index) = self.tracker.by_id.get(&id) else { return Ok(()) };
        let now = self.clock.monotonic();
        let file = &mut self.tracker.files[index];
        if self.once {
            file.is_hot = false;
            return Ok(());
        }
        let quiet = now.saturating_sub(file.changed_at);
        let Some(left_at) = file.left_at else {
            file.is_hot = file.is_hot && quiet < HOT_FOR;
            return Ok(());
        };
        if quiet.min(now.saturating_sub(left_at)) < self.tracker.rules.rotate_wait {
            return Ok(());
        }
        // Nobody will complete its last line.
        self.turn(id, LastLine::Take).await?;
        let Some(&index) = self.tracker.by_id.get(&id) else { return Ok(()) };
        let file = &mut self.tracker.files[index];
        file.is_hot = false;
        if file.is_found {
            file.file = None;
            self.tracker.count_open();
        } else {
            self.flush().await?;
            self.tracker.retire(id, now);
        }
        Ok(())
    }

    fn fail(&mut self, index: usize, error: &std::io::Error) {
        let file = &mut self.tracker.files[index];
        file.has_failed = true;
        file.is_hot = false;
        file.file = None;
        self.tracker.meters.error(&file.position.path, error);
        self.tracker.count_open();
    }

    /// Sends what was gathered, with the positions reached.
    async fn flush(&mut self) -> Result<(), Closed> {
        let oversized = self.batcher.take_oversized();
        let tracker = &mut self.tracker;
        tracker.meters.oversized_lines.inc_by(oversized);
        self.touched.append(&mut tracker.announced);
        if self.touched.is_empty() && tracker.forgotten.is_empty() && self.batcher.is_empty() {
            return Ok(());
        }
        let mut positions: Vec<PositionUpdate> = Vec::with_capacity(self.touched.len());
        for stream in tracker.forgotten.drain(..) {
            positions.push(PositionUpdate { stream, position: None });
        }
        for id in self.touched.drain(..) {
            let Some(position) = tracker.get(id).map(|file| &file.position) else { continue };
            if position.stream != 0 {
                let json = Some(position.to_json());
                positions.push(PositionUpdate { stream: position.key(), position: json });
            }
        }
        let (batch, letters) = self.batcher.take();
        if !letters.is_empty() {
            let limit = self.batcher.format().line_bytes_max;
            let reason = format!("line longer than max_line_bytes ({limit} bytes)");
            let letters = dead_letter::convert(letters, &self.component_id, "file", |_| &reason);
            self.output.dead_letter(letters).await?;
        }
        self.output.send(batch, positions).await
    }
}
