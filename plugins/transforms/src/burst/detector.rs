//! Finds bursts of one key in its counts of events per second, on several time scales at once.
//!
//! Each second the count of the last 1, 3, 10, 30, 60 and 120 seconds is held against what the baseline expects, by the
//! signed root of the Poisson deviance, which is about a normal deviate (McCullagh and Nelder, Generalized Linear Models,
//! 1989, 2.4). It is divided by the root of the dispersion that was learned, because real arrivals come in clumps. The
//! baseline learns each second two minutes late, and not from bursts, so that a slow burst cannot raise it first. A
//! burst ends by a cumulative sum test of its own mean rate against the baseline (Page, Biometrika 41, 1954).
//!
//! "Second" stands for the resolution, whatever that is.

use crate::state_bytes::{StateReader, StateWriter};

/// The time scales.
const WINDOWS: [u64; 6] = [1, 3, 10, 30, 60, 120];

/// Seconds that the baseline learns late.
const LAG: u64 = 120;

/// Seconds of a step in which the dispersion is learned.
const STEP: u64 = 10;

/// Seconds that are looked back at: the lag, a step, and the second before it, and room.
const RING: usize = 136;

/// Seconds from which the first baseline comes, and after which bursts are found.
const FIRST_BASELINE: u64 = 300;
const WARM_UP: u64 = 600;

/// Seconds over which the baseline averages.
const MEMORY: f64 = 600.0;

/// The least baseline, in events a second: one in about three hours.
const BASELINE_MIN: f64 = 1e-4;

/// The first baseline is no less than one event in ten minutes.
const FIRST_BASELINE_MIN: f64 = 1.0 / 600.0;

/// The weight of a new step in the dispersion, how many steps the first guess of 1 counts, and what one step can
/// say at most.
const DISPERSION_WEIGHT: f64 = 0.01;
const DISPERSION_GUESSES: f64 = 10.0;
const DISPERSION_MAX: f64 = 20.0;

/// What a step is expected to bring at least, for its dispersion.
const STEP_EXPECTED_MIN: f64 = 0.2;

/// Events that make a burst at least.
const EVENTS_MIN: f64 = 3.0;

/// How much likelier, as a logarithm, the baseline has to be than the burst for that to be over.
const END_EVIDENCE: f64 = 6.0;

/// How many times the baseline the mean rate of a burst counts for at least in that.
const FACTOR_MIN: f64 = 1.1;

/// Seconds after which a burst is the new baseline.
const BURST_SECONDS_MAX: u64 = 900;

/// Seconds around a burst from which nothing is learned.
const MARGIN: u64 = 5;

/// Bursts that are remembered for that.
const REMEMBERED: usize = 3;

/// What is known of a key.
#[derive(Debug, Clone)]
pub(super) struct Detector {
    /// Events up to the end of each of the last seconds, modulo 2^32; `[second % RING]`.
    sums: [u32; RING],
    /// Seconds so far.
    seconds: u64,
    /// Events of the first seconds, for the first baseline.
    first_events: u64,
    /// Events a second.
    baseline: f64,
    /// Seconds the baseline knows.
    learned: f64,
    /// Variance over mean of the events in a step, and the steps it knows.
    dispersion: f64,
    steps: f64,
    pub(super) burst: Option<Burst>,
    /// The second before which no window reaches: the end of the last burst.
    fresh_from: u64,
    /// Starts and ends of the last bursts.
    past: [(u64, u64); REMEMBERED],
}

/// A burst.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Burst {
    /// The second in which it was found.
    found: u64,
    /// The first second of the window in which it was found.
    start: u64,
    /// Events since then.
    pub(super) events: u64,
    /// Events a second before it.
    pub(super) baseline: f64,
    /// Most events a second, over the shortest window that holds enough of them.
    pub(super) peak: f64,
    /// Evidence that it is over.
    over: f64,
    /// Events and seconds of its second half, should it be the new baseline.
    late_events: u64,
    late_seconds: u64,
}

/// What a second brought.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Change {
    Started(Burst),
    Ended(Burst, End),
}

/// Why a burst is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    /// The rate is back.
    Calm,
    /// It has lasted so long that it is the new baseline.
    NewBaseline,
    /// The topology stops, or the key is forgotten.
    Cut,
}

impl Burst {
    /// Seconds from its start to the end of the second before `second`.
    pub(super) fn seconds(&self, now: u64) -> u64 {
        now.saturating_sub(self.start).max(1)
    }

    /// How many times the baseline its mean rate is.
    pub(super) fn factor(&self, now: u64) -> f64 {
        self.events as f64 / self.seconds(now) as f64 / self.baseline
    }
}

