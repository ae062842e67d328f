//! When a file is full, and which of its backups may go.

use std::io;
use std::time::Duration;

use lograil_plugin::FileSystem;

use super::slots::Slots;

/// How long a file outlives its count, so that a checkpoint that names it can be followed by the next one:
/// once to twice this. Checkpoints are written more often.
const CHECKPOINT_LAG: Duration = Duration::from_secs(1);

/// Most backups that are kept for that reason; each rotation renames all of them.
const SURPLUS_SLOTS_MAX: u32 = 128;

/// The options of rotation, checked.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Rotate {
    pub(super) max_bytes: Option<u64>,
    /// Backups that are kept.
    pub(super) max_files: u32,
    /// Nanoseconds of a period.
    pub(super) interval_ns: Option<i64>,
}

impl Rotate {
    /// Whether files are rotated at all. Otherwise what has the name of a backup is somebody else's.
    pub(super) fn is_on(&self) -> bool {
        self.max_bytes.is_some() || self.interval_ns.is_some()
    }

    /// The period of the wall clock that a time lies in. Periods start at multiples of the interval since
    /// 1970 UTC, so that `1d` turns at midnight and a restart does not shift it.
    fn period(&self, now_ns: i64) -> i64 {
        self.interval_ns.map_or(0, |interval| now_ns.div_euclid(interval))
    }
}

/// What rotation remembers from batch to batch.
#[derive(Debug, Clone, Copy)]
pub(super) struct Schedule {
    period: i64,
    retry_at: Duration,
    /// The slots of the files that were open at two commits of the past, the later one less than
    /// [`CHECKPOINT_LAG`] ago. The checkpoint may still be of the earlier, and what it names must be there
    /// after a crash.
    committed_slots: [u32; 2],
    committed_at: Duration,
    /// The highest slot that a file of ours may be in.
    highest_slot: u32,
    /// The same as of the last rotation, for the state: a commit alone must not change that.
    pub(super) oldest_slot: u32,
    /// Whether there may be more backups than asked for.
    surplus: bool,
}

impl Schedule {
    pub(super) fn starting(rotate: &Rotate, modified_ns: i64, oldest_slot: u32) -> Self {
        Self {
            period: rotate.period(modified_ns),
            retry_at: Duration::ZERO,
            committed_slots: [0; 2],
            committed_at: Duration::ZERO,
            highest_slot: oldest_slot,
            oldest_slot,
            surplus: oldest_slot > 0,
        }
    }

    /// Whether the wall clock has left the period in which the file was last begun or written to.
    pub(super) fn is_due(&mut self, rotate: &Rotate, now_ns: i64, len: u64) -> bool {
        let period = rotate.period(now_ns);
        // A clock that jumped back must not put the next rotation off until it has caught up again.
        if len == 0 || period < self.period {
            self.period = period;
        }
        period > self.period
    }

    /// Whether enough time went by since a rotation failed.
    pub(super) fn may_try(&self, now: Duration) -> bool {
        now >= self.retry_at
    }

    pub(super) fn failed(&mut self, retry_at: Duration) {
        self.retry_at = retry_at;
    }

    /// Takes note of a rotation that filled the slots up to `filled`.
    pub(super) fn rotated(&mut self, rotate: &Rotate, now_ns: i64, filled: u32) {
        self.period = rotate.period(now_ns);
        self.committed_slots = self.committed_slots.map(|slot| slot.saturating_add(1));
        self.highest_slot = self.highest_slot.max(filled);
        self.oldest_slot = self.highest_slot;
        self.surplus = true;
    }

    /// Goes back to a mark, except that older backups stay where rotations have put them since.
    pub(super) fn return_to(&mut self, mark: &Self) {
        let surplus = self.surplus || mark.surplus;
        let Self { highest_slot, oldest_slot, .. } = *self;
        *self = Self { highest_slot, oldest_slot, surplus, ..*mark };
    }

    /// The highest slot that must be there after the next rotation. More than `max_files` only while many
    /// rotations fall between two checkpoints, or into the batch that began `batch_rotations` ago: it may
    /// have to be undone.
    pub(super) fn limit(&self, rotate: &Rotate, batch_rotations: u32) -> u32 {
        let checkpoint = self.committed_slots[1].saturating_add(1).min(SURPLUS_SLOTS_MAX);
        rotate.max_files.max(checkpoint).max(batch_rotations.saturating_add(1))
    }

    /// Takes note of a commit, and removes the backups that had to outlive the last ones.
    pub(super) fn committed(
        &mut self,
        files: &dyn FileSystem,
        slots: &Slots,
        rotate: &Rotate,
        now: Duration,
    ) -> io::Result<()> {
        if now >= self.committed_at + CHECKPOINT_LAG {
            self.committed_slots = [0, self.committed_slots[0]];
            self.committed_at = now;
        }
        if self.surplus { self.remove_surplus(files, slots, rotate) } else { Ok(()) }
    }

    /// The highest slot that the checkpoint may name: what is in it must stay as it is.
    pub(super) fn fixed_slot(&self) -> u32 {
        self.committed_slots[1].max(self.committed_slots[0])
    }

    /// Takes it that the checkpoint may name any file up to this slot.
    pub(super) fn protect(&mut self, slot: u32) {
        self.committed_slots = [slot; 2];
        self.highest_slot = self.highest_slot.max(slot);
        self.surplus = slot > 0;
    }

    /// Makes room on a full disk: it is worse to stand still than to see some events twice after a crash.
    pub(super) fn give_way(
        &mut self,
        files: &dyn FileSystem,
        slots: &Slots,
        rotate: &Rotate,
    ) -> io::Result<()> {
        self.committed_slots = [0; 2];
        if self.surplus { self.remove_surplus(files, slots, rotate) } else { Ok(()) }
    }

    fn remove_surplus(
        &mut self,
        files: &dyn FileSystem,
        slots: &Slots,
        rotate: &Rotate,
    ) -> io::Result<()> {
        if !rotate.is_on() {
            return Ok(());
        }
        let kept = rotate.max_files.max(self.committed_slots[1]);
        let mut slot = kept.saturating_add(1);
        loop {
            if slots.is_taken(files, slot)? {
                slots.remove(files, slot)?;
            } else if slot > self.highest_slot {
                break;
            }
            slot = slot.saturating_add(1);
        }
        self.highest_slot = self.highest_slot.min(kept);
        self.surplus = kept > rotate.max_files;
        Ok(())
    }
}
