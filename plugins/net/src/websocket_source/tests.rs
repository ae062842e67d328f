//! Real websockets over loopback, and peers that misbehave.

use std::net::SocketAddr;
use std::time::Duration;

use futures::{SinkExt, StreamExt};
use lograil_event::AckStatus;
use lograil_plugin::{ConfigErrors, Options, Port};
use lograil_testkit::{ManualClock, SimFiles, conformance};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::handshake::server::{Request, Response};
use tokio_tungstenite::{WebSocketStream, accept_async, accept_hdr_async, client_async};

use super::*;
use crate::captured::Captured;

fn settings(options: Value) -> Result<Settings, ConfigErrors> {
    Options(options).parse::<WebsocketOptions>()?.resolve()
}

/// Starts the source; its address if it listens.
async fn start(options: Value) -> (Captured, Option<SocketAddr>) {
    let settings = settings(options).unwrap();
    let captured = Captured::new(Some(AckStatus::Delivered));
    let start = captured.start();
    let work = prepare(&settings, &start).await.unwrap();
    let context = captured.run_with(start);
    let address = match &work {
        Work::Serve(listener, ..) => Some(listener.local_addr().unwrap()),
        Work::Connect(..) => None,
    };
    tokio::spawn(run_on(work, settings, context));
    (captured, address)
}

/// A listener, and the address of a websocket at it.
async fn listener() -> (TcpListener, String) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("ws://{}/logs", listener.local_addr().unwrap());
    (listener, url)
}

async fn accepted(listener: &TcpListener) -> WebSocketStream<TcpStream> {
    accept_async(listener.accept().await.unwrap().0).await.unwrap()
}

/// A peer that answers the handshake and is then in the test's hands.
async fn shaken_hands(listener: &TcpListener) -> TcpStream {
    let mut stream = listener.accept().await.unwrap().0;
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.unwrap());
    }
    let head = String::from_utf8(head).unwrap();
    let (_, key) = head.split_once("Sec-WebSocket-Key: ").unwrap();
    let accept = derive_accept_key(key.lines().next().unwrap().trim().as_bytes());
    let answer = format!(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Accept: {accept}\r\n\r\n"
    );
    stream.write_all(answer.as_bytes()).await.unwrap();
    stream
}

async fn messages(captured: &Captured, count: usize) -> Vec<Value> {
    let events = captured.wait_for(Port::MAIN, count).await;
    events.iter().map(|event| event["n"].clone()).collect()
}

#[test]
fn obeys_the_laws_of_a_source() {
    conformance::manual(&SPEC);
    let files = SimFiles::new().shared();
    conformance::source(&SPEC, &json!({ "listen": "127.0.0.1:0" }), &files);
    // Nobody listens there: it tries again and again.
    conformance::source(&SPEC, &json!({ "url": "ws://127.0.0.1:1/" }), &files);
}

#[test]
fn mistakes_in_the_options_are_named() {
    let cases = [
        (json!({}), "url"),
        (json!({ "url": "ws://a/", "listen": "127.0.0.1:1" }), "url"),
        (json!({ "url": "http://a/" }), "url"),
        (json!({ "url": "ws://a/", "path": "/x" }), "url"),
        (json!({ "url": "ws://a/", "headers": { "a b": "c" } }), "headers"),
        (json!({ "url": "ws://a/", "subprotocol": "a b" }), "subprotocol"),
        (json!({ "listen": "0.0.0.0:9001" }), "listen"),
        (json!({ "listen": "127.0.0.1:0", "send_on_connect": "x" }), "listen"),
        (json!({ "listen": "127.0.0.1:0", "path": "x" }), "path"),
        (json!({ "listen": "127.0.0.1:0", "max_frame_bytes": 0 }), "max_frame_bytes"),
        (json!({ "listen": "127.0.0.1:0", "ping_interval": 0 }), "ping_interval"),
        (json!({ "listen": "127.0.0.1:0", "max_connections": 0 }), "max_connections"),
    ];
    for (options, path) in cases {
        let refused = settings(options.clone()).err();
        let ConfigErrors(errors) = refused.unwrap_or_else(|| panic!("{options} is refused"));
        assert!(errors.iter().any(|error| error.path[0] == path), "{options}: {errors:?}");
    }
    assert_eq!((SPEC.claims)(&json!({ "listen": "127.0.0.1:9001" })), ["tcp 127.0.0.1:9001"]);
    assert!((SPEC.claims)(&json!({ "url": "ws://a/" })).is_empty());
}

