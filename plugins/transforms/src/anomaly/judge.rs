//! Scores the events of a batch, one after the other, and keeps what they teach.

use std::time::Duration;

use lograil_event::{Batch, EventRef, Key};
use lograil_plugin::ConfigError;

use super::alarm::{Alarm, Finding, Names};
use super::key::{Cooldown, CooldownLimits, KeyState, RateOfKey};
use super::method::{Method, Series};
use super::novelty::Novelty;
use super::options::AnomalyOptions;
use crate::event_key::{KeyHasher, append_value, shown};
use crate::event_time::{Progress, TimeSource};
use crate::field_path::FieldPath;
use crate::lru::Lru;
use crate::state_bytes::{StateReader, StateWriter};

const KIND: &str = "anomaly 1";

/// Intervals without any event that are counted as such; of a longer silence the rest is not.
const SILENT_INTERVALS_MAX: i64 = 10;

/// Everything that is learned.
pub(super) struct Judge {
    method: Method,
    threshold: f64,
    cooldown: CooldownLimits,
    time: TimeSource,
    key_field: Option<FieldPath>,
    value_field: Option<FieldPath>,
    text_field: Option<FieldPath>,
    novelty: Option<Novelty>,
    interval_ns: Option<i64>,
    /// The number of the interval that is counted.
    open_interval: Option<i64>,
    progress: Progress,
    keys: Lru<KeyState>,
    hasher: KeyHasher,
    scratch: Vec<u8>,
    /// The options for which all this holds.
    terms: String,
    pub(super) names: Names,
    /// The events of the current batch: what they score, and the number of their alarm.
    pub(super) marks: Vec<Mark>,
    pub(super) alarms: Vec<Alarm>,
    pub(super) evicted: u64,
    pub(super) unscored: u64,
}

/// What is known of an event.
#[derive(Debug, Clone, Copy)]
pub(super) struct Mark {
    /// `None` where the event has nothing to score.
    pub(super) score: Option<f64>,
    pub(super) alarm: Option<usize>,
}

/// The fields of the current batch.
#[derive(Debug, Clone, Copy, Default)]
struct Keys {
    key: Option<Key>,
    value: Option<Key>,
    text: Option<Key>,
}

impl Judge {
    /// `None` if there is nothing to judge, or with what is wrong in `errors`.
    pub(super) fn new(options: &AnomalyOptions, errors: &mut Vec<ConfigError>) -> Option<Self> {
        options.mistakes(errors);
        let mut path = |text: Option<&str>, at: &[&str]| {
            text.and_then(|text| {
                FieldPath::parse(text, at).map_err(|error| errors.push(error)).ok()
            })
        };
        let key_field = path(options.key_field.as_deref(), &["key_field"]);
        let value_field = path(options.value.as_deref(), &["value"]);
        let text = options.novelty.as_ref().map(|novelty| &*novelty.field);
        let text_field = path(text, &["novelty", "field"]);
        let interval = options.rate.as_ref().map(|rate| rate.interval.0);
        if value_field.is_none() && text_field.is_none() && interval.is_none() {
            return None;
        }
        let novelty = options.novelty.as_ref();
        Some(Self {
            method: options.method(),
            threshold: options.threshold,
            cooldown: CooldownLimits {
                time_ns: ns_of(options.cooldown.0),
                values: options.cooldown_values,
            },
            time: options.time,
            novelty: novelty.map(|of| Novelty::new(of.one_in, of.max_texts as usize)),
            interval_ns: interval.map(|interval| ns_of(interval).max(1)),
            open_interval: None,
            progress: Progress::default(),
            keys: Lru::new(options.max_keys as usize),
            hasher: KeyHasher::new(),
            scratch: Vec::new(),
            terms: terms(options),
            names: Names {
                key_field: options.key_field.clone(),
                value_field: options.value.clone().unwrap_or_default(),
                text_field: text.unwrap_or_default().to_owned(),
                interval: interval.map(|interval| format!("{interval:?}")).unwrap_or_default(),
                method: options.method,
                field: options.field.clone(),
            },
            key_field,
            value_field,
            text_field,
            marks: Vec::new(),
            alarms: Vec::new(),
            evicted: 0,
            unscored: 0,
        })
    }

