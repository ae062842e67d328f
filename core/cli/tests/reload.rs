//! A topology that changes while it runs: by SIGHUP and by `--watch`, under load, with mistakes, with a sink that
//! cannot write. Nothing is lost and nothing is left behind. `LOGRAIL_RELOADS` sets how often.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

mod support;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::PathBuf;
use std::process::Command;

use support::http::{admin_address, get};
use support::{Background, Place, until};

const SOURCE: &str = r#"
data_dir = "data"
[sources.app]
type = "file"
include = ["logs/*.log"]
glob_minimum_cooldown = "20ms"
"#;

fn file_sink(id: &str, input: &str, path: &str) -> String {
    format!(
        "[sinks.{id}]\ntype = \"file\"\ninputs = [\"{input}\"]\npath = \"{path}\"\nencoding.codec = \"raw\"\n"
    )
}

fn filter(id: &str, input: &str, condition: &str) -> String {
    format!(
        "[transforms.{id}]\ntype = \"filter\"\ninputs = [\"{input}\"]\ncondition = '{condition}'\n"
    )
}

/// Topologies in which every line reaches one of the files `all*` once.
fn variant(number: usize) -> String {
    let all = ["exists(.message)", "true"][number / 7 % 2];
    let rest = match number % 7 {
        0 => file_sink("out", "app", "all.log"),
        1 => filter("keep", "app", all) + &file_sink("out", "keep", "all.log"),
        2 => {
            filter("keep", "app", all)
                + &filter("more", "keep", "true")
                + &file_sink("out", "more", "all.log")
                + &file_sink("side", "keep", "side.log")
        }
        // The sink goes to another file, and `side` becomes a transform.
        3 => filter("side", "app", "true") + &file_sink("out", "side", "all2.log"),
        // The same file under another id.
        4 => filter("keep", "app", all) + &file_sink("other", "keep", "all.log"),
        5 => {
            let second = "[sources.second]\ntype = \"generator\"\nrate = 100\nformat = \"json\"\n";
            second.to_owned() + &file_sink("out", "app", "all.log") + &file_sink("gen", "second", "side2.log")
        }
        // Two inputs, and dead letters that go somewhere else.
        _ => {
            "[transforms.parsed]\ntype = \"parse\"\ninputs = [\"app\"]\nformat = \"json\"\non_error = \"pass\"\n".to_owned()
                + &file_sink("out", "parsed", "all.log")
                + &file_sink("letters", "parsed.dead_letter", "letters.log")
        }
    };
    SOURCE.to_owned() + &rest
}

fn lines(range: std::ops::Range<u64>) -> String {
    range.fold(String::new(), |mut text, n| {
        writeln!(text, "line {n}").unwrap();
        text
    })
}

/// How often each line is in the files.
fn counts(place: &Place) -> BTreeMap<u64, u64> {
    let mut counts = BTreeMap::new();
    for name in ["all.log", "all2.log"] {
        for line in place.read(name).lines() {
            let number = line.strip_prefix("line ").and_then(|number| number.parse().ok());
            *counts.entry(number.unwrap_or_else(|| panic!("a torn line: {line}"))).or_default() +=
                1;
        }
    }
    counts
}

/// Reloads so far that are told, by how the telling begins.
fn told(place: &Place, what: &str) -> usize {
    place.read("stderr").matches(&format!("reload: {what}")).count()
}

fn answers(place: &Place) -> usize {
    let log = place.read("stderr");
    log.lines().filter(|line| line.contains("reload: ") && line.ends_with("s)")).count()
        + told(place, "nothing is changed")
}

/// Asks for a reload and waits until it is told what came of it.
fn reload(place: &Place, running: &Background) {
    let before = answers(place);
    running.signal("HUP");
    until("the reload is told", || answers(place) > before);
}

fn entries(running: &Background, what: &str) -> usize {
    std::fs::read_dir(format!("/proc/{}/{what}", running.0.id())).unwrap().count()
}

