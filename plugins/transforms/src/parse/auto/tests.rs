//! What `auto` makes of lines of every format, and how it settles on one.

use lograil_testkit::{TransformHarness, conformance};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::super::SPEC;

/// What a line becomes, without what is the same in most.
fn parsed(line: &str) -> Value {
    let mut harness = TransformHarness::build(&SPEC, json!({"format": "auto"}));
    let mut events = harness.feed_lines(&[line]).main();
    assert_eq!(events.len(), 1, "{line}");
    events.remove(0)
}

/// Fields of a header: `level component pid thread host`, `-` for none, and the message.
#[track_caller]
fn check(cases: &[(&str, &str, &str)]) {
    for (line, fields, message) in cases {
        let event = parsed(line);
        let names = ["level", "component", "pid", "thread", "host"];
        let found = names.map(|name| match &event[name] {
            Value::Null => "-".to_owned(),
            Value::String(text) => text.clone(),
            other => other.to_string(),
        });
        assert_eq!(found.join("|"), *fields, "{line}");
        assert_eq!(event["message"], *message, "{line}");
    }
}

#[test]
fn obeys_the_laws_of_a_transform() {
    conformance::transform(&SPEC, &json!({"format": "auto"}));
    let options =
        json!({"format": "auto", "format_field": "", "keep_field": true, "on_error": "drop"});
    conformance::transform(&SPEC, &options);
}

#[test]
fn events_in_cef_have_header_level_and_time() {
    let event =
        "CEF:0|Acme|Gate|2.1|7|door \\| opened|9|rt=1769853600000 src=192.0.2.1 msg=at the back";
    let fields = json!({
        "cefVersion": "0", "deviceVendor": "Acme", "deviceProduct": "Gate", "deviceVersion": "2.1",
        "deviceEventClassId": "7", "name": "door | opened", "cefSeverity": 9, "rt": "1769853600000",
        "src": "192.0.2.1", "msg": "at the back", "level": "CRITICAL", "format": "cef",
        "message": "door | opened",
    });
    assert_eq!(parsed(event), fields);
    let with = |more: Value| {
        let mut all = fields.clone();
        for (name, value) in more.as_object().unwrap() {
            all[name] = value.clone();
        }
        all
    };
    assert_eq!(
        parsed(&format!("Jan 31 10:00:00 gate-1 {event}")),
        with(json!({"timestamp": "Jan 31 10:00:00", "host": "gate-1"}))
    );
    assert_eq!(
        parsed(&format!("<34>Jan 31 10:00:00 gate-1 {event}")),
        with(json!({"timestamp": "Jan 31 10:00:00", "host": "gate-1", "facility": "auth"}))
    );
    for (severity, level) in [("Low", "INFO"), ("5", "WARN"), ("High", "ERROR"), ("10", "CRITICAL")]
    {
        assert_eq!(parsed(&format!("CEF:0|a|b|c|d|e|{severity}|"))["level"], level);
    }
    assert_eq!(parsed("CEF:0|a|b|c|d|e|Unknown|").get("level"), None);
}

#[test]
fn lines_that_mention_cef_stay_syslog() {
    let mentions = [
        "<134>Nov 29 16:00:00 host app[12]: could not parse CEF: bad header",
        r#"<134>1 2026-11-29T16:00:00Z host app 12 ID7 [x@1 a="b"] could not parse CEF: x"#,
        "Nov 29 16:00:00 host app[3]: CEF: connector started",
        "<134>Nov 29 16:00:00 host app[3]: CEF: connector started",
        "<134>Nov 29 16:00:00 host app[3]: forwarded CEF:0|a|b|c|d|e|3|src=192.0.2.1",
        "<134>Nov 29 16:00:00 host app[3]: CEF:0|a|b|c|d|e|f|no pairs here",
    ];
    for line in mentions {
        let mut other = parsed(&line.replace("CEF:", "XEF:"));
        let message = other["message"].as_str().unwrap().replace("XEF:", "CEF:");
        other["message"] = message.into();
        assert_eq!(other["format"], "syslog", "{line}");
        assert_eq!(parsed(line), other, "{line}");
    }
}

