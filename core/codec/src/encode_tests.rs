//! The encodings logfmt, csv and syslog against readers written after their specifications and nothing else.

use lograil_event::{Batch, Field, FieldFlags, TIMESTAMP_UNKNOWN, Tag};
use proptest::collection::vec;
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::logfmt::Logfmt;
use crate::row::{Row, RowParser};
use crate::syslog::Syslog;
use crate::{Encoder, EncodingConfig, Strictness, Zone};

const TIME_NS: i64 = 1_700_000_000_123_456_789;

fn encoder(options: Value) -> Encoder {
    serde_json::from_value::<EncodingConfig>(options).unwrap().build().unwrap()
}

/// A batch of events as a parser would have made them.
fn batch(events: &[Value], time_ns: i64) -> Batch {
    let mut batch = Batch::new();
    let mut edit = batch.edit();
    for event in events {
        let at = edit.push_event(time_ns);
        for (name, value) in event.as_object().unwrap() {
            let key = edit.key(name).0;
            let text = |tag: Tag, text: &str, edit: &mut lograil_event::BatchMut<'_>| {
                let span = edit.push_text(text.as_bytes());
                Field::text(key, tag, span, FieldFlags::NONE)
            };
            let field = match value {
                Value::Null => Field::null(key),
                Value::Bool(value) => Field::bool(key, *value),
                Value::Number(number) => text(Tag::Number, &number.to_string(), &mut edit),
                Value::String(value) => text(Tag::Str, value, &mut edit),
                Value::Array(_) => text(Tag::Array, &value.to_string(), &mut edit),
                Value::Object(_) => text(Tag::Object, &value.to_string(), &mut edit),
            };
            edit.set(at, field);
        }
    }
    batch
}

fn encoded(options: Value, event: Value) -> String {
    let mut out = Vec::new();
    encoder(options).encode(&batch(&[event], TIME_NS), &mut out);
    String::from_utf8(out).unwrap()
}

fn mistake(options: Value) -> (String, String) {
    let error = serde_json::from_value::<EncodingConfig>(options).unwrap().build().unwrap_err();
    (error.option.join("."), error.message)
}

#[test]
fn logfmt_flattens_and_quotes() {
    let logfmt = |event: Value| encoded(json!({ "codec": "logfmt" }), event);
    assert_eq!(
        logfmt(json!({
            "level": "info", "msg": "a \"line\"\n", "n": 1.50, "ok": true, "none": null, "empty": "",
            "a b": "x=y", "http": { "status": 200, "head": { "x": "a b" }, "": [1, "two"] }, "no": {},
        })),
        "level=info msg=\"a \\\"line\\\"\\n\" n=1.5 ok=true none=null empty=\"\" a_b=\"x=y\" \
         http.status=200 http.head.x=\"a b\" http._=\"[1,\\\"two\\\"]\" no={}\n"
    );
    assert_eq!(logfmt(json!({})), "\n");
    let mut deep = json!("x");
    for _ in 0..20 {
        deep = json!({ "d": deep });
    }
    let line = logfmt(deep);
    assert!(line.starts_with("d.d.d.d.d.d.d.d.d.d.d.d.d.d.d.d.d=\"{"), "{line}");
}

