//! What has been learned, and how it outlives the process.

use super::miner::{Miner, Template};
use crate::event_key::stable_hash;
use crate::state_bytes::{StateReader, StateWriter};

/// With another version, as when ids are made of something else, templates are learned anew.
const KIND: &str = "template 1";

/// What a miner knows, templates from the one seen longest ago on. `field` is where messages come from.
pub(super) fn remember(miner: &Miner, field: &str) -> Vec<u8> {
    let mut state = StateWriter::new(KIND, field);
    state.u64(miner.len() as u64);
    for template in miner.templates() {
        state.text(&template.words);
        state.text(&template.text);
        state.u64(template.count);
        state.u64(template.is_learned.into());
    }
    for (part, whole) in miner.aliases() {
        state.u64(part);
        state.u64(whole);
    }
    state.finish()
}

/// Makes a new miner know what another did; `None`, and nothing is changed, if that is not whole or of another field.
pub(super) fn recall(miner: &mut Miner, field: &str, state: &[u8]) -> Option<()> {
    let mut state = StateReader::open(state, KIND, field)?;
    let (mut templates, mut aliases) = (Vec::new(), Vec::new());
    for _ in 0..state.u64()? {
        let words = std::str::from_utf8(state.bytes()?).ok()?;
        let text = std::str::from_utf8(state.bytes()?).ok()?;
        templates.push(Template {
            id: stable_hash(words.as_bytes(), 0),
            text: text.into(),
            words: words.into(),
            count: state.u64()?,
            is_learned: state.u64()? != 0,
            written: (0, 0),
        });
    }
    while !state.is_done() {
        aliases.push((state.u64()?, state.u64()?));
    }
    for template in templates {
        miner.restore(template);
    }
    for (part, whole) in aliases {
        miner.restore_alias(part, whole);
    }
    Some(())
}
