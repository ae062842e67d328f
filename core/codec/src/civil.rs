//! Dates and times of day, and the zone that a text without one is in.

use jiff::civil::DateTime;
use jiff::tz::TimeZone;

use crate::quoted::read_number;
use crate::time::{
    NS_PER_SECOND, SECONDS_PER_DAY, civil_from_days, days_from_civil, days_in_month,
};

/// How far the future may be that a date without a year is in: clocks differ.
const AHEAD_NS_MAX: i64 = 2 * SECONDS_PER_DAY * NS_PER_SECOND;

/// A date and a time of day.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Civil {
    pub year: i64,
    pub month: i64,
    pub day: i64,
    pub hour: i64,
    pub minute: i64,
    pub second: i64,
    pub nanos: i64,
}

impl Civil {
    /// Nanoseconds since the Unix epoch at this time so many seconds east of UTC. `None` if there is no such day
    /// or time.
    pub fn instant(self, offset_seconds: i64) -> Option<i64> {
        let Self { year, month, day, hour, minute, second, nanos } = self;
        let is_date = (1..=12).contains(&month) && day >= 1 && day <= days_in_month(year, month);
        if !is_date || hour > 23 || minute > 59 || second > 60 {
            return None;
        }
        let days = days_from_civil(year, month, day);
        let local = days * SECONDS_PER_DAY + hour * 3600 + minute * 60 + second;
        let seconds = i128::from(local - offset_seconds) * i128::from(NS_PER_SECOND);
        i64::try_from(seconds + i128::from(nanos)).ok()
    }
}

/// The zone of times that name none.
#[derive(Debug, Clone)]
pub struct Zone(Kind);

#[derive(Debug, Clone)]
enum Kind {
    Fixed(i64),
    Named(TimeZone),
}

impl Zone {
    /// Universal time.
    pub const UTC: Self = Self(Kind::Fixed(0));

    /// The zone of a name: `UTC`, `local`, an offset such as `+02:00`, or `Europe/Berlin`.
    #[must_use]
    pub fn new(name: &str) -> Option<Self> {
        if name.eq_ignore_ascii_case("utc") || name == "Z" {
            return Some(Self::UTC);
        }
        if name == "local" {
            return TimeZone::try_system().ok().map(|zone| Self(Kind::Named(zone)));
        }
        if let Some((offset, end)) = read_offset(name.as_bytes(), 0) {
            return (end == name.len()).then_some(Self(Kind::Fixed(offset)));
        }
        TimeZone::get(name).ok().map(|zone| Self(Kind::Named(zone)))
    }

    /// Nanoseconds since the Unix epoch at a time in the zone.
    pub(crate) fn instant(&self, civil: Civil) -> Option<i64> {
        match &self.0 {
            Kind::Fixed(offset) => civil.instant(*offset),
            Kind::Named(zone) => {
                // Checks the date, and carries a 60th second over.
                named_instant(zone, civil.instant(0)?)
            }
        }
    }

    /// The instant at which clocks of the zone show what those of UTC show at `ns`.
    #[must_use]
    pub fn instant_of_local(&self, ns: i64) -> Option<i64> {
        match &self.0 {
            Kind::Fixed(offset) => ns.checked_sub(offset * NS_PER_SECOND),
            Kind::Named(zone) => named_instant(zone, ns),
        }
    }

    /// The same for a date whose year is not known: the last such date that is not much later than `now_ns`.
    pub(crate) fn instant_near(&self, civil: Civil, now_ns: i64) -> Option<i64> {
        let today = now_ns.div_euclid(NS_PER_SECOND).div_euclid(SECONDS_PER_DAY);
        let (this_year, ..) = civil_from_days(today);
        // February 29th may be eight years ago.
        let mut years = (this_year - 8..=this_year + 1).rev();
        years.find_map(|year| {
            let instant = self.instant(Civil { year, ..civil })?;
            (instant <= now_ns.saturating_add(AHEAD_NS_MAX)).then_some(instant)
        })
    }

    /// The zone as the calendar library has it.
    pub(crate) fn to_jiff(&self) -> Option<TimeZone> {
        match &self.0 {
            Kind::Named(zone) => Some(zone.clone()),
            Kind::Fixed(offset) => {
                let seconds = i32::try_from(*offset).ok()?;
                Some(TimeZone::fixed(jiff::tz::Offset::from_seconds(seconds).ok()?))
            }
        }
    }
}

fn named_instant(zone: &TimeZone, local_ns: i64) -> Option<i64> {
    let moment = jiff::Timestamp::from_nanosecond(i128::from(local_ns)).ok()?;
    let local: DateTime = TimeZone::UTC.to_datetime(moment);
    let moment = zone.to_ambiguous_timestamp(local).compatible().ok()?;
    i64::try_from(moment.as_nanosecond()).ok()
}

/// The month of `Jan` ... `Dec`.
#[inline]
pub(crate) fn read_month(text: &[u8], at: usize) -> Option<i64> {
    let name = text.get(at..at + 3)?;
    Some(match name {
        b"Jan" => 1,
        b"Feb" => 2,
        b"Mar" => 3,
        b"Apr" => 4,
        b"May" => 5,
        b"Jun" => 6,
        b"Jul" => 7,
        b"Aug" => 8,
        b"Sep" => 9,
        b"Oct" => 10,
        b"Nov" => 11,
        b"Dec" => 12,
        _ => return None,
    })
}

