//! RFC 3339 timestamps as nanoseconds since the Unix epoch: <https://www.rfc-editor.org/rfc/rfc3339>.
//!
//! Written by hand because an event's time is written per event and needs no time zone database. The calendar
//! arithmetic is Howard Hinnant's: <https://howardhinnant.github.io/date_algorithms.html>.

pub(crate) const NS_PER_SECOND: i64 = 1_000_000_000;
pub(crate) const SECONDS_PER_DAY: i64 = 86_400;

/// Appends `ns` as RFC 3339 in UTC: `Z`, and 0, 3, 6 or 9 digits of a second, as many as are needed.
pub fn write_rfc3339(ns: i64, out: &mut Vec<u8>) {
    let (seconds, nanos) = (ns.div_euclid(NS_PER_SECOND), ns.rem_euclid(NS_PER_SECOND) as u32);
    let (days, second) = (seconds.div_euclid(SECONDS_PER_DAY), seconds.rem_euclid(SECONDS_PER_DAY));
    let (year, month, day) = civil_from_days(days);
    let mut text = *b"0000-00-00T00:00:00.000000000Z";
    write_digits(&mut text[0..4], year as u32);
    write_digits(&mut text[5..7], month);
    write_digits(&mut text[8..10], day);
    write_digits(&mut text[11..13], (second / 3600) as u32);
    write_digits(&mut text[14..16], (second / 60 % 60) as u32);
    write_digits(&mut text[17..19], (second % 60) as u32);
    write_digits(&mut text[20..29], nanos);
    let len = match nanos {
        0 => 19,
        _ if nanos.is_multiple_of(1_000_000) => 23,
        _ if nanos.is_multiple_of(1_000) => 26,
        _ => 29,
    };
    text[len] = b'Z';
    out.extend_from_slice(&text[..=len]);
}

/// Reads an RFC 3339 timestamp; the `T` may be a space, the `T` and the `Z` may be small. `None` if it is none,
/// or lies outside what 64 bits of nanoseconds hold (years 1677 to 2262). A 60th second, which the RFC allows
/// for leap seconds, is the first of the next minute. Digits beyond the ninth of a second are dropped.
#[must_use]
pub fn parse_rfc3339(text: &[u8]) -> Option<i64> {
    let (date, rest) = (text.get(..19)?, &text[19..]);
    if date[4] != b'-' || date[7] != b'-' || date[13] != b':' || date[16] != b':' {
        return None;
    }
    if !matches!(date[10], b'T' | b't' | b' ') {
        return None;
    }
    let part = |from: usize, to: usize| read_digits(&date[from..to]);
    let (year, month, day) = (part(0, 4)?, part(5, 7)?, part(8, 10)?);
    let (hour, minute, second) = (part(11, 13)?, part(14, 16)?, part(17, 19)?);
    if !(1..=12).contains(&month) || day == 0 || day > days_in_month(year, month) {
        return None;
    }
    if hour > 23 || minute > 59 || second > 60 {
        return None;
    }
    let (nanos, zone) = read_fraction(rest)?;
    let days = days_from_civil(year, month, day);
    let local = days * SECONDS_PER_DAY + hour * 3600 + minute * 60 + second;
    let seconds = local - read_offset(zone)?;
    // The first second that 64 bits cannot hold whole is reached by its fraction, so widen before adding.
    i64::try_from(i128::from(seconds) * i128::from(NS_PER_SECOND) + i128::from(nanos)).ok()
}

/// The nanoseconds of `.123...`, and what follows.
fn read_fraction(text: &[u8]) -> Option<(i64, &[u8])> {
    let Some(digits) = text.strip_prefix(b".") else { return Some((0, text)) };
    let count = digits.iter().take_while(|byte| byte.is_ascii_digit()).count();
    if count == 0 {
        return None;
    }
    let kept = read_digits(&digits[..count.min(9)])?;
    let scale = 10i64.pow(9 - count.min(9) as u32);
    Some((kept * scale, &digits[count..]))
}

/// Seconds east of UTC.
fn read_offset(text: &[u8]) -> Option<i64> {
    match text {
        b"Z" | b"z" => Some(0),
        [sign @ (b'+' | b'-'), h1, h2, b':', m1, m2] => {
            let (hour, minute) = (read_digits(&[*h1, *h2])?, read_digits(&[*m1, *m2])?);
            let seconds = hour * 3600 + minute * 60;
            let valid = hour <= 23 && minute <= 59;
            valid.then_some(if *sign == b'-' { -seconds } else { seconds })
        }
        _ => None,
    }
}

