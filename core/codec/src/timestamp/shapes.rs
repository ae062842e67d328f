//! What a text looks like decides which format it is.

use super::cursor::Cursor;
use super::names;
use super::resolve::{Date, Parts, Precision};

/// Seconds since the epoch that are taken for a time: from 2001 to 2065, which have ten digits.
const EPOCH_SECONDS: std::ops::Range<i64> = 1_000_000_000..3_000_000_000;

/// A time of day.
struct Clock {
    second: i64,
    nanos: i64,
    precision: Precision,
}

/// What may stand between hours, minutes and seconds, and how few digits they have.
#[derive(Clone, Copy, PartialEq, Eq)]
enum ClockStyle {
    /// `06:43:36`.
    Colons,
    /// `15.42.50`.
    Dots,
    /// `0:7:20`, as written without leading zeros.
    Unpadded,
}

/// A timestamp that starts with a digit.
#[inline]
pub(super) fn numeric(text: &[u8]) -> Option<Parts> {
    let mut cursor = Cursor::new(text);
    match cursor.digit_count() {
        4 => fixed(text).or_else(|| year_first(&mut cursor)),
        1 | 2 => short(&mut cursor),
        8 => compact(&mut cursor),
        6 => compact_short(&mut cursor),
        10 | 13 | 16 | 19 => epoch(&mut cursor),
        14 => {
            let date = compact_date(&mut cursor)?;
            let clock = compact_clock(&mut cursor)?;
            finish(cursor, date, clock)
        }
        _ => None,
    }
}

/// A timestamp that starts with a letter: a weekday, a month, or klog's level.
pub(super) fn named(text: &[u8]) -> Option<Parts> {
    let mut cursor = Cursor::new(text);
    if cursor.peek_at(1)?.is_ascii_digit() {
        return klog(&mut cursor);
    }
    if names::weekday(&mut cursor).is_some() {
        let _ = cursor.take(b',');
        cursor.spaces().then_some(())?;
        if cursor.peek()?.is_ascii_digit() {
            return match cursor.digit_count() {
                4 => year_first(&mut cursor),
                _ => day_first(&mut cursor),
            };
        }
    }
    month_first(&mut cursor)
}

/// `2005-06-03T15:42:50` with two digits everywhere, which most logs have: the same as [`year_first`], sooner.
#[inline]
fn fixed(text: &[u8]) -> Option<Parts> {
    let head: &[u8; 19] = text.first_chunk()?;
    let is_fixed = head[4] == b'-'
        && head[7] == b'-'
        && matches!(head[10], b'T' | b' ')
        && head[13] == b':'
        && head[16] == b':'
        && !text.get(19).is_some_and(u8::is_ascii_digit);
    if !is_fixed {
        return None;
    }
    let digit = |at: usize| {
        let digit = head[at].wrapping_sub(b'0');
        (digit <= 9).then_some(i64::from(digit))
    };
    let pair = |at: usize| Some(digit(at)? * 10 + digit(at + 1)?);
    let date = Date::Civil(pair(0)? * 100 + pair(2)?, pair(5)?, pair(8)?);
    let (hour, minute, second) = (pair(11)?, pair(14)?, pair(17)?);
    let mut cursor = Cursor::new(text);
    cursor.at = 19;
    // `.250Z`, as most services write it.
    if let Some([b'.', a @ b'0'..=b'9', b @ b'0'..=b'9', c @ b'0'..=b'9', b'Z']) = text.get(19..24)
        && !text.get(24).is_some_and(u8::is_ascii_alphanumeric)
    {
        let digits = [a, b, c].map(|digit| i64::from(digit - b'0'));
        let millis = digits[0] * 100 + digits[1] * 10 + digits[2];
        let clock = of_day(hour, minute, second, millis * 1_000_000, Precision::Millisecond)?;
        cursor.at = 24;
        return Some(parts(&cursor, date, &clock, Some(0)));
    }
    let (nanos, digits) = fraction(&mut cursor);
    let hour = half_of_day(&mut cursor, hour)?;
    let clock = of_day(hour, minute, second, nanos, Precision::of_digits(digits))?;
    finish(cursor, date, clock)
}

