//! Counts the events of all keys, unit of time by unit of time, and says what becomes of each.

use lograil_event::{Batch, EventRef, Key};
use lograil_plugin::ConfigError;

use super::detector::Change;
use super::key::KeyState;
use super::notice::{self, Names};
use super::options::{Action, BurstOptions};
use crate::condition::OptionCondition;
use crate::event_key::{KeyHasher, append_value};
use crate::event_time::{Progress, TimeSource};
use crate::field_path::FieldPath;
use crate::level::Level;
use crate::lru::Lru;
use crate::notice::Notice;
use crate::state_bytes::{StateReader, StateWriter};

const KIND: &str = "burst 1";

/// How late events may come, in units of time and at least, so that the clock may stand in for those that do not.
const LATE_UNITS: i64 = 2;
const LATE_NS_MIN: i64 = 10_000_000_000;

pub(super) struct Watch {
    limit: f64,
    unit_ns: i64,
    time: TimeSource,
    progress: Progress,
    key_field: Option<FieldPath>,
    level_field: Option<FieldPath>,
    pub(super) exclude: Option<OptionCondition>,
    policy: Policy,
    /// The number of the unit of time that is counted, and of the last burst.
    unit: i64,
    /// The first moment behind it, so that no event costs a division.
    unit_end_ns: i64,
    bursts: u64,
    keys: Lru<KeyState>,
    /// Keys that had events in this unit of time, and those in a burst. Of those forgotten since some may be there, and
    /// twice if they came back: in all at most twice as many as keys may be remembered.
    touched: Vec<u128>,
    bursting: Vec<u128>,
    hasher: KeyHasher,
    scratch: Vec<u8>,
    /// The options for which all this holds.
    terms: String,
    pub(super) names: Names,
    /// What becomes of the events of the current batch, up to the last one that does not just pass.
    pub(super) fates: Vec<Fate>,
    pub(super) notices: Vec<Notice>,
    pub(super) started: u64,
    pub(super) evicted: u64,
}

/// What is done in a burst.
#[derive(Debug, Clone, Copy)]
struct Policy {
    action: Action,
    keep_first: u64,
    keep_one_in: u64,
    throttle_factor: f64,
    drops_errors: bool,
}

/// What becomes of an event.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Fate {
    pub(super) passes: bool,
    /// How many events it stands for.
    pub(super) weight: u64,
    /// The burst it is in, and how many times the baseline that is.
    pub(super) burst: Option<(u64, f64)>,
}

impl Fate {
    /// Passes as it is.
    const PLAIN: Self = Self { passes: true, weight: 1, burst: None };
}

impl Watch {
    /// `None` with what is wrong in `errors`.
    pub(super) fn new(options: &BurstOptions, errors: &mut Vec<ConfigError>) -> Option<Self> {
        options.mistakes(errors);
        let mut path = |text: Option<&str>, at: &str| {
            let parse = |text| FieldPath::parse(text, &[at]);
            text.and_then(|text| parse(text).map_err(|error| errors.push(error)).ok())
        };
        let key_field = path(options.key_field.as_deref(), "key_field");
        let can_drop = options.action != Action::Annotate && !options.drop_errors;
        let level_field = path(can_drop.then_some(&*options.level_field), "level_field");
        let exclude = options.exclude.as_deref();
        let exclude =
            exclude.and_then(|source| OptionCondition::compile(&["exclude"], source, errors));
        errors.is_empty().then(|| Self {
            limit: options.sensitivity,
            unit_ns: i64::try_from(options.resolution.0.as_nanos()).unwrap_or(i64::MAX),
            time: options.time,
            progress: Progress::default(),
            key_field,
            level_field,
            exclude,
            policy: Policy {
                action: options.action,
                keep_first: options.keep_first,
                keep_one_in: options.keep_one_in,
                throttle_factor: options.throttle_factor,
                drops_errors: options.drop_errors,
            },
            unit: i64::MIN,
            unit_end_ns: i64::MIN,
            bursts: 0,
            keys: Lru::new(options.max_keys as usize),
            touched: Vec::new(),
            bursting: Vec::new(),
            hasher: KeyHasher::new(),
            scratch: Vec::new(),
            terms: format!("{:?} {:?}", options.key_field, options.resolution.0),
            names: Names {
                key_field: options.key_field.clone(),
                field: options.field.clone(),
                resolution: options.resolution.0,
            },
            fates: Vec::new(),
            notices: Vec::new(),
            started: 0,
            evicted: 0,
        })
    }

    pub(super) fn key_count(&self) -> usize {
        self.keys.len()
    }

    pub(super) fn bursting_count(&self) -> usize {
        self.bursting.len()
    }

