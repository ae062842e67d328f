//! The formats of time that the user can name.

use jiff::fmt::strtime;
use lograil_event::ValueRef;

use crate::civil::{Zone, read_access_time, read_bsd, read_iso};
use crate::timestamp::{self, Reference};

/// How a time is written.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Format {
    /// Whichever of the usual ones it looks like.
    Auto,
    Iso,
    AccessLog,
    Bsd,
    /// So many nanoseconds since the Unix epoch, one of them this many.
    Unix(i64),
    Strptime(String),
}

/// A reader of times of one format.
#[derive(Debug, Clone)]
pub struct TimeFormat {
    format: Format,
    zone: Zone,
}

impl TimeFormat {
    /// The format of a name (`auto`, `rfc3339`, `common_log`, `syslog`, `unix`, `unix_ms`, `unix_us`, `unix_ns`) or of a
    /// strptime pattern such as `%Y-%m-%d %H:%M:%S`; `zone` is that of times that name none.
    pub fn new(format: &str, zone: Zone) -> Result<Self, String> {
        let format = match format {
            "auto" => Format::Auto,
            "rfc3339" => Format::Iso,
            "common_log" => Format::AccessLog,
            "syslog" => Format::Bsd,
            "unix" => Format::Unix(1_000_000_000),
            "unix_ms" => Format::Unix(1_000_000),
            "unix_us" => Format::Unix(1_000),
            "unix_ns" => Format::Unix(1),
            pattern if pattern.contains('%') => {
                check_pattern(pattern)?;
                Format::Strptime(pattern.to_owned())
            }
            other => return Err(format!("`{other}` is no format of time")),
        };
        Ok(Self { format, zone })
    }

    /// The time of a value, in nanoseconds since the Unix epoch. `now_ns` is about when it was read.
    #[must_use]
    pub fn read(&self, value: ValueRef<'_>, now_ns: i64) -> Option<i64> {
        if let ValueRef::Timestamp(ns) = value {
            return Some(ns);
        }
        if let Format::Unix(scale) = self.format {
            return read_unix(value, scale);
        }
        let text = match value {
            ValueRef::Str { text, .. } | ValueRef::Number(text) => text,
            _ => return None,
        };
        match &self.format {
            Format::Auto => self.recognise(text, now_ns),
            Format::Iso => whole(text, read_iso(text, 0, &self.zone)),
            Format::AccessLog => read_access_time(text),
            Format::Bsd => whole(text, read_bsd(text, 0, &self.zone, now_ns)),
            Format::Unix(_) => None,
            Format::Strptime(pattern) => self.strptime(pattern, text),
        }
    }

    fn recognise(&self, text: &[u8], now_ns: i64) -> Option<i64> {
        let found = timestamp::parse(text, &Reference { now_ns, offset_seconds: 0 })?;
        if found.has_offset { Some(found.ns) } else { self.zone.instant_of_local(found.ns) }
    }

    fn strptime(&self, pattern: &str, text: &[u8]) -> Option<i64> {
        let time = strtime::parse(pattern, text).ok()?;
        let moment = match time.to_timestamp() {
            Ok(moment) => moment,
            Err(_) => {
                let local = match (time.to_datetime(), time.to_date()) {
                    (Ok(local), _) => local,
                    (_, Ok(date)) => date.at(0, 0, 0, 0),
                    _ => return None,
                };
                self.zone.to_jiff()?.to_ambiguous_timestamp(local).compatible().ok()?
            }
        };
        i64::try_from(moment.as_nanosecond()).ok()
    }
}

fn whole(text: &[u8], read: Option<(i64, usize)>) -> Option<i64> {
    read.filter(|(_, end)| *end == text.len()).map(|(ns, _)| ns)
}

/// Whether a pattern can give an instant: it is tried on a time that it wrote itself.
fn check_pattern(pattern: &str) -> Result<(), String> {
    let moment = jiff::Timestamp::UNIX_EPOCH.to_zoned(jiff::tz::TimeZone::UTC);
    let written = strtime::format(pattern, &moment)
        .map_err(|error| format!("`{pattern}` is no pattern of time: {error}"))?;
    let read = strtime::parse(pattern, &written)
        .map_err(|error| format!("`{pattern}` is no pattern that can be read: {error}"))?;
    if read.to_timestamp().is_err() && read.to_date().is_err() {
        return Err(format!("`{pattern}` does not say the date"));
    }
    Ok(())
}

/// Seconds, milliseconds and so on since the epoch, as a number or as text, with a fraction or without.
fn read_unix(value: ValueRef<'_>, scale: i64) -> Option<i64> {
    let number: i128 = match value {
        ValueRef::I64(value) => i128::from(value),
        ValueRef::U64(value) => i128::from(value),
        ValueRef::F64(value) => return i64_of(value * scale as f64),
        ValueRef::Number(text) | ValueRef::Str { text, .. } => return read_decimal(text, scale),
        _ => return None,
    };
    i64::try_from(number * i128::from(scale)).ok()
}

/// Reads `1700000000.25` to the nanosecond, which a float cannot hold.
fn read_decimal(text: &[u8], scale: i64) -> Option<i64> {
    let text = std::str::from_utf8(text).ok()?;
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let is_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    let digits = whole.strip_prefix('-').unwrap_or(whole);
    if digits.is_empty() || digits.len() > 19 || !is_digits(digits) || !is_digits(fraction) {
        return i64_of(text.parse::<f64>().ok()? * scale as f64);
    }
    let mut rest = i128::from(scale);
    let mut ns = whole.parse::<i128>().ok()? * rest;
    let sign = if whole.starts_with('-') { -1 } else { 1 };
    for digit in fraction.bytes() {
        rest /= 10;
        ns += sign * i128::from(digit - b'0') * rest;
    }
    i64::try_from(ns).ok()
}

fn i64_of(ns: f64) -> Option<i64> {
    (ns.is_finite() && ns.abs() < i64::MAX as f64).then_some(ns as i64)
}

#[cfg(test)]
mod tests;
