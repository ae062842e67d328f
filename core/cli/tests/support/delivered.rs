//! A topology that goes on running after everything is delivered: to compare what is told of it.

use std::net::SocketAddr;

use super::http::{self, count, get};
use super::{Background, Place, until};

/// Lines of the input.
pub const LINES: u64 = 1000;
/// Every tenth line is no JSON; of the others those with `n >= 500` pass.
pub const REFUSED: u64 = 100;
pub const PASSED: u64 = 450;

/// A topology that follows a file, so that it goes on living when everything is delivered.
pub const TOPOLOGY: &str = r#"
data_dir = "data"
[admin]
listen = "127.0.0.1:0"

[sources.app]
type = "file"
include = ["app.log"]

[transforms.parsed]
type = "parse"
inputs = ["app"]
format = "json"

[transforms.large]
type = "filter"
inputs = ["parsed"]
condition = ".n >= 500"

[sinks.out]
type = "file"
inputs = ["large"]
path = "out.ndjson"
"#;

pub fn input() -> String {
    (0..LINES)
        .map(|n| if n % 10 == 0 { "{\"n\":\n".to_owned() } else { format!("{{\"n\":{n}}}\n") })
        .collect()
}

/// A run that has delivered everything, and the address of its admin server.
pub fn start() -> (Place, Background, SocketAddr) {
    let place = Place::new();
    place.write("app.log", input());
    place.write("t.toml", TOPOLOGY);
    let running = place.start(&["run", "t.toml"]);
    let address = http::admin_address(&place);
    until("everything is delivered", || {
        let topology = get(address, "/topology").json();
        count(&topology, "out", "sent") == PASSED && topology["in_flight_batches"] == 0
    });
    (place, running, address)
}
