//! A bounded map that forgets the entry which was used longest ago.

use crate::event_key::KeyMap;

/// No slot.
const NONE: u32 = u32::MAX;

/// The map.
pub(crate) struct Lru<V> {
    slots: Vec<Slot<V>>,
    index: KeyMap<u32>,
    free: Vec<u32>,
    oldest: u32,
    newest: u32,
    capacity: usize,
}

struct Slot<V> {
    key: u128,
    /// `None` while the slot is free.
    value: Option<V>,
    older: u32,
    newer: u32,
}

impl<V> Lru<V> {
    /// An empty map of at most `capacity` entries, and at least one.
    pub(crate) fn new(capacity: usize) -> Self {
        Self {
            slots: Vec::new(),
            index: KeyMap::default(),
            free: Vec::new(),
            oldest: NONE,
            newest: NONE,
            capacity: capacity.clamp(1, NONE as usize),
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.index.len()
    }

    pub(crate) fn capacity(&self) -> usize {
        self.capacity
    }

    /// Whether a new key would push an old one out.
    pub(crate) fn is_full(&self) -> bool {
        self.len() >= self.capacity
    }

    /// The value of a key, which becomes the one used last.
    #[inline]
    pub(crate) fn get(&mut self, key: u128) -> Option<&mut V> {
        let at = *self.index.get(&key)?;
        if at != self.newest {
            self.unlink(at);
            self.link_newest(at);
        }
        self.slots[at as usize].value.as_mut()
    }

    /// The value of a key, which becomes the one used last, and what had to go if it was not there before.
    #[inline]
    pub(crate) fn get_or_insert_with(
        &mut self,
        key: u128,
        make: impl FnOnce() -> V,
    ) -> (Option<&mut V>, Option<V>) {
        let mut evicted = None;
        match self.index.get(&key) {
            Some(&at) if at == self.newest => {}
            Some(&at) => {
                self.unlink(at);
                self.link_newest(at);
            }
            None => evicted = self.insert(key, make()),
        }
        (self.slots.get_mut(self.newest as usize).and_then(|slot| slot.value.as_mut()), evicted)
    }

    /// Adds a key that the map does not have; gives what had to go to make room.
    pub(crate) fn insert(&mut self, key: u128, value: V) -> Option<V> {
        let evicted = if self.is_full() { self.pop_oldest() } else { None };
        let slot = Slot { key, value: Some(value), older: NONE, newer: NONE };
        let at = match self.free.pop() {
            Some(at) => {
                self.slots[at as usize] = slot;
                at
            }
            None => {
                self.slots.push(slot);
                (self.slots.len() - 1) as u32
            }
        };
        self.index.insert(key, at);
        self.link_newest(at);
        evicted
    }

    /// Sets the value of a key, whether the map has it or not.
    pub(crate) fn put(&mut self, key: u128, value: V) {
        match self.get(key) {
            Some(known) => *known = value,
            None => drop(self.insert(key, value)),
        }
    }

    pub(crate) fn remove(&mut self, key: u128) -> Option<V> {
        let at = self.index.remove(&key)?;
        self.unlink(at);
        self.free.push(at);
        self.slots[at as usize].value.take()
    }

    /// The value used longest ago.
    pub(crate) fn oldest(&self) -> Option<&V> {
        self.slots.get(self.oldest as usize)?.value.as_ref()
    }

    /// Removes the value used longest ago.
    pub(crate) fn pop_oldest(&mut self) -> Option<V> {
        let key = self.slots.get(self.oldest as usize)?.key;
        self.remove(key)
    }

    /// All entries, the one used longest ago first.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (u128, &V)> {
        let mut next = self.oldest;
        std::iter::from_fn(move || {
            let slot = self.slots.get(next as usize)?;
            next = slot.newer;
            slot.value.as_ref().map(|value| (slot.key, value))
        })
    }

    /// All values, in no order that means anything.
    pub(crate) fn values_mut(&mut self) -> impl Iterator<Item = &mut V> {
        self.slots.iter_mut().filter_map(|slot| slot.value.as_mut())
    }

    fn unlink(&mut self, at: u32) {
        let Slot { older, newer, .. } = self.slots[at as usize];
        match older {
            NONE => self.oldest = newer,
            older => self.slots[older as usize].newer = newer,
        }
        match newer {
            NONE => self.newest = older,
            newer => self.slots[newer as usize].older = older,
        }
    }

    fn link_newest(&mut self, at: u32) {
        let before = self.newest;
        let slot = &mut self.slots[at as usize];
        (slot.older, slot.newer) = (before, NONE);
        match before {
            NONE => self.oldest = at,
            before => self.slots[before as usize].newer = at,
        }
        self.newest = at;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn forgets_what_was_used_longest_ago() {
        let mut map = Lru::new(2);
        assert_eq!(map.insert(1, "a"), None);
        assert_eq!(map.insert(2, "b"), None);
        assert_eq!(map.get(1), Some(&mut "a"));
        assert_eq!(map.insert(3, "c"), Some("b"));
        assert_eq!((map.get(2).copied(), map.len()), (None, 2));
        assert_eq!(map.oldest(), Some(&"a"));
        assert_eq!(map.remove(1), Some("a"));
        assert_eq!(map.pop_oldest(), Some("c"));
        assert_eq!((map.pop_oldest(), map.len()), (None, 0));
    }

    proptest! {
        /// Against a list that is searched from end to end.
        #[test]
        fn behaves_like_a_list(steps in proptest::collection::vec((0u8..5, 0u128..6), 0..200)) {
            let mut map = Lru::new(4);
            let mut model: Vec<(u128, usize)> = Vec::new();
            for (number, (step, key)) in steps.into_iter().enumerate() {
                let known = model.iter().position(|(of, _)| *of == key);
                match (step, known) {
                    (0, _) => {
                        let wanted = (!model.is_empty()).then(|| model.remove(0).1);
                        prop_assert_eq!(map.pop_oldest(), wanted);
                    }
                    (1, _) => {
                        let wanted = known.map(|at| model.remove(at).1);
                        prop_assert_eq!(map.remove(key), wanted);
                    }
                    (2, _) => {
                        let evicted =
                            if known.is_none() && model.len() == 4 { Some(model.remove(0).1) } else { None };
                        let entry = known.map_or((key, number), |at| model.remove(at));
                        model.push(entry);
                        let (value, gone) = map.get_or_insert_with(key, || number);
                        prop_assert_eq!(value.copied(), Some(entry.1));
                        prop_assert_eq!(gone, evicted);
                    }
                    (_, Some(at)) => {
                        let entry = model.remove(at);
                        model.push(entry);
                        prop_assert_eq!(map.get(key).copied(), Some(entry.1));
                    }
                    (_, None) => {
                        prop_assert_eq!(map.get(key), None);
                        let wanted = (model.len() == 4).then(|| model.remove(0).1);
                        prop_assert_eq!(map.insert(key, number), wanted);
                        model.push((key, number));
                    }
                }
                prop_assert_eq!(map.len(), model.len());
                prop_assert!(map.iter().map(|(key, value)| (key, *value)).eq(model.iter().copied()));
                prop_assert_eq!(map.oldest(), model.first().map(|(_, value)| value));
            }
        }
    }
}
