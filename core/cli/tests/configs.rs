//! Every topology in `configs/` runs and does what its first lines say.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

mod support;

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;
use support::{Background, Finished, Place, until};

fn directory() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../configs")
}

/// The command that runs a topology of `configs/`.
fn command(place: &Place, name: &str, more: &[&str]) -> Command {
    let config = directory().join(name);
    let arguments = ["run", "--data-dir", "data", config.to_str().unwrap()];
    place.lograil(&[&arguments[..], more].concat())
}

/// Runs a topology of `configs/` to the end of its input.
fn run(
    place: &Place,
    name: &str,
    variables: &[(&str, PathBuf)],
    more: &[&str],
    input: &[u8],
) -> Finished {
    let mut command = command(place, name, &["--once"]);
    command.args(more).env("ADMIN_LISTEN", "127.0.0.1:0");
    command.envs(variables.iter().map(|(name, value)| (name, value)));
    let stdin = place.write("stdin", input);
    Finished(command.stdin(fs::File::open(stdin).unwrap()).output().unwrap())
}

fn events(text: &str) -> Vec<Value> {
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn every_topology_is_run_by_a_test_and_says_what_it_is() {
    let source = include_str!("configs.rs");
    let mut names = Vec::new();
    for entry in fs::read_dir(directory()).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        let is_run = source.contains(&format!("place, \"{name}\""));
        assert!(is_run, "{name} is run by no test in this file");
        let text = fs::read_to_string(&path).unwrap();
        for part in ["# What: ", "# When: ", "# Run: "] {
            assert!(text.contains(part), "{name} does not say `{part}`");
        }
        assert!(text.contains("[[tests]]"), "{name} has no tests");
        let checked = Place::new().run(&["check", path.to_str().unwrap()]);
        checked.assert_success();
        assert!(!checked.stderr().contains("warning"), "{}", checked.stderr());
        names.push(name);
    }
    assert!(names.len() >= 4, "{names:?}");
}

#[test]
fn demo_shows_problems_and_keeps_everything() {
    let place = Place::new();
    let variables = [("OUTPUT_FILE", place.path("out.ndjson"))];
    let sets = ["--set", "sources.app.count=2000", "--set", "sources.app.rate=\"unlimited\""];
    let ran = run(&place, "demo.toml", &variables, &sets, b"");
    let kept = events(&place.read("out.ndjson"));
    assert!(!ran.assert_success().0.stdout.is_empty());
    assert_eq!(kept.len(), 2000);
    let is_problem = |event: &&Value| event["level"] == "ERROR" || event["level"] == "WARNING";
    let shown: Vec<String> = kept
        .iter()
        .filter(is_problem)
        .map(|event| {
            let text = |key: &str| {
                event[key].as_str().unwrap_or_else(|| panic!("{key}: {event}")).to_owned()
            };
            format!(
                "[{}] {}: {}: {} ({} ms)",
                text("timestamp"),
                text("level"),
                text("service"),
                text("message"),
                event["duration_ms"]
            )
        })
        .collect();
    assert_eq!(ran.stdout().lines().collect::<Vec<_>>(), shown);
    assert!(shown.len() > 300 && shown.len() < 700, "{} of 2000 are problems", shown.len());
}

#[test]
fn sqlite_store_can_be_searched() {
    let place = Place::new();
    place.write(
        "logs/app.log",
        "{\"level\":\"error\",\"service\":\"orders\",\"message\":\"connection refused\"}\n\
         level=info msg=\"all is well\"\n",
    );
    let variables = [("LOG_FILES", place.path("logs/*.log")), ("STORE_FILE", place.path("l.db"))];
    run(&place, "sqlite-store.toml", &variables, &[], b"").assert_success();
    let ask = |arguments: &[&str]| {
        let all = [&["query", "l.db", "--format", "json"], arguments].concat();
        events(&place.run(&all).assert_success().stdout())
    };
    let refused = ask(&["--since", "15m", "--level", "ERROR", "--text", "refused"]);
    assert_eq!(refused[0]["service"], "orders");
    assert_eq!(ask(&["--service", "app"]).len(), 1);
    assert_eq!(ask(&["--stats"])[0]["total"], 2);
}

