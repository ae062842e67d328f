//! Finds the template of a message, and learns which words of a template are values.
//!
//! A message whose words were seen before is found by their hash. Others are tried with a value in the place of
//! one word or two; what then is no known template becomes one. A word is a value where [`VARIANTS`] different
//! ones were seen in its place, or where the same message with a value there is a template already.
//!
//! **Invariant:** knows no batch; templates, what leads to them and what has become of them are all bounded.

use super::form::{PLACEHOLDER, Shape, texts};
use super::words::{Splitter, VALUE, WORDS_MAX, Word};
use crate::event_key::stable_hash;
use crate::lru::Lru;

/// Different words in a place that make it a value, and different single letters.
const VARIANTS: usize = 6;
const LETTERS: usize = 3;

/// Words of a hole that are remembered, over all its places.
const HOLE_VARIANTS_MAX: usize = 4 * VARIANTS;

/// Words a template must have for a word to be taken for one of its values.
const ABSORBING_WORDS: usize = 3;

/// Words a template must have for one of them to be learned to be a value.
const LEARNING_WORDS: usize = 2;

/// Words up to which two of a message are tried as values at once.
const PAIR_WORDS_MAX: usize = 16;

/// Templates with one more value each that a new message may lead to, one after the other.
const WIDENING_DEPTH_MAX: usize = 3;

/// Ways to a template that are remembered, for each template that may be.
const WAYS_PER_TEMPLATE: usize = 8;

/// A template.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Template {
    pub(super) id: u64,
    /// The message it was first seen in, with [`PLACEHOLDER`] for values.
    pub(super) text: Box<str>,
    /// Its words, which its id is made of.
    pub(super) words: Box<str>,
    pub(super) count: u64,
    /// Whether one of its values was learned from different words.
    pub(super) is_learned: bool,
    /// The batch in which its texts were written last, and their number there.
    pub(super) written: (u64, u32),
}

/// One template that has become a part of another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Merge {
    pub(super) template: Template,
    pub(super) into: u64,
}

/// Where a sequence of words leads: a template, and which of the words are values of it.
#[derive(Debug, Clone, Copy)]
struct Form {
    id: u64,
    /// A bit for each word that is not a value by its form.
    learned: u64,
    /// Whether these are the words of a template one of whose values was learned.
    is_learned: bool,
}

/// Templates that differ from each other in one word only.
type Hole = Vec<Variant>;

#[derive(Debug, Clone, Copy)]
struct Variant {
    word: u64,
    is_letter: bool,
    /// Whether the word is the first of the message, which says what happened more often than it varies.
    is_first: bool,
    /// How many words are in front of it: one hole can be in several places, one for each template it leads to.
    place: u8,
    id: u64,
}

pub(super) struct Miner {
    splitter: Splitter,
    words: Vec<Word>,
    forms: Lru<Form>,
    holes: Lru<Hole>,
    templates: Lru<Template>,
    /// What merged templates are a part of.
    aliases: Lru<u64>,
    /// A bit for each number of words that a template with learned values was ever seen to have.
    learned_lengths: u64,
    /// Merges that were not yet told.
    pub(super) merges: Vec<Merge>,
    pub(super) evicted: u64,
}

fn key(hash: u64) -> u128 {
    hash.into()
}

fn literals(words: &[Word]) -> usize {
    words.iter().filter(|word| !word.is_value()).count()
}

/// The places of words that are no values.
fn open(words: &[Word]) -> impl Iterator<Item = usize> + '_ {
    (0..words.len()).filter(|&index| !words[index].is_value())
}

/// Turns the words into values whose bits are set; bits count the words that are none yet.
fn apply(words: &mut [Word], learned: u64) {
    if learned != 0 {
        let open = words.iter_mut().filter(|word| !word.is_value());
        for (_, word) in open.enumerate().filter(|(bit, _)| learned >> bit & 1 == 1) {
            word.hash = VALUE;
        }
    }
}

impl Miner {
    pub(super) fn new(templates_max: usize) -> Self {
        let ways = templates_max.saturating_mul(WAYS_PER_TEMPLATE);
        Self {
            splitter: Splitter::new(),
            words: Vec::new(),
            forms: Lru::new(ways),
            holes: Lru::new(ways),
            templates: Lru::new(templates_max),
            aliases: Lru::new(templates_max),
            learned_lengths: 0,
            merges: Vec::new(),
            evicted: 0,
        }
    }

    pub(super) fn len(&self) -> usize {
        self.templates.len()
    }

    /// The template of a message, which now counts it, and the message's words. None for an empty message.
    pub(super) fn find(&mut self, message: &[u8]) -> Option<(&mut Template, &[Word])> {
        let mut words = std::mem::take(&mut self.words);
        self.splitter.split(message, &mut words);
        let id = self.find_id(message, &mut words);
        self.words = words;
        let template = self.templates.get(key(id?))?;
        template.count += 1;
        Some((template, &self.words))
    }

