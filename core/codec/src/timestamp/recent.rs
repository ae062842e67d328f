//! Timestamps of lines that follow each other, which mostly are of the same minute.
//!
//! **Invariant:** what is found is what [`parse_prefix`] finds.

use super::{Certainty, Precision, Reference, Timestamp, parse_prefix};

/// Bytes of `2005-06-03T15:42:`.
const MINUTE_LEN: usize = 17;
/// Nanoseconds of a second.
const NS_PER_SECOND: i64 = 1_000_000_000;
/// What a digit of a second's fraction is worth, first to ninth.
const WORTH: [i64; 9] = [100_000_000, 10_000_000, 1_000_000, 100_000, 10_000, 1000, 100, 10, 1];

/// The minute of the last timestamp of the form `2005-06-03T15:42:50.123Z`; within it, only seconds are read.
#[derive(Debug, Clone)]
pub struct RecentMinute {
    minute: [u8; MINUTE_LEN],
    /// When it begins.
    ns: i64,
}

impl Default for RecentMinute {
    fn default() -> Self {
        Self { minute: *b"1970-01-01T00:00:", ns: 0 }
    }
}

impl RecentMinute {
    /// The same as [`parse_prefix`].
    #[must_use]
    #[inline]
    pub fn parse_prefix(&mut self, text: &[u8], reference: &Reference) -> Option<Timestamp> {
        match text.first_chunk() {
            Some(minute) if *minute == self.minute => {
                let found = Seconds::read(text).and_then(|seconds| seconds.after(self.ns));
                found.or_else(|| parse_prefix(text, reference))
            }
            _ => self.learn(text, reference),
        }
    }

    fn learn(&mut self, text: &[u8], reference: &Reference) -> Option<Timestamp> {
        let found = parse_prefix(text, reference)?;
        if let Some(minute) = text.first_chunk().filter(|minute| is_minute(minute))
            && let Some(seconds) = Seconds::read(text)
            && let Some(ns) = found.ns.checked_sub(seconds.ns)
            && seconds.after(ns) == Some(found)
        {
            (self.minute, self.ns) = (*minute, ns);
        }
        Some(found)
    }
}

/// Whether digits and separators are where the form has them.
fn is_minute(minute: &[u8; MINUTE_LEN]) -> bool {
    minute.iter().zip(b"0000-00-00T00:00:").all(|(byte, form)| match form {
        b'0' => byte.is_ascii_digit(),
        b'T' => matches!(byte, b'T' | b' '),
        form => byte == form,
    })
}

/// The seconds of a timestamp.
struct Seconds {
    ns: i64,
    len: u32,
    precision: Precision,
}

impl Seconds {
    /// Those behind the minute, up to the `Z`.
    #[inline]
    fn read(text: &[u8]) -> Option<Self> {
        let [tens @ b'0'..=b'5', ones @ b'0'..=b'9', tail @ ..] = text.get(MINUTE_LEN..)? else {
            return None;
        };
        let mut ns = (i64::from(tens - b'0') * 10 + i64::from(ones - b'0')) * NS_PER_SECOND;
        let mut digits = 0;
        if let [b'.', fraction @ ..] = tail {
            for (byte, worth) in fraction.iter().zip(WORTH) {
                if !byte.is_ascii_digit() {
                    break;
                }
                ns += i64::from(byte - b'0') * worth;
                digits += 1;
            }
        }
        let at = if digits == 0 { 0 } else { digits + 1 };
        let is_end =
            tail.get(at) == Some(&b'Z') && !tail.get(at + 1).is_some_and(u8::is_ascii_alphanumeric);
        let len = (MINUTE_LEN + 2 + at + 1) as u32;
        is_end.then_some(Self { ns, len, precision: Precision::of_digits(digits) })
    }

    /// The timestamp in a minute that begins at `minute_ns`.
    #[inline]
    fn after(&self, minute_ns: i64) -> Option<Timestamp> {
        Some(Timestamp {
            ns: minute_ns.checked_add(self.ns)?,
            len: self.len,
            certainty: Certainty::Full,
            has_offset: true,
            precision: self.precision,
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const NOW: Reference = Reference { now_ns: 1_709_294_400_000_000_000, offset_seconds: 3600 };

    #[test]
    fn a_minute_is_used_again_for_its_seconds_alone() {
        let mut recent = RecentMinute::default();
        let texts = [
            "1970-01-01T00:00:51.559Z",
            "2014-11-14T19:19:51.559Z",
            "2014-11-14T19:19:07Z",
            "2014-11-14T19:19:07.123456Z rest",
            "2014-11-14T19:19:07.123456789Z",
            "2014-11-14T19:19:07.1234567891Z",
            "2014-11-14T19:19:60Z",
            "2014-11-14T19:19:07",
            "2014-11-14T19:19:07.Z",
            "2014-11-14T19:19:07+01:00",
            "2014-11-14T19:19:07Zulu",
            "2014-11-14T19:19:07 PM",
            "2014-11-14T19:20:07Z",
            "2014-11-14 19:20:07Z",
            "2014-11-31T19:20:07Z",
            "2014-11-31T19:20:08Z",
            "2262-04-11T23:47:16.85Z",
            "2262-04-11T23:47:16.99Z",
            "1677-09-21T00:12:43.1Z",
            "1677-09-21T00:12:44.1Z",
        ];
        for text in texts {
            let expected = parse_prefix(text.as_bytes(), &NOW);
            assert_eq!(recent.parse_prefix(text.as_bytes(), &NOW), expected, "{text}");
        }
    }

    #[test]
    fn the_minute_is_remembered() {
        let mut recent = RecentMinute::default();
        let first = recent.parse_prefix(b"2014-11-14T19:19:51.559Z", &NOW).unwrap();
        assert_eq!(&recent.minute, b"2014-11-14T19:19:");
        assert_eq!(recent.ns, first.ns - 51_559_000_000);
    }

    proptest! {
        #[test]
        fn nothing_is_read_otherwise_than_without_a_memory(
            texts in prop::collection::vec(
                "20[12][0-9]-1[0-3]-[0-3][0-9][T ]1[0-9]:[0-6]0:[0-6][0-9]([.,:][0-9]{0,10})?(Z|z|\\+02| PM| Z)?[ 0a]?",
                1..8,
            ),
            seconds in prop::collection::vec("[0-6][0-9]([.,:][0-9]{0,10})?(Z|z|\\+02| PM| Z)?[ 0a]?", 1..8),
        ) {
            let mut recent = RecentMinute::default();
            let same_minute = seconds.iter().map(|seconds| format!("2026-03-01T12:00:{seconds}"));
            for text in texts.iter().cloned().chain(same_minute) {
                let expected = parse_prefix(text.as_bytes(), &NOW);
                prop_assert_eq!(recent.parse_prefix(text.as_bytes(), &NOW), expected, "{}", text);
            }
        }
    }
}