#[tokio::test]
async fn a_client_says_what_it_is_told_to_and_takes_one_or_many_events_a_message() {
    let (listener, url) = listener().await;
    let (captured, _) = start(json!({
        "url": url, "token": "t", "headers": { "X-Tenant": "a" }, "subprotocol": "logs.v1",
        "send_on_connect": "subscribe",
    }))
    .await;
    let stream = listener.accept().await.unwrap().0;
    #[expect(clippy::result_large_err, reason = "the library's signature")]
    let check = |request: &Request, mut answer: Response| {
        assert_eq!(request.headers()["authorization"], "Bearer t");
        assert_eq!(request.headers()["x-tenant"], "a");
        let name = request.headers()["sec-websocket-protocol"].clone();
        assert_eq!(name, "logs.v1");
        answer.headers_mut().insert("sec-websocket-protocol", name);
        Ok(answer)
    };
    let mut socket = accept_hdr_async(stream, check).await.unwrap();
    assert_eq!(socket.next().await.unwrap().unwrap(), Message::text("subscribe"));
    socket.send(Message::text("{\"n\":1}")).await.unwrap();
    socket.send(Message::binary(&b"{\"n\":2}\n{\"n\":3}\n"[..])).await.unwrap();
    socket.send(Message::text("[{\"n\":4},{\"n\":5}]")).await.unwrap();
    assert_eq!(messages(&captured, 5).await, [1, 2, 3, 4, 5]);
    socket.send(Message::text("plain text")).await.unwrap();
    socket.send(Message::text("{\"n\":")).await.unwrap();
    socket.send(Message::text("[{\"n\":6},")).await.unwrap();
    assert_eq!(captured.wait_for(Port::MAIN, 6).await[5], json!({ "message": "plain text" }));
    let letters = captured.wait_for(Port::DEAD_LETTER, 2).await;
    assert_eq!(letters[0]["message"], "{\"n\":");
    assert_eq!(letters[1]["message"], "[{\"n\":6},");
    captured.trigger.request();
    let Some(Ok(Message::Close(Some(frame)))) = socket.next().await else { panic!("a goodbye") };
    assert_eq!(u16::from(frame.code), 1001);
}

#[tokio::test]
async fn a_client_connects_again_however_a_connection_ends() {
    let (listener, url) = listener().await;
    let (captured, _) = start(json!({ "url": url })).await;
    // Closed before the handshake, refused, broken off, said goodbye to.
    drop(listener.accept().await.unwrap());
    let mut refused = listener.accept().await.unwrap().0;
    refused.write_all(b"HTTP/1.1 503 No\r\nContent-Length: 0\r\n\r\n").await.unwrap();
    drop(refused);
    let mut socket = accepted(&listener).await;
    socket.send(Message::text("{\"n\":1}")).await.unwrap();
    messages(&captured, 1).await;
    drop(socket);
    let mut socket = accepted(&listener).await;
    socket.send(Message::text("{\"n\":2}")).await.unwrap();
    socket.close(None).await.unwrap();
    let mut socket = accepted(&listener).await;
    socket.send(Message::text("{\"n\":3}")).await.unwrap();
    assert_eq!(messages(&captured, 3).await, [1, 2, 3]);
}

#[tokio::test]
async fn a_peer_that_vanished_without_closing_is_noticed_and_one_that_answers_is_kept() {
    let (listener, url) = listener().await;
    let options = json!({ "url": url, "ping_interval": "30ms", "ping_timeout": "60ms" });
    let (captured, _) = start(options).await;
    // It stays open and says nothing more, not even to pings.
    let _vanished = shaken_hands(&listener).await;
    let mut socket = accepted(&listener).await;
    // Reading answers pings.
    let answering = async {
        for _ in 0..5 {
            assert!(matches!(socket.next().await, Some(Ok(Message::Ping(_)))));
        }
        socket.send(Message::text("{\"n\":1}")).await.unwrap();
        socket
    };
    let answered = tokio::time::timeout(Duration::from_secs(60), answering).await;
    assert_eq!(messages(&captured, 1).await, [1]);
    drop(answered);
}

#[tokio::test]
async fn frames_that_claim_gigabytes_and_messages_over_the_limit_end_the_connection() {
    let (listener, url) = listener().await;
    let (captured, _) = start(json!({ "url": url, "max_message_bytes": 100 })).await;
    // A text frame of 2 GiB.
    let mut stream = shaken_hands(&listener).await;
    stream.write_all(&[0x81, 127, 0, 0, 0, 0, 0x80, 0, 0, 0]).await.unwrap();
    stream.write_all(&[b'x'; 1000]).await.unwrap();
    // Frames that are small, of a message that is not.
    let mut stream = shaken_hands(&listener).await;
    stream.write_all(&[0x01, 60]).await.unwrap();
    stream.write_all(&[b'x'; 60]).await.unwrap();
    stream.write_all(&[0x80, 60]).await.unwrap();
    stream.write_all(&[b'x'; 60]).await.unwrap();
    // Bits that mean nothing.
    let mut stream = shaken_hands(&listener).await;
    stream.write_all(&[0xF1, 1, b'x']).await.unwrap();
    let mut socket = accepted(&listener).await;
    socket.send(Message::text("{\"n\":1}")).await.unwrap();
    assert_eq!(messages(&captured, 1).await, [1]);
}

