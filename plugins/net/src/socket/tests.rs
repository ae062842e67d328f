//! Real sockets over loopback and in a directory.

use std::net::SocketAddr;
use std::time::Duration;

use lograil_event::AckStatus;
use lograil_plugin::{ComponentMetrics, ConfigErrors, Options, Port};
use lograil_testkit::{SimFiles, conformance};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpStream, UdpSocket, UnixDatagram, UnixStream};
use tokio::task::JoinHandle;

use super::options::{Address, Settings};
use super::{DEFAULTS, SPEC, Socket, run_on};
use crate::captured::Captured;
use crate::server_tls::ServerTls;
use crate::syslog;

struct Running {
    address: Address,
    captured: Captured,
    metrics: ComponentMetrics,
    running: JoinHandle<()>,
}

impl Running {
    async fn start(options: Value) -> Self {
        Self::with(Settings::new(&Options(options), &DEFAULTS).unwrap()).await
    }

    async fn with(settings: Settings) -> Self {
        let (socket, file, address) = Socket::bind(&settings.address).await.unwrap();
        let captured = Captured::new(Some(AckStatus::Delivered));
        let start = captured.start();
        let metrics = start.metrics.clone();
        let context = captured.run_with(start.clone());
        let running = tokio::spawn(async move {
            let _file = file;
            let tls = ServerTls::of_source(settings.tls.as_ref(), &start).await.unwrap();
            run_on(socket, tls, settings, context).await;
        });
        Self { address, captured, metrics, running }
    }

    fn at(&self) -> SocketAddr {
        match self.address {
            Address::Tcp(address) | Address::Udp(address) => address,
            _ => panic!("no IP address"),
        }
    }

    async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.at()).await.unwrap()
    }

    async fn messages(&self, count: usize) -> Vec<String> {
        let events = self.captured.wait_for(Port::MAIN, count).await;
        events.iter().map(|event| event["message"].as_str().unwrap().to_owned()).collect()
    }

    async fn stop(self) -> Vec<Value> {
        self.captured.trigger.request();
        self.running.await.unwrap();
        self.captured.events(Port::MAIN)
    }

    fn dropped_by(&self, reason: &'static str) -> u64 {
        let help = "UDP datagrams that had no room.";
        self.metrics.counter_by("dropped_datagrams", help, ("reason", reason)).get()
    }

    fn dropped_full(&self) -> u64 {
        self.dropped_by("max_pending_bytes")
    }

    fn dropped(&self) -> u64 {
        self.dropped_full() + self.dropped_by("system")
    }
}

fn tcp(mut options: Value) -> Value {
    options["mode"] = json!("tcp");
    options["listen"] = json!("127.0.0.1:0");
    options
}

#[test]
fn obeys_the_laws_of_a_source() {
    for spec in [&SPEC, &syslog::SPEC] {
        conformance::manual(spec);
        conformance::source(spec, &tcp(json!({})), &SimFiles::new().shared());
        let udp = json!({ "mode": "udp", "listen": "127.0.0.1:0" });
        conformance::source(spec, &udp, &SimFiles::new().shared());
    }
}

#[test]
fn mistakes_in_the_options_are_named() {
    let cases = [
        (json!({ "mode": "tcp", "listen": "0.0.0.0:9000" }), "listen"),
        (json!({ "mode": "tcp", "listen": "localhost:9000" }), "listen"),
        (json!({ "mode": "tcp", "path": "/tmp/x" }), "path"),
        (json!({ "mode": "unix_stream" }), "path"),
        (json!({ "mode": "unix_stream", "path": "/tmp/x", "listen": "127.0.0.1:1" }), "listen"),
        (json!({ "mode": "unix_datagram", "path": "/tmp/x", "file_mode": "rw" }), "file_mode"),
        (json!({ "mode": "udp", "framing": "octet_counting" }), "framing"),
        (json!({ "mode": "tcp", "timezone": "UTC" }), "timezone"),
        (json!({ "mode": "tcp", "format": "syslog", "timezone": "Mars" }), "timezone"),
        (json!({ "mode": "tcp", "max_message_bytes": 0 }), "max_message_bytes"),
        (json!({ "mode": "tcp", "max_pending_bytes": 5 }), "max_pending_bytes"),
        (json!({ "mode": "tcp", "max_connections": 0 }), "max_connections"),
        (json!({ "mode": "udp", "tls": { "cert_file": "a", "key_file": "b" } }), "tls"),
    ];
    for (options, path) in cases {
        let refused = Settings::new(&Options(options.clone()), &DEFAULTS).err();
        let ConfigErrors(errors) = refused.unwrap_or_else(|| panic!("{options} is refused"));
        assert!(errors.iter().any(|error| error.path == [path]), "{options}: {errors:?}");
    }
    let exposed = json!({ "mode": "tcp", "listen": "0.0.0.0:9000", "expose": true });
    assert!(Settings::new(&Options(exposed), &DEFAULTS).is_ok());
    assert_eq!((SPEC.claims)(&json!({ "mode": "udp" })), ["udp 127.0.0.1:9000"]);
    assert_eq!((syslog::SPEC.claims)(&json!({ "mode": "tcp" })), ["tcp 127.0.0.1:5514"]);
}

