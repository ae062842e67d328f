//! The method `mad`: how far a value lies from the median of the last values, in median absolute deviations: the
//! modified z-score (Iglewicz and Hoaglin, How to Detect and Handle Outliers, 1993). Outliers in the window do not
//! hide others.

use super::window::Window;
use super::{Judgement, RATIO_MAX, View};
use crate::state_bytes::{StateReader, StateWriter};

/// Values that are looked back at.
const VALUES: usize = 100;

/// Values before which nothing is said.
const WARM_UP: usize = 50;

/// Standard deviations of a normal distribution in its median absolute deviation, inverted.
const DEVIATIONS_IN_MAD: f64 = 1.482_602_218_505_602;

/// The same for its mean absolute deviation, which counts where more than half of the values are equal.
const DEVIATIONS_IN_MEAN: f64 = 1.253_314_137_315_5;

#[derive(Debug, Clone)]
pub(super) struct Mad(Window);

impl Mad {
    pub(super) fn new() -> Self {
        Self(Window::new(VALUES))
    }

    /// `limit` is the standard deviations at which an alarm is due.
    pub(super) fn push(&mut self, value: f64, limit: f64) -> Judgement {
        let sorted = self.0.sorted();
        let median = self.0.median().unwrap_or(value);
        let reach = limit * deviation(sorted, median);
        let distance = (value - median).abs();
        let ratio = match sorted.len() {
            ..WARM_UP => 0.0,
            _ if reach > 0.0 => (distance / reach).min(RATIO_MAX),
            _ if distance == 0.0 => 0.0,
            _ => RATIO_MAX,
        };
        self.0.push(value);
        Judgement {
            ratio,
            low: median - reach,
            high: median + reach,
            baseline: median,
            view: View::Value,
        }
    }

    pub(super) fn write(&self, out: &mut StateWriter) {
        self.0.write(out);
    }

    pub(super) fn read(from: &mut StateReader<'_>) -> Option<Self> {
        Window::read(from, VALUES).map(Self)
    }
}

/// The standard deviation by the median absolute deviation: of two sorted lists of distances, those below and those
/// above the median, the middle of their merge.
fn deviation(sorted: &[f64], median: f64) -> f64 {
    let middle = sorted.len() / 2;
    let (mut below, mut above) = (middle, middle);
    let mut distance = 0.0;
    for _ in 0..=middle {
        let low = below.checked_sub(1).map(|at| median - sorted[at]);
        let high = sorted.get(above).map(|value| value - median);
        (distance, below, above) = match (low, high) {
            (Some(low), Some(high)) if low < high => (low, below - 1, above),
            (_, Some(high)) => (high, below, above + 1),
            (Some(low), None) => (low, below - 1, above),
            (None, None) => break,
        };
    }
    if distance > 0.0 {
        return DEVIATIONS_IN_MAD * distance;
    }
    let sum: f64 = sorted.iter().map(|value| (value - median).abs()).sum();
    DEVIATIONS_IN_MEAN * sum / sorted.len().max(1) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_deviation_is_the_median_of_the_distances() {
        for (values, wanted) in [
            (&[1.0, 2.0, 3.0, 4.0, 100.0][..], 1.0),
            (&[1.0, 1.0, 2.0, 2.0, 4.0, 6.0, 9.0], 1.0),
            (&[0.0, 10.0, 20.0], 10.0),
        ] {
            let median = values[values.len() / 2];
            assert_eq!(deviation(values, median), DEVIATIONS_IN_MAD * wanted, "{values:?}");
        }
        let mostly_equal = [5.0, 5.0, 5.0, 5.0, 9.0];
        assert_eq!(deviation(&mostly_equal, 5.0), DEVIATIONS_IN_MEAN * 4.0 / 5.0);
        assert_eq!(deviation(&[], 0.0), 0.0);
    }
}
