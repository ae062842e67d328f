//! Both sides over loopback: a peer that comes and goes, clients that are slow.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use futures::{SinkExt, StreamExt};
use lograil_plugin::{ComponentMetrics, ConfigErrors, SystemClock};
use lograil_testkit::{SimFiles, batch_of_json, conformance};
use serde_json::json;
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{WebSocketStream, accept_async, client_async};

use super::*;

fn built(options: Value) -> Result<Box<dyn Sink>, ConfigErrors> {
    build(&Options(options))
}

fn context(metrics: &ComponentMetrics) -> SinkContext {
    SinkContext {
        id: "out".into(),
        clock: Arc::new(SystemClock::default()),
        files: SimFiles::new().shared(),
        state: None,
        upstream_replays: true,
        must_keep: false,
        base_dir: "/".into(),
        metrics: metrics.clone(),
    }
}

fn numbers(range: std::ops::Range<u64>) -> Batch {
    let events: Vec<Value> = range.map(|n| json!({ "n": n })).collect();
    batch_of_json(&events)
}

/// The messages that come, as JSON, until there are `count`.
async fn receive(socket: &mut WebSocketStream<TcpStream>, count: usize) -> Vec<Value> {
    let mut all = Vec::new();
    while all.len() < count {
        match socket.next().await.unwrap().unwrap() {
            Message::Text(text) => all.push(serde_json::from_str(&text).unwrap()),
            Message::Ping(_) => {}
            other => panic!("{other:?}"),
        }
    }
    all
}

#[test]
fn obeys_the_laws_of_a_sink() {
    conformance::manual(&SPEC);
    let options = json!({ "listen": "127.0.0.1:0" });
    conformance::sink(&SPEC, &options, &SimFiles::new().shared(), "/");
}

#[test]
fn mistakes_in_the_options_are_named() {
    let cases = [
        (json!({}), "url"),
        (json!({ "url": "ws://a/", "listen": "127.0.0.1:1" }), "url"),
        (json!({ "url": "http://a/" }), "url"),
        (json!({ "url": "ws://a/", "path": "/x" }), "url"),
        (json!({ "url": "ws://a/", "encoding": { "format": "x" } }), "encoding"),
        (json!({ "listen": "0.0.0.0:9002" }), "listen"),
        (json!({ "listen": "127.0.0.1:0", "subprotocol": "x" }), "listen"),
        (json!({ "url": "ws://a/", "subprotocol": "a b" }), "subprotocol"),
        (json!({ "listen": "127.0.0.1:0", "max_queue_bytes": 1 }), "max_queue_bytes"),
        (json!({ "listen": "127.0.0.1:0", "ping_timeout": 0 }), "ping_timeout"),
    ];
    for (options, path) in cases {
        let refused = built(options.clone()).err();
        let ConfigErrors(errors) = refused.unwrap_or_else(|| panic!("{options} is refused"));
        assert!(errors.iter().any(|error| error.path[0] == path), "{options}: {errors:?}");
    }
}

#[tokio::test]
async fn a_client_sends_again_what_a_peer_that_went_away_has_not_confirmed() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("ws://{}/", listener.local_addr().unwrap());
    let metrics = ComponentMetrics::detached();
    let mut sink = built(json!({ "url": url, "token": "t" })).unwrap();
    sink.open(context(&metrics)).await.unwrap();
    let peer = tokio::spawn(async move {
        let accept = async || accept_async(listener.accept().await.unwrap().0).await.unwrap();
        let mut first = accept().await;
        assert_eq!(receive(&mut first, 3).await.len(), 3);
        // Reading on answers the ping of the first commit.
        assert_eq!(receive(&mut first, 2).await, [json!({ "n": 3 }), json!({ "n": 4 })]);
        // It has read them, and goes before it confirms.
        drop(first);
        let mut second = accept().await;
        let all = receive(&mut second, 3).await;
        let goodbye = loop {
            match second.next().await {
                Some(Ok(Message::Close(frame))) => break frame,
                Some(Ok(_)) => {}
                other => panic!("{other:?}"),
            }
        };
        (all, goodbye)
    });
    assert_eq!(sink.write(&numbers(0..3)).await.unwrap().rejected, []);
    sink.commit().await.unwrap();
    sink.write(&numbers(3..5)).await.unwrap();
    while let Err(error) = sink.commit().await {
        assert!(matches!(error, SinkError::Retry { .. }), "{error}");
    }
    sink.write(&numbers(5..6)).await.unwrap();
    sink.commit().await.unwrap();
    sink.close().await.unwrap();
    let (all, goodbye) = peer.await.unwrap();
    assert_eq!(all, [json!({ "n": 3 }), json!({ "n": 4 }), json!({ "n": 5 })]);
    assert_eq!(u16::from(goodbye.unwrap().code), 1000);
}

