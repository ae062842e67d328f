//! The last values, also in order of size.

use super::all_learned;
use crate::state_bytes::{StateReader, StateWriter};

/// The last `capacity` values.
#[derive(Debug, Clone)]
pub(super) struct Window {
    /// First the values as they came, where `next` is the oldest once there are `capacity`; then, in the second half, the
    /// same in order of size. In one piece, for the sake of the processor's cache.
    values: Box<[f64]>,
    capacity: usize,
    len: usize,
    next: usize,
}

impl Window {
    pub(super) fn new(capacity: usize) -> Self {
        Self { values: vec![0.0; 2 * capacity].into(), capacity, len: 0, next: 0 }
    }

    pub(super) fn is_full(&self) -> bool {
        self.len == self.capacity
    }

    /// The values from the least.
    pub(super) fn sorted(&self) -> &[f64] {
        &self.values[self.capacity..][..self.len]
    }

    /// The upper median; none without values.
    pub(super) fn median(&self) -> Option<f64> {
        self.sorted().get(self.len / 2).copied()
    }

    /// Adds a value; the oldest goes.
    pub(super) fn push(&mut self, value: f64) {
        // Where the hole is that the new value moves to its place.
        let mut at = if self.is_full() {
            let oldest = self.values[self.next];
            self.sorted().partition_point(|other| *other < oldest)
        } else {
            self.len += 1;
            self.len - 1
        };
        self.values[self.next] = value;
        self.next = if self.next + 1 == self.capacity { 0 } else { self.next + 1 };
        let sorted = &mut self.values[self.capacity..][..self.len];
        while at > 0 && sorted[at - 1] > value {
            sorted[at] = sorted[at - 1];
            at -= 1;
        }
        while at + 1 < sorted.len() && sorted[at + 1] < value {
            sorted[at] = sorted[at + 1];
            at += 1;
        }
        sorted[at] = value;
    }

    pub(super) fn write(&self, out: &mut StateWriter) {
        out.u64(self.len as u64);
        let start = if self.is_full() { self.next } else { 0 };
        (0..self.len).for_each(|at| out.f64(self.values[(start + at) % self.capacity]));
    }

    pub(super) fn read(from: &mut StateReader<'_>, capacity: usize) -> Option<Self> {
        let mut window = Self::new(capacity);
        all_learned(from, capacity)?.into_iter().for_each(|value| window.push(value));
        Some(window)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn is_sorted_and_has_the_last_values(
            values in proptest::collection::vec(-3i8..4, 0..60), capacity in 1usize..12,
        ) {
            let mut window = Window::new(capacity);
            for (at, value) in values.iter().enumerate() {
                window.push(f64::from(*value));
                let mut last: Vec<f64> =
                    values[(at + 1).saturating_sub(capacity)..=at].iter().map(|v| f64::from(*v)).collect();
                last.sort_by(f64::total_cmp);
                prop_assert_eq!(window.sorted(), &last[..]);
            }
        }
    }
}
