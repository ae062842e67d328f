//! Arrays of a batch: its own, shared with others, or lent by somebody outside.

use std::any::Any;
use std::fmt;
use std::ops::Deref;
use std::sync::Arc;

/// Bytes that are copied at once. The C library copies more than about 2 KiB by `rep movsb`, which is slow to start.
const COPY_BYTES: usize = 1024;

/// Records that are read in place, whoever they belong to, and copied before they are changed.
pub struct Array<T: 'static>(Arc<Records<T>>);

#[derive(Clone)]
enum Records<T: 'static> {
    Own(Vec<T>),
    Lent { records: &'static [T], _owner: Arc<dyn Any + Send + Sync> },
}

impl<T: Copy> Array<T> {
    /// An array that `owner` keeps. The records are read as long as this or a clone of it lives and never later, so
    /// that code which vouches for them to stay that long may extend their lifetime.
    #[must_use]
    pub fn lent(records: &'static [T], owner: Arc<dyn Any + Send + Sync>) -> Self {
        Self(Arc::new(Records::Lent { records, _owner: owner }))
    }

    /// The array to be changed; copied first where it is shared or lent.
    pub(crate) fn make_mut(&mut self) -> &mut Vec<T> {
        if !self.is_own() {
            *self = Self::from(copied(self));
        }
        match Arc::make_mut(&mut self.0) {
            Records::Own(records) => records,
            Records::Lent { .. } => unreachable!("a lent array was replaced by a copy"),
        }
    }

    /// Keeps the records for which `keep` is true. Of an array that is shared or lent only those are copied.
    pub(crate) fn retain(&mut self, mut keep: impl FnMut(&T) -> bool) {
        if self.is_own() {
            self.make_mut().retain(keep);
        } else {
            let kept: Vec<T> = self.iter().copied().filter(|record| keep(record)).collect();
            *self = Self::from(kept);
        }
    }

    /// Whether nobody else has the records.
    fn is_own(&mut self) -> bool {
        matches!(Arc::get_mut(&mut self.0), Some(Records::Own(_)))
    }
}

fn copied<T: Copy>(records: &[T]) -> Vec<T> {
    let mut copy = Vec::with_capacity(records.len());
    for part in records.chunks(COPY_BYTES / size_of::<T>().max(1)) {
        copy.extend_from_slice(part);
    }
    copy
}

impl<T> Deref for Array<T> {
    type Target = [T];

    #[inline]
    fn deref(&self) -> &[T] {
        match &*self.0 {
            Records::Own(records) => records,
            Records::Lent { records, .. } => records,
        }
    }
}

impl<T> From<Vec<T>> for Array<T> {
    fn from(records: Vec<T>) -> Self {
        Self(Arc::new(Records::Own(records)))
    }
}

impl<T> Default for Array<T> {
    fn default() -> Self {
        Self::from(Vec::new())
    }
}

impl<T> Clone for Array<T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<T: fmt::Debug> fmt::Debug for Array<T> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(formatter)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_copies_what_is_shared_or_lent_and_nothing_else() {
        let owner = Arc::new("owner");
        let mut lent = Array::lent(&[1, 2, 3], Arc::clone(&owner) as _);
        let mut other = lent.clone();
        other.make_mut().push(4);
        assert_eq!((&*lent, &*other), (&[1, 2, 3][..], &[1, 2, 3, 4][..]));
        let place = other.as_ptr();
        other.make_mut()[0] = 9;
        assert_eq!(other.as_ptr(), place);
        let shared = other.clone();
        other.retain(|number| *number > 2);
        lent.retain(|number| *number == 2);
        assert_eq!((&*other, &*lent, &*shared), (&[9, 3, 4][..], &[2][..], &[9, 2, 3, 4][..]));
        assert_eq!(Arc::strong_count(&owner), 1, "nobody borrows any more");
    }

    #[test]
    fn a_copy_is_made_of_all_parts() {
        let numbers: Vec<u64> = (0..1_000).collect();
        for len in [0, 1, 127, 128, 129, 1_000] {
            assert_eq!(copied(&numbers[..len]), numbers[..len]);
        }
    }
}