#[test]
fn csv_has_its_columns_and_a_header() {
    let fields = json!(["timestamp", "level", "http.status", "tags[-1]", "message"]);
    let options = json!({ "codec": "csv", "csv": { "fields": fields } });
    assert_eq!(
        encoder(options.clone()).header(),
        b"timestamp,level,http.status,tags[-1],message\n"
    );
    let csv = |event: Value| encoded(options.clone(), event);
    let event = json!({ "message": "a, \"b\"\nc", "level": "", "http": { "status": 200 }, "tags": ["x", " y"] });
    assert_eq!(csv(event), "2023-11-14T22:13:20.123456789Z,\"\",200,\" y\",\"a, \"\"b\"\"\nc\"\n");
    let event =
        json!({ "timestamp": "own", "level": null, "http": "none", "message": { "a": [1] } });
    assert_eq!(csv(event), "own,,,,\"{\"\"a\"\":[1]}\"\n");

    let options = json!({ "codec": "csv", "csv": { "fields": ["a;b", "b"], "delimiter": ";", "header": false } });
    assert_eq!(
        mistake(options),
        ("csv.fields.0".into(), "expected `.`, `[` or `}` after the name".into())
    );
    let options = json!({ "codec": "csv", "csv": { "fields": ["\"a;b\""], "delimiter": ";" } });
    assert_eq!(encoder(options.clone()).header(), b"\"\"\"a;b\"\"\"\n");
    assert_eq!(encoded(options.clone(), json!({ "a;b": "1,2" })), "1,2\n");
    assert_eq!(encoded(options, json!({})), "\"\"\n", "a record is never an empty line");
}

#[test]
fn syslog_puts_fields_where_they_belong() {
    let syslog = |event: Value| encoded(json!({ "codec": "syslog" }), event);
    assert_eq!(
        syslog(json!({
            "facility": "local4", "facility_code": 20, "severity": "notice", "severity_code": 5, "version": 1,
            "timestamp": "2003-10-11T22:14:15.003Z", "hostname": "mymachine.example.com",
            "appname": "evntslog", "procid": "-7", "msgid": "ID47",
            "structured_data": { "exampleSDID@32473": { "iut": "3", "eventSource": "App\"]\\" } },
            "message": "An application event log entry",
        })),
        "<165>1 2003-10-11T22:14:15.003Z mymachine.example.com evntslog -7 ID47 \
         [exampleSDID@32473 iut=\"3\" eventSource=\"App\\\"\\]\\\\\"] An application event log entry\n"
    );
    assert_eq!(
        syslog(
            json!({ "level": "ERROR", "service": "shop", "pid": 7, "host": "a b", "n": 1, "a": { "b": [] } })
        ),
        "<11>1 2023-11-14T22:13:20.123456Z a_b shop 7 - [fields@32473 n=\"1\" a=\"{\\\"b\\\":[\\]}\"]\n"
    );
    // What does not fit its place is kept elsewhere.
    assert_eq!(
        syslog(
            json!({ "severity": "odd", "facility": 99, "level": 4, "message": "a\nb\u{7f}\tc" })
        ),
        "<12>1 2023-11-14T22:13:20.123456Z - - - - [fields@32473 severity=\"odd\" facility=\"99\"] a#012b#177\tc\n"
    );
    let long = "x".repeat(300);
    let line = syslog(json!({ "hostname": long, "msgid": long }));
    assert_eq!(line.len(), "<14>1 2023-11-14T22:13:20.123456Z  - -  -\n".len() + 255 + 32);

    let options = json!({ "codec": "syslog", "syslog": { "facility": "local0", "appname": "my app", "fields_id": "f@1" } });
    let mut out = Vec::new();
    encoder(options).encode(&batch(&[json!({ "a=b": "c" })], TIMESTAMP_UNKNOWN), &mut out);
    assert_eq!(out, b"<134>1 - - my_app - - [f@1 a_b=\"c\"]\n");
}

#[test]
fn bytes_that_are_not_utf8_are_kept() {
    let mut batch = Batch::new();
    let mut edit = batch.edit();
    edit.push_event(TIMESTAMP_UNKNOWN);
    let key = edit.key("message").0;
    let span = edit.push_text(b"\xFF\xFE x");
    edit.set(0, Field::text(key, Tag::Bytes, span, FieldFlags::NONE));
    for (options, wanted) in [
        (json!({ "codec": "logfmt" }), &b"message=\"\xFF\xFE x\"\n"[..]),
        (json!({ "codec": "csv", "csv": { "fields": ["message"] } }), b"\xFF\xFE x\n"),
        (json!({ "codec": "syslog" }), b"<14>1 - - - - - - \xFF\xFE x\n"),
    ] {
        let mut out = Vec::new();
        encoder(options).encode(&batch, &mut out);
        assert_eq!(out, wanted);
    }
}

