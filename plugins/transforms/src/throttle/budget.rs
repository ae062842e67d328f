//! How many more events of a key may pass: the generic cell rate algorithm (ITU-T I.371, annex A), as Vector
//! uses it. A key's state is one number.

use std::time::Duration;

/// Longest window; so that the products below stay within 128 bits by far.
const WINDOW_MAX: Duration = Duration::from_secs(10_000 * 86_400);

/// At most `threshold` events in `window`, exact: times are in ns * threshold, so that an event's share of
/// the window is a whole number.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limit {
    threshold: u128,
    /// What an event uses up, in ns * threshold.
    cost: u128,
}

/// When the budget of a key will be whole again, in ns * threshold.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Budget(u128);

impl Limit {
    /// `None` if the window is empty or too long.
    pub(super) fn new(threshold: u32, window: Duration) -> Option<Self> {
        let is_sound = !window.is_zero() && window <= WINDOW_MAX;
        is_sound.then(|| Self { threshold: threshold.into(), cost: window.as_nanos() })
    }

    /// Whether one more event may pass at `now_ns`; if so, it is paid for.
    pub(super) fn takes(&self, budget: &mut Budget, now_ns: u128) -> bool {
        let now = now_ns * self.threshold;
        let whole_at = budget.0.max(now) + self.cost;
        let passes = whole_at - now <= self.cost * self.threshold;
        if passes {
            budget.0 = whole_at;
        }
        passes
    }

    /// How long after `now_ns` one more event may pass.
    pub(super) fn wait(&self, budget: &Budget, now_ns: u128) -> Duration {
        let now = now_ns * self.threshold;
        let excess =
            (budget.0.max(now) + self.cost - now).saturating_sub(self.cost * self.threshold);
        let wait_ns = excess.div_ceil(self.threshold);
        Duration::from_nanos(u64::try_from(wait_ns).unwrap_or(u64::MAX))
    }

    /// How much longer than until `now_ns` it takes for the budget to be whole, in ns * threshold.
    pub(super) fn rest(&self, budget: &Budget, now_ns: u128) -> u128 {
        budget.0.saturating_sub(now_ns * self.threshold)
    }

    /// The budget that a rest had become after `away_ns`; `None` if it is whole again.
    pub(super) fn after(&self, rest: u128, away_ns: u128, now_ns: u128) -> Option<Budget> {
        let rest = rest.min(self.cost * self.threshold).saturating_sub(away_ns * self.threshold);
        (rest > 0).then(|| Budget(now_ns * self.threshold + rest))
    }

    /// The window.
    pub(super) fn window(&self) -> Duration {
        Duration::from_nanos(u64::try_from(self.cost).unwrap_or(u64::MAX))
    }
}