#[test]
fn quickstart_keeps_every_event_in_the_database_and_in_the_file() {
    let place = Place::new();
    let variables =
        [("OUTPUT_FILE", place.path("out.ndjson")), ("STORE_FILE", place.path("logs.db"))];
    let sets = [
        "--set",
        "sources.shop.count=2000",
        "--set",
        "sources.shop.rate=4000",
        "--set",
        "sources.storms.count=50",
        "--set",
        "sources.storms.rate=100",
        "--set",
        "admin.listen=\"127.0.0.1:0\"",
    ];
    run(&place, "quickstart.toml", &variables, &sets, b"").assert_success();
    let kept = events(&place.read("out.ndjson"));
    assert_eq!(kept.len(), 2050);
    assert!(kept.iter().all(|event| !event["template_id"].is_null()), "{}", kept[0]);
    let is_of_storm = |event: &&Value| event["message"].as_str().unwrap().ends_with("db-1 refused");
    let of_storm: Vec<&Value> = kept.iter().filter(is_of_storm).collect();
    assert!(of_storm.len() >= 50, "{}", of_storm.len());
    assert!(of_storm.iter().all(|event| event["severity"].as_f64() >= Some(50.0)));
    let alarms = place.run(&["query", "logs.db", "--where", ".anomaly.alarm == true"]);
    alarms.assert_success();
    let stats = place.run(&["query", "logs.db", "--stats", "--format", "json"]);
    let total = stats.assert_success().stdout();
    let total: Value = serde_json::from_str(&total).unwrap();
    assert!(total["total"].as_u64() >= Some(2050), "{total}");
}

#[test]
fn collect_directory_gathers_log_files_at_any_depth() {
    let place = Place::new();
    place.write("logs/a.log", "a1\na2\n");
    place.write("logs/deep/er/b.log", "b1\r\nb2 without an end");
    place.write("logs/deep/syslog", "s1\n");
    place.write("logs/old.log.gz", "packed\n");
    place.write("logs/notes.txt", "no log\n");
    let variables = [("LOG_DIR", place.path("logs")), ("OUTPUT_FILE", place.path("out.ndjson"))];
    run(&place, "collect-directory.toml", &variables, &[], b"").assert_success();
    let mut found: Vec<(String, String)> = events(&place.read("out.ndjson"))
        .iter()
        .map(|event| {
            let file = PathBuf::from(event["file"].as_str().unwrap());
            let name = file.file_name().unwrap().to_str().unwrap().to_owned();
            (name, event["message"].as_str().unwrap().to_owned())
        })
        .collect();
    found.sort();
    let wanted = [
        ("a.log", "a1"),
        ("a.log", "a2"),
        ("b.log", "b1"),
        ("b.log", "b2 without an end"),
        ("syslog", "s1"),
    ];
    assert_eq!(found, wanted.map(|(file, line)| (file.to_owned(), line.to_owned())));
    // What was delivered is not delivered again.
    place.append("logs/a.log", "a3\n");
    run(&place, "collect-directory.toml", &variables, &[], b"").assert_success();
    assert_eq!(events(&place.read("out.ndjson")).len(), 6);
}

#[test]
fn collect_directory_takes_real_logs() {
    let Some(data) = support::shared_data() else { return };
    let place = Place::new();
    let variables = [("LOG_DIR", data.join("loghub")), ("OUTPUT_FILE", place.path("out.ndjson"))];
    run(&place, "collect-directory.toml", &variables, &[], b"").assert_success();
    let logs: Vec<PathBuf> = fs::read_dir(data.join("loghub"))
        .unwrap()
        .filter_map(|entry| fs::read_dir(entry.unwrap().path()).ok())
        .flatten()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "log"))
        .collect();
    let count = |path: &PathBuf| {
        let content = fs::read(path).unwrap();
        let ends = content.iter().filter(|byte| **byte == b'\n').count();
        ends + usize::from(!content.ends_with(b"\n"))
    };
    let wanted: usize = logs.iter().map(count).sum();
    assert!(wanted > 5_000, "{wanted}");
    assert_eq!(events(&place.read("out.ndjson")).len(), wanted);
}

