//! A bounded map that forgets the entry which was used longest ago.
//!
//! What is touched with every use lies close together, apart from the values, which are large: of a thousand keys it stays in the
//! processor's nearest cache.

use crate::event_key::KeyMap;
use crate::short_key::{RecentKeys, ShortKey};

/// No slot.
const NONE: u32 = u32::MAX;

/// The map. An entry has the same slot in all lists.
pub(crate) struct Lru<V> {
    keys: Vec<u128>,
    links: Vec<Link>,
    /// `None` while the slot is free.
    values: Vec<Option<V>>,
    index: KeyMap<u32>,
    /// The slots of keys that were noted with a short text.
    recent: RecentKeys,
    free: Vec<u32>,
    oldest: u32,
    newest: u32,
    capacity: usize,
}

/// The neighbours of an entry in the order of use.
#[derive(Clone, Copy)]
struct Link {
    older: u32,
    newer: u32,
}

impl<V> Lru<V> {
    /// An empty map of at most `capacity` entries, and at least one.
    pub(crate) fn new(capacity: usize) -> Self {
        Self {
            keys: Vec::new(),
            links: Vec::new(),
            values: Vec::new(),
            index: KeyMap::default(),
            recent: RecentKeys::default(),
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
        self.use_now(at);
        self.values[at as usize].as_mut()
    }

    /// Makes the entry of a key the one used last, and adds it first if it is not there; gives what had to go for that.
    #[inline]
    pub(crate) fn enter(&mut self, key: u128, make: impl FnOnce() -> V) -> Option<V> {
        match self.index.get(&key) {
            Some(&at) => {
                self.use_now(at);
                None
            }
            None => self.insert(key, make()),
        }
    }

    /// Adds a key that the map does not have; gives what had to go to make room.
    pub(crate) fn insert(&mut self, key: u128, value: V) -> Option<V> {
        let evicted = if self.is_full() { self.pop_oldest() } else { None };
        let at = match self.free.pop() {
            Some(at) => {
                self.keys[at as usize] = key;
                self.values[at as usize] = Some(value);
                at
            }
            None => {
                self.keys.push(key);
                self.links.push(Link { older: NONE, newer: NONE });
                self.values.push(Some(value));
                (self.keys.len() - 1) as u32
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
        self.recent.forget(at);
        self.unlink(at);
        self.free.push(at);
        self.values[at as usize].take()
    }

    /// The value used longest ago.
    pub(crate) fn oldest(&self) -> Option<&V> {
        self.values.get(self.oldest as usize)?.as_ref()
    }

    /// Removes the value used longest ago.
    pub(crate) fn pop_oldest(&mut self) -> Option<V> {
        let key = *self.keys.get(self.oldest as usize)?;
        self.remove(key)
    }

    /// All entries, the one used longest ago first.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (u128, &V)> {
        let mut next = self.oldest;
        std::iter::from_fn(move || {
            let at = next as usize;
            next = self.links.get(at)?.newer;
            self.values[at].as_ref().map(|value| (self.keys[at], value))
        })
    }

    /// All values, in no order that means anything.
    pub(crate) fn values_mut(&mut self) -> impl Iterator<Item = &mut V> {
        self.values.iter_mut().filter_map(Option::as_mut)
    }

    /// Makes the entry that was noted with a text the one used last, where it is still known by it.
    #[inline]
    pub(crate) fn recall(&mut self, short: ShortKey) -> bool {
        let found = self.recent.find(short);
        if let Some(at) = found {
            self.use_now(at);
        }
        found.is_some()
    }

    /// Notes that the entry which was used last can be recalled by a text.
    pub(crate) fn note(&mut self, short: ShortKey) {
        if self.newest != NONE {
            self.recent.note(short, self.newest);
        }
    }

    /// The entry that was used last.
    #[inline]
    pub(crate) fn newest(&mut self) -> Option<(u128, &mut V)> {
        let at = self.newest as usize;
        let key = *self.keys.get(at)?;
        self.values[at].as_mut().map(|value| (key, value))
    }

    #[inline]
    fn use_now(&mut self, at: u32) {
        if at != self.newest {
            self.unlink(at);
            self.link_newest(at);
        }
    }

    #[inline]
    fn unlink(&mut self, at: u32) {
        let Link { older, newer } = self.links[at as usize];
        match older {
            NONE => self.oldest = newer,
            older => self.links[older as usize].newer = newer,
        }
        match newer {
            NONE => self.newest = older,
            newer => self.links[newer as usize].older = older,
        }
    }

    #[inline]
    fn link_newest(&mut self, at: u32) {
        let before = self.newest;
        self.links[at as usize] = Link { older: before, newer: NONE };
        match before {
            NONE => self.oldest = at,
            before => self.links[before as usize].newer = at,
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
                        prop_assert_eq!(map.enter(key, || number), evicted);
                        prop_assert_eq!(map.newest(), Some((key, &mut { entry.1 })));
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
