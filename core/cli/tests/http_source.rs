//! HTTP to file through `kill -9` at any moment: what was answered 200 is in the file, whole
//! (`LOGRAIL_HTTP_KILLS` sets how often); and clients of Elasticsearch: its own in Python, and rsyslog.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

mod support;

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::ops::Range;
use std::process::{Command, Stdio};
use std::time::Duration;

use serde_json::Value;
use support::{PATIENCE, Place, python_with, rsyslog, until};

const LINES_PER_REQUEST: u64 = 50;

/// The address the source has after the `starts`-th start.
fn address(place: &Place, starts: usize) -> SocketAddr {
    let mut address = None;
    until("the source listens", || {
        let told = place.read("stderr");
        let told: Vec<_> = told.split("taking events on http://").skip(1).collect();
        // A line that is being written has no end yet.
        let whole = told.get(starts - 1).filter(|rest| rest.contains('\n'));
        address = whole.and_then(|rest| rest.split_whitespace().next()?.parse().ok());
        address.is_some()
    });
    address.unwrap()
}

/// Sends numbered events and says whether the answer was 200.
fn post(stream: &mut TcpStream, numbers: Range<u64>) -> std::io::Result<bool> {
    let body = numbers.fold(String::new(), |mut body, number| {
        writeln!(body, r#"{{"n":{number}}}"#).unwrap();
        body
    });
    let length = body.len();
    write!(stream, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: {length}\r\n\r\n{body}")?;
    let (mut answer, mut block) = (Vec::new(), [0; 4096]);
    while !answer.ends_with(b"}\n") {
        match stream.read(&mut block)? {
            0 => return Ok(false),
            count => answer.extend_from_slice(&block[..count]),
        }
    }
    Ok(answer.starts_with(b"HTTP/1.1 200 "))
}

/// Sends `requests` or until the server is gone; the numbers that were answered 200, and the next to send.
fn send(address: SocketAddr, mut next: u64, requests: usize) -> (Vec<u64>, u64) {
    let mut acknowledged = Vec::new();
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    for _ in 0..requests {
        let numbers = next..next + LINES_PER_REQUEST;
        next = numbers.end;
        match post(&mut stream, numbers.clone()) {
            Ok(true) => acknowledged.extend(numbers),
            Ok(false) | Err(_) => break,
        }
    }
    (acknowledged, next)
}

const TOPOLOGY: &str = r#"
data_dir = "data"
[sources.in]
type = "http"
listen = "127.0.0.1:0"
[sinks.out]
type = "file"
inputs = ["in"]
path = "out.ndjson"
"#;

/// The numbers of the events that were written.
fn written(place: &Place) -> Vec<u64> {
    let written = place.read("out.ndjson");
    let events = written.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    events.map(|event| event["n"].as_u64().unwrap()).collect()
}

const ELASTICSEARCH: &str = r#"
import sys
from elasticsearch import Elasticsearch, helpers
from elasticsearch.exceptions import BadRequestError
client = Elasticsearch(sys.argv[1])
assert client.ping() and client.info()["tagline"]
def documents(numbers, **more):
    return ({"_index": "logs", "n": n, "text": "x" * (n % 100), **more} for n in numbers)
taken, errors = helpers.bulk(client, documents(range(3000), _id="same"), chunk_size=700)
assert (taken, errors) == (3000, []), errors
assert all(ok for ok, _ in helpers.parallel_bulk(client, documents(range(3000, 6000)), thread_count=4))
packed = Elasticsearch(sys.argv[1], http_compress=True)
assert helpers.bulk(packed, documents(range(6000, 7000), _op_type="create"))[0] == 1000
try:
    helpers.bulk(client, [{"_op_type": "delete", "_index": "logs", "_id": "1"}])
    print("it deletes")
except BadRequestError as error:
    print(error)
"#;

#[test]
fn the_client_of_elasticsearch_sends_in_bulk() {
    let Some(python) = python_with("elasticsearch") else { return };
    let place = Place::new();
    place.write("t.toml", TOPOLOGY);
    let running = place.start(&["run", "t.toml"]);
    let url = format!("http://{}", address(&place, 1));
    let mut client = Command::new(python);
    let ran = client.args(["-c", ELASTICSEARCH, &url]).stdin(Stdio::null()).output().unwrap();
    let told = String::from_utf8_lossy(&ran.stderr);
    assert!(ran.status.success(), "{told}");
    let printed = String::from_utf8_lossy(&ran.stdout);
    assert!(printed.contains("expected an action"), "{printed}");
    assert!(running.stop().success());
    let mut numbers = written(&place);
    numbers.sort_unstable();
    assert_eq!(numbers, (0..7000).collect::<Vec<_>>());
}

#[test]
fn rsyslog_sends_as_to_elasticsearch() {
    const LINES: usize = 2000;
    if !rsyslog::has_rsyslog_with("omelasticsearch", "rsyslog-elasticsearch") {
        return;
    }
    let place = Place::new();
    place.write("t.toml", TOPOLOGY);
    let running = place.start(&["run", "t.toml"]);
    let port = address(&place, 1).port();
    let text = |line: usize| format!("event {line} {}", "x".repeat(line % 90));
    place.write("rsyslog/input", (0..LINES).map(|line| text(line) + "\n").collect::<String>());
    let errors = place.path("rsyslog/errors").display().to_string();
    let action = format!(
        r#"action(type="omelasticsearch" server="127.0.0.1" serverport="{port}" template="json"
    searchIndex="logs" searchType="" bulkmode="on" errorfile="{errors}" queue.type="linkedlist"
    queue.dequeuebatchsize="300" action.resumeRetryCount="-1" action.resumeInterval="1")"#
    );
    let daemon = rsyslog::start(&place, "", &["omelasticsearch"], &action);
    until("all events are written", || place.read("out.ndjson").lines().count() >= LINES);
    assert!(daemon.stop().success(), "{}", place.read("rsyslog/stderr"));
    assert!(running.stop().success());
    assert_eq!(place.read("rsyslog/errors"), "", "it takes every answer for a good one");
    let written = place.read("out.ndjson");
    for (line, event) in written.lines().enumerate() {
        let event = serde_json::from_str::<Value>(event).unwrap();
        assert_eq!(event["message"].as_str().unwrap().trim_end(), text(line).trim_end());
    }
    assert_eq!(written.lines().count(), LINES);
}

#[test]
fn kills_lose_nothing_that_was_answered() {
    let kills = std::env::var("LOGRAIL_HTTP_KILLS").map_or(15, |kills| kills.parse().unwrap());
    let place = Place::new();
    let topology = place.write("t.toml", TOPOLOGY).to_str().unwrap().to_owned();
    let (mut acknowledged, mut next) = (Vec::new(), 0);
    for kill in 0..kills {
        let running = place.start(&["run", &topology]);
        let address = address(&place, kill + 1);
        let (answered, after) = if kill % 2 == 0 {
            // The moment at which an answer that came too early would show.
            let sent = send(address, next, 1 + kill % 3);
            running.kill();
            sent
        } else {
            let client = std::thread::spawn(move || send(address, next, usize::MAX));
            // The kill must come at any moment; this is the one thing that only time can say.
            std::thread::sleep(Duration::from_micros(1000 + kill as u64 * 79_190 % 250_000));
            running.kill();
            client.join().unwrap()
        };
        acknowledged.extend(answered);
        next = after;
    }
    // An orderly run at the end cuts an event that was torn by the last kill.
    let last = place.start(&["run", &topology]);
    address(&place, kills + 1);
    assert!(last.stop().success());
    let written: BTreeSet<u64> = written(&place).into_iter().collect();
    let lost: Vec<_> = acknowledged.iter().filter(|number| !written.contains(number)).collect();
    assert!(!acknowledged.is_empty());
    assert!(lost.is_empty(), "{} of {} lost: {lost:?}", lost.len(), acknowledged.len());
}