impl Detector {
    pub(super) fn new() -> Self {
        Self {
            sums: [0; RING],
            seconds: 0,
            first_events: 0,
            baseline: 0.0,
            learned: 0.0,
            dispersion: 1.0,
            steps: DISPERSION_GUESSES,
            burst: None,
            fresh_from: 0,
            past: [(u64::MAX, u64::MAX); REMEMBERED],
        }
    }

    /// Seconds so far.
    pub(super) fn seconds(&self) -> u64 {
        self.seconds
    }

    /// Events a second, as usual; 0 while nothing is known.
    pub(super) fn baseline(&self) -> f64 {
        self.baseline
    }

    /// Ends a second in which so many events came. `limit` is in standard deviations.
    pub(super) fn close(&mut self, events: u32, limit: f64) -> Option<Change> {
        let now = self.seconds;
        let before = self.sums[(now as usize + RING - 1) % RING];
        self.sums[now as usize % RING] = before.wrapping_add(events);
        self.seconds = now.saturating_add(1);
        if self.learned == 0.0 {
            if now >= FIRST_BASELINE {
                let rate = self.first_events as f64 / now as f64;
                (self.baseline, self.learned) =
                    (rate.max(FIRST_BASELINE_MIN), FIRST_BASELINE as f64);
            }
            self.first_events = self.first_events.saturating_add(events.into());
            return None;
        }
        let change = match self.burst.take() {
            None => self.find(now, events, limit),
            Some(burst) => self.follow(burst, now, events),
        };
        if self.burst.is_none() && now >= FIRST_BASELINE + LAG {
            self.learn(now - LAG);
        }
        change
    }

    /// Passes seconds without an event, outside of a burst.
    pub(super) fn pass(&mut self, seconds: u64, limit: f64) {
        let one_by_one = seconds.min(RING as u64 + FIRST_BASELINE);
        for _ in 0..one_by_one {
            self.close(0, limit);
        }
        let rest = seconds - one_by_one;
        if rest == 0 {
            return;
        }
        // All that is looked back at is empty: what learning it second by second comes to.
        let last = self.sums[(self.seconds as usize + RING - 1) % RING];
        self.sums.fill(last);
        self.seconds = self.seconds.saturating_add(rest);
        self.learned += rest as f64;
        let left = 1.0 - 1.0 / self.learned.min(MEMORY);
        self.baseline = (self.baseline * left.powf(rest as f64)).max(BASELINE_MIN);
        let steps = rest as f64 / STEP as f64;
        let expected = (self.baseline * STEP as f64).min(DISPERSION_MAX);
        let left = (1.0 - DISPERSION_WEIGHT).powf(steps);
        self.dispersion = expected + (self.dispersion - expected) * left;
        self.steps += steps;
    }

    /// Events in the `window` seconds that end with second `last`.
    fn count(&self, last: u64, window: u64) -> f64 {
        let at = |second: u64| self.sums[(second % RING as u64) as usize];
        let from = last.wrapping_add(RING as u64).wrapping_sub(window);
        f64::from(at(last).wrapping_sub(at(from)))
    }

    /// Looks for the start of a burst.
    fn find(&mut self, now: u64, events: u32, limit: f64) -> Option<Change> {
        if events == 0 || now <= WARM_UP {
            return None;
        }
        let dispersion = self.dispersion.max(1.0);
        let mut best = (limit * limit * dispersion, 0, 0.0);
        for window in WINDOWS.into_iter().take_while(|window| now + 1 >= window + self.fresh_from) {
            let (seen, expected) = (self.count(now, window), self.baseline * window as f64);
            // The deviance is below the square of Pearson, which costs no logarithm.
            if seen < EVENTS_MIN
                || seen <= expected
                || (seen - expected).powi(2) <= best.0 * expected
            {
                continue;
            }
            let deviance = 2.0 * (seen * (seen / expected).ln() - (seen - expected));
            if deviance > best.0 {
                best = (deviance, window, seen);
            }
        }
        let (_, window, seen) = best;
        if window == 0 {
            return None;
        }
        let burst = Burst {
            found: now,
            start: now + 1 - window,
            events: seen as u64,
            baseline: self.baseline,
            peak: seen / window as f64,
            over: 0.0,
            late_events: 0,
            late_seconds: 0,
        };
        self.burst = Some(burst);
        Some(Change::Started(burst))
    }

