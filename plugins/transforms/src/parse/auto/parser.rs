//! The format of a line by what it looks like, and the line as a row.

use lograil_codec::access_log::{AccessLog, AccessLogKind};
use lograil_codec::cef::Cef;
use lograil_codec::glog::Glog;
use lograil_codec::logfmt::Logfmt;
use lograil_codec::row::{Expected, Name, Part, Row, RowParser, Value};
use lograil_codec::syslog::Syslog;
use lograil_codec::timestamp::{RecentMinute, Reference, Timestamp};
use lograil_codec::{Strictness, Zone};

use super::cef;
use super::header::{Header, Range, Scanner, Style};
use super::remainder;
use super::streams::Streams;
use super::words::{self, FormatWord};
use crate::level::Level;

/// Bytes in which the time of an access log must begin.
const ACCESS_TIME_MAX: usize = 160;
/// Most bytes of the first key of logfmt.
const KEY_LEN_MAX: usize = 40;

const COLUMNS: [&str; 14] = [
    "timestamp",
    "level",
    "level_original",
    "host",
    "component",
    "pid",
    "thread",
    "location",
    "context",
    "facility",
    "msgid",
    "structured_data",
    "message",
    "rest",
];
const TIMESTAMP: u32 = 0;
pub(super) const LEVEL: u32 = 1;
pub(super) const LEVEL_ORIGINAL: u32 = 2;
const HOST: u32 = 3;
pub(super) const COMPONENT: u32 = 4;
const PID: u32 = 5;
const THREAD: u32 = 6;
const LOCATION: u32 = 7;
const CONTEXT: u32 = 8;
const FACILITY: u32 = 9;
const MSGID: u32 = 10;
const STRUCTURED_DATA: u32 = 11;
pub(super) const MESSAGE: u32 = 12;
pub(super) const REST: u32 = 13;

/// The parser of lines of any format but JSON.
pub(super) struct AutoParser {
    /// Those of this module, the name of the format, those of access logs, and those of CEF.
    pub(super) columns: Vec<String>,
    pub(super) format_column: u32,
    access_columns: u32,
    pub(super) cef_columns: u32,
    has_format: bool,
    access: AccessLog,
    logfmt: Logfmt,
    glog: Glog,
    pub(super) cef: Cef,
    syslog: Syslog,
    /// By column of syslog, the column here.
    syslog_roles: Vec<Option<u32>>,
    pub(super) zone: Zone,
    streams: Streams,
    /// That of the last pair which was a time.
    minute: RecentMinute,
    /// Whose header the present line has.
    style: FormatWord,
}

impl AutoParser {
    /// A parser; the name of the format goes into `format_field`, unless that is empty.
    pub(super) fn new(zone: Zone, format_field: &str) -> Self {
        let access = AccessLog::new(AccessLogKind::Combined, Strictness::Lenient);
        let mut columns: Vec<String> = COLUMNS.iter().map(|name| (*name).to_owned()).collect();
        let format_column = columns.len() as u32;
        columns.push(format_field.to_owned());
        let access_columns = columns.len() as u32;
        columns.extend(access.columns().iter().cloned());
        let cef = Cef::default();
        let cef_columns = columns.len() as u32;
        columns.extend(cef.columns().iter().cloned());
        columns[(cef_columns + cef::SEVERITY) as usize] = "cefSeverity".to_owned();
        let syslog = Syslog::new(Strictness::Lenient, zone.clone());
        let syslog_roles = syslog.columns().iter().map(|name| syslog_role(name)).collect();
        Self {
            columns,
            format_column,
            access_columns,
            cef_columns,
            has_format: !format_field.is_empty(),
            access,
            logfmt: Logfmt::new(Strictness::Lenient),
            glog: Glog::new(zone.clone()),
            cef,
            syslog,
            syslog_roles,
            zone,
            streams: Streams::default(),
            minute: RecentMinute::default(),
            style: FormatWord::Application,
        }
    }