#[test]
fn options_that_do_not_fit_are_told() {
    let option = |options: Value| mistake(options).0;
    assert_eq!(option(json!({ "codec": "csv" })), "csv.fields");
    assert_eq!(option(json!({ "codec": "json", "csv": { "fields": ["a"] } })), "csv");
    assert_eq!(
        option(json!({ "codec": "csv", "csv": { "fields": ["a"], "delimiter": "ab" } })),
        "csv.delimiter"
    );
    assert_eq!(option(json!({ "codec": "csv", "csv": { "fields": ["a", "b["] } })), "csv.fields.1");
    assert_eq!(option(json!({ "codec": "text", "syslog": {} })), "syslog");
    assert_eq!(
        option(json!({ "codec": "syslog", "syslog": { "facility": "localX" } })),
        "syslog.facility"
    );
    assert_eq!(
        option(json!({ "codec": "syslog", "syslog": { "fields_id": "a b" } })),
        "syslog.fields_id"
    );
    assert_eq!(option(json!({ "codec": "logfmt", "format": "{a}" })), "format");
}

/// Records of CSV after RFC 4180, with line feeds for line ends.
fn read_csv(text: &str) -> Vec<Vec<String>> {
    let (mut records, mut record, mut value) = (Vec::new(), Vec::new(), String::new());
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '"' if value.is_empty() => loop {
                match chars.next().expect("a quote is closed") {
                    '"' if chars.next_if_eq(&'"').is_some() => value.push('"'),
                    '"' => break,
                    c => value.push(c),
                }
            },
            '"' => panic!("a quote inside a plain value"),
            ',' => record.push(std::mem::take(&mut value)),
            '\n' => {
                record.push(std::mem::take(&mut value));
                records.push(std::mem::take(&mut record));
            }
            c => value.push(c),
        }
    }
    assert!(record.is_empty() && value.is_empty(), "the last record is ended");
    records
}

/// The pairs of a line of logfmt.
fn read_logfmt(mut line: &str) -> Vec<(String, String)> {
    let mut pairs = Vec::new();
    while !line.is_empty() {
        let (name, rest) = line.split_once('=').expect("a pair");
        let value_len = if rest.starts_with('"') {
            let mut stream = serde_json::Deserializer::from_str(rest).into_iter::<String>();
            let value = stream.next().unwrap().unwrap();
            pairs.push((name.to_owned(), value));
            stream.byte_offset()
        } else {
            let len = rest.find(' ').unwrap_or(rest.len());
            pairs.push((name.to_owned(), rest[..len].to_owned()));
            len
        };
        line = &rest[value_len..];
        line = line.strip_prefix(' ').unwrap_or(line);
    }
    pairs
}

/// The parameters of the only element of a syslog message, and its text.
fn read_syslog(line: &str) -> (Vec<(String, String)>, String) {
    let rest = line.strip_prefix("<14>1 - - - - - ").expect("an empty header");
    let Some(mut rest) = rest.strip_prefix("[fields@32473") else {
        let rest = rest.strip_prefix('-').unwrap();
        return (Vec::new(), rest.strip_prefix(' ').unwrap_or(rest).to_owned());
    };
    let mut parameters = Vec::new();
    while let Some(parameter) = rest.strip_prefix(' ') {
        let (name, value) = parameter.split_once("=\"").unwrap();
        let (mut text, mut chars) = (String::new(), value.char_indices());
        loop {
            match chars.next().expect("a value is closed") {
                (_, '\\') => text.push(chars.next().unwrap().1),
                (at, '"') => {
                    rest = &value[at + 1..];
                    break;
                }
                (_, ']') => panic!("a bracket that is not escaped"),
                (_, c) => text.push(c),
            }
        }
        parameters.push((name.to_owned(), text));
    }
    let rest = rest.strip_prefix(']').expect("the element is closed");
    (parameters, rest.strip_prefix(' ').unwrap_or(rest).to_owned())
}