    /// Looks for the end of a burst.
    fn follow(&mut self, mut burst: Burst, now: u64, events: u32) -> Option<Change> {
        burst.events = burst.events.saturating_add(events.into());
        let window = WINDOWS.into_iter().find(|window| self.count(now, *window) >= 10.0);
        let window = window.unwrap_or(WINDOWS[WINDOWS.len() - 1]);
        burst.peak = burst.peak.max(self.count(now, window) / window as f64);
        let rate = burst.events as f64 / burst.seconds(now + 1) as f64;
        let rate = rate.max(burst.baseline * FACTOR_MIN);
        let evidence = rate - burst.baseline - f64::from(events) * (rate / burst.baseline).ln();
        burst.over = (burst.over + evidence / self.dispersion.max(1.0)).max(0.0);
        let lasted = now.saturating_sub(burst.found);
        if lasted > BURST_SECONDS_MAX / 2 {
            burst.late_events = burst.late_events.saturating_add(events.into());
            burst.late_seconds += 1;
        }
        let end = if lasted > BURST_SECONDS_MAX {
            self.baseline = burst.late_events as f64 / burst.late_seconds.max(1) as f64;
            self.baseline = self.baseline.max(BASELINE_MIN);
            End::NewBaseline
        } else if burst.over > END_EVIDENCE {
            End::Calm
        } else {
            self.burst = Some(burst);
            return None;
        };
        self.forget(&burst, now);
        Some(Change::Ended(burst, end))
    }

    /// Ends a burst without waiting for its end.
    pub(super) fn cut(&mut self) -> Option<Change> {
        let burst = self.burst.take()?;
        self.forget(&burst, self.seconds);
        Some(Change::Ended(burst, End::Cut))
    }

    fn forget(&mut self, burst: &Burst, now: u64) {
        self.fresh_from = now.saturating_add(1);
        self.past.rotate_right(1);
        self.past[0] = (burst.found, now);
    }

    /// Learns from a second.
    fn learn(&mut self, second: u64) {
        self.learned += 1.0;
        let is_burst = |(found, end): &(u64, u64)| {
            *found <= second + MARGIN && second <= end.saturating_add(MARGIN)
        };
        if self.past.iter().any(is_burst) {
            return;
        }
        let weight = 1.0 / self.learned.min(MEMORY);
        self.baseline += weight * (self.count(second, 1) - self.baseline);
        self.baseline = self.baseline.max(BASELINE_MIN);
        if second % STEP == STEP - 1 {
            let expected = self.baseline * STEP as f64;
            let squares = (self.count(second, STEP) - expected).powi(2);
            let dispersion = (squares / expected.max(STEP_EXPECTED_MIN)).min(DISPERSION_MAX);
            self.steps += 1.0;
            let weight = (1.0 / self.steps).max(DISPERSION_WEIGHT);
            self.dispersion += weight * (dispersion - self.dispersion);
        }
    }

    pub(super) fn write(&self, out: &mut StateWriter) {
        for pair in self.sums.chunks_exact(2) {
            out.u64(u64::from(pair[0]) << 32 | u64::from(pair[1]));
        }
        [self.seconds, self.first_events, self.fresh_from].iter().for_each(|n| out.u64(*n));
        out.f64s(&[self.baseline, self.learned, self.dispersion, self.steps]);
        self.past.iter().flat_map(|(from, to)| [*from, *to]).for_each(|second| out.u64(second));
        out.u64(self.burst.is_some().into());
        if let Some(burst) = &self.burst {
            let times = [burst.found, burst.start, burst.late_seconds];
            times.into_iter().chain([burst.events, burst.late_events]).for_each(|n| out.u64(n));
            out.f64s(&[burst.baseline, burst.peak, burst.over]);
        }
    }

    pub(super) fn read(from: &mut StateReader<'_>) -> Option<Self> {
        let mut detector = Self::new();
        for pair in detector.sums.chunks_exact_mut(2) {
            let both = from.u64()?;
            (pair[0], pair[1]) = ((both >> 32) as u32, both as u32);
        }
        (detector.seconds, detector.first_events, detector.fresh_from) =
            (from.u64()?, from.u64()?, from.u64()?);
        // So many seconds never pass; sums of such numbers would not fit.
        if detector.seconds > u64::MAX / 4 || detector.fresh_from > u64::MAX / 4 {
            return None;
        }
        [detector.baseline, detector.learned, detector.dispersion, detector.steps] =
            from.f64s(4)?.try_into().ok()?;
        for past in &mut detector.past {
            *past = (from.u64()?, from.u64()?);
        }
        if from.u64()? != 0 {
            let (found, start, late_seconds) = (from.u64()?, from.u64()?, from.u64()?);
            let (events, late_events) = (from.u64()?, from.u64()?);
            let [baseline, peak, over] = from.f64s(3)?.try_into().ok()?;
            let is_sound = late_seconds <= BURST_SECONDS_MAX && baseline > 0.0;
            detector.burst = is_sound.then_some(Burst {
                found,
                start,
                events,
                baseline,
                peak,
                over,
                late_events,
                late_seconds,
            });
        }
        Some(detector)
    }
}
