//! Tests of the parser: cases, round trips, damaged lines.

use proptest::prelude::*;
use serde_json::{Map, Value as Json};

use super::*;
use crate::row_json::{check, damaged, parse, parse_into, shared_cases};

fn strict() -> Syslog {
    Syslog::new(Strictness::Strict, Zone::UTC)
}

fn lenient() -> Syslog {
    Syslog::new(Strictness::Lenient, Zone::UTC)
}

/// Event time and fields of a line without those of the priority.
fn read(line: &str) -> (Option<String>, String) {
    let mut row = Row { now_ns: 1_700_000_000_000_000_000, ..Row::default() };
    let json = match parse_into(&mut lenient(), line.as_bytes(), &mut row) {
        Ok(mut json) => {
            let object = json.as_object_mut().unwrap();
            object.retain(|name, _| !name.starts_with("facility") && !name.starts_with("severity"));
            object.shift_remove("timestamp");
            json.to_string()
        }
        Err(error) => error.to_string(),
    };
    let time = row.timestamp_ns.map(|ns| {
        let mut out = Vec::new();
        crate::time::write_rfc3339(ns, &mut out);
        String::from_utf8(out).unwrap()
    });
    (time, json)
}

#[test]
fn every_priority_has_its_names() {
    for priority in 0..=191 {
        let row = parse(&mut strict(), format!("<{priority}>1 - - - - - -").as_bytes()).unwrap();
        assert_eq!(row["facility"], WORDS[priority / 8]);
        assert_eq!(row["severity"], WORDS[24 + priority % 8]);
        assert_eq!(row["facility_code"], priority / 8);
        assert_eq!(row["severity_code"], priority % 8);
    }
}