    pub(super) fn key_count(&self) -> usize {
        self.keys.len()
    }

    /// Fills `marks` and adds to `alarms`.
    pub(super) fn judge(&mut self, batch: &Batch, now_ns: i64) {
        self.marks.clear();
        let key = |path: &Option<FieldPath>| path.as_ref().and_then(|path| path.key(batch));
        let keys = Keys {
            key: key(&self.key_field),
            value: key(&self.value_field),
            text: key(&self.text_field),
        };
        for event in batch.iter() {
            let time_ns = self.progress.time_of(self.time, event.timestamp_ns(), now_ns);
            self.close_intervals(time_ns);
            let mark = self.judge_event(event, keys, time_ns);
            self.unscored += u64::from(mark.score.is_none());
            self.marks.push(mark);
        }
    }

    /// Makes the event's key the newest one.
    #[inline]
    fn enter(&mut self, event: EventRef<'_>, key: Option<Key>, time_ns: i64) {
        let path = self.key_field.as_ref();
        // The hash of a new text is one of the key and the text.
        let short = path.filter(|_| self.novelty.is_none());
        let short = short.and_then(|path| path.short_key(event, key));
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
        let form = &self.hasher.form;
        let evicted = self.keys.enter(hash, || KeyState::new(form, time_ns));
        self.evicted += u64::from(evicted.is_some());
        if let Some(short) = short {
            self.keys.note(short);
        }
    }

    fn judge_event(&mut self, event: EventRef<'_>, keys: Keys, time_ns: i64) -> Mark {
        self.enter(event, keys.key, time_ns);
        let mut mark = Mark { score: None, alarm: None };
        let Some((_, state)) = self.keys.newest() else { return mark };
        let rules = Rules { threshold: self.threshold, cooldown: self.cooldown, time_ns };
        let mut worst: Option<(Finding, f64)> = None;
        if self.interval_ns.is_some() {
            let rate = state.rate.get_or_insert_with(|| Box::new(RateOfKey::new(&self.method)));
            rate.events = rate.events.saturating_add(1);
            mark.raise(rate.score);
        }
        if let Some(path) = &self.value_field
            && let Some(value) = path.number(event, keys.value, &mut self.scratch)
        {
            let series = state.values.get_or_insert_with(|| Box::new(Series::new(&self.method)));
            let judgement = series.push(&self.method, time_ns, value);
            let score = judgement.score();
            mark.raise(score);
            if rules.is_alarm(score, &mut state.value_cooldown, Repeat::Cooled) {
                worst = Some((Finding::Value(value, judgement), score));
            }
        }
        if let (Some(novelty), Some(path)) = (&mut self.novelty, &self.text_field)
            && let Some(text) = path.get(event, keys.text, &mut self.scratch)
        {
            let start = self.hasher.form.len();
            append_value(Some(text), &mut self.hasher.form);
            let rarity = novelty.push(&mut state.texts, self.hasher.recall());
            let score = rarity.ratio / (1.0 + rarity.ratio);
            mark.raise(score);
            let repeat = if rarity.times == 0 { Repeat::Always } else { Repeat::Cooled };
            if rules.is_alarm(score, &mut state.text_cooldown, repeat)
                && worst.as_ref().is_none_or(|(_, other)| score > *other)
            {
                worst = Some((Finding::Text(shown(&self.hasher.form[start..]), rarity), score));
            }
        }
        if let Some((finding, score)) = worst {
            mark.alarm = Some(self.alarms.len());
            let (key, first_seen_ns) = (shown(&state.form), state.first_seen_ns);
            self.alarms.push(Alarm { finding, score, time_ns, key, first_seen_ns });
        }
        mark
    }

