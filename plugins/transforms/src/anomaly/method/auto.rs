//! The method `auto`: a value, or the median of the last eleven, beyond what has been; or a value beyond what is usual
//! at its time of the day. Makes no assumption about how values are distributed.

use super::Judgement;
use super::range::Range;
use super::season::Season;
use super::window::Window;
use crate::state_bytes::{StateReader, StateWriter};

/// Values of the median: a shift that stays is seen after six of them, one value alone never.
const MEDIAN_VALUES: usize = 11;

/// What an excess over the time of the day counts, against one over the range.
const SEASON_WEIGHT: f64 = 0.3;

/// The excess, in widths of the range, at which an alarm is due.
const EXCESS_LIMIT: f64 = 0.01;

/// Excess beyond which nothing gets worse.
const EXCESS_MAX: f64 = 1e6;

#[derive(Debug, Clone)]
pub(super) struct Auto {
    value: Range,
    recent: Window,
    median: Range,
    /// From the time on when the window is full: most keys of a stream with many never get there.
    season: Option<Box<(Season, Range)>>,
}

impl Auto {
    pub(super) fn new() -> Self {
        Self {
            value: Range::default(),
            recent: Window::new(MEDIAN_VALUES),
            median: Range::default(),
            season: None,
        }
    }

    pub(super) fn push(&mut self, time_ns: i64, value: f64) -> Judgement {
        let Range { low, high, centre, .. } = self.value;
        let mut judgement =
            Judgement { ratio: self.value.push(value), low, high, baseline: centre };
        self.recent.push(value);
        if let Some(median) = self.recent.median().filter(|_| self.recent.is_full()) {
            let Range { low, high, centre, .. } = self.median;
            judgement.or_worse(self.median.push(median), low, high, centre);
            let season = self
                .season
                .get_or_insert_with(|| Box::new((Season::new(time_ns, value), Range::default())));
            let (season, range) = &mut **season;
            if let Some(usual) = season.push(time_ns, value) {
                let outside = (value - usual.high).max(0.0) + (value - usual.low).min(0.0);
                let (low, high) = (usual.low + range.low, usual.high + range.high);
                let excess = SEASON_WEIGHT * range.push(outside);
                judgement.or_worse(excess, low, high, (usual.low + usual.high) / 2.0);
            }
        }
        // Widths of values near the ends of what floats can hold are infinite.
        let excess = if judgement.ratio.is_nan() { 0.0 } else { judgement.ratio.min(EXCESS_MAX) };
        judgement.ratio = excess / EXCESS_LIMIT;
        judgement
    }

    pub(super) fn write(&self, out: &mut StateWriter) {
        self.value.write(out);
        self.recent.write(out);
        self.median.write(out);
        out.u64(self.season.is_some().into());
        if let Some(season) = &self.season {
            season.0.write(out);
            season.1.write(out);
        }
    }

    pub(super) fn read(from: &mut StateReader<'_>) -> Option<Self> {
        let value = Range::read(from)?;
        let recent = Window::read(from, MEDIAN_VALUES)?;
        let median = Range::read(from)?;
        let season = match from.u64()? {
            0 => None,
            _ => Some(Box::new((Season::read(from)?, Range::read(from)?))),
        };
        Some(Self { value, recent, median, season })
    }
}