#[tokio::test]
async fn lines_by_tcp_are_events_with_their_sender() {
    let running = Running::start(tcp(json!({ "port_key": "port" }))).await;
    let mut stream = running.connect().await;
    stream.write_all(b"one\r\nt").await.unwrap();
    running.messages(1).await;
    stream.write_all(b"wo\nthe last has no end").await.unwrap();
    let port = stream.local_addr().unwrap().port();
    drop(stream);
    let events = running.captured.wait_for(Port::MAIN, 3).await;
    assert_eq!(events[0], json!({ "message": "one", "host": "127.0.0.1", "port": port }));
    assert_eq!(events[1]["message"], "two");
    assert_eq!(events[2]["message"], "the last has no end");
}

#[tokio::test]
async fn a_stop_takes_what_was_sent_before_it() {
    let running = Running::start(tcp(json!({}))).await;
    let mut stream = running.connect().await;
    stream.write_all(b"a\n").await.unwrap();
    running.messages(1).await;
    running.captured.set_open(false);
    stream.write_all("line\n".repeat(10_000).as_bytes()).await.unwrap();
    stream.write_all(b"rest").await.unwrap();
    running.captured.trigger.request();
    running.captured.set_open(true);
    assert_eq!(running.stop().await.len(), 10_002);
}

#[tokio::test]
async fn a_peer_waits_while_there_is_no_room_and_nothing_is_lost() {
    let options = json!({ "max_pending_bytes": "1 MiB", "host_key": "" });
    let running = Running::start(tcp(options)).await;
    running.captured.set_open(false);
    let mut stream = running.connect().await;
    let line = format!("{}\n", "x".repeat(1023));
    let mut written = 0;
    // The system's buffers hold some megabytes; a peer that never waits would write on.
    let wait = Duration::from_millis(300);
    while let Ok(sent) = tokio::time::timeout(wait, stream.write_all(line.as_bytes())).await {
        sent.unwrap();
        written += 1;
        assert!(written < 100_000, "100 MB were taken, and nobody takes them on");
    }
    running.captured.set_open(true);
    // The write that was given up may have been begun, so that there is one more line, or a part.
    running.captured.wait_for(Port::MAIN, written).await;
    drop(stream);
    let events = running.stop().await;
    assert!(events.len() - written <= 1);
    assert!(events[..written].iter().all(|event| event["message"].as_str().unwrap().len() == 1023));
}

#[tokio::test]
async fn messages_over_the_limit_are_cut_or_refused() {
    for (oversized, port) in [("truncate", Port::MAIN), ("dead_letter", Port::DEAD_LETTER)] {
        let options = json!({ "max_message_bytes": 10, "oversized": oversized });
        let running = Running::start(tcp(options)).await;
        let mut stream = running.connect().await;
        stream.write_all(&[b'x'; 300_000]).await.unwrap();
        stream.write_all(b"\nshort\n").await.unwrap();
        let cut = running.captured.wait_for(port, 1).await;
        assert_eq!(cut[0]["message"], "xxxxxxxxxx");
        let all = running.captured.wait_for(Port::MAIN, 1).await;
        assert!(all.len() == 1 || all[1]["message"] == "short");
    }
}

#[tokio::test]
async fn counted_messages_may_have_line_ends_and_a_missing_length_ends_the_connection() {
    let running = Running::start(tcp(json!({ "framing": "octet_counting" }))).await;
    let mut stream = running.connect().await;
    stream.write_all(b"3 a\nb2 cdno length").await.unwrap();
    assert_eq!(running.messages(2).await, ["a\nb", "cd"]);
    assert_eq!(stream.read(&mut [0; 8]).await.unwrap_or(0), 0, "the connection is closed");
}

#[tokio::test]
async fn a_length_of_two_gigabytes_takes_no_memory_and_the_connection_goes_on() {
    let options = json!({ "framing": "octet_counting", "max_message_bytes": "1 KiB" });
    let running = Running::start(tcp(options)).await;
    let mut stream = running.connect().await;
    stream.write_all(b"2147483648 ").await.unwrap();
    stream.write_all(&[b'x'; 2048]).await.unwrap();
    assert_eq!(running.messages(1).await, ["x".repeat(1024)]);
}

#[tokio::test]
async fn silent_connections_are_closed_and_give_others_room() {
    let options = json!({ "idle_timeout": "50ms", "max_connections": 1 });
    let running = Running::start(tcp(options)).await;
    let mut silent = running.connect().await;
    let mut other = running.connect().await;
    other.write_all(b"a\n").await.unwrap();
    assert_eq!(silent.read(&mut [0; 8]).await.unwrap(), 0);
    assert_eq!(running.messages(1).await, ["a"]);
}

