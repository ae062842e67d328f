//! Nothing is lost, doubled or torn: `kill -9` at any moment, rotation, a full disk. The oracle knows what
//! was written.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

mod support;

use std::io::Read;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use lograil_testkit::oracle::{self, Report, Rotate, Writer};
use support::{Place, small_disk, until};

/// File to rotating file, with everything the source and the sink do to survive.
fn topology(place: &Place, rotate_max_bytes: &str) -> String {
    let text = format!(
        r#"
data_dir = "data"
[sources.app]
type = "file"
include = ["logs/app.log*"]
glob_minimum_cooldown = "20ms"

[sinks.out]
type = "file"
inputs = ["app"]
path = "out/all.log"
encoding.codec = "raw"
rotate.max_bytes = "{rotate_max_bytes}"
rotate.max_files = 1000
"#
    );
    std::fs::create_dir_all(place.path("logs")).unwrap();
    place.write("t.toml", text).to_str().unwrap().to_owned()
}

/// The sink's files, the oldest first.
fn outputs(place: &Place) -> Vec<PathBuf> {
    let backup = |n: usize| place.path(&format!("out/all.log.{n}"));
    let backups = (1..).map(backup).take_while(|path| path.exists());
    let mut paths: Vec<_> = backups.collect();
    paths.reverse();
    paths.extend(Some(place.path("out/all.log")).filter(|path| path.exists()));
    paths
}

fn report(place: &Place, lines: u64) -> Report {
    oracle::check(lines, &["a"], outputs(place)).unwrap()
}

fn writer(place: &Place, rotate: Rotate, every_bytes: u64) -> Writer {
    Writer::open(place.path("logs/app.log"), "a", rotate, every_bytes).unwrap()
}

/// A moment that differs from kill to kill: between 2 and 120 ms after the start.
fn moment(kill: u64) -> Duration {
    Duration::from_micros(2000 + kill.wrapping_mul(0x9E37_79B9_7F4A_7C15) % 118_000)
}

/// Kills the program again and again while lines are written, then lets it finish.
fn survives_kills(kills: u64, lines_per_kill: u64, rotate: Rotate, rotate_max_bytes: &str) {
    let place = Place::new();
    let topology = topology(&place, rotate_max_bytes);
    let mut writer = writer(&place, rotate, 400_000).split_every(997);
    let mut killed_at_work = 0;
    for kill in 0..kills {
        let running = place.start(&["run", "--quiet", &topology]);
        writer.write_lines(lines_per_kill / 2).unwrap();
        // The kill must come at any moment; this is the one thing that only time can say.
        std::thread::sleep(moment(kill));
        writer.write_lines(lines_per_kill - lines_per_kill / 2).unwrap();
        let before = size_of_outputs(&place);
        running.kill();
        killed_at_work += u64::from(before > 0);
    }
    let lines = writer.next_seq();
    place.run(&["run", "--once", &topology]).assert_success();
    let mut report = report(&place, lines);
    if rotate != Rotate::Never {
        // Several files may be new at once after a kill; their order is another test's matter.
        report.out_of_order = 0;
    }
    assert!(report.is_perfect(), "{report:?}\n{}", place.read("stderr"));
    assert!(killed_at_work * 2 > kills, "only {killed_at_work} of {kills} kills hit a run at work");
    let is_rotating = rotate != Rotate::Never;
    assert!(!is_rotating || writer.rotations() > 2, "{} rotations", writer.rotations());
}

fn size_of_outputs(place: &Place) -> u64 {
    outputs(place).iter().filter_map(|path| path.metadata().ok()).map(|m| m.len()).sum()
}

#[test]
fn fifty_kills_lose_and_double_nothing() {
    survives_kills(50, 4000, Rotate::Never, "100MiB");
}

#[test]
fn kills_while_the_input_and_the_output_rotate_lose_and_double_nothing() {
    survives_kills(30, 4000, Rotate::Create, "150KiB");
}

