//! The page in a real browser, on a store of a million events: looked at, searched, scrolled, tailed.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

mod support;

use std::fmt::Write;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use lograil_codec::time::write_rfc3339;
use support::http::{self, get};
use support::{Place, has, until};

const ROWS: u64 = 1_000_000;

/// A day of events in a file, and a few a second that are new.
const TOPOLOGY: &str = r#"
data_dir = "data"
[admin]
listen = "127.0.0.1:0"

[sources.day]
type = "file"
include = ["day.ndjson"]

[sources.live]
type = "generator"
format = "json"
rate = 40

[transforms.parsed]
type = "parse"
inputs = ["day", "live"]
format = "json"
timestamp.field = "timestamp"

[sinks.store]
type = "sqlite"
inputs = ["parsed"]
path = "logs.db"
"#;

/// A line that would be a script if anybody took it for HTML.
const HOSTILE: &str =
    r#"hostile <script>window.hacked = 1</script><img src=x onerror=\"window.hacked = 2\">"#;

/// Events of the last 24 hours: an hour of errors in the evening, an anomaly now and then, one burst.
fn day() -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    let start = now - Duration::from_secs(86_400);
    let mut text = String::new();
    for n in 0..ROWS {
        let at = start + Duration::from_micros(n * 86_390);
        let storm = n % 10 < 4 && (600_000..640_000).contains(&n);
        let level = match n % 20 {
            _ if storm => "ERROR",
            0 => "ERROR",
            1..=3 => "WARNING",
            4..=5 => "DEBUG",
            _ => "INFO",
        };
        let service = ["shop", "payment", "search", "mail"][(n % 7 % 4) as usize];
        let (message, more) = match n {
            999_000 => (HOSTILE.to_owned(), String::new()),
            999_001 => (r"Traceback of\nmany\r\nlines ".repeat(9), String::new()),
            999_002 => ("A long story. ".repeat(20_000), String::new()),
            600_000 => ("Burst".to_owned(), r#","burst":{"event":"start"}"#.to_owned()),
            640_000 => ("Burst".to_owned(), r#","burst":{"event":"end"}"#.to_owned()),
            _ if n % 50_000 == 49_999 => (format!("Order {n} took long"), anomaly(n)),
            _ => (format!("Request {n} answered"), String::new()),
        };
        let mut time = Vec::new();
        write_rfc3339(i64::try_from(at.as_nanos()).unwrap() / 1_000_000 * 1_000_000, &mut time);
        let time = String::from_utf8(time).unwrap();
        writeln!(
            text,
            r#"{{"timestamp":"{time}","level":"{level}","service":"{service}","message":"{message}","n":{n}{more}}}"#
        )
        .unwrap();
    }
    text.extend((0..30).map(|n| format!("an older letter, {n}.\n")));
    text.push_str("<b>refused</b> one\n<b>refused</b> two\n");
    text
}

fn anomaly(n: u64) -> String {
    let score = 0.5 + (n % 400_000) as f64 / 1e6;
    format!(
        r#","anomaly":{{"score":{score:.2},"alarm":true,"kind":"value","field":"duration_ms","value":{},"expected_low":12.0,"expected_high":80.0}}"#,
        n % 4000 + 900
    )
}

fn has_playwright() -> bool {
    let found = Command::new("node").args(["-e", "require('playwright-core')"]).output();
    let found = found.is_ok_and(|ran| ran.status.success());
    if !found {
        let is_required = std::env::var_os("LOGRAIL_REQUIRE_SERVERS").is_some();
        assert!(!is_required, "playwright-core is not in NODE_PATH");
        eprintln!("skipped: playwright-core is not in NODE_PATH");
    }
    found
}

#[test]
fn a_million_events_are_looked_at_searched_scrolled_and_tailed() {
    if !has("chromium") || !has("node") || !has_playwright() {
        return;
    }
    let place = Place::new();
    place.write("day.ndjson", day());
    place.write("t.toml", TOPOLOGY);
    let _running = place.start(&["run", "t.toml"]);
    let address = http::admin_address(&place);
    until("a million events are stored", || {
        let stores = get(address, "/stores").json();
        stores["stores"][0]["rows"].as_u64().is_some_and(|rows| rows >= ROWS)
    });
    check(address, &ROWS.to_string());
}

#[test]
fn a_server_with_a_token_asks_for_it() {
    if !has("chromium") || !has("node") || !has_playwright() {
        return;
    }
    let place = Place::new();
    place.write("t.toml", TOPOLOGY.replace("[admin]", "[admin]\ntoken = \"s3cret\""));
    let _running = place.start(&["run", "t.toml"]);
    check(http::admin_address(&place), "s3cret");
}

/// Does in a browser what check.cjs says.
fn check(address: SocketAddr, rows_or_token: &str) {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/page/check.cjs");
    let mut browser = Command::new("node");
    browser.arg(script).arg(format!("http://{address}")).arg(rows_or_token);
    // A folder for pictures of what it sees.
    browser.args(std::env::var_os("LOGRAIL_SCREENSHOTS"));
    let ran = browser.output().unwrap();
    let told = String::from_utf8_lossy(&ran.stdout);
    println!("{told}");
    assert!(ran.status.success(), "{told}\n{}", String::from_utf8_lossy(&ran.stderr));
}