/// `2005-06-03 15:42:50`, `2005.06.03`, `2005/06/03`, `2005-Jun-03`, `2012-025T10:22:40`.
#[inline]
fn year_first(cursor: &mut Cursor<'_>) -> Option<Parts> {
    let year = cursor.digits(4)?;
    let separator = cursor.peek().filter(|byte| matches!(byte, b'-' | b'/' | b'.'))?;
    cursor.at += 1;
    if separator == b'-' && cursor.digit_count() == 3 {
        let date = Date::Ordinal(year, cursor.digits(3)?);
        return date_then_clock(cursor, date);
    }
    let month = match cursor.peek()? {
        b'0'..=b'9' => cursor.number(1, 2)?,
        _ => names::month(cursor)?,
    };
    cursor.take(separator)?;
    let day = cursor.number(1, 2)?;
    date_then_clock(cursor, Date::Civil(year, month, day))
}

/// The time after a date, or the date alone.
#[inline]
fn date_then_clock(cursor: &mut Cursor<'_>, date: Date) -> Option<Parts> {
    let before = *cursor;
    if let Some(parts) = gap_and_clock(cursor, date) {
        return Some(parts);
    }
    *cursor = before;
    let is_end = !matches!(cursor.peek(), Some(b'-' | b'/' | b'.' | b':'))
        || cursor.peek_at(1) == Some(b' ');
    if !is_end || !cursor.is_boundary() {
        return None;
    }
    let clock = Clock { second: 0, nanos: 0, precision: Precision::Day };
    Some(parts(cursor, date, &clock, None))
}

#[inline]
fn gap_and_clock(cursor: &mut Cursor<'_>, date: Date) -> Option<Parts> {
    let gap = cursor.peek()?;
    cursor.at += 1;
    let style = match gap {
        b'T' | b't' | b'_' | b':' => ClockStyle::Colons,
        b'-' if cursor.peek_at(2) == Some(b'.') => ClockStyle::Dots,
        b'-' => ClockStyle::Colons,
        b' ' => {
            cursor.spaces();
            ClockStyle::Colons
        }
        b',' => {
            cursor.spaces().then_some(())?;
            ClockStyle::Colons
        }
        _ => return None,
    };
    let clock = clock(cursor, style)?;
    finish(*cursor, date, clock)
}

/// What starts with one or two digits.
fn short(cursor: &mut Cursor<'_>) -> Option<Parts> {
    let start = *cursor;
    let first = cursor.number(1, 2)?;
    let separator = cursor.peek()?;
    cursor.at += 1;
    match separator {
        b':' => {
            *cursor = start;
            let clock = clock(cursor, ClockStyle::Colons)?;
            let is_whole = clock.precision >= Precision::Second && cursor.is_boundary();
            is_whole.then(|| finish(*cursor, Date::Missing, clock))?
        }
        b'/' | b'-' | b'.' | b' ' if cursor.peek()?.is_ascii_alphabetic() => {
            *cursor = start;
            day_first(cursor)
        }
        b'/' | b'-' | b'.' => {
            let second = cursor.number(1, 2)?;
            let date = if cursor.take(separator).is_some() {
                let digits = cursor.digit_count();
                let third = cursor.number(2, 4)?;
                numeric_date(separator, [first, second, third], digits)?
            } else if first <= 12 {
                Date::NoYear(first, second)
            } else {
                Date::NoYear(second, first)
            };
            gap_and_clock(cursor, date)
        }
        _ => None,
    }
}

