//! Syslog as it is really sent: by `logger` of util-linux in every way it knows, and by rsyslog.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

mod support;

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::process::{Command, Stdio};

use serde_json::Value;
use support::{Background, Place, has, rsyslog, until};

/// A run that takes syslog in all four ways and writes what it takes to `out.ndjson`.
fn start(place: &Place) -> (Background, [SocketAddr; 2]) {
    let topology = r#"
data_dir = "data"
[sources.tcp]
type = "syslog"
mode = "tcp"
listen = "127.0.0.1:0"
[sources.udp]
type = "syslog"
mode = "udp"
listen = "127.0.0.1:0"
[sources.stream]
type = "syslog"
mode = "unix_stream"
path = "stream"
[sources.datagram]
type = "syslog"
mode = "unix_datagram"
path = "datagram"
[sinks.out]
type = "file"
inputs = ["*"]
path = "out.ndjson"
"#;
    let topology = place.write("t.toml", topology).to_str().unwrap().to_owned();
    let running = place.start(&["run", &topology]);
    let mut addresses = [None, None];
    until("all four sources listen", || {
        let told = place.read("stderr");
        let address = |protocol: &str| {
            let (_, rest) = told.split_once(&format!("taking messages on {protocol} "))?;
            // A line that is being written has no end yet.
            rest.split_once('\n')?.0.split_whitespace().next()?.parse().ok()
        };
        addresses = [address("tcp"), address("udp")];
        let have = |name| place.path(name).exists();
        addresses.iter().all(Option::is_some) && have("stream") && have("datagram")
    });
    (running, addresses.map(Option::unwrap))
}

fn events(place: &Place) -> Vec<Value> {
    let written = place.read("out.ndjson");
    let whole = written.rfind('\n').map_or("", |end| &written[..=end]);
    whole.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn logger(arguments: &[&str]) {
    let mut command = Command::new("logger");
    let status = command.args(arguments).stdin(Stdio::null()).status();
    assert!(status.unwrap().success(), "logger {arguments:?}");
}

#[test]
fn logger_is_understood_in_every_way_it_sends() {
    if !has("logger") {
        return;
    }
    let place = Place::new();
    let (running, [tcp, udp]) = start(&place);
    let at = |address: SocketAddr| ["127.0.0.1".to_owned(), address.port().to_string()];
    let ([host, tcp], [_, udp]) = (at(tcp), at(udp));
    let (stream, datagram) = (place.path("stream"), place.path("datagram"));
    let (stream, datagram) = (stream.to_str().unwrap(), datagram.to_str().unwrap());
    let ways: [&[&str]; 8] = [
        &["-n", &host, "-P", &tcp, "--tcp"],
        &["-n", &host, "-P", &tcp, "--tcp", "--octet-count"],
        &["-n", &host, "-P", &tcp, "--tcp", "--rfc3164"],
        &["-n", &host, "-P", &tcp, "--tcp", "--octet-count", "--rfc3164"],
        &["-n", &host, "-P", &udp, "--udp"],
        &["-n", &host, "-P", &udp, "--udp", "--rfc3164"],
        &["-u", stream],
        &["-u", datagram],
    ];
    for (way, arguments) in ways.iter().enumerate() {
        let message = format!("message {way} of ours");
        let named = ["--tag", "app", "--id=4242", "--priority", "local3.warning", &message];
        logger(&[arguments, &named[..]].concat());
    }
    until("all messages are written", || events(&place).len() >= ways.len());
    assert!(running.stop().success());
    let events = events(&place);
    assert_eq!(events.len(), ways.len());
    for way in 0..ways.len() {
        let message = format!("message {way} of ours");
        let event = events.iter().find(|event| event["message"] == message);
        let event = event.unwrap_or_else(|| panic!("{message}: {events:#?}"));
        assert_eq!(event["facility"], "local3", "{event}");
        assert_eq!(event["severity"], "warning", "{event}");
        assert_eq!(event["appname"], "app", "{event}");
        assert_eq!(event["procid"], "4242", "{event}");
        assert_eq!(event.get("source_ip").is_some(), way < 6, "{event}");
    }
    for name in ["stream", "datagram"] {
        assert!(!place.path(name).exists(), "the socket `{name}` is removed");
    }
}

/// rsyslog forwards every line twice: counted and as lines.
fn rsyslog(place: &Place, port: u16) -> Background {
    let action = |framing: &str, tag: &str| {
        format!(
            r#"action(type="omfwd" target="127.0.0.1" port="{port}" protocol="tcp" TCP_Framing="{framing}"
    template="{tag}" action.resumeRetryCount="-1" action.resumeInterval="1")"#
        )
    };
    let both = [action("octet-counted", "counted"), action("traditional", "traditional")];
    rsyslog::start(place, "", &[], &both.join("\n"))
}

#[test]
fn rsyslog_is_understood_counted_and_in_lines() {
    if !has("rsyslogd") {
        return;
    }
    const LINES: usize = 2000;
    let place = Place::new();
    let (running, [tcp, _]) = start(&place);
    let text = |line: usize| format!("event {line} {}", "x".repeat(line % 900));
    let input: String = (0..LINES).map(|line| text(line) + "\n").collect();
    place.write("rsyslog/input", input);
    let daemon = rsyslog(&place, tcp.port());
    until("all messages are written", || events(&place).len() >= 2 * LINES);
    let ended = daemon.stop();
    assert!(ended.success(), "{}", place.read("rsyslog/stderr"));
    assert!(running.stop().success());
    let events = events(&place);
    for way in ["counted", "traditional"] {
        let of_way = events.iter().filter(|event| event["appname"] == way);
        let messages: BTreeSet<&str> =
            of_way.map(|event| event["message"].as_str().unwrap()).collect();
        let missing = (0..LINES).find(|line| !messages.contains(text(*line).trim_end()));
        assert_eq!(missing, None, "{way}: {} messages", messages.len());
    }
    assert_eq!(events.len(), 2 * LINES);
}
