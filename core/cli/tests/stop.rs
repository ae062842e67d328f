//! Stopping: signals, deadlines, closed pipes.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

mod support;

use std::io::{BufRead, BufReader};
use std::process::Stdio;

use support::{Background, Place, until};

const ENDLESS: &str = r#"
shutdown_timeout = "300ms"

[sources.app]
type = "generator"
rate = 2000
seed = 1

[sinks.out]
type = "stdout"
inputs = ["app"]
encoding.codec = "raw"
"#;

#[test]
fn a_closed_pipe_ends_it_quietly() {
    let place = Place::new();
    let topology = place.write("t.toml", ENDLESS);
    let mut child = place.lograil(&["run", topology.to_str().unwrap()]).spawn().unwrap();
    let mut first = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut first).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(first.ends_with('\n'));
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    let stderr = String::from_utf8_lossy(&output.stderr).to_lowercase();
    assert!(!stderr.contains("error") && !stderr.contains("panic"), "{stderr}");
}

#[test]
fn sigterm_delivers_what_was_read_and_ends_with_success() {
    let place = Place::new();
    let topology = place.write("t.toml", ENDLESS);
    let running = place.start(&["run", topology.to_str().unwrap()]);
    until("lines come out", || place.read("stdout").lines().count() > 100);
    assert_eq!(running.stop().code(), Some(0), "{}", place.read("stderr"));
    assert!(place.read("stdout").ends_with('\n'));
    let told = place.read("stderr");
    let events = |word: &str| {
        let line =
            told.lines().find(|line| line.contains(word)).unwrap_or_else(|| panic!("{told}"));
        line.split(": ").nth(1).unwrap().split(' ').next().unwrap().parse::<usize>().unwrap()
    };
    assert_eq!(place.read("stdout").lines().count(), events("sink out"));
}

/// Starts the program with a pipe as its output that nobody reads, and waits until it hangs there.
fn stuck(place: &Place, shutdown_timeout: &str) -> Background {
    let topology = ENDLESS.replace("300ms", shutdown_timeout).replace("2000", "\"unlimited\"");
    let topology = place.write("t.toml", topology);
    let stderr = std::fs::File::create(place.path("stderr")).unwrap();
    let mut command = place.lograil(&["run", topology.to_str().unwrap()]);
    let running = Background(command.stdout(Stdio::piped()).stderr(stderr).spawn().unwrap());
    let mut last = (0, 0);
    // A generator without a limit stops working only when its output does not move.
    until("the pipe is full", || {
        let cpu = cpu_ticks(running.0.id());
        last = if cpu == last.0 { (cpu, last.1 + 1) } else { (cpu, 0) };
        cpu > 0 && last.1 > 40
    });
    running
}

#[test]
fn a_stuck_sink_ends_it_at_the_deadline_with_a_code_that_says_so() {
    let place = Place::new();
    let mut running = stuck(&place, "300ms");
    running.signal("TERM");
    assert_eq!(running.wait().code(), Some(3));
    let told = place.read("stderr");
    assert!(told.contains("not everything could be delivered"), "{told}");
}

#[test]
fn a_second_signal_ends_it_at_once() {
    let place = Place::new();
    let mut running = stuck(&place, "1h");
    running.signal("INT");
    // Signals that wait are merged, and those that come at once are one request.
    until("a later signal ends it", || {
        running.signal("INT");
        !running.is_running()
    });
    assert_eq!(running.wait().code(), Some(130));
}

/// `timeout` and other wrappers signal the process and its group; a terminal and a wrapper may both do it.
#[test]
fn signals_that_come_at_once_are_one_request() {
    let place = Place::new();
    let mut running = stuck(&place, "300ms");
    let both = format!("kill -INT {0}; kill -TERM {0}", running.0.id());
    assert!(std::process::Command::new("sh").args(["-c", &both]).status().unwrap().success());
    assert_eq!(running.wait().code(), Some(3), "{}", place.read("stderr"));
}

/// User and system time of a process: fields 14 and 15 of its stat.
fn cpu_ticks(pid: u32) -> u64 {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let Some((_, fields)) = stat.rsplit_once(')') else { return 0 };
    fields.split_whitespace().skip(11).take(2).filter_map(|ticks| ticks.parse::<u64>().ok()).sum()
}

/// SIGHUP, as `logrotate` sends it: the file at the path is new afterwards, and no line is missing.
#[test]
fn sighup_opens_the_output_file_anew() {
    let place = Place::new();
    let topology = place.write(
        "t.toml",
        ENDLESS.replace("type = \"stdout\"", "type = \"file\"\npath = \"out.log\""),
    );
    let running = place.start(&["run", topology.to_str().unwrap()]);
    until("lines come out", || place.read("out.log").lines().count() > 50);
    std::fs::rename(place.path("out.log"), place.path("moved.log")).unwrap();
    running.signal("HUP");
    until("a new file is there", || place.read("out.log").lines().count() > 50);
    assert_eq!(running.stop().code(), Some(0), "{}", place.read("stderr"));
    let lines = place.read("moved.log").lines().count() + place.read("out.log").lines().count();
    let told = place.read("stderr");
    assert!(told.contains(&format!("sink out: {lines} in, {lines} out")), "{lines} lines\n{told}");
}
