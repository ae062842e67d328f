//! Escapes of string literals, and timestamps as RFC 3339 (<https://www.rfc-editor.org/rfc/rfc3339>).

use crate::error::ExprError;

/// Resolves the escapes of a `"..."` literal that starts at byte `offset` of the source.
pub(crate) fn unescape(text: &str, offset: usize) -> Result<String, ExprError> {
    let mut out = String::with_capacity(text.len());
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        if c != '\\' {
            out.push(c);
            continue;
        }
        let Some(escape) = chars.next() else { break };
        match escape {
            'n' => out.push('\n'),
            'r' => out.push('\r'),
            't' => out.push('\t'),
            '0' => out.push('\0'),
            '"' | '\'' | '\\' | '{' | '}' => out.push(escape),
            '\n' => {
                chars = chars.as_str().trim_start().chars();
            }
            'u' => {
                let rest = chars.as_str();
                let parsed = braced_hex(rest);
                let Some((code, len)) = parsed else {
                    let from = offset + text.len() - rest.len() - 2;
                    return Err(ExprError::new(from..from + 2, "not a Unicode escape")
                        .help("write the code point in hexadecimal: `\\u{1F600}`"));
                };
                out.push(code);
                chars = rest[len..].chars();
            }
            _ => {
                let from = offset + text.len() - chars.as_str().len() - escape.len_utf8() - 1;
                let span = from..from + 1 + escape.len_utf8();
                return Err(ExprError::new(span, format!("unknown escape `\\{escape}`"))
                    .help("write a backslash as `\\\\`, or use a raw string s'...'"));
            }
        }
    }
    Ok(out)
}

/// `{1F600}` at the start of `text`, and its length.
fn braced_hex(text: &str) -> Option<(char, usize)> {
    let end = text.find('}').filter(|end| (2..=7).contains(end))?;
    let digits = text.strip_prefix('{')?.get(..end - 1)?;
    if !digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return None;
    }
    let code = u32::from_str_radix(digits, 16).ok()?;
    Some((char::from_u32(code)?, end + 1))
}

/// Raw literals know one escape: the quote.
pub(crate) fn unescape_raw(text: &str) -> String {
    text.replace("\\'", "'")
}

/// Days from 1970-01-01 of a date of the proleptic Gregorian calendar (Howard Hinnant,
/// "chrono-Compatible Low-Level Date Algorithms").
fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - 719_468
}

fn civil_from_days(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let era = days.div_euclid(146_097);
    let day_of_era = days.rem_euclid(146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    (year_of_era + era * 400 + i64::from(month <= 2), month, day)
}

fn number(text: &str, from: usize, to: usize) -> Option<i64> {
    let digits = text.get(from..to)?;
    digits.bytes().all(|byte| byte.is_ascii_digit()).then(|| digits.parse().ok())?
}

/// Nanoseconds since the Unix epoch of an RFC 3339 timestamp between 1677 and 2262.
pub(crate) fn parse_timestamp(text: &str) -> Option<i64> {
    let (year, month, day) = (number(text, 0, 4)?, number(text, 5, 7)?, number(text, 8, 10)?);
    let (hour, minute, second) =
        (number(text, 11, 13)?, number(text, 14, 16)?, number(text, 17, 19)?);
    let bytes = text.as_bytes();
    let separators = [(4, "-"), (7, "-"), (10, "Tt "), (13, ":"), (16, ":")];
    if separators.iter().any(|(at, allowed)| !allowed.as_bytes().contains(&bytes[*at])) {
        return None;
    }
    let days = days_from_civil(year, month, day);
    if !(1..=12).contains(&month) || civil_from_days(days) != (year, month, day) {
        return None;
    }
    if hour > 23 || minute > 59 || second > 60 {
        return None;
    }
    let mut rest = text.get(19..)?;
    let mut nanos = 0;
    if let Some(fraction) = rest.strip_prefix('.') {
        let len = fraction.bytes().take_while(u8::is_ascii_digit).count();
        if !(1..=9).contains(&len) {
            return None;
        }
        nanos = number(fraction, 0, len)? * 10i64.pow(9 - len as u32);
        rest = &fraction[len..];
    }
    let offset = parse_offset(rest)?;
    let seconds = days * 86_400 + hour * 3600 + minute * 60 + second - offset;
    i64::try_from(i128::from(seconds) * 1_000_000_000 + i128::from(nanos)).ok()
}

/// Seconds east of Greenwich.
fn parse_offset(text: &str) -> Option<i64> {
    let sign = match text.as_bytes().first()? {
        b'Z' | b'z' if text.len() == 1 => return Some(0),
        b'+' => 1,
        b'-' => -1,
        _ => return None,
    };
    let (hours, minutes) = (number(text, 1, 3)?, number(text, 4, 6)?);
    let valid = text.len() == 6 && text.as_bytes()[3] == b':' && hours < 24 && minutes < 60;
    valid.then_some(sign * (hours * 3600 + minutes * 60))
}

/// A timestamp as RFC 3339 in UTC, with as many decimals as it needs.
pub(crate) fn format_timestamp(ns: i64) -> String {
    let (seconds, nanos) = (ns.div_euclid(1_000_000_000), ns.rem_euclid(1_000_000_000));
    let (days, second) = (seconds.div_euclid(86_400), seconds.rem_euclid(86_400));
    let (year, month, day) = civil_from_days(days);
    let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
    let mut text = *b"0000-00-00T00:00:00.000000000";
    let parts = [(0, 4, year), (5, 2, month), (8, 2, day), (11, 2, hour), (14, 2, minute)];
    for (at, digits, value) in parts.into_iter().chain([(17, 2, second), (20, 9, nanos)]) {
        let mut rest = value;
        for digit in text[at..at + digits].iter_mut().rev() {
            *digit = b'0' + (rest % 10) as u8;
            rest /= 10;
        }
    }
    let zeros = text.iter().rev().take_while(|digit| **digit == b'0').count().min(9);
    let len = if nanos == 0 { 19 } else { text.len() - zeros };
    let mut out = String::with_capacity(len + 1);
    out.extend(text[..len].iter().map(|byte| char::from(*byte)));
    out.push('Z');
    out
}