fn read_digits(text: &[u8]) -> Option<i64> {
    let mut value = 0;
    for byte in text {
        value = value * 10 + i64::from(char::from(*byte).to_digit(10)?);
    }
    Some(value)
}

fn write_digits(out: &mut [u8], mut value: u32) {
    for digit in out.iter_mut().rev() {
        *digit = b'0' + (value % 10) as u8;
        value /= 10;
    }
}

pub(crate) fn days_in_month(year: i64, month: i64) -> i64 {
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    match month {
        4 | 6 | 9 | 11 => 30,
        2 => 28 + i64::from(leap),
        _ => 31,
    }
}

pub(crate) fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year - era * 400;
    let day_of_year = (153 * (month + if month > 2 { -3 } else { 9 }) + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - 719_468
}

pub(crate) fn civil_from_days(days: i64) -> (i64, u32, u32) {
    let days = days + 719_468;
    let era = days.div_euclid(146_097);
    let day_of_era = days - era * 146_097;
    let year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_shifted = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_shifted + 2) / 5 + 1;
    let month = if month_shifted < 10 { month_shifted + 3 } else { month_shifted - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    (year, month as u32, day as u32)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn written(ns: i64) -> String {
        let mut out = Vec::new();
        write_rfc3339(ns, &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn writes_only_the_digits_of_a_second_that_are_needed() {
        assert_eq!(written(0), "1970-01-01T00:00:00Z");
        assert_eq!(written(1_700_000_000_500_000_000), "2023-11-14T22:13:20.500Z");
        assert_eq!(written(1_700_000_000_000_500_000), "2023-11-14T22:13:20.000500Z");
        assert_eq!(written(-1), "1969-12-31T23:59:59.999999999Z");
        assert_eq!(written(i64::MIN), "1677-09-21T00:12:43.145224192Z");
        assert_eq!(written(i64::MAX), "2262-04-11T23:47:16.854775807Z");
    }

    #[test]
    fn reads_zones_fractions_and_leap_seconds() {
        let cases = [
            ("1970-01-01T00:00:00Z", Some(0)),
            ("1970-01-01 00:00:01z", Some(NS_PER_SECOND)),
            ("1970-01-01t02:00:00+02:00", Some(0)),
            ("1969-12-31T23:30:00-00:30", Some(0)),
            ("1970-01-01T00:00:00.25Z", Some(250_000_000)),
            ("1970-01-01T00:00:00.0000000019Z", Some(1)),
            ("1970-01-01T00:00:60Z", Some(60 * NS_PER_SECOND)),
            ("2024-02-29T00:00:00Z", Some(1_709_164_800 * NS_PER_SECOND)),
            ("2023-02-29T00:00:00Z", None),
            ("1900-02-29T00:00:00Z", None),
            ("1970-01-01T24:00:00Z", None),
            ("1970-01-01T00:00:00", None),
            ("1970-01-01T00:00:00.Z", None),
            ("1970-01-01T00:00:00+2:00", None),
            ("1970-00-01T00:00:00Z", None),
            ("9999-01-01T00:00:00Z", None),
            ("1677-09-21T00:12:43.145224191Z", None),
            ("", None),
        ];
        for (text, expected) in cases {
            assert_eq!(parse_rfc3339(text.as_bytes()), expected, "{text}");
        }
    }

    proptest! {
        #[test]
        fn every_instant_survives_and_agrees_with_jiff(ns in any::<i64>()) {
            let text = written(ns);
            prop_assert_eq!(parse_rfc3339(text.as_bytes()), Some(ns));
            let instant: jiff::Timestamp = text.parse().unwrap();
            prop_assert_eq!(instant.as_nanosecond(), i128::from(ns));
        }

        #[test]
        fn agrees_with_jiff_on_what_is_a_timestamp(text in "[0-9]{4}-[01][0-9]-[0-3][0-9]T[0-2][0-9]:[0-5][0-9]:[0-5][0-9](\\.[0-9]{1,9})?(Z|[+-][01][0-9]:[0-5][0-9])") {
            let jiff = text.parse::<jiff::Timestamp>().ok();
            let in_range = jiff.and_then(|t| i64::try_from(t.as_nanosecond()).ok());
            prop_assert_eq!(parse_rfc3339(text.as_bytes()), in_range);
        }
    }
}