/// Two digits.
#[inline]
pub(crate) fn read_pair(text: &[u8], at: usize) -> Option<i64> {
    match text.get(at..at + 2)? {
        [a @ b'0'..=b'9', b @ b'0'..=b'9'] => Some(i64::from(a - b'0') * 10 + i64::from(b - b'0')),
        _ => None,
    }
}

/// Hour, minute, second and nanoseconds of `13:55:36` or `13:55:36.25`, and the position behind them.
#[inline]
pub(crate) fn read_clock(text: &[u8], at: usize) -> Option<([i64; 4], usize)> {
    let (hour, minute, second) =
        (read_pair(text, at)?, read_pair(text, at + 3)?, read_pair(text, at + 6)?);
    if text[at + 2] != b':' || text[at + 5] != b':' {
        return None;
    }
    let mut end = at + 8;
    let mut nanos = 0;
    if let Some(b'.' | b',') = text.get(end)
        && text.get(end + 1).is_some_and(u8::is_ascii_digit)
    {
        end += 1;
        let mut scale = NS_PER_SECOND;
        while let Some(digit) = text.get(end).filter(|byte| byte.is_ascii_digit()) {
            scale /= 10;
            nanos += i64::from(digit - b'0') * scale;
            end += 1;
        }
    }
    Some(([hour, minute, second, nanos], end))
}

/// Seconds east of UTC of `Z`, `+0200` or `+02:00`, and the position behind it.
#[inline]
pub(crate) fn read_offset(text: &[u8], at: usize) -> Option<(i64, usize)> {
    let sign = match text.get(at)? {
        b'Z' | b'z' => return Some((0, at + 1)),
        b'+' => 1,
        b'-' => -1,
        _ => return None,
    };
    let hour = read_pair(text, at + 1)?;
    let minute_at = at + 3 + usize::from(text.get(at + 3) == Some(&b':'));
    let minute = read_pair(text, minute_at)?;
    let is_offset = hour <= 23 && minute <= 59;
    is_offset.then_some((sign * (hour * 3600 + minute * 60), minute_at + 2))
}

/// A time of ISO 8601 such as `2026-03-01T12:00:00.25+01:00`, with a space or without a zone; and the position
/// behind it.
pub(crate) fn read_iso(text: &[u8], at: usize, zone: &Zone) -> Option<(i64, usize)> {
    let (year, end) = read_number(text, at, 4, 4)?;
    let (month, day) = (read_pair(text, end + 1)?, read_pair(text, end + 4)?);
    if text[end] != b'-'
        || text[end + 3] != b'-'
        || !matches!(text.get(end + 6)?, b'T' | b't' | b' ')
    {
        return None;
    }
    let ([hour, minute, second, nanos], end) = read_clock(text, end + 7)?;
    let civil = Civil { year, month, day, hour, minute, second, nanos };
    match read_offset(text, end) {
        Some((offset, end)) => Some((civil.instant(offset)?, end)),
        None => Some((zone.instant(civil)?, end)),
    }
}

/// The time of an access log, `10/Oct/2025:13:55:36 -0700`.
#[inline]
pub(crate) fn read_access_time(text: &[u8]) -> Option<i64> {
    let (day, month) = (read_pair(text, 0)?, read_month(text, 3)?);
    let (year, end) = read_number(text, 7, 4, 4)?;
    if text[2] != b'/' || text[6] != b'/' || text.get(end) != Some(&b':') {
        return None;
    }
    let ([hour, minute, second, nanos], end) = read_clock(text, end + 1)?;
    let (offset, last) = read_offset(text, end + 1)?;
    if text[end] != b' ' || last != text.len() {
        return None;
    }
    Civil { year, month, day, hour, minute, second, nanos }.instant(offset)
}

/// The time of BSD syslog, `Oct 11 22:14:15` with or without a year before or behind the clock; and the position
/// behind it.
pub(crate) fn read_bsd(text: &[u8], at: usize, zone: &Zone, now_ns: i64) -> Option<(i64, usize)> {
    let month = read_month(text, at)?;
    let day_at = crate::quoted::skip(text, at + 3, b' ');
    let (day, end) = read_number(text, day_at, 1, 2)?;
    if day_at == at + 3 || text.get(end) != Some(&b' ') {
        return None;
    }
    let mut clock_at = end + 1;
    let mut year = None;
    if let Some((before, end)) = read_number(text, clock_at, 4, 4) {
        year = Some(before);
        clock_at = end + 1;
    }
    let ([hour, minute, second, nanos], mut end) = read_clock(text, clock_at)?;
    if year.is_none()
        && text.get(end) == Some(&b' ')
        && let Some((behind, last)) = read_number(text, end + 1, 4, 4)
        && (1970..2263).contains(&behind)
        && matches!(text.get(last), None | Some(b' ' | b':'))
    {
        (year, end) = (Some(behind), last);
    }
    let civil = Civil { year: year.unwrap_or_default(), month, day, hour, minute, second, nanos };
    let instant = match year {
        Some(_) => zone.instant(civil),
        None => zone.instant_near(civil, now_ns),
    };
    Some((instant?, end))
}