#[tokio::test]
async fn a_peer_is_told_what_it_did_wrong() {
    let frames: [(u16, &[u8]); 3] = [
        (1002, &[0xF1, 1, b'x']),
        (1007, &[0x81, 1, 0xFF]),
        (1009, &[0x81, 127, 0, 0, 0, 0, 0x80, 0, 0, 0]),
    ];
    let (listener, url) = listener().await;
    let (_captured, _) = start(json!({ "url": url })).await;
    for (code, frame) in frames {
        let mut stream = shaken_hands(&listener).await;
        stream.write_all(frame).await.unwrap();
        let mut close = [0; 8];
        stream.read_exact(&mut close).await.unwrap();
        assert_eq!(close[0], 0x88);
        // Masked by the four bytes behind the length.
        assert_eq!(u16::from_be_bytes([close[6] ^ close[2], close[7] ^ close[3]]), code);
    }
}

#[tokio::test]
async fn a_server_that_greets_and_sends_away_is_asked_less_and_less_often() {
    let (listener, url) = listener().await;
    let settings = settings(json!({ "url": url })).unwrap();
    let captured = Captured::new(Some(AckStatus::Delivered));
    let clock = ManualClock::new();
    let start = SourceStart { clock: clock.clone().shared(), ..captured.start() };
    let work = prepare(&settings, &start).await.unwrap();
    tokio::spawn(run_on(work, settings, captured.run_with(start)));
    for count in 1..=3 {
        let mut socket = loop {
            tokio::select! {
                socket = accepted(&listener) => break socket,
                () = tokio::time::sleep(Duration::from_millis(1)) => {
                    clock.advance(Duration::from_millis(100));
                }
            }
        };
        socket.send(Message::text("{\"n\":1}")).await.unwrap();
        messages(&captured, count).await;
    }
    // Its third wait is at least 0.2 s; one that had begun anew would be at most 0.1 s.
    tokio::time::sleep(Duration::from_millis(50)).await;
    clock.advance(Duration::from_millis(100));
    let early = tokio::time::timeout(Duration::from_millis(100), listener.accept()).await;
    assert!(early.is_err(), "it came too early");
}

#[test]
fn a_peer_that_goes_without_a_word_has_broken_nothing() {
    use tokio_tungstenite::tungstenite::{Error, error::ProtocolError};
    let gone = Error::Protocol(ProtocolError::ResetWithoutClosingHandshake);
    assert!(matches!(websocket::End::from(gone), websocket::End::Closed(_)));
}

#[tokio::test]
async fn a_server_takes_clients_that_have_the_token_and_no_web_pages() {
    let options = json!({ "listen": "127.0.0.1:0", "token": "t", "path": "/logs" });
    let (captured, address) = start(options).await;
    let address = address.unwrap();
    let connect = async |path: &str, headers: &[(&'static str, &str)]| {
        let request = ClientRequest(format!("ws://{address}{path}"), headers);
        client_async(request.build(), TcpStream::connect(address).await.unwrap()).await
    };
    let token = ("authorization", "Bearer t");
    assert!(connect("/logs", &[]).await.is_err());
    assert!(connect("/logs", &[("authorization", "Bearer T")]).await.is_err());
    assert!(connect("/", &[token]).await.is_err());
    assert!(connect("/logs", &[token, ("origin", "http://a")]).await.is_err());
    let (mut socket, _) = connect("/logs", &[token]).await.unwrap();
    socket.send(Message::text("{\"n\":1}")).await.unwrap();
    assert_eq!(messages(&captured, 1).await, [1]);
    // Without an upgrade the client is told what this is.
    let mut stream = TcpStream::connect(address).await.unwrap();
    let plain =
        "GET /logs HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer t\r\nConnection: close\r\n\r\n";
    stream.write_all(plain.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 426"), "{answer}");
}

struct ClientRequest<'a>(String, &'a [(&'static str, &'a str)]);

impl ClientRequest<'_> {
    fn build(&self) -> tokio_tungstenite::tungstenite::http::Request<()> {
        use tokio_tungstenite::tungstenite::client::IntoClientRequest;
        let mut request = self.0.as_str().into_client_request().unwrap();
        for (name, value) in self.1 {
            request.headers_mut().insert(*name, value.parse().unwrap());
        }
        request
    }
}

#[tokio::test]
async fn a_hundred_thousand_headers_are_refused_by_the_server_and_by_the_client() {
    let (captured, address) = start(json!({ "listen": "127.0.0.1:0" })).await;
    let mut stream = TcpStream::connect(address.unwrap()).await.unwrap();
    let headers = "a: b\r\n".repeat(100_000);
    let request = format!("GET / HTTP/1.1\r\nHost: a\r\n{headers}\r\n");
    // It may be refused before all of it is written.
    let _written = stream.write_all(request.as_bytes()).await;
    let mut answer = Vec::new();
    let _ended = stream.read_to_end(&mut answer).await;
    assert!(answer.is_empty() || answer.starts_with(b"HTTP/1.1 4"), "{answer:?}");
    drop(captured);

    let (listener, url) = listener().await;
    let (captured, _) = start(json!({ "url": url })).await;
    let mut stream = listener.accept().await.unwrap().0;
    let answer = format!("HTTP/1.1 101 Switching Protocols\r\n{headers}\r\n");
    let _written = stream.write_all(answer.as_bytes()).await;
    drop(stream);
    let mut socket = accepted(&listener).await;
    socket.send(Message::text("{\"n\":1}")).await.unwrap();
    assert_eq!(messages(&captured, 1).await, [1]);
}
