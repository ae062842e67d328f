//! What a crash or a power loss leaves behind.

use std::collections::BTreeSet;

use super::names::Names;
use super::node::{Change, Content, Kind};
use super::state::State;

/// SplitMix64: small, and the same on every machine.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((z ^ (z >> 31)) % sides.max(1) as u64) as usize
    }
}

impl State {
    pub(crate) fn after_crash(&self) -> Self {
        self.restarted(self.nodes.clone(), self.names.clone())
    }

    pub(crate) fn after_power_loss(&self, seed: u64) -> Self {
        let mut dice = Dice(seed);
        let mut tree = self.names.durable.clone();
        let kept = dice.roll(self.names.pending.len() + 1);
        for change in &self.names.pending[..kept] {
            change.apply(&mut tree);
        }
        let mut nodes = self.nodes.clone();
        // A name whose directory did not survive is not reachable.
        let directories: BTreeSet<_> = tree
            .iter()
            .filter(|(_, index)| matches!(nodes[**index].kind, Kind::Directory))
            .map(|(path, _)| path.clone())
            .collect();
        tree.retain(|path, _| path.ancestors().skip(1).all(|above| directories.contains(above)));
        for node in &mut nodes {
            if let Some(content) = node.content_mut() {
                lose(content, &mut dice);
            }
        }
        let mut next_inode = self.next_inode;
        let mut inodes = BTreeSet::new();
        for index in tree.values() {
            // A number that was reused while its first owner's end was not durable.
            if !inodes.insert(nodes[*index].inode) {
                nodes[*index].inode = next_inode;
                next_inode += 1;
            }
        }
        let names = Names { now: tree.clone(), durable: tree, pending: Vec::new() };
        let mut state = self.restarted(nodes, names);
        state.next_inode = next_inode;
        state
    }
}

/// Keeps, drops or tears each change that was not synced, in any combination, as a disk does that writes
/// pages in the order it likes.
fn lose(content: &mut Content, dice: &mut Dice) {
    for change in content.pending.drain(..) {
        match (dice.roll(3), change) {
            (0, _) => {}
            (1, Change::Write { offset, bytes }) => {
                let torn = dice.roll(bytes.len() + 1);
                Change::Write { offset, bytes: bytes[..torn].to_vec() }.apply(&mut content.durable);
            }
            (_, change) => change.apply(&mut content.durable),
        }
    }
    content.bytes.clone_from(&content.durable);
}
