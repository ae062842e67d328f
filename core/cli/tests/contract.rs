//! Schemathesis asks the API what its own document allows and what it does not, and holds every answer against it.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

mod support;

use std::process::Command;

use support::http::{self, get};
use support::{Place, has, until};

const TOPOLOGY: &str = r#"
data_dir = "data"
[admin]
listen = "127.0.0.1:0"

[sources.app]
type = "generator"
format = "json"
rate = 200

[sources.sent]
type = "http"
listen = "127.0.0.1:0"

[transforms.parsed]
type = "parse"
inputs = ["app"]
format = "json"

[sinks.store]
type = "sqlite"
inputs = ["parsed"]
path = "logs.db"

[sinks.sent_away]
type = "null"
inputs = ["sent"]
"#;

#[test]
fn every_answer_is_as_the_document_says() {
    if !has("schemathesis") {
        return;
    }
    let place = Place::new();
    place.write("t.toml", TOPOLOGY);
    let _running = place.start(&["run", "t.toml"]);
    let address = http::admin_address(&place);
    until("there are events in the store", || {
        let stores = get(address, "/stores").json();
        stores["stores"][0]["rows"].as_u64().is_some_and(|rows| rows > 100)
    });
    let mut command = Command::new("schemathesis");
    command.current_dir(place.path(""));
    command.args(["run", &format!("http://{address}/openapi.json")]);
    command.args(["--max-examples", "20", "--generation-deterministic", "--no-color"]);
    // Live events have no end. No schema says which texts are conditions, cursors or days of the calendar.
    command.args(["--exclude-path", "/tap/{component}"]);
    command.args(["--exclude-checks", "positive_data_acceptance"]);
    let ran = command.output().unwrap();
    let told = String::from_utf8_lossy(&ran.stdout);
    println!("{told}");
    assert!(ran.status.success(), "{told}\n{}", String::from_utf8_lossy(&ran.stderr));
}