#[test]
fn rfc_3164_and_its_deviations_are_read() {
    let tagged = r#"{"hostname":"web","appname":"su","procid":"230","message":"failed"}"#;
    let cases = [
        ("<34>Oct 11 22:14:15 web su[230]: failed", "2023-10-11T22:14:15Z", tagged),
        ("Oct 11 22:14:15 web su[230]: failed", "2023-10-11T22:14:15Z", tagged),
        ("<34>Oct  1 22:14:15 web su[230]: failed\n", "2023-10-01T22:14:15Z", tagged),
        ("<34>Nov 16 22:13:00 web su[230]: failed", "2023-11-16T22:13:00Z", tagged),
        ("<34>Nov 17 22:14:15 web su[230]: failed", "2022-11-17T22:14:15Z", tagged),
        ("<34>Oct 11 2020 22:14:15 web su[230]: failed", "2020-10-11T22:14:15Z", tagged),
        ("<34>Oct 11 22:14:15 2020 web su[230]: failed", "2020-10-11T22:14:15Z", tagged),
        ("<34>Oct 11 22:14:15.250 web su[230]: failed", "2023-10-11T22:14:15.250Z", tagged),
        (
            "<34>2020-10-11T22:14:15.25+02:00 web su[230]: failed",
            "2020-10-11T20:14:15.250Z",
            tagged,
        ),
        ("2020-10-11 22:14:15 web su[230]: failed", "2020-10-11T22:14:15Z", tagged),
        ("59 <34>Oct 11 22:14:15 web su[230]: failed", "2023-10-11T22:14:15Z", tagged),
        ("<34>Feb 29 22:14:15 web su[230]: failed", "2020-02-29T22:14:15Z", tagged),
        (
            "<189>123: *Oct 11 22:14:15.003 UTC: %LINK-3-UPDOWN: up",
            "2023-10-11T22:14:15.003Z",
            r#"{"appname":"%LINK-3-UPDOWN","message":"up"}"#,
        ),
        ("<13>Oct 11 22:14:15 su: x", "2023-10-11T22:14:15Z", r#"{"appname":"su","message":"x"}"#),
        (
            "<13>Oct 11 22:14:15 web sshd(pam_unix)[19939]: check pass; user unknown",
            "2023-10-11T22:14:15Z",
            r#"{"hostname":"web","appname":"sshd(pam_unix)","procid":"19939","message":"check pass; user unknown"}"#,
        ),
        (
            "<13>Oct 11 22:14:15 web last message repeated 3 times",
            "2023-10-11T22:14:15Z",
            r#"{"hostname":"web","message":"last message repeated 3 times"}"#,
        ),
        (
            "<13>Oct 11 22:14:15 web http://x is down",
            "2023-10-11T22:14:15Z",
            r#"{"hostname":"web","message":"http://x is down"}"#,
        ),
    ];
    for (line, time, fields) in cases {
        assert_eq!(read(line), (Some(time.to_owned()), fields.to_owned()), "{line}");
    }
    let untimed = [
        ("<13>hello world", r#"{"message":"hello world"}"#),
        ("<13>su[1]: hello", r#"{"appname":"su","procid":"1","message":"hello"}"#),
        ("<13>", "{}"),
        ("hello", "expected a priority such as `<34>` or a time at byte 0"),
        ("<192>Feb 31 x", "expected a priority such as `<34>` or a time at byte 0"),
        ("", "expected a priority such as `<34>` or a time at byte 0"),
    ];
    for (line, fields) in untimed {
        assert_eq!(read(line), (None, fields.to_owned()), "{line}");
    }
}

#[test]
fn deviations_from_rfc_5424_are_read_unless_strict() {
    let cases = [
        "<1>1 2020-10-11t22:14:15.123456789z h a p m - x",
        "<1>1  2020-10-11T22:14:15Z  h a p m - x",
        "<1>1 2020-10-11 h a p m - x",
        "<1>1 - h a p m [no structured data] x",
        "<1>1 - h a p m [x y=\"]\"] x",
        "<1>1 - h",
        "<1>0 - h a p m - x",
    ];
    for line in cases {
        assert!(parse(&mut strict(), line.as_bytes()).is_err(), "{line}");
        assert!(parse(&mut lenient(), line.as_bytes()).is_ok(), "{line}");
    }
    check(
        &mut strict(),
        &[
            ("<1>1 2020-10-11T22:14:15Z h a p m", "expected a space at byte 33"),
            ("<1>1 2020-10-11 h a p m -", "expected a timestamp of RFC 5424 or `-` at byte 5"),
            ("<192>1 - h a p m -", "expected a priority from `<0>` to `<191>` at byte 0"),
            ("<1>1 - h a p m [x y=\"]\"]", "expected `\\]` at byte 21"),
        ],
    );
}

/// Every case in strict mode, with its fields; what is valid is also read leniently, and alike.
#[test]
fn shared_cases_of_rfc_5424() {
    let names = [
        ("facility", "facility_code"),
        ("severity", "severity_code"),
        ("version", "version"),
        ("timestamp", "timestamp"),
        ("hostname", "hostname"),
        ("appname", "appname"),
        ("procID", "procid"),
        ("msgID", "msgid"),
        ("structuredData", "structured_data"),
        ("message", "message"),
    ];
    let (mut strictly, mut leniently, mut cases) = (0, 0, 0);
    for (input, case) in shared_cases("rfc5424/cases.jsonl") {
        let seen = parse(&mut strict(), &input);
        assert_eq!(seen.is_ok(), case["valid"].as_bool().unwrap(), "{case} {seen:?}");
        let loose = parse(&mut lenient(), &input);
        cases += 1;
        leniently += usize::from(loose.is_ok());
        let Ok(seen) = seen else { continue };
        strictly += 1;
        for (name, ours) in names {
            assert_eq!(seen.get(ours), case["fields"].get(name), "{name} of {case}");
        }
        let loose = loose.unwrap();
        let same = |row: &Json| -> Map<String, Json> {
            let mut row = row.as_object().unwrap().clone();
            if let Some(Json::String(message)) = row.get_mut("message") {
                *message = message.trim_ascii_end().to_owned();
            }
            row
        };
        assert_eq!(same(&loose), same(&seen), "{case}");
    }
    println!("{cases} cases: {strictly} accepted strictly, {leniently} leniently");
    assert!(cases == 0 || leniently > strictly);
}

const TOKEN: &str = "[!-,.-~]{1,20}";

proptest! {
    #[test]
    fn what_is_encoded_comes_back(
        priority in 0..=191usize,
        tokens in (TOKEN, TOKEN, TOKEN, TOKEN),
        elements in prop::collection::btree_map("[a-z@0-9]{1,9}", prop::collection::btree_map("[a-z]{1,5}", any::<String>(), 0..3), 0..3),
        message in "[^\\x00-\\x20]?[^\\x00]{0,9}",
    ) {
        let escape = |value: &str| value.replace('\\', "\\\\").replace('"', "\\\"").replace(']', "\\]");
        let data: String = elements.iter().map(|(id, parameters)| {
            let parameters: String =
                parameters.iter().map(|(name, value)| format!(" {name}=\"{}\"", escape(value))).collect();
            format!("[{id}{parameters}]")
        }).collect();
        let data = if data.is_empty() { "-".to_owned() } else { data };
        let (a, b, c, d) = &tokens;
        let line = format!("<{priority}>1 2020-10-11T22:14:15Z {a} {b} {c} {d} {data} {message}");
        let row = parse(&mut strict(), line.as_bytes()).unwrap();
        prop_assert_eq!(&row["hostname"], a);
        prop_assert_eq!(&row["msgid"], d);
        let expected = if message.is_empty() { None } else { Some(Json::from(message)) };
        prop_assert_eq!(row.get("message"), expected.as_ref());
        let expected = (!elements.is_empty()).then(|| serde_json::to_value(&elements).unwrap());
        prop_assert_eq!(row.get("structured_data"), expected.as_ref());
    }

    #[test]
    fn no_line_makes_it_panic(line in damaged(&[
        "<165>1 2003-10-11T22:14:15.003Z web shop 8710 ID47 [req@32473 id=\"7\" path=\"\\]\"][x] An order",
        "<34>Oct 11 22:14:15 web su[230]: 'su root' failed",
        "<189>123: *Oct 11 22:14:15.003 UTC: %LINK-3-UPDOWN: up",
    ])) {
        let strict = parse(&mut strict(), &line);
        let lenient = parse(&mut lenient(), &line);
        prop_assert!(strict.is_err() || lenient.is_ok());
    }
}