    fn find_id(&mut self, message: &[u8], words: &mut [Word]) -> Option<u64> {
        if words.is_empty() {
            return None;
        }
        let hash = Shape::hash(words);
        if let Some(form) = self.forms.get(key(hash)).copied()
            && let Some(id) = self.resolve(form.id)
        {
            let learned = if id == form.id {
                form.learned
            } else {
                self.learned_since(words, hash, form, id)
            };
            apply(words, learned);
            return Some(id);
        }
        Some(self.learn(message, words, hash))
    }

    /// Which words are values, now that the form's template is a part of another.
    fn learned_since(&mut self, words: &[Word], hash: u64, form: Form, id: u64) -> u64 {
        let found = self.with_values(words).filter(|(of, _)| *of == id);
        let learned = found.map_or(form.learned, |(_, learned)| learned);
        self.forms.put(key(hash), Form { id, learned, is_learned: form.is_learned });
        learned
    }

    /// The template that one with this id is now a part of.
    fn resolve(&mut self, mut id: u64) -> Option<u64> {
        // Merges only ever lead to templates with more values, so that there is no circle; the bound is a guard.
        for _ in 0..u64::BITS {
            if self.templates.get(key(id)).is_some() {
                return Some(id);
            }
            id = *self.aliases.get(key(id))?;
        }
        None
    }

    /// A message whose sequence of words is not known: one with new values, or a template.
    fn learn(&mut self, message: &[u8], words: &mut [Word], hash: u64) -> u64 {
        let Some((id, learned)) = self.with_values(words) else {
            return self.add(message, words, hash, 0);
        };
        apply(words, learned);
        self.forms.put(key(hash), Form { id, learned, is_learned: false });
        id
    }

    /// The template that has values where the message has a word or two, and the bits of these words.
    fn with_values(&mut self, words: &[Word]) -> Option<(u64, u64)> {
        let found = self.with_one_value(words).or_else(|| self.with_two_values(words));
        let (id, values) = found?;
        let bit = |(bit, place): (usize, usize)| u64::from(values.contains(&place)) << bit;
        Some((id, open(words).enumerate().map(bit).fold(0, |bits, bit| bits | bit)))
    }

    /// The template that has a value where the message has a word, and its place.
    fn with_one_value(&mut self, words: &[Word]) -> Option<(u64, [usize; 2])> {
        let shape = Shape::new(words);
        let absorbs = literals(words) > ABSORBING_WORDS;
        open(words).find_map(|index| {
            let (id, is_learned) = self.template_of(shape.with_value(index))?;
            (is_learned || absorbs && index > 0).then_some((id, [index, index]))
        })
    }

    /// The template that has learned values where the message has two words, and their places.
    fn with_two_values(&mut self, words: &[Word]) -> Option<(u64, [usize; 2])> {
        // Most messages of unlike words are spared the search: no template could be found by it.
        let length = literals(words).checked_sub(2).filter(|length| *length >= LEARNING_WORDS)?;
        if words.len() > PAIR_WORDS_MAX || self.learned_lengths >> length & 1 == 0 {
            return None;
        }
        let shape = Shape::new(words);
        open(words).find_map(|first| {
            open(words).filter(|second| *second > first).find_map(|second| {
                let hash = shape.with_values(first, second);
                let (id, is_learned) = self.template_of(hash)?;
                is_learned.then_some((id, [first, second]))
            })
        })
    }

    /// The template whose own words these are, and whether one of its values was learned.
    fn template_of(&mut self, hash: u64) -> Option<(u64, bool)> {
        let form = self.forms.get(key(hash)).copied().filter(|form| form.learned == 0)?;
        Some((self.resolve(form.id)?, form.is_learned))
    }

    /// Adds a template, and merges what it shows to be the same.
    fn add(&mut self, message: &[u8], words: &[Word], hash: u64, depth: usize) -> u64 {
        let id = self.insert(message, words, hash, depth > 0);
        let literals = literals(words);
        if literals >= ABSORBING_WORDS
            && let Some(hole) = self.holes.get(key(hash))
        {
            let parts: Vec<Variant> = hole.extract_if(.., |variant| !variant.is_first).collect();
            for part in parts {
                self.merge(part.id, id);
            }
        }
        if literals >= LEARNING_WORDS {
            let shape = Shape::new(words);
            for index in open(words) {
                let hash = shape.with_value(index);
                self.remember(hash, words, index, id);
                self.widen(message, words, index, hash, depth);
                if self.templates.get(key(id)).is_none() {
                    // It has become a part of another, which alone may be widened now.
                    break;
                }
            }
        }
        self.resolve(id).unwrap_or(id)
    }