/// A date of three numbers, of which the last has so many digits.
fn numeric_date(separator: u8, [a, b, c]: [i64; 3], last_digits: usize) -> Option<Date> {
    if last_digits == 4 {
        let is_month_first = separator == b'/' && a <= 12;
        return Some(if is_month_first { Date::Civil(c, a, b) } else { Date::Civil(c, b, a) });
    }
    if last_digits != 2 {
        return None;
    }
    Some(match separator {
        b'.' => Date::Civil(full_year(c), b, a),
        _ if b > 12 => Date::Civil(full_year(c), a, b),
        _ => Date::Civil(full_year(a), b, c),
    })
}

/// Two digits of a year: 1969 to 2068, as POSIX has it.
fn full_year(year: i64) -> i64 {
    if year >= 69 { 1900 + year } else { 2000 + year }
}

/// `11/Feb/2013:06:43:36 +0000`, `13 Apr 12:52:30.731`, `24-Feb 16:36`, `Nov 94`.
fn day_first(cursor: &mut Cursor<'_>) -> Option<Parts> {
    let day = cursor.number(1, 2)?;
    let separator = cursor.peek()?;
    cursor.at += 1;
    let month = names::month(cursor)?;
    let before_year = *cursor;
    let mut date = Date::NoYear(month, day);
    if cursor.take(separator).is_some() {
        match (cursor.digit_count(), cursor.peek_at(2)) {
            (4, _) => date = Date::Civil(cursor.digits(4)?, month, day),
            (2, Some(b':')) => *cursor = before_year,
            (2, _) => date = Date::Civil(full_year(cursor.digits(2)?), month, day),
            _ => *cursor = before_year,
        }
    }
    gap_and_clock(cursor, date)
}

/// `Feb 11 06:43:36`, `Jun 09 06:07:04 2005`, `Jun  2 08:00:01 UTC 2022`, `Feb 11, 2013 6:43:36 PM`,
/// `Mar-18 21:41:15.684`.
fn month_first(cursor: &mut Cursor<'_>) -> Option<Parts> {
    let month = names::month(cursor)?;
    if !cursor.spaces() {
        cursor.take(b'-')?;
    }
    let day = cursor.number(1, 2)?;
    let mut date = Date::NoYear(month, day);
    let before_year = *cursor;
    let _ = cursor.take(b',');
    if cursor.spaces() && cursor.digit_count() == 4 {
        date = Date::Civil(cursor.digits(4)?, month, day);
    } else {
        *cursor = before_year;
    }
    let mut found = gap_and_clock(cursor, date)?;
    if matches!(date, Date::NoYear(..)) {
        let mut rest = Cursor { text: cursor.text, at: found.len };
        if rest.spaces() && rest.digit_count() == 4 {
            let year = rest.digits(4)?;
            if (1970..2100).contains(&year) && rest.is_boundary() {
                found.date = Date::Civil(year, month, day);
                found.len = rest.at;
            }
        }
    }
    Some(found)
}

/// `I0102 15:04:05.678901`: month and day after a letter for the level.
fn klog(cursor: &mut Cursor<'_>) -> Option<Parts> {
    matches!(cursor.peek()?, b'I' | b'W' | b'E' | b'F' | b'D').then_some(())?;
    cursor.at += 1;
    (cursor.digit_count() == 4).then_some(())?;
    let date = Date::NoYear(cursor.digits(2)?, cursor.digits(2)?);
    cursor.spaces().then_some(())?;
    let clock = clock(cursor, ClockStyle::Colons)?;
    (clock.precision > Precision::Second).then(|| parts(cursor, date, &clock, None))
}

/// `20171223-22:15:29:606`, `20260327 11:34:21.908`, `20171223T221529Z`.
fn compact(cursor: &mut Cursor<'_>) -> Option<Parts> {
    let date = compact_date(cursor)?;
    matches!(cursor.peek()?, b'-' | b' ' | b'T' | b't' | b'_').then_some(())?;
    cursor.at += 1;
    let clock = match cursor.digit_count() {
        6 | 9 => compact_clock(cursor)?,
        _ => clock(cursor, ClockStyle::Unpadded)?,
    };
    finish(*cursor, date, clock)
}

