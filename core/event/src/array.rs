//! Arrays of a batch: its own, shared with others, or lent by somebody outside.

use std::any::Any;
use std::fmt;
use std::ops::Deref;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::selection::Selection;

/// Bytes that are copied at once. The C library copies more than about 2 KiB by `rep movsb`, which is slow to start.
const COPY_BYTES: usize = 1024;

/// Records that are read in place, whoever they belong to, and copied before they are changed.
pub struct Array<T: 'static>(Arc<Records<T>>);

pub(crate) enum Records<T: 'static> {
    Own(Vec<T>),
    Lent {
        records: &'static [T],
        _owner: Arc<dyn Any + Send + Sync>,
    },
    /// Lent, and some of them may be written by whoever has them alone.
    Granted {
        records: &'static mut [T],
        /// What counts, once others were to be changed.
        copy: Option<Vec<T>>,
        _owner: Arc<dyn Any + Send + Sync>,
        is_withdrawn: Arc<AtomicBool>,
    },
}

/// The permission to write into an array of somebody else. Dropped, it is withdrawn: later changes copy the array.
#[derive(Debug)]
pub struct Grant {
    is_withdrawn: Arc<AtomicBool>,
}

impl Drop for Grant {
    fn drop(&mut self) {
        self.is_withdrawn.store(true, Ordering::Release);
    }
}

impl<T: Copy> Array<T> {
    /// An array that `owner` keeps. The records are read as long as this or a clone of it lives and never later, so
    /// that code which vouches for them to stay that long may extend their lifetime.
    #[must_use]
    pub fn lent(records: &'static [T], owner: Arc<dyn Any + Send + Sync>) -> Self {
        Self(Arc::new(Records::Lent { records, _owner: owner }))
    }

    /// As [`Self::lent`], but those records that belong to no event, the spare capacity of events, may be written while
    /// there is the grant.
    #[must_use]
    pub fn granted(records: &'static mut [T], owner: Arc<dyn Any + Send + Sync>) -> (Self, Grant) {
        let grant = Grant { is_withdrawn: Arc::default() };
        let is_withdrawn = Arc::clone(&grant.is_withdrawn);
        let granted = Records::Granted { records, copy: None, _owner: owner, is_withdrawn };
        (Self(Arc::new(granted)), grant)
    }

    /// The array to be changed; copied first where it is shared or lent.
    pub(crate) fn make_mut(&mut self) -> &mut Vec<T> {
        if self.own_mut().is_none() {
            *self = Self::from(copied(self));
        }
        match Arc::get_mut(&mut self.0) {
            Some(Records::Own(records)) => records,
            _ => unreachable!("an array that is shared or lent was replaced by a copy"),
        }
    }

    /// The array to be changed; copied first where it is shared, or where nothing of it may be written.
    pub(crate) fn open(&mut self) -> Opened<'_, T> {
        if !Arc::get_mut(&mut self.0).is_some_and(|records| records.is_writable()) {
            *self = Self::from(copied(self));
        }
        match Arc::get_mut(&mut self.0) {
            Some(Records::Own(records) | Records::Granted { copy: Some(records), .. }) => {
                Opened::Own(records)
            }
            Some(Records::Granted { records, copy, .. }) => {
                Opened::Granted { records, copy: Some(copy) }
            }
            _ => unreachable!("an array that is shared or lent was replaced by a copy"),
        }
    }

    /// The records, where they are this array's own and nobody else's.
    pub(crate) fn own_mut(&mut self) -> Option<&mut [T]> {
        match Arc::get_mut(&mut self.0) {
            Some(Records::Own(records)) => Some(records),
            _ => None,
        }
    }

    /// Keeps the records for which `keep` is true. Of an array that is shared or lent only those are copied.
    pub(crate) fn retain(&mut self, mut keep: impl FnMut(&T) -> bool) {
        if self.own_mut().is_some() {
            self.make_mut().retain(keep);
        } else {
            let kept: Vec<T> = self.iter().copied().filter(|record| keep(record)).collect();
            *self = Self::from(kept);
        }
    }

    /// Keeps the records at the places that are meant. Of an array that is shared or lent only those are copied.
    pub(crate) fn keep(&mut self, selection: &Selection) {
        if self.own_mut().is_none() {
            *self = self.copy_of(selection);
            return;
        }
        let records = self.make_mut();
        let mut kept = 0;
        for at in selection.iter() {
            records[kept] = records[at];
            kept += 1;
        }
        records.truncate(kept);
    }

    /// An array of the records at the places that are meant.
    pub(crate) fn copy_of(&self, selection: &Selection) -> Self {
        let records = &**self;
        let mut taken = Vec::with_capacity(selection.count());
        taken.extend(selection.iter().map(|at| records[at]));
        Self::from(taken)
    }
}

impl<T> Records<T> {
    fn is_writable(&self) -> bool {
        match self {
            Self::Own(_) | Self::Granted { copy: Some(_), .. } => true,
            Self::Lent { .. } => false,
            Self::Granted { is_withdrawn, .. } => !is_withdrawn.load(Ordering::Acquire),
        }
    }
}

impl<T> Deref for Records<T> {
    type Target = [T];

    #[inline]
    fn deref(&self) -> &[T] {
        match self {
            Self::Own(records) | Self::Granted { copy: Some(records), .. } => records,
            Self::Lent { records, .. } => records,
            Self::Granted { records, .. } => records,
        }
    }
}

/// An array that is open for changes and nobody else's.
pub(crate) enum Opened<'a, T: 'static> {
    Own(&'a mut Vec<T>),
    /// Records of somebody else, which are copied before any is changed that belongs to an event.
    Granted {
        records: &'a mut [T],
        /// Where the copy will be; some until then.
        copy: Option<&'a mut Option<Vec<T>>>,
    },
}

impl<T: Copy> Opened<'_, T> {
    /// All records, to do anything with.
    #[inline]
    pub fn all(&mut self) -> &mut Vec<T> {
        if let Self::Granted { records, copy } = self
            && let Some(copy) = copy.take()
        {
            *self = Self::Own(copy.insert(copied(records)));
        }
        match self {
            Self::Own(records) => records,
            Self::Granted { .. } => unreachable!("records of somebody else were copied"),
        }
    }

    /// Writes a record that belongs to no event yet.
    #[inline]
    pub fn put_spare(&mut self, at: usize, record: T) {
        match self {
            Self::Own(records) => records[at] = record,
            Self::Granted { records, .. } => records[at] = record,
        }
    }
}

impl<T> Deref for Opened<'_, T> {
    type Target = [T];

    #[inline]
    fn deref(&self) -> &[T] {
        match self {
            Self::Own(records) => records,
            Self::Granted { records, .. } => records,
        }
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
        &self.0
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
        let mut ends = Selection::default();
        ends.push(0b101);
        let (mut kept, place) = (other.clone(), other.as_ptr());
        kept.keep(&ends);
        assert_eq!((&*kept, &*other), (&[9, 4][..], &[9, 3, 4][..]));
        other.keep(&ends);
        assert_eq!((&*other, other.as_ptr()), (&[9, 4][..], place));
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
