//! Shapes: which key follows which. A trie of the paths of keys seen in objects predicts the next key, so that
//! reading one costs a comparison of 16 bytes instead of a scan and a look-up.
//!
//! **Invariant:** bounded, whatever the keys of a stream are: nodes, children of a node and depth have limits,
//! beyond which keys are looked up by their hash.

use std::sync::Arc;

use lograil_event::{KeyTable, json_text};

/// Nodes of one trie.
const NODES_MAX: usize = 4096;
/// Children of one node.
const CHILDREN_MAX: u16 = 16;
/// Keys of one path.
const DEPTH_MAX: u16 = 256;
/// Bytes of a predicted key.
const KEY_BYTES_MAX: usize = 200;
/// Keys that no prediction could be made for, after which the trie starts over.
const MISSES_MAX: u32 = 16_384;
/// Keys, and bytes of keys, after which a table is given up for a fresh one.
const TABLE_KEYS_MAX: usize = 4096;
const TABLE_BYTES_MAX: usize = 256 * 1024;

/// No node; as a position in the trie: off the trie, where keys are looked up by hash.
pub(super) const NONE: u32 = 0;
/// The node before the first key.
pub(super) const ROOT: u32 = 1;

/// One key behind the path of keys that leads to it.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Node {
    /// The first 16 bytes of `key":` as two words, and which bits of them count.
    words: [u64; 2],
    masks: [u64; 2],
    /// Bit `id % 64` of every key of the path.
    pub keys_mask: u64,
    pub first_child: u32,
    pub next_sibling: u32,
    /// The key's id.
    pub key: u32,
    parent: u32,
    /// Where the bytes beyond the first 16 are in the trie's text.
    rest: u32,
    /// Length of `key":`.
    pub len: u16,
    depth: u16,
    children: u16,
    /// Whether the path already has this key.
    pub is_duplicate: bool,
}

/// `key":` ready to be compared.
struct Pattern {
    words: [u64; 2],
    masks: [u64; 2],
}

impl Pattern {
    fn new(raw: &[u8]) -> Self {
        let mut bytes = [0; 16];
        let mut masks = [0; 16];
        let close = b"\":";
        for (at, byte) in raw.iter().chain(close).take(16).enumerate() {
            bytes[at] = *byte;
            masks[at] = 0xFF;
        }
        Self { words: words(&bytes), masks: words(&masks) }
    }
}

#[inline]
fn words(bytes: &[u8; 16]) -> [u64; 2] {
    let all = u128::from_le_bytes(*bytes);
    [all as u64, (all >> 64) as u64]
}

/// The 16 bytes at `pos` as two words; zeros stand for what is missing at the end.
#[inline]
pub(super) fn load_words(block: &[u8], pos: usize) -> [u64; 2] {
    match block.get(pos..).and_then(|rest| rest.first_chunk::<16>()) {
        Some(bytes) => words(bytes),
        None => load_words_at_end(block, pos),
    }
}

#[cold]
fn load_words_at_end(block: &[u8], pos: usize) -> [u64; 2] {
    let mut bytes = [0; 16];
    let rest = block.get(pos..).unwrap_or_default();
    let len = rest.len().min(16);
    bytes[..len].copy_from_slice(&rest[..len]);
    words(&bytes)
}

/// Where a key that was not predicted leads.
pub(super) struct Learned {
    /// The node, or [`NONE`] off the trie.
    pub node: u32,
    pub key: u32,
    pub is_duplicate: bool,
}

/// A key table and the trie of the paths of its keys.
#[derive(Debug)]
pub(super) struct Shapes {
    pub keys: Arc<KeyTable>,
    nodes: Vec<Node>,
    rests: Vec<u8>,
    misses: u32,
    table_bytes: usize,
    /// Where each key's field is in the object being read, for objects that are off the trie: the object's
    /// number and the field's position in it, by key id.
    marks: Vec<(u32, u32)>,
    object: u32,
    unescaped: Vec<u8>,
}

