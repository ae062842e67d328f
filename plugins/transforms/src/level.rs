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

/// The longest word that stands for a level: `informational`.
const WORD_LEN_MAX: usize = 13;

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
        if !(3..=WORD_LEN_MAX).contains(&word.len()) {
            return None;
        }
        let word = match word {
            [name @ .., b'0'..=b'9'] if name.len() == 5 => name,
            word => word,
        };
        let mut folded = [0; WORD_LEN_MAX];
        for (out, byte) in folded.iter_mut().zip(word) {
            *out = byte | 0x20;
        }
        Some(match &folded[..word.len()] {
            b"info" | b"inf" | b"information" | b"informational" => Self::Info,
            b"error" | b"err" | b"severe" | b"failure" => Self::Error,
            b"warn" | b"warning" | b"wrn" => Self::Warn,
            b"debug" | b"dbg" | b"deb" | b"fine" => Self::Debug,
            b"trace" | b"trc" | b"verbose" | b"finer" | b"finest" => Self::Trace,
            b"notice" | b"note" => Self::Notice,
            b"fatal" => Self::Fatal,
            b"critical" | b"crit" => Self::Critical,
            b"alert" => Self::Alert,
            b"emergency" | b"emerg" | b"panic" => Self::Emergency,
            _ => return None,
        })
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
