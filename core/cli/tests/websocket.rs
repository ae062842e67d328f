//! Python's `websockets` as the peer: a client of `lograil mock`, and a server of the source `websocket`.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

mod support;

use std::process::{Command, Stdio};

use serde_json::Value;
use support::{Background, Place, python_with, until};

/// What stands behind `start` in a line of the file `stderr`.
fn told(place: &Place, start: &str) -> String {
    let mut found = String::new();
    until(start, || {
        let text = place.read("stderr");
        let rest = text.split_once(start).and_then(|(_, rest)| rest.split_once('\n'));
        found = rest.map_or("", |(line, _)| line.split_whitespace().next().unwrap()).to_owned();
        !found.is_empty()
    });
    found
}

const CLIENT: &str = r#"
import asyncio, sys, websockets
async def main():
    async with websockets.connect(sys.argv[1]) as socket:
        for _ in range(int(sys.argv[2])):
            print(await socket.recv())
try:
    asyncio.run(main())
except Exception as error:
    status = getattr(error, "status_code", None)
    body = b""
    if status is None:
        status, body = error.response.status_code, error.response.body or b""
    print("refused", status, bytes(body).decode())
"#;

#[test]
fn a_client_in_python_gets_the_mock_stream_it_asks_for() {
    let Some(python) = python_with("websockets") else { return };
    let place = Place::new();
    let mock = place.start(&["mock", "--listen", "127.0.0.1:0"]);
    let url = told(&place, "log stream on ");
    let client = |query: &str, count: &str| {
        let script = ["-c", CLIENT, &format!("{url}{query}"), count];
        let ran = Command::new(&python).args(script).stdin(Stdio::null()).output().unwrap();
        String::from_utf8(ran.stdout).unwrap()
    };
    let text = client("?interval_ms=10&service=shop&level=WARN&debug=true", "20");
    let entries: Vec<Value> =
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(entries.len(), 20, "{text}");
    for entry in &entries {
        assert_eq!((&entry["service"], &entry["level"]), (&"shop".into(), &"WARN".into()));
        assert!(entry["timestamp"].as_i64().unwrap() > 1_700_000_000_000);
    }
    // `debug` logs what was sent on the server.
    let logged = place.read("stderr");
    assert!(text.lines().all(|line| logged.contains(line)), "{logged}");
    assert_eq!(client("", "1").lines().count(), 1);
    for (query, name) in [("?interval_ms=5", "interval_ms"), ("?level=LOUD", "level")] {
        let refused = client(query, "1");
        assert!(refused.starts_with("refused 400"), "{refused}");
        // Older versions of the library do not give the body.
        assert!(refused.trim() == "refused 400" || refused.contains(name), "{refused}");
    }
    assert!(mock.stop().success());
}

const SERVER: &str = r#"
import asyncio, json, sys, websockets
async def push(socket, *_):
    hello = await socket.recv()
    for n in range(1000):
        await socket.send(json.dumps({"n": n, "hello": hello}))
    await socket.send(b'{"n": 1000}\n{"n": 1001}\n')
    await socket.wait_closed()
    print("closed", socket.close_code, flush=True)
async def main():
    async with websockets.serve(push, "127.0.0.1", 0) as server:
        print("port", server.sockets[0].getsockname()[1], flush=True)
        await asyncio.Future()
asyncio.run(main())
"#;

#[test]
fn a_server_in_python_is_read_to_the_last_message_and_told_goodbye() {
    let Some(python) = python_with("websockets") else { return };
    let place = Place::new();
    let output = std::fs::File::create(place.path("server")).unwrap();
    let mut command = Command::new(&python);
    command.args(["-c", SERVER]).stdin(Stdio::null()).stdout(output);
    let _server = Background(command.spawn().unwrap());
    let mut port = String::new();
    until("the server listens", || {
        port = place.read("server").lines().next().unwrap_or_default().replace("port ", "");
        place.read("server").ends_with('\n')
    });
    let topology = format!(
        r#"
data_dir = "data"
[sources.in]
type = "websocket"
url = "ws://127.0.0.1:{port}/"
send_on_connect = "subscribe"
[sinks.out]
type = "file"
inputs = ["in"]
path = "out.ndjson"
"#
    );
    let topology = place.write("t.toml", topology).to_str().unwrap().to_owned();
    let running = place.start(&["run", &topology]);
    until("all messages are kept", || place.read("out.ndjson").lines().count() >= 1002);
    assert!(running.stop().success());
    until("the server is told", || place.read("server").contains("closed 1001"));
    let written = place.read("out.ndjson");
    let kept = written.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let numbers: Vec<u64> = kept.map(|event| event["n"].as_u64().unwrap()).collect();
    assert_eq!(numbers, (0..1002).collect::<Vec<_>>());
    assert!(written.starts_with(r#"{"n": 0, "hello": "subscribe"}"#), "as it was sent");
}

#[test]
fn many_clients_in_python_see_what_they_ask_for() {
    let Some(python) = python_with("websockets") else { return };
    let place = Place::new();
    let topology = r#"
data_dir = "data"
[sources.app]
type = "generator"
rate = 200
format = "json"
[transforms.json]
type = "parse"
inputs = ["app"]
format = "json"
[sinks.live]
type = "websocket"
inputs = ["json"]
listen = "127.0.0.1:0"
"#;
    let topology = place.write("t.toml", topology).to_str().unwrap().to_owned();
    let running = place.start(&["run", &topology]);
    let url = told(&place, "giving events on ");
    let clients = ["", "?level=ERROR", "?level=INFO,WARNING", "?user=x"].map(|query| {
        let script = ["-c", CLIENT, &format!("{url}{query}"), "10"];
        let mut command = Command::new(&python);
        command.args(script).stdin(Stdio::null()).stdout(Stdio::piped());
        (query, command.spawn().unwrap())
    });
    for (query, client) in clients {
        let output = String::from_utf8(client.wait_with_output().unwrap().stdout).unwrap();
        if query == "?user=x" {
            assert!(output.starts_with("refused 400"), "{output}");
            continue;
        }
        let levels: Vec<String> = output
            .lines()
            .map(|line| serde_json::from_str::<Value>(line).unwrap()["level"].to_string())
            .collect();
        assert_eq!(levels.len(), 10, "{output}");
        let is_wanted =
            |level: &String| query.is_empty() || query.contains(level.trim_matches('"'));
        assert!(levels.iter().all(is_wanted), "{query}: {levels:?}");
    }
    assert!(running.stop().success());
}