#[test]
fn events_in_cef_keep_the_header_and_its_names() {
    let event = "CEF:0|Acme|Gate|2|7|opened|3|host=h timestamp=t facility=f name=n severity=s level=l src=a";
    let fields = json!({
        "cefVersion": "0", "deviceVendor": "Acme", "deviceProduct": "Gate", "deviceVersion": "2",
        "deviceEventClassId": "7", "name": "opened", "cefSeverity": 3, "level": "INFO", "src": "a",
        "ext_host": "h", "ext_timestamp": "t", "ext_facility": "f", "ext_name": "n",
        "ext_severity": "s", "ext_level": "l", "message": "opened", "format": "cef",
    });
    let auth = json!({"facility": "auth"});
    let bsd = json!({"facility": "auth", "timestamp": "Jan 31 10:00:00", "host": "gate-1"});
    let bsd_app = json!({
        "facility": "auth", "timestamp": "Jan 31 10:00:00", "host": "gate-1", "component": "app",
        "pid": 12,
    });
    let app = json!({
        "timestamp": "Jan 31 10:00:00", "host": "gate-1", "component": "app", "pid": 12,
    });
    let ietf = json!({
        "facility": "auth", "timestamp": "2026-01-31T10:00:00Z", "host": "gate-1",
        "component": "app", "pid": 12, "msgid": "ID7", "structured_data": {"x@1": {"a": "b"}},
    });
    let iso_host = json!({"timestamp": "2026-01-31T10:00:00Z", "host": "gateway"});
    let blank = event.replace("CEF:", "CEF: ");
    for (line, header) in [
        (event.to_owned(), json!({})),
        (format!("<34>{event}"), auth),
        (format!("<34>Jan 31 10:00:00 gate-1 {event}"), bsd.clone()),
        (format!("<34>Jan 31 10:00:00 gate-1 {blank}"), bsd),
        (format!("<34>Jan 31 10:00:00 gate-1 app[12]: {event}"), bsd_app),
        (format!("Jan 31 10:00:00 gate-1 app[12]: {event}"), app),
        (format!("Jan 31 10:00:00 {event}"), json!({"timestamp": "Jan 31 10:00:00"})),
        (format!("Jan 31 10:00:00 {blank}"), json!({"timestamp": "Jan 31 10:00:00"})),
        (format!("2026-01-31T10:00:00Z gateway {event}"), iso_host),
        (format!("2026-01-31T10:00:00Z {event}"), json!({"timestamp": "2026-01-31T10:00:00Z"})),
        (format!(r#"<34>1 2026-01-31T10:00:00Z gate-1 app 12 ID7 [x@1 a="b"] {event}"#), ietf),
    ] {
        let mut expected = fields.clone();
        for (name, value) in header.as_object().unwrap() {
            expected[name] = value.clone();
        }
        assert_eq!(parsed(&line), expected, "{line}");
    }
    let own = parsed("<34>CEF:0|a|b|c|d|e|Unknown|message=own");
    assert_eq!((&own["message"], &own["level"]), (&json!("own"), &json!("CRITICAL")));
}

#[test]
fn names_the_format_of_each_line() {
    let cases = [
        (r#"{"a": 1}"#, "json"),
        ("level=info msg=hello", "logfmt"),
        ("<34>1 2003-10-11T22:14:15.003Z host su - ID47 - failed", "syslog"),
        ("Oct 11 22:14:15 host su[1]: failed", "syslog"),
        (r#"::1 - ann [10/Oct/2000:13:55:36 -0700] "GET / HTTP/1.0" 200 2326"#, "access_log"),
        ("I0102 15:04:05.678901   12345 main.go:23] hello", "glog"),
        ("CEF:0|Acme|Gate|2|7|opened|3|src=192.0.2.1", "cef"),
        ("<34>1 2026-01-31T10:00:00Z host CEF:0|Acme|Gate|2|7|opened|3|", "cef"),
        ("<34>1 2026-01-31T10:00:00Z host CEF:0|Acme Inc|Gate|2|7|was opened|3|a=b", "cef"),
        ("<34>Jan 31 10:00:00 CEF:0|Acme Inc|Gate|2|7|opened|3|a=b", "cef"),
        ("<5>CEF:0|Acme|Gate|2|7|opened|3|a=b", "cef"),
        ("Jan 31 10:00:00 host CEF:0|Acme|Gate|2|7|opened|3|a=b", "cef"),
        ("Jan 31 10:00:00 CEF:0|Acme Inc|Gate|2|7|opened|3|a=b", "cef"),
        ("Jan 31 10:00:00 CEF: connector started", "syslog"),
        ("2026-01-31T10:00:00Z gateway CEF:0|Acme Inc|Gate|2|7|opened|3|a=b", "cef"),
        ("2026-01-31T10:00:00Z parser CEF: bad header", "application"),
        ("CEF: the format is described below", "text"),
        ("2024-01-02 10:00:00 INFO hello", "application"),
        ("WARNING: hello", "application"),
        ("hello", "text"),
        ("", "text"),
    ];
    let mut harness = TransformHarness::build(&SPEC, json!({"format": "auto"}));
    let lines = cases.map(|(line, _)| line);
    // One line at a time, and all kinds in one batch.
    for (line, format) in cases {
        assert_eq!(parsed(line)["format"], format, "{line}");
    }
    for (event, (line, format)) in harness.feed_lines(&lines).main().iter().zip(cases) {
        assert_eq!(event["format"], format, "{line}");
    }
    let mut silent = TransformHarness::build(&SPEC, json!({"format": "auto", "format_field": ""}));
    assert_eq!(silent.feed_lines(&["hello"]).main(), [json!({"message": "hello"})]);
}

#[test]
fn reads_headers_of_java_and_python() {
    check(&[
        (
            "2024-01-02 10:00:00,123 INFO [main] org.example.job.Runner: started 3 tasks",
            "INFO|org.example.job.Runner|-|main|-",
            "started 3 tasks",
        ),
        (
            "2024-01-02 10:00:00.123 [pool-1-thread-3] WARN  com.example.Bar - low: 3",
            "WARN|com.example.Bar|-|pool-1-thread-3|-",
            "low: 3",
        ),
        (
            "2024-01-02T10:00:00.123+01:00  INFO 4711 --- [shop] [  main] o.e.shop.App   : Starting",
            "INFO|o.e.shop.App|4711|main|-",
            "Starting",
        ),
        (
            "2024-01-02 10:00:00,123 - INFO  [Peer[id=1]/0:0:0:0:2181:Election@77] - Notification: 3",
            "INFO|Election|-|Peer[id=1]/0:0:0:0:2181|-",
            "Notification: 3",
        ),
        (
            "[2024-01-02 10:00:00,123] INFO [Server id=1] started (kafka.server.Server)",
            "INFO|kafka.server.Server|-|-|-",
            "started",
        ),
        ("24/01/02 10:00:00 INFO storage.Block: stored", "INFO|storage.Block|-|-|-", "stored"),
        (
            "240102 100000 143 INFO dfs.Node$Receiver: block 1 received",
            "INFO|dfs.Node$Receiver|143|-|-",
            "block 1 received",
        ),
        ("2024-01-02 10:00:00,123 - shop.cart - WARNING - empty", "WARN|shop.cart|-|-|-", "empty"),
        ("2024-01-02 10:00:00,123 - WARNING - shop.cart - empty", "WARN|shop.cart|-|-|-", "empty"),
        ("INFO:shop.cart:empty", "INFO|shop.cart|-|-|-", "empty"),
        (
            "2024-01-02 10:00:00.008 2931 INFO nova.compute [req-1 a b - -] [instance: x] started",
            "INFO|nova.compute|2931|-|-",
            "[instance: x] started",
        ),
    ]);
}

#[test]
fn reads_headers_of_servers_and_services() {
    check(&[
        ("[Sun Dec 04 04:47:44 2005] [error] mod_jk state 6", "ERROR|-|-|-|-", "mod_jk state 6"),
        (
            "[Tue Apr 04 06:18:29.712806 2017] [core:notice] [pid 17:tid 14] AH1: up",
            "NOTICE|core|17|14|-",
            "AH1: up",
        ),
        (
            "2024/01/02 10:00:00 [error] 1234#0: *1 open() failed",
            "ERROR|-|1234|-|-",
            "*1 open() failed",
        ),
        (
            "2024-01-02 10:00:00.127 CET [47] app@db LOG:  shut down",
            "INFO|app@db|47|-|-",
            "shut down",
        ),
        ("2024-01-02T10:00:00.83Z 7 [Note] ready", "NOTICE|-|7|-|-", "ready"),
        ("1:M 02 Jan 2024 10:00:00.000 * Ready", "NOTICE|M|1|-|-", "Ready"),
        ("I, [2024-01-02 10:00:00 #12]  INFO -- web: hello", "INFO|web|12|-|-", "hello"),
        ("[2024-01-02 10:00:00] shop.ERROR: no cart", "ERROR|shop|-|-|-", "no cart"),
        (
            "2024-01-02T10:00:00.1Z  INFO shop::cart: added n=1",
            "INFO|shop::cart|-|-|-",
            "added n=1",
        ),
        (
            "2024-01-02 10:00:00 | WARN | cart | 17 | it is | empty",
            "WARN|cart|17|-|-",
            "it is | empty",
        ),
        ("2024-01-02 10:00:00.1|INFO|Shop.Cart|added", "INFO|Shop.Cart|-|-|-", "added"),
        ("05-26 11:18:41.509  1702  2395 D Window  : shown", "DEBUG|Window|1702|2395|-", "shown"),
        ("2016-09-28 04:30:31, Info                  CBS    Ending.", "INFO|CBS|-|-|-", "Ending."),
        (
            "[10.30 16:49:06] chrome.exe *64 - a.b:80 close",
            "-|chrome.exe *64|-|-|-",
            "a.b:80 close",
        ),
        (
            "20171223-22:15:29:606|Step_LSC|30002312|changed 3",
            "-|Step_LSC|30002312|-|-",
            "changed 3",
        ),
        (
            "- 1117838570 2005.06.03 R02 2005-06-03-15.42.50.675872 R02 RAS KERNEL INFO cache: ok",
            "INFO|KERNEL|-|-|R02",
            "cache: ok",
        ),
        (
            "7 node-246 unix.hw unavailable 1077804742 1 State Change: off",
            "-|unix.hw|-|-|node-246",
            "State Change: off",
        ),
    ]);
}

#[test]
fn reads_headers_of_syslog_files() {
    check(&[
        ("Dec 10 06:55:46 web sshd[24200]: Failed", "-|sshd|24200|-|web", "Failed"),
        ("Jul 27 14:41:59 web syslogd 1.4.1: restart.", "-|syslogd 1.4.1|-|-|web", "restart."),
        ("Jul 27 14:41:59 web su(pam_unix)[2]: opened", "-|su(pam_unix)|2|-|web", "opened"),
        ("Jul 27 14:41:59 web Some Word[14463]: x: y", "-|Some Word|14463|-|web", "x: y"),
        ("Jul 27 14:41:59 web -- root[2421]: login", "-|root|2421|-|web", "login"),
        ("Jul 27 14:41:59 web user.warn kernel: low", "WARN|kernel|-|-|web", "low"),
        ("Jul 27 14:41:59 web it is: late", "-|-|-|-|web", "it is: late"),
        ("2025-08-31T09:36:55.418891-07:00 web-2 cron[7]: ran", "-|cron|7|-|web-2", "ran"),
        ("<30>1 2017-04-27T07:59:12Z web dhcp 12 - - up", "INFO|dhcp|12|-|web", "up"),
        ("<28>Apr 27 07:59:12 web dhcp[12]: up", "WARN|dhcp|12|-|web", "up"),
    ]);
}

#[test]
fn what_has_no_field_of_its_own_is_kept() {
    for (line, rest) in [
        (
            "2024-01-02 10:00:00 | INFO | a-12 | cart | user-7 | req-9 | 142ms | it works",
            "user-7 | req-9 | 142ms",
        ),
        ("2024-01-02T10:00:00.1+01:00  INFO 4711 --- [shop] [  main] o.e.App   : up", "shop"),
        ("2024-01-02 10:00:00 [main] [req-12] [user=7] INFO com.x - hello", "user=7"),
        ("GET /a 2024-01-02 10:00:00", "/a"),
        ("x | y | 2024-01-02 10:00:00 | INFO | cart | it works", "y"),
    ] {
        assert_eq!(parsed(line)["rest"], rest, "{line}");
    }
    for line in [
        "2024-01-02 10:00:00,123 INFO [main] org.example.job.Runner: started 3 tasks",
        "[Tue Apr 04 06:18:29.712806 2017] [core:notice] [pid 17:tid 14] AH1: up",
        "[2024-01-02 10:00:00,123] INFO [Server id=1] started (kafka.server.Server)",
        "\u{1b}[32m2024-01-02 10:00:00\u{1b}[0m \u{1b}[1;31mERROR\u{1b}[0m cart: empty",
        "Dec 10 06:55:46 web sshd[24200]: Failed",
        "I0102 15:04:05.678901   12345 main.go:23] hello",
        "INFO:shop.cart:empty",
    ] {
        assert_eq!(parsed(line)["rest"], Value::Null, "{line}: {}", parsed(line));
    }
}

#[test]
fn leaves_prose_alone() {
    check(&[
        ("2024-01-02 10:00:00 Error opening file: none", "-|-|-|-|-", "Error opening file: none"),
        ("2024-01-02 10:00:00 INFO Starting up now", "INFO|-|-|-|-", "Starting up now"),
        ("2024-01-02 10:00:00 404 pages not found", "-|-|-|-|-", "404 pages not found"),
        ("The job ended with status 3", "-|-|-|-|-", "The job ended with status 3"),
        (
            "The nightly job of the shop ran at 2024-01-02 10:00:00",
            "-|-|-|-|-",
            "The nightly job of the shop ran at 2024-01-02 10:00:00",
        ),
    ]);
}

#[test]
fn the_event_has_the_time_and_the_level_that_the_line_says() {
    let mut harness = TransformHarness::build(&SPEC, json!({"format": "auto"}));
    let lines = [
        "2023-11-14 22:13:20.5 INFO x",
        r#"{"ts": "2023-11-14T22:13:20.5Z", "lvl": "warning", "msg": "x"}"#,
        r#"{"time": 1700000000500, "level": 30}"#,
        r#"time=2023-11-14T22:13:20.5Z level=info msg=x"#,
        "<30>1 2023-11-14T22:13:20.5Z h a - - - x",
        "- 1700000000 2023.11.14 R02 2023-11-14-15.13.20.500000 R02 RAS APP INFO x",
    ];
    let emitted = harness.feed_lines(&lines);
    for (index, event) in emitted.batches[0].1.iter().enumerate() {
        assert_eq!(event.timestamp_ns(), 1_700_000_000_500_000_000, "{}", lines[index]);
    }
    let levels: Vec<Value> = emitted.main().iter().map(|event| event["level"].clone()).collect();
    assert_eq!(levels, ["INFO", "WARN", "INFO", "INFO", "INFO", "INFO"]);
    let warning = &emitted.main()[1];
    assert_eq!(warning["lvl"], "warning", "what the object said stays");
    let android = parsed("05-26 11:18:41.509  1702  2395 D Window: shown");
    assert_eq!(android["level_original"], "D");
}

#[test]
fn times_without_an_offset_are_those_of_the_zone() {
    let options = json!({"format": "auto", "timezone": "+02:00"});
    let mut harness = TransformHarness::build(&SPEC, options);
    let lines = [
        "2023-11-15 00:13:20 INFO x",
        "2023-11-14T22:13:20Z INFO x",
        r#"{"ts": "2023-11-15 00:13:20"}"#,
        "ts=2023-11-15T00:13:20 level=info",
    ];
    for event in harness.feed_lines(&lines).batches[0].1.iter() {
        assert_eq!(event.timestamp_ns(), 1_700_000_000_000_000_000);
    }
}

#[test]
fn objects_keep_their_own_fields() {
    let event =
        parsed(r#"{"format": "png", "message": "2024-01-02 10:00:00 INFO x", "level": "odd"}"#);
    assert_eq!(
        event,
        json!({"format": "png", "message": "2024-01-02 10:00:00 INFO x", "level": "odd"})
    );
}

const PIECES: [&str; 24] = [
    "2024-01-02 10:00:00",
    "1700000000",
    "Jan  2 10:00:00",
    "INFO",
    "[",
    "]",
    "(",
    ")",
    " - ",
    "|",
    ": ",
    "::",
    " ",
    "  ",
    "a.b.C",
    "sshd[1]:",
    "[x:y@1]",
    "#",
    "\u{1b}[1m",
    "=",
    "\"",
    "1234",
    "é",
    "<34>1 ",
];

proptest! {
    #[test]
    fn no_line_makes_it_panic(
        pieces in proptest::collection::vec(0usize..PIECES.len(), 0..30),
        text in "[ -~]{0,40}",
    ) {
        let mut line: String = pieces.iter().map(|index| PIECES[*index]).collect();
        parsed(&line);
        line.push_str(&text);
        let event = parsed(&line);
        prop_assert!(event.as_object().is_some());
    }
}

#[path = "score.rs"]
mod score;
