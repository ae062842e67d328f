//! When events fall due: event `n` at `n / rate` after the start, in whole numbers, so that nothing drifts.

use std::time::Duration;

use super::options::Rate;

/// How far behind its schedule the source may be and still catch up; what fell due earlier is skipped.
pub(super) const BACKLOG_MAX: Duration = Duration::from_secs(10);

/// The shortest wait: above a thousand events a second, what falls due in this time goes out together.
const TICK: Duration = Duration::from_millis(4);

/// Events a second times this are whole numbers, so that rates with nine decimals are exact.
const PARTS: u64 = 1_000_000_000;

/// Nanoseconds a second times [`PARTS`].
const NANOSECOND_PARTS: u64 = 1_000_000_000 * PARTS;

/// The moments `n / rate`, one after the other, in nanoseconds rounded down.
#[derive(Debug, Clone)]
pub(super) struct Ticks {
    /// `n` of the next moment.
    index: u64,
    /// The next moment.
    ns: u64,
    /// What rounding took from it, in units of 1 / `rate`.
    rest: u64,
    step_ns: u64,
    step_rest: u64,
    /// Events a second times [`PARTS`].
    rate: u64,
}

impl Ticks {
    /// The moments of a rate, from the start.
    pub(super) fn new(per_second: f64) -> Self {
        // Options allow 0.001 to 1e9, which is 1e6 to 1e18 here.
        let rate = ((per_second * PARTS as f64).round() as u64).clamp(1, NANOSECOND_PARTS);
        let (step_ns, step_rest) = (NANOSECOND_PARTS / rate, NANOSECOND_PARTS % rate);
        Self { index: 0, ns: 0, rest: 0, step_ns, step_rest, rate }
    }

    /// The next moment; moves on.
    #[inline]
    pub(super) fn advance(&mut self) -> u64 {
        let due = self.ns;
        self.index += 1;
        self.ns += self.step_ns;
        self.rest += self.step_rest;
        if self.rest >= self.rate {
            self.rest -= self.rate;
            self.ns += 1;
        }
        due
    }

    /// How many of the coming moments are not after `elapsed_ns`.
    fn due(&self, elapsed_ns: u64) -> u64 {
        let parts = (u128::from(elapsed_ns) + 1) * u128::from(self.rate);
        let due = parts.div_ceil(u128::from(NANOSECOND_PARTS));
        u64::try_from(due).unwrap_or(u64::MAX).saturating_sub(self.index)
    }

    /// Passes over the next `events` moments.
    fn skip(&mut self, events: u64) {
        self.index += events;
        let parts = u128::from(self.index) * u128::from(NANOSECOND_PARTS);
        self.ns = (parts / u128::from(self.rate)) as u64;
        self.rest = (parts % u128::from(self.rate)) as u64;
    }
}

/// Says how many events are due and how long to wait for the next. Knows no clock: it is told the time.
#[derive(Debug)]
pub(super) struct Schedule {
    start: Duration,
    /// `None`: unlimited.
    ticks: Option<Ticks>,
    skipped: u64,
}

impl Schedule {
    /// A schedule whose first event is due at `start`.
    pub(super) fn new(rate: Rate, start: Duration) -> Self {
        let ticks = match rate {
            Rate::PerSecond(rate) => Some(Ticks::new(rate)),
            Rate::Unlimited => None,
        };
        Self { start, ticks, skipped: 0 }
    }

    /// How many events are due at `now`. What has been due for longer than [`BACKLOG_MAX`] is skipped, all but
    /// one event: a rate below one event per `BACKLOG_MAX` is kept too.
    pub(super) fn due(&mut self, now: Duration) -> u64 {
        let elapsed_ns = nanoseconds(now.saturating_sub(self.start));
        let Some(ticks) = &mut self.ticks else { return u64::MAX };
        let due = ticks.due(elapsed_ns);
        let Some(forgotten_ns) = elapsed_ns.checked_sub(nanoseconds(BACKLOG_MAX) + 1) else {
            return due;
        };
        let skipped = ticks.due(forgotten_ns).min(due.saturating_sub(1));
        if skipped > 0 {
            ticks.skip(skipped);
            self.skipped += skipped;
        }
        due - skipped
    }

    /// How long from `now` until there is enough due to be worth a batch.
    pub(super) fn wait(&self, now: Duration) -> Duration {
        let Some(ticks) = &self.ticks else { return Duration::ZERO };
        let until_next = (self.start + Duration::from_nanos(ticks.ns)).saturating_sub(now);
        let is_dense = ticks.step_ns < 1_000_000;
        if is_dense { until_next.max(TICK) } else { until_next }
    }

