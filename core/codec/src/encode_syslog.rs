//! Events as syslog messages after RFC 5424: <https://www.rfc-editor.org/rfc/rfc5424>, one a line.
//!
//! The fields that the parser of syslog gives go where they came from; all others become parameters of one
//! structured-data element. Control characters are written as `#` and three octal digits, as rsyslog does.

use lograil_event::json_text;
use lograil_event::{Batch, EventRecord, Field, Key, TIMESTAMP_UNKNOWN, Tag, ValueRef};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::encoding::EncodingError;
use crate::syslog::FACILITY_NAMES;
use crate::text::{TIMESTAMP, has, write_value};
use crate::time;

/// What a syslog message says where the event has no field for it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct SyslogOptions {
    /// The facility of events without a field `facility`: a name such as `local0`, or its code.
    pub facility: String,
    /// The application of events without a field `appname`.
    pub appname: Option<String>,
    /// The id of the structured-data element for fields that have no other place.
    pub fields_id: String,
}

impl Default for SyslogOptions {
    fn default() -> Self {
        // 32473 is the number that RFC 5612 keeps for examples; sites with a number of their own set it.
        let fields_id = "fields@32473".to_owned();
        Self { facility: "user".to_owned(), appname: None, fields_id }
    }
}

/// Names of severities and of the levels that mean them.
const SEVERITIES: [&[&str]; 8] = [
    &["emerg", "emergency", "panic"],
    &["alert"],
    &["crit", "critical", "fatal"],
    &["err", "error", "severe"],
    &["warning", "warn"],
    &["notice"],
    &["info", "informational", "information"],
    &["debug", "trace", "verbose", "fine"],
];
const INFORMATIONAL: u8 = 6;

/// The parts of a message that fields are looked up for, the first name that is there counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    Facility,
    Severity,
    Timestamp,
    Hostname,
    Appname,
    Procid,
    Msgid,
    StructuredData,
    Message,
    /// Said by other parts already.
    Nothing,
}

const NAMES: [(&str, Part); 18] = [
    ("facility", Part::Facility),
    ("facility_code", Part::Facility),
    ("severity", Part::Severity),
    ("severity_code", Part::Severity),
    ("level", Part::Severity),
    (TIMESTAMP, Part::Timestamp),
    ("hostname", Part::Hostname),
    ("host", Part::Hostname),
    ("appname", Part::Appname),
    ("app_name", Part::Appname),
    ("service", Part::Appname),
    ("procid", Part::Procid),
    ("pid", Part::Procid),
    ("msgid", Part::Msgid),
    ("structured_data", Part::StructuredData),
    ("message", Part::Message),
    ("msg", Part::Message),
    ("version", Part::Nothing),
];

/// Writes events as syslog messages.
#[derive(Debug)]
pub(crate) struct SyslogEncoder {
    facility: u8,
    appname: Vec<u8>,
    fields_id: Vec<u8>,
    /// For each key of the batch at hand its place in [`NAMES`], or [`ELSEWHERE`].
    names: Vec<u8>,
    value: Vec<u8>,
    scratch: Vec<u8>,
}

impl SyslogEncoder {
    /// An encoder, or what is wrong with its options.
    pub(crate) fn new(options: &SyslogOptions) -> Result<Self, EncodingError> {
        let mistake = |option: &str, message: &str| EncodingError {
            option: vec!["syslog".to_owned(), option.to_owned()],
            message: message.to_owned(),
            within: None,
        };
        let facility = code(ValueRef::str(&options.facility), FACILITY_NAMES.len(), facility_named);
        let Some(facility) = facility else {
            let text = format!(
                "`{}` is not a facility; they are {}",
                options.facility,
                FACILITY_NAMES.join(", ")
            );
            return Err(mistake("facility", &text));
        };
        let id = options.fields_id.as_bytes();
        if id.is_empty() || id.len() > 32 || !id.iter().all(|byte| is_name(*byte)) {
            let text = "an id has 1 to 32 printable ASCII characters, none of them `=`, `]`, `\"` or a space";
            return Err(mistake("fields_id", text));
        }
        Ok(Self {
            facility,
            appname: options.appname.clone().unwrap_or_default().into_bytes(),
            fields_id: id.to_vec(),
            names: Vec::new(),
            value: Vec::new(),
            scratch: Vec::new(),
        })
    }

    /// Looks up the keys of the batch whose events are encoded next.
    pub(crate) fn prepare(&mut self, batch: &Batch) {
        let place = |name: &str| NAMES.iter().position(|(known, _)| *known == name);
        let place = |name: &str| place(name).map_or(ELSEWHERE, |at| at as u8);
        self.names.clear();
        self.names.extend(batch.keys().names().map(place));
    }