fn compact_date(cursor: &mut Cursor<'_>) -> Option<Date> {
    let year = cursor.digits(4)?;
    (1900..2300).contains(&year).then_some(())?;
    Some(Date::Civil(year, cursor.digits(2)?, cursor.digits(2)?))
}

/// `081109 203518`, `170213 16:00:33`.
fn compact_short(cursor: &mut Cursor<'_>) -> Option<Parts> {
    let year = full_year(cursor.digits(2)?);
    let date = Date::Civil(year, cursor.digits(2)?, cursor.digits(2)?);
    cursor.spaces().then_some(())?;
    let clock = match cursor.digit_count() {
        6 => compact_clock(cursor)?,
        _ => clock(cursor, ClockStyle::Colons)?,
    };
    finish(*cursor, date, clock)
}

/// `203518`, `203518.606`, `203518606`.
fn compact_clock(cursor: &mut Cursor<'_>) -> Option<Clock> {
    let (hour, minute, second) = (cursor.digits(2)?, cursor.digits(2)?, cursor.digits(2)?);
    let (nanos, digits) = match cursor.digit_count() {
        3 => (cursor.digits(3)? * 1_000_000, 3),
        0 => fraction(cursor),
        _ => return None,
    };
    of_day(hour, minute, second, nanos, Precision::of_digits(digits))
}

/// `1131566461`, `1743339613.601613`, `1700000000000`.
fn epoch(cursor: &mut Cursor<'_>) -> Option<Parts> {
    let digits = cursor.digit_count();
    let seconds = cursor.digits(10)?;
    EPOCH_SECONDS.contains(&seconds).then_some(())?;
    let mut nanos = 0;
    let mut precision = Precision::of_digits(digits - 10);
    if digits > 10 {
        nanos = cursor.digits(digits - 10)? * 10i64.pow(19 - digits as u32);
    } else if cursor.peek() == Some(b'.') {
        let (fraction, digits) = fraction(cursor);
        (nanos, precision) = (fraction, Precision::of_digits(digits));
    }
    cursor.is_boundary().then_some(())?;
    let ns = i128::from(seconds) * 1_000_000_000 + i128::from(nanos);
    let clock = Clock { second: 0, nanos: 0, precision };
    Some(parts(cursor, Date::Epoch(ns), &clock, Some(0)))
}

/// A time of day with its fraction and its half of the day.
#[inline]
fn clock(cursor: &mut Cursor<'_>, style: ClockStyle) -> Option<Clock> {
    let separator = if style == ClockStyle::Dots { b'.' } else { b':' };
    let min = if style == ClockStyle::Unpadded { 1 } else { 2 };
    let hour = cursor.number(1, 2)?;
    cursor.take(separator)?;
    let minute = cursor.number(min, 2)?;
    let (mut second, mut nanos, mut precision) = (0, 0, Precision::Minute);
    if cursor.peek() == Some(separator) && cursor.peek_at(1).is_some_and(|b| b.is_ascii_digit()) {
        cursor.at += 1;
        second = cursor.number(min, 2)?;
        let (fraction, digits) = fraction(cursor);
        (nanos, precision) = (fraction, Precision::of_digits(digits));
    }
    let hour = half_of_day(cursor, hour)?;
    of_day(hour, minute, second, nanos, precision)
}

fn of_day(hour: i64, minute: i64, second: i64, nanos: i64, precision: Precision) -> Option<Clock> {
    let is_valid = hour <= 23 && minute <= 59 && second <= 60;
    is_valid.then(|| Clock { second: hour * 3600 + minute * 60 + second, nanos, precision })
}

