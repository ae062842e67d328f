//! Some of the events of a batch: a bit each.

/// Events that one word of a selection tells of.
pub const WORD_EVENTS: usize = u64::BITS as usize;

/// Which events of a batch are meant. Bit `i` of word `w` stands for the event `64 * w + i`; bits behind the last event
/// are not set.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Selection {
    words: Vec<u64>,
}

impl Selection {
    /// Takes everything back, and the memory is kept.
    pub fn clear(&mut self) {
        self.words.clear();
    }

    /// Tells of the next 64 events.
    #[inline]
    pub fn push(&mut self, word: u64) {
        self.words.push(word);
    }

    /// How many events are meant.
    #[must_use]
    pub fn count(&self) -> usize {
        self.words.iter().map(|word| word.count_ones() as usize).sum()
    }

    /// The events that are meant, in their order.
    pub fn iter(&self) -> impl Iterator<Item = usize> {
        let words = self.words.iter().enumerate();
        words.flat_map(|(at, word)| bits(*word).map(move |bit| at * WORD_EVENTS + bit))
    }
}

/// Places of the bits that are set, from the lowest on.
#[inline]
pub fn bits(mut word: u64) -> impl Iterator<Item = usize> {
    std::iter::from_fn(move || {
        let bit = word.trailing_zeros() as usize;
        word &= word.wrapping_sub(1);
        (bit < WORD_EVENTS).then_some(bit)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gives_the_events_whose_bits_are_set() {
        let mut selection = Selection::default();
        for word in [0, 1 | 1 << 63, u64::MAX] {
            selection.push(word);
        }
        let wanted: Vec<usize> = [64, 127].into_iter().chain(128..192).collect();
        assert_eq!(selection.iter().collect::<Vec<_>>(), wanted);
        assert_eq!(selection.count(), wanted.len());
        selection.clear();
        assert_eq!((selection.count(), selection.iter().count()), (0, 0));
    }
}
