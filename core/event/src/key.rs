//! The key table of a batch: key names, their ids, and their JSON form ready to be written.

use std::hash::{BuildHasher, RandomState};
use std::sync::OnceLock;

/// A key's id. It means something only together with the batch (or a table that extends its table).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key(pub u32);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Entry {
    /// The plain name.
    name: (u32, u32),
    /// `"name":` escaped.
    json: (u32, u32),
}

/// An append-only table of key names.
///
/// Ids are positions, so a table that extends another gives the same ids to the keys they share: a parser
/// keeps one table and hands it to batch after batch.
#[derive(Debug, Clone, Default)]
pub struct KeyTable {
    text: String,
    entries: Vec<Entry>,
    /// Open addressing, a power of two long; 0 is free, otherwise id + 1.
    slots: Vec<u32>,
}

fn hash(name: &[u8]) -> usize {
    static SEED: OnceLock<RandomState> = OnceLock::new();
    SEED.get_or_init(RandomState::new).hash_one(name) as usize
}

impl KeyTable {
    /// Number of keys.
    #[must_use]
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there is no key.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// The id of a name, if the table has it.
    #[must_use]
    pub fn find(&self, name: &str) -> Option<Key> {
        if self.slots.is_empty() {
            return None;
        }
        let mask = self.slots.len() - 1;
        let mut at = hash(name.as_bytes()) & mask;
        loop {
            let id = self.slots[at].checked_sub(1)?;
            if self.name(Key(id)) == name {
                return Some(Key(id));
            }
            at = (at + 1) & mask;
        }
    }

    /// The id of a name, added if it is new.
    pub fn intern(&mut self, name: &str) -> Key {
        if let Some(key) = self.find(name) {
            return key;
        }
        let id = self.entries.len() as u32;
        let json = self.append_json(name);
        let clean = json.1 as usize == name.len() + 3;
        let name_at = if clean { (json.0 + 1, name.len() as u32) } else { self.append(name) };
        self.entries.push(Entry { name: name_at, json });
        if self.slots.len() < self.entries.len() * 2 {
            self.rehash();
        } else {
            self.occupy(id);
        }
        Key(id)
    }

    /// The plain name of a key.
    #[must_use]
    #[inline]
    pub fn name(&self, key: Key) -> &str {
        let (offset, len) = self.entries[key.0 as usize].name;
        &self.text[offset as usize..][..len as usize]
    }

    /// `"name":`, escaped, as it is written in JSON.
    #[must_use]
    #[inline]
    pub fn json(&self, key: Key) -> &[u8] {
        let (offset, len) = self.entries[key.0 as usize].json;
        &self.text.as_bytes()[offset as usize..][..len as usize]
    }

    /// Appends [`Self::json`].
    #[inline]
    pub fn append_json_to(&self, key: Key, out: &mut Vec<u8>) {
        let (offset, len) = self.entries[key.0 as usize].json;
        crate::scan::append_range(out, self.text.as_bytes(), offset as usize, len as usize);
    }

    /// All names in the order of their ids.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.names_from(0)
    }

    /// The names from this id on.
    pub fn names_from(&self, first: usize) -> impl Iterator<Item = &str> {
        (first as u32..self.entries.len() as u32).map(|id| self.name(Key(id)))
    }

    /// Whether every key of `other` has the same id here.
    #[must_use]
    pub fn extends(&self, other: &Self) -> bool {
        self.entries.starts_with(&other.entries) && self.text.starts_with(&other.text)
    }

    fn append(&mut self, name: &str) -> (u32, u32) {
        let offset = self.text.len() as u32;
        self.text.push_str(name);
        (offset, name.len() as u32)
    }

    fn append_json(&mut self, name: &str) -> (u32, u32) {
        let offset = self.text.len();
        self.text.push('"');
        let mut escaped = Vec::with_capacity(name.len());
        crate::scan::escape_json(name.as_bytes(), &mut escaped);
        // Escaping keeps UTF-8 intact: it only replaces ASCII bytes by ASCII text.
        self.text.push_str(&String::from_utf8_lossy(&escaped));
        self.text.push_str("\":");
        (offset as u32, (self.text.len() - offset) as u32)
    }

    fn rehash(&mut self) {
        let len = (self.entries.len() * 4).next_power_of_two().max(16);
        self.slots.clear();
        self.slots.resize(len, 0);
        for id in 0..self.entries.len() as u32 {
            self.occupy(id);
        }
    }

    fn occupy(&mut self, id: u32) {
        let mask = self.slots.len() - 1;
        let mut at = hash(self.name(Key(id)).as_bytes()) & mask;
        while self.slots[at] != 0 {
            at = (at + 1) & mask;
        }
        self.slots[at] = id + 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_stable_and_names_survive_escaping() {
        let mut table = KeyTable::default();
        let names = ["message", "", "a\"b", "ключ", "tab\t", "level"];
        let ids: Vec<Key> = names.iter().map(|name| table.intern(name)).collect();
        for (name, id) in names.iter().zip(&ids) {
            assert_eq!(table.find(name), Some(*id));
            assert_eq!(table.name(*id), *name);
            let json = std::str::from_utf8(table.json(*id)).unwrap();
            let quoted = json.strip_suffix(':').unwrap();
            assert_eq!(serde_json::from_str::<String>(quoted).unwrap(), *name);
        }
        assert_eq!(table.find("absent"), None);
    }

    #[test]
    fn a_grown_table_extends_the_one_it_grew_from() {
        let mut small = KeyTable::default();
        small.intern("message");
        let mut grown = small.clone();
        for i in 0..1000 {
            grown.intern(&format!("key{i}"));
        }
        assert!(grown.extends(&small));
        assert!(!small.extends(&grown));
        assert_eq!(grown.find("key999"), Some(Key(1000)));
    }
}
