//! How well the headers of real logs are read: needs data that is not part of the repository, found through
//! LOGRAIL_SHARED_DATA, and says so where it is missing.

use std::path::PathBuf;

use lograil_testkit::TransformHarness;
use serde_json::{Map, Value, json};

use super::SPEC;
use crate::shared_data::{self, records};

type Object = Map<String, Value>;

/// Parses lines one after the other, as one stream.
fn parse_all(lines: &[&str]) -> Vec<Object> {
    let mut harness = TransformHarness::build(&SPEC, json!({"format": "auto"}));
    let mut events = Vec::new();
    for chunk in lines.chunks(500) {
        for event in harness.feed_lines(chunk).main() {
            events.push(event.as_object().unwrap().clone());
        }
    }
    assert_eq!(events.len(), lines.len());
    events
}

fn text_of<'o>(object: &'o Object, name: &str) -> Option<std::borrow::Cow<'o, str>> {
    match object.get(name)? {
        Value::String(text) => Some(text.trim().into()),
        Value::Null => None,
        other => Some(other.to_string().into()),
    }
}

/// Which of our fields a column of a structured file stands for. The columns are named differently from file to
/// file: where syslog's host is called a component, it is still the host.
fn field_of(system: &str, column: &str) -> Option<&'static str> {
    Some(match (system, column) {
        ("OpenSSH", "Component") | ("Mac", "User") | ("Thunderbird", "Location") => "host",
        (_, "Component") => "component",
        (_, "Pid" | "PID") => "pid",
        (_, "Level") => "level",
        (_, "Content") => "message",
        _ => return None,
    })
}

/// Whether a field has what the column says.
fn agrees(column: &str, expected: &str, event: &Object, field: &str) -> bool {
    let found = text_of(event, field);
    match field {
        // A line without a component or process has no such field.
        _ if expected.is_empty() => true,
        "level" => {
            let original = text_of(event, "level_original");
            [found, original].iter().flatten().any(|level| level.eq_ignore_ascii_case(expected))
        }
        // `[thread:class@line]`: the truth of Zookeeper cuts inside the thread's address.
        "component" if expected.contains(':') && column == "Component" => {
            found.is_some_and(|found| expected.ends_with(&*found))
        }
        _ => found.is_some_and(|found| found == expected.trim()),
    }
}

/// Whether the timestamp's text is what the file's columns for the time say together.
fn time_agrees(record: &Object, event: &Object) -> bool {
    let Some(found) = text_of(event, "timestamp") else { return false };
    let time = text_of(record, "Time").unwrap_or_default();
    found.ends_with(&*time) || found.contains(&*time)
}