#[test]
fn reloads_under_load_lose_nothing_and_leave_nothing_behind() {
    let reloads = std::env::var("LOGRAIL_RELOADS").map_or(300, |count| count.parse().unwrap());
    let place = Place::new();
    std::fs::create_dir_all(place.path("logs")).unwrap();
    let topology = place.write("t.toml", variant(0));
    let topology = topology.to_str().unwrap().to_owned();
    let running = place.start(&["run", "--quiet", &topology]);
    until("it runs", || place.path("all.log").exists());
    let (mut next, mut before) = (0, None);
    for number in 1..=reloads {
        place.append("logs/a.log", lines(next..next + 500));
        next += 500;
        let is_wrong = number % 10 == 9;
        let text = variant(number);
        let wrong = text.replace("type = \"file\"", "type = \"fille\"");
        place.write("t.toml", if is_wrong { wrong } else { text });
        place.append("logs/a.log", lines(next..next + 500));
        next += 500;
        reload(&place, &running);
        // The same topology as at the end, once everything has been there.
        if number == 28 {
            place.write("t.toml", variant(0));
            reload(&place, &running);
            until("all is out", || counts(&place).len() as u64 == next);
            before = Some((entries(&running, "task"), entries(&running, "fd")));
        }
    }
    place.write("t.toml", variant(0));
    reload(&place, &running);
    until("all lines are out", || counts(&place).len() as u64 == next);
    let (tasks, files) = before.unwrap();
    // Threads that did blocking work go after a while of idleness. Where the checkpoint and the states of
    // transforms were once written at the same time, both threads stay: each is woken in its turn.
    until("no thread is left behind", || entries(&running, "task") <= tasks + 1);
    until("no descriptor is left behind", || entries(&running, "fd") <= files);
    assert_eq!(running.stop().code(), Some(0), "{}", place.read("stderr"));
    let doubled: Vec<_> = counts(&place).into_iter().filter(|(_, count)| *count > 1).collect();
    assert!(doubled.is_empty(), "{doubled:?}\n{}", place.read("stderr"));
    assert_eq!(told(&place, "nothing is changed"), reloads / 10, "{}", place.read("stderr"));
    assert!(place.read("stderr").contains("unknown sink type \"fille\""));
}

#[test]
fn a_watched_file_is_read_again_and_a_wrong_one_is_told_in_log_and_metrics() {
    let place = Place::new();
    place.write("logs/a.log", lines(0..10));
    let admin = "[admin]\nlisten = \"127.0.0.1:0\"\n";
    let right = |path: &str| SOURCE.to_owned() + admin + &file_sink("out", "app", path);
    let topology = place.write("t.toml", right("one.log"));
    let running = place.start(&["run", "--watch", "--quiet", topology.to_str().unwrap()]);
    let address = admin_address(&place);
    until("the lines are out", || place.read("one.log") == lines(0..10));

    place.write("t.toml", right("two.log").replace("codec", "kodec"));
    until("the mistake is told", || told(&place, "nothing is changed") == 1);
    assert!(place.read("stderr").contains("t.toml:13:10: "), "{}", place.read("stderr"));
    let metrics = get(address, "/metrics").body;
    assert!(metrics.contains("lograil_reloads_total{result=\"refused\"} 1"), "{metrics}");
    assert!(metrics.contains("lograil_last_reload_successful 0"), "{metrics}");
    place.append("logs/a.log", lines(10..20));
    until("what ran goes on", || place.read("one.log") == lines(0..20));

    place.write("t.toml", right("two.log"));
    until("the sink is changed", || told(&place, "changed out") == 1);
    place.append("logs/a.log", lines(20..30));
    until("the other file is written", || place.read("two.log") == lines(20..30));
    let metrics = get(address, "/metrics").body;
    assert!(metrics.contains("lograil_reloads_total{result=\"applied\"} 1"), "{metrics}");
    assert!(metrics.contains("lograil_last_reload_successful 1"), "{metrics}");
    let configuration = get(address, "/config").json();
    assert_eq!(configuration["sinks"]["out"]["path"], "two.log");

    place.write("t.toml", right("two.log").replace("127.0.0.1:0", "127.0.0.1:1"));
    until("the refusal is told", || told(&place, "[admin] cannot change") == 1);
    assert_eq!(running.stop().code(), Some(0));
    assert_eq!(place.read("one.log") + &place.read("two.log"), lines(0..30));
}

/// A sink on a full disk tries for ever. It can be changed and taken away, and the rest goes on.
#[test]
fn a_sink_that_cannot_write_is_in_nobodys_way() {
    let place = Place::new();
    let full = place.path("full");
    std::fs::create_dir_all(&full).unwrap();
    let mounted = Command::new("mount")
        .args(["-t", "tmpfs", "-o", "size=64k", "tmpfs"])
        .arg(&full)
        .status()
        .is_ok_and(|status| status.success());
    if !mounted {
        assert!(std::env::var_os("LOGRAIL_REQUIRE_SERVERS").is_none(), "cannot mount a tmpfs");
        eprintln!("skipped: mounting a tmpfs needs root");
        return;
    }
    let _unmount = Unmount(full);
    let with = |stuck: &str| {
        let limits = "shutdown_timeout = \"2s\"\nbuffer.max_bytes = \"64KiB\"\n";
        limits.to_owned() + SOURCE + &file_sink("out", "app", "all.log") + stuck
    };
    place.write("logs/a.log", lines(0..50_000));
    let topology = place.write("t.toml", with(&file_sink("stuck", "app", "full/a.log")));
    let running = place.start(&["run", "--quiet", topology.to_str().unwrap()]);
    until("the disk is full", || place.read("stderr").contains("No space left on device"));
    // The sink goes elsewhere with all that waits for it.
    place.write("t.toml", with(&file_sink("stuck", "app", "elsewhere.log")));
    reload(&place, &running);
    let written = || place.read("full/a.log") + &place.read("elsewhere.log");
    until("all lines are out twice", || {
        place.read("all.log") == lines(0..50_000) && written() == lines(0..50_000)
    });
    // Back to the full disk, and then away with it.
    place.write("t.toml", with(&file_sink("stuck", "app", "full/b.log")));
    reload(&place, &running);
    place.append("logs/a.log", lines(50_000..60_000));
    until("it tries again", || place.read("stderr").matches("No space left on device").count() > 3);
    place.write("t.toml", with(""));
    reload(&place, &running);
    until("the rest goes on", || place.read("all.log") == lines(0..60_000));
    until("what waited is given up", || {
        place.read("stderr").contains("for the sink that was removed")
    });
    assert_eq!(running.stop().code(), Some(0), "{}", place.read("stderr"));
}

