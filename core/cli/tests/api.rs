//! The API of the admin server as its OpenAPI document has it: every operation is asked, parameters are checked by
//! name, and only who may ask is answered.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

mod support;

use std::io::{Read, Write};
use std::net::SocketAddr;

use serde_json::Value;
use support::http::{self, Response, connect, get, request};
use support::{Background, Place};

/// Events at a steady rate, so that there is something to listen to.
const TOPOLOGY: &str = r#"
data_dir = "data"
[admin]
listen = "127.0.0.1:0"

[sources.app]
type = "generator"
format = "json"
rate = 500
levels = { INFO = 0.5, ERROR = 0.5 }

[transforms.parsed]
type = "parse"
inputs = ["app"]
format = "json"

[transforms.split]
type = "route"
inputs = ["parsed"]
route.errors = '.level == "ERROR"'

[sinks.out]
type = "null"
inputs = ["split.errors"]
"#;

/// The same with a store of all events.
const STORE: &str = r#"
[sinks.store]
type = "sqlite"
inputs = ["parsed"]
path = "logs.db"
"#;

/// Operations of the document, a request for each, and the status it has in this topology.
const OPERATIONS: &[(&str, &str, &str, u16)] = &[
    ("get", "/health", "/health", 200),
    ("get", "/ready", "/ready", 200),
    ("get", "/metrics", "/metrics", 200),
    ("get", "/openapi.json", "/openapi.json", 200),
    ("get", "/topology", "/topology", 200),
    ("get", "/ledger", "/ledger", 200),
    ("get", "/config", "/config", 200),
    ("get", "/plugins", "/plugins", 200),
    ("get", "/components", "/components?kind=source", 200),
    ("get", "/components/{kind}/{name}", "/components/source/generator", 200),
    ("get", "/dead-letters", "/dead-letters?limit=5", 200),
    ("post", "/dead-letters/replay", "/dead-letters/replay?all=true", 200),
    ("post", "/dead-letters/drop", "/dead-letters/drop?component=parsed", 200),
    ("post", "/ingest", "/ingest", 404),
    ("get", "/send", "/send?message=hello", 404),
    ("get", "/tap/{component}", "/tap/nobody", 404),
    ("get", "/stores", "/stores", 200),
    ("get", "/logs", "/logs?limit=50", 200),
    ("get", "/logs/{id}", "/logs/1?before=2&after=2", 200),
    ("post", "/logs/{id}/label", "/logs/1/label?label=noise", 200),
    ("get", "/anomalies", "/anomalies?from=-1h", 200),
    ("get", "/bursts", "/bursts?order=oldest", 200),
    ("get", "/facets", "/facets?level=ERROR&where=.message+!%3D+null&time_ms=5000", 200),
    ("get", "/stats", "/stats?intervals=60&limit=1", 200),
    ("get", "/stats/{service}", "/stats/api", 200),
    ("get", "/services", "/services", 200),
    ("get", "/templates", "/templates?order=rare", 200),
];

fn start(topology: &str) -> (Place, Background, SocketAddr) {
    let place = Place::new();
    place.write("t.toml", topology);
    let running = place.start(&["run", "t.toml"]);
    let address = http::admin_address(&place);
    (place, running, address)
}

fn ask(address: SocketAddr, method: &str, path: &str, headers: &str) -> Response {
    let method = method.to_uppercase();
    let text = format!(
        "{method} {path} HTTP/1.1\r\nHost: {address}\r\n{headers}Content-Length: 0\r\nConnection: close\r\n\r\n"
    );
    request(address, &text)
}

/// An anomaly with numbers that a float cannot hold, or holds otherwise.
const EXACT: &str = r#"{"most":18446744073709551615,"least":-9223372036854775808,"price":1.10,"beyond":1e999,"anomaly":{"alarm":true,"value":9007199254740993}}"#;

