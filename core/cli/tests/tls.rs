//! TLS as servers speak it, with the clients of others: Python's `ssl` and `websockets`, and rsyslog with GnuTLS.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

mod support;

use std::fs;
use std::process::{Command, Stdio};

use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, IsCa, Issuer, KeyPair,
};
use serde_json::Value;
use support::{Background, Place, python_with, rsyslog, until};

/// An authority (`NAME.ca.pem`), and a certificate of it with its key (`NAME.cert.pem`, `NAME.key.pem`).
fn certificates(place: &Place, name: &str) {
    let mut authority = CertificateParams::new(Vec::new()).unwrap();
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    authority.distinguished_name = DistinguishedName::new();
    authority.distinguished_name.push(DnType::CommonName, format!("authority {name}"));
    let authority_key = KeyPair::generate().unwrap();
    let own = authority.self_signed(&authority_key).unwrap();
    place.write(&format!("{name}.ca.pem"), own.pem());
    let issuer = Issuer::new(authority, authority_key);
    let names = ["localhost", "127.0.0.1"].map(str::to_owned);
    let mut params = CertificateParams::new(names).unwrap();
    params.distinguished_name.push(DnType::CommonName, "localhost");
    let key = KeyPair::generate().unwrap();
    let certificate = params.signed_by(&key, &issuer).unwrap();
    place.write(&format!("{name}.cert.pem"), certificate.pem());
    place.write(&format!("{name}.key.pem"), key.serialize_pem());
}

/// A run with one source or sink, and the port it listens on.
fn start(place: &Place, topology: &str, told: &str) -> (Background, u16) {
    let mut topology = topology.to_owned();
    for name in ["server.cert.pem", "server.key.pem", "client.ca.pem"] {
        topology = topology.replace(name, &place.path(name).display().to_string());
    }
    place.write("t.toml", format!("data_dir = \"data\"\n{topology}"));
    let running = place.start(&["run", "t.toml"]);
    let mut port = None;
    until("it listens", || {
        let text = place.read("stderr");
        let rest = text.split_once(told).and_then(|(_, rest)| rest.split_once('\n'));
        let address = rest.and_then(|(line, _)| line.split([' ', '/']).next()?.split_once(':'));
        port = address.and_then(|(_, port)| port.parse().ok());
        port.is_some()
    });
    (running, port.unwrap())
}

/// Python with the place as its directory: what it prints.
fn python(python: &str, place: &Place, script: &str, port: u16) -> String {
    let mut command = Command::new(python);
    command.args(["-c", &format!("{CLIENT}{script}"), &port.to_string()]);
    command.current_dir(place.path("")).stdin(Stdio::null());
    let ran = command.output().unwrap();
    let told = String::from_utf8_lossy(&ran.stderr);
    assert!(ran.status.success(), "{told}");
    String::from_utf8(ran.stdout).unwrap()
}

/// `context(trusted, own)`: whom to trust and who to be; `connect(context)`: a connection, or why there is none.
const CLIENT: &str = r#"
import asyncio, json, socket, ssl, sys
port = int(sys.argv[1])
def context(trusted, own=None):
    made = ssl.create_default_context(cafile=trusted + ".ca.pem")
    if own:
        made.load_cert_chain(own + ".cert.pem", own + ".key.pem")
    return made
def connect(how):
    tcp = socket.create_connection(("127.0.0.1", port))
    return how.wrap_socket(tcp, server_hostname="localhost")
"#;

const SOCKET: &str = r#"
[sources.in]
type = "socket"
mode = "tcp"
listen = "127.0.0.1:0"
tls = { cert_file = "server.cert.pem", key_file = "server.key.pem" }
[sinks.out]
type = "file"
inputs = ["in"]
path = "out.ndjson"
"#;

