//! What the generated events tell: requests, stories, heartbeats, bursts, custom fields and formats.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::Duration;

use serde_json::{Value, json};

use super::tests::{START_NS, all_lines, csv_values, mistakes, repeatable, started, text_columns};
use lograil_plugin::Clock;

fn with(mut options: Value, more: Value) -> Value {
    for (name, value) in more.as_object().unwrap() {
        options[name] = value.clone();
    }
    options
}

#[test]
fn requests_have_method_path_status_and_response_time_in_five_services() {
    let options = |format: &str| with(repeatable(format, 3000), json!({ "events": "http" }));
    let csv = all_lines(options("csv"));
    let text = all_lines(options("text"));
    let names = csv_values(&csv[0]);
    let mut services = BTreeSet::new();
    for ((json, csv), text) in all_lines(options("json")).iter().zip(&csv[1..]).zip(&text) {
        let event: serde_json::Map<String, Value> = serde_json::from_str(json).unwrap();
        assert_eq!(event.keys().collect::<Vec<_>>(), names.iter().collect::<Vec<_>>());
        let values: Vec<String> = event
            .values()
            .map(|v| v.as_str().map_or_else(|| v.to_string(), str::to_owned))
            .collect();
        assert_eq!(values, csv_values(csv));
        services.insert(event["service"].as_str().unwrap().to_owned());
        let status = event["status"].as_u64().unwrap();
        let wanted = match event["level"].as_str().unwrap() {
            "WARNING" => 4,
            "ERROR" => 5,
            _ => status / 100,
        };
        assert_eq!(status / 100, wanted, "{json}");
        assert!(event["duration_ms"].as_u64().unwrap() > 0);
        let said = format!(
            "{} {} {status}",
            event["method"].as_str().unwrap(),
            event["path"].as_str().unwrap()
        );
        assert_eq!(event["message"], said);
        assert_eq!(text_columns(text)[7], said);
    }
    assert_eq!(services.len(), 5);
}

#[test]
fn access_lines_are_in_the_combined_format() {
    let mut statuses = BTreeMap::<u16, u32>::new();
    for line in all_lines(repeatable("access", 3000)) {
        let (client, rest) = line.split_once(" - ").unwrap();
        assert!(client.parse::<std::net::Ipv4Addr>().unwrap().is_private());
        let (user, rest) = rest.split_once(" [14/May/2025:10:23:4").unwrap();
        assert!(user == "-" || user.starts_with("user-"), "{line}");
        let quoted: Vec<&str> = rest.split('"').collect();
        assert_eq!(quoted.len(), 7, "{line}");
        assert!(quoted[0].ends_with(" +0000] "), "{line}");
        let request: Vec<&str> = quoted[1].split(' ').collect();
        assert!(request.len() == 3 && request[1].starts_with('/') && request[2] == "HTTP/1.1");
        let mut numbers = quoted[2].split_ascii_whitespace();
        *statuses.entry(numbers.next().unwrap().parse().unwrap()).or_default() += 1;
        numbers.next().unwrap().parse::<u32>().unwrap();
        assert!(!quoted[3].is_empty() && !quoted[5].is_empty());
    }
    let failed: u32 = statuses.range(500..600).map(|(_, count)| count).sum();
    assert!((100..200).contains(&failed), "5 % of 3000: {statuses:?}");
}

#[test]
fn stories_take_their_share_and_keep_their_ids_over_time() {
    let patterns = json!({ "patterns": { "enabled": true, "share": 0.4 } });
    let lines = all_lines(with(repeatable("json", 20_000), patterns));
    let events: Vec<Value> = lines.iter().map(|line| serde_json::from_str(line).unwrap()).collect();
    let mut by_id = HashMap::<&str, Vec<&Value>>::new();
    for event in &events {
        by_id.entry(event["id"].as_str().unwrap()).or_default().push(event);
    }
    let word = |event: &&Value| {
        let message = event["message"].as_str().unwrap();
        message.split([' ', ':']).next().unwrap().to_owned()
    };
    let wanted = [
        "Login Browse Purchase Logout",
        "Request Auth Process Query Response",
        "Warning Degraded Error Circuit Recovery",
    ];
    let mut found = [0; 3];
    let mut told = 0;
    for story in by_id.values() {
        let mut words: Vec<String> = story.iter().map(word).collect();
        words.dedup();
        if let Some(which) = wanted.iter().position(|wanted| *wanted == words.join(" ")) {
            found[which] += 1;
            told += story.len();
            for event in story {
                assert_eq!(event["user_id"], story[0]["user_id"]);
                assert_eq!(event["request_id"], story[0]["request_id"]);
                assert!(which != 2 || event["service"] == story[0]["service"]);
            }
        }
    }
    assert!(found.iter().all(|stories| *stories > 300), "{found:?}");
    let share = told as f64 / events.len() as f64;
    assert!((0.37..0.43).contains(&share), "{share}");
}

