//! The sink `http` as a user meets it: from one lograil to another through `kill -9` of either, and to a server that
//! refuses an event.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

mod support;

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use serde_json::Value;
use support::{Place, until};

fn numbers(text: &str) -> BTreeSet<u64> {
    let whole = text.rfind('\n').map_or("", |end| &text[..=end]);
    let number = |line: &str| serde_json::from_str::<Value>(line).unwrap()["n"].as_u64().unwrap();
    whole.lines().map(number).collect()
}

fn lines(range: std::ops::Range<u64>) -> String {
    range.fold(String::new(), |mut text, n| {
        writeln!(text, r#"{{"n":{n}}}"#).unwrap();
        text
    })
}

/// A port that is free now. The receiver must find it again after a kill.
fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

#[test]
fn from_one_lograil_to_another_nothing_is_lost_whoever_is_killed() {
    let place = Place::new();
    let port = free_port();
    let receiver = format!(
        r#"
data_dir = "receiver"
[sources.in]
type = "http"
listen = "127.0.0.1:{port}"
[sinks.out]
type = "file"
inputs = ["in"]
path = "out.ndjson"
"#
    );
    let sender = format!(
        r#"
data_dir = "sender"
[sources.in]
type = "file"
include = ["{}"]
[sinks.out]
type = "http"
inputs = ["in"]
url = "http://127.0.0.1:{port}/"
encoding.codec = "raw"
compression = "zstd"
batch.timeout = "100ms"
batch.max_events = 100
request_timeout = "5s"
"#,
        place.path("in.ndjson").display()
    );
    let path = |name: &str, text: String| place.write(name, text).to_str().unwrap().to_owned();
    let (receiver, sender) = (path("receiver.toml", receiver), path("sender.toml", sender));
    place.write("in.ndjson", "");
    let start = |topology: &str| place.start(&["run", topology]);
    let (mut receiving, mut sending) = (start(&receiver), start(&sender));
    let mut next = 0;
    let received = || numbers(&place.read("out.ndjson")).len() as u64;
    for round in 0..6 {
        place.append("in.ndjson", lines(next..next + 2000));
        let before = next;
        next += 2000;
        // The kill comes while some of them are under way.
        until("some have arrived", || received() > before);
        if round % 2 == 0 {
            receiving.kill();
            receiving = start(&receiver);
        } else {
            sending.kill();
            sending = start(&sender);
        }
    }
    until("all have arrived", || received() == next);
    assert!(sending.stop().success());
    assert!(receiving.stop().success());
    assert_eq!(numbers(&place.read("out.ndjson")), (0..next).collect());
}

/// Answers 422 to bodies with a poisonous event, 503 to every fifth request, 200 to others.
fn serve(stream: TcpStream, taken: &Mutex<BTreeSet<u64>>, count: &Mutex<u64>) {
    let mut reader = BufReader::new(stream);
    loop {
        let (mut head, mut line) = (String::new(), String::new());
        while reader.read_line(&mut line).is_ok_and(|read| read > 2) {
            head += &line.to_lowercase();
            line.clear();
        }
        let Some((_, rest)) = head.split_once("content-length: ") else { return };
        let mut body = vec![0; rest.lines().next().unwrap().trim().parse().unwrap()];
        reader.read_exact(&mut body).unwrap();
        let body = String::from_utf8(body).unwrap();
        let number = {
            let mut count = count.lock().unwrap();
            *count += 1;
            *count
        };
        let answer = if number % 5 == 0 {
            "503 Busy\r\nRetry-After: 0"
        } else if body.contains("poison") {
            "422 Bad"
        } else {
            taken.lock().unwrap().extend(numbers(&body));
            "200 OK"
        };
        let said = if answer.starts_with("422") { "no poison" } else { "" };
        let length = said.len();
        let sent =
            write!(reader.get_mut(), "HTTP/1.1 {answer}\r\nContent-Length: {length}\r\n\r\n{said}");
        if sent.is_err() {
            return;
        }
    }
}

#[test]
fn a_refused_event_is_a_dead_letter_and_the_ledger_adds_up() {
    let place = Place::new();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let taken = Arc::new(Mutex::new(BTreeSet::new()));
    let (own, count) = (Arc::clone(&taken), Arc::new(Mutex::new(0)));
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let (taken, count) = (Arc::clone(&own), Arc::clone(&count));
            std::thread::spawn(move || serve(stream.unwrap(), &taken, &count));
        }
    });
    let topology = format!(
        r#"
data_dir = "data"
[sources.in]
type = "stdin"
[sinks.out]
type = "http"
inputs = ["in"]
encoding.codec = "raw"
url = "http://127.0.0.1:{port}/"
"#
    );
    let topology = place.write("t.toml", topology).to_str().unwrap().to_owned();
    let input = lines(0..500) + "{\"n\":500,\"poison\":true}\n" + &lines(501..1000);
    let ran = place.run_with(&["run", &topology], input.as_bytes());
    ran.assert_success();
    let wanted: BTreeSet<u64> = (0..1000).filter(|n| *n != 500).collect();
    assert_eq!(*taken.lock().unwrap(), wanted);
    let letters = place.read("data/dead-letters.ndjson");
    let letter: Value = serde_json::from_str(letters.trim()).unwrap();
    assert_eq!(letter["message"], "{\"n\":500,\"poison\":true}");
    let reason = letter["dead_letter"]["reason"].as_str().unwrap();
    assert!(reason.contains("422") && reason.contains("no poison"), "{reason}");
    let told = ran.stderr();
    assert!(told.contains("sink out: 1000 in, 999 out, 0 discarded, 1 dead-lettered"), "{told}");
}
