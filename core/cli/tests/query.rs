//! `lograil query` on the file of a sink `sqlite`, as a user types it.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

mod support;

use std::fs;
use std::process::{Command, Stdio};

use rusqlite::Connection;
use serde_json::Value;
use support::{Finished, Place, small_disk, until};

const TOPOLOGY: &str = r#"
data_dir = "data"
[sources.app]
type = "file"
include = ["in.log"]
[transforms.json]
type = "parse"
inputs = ["app"]
format = "json"
timestamp = { field = "time", format = "unix" }
[sinks.store]
type = "sqlite"
inputs = ["json"]
path = "logs.db"
"#;

/// Seconds since the epoch of the first event: 2025-10-09T08:53:20Z.
const START: i64 = 1_760_000_000;

/// A store of a thousand events, one a second.
fn filled() -> Place {
    let place = Place::new();
    let lines: Vec<String> = (0..1000)
        .map(|n| {
            let (level, service) = (["info", "ERROR"][usize::from(n % 10 == 0)], ["a", "b"][n % 2]);
            let time = START + n as i64;
            format!(
                r#"{{"time":{time},"level":"{level}","service":"{service}","message":"order {n}, \"it\"\u001b[31m","n":{n},"template_id":"t{}","template":"order <*>"}}"#,
                n % 3
            )
        })
        .collect();
    place.write("in.log", lines.join("\n") + "\n");
    let topology = place.write("t.toml", TOPOLOGY).to_str().unwrap().to_owned();
    place.run(&["run", "--quiet", "--once", &topology]).assert_success();
    place
}

fn numbers(answer: &Finished) -> Vec<i64> {
    answer.assert_success();
    let events = answer.stdout();
    let event = |line: &str| serde_json::from_str::<Value>(line).unwrap();
    events.lines().map(|line| event(line)["fields"]["n"].as_i64().unwrap()).collect()
}

#[test]
fn filters_narrow_and_orders_turn() {
    let place = filled();
    let ask = |arguments: &[&str]| {
        let all = [&["query", "logs.db", "--format", "json"], arguments].concat();
        numbers(&place.run(&all))
    };
    assert_eq!(ask(&[]), (950..1000).rev().collect::<Vec<i64>>());
    assert_eq!(ask(&["-n", "3000"]).len(), 1000);
    assert_eq!(ask(&["--order", "oldest", "-n", "2"]), [0, 1]);
    assert_eq!(ask(&["--level", "error,fatal", "-n", "2"]), [990, 980]);
    assert_eq!(ask(&["--service", "b", "--level", "ERROR"]), [0i64; 0]);
    assert_eq!(ask(&["--text", "\"order 77\""]), [77]);
    assert_eq!(ask(&["--where", ".n > 5 && .n < 8 && .level == \"INFO\""]), [7, 6]);
    assert_eq!(ask(&["--template", "t2", "-n", "1"]), [998]);
    let range = ["--since", "2025-10-09T08:53:25Z", "--until", "2025-10-09 08:53:28"];
    assert_eq!(ask(&range), [7, 6, 5]);
    assert_eq!(ask(&["--since", "15m"]), [0i64; 0]);
}

/// Numbers that a float cannot hold, or holds otherwise.
const EXACT: &str = r#"{"most":18446744073709551615,"least":-9223372036854775808,"odd":9007199254740993,"long":123456789012345678901234567890,"price":1.10,"beyond":1e999,"nested":{"z":[1.0,2e5],"a":1}}"#;

#[test]
fn fields_are_printed_as_they_came() {
    let place = Place::new();
    place.write("in.log", format!("{EXACT}\n"));
    place.write("t.toml", TOPOLOGY);
    place.run(&["run", "--quiet", "--once", "t.toml"]).assert_success();
    for format in ["json", "csv"] {
        let answer = place.run(&["query", "logs.db", "--format", format]);
        let answer = answer.assert_success().stdout().replace("\"\"", "\"");
        assert!(answer.contains(EXACT), "{format}: {answer}");
    }
}

#[test]
fn tables_csv_statistics_and_templates_are_printed() {
    let place = filled();
    let ask = |arguments: &[&str]| {
        let answer = place.run(&[&["query", "logs.db"], arguments].concat());
        answer.assert_success().stdout()
    };
    let table = ask(&["-n", "1"]);
    assert_eq!(
        table,
        "2025-10-09T09:09:59Z           INFO  b            order 999, \"it\"\\u{1b}[31m\n"
    );
    let csv = ask(&["-n", "1", "--format", "csv"]);
    let lines: Vec<&str> = csv.split("\r\n").collect();
    assert!(lines[0].starts_with("id,timestamp,level,service,message,"));
    assert!(lines[1].starts_with("1000,2025-10-09T09:09:59Z,INFO,b,\"order 999, \"\"it\"\""));
    let stats: Value = serde_json::from_str(&ask(&["--stats", "--format", "json"])).unwrap();
    assert_eq!(stats["total"], 1000);
    assert_eq!(stats["levels"]["ERROR"], 100);
    assert_eq!(stats["services"]["a"]["errors"], 100);
    let table = ask(&["--stats", "--service", "b"]);
    assert!(table.contains("500 events, 0 errors"), "{table}");
    let templates = ask(&["--templates", "top", "--format", "csv"]);
    assert!(templates.contains("t0,order <*>,334,2025-10-09T08:53:20Z,"), "{templates}");
}