#[test]
fn a_least_level_holds_for_all_events_and_keeps_the_count() {
    let more = json!({ "min_level": "warning", "patterns": { "enabled": true } });
    let lines = all_lines(with(repeatable("text", 5000), more));
    assert_eq!(lines.len(), 5000);
    let levels: BTreeSet<&str> = lines.iter().map(|line| text_columns(line)[1]).collect();
    assert_eq!(levels, BTreeSet::from(["CRITICAL", "ERROR", "WARNING"]));
}

#[test]
fn heartbeats_come_every_so_often_from_the_same_instance() {
    let options =
        json!({ "events": "heartbeat", "interval": "5s", "count": 4, "levels": "ERROR:1" });
    let mut source = started(options);
    for _ in 0..15 {
        source.advance(Duration::from_secs(1));
    }
    source.finish().unwrap();
    let times: Vec<i64> = source
        .sent()
        .iter()
        .flat_map(|sent| sent.batch.records().iter().map(|record| record.timestamp_ns))
        .collect();
    assert_eq!(times, [0, 5, 10, 15].map(|s| START_NS + s * 1_000_000_000));
    let lines: Vec<String> =
        source.lines().into_iter().map(|line| String::from_utf8(line).unwrap()).collect();
    let columns: Vec<Vec<&str>> = lines.iter().map(|line| text_columns(line)).collect();
    for (index, columns) in columns.iter().enumerate() {
        assert_eq!(columns[1], "INFO");
        assert_eq!(columns[7], format!("Heartbeat {}, up for {} s", index + 1, 5 * index));
    }
    assert!(columns.iter().all(|line| line[2..6] == columns[0][2..6]), "{lines:?}");
}

#[test]
fn custom_fields_are_written_in_every_format() {
    let fields = json!({
        "fields": { "env": "a \"b\", c", "n": 7, "ok": true, "region": ["eu", "us"] }
    });
    let run = |format: &str| all_lines(with(repeatable(format, 500), fields.clone()));
    let csv = run("csv");
    assert!(csv[0].ends_with(",message,env,n,ok,region"), "{}", csv[0]);
    let mut regions = BTreeMap::<String, u32>::new();
    for ((text, json), csv) in run("text").iter().zip(run("json")).zip(&csv[1..]) {
        let event: Value = serde_json::from_str(&json).unwrap();
        let region = event["region"].as_str().unwrap();
        *regions.entry(region.to_owned()).or_default() += 1;
        assert_eq!(event["env"], "a \"b\", c");
        assert_eq!((&event["n"], &event["ok"]), (&json!(7), &json!(true)));
        let end = format!(" | env=a \"b\", c | n=7 | ok=true | region={region}");
        assert!(text.ends_with(&end), "{text}");
        assert_eq!(csv_values(csv)[8..], ["a \"b\", c", "7", "true", region]);
    }
    assert!(regions.len() == 2 && regions.values().all(|count| *count > 180), "{regions:?}");
}

#[test]
fn a_format_string_puts_any_field_anywhere() {
    let more = json!({
        "format": "{{{level}}} {timestamp} <{service}> {user_id}/{request_id} {duration_ms} \"{message}\" {env}",
        "fields": { "env": "prod" },
    });
    let json = all_lines(repeatable("json", 200));
    for (line, json) in all_lines(with(repeatable("text", 200), more)).iter().zip(json) {
        let event: Value = serde_json::from_str(&json).unwrap();
        let text = |name: &str| event[name].as_str().unwrap();
        let wanted = format!(
            "{{{}}} {} <{}> {}/{} {} \"{}\" prod",
            text("level"),
            text("timestamp"),
            text("service"),
            text("user_id"),
            text("request_id"),
            event["duration_ms"],
            text("message"),
        );
        assert_eq!(*line, wanted);
    }
    let all = json!({
        "events": "http", "format": "{client_ip} {method} {path} {status} {bytes} {referer} {user_agent}",
    });
    for line in all_lines(with(repeatable("text", 200), all)) {
        assert!(line.split(' ').count() >= 7 && !line.contains("  "), "{line}");
    }
}