#[tokio::test]
async fn a_peer_that_vanished_is_noticed_and_a_write_is_tried_again() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("ws://{}/", listener.local_addr().unwrap());
    let mut sink = built(json!({ "url": url, "ping_timeout": "100ms" })).unwrap();
    sink.open(context(&ComponentMetrics::detached())).await.unwrap();
    let accepting = tokio::spawn(async move {
        let vanished = accept_async(listener.accept().await.unwrap().0).await.unwrap();
        let mut socket = accept_async(listener.accept().await.unwrap().0).await.unwrap();
        let all = receive(&mut socket, 2).await;
        // Answers the ping.
        assert!(matches!(socket.next().await, Some(Ok(Message::Ping(_)))));
        socket.flush().await.unwrap();
        drop(vanished);
        (socket, all)
    });
    sink.write(&numbers(0..2)).await.unwrap();
    assert!(matches!(sink.commit().await, Err(SinkError::Retry { .. })));
    while sink.commit().await.is_err() {}
    assert_eq!(accepting.await.unwrap().1.len(), 2);
}

/// A server, and its address.
async fn server(options: Value, metrics: &ComponentMetrics) -> (Box<dyn Sink>, SocketAddr) {
    // The sink tells its port to people only; a port that was free a moment ago is most likely still free.
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let mut options = options;
    options["listen"] = json!(free.to_string());
    let mut sink = built(options).unwrap();
    sink.open(context(metrics)).await.unwrap();
    (sink, free)
}

async fn client(address: SocketAddr, query: &str) -> Result<WebSocketStream<TcpStream>, Error> {
    let stream = TcpStream::connect(address).await.unwrap();
    client_async(format!("ws://{address}/{query}"), stream).await.map(|(socket, _)| socket)
}

async fn until_open(metrics: &ComponentMetrics, count: i64) {
    let gauge = metrics.gauge("open_connections", "Connections that are open.");
    while gauge.get() != count {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

#[tokio::test]
async fn a_server_gives_every_client_the_events_it_asks_for() {
    let metrics = ComponentMetrics::detached();
    let (mut sink, address) = server(json!({}), &metrics).await;
    let mut all = client(address, "").await.unwrap();
    let mut errors = client(address, "?level=ERROR,WARN").await.unwrap();
    let mut one = client(address, "?level=ERROR&service=my%20shop").await.unwrap();
    let Err(Error::Http(refused)) = client(address, "?user=ann").await else {
        panic!("is refused")
    };
    assert_eq!(refused.status(), 400);
    until_open(&metrics, 3).await;
    let events = [
        json!({ "n": 0, "level": "INFO", "service": "my shop" }),
        json!({ "n": 1, "level": "WARN", "service": "my shop" }),
        json!({ "n": 2, "level": "ERROR" }),
        json!({ "n": 3, "level": "ERROR", "service": "my shop" }),
    ];
    sink.write(&batch_of_json(&events)).await.unwrap();
    assert_eq!(receive(&mut all, 4).await, events);
    assert_eq!(receive(&mut errors, 3).await, events[1..]);
    assert_eq!(receive(&mut one, 1).await, events[3..]);
    sink.close().await.unwrap();
    assert!(matches!(all.next().await, Some(Ok(Message::Close(Some(_))))));
}

#[tokio::test]
async fn a_client_that_is_behind_by_many_small_batches_misses_none_of_them() {
    let metrics = ComponentMetrics::detached();
    let (mut sink, address) = server(json!({ "max_queue_bytes": "8 MiB" }), &metrics).await;
    let mut slow = client(address, "").await.unwrap();
    until_open(&metrics, 1).await;
    // All before the client's task has a turn.
    for n in 0..5000 {
        sink.write(&numbers(n..n + 1)).await.unwrap();
    }
    let numbers: Vec<u64> =
        receive(&mut slow, 5000).await.iter().map(|event| event["n"].as_u64().unwrap()).collect();
    assert_eq!(numbers, (0..5000).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_slow_client_misses_events_that_are_counted_and_holds_up_nobody() {
    for (slow_clients, is_kept) in [("skip", true), ("close", false)] {
        let metrics = ComponentMetrics::detached();
        let options = json!({ "max_queue_bytes": "128 KiB", "slow_clients": slow_clients });
        let (mut sink, address) = server(options, &metrics).await;
        let mut slow = client(address, "").await.unwrap();
        until_open(&metrics, 1).await;
        // More than the ring and the system's buffers hold; the slow client reads nothing meanwhile.
        let big = "x".repeat(1000);
        let (batches, size) = (400, 100);
        for batch in 0..batches {
            let first = batch * size;
            let events: Vec<Value> =
                (first..first + size).map(|n| json!({ "n": n, "big": big })).collect();
            sink.write(&batch_of_json(&events)).await.unwrap();
            tokio::task::yield_now().await;
        }
        let skipped =
            metrics.counter("skipped_events", "Events that clients missed because they were slow.");
        let behind = metrics.counter("slow_clients", "Clients that were too far behind.");
        let reading = tokio::spawn(async move {
            let mut numbers = Vec::new();
            while let Some(Ok(message)) = slow.next().await {
                if let Message::Text(text) = message {
                    let event: Value = serde_json::from_str(&text).unwrap();
                    numbers.push(event["n"].as_u64().unwrap());
                }
            }
            numbers
        });
        sink.close().await.unwrap();
        let numbers = reading.await.unwrap();
        assert!(behind.get() > 0);
        assert!(numbers.is_sorted());
        let last = numbers.last().map_or(0, |last| last + 1);
        if is_kept {
            assert_eq!(numbers.len() as u64 + skipped.get(), last, "the rest is counted");
        } else {
            assert_eq!(numbers.len() as u64, last, "no gap before it is closed");
        }
    }
}
