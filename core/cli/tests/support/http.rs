//! A client of the admin server: raw requests over TCP, and the answers taken apart.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};

use super::{PATIENCE, Place, until};

/// What came back.
pub struct Response {
    pub status: u16,
    pub head: String,
    pub body: String,
}

impl Response {
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.body))
    }
}

/// The address the admin server of a run in the background really has.
pub fn admin_address(place: &Place) -> SocketAddr {
    last_admin_address(place, 1)
}

/// The same after the `starts`-th start in one place.
pub fn last_admin_address(place: &Place, starts: usize) -> SocketAddr {
    let find = || {
        let told = place.read("stderr");
        let addresses: Vec<_> = told.split("admin server on http://").skip(1).collect();
        let address = addresses.get(starts - 1)?;
        // A line that is being written has no end yet.
        address.split_once('\n')?.0.trim().parse().ok()
    };
    let mut address = None;
    until("the admin server listens", || {
        address = find();
        address.is_some()
    });
    address.unwrap()
}

pub fn connect(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream
}

/// The rest of what a peer sends until it closes; a reset is an end too.
pub fn read_to_end(stream: &mut TcpStream) -> Vec<u8> {
    let mut received = Vec::new();
    let mut block = [0; 16 * 1024];
    while let Ok(count @ 1..) = stream.read(&mut block) {
        received.extend_from_slice(&block[..count]);
    }
    received
}

pub fn get(address: SocketAddr, path: &str) -> Response {
    request(
        address,
        &format!("GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n"),
    )
}

/// Sends a whole request, which must ask for the connection to be closed.
pub fn request(address: SocketAddr, text: &(impl AsRef<[u8]> + ?Sized)) -> Response {
    let mut stream = connect(address);
    stream.write_all(text.as_ref()).unwrap();
    response(&read_to_end(&mut stream))
}

/// Takes the bytes of one response apart.
pub fn response(bytes: &[u8]) -> Response {
    let text = String::from_utf8_lossy(bytes);
    let (head, body) = text.split_once("\r\n\r\n").unwrap_or_else(|| panic!("no head: {text:?}"));
    let head = head.to_lowercase();
    assert!(!head.contains("transfer-encoding"), "this client reads no chunks: {head}");
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    Response { status, head: head.clone(), body: body.to_owned() }
}

/// One line of `/metrics`.
#[derive(Debug)]
pub struct Sample {
    pub name: String,
    pub labels: BTreeMap<String, String>,
    pub value: f64,
}

/// The samples of a body in Prometheus's text format. Label values here hold no comma and no quote.
pub fn samples(body: &str) -> Vec<Sample> {
    let lines = body.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    lines.map(sample).collect()
}

fn sample(line: &str) -> Sample {
    let (series, value) = line.rsplit_once(' ').unwrap();
    let (name, labels) = series.split_once('{').unwrap_or((series, ""));
    let pairs = labels.trim_end_matches('}').split(',').filter(|pair| !pair.is_empty());
    let labels = pairs.map(|pair| {
        let (key, value) = pair.split_once('=').unwrap();
        (key.to_owned(), value.trim_matches('"').to_owned())
    });
    Sample { name: name.to_owned(), labels: labels.collect(), value: value.parse().unwrap() }
}

/// The sum of a metric of one component, over what other labels there are.
pub fn metric(samples: &[Sample], name: &str, component_id: &str) -> f64 {
    let is_of = |sample: &&Sample| {
        sample.name == name
            && sample.labels.get("component_id").is_some_and(|id| id == component_id)
    };
    samples.iter().filter(is_of).map(|sample| sample.value).sum()
}

/// The component of an id in `/topology`.
pub fn component<'a>(topology: &'a serde_json::Value, id: &str) -> &'a serde_json::Value {
    let components = topology["components"].as_array().unwrap();
    components.iter().find(|component| component["id"] == id).unwrap_or_else(|| panic!("no {id}"))
}

/// A count of the ledger of a component in `/topology`.
pub fn count(topology: &serde_json::Value, id: &str, what: &str) -> u64 {
    component(topology, id)["ledger"][what].as_u64().unwrap()
}

/// Holds every component's ledger to its law, and the in-flight count to being no debt.
pub fn assert_ledgers_balance(topology: &serde_json::Value) {
    for component in topology["components"].as_array().unwrap() {
        let count = |name: &str| component["ledger"][name].as_i64().unwrap();
        let in_flight = component["in_flight_events"].as_i64().unwrap();
        let out = count("sent") + count("discarded") + count("dead_lettered") + in_flight;
        assert_eq!(count("received") + count("created"), out, "{component:#}");
        assert!(in_flight >= 0, "{component:#}");
    }
}