#[test]
fn pipe_json_shows_failures_and_keeps_what_is_not_json() {
    let place = Place::new();
    let variables = [("REFUSED_FILE", place.path("refused.ndjson"))];
    let input = concat!(
        "{\"timestamp\":\"t1\",\"level\":\"INFO\",\"status\":200,\"message\":\"fine\"}\n",
        "{\"timestamp\":\"t2\",\"level\":\"INFO\",\"status\":502,\"message\":\"bad gateway\"}\n",
        "not json\n",
        "{\"timestamp\":\"t3\",\"level\":\"ERROR\",\"status\":200,\"message\":\"failed\"}",
    );
    let ran = run(&place, "pipe-json.toml", &variables, &[], input.as_bytes());
    assert_eq!(ran.assert_success().stdout(), "t2 INFO 502 bad gateway\nt3 ERROR 200 failed\n");
    let refused = events(&place.read("refused.ndjson"));
    assert_eq!(refused.len(), 1);
    assert_eq!(refused[0]["message"], "not json");
}

#[test]
fn tail_nginx_makes_json_of_requests_and_shows_server_errors() {
    let place = Place::new();
    let log = concat!(
        "10.0.0.1 - - [20/Nov/2026:10:00:00 +0000] \"GET /a HTTP/1.1\" 200 12 \"-\" \"curl/8\"\n",
        "10.0.0.2 - eve [20/Nov/2026:10:00:01 +0000] \"GET /\\x22 HTTP/1.1\" 503 0 \"http://x/\" \"Mozilla/5.0 (X11)\"\n",
        "this is no request\n",
    );
    let log = place.write("access.log", log);
    let variables = [("ACCESS_LOG", log), ("OUTPUT_FILE", place.path("out.ndjson"))];
    let variables = [&variables[..], &[("DATA_DIR", place.path("data"))]].concat();
    let ran = run(&place, "tail-nginx.toml", &variables, &[], b"");
    let shown = "20/Nov/2026:10:00:01 +0000 503 GET /\\x22 HTTP/1.1 from 10.0.0.2\n";
    assert_eq!(ran.assert_success().stdout(), shown);
    let requests = events(&place.read("out.ndjson"));
    assert_eq!(requests.len(), 2);
    let wanted = serde_json::json!({
        "remote_addr": "10.0.0.2",
        "remote_user": "eve",
        "time_local": "20/Nov/2026:10:00:01 +0000",
        "request": "GET /\\x22 HTTP/1.1",
        "status": 503,
        "body_bytes_sent": 0,
        "http_referer": "http://x/",
        "http_user_agent": "Mozilla/5.0 (X11)",
    });
    assert_eq!(requests[1], wanted);
    let refused = events(&place.read("data/dead-letters.ndjson"));
    assert_eq!(refused.len(), 1);
    assert_eq!(refused[0]["message"], "this is no request");
}

#[test]
fn split_by_service_gives_each_service_a_file_a_day() {
    let place = Place::new();
    let variables =
        [("OUTPUT_DIR", place.path("split")), ("REFUSED_FILE", place.path("refused.ndjson"))];
    let input = concat!(
        "{\"timestamp\":\"2026-01-02T23:59:59Z\",\"service\":\"pay\",\"message\":\"a\"}\n",
        "{\"timestamp\":\"2026-01-03T00:00:00Z\",\"service\":\"pay\",\"message\":\"b\"}\n",
        "{\"timestamp\":\"2026-01-02T10:00:00Z\",\"service\":\"../../up\",\"message\":\"c\"}\n",
        "{\"timestamp\":\"2026-01-02T10:00:00Z\",\"message\":\"d\"}\n",
        "not json\n",
    );
    run(&place, "split-by-service.toml", &variables, &[], input.as_bytes()).assert_success();
    let message =
        |name: &str| events(&place.read(&format!("split/{name}.ndjson")))[0]["message"].clone();
    assert_eq!(message("pay/2026-01-02"), "a");
    assert_eq!(message("pay/2026-01-03"), "b");
    assert_eq!(message(".._.._up/2026-01-02"), "c");
    assert_eq!(message("unknown/2026-01-02"), "d");
    assert_eq!(events(&place.read("refused.ndjson")).len(), 1);
}