fn messages(place: &Place) -> Vec<String> {
    let written = place.read("out.ndjson");
    let whole = written.rfind('\n').map_or("", |end| &written[..=end]);
    let events = whole.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    events.map(|event| event["message"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn lines_come_encrypted_and_clients_that_cannot_speak_it_disturb_nobody() {
    let Some(program) = python_with("ssl") else { return };
    let place = Place::new();
    certificates(&place, "server");
    certificates(&place, "other");
    let (running, port) = start(&place, SOCKET, "taking messages on tcp ");
    let script = r#"
silent = socket.create_connection(("127.0.0.1", port))
plain = socket.create_connection(("127.0.0.1", port))
plain.sendall(b"not encrypted\n")
try:
    connect(context("other"))
    print("it trusts anybody")
except ssl.SSLCertVerificationError:
    pass
stream = connect(context("server"))
for number in range(20000):
    stream.sendall(b"line %d\n" % number)
stream.sendall(b"without an end")
stream.unwrap().close()
print(plain.recv(100))
"#;
    let printed = python(&program, &place, script, port);
    assert!(!printed.contains("it trusts anybody"), "{printed}");
    until("all lines are written", || messages(&place).len() > 20_000);
    assert!(running.stop().success());
    let mut expected: Vec<String> = (0..20_000).map(|number| format!("line {number}")).collect();
    expected.push("without an end".to_owned());
    assert_eq!(messages(&place), expected);
}

#[test]
fn only_known_clients_come_in_where_their_authority_is_named() {
    let Some(program) = python_with("ssl") else { return };
    let place = Place::new();
    for name in ["server", "client", "other"] {
        certificates(&place, name);
    }
    let key = r#"key_file = "server.key.pem""#;
    let topology = SOCKET.replace(key, &format!(r#"{key}, client_ca_file = "client.ca.pem""#));
    let (running, port) = start(&place, &topology, "taking messages on tcp ");
    let script = r#"
for own in [None, "other", "client"]:
    try:
        stream = connect(context("server", own))
        stream.sendall(b"from %s\n" % str(own).encode())
        # In TLS 1.3 a refusal comes behind the handshake.
        stream.settimeout(0.5 if own == "client" else 60)
        stream.recv(1)
        print(own, "ended")
    except (ssl.SSLError, OSError) as error:
        print(own, type(error).__name__)
"#;
    let printed = python(&program, &place, script, port);
    until("the line is written", || !messages(&place).is_empty());
    assert!(running.stop().success());
    assert_eq!(messages(&place), ["from client"], "{printed}");
}

#[test]
fn websockets_are_served_encrypted_by_source_and_sink() {
    let Some(program) = python_with("websockets") else { return };
    let place = Place::new();
    certificates(&place, "server");
    let source = r#"
[sources.in]
type = "websocket"
listen = "127.0.0.1:0"
tls = { cert_file = "server.cert.pem", key_file = "server.key.pem" }
[sinks.out]
type = "file"
inputs = ["in"]
path = "out.ndjson"
"#;
    let (running, port) = start(&place, source, "taking events on wss://");
    let send = r#"
import websockets
async def main():
    async with websockets.connect(f"wss://localhost:{port}/", ssl=context("server")) as peer:
        for number in range(1000):
            await peer.send(json.dumps({"message": f"event {number}"}))
asyncio.run(main())
"#;
    python(&program, &place, send, port);
    until("all events are written", || messages(&place).len() >= 1000);
    assert!(running.stop().success());
    assert_eq!(messages(&place)[999], "event 999");

    let sink = r#"
[sources.made]
type = "generator"
rate = 200
[sinks.live]
type = "websocket"
inputs = ["made"]
listen = "127.0.0.1:0"
tls = { cert_file = "server.cert.pem", key_file = "server.key.pem" }
"#;
    fs::remove_file(place.path("stderr")).unwrap();
    let (running, port) = start(&place, sink, "giving events on wss://");
    let receive = r#"
import websockets
async def main():
    async with websockets.connect(f"wss://localhost:{port}/", ssl=context("server")) as peer:
        for _ in range(20):
            print(json.loads(await peer.recv())["message"])
asyncio.run(main())
"#;
    assert_eq!(python(&program, &place, receive, port).lines().count(), 20);
    assert!(running.stop().success());
}

#[test]
fn rsyslog_sends_encrypted_to_the_name_it_knows() {
    if !rsyslog::has_rsyslog_with("lmnsd_gtls", "rsyslog-gnutls") {
        return;
    }
    const LINES: usize = 1000;
    let place = Place::new();
    certificates(&place, "server");
    let topology = SOCKET.replace("\"socket\"", "\"syslog\"");
    let (running, port) = start(&place, &topology, "taking messages on tcp ");
    let input: String = (0..LINES).map(|line| format!("event {line}\n")).collect();
    place.write("rsyslog/input", input);
    let authority = place.path("server.ca.pem").display().to_string();
    let action = format!(
        r#"action(type="omfwd" target="127.0.0.1" port="{port}" protocol="tcp" TCP_Framing="octet-counted"
    template="RSYSLOG_SyslogProtocol23Format" StreamDriver="gtls" StreamDriverMode="1"
    StreamDriverAuthMode="x509/name" StreamDriverPermittedPeers="localhost"
    action.resumeRetryCount="-1" action.resumeInterval="1")"#
    );
    let authority = format!("DefaultNetstreamDriverCAFile=\"{authority}\"");
    let daemon = rsyslog::start(&place, &authority, &[], &action);
    until("all messages are written", || messages(&place).len() >= LINES);
    assert!(daemon.stop().success(), "{}", place.read("rsyslog/stderr"));
    assert!(running.stop().success());
    let sent: Vec<String> = (0..LINES).map(|line| format!("event {line}")).collect();
    assert_eq!(messages(&place), sent);
}

#[test]
fn a_certificate_that_is_renewed_is_used_without_a_restart() {
    let Some(program) = python_with("ssl") else { return };
    let place = Place::new();
    certificates(&place, "server");
    certificates(&place, "next");
    let (running, port) = start(&place, SOCKET, "taking messages on tcp ");
    let send = |name: &str| {
        let script = format!(
            r#"
import time
for _ in range(600):
    try:
        stream = connect(context("{name}"))
        break
    except ssl.SSLCertVerificationError:
        time.sleep(0.1)
stream.sendall(b"by {name}\n")
stream.unwrap().close()
"#
        );
        python(&program, &place, &script, port);
    };
    send("server");
    // First one that does not go with the key: it is told of, and nothing changes.
    fs::copy(place.path("next.cert.pem"), place.path("server.cert.pem")).unwrap();
    until("it is told", || place.read("stderr").contains("goes on with the certificate it has"));
    send("server");
    fs::copy(place.path("next.key.pem"), place.path("server.key.pem")).unwrap();
    send("next");
    until("all is written", || messages(&place).len() == 3);
    assert!(running.stop().success());
    assert_eq!(messages(&place), ["by server", "by server", "by next"]);
}
