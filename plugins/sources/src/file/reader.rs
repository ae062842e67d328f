//! Reading the files in turns, and sending what they hold.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use lograil_plugin::dead_letter;
use lograil_plugin::fs::FileId;
use lograil_plugin::{Clock, Closed, PositionUpdate, SourceContext, SourceError, SourceOutput};

use super::family::OldestOfFamilies;
use super::meters::Meters;
use super::options::Checked;
use super::packed::{Unpacking, is_packed};
use super::tracked::{Identity, Tracked};
use super::tracker::Tracker;
use super::turn::{LastLine, Outcome};
use super::wake::{WakeUp, Watching, Woken};
use crate::block_pool::BlockPool;
use crate::line_blocks::LineBatcher;
use crate::multiline::Grouping;

/// First wait after the last line; doubled with every wait in vain.
const WAIT_MIN: Duration = Duration::from_millis(10);
/// Longest wait.
const WAIT_MAX: Duration = Duration::from_secs(1);
/// Least time between two scans that are made because something happened.
const SCAN_SPACING: Duration = Duration::from_millis(50);
/// How long a file is looked at in every round after it last grew; then only scans look at it.
const HOT_FOR: Duration = Duration::from_secs(2);

/// New empty files that may be looked at in every round.
const FEW_FILES: usize = 64;

/// Longest row of files that wait for each other.
const RING_MAX: usize = 64;

/// The source at work.
pub struct Reader {
    pub(super) tracker: Tracker,
    pub(super) grouping: Option<Grouping>,
    pub(super) batcher: LineBatcher,
    pub(super) pool: BlockPool,
    output: SourceOutput,
    wake: WakeUp,
    pub(super) clock: Arc<dyn Clock>,
    component_id: Arc<str>,
    once: bool,
    /// Files to look at in the next round.
    hot: Vec<FileId>,
    /// Files whose lines are in the batch.
    pub(super) touched: Vec<FileId>,
}

