//! Short texts as keys: found again by comparing four words, without a hash that nobody can foresee.
//!
//! **Invariant:** what this does not find may still be there, under its [`crate::event_key::KeyHasher`] hash: whoever makes texts
//! collide here only takes the shortcut away.

use std::hash::{BuildHasher, RandomState};

use lograil_event::{EventRef, Key, Tag};

/// Bytes of a padded text. The last one tells how long it is, and of what kind.
const PADDED_BYTES: usize = 32;

/// What the last byte has besides where the text is a number: `7` is not `"7"`.
const NUMBER: u64 = 1 << 6;

/// Places for each slot: so many that few keys share one with others. At first, and at most: 1 MiB.
const PLACES_PER_SLOT: usize = 4;
const PLACES_MIN: usize = 64;
const PLACES_MAX: usize = 1 << 18;

/// For each length of a text the bits of four words that belong to it.
const TEXT_BITS: [[u64; 4]; PADDED_BYTES] = {
    let mut bits = [[0; 4]; PADDED_BYTES];
    let mut len = 0;
    while len < PADDED_BYTES {
        let mut byte = 0;
        while byte < len {
            bits[len][byte / 8] |= 0xFF << (byte % 8 * 8);
            byte += 1;
        }
        len += 1;
    }
    bits
};

/// Slots whose keys are noted: 32 MiB.
const SLOTS_MAX: u32 = 1 << 20;

/// A text or a number of less than 32 bytes, padded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ShortKey([u64; 4]);

impl ShortKey {
    /// No text at all.
    const NONE: Self = Self([0; 4]);

    /// That of an event's field, if it is kept as text and short.
    #[inline]
    pub(crate) fn of(event: EventRef<'_>, key: Key) -> Option<Self> {
        let field = event.field(key)?;
        let kind = match field.tag {
            Tag::Str | Tag::Bytes => 0,
            Tag::Number => NUMBER,
            _ => return None,
        };
        let span = field.span();
        let (start, len) = (span.offset as usize, span.len as usize);
        let bits = TEXT_BITS.get(len)?;
        let rest = event.batch().block(span.segment).get(start..)?;
        // As many bytes each time: a copy of so few costs less than finding out how few.
        let bytes = match rest.first_chunk::<PADDED_BYTES>() {
            Some(bytes) => *bytes,
            None => padded(rest.get(..len)?),
        };
        let word = |at: usize| {
            bytes[8 * at..].first_chunk().map_or(0, |bytes| u64::from_le_bytes(*bytes)) & bits[at]
        };
        Some(Self([word(0), word(1), word(2), word(3) | (kind | (len as u64 + 1)) << 56]))
    }
}

fn padded(text: &[u8]) -> [u8; PADDED_BYTES] {
    let mut bytes = [0; PADDED_BYTES];
    let len = text.len().min(PADDED_BYTES);
    bytes[..len].copy_from_slice(&text[..len]);
    bytes
}

/// The slots of keys, which somebody else hands out, by the keys' texts. Places come in pairs: of keys that share a pair the
/// last two are known.
pub(crate) struct RecentKeys {
    /// The slots that were noted last in each place.
    places: Vec<u32>,
    /// The text of each slot's key, where it is short.
    keys: Vec<ShortKey>,
    secret: [u64; 4],
}

impl Default for RecentKeys {
    fn default() -> Self {
        let random = RandomState::new();
        let secret = [0, 1, 2, 3].map(|number| random.hash_one(number));
        Self { places: Vec::new(), keys: Vec::new(), secret }
    }
}

impl RecentKeys {
    /// The slot of a key, if it is known by its text.
    #[inline]
    pub(crate) fn find(&self, key: ShortKey) -> Option<u32> {
        let place = self.place(key);
        let slot = *self.places.get(place)?;
        if self.keys.get(slot as usize) == Some(&key) {
            return Some(slot);
        }
        let slot = *self.places.get(place ^ 1)?;
        (self.keys.get(slot as usize) == Some(&key)).then_some(slot)
    }

    /// Notes that a slot has a key.
    pub(crate) fn note(&mut self, key: ShortKey, slot: u32) {
        if slot >= SLOTS_MAX {
            return;
        }
        let slots = slot as usize + 1;
        if self.keys.len() < slots {
            self.keys.resize(slots, ShortKey::NONE);
        }
        let wanted = (PLACES_PER_SLOT * slots).next_power_of_two().clamp(PLACES_MIN, PLACES_MAX);
        if self.places.len() < wanted {
            // What was noted is found under its hash once more, and noted anew.
            self.places = vec![u32::MAX; wanted];
        }
        self.keys[slot as usize] = key;
        let place = self.place(key);
        let before = std::mem::replace(&mut self.places[place], slot);
        if before != u32::MAX && before != slot {
            self.places[place ^ 1] = before;
        }
    }