#[test]
fn multiline_java_keeps_stack_traces_whole() {
    let place = Place::new();
    let trace = "java.io.IOException: refused\n\tat a.B.c(B.java:1)\nCaused by: d.E\n\t... 1 more";
    let log = format!(
        "2026-01-02 10:00:00,100 INFO  [main] c.s.Orders - started\n\
         2026-01-02 10:00:01,200 ERROR [http-1] c.s.Orders - request failed\n{trace}\n\
         2026-01-02 10:00:02,300 WARN  [main] c.s.Orders - slow\nand so on\n"
    );
    let log = place.write("app.log", log);
    let variables = [
        ("APP_LOG", log),
        ("OUTPUT_FILE", place.path("out.ndjson")),
        ("DATA_DIR", place.path("data")),
    ];
    let ran = run(&place, "multiline-java.toml", &variables, &[], b"");
    let shown = "2026-01-02 10:00:01,200 c.s.Orders: request failed (java.io.IOException)\n";
    assert_eq!(ran.assert_success().stdout(), shown);
    let all = events(&place.read("out.ndjson"));
    assert_eq!(all.len(), 3);
    assert_eq!(all[1]["stack_trace"], trace);
    assert_eq!(all[1]["message"], "request failed");
    assert!(all[0].get("stack_trace").is_none(), "{}", all[0]);
    let refused = events(&place.read("data/dead-letters.ndjson"));
    assert_eq!(refused[0]["message"], "and so on");
}

#[test]
fn search_archives_finds_errors_in_packed_logs_too() {
    let place = Place::new();
    let line = |n: u32, level: &str| {
        format!("2026-01-02 10:00:0{n},100 {level} [main] c.s.Orders - {n}\n")
    };
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    packed.write_all((line(1, "ERROR") + &line(2, "INFO")).as_bytes()).unwrap();
    place.write("app.log.2.gz", packed.finish().unwrap());
    let trace = "java.io.IOException: refused\n\tat a.B.c(B.java:1)\n";
    place.write("app.log.1", line(3, "ERROR") + trace + &line(4, "WARN"));
    place.write("app.log", line(5, "ERROR"));
    let variables = [("LOGS", place.path("app.log*"))];
    let ran = run(&place, "search-archives.toml", &variables, &[], b"");
    let found = events(&ran.assert_success().stdout());
    let files = found.iter().map(|event| {
        let file = PathBuf::from(event["file"].as_str().unwrap());
        file.file_name().unwrap().to_str().unwrap().to_owned()
    });
    assert_eq!(files.collect::<Vec<_>>(), ["app.log.2.gz", "app.log.1", "app.log"]);
    assert!(found[1].to_string().contains("a.B.c(B.java:1)"), "{}", found[1]);
}

/// Runs the generator's topology until `count` events and two heartbeats are out.
fn generate(place: &Place, count: &str, settings: &[(&str, &str)]) -> Finished {
    let mut variables = vec![
        ("OUTPUT_FILE", place.path("generated.log")),
        ("LOG_FILE", place.path("heartbeat.log")),
        ("LOG_RATE", "unlimited".into()),
        ("LOG_FREQUENCY", "0.01".into()),
    ];
    variables.extend(settings.iter().map(|(name, value)| (*name, PathBuf::from(value))));
    let count = format!("sources.app.count={count}");
    let sets = ["--set", &count, "--set", "sources.heartbeat.count=2"];
    run(place, "log-generator.toml", &variables, &sets, b"")
}

#[test]
fn log_generator_writes_the_same_to_file_and_console() {
    let place = Place::new();
    let ran = generate(&place, "1000", &[]);
    let written = place.read("generated.log");
    assert_eq!(ran.assert_success().stdout(), written);
    assert_eq!(written.lines().count(), 1000);
    assert!(written.lines().all(|line| line.split(" | ").count() == 8));
    let heartbeats = place.read("heartbeat.log");
    assert_eq!(heartbeats.lines().count(), 2);
    assert!(heartbeats.lines().all(|line| line.contains(" | Heartbeat ")), "{heartbeats}");
}