/// The control characters of a text as rsyslog writes them.
fn octal(text: &str) -> String {
    let write = |c: char| {
        if c.is_ascii_control() && c != '\t' { format!("#{:03o}", c as u32) } else { c.to_string() }
    };
    text.chars().map(write).collect()
}

fn awkward() -> impl Strategy<Value = String> {
    prop_oneof![any::<String>(), "[ ,;=\"\\\\\\]\\[\n\r\ta\u{0}é]{0,12}"]
}

/// Whether the strict parser of the format takes a line.
fn is_taken(parser: &mut dyn RowParser, line: &str) -> bool {
    let mut row = Row::default();
    parser.parse(line.as_bytes(), &mut row).is_ok()
}

proptest! {
    #[test]
    fn csv_is_read_back_whatever_the_values(rows in vec(vec(awkward(), 3), 1..6)) {
        let events: Vec<Value> =
            rows.iter().map(|row| json!({ "a": row[0], "b": row[1], "c": row[2] })).collect();
        let mut encoder = encoder(json!({ "codec": "csv", "csv": { "fields": ["a", "b", "c"] } }));
        let mut out = encoder.header().to_vec();
        encoder.encode(&batch(&events, TIMESTAMP_UNKNOWN), &mut out);
        let records = read_csv(&String::from_utf8(out).unwrap());
        prop_assert_eq!(&records[0], &["a", "b", "c"]);
        prop_assert_eq!(&records[1..], &rows[..]);
    }

    #[test]
    fn logfmt_is_read_back_whatever_the_values(values in vec(awkward(), 0..5)) {
        let wanted: Vec<(String, String)> =
            values.iter().enumerate().map(|(at, value)| (format!("k{at}"), value.clone())).collect();
        let event: serde_json::Map<String, Value> =
            wanted.iter().map(|(name, value)| (name.clone(), json!(value))).collect();
        let line = encoded(json!({ "codec": "logfmt" }), Value::Object(event));
        let line = line.strip_suffix('\n').unwrap();
        prop_assert!(!line.contains('\n'));
        prop_assert!(is_taken(&mut Logfmt::new(Strictness::Strict), line), "{line}");
        prop_assert_eq!(read_logfmt(line), wanted);
    }

    #[test]
    fn logfmt_names_stay_names(name in awkward()) {
        let line = encoded(json!({ "codec": "logfmt" }), json!({ name.as_str(): "x" }));
        let pairs = read_logfmt(line.strip_suffix('\n').unwrap());
        prop_assert_eq!(pairs.len(), 1);
        prop_assert_eq!(pairs[0].0.chars().count(), name.chars().count().max(1));
        prop_assert_eq!(&pairs[0].1, "x");
    }

    #[test]
    fn syslog_is_read_back_but_for_control_characters(values in vec(awkward(), 0..5), message in awkward()) {
        let mut event: serde_json::Map<String, Value> =
            values.iter().enumerate().map(|(at, value)| (format!("k{at}"), json!(value))).collect();
        event.insert("message".to_owned(), json!(message));
        let mut out = Vec::new();
        encoder(json!({ "codec": "syslog" }))
            .encode(&batch(&[Value::Object(event)], TIMESTAMP_UNKNOWN), &mut out);
        let line = String::from_utf8(out).unwrap();
        let line = line.strip_suffix('\n').unwrap();
        prop_assert!(!line.contains('\n'));
        prop_assert!(is_taken(&mut Syslog::new(Strictness::Strict, Zone::UTC), line), "{line}");
        let (parameters, text) = read_syslog(line);
        let wanted: Vec<(String, String)> =
            values.iter().enumerate().map(|(at, value)| (format!("k{at}"), octal(value))).collect();
        prop_assert_eq!(parameters, wanted);
        prop_assert_eq!(text, octal(&message));
    }
}
