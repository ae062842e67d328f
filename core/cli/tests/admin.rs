//! The admin server of a running topology: what its routes say, that it agrees with what the run did, and
//! that no client can hold up another.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

mod support;

use std::io::{ErrorKind, Read, Write};
use std::net::TcpListener;
use std::time::Duration;

use support::Place;
use support::delivered::{self, LINES, PASSED, REFUSED, start};
use support::http::{self, component, connect, count, get, metric, request};

#[test]
fn the_ledger_agrees_with_what_the_run_did() {
    let (place, running, address) = start();
    let topology = get(address, "/topology").json();
    http::assert_ledgers_balance(&topology);
    let counts = |id| {
        let names = ["received", "created", "sent", "discarded", "dead_lettered"];
        names.map(|name| count(&topology, id, name))
    };
    assert_eq!(counts("app"), [LINES, 0, LINES, 0, 0]);
    assert_eq!(counts("parsed"), [LINES, 0, LINES - REFUSED, 0, REFUSED]);
    assert_eq!(counts("large"), [LINES - REFUSED, 0, PASSED, PASSED, 0]);
    assert_eq!(counts("out"), [PASSED, 0, PASSED, 0, 0]);
    for (id, kind, component_type) in [
        ("app", "source", "file"),
        ("parsed", "transform", "parse"),
        ("large", "transform", "filter"),
        ("out", "sink", "file"),
    ] {
        let found = component(&topology, id);
        assert_eq!(
            (&found["kind"], &found["component_type"]),
            (&kind.into(), &component_type.into())
        );
        assert_eq!(found["in_flight_events"], 0, "{found:#}");
    }
    assert_eq!(component(&topology, "large")["inputs"], serde_json::json!(["parsed"]));
    assert_eq!(component(&topology, "out")["sent_bytes"], place.read("out.ndjson").len());
    assert_eq!(place.read("out.ndjson").lines().count() as u64, PASSED);
    assert_eq!(running.stop().code(), Some(0), "{}", place.read("stderr"));
}

#[test]
fn metrics_have_the_standard_names_and_labels_and_the_counts_of_the_ledger() {
    let (_place, _running, address) = start();
    let answer = get(address, "/metrics");
    assert_eq!(answer.status, 200);
    assert!(answer.head.contains("content-type: text/plain; version=0.0.4"), "{}", answer.head);
    let samples = http::samples(&answer.body);
    let topology = get(address, "/topology").json();
    for id in ["app", "parsed", "large", "out"] {
        for (name, field) in [
            ("lograil_component_received_events_total", "received"),
            ("lograil_component_sent_events_total", "sent"),
            ("lograil_component_discarded_events_total", "discarded"),
            ("lograil_component_dead_lettered_events_total", "dead_lettered"),
        ] {
            let counted = metric(&samples, name, id);
            assert_eq!(counted, count(&topology, id, field) as f64, "{name} of {id}");
        }
    }
    let has = |name: &str| samples.iter().any(|sample| sample.name == name);
    for name in [
        "received_bytes_total",
        "sent_bytes_total",
        "buffer_bytes",
        "buffer_events",
        "busy_seconds",
    ] {
        assert!(
            has(&format!("lograil_component_{name}")),
            "{name} is missing in:\n{}",
            answer.body
        );
    }
    for sample in samples.iter().filter(|sample| sample.name.starts_with("lograil_component_")) {
        for label in ["component_id", "component_kind", "component_type"] {
            assert!(sample.labels.contains_key(label), "{sample:?}");
        }
    }
    let by_reason = samples.iter().find(|sample| sample.name.contains("discarded_events"));
    assert!(by_reason.is_some_and(|sample| sample.labels.contains_key("reason")), "{by_reason:?}");
}

#[test]
fn health_and_readiness_are_answered() {
    let (_place, _running, address) = start();
    let health = get(address, "/health");
    assert_eq!((health.status, &health.json()["status"]), (200, &"ok".into()));
    let ready = get(address, "/ready");
    assert_eq!((ready.status, &ready.json()["status"]), (200, &"ready".into()));
}

#[test]
fn the_running_configuration_is_shown_as_it_was_understood() {
    let (_place, _running, address) = start();
    let config = get(address, "/config").json();
    assert_eq!(config["transforms"]["large"]["condition"], ".n >= 500", "{config:#}");
    assert_eq!(config["sinks"]["out"]["inputs"], serde_json::json!(["large"]), "{config:#}");
    assert_eq!(config["shutdown_timeout"], 60.0, "a default that no file names: {config:#}");
    let data_dir = config["data_dir"].as_str().unwrap();
    assert!(std::path::Path::new(data_dir).is_absolute(), "{config:#}");
}

