//! Events sent to the admin server enter as if from the topology's source of the type `http`.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

mod support;

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};

use flate2::Compression;
use flate2::write::{GzEncoder, ZlibEncoder};
use serde_json::{Value, json};
use support::http::{self, Response, get, request};
use support::{Background, Place, until};

const TOPOLOGY: &str = r#"
data_dir = "data"
[admin]
listen = "127.0.0.1:0"

[sources.in]
type = "http"
listen = "127.0.0.1:0"

[sinks.out]
type = "file"
inputs = ["in"]
path = "out.ndjson"
"#;

const OTHER_SOURCE: &str = r#"
[sources.other]
type = "http"
listen = "127.0.0.1:0"

[sinks.none]
type = "null"
inputs = ["other"]
"#;

fn start(topology: &str) -> (Place, Background, SocketAddr) {
    let place = Place::new();
    place.write("t.toml", topology);
    let running = place.start(&["run", "t.toml"]);
    let address = http::admin_address(&place);
    (place, running, address)
}

fn post(address: SocketAddr, path: &str, headers: &str, body: impl AsRef<[u8]>) -> Response {
    let length = body.as_ref().len();
    let mut text = format!(
        "POST {path} HTTP/1.1\r\nHost: {address}\r\n{headers}Content-Length: {length}\r\nConnection: close\r\n\r\n"
    )
    .into_bytes();
    text.extend_from_slice(body.as_ref());
    request(address, &text)
}

fn gzip(text: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(text).unwrap();
    encoder.finish().unwrap()
}

fn deflate(text: &[u8]) -> Vec<u8> {
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(text).unwrap();
    encoder.finish().unwrap()
}

