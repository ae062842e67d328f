//! The method `auto`: a value, or the median of the last eleven, beyond what has been; or a value beyond what is usual
//! at its time of the day. Makes no assumption about how values are distributed.

use super::median::{Median, VALUES};
use super::range::Range;
use super::season::Season;
use super::{Judgement, View};
use crate::state_bytes::{StateReader, StateWriter};

/// What an excess over the time of the day counts, against one over the range.
const SEASON_WEIGHT: f64 = 0.3;

#[derive(Debug, Clone)]
pub(super) struct Auto {
    value: Range,
    recent: Median,
    median: Range,
    /// From the time on when there is a median: most keys of a stream with many never get there.
    season: Option<(Season, Range)>,
}

impl Auto {
    pub(super) fn new() -> Self {
        Self {
            value: Range::default(),
            recent: Median::new(),
            median: Range::default(),
            season: None,
        }
    }

    #[inline]
    pub(super) fn push(&mut self, time_ns: i64, value: f64) -> Judgement {
        let before = self.value;
        let ratio = self.value.push(value, 1);
        let mut judgement = before.judgement(ratio, View::Value);
        let Some(median) = self.recent.push(value) else {
            return judgement;
        };
        let before = self.median;
        let ratio = self.median.push(median, VALUES);
        if ratio > judgement.ratio {
            judgement = before.judgement(ratio, View::Median(median));
        }
        let season =
            self.season.get_or_insert_with(|| (Season::new(time_ns, value), Range::default()));
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
        let recent = Median::read(from)?;
        let median = Range::read(from)?;
        let season = match from.u64()? {
            0 => None,
            _ => Some((Season::read(from)?, Range::read(from)?)),
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
