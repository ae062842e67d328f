//! Prometheus scrapes a running topology: its numbers are those of the ledger, the alerts load, and every query of the
//! dashboard is understood and names metrics that exist.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

mod support;

use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;
use support::http::{self, get};
use support::{Background, Place, delivered, has, until};

/// Metrics that are there only once there was an error.
const ONLY_WITH_ERRORS: &[&str] = &["lograil_component_errors_total"];

fn examples() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/monitoring")
}

/// Starts Prometheus on a free port; if another program takes the port first, on the next.
fn start_prometheus(place: &Place, target: SocketAddr) -> (Background, SocketAddr) {
    let config = std::fs::read_to_string(examples().join("prometheus.yml")).unwrap();
    let config = config.replace("127.0.0.1:9598", &target.to_string());
    place.write("prometheus.yml", config.replace("scrape_interval: 15s", "scrape_interval: 1s"));
    std::fs::copy(examples().join("alerts.yml"), place.path("alerts.yml")).unwrap();
    for _ in 0..10 {
        let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let log = std::fs::File::create(place.path("prometheus.log")).unwrap();
        let mut command = Command::new("prometheus");
        command.arg(format!("--config.file={}", place.path("prometheus.yml").display()));
        command.arg(format!("--storage.tsdb.path={}", place.path("tsdb").display()));
        command.arg(format!("--web.listen-address={free}"));
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
        let mut process = Background(command.spawn().unwrap());
        until("Prometheus listens or gives up", || {
            TcpStream::connect(free).is_ok() || !process.is_running()
        });
        if process.is_running() {
            until("Prometheus is ready", || ask(free, "/-/ready").status == 200);
            return (process, free);
        }
    }
    panic!("Prometheus does not start:\n{}", place.read("prometheus.log"));
}

/// The answer of Prometheus to a query, or what it says is wrong.
fn query(prometheus: SocketAddr, expression: &str) -> Value {
    let mut encoded = String::new();
    for byte in expression.bytes() {
        encoded.push_str(&format!("%{byte:02X}"));
    }
    ask(prometheus, &format!("/api/v1/query?query={encoded}")).json()
}

/// Asks by HTTP/1.0, so that the answer comes in one piece.
fn ask(prometheus: SocketAddr, path: &str) -> http::Response {
    http::request(prometheus, &format!("GET {path} HTTP/1.0\r\nHost: {prometheus}\r\n\r\n"))
}

fn value(answer: &Value) -> Option<f64> {
    answer["data"]["result"][0]["value"][1].as_str()?.parse().ok()
}

#[test]
fn prometheus_finds_the_numbers_of_the_ledger() {
    if !has("prometheus") {
        return;
    }
    let (place, _running, address) = delivered::start();
    let (_prometheus, prometheus) = start_prometheus(&place, address);
    until("Prometheus has scraped", || {
        value(&query(prometheus, "up{job=\"lograil\"}")) == Some(1.0)
    });
    let topology = get(address, "/topology").json();
    for id in ["app", "parsed", "large", "out"] {
        for (metric, field) in [("received_events", "received"), ("sent_events", "sent")] {
            let asked = format!("lograil_component_{metric}_total{{component_id=\"{id}\"}}");
            let counted = http::count(&topology, id, field) as f64;
            until(&asked, || value(&query(prometheus, &asked)) == Some(counted));
        }
    }
    let refused = "sum(lograil_component_dead_lettered_events_total)";
    assert_eq!(value(&query(prometheus, refused)), Some(100.0));
    let rules = ask(prometheus, "/api/v1/rules");
    let rules = rules.json()["data"]["groups"][0]["rules"].as_array().unwrap().clone();
    assert_eq!(rules.len(), 6, "{rules:#?}");
    for expression in dashboard_queries() {
        let answer = query(prometheus, &expression);
        assert_eq!(answer["status"], "success", "{expression}: {answer}");
    }
}

/// The queries of the dashboard, with its variables as Grafana puts them in.
fn dashboard_queries() -> Vec<String> {
    let text = std::fs::read_to_string(examples().join("grafana-dashboard.json")).unwrap();
    let dashboard: Value = serde_json::from_str(&text).unwrap();
    let panels = dashboard["panels"].as_array().unwrap();
    let targets = panels.iter().flat_map(|panel| panel["targets"].as_array().unwrap());
    let own = |target: &Value| {
        let expression = target["expr"].as_str().unwrap();
        let expression = expression.replace("$component", ".*").replace("$__rate_interval", "1m");
        expression.replace("$__range", "1h")
    };
    targets.map(own).collect()
}

#[test]
fn dashboard_and_alerts_name_metrics_that_exist() {
    let (_place, _running, address) = delivered::start();
    let metrics = get(address, "/metrics").body;
    let mut text = std::fs::read_to_string(examples().join("alerts.yml")).unwrap();
    text.push_str(&dashboard_queries().join("\n"));
    let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let names = text.split(|c| !is_name(c)).filter(|word| word.starts_with("lograil_"));
    for name in names.filter(|name| !ONLY_WITH_ERRORS.contains(name)) {
        let is_there =
            metrics.contains(&format!("\n{name}{{")) || metrics.contains(&format!("\n{name} "));
        assert!(is_there, "{name}");
    }
}

#[test]
fn promtool_takes_the_alerts() {
    if !has("promtool") {
        return;
    }
    let alerts = examples().join("alerts.yml");
    let ran = Command::new("promtool").args(["check", "rules"]).arg(alerts).output().unwrap();
    assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
}