#[test]
fn log_generator_takes_every_setting_from_the_environment() {
    let place = Place::new();
    let settings = [
        ("LOG_RATE", "100000"),
        ("LOG_FORMAT", "json"),
        ("CONSOLE_OUTPUT", "false"),
        ("LOG_DISTRIBUTION", "INFO:0.5,ERROR:0.5"),
        ("LOG_LEVEL", "ERROR"),
        ("ENABLE_BURSTS", "true"),
        ("BURST_FREQUENCY", "1"),
        ("BURST_MULTIPLIER", "50"),
        ("BURST_DURATION", "60"),
        ("ENABLE_PATTERNS", "true"),
    ];
    let ran = generate(&place, "2000", &settings);
    assert_eq!(ran.assert_success().stdout(), "");
    let events = events(&place.read("generated.log"));
    assert_eq!(events.len(), 2000);
    let is_serious = |event: &Value| event["level"] == "ERROR" || event["level"] == "CRITICAL";
    assert!(events.iter().all(is_serious));
    let tells = |words: &str| {
        events.iter().filter(|event| event["message"].as_str().unwrap().starts_with(words)).count()
    };
    assert!(tells("Circuit breaker open, calls") > 100, "patterns are on");
    // 100,000 a second, times 50 to 100: the events of a burst are at most 0.4 ms apart from first to last.
    let seconds =
        |event: &Value| -> f64 { event["timestamp"].as_str().unwrap()[17..23].parse().unwrap() };
    let lasted = (seconds(&events[1999]) - seconds(&events[0])).rem_euclid(60.0);
    assert!(lasted <= 0.002, "{lasted}");

    let refused = generate(&place, "1", &[("ENABLE_BURSTS", "perhaps")]);
    assert!(!refused.0.status.success());
    assert!(refused.stderr().contains("ENABLE_BURSTS"), "{}", refused.stderr());
}

#[test]
fn route_by_level_gives_every_level_its_place() {
    let place = Place::new();
    let files = ["errors.ndjson", "warnings.ndjson", "rest.ndjson"];
    let names = ["ERRORS_FILE", "WARNINGS_FILE", "OUTPUT_FILE"];
    let variables: Vec<_> =
        names.iter().zip(files).map(|(name, file)| (*name, place.path(file))).collect();
    let input = concat!(
        "{\"timestamp\":\"t1\",\"level\":\"ERROR\",\"service\":\"a\",\"message\":\"broken\"}\n",
        "{\"timestamp\":\"t2\",\"level\":\"WARN\",\"service\":\"a\",\"status\":503,\"message\":\"bad\"}\n",
        "{\"timestamp\":\"t3\",\"level\":\"WARN\",\"service\":\"b\",\"status\":404,\"message\":\"hm\"}\n",
        "{\"timestamp\":\"t4\",\"level\":\"INFO\",\"service\":\"b\",\"status\":\"?\",\"message\":\"ok\"}\n",
        "not json\n",
    );
    let ran = run(&place, "route-by-level.toml", &variables, &[], input.as_bytes());
    assert_eq!(ran.assert_success().stdout(), "t1 ERROR a: broken\nt2 WARN a: bad\n");
    let messages = files.map(|file| {
        let of = events(&place.read(file));
        let mut messages: Vec<_> =
            of.iter().map(|event| event["message"].as_str().unwrap().to_owned()).collect();
        messages.sort_unstable();
        messages.join(",")
    });
    assert_eq!(messages, ["bad,broken", "hm", "not json,ok"]);
}

#[test]
fn message_templates_finds_templates_and_keeps_merges() {
    let place = Place::new();
    let variables = [
        ("OUTPUT_FILE", place.path("templates.ndjson")),
        ("MERGES_FILE", place.path("merges.ndjson")),
    ];
    let mut input = String::new();
    for user in ["ann", "bob", "cid", "dan", "eve", "fay", "gus"] {
        input += &format!("2026-11-20 20:36:52 INFO Login of {user} took 5 ms\n");
    }
    let ran = run(&place, "message-templates.toml", &variables, &[], input.as_bytes());
    ran.assert_success();
    let merges = events(&place.read("merges.ndjson"));
    assert_eq!(merges.len(), 6);
    let found = events(&place.read("templates.ndjson"));
    assert_eq!(found[6]["template"], "Login of <*> took <*>");
    assert_eq!(found[6]["template_parameters"], serde_json::json!(["gus", "5 ms"]));
    assert_eq!(merges[0]["into_id"], found[6]["template_id"]);
}