struct Unmount(PathBuf);

impl Drop for Unmount {
    fn drop(&mut self) {
        // The directory is temporary; all that is left to do is to try.
        let _unmounted = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

#[test]
fn a_source_takes_another_port() {
    let place = Place::new();
    let with = |path: &str| {
        let source = "[sources.web]\ntype = \"http\"\nlisten = \"127.0.0.1:0\"\n";
        format!("data_dir = \"data\"\n{source}path = \"{path}\"\n")
            + &file_sink("out", "web", "out.log")
    };
    let topology = place.write("t.toml", with("/a"));
    let running = place.start(&["run", "--quiet", topology.to_str().unwrap()]);
    let address = |count: usize| {
        let find = || -> Option<std::net::SocketAddr> {
            let told = place.read("stderr");
            let rest = told.split("taking events on http://").nth(count)?.to_owned();
            rest.contains('\n').then(|| rest.split_whitespace().next()?.parse().ok()).flatten()
        };
        let mut address = None;
        until("the source listens", || {
            address = find();
            address.is_some()
        });
        address.unwrap()
    };
    let first = address(1);
    place.write("t.toml", with("/b"));
    reload(&place, &running);
    let second = address(2);
    assert!(std::net::TcpStream::connect(first).is_err(), "the old port is free");
    assert!(std::net::TcpStream::connect(second).is_ok());
    assert_eq!(running.stop().code(), Some(0), "{}", place.read("stderr"));
}

/// The program of a `remap` in a file of its own is part of the topology.
#[test]
fn a_program_in_a_file_is_read_again_and_a_wrong_one_is_shown_where_it_is_wrong() {
    let place = Place::new();
    place.write("logs/a.log", "one\n");
    place.write("etc/programs/tidy.vrl", ".to = \"first\"\n");
    let remap =
        "[transforms.tidy]\ntype = \"remap\"\ninputs = [\"app\"]\nfile = \"programs/tidy.vrl\"\n";
    let sink = file_sink("out", "tidy", "out.log").replace("\"raw\"", "\"json\"");
    let topology = place.write("etc/t.toml", SOURCE.to_owned() + remap + &sink);
    let mut running = place.start(&["run", "--watch", "--quiet", topology.to_str().unwrap()]);
    let said = |to: &str| place.read("out.log").contains(&format!("\"to\":\"{to}\""));
    until("the first program runs", || said("first"));
    assert!(running.is_running());

    place.write("etc/programs/tidy.vrl", "# é\r\n.to = upcasse(\"second\")\r\n");
    until("the mistake is told", || told(&place, "nothing is changed") == 1);
    let expected = "etc/programs/tidy.vrl:2:7: transform `tidy`: unknown function `upcasse`";
    assert!(place.read("stderr").contains(expected), "{}", place.read("stderr"));

    place.write("etc/programs/tidy.vrl", "# é\r\n.to = upcase(\"second\")\r\n");
    until("the transform is changed", || told(&place, "changed tidy") == 1);
    place.append("logs/a.log", "two\n");
    until("the second program runs", || said("SECOND"));

    std::fs::remove_file(place.path("etc/programs/tidy.vrl")).unwrap();
    until("it is told that there is none", || told(&place, "nothing is changed") == 2);
    place.write("etc/programs/tidy.vrl", ".to = \"third\"\n");
    until("the transform is changed again", || told(&place, "changed tidy") == 2);
    place.append("logs/a.log", "three\n");
    until("the third program runs", || said("third"));
    assert_eq!(told(&place, "no component differs"), 0, "read again for nothing");
    assert_eq!(running.stop().code(), Some(0), "{}", place.read("stderr"));
}