impl Shapes {
    pub fn new(keys: Arc<KeyTable>) -> Self {
        let mut shapes = Self {
            keys,
            nodes: Vec::new(),
            rests: Vec::new(),
            misses: 0,
            table_bytes: 0,
            marks: Vec::new(),
            object: 0,
            unescaped: Vec::new(),
        };
        shapes.forget_paths();
        shapes
    }

    fn forget_paths(&mut self) {
        self.nodes.clear();
        self.nodes.extend([Node::default(), Node::default()]);
        self.rests.clear();
        self.misses = 0;
    }

    /// Whether the table has grown so far that the next batch should start a fresh one.
    pub fn is_worn(&self) -> bool {
        self.keys.len() > TABLE_KEYS_MAX || self.table_bytes > TABLE_BYTES_MAX
    }

    /// Starts over if too many keys could not be predicted. Only between objects: it invalidates positions.
    #[inline]
    pub fn begin_object(&mut self) {
        if self.misses > MISSES_MAX {
            self.forget_paths();
        }
    }

    #[inline]
    pub fn node(&self, node: u32) -> &Node {
        &self.nodes[node as usize]
    }

    /// The node that follows `node` with the key that starts at `pos`, or [`NONE`].
    #[inline]
    pub fn predict(&self, node: u32, block: &[u8], pos: usize) -> u32 {
        let seen = load_words(block, pos);
        let mut child = self.node(node).first_child;
        while child != NONE {
            let next = self.node(child);
            let differs = ((seen[0] & next.masks[0]) ^ next.words[0])
                | ((seen[1] & next.masks[1]) ^ next.words[1]);
            if differs == 0 && (next.len <= 16 || self.rest_matches(next, block, pos)) {
                return child;
            }
            child = next.next_sibling;
        }
        NONE
    }

    #[inline(never)]
    fn rest_matches(&self, node: &Node, block: &[u8], pos: usize) -> bool {
        let len = usize::from(node.len) - 16;
        let rest = &self.rests[node.rest as usize..][..len];
        block.get(pos + 16..).is_some_and(|text| text.starts_with(rest))
    }

    /// The id of a key name.
    pub fn intern(&mut self, name: &str) -> u32 {
        if let Some(key) = self.keys.find(name) {
            return key.0;
        }
        self.table_bytes += name.len();
        Arc::make_mut(&mut self.keys).intern(name).0
    }

    fn intern_raw(&mut self, raw: &[u8], is_escaped: bool) -> u32 {
        if !is_escaped {
            return self.intern(&String::from_utf8_lossy(raw));
        }
        let mut name = std::mem::take(&mut self.unescaped);
        name.clear();
        json_text::unescape(raw, &mut name);
        let key = self.intern(&String::from_utf8_lossy(&name));
        self.unescaped = name;
        key
    }

    /// Takes a key that was not predicted behind `node`; `raw` is what stands between its quotes, and
    /// `earlier` are the keys of the object so far in the order of its fields.
    #[cold]
    pub fn learn(
        &mut self,
        node: u32,
        raw: &[u8],
        is_escaped: bool,
        earlier: impl ExactSizeIterator<Item = u32>,
    ) -> Learned {
        let pattern = Pattern::new(raw);
        if node != NONE {
            // A key may be known and yet not predicted: when white space stands before its colon.
            if let Some(child) = self.find_child(node, raw, &pattern) {
                let found = self.node(child);
                let (key, is_duplicate) = (found.key, found.is_duplicate);
                return Learned { node: child, key, is_duplicate };
            }
        }
        let key = self.intern_raw(raw, is_escaped);
        if node != NONE {
            if let Some(child) = self.add_child(node, raw, &pattern, key) {
                let is_duplicate = self.node(child).is_duplicate;
                return Learned { node: child, key, is_duplicate };
            }
            self.start_marks(earlier);
        }
        self.misses = self.misses.saturating_add(1);
        Learned { node: NONE, key, is_duplicate: self.marked(key).is_some() }
    }