/// Nanoseconds of `.123`, `,123` or `:123`, and how many digits there are. After a colon stands the number of
/// milliseconds, with or without leading zeros, or of microseconds.
#[inline]
fn fraction(cursor: &mut Cursor<'_>) -> (i64, usize) {
    let mark = cursor.peek();
    if !matches!(mark, Some(b'.' | b',' | b':')) {
        return (0, 0);
    }
    let (mut value, mut count) = (0i64, 0usize);
    while let Some(byte @ b'0'..=b'9') = cursor.peek_at(1 + count) {
        if count < 9 {
            value = value * 10 + i64::from(byte - b'0');
        }
        count += 1;
    }
    if count == 0 || (mark == Some(b':') && count > 6) {
        return (0, 0);
    }
    cursor.at += 1 + count;
    if mark == Some(b':') && count < 3 {
        return (value * 1_000_000, 3);
    }
    (value * 10i64.pow(9 - count.min(9) as u32), count)
}

/// The hour with ` PM` or `am` after the time taken into account.
#[inline]
fn half_of_day(cursor: &mut Cursor<'_>, hour: i64) -> Option<i64> {
    let ahead = usize::from(cursor.peek() == Some(b' '));
    let (Some(half @ (b'A' | b'a' | b'P' | b'p')), Some(b'M' | b'm')) =
        (cursor.peek_at(ahead), cursor.peek_at(ahead + 1))
    else {
        return Some(hour);
    };
    if cursor.peek_at(ahead + 2).is_some_and(|byte| byte.is_ascii_alphanumeric()) {
        return Some(hour);
    }
    (1..=12).contains(&hour).then_some(())?;
    cursor.at += ahead + 2;
    Some(hour % 12 + if half | 0x20 == b'p' { 12 } else { 0 })
}

/// The whole of a timestamp whose date and time were read: its offset remains.
#[inline]
fn finish(mut cursor: Cursor<'_>, date: Date, clock: Clock) -> Option<Parts> {
    let offset = offset(&mut cursor);
    if cursor.peek().is_some_and(|byte| byte.is_ascii_digit()) {
        return None;
    }
    Some(parts(&cursor, date, &clock, offset))
}

fn parts(cursor: &Cursor<'_>, date: Date, clock: &Clock, offset: Option<i64>) -> Parts {
    let Clock { second, nanos, precision } = *clock;
    Parts { date, second, nanos, offset, precision, len: cursor.at }
}

/// `Z`, `+0000`, `-07`, ` +02:00`, ` UTC`.
#[inline]
fn offset(cursor: &mut Cursor<'_>) -> Option<i64> {
    let before = *cursor;
    let has_space = cursor.take(b' ').is_some();
    let found = match cursor.peek() {
        Some(b'Z' | b'z') => {
            cursor.at += 1;
            cursor.is_boundary().then_some(0)
        }
        Some(b'+' | b'-') => numeric_offset(cursor, has_space),
        Some(b'A'..=b'Z') => names::zone(cursor),
        _ => None,
    };
    if found.is_none() {
        *cursor = before;
    }
    found
}

fn numeric_offset(cursor: &mut Cursor<'_>, has_space: bool) -> Option<i64> {
    let is_negative = cursor.peek() == Some(b'-');
    cursor.at += 1;
    let (hours, minutes) = match cursor.digit_count() {
        4 => (cursor.digits(2)?, cursor.digits(2)?),
        2 => {
            let hours = cursor.digits(2)?;
            let has_minutes = cursor.peek_at(1).is_some_and(|byte| byte.is_ascii_digit());
            match cursor.peek() {
                Some(b':') if has_minutes => {
                    cursor.at += 1;
                    (hours, cursor.number(2, 2)?)
                }
                Some(b'-') => return None,
                _ if has_space => return None,
                _ => (hours, 0),
            }
        }
        _ => return None,
    };
    let is_valid = hours <= 23 && minutes <= 59 && cursor.is_boundary();
    let seconds = hours * 3600 + minutes * 60;
    is_valid.then_some(if is_negative { -seconds } else { seconds })
}