    /// Scores what was counted in the intervals that are over at `time_ns`, for all keys.
    fn close_intervals(&mut self, time_ns: i64) {
        let Some(interval_ns) = self.interval_ns else { return };
        let now = time_ns.div_euclid(interval_ns);
        let open = *self.open_interval.get_or_insert(now);
        if now <= open {
            return;
        }
        self.open_interval = Some(now);
        let last = now.min(open.saturating_add(SILENT_INTERVALS_MAX));
        for interval in open..last {
            let end_ns = (interval + 1).saturating_mul(interval_ns);
            let rules =
                Rules { threshold: self.threshold, cooldown: self.cooldown, time_ns: end_ns };
            for state in self.keys.values_mut() {
                let Some(rate) = &mut state.rate else { continue };
                let events = std::mem::take(&mut rate.events);
                if std::mem::take(&mut rate.is_first) {
                    continue;
                }
                let judgement = rate.series.push(&self.method, end_ns, events as f64);
                rate.score = judgement.score();
                if rules.is_alarm(rate.score, &mut rate.cooldown, Repeat::Cooled) {
                    self.alarms.push(Alarm {
                        finding: Finding::Rate(events, judgement),
                        score: rate.score,
                        time_ns: end_ns,
                        key: shown(&state.form),
                        first_seen_ns: state.first_seen_ns,
                    });
                }
            }
        }
    }

    /// Lets time pass while no event comes.
    pub(super) fn pass_time(&mut self, now_ns: i64) {
        let Some(interval_ns) = self.interval_ns else { return };
        if let Some(time_ns) = self.progress.time_at(now_ns, interval_ns.saturating_mul(2)) {
            self.close_intervals(time_ns);
        }
    }

    pub(super) fn state(&self) -> Vec<u8> {
        let mut out = StateWriter::new(KIND, &self.terms);
        out.u128(self.hasher.key());
        out.i64(self.open_interval.unwrap_or(i64::MIN));
        if let Some(novelty) = &self.novelty {
            novelty.write(&mut out);
        }
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
        let open_interval = Some(from.i64()?).filter(|interval| *interval != i64::MIN);
        let mut novelty = self.novelty.as_ref().map(Novelty::emptied);
        if let Some(novelty) = &mut novelty {
            novelty.read(&mut from)?;
        }
        let mut keys = Lru::new(self.keys.capacity());
        for _ in 0..from.u64()? {
            let (hash, key) = (from.u128()?, KeyState::read(&mut from, &self.method)?);
            // Not twice, whatever the state says.
            keys.remove(hash);
            keys.insert(hash, key);
        }
        if !from.is_done() {
            return None;
        }
        (self.hasher, self.open_interval, self.novelty, self.keys) =
            (hasher, open_interval, novelty, keys);
        Some(())
    }
}

/// When a score is an alarm.
struct Rules {
    threshold: f64,
    cooldown: CooldownLimits,
    time_ns: i64,
}

/// Whether an alarm may follow another at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Repeat {
    Always,
    Cooled,
}

impl Rules {
    fn is_alarm(&self, score: f64, cooldown: &mut Cooldown, repeat: Repeat) -> bool {
        let is_cooled = cooldown.allows(self.cooldown, self.time_ns);
        let is_alarm = score >= self.threshold && (is_cooled || repeat == Repeat::Always);
        if is_alarm {
            cooldown.start(self.time_ns);
        }
        is_alarm
    }
}

impl Mark {
    fn raise(&mut self, score: f64) {
        self.score = Some(self.score.map_or(score, |known| known.max(score)));
    }
}

fn ns_of(duration: Duration) -> i64 {
    i64::try_from(duration.as_nanos()).unwrap_or(i64::MAX)
}

/// What learned things depend on: others make them meaningless.
fn terms(options: &AnomalyOptions) -> String {
    let text = options.novelty.as_ref().map(|novelty| &novelty.field);
    let interval = options.rate.as_ref().map(|rate| rate.interval.0);
    let method = options.method.as_str();
    format!("{method} {:?} {:?} {text:?} {interval:?}", options.key_field, options.value)
}
