//! The words of timestamps: months, weekdays, zones.

use super::cursor::Cursor;

const MONTHS: [&[u8]; 12] = [
    b"january",
    b"february",
    b"march",
    b"april",
    b"may",
    b"june",
    b"july",
    b"august",
    b"september",
    b"october",
    b"november",
    b"december",
];

const WEEKDAYS: [&[u8]; 7] =
    [b"monday", b"tuesday", b"wednesday", b"thursday", b"friday", b"saturday", b"sunday"];

/// Zones by name, in seconds east of UTC. Names that stand for several zones have the meaning that
/// PostgreSQL and RFC 2822 give them.
const ZONES: [(&[u8], i64); 28] = [
    (b"UTC", 0),
    (b"GMT", 0),
    (b"UT", 0),
    (b"WET", 0),
    (b"WEST", 3600),
    (b"BST", 3600),
    (b"CET", 3600),
    (b"MET", 3600),
    (b"CEST", 7200),
    (b"MEST", 7200),
    (b"EET", 7200),
    (b"SAST", 7200),
    (b"EEST", 10_800),
    (b"MSK", 10_800),
    (b"IST", 19_800),
    (b"SGT", 28_800),
    (b"HKT", 28_800),
    (b"AWST", 28_800),
    (b"JST", 32_400),
    (b"KST", 32_400),
    (b"AEST", 36_000),
    (b"AEDT", 39_600),
    (b"EDT", -14_400),
    (b"EST", -18_000),
    (b"CDT", -18_000),
    (b"CST", -21_600),
    (b"PDT", -25_200),
    (b"PST", -28_800),
];

/// Mountain time, which shares its first letter with nothing above but is rare enough to come last.
const ZONES_RARE: [(&[u8], i64); 5] =
    [(b"MST", -25_200), (b"MDT", -21_600), (b"NZST", 43_200), (b"NZDT", 46_800), (b"HST", -36_000)];

/// The number of the month that is next, by its English name or the first three letters of it.
#[inline]
pub(super) fn month(cursor: &mut Cursor<'_>) -> Option<i64> {
    word(cursor, &MONTHS).map(|index| index as i64 + 1)
}

/// Goes past a weekday.
#[inline]
pub(super) fn weekday(cursor: &mut Cursor<'_>) -> Option<()> {
    word(cursor, &WEEKDAYS).map(|_| ())
}

/// Whether a text is the English name of a day or a month, or the first three letters of one (RFC 5322, section 3.3).
#[must_use]
pub fn is_date_name(text: &[u8]) -> bool {
    position(text, &WEEKDAYS).or_else(|| position(text, &MONTHS)).is_some()
}

fn word(cursor: &mut Cursor<'_>, words: &[&[u8]]) -> Option<usize> {
    let letters = cursor.letters();
    let index = position(letters, words)?;
    cursor.at += letters.len();
    Some(index)
}

#[inline]
fn position(letters: &[u8], words: &[&[u8]]) -> Option<usize> {
    let lower = |at: usize| letters.get(at).map(|byte| byte | 0x20);
    let (a, b, c) = (lower(0)?, lower(1)?, lower(2)?);
    let index = words.iter().position(|word| word[..3] == [a, b, c])?;
    let is_abbreviation = letters.len() == 3 || letters.eq_ignore_ascii_case(b"sept");
    (is_abbreviation || letters.eq_ignore_ascii_case(words[index])).then_some(index)
}

/// The offset of the zone whose name is next.
pub(super) fn zone(cursor: &mut Cursor<'_>) -> Option<i64> {
    let letters = cursor.letters();
    let all = ZONES.iter().chain(&ZONES_RARE);
    let (_, offset) = all.copied().find(|(name, _)| *name == letters)?;
    cursor.at += letters.len();
    cursor.is_boundary().then_some(offset)
}
