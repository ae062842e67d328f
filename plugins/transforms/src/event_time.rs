//! Which time counts: when an event happened, or when it came.

use lograil_event::TIMESTAMP_UNKNOWN;
use lograil_plugin::schemars;
use schemars::JsonSchema;
use serde::Deserialize;

/// Event times further ahead of the clock than this are mistakes: one of them must not move time for all others.
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
    /// The time of an event that comes at `now_ns`; `None` where it claims to lie in the future.
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
