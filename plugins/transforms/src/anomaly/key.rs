//! What is remembered of a key.

use super::method::{Method, Series};
use super::novelty::TextsOfKey;
use crate::state_bytes::{StateReader, StateWriter};

/// Longest canonical form of a key that is kept, to show it in alarms.
const FORM_BYTES_MAX: usize = 256;

/// A key.
pub(super) struct KeyState {
    /// The beginning of the key's canonical form.
    pub(super) form: Box<[u8]>,
    pub(super) first_seen_ns: i64,
    pub(super) values: Option<Box<Series>>,
    pub(super) value_cooldown: Cooldown,
    pub(super) rate: Option<Box<RateOfKey>>,
    pub(super) texts: TextsOfKey,
    pub(super) text_cooldown: Cooldown,
}

/// Events of a key in the open interval, and what was learned of the intervals before.
pub(super) struct RateOfKey {
    pub(super) events: u64,
    pub(super) series: Series,
    /// Whether the open interval is the first, of which a part is missing.
    pub(super) is_first: bool,
    /// That of the last interval.
    pub(super) score: f64,
    pub(super) cooldown: Cooldown,
}

/// The time after an alarm in which there is no other.
#[derive(Debug, Clone, Copy)]
pub(super) struct Cooldown {
    alarm_ns: i64,
    values: u32,
}

/// How long it lasts.
#[derive(Debug, Clone, Copy)]
pub(super) struct CooldownLimits {
    pub(super) time_ns: i64,
    pub(super) values: u32,
}

impl RateOfKey {
    pub(super) fn new(method: &Method) -> Self {
        let series = Series::new(method);
        Self { events: 0, series, is_first: true, score: 0.0, cooldown: Cooldown::NONE }
    }
}

impl Cooldown {
    pub(super) const NONE: Self = Self { alarm_ns: i64::MIN, values: u32::MAX };

    /// Counts a value; whether it may be an alarm, as far as this goes.
    pub(super) fn allows(&mut self, limits: CooldownLimits, time_ns: i64) -> bool {
        self.values = self.values.saturating_add(1);
        self.values > limits.values && time_ns.saturating_sub(self.alarm_ns) >= limits.time_ns
    }

    pub(super) fn start(&mut self, time_ns: i64) {
        *self = Self { alarm_ns: time_ns, values: 0 };
    }

    fn write(self, out: &mut StateWriter) {
        out.i64(self.alarm_ns);
        out.u64(self.values.into());
    }

    fn read(from: &mut StateReader<'_>) -> Option<Self> {
        Some(Self { alarm_ns: from.i64()?, values: from.u64()?.try_into().ok()? })
    }
}

impl KeyState {
    pub(super) fn new(form: &[u8], first_seen_ns: i64) -> Self {
        Self {
            form: form[..form.len().min(FORM_BYTES_MAX)].into(),
            first_seen_ns,
            values: None,
            value_cooldown: Cooldown::NONE,
            rate: None,
            texts: TextsOfKey::default(),
            text_cooldown: Cooldown::NONE,
        }
    }

    pub(super) fn write(&self, out: &mut StateWriter) {
        out.bytes(&self.form);
        out.i64(self.first_seen_ns);
        out.u64(self.values.is_some().into());
        if let Some(series) = &self.values {
            series.write(out);
        }
        self.value_cooldown.write(out);
        out.u64(self.rate.is_some().into());
        if let Some(rate) = &self.rate {
            out.u64(rate.events);
            rate.series.write(out);
            out.u64(rate.is_first.into());
            out.f64(rate.score);
            rate.cooldown.write(out);
        }
        self.texts.write(out);
        self.text_cooldown.write(out);
    }

    pub(super) fn read(from: &mut StateReader<'_>, method: &Method) -> Option<Self> {
        let form = from.bytes()?;
        let mut key = Self::new(form, from.i64()?);
        if from.u64()? != 0 {
            key.values = Some(Box::new(Series::read(from, method)?));
        }
        key.value_cooldown = Cooldown::read(from)?;
        if from.u64()? != 0 {
            key.rate = Some(Box::new(RateOfKey {
                events: from.u64()?,
                series: Series::read(from, method)?,
                is_first: from.u64()? != 0,
                score: from.f64()?,
                cooldown: Cooldown::read(from)?,
            }));
        }
        key.texts = TextsOfKey::read(from)?;
        key.text_cooldown = Cooldown::read(from)?;
        Some(key)
    }
}
