//! Dead letters are offered again or dropped while the topology runs; a crash in the middle loses none.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

mod support;

use std::collections::BTreeMap;
use std::net::SocketAddr;

use serde_json::{Value, json};
use support::http::{self, Response, get, request};
use support::{Background, Place, until};

/// Lines that are no JSON are refused, or passed on with `on_error = "pass"`.
fn topology(more: &str, sink: &str) -> String {
    format!(
        r#"
data_dir = "data"
[admin]
listen = "127.0.0.1:0"

[sources.app]
type = "file"
include = ["app.log"]

[transforms.first]
type = "filter"
inputs = ["app"]
condition = "true"

[transforms.parsed]
type = "parse"
inputs = ["first"]
format = "json"
{more}

[sinks.out]
type = "file"
inputs = ["parsed"]
{sink}
"#
    )
}

const REFUSING: &str = "";
const PASSING: &str = "on_error = \"pass\"";
const OUT: &str = "path = \"out.ndjson\"";

fn start(place: &Place, topology: &str, starts: usize) -> (Background, SocketAddr) {
    place.write("t.toml", topology);
    let running = place.start(&["run", "t.toml"]);
    let address = http::last_admin_address(place, starts);
    (running, address)
}

fn post(address: SocketAddr, path: &str) -> Response {
    let text = format!(
        "POST {path} HTTP/1.1\r\nHost: {address}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
    );
    request(address, &text)
}

fn letters(address: SocketAddr) -> Vec<Value> {
    let answer = get(address, "/dead-letters?limit=1000");
    answer.json()["letters"].as_array().unwrap_or_else(|| panic!("{}", answer.body)).clone()
}

fn ids(letters: &[Value]) -> Vec<&str> {
    letters.iter().map(|letter| letter["id"].as_str().unwrap()).collect()
}