    /// The format of a line that is not of its stream's last one.
    #[cold]
    fn find(&mut self, text: &[u8], row: &mut Row) -> FormatWord {
        let formats = [
            FormatWord::Cef,
            FormatWord::Syslog,
            FormatWord::Logfmt,
            FormatWord::Access,
            FormatWord::Glog,
            FormatWord::Application,
        ];
        let found = formats.into_iter().find(|format| self.read(*format, text, row));
        found.unwrap_or(FormatWord::Text)
    }

    /// Reads the line as the format; `false` if it is not of it.
    #[inline]
    fn read(&mut self, format: FormatWord, text: &[u8], row: &mut Row) -> bool {
        let is_read = match format {
            FormatWord::Logfmt => looks_like_logfmt(text) && self.read_logfmt(text, row),
            FormatWord::Access => looks_like_access(text) && self.read_access(text, row),
            FormatWord::Cef => self.read_event(text, 0, row),
            FormatWord::Syslog => looks_like_syslog(text) && self.read_syslog(text, row),
            FormatWord::Glog => looks_like_glog(text) && self.read_glog(text, row),
            FormatWord::Application => self.read_header(text, row),
            FormatWord::Text | FormatWord::Json => false,
        };
        if !is_read {
            row.clear();
        }
        is_read
    }

    /// The header of an application's line.
    fn read_header(&mut self, text: &[u8], row: &mut Row) -> bool {
        let reference = Reference { now_ns: row.now_ns, offset_seconds: 0 };
        let Some(mut header) = Scanner::scan(text, &reference) else { return false };
        if let Some((_, time)) = &mut header.time {
            time.ns = instant(time, &self.zone);
        }
        self.style = match header.style {
            Style::Application => FormatWord::Application,
            Style::Syslog => FormatWord::Syslog,
            Style::Glog => FormatWord::Glog,
        };
        push_header(&header, text, row);
        if self.style == FormatWord::Syslog && self.read_event_of_message(text, row) {
            self.style = FormatWord::Cef;
        }
        true
    }

    fn read_logfmt(&mut self, text: &[u8], row: &mut Row) -> bool {
        if self.logfmt.parse(text, row).is_err() {
            return false;
        }
        let is_usual = self.streams.last() == FormatWord::Logfmt;
        // More than half of the words must be pairs.
        let enough = (row.values.len() / 2 + 1).max(if is_usual { 1 } else { 2 });
        let mut pairs = row.values.iter().filter(|(_, value)| !matches!(value, Value::Null));
        if pairs.nth(enough - 1).is_none() {
            return false;
        }
        self.promote(text, row);
        true
    }

    /// Makes the level and the time of pairs those of the event.
    fn promote(&mut self, text: &[u8], row: &mut Row) {
        let reference = Reference { now_ns: row.now_ns, offset_seconds: 0 };
        let (mut level, mut time) = (None, None);
        for (name, value) in &row.values {
            let (Name::Text(name), Value::Text(value)) = (name, value) else { continue };
            let name = row.bytes(*name, text, b"");
            if level.is_none() && words::is_level_key(name) {
                level = Level::of_word(row.bytes(*value, text, b"")).map(|found| (found, *value));
            } else if time.is_none() && words::is_time_key(name) {
                time = self.minute.parse_prefix(row.bytes(*value, text, b""), &reference);
            }
            if level.is_some() && time.is_some() {
                break;
            }
        }
        if let Some(time) = time {
            row.timestamp_ns = Some(instant(&time, &self.zone));
        }
        if let Some((level, original)) = level {
            let is_other = !level.is_called(row.bytes(original, text, b""));
            row.push(LEVEL, Value::Text(words::of_level(level)));
            if is_other {
                row.push(LEVEL_ORIGINAL, Value::Text(original));
            }
        }
    }

