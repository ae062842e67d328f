//! When events fall due: event `n` at `n / rate` after the start, in whole numbers, so that nothing drifts.

use std::time::Duration;

use super::bursts::Bursts;
use super::rate::Rate;

/// How far behind its schedule the source may be and still catch up; what fell due earlier is skipped.
pub(super) const BACKLOG_MAX: Duration = Duration::from_secs(10);

/// The shortest wait: above a thousand events a second, what falls due in this time goes out together.
const TICK: Duration = Duration::from_millis(4);

/// Events a second times this are whole numbers, so that rates with nine decimals are exact.
const PARTS: u64 = 1_000_000_000;

/// Nanoseconds a second times [`PARTS`].
const NANOSECOND_PARTS: u64 = 1_000_000_000 * PARTS;

/// Evenly spaced moments, one after the other, in nanoseconds rounded down: `n / rate`, or `n` intervals.
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
    /// Moments in `span_ns`.
    rate: u64,
    span_ns: u64,
}

impl Ticks {
    /// The moments of a rate, from the start.
    pub(super) fn new(per_second: f64) -> Self {
        // Options allow 0.001 to 1e9, which is 1e6 to 1e18 here.
        let rate = ((per_second * PARTS as f64).round() as u64).clamp(1, NANOSECOND_PARTS);
        Self::spaced(NANOSECOND_PARTS, rate)
    }

    /// A moment every so often, from the start.
    pub(super) fn every(interval: Duration) -> Self {
        Self::spaced(nanoseconds(interval).max(1), 1)
    }

    fn spaced(span_ns: u64, rate: u64) -> Self {
        let (step_ns, step_rest) = (span_ns / rate, span_ns % rate);
        Self { index: 0, ns: 0, rest: 0, step_ns, step_rest, rate, span_ns }
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
        let due = parts.div_ceil(u128::from(self.span_ns));
        u64::try_from(due).unwrap_or(u64::MAX).saturating_sub(self.index)
    }

    /// Passes over the next `events` moments.
    fn skip(&mut self, events: u64) {
        self.index += events;
        let parts = u128::from(self.index) * u128::from(self.span_ns);
        self.ns = (parts / u128::from(self.rate)) as u64;
        self.rest = (parts % u128::from(self.rate)) as u64;
    }
}

/// The moments of events after a start: evenly spaced, closer together during bursts.
#[derive(Debug, Clone)]
pub(super) struct Moments {
    /// Even time, where there are bursts.
    ticks: Ticks,
    bursts: Option<Bursts>,
}

impl Moments {
    /// The moments of a rate; `None` when it is unlimited.
    pub(super) fn new(rate: Rate, bursts: Option<Bursts>) -> Option<Self> {
        let ticks = match rate {
            Rate::PerSecond(rate) => Ticks::new(rate),
            Rate::Every(interval) => Ticks::every(interval),
            Rate::Unlimited => return None,
        };
        Some(Self { ticks, bursts })
    }

    /// The next moment; moves on.
    #[inline]
    pub(super) fn advance(&mut self) -> u64 {
        let due = self.ticks.advance();
        match &mut self.bursts {
            None => due,
            Some(bursts) => bursts.real_at(due),
        }
    }

    /// How many of the coming moments are not after `elapsed_ns`.
    fn due(&self, elapsed_ns: u64) -> u64 {
        // A burst is looked at from where the events are, which may be behind.
        let even_ns =
            self.bursts.clone().map_or(elapsed_ns, |mut bursts| bursts.even_at(elapsed_ns));
        self.ticks.due(even_ns)
    }

    fn skip(&mut self, events: u64) {
        self.ticks.skip(events);
        if let Some(bursts) = &mut self.bursts {
            bursts.real_at(self.ticks.ns);
        }
    }

    /// The next moment, and the time from one to the next around it.
    fn next(&self) -> (u64, u64) {
        match self.bursts.clone() {
            None => (self.ticks.ns, self.ticks.step_ns),
            Some(mut bursts) => {
                let next_ns = bursts.real_at(self.ticks.ns);
                (next_ns, (self.ticks.step_ns as f64 / bursts.factor()) as u64)
            }
        }
    }
}

/// Says how many events are due and how long to wait for the next. Knows no clock: it is told the time.
#[derive(Debug)]
pub(super) struct Schedule {
    start: Duration,
    /// `None`: unlimited.
    moments: Option<Moments>,
    skipped: u64,
}

impl Schedule {
    /// A schedule whose first event is due at `start`.
    pub(super) fn new(moments: Option<Moments>, start: Duration) -> Self {
        Self { start, moments, skipped: 0 }
    }

    /// How many events are due at `now`. What has been due for longer than [`BACKLOG_MAX`] is skipped, all but
    /// one event: a rate below one event per `BACKLOG_MAX` is kept too.
    pub(super) fn due(&mut self, now: Duration) -> u64 {
        let elapsed_ns = nanoseconds(now.saturating_sub(self.start));
        let Some(moments) = &mut self.moments else { return u64::MAX };
        let due = moments.due(elapsed_ns);
        let Some(forgotten_ns) = elapsed_ns.checked_sub(nanoseconds(BACKLOG_MAX) + 1) else {
            return due;
        };
        let skipped = moments.due(forgotten_ns).min(due.saturating_sub(1));
        if skipped > 0 {
            moments.skip(skipped);
            self.skipped += skipped;
        }
        due - skipped
    }