fn written(place: &Place, name: &str) -> Vec<Value> {
    place.read(name).lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// Has the topology read again, and waits until it was.
fn reload(place: &Place, running: &Background, topology: &str, reloads: u64) {
    place.write("t.toml", topology);
    running.signal("HUP");
    until("the topology is read again", || {
        let told: Option<Value> = serde_json::from_str(&place.read("data/run.json")).ok();
        told.is_some_and(|told| told["reloads"] == reloads && told["is_refused"] == false)
    });
}

#[test]
fn once_the_topology_is_mended_refused_events_go_where_they_were_to_go() {
    let place = Place::new();
    place.write("app.log", "{\"n\":1}\nneither\nnor\nlast\n");
    let (running, address) = start(&place, &topology(REFUSING, OUT), 1);
    until("three are refused", || letters(address).len() == 3);
    let before = letters(address);
    assert!(before.iter().all(|one| one["timestamp"].is_string()), "{before:?}");

    // As it is they are refused again: other letters for those that were there.
    let answer = post(
        address,
        &format!("/dead-letters/replay?ids={},{}", ids(&before)[0], "0000000000000000-0"),
    );
    assert_eq!(
        answer.json(),
        json!({ "replayed": 1, "unknown": ["0000000000000000-0"], "left_out": [] })
    );
    until("it is a letter again", || letters(address).len() == 3);
    assert_ne!(ids(&letters(address))[0], ids(&before)[0]);
    assert_eq!(letters(address)[0]["message"], "last");

    reload(&place, &running, &topology(PASSING, OUT), 1);
    assert_eq!(post(address, "/dead-letters/replay?reason=nothing+like+it").json()["replayed"], 0);
    assert_eq!(post(address, "/dead-letters/replay?component=parsed").json()["replayed"], 3);
    assert_eq!(letters(address).len(), 0);
    let message = |text: &str| json!({ "message": text });
    assert_eq!(
        written(&place, "out.ndjson"),
        [json!({ "n": 1 }), message("neither"), message("nor"), message("last")]
    );
    let topology = get(address, "/topology").json();
    http::assert_ledgers_balance(&topology);
    // They entered behind the transform that had let them through already.
    assert_eq!(http::count(&topology, "first", "received"), 4);
    assert_eq!(http::count(&topology, "parsed", "received"), 8);
    assert_eq!(
        post(address, &format!("/dead-letters/replay?ids={}", ids(&before)[1])).json()["replayed"],
        0
    );
}

/// All letters behind a cursor, and how many pages they were.
fn paged(address: SocketAddr, parameters: &str, mut cursor: String) -> (Vec<Value>, usize) {
    let (mut all, mut pages) = (Vec::new(), 0);
    loop {
        let page = get(address, &format!("/dead-letters?{parameters}{cursor}")).json();
        all.extend(page["letters"].as_array().unwrap_or_else(|| panic!("{page}")).clone());
        pages += 1;
        let Some(next) = page["next"].as_str() else { return (all, pages) };
        cursor = format!("&cursor={next}");
    }
}

#[test]
fn pages_of_letters_go_back_over_all_files_while_more_arrive() {
    let place = Place::new();
    // More than a file of 64 MiB holds.
    let long = "x".repeat(240_000);
    let line = |n: usize| {
        if n.is_multiple_of(2) { format!("no {n} {long}\n") } else { format!("no {n}\n") }
    };
    place.write("app.log", (0..600).map(line).collect::<String>());
    let (_running, address) = start(&place, &topology(REFUSING, OUT), 1);
    let number = |letter: &Value| {
        let message = letter["message"].as_str().unwrap();
        message.split(' ').nth(1).unwrap().parse::<usize>().unwrap()
    };
    let newest = |n: usize| {
        until("all are kept", || {
            let newest = get(address, "/dead-letters?limit=1").json();
            newest["letters"].as_array().unwrap().first().is_some_and(|one| number(one) == n)
        });
    };
    newest(599);
    assert!(place.path("data/dead-letters.ndjson.1").exists());
    let first = get(address, "/dead-letters?limit=7").json();
    place.append("app.log", "no 600\nno 601\n");
    newest(601);
    let cursor = format!("&cursor={}", first["next"].as_str().unwrap());
    let rest = paged(address, "limit=100", cursor);
    let all: Vec<usize> =
        first["letters"].as_array().unwrap().iter().chain(&rest.0).map(number).collect();
    assert_eq!(all, (0..600).rev().collect::<Vec<_>>());
    assert!(rest.1 > 7, "long letters make short pages");

    let ran =
        place.run(&["dead-letters", "list", "--limit", "5000", "--admin", &address.to_string()]);
    assert_eq!(ran.assert_success().stdout().lines().count(), 602);
    let ran = place.run(&["dead-letters", "list", "--limit", "3", "--admin", &address.to_string()]);
    assert_eq!(ran.assert_success().stdout().lines().count(), 3);
    let (few, pages) = paged(address, "component=parsed&reason=nothing+like+it", String::new());
    assert!(few.is_empty() && pages > 1, "a page looks at so many bytes at most");
    for wrong in ["x", "1-2", "-1-2-3", "1-2-3-4"] {
        let answer = get(address, &format!("/dead-letters?cursor={wrong}"));
        assert_eq!(answer.status, 400, "{wrong}");
        assert_eq!(answer.json()["errors"][0]["name"], "cursor");
    }
    let gone = get(address, "/dead-letters?cursor=1-2-3").json();
    assert_eq!((&gone["letters"], &gone["next"]), (&json!([]), &Value::Null));
}

#[test]
fn what_a_sink_refused_comes_back_with_its_fields() {
    let place = Place::new();
    place.write(
        "app.log",
        "{\"service\":\"web\",\"n\":1}\n{\"n\":12345678901234567890}\n{\"n\":3}\n",
    );
    let by_service = "path = \"out/{service}.ndjson\"";
    let (running, address) = start(&place, &topology(REFUSING, by_service), 1);
    until("two are refused", || letters(address).len() == 2);
    assert_eq!(letters(address)[1]["fields"], json!({ "n": 12345678901234567890_u64 }));
    assert_eq!(letters(address)[1]["message"], "{\"n\":12345678901234567890}");
    let with_default = format!("{by_service}\npath_default = \"none\"");
    reload(&place, &running, &topology(REFUSING, &with_default), 1);
    let run = |arguments: &[&str]| {
        let admin = address.to_string();
        place.run(&[&["dead-letters"], arguments, &["--admin", &admin]].concat())
    };
    let listed = run(&["list", "--component", "out", "--limit", "1"]);
    let listed: Value = serde_json::from_str(&listed.assert_success().stdout()).unwrap();
    assert_eq!(listed["fields"], json!({ "n": 3 }));
    let id = listed["id"].as_str().unwrap();
    assert_eq!(run(&["replay", id]).assert_success().stdout(), "1 letter replayed\n");
    assert_eq!(run(&["replay", "--all"]).assert_success().stdout(), "1 letter replayed\n");
    let none = written(&place, "out/none.ndjson");
    assert_eq!(none, [json!({ "n": 3 }), json!({ "n": 12345678901234567890_u64 })]);
    let again = run(&["drop", id]);
    assert_eq!((again.code(), again.stdout().as_str()), (1, "0 letters dropped\n"));
    assert!(again.stderr().contains(id), "{}", again.stderr());
}

#[test]
fn letters_of_a_component_that_is_gone_stay_until_another_is_named_or_they_are_dropped() {
    let place = Place::new();
    place.write("app.log", "one\ntwo\nthree\n");
    let (running, address) = start(&place, &topology(REFUSING, OUT), 1);
    until("three are refused", || letters(address).len() == 3);
    reload(&place, &running, &topology(PASSING, OUT).replace("parsed", "other"), 1);
    let answer = post(address, "/dead-letters/replay?all=true").json();
    let left_out = json!([{ "component_id": "parsed", "letters": 3 }]);
    assert_eq!(answer, json!({ "replayed": 0, "unknown": [], "left_out": left_out }));
    let all = letters(address);
    assert_eq!(post(address, "/dead-letters/replay?all=true&to=nobody").status, 400);
    assert_eq!(post(address, "/dead-letters/replay?all=true&to=lograil:dead_letters").status, 400);
    let one = format!("/dead-letters/replay?ids={}&to=app", ids(&all)[2]);
    assert_eq!(post(address, &one).json()["replayed"], 1);
    let dropped = post(address, &format!("/dead-letters/drop?ids={}", ids(&all)[1])).json();
    assert_eq!(dropped, json!({ "dropped": 1, "unknown": [] }));
    assert_eq!(ids(&letters(address)), [ids(&all)[0]]);
    assert_eq!(written(&place, "out.ndjson"), [json!({ "message": "one" })]);
    assert_eq!(post(address, "/dead-letters/drop?all=true").json()["dropped"], 1);
    assert_eq!(letters(address).len(), 0);

    for path in
        ["/dead-letters/drop", "/dead-letters/replay?ids=1,2", "/dead-letters/replay?all=yes"]
    {
        assert_eq!(post(address, path).status, 400, "{path}");
    }
    running.kill();
    let (_running, address) = start(&place, &topology(PASSING, OUT), 2);
    assert_eq!(letters(address).len(), 0, "what is done stays done");
}

#[test]
fn a_kill_in_the_middle_of_a_replay_loses_no_letter() {
    const LINES: usize = 5000;
    let place = Place::new();
    let lines: Vec<String> = (0..LINES).map(|n| format!("line {n}")).collect();
    place.write("app.log", lines.join("\n") + "\n");
    place.write("t.toml", topology(REFUSING, OUT));
    place.run(&["run", "t.toml", "--once"]).assert_success();
    assert_eq!(place.read("data/dead-letters.ndjson").lines().count(), LINES);
    let mut starts = 0;
    // Three runs are killed at different points of a replay: when something, a half and nearly all has arrived.
    for arrived in [1, LINES / 2, LINES - 600] {
        starts += 1;
        let (running, address) = start(&place, &topology(PASSING, OUT), starts);
        let asking = std::thread::spawn(move || {
            // Nobody is there any more when the answer is due.
            let _answer =
                std::panic::catch_unwind(|| post(address, "/dead-letters/replay?all=true"));
        });
        until("a part of it arrives", || place.read("out.ndjson").lines().count() >= arrived);
        running.kill();
        asking.join().unwrap();
    }
    let (_running, address) = start(&place, &topology(PASSING, OUT), starts + 1);
    let answer = post(address, "/dead-letters/replay?all=true");
    assert_eq!(answer.status, 200, "{}", answer.body);
    assert_eq!(letters(address).len(), 0);
    let mut times: BTreeMap<String, usize> = BTreeMap::new();
    for event in written(&place, "out.ndjson") {
        *times.entry(event["message"].as_str().unwrap().to_owned()).or_default() += 1;
    }
    let lost: Vec<_> = lines.iter().filter(|line| !times.contains_key(*line)).collect();
    assert!(lost.is_empty(), "lost {lost:?}");
    assert_eq!(times.len(), LINES);
    http::assert_ledgers_balance(&get(address, "/topology").json());
}

#[test]
fn that_events_are_refused_is_told_once_where_nobody_reads_them() {
    let place = Place::new();
    place.write("app.log", "no JSON\n{\"a\":1}\nnone\n");
    place.write("t.toml", topology(REFUSING, OUT));
    let ran = place.run(&["run", "--once", "--quiet", "t.toml"]);
    let told = ran.assert_success().stderr();
    assert_eq!(told.matches("events are refused").count(), 1, "{told}");
    for part in ["2 so far", "data/dead-letters.ndjson", "component_id=\"parsed\""] {
        assert!(told.contains(part), "{part}: {told}");
    }
    let read = "[sinks.letters]\ntype = \"null\"\ninputs = [\"parsed.dead_letter\"]\n";
    place.write("t.toml", topology(REFUSING, OUT).replace("\"data\"", "\"other\"") + read);
    let ran = place.run(&["run", "--once", "--quiet", "t.toml"]);
    assert!(!ran.assert_success().stderr().contains("refused"), "{}", ran.stderr());
}