    /// The moments of the coming events after the start; `None` when the rate is unlimited.
    pub(super) fn ticks(&mut self) -> Option<&mut Ticks> {
        self.ticks.as_mut()
    }

    /// The moments of the next `events` events are over, although nobody asked for them.
    pub(super) fn pass(&mut self, events: u64) {
        if let Some(ticks) = &mut self.ticks {
            ticks.skip(events);
        }
    }

    /// The start in nanoseconds of monotonic time.
    pub(super) fn start_ns(&self) -> u64 {
        nanoseconds(self.start)
    }

    /// How many events were skipped since the last call.
    pub(super) fn take_skipped(&mut self) -> u64 {
        std::mem::take(&mut self.skipped)
    }
}

fn nanoseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drain(schedule: &mut Schedule, now: Duration) -> u64 {
        let due = schedule.due(now);
        schedule.pass(due);
        due
    }

    #[test]
    fn counts_are_exact_over_ten_minutes_at_every_rate() {
        for rate in [0.1, 1.0, 3.7, 333.0, 999_983.0, 1_000_000.0, 7_500_000.5] {
            let start = Duration::from_nanos(123_456_789);
            let mut schedule = Schedule::new(Rate::PerSecond(rate), start);
            let (mut now, mut events) = (start, 0);
            // Odd steps, as a busy machine makes them.
            for step in 0_u64.. {
                events += drain(&mut schedule, now);
                let expected = (now - start).as_secs_f64() * rate;
                // Moments are rounded down to the nanosecond; the rest is for the float.
                let tolerance = 1.0 + rate / 1e9 + 1e-6;
                assert!(
                    (events as f64 - expected).abs() <= tolerance,
                    "{rate}/s at {now:?}: {events}"
                );
                if now - start >= Duration::from_secs(600) {
                    break;
                }
                let pause = schedule.wait(now) + Duration::from_micros(step * 7919 % 3000);
                now = (now + pause).min(start + Duration::from_secs(600));
            }
            assert_eq!(schedule.take_skipped(), 0);
        }
    }

    #[test]
    fn advancing_one_by_one_gives_the_same_moments_as_skipping() {
        for rate in [0.1, 3.0, 333.333, 1_000_000.0, 999_999_937.0] {
            let mut walked = Ticks::new(rate);
            let mut jumped = Ticks::new(rate);
            for _ in 0..10_000 {
                walked.advance();
            }
            jumped.skip(10_000);
            assert_eq!((walked.ns, walked.rest), (jumped.ns, jumped.rest));
            assert_eq!(walked.due(walked.ns), 1, "{rate}");
            assert_eq!(walked.due(walked.ns - 1), 0, "{rate}");
        }
    }

    #[test]
    fn a_pause_is_caught_up_to_the_bound_and_the_rest_is_skipped() {
        let mut schedule = Schedule::new(Rate::PerSecond(100.0), Duration::ZERO);
        assert_eq!(drain(&mut schedule, Duration::from_secs(1)), 101);
        assert_eq!(drain(&mut schedule, Duration::from_secs(11)), 1000);
        assert_eq!(schedule.take_skipped(), 0);
        assert_eq!(drain(&mut schedule, Duration::from_secs(3611)), 1001);
        assert_eq!(schedule.take_skipped(), 360_000 - 1001);
        assert_eq!(drain(&mut schedule, Duration::from_secs(3612)), 100);
    }

    #[test]
    fn a_rate_slower_than_the_bound_keeps_its_event() {
        let mut schedule = Schedule::new(Rate::PerSecond(0.01), Duration::ZERO);
        assert_eq!(drain(&mut schedule, Duration::ZERO), 1);
        assert_eq!(schedule.wait(Duration::ZERO), Duration::from_secs(100));
        assert_eq!(drain(&mut schedule, Duration::from_secs(150)), 1);
        assert_eq!(schedule.take_skipped(), 0);
    }

    #[test]
    fn dense_rates_wait_for_a_batch_and_sparse_ones_for_the_event() {
        let mut dense = Schedule::new(Rate::PerSecond(1e6), Duration::ZERO);
        drain(&mut dense, Duration::ZERO);
        assert_eq!(dense.wait(Duration::ZERO), TICK);
        let mut sparse = Schedule::new(Rate::PerSecond(250.0), Duration::ZERO);
        drain(&mut sparse, Duration::ZERO);
        assert_eq!(sparse.wait(Duration::from_millis(1)), Duration::from_millis(3));
    }
}
