//! Some of the events of a batch: a bit each.

/// Events that one word of a selection tells of.
pub const WORD_EVENTS: usize = u64::BITS as usize;

/// Words whose memory is kept for the next selection: those of a million events.
const KEPT_WORDS: usize = 1 << 14;

/// Which events of a batch are meant. Bit `i` of word `w` stands for the event `64 * w + i`; bits behind the last event
/// are not set.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Selection {
    words: Vec<u64>,
}

impl Selection {
    /// Of so many events those for which `is_meant` is true.
    pub fn of(events: usize, mut is_meant: impl FnMut(usize) -> bool) -> Self {
        let mut words = vec![0; events.div_ceil(WORD_EVENTS)];
        for event in 0..events {
            words[event / WORD_EVENTS] |= u64::from(is_meant(event)) << (event % WORD_EVENTS);
        }
        Self { words }
    }

    /// Of so many events those whose bits are set in these words, as many as the events take. Bits behind the last event do
    /// not matter.
    #[must_use]
    pub fn of_words(events: usize, words: &[u64]) -> Option<Self> {
        let mut words = words.to_vec();
        if let (Some(last), behind @ 1..) = (words.last_mut(), events % WORD_EVENTS) {
            *last &= (1 << behind) - 1;
        }
        (words.len() == events.div_ceil(WORD_EVENTS)).then_some(Self { words })
    }

    /// The bits.
    #[must_use]
    pub fn words(&self) -> &[u64] {
        &self.words
    }

    /// Takes everything back, and the memory is kept, as long as it is not much.
    pub fn clear(&mut self) {
        self.words.clear();
        self.words.shrink_to(KEPT_WORDS);
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
        let same = Selection::of(192, |event| wanted.contains(&event) || event == 0 || event == 63);
        assert_eq!(same.iter().skip(2).collect::<Vec<_>>(), wanted);
        selection.clear();
        assert_eq!((selection.count(), selection.iter().count()), (0, 0));
    }

    #[test]
    fn words_from_outside_mean_no_event_that_there_is_not() {
        for (events, words, wanted) in [
            (0, &[][..], Some(0)),
            (0, &[1], None),
            (1, &[u64::MAX], Some(1)),
            (63, &[u64::MAX], Some(63)),
            (64, &[u64::MAX], Some(64)),
            (65, &[u64::MAX; 2], Some(65)),
            (65, &[u64::MAX], None),
            (64, &[u64::MAX; 2], None),
        ] {
            let made = Selection::of_words(events, words).map(|made| made.count());
            assert_eq!(made, wanted, "{events}");
        }
    }
}
