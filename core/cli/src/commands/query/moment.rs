//! A point of time on the command line: absolute, or so long ago.

use std::str::FromStr;

use lograil_codec::timestamp::{self, Certainty, Reference};
use lograil_plugin::Period;

/// A point of time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Moment {
    /// Nanoseconds since the Unix epoch.
    At(i64),
    /// Nanoseconds before now.
    Ago(i64),
}

impl Moment {
    /// Nanoseconds since the Unix epoch.
    pub(crate) fn ns(self, now_ns: i64) -> i64 {
        match self {
            Self::At(ns) => ns,
            Self::Ago(ns) => now_ns.saturating_sub(ns),
        }
    }
}

impl FromStr for Moment {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        // A number without a unit could be seconds ago or a time of its own.
        if text.ends_with(|c: char| c.is_ascii_alphabetic())
            && let Ok(Period(ago)) = text.parse()
        {
            return Ok(Self::Ago(i64::try_from(ago.as_nanos()).unwrap_or(i64::MAX)));
        }
        let reference = Reference { now_ns: 0, offset_seconds: 0 };
        timestamp::parse(text.as_bytes(), &reference)
            .filter(|found| found.certainty == Certainty::Full)
            .map(|found| Self::At(found.ns))
            .ok_or_else(|| {
                "write 15m, 2h or 7d for so long ago, or 2026-11-20T20:36:51Z".to_owned()
            })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_times_and_spans() {
        let at = |text: &str| text.parse::<Moment>();
        assert_eq!(at("15m"), Ok(Moment::Ago(900_000_000_000)));
        assert_eq!(at("1.5h"), Ok(Moment::Ago(5_400_000_000_000)));
        assert_eq!(at("1970-01-01T00:01:00Z"), Ok(Moment::At(60_000_000_000)));
        assert_eq!(at("1970-01-01T01:01:00+01:00"), Ok(Moment::At(60_000_000_000)));
        assert_eq!(at("1970-01-01 00:01"), Ok(Moment::At(60_000_000_000)));
        assert_eq!(at("1970-01-02"), Ok(Moment::At(86_400_000_000_000)));
        for wrong in ["", "15", "yesterday", "12:00", "15 parsecs"] {
            assert!(at(wrong).is_err(), "{wrong}");
        }
        assert_eq!(Moment::Ago(5).ns(7), 2);
    }
}
