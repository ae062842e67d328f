//! The method `auto`: a value, or the median of the last eleven, beyond what has been; or a value beyond what is usual
//! at its time of the day. Makes no assumption about how values are distributed.

use super::range::Range;
use super::season::Season;
use super::window::Window;
use super::{Judgement, View};
use crate::state_bytes::{StateReader, StateWriter};

/// Values of the median: a shift that stays is seen after six of them, one value alone never.
const MEDIAN_VALUES: usize = 11;

/// What an excess over the time of the day counts, against one over the range.
const SEASON_WEIGHT: f64 = 0.3;

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
        let seen = |view, range: &Range| Judgement {
            ratio: 0.0,
            low: range.low,
            high: range.high,
            baseline: range.centre,
            view,
        };
        let mut judgement = seen(View::Value, &self.value);
        judgement.ratio = self.value.push(value, 1);
        self.recent.push(value);
        let Some(median) = self.recent.median().filter(|_| self.recent.is_full()) else {
            return judgement;
        };
        let mut of_median = seen(View::Median(median), &self.median);
        of_median.ratio = self.median.push(median, MEDIAN_VALUES);
        let season = self
            .season
            .get_or_insert_with(|| Box::new((Season::new(time_ns, value), Range::default())));
        judgement = judgement.or_worse(of_median);
        match of_season(season, time_ns, value) {
            Some(of_season) => judgement.or_worse(of_season),
            None => judgement,
        }
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

/// How far a value lies outside of what is usual at its time of the day, against how far others did.
fn of_season((season, range): &mut (Season, Range), time_ns: i64, value: f64) -> Option<Judgement> {
    let usual = season.push(time_ns, value)?;
    let outside = (value - usual.high).max(0.0) + (value - usual.low).min(0.0);
    let (low, high) = (usual.low + range.low, usual.high + range.high);
    let ratio = SEASON_WEIGHT * range.push(outside, 1);
    let baseline = f64::midpoint(usual.low, usual.high);
    Some(Judgement { ratio, low, high, baseline, view: View::TimeOfDay })
}