/// Events that are sorted into files by a field, more of them than may be open.
#[test]
fn kills_lose_and_double_nothing_in_many_files() {
    let place = Place::new();
    let topology = topology(&place, "20KiB");
    let sorted = place.read("t.toml").replace("all.log", "{k}.log").replace(
        "[sinks.out]",
        "[transforms.json]\ntype = \"parse\"\ninputs = [\"app\"]\nformat = \"json\"\n\n[sinks.out]\nmax_open_files = 3",
    );
    let sorted = sorted.replace("inputs = [\"app\"]\npath", "inputs = [\"json\"]\npath");
    place.write("t.toml", sorted + "rotate.compression = \"gzip\"\n");
    let line = |number: u64| format!("{{\"k\":\"s{}\",\"n\":{number}}}", number * number % 11);
    let mut number = 0;
    for kill in 0..20 {
        let running = place.start(&["run", "--quiet", &topology]);
        for part in 0..4 {
            let lines = (number..number + 500).map(|number| line(number) + "\n");
            place.append("logs/app.log", lines.collect::<String>());
            number += 500;
            if part % 2 == 0 {
                std::thread::sleep(moment(kill));
            }
        }
        running.kill();
    }
    place.run(&["run", "--once", &topology]).assert_success();
    let mut found = Vec::new();
    for entry in std::fs::read_dir(place.path("out")).unwrap() {
        let path = entry.unwrap().path();
        if path.file_name().unwrap().to_str().unwrap().starts_with('.') {
            continue;
        }
        let mut text = String::new();
        let file = std::fs::File::open(&path).unwrap();
        if path.extension().is_some_and(|extension| extension == "gz") {
            flate2::read::GzDecoder::new(file).read_to_string(&mut text).unwrap();
        } else {
            { file }.read_to_string(&mut text).unwrap();
        }
        found.extend(text.lines().map(str::to_owned));
    }
    let order = |line: &String| {
        line.split(':').next_back().unwrap().trim_end_matches('}').parse::<u64>().unwrap()
    };
    found.sort_by_key(order);
    let wanted: Vec<String> = (0..number).map(line).collect();
    let wrong = found.iter().zip(&wanted).find(|(found, wanted)| found != wanted);
    assert_eq!(wrong, None, "{}", place.read("stderr"));
    assert_eq!(found.len(), wanted.len(), "{}", place.read("stderr"));
}

/// An event of a number of lines that follows from its own number.
fn event_of_lines(number: u64) -> String {
    let frames = (0..number % 9).map(|frame| format!("\n\tat shop.Orders.f{frame}({number})"));
    let frames: String = frames.collect();
    format!("{number} failed\njava.io.IOException: {number}{frames}\nCaused by: a.BError: {number}")
}

/// Events of several lines that are written in pieces, while the program is killed; at last the file rotates.
#[test]
fn kills_tear_lose_and_double_no_event_of_several_lines() {
    let place = Place::new();
    let topology = topology(&place, "100MiB");
    let grouped = place.read("t.toml").replace(
        "[sinks.out]",
        "multiline.preset = \"java\"\nmultiline.timeout = \"10m\"\n\n[sinks.out]",
    );
    place.write("t.toml", grouped.replace("\"raw\"", "\"json\""));
    let (mut number, mut killed_at_work) = (0, 0);
    for kill in 0..30 {
        let running = place.start(&["run", "--quiet", &topology]);
        for written in 0..600 {
            if written % 200 == 100 {
                std::thread::sleep(moment(kill));
            }
            let text = event_of_lines(number) + "\n";
            // Anywhere, also within a line.
            let (head, tail) = text.split_at((number as usize * 7) % text.len());
            place.append("logs/app.log", head);
            place.append("logs/app.log", tail);
            number += 1;
            // Once: the last event of a rotated file is waited for before the next file is read.
            if number == 12_000 {
                std::fs::rename(place.path("logs/app.log"), place.path("logs/app.log.1")).unwrap();
            }
        }
        let before = size_of_outputs(&place);
        running.kill();
        killed_at_work += u64::from(before > 0);
    }
    assert!(killed_at_work > 15, "only {killed_at_work} of 30 kills hit a run at work");
    place.run(&["run", "--once", &topology]).assert_success();
    let out = place.read("out/all.log");
    let messages = out.lines().map(|line| {
        let event: serde_json::Value = serde_json::from_str(line).unwrap();
        event["message"].as_str().unwrap().to_owned()
    });
    let mut messages: Vec<String> = messages.collect();
    messages.sort_by_key(|message| message.split(' ').next().unwrap().parse::<u64>().unwrap());
    let wanted: Vec<String> = (0..number).map(event_of_lines).collect();
    let wrong = messages.iter().zip(&wanted).find(|(message, wanted)| message != wanted);
    assert_eq!(wrong, None, "{}", place.read("stderr"));
    assert_eq!(messages.len(), wanted.len(), "{}", place.read("stderr"));
}

fn survives_rotation_under_load(rotate: Rotate) {
    let place = Place::new();
    let topology = topology(&place, "100MiB");
    let running = place.start(&["run", "--quiet", &topology]);
    let mut writer = writer(&place, rotate, u64::MAX).split_every(101);
    // The reader is behind at every rotation, but never by two of them.
    for _ in 0..12 {
        writer.write_lines(3000).unwrap();
        writer.rotate().unwrap();
        writer.write_lines(200).unwrap();
        let seen = writer.next_seq() - 200;
        until("the lines before the rotation are out", || report(&place, seen).lost == 0);
    }
    let lines = writer.next_seq();
    until("all lines are out", || report(&place, lines).lost == 0);
    assert_eq!(running.stop().code(), Some(0), "{}", place.read("stderr"));
    let report = report(&place, lines);
    assert!(report.is_perfect(), "{report:?}\n{}", place.read("stderr"));
}

#[test]
fn rotation_by_rename_under_load_loses_nothing() {
    survives_rotation_under_load(Rotate::Create);
}

#[test]
fn rotation_by_copytruncate_under_load_loses_nothing() {
    survives_rotation_under_load(Rotate::CopyTruncate);
}