fn written(place: &Place) -> Vec<Value> {
    place.read("out.ndjson").lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn what_is_answered_200_is_durable_and_accounted_for() {
    let (place, running, address) = start(TOPOLOGY);
    let taken = |path: &str, headers: &str, body: &str| {
        let answer = post(address, path, headers, body);
        assert_eq!(answer.status, 200, "{}", answer.body);
        (answer.json()["events"].as_u64().unwrap(), answer.json()["refused"].as_u64().unwrap())
    };
    assert_eq!(taken("/ingest", "", "{\"n\":1}\n\n{\"n\":2}\n"), (2, 0));
    assert_eq!(taken("/ingest", "", " [{\"n\":3},\n{\"n\":4}]"), (2, 0));
    assert_eq!(taken("/ingest", "", "a line\r\nanother"), (2, 0));
    assert_eq!(taken("/ingest?format=lines", "", "{\"n\":5}"), (1, 0));
    let says_json = "Content-Type: application/x-ndjson\r\n";
    assert_eq!(taken("/ingest", says_json, "no JSON\n{\"n\":6}\n"), (2, 1));
    assert_eq!(taken("/ingest?source=in", "", ""), (0, 0));
    let sent = get(address, "/send?message=hello%20you");
    assert_eq!((sent.status, sent.json()["source"].as_str()), (200, Some("in")), "{}", sent.body);
    assert_eq!(taken("/ingest?acknowledge=accepted", "", "{\"n\":7}"), (1, 0));
    until("what was accepted arrives", || written(&place).len() == 10);
    // The kernel takes the process away between two instructions: what was answered stays.
    running.kill();
    let message = |text: &str| json!({ "message": text });
    let n = |n: u64| json!({ "n": n });
    assert_eq!(
        written(&place),
        [
            n(1),
            n(2),
            n(3),
            n(4),
            message("a line"),
            message("another"),
            message("{\"n\":5}"),
            n(6),
            message("hello you"),
            n(7)
        ]
    );
    let letters = place.read("data/dead-letters.ndjson");
    let letter: Value = serde_json::from_str(letters.trim()).unwrap();
    assert_eq!(
        (&letter["message"], &letter["dead_letter"]["component_id"]),
        (&"no JSON".into(), &"in".into())
    );
}

#[test]
fn the_ledgers_count_what_was_sent_and_a_reload_changes_the_sources() {
    let (place, running, address) = start(TOPOLOGY);
    assert_eq!(post(address, "/ingest", "", "{\"n\":1}\n{\"n\"\n").json()["refused"], 1);
    let topology = get(address, "/topology").json();
    http::assert_ledgers_balance(&topology);
    assert_eq!(http::count(&topology, "in", "received"), 2);
    assert_eq!(http::count(&topology, "out", "sent"), 1);

    place.write("t.toml", format!("{TOPOLOGY}{OTHER_SOURCE}"));
    running.signal("HUP");
    let ask = |path: &str| post(address, path, "", "{\"n\":2}");
    until("there are two sources", || ask("/ingest").status == 409);
    let told = ask("/ingest").json();
    assert!(told["detail"].as_str().unwrap().contains("in, other"), "{told}");
    assert_eq!(ask("/ingest?source=other").json()["source"], "other");
    assert_eq!(ask("/ingest?source=out").status, 404);
    let none = TOPOLOGY.replace("type = \"http\"", "type = \"socket\"\nmode = \"tcp\"");
    place.write("t.toml", &none);
    running.signal("HUP");
    until("there is no source left", || ask("/ingest").status == 404);
}

/// What a tap tells until it has told of so many events, shown or not, or until its end.
fn tapped(mut tap: TcpStream, count: u64) -> u64 {
    let mut heard = Vec::new();
    let mut block = [0; 4096];
    loop {
        let text = String::from_utf8_lossy(&heard);
        let missed = text.split("event: missed\ndata: ").skip(1);
        let missed = missed.map(|rest| rest.split('\n').next().unwrap().parse::<u64>().unwrap());
        let told = missed.sum::<u64>() + text.matches("event: event\n").count() as u64;
        // A block may end in the middle of a number.
        if text.ends_with("\n\n") && told >= count {
            return told;
        }
        match tap.read(&mut block).unwrap() {
            0 => return told,
            more => heard.extend_from_slice(&block[..more]),
        }
    }
}

#[test]
fn a_tap_tells_what_it_did_not_show_although_nothing_follows_and_at_the_end() {
    let (place, running, address) = start(TOPOLOGY);
    let tap = || {
        let mut tap = http::connect(address);
        write!(tap, "GET /tap/in?rate=1 HTTP/1.0\r\nHost: {address}\r\n\r\n").unwrap();
        tap.read_exact(&mut [0; 12]).unwrap();
        tap
    };
    let ten = "line\n".repeat(10);
    let twice = |tap: TcpStream| {
        for _ in 0..2 {
            assert_eq!(post(address, "/ingest", "", &ten).status, 200);
        }
        tap
    };
    assert_eq!(tapped(twice(tap()), 20), 20);
    let last = twice(tap());
    let none = TOPOLOGY.replace("type = \"http\"", "type = \"socket\"\nmode = \"tcp\"");
    place.write("t.toml", &none);
    running.signal("HUP");
    assert_eq!(tapped(last, u64::MAX), 20);
}

#[test]
fn compressed_bodies_are_unpacked_within_the_limit() {
    let (place, _running, address) = start(TOPOLOGY);
    let send = |encoding: &str, body: Vec<u8>| {
        post(address, "/ingest", &format!("Content-Encoding: {encoding}\r\n"), body)
    };
    let zstd = |text: &[u8]| zstd::bulk::compress(text, 19).unwrap();
    for (at, encoding) in ["gzip", "zstd", "deflate", "GZIP", "identity"].into_iter().enumerate() {
        let text = format!("{{\"n\":{at}}}\n{{\"n\":{at}}}\n").into_bytes();
        let packed = match encoding {
            "zstd" => zstd(&text),
            "deflate" => deflate(&text),
            "identity" => text,
            _ => gzip(&text),
        };
        let answer = send(encoding, packed);
        assert_eq!(
            (answer.status, answer.json()["events"].as_u64()),
            (200, Some(2)),
            "{}",
            answer.body
        );
        assert!(written(&place).ends_with(&[json!({ "n": at }), json!({ "n": at })]));
    }
    let before = written(&place).len();
    let cut = gzip(b"{\"n\":1}\n{\"n\":2}\n");
    assert_eq!(send("gzip", cut[..cut.len() - 9].to_vec()).status, 400);
    // A text that does compress, but not so much that it is taken for an attack, and one that is one.
    let long: String = (0..1_300_000_u64).map(|n| format!("{}\n", n * 7919)).collect();
    for (packed, detail) in
        [(gzip(long.as_bytes()), "10485760"), (gzip(&vec![b'a'; 9 << 20]), "times")]
    {
        let answer = send("gzip", packed);
        assert_eq!(answer.status, 413);
        assert!(answer.body.contains(detail), "{}", answer.body);
    }
    assert_eq!(send("zstd", zstd(&vec![b'a'; 64 << 20])).status, 413);
    assert_eq!(written(&place).len(), before);
}

#[test]
fn what_is_wrong_is_refused_and_nothing_of_it_is_taken() {
    let (place, _running, address) = start(TOPOLOGY);
    let refused = |path: &str, headers: &str, body: &str, status: u16, detail: &str| {
        let answer = post(address, path, headers, body);
        assert_eq!(answer.status, status, "{}", answer.body);
        assert!(answer.head.contains("content-type: application/problem+json"), "{}", answer.head);
        assert!(answer.json()["detail"].as_str().unwrap().contains(detail), "{}", answer.body);
    };
    refused("/ingest", "", "[{\"n\":1},", 400, "no JSON");
    refused("/ingest?format=xml", "", "x", 400, "`format`");
    refused("/ingest?sauce=in", "", "x", 400, "`sauce`");
    refused("/ingest", "Content-Encoding: gzip\r\n", "x", 400, "decompress");
    refused("/ingest", "Content-Encoding: br\r\n", "x", 415, "`br` is not known");
    refused("/ingest", "", &"x".repeat((10 << 20) + 1), 413, "10485760 bytes");
    refused("/ingest", "", &"\n".repeat(10 << 20), 413, "events");
    refused("/ingest", "Origin: http://evil.example\r\n", "x", 403, "Origin");
    let picture = |headers: &str| {
        let text = format!(
            "GET /send?message=x HTTP/1.1\r\nHost: {address}\r\n{headers}Connection: close\r\n\r\n"
        );
        request(address, &text).status
    };
    assert_eq!(picture("Sec-Fetch-Site: cross-site\r\n"), 403);
    assert_eq!(picture("User-Agent: Mozilla/5.0 (X11; Linux x86_64)\r\n"), 403);
    assert_eq!(get(address, "/send").status, 400);
    assert_eq!(get(address, "/send?message=").status, 400);
    assert_eq!(get(address, "/ingest").status, 405);
    assert_eq!(place.read("out.ndjson"), "");
}

/// To wait for what is held back and then say 503 would have everything sent again, and counted twice.
#[test]
fn what_a_transform_holds_back_is_not_waited_for() {
    let aggregate = r#"
[transforms.sums]
type = "aggregate"
inputs = ["in"]
window = "WINDOW"
time = "arrival"

[sinks.sums_out]
type = "null"
inputs = ["sums", "sums.late"]
"#;
    let place = Place::new();
    let topology = |window: &str| format!("{TOPOLOGY}{}", aggregate.replace("WINDOW", window));
    place.write("t.toml", topology("5m"));
    let checked = place.run(&["check", "t.toml"]);
    assert!(checked.stderr().contains("error[held-back]"), "{}", checked.stderr());
    assert!(checked.stderr().contains("acknowledge = \"accepted\""), "{}", checked.stderr());
    let sooner = "type = \"http\"\nacknowledge = \"accepted\"";
    let (place, running, address) = start(&topology("5m").replace("type = \"http\"", sooner));
    let refused = post(address, "/ingest", "", "{\"n\":1}");
    assert_eq!(refused.status, 409, "{}", refused.body);
    assert!(refused.body.contains("`sums`"), "{}", refused.body);
    let taken = post(address, "/ingest?acknowledge=accepted", "", "{\"n\":2}");
    assert_eq!(taken.status, 200, "{}", taken.body);
    until("it is written", || !written(&place).is_empty());
    assert!(running.stop().success());
    assert_eq!(written(&place), [json!({ "n": 2 })]);
}
