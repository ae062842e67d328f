//! The median of the last eleven values, found without a branch that depends on them: of values in no order a processor
//! foresees none, and each surprise costs it more than all that is computed here.

use super::all_learned;
use crate::state_bytes::{StateReader, StateWriter};

/// The values: a shift that stays is seen after six of them, one value alone never.
pub(super) const VALUES: usize = 11;

/// The last values.
#[derive(Debug, Clone)]
pub(super) struct Median {
    /// As they came, the oldest in `next`; infinite where none came yet.
    values: [f64; VALUES],
    /// The same in order of size.
    sorted: [f64; VALUES],
    next: u32,
    len: u32,
}

impl Median {
    pub(super) fn new() -> Self {
        let none = [f64::INFINITY; VALUES];
        Self { values: none, sorted: none, next: 0, len: 0 }
    }

    /// Adds a value; the oldest goes. The median, once there are all values.
    #[inline]
    pub(super) fn push(&mut self, value: f64) -> Option<f64> {
        let next = self.next as usize % VALUES;
        let oldest = std::mem::replace(&mut self.values[next], value);
        self.next = if next + 1 == VALUES { 0 } else { next as u32 + 1 };
        self.len += u32::from(self.len < VALUES as u32);
        // Those that stay: of the ones from the oldest on the next greater one.
        let mut kept = [0.0; VALUES - 1];
        for (at, kept) in kept.iter_mut().enumerate() {
            let (this, next) = (self.sorted[at], self.sorted[at + 1]);
            *kept = if this < oldest { this } else { next };
        }
        // The new one among them: what is less stays in its place, what is greater moves on.
        self.sorted[0] = least(kept[0], value);
        for at in 1..VALUES - 1 {
            self.sorted[at] = greatest(kept[at - 1], least(kept[at], value));
        }
        self.sorted[VALUES - 1] = greatest(kept[VALUES - 2], value);
        (self.len == VALUES as u32).then_some(self.sorted[VALUES / 2])
    }

    pub(super) fn write(&self, out: &mut StateWriter) {
        out.u64(self.len.into());
        let (newer, older) = self.values.split_at(self.next as usize % VALUES);
        let values = older.iter().chain(newer).filter(|value| value.is_finite());
        values.for_each(|value| out.f64(*value));
    }

    pub(super) fn read(from: &mut StateReader<'_>) -> Option<Self> {
        let mut median = Self::new();
        for value in all_learned(from, VALUES)? {
            median.push(value);
        }
        Some(median)
    }
}

/// The lesser of two numbers, one instruction.
#[inline]
fn least(one: f64, other: f64) -> f64 {
    if one < other { one } else { other }
}

/// The greater of two numbers.
#[inline]
fn greatest(one: f64, other: f64) -> f64 {
    if one > other { one } else { other }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn is_the_median_of_the_last_values(values in proptest::collection::vec(-3i8..4, 0..60)) {
            let mut median = Median::new();
            for (at, value) in values.iter().enumerate() {
                let found = median.push(f64::from(*value));
                let mut last: Vec<f64> =
                    values[(at + 1).saturating_sub(VALUES)..=at].iter().map(|v| f64::from(*v)).collect();
                last.sort_by(f64::total_cmp);
                prop_assert_eq!(&median.sorted[..last.len()], &last[..]);
                prop_assert_eq!(found, last.get(VALUES / 2).copied().filter(|_| last.len() == VALUES));
                let mut state = StateWriter::new("k", "o");
                median.write(&mut state);
                let state = state.finish();
                let mut reader = StateReader::open(&state, "k", "o").unwrap();
                let mut resumed = Median::read(&mut reader).unwrap();
                prop_assert!(reader.is_done());
                prop_assert_eq!(resumed.sorted, median.sorted);
                prop_assert_eq!(resumed.push(9.0), median.clone().push(9.0));
            }
        }
    }
}