    /// Adds the template with these words of a message, unless there is one; gives its id.
    fn insert(&mut self, message: &[u8], words: &[Word], hash: u64, is_learned: bool) -> u64 {
        let (canonical, text) = texts(message, words);
        self.note_length(words, is_learned);
        let id = stable_hash(canonical.as_bytes(), 0);
        self.forms.put(key(hash), Form { id, learned: 0, is_learned });
        if let Some(known) = self.resolve(id) {
            if is_learned && let Some(template) = self.templates.get(key(id)) {
                template.is_learned = true;
            }
            return known;
        }
        self.aliases.remove(key(id));
        let (text, words) = (text.into(), canonical.into());
        let template = Template { id, text, words, count: 0, is_learned, written: (0, 0) };
        self.evicted += u64::from(self.templates.insert(key(id), template).is_some());
        id
    }

    /// Notes how many words a template with learned values has.
    fn note_length(&mut self, words: &[Word], is_learned: bool) {
        // Of WORDS_MAX words at least one is a value then.
        self.learned_lengths |= u64::from(is_learned) << (literals(words) % WORDS_MAX);
    }

    /// Where enough different words were seen in a place of a template it is a value: what has only words there
    /// becomes a part of the template with the value.
    fn widen(&mut self, message: &[u8], words: &[Word], index: usize, hash: u64, depth: usize) {
        let Some(hole) = self.holes.get(key(hash)) else { return };
        let place = literals(&words[..index]) as u8;
        let here = || hole.iter().filter(|variant| variant.place == place);
        let needed = if here().all(|variant| variant.is_letter) { LETTERS } else { VARIANTS };
        if here().count() < needed || depth == WIDENING_DEPTH_MAX {
            return;
        }
        let parts = self.holes.remove(key(hash)).unwrap_or_default();
        let mut wide = words.to_vec();
        wide[index].hash = VALUE;
        let wide = self.add(message, &wide, hash, depth + 1);
        for part in parts {
            self.merge(part.id, wide);
        }
    }

    /// Remembers that a template has this word in this place.
    fn remember(&mut self, hash: u64, words: &[Word], index: usize, id: u64) {
        let word = &words[index];
        let variant = Variant {
            word: word.hash,
            is_letter: word.end() - word.start() == 1,
            is_first: index == 0,
            place: literals(&words[..index]) as u8,
            id,
        };
        let same = |known: &Variant| (known.word, known.place) == (variant.word, variant.place);
        match self.holes.get(key(hash)) {
            None => drop(self.holes.insert(key(hash), vec![variant])),
            Some(hole) if hole.iter().any(same) => {}
            Some(hole) if hole.len() < HOLE_VARIANTS_MAX => hole.push(variant),
            Some(_) => {}
        }
    }

    /// Makes a template a part of another. One that is a part of a third already stays there: the third has values
    /// in other places, and both will be parts of the template that has all of these values.
    fn merge(&mut self, part: u64, whole: u64) {
        let Some(whole) = self.resolve(whole).filter(|whole| *whole != part) else { return };
        let Some(template) = self.templates.remove(key(part)) else { return };
        self.aliases.put(key(part), whole);
        if let Some(wide) = self.templates.get(key(whole)) {
            wide.count += template.count;
        }
        self.merges.push(Merge { template, into: whole });
    }

    /// The text of a template, if it is still there.
    pub(super) fn text_of(&mut self, id: u64) -> Option<&str> {
        self.templates.get(key(id)).map(|template| &*template.text)
    }
}

/// What outlives the process.
impl Miner {
    pub(super) fn templates(&self) -> impl Iterator<Item = &Template> {
        self.templates.iter().map(|(_, template)| template)
    }

    /// Merged ids and what they are a part of.
    pub(super) fn aliases(&self) -> impl Iterator<Item = (u64, u64)> {
        self.aliases.iter().map(|(key, into)| (key as u64, *into))
    }

    /// Adds a template that another miner knew.
    pub(super) fn restore(&mut self, template: Template) {
        let mut words = Vec::new();
        for word in template.words.split(' ').take(WORDS_MAX) {
            let is_value = word == PLACEHOLDER;
            let hash = if is_value { VALUE } else { self.splitter.hash(word.as_bytes()) };
            words.push(Word::new(hash, 0, word.len()));
        }
        let (id, is_learned) = (template.id, template.is_learned);
        self.note_length(&words, is_learned);
        self.templates.put(key(id), template);
        self.forms.put(key(Shape::hash(&words)), Form { id, learned: 0, is_learned });
        if literals(&words) >= LEARNING_WORDS {
            let shape = Shape::new(&words);
            for index in open(&words) {
                self.remember(shape.with_value(index), &words, index, id);
            }
        }
    }

    /// Adds a merge that another miner knew.
    pub(super) fn restore_alias(&mut self, part: u64, whole: u64) {
        if part != whole && self.templates.get(key(part)).is_none() {
            self.aliases.put(key(part), whole);
        }
    }
}

#[cfg(test)]
impl Miner {
    /// How many forms, holes, templates and merged ids are remembered.
    pub(super) fn sizes(&self) -> [usize; 4] {
        [self.forms.len(), self.holes.len(), self.templates.len(), self.aliases.len()]
    }
}