impl Reader {
    /// A source that has not yet looked at any file.
    #[must_use]
    pub fn new(checked: Checked, context: SourceContext) -> Self {
        let mut rules = checked.rules;
        rules.once = context.once;
        let clock = Arc::clone(&context.clock);
        let files = Arc::new(Unpacking::new(context.files, clock, context.once));
        let tracker = Tracker::new(
            files,
            checked.globs,
            rules,
            Meters::new(&context.metrics, &context.id),
            &context.positions,
            context.clock.monotonic(),
        );
        Self {
            tracker,
            grouping: checked.grouping,
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
            let period = wait.min(next_scan.saturating_sub(now)).min(self.until_timeout());
            let period = period.max(Duration::from_millis(1));
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

    /// How long until the first open event is taken as it is.
    fn until_timeout(&self) -> Duration {
        let Some(grouping) = &self.grouping else { return Duration::MAX };
        let now = self.clock.monotonic();
        let files = self.hot.iter().filter_map(|id| self.tracker.get(*id));
        let open = files.filter(|file| file.has_open_event);
        let ends = open.map(|file| file.changed_at.saturating_add(grouping.timeout()));
        ends.min().map_or(Duration::MAX, |end| end.saturating_sub(now))
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
        let is_first = self.tracker.is_first_scan;
        let found = self.tracker.scan(now, self.clock.now_ns());
        if is_first && found == 0 {
            let id = &*self.component_id;
            tracing::warn!(component_id = id, "`include` finds no regular file; looking for some");
        }
        self.hot.clear();
        let hot = self.tracker.files.iter().filter(|file| file.is_hot);
        self.hot.extend(hot.map(|file| file.position.id));
    }

    /// Takes the last lines that have no newline.
    async fn finish(&mut self) -> Result<(), Closed> {
        let files = self.tracker.files.iter();
        let unread = files.filter(|file| {
            let is_copy = matches!(file.identity, Identity::PerhapsCopy { .. });
            file.position.offset < file.end() && !is_copy
        });
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
            let is_known = |path: &Path| tracker.is_known(path);
            if let Some(older) = oldest.before(&tracker.files[index], is_known) {
                // The older one is read in this round, and in the next one this; only for the end of its last
                // event time must pass.
                let is_waiting = |file: &Tracked| file.is_drained && file.has_open_event;
                if !tracker.get(older).is_some_and(is_waiting) {
                    outcome = Outcome::Progress;
                }
                continue;
            }
            let brought = match self.turn(id, last_line).await? {
                Outcome::Nothing => self.rest(id).await?,
                Outcome::Progress => Outcome::Progress,
            };
            if brought == Outcome::Progress {
                outcome = Outcome::Progress;
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
        let mut oldest = OldestOfFamilies::new(self.tracker.rules.families);
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
        let (settled, mut new): (Vec<usize>, Vec<usize>) =
            hot.partition(|index| self.tracker.files[**index].identity == Identity::Settled);
        if new.is_empty() {
            return;
        }
        // What a packed file was made from comes first.
        new.sort_by_key(|index| is_packed(&self.tracker.files[*index].position.path));
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
        let blocks = self.tracker.get(before).is_some_and(|file| {
            // Its last event comes first, even if that has to be waited for.
            file.is_hot && (!file.is_drained || file.has_open_event)
        });
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

    /// After a turn in vain: whether to look again, and whether the file has come to its end for good.
    async fn rest(&mut self, id: FileId) -> Result<Outcome, Closed> {
        let Some(&index) = self.tracker.by_id.get(&id) else { return Ok(Outcome::Nothing) };
        let now = self.clock.monotonic();
        let file = &mut self.tracker.files[index];
        if self.once {
            file.is_hot = false;
            // More than is there now is not waited for.
            return if file.has_open_event {
                self.turn(id, LastLine::Take).await
            } else {
                Ok(Outcome::Nothing)
            };
        }
        let quiet = now.saturating_sub(file.changed_at);
        let timeout = self.grouping.as_ref().map_or(Duration::ZERO, Grouping::timeout);
        if file.has_open_event && quiet >= timeout {
            return self.turn(id, LastLine::TakeEvent).await;
        }
        let Some(left_at) = file.left_at else {
            file.is_hot = file.is_hot && (quiet < HOT_FOR || file.has_open_event);
            return Ok(Outcome::Nothing);
        };
        if quiet.min(now.saturating_sub(left_at)) < self.tracker.rules.rotate_wait {
            return Ok(Outcome::Nothing);
        }
        // Nobody will complete its last line.
        let outcome = self.turn(id, LastLine::Take).await?;
        let Some(&index) = self.tracker.by_id.get(&id) else { return Ok(outcome) };
        let file = &mut self.tracker.files[index];
        file.is_hot = false;
        if file.is_found {
            file.file = None;
            self.tracker.count_open();
        } else {
            self.flush().await?;
            self.tracker.retire(id, now);
        }
        Ok(outcome)
    }

    pub(super) fn fail(&mut self, index: usize, error: &std::io::Error) {
        let file = &mut self.tracker.files[index];
        file.has_failed = true;
        file.is_hot = false;
        file.file = None;
        self.tracker.meters.error(&file.position.path, error);
        self.tracker.count_open();
    }

    /// Sends what was gathered, with the positions reached.
    pub(super) async fn flush(&mut self) -> Result<(), Closed> {
        let tracker = &mut self.tracker;
        tracker.meters.lines.count(&mut self.batcher);
        self.touched.append(&mut tracker.announced);
        if self.touched.is_empty()
            && tracker.over.is_empty()
            && tracker.forgotten.is_empty()
            && self.batcher.is_empty()
        {
            return Ok(());
        }
        let mut positions: Vec<PositionUpdate> = Vec::with_capacity(self.touched.len());
        for position in tracker.over.drain(..).filter(|position| position.stream != 0) {
            let json = Some(position.to_json());
            positions.push(PositionUpdate { stream: position.key(), position: json });
        }
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
