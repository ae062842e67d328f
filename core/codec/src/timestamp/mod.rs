//! Timestamps as logs write them, recognised at the start of a text: ISO 8601 and RFC 3339 with all their
//! liberties, syslog, the common log format, `ctime`, RFC 2822, klog, log4j, Android, compact dates, seconds
//! since the epoch in four units, and times alone.
//!
//! A format is found by what the text looks like, in one pass and without allocating. Where a text can be read
//! in several ways, the order of the parts is the one of the formats that write it: `17/06/09` is year, month,
//! day (log4j); `06/09/2014` is month, day, year unless the first is no month; with dots or dashes the day
//! comes before month and year; `05-26` and `10.30` without a year are month and day.
//!
//! **Invariant:** no clock is read. What a text leaves out comes from a [`Reference`].

mod cursor;
mod names;
mod recent;
mod resolve;
mod shapes;

pub use names::is_date_name;
pub use recent::RecentMinute;
pub use resolve::{Certainty, Precision, Reference, Timestamp};

/// Most bytes of a text that a timestamp takes: a weekday, a month, nine digits of a second and a zone.
pub const LEN_MAX: usize = 64;

/// Recognises the timestamp that `text` starts with. What follows it does not matter, except that no digit may.
///
/// ```
/// use lograil_codec::timestamp::{Certainty, Reference, parse_prefix};
///
/// let reference = Reference { now_ns: 1_700_000_000_000_000_000, offset_seconds: 0 };
/// let found = parse_prefix(b"Nov 14 22:13:19 host app: started", &reference).unwrap();
/// assert_eq!(found.ns, 1_699_999_999_000_000_000);
/// assert_eq!(found.len, 15);
/// assert_eq!(found.certainty, Certainty::YearAssumed);
/// assert!(!found.has_offset);
/// ```
#[must_use]
pub fn parse_prefix(text: &[u8], reference: &Reference) -> Option<Timestamp> {
    let text = &text[..text.len().min(LEN_MAX)];
    let parts = match text.first()? {
        b'0'..=b'9' => shapes::numeric(text),
        b'a'..=b'z' | b'A'..=b'Z' => shapes::named(text),
        _ => None,
    }?;
    parts.resolve(reference)
}

/// Reads a text that is a timestamp as a whole.
#[must_use]
pub fn parse(text: &[u8], reference: &Reference) -> Option<Timestamp> {
    parse_prefix(text, reference).filter(|found| found.len as usize == text.len())
}

#[cfg(test)]
mod tests;
