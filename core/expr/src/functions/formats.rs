//! Functions that read a line of a log format, by the parsers of `core/codec`.

use std::cell::RefCell;

use bumpalo::collections::Vec as BumpVec;
use lograil_codec::access_log::{AccessLog, AccessLogKind};
use lograil_codec::cef::Cef;
use lograil_codec::glog::Glog;
use lograil_codec::row::{Name, Place, Row, RowParser, Value as RowValue};
use lograil_codec::syslog::Syslog;
use lograil_codec::{Strictness, Zone};

use super::object::unique_members;
use super::{Arguments, Function, Inside, fails, gives, required};
use crate::error::EvalError;
use crate::json;
use crate::kind::Kind;
use crate::value::{Member, Value};

pub(super) const FUNCTIONS: &[Function] = &[
    Function::new(
        "parse_syslog",
        &[required("value", Kind::STRING)],
        Kind::OBJECT,
        "A syslog message, RFC 5424 or RFC 3164. Structured data becomes an object by its name. A time without a \
         zone is in UTC, one without a year is the one that is closest to now.",
        &[
            gives(
                "parse_syslog!(.a)",
                r#"{"a":"<13>1 2026-01-31T10:00:00Z web app 42 ID7 [req@1 id=\"x\"] done"}"#,
                r#"{"facility":"user","severity":"notice","version":1,"timestamp":"2026-01-31T10:00:00Z","hostname":"web","appname":"app","procid":42,"msgid":"ID7","req@1":{"id":"x"},"message":"done"}"#,
            ),
            gives("parse_syslog!(.a).appname", r#"{"a":"<34>Jan 31 10:00:00 web su: failed"}"#, r#""su""#),
            fails("parse_syslog!(.a)", r#"{"a":""}"#, "`parse_syslog`: the text is not syslog"),
        ],
        |arguments| read(arguments, Format::Syslog, "the text is not syslog", SYSLOG),
    )
    .fallible()
    .inside(Inside::Members(&[("message", Kind::STRING)])),
    Function::new(
        "parse_linux_authorization",
        &[required("value", Kind::STRING)],
        Kind::OBJECT,
        "A line of `/var/log/auth.log` or `/var/log/secure`: syslog without a priority.",
        &[gives(
            "parse_linux_authorization!(.a)",
            r#"{"a":"Jan 31 10:00:00 web sshd[1111]: Accepted publickey for eng"}"#,
            r#"{"timestamp":"2026-01-31T10:00:00Z","hostname":"web","appname":"sshd","procid":1111,"message":"Accepted publickey for eng"}"#,
        )],
        |arguments| read(arguments, Format::Syslog, "the text is not a line of such a file", SYSLOG),
    )
    .fallible()
    .inside(Inside::Members(&[("message", Kind::STRING)])),
    Function::new(
        "parse_common_log",
        &[required("value", Kind::STRING)],
        Kind::OBJECT,
        "A line of an access log in the common log format. What is `-` in it is left out.",
        &[gives(
            "parse_common_log!(.a)",
            r#"{"a":"192.0.2.1 - ann [31/Jan/2026:10:00:00 +0000] \"GET /p HTTP/1.1\" 200 12"}"#,
            r#"{"host":"192.0.2.1","user":"ann","timestamp":"2026-01-31T10:00:00Z","message":"GET /p HTTP/1.1","method":"GET","path":"/p","protocol":"HTTP/1.1","status":200,"size":12}"#,
        )],
        |arguments| read(arguments, Format::Common, NOT_ACCESS, APACHE),
    )
    .fallible(),
    Function::new(
        "parse_apache_log",
        &[required("value", Kind::STRING), required("format", Kind::STRING)],
        Kind::OBJECT,
        "A line of an access log of Apache; the format is `common` or `combined`.",
        &[
            gives(
                "parse_apache_log!(.a, \"combined\")",
                r#"{"a":"192.0.2.1 - - [31/Jan/2026:10:00:00 +0000] \"GET / HTTP/2.0\" 404 - \"http://a/\" \"curl\""}"#,
                r#"{"host":"192.0.2.1","timestamp":"2026-01-31T10:00:00Z","message":"GET / HTTP/2.0","method":"GET","path":"/","protocol":"HTTP/2.0","status":404,"referrer":"http://a/","agent":"curl"}"#,
            ),
            fails(
                "parse_apache_log!(.a, \"error\")",
                r#"{"a":""}"#,
                "`parse_apache_log`: the format is `common` or `combined`",
            ),
        ],
        |arguments| {
            let format = match arguments.string(1)? {
                b"common" => Format::Common,
                b"combined" => Format::Combined,
                _ => return Err(arguments.error("the format is `common` or `combined`")),
            };
            read(arguments, format, NOT_ACCESS, APACHE)
        },
    )
    .fallible(),
    Function::new(
        "parse_nginx_log",
        &[required("value", Kind::STRING), required("format", Kind::STRING)],
        Kind::OBJECT,
        "A line of an access log of nginx; the format is `combined`.",
        &[gives(
            "parse_nginx_log!(.a, \"combined\")",
            r#"{"a":"192.0.2.1 - ann [31/Jan/2026:10:00:00 +0000] \"GET / HTTP/1.1\" 200 12 \"-\" \"curl\""}"#,
            r#"{"client":"192.0.2.1","user":"ann","timestamp":"2026-01-31T10:00:00Z","request":"GET / HTTP/1.1","status":200,"size":12,"agent":"curl"}"#,
        )],
        |arguments| match arguments.string(1)? {
            b"combined" => read(arguments, Format::Combined, NOT_ACCESS, NGINX),
            _ => Err(arguments.error("the format is `combined`")),
        },
    )
    .fallible(),
    Function::new(
        "parse_glog",
        &[required("value", Kind::STRING)],
        Kind::OBJECT,
        "A line of Google's logging libraries. The time is in UTC.",
        &[gives(
            "parse_glog!(.a)",
            r#"{"a":"I20260131 10:00:00.500000 15520 main.c:9] hello"}"#,
            r#"{"level":"info","timestamp":"2026-01-31T10:00:00.500Z","id":15520,"file":"main.c","line":9,"message":"hello"}"#,
        )],
        |arguments| read(arguments, Format::Glog, "the text is not a line of glog", SAME),
    )
    .fallible()
    .inside(Inside::Members(GLOG)),
    Function::new(
        "parse_klog",
        &[required("value", Kind::STRING)],
        Kind::OBJECT,
        "A line of Kubernetes. Its time has no year: it is the one that is closest to now.",
        &[gives(
            "parse_klog!(.a)",
            r#"{"a":"W0131 10:00:00.000000    7 pod.go:12] slow"}"#,
            r#"{"level":"warning","timestamp":"2026-01-31T10:00:00Z","id":7,"file":"pod.go","line":12,"message":"slow"}"#,
        )],
        |arguments| read(arguments, Format::Glog, "the text is not a line of klog", SAME),
    )
    .fallible()
    .inside(Inside::Members(GLOG)),
    Function::new(
        "parse_cef",
        &[required("value", Kind::STRING)],
        Kind::OBJECT,
        "An event in the Common Event Format of ArcSight.",
        &[gives(
            "parse_cef!(.a)",
            r#"{"a":"CEF:0|Acme|Wall|1.0|100|blocked|7|src=192.0.2.1 msg=no way"}"#,
            r#"{"cefVersion":"0","deviceVendor":"Acme","deviceProduct":"Wall","deviceVersion":"1.0","deviceEventClassId":"100","name":"blocked","severity":"7","src":"192.0.2.1","msg":"no way"}"#,
        )],
        |arguments| read(arguments, Format::Cef, "the text is not CEF", SAME),
    )
    .fallible(),
];

const GLOG: &[(&str, Kind)] = &[
    ("level", Kind::STRING),
    ("timestamp", Kind::TIMESTAMP),
    ("id", Kind::INTEGER),
    ("file", Kind::STRING),
    ("line", Kind::INTEGER),
    ("message", Kind::STRING),
];

const NOT_ACCESS: &str = "the text is not a line of this access log";

/// Which parser.
#[derive(Clone, Copy)]
enum Format {
    Syslog,
    Common,
    Combined,
    Glog,
    Cef,
}

/// What becomes of the parser's columns: the name that VRL has, or nothing.
type Columns = &'static [(&'static str, Option<&'static str>)];

const SAME: Columns = &[];
const SYSLOG: Columns = &[("facility_code", None), ("severity_code", None)];
const APACHE: Columns = &[("request", Some("message"))];
const NGINX: Columns = &[
    ("host", Some("client")),
    ("referrer", Some("referer")),
    ("method", None),
    ("path", None),
    ("protocol", None),
    ("rest", Some("compression")),
];

/// The parsers of a thread, made once.
struct Parsers {
    syslog: Syslog,
    common: AccessLog,
    combined: AccessLog,
    glog: Glog,
    cef: Cef,
    row: Row,
}

impl Parsers {
    fn new() -> Self {
        Self {
            syslog: Syslog::new(Strictness::Lenient, Zone::UTC),
            common: AccessLog::new(AccessLogKind::Common, Strictness::Lenient),
            combined: AccessLog::new(AccessLogKind::Combined, Strictness::Lenient),
            glog: Glog::new(Zone::UTC),
            cef: Cef::default(),
            row: Row::default(),
        }
    }
}

thread_local! {
    static PARSERS: RefCell<Parsers> = RefCell::new(Parsers::new());
}

/// Reads the first argument.
fn read<'a>(
    arguments: &Arguments<'a, '_>,
    format: Format,
    wrong: &'static str,
    columns: Columns,
) -> Result<Value<'a>, EvalError> {
    let text = arguments.string(0)?;
    // A condition has no moment of its own; its event has.
    let now_ns = match arguments.context.now_ns {
        0 => arguments.context.event.timestamp_ns(),
        now_ns => now_ns,
    };
    PARSERS.with_borrow_mut(|parsers| {
        let Parsers { syslog, common, combined, glog, cef, row } = parsers;
        let parser: &mut dyn RowParser = match format {
            Format::Syslog => syslog,
            Format::Common => common,
            Format::Combined => combined,
            Format::Glog => glog,
            Format::Cef => cef,
        };
        row.clear();
        row.now_ns = now_ns;
        let is_short = u32::try_from(text.len()).is_ok();
        if !is_short || parser.parse(text, row).is_err() {
            return Err(arguments.error(wrong));
        }
        let reader = Reader { arguments, text, parser, row, columns };
        Ok(match format {
            Format::Syslog => reader.syslog(),
            Format::Common | Format::Combined => reader.access_log(),
            Format::Glog | Format::Cef => unique_members(reader.members(), arguments.context),
        })
    })
}