#[tokio::test]
async fn datagrams_are_events_and_those_without_room_are_counted() {
    let options = json!({ "mode": "udp", "listen": "127.0.0.1:0", "max_pending_bytes": "1 MiB" });
    let running = Running::start(options).await;
    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    socket.send_to(b"a\nb\n", running.at()).await.unwrap();
    assert_eq!(running.messages(2).await, ["a", "b"]);
    running.captured.set_open(false);
    let sent = 4000;
    for _ in 0..sent {
        socket.send_to(&[b'x'; 1000], running.at()).await.unwrap();
    }
    while running.dropped() == 0 {
        tokio::task::yield_now().await;
    }
    running.captured.set_open(true);
    running.captured.trigger.request();
    running.running.await.unwrap();
    let help = "UDP datagrams that had no room.";
    let by =
        |reason| running.metrics.counter_by("dropped_datagrams", help, ("reason", reason)).get();
    let dropped = by("max_pending_bytes") + by("system");
    let taken = running.captured.events(Port::MAIN).len() as u64 - 2;
    assert_eq!(taken + dropped, sent, "{taken} taken, {dropped} dropped");
}

#[tokio::test]
async fn datagrams_of_nothing_but_line_ends_are_paid_for_by_the_line() {
    let options = json!({ "mode": "udp", "listen": "127.0.0.1:0", "max_pending_bytes": "8 MiB" });
    let running = Running::start(options).await;
    running.captured.set_open(false);
    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let lines = vec![b'\n'; 60_000];
    // Far fewer bytes than the budget.
    for _ in 0..40 {
        socket.send_to(&lines, running.at()).await.unwrap();
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert!(running.dropped_full() > 0);

    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("log");
    let options = json!({ "mode": "unix_datagram", "path": path, "max_pending_bytes": "1 MiB" });
    let running = Running::start(options).await;
    let socket = UnixDatagram::unbound().unwrap();
    for _ in 0..2 {
        socket.send_to(&lines, &path).await.unwrap();
    }
    assert_eq!(running.messages(120_000).await.len(), 120_000, "more than the budget, one by one");
}

#[tokio::test]
async fn unix_sockets_take_streams_and_datagrams_and_leave_no_file() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("log");
    for mode in ["unix_stream", "unix_datagram"] {
        let options = json!({ "mode": mode, "path": path, "file_mode": "600" });
        // What a run that was killed left there is no obstacle.
        drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
        let running = Running::start(options).await;
        if mode == "unix_stream" {
            UnixStream::connect(&path).await.unwrap().write_all(b"a\nb").await.unwrap();
        } else {
            let socket = UnixDatagram::unbound().unwrap();
            socket.send_to(b"a\nb", &path).await.unwrap();
        }
        assert_eq!(running.messages(2).await, ["a", "b"]);
        assert_eq!(running.stop().await[0], json!({ "message": "a" }));
        assert!(!path.exists());
    }
}

#[tokio::test]
async fn a_path_that_is_in_use_or_no_socket_is_left_alone() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("log");
    let _other = std::os::unix::net::UnixListener::bind(&path).unwrap();
    let options = json!({ "mode": "unix_stream", "path": path });
    let settings = Settings::new(&Options(options), &DEFAULTS).unwrap();
    assert!(Socket::bind(&settings.address).await.is_err());
    assert!(UnixStream::connect(&path).await.is_ok());
    std::fs::remove_file(&path).unwrap();
    std::fs::write(&path, "precious").unwrap();
    assert!(Socket::bind(&settings.address).await.is_err());
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "precious");
}

#[tokio::test]
async fn syslog_is_parsed_and_what_is_no_syslog_is_a_dead_letter() {
    let options = tcp(json!({ "format": "syslog", "framing": "auto", "host_key": "source_ip" }));
    let running = Running::start(options).await;
    let mut stream = running.connect().await;
    let first = "<34>1 2025-10-11T22:14:15.003Z web1 su 77 ID47 - 'su root' failed";
    let second = "<13>Oct 11 22:14:15 web2 app[12]: hello";
    let text = format!("{first}\n{} {second}\u{fffd}<999>bad\n", second.len());
    stream.write_all(text.replace('\u{fffd}', "").as_bytes()).await.unwrap();
    let events = running.captured.wait_for(Port::MAIN, 2).await;
    assert_eq!(events[0]["severity"], "crit");
    assert_eq!(events[0]["message"], "'su root' failed");
    assert_eq!(events[0]["source_ip"], "127.0.0.1");
    assert_eq!(events[1]["appname"], "app");
    assert_eq!(events[1]["hostname"], "web2");
}
