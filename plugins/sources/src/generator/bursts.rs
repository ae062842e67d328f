//! Bursts: for a few seconds the rate is a multiple of what it was.
//!
//! They stretch a second clock, the *even* time, on which events stay evenly spaced: during a burst it runs
//! faster than the real one. **Invariant:** when bursts come and how high they are depends on the seed alone.

use std::time::Duration;

use super::options::BurstOptions;
use super::random::Random;

/// Factors are whole multiples of 1 / `SCALE`, so that even and real time agree to the nanosecond.
const SCALE: u128 = 1 << 16;

/// How often it is decided whether a burst begins.
const DECISION_NS: u64 = 1_000_000_000;

/// What bursts draw from does not touch what events draw from.
const SEED: u64 = 0xB0_0B57;

/// A stretch of real time in which the rate does not change.
#[derive(Debug, Clone, Copy)]
struct Stretch {
    start_ns: u64,
    end_ns: u64,
    /// Even time at the start.
    even_ns: u64,
    /// How much faster even time runs, in parts of [`SCALE`].
    factor: u64,
}

impl Stretch {
    fn even_at(&self, real_ns: u64) -> u64 {
        let past = u128::from(real_ns - self.start_ns) * u128::from(self.factor) / SCALE;
        self.even_ns.saturating_add(u64::try_from(past).unwrap_or(u64::MAX))
    }

    /// The first moment at which even time is `even_ns` or later.
    fn real_at(&self, even_ns: u64) -> u64 {
        let past = u128::from(even_ns - self.even_ns) * SCALE;
        let past = past.div_ceil(u128::from(self.factor));
        self.start_ns.saturating_add(u64::try_from(past).unwrap_or(u64::MAX))
    }
}

/// Bursts from the start of a schedule onwards; only ever goes forwards.
#[derive(Debug, Clone)]
pub(super) struct Bursts {
    random: Random,
    chance: f64,
    multiplier: f64,
    duration_ns: u64,
    stretch: Stretch,
}

impl Bursts {
    /// The bursts that belong to a seed.
    pub(super) fn new(options: &BurstOptions, seed: u64) -> Self {
        let mut bursts = Self {
            random: Random::new(seed ^ SEED),
            chance: options.chance,
            multiplier: options.multiplier,
            duration_ns: nanoseconds(options.duration.0),
            stretch: Stretch { start_ns: 0, end_ns: 0, even_ns: 0, factor: SCALE as u64 },
        };
        bursts.next_stretch();
        bursts
    }

    /// Even time at a moment that is not before one asked for earlier.
    pub(super) fn even_at(&mut self, real_ns: u64) -> u64 {
        while real_ns > self.stretch.end_ns {
            self.next_stretch();
        }
        self.stretch.even_at(real_ns.max(self.stretch.start_ns))
    }

    /// The moment of an even time that is not before one asked for earlier.
    pub(super) fn real_at(&mut self, even_ns: u64) -> u64 {
        while even_ns > self.stretch.even_at(self.stretch.end_ns) {
            self.next_stretch();
        }
        self.stretch.real_at(even_ns.max(self.stretch.even_ns))
    }

    /// How much faster events come at the moment asked for last.
    pub(super) fn factor(&self) -> f64 {
        self.stretch.factor as f64 / SCALE as f64
    }

    /// One second without a burst, or a whole burst.
    fn next_stretch(&mut self) {
        let start_ns = self.stretch.end_ns;
        let even_ns = self.stretch.even_at(start_ns);
        let is_burst = self.random.fraction() < self.chance;
        // Between one and two times the multiplier, drawn also where it is not needed: the bursts of a seed
        // come at the same moments whatever the chance.
        let drawn = self.multiplier * (1.0 + self.random.fraction());
        let (length_ns, factor) =
            if is_burst { (self.duration_ns, drawn) } else { (DECISION_NS, 1.0) };
        let factor = ((factor * SCALE as f64) as u64).max(1);
        let end_ns = start_ns.saturating_add(length_ns);
        self.stretch = Stretch { start_ns, end_ns, even_ns, factor };
    }
}

fn nanoseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX).max(1)
}

#[cfg(test)]
mod tests {
    use lograil_plugin::Period;

    use super::*;

    fn options() -> BurstOptions {
        BurstOptions { enabled: true, ..BurstOptions::default() }
    }

    #[test]
    fn even_time_and_real_time_agree_to_the_nanosecond() {
        let mut ahead = Bursts::new(&options(), 4);
        let mut back = ahead.clone();
        let mut random = Random::new(9);
        let mut real_ns = 0;
        for _ in 0..20_000 {
            real_ns += u64::from(random.below(200_000_000));
            let even_ns = ahead.even_at(real_ns);
            let found = back.real_at(even_ns);
            assert!(found <= real_ns, "{real_ns}: {found}");
            assert_eq!(ahead.clone().even_at(real_ns), even_ns);
            assert!(back.clone().real_at(even_ns + 1) > real_ns || back.factor() > 1.0);
        }
    }

    #[test]
    fn bursts_come_as_often_as_long_and_as_high_as_asked_for() {
        let mut bursts = Bursts::new(&options(), 1);
        let (mut calm, mut high) = (0_u32, Vec::new());
        for _ in 0..20_000 {
            let Stretch { start_ns, end_ns, .. } = bursts.stretch;
            if bursts.factor() > 1.0 {
                assert_eq!(end_ns - start_ns, 3_000_000_000);
                high.push(bursts.factor());
            } else {
                assert_eq!(end_ns - start_ns, 1_000_000_000);
                calm += 1;
            }
            bursts.next_stretch();
        }
        let chance = high.len() as f64 / (f64::from(calm) + high.len() as f64);
        assert!((chance - 0.05).abs() < 0.008, "{chance}");
        assert!(high.iter().all(|factor| (4.99..10.0).contains(factor)));
        let mean = high.iter().sum::<f64>() / high.len() as f64;
        assert!((mean - 7.5).abs() < 0.3, "{mean}");
    }

    #[test]
    fn without_a_chance_even_time_is_real_time() {
        let mut bursts = Bursts::new(&BurstOptions { chance: 0.0, ..options() }, 1);
        for real_ns in [0, 1, 999_999_999, 1_000_000_000, 77_123_456_789] {
            assert_eq!(bursts.even_at(real_ns), real_ns);
        }
        let always = BurstOptions { chance: 1.0, duration: Period(Duration::ZERO), ..options() };
        assert!(
            Bursts::new(&always, 1).even_at(1_000) >= 4_900,
            "a burst of no length is one of 1 ns"
        );
    }
}