/// A dozen rotations in a moment, many between two looks: nothing is lost, but the order of files that were
/// all new at once is a guess.
#[test]
fn rotations_faster_than_it_looks_lose_and_double_nothing() {
    for rotate in [Rotate::Create, Rotate::CopyTruncate] {
        let place = Place::new();
        let topology = topology(&place, "100MiB");
        let running = place.start(&["run", "--quiet", &topology]);
        let mut writer = writer(&place, rotate, 200_000).split_every(101);
        writer.write_lines(30_000).unwrap();
        assert!(writer.rotations() >= 5, "{} rotations", writer.rotations());
        let lines = writer.next_seq();
        until("all lines are out", || report(&place, lines).lost == 0);
        assert_eq!(running.stop().code(), Some(0), "{}", place.read("stderr"));
        let report = Report { out_of_order: 0, ..report(&place, lines) };
        assert!(report.is_perfect(), "{rotate:?} {report:?}\n{}", place.read("stderr"));
    }
}

#[test]
fn rotation_while_stopped_loses_and_doubles_nothing() {
    for rotate in [Rotate::Create, Rotate::CopyTruncate] {
        let place = Place::new();
        let topology = topology(&place, "100MiB");
        let mut writer = writer(&place, rotate, u64::MAX);
        for _ in 0..4 {
            writer.write_lines(500).unwrap();
            place.run(&["run", "--once", &topology]).assert_success();
            writer.write_lines(500).unwrap();
            writer.rotate().unwrap();
            writer.write_lines(100).unwrap();
        }
        let lines = writer.next_seq();
        place.run(&["run", "--once", &topology]).assert_success();
        let report = report(&place, lines);
        assert!(report.is_perfect(), "{rotate:?}: {report:?}");
    }
}

/// A disk of 1 MiB under the sink: it must wait, and go on when there is room.
#[test]
fn a_full_disk_holds_it_up_and_loses_nothing() {
    let place = Place::new();
    let topology = topology(&place, "100MiB");
    let out = place.path("out");
    let Some(disk) = small_disk(&out, "1m") else { return };
    let filler = place.write("out/filler", vec![0; 500_000]);
    let mut writer = writer(&place, Rotate::Never, u64::MAX);
    writer.write_lines(6_000).unwrap();
    let size = std::fs::metadata(place.path("logs/app.log")).unwrap().len();
    assert!(size > 500_000 && size < 1_000_000, "{size}");
    let running = place.start(&["run", "--quiet", &topology]);
    until("the disk is full", || place.read("stderr").contains("No space left on device"));
    std::fs::remove_file(filler).unwrap();
    let lines = writer.next_seq();
    until("all lines are out", || report(&place, lines).lost == 0);
    assert_eq!(running.stop().code(), Some(0));
    let report = report(&place, lines);
    assert!(report.is_perfect(), "{report:?}\n{}", place.read("stderr"));
    drop(disk);
}

#[test]
fn ten_thousand_files_with_few_descriptors() {
    let place = Place::new();
    for n in 0..10_000 {
        place.write(&format!("many/f{n}.log"), format!("first {n}\nsecond {n}\n"));
    }
    let topology = place.write(
        "t.toml",
        "data_dir = \"data\"\n[sources.app]\ntype = \"file\"\ninclude = [\"many/*.log\"]\n\
         [sinks.out]\ntype = \"file\"\ninputs = [\"app\"]\npath = \"out.log\"\nencoding.codec = \"raw\"\n",
    );
    let command =
        format!("ulimit -n 1024; exec {} run --once t.toml", env!("CARGO_BIN_EXE_lograil"));
    let status = Command::new("sh")
        .args(["-c", &command])
        .current_dir(topology.parent().unwrap())
        .status()
        .unwrap();
    assert!(status.success());
    let mut lines: Vec<_> = place.read("out.log").lines().map(str::to_owned).collect();
    lines.sort();
    let mut wanted: Vec<_> =
        (0..10_000).flat_map(|n| [format!("first {n}"), format!("second {n}")]).collect();
    wanted.sort();
    assert!(lines == wanted, "{} lines", lines.len());
}

/// 100 MB without a newline: bounded memory, and the lines around it are whole.
#[test]
fn a_line_of_100_megabytes_is_cut_in_bounded_memory() {
    let place = Place::new();
    let mut content = b"before\n".to_vec();
    content.extend(std::iter::repeat_n(b'x', 100_000_000));
    content.extend_from_slice(b"\nafter\n");
    place.write("logs/app.log", &content);
    let topology = topology(&place, "1GiB");
    let command =
        format!("ulimit -v 1500000; exec {} run --once {topology}", env!("CARGO_BIN_EXE_lograil"));
    let status =
        Command::new("sh").args(["-c", &command]).current_dir(place.path("")).status().unwrap();
    assert!(status.success());
    let output = place.read("out/all.log");
    let lines: Vec<&str> = output.lines().collect();
    assert_eq!(lines.len(), 3);
    assert_eq!((lines[0], lines[2]), ("before", "after"));
    assert!(lines[1].len() < 10_000_000 && lines[1].bytes().all(|byte| byte == b'x'));
}
