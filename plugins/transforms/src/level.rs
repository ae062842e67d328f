//! Levels, whatever a log calls them.

/// How severe a line is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Level {
    Trace,
    Debug,
    Info,
    Notice,
    Warn,
    Error,
    Critical,
    Alert,
    Emergency,
    Fatal,
}

impl Level {
    /// The level's usual name, in upper case.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Trace => "TRACE",
            Self::Debug => "DEBUG",
            Self::Info => "INFO",
            Self::Notice => "NOTICE",
            Self::Warn => "WARN",
            Self::Error => "ERROR",
            Self::Critical => "CRITICAL",
            Self::Alert => "ALERT",
            Self::Emergency => "EMERGENCY",
            Self::Fatal => "FATAL",
        }
    }

    /// The level of a word in any case, `debug3` and the like included.
    #[inline]
    pub(crate) fn of_word(word: &[u8]) -> Option<Self> {
        let word = match word {
            [name @ .., b'0'..=b'9'] if name.len() == 5 => name,
            word => word,
        };
        // By length, because words of a known length are compared as whole numbers.
        Some(match word.len() {
            3 => match &folded::<3>(word)? {
                b"inf" => Self::Info,
                b"err" => Self::Error,
                b"wrn" => Self::Warn,
                b"dbg" | b"deb" => Self::Debug,
                b"trc" => Self::Trace,
                _ => return None,
            },
            4 => match &folded::<4>(word)? {
                b"info" => Self::Info,
                b"warn" => Self::Warn,
                b"fine" => Self::Debug,
                b"note" => Self::Notice,
                b"crit" => Self::Critical,
                _ => return None,
            },
            5 => match &folded::<5>(word)? {
                b"error" => Self::Error,
                b"debug" => Self::Debug,
                b"trace" | b"finer" => Self::Trace,
                b"fatal" => Self::Fatal,
                b"alert" => Self::Alert,
                b"emerg" | b"panic" => Self::Emergency,
                _ => return None,
            },
            6 => match &folded::<6>(word)? {
                b"notice" => Self::Notice,
                b"severe" => Self::Error,
                b"finest" => Self::Trace,
                _ => return None,
            },
            7 => match &folded::<7>(word)? {
                b"warning" => Self::Warn,
                b"failure" => Self::Error,
                b"verbose" => Self::Trace,
                _ => return None,
            },
            8 if folded(word)? == *b"critical" => Self::Critical,
            9 if folded(word)? == *b"emergency" => Self::Emergency,
            11 if folded(word)? == *b"information" => Self::Info,
            13 if folded(word)? == *b"informational" => Self::Info,
            _ => return None,
        })
    }

    /// Whether a word is the level's usual name, in any case.
    #[inline]
    pub(crate) fn is_called(self, word: &[u8]) -> bool {
        word.eq_ignore_ascii_case(self.name().as_bytes())
    }

    /// The level of a capital, as Android, glog, MongoDB and Ruby write it.
    pub(crate) fn of_letter(letter: u8) -> Option<Self> {
        Some(match letter {
            b'V' | b'T' => Self::Trace,
            b'D' => Self::Debug,
            b'I' => Self::Info,
            b'N' => Self::Notice,
            b'W' => Self::Warn,
            b'E' => Self::Error,
            b'C' => Self::Critical,
            b'F' => Self::Fatal,
            _ => return None,
        })
    }

    /// The level of two letters before a number in parentheses, as in VMware's `Wa(164)`.
    pub(crate) fn of_pair(pair: &[u8]) -> Option<Self> {
        Some(match pair {
            b"Db" => Self::Debug,
            b"In" => Self::Info,
            b"No" => Self::Notice,
            b"Wa" => Self::Warn,
            b"Er" => Self::Error,
            b"Cr" => Self::Critical,
            b"Al" => Self::Alert,
            b"Em" => Self::Emergency,
            _ => return None,
        })
    }

    /// The level of a severity of syslog.
    pub(crate) fn of_severity(severity: u8) -> Self {
        match severity {
            0 => Self::Emergency,
            1 => Self::Alert,
            2 => Self::Critical,
            3 => Self::Error,
            4 => Self::Warn,
            5 => Self::Notice,
            6 => Self::Info,
            _ => Self::Debug,
        }
    }

    /// The level of a number as bunyan and pino write it: 10, 20 to 60.
    pub(crate) fn of_number(number: &[u8]) -> Option<Self> {
        Some(match number {
            b"10" => Self::Trace,
            b"20" => Self::Debug,
            b"30" => Self::Info,
            b"40" => Self::Warn,
            b"50" => Self::Error,
            b"60" => Self::Fatal,
            _ => return None,
        })
    }

    /// The level of the answer to a request: 400 and above are errors.
    pub(crate) fn of_status(status: &[u8]) -> Option<Self> {
        match status {
            [b'1'..=b'3', b'0'..=b'9', b'0'..=b'9'] => Some(Self::Info),
            [b'4'..=b'5', b'0'..=b'9', b'0'..=b'9'] => Some(Self::Error),
            _ => None,
        }
    }
}

/// A word of so many letters, in lower case.
#[inline]
fn folded<const LEN: usize>(word: &[u8]) -> Option<[u8; LEN]> {
    word.first_chunk().map(|letters: &[u8; LEN]| letters.map(|letter| letter | 0x20))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_stand_for_levels_in_any_case() {
        let words: [(Level, &[&str]); 10] = [
            (Level::Info, &["info", "inf", "information", "informational"]),
            (Level::Error, &["error", "err", "severe", "failure"]),
            (Level::Warn, &["warn", "warning", "wrn"]),
            (Level::Debug, &["debug", "dbg", "deb", "fine"]),
            (Level::Trace, &["trace", "trc", "verbose", "finer", "finest"]),
            (Level::Notice, &["notice", "note"]),
            (Level::Fatal, &["fatal"]),
            (Level::Critical, &["critical", "crit"]),
            (Level::Alert, &["alert"]),
            (Level::Emergency, &["emergency", "emerg", "panic"]),
        ];
        for (level, words) in words {
            for word in words {
                let mut mixed = word.to_ascii_uppercase();
                assert_eq!(Level::of_word(word.as_bytes()), Some(level), "{word}");
                assert_eq!(Level::of_word(mixed.as_bytes()), Some(level), "{mixed}");
                mixed.replace_range(1..2, &word[1..2]);
                assert_eq!(Level::of_word(mixed.as_bytes()), Some(level), "{mixed}");
                let numbered = format!("{word}3");
                let expected = (word.len() == 5).then_some(level);
                assert_eq!(Level::of_word(numbered.as_bytes()), expected, "{numbered}");
                let is_called = word.eq_ignore_ascii_case(level.name());
                assert_eq!(level.is_called(word.as_bytes()), is_called, "{word}");
                for cut in [&word[1..], &format!("{word}x"), &format!(" {word}")] {
                    let is_word = words.contains(&cut);
                    assert!(is_word || Level::of_word(cut.as_bytes()).is_none(), "{cut}");
                }
            }
        }
        assert!(
            ["", "a", "in", "debug33", "in\u{0}o"]
                .iter()
                .all(|word| Level::of_word(word.as_bytes()).is_none())
        );
    }
}