#[test]
fn reads_the_headers_of_the_systems_of_loghub() {
    let Some(data) = shared_data::root() else { return };
    let mut folders: Vec<PathBuf> = std::fs::read_dir(data.join("loghub"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    folders.retain(|folder| folder.is_dir());
    folders.sort();
    println!(
        "{:<12} {:>8} {:>8} {:>8} {:>8} {:>8} {:>8}",
        "system", "time", "level", "comp.", "pid", "host", "message"
    );
    let mut worst = Vec::new();
    for folder in folders {
        let system = folder.file_name().unwrap().to_str().unwrap().to_owned();
        let text = std::fs::read(folder.join(format!("{system}_2k.log"))).unwrap();
        let text = String::from_utf8_lossy(&text);
        let lines: Vec<&str> = text.lines().collect();
        let truth = records(&folder.join(format!("{system}_2k.log_structured.csv")));
        assert_eq!(lines.len(), truth.len());
        let events = parse_all(&lines);
        let columns = ["time", "level", "component", "pid", "host", "message"];
        let mut scores = [(0usize, 0usize); 6];
        let mut missed = [0; 6];
        for ((record, event), line) in truth.iter().zip(&events).zip(&lines) {
            scores[0].1 += 1;
            scores[0].0 += usize::from(time_agrees(record, event));
            for (column, expected) in record {
                let Some(field) = field_of(&system, column) else { continue };
                let expected = expected.as_str().unwrap();
                let index = columns.iter().position(|name| *name == field).unwrap();
                let is_right = agrees(column, expected, event, field);
                scores[index].1 += 1;
                scores[index].0 += usize::from(is_right);
                if !is_right && missed[index] < 3 {
                    missed[index] += 1;
                    println!(
                        "  {field}: expected {expected:?}, found {:?} in {line}",
                        text_of(event, field)
                    );
                }
            }
        }
        let percent = |(right, all): (usize, usize)| 100.0 * right as f64 / all as f64;
        let cells = scores.map(|score| {
            if score.1 == 0 { "-".to_owned() } else { format!("{:.1}", percent(score)) }
        });
        println!(
            "{system:<12} {:>8} {:>8} {:>8} {:>8} {:>8} {:>8}",
            cells[0], cells[1], cells[2], cells[3], cells[4], cells[5]
        );
        for (column, score) in columns.iter().zip(scores).filter(|(_, score)| score.1 > 0) {
            if percent(score) < 99.0 {
                worst.push(format!("{system} {column} {:.1}", percent(score)));
            }
        }
    }
    assert!(worst.is_empty(), "below the floor: {worst:?}");
}

/// The formats that a file's lines may be taken for.
fn family(format: &str) -> &'static [&'static str] {
    match format {
        "access_log" => &["access_log", "application"],
        "otel_collector_log" => &["json"],
        "syslog_log" | "esx_syslog_log" | "haproxy_log" | "unifi_log" | "unifi_iptables_log" => {
            &["syslog", "application"]
        }
        _ => &["application"],
    }
}

#[test]
fn recognises_format_level_and_time_of_the_samples_of_lnav() {
    let Some(data) = shared_data::root() else { return };
    let text = std::fs::read_to_string(data.join("lnav/samples.jsonl")).unwrap();
    let samples: Vec<Object> =
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let (mut formats, mut times, mut levels, mut with_level) = (0, 0, 0, 0);
    for sample in &samples {
        let line = sample["line"].as_str().unwrap().lines().next().unwrap_or_default();
        let event = &parse_all(&[line])[0];
        let format = sample["format"].as_str().unwrap();
        let is_format = family(format).contains(&event["format"].as_str().unwrap());
        let has_time = event.contains_key("timestamp") || event["format"] == "json";
        let expected = sample.get("level").and_then(Value::as_str);
        let is_level = expected.is_none_or(|expected| {
            let found = text_of(event, "level").unwrap_or_default().to_lowercase();
            found == expected || (found == "warn" && expected == "warning")
        });
        formats += usize::from(is_format);
        times += usize::from(has_time);
        with_level += usize::from(expected.is_some());
        levels += usize::from(is_level && expected.is_some());
        if !is_format || !has_time || !is_level {
            println!(
                "  {format}: {is_format} {has_time} {is_level} {}\n    {line}",
                Value::from(event.clone())
            );
        }
    }
    let percent = |right: usize, all: usize| 100.0 * right as f64 / all as f64;
    println!(
        "format {:.1} time {:.1} level {:.1} of {} ({} with a level)",
        percent(formats, samples.len()),
        percent(times, samples.len()),
        percent(levels, with_level),
        samples.len(),
        with_level
    );
    for (right, all) in [(formats, samples.len()), (times, samples.len()), (levels, with_level)] {
        assert!(percent(right, all) >= 95.0);
    }
}

#[test]
fn no_file_of_lnav_makes_it_panic() {
    let Some(data) = shared_data::root() else { return };
    for entry in std::fs::read_dir(data.join("lnav/test")).unwrap() {
        let bytes = std::fs::read(entry.unwrap().path()).unwrap();
        let text = String::from_utf8_lossy(&bytes);
        let lines: Vec<&str> = text.lines().collect();
        parse_all(&lines);
    }
}