#[test]
fn access_log_numbers_are_those_of_each_minute_and_status() {
    let place = Place::new();
    let mut log = String::new();
    for number in 0..300 {
        let (minute, second, status) = (number / 60, number % 60, 200 + 204 * (number % 2));
        log += &format!(
            "10.0.0.{second} - - [20/Nov/2026:10:{minute:02}:{second:02} +0000] \"GET / HTTP/1.1\" {status} {number} \"-\" \"curl/8\"\n"
        );
    }
    let log = place.write("access.log", log);
    let variables = [("ACCESS_LOG", log), ("DATA_DIR", place.path("data"))];
    let ran = run(&place, "access-log-numbers.toml", &variables, &[], b"");
    let found = events(&ran.assert_success().stdout());
    assert_eq!(found.len(), 10);
    let sum = |name: &str| found.iter().map(|event| event[name].as_u64().unwrap()).sum::<u64>();
    assert_eq!((sum("requests"), sum("bytes"), sum("visitors")), (300, 299 * 300 / 2, 300));
}

#[test]
fn find_anomalies_shows_what_deserves_a_look() {
    let place = Place::new();
    let variables =
        [("ALARMS_FILE", place.path("alarms.ndjson")), ("OUTPUT_FILE", place.path("all.ndjson"))];
    let mut input = String::new();
    for n in 0..300 {
        let took = if n == 250 { 9000 } else { 20 + n * 7 % 13 };
        input += &format!(
            "{{\"level\":\"INFO\",\"service\":\"a\",\"message\":\"served\",\"duration_ms\":{took}}}\n"
        );
    }
    input += "2026-01-01 10:00:00 ERROR db: connection refused\n";
    let ran = run(&place, "find-anomalies.toml", &variables, &[], input.as_bytes());
    let shown = events(&ran.assert_success().stdout());
    assert_eq!(shown.len(), 2, "{shown:?}");
    assert_eq!(shown[0]["anomaly"]["value"], 9000.0);
    assert_eq!(shown[1]["severity"], 74);
    let alarms = events(&place.read("alarms.ndjson"));
    assert_eq!(alarms.len(), 1, "{alarms:?}");
    assert_eq!(alarms[0]["anomaly"], shown[0]["anomaly"]);
    assert_eq!(events(&place.read("all.ndjson")).len(), 301);
}

#[test]
fn dedupe_and_sample_makes_a_log_quiet_but_keeps_errors() {
    let place = Place::new();
    let variables = [("REFUSED_FILE", place.path("refused.ndjson"))];
    let mut input = String::new();
    for n in 0..60 {
        let (id, message) = (n, n / 2);
        input += &format!(
            "{{\"id\":{id},\"level\":\"INFO\",\"service\":\"a\",\"message\":\"{message}\"}}\n"
        );
    }
    input += "{\"level\":\"ERROR\",\"message\":\"x\"}\n{\"level\":\"ERROR\",\"message\":\"y\"}\nnot json";
    let ran = run(&place, "dedupe-and-sample.toml", &variables, &[], input.as_bytes());
    let kept = events(&ran.assert_success().stdout());
    let kept: Vec<_> = kept
        .iter()
        .map(|event| (event["message"].as_str().unwrap(), event["sample_rate"].as_i64()))
        .collect();
    let sampled = [("0", Some(10)), ("10", Some(10)), ("20", Some(10))];
    assert_eq!(kept, [&sampled[..], &[("x", None), ("y", None)]].concat());
    assert_eq!(events(&place.read("refused.ndjson"))[0]["message"], "not json");
}