#[test]
fn a_page_of_another_site_is_refused() {
    let (_place, _running, address) = start();
    let port = address.port();
    let ask = |host: &str| {
        request(
            address,
            &format!("GET /topology HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n"),
        )
    };
    for host in ["evil.example", &format!("evil.example:{port}"), "localhost.evil.example"] {
        let answer = ask(host);
        assert_eq!(answer.status, 403, "{host}");
        assert_eq!(answer.json()["status"], 403);
        assert!(!answer.body.contains("components"), "{}", answer.body);
    }
    for host in ["localhost", &format!("localhost:{port}"), &format!("127.0.0.1:{port}"), "[::1]"] {
        assert_eq!(ask(host).status, 200, "{host}");
    }
}

#[test]
fn an_unknown_path_says_what_there_is() {
    let (_place, _running, address) = start();
    for path in ["/ui", "/metric", "/topology/app", "/%2e%2e/etc/passwd"] {
        let answer = get(address, path);
        assert_eq!(answer.status, 404, "{path}");
        let problem = answer.json();
        assert_eq!(problem["status"], 404);
        assert!(problem["detail"].as_str().unwrap().contains("/metrics"), "{problem}");
    }
}

#[test]
fn a_request_it_cannot_read_harms_nobody() {
    let (_place, _running, address) = start();
    let post = "POST /health HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
    assert_eq!(request(address, post).status, 405);
    let endless =
        format!("GET /health HTTP/1.1\r\nHost: localhost\r\nX: {}\r\n\r\n", "x".repeat(1 << 20));
    let mut stream = connect(address);
    // The server may hang up before it has taken everything.
    let _sent = stream.write_all(endless.as_bytes());
    let received = http::read_to_end(&mut stream);
    assert!(!received.windows(6).any(|window| window == b"200 OK"), "a head of 1 MiB was taken");
    let mut stream = connect(address);
    stream.write_all(b"\x16\x03\x01\x00\xffnot http\r\n\r\n").unwrap();
    assert!(!http::read_to_end(&mut stream).windows(6).any(|window| window == b"200 OK"));
    assert_eq!(get(address, "/health").status, 200);
}

#[test]
fn one_connection_carries_many_requests() {
    let (_place, _running, address) = start();
    let mut stream = connect(address);
    for _ in 0..100 {
        stream.write_all(b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap();
        let mut received = Vec::new();
        let mut byte = [0];
        while !received.ends_with(b"}") {
            stream.read_exact(&mut byte).unwrap();
            received.push(byte[0]);
        }
        assert_eq!(http::response(&received).status, 200);
    }
}

/// A client in the middle of its request: others are served meanwhile, and it is served when it goes on.
#[test]
fn a_slow_client_holds_up_nobody() {
    let (_place, _running, address) = start();
    let text = b"GET /health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    let mut slow: Vec<_> = (0..8).map(|_| connect(address)).collect();
    for byte in &text[..text.len() / 2] {
        for stream in &mut slow {
            stream.write_all(std::slice::from_ref(byte)).unwrap();
        }
        assert_eq!(get(address, "/ready").status, 200);
    }
    for mut stream in slow {
        stream.write_all(&text[text.len() / 2..]).unwrap();
        assert_eq!(http::response(&http::read_to_end(&mut stream)).status, 200);
    }
}

/// More clients that say nothing than the server serves at a time: they are cut off, and others get through.
#[test]
fn silent_clients_are_cut_off() {
    let (_place, _running, address) = start();
    let mut silent: Vec<_> = (0..70).map(|_| connect(address)).collect();
    for (client, stream) in silent.iter_mut().enumerate() {
        stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
        stream.write_all([&b""[..], b"P", b"GET /hea"][client % 3]).unwrap();
    }
    assert_eq!(get(address, "/health").status, 200);
    // The first half was cut off so that the request above could be taken.
    for stream in &mut silent[..30] {
        let end = stream.read(&mut [0; 512]);
        assert!(!end.is_err_and(|error| error.kind() == ErrorKind::WouldBlock), "still connected");
    }
}

#[test]
fn many_clients_at_once_are_all_answered() {
    let (_place, _running, address) = start();
    let clients: Vec<_> = (0..100)
        .map(|client| {
            std::thread::spawn(move || {
                for round in 0..5 {
                    let path = ["/metrics", "/topology", "/health"][(client + round) % 3];
                    assert_eq!(get(address, path).status, 200);
                }
            })
        })
        .collect();
    for client in clients {
        client.join().unwrap();
    }
}

#[test]
fn an_address_in_use_is_named_and_nothing_runs() {
    let place = Place::new();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    place.write("app.log", delivered::input());
    place.write("t.toml", delivered::TOPOLOGY.replace("127.0.0.1:0", &address));
    let ran = place.run(&["run", "t.toml"]);
    assert_eq!(ran.code(), 1, "{}", ran.stderr());
    assert!(ran.stderr().contains(&address), "{}", ran.stderr());
}
