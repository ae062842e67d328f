//! Which time counts: when an event happened, or when it came.

use lograil_event::TIMESTAMP_UNKNOWN;
use lograil_plugin::schemars;
use schemars::JsonSchema;
use serde::Deserialize;

/// Event times further ahead of the clock than this are mistakes, and tell nothing about when the event happened.
const AHEAD_MAX_NS: i64 = 3_600_000_000_000;

/// Which time counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum TimeSource {
    /// When the event happened, as `parse` found it; where that is not known, when it came.
    #[default]
    Event,
    /// When the event came.
    Arrival,
}

impl TimeSource {
    /// The time of an event that comes at `now_ns`; `None` where it claims to lie far in the future.
    #[inline]
    pub(crate) fn of(self, timestamp_ns: i64, now_ns: i64) -> Option<i64> {
        match self {
            Self::Event if timestamp_ns != TIMESTAMP_UNKNOWN => {
                (timestamp_ns <= now_ns.saturating_add(AHEAD_MAX_NS)).then_some(timestamp_ns)
            }
            _ => Some(now_ns),
        }
    }
}

/// How far time has come, by the events so far.
///
/// **Invariant:** no event moves time beyond the clock: one that is ahead would do so for all others.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Progress {
    /// The newest time of an event, and when it came.
    newest: Option<(i64, i64)>,
}

impl Progress {
    /// The time of an event that comes at `now_ns`: that at the most, and that of the newest one where it claims to lie
    /// far in the future.
    #[inline]
    pub(crate) fn time_of(&mut self, source: TimeSource, timestamp_ns: i64, now_ns: i64) -> i64 {
        let newest = self.newest.map_or(now_ns, |(time, _)| time);
        let time_ns = source.of(timestamp_ns, now_ns).unwrap_or(newest).min(now_ns);
        if self.newest.is_none_or(|(newest, _)| time_ns >= newest) {
            self.newest = Some((time_ns, now_ns));
        }
        time_ns
    }

    /// What time it is by the events while none comes, as long as they come within `late_max_ns` of when they
    /// happen: in a backlog the clock says nothing.
    pub(crate) fn time_at(&self, now_ns: i64, late_max_ns: i64) -> Option<i64> {
        let (newest_ns, came_ns) = self.newest?;
        let late_ns = came_ns.saturating_sub(newest_ns).max(0);
        (late_ns < late_max_ns).then(|| now_ns.saturating_sub(late_ns))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: i64 = 1_000_000_000;

    #[test]
    fn the_future_moves_nothing_and_a_backlog_stands_still() {
        let mut progress = Progress::default();
        let source = TimeSource::Event;
        let now = 1_000_000 * SECOND;
        assert_eq!(progress.time_of(source, now - 3 * SECOND, now), now - 3 * SECOND);
        assert_eq!(progress.time_of(source, now + 7200 * SECOND, now), now - 3 * SECOND);
        assert_eq!(progress.time_of(source, now - 9 * SECOND, now), now - 9 * SECOND);
        assert_eq!(progress.time_at(now + SECOND, 10 * SECOND), Some(now - 2 * SECOND));
        assert_eq!(progress.time_at(now + SECOND, 2 * SECOND), None);
        assert_eq!(progress.time_of(source, now + 3540 * SECOND, now), now);
        assert_eq!(progress.time_at(now + SECOND, SECOND), Some(now + SECOND));
        assert_eq!(progress.time_of(source, TIMESTAMP_UNKNOWN, now), now);
        assert_eq!(progress.time_of(TimeSource::Arrival, 5, now), now);
        assert_eq!(Progress::default().time_at(now, SECOND), None);
    }
}