    /// How long from `now` until there is enough due to be worth a batch.
    pub(super) fn wait(&self, now: Duration) -> Duration {
        let Some(moments) = &self.moments else { return Duration::ZERO };
        let (next_ns, spacing_ns) = moments.next();
        let until_next = (self.start + Duration::from_nanos(next_ns)).saturating_sub(now);
        let is_dense = spacing_ns < 1_000_000;
        if is_dense { until_next.max(TICK) } else { until_next }
    }

    /// The moments of the coming events after the start; `None` when the rate is unlimited.
    pub(super) fn moments(&mut self) -> Option<&mut Moments> {
        self.moments.as_mut()
    }

    /// The moments of the next `events` events are over, although nobody asked for them.
    pub(super) fn pass(&mut self, events: u64) {
        if let Some(moments) = &mut self.moments {
            moments.skip(events);
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
    use super::super::options::BurstOptions;
    use super::*;

    fn schedule(rate: f64, start: Duration) -> Schedule {
        Schedule::new(Moments::new(Rate::PerSecond(rate), None), start)
    }

    fn drain(schedule: &mut Schedule, now: Duration) -> u64 {
        let due = schedule.due(now);
        schedule.pass(due);
        due
    }

    #[test]
    fn counts_are_exact_over_ten_minutes_at_every_rate() {
        for rate in [0.1, 1.0, 3.7, 333.0, 999_983.0, 1_000_000.0, 7_500_000.5] {
            let start = Duration::from_nanos(123_456_789);
            let mut schedule = schedule(rate, start);
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
        let mut schedule = schedule(100.0, Duration::ZERO);
        assert_eq!(drain(&mut schedule, Duration::from_secs(1)), 101);
        assert_eq!(drain(&mut schedule, Duration::from_secs(11)), 1000);
        assert_eq!(schedule.take_skipped(), 0);
        assert_eq!(drain(&mut schedule, Duration::from_secs(3611)), 1001);
        assert_eq!(schedule.take_skipped(), 360_000 - 1001);
        assert_eq!(drain(&mut schedule, Duration::from_secs(3612)), 100);
    }

    #[test]
    fn a_rate_slower_than_the_bound_keeps_its_event() {
        let mut schedule = schedule(0.01, Duration::ZERO);
        assert_eq!(drain(&mut schedule, Duration::ZERO), 1);
        assert_eq!(schedule.wait(Duration::ZERO), Duration::from_secs(100));
        assert_eq!(drain(&mut schedule, Duration::from_secs(150)), 1);
        assert_eq!(schedule.take_skipped(), 0);
    }

    #[test]
    fn dense_rates_wait_for_a_batch_and_sparse_ones_for_the_event() {
        let mut dense = schedule(1e6, Duration::ZERO);
        drain(&mut dense, Duration::ZERO);
        assert_eq!(dense.wait(Duration::ZERO), TICK);
        let mut sparse = schedule(250.0, Duration::ZERO);
        drain(&mut sparse, Duration::ZERO);
        assert_eq!(sparse.wait(Duration::from_millis(1)), Duration::from_millis(3));
    }

    #[test]
    fn an_interval_is_kept_to_the_nanosecond_for_ever() {
        let every = Moments::new(Rate::Every(Duration::from_secs(3)), None);
        let mut schedule = Schedule::new(every, Duration::ZERO);
        let years = Duration::from_secs(3 * 30_000_000);
        schedule.pass(30_000_000);
        assert_eq!(schedule.wait(years - Duration::from_nanos(1)), Duration::from_nanos(1));
        assert_eq!(schedule.due(years - Duration::from_nanos(1)), 0);
        assert_eq!(schedule.due(years), 1);
    }

    #[test]
    fn bursts_add_what_they_promise_and_events_are_due_at_their_times() {
        let options = BurstOptions { enabled: true, ..BurstOptions::default() };
        let bursts = Bursts::new(&options, 3);
        let mut even = bursts.clone();
        let moments = Moments::new(Rate::PerSecond(100.0), Some(bursts));
        let mut schedule = Schedule::new(moments, Duration::ZERO);
        let (mut now, mut events) = (Duration::ZERO, 0);
        while now < Duration::from_secs(600) {
            let due = schedule.due(now);
            for index in 0..due {
                let moment = schedule.moments().unwrap().advance();
                assert!(moment <= nanoseconds(now), "event {index} at {now:?} is not due yet");
            }
            events += due;
            assert_eq!(schedule.due(now), 0);
            let expected = even.even_at(nanoseconds(now)) as f64 / 1e9 * 100.0;
            assert!(
                (events as f64 - expected).abs() <= 1.0 + 1e-6,
                "{now:?}: {events} of {expected}"
            );
            now += schedule.wait(now).max(Duration::from_nanos(1));
        }
        assert_eq!(schedule.take_skipped(), 0);
        assert!(events > 70_000, "{events}: bursts double the rate on the whole");
    }
}