    /// Appends one event of the batch that was prepared, without a newline.
    pub(crate) fn encode_event(&mut self, batch: &Batch, record: &EventRecord, out: &mut Vec<u8>) {
        let fields = &batch.fields()[record.first as usize..][..record.count as usize];
        let mut event = Event { batch, named: [None; NAMES.len()], used: REDUNDANT };
        for field in fields {
            let name = self.names.get(field.key as usize).copied().unwrap_or(ELSEWHERE);
            if let Some(named) = event.named.get_mut(usize::from(name)) {
                *named = Some(field);
            }
        }
        let facility =
            event.take(Part::Facility, |value| code(value, FACILITY_NAMES.len(), facility_named));
        let severity =
            event.take(Part::Severity, |value| code(value, SEVERITIES.len(), severity_named));
        let facility = facility.unwrap_or(self.facility);
        out.push(b'<');
        let priority = facility * 8 + severity.unwrap_or(INFORMATIONAL);
        write_value(ValueRef::I64(i64::from(priority)), out);
        out.extend_from_slice(b">1 ");
        let known = Some(record.timestamp_ns).filter(|ns| *ns != TIMESTAMP_UNKNOWN);
        match event.take(Part::Timestamp, timestamp).or(known) {
            Some(ns) => write_time(ns, out),
            None => out.push(b'-'),
        }
        for (part, bytes_max) in HEADER {
            self.value.clear();
            match event.take(part, Some) {
                Some(value) => write_value(value, &mut self.value),
                None if part == Part::Appname => self.value.extend_from_slice(&self.appname),
                None => {}
            }
            out.push(b' ');
            write_header_value(&self.value, bytes_max, out);
        }
        out.push(b' ');
        let structured = event.take(Part::StructuredData, elements_only);
        let message = event.take(Part::Message, Some);
        let start = out.len();
        if let Some(text) = structured {
            self.write_elements(text, out);
        }
        let Event { used, .. } = event;
        self.write_other_fields(batch, fields, used, out);
        if out.len() == start {
            out.push(b'-');
        }
        if let Some(value) = message {
            self.value.clear();
            write_value(value, &mut self.value);
            if !self.value.is_empty() {
                out.push(b' ');
                write_without_controls(&self.value, out);
            }
        }
    }

    /// Appends the elements of `{"id":{"name":"value"}}`.
    fn write_elements(&mut self, text: &[u8], out: &mut Vec<u8>) {
        for (id, parameters) in json_text::members(text) {
            out.push(b'[');
            write_name(id.decode().as_bytes(), out);
            for (name, value) in json_text::members(parameters.text()) {
                out.push(b' ');
                write_name(name.decode().as_bytes(), out);
                self.write_parameter_value(value.value(&mut Vec::new()), out);
            }
            out.push(b']');
        }
    }

    /// Appends an element with the fields that have no other place.
    fn write_other_fields(
        &mut self,
        batch: &Batch,
        fields: &[Field],
        used: u32,
        out: &mut Vec<u8>,
    ) {
        let mut is_first = true;
        for field in fields {
            let name = self.names.get(field.key as usize).copied().unwrap_or(ELSEWHERE);
            if name != ELSEWHERE && used & (1 << name) != 0 {
                continue;
            }
            if is_first {
                out.push(b'[');
                out.extend_from_slice(&self.fields_id);
                is_first = false;
            }
            out.push(b' ');
            write_name(batch.keys().name(Key(field.key)).as_bytes(), out);
            self.write_parameter_value(batch.value(field), out);
        }
        if !is_first {
            out.push(b']');
        }
    }

    /// Appends `="value"`.
    fn write_parameter_value(&mut self, value: ValueRef<'_>, out: &mut Vec<u8>) {
        self.value.clear();
        write_value(value, &mut self.value);
        out.extend_from_slice(b"=\"");
        let is_special = |byte: u8| byte.is_ascii_control() || matches!(byte, b'"' | b'\\' | b']');
        if !has(&self.value, is_special) {
            out.extend_from_slice(&self.value);
            out.push(b'"');
            return;
        }
        self.scratch.clear();
        write_without_controls(&self.value, &mut self.scratch);
        for byte in &self.scratch {
            if matches!(byte, b'"' | b'\\' | b']') {
                out.push(b'\\');
            }
            out.push(*byte);
        }
        out.push(b'"');
    }
}

/// The place of a name that is none of [`NAMES`].
const ELSEWHERE: u8 = u8::MAX;

/// The parts between the time and the structured data, and the bytes they may have.
const HEADER: [(Part, usize); 4] =
    [(Part::Hostname, 255), (Part::Appname, 48), (Part::Procid, 128), (Part::Msgid, 32)];

