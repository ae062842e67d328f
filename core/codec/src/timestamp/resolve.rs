//! From the parts of a timestamp to an instant.

use crate::time::{civil_from_days, days_from_civil, days_in_month};

const NS_PER_SECOND: i64 = 1_000_000_000;
const SECONDS_PER_DAY: i64 = 86_400;
/// How far ahead of the reference a text without a year may be; beyond, it is of the year before.
const AHEAD_MAX_SECONDS: i64 = SECONDS_PER_DAY;
/// How far ahead of the reference a time without a date may be; beyond, it is of the day before.
const TIME_AHEAD_MAX_SECONDS: i64 = 3600;

/// What completes a text that says less than an instant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Reference {
    /// Nanoseconds since the epoch: the present, or when the text was written. A text without a year gets
    /// the year that puts it at most a day ahead of this, a time without a date the day that puts it at
    /// most an hour ahead.
    pub now_ns: i64,
    /// Seconds east of UTC of a text that does not say its offset; 0 is UTC.
    pub offset_seconds: i32,
}

/// How much of the date the text says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Certainty {
    /// All of it.
    Full,
    /// The month and the day; the year comes from the reference.
    YearAssumed,
    /// Nothing; the date comes from the reference.
    DateAssumed,
}

/// The smallest unit that the text says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Precision {
    /// A date alone.
    Day,
    /// Hours and minutes.
    Minute,
    /// Whole seconds.
    Second,
    /// Up to 3 digits of a second.
    Millisecond,
    /// Up to 6 digits of a second.
    Microsecond,
    /// More digits of a second.
    Nanosecond,
}

impl Precision {
    /// That of so many digits of a second.
    pub(super) fn of_digits(digits: usize) -> Self {
        match digits {
            0 => Self::Second,
            1..=3 => Self::Millisecond,
            4..=6 => Self::Microsecond,
            _ => Self::Nanosecond,
        }
    }
}

/// A timestamp that was recognised.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timestamp {
    /// Nanoseconds since the Unix epoch.
    pub ns: i64,
    /// Bytes of the text that it took.
    pub len: u32,
    /// How much of the date the text says.
    pub certainty: Certainty,
    /// Whether the text says its offset from UTC.
    pub has_offset: bool,
    /// The smallest unit that the text says.
    pub precision: Precision,
}

/// A date as a text says it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Date {
    /// Year, month and day.
    Civil(i64, i64, i64),
    /// Year and day of the year.
    Ordinal(i64, i64),
    /// Month and day.
    NoYear(i64, i64),
    /// None.
    Missing,
    /// Nanoseconds since the epoch; no time beside it.
    Epoch(i128),
}

/// What a text says.
#[derive(Debug, Clone, Copy)]
pub(super) struct Parts {
    pub(super) date: Date,
    /// Seconds of the day.
    pub(super) second: i64,
    pub(super) nanos: i64,
    /// Seconds east of UTC.
    pub(super) offset: Option<i64>,
    pub(super) precision: Precision,
    pub(super) len: usize,
}

impl Parts {
    /// The instant, if there is such a day and 64 bits hold it.
    #[inline]
    pub(super) fn resolve(self, reference: &Reference) -> Option<Timestamp> {
        let offset = self.offset.unwrap_or(reference.offset_seconds.into());
        let now = reference.now_ns.div_euclid(NS_PER_SECOND);
        let (days, certainty) = match self.date {
            Date::Epoch(ns) => return self.found(ns, Certainty::Full),
            Date::Civil(year, month, day) => (civil(year, month, day)?, Certainty::Full),
            Date::Ordinal(year, day) => (ordinal(year, day)?, Certainty::Full),
            Date::NoYear(month, day) => {
                let latest = now + AHEAD_MAX_SECONDS + offset - self.second;
                (latest_year(month, day, latest)?, Certainty::YearAssumed)
            }
            Date::Missing => {
                let latest = now + TIME_AHEAD_MAX_SECONDS + offset - self.second;
                (latest.div_euclid(SECONDS_PER_DAY), Certainty::DateAssumed)
            }
        };
        let seconds = days * SECONDS_PER_DAY + self.second - offset;
        let ns = i128::from(seconds) * i128::from(NS_PER_SECOND) + i128::from(self.nanos);
        self.found(ns, certainty)
    }

    fn found(&self, ns: i128, certainty: Certainty) -> Option<Timestamp> {
        Some(Timestamp {
            ns: i64::try_from(ns).ok()?,
            len: self.len as u32,
            certainty,
            has_offset: self.offset.is_some(),
            precision: self.precision,
        })
    }
}

fn civil(year: i64, month: i64, day: i64) -> Option<i64> {
    let is_valid = (1..=12).contains(&month) && day >= 1 && day <= days_in_month(year, month);
    is_valid.then(|| days_from_civil(year, month, day))
}

fn ordinal(year: i64, day: i64) -> Option<i64> {
    let days_in_year = if days_in_month(year, 2) == 29 { 366 } else { 365 };
    (1..=days_in_year).contains(&day).then(|| days_from_civil(year, 1, 1) + day - 1)
}

/// The last such day that does not begin after `latest`, in seconds. There are 8 years between leap days at
/// most.
fn latest_year(month: i64, day: i64, latest: i64) -> Option<i64> {
    let (this_year, ..) = civil_from_days(latest.div_euclid(SECONDS_PER_DAY));
    (this_year - 8..=this_year)
        .rev()
        .filter_map(|year| civil(year, month, day))
        .find(|days| days * SECONDS_PER_DAY <= latest)
}