    fn read_access(&mut self, text: &[u8], row: &mut Row) -> bool {
        if self.access.parse(text, row).is_err() {
            return false;
        }
        let mut level = None;
        for (name, value) in &mut row.values {
            let Name::Column(column) = name else { continue };
            let is_status =
                self.access.columns().get(*column as usize).is_some_and(|name| name == "status");
            if let (true, Value::Number(part)) = (is_status, *value) {
                let status = text.get(part.start as usize..(part.start + part.len) as usize);
                level = status.and_then(Level::of_status);
            }
            *column += self.access_columns;
        }
        if let Some(level) = level {
            row.push(LEVEL, Value::Text(words::of_level(level)));
        }
        true
    }

    fn read_glog(&mut self, text: &[u8], row: &mut Row) -> bool {
        let level = Level::of_letter(text[0]);
        if self.glog.parse(text, row).is_err() {
            return false;
        }
        // Level, time, id, file, line and message.
        let [_, (_, time), (_, id), (_, Value::Text(file)), _, (_, message)] = row.values[..]
        else {
            return false;
        };
        // The file and the line, up to the bracket.
        let start = file.start as usize;
        let len = memchr::memchr(b']', &text[start..]).unwrap_or(file.len as usize);
        row.values.clear();
        row.values.extend([
            (Name::Column(LEVEL_ORIGINAL), Value::Text(Part::source(0, 1))),
            (Name::Column(TIMESTAMP), time),
            (Name::Column(PID), id),
            (Name::Column(LOCATION), Value::Text(Part::source(start, start + len))),
            (Name::Column(MESSAGE), message),
        ]);
        if let Some(level) = level {
            row.push(LEVEL, Value::Text(words::of_level(level)));
        }
        true
    }

    fn read_syslog(&mut self, text: &[u8], row: &mut Row) -> bool {
        if self.syslog.parse(text, row).is_err() {
            return false;
        }
        let mut kept = 0;
        for index in 0..row.values.len() {
            let (Name::Column(column), mut value) = row.values[index] else { continue };
            let Some(role) = self.syslog_roles.get(column as usize).copied().flatten() else {
                continue;
            };
            match (role, value) {
                (FACILITY, Value::Int(code)) => match words::of_facility(code) {
                    Some(word) => value = Value::Text(word),
                    None => continue,
                },
                (LEVEL, Value::Int(code)) => {
                    let level = Level::of_severity(u8::try_from(code).unwrap_or(u8::MAX));
                    value = Value::Text(words::of_level(level));
                }
                (PID, Value::Text(part)) => {
                    value = number_or_text(row.bytes(part, text, b""), part)
                }
                _ => {}
            }
            row.values[kept] = (Name::Column(role), value);
            kept += 1;
        }
        row.values.truncate(kept);
        let is_event = self.read_event_of_message(text, row);
        self.style = if is_event { FormatWord::Cef } else { FormatWord::Syslog };
        true
    }
}

impl RowParser for AutoParser {
    fn columns(&self) -> &[String] {
        &self.columns
    }

    fn words(&self) -> &'static [u8] {
        words::WORDS.as_bytes()
    }

    fn parse(&mut self, text: &[u8], row: &mut Row) -> Result<(), Expected> {
        let last = self.streams.select(row.stream);
        let mut format = last;
        // A header is the most lenient of formats: it is looked for where no other is.
        if last == FormatWord::Application || !self.read(last, text, row) {
            format = self.find(text, row);
        }
        if format == FormatWord::Text {
            let end = text.len();
            row.push_text(MESSAGE, 0, end);
        } else {
            self.streams.set_last(format);
        }
        if matches!(format, FormatWord::Application | FormatWord::Syslog) {
            format = self.style;
        }
        if self.has_format {
            row.push(self.format_column, Value::Text(words::of_format(format)));
        }
        Ok(())
    }
}

