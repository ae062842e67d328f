//! Real requests over loopback against the source, with an output that resolves acknowledgements as it is told.

use std::io::Write;
use std::net::SocketAddr;
use std::process::Command;
use std::sync::mpsc;
use std::time::Duration;

use flate2::Compression;
use flate2::write::GzEncoder;
use lograil_event::AckStatus;
use lograil_plugin::{Options, Port};
use lograil_testkit::{SimFiles, conformance};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::options::HttpOptions;
use super::{SPEC, build, run_on};
use crate::captured::Captured;
use crate::server_tls::ServerTls;

async fn start(options: Value, fate: Option<AckStatus>) -> Running {
    let settings = Options(options).parse::<HttpOptions>().unwrap().resolve().unwrap();
    let captured = Captured::new(fate);
    let start = captured.start();
    let tls = ServerTls::of_source(settings.tls.as_ref(), &start).await.unwrap();
    let context = captured.run_with(start);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(run_on(listener, tls, settings, context));
    Running { address, captured }
}

struct Running {
    address: SocketAddr,
    captured: Captured,
}

/// The whole answer to a `POST` with these header lines.
async fn post(running: &Running, headers: &str, body: &[u8]) -> String {
    let mut stream = TcpStream::connect(running.address).await.unwrap();
    let length = body.len();
    let head = format!(
        "POST / HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: {length}\r\n{headers}\r\n"
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    // A body that is refused may meet a closed connection.
    let _written = stream.write_all(body).await;
    let mut answer = Vec::new();
    let _ended = stream.read_to_end(&mut answer).await;
    String::from_utf8(answer).unwrap()
}

fn gzip(plain: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(plain).unwrap();
    encoder.finish().unwrap()
}

fn sent(running: &Running) -> Vec<(Port, Vec<Vec<u8>>)> {
    running.captured.raw()
}

const DELIVERED: Option<AckStatus> = Some(AckStatus::Delivered);

#[test]
fn obeys_the_laws_of_a_source() {
    conformance::manual(&SPEC);
    conformance::source(&SPEC, &json!({ "listen": "127.0.0.1:0" }), &SimFiles::new().shared());
}

#[test]
fn beyond_loopback_it_needs_a_token_or_to_be_asked_by_name() {
    let resolve = |options| Options(options).parse::<HttpOptions>().unwrap().resolve().is_ok();
    assert!(!resolve(json!({ "listen": "0.0.0.0:80" })));
    assert!(!resolve(json!({ "listen": "[::]:80" })));
    assert!(resolve(json!({ "listen": "0.0.0.0:80", "token": "t" })));
    assert!(resolve(json!({ "listen": "0.0.0.0:80", "expose_without_token": true })));
}

#[test]
fn one_port_is_claimed_by_one_component() {
    assert_eq!((SPEC.claims)(&json!({})), ["tcp 127.0.0.1:8080"]);
    assert!((SPEC.claims)(&json!({ "listen": "127.0.0.1:0" })).is_empty());
}

#[tokio::test]
async fn lines_and_documents_and_arrays_are_events() {
    let running = start(json!({}), DELIVERED).await;
    let bodies: [&[u8]; 3] = [b"a\nb", b"{\"a\":1}\n\n{\"a\":2}\n", b" [{\"a\":1}, 2 ,\"x\"] "];
    for (body, count) in bodies.iter().zip([2, 2, 3]) {
        let answer = post(&running, "", body).await;
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
        assert!(answer.contains(&format!("\"events\":{count},")), "{answer}");
    }
    let raw: Vec<Vec<u8>> = sent(&running).into_iter().flat_map(|(_, raw)| raw).collect();
    let expected: [&[u8]; 7] =
        [b"a", b"b", b"{\"a\":1}", b"{\"a\":2}", b"{\"a\":1}", b"2", b"\"x\""];
    assert_eq!(raw, expected);
}

#[tokio::test]
async fn a_bad_line_is_a_dead_letter_and_a_bad_array_is_refused() {
    let running = start(json!({}), DELIVERED).await;
    let answer = post(&running, "", b"{\"a\":1}\n{oops\n{\"a\":2}").await;
    assert!(answer.contains("{\"events\":3,\"refused\":1}"), "{answer}");
    assert_eq!(sent(&running)[1], (Port::DEAD_LETTER, vec![b"{oops".to_vec()]));
    let answer = post(&running, "", b"[{\"a\":1},").await;
    assert!(answer.starts_with("HTTP/1.1 400"), "{answer}");
    assert_eq!(sent(&running).len(), 2);
}

#[tokio::test]
async fn what_is_not_delivered_is_not_answered_2xx() {
    let running = start(json!({}), Some(AckStatus::Errored)).await;
    let answer = post(&running, "", b"a").await.to_lowercase();
    assert!(answer.starts_with("http/1.1 503") && answer.contains("retry-after: 1"), "{answer}");
    let running = start(json!({ "request_timeout": "50ms" }), None).await;
    assert!(post(&running, "", b"a").await.starts_with("HTTP/1.1 503"));
    let running = start(json!({ "acknowledge": "accepted" }), None).await;
    assert!(post(&running, "", b"a").await.starts_with("HTTP/1.1 200"));
}

#[tokio::test]
async fn compressed_bodies_are_read_within_limits() {
    let running = start(json!({ "max_decompressed_bytes": "8 MiB" }), DELIVERED).await;
    let answer = post(&running, "Content-Encoding: gzip\r\n", &gzip(b"a\nb\n")).await;
    assert!(answer.contains("\"events\":2"), "{answer}");
    let zstd = |plain: &[u8]| zstd::bulk::compress(plain, 19).unwrap();
    let answer = post(&running, "Content-Encoding: zstd\r\n", &zstd(b"a\nb\n")).await;
    assert!(answer.contains("\"events\":2"), "{answer}");
    let bomb = zstd(&vec![b'a'; 32 << 20]);
    let answer = post(&running, "Content-Encoding: zstd\r\n", &bomb).await;
    assert!(answer.starts_with("HTTP/1.1 413"), "{answer}");
    for bomb in [gzip(&vec![b'a'; 4 << 20]), gzip(&vec![b'a'; 32 << 20])] {
        let answer = post(&running, "Content-Encoding: gzip\r\n", &bomb).await;
        assert!(answer.starts_with("HTTP/1.1 413"), "{answer}");
    }
    let answer = post(&running, "Content-Encoding: br\r\n", b"a").await;
    assert!(answer.starts_with("HTTP/1.1 415"), "{answer}");
    assert_eq!(sent(&running).len(), 2);
}

#[tokio::test]
async fn long_bodies_many_headers_and_strangers_are_refused() {
    let options = json!({ "max_body_bytes": 100, "token": "secret" });
    let running = start(options, DELIVERED).await;
    let token = "Authorization: Bearer secret\r\n";
    assert!(post(&running, token, &[b'a'; 101]).await.starts_with("HTTP/1.1 413"));
    assert!(post(&running, "", b"a").await.starts_with("HTTP/1.1 401"));
    let wrong = "Authorization: Bearer secreT\r\n";
    assert!(post(&running, wrong, b"a").await.starts_with("HTTP/1.1 401"));
    let page = format!("{token}Origin: http://evil\r\n");
    assert!(post(&running, &page, b"a").await.starts_with("HTTP/1.1 403"));
    let many = format!("{token}{}", "a: b\r\n".repeat(1000));
    assert!(!post(&running, &many, b"a").await.starts_with("HTTP/1.1 2"));
    assert!(sent(&running).is_empty());
    assert!(post(&running, token, b"a").await.starts_with("HTTP/1.1 200"));
}

#[tokio::test]
async fn a_hundred_thousand_headers_are_refused_before_they_are_kept() {
    let running = start(json!({}), DELIVERED).await;
    let mut stream = TcpStream::connect(running.address).await.unwrap();
    stream.write_all(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n").await.unwrap();
    let mut taken = 0;
    for n in 0..100_000 {
        // The peer may close at any of them.
        if stream.write_all(format!("header-{n}: {n}\r\n").as_bytes()).await.is_err() {
            break;
        }
        taken += 1;
        if n % 1000 == 0 {
            tokio::task::yield_now().await;
        }
    }
    let _sent = stream.write_all(b"\r\na").await;
    let mut answer = Vec::new();
    let _ended = stream.read_to_end(&mut answer).await;
    let answer = String::from_utf8(answer).unwrap();
    assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 431"), "{taken} sent: {answer}");
    assert!(sent(&running).is_empty());
    assert!(post(&running, "", b"a").await.starts_with("HTTP/1.1 200"));
}

#[tokio::test]
async fn bodies_under_way_are_bounded_together() {
    let running = start(json!({ "max_pending_bytes": 200 }), None).await;
    let answer = post(&running, "", &[b'a'; 201]).await;
    assert!(answer.starts_with("HTTP/1.1 413"), "{answer}");
    // Nobody says what became of the first; meanwhile there is no room for another.
    let mut first = TcpStream::connect(running.address).await.unwrap();
    let head = "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 128\r\n\r\n";
    first.write_all(&[head.as_bytes(), &[b'a'; 128]].concat()).await.unwrap();
    running.captured.wait_for(Port::MAIN, 1).await;
    let answer = post(&running, "", b"a").await.to_lowercase();
    assert!(answer.starts_with("http/1.1 429") && answer.contains("retry-after: 1"), "{answer}");
}

#[tokio::test]
async fn events_are_paid_for_beside_their_bytes() {
    let running = start(json!({ "max_pending_bytes": 2000 }), DELIVERED).await;
    let of = |one: &str, count| one.repeat(count);
    for (head, one, tail) in [("", "\n", ""), ("", "0\n", ""), ("[0", ",0", "]")] {
        let answer = post(&running, "", format!("{head}{}{tail}", of(one, 10)).as_bytes()).await;
        assert!(answer.starts_with("HTTP/1.1 200"), "{one}: {answer}");
        let answer = post(&running, "", format!("{head}{}{tail}", of(one, 40)).as_bytes()).await;
        assert!(answer.starts_with("HTTP/1.1 413"), "{one}: {answer}");
        assert!(answer.contains("max_pending_bytes"), "{one}: {answer}");
    }
    let bulk = |count| request("POST", "/a/_bulk", "", &of("{\"index\":{}}\n\n", count));
    let answer = ask(&running, &bulk(3)).await;
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    let answer = ask(&running, &bulk(20)).await;
    assert!(answer.starts_with("HTTP/1.1 413"), "{answer}");
}

#[tokio::test]
async fn names_of_indexes_are_as_long_as_elasticsearch_allows() {
    let running = start(json!({}), DELIVERED).await;
    for (length, status) in [(255, 200), (256, 400)] {
        let name = "i".repeat(length);
        let in_path = request("POST", &format!("/{name}/_bulk"), "", "{\"index\":{}}\n{}\n");
        let action = format!("{{\"index\":{{\"_index\":\"{name}\"}}}}\n{{}}\n");
        let in_action = request("POST", "/_bulk", "", &action);
        for request in [in_path, in_action] {
            let answer = ask(&running, &request).await;
            assert!(answer.starts_with(&format!("HTTP/1.1 {status}")), "{answer}");
        }
    }
}

/// The answer to a whole request.
async fn ask(running: &Running, request: &str) -> String {
    let mut stream = TcpStream::connect(running.address).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer
}

fn request(method: &str, path: &str, headers: &str, body: &str) -> String {
    let length = body.len();
    format!(
        "{method} {path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: {length}\r\n{headers}\r\n{body}"
    )
}

#[tokio::test]
async fn one_event_is_taken_by_get_where_that_is_allowed() {
    let running = start(json!({ "allow_get": true }), DELIVERED).await;
    let answer = ask(&running, &request("GET", "/send?message=hello%20world+again", "", "")).await;
    assert!(answer.contains("{\"events\":1,\"refused\":0}"), "{answer}");
    assert_eq!(running.captured.events(Port::MAIN), [json!({ "message": "hello world again" })]);
    for query in ["", "?text=a", "?message=%zz"] {
        let answer = ask(&running, &request("GET", &format!("/send{query}"), "", "")).await;
        assert!(answer.starts_with("HTTP/1.1 400"), "{answer}");
    }
    let running = start(json!({}), DELIVERED).await;
    let answer = ask(&running, &request("GET", "/send?message=hello", "", "")).await;
    assert!(answer.starts_with("HTTP/1.1 405"), "{answer}");
    assert!(sent(&running).is_empty());
}

#[tokio::test]
async fn several_paths_take_events_and_a_name_with_password_lets_in() {
    let options = json!({
        "path": "/a", "paths": ["/b"], "token": "t", "basic": { "user": "u", "password": "p" },
    });
    let running = start(options, DELIVERED).await;
    let basic = "Authorization: Basic dTpw\r\n";
    for (path, headers, status) in [
        ("/a", basic, 200),
        ("/b", basic, 200),
        ("/b", "Authorization: Bearer t\r\n", 200),
        ("/c", basic, 404),
        ("/a", "Authorization: Basic dTpx\r\n", 401),
        ("/a", "", 401),
    ] {
        let answer = ask(&running, &request("POST", path, headers, "x")).await;
        assert!(answer.starts_with(&format!("HTTP/1.1 {status}")), "{path} {headers}: {answer}");
    }
    assert_eq!(sent(&running).len(), 3);
}

#[tokio::test]
async fn bulk_requests_are_answered_item_by_item() {
    let running = start(json!({}), DELIVERED).await;
    let hello = ask(&running, &request("GET", "/", "", "")).await;
    assert!(hello.to_lowercase().contains("x-elastic-product: elasticsearch"), "{hello}");
    let body = "{\"index\":{\"_index\":\"a\"}}\n{\"n\":1}\n{\"create\":{}}\n{oops\n{\"index\":{}}\n{\"n\":2}\n";
    let answer = ask(&running, &request("POST", "/logs/_bulk", "", body)).await;
    let (head, answer) = answer.split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with("HTTP/1.1 200"), "{head}");
    assert!(head.to_lowercase().contains("x-elastic-product: elasticsearch"), "{head}");
    let answer: Value = serde_json::from_str(answer).unwrap();
    assert_eq!(answer["errors"], true);
    let status_of = |item: &Value| {
        item.as_object().unwrap().values().next().unwrap()["status"].as_u64().unwrap()
    };
    let statuses: Vec<u64> = answer["items"].as_array().unwrap().iter().map(status_of).collect();
    assert_eq!(statuses, [201, 400, 201]);
    assert_eq!(running.captured.events(Port::MAIN), [json!({ "n": 1 }), json!({ "n": 2 })]);
    assert_eq!(running.captured.events(Port::DEAD_LETTER)[0]["message"], "{oops");
    let answer =
        ask(&running, &request("POST", "/_bulk", "", "{\"delete\":{\"_id\":\"1\"}}\n")).await;
    assert!(answer.starts_with("HTTP/1.1 400") && answer.contains("line 1"), "{answer}");
}

/// The documented formats of Fluent Bit's output `http` and of Vector's sink `http`.
#[tokio::test]
async fn what_fluent_bit_and_vector_send_is_taken() {
    let running = start(json!({}), DELIVERED).await;
    let cases = [
        (
            "application/json",
            "[{\"date\":1700000000.5,\"log\":\"a\"},{\"date\":1700000001.5,\"log\":\"b\"}]",
            2,
        ),
        (
            "application/x-ndjson",
            "{\"date\":1700000000.5,\"log\":\"a\"}\n{\"date\":1700000001.5,\"log\":\"b\"}\n",
            2,
        ),
        ("application/json", "[{\"message\":\"a\",\"timestamp\":\"2025-01-01T00:00:00Z\"}]", 1),
        ("text/plain", "a\nb\nc", 3),
    ];
    for (content_type, body, count) in cases {
        let headers = format!("Content-Type: {content_type}\r\n");
        let answer = ask(&running, &request("POST", "/", &headers, body)).await;
        assert!(
            answer.contains(&format!("{{\"events\":{count},\"refused\":0}}")),
            "{body}: {answer}"
        );
    }
    let headers = "Content-Type: application/msgpack\r\n";
    let answer = ask(&running, &request("POST", "/", headers, "\u{1}")).await;
    assert!(answer.starts_with("HTTP/1.1 415") && answer.contains("json_lines"), "{answer}");
}

#[tokio::test]
async fn https_is_spoken_where_there_is_a_certificate() {
    use rustls::pki_types::ServerName;
    let directory = tempfile::tempdir().unwrap();
    let own = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    let (cert, key) = (directory.path().join("cert.pem"), directory.path().join("key.pem"));
    std::fs::write(&cert, own.cert.pem()).unwrap();
    std::fs::write(&key, own.signing_key.serialize_pem()).unwrap();
    let running = start(json!({ "tls": { "cert_file": cert, "key_file": key } }), DELIVERED).await;
    let trust = crate::tls::ClientTlsOptions { ca_file: Some(cert), ..Default::default() };
    let config = trust.load_for(&"https://localhost/".parse().unwrap()).await.unwrap().unwrap();
    let connector = tokio_rustls::TlsConnector::from(config);
    let stream = TcpStream::connect(running.address).await.unwrap();
    let name = ServerName::try_from("localhost").unwrap();
    let mut stream = connector.connect(name, stream).await.unwrap();
    stream.write_all(request("POST", "/", "", "a\nb\n").as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    let _ended = stream.read_to_end(&mut answer).await;
    let answer = String::from_utf8(answer).unwrap();
    assert!(answer.contains("\"events\":2"), "{answer}");
    // A client that does not speak it is no danger to others.
    let plain = TcpStream::connect(running.address)
        .await
        .unwrap()
        .write_all(b"GET / HTTP/1.1\r\n\r\n")
        .await;
    plain.unwrap();
}

#[tokio::test]
async fn whoever_waits_for_it_to_start_is_not_held_by_a_file_that_cannot_be_read() {
    let directory = tempfile::tempdir().unwrap();
    let cert = directory.path().join("cert.pem");
    assert!(Command::new("mkfifo").arg(&cert).status().unwrap().success());
    let tls = json!({ "cert_file": cert, "key_file": directory.path().join("key.pem") });
    let options = Options(json!({ "listen": "127.0.0.1:0", "tls": tls }));
    let mut source = build(&options).unwrap();
    let start = Captured::new(DELIVERED).start();
    let mut starting = source.start(&start);
    // Lets the file be read in the end, also if that holds up the test.
    let (look, looked) = mpsc::channel();
    let writer = std::thread::spawn(move || {
        let _looked = looked.recv_timeout(Duration::from_secs(10));
        std::fs::File::options().write(true).open(cert).unwrap();
    });
    assert!(futures::poll!(&mut starting).is_pending());
    look.send(()).unwrap();
    let error = starting.await.unwrap_err().to_string();
    assert!(error.contains("cert.pem"), "{error}");
    writer.join().unwrap();
}