/// Turns a row into an object.
struct Reader<'a, 'r, 'c> {
    arguments: &'r Arguments<'a, 'c>,
    text: &'a [u8],
    parser: &'r dyn RowParser,
    row: &'r Row,
    columns: Columns,
}

impl<'a> Reader<'a, '_, '_> {
    /// Text of the source is borrowed, everything else is copied into the event's memory.
    fn bytes(&self, part: lograil_codec::row::Part) -> &'a [u8] {
        let range = part.start as usize..(part.start as usize).saturating_add(part.len as usize);
        match part.place {
            Place::Source => self.text.get(range).unwrap_or_default(),
            Place::Words => self.parser.words().get(range).unwrap_or_default(),
            Place::Written => {
                let bytes = self.row.written.get(range).unwrap_or_default();
                self.arguments.context.bump.alloc_slice_copy(bytes)
            }
        }
    }

    fn value(&self, value: RowValue) -> Value<'a> {
        match value {
            RowValue::Text(part) => Value::String(self.bytes(part)),
            RowValue::Int(value) => Value::Integer(value),
            RowValue::Number(part) => json::number(self.bytes(part)),
            RowValue::Object(part) => json::document(self.bytes(part), self.arguments.context.bump),
            RowValue::Null => Value::Null,
        }
    }

    /// The values by the names they get; the time of the line as a time.
    fn members(&self) -> Vec<Member<'a>> {
        let mut members = Vec::with_capacity(self.row.values.len() + 1);
        for (name, value) in &self.row.values {
            let column = match name {
                Name::Text(part) => {
                    members.push((self.bytes(*part), self.value(*value)));
                    continue;
                }
                Name::Column(column) => {
                    self.parser.columns().get(*column as usize).map_or("", String::as_str)
                }
            };
            let renamed = self.columns.iter().find(|(from, _)| *from == column);
            let Some(name) = renamed.map_or(Some(column), |(_, to)| *to) else { continue };
            let time = self.row.timestamp_ns.filter(|_| name == "timestamp");
            let value = time.map_or_else(|| self.value(*value), Value::Timestamp);
            let bump = self.arguments.context.bump;
            members.push((bump.alloc_str(name).as_bytes(), value));
        }
        members
    }

    /// Structured data is by its names beside the other fields; a process is a number where it is one.
    fn syslog(&self) -> Value<'a> {
        let mut all = Vec::new();
        for (name, value) in self.members() {
            match (name, value) {
                (b"structured_data", Value::Object(data)) => {
                    all.extend(data.iter(self.arguments.context.bump));
                }
                (b"procid", Value::String(text)) => {
                    all.push((name, json::short_integer(text).map_or(value, Value::Integer)));
                }
                _ => all.push((name, value)),
            }
        }
        // It is there also where it is empty.
        if !all.iter().any(|(name, _)| *name == b"message") {
            all.push((b"message", Value::String(b"")));
        }
        unique_members(all, self.arguments.context)
    }

    /// The request is there as a whole too.
    fn access_log(&self) -> Value<'a> {
        let whole = if self.columns == NGINX { &b"request"[..] } else { b"message" };
        let mut all: BumpVec<'a, Member<'a>> = BumpVec::new_in(self.arguments.context.bump);
        let members = self.members();
        let has_request = members.iter().any(|(name, _)| *name == whole);
        for mut member in members {
            if let (b"compression", Value::String([b'"', text @ .., b'"'])) = member {
                member.1 = Value::String(text);
            }
            all.push(member);
            if member.0 == b"timestamp"
                && !has_request
                && let Some(request) = self.request()
            {
                all.push((whole, Value::String(request)));
            }
        }
        self.arguments.context.object(all)
    }

    /// From the method to the protocol.
    fn request(&self) -> Option<&'a [u8]> {
        let mut range: Option<(usize, usize)> = None;
        for (name, value) in &self.row.values {
            let (Name::Column(column), RowValue::Text(part)) = (name, value) else { continue };
            let name = self.parser.columns().get(*column as usize).map(String::as_str);
            if matches!(name, Some("method" | "path" | "protocol")) {
                let (start, end) = (part.start as usize, (part.start + part.len) as usize);
                range = Some(range.map_or((start, end), |(first, _)| (first, end)));
            }
        }
        range.and_then(|(start, end)| self.text.get(start..end))
    }
}
