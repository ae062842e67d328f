//! The words that lines do not have themselves, and the keys that levels and times go by.

use lograil_codec::row::Part;

use crate::level::Level;

/// A format, as the field for it names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum FormatWord {
    Json,
    Logfmt,
    Syslog,
    Access,
    Glog,
    Cef,
    Application,
    Text,
}

/// All of them, each once.
pub(super) const WORDS: &str = "TRACEDEBUGINFONOTICEWARNERRORCRITICALALERTEMERGENCYFATALjsonlogfmtsyslogaccess_logglogapplicationtextcefkernusermaildaemonauthsysloglprnewsuucpcronauthprivftpntpsecurityconsolesolaris-cronlocal0local1local2local3local4local5local6local7";

/// The name of a level in [`WORDS`].
#[inline]
pub(super) fn of_level(level: Level) -> Part {
    match level {
        Level::Trace => Part::word(0, 5),
        Level::Debug => Part::word(5, 10),
        Level::Info => Part::word(10, 14),
        Level::Notice => Part::word(14, 20),
        Level::Warn => Part::word(20, 24),
        Level::Error => Part::word(24, 29),
        Level::Critical => Part::word(29, 37),
        Level::Alert => Part::word(37, 42),
        Level::Emergency => Part::word(42, 51),
        Level::Fatal => Part::word(51, 56),
    }
}

/// The name of a format in [`WORDS`].
#[inline]
pub(super) fn of_format(format: FormatWord) -> Part {
    match format {
        FormatWord::Json => Part::word(56, 60),
        FormatWord::Logfmt => Part::word(60, 66),
        FormatWord::Syslog => Part::word(66, 72),
        FormatWord::Access => Part::word(72, 82),
        FormatWord::Glog => Part::word(82, 86),
        FormatWord::Application => Part::word(86, 97),
        FormatWord::Text => Part::word(97, 101),
        FormatWord::Cef => Part::word(101, 104),
    }
}

/// Lengths of the names of syslog's facilities, which are the last in [`WORDS`], by their codes.
const FACILITY_LENS: [usize; 24] =
    [4, 4, 4, 6, 4, 6, 3, 4, 4, 4, 8, 3, 3, 8, 7, 12, 6, 6, 6, 6, 6, 6, 6, 6];

/// The name of a facility in [`WORDS`].
#[inline]
pub(super) fn of_facility(code: i64) -> Option<Part> {
    let code = usize::try_from(code).ok()?;
    let (start, end) = *FACILITIES.get(code)?;
    Some(Part::word(start, end))
}

/// Where the first facility is.
const FACILITIES_START: usize = 104;

/// Where each facility is.
const FACILITIES: [(usize, usize); FACILITY_LENS.len()] = {
    let mut places = [(0, FACILITIES_START); FACILITY_LENS.len()];
    let (mut code, mut start) = (0, FACILITIES_START);
    while code < places.len() {
        places[code] = (start, start + FACILITY_LENS[code]);
        start = places[code].1;
        code += 1;
    }
    places
};

/// Keys under which objects and pairs have their level, most telling first.
pub(super) const LEVEL_KEYS: [&str; 11] = [
    "level",
    "severity",
    "lvl",
    "loglevel",
    "log_level",
    "log.level",
    "levelname",
    "severity_text",
    "severityText",
    "priority",
    "@l",
];

/// Keys under which objects and pairs have their time, most telling first.
pub(super) const TIME_KEYS: [&str; 16] = [
    "timestamp",
    "@timestamp",
    "time",
    "ts",
    "datetime",
    "date",
    "t",
    "asctime",
    "event_time",
    "eventTime",
    "timestamp_ns",
    "timeMillis",
    "started_at",
    "_time",
    "@t",
    "created_at",
];

/// Whether it is one of [`LEVEL_KEYS`]; asked of every pair, so not by going through them.
#[inline]
pub(super) fn is_level_key(name: &[u8]) -> bool {
    matches!(
        name,
        b"level"
            | b"severity"
            | b"lvl"
            | b"loglevel"
            | b"log_level"
            | b"log.level"
            | b"levelname"
            | b"severity_text"
            | b"severityText"
            | b"priority"
            | b"@l"
    )
}

/// Whether it is one of [`TIME_KEYS`].
#[inline]
pub(super) fn is_time_key(name: &[u8]) -> bool {
    matches!(
        name,
        b"timestamp"
            | b"@timestamp"
            | b"time"
            | b"ts"
            | b"datetime"
            | b"date"
            | b"t"
            | b"asctime"
            | b"event_time"
            | b"eventTime"
            | b"timestamp_ns"
            | b"timeMillis"
            | b"started_at"
            | b"_time"
            | b"@t"
            | b"created_at"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn word(part: Part) -> &'static str {
        &WORDS[part.start as usize..][..part.len as usize]
    }

    #[test]
    fn every_word_is_where_it_is_said_to_be() {
        use Level::{Alert, Critical, Debug, Emergency, Error, Fatal, Info, Notice, Trace, Warn};
        let all = [Trace, Debug, Info, Notice, Warn, Error, Critical, Alert, Emergency, Fatal];
        for level in all {
            assert_eq!(word(of_level(level)), level.name());
            assert_eq!(Level::of_word(level.name().as_bytes()), Some(level));
        }
        for (code, name) in [(0, "kern"), (3, "daemon"), (15, "solaris-cron"), (23, "local7")] {
            assert_eq!(of_facility(code).map(word), Some(name));
        }
        assert_eq!(of_facility(24), None);
        assert!(LEVEL_KEYS.iter().all(|key| is_level_key(key.as_bytes())));
        assert!(TIME_KEYS.iter().all(|key| is_time_key(key.as_bytes())));
        let formats = [
            (FormatWord::Json, "json"),
            (FormatWord::Logfmt, "logfmt"),
            (FormatWord::Syslog, "syslog"),
            (FormatWord::Access, "access_log"),
            (FormatWord::Glog, "glog"),
            (FormatWord::Cef, "cef"),
            (FormatWord::Application, "application"),
            (FormatWord::Text, "text"),
        ];
        for (format, name) in formats {
            assert_eq!(word(of_format(format)), name);
        }
    }
}