#[test]
fn the_longest_lines_fit_into_their_blocks() {
    let fields: BTreeMap<String, String> =
        (0..32).map(|n| (format!("field{n}"), "\u{1}".repeat(256))).collect();
    for format in ["json", "csv", "text"] {
        let lines = all_lines(with(repeatable(format, 200), json!({ "fields": fields })));
        assert!(lines.iter().all(|line| line.len() > 32 * 256 || line.starts_with("timestamp")));
    }
    let format = "{message}".repeat(4096 / 9);
    let mut source = started(with(repeatable("text", 2000), json!({ "format": format })));
    source.finish().unwrap();
    assert_eq!(source.lines().len(), 2000);
    for sent in source.sent() {
        assert!(sent.batch.segments()[0].bytes.len() <= 1 << 20);
    }
}

fn burst_options(more: Value) -> Value {
    with(json!({ "rate": 50, "seed": 5, "bursts": { "enabled": true } }), more)
}

#[test]
fn bursts_make_some_seconds_many_times_as_busy() {
    let source = started(burst_options(json!({})));
    while source.clock().monotonic() < Duration::from_secs(300) {
        source.advance_to_next_sleep();
    }
    let mut seconds = BTreeMap::<i64, u32>::new();
    for sent in source.sent() {
        for record in sent.batch.records() {
            *seconds.entry((record.timestamp_ns - START_NS) / 1_000_000_000).or_default() += 1;
        }
    }
    seconds.retain(|second, _| *second < 300);
    let calm = seconds.values().filter(|events| (49..=51).contains(*events)).count();
    let busy: Vec<u32> = seconds.values().copied().filter(|events| *events > 51).collect();
    assert_eq!(calm + busy.len(), 300, "{seconds:?}");
    assert!((15..90).contains(&busy.len()), "{}", busy.len());
    assert!(busy.iter().all(|events| (249..=500).contains(events)), "{busy:?}");
    assert_eq!(busy.len() % 3, 0, "bursts last three seconds: {seconds:?}");
}

#[test]
fn bursts_are_repeatable_however_the_events_are_cut_into_batches() {
    let options = burst_options(json!({ "count": 9000, "start_time": "2025-05-14T10:23:45Z" }));
    let run = |advance: Duration| {
        let mut source = started(options.clone());
        let mut moved = Duration::ZERO;
        while moved < Duration::from_secs(200) {
            source.advance(advance);
            moved += advance;
        }
        source.finish().unwrap();
        let times: Vec<i64> = source
            .sent()
            .iter()
            .flat_map(|sent| sent.batch.records().iter().map(|record| record.timestamp_ns))
            .collect();
        (source.lines(), times)
    };
    let one_by_one = run(Duration::from_millis(7));
    let by_the_second = run(Duration::from_secs(1));
    assert_eq!(one_by_one.0.len(), 9000);
    assert!(one_by_one == by_the_second && one_by_one.1.is_sorted());
    let lasted = (one_by_one.1[8999] - one_by_one.1[0]) as f64 / 1e9;
    assert!(lasted < 150.0, "without bursts 9000 events take 180 s: {lasted}");
}

#[test]
fn what_cannot_be_is_told_where_it_is() {
    let path = |options: Value| {
        let errors = mistakes(options.clone());
        assert_eq!(errors.len(), 1, "{options}: {errors:?}");
        errors[0].0.join(".")
    };
    for (options, wanted) in [
        (json!({ "interval": 0 }), "interval"),
        (json!({ "bursts": { "chance": 2 } }), "bursts.chance"),
        (json!({ "bursts": { "multiplier": 0.5 } }), "bursts.multiplier"),
        (json!({ "bursts": { "duration": "0s" } }), "bursts.duration"),
        (json!({ "rate": "unlimited", "bursts": { "enabled": true } }), "bursts.enabled"),
        (json!({ "patterns": { "share": 1.5 } }), "patterns.share"),
        (json!({ "events": "http", "patterns": { "enabled": true } }), "patterns.enabled"),
        (json!({ "events": "heartbeat", "format": "access" }), "format"),
        (json!({ "min_level": "CRITICAL" }), "min_level"),
        (json!({ "format": "{level" }), "format"),
        (json!({ "format": "{level}}" }), "format"),
        (json!({ "format": "{status}" }), "format"),
        (json!({ "format": "access", "fields": { "a": 1 } }), "fields"),
        (json!({ "fields": { "level": 1 } }), "fields.level"),
        (json!({ "fields": { "a b": 1 } }), "fields.a b"),
        (json!({ "fields": { "a": [] } }), "fields.a"),
        (json!({ "fields": { "a": "x".repeat(257) } }), "fields.a"),
    ] {
        assert_eq!(path(options), wanted);
    }
}