/// The names that say again what others say: `facility_code`, `severity_code` and `version`.
const REDUNDANT: u32 = 1 << 1 | 1 << 3 | 1 << 17;

/// An event whose fields are taken one after the other.
struct Event<'a> {
    batch: &'a Batch,
    /// The fields that [`NAMES`] name.
    named: [Option<&'a Field>; NAMES.len()],
    /// Which of [`NAMES`] were taken, as bits.
    used: u32,
}

impl<'a> Event<'a> {
    /// Takes the first field for a part whose value fits.
    fn take<T>(&mut self, part: Part, fit: impl Fn(ValueRef<'a>) -> Option<T>) -> Option<T> {
        for (at, _) in NAMES.iter().enumerate().filter(|(_, (_, of))| *of == part) {
            let found = self.named[at].map(|field| self.batch.value(field));
            if let Some(value) = found.filter(|value| *value != ValueRef::Null).and_then(&fit) {
                self.used |= 1 << at;
                return Some(value);
            }
        }
        None
    }
}

/// A code below `end`, as a number or by its name.
fn code(value: ValueRef<'_>, end: usize, named: fn(&[u8]) -> Option<usize>) -> Option<u8> {
    let code = match value {
        ValueRef::Str { text, .. } => named(text)
            .or_else(|| std::str::from_utf8(text).ok()?.parse().ok())
            .and_then(|code| i64::try_from(code).ok()),
        other => other.as_i64(),
    };
    code.and_then(|code| u8::try_from(code).ok()).filter(|code| usize::from(*code) < end)
}

fn facility_named(name: &[u8]) -> Option<usize> {
    FACILITY_NAMES.iter().position(|facility| name.eq_ignore_ascii_case(facility.as_bytes()))
}

fn severity_named(name: &[u8]) -> Option<usize> {
    let is_one =
        |names: &&[&str]| names.iter().any(|known| name.eq_ignore_ascii_case(known.as_bytes()));
    SEVERITIES.iter().position(is_one)
}

fn timestamp(value: ValueRef<'_>) -> Option<i64> {
    match value {
        ValueRef::Timestamp(ns) => Some(ns),
        ValueRef::Str { text, .. } => time::parse_rfc3339(text),
        _ => None,
    }
}

/// The text of an object that has elements with parameters and nothing else.
fn elements_only(value: ValueRef<'_>) -> Option<&[u8]> {
    let ValueRef::Object(text) = value else { return None };
    let is_element = |value: json_text::JsonValue<'_>| value.tag() == Tag::Object;
    json_text::members(text).all(|(_, value)| is_element(value)).then_some(text)
}

/// Appends a time in UTC with at most the six digits of a second that the RFC allows.
fn write_time(ns: i64, out: &mut Vec<u8>) {
    time::write_rfc3339(ns - ns.rem_euclid(1_000), out);
}

/// Appends a value of the header: printable ASCII without spaces, `-` for nothing.
fn write_header_value(value: &[u8], bytes_max: usize, out: &mut Vec<u8>) {
    if value.is_empty() {
        out.push(b'-');
    }
    let is_printable = |byte: u8| byte.is_ascii_graphic();
    if value.len() <= bytes_max && !has(value, |byte| !is_printable(byte)) {
        out.extend_from_slice(value);
        return;
    }
    out.extend(
        value.iter().take(bytes_max).map(|byte| if is_printable(*byte) { *byte } else { b'_' }),
    );
}

/// Appends the name of an element or parameter: at most 32 characters, those that end a name as `_`.
fn write_name(name: &[u8], out: &mut Vec<u8>) {
    if name.is_empty() {
        out.push(b'_');
    }
    if name.len() <= 32 && !has(name, |byte| !is_name(byte)) {
        out.extend_from_slice(name);
        return;
    }
    out.extend(name.iter().take(32).map(|byte| if is_name(*byte) { *byte } else { b'_' }));
}

const fn is_name(byte: u8) -> bool {
    byte.is_ascii_graphic() && !matches!(byte, b'=' | b']' | b'"')
}

/// Appends text, each control character as `#` and its three octal digits.
fn write_without_controls(text: &[u8], out: &mut Vec<u8>) {
    if !has(text, |byte| byte.is_ascii_control()) {
        out.extend_from_slice(text);
        return;
    }
    for byte in text {
        if byte.is_ascii_control() && *byte != b'\t' {
            let digit = |shift: u32| b'0' + ((byte >> shift) & 7);
            out.extend_from_slice(&[b'#', digit(6), digit(3), digit(0)]);
        } else {
            out.push(*byte);
        }
    }
}
