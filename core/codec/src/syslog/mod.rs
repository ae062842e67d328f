//! Syslog: RFC 5424 (<https://www.rfc-editor.org/rfc/rfc5424>) and the older BSD format that RFC 3164
//! (<https://www.rfc-editor.org/rfc/rfc3164>) observed, told apart line by line.

mod rfc3164;
mod rfc5424;
mod structured_data;

use crate::civil::Zone;
use crate::quoted::{Strictness, read_number, skip};
use crate::row::{Expected, Part, Row, RowParser, Value, names};

const COLUMNS: [&str; 12] = [
    "facility",
    "facility_code",
    "severity",
    "severity_code",
    "version",
    "timestamp",
    "hostname",
    "appname",
    "procid",
    "msgid",
    "structured_data",
    "message",
];
const VERSION: u32 = 4;
const TIMESTAMP: u32 = 5;
const HOSTNAME: u32 = 6;
const APPNAME: u32 = 7;
const PROCID: u32 = 8;
const MSGID: u32 = 9;
const STRUCTURED_DATA: u32 = 10;
const MESSAGE: u32 = 11;

/// The facilities by their code, then the severities by theirs.
const WORDS: [&str; 32] = [
    "kern",
    "user",
    "mail",
    "daemon",
    "auth",
    "syslog",
    "lpr",
    "news",
    "uucp",
    "cron",
    "authpriv",
    "ftp",
    "ntp",
    "security",
    "console",
    "solaris-cron",
    "local0",
    "local1",
    "local2",
    "local3",
    "local4",
    "local5",
    "local6",
    "local7",
    "emerg",
    "alert",
    "crit",
    "err",
    "warning",
    "notice",
    "info",
    "debug",
];
const FACILITIES: usize = 24;

/// Names of the facilities by their code (RFC 5424, section 6.2.1, by the names that syslog daemons use).
pub const FACILITY_NAMES: &[&str] = WORDS.split_at(FACILITIES).0;
/// Names of the severities by their code, in the same way.
pub const SEVERITY_NAMES: &[&str] = WORDS.split_at(FACILITIES).1;
/// Bytes of the room of one word.
const WORD_BYTES: usize = 16;

static WORD_TABLE: [[u8; WORD_BYTES]; WORDS.len()] = word_table();

const fn word_table() -> [[u8; WORD_BYTES]; WORDS.len()] {
    let mut table = [[b' '; WORD_BYTES]; WORDS.len()];
    let mut word = 0;
    while word < WORDS.len() {
        let bytes = WORDS[word].as_bytes();
        let mut at = 0;
        while at < bytes.len() {
            table[word][at] = bytes[at];
            at += 1;
        }
        word += 1;
    }
    table
}

fn word(index: usize) -> Value {
    let start = index * WORD_BYTES;
    Value::Text(Part::word(start, start + WORDS[index].len()))
}

/// The parser of syslog.
#[derive(Debug)]
pub struct Syslog {
    strictness: Strictness,
    zone: Zone,
    columns: Vec<String>,
}

impl Syslog {
    /// A strict parser takes RFC 5424 to the letter and nothing else. A lenient one also takes RFC 3164 and what
    /// is usual; `zone` is that of times that name none.
    #[must_use]
    pub fn new(strictness: Strictness, zone: Zone) -> Self {
        Self { strictness, zone, columns: names(&COLUMNS) }
    }
}

/// Reads `<34>`; gives the position behind it.
fn read_priority(text: &[u8], at: usize, row: &mut Row) -> Result<usize, Expected> {
    let wrong = Expected::new("a priority from `<0>` to `<191>`", at);
    if text.get(at) != Some(&b'<') {
        return Err(wrong);
    }
    let (priority, end) = read_number(text, at + 1, 1, 3).ok_or(wrong)?;
    if priority > 191 || text.get(end) != Some(&b'>') {
        return Err(wrong);
    }
    let (facility, severity) = (priority / 8, priority % 8);
    row.push(0, word(facility as usize));
    row.push(1, Value::Int(facility));
    row.push(2, word(FACILITIES + severity as usize));
    row.push(3, Value::Int(severity));
    Ok(end + 1)
}

/// Adds a text, unless it is nothing or the `-` that stands for nothing.
fn push(row: &mut Row, column: u32, text: &[u8], start: usize, end: usize) {
    if !matches!(&text[start..end], b"" | b"-") {
        row.push_text(column, start, end);
    }
}

impl RowParser for Syslog {
    fn columns(&self) -> &[String] {
        &self.columns
    }

    fn words(&self) -> &'static [u8] {
        WORD_TABLE.as_flattened()
    }

    fn parse(&mut self, text: &[u8], row: &mut Row) -> Result<(), Expected> {
        if self.strictness == Strictness::Strict {
            let at = read_priority(text, 0, row)?;
            if let Err(error) = simdutf8::compat::from_utf8(text) {
                return Err(Expected::new("UTF-8", error.valid_up_to()));
            }
            return rfc5424::parse(text, at, Strictness::Strict, &self.zone, row);
        }
        let start = skip_length(text);
        let text = &text[..text.trim_ascii_end().len().max(start)];
        let Ok(at) = read_priority(text, start, row) else {
            return rfc3164::parse(text, start, rfc3164::Priority::Absent, &self.zone, row);
        };
        let of_priority = row.values.len();
        if rfc5424::is_likely(text, at)
            && rfc5424::parse(text, at, Strictness::Lenient, &self.zone, row).is_ok()
        {
            return Ok(());
        }
        row.values.truncate(of_priority);
        row.written.clear();
        row.timestamp_ns = None;
        rfc3164::parse(text, at, rfc3164::Priority::Given, &self.zone, row)
    }
}

/// Position behind spaces and the length that a message has in a stream (RFC 6587), if it was left there.
fn skip_length(text: &[u8]) -> usize {
    let at = skip(text, 0, b' ');
    match read_number(text, at, 1, 9) {
        Some((_, end)) if text[end..].starts_with(b" <") => end + 1,
        _ => at,
    }
}

#[cfg(test)]
mod tests;