    /// Fills `fates` and adds to `notices`.
    pub(super) fn watch(&mut self, batch: &Batch, now_ns: i64) {
        let mut exclude = self.exclude.take();
        let mut bound = exclude.as_mut().map(|condition| condition.bind(batch));
        let key = |path: &Option<FieldPath>| path.as_ref().and_then(|path| path.key(batch));
        let (key_key, level_key) = (key(&self.key_field), key(&self.level_field));
        let message_key = batch.find_key("message");
        self.fates.clear();
        for (number, event) in batch.iter().enumerate() {
            let time_ns = self.progress.time_of(self.time, event.timestamp_ns(), now_ns);
            self.advance(time_ns);
            self.enter_key(event, key_key, time_ns);
            if self.keys.newest().is_none_or(|(_, state)| state.counts()) {
                continue;
            }
            self.forget_touched();
            let Some((hash, state)) = self.keys.newest() else { continue };
            if state.events == 0 {
                self.touched.push(hash);
                let text = message_key.and_then(|key| event.get(key)?.as_bytes());
                state.keep_sample(text.or(event.raw()).unwrap_or_default());
                state.advance(self.unit, self.limit, |_, _| {});
            }
            state.events = state.events.saturating_add(1);
            let is_kept = state.is_bursting()
                && self.policy.action != Action::Annotate
                && (bound.as_mut().is_some_and(|condition| condition.holds(event))
                    || self.policy.keeps(event, self.level_field.as_ref(), level_key));
            let fate = self.policy.fate(state, is_kept);
            if fate != Fate::PLAIN {
                self.fates.resize(number, Fate::PLAIN);
                self.fates.push(fate);
            }
        }
        drop(bound);
        self.exclude = exclude;
    }

    /// Makes the event's key the newest one.
    #[inline]
    fn enter_key(&mut self, event: EventRef<'_>, key: Option<Key>, time_ns: i64) {
        let path = self.key_field.as_ref();
        let short = path.and_then(|path| path.short_key(event, key));
        if short.is_some_and(|short| self.keys.recall(short)) {
            return;
        }
        self.hasher.form.clear();
        let hash = match path {
            None => 0,
            Some(path) => {
                let value = path.get(event, key, &mut self.scratch);
                append_value(value, &mut self.hasher.form);
                self.hasher.recall()
            }
        };
        let (form, unit) = (&self.hasher.form, self.unit);
        if let Some(mut evicted) = self.keys.enter(hash, || KeyState::new(form, unit)) {
            self.evicted += 1;
            let change = evicted.cut();
            let notice = change.map(|it| notice::of_change(&evicted, it, time_ns, &self.names));
            self.notices.extend(notice);
        }
        if let Some(short) = short {
            self.keys.note(short);
        }
    }

    /// Leaves only keys that are remembered in `touched`, once it is full.
    fn forget_touched(&mut self) {
        let Self { keys, touched, .. } = self;
        if touched.len() >= keys.capacity().saturating_mul(2) {
            touched.clear();
            touched.extend(keys.iter().filter(|(_, key)| key.events > 0).map(|(hash, _)| hash));
        }
    }

    /// Ends the units of time before `time_ns`, for the keys for which that may change something: those that had
    /// events and those in a burst. The others catch up with their next event.
    #[inline]
    fn advance(&mut self, time_ns: i64) {
        if time_ns >= self.unit_end_ns {
            self.advance_to(time_ns.div_euclid(self.unit_ns), time_ns);
        }
    }

    fn advance_to(&mut self, unit: i64, time_ns: i64) {
        if unit <= self.unit {
            return;
        }
        self.enter(unit);
        let Self { keys, touched, bursting, notices, names, bursts, started, .. } = self;
        let before = std::mem::take(bursting);
        for hash in touched.drain(..).chain(before.iter().copied()) {
            let Some(state) = keys.get(hash) else { continue };
            state.advance(unit, self.limit, |state, change| {
                if matches!(change, Change::Started(_)) {
                    *bursts += 1;
                    *started += 1;
                    let known = &mut state.known;
                    (known.burst_id, known.seen, known.dropped) = (*bursts, 0, 0);
                    bursting.push(hash);
                }
                notices.push(notice::of_change(state, change, time_ns, names));
            });
        }
        bursting.extend(before);
        bursting.retain(|hash| keys.get(*hash).is_some_and(|key| key.is_bursting()));
    }

    fn enter(&mut self, unit: i64) {
        self.unit = unit;
        self.unit_end_ns = unit.saturating_add(1).saturating_mul(self.unit_ns);
    }

    /// Lets time pass while no event comes.
    pub(super) fn pass_time(&mut self, now_ns: i64) {
        let late_max_ns = self.unit_ns.saturating_mul(LATE_UNITS).max(LATE_NS_MIN);
        if let Some(time_ns) = self.progress.time_at(now_ns, late_max_ns) {
            self.advance(time_ns);
        }
    }

