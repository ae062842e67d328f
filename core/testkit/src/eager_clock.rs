//! A clock that never makes anybody wait: for tests in which everything should happen as often as it can.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use lograil_plugin::{BoxFuture, Clock};

/// A clock on which every wait is over after a few turns of the scheduler, and which each wait moves on.
#[derive(Debug, Default)]
pub struct EagerClock(AtomicU64);

impl Clock for EagerClock {
    fn now_ns(&self) -> i64 {
        i64::try_from(self.monotonic().as_nanos()).unwrap_or(i64::MAX)
    }

    fn monotonic(&self) -> Duration {
        Duration::from_nanos(self.0.load(Ordering::Relaxed))
    }

    fn sleep(&self, period: Duration) -> BoxFuture<'static, ()> {
        let ns = u64::try_from(period.as_nanos()).unwrap_or(u64::MAX);
        self.0.fetch_add(ns, Ordering::Relaxed);
        Box::pin(async {
            for _ in 0..8 {
                tokio::task::yield_now().await;
            }
        })
    }
}