#[test]
fn mistakes_are_explained() {
    let place = filled();
    let fail = |code: i32, arguments: &[&str]| {
        let answer = place.run(&[&["query"], arguments].concat());
        assert_eq!(answer.code(), code, "{}", answer.stderr());
        assert_eq!(answer.stdout(), "");
        answer.stderr()
    };
    let said = fail(1, &["logs.db", "--where", ".n > 5 && upcas(.level) == 1"]);
    let marked =
        "\n  .n > 5 && upcas(.level) == 1\n            ^^^^^\n  help: did you mean `upcase`?";
    assert!(said.contains(marked), "{said}");
    assert!(fail(2, &["logs.db", "--since", "yesterday"]).contains("write 15m"));
    assert!(fail(2, &["logs.db", "--stats", "--level", "INFO"]).contains("cannot be used with"));
    assert!(fail(1, &["missing.db"]).contains("missing.db: there is no such file"));
    assert!(fail(1, &["in.log"]).contains("in.log: it is no SQLite database"));
    let other = Connection::open(place.path("other.db")).unwrap();
    other.execute_batch("CREATE TABLE t (a)").unwrap();
    assert!(fail(1, &["other.db"]).contains("belongs to another program"));
    let ours = Connection::open(place.path("logs.db")).unwrap();
    ours.execute_batch("PRAGMA user_version = 77").unwrap();
    assert!(fail(1, &["logs.db"]).contains("use a newer lograil"));
}

#[test]
fn a_topology_is_asked_by_its_own_name() {
    let place = filled();
    let count = |arguments: &[&str]| {
        let all = [&["query"], arguments, &["--format", "json", "-n", "7"]].concat();
        let answer = place.run(&all);
        (answer.stdout().lines().count(), answer.stderr())
    };
    assert_eq!(count(&["t.toml"]).0, 7);
    assert_eq!(count(&["t.toml", "--sink", "store"]).0, 7);
    let (none, told) = count(&["t.toml", "--sink", "other"]);
    assert!(none == 0 && told.contains("no store `other`, but `store`"), "{told}");
    let second = "[sinks.more]\ntype = \"sqlite\"\ninputs = [\"json\"]\npath = \"more.db\"\n";
    place.write("all/t.toml", format!("{TOPOLOGY}{second}"));
    let (none, told) = count(&["all"]);
    assert!(none == 0 && told.contains("--sink: `store`, `more`"), "{told}");
    let none = r#"[sources.a]
type = "stdin"
[sinks.b]
type = "null"
inputs = ["a"]
"#;
    place.write("none.toml", none);
    assert!(count(&["none.toml"]).1.contains("no sink that keeps events"));
    place.write("wrong.toml", "[sources.a]\ntype = \"stdim\"\n");
    let (none, told) = count(&["wrong.toml"]);
    assert!(none == 0 && told.contains("stdim"), "{told}");
    assert!(count(&["logs.db", "--sink", "store"]).1.contains("goes with a topology"));
}

#[test]
fn a_store_on_a_disk_that_is_read_only_is_read() {
    let place = filled();
    // A name that a URI must spell otherwise.
    let name = "disk/50% of #1?.db";
    let Some(_disk) = small_disk(&place.path("disk"), "16m") else { return };
    fs::copy(place.path("logs.db"), place.path(name)).unwrap();
    let remount = |how: &str| {
        let mut command = Command::new("mount");
        command.args(["-o", &format!("remount,{how}")]).arg(place.path("disk"));
        assert!(command.status().unwrap().success());
    };
    remount("ro");
    assert!(fs::write(place.path("disk/x"), "").is_err());
    assert_eq!(numbers(&place.run(&["query", name, "-n", "2", "--format", "json"])), [999, 998]);
    remount("rw");
    // Copied while it was written: what is in its log would be missed.
    let writing = Connection::open(place.path("logs.db")).unwrap();
    writing.execute_batch("INSERT INTO labels VALUES (1, 'noise')").unwrap();
    fs::copy(place.path("logs.db-wal"), place.path(&format!("{name}-wal"))).unwrap();
    remount("ro");
    let refused = place.run(&["query", name]);
    assert_eq!(refused.code(), 1);
    assert!(refused.stderr().contains("copy both to a directory"), "{}", refused.stderr());
}

#[test]
fn a_reader_that_leaves_is_no_error() {
    let place = filled();
    let mut query = place.lograil(&["query", "logs.db", "-n", "1000", "--format", "json"]);
    let mut child = query.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success());
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
}

#[test]
fn questions_are_answered_while_the_store_is_written() {
    let place = Place::new();
    let topology = r#"
data_dir = "data"
[sources.made]
type = "generator"
rate = 2000
[sinks.store]
type = "sqlite"
inputs = ["made"]
path = "logs.db"
"#;
    let topology = place.write("t.toml", topology).to_str().unwrap().to_owned();
    let mut running = place.start(&["run", "--quiet", &topology]);
    let count = || {
        let answer = place.run(&["query", "logs.db", "--stats", "--format", "json"]);
        let stats = serde_json::from_str::<Value>(&answer.stdout()).unwrap_or_default();
        stats["total"].as_u64().unwrap_or(0)
    };
    until("events are stored", || count() > 0);
    let first = count();
    until("more are stored", || count() > first);
    assert!(running.is_running());
    assert!(running.stop().success());
}