    /// Ends all bursts.
    pub(super) fn cut(&mut self) {
        let time_ns = self.unit_end_ns;
        for hash in std::mem::take(&mut self.bursting) {
            let Some(state) = self.keys.get(hash) else { continue };
            if let Some(change) = state.cut() {
                self.notices.push(notice::of_change(state, change, time_ns, &self.names));
            }
        }
    }

    pub(super) fn state(&self) -> Vec<u8> {
        let mut out = StateWriter::new(KIND, &self.terms);
        out.u128(self.hasher.key());
        out.i64(self.unit);
        out.u64(self.bursts);
        out.u64(self.keys.len() as u64);
        for (hash, key) in self.keys.iter() {
            out.u128(hash);
            key.write(&mut out);
        }
        out.finish()
    }

    /// Takes up what another instance had learned; leaves all as it was if that is not whole, or of other options.
    pub(super) fn resume(&mut self, state: &[u8]) -> Option<()> {
        let mut from = StateReader::open(state, KIND, &self.terms)?;
        let hasher = KeyHasher::with_key(from.u128()?);
        let (unit, bursts) = (from.i64()?, from.u64()?);
        let mut keys: Lru<KeyState> = Lru::new(self.keys.capacity());
        let (mut touched, mut bursting) = (Vec::new(), Vec::new());
        for _ in 0..from.u64()? {
            let (hash, key) = (from.u128()?, KeyState::read(&mut from)?);
            if key.events > 0 {
                touched.push(hash);
            }
            if key.is_bursting() {
                bursting.push(hash);
            }
            // Not twice, whatever the state says.
            keys.remove(hash);
            keys.insert(hash, key);
        }
        if !from.is_done() {
            return None;
        }
        self.enter(unit);
        (self.hasher, self.bursts, self.keys) = (hasher, bursts, keys);
        (self.touched, self.bursting) = (touched, bursting);
        Some(())
    }
}

impl Policy {
    /// Whether an event is one of those that are never dropped.
    fn keeps(&self, event: EventRef<'_>, level: Option<&FieldPath>, key: Option<Key>) -> bool {
        let mut scratch = Vec::new();
        let word = level.and_then(|path| path.get(event, key, &mut scratch)?.as_bytes());
        !self.drops_errors && word.and_then(Level::of_word) >= Some(Level::Error)
    }

    /// What becomes of the event that was just counted.
    fn fate(&self, state: &mut KeyState, is_kept: bool) -> Fate {
        let Some(burst) = &state.detector().burst else {
            return Fate { weight: 1 + std::mem::take(&mut state.owed), ..Fate::PLAIN };
        };
        let factor = burst.factor(state.detector().seconds());
        let mut fate = Fate { burst: Some((state.known.burst_id, factor)), ..Fate::PLAIN };
        if is_kept {
            return fate;
        }
        fate.passes = match self.action {
            Action::Annotate => true,
            Action::Sample => {
                state.known.seen += 1;
                // The last of each group: only then it is known for how many it stands.
                state.known.seen <= self.keep_first || state.owed + 1 >= self.keep_one_in
            }
            Action::Throttle => {
                let allowed = (state.detector().baseline() * self.throttle_factor).max(1.0);
                f64::from(state.events) <= allowed
            }
            Action::Shed => false,
        };
        if fate.passes {
            fate.weight = 1 + std::mem::take(&mut state.owed);
        } else {
            state.known.dropped += 1;
            state.owed += u64::from(self.action == Action::Sample);
        }
        fate
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    #[test]
    fn keys_that_come_and_go_in_one_unit_of_time_take_bounded_memory() {
        let options = json!({"key_field": "service", "max_keys": 50, "resolution": "1h"});
        let mut errors = Vec::new();
        let mut watch = Watch::new(&serde_json::from_value(options).unwrap(), &mut errors).unwrap();
        let mut notices = 0;
        for round in 0..100 {
            // The first ten come again and again, the others once.
            let keys = (0..10).chain(round * 100..round * 100 + 100);
            let events: Vec<Value> = keys.map(|key| json!({"service": key})).collect();
            watch.watch(&lograil_testkit::batch_of_json(&events), 0);
            assert!(watch.touched.len() <= 100, "{} after {round}", watch.touched.len());
            notices += watch.notices.len();
        }
        assert_eq!((watch.key_count(), notices), (50, 0));
        // The keys that are held are all still known to have had events.
        watch.pass_time(2 * 3_600_000_000_000);
        assert!(watch.touched.is_empty());
        assert!(watch.keys.iter().all(|(_, key)| key.events == 0));
    }
}