    /// Forgets the key of a slot.
    pub(crate) fn forget(&mut self, slot: u32) {
        if let Some(key) = self.keys.get_mut(slot as usize) {
            *key = ShortKey::NONE;
        }
    }

    /// Where the slot of a key is noted. The two halves of a product depend on all of its factors' bits.
    #[inline]
    fn place(&self, ShortKey([a, b, c, d]): ShortKey) -> usize {
        let [of_a, of_b, of_c, of_d] = self.secret;
        let folded = |one: u64, other: u64| {
            let product = u128::from(one) * u128::from(other);
            product as u64 ^ (product >> 64) as u64
        };
        let mixed = folded(a ^ of_a, b ^ of_b) ^ folded(c ^ of_c, d ^ of_d);
        mixed as usize & self.places.len().wrapping_sub(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use lograil_event::{Batch, Field, FieldFlags};
    use lograil_testkit::batch_of_json;
    use serde_json::{Value, json};

    fn keys(values: &[Value]) -> Vec<Option<ShortKey>> {
        let events: Vec<Value> = values.iter().map(|value| json!({"key": value})).collect();
        let batch = batch_of_json(&events);
        let key = batch.find_key("key").unwrap();
        batch.iter().map(|event| ShortKey::of(event, key)).collect()
    }

    #[test]
    fn texts_of_up_to_31_bytes_are_told_apart() {
        let long = "service-0123456789-0123456789-01";
        let mut texts: Vec<Value> = (0..=long.len()).map(|len| json!(long[..len])).collect();
        texts.extend(["a\0", "\0", "A", "b"].map(|text| json!(text)));
        let found = keys(&texts);
        assert_eq!(found.iter().position(Option::is_none), Some(32));
        let short: Vec<ShortKey> = found.into_iter().flatten().collect();
        assert_eq!(short.len(), texts.len() - 1);
        for (at, key) in short.iter().enumerate() {
            assert!(*key != ShortKey::NONE && !short[at + 1..].contains(key), "{at}");
        }
        // The same text is the same key, wherever in its block it stands.
        assert_eq!(keys(&[json!("ab"), json!("cd"), json!("ab")])[0], keys(&[json!("ab")])[0]);
    }

    #[test]
    fn a_number_is_no_text_and_what_is_not_kept_as_text_has_no_key() {
        let mut batch = Batch::new();
        let mut edit = batch.edit();
        let name = edit.key("key");
        for tag in [Tag::Str, Tag::Bytes, Tag::Number, Tag::Array] {
            let event = edit.push_event(0);
            let span = edit.push_text(b"7");
            edit.append(event, Field::text(name.0, tag, span, FieldFlags::NONE));
        }
        let event = edit.push_event(0);
        edit.append(event, Field::i64(name.0, 7));
        let keys: Vec<_> = batch.iter().map(|event| ShortKey::of(event, name)).collect();
        assert!(keys[0].is_some() && keys[0] == keys[1]);
        assert!(keys[2].is_some() && keys[2] != keys[0]);
        assert_eq!(keys[3..], [None, None]);
    }

    #[test]
    fn a_slot_is_found_by_its_last_key_only() {
        let texts: Vec<Value> = (0..500).map(|number| json!(format!("key-{number}"))).collect();
        let keys: Vec<ShortKey> = keys(&texts).into_iter().flatten().collect();
        let mut recent = RecentKeys::default();
        assert_eq!(recent.find(keys[0]), None);
        for _ in 0..2 {
            for (slot, key) in (0..).zip(&keys) {
                recent.note(*key, slot);
                assert_eq!(recent.find(*key), Some(slot));
            }
        }
        let found = |recent: &RecentKeys| {
            let slots = (0..).zip(&keys).filter(|(slot, key)| match recent.find(**key) {
                Some(found) => found == *slot || panic!("{found} for {slot}"),
                None => false,
            });
            slots.count()
        };
        assert!(found(&recent) > 250, "most are found: {}", found(&recent));
        (0..500).for_each(|slot| recent.forget(slot));
        assert_eq!(found(&recent), 0);
        recent.note(keys[7], 3);
        recent.note(keys[8], 3);
        assert_eq!((recent.find(keys[7]), recent.find(keys[8])), (None, Some(3)));
    }
}