#[test]
fn fields_are_answered_as_they_came() {
    let place = Place::new();
    place.write("in.log", format!("{EXACT}\n"));
    let topology = r#"
data_dir = "data"
[admin]
listen = "127.0.0.1:0"
[sources.app]
type = "file"
include = ["in.log"]
[transforms.parsed]
type = "parse"
inputs = ["app"]
format = "json"
[sinks.store]
type = "sqlite"
inputs = ["parsed"]
path = "logs.db"
"#;
    place.write("t.toml", topology);
    let _running = place.start(&["run", "t.toml"]);
    let address = http::admin_address(&place);
    support::until("the event is in the store", || {
        get(address, "/stores").json()["stores"][0]["rows"] == 1
    });
    for path in ["/logs", "/logs/1", "/anomalies"] {
        let answer = get(address, path);
        assert!(answer.body.contains(&format!("\"fields\":{EXACT}")), "{path}: {}", answer.body);
    }
    let explained = get(address, "/anomalies").body;
    assert!(explained.contains(r#""explanation":{"alarm":true,"value":9007199254740993}"#));
}

#[test]
fn every_operation_of_the_document_is_answered_as_it_says() {
    let (_place, _running, address) = start(&format!("{TOPOLOGY}{STORE}"));
    support::until("there are events in the store", || {
        let stores = get(address, "/stores").json();
        stores["stores"][0]["rows"].as_u64().is_some_and(|rows| rows > 0)
    });
    let document = get(address, "/openapi.json").json();
    assert_eq!(document["openapi"], "3.1.0");
    let mut tried = 0;
    for (path, operations) in document["paths"].as_object().unwrap() {
        for (method, operation) in operations.as_object().unwrap() {
            let known = OPERATIONS.iter().find(|one| (one.0, one.1) == (method, path));
            let (_, _, request, status) =
                known.unwrap_or_else(|| panic!("no request tries {method} {path}"));
            let answer = ask(address, method, request, "");
            assert_eq!(answer.status, *status, "{request}: {}", answer.body);
            assert!(operation["responses"][status.to_string()].is_object(), "{request}: {status}");
            let kind = if *status == 200 { "200" } else { "" };
            let told = &operation["responses"][kind]["content"];
            let media_type = told.as_object().and_then(|told| told.keys().next());
            let media_type = media_type.map_or("application/problem+json", String::as_str);
            assert!(
                answer.head.contains(&format!("content-type: {media_type}")),
                "{}",
                answer.head
            );
            assert!(answer.head.contains("content-security-policy: default-src 'self'"));
            tried += 1;
        }
    }
    assert_eq!(tried, OPERATIONS.len(), "an operation is not in the document any more");
    assert_eq!(ask(address, "delete", "/topology", "").status, 405);
}

#[test]
fn pages_of_events_follow_each_other_while_more_arrive() {
    let (_place, _running, address) = start(&format!("{TOPOLOGY}{STORE}"));
    let rows = || get(address, "/stores").json()["stores"][0]["rows"].as_u64().unwrap_or(0);
    support::until("there are events in the store", || rows() > 200);
    let mut seen = Vec::new();
    let mut cursor = String::new();
    for _ in 0..10 {
        let page = get(address, &format!("/logs?limit=20{cursor}")).json();
        let logs = page["logs"].as_array().unwrap().clone();
        assert_eq!(logs.len(), 20);
        seen.extend(logs.iter().map(|log| log["id"].as_i64().unwrap()));
        cursor = format!("&cursor={}", page["next"].as_str().unwrap());
    }
    let newest = seen[0];
    support::until("more events arrive", || rows() > 400);
    assert!(get(address, "/logs?limit=1").json()["logs"][0]["id"].as_i64().unwrap() > newest);
    assert_eq!(seen, (newest - 199..=newest).rev().collect::<Vec<_>>(), "repeated or shifted");
    let errors =
        get(address, "/logs?where=.level+%3D%3D+%22ERROR%22&level=ERROR,INFO&order=oldest").json();
    let errors = errors["logs"].as_array().unwrap();
    assert!(!errors.is_empty() && errors.iter().all(|log| log["level"] == "ERROR"));
    let id = errors[0]["id"].as_i64().unwrap();
    let context = get(address, &format!("/logs/{id}?before=0&after=3")).json();
    assert_eq!(
        (&context["log"]["id"], context["after"].as_array().unwrap().len()),
        (&id.into(), 3)
    );
    assert_eq!(get(address, &format!("/logs?cursor={}", "x".repeat(9))).status, 400);
    assert_eq!(get(address, "/logs/987654321").status, 404);
    assert_eq!(get(address, "/logs?store=nobody").status, 404);
}

#[test]
fn the_page_is_whole_and_loads_nothing_from_elsewhere() {
    let (_place, _running, address) = start(TOPOLOGY);
    for start in ["/", "/docs"] {
        let page = get(address, start);
        assert_eq!(page.status, 200);
        let links = page.body.split(['"']).filter(|text| text.starts_with('/') && text.len() > 1);
        let mut files: Vec<String> = links.map(str::to_owned).collect();
        while let Some(file) = files.pop() {
            let answer = get(address, &file);
            assert_eq!(answer.status, 200, "{file}");
            let imports = answer.body.lines().filter_map(|line| line.strip_prefix("import "));
            let names = imports.filter_map(|line| line.split('"').nth(1)?.strip_prefix("./"));
            files.extend(names.map(|name| format!("/ui/{name}")));
        }
    }
    let tag = get(address, "/ui/app.js").head;
    let tag = tag.lines().find_map(|line| line.strip_prefix("etag: ")).unwrap().to_owned();
    let again = ask(address, "get", "/ui/app.js", &format!("If-None-Match: {tag}\r\n"));
    assert_eq!((again.status, again.body.len()), (304, 0));
    let packed = ask(address, "get", "/ui/app.js", "Accept-Encoding: gzip\r\n");
    assert!(packed.head.contains("content-encoding: gzip"), "{}", packed.head);
}

#[test]
fn what_is_wrong_with_a_request_is_told_with_the_names_of_the_parameters() {
    let (_place, _running, address) = start(TOPOLOGY);
    let asked = "/logs?limit=0&form=-1h&where=.level+%3D%3D&order=up&from=soon";
    let answer = get(address, asked);
    assert_eq!(answer.status, 400);
    assert!(answer.head.contains("content-type: application/problem+json"), "{}", answer.head);
    let problem = answer.json();
    let named: Vec<&str> =
        problem["errors"].as_array().unwrap().iter().map(|e| e["name"].as_str().unwrap()).collect();
    assert_eq!(named, ["limit", "form", "where", "order", "from"], "{problem:#}");
    let unknown = problem["errors"][1]["detail"].as_str().unwrap();
    assert!(unknown.contains("severity") && unknown.contains("cursor"), "{unknown}");
    for path in ["/topology?a=1", "/logs/one", "/components/sauce/file", "/logs?limit=5&limit=6"] {
        assert_eq!(get(address, path).status, 400, "{path}");
    }
    assert_eq!(get(address, "/components/source/nothing").status, 404);
    let none = get(address, "/logs?limit=50").json();
    assert!(none["detail"].as_str().unwrap().contains("no sink of the topology"), "{none}");
}

#[test]
fn with_a_token_only_the_page_and_the_probes_are_open() {
    let with_token = TOPOLOGY.replace("[admin]", "[admin]\ntoken = \"${TOKEN:-s3cret-token}\"");
    let (place, _running, address) = start(&with_token);
    for path in ["/topology", "/config", "/metrics", "/logs", "/tap/app", "/nothing"] {
        let refused = get(address, path);
        assert_eq!(refused.status, 401, "{path}");
        assert!(refused.head.contains("www-authenticate: bearer"), "{}", refused.head);
    }
    assert_eq!((get(address, "/health").status, get(address, "/ready").status), (200, 200));
    let allowed = ask(address, "get", "/config", "Authorization: Bearer s3cret-token\r\n");
    assert_eq!((allowed.status, &allowed.json()["admin"]["token"]), (200, &"***".into()));
    assert_eq!(ask(address, "get", "/config", "Authorization: Bearer S3cret\r\n").status, 401);
    assert!(!place.read("stderr").contains("s3cret"));
}

#[test]
fn a_request_from_a_page_of_another_site_is_refused() {
    let (_place, _running, address) = start(TOPOLOGY);
    for origin in ["http://evil.example", "null", "http://127.0.0.1:1"] {
        let answer = ask(address, "post", "/logs/1/label", &format!("Origin: {origin}\r\n"));
        assert_eq!(answer.status, 403, "{origin}");
    }
    let own = format!("Origin: http://{address}\r\n");
    assert_eq!(ask(address, "get", "/topology", &own).status, 200);
}

/// Listens to a component until the text holds so many of `what`, or the server ends it.
fn listen(address: SocketAddr, path: &str, what: &str, count: usize) -> String {
    let mut stream = connect(address);
    write!(stream, "GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n").unwrap();
    let (mut heard, mut block) = (Vec::new(), [0; 4096]);
    while let Ok(read @ 1..) = stream.read(&mut block) {
        heard.extend_from_slice(&block[..read]);
        if String::from_utf8_lossy(&heard).matches(what).count() >= count {
            break;
        }
    }
    String::from_utf8_lossy(&heard).into_owned()
}

fn events(heard: &str) -> Vec<Value> {
    let data = heard.lines().filter_map(|line| line.strip_prefix("data: {"));
    data.map(|rest| serde_json::from_str(&format!("{{{rest}")).unwrap()).collect()
}

#[test]
fn a_tap_shows_live_events_that_fit_and_what_it_left_out() {
    let (_place, _running, address) = start(TOPOLOGY);
    let path = "/tap/parsed?where=.level+%3D%3D+%22ERROR%22&limit=5";
    let heard = listen(address, path, "never", 1);
    assert!(heard.to_lowercase().contains("content-type: text/event-stream"), "{heard}");
    let found = events(&heard);
    assert_eq!(found.len(), 5, "{heard}");
    assert!(found.iter().all(|event| event["level"] == "ERROR"), "{heard}");
    let outputs = listen(address, "/tap/split?limit=20", "never", 1);
    assert!(outputs.contains("id: errors") && outputs.contains("event: event"), "{outputs}");
    // Events that reach a sink, at most one a second: the others are counted.
    let slow = listen(address, "/tap/out?rate=1", "event: missed", 1);
    assert!(slow.contains("event: missed"), "{slow}");
    assert_eq!(get(address, "/tap/nobody").status, 404);
}

#[test]
fn listeners_are_limited_and_make_room_when_they_go() {
    let (_place, _running, address) = start(TOPOLOGY);
    let open = || {
        let mut stream = connect(address);
        write!(stream, "GET /tap/app HTTP/1.1\r\nHost: {address}\r\n\r\n").unwrap();
        let mut first = [0; 12];
        stream.read_exact(&mut first).unwrap();
        assert_eq!(&first, b"HTTP/1.1 200");
        stream
    };
    let listeners: Vec<_> = (0..16).map(|_| open()).collect();
    assert_eq!(get(address, "/tap/app").status, 429);
    drop(listeners);
    support::until("there is room again", || {
        let heard = listen(address, "/tap/app?limit=1", "never", 1);
        heard.starts_with("HTTP/1.1 200")
    });
}

#[test]
fn tap_prints_live_events_and_top_the_topology() {
    let (place, _running, address) =
        start(&TOPOLOGY.replace("[admin]", "[admin]\ntoken = \"abc\""));
    let admin = address.to_string();
    let run = |arguments: &[&str]| {
        let at = ["--admin", &admin, "--token", "abc"];
        place.run(&[arguments, &at].concat())
    };
    let ran = run(&["tap", "parsed", "--where", ".level == \"ERROR\"", "--limit", "3"]);
    ran.assert_success();
    let lines: Vec<Value> =
        ran.stdout().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines.len(), 3, "{}", ran.stdout());
    assert!(lines.iter().all(|event| event["level"] == "ERROR"));
    let ran = run(&["tap", "out", "--text", "<{level}>", "--limit", "2"]);
    assert_eq!(ran.assert_success().stdout(), "<ERROR>\n<ERROR>\n");
    let ran = run(&["tap", "app", "--limit", "1", "--format", "raw"]);
    assert!(ran.assert_success().stdout().starts_with("{\"timestamp\""), "{}", ran.stdout());
    // What is left out is told now and then, not for each of 500 events a second.
    let slow = run(&["tap", "app", "--rate", "5", "--limit", "8"]);
    let told = slow.assert_success().stderr().matches("events were not shown").count();
    assert!((1..=8).contains(&told), "{}", slow.stderr());
    let wrong = run(&["tap", "parsed", "--where", ".level =="]);
    assert_eq!(wrong.code(), 1);
    assert!(wrong.stderr().contains("`where`"), "{}", wrong.stderr());
    let nobody = run(&["tap", "nobody"]);
    assert!(nobody.code() == 1 && nobody.stderr().contains("no such component"));

    let table = run(&["top", "--once"]);
    assert_eq!(table.assert_success().stdout().lines().count(), 6, "{}", table.stdout());
    let document: Value =
        serde_json::from_str(&run(&["top", "--once", "--json"]).stdout()).unwrap();
    assert_eq!(document["components"][1]["id"], "parsed");
    let refused = place.run(&["top", "--once", "--admin", &admin]);
    assert!(refused.code() == 1 && refused.stderr().contains("Authorization: Bearer"));
    let nothing = place.run(&["top", "--once", "--admin", "127.0.0.1:1"]);
    assert!(nothing.stderr().contains("127.0.0.1:1"), "{}", nothing.stderr());
}

#[test]
fn dead_letters_are_shown_with_the_reason_and_the_original_bytes() {
    let place = Place::new();
    place.write("app.log", "{\"n\":1}\n<b>no JSON</b>\n{\"n\":2}\nneither\n");
    place.write(
        "t.toml",
        r#"
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
[sinks.out]
type = "null"
inputs = ["parsed"]
"#,
    );
    let _running = place.start(&["run", "t.toml"]);
    let address = http::admin_address(&place);
    let letters = |path: &str| get(address, path).json()["letters"].as_array().unwrap().clone();
    support::until("dead letters are kept", || letters("/dead-letters").len() == 2);
    let all = letters("/dead-letters?component=parsed");
    assert_eq!(
        (&all[0]["message"], &all[1]["message"]),
        (&"neither".into(), &"<b>no JSON</b>".into())
    );
    assert_eq!(
        (&all[0]["component_id"], &all[0]["component_type"]),
        (&"parsed".into(), &"parse".into())
    );
    assert!(all.iter().all(|letter| !letter["reason"].as_str().unwrap().is_empty()), "{all:?}");
    assert_eq!(letters("/dead-letters?limit=1").len(), 1);
    assert_eq!(letters("/dead-letters?component=out").len(), 0);
    assert_eq!(get(address, "/dead-letters").json()["refused"], 2);
}
