//! Sources that cannot start: a reload that brings one is refused, and the old one goes on.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

mod support;

use std::fs::File;
use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::Command;
use std::thread;

use support::plugins::cargo_plugin;
use support::{Background, PATIENCE, Place, until};

fn topology(options: &str) -> String {
    format!(
        "data_dir = \"data\"\n[sources.in]\ntype = \"http\"\n{options}\n\
        [sinks.out]\ntype = \"file\"\ninputs = [\"in\"]\npath = \"out\"\n\
        encoding.codec = \"text\"\nencoding.format = \"{{n}}\"\n"
    )
}

/// Sends one event on a connection that stays.
fn post(stream: &mut TcpStream, number: u64) {
    let body = format!("{{\"n\":{number}}}\n");
    let length = body.len();
    write!(stream, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: {length}\r\n\r\n{body}").unwrap();
    let (mut answer, mut block) = (Vec::new(), [0; 4096]);
    while !answer.ends_with(b"}\n") {
        let count = stream.read(&mut block).unwrap();
        assert!(count > 0, "the connection ended: {}", String::from_utf8_lossy(&answer));
        answer.extend_from_slice(&block[..count]);
    }
    assert!(answer.starts_with(b"HTTP/1.1 200 "), "{}", String::from_utf8_lossy(&answer));
}

fn connect(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream
}

/// The address that the source told last, once it has told it this many times.
fn address(place: &Place, times: usize) -> SocketAddr {
    let mut address = None;
    until("the source listens", || {
        let told = place.read("stderr");
        let told: Vec<_> = told.split("taking events on http://").skip(1).collect();
        let whole = told.get(times - 1).filter(|rest| rest.contains('\n'));
        address = whole.and_then(|rest| rest.split_whitespace().next()?.parse().ok());
        address.is_some()
    });
    address.unwrap()
}

/// Asks for a reload; the new log once it is told what came of it.
fn reload(place: &Place, running: &Background, options: &str, told: &str) -> String {
    let before = place.read("stderr").len();
    place.write("t.toml", topology(options));
    running.signal("HUP");
    until("the reload is told", || place.read("stderr")[before..].contains(told));
    place.read("stderr")[before..].to_owned()
}

#[test]
fn a_port_that_is_taken_refuses_the_reload_and_the_old_source_goes_on() {
    let place = Place::new();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = format!("listen = \"{}\"", taken.local_addr().unwrap());
    place.write("t.toml", topology("listen = \"127.0.0.1:0\""));
    let running = place.start(&["run", "--quiet", "t.toml"]);
    let mut stream = connect(address(&place, 1));
    post(&mut stream, 1);
    drop(stream);

    // What the system chose is not known to others: the old one stops first, and comes back.
    let refused = "reload: nothing is changed";
    let log = reload(&place, &running, &taken, refused);
    assert!(log.contains("reload: start source in: listen on 127.0.0.1:"), "{log}");
    assert!(log.contains("Address already in use"), "{log}");
    let fixed = address(&place, 2);
    post(&mut connect(fixed), 2);

    // With addresses that are known it is not even stopped: a connection lives on.
    let fixed_option = format!("listen = \"{fixed}\"");
    reload(&place, &running, &fixed_option, "reload: changed in");
    assert_eq!(address(&place, 3), fixed);
    let mut stream = connect(fixed);
    post(&mut stream, 3);
    reload(&place, &running, &taken, refused);
    post(&mut stream, 4);
    drop(stream);

    // Its own port is no hindrance.
    reload(&place, &running, &(fixed_option + "\nmax_connections = 7"), "reload: changed in");
    assert_eq!(address(&place, 4), fixed);
    post(&mut connect(fixed), 5);
    until("all is delivered", || place.read("out") == "1\n2\n3\n4\n5\n");
    assert_eq!(running.stop().code(), Some(0), "{}", place.read("stderr"));
}

#[test]
fn a_stop_is_heard_while_a_source_starts() {
    let place = Place::new();
    let certificate = place.path("cert");
    assert!(Command::new("mkfifo").arg(&certificate).status().unwrap().success());
    let tls = "listen = \"127.0.0.1:0\"\ntls = { cert_file = \"cert\", key_file = \"key\" }";
    let tls = tls.replace("\"cert\"", &format!("{certificate:?}"));
    place.write("t.toml", topology(&tls));
    let running = place.start(&["run", "t.toml"]);
    // Once it is open the program waits for what is never written.
    let writer = thread::spawn(move || File::options().write(true).open(certificate).unwrap());
    until("the source waits for its certificate", || writer.is_finished());
    let _writer = writer.join().unwrap();
    assert_eq!(running.stop().code(), Some(0), "{}", place.read("stderr"));
    let told = place.read("stderr");
    assert!(told.contains("stopped before the topology had started"), "{told}");
}

#[test]
fn an_address_that_is_spelled_otherwise_is_the_same() {
    let place = Place::new();
    let listen = |address: &str| topology(&format!("listen = \"{address}\""));
    place.write("t.toml", listen("127.0.0.1:0"));
    let running = place.start(&["run", "--quiet", "t.toml"]);
    let first = address(&place, 1);
    let (fixed, padded) = (first.to_string(), format!("{}:0{}", first.ip(), first.port()));
    let change = |topology: String| {
        let before = place.read("stderr").len();
        place.write("t.toml", topology);
        running.signal("HUP");
        until("the reload is told", || place.read("stderr")[before..].contains("reload: "));
        let log = place.read("stderr")[before..].to_owned();
        assert!(log.contains("reload: changed in"), "{log}");
    };
    change(listen(&fixed));
    change(listen(&padded));
    let socket = |path: &str| {
        listen("").replace("http", "socket").replace(
            "listen = \"\"",
            &format!("mode = \"unix_stream\"\npath = {:?}", place.path(path)),
        )
    };
    change(socket("x.sock"));
    change(socket("data/../x.sock"));
    assert_eq!(running.stop().code(), Some(0), "{}", place.read("stderr"));
}

#[test]
fn a_topology_with_a_port_that_is_taken_does_not_start() {
    let place = Place::new();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    place.write("t.toml", topology(&format!("listen = \"{}\"", taken.local_addr().unwrap())));
    let ran = place.run(&["run", "t.toml"]);
    let told = ran.stderr();
    assert_eq!(ran.code(), 1, "{told}");
    assert!(told.contains("start source in: listen on 127.0.0.1:"), "{told}");
    assert!(told.contains("Address already in use"), "{told}");
}

/// Whoever is asked gives each event once.
#[test]
fn a_source_of_a_plugin_takes_nothing_for_a_reload_that_is_refused() {
    let place = Place::new();
    cargo_plugin(&place, "examples/rust-source", "acme_source");
    let server = TcpListener::bind("127.0.0.1:0").unwrap();
    server.set_nonblocking(true).unwrap();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let free = "listen = \"127.0.0.1:0\"".to_owned();
    let also = |listen: &str| {
        format!(
            "{listen}\n[sources.early]\ntype = \"acme.http_poll\"\naddress = \"{}\"\npath = \"/\"\n\
            interval = \"1h\"\n[sinks.early_out]\ntype = \"file\"\ninputs = [\"early\"]\n\
            path = \"early\"\nencoding.codec = \"raw\"\n[plugins]\ndir = \"plugins\"\n",
            server.local_addr().unwrap()
        )
    };
    place.write("t.toml", topology(&free));
    let running = place.start(&["run", "--quiet", "t.toml"]);
    address(&place, 1);

    let taken = format!("listen = \"{}\"", taken.local_addr().unwrap());
    let log = reload(&place, &running, &also(&taken), "reload: nothing is changed");
    assert!(log.contains("Address already in use"), "{log}");
    assert_eq!(server.accept().unwrap_err().kind(), ErrorKind::WouldBlock, "it was asked");

    reload(&place, &running, &also(&free), "reload: ");
    server.set_nonblocking(false).unwrap();
    let (mut stream, _) = server.accept().unwrap();
    let read = stream.read(&mut [0; 512]).unwrap();
    assert!(read > 0);
    stream.write_all(b"HTTP/1.0 200 OK\r\n\r\nfirst\nsecond\n").unwrap();
    drop(stream);
    until("all is delivered", || place.read("early") == "first\nsecond\n");
    assert_eq!(running.stop().code(), Some(0), "{}", place.read("stderr"));
}