    fn find_child(&self, node: u32, raw: &[u8], pattern: &Pattern) -> Option<u32> {
        let mut child = self.node(node).first_child;
        while child != NONE {
            let next = self.node(child);
            let same = next.words == pattern.words && next.masks == pattern.masks;
            if same && usize::from(next.len) == raw.len() + 2 {
                let tail = usize::from(next.len).saturating_sub(16);
                let rest = &self.rests[next.rest as usize..][..tail];
                if raw.iter().chain(b"\":").skip(16).eq(rest) {
                    return Some(child);
                }
            }
            child = next.next_sibling;
        }
        None
    }

    fn add_child(&mut self, node: u32, raw: &[u8], pattern: &Pattern, key: u32) -> Option<u32> {
        let parent = *self.node(node);
        let is_full = self.nodes.len() >= NODES_MAX
            || parent.children >= CHILDREN_MAX
            || parent.depth >= DEPTH_MAX
            || raw.len() > KEY_BYTES_MAX;
        if is_full {
            return None;
        }
        let child = self.nodes.len() as u32;
        let rest = self.rests.len() as u32;
        self.rests.extend(raw.iter().chain(b"\":").skip(16));
        self.nodes.push(Node {
            words: pattern.words,
            masks: pattern.masks,
            keys_mask: parent.keys_mask | key_bit(key),
            first_child: NONE,
            next_sibling: parent.first_child,
            key,
            parent: node,
            rest,
            len: (raw.len() + 2) as u16,
            depth: parent.depth + 1,
            children: 0,
            is_duplicate: self.path_has(node, key),
        });
        let parent = &mut self.nodes[node as usize];
        parent.first_child = child;
        parent.children += 1;
        Some(child)
    }

    fn path_has(&self, mut node: u32, key: u32) -> bool {
        while node != ROOT {
            let at = self.node(node);
            if at.key == key {
                return true;
            }
            node = at.parent;
        }
        false
    }

    fn start_marks(&mut self, earlier: impl ExactSizeIterator<Item = u32>) {
        if self.object == u32::MAX {
            self.marks.clear();
            self.object = 0;
        }
        self.object += 1;
        for (position, key) in earlier.enumerate() {
            self.mark(key, position as u32);
        }
    }

    /// Notes, for an object off the trie, where the field of a key is.
    #[cold]
    pub fn mark(&mut self, key: u32, position: u32) {
        let at = key as usize;
        if self.marks.len() <= at {
            self.marks.resize((at + 1).max(self.keys.len()), (0, 0));
        }
        self.marks[at] = (self.object, position);
    }

    /// Where the field of a key is in an object off the trie.
    pub fn marked(&self, key: u32) -> Option<u32> {
        let (object, position) = *self.marks.get(key as usize)?;
        (object == self.object).then_some(position)
    }
}

/// The bit of a key in [`Node::keys_mask`].
#[inline]
pub(super) const fn key_bit(key: u32) -> u64 {
    1 << (key % 64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_known_key_leads_to_its_node_however_it_is_reached() {
        let mut shapes = Shapes::new(Arc::default());
        let first = shapes.learn(ROOT, b"key", false, std::iter::empty());
        let again = shapes.learn(ROOT, b"key", false, std::iter::empty());
        assert_eq!(again.node, first.node);
        assert_eq!(shapes.predict(ROOT, b"key\":1", 0), first.node);
        assert_eq!(shapes.predict(ROOT, b"key\" :1", 0), NONE);
        let twice = shapes.learn(first.node, b"key", false, std::iter::empty());
        assert!(twice.is_duplicate && twice.key == first.key);
    }

    #[test]
    fn paths_start_over_when_too_many_keys_could_not_be_predicted() {
        let mut shapes = Shapes::new(Arc::default());
        let learn = |shapes: &mut Shapes, name: &str| {
            shapes.begin_object();
            shapes.learn(ROOT, name.as_bytes(), false, std::iter::empty()).node
        };
        for at in 0..u32::from(CHILDREN_MAX) {
            assert_ne!(learn(&mut shapes, &at.to_string()), NONE);
        }
        for at in 0..=MISSES_MAX {
            assert_eq!(learn(&mut shapes, &format!("{}", at % 100 + 100)), NONE);
        }
        assert_ne!(learn(&mut shapes, "new"), NONE);
    }
}
