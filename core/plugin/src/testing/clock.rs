//! A clock that stands still until a test moves it.

use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use crate::{BoxFuture, Clock};
use tokio::sync::Notify;

/// How often a task gives way so that the others of its thread come to rest.
const YIELDS_TO_SETTLE: usize = 64;

/// Where wall-clock time starts: 2026-01-01T00:00:00Z.
const WALL_START_NS: i64 = 1_767_225_600_000_000_000;

/// Wall-clock and monotonic time, both moved by the test. Clones are the same clock.
#[derive(Debug, Clone)]
pub struct ManualClock(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    state: Mutex<State>,
    asleep: Notify,
}

#[derive(Debug)]
struct State {
    wall_ns: i64,
    monotonic: Duration,
    next_id: u64,
    /// Sleeps that were polled and not yet completed, by deadline.
    sleeps: BTreeMap<(Duration, u64), Waker>,
}

impl Default for ManualClock {
    fn default() -> Self {
        Self::at(WALL_START_NS)
    }
}

impl ManualClock {
    /// A clock at 2026-01-01T00:00:00Z.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// A clock whose wall-clock time starts at `wall_ns`.
    #[must_use]
    pub fn at(wall_ns: i64) -> Self {
        let state =
            State { wall_ns, monotonic: Duration::ZERO, next_id: 0, sleeps: BTreeMap::new() };
        Self(Arc::new(Shared { state: Mutex::new(state), asleep: Notify::new() }))
    }

    /// The same clock, as components are handed it.
    #[must_use]
    pub fn shared(&self) -> Arc<dyn Clock> {
        Arc::new(self.clone())
    }

    /// Moves both times on and completes the sleeps that are due.
    pub fn advance(&self, period: Duration) {
        let mut state = self.0.lock();
        let to = state.monotonic + period;
        state.move_to(to);
        wake_due(state);
    }

    /// Sets wall-clock time alone, also backwards; no sleep notices.
    pub fn set_wall(&self, now_ns: i64) {
        self.0.lock().wall_ns = now_ns;
    }

    /// Moves wall-clock time alone, also backwards; no sleep notices.
    pub fn jump_wall(&self, by_ns: i64) {
        let mut state = self.0.lock();
        state.wall_ns = state.wall_ns.saturating_add(by_ns);
    }

    /// How many sleeps somebody waits for now, and when (monotonic) the first of them ends.
    #[must_use]
    pub fn waiting(&self) -> (usize, Option<Duration>) {
        let state = self.0.lock();
        (state.sleeps.len(), state.sleeps.keys().next().map(|(deadline, _)| *deadline))
    }

    /// Waits until somebody sleeps and everybody else on this thread is at rest, moves time to the end of
    /// the first sleep, and lets those it woke run. How far time moved.
    pub async fn advance_to_next_sleep(&self) -> Duration {
        settle().await;
        loop {
            let asleep = self.0.asleep.notified();
            let moved = {
                let mut state = self.0.lock();
                let before = state.monotonic;
                let next = state.sleeps.keys().next().map(|(deadline, _)| *deadline);
                next.map(|deadline| {
                    state.move_to(deadline);
                    wake_due(state);
                    deadline.saturating_sub(before)
                })
            };
            if let Some(moved) = moved {
                settle().await;
                return moved;
            }
            asleep.await;
        }
    }
}

/// Gives way until the other tasks of a current-thread runtime have come to rest.
pub async fn settle() {
    for _ in 0..YIELDS_TO_SETTLE {
        tokio::task::yield_now().await;
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn move_to(&mut self, monotonic: Duration) {
        let by = monotonic.saturating_sub(self.monotonic);
        self.monotonic = self.monotonic.max(monotonic);
        self.wall_ns =
            self.wall_ns.saturating_add(i64::try_from(by.as_nanos()).unwrap_or(i64::MAX));
    }
}

/// Wakes the sleeps that are due, in the order of their deadlines, with the lock released.
fn wake_due(mut state: MutexGuard<'_, State>) {
    let now = state.monotonic;
    let later = state.sleeps.split_off(&(now + Duration::from_nanos(1), 0));
    let due = std::mem::replace(&mut state.sleeps, later);
    drop(state);
    for waker in due.into_values() {
        waker.wake();
    }
}

impl Clock for ManualClock {
    fn now_ns(&self) -> i64 {
        self.0.lock().wall_ns
    }

    fn monotonic(&self) -> Duration {
        self.0.lock().monotonic
    }

    fn sleep(&self, period: Duration) -> BoxFuture<'static, ()> {
        let mut state = self.0.lock();
        let id = state.next_id;
        state.next_id += 1;
        let deadline = state.monotonic.saturating_add(period);
        drop(state);
        Box::pin(Sleep { shared: Arc::clone(&self.0), key: (deadline, id) })
    }
}

struct Sleep {
    shared: Arc<Shared>,
    key: (Duration, u64),
}

impl Future for Sleep {
    type Output = ();

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let mut state = self.shared.lock();
        if state.monotonic >= self.key.0 {
            return Poll::Ready(());
        }
        state.sleeps.insert(self.key, context.waker().clone());
        drop(state);
        self.shared.asleep.notify_waiters();
        Poll::Pending
    }
}

impl Drop for Sleep {
    fn drop(&mut self) {
        self.shared.lock().sleeps.remove(&self.key);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn on_one_thread<T>(test: impl Future<Output = T>) -> T {
        tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(test)
    }

    #[test]
    fn a_sleep_ends_when_monotonic_time_reaches_it_and_no_sooner() {
        on_one_thread(async {
            let clock = ManualClock::new();
            let task = tokio::spawn(clock.sleep(Duration::from_secs(5)));
            settle().await;
            assert_eq!(clock.waiting(), (1, Some(Duration::from_secs(5))));
            clock.advance(Duration::from_millis(4999));
            settle().await;
            assert!(!task.is_finished());
            clock.jump_wall(3_600_000_000_000);
            settle().await;
            assert!(!task.is_finished());
            clock.advance(Duration::from_millis(1));
            task.await.unwrap();
            assert_eq!(clock.waiting(), (0, None));
        });
    }

    #[test]
    fn wall_time_jumps_backwards_while_monotonic_time_does_not() {
        let clock = ManualClock::at(1_000);
        clock.advance(Duration::from_nanos(500));
        assert_eq!(clock.now_ns(), 1_500);
        clock.set_wall(-7);
        assert_eq!((clock.now_ns(), clock.monotonic()), (-7, Duration::from_nanos(500)));
    }

    #[test]
    fn advances_from_sleep_to_sleep() {
        on_one_thread(async {
            let clock = ManualClock::new();
            let own = clock.clone();
            let task = tokio::spawn(async move {
                own.sleep(Duration::from_secs(1)).await;
                own.sleep(Duration::from_secs(2)).await;
                own.monotonic()
            });
            assert_eq!(clock.advance_to_next_sleep().await, Duration::from_secs(1));
            assert_eq!(clock.advance_to_next_sleep().await, Duration::from_secs(2));
            assert_eq!(task.await.unwrap(), Duration::from_secs(3));
        });
    }

    #[test]
    fn a_dropped_sleep_waits_no_more() {
        on_one_thread(async {
            let clock = ManualClock::new();
            let task = tokio::spawn(clock.sleep(Duration::from_secs(1)));
            settle().await;
            task.abort();
            settle().await;
            assert_eq!(clock.waiting(), (0, None));
        });
    }
}
