//! Time, as components may see it.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use futures::future::BoxFuture;

/// The clock a component is handed. Tests hand it one that they move by themselves.
pub trait Clock: Send + Sync {
    /// Wall-clock time in nanoseconds since the Unix epoch. May jump, also backwards.
    fn now_ns(&self) -> i64;

    /// Time since some fixed moment; never goes back. For rates, waits and deadlines.
    fn monotonic(&self) -> Duration;

    /// Completes when `monotonic` has advanced by `period`.
    fn sleep(&self, period: Duration) -> BoxFuture<'static, ()>;
}

/// The machine's clock.
#[derive(Debug)]
pub struct SystemClock {
    start: Instant,
}

impl Default for SystemClock {
    fn default() -> Self {
        Self { start: Instant::now() }
    }
}

impl Clock for SystemClock {
    fn now_ns(&self) -> i64 {
        match SystemTime::now().duration_since(UNIX_EPOCH) {
            Ok(since) => i64::try_from(since.as_nanos()).unwrap_or(i64::MAX),
            Err(before) => -i64::try_from(before.duration().as_nanos()).unwrap_or(i64::MAX),
        }
    }

    fn monotonic(&self) -> Duration {
        self.start.elapsed()
    }

    fn sleep(&self, period: Duration) -> BoxFuture<'static, ()> {
        Box::pin(tokio::time::sleep(period))
    }
}