/// What a column of syslog is here.
fn syslog_role(name: &str) -> Option<u32> {
    Some(match name {
        "facility_code" => FACILITY,
        "severity_code" => LEVEL,
        "timestamp" => TIMESTAMP,
        "hostname" => HOST,
        "appname" => COMPONENT,
        "procid" => PID,
        "msgid" => MSGID,
        "structured_data" => STRUCTURED_DATA,
        "message" => MESSAGE,
        _ => return None,
    })
}

fn looks_like_glog(text: &[u8]) -> bool {
    matches!(
        text,
        [b'I' | b'W' | b'E' | b'F', b'0'..=b'1', b'0'..=b'9', b'0'..=b'3', b'0'..=b'9', b' ', ..]
    )
}

fn looks_like_syslog(text: &[u8]) -> bool {
    matches!(text, [b'<', b'0'..=b'9', ..])
}

/// Whether the first word is a key, `=` and the beginning of a value.
fn looks_like_logfmt(text: &[u8]) -> bool {
    let is_key =
        |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'-' | b'@' | b'/');
    let len = text.iter().take(KEY_LEN_MAX).take_while(|byte| is_key(**byte)).count();
    len > 0 && text.get(len) == Some(&b'=') && text.get(len + 1) != Some(&b'=')
}

/// Whether there is a time as access logs write it, with a user before it and a request behind.
fn looks_like_access(text: &[u8]) -> bool {
    let head = &text[..text.len().min(ACCESS_TIME_MAX)];
    if !head.first().is_some_and(|byte| byte.is_ascii_alphanumeric() || *byte == b':') {
        return false;
    }
    let Some(at) = memchr::memchr(b'[', head) else { return false };
    let is_time = |at: usize| {
        head[at - 1] == b' '
            && matches!(head[at + 1..], [b'0'..=b'3', b'0'..=b'9', b'/', _, _, _, b'/', ..])
    };
    // A bracket in the name of the user may come first.
    is_time(at) || memchr::memchr_iter(b'[', &head[at..]).skip(1).any(|next| is_time(at + next))
}

fn push_header(header: &Header, text: &[u8], row: &mut Row) {
    if let Some((range, time)) = header.time {
        row.timestamp_ns = Some(time.ns);
        row.push_text(TIMESTAMP, range.start, range.end);
    }
    if let Some((range, level)) = header.level {
        row.push(LEVEL, Value::Text(words::of_level(level)));
        if !level.is_called(range.of(text)) {
            row.push_text(LEVEL_ORIGINAL, range.start, range.end);
        }
    }
    let parts = [
        (HOST, header.host),
        (COMPONENT, header.component),
        (LOCATION, header.location),
        (CONTEXT, header.context),
    ];
    for (column, range) in parts {
        if let Some(Range { start, end }) = range {
            row.push_text(column, start, end);
        }
    }
    for (column, range) in [(PID, header.pid), (THREAD, header.thread)] {
        if let Some(range) = range {
            row.push(column, number_or_text(range.of(text), Part::source(range.start, range.end)));
        }
    }
    if let Some(Range { start, end }) = header.message {
        row.push_text(MESSAGE, start, end);
    }
    if let Some(Range { start, end }) = remainder::find(text, header) {
        row.push_text(REST, start, end);
    }
}

/// A number if JSON would write it so.
pub(super) fn number_or_text(text: &[u8], part: Part) -> Value {
    let is_number = !text.is_empty() && text.len() <= 18 && text.iter().all(u8::is_ascii_digit);
    let has_zero = text.len() > 1 && text[0] == b'0';
    if is_number && !has_zero { Value::Number(part) } else { Value::Text(part) }
}

/// The instant of a time, which is the zone's where it does not say its own.
pub(super) fn instant(time: &Timestamp, zone: &Zone) -> i64 {
    if time.has_offset { time.ns } else { zone.instant_of_local(time.ns).unwrap_or(time.ns) }
}