#[test]
fn websocket_logs_keeps_the_mock_stream_and_shows_its_problems() {
    let place = Place::new();
    let mock = place.start(&["mock", "--listen", "127.0.0.1:0"]);
    let url = told(&place, "stderr", "log stream on ");
    let mut command = command(&place, "websocket-logs.toml", &[]);
    command.env("STREAM_URL", format!("{url}?interval_ms=10&level_weights=INFO:1,ERROR:1"));
    command.env("OUTPUT_FILE", place.path("out.ndjson"));
    command.stdout(fs::File::create(place.path("screen")).unwrap());
    command.stderr(fs::File::create(place.path("log")).unwrap());
    let running = Background(command.spawn().unwrap());
    until("events are kept", || place.read("out.ndjson").lines().count() > 40);
    assert!(running.stop().success());
    assert!(mock.stop().success());
    let kept = events(&place.read("out.ndjson"));
    let errors = kept.iter().filter(|event| event["level"] == "ERROR").count();
    assert!(errors > 0 && errors < kept.len(), "{errors} of {}", kept.len());
    assert_eq!(place.read("screen").lines().count(), errors);
}

/// The word behind `start` in a file that grows.
fn told(place: &Place, file: &str, start: &str) -> String {
    let mut word = String::new();
    until(start, || {
        let text = place.read(file);
        // A line that is being written has no end yet.
        let line = text.split_once(start).and_then(|(_, rest)| rest.split_once('\n'));
        word = line.and_then(|(line, _)| line.split_whitespace().next()).unwrap_or("").to_owned();
        !word.is_empty()
    });
    word
}

/// Starts a topology that listens; its log goes to the file `log`.
fn start_listening(place: &Place, mut command: Command) -> Background {
    command.env("LISTEN", "127.0.0.1:0").env("OUTPUT_FILE", place.path("out.ndjson"));
    command.stdout(fs::File::create(place.path("screen")).unwrap());
    command.stderr(fs::File::create(place.path("log")).unwrap());
    Background(command.spawn().unwrap())
}

#[test]
fn http_gateway_takes_what_several_kinds_of_clients_send() {
    let place = Place::new();
    let running = start_listening(&place, command(&place, "http-gateway.toml", &[]));
    let address = told(&place, "log", "taking events on http://").parse().unwrap();
    let send = |head: &str, body: &str| {
        let length = body.len();
        let answer = support::http::request(
            address,
            &format!(
                "{head} HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n{body}"
            ),
        );
        assert_eq!(answer.status, 200, "{}", answer.body);
    };
    send("POST /", "{\"level\":\"ERROR\",\"service\":\"shop\",\"message\":\"broken\"}");
    send("POST /logs", "[{\"level\":\"INFO\",\"message\":\"fine\"}]");
    send("POST /_bulk", "{\"index\":{}}\n{\"message\":\"bulk\"}\n");
    send("GET /send?message=hello", "");
    // Answered is written.
    let kept = events(&place.read("out.ndjson"));
    let messages: Vec<&str> = kept.iter().map(|event| event["message"].as_str().unwrap()).collect();
    assert_eq!(messages, ["broken", "fine", "bulk", "hello"]);
    assert!(running.stop().success());
    assert_eq!(place.read("screen"), "ERROR shop: broken\n");
}

#[test]
fn mock_stream_gives_entries_to_a_websocket() {
    use std::io::{Read, Write};
    let place = Place::new();
    let running = start_listening(&place, command(&place, "mock-stream.toml", &[]));
    let url = told(&place, "log", "giving events on ws://");
    let (address, path) = url.split_once('/').unwrap();
    let mut stream = support::http::connect(address.parse().unwrap());
    let request = format!(
        "GET /{path}?level=INFO HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    );
    stream.write_all(request.as_bytes()).unwrap();
    let mut received = Vec::new();
    while received.iter().filter(|byte| **byte == b'}').count() < 3 {
        let mut block = [0; 4096];
        let count = stream.read(&mut block).unwrap();
        received.extend_from_slice(&block[..count]);
    }
    let received = String::from_utf8_lossy(&received);
    assert!(received.contains("s3pPLMBiTxaQ9kYGzzhZRbK+xOo="), "{received}");
    let entry = &received[received.find('{').unwrap()..=received.find('}').unwrap()];
    let entry: Value = serde_json::from_str(entry).unwrap();
    assert_eq!(entry["level"], "INFO");
    assert!(entry["timestamp"].as_i64().unwrap() > 1_700_000_000_000, "{entry}");
    assert_eq!(entry["trace_id"].as_str().unwrap().len(), 32);
    assert!(running.stop().success());
}
