//! Functions of a plugin that do not return before or after the first batch: each is named, and what is around it goes on.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

mod support;

use std::fs;
use std::process::Stdio;

use support::plugins::{faulty, goes_on};
use support::{Background, Finished, Place, until};

/// A component of the plugin with this fault, and what it needs around it.
fn topology(limit: &str, kind: &str, fault: &str) -> String {
    let plugins = format!("[plugins]\ndir = \"plugins\"\nhang_limit = \"{limit}\"\n");
    let bad = format!("[{kind}s.bad]\ntype = \"faulty.{kind}\"\nfault = \"{fault}\"\n");
    let stdin = "[sources.in]\ntype = \"stdin\"\n";
    let stdout = "[sinks.out]\ntype = \"stdout\"\nencoding.codec = \"raw\"\n";
    match kind {
        "source" => format!("{plugins}{bad}{stdout}inputs = [\"bad\"]\n"),
        "transform" => {
            format!("{plugins}{stdin}{bad}inputs = [\"in\"]\n{stdout}inputs = [\"bad\"]\n")
        }
        _ => format!("{plugins}{stdin}{bad}inputs = [\"in\"]\n"),
    }
}

#[test]
fn a_topology_is_refused_where_a_function_that_prepares_it_does_not_return() {
    let place = faulty();
    for (kind, fault, told) in [
        ("transform", "create_hang", "`create` has not come to its end for 1.0 s"),
        ("transform", "ports_hang", "`ports` does not return"),
        ("sink", "claims_hang", "`claims` does not return"),
        ("transform", "traits_hang", "`traits` has not come to its end for 1.0 s"),
        ("source", "replays_hang", "`replays` has not come to its end for 1.0 s"),
    ] {
        place.write("t.toml", topology("50ms", kind, fault));
        let ran = place.run(&["check", "t.toml"]);
        assert_eq!(ran.code(), 1, "{fault}: {}", ran.stderr());
        let told = format!("{kind} `bad`: plugin faulty: {told}");
        assert!(ran.stderr().contains(&told), "{fault}: {}", ran.stderr());
        assert!(ran.stderr().contains("t.toml:"), "{fault}: {}", ran.stderr());
    }
    for kind in ["transform", "source"] {
        place.write("t.toml", topology("50ms", kind, "start_hang"));
        let ran = place.run(&["run", "--once", "t.toml"]);
        assert_eq!(ran.code(), 1, "{kind}: {}", ran.stderr());
        let told = "`start` has not come to its end for 1.0 s";
        assert!(ran.stderr().contains(told), "{kind}: {}", ran.stderr());
    }
}

#[test]
fn nobody_waits_for_ever_for_the_end_of_an_instance() {
    let place = faulty();
    place.write("t.toml", topology("50ms", "transform", "destroy_hang"));
    place.run(&["check", "t.toml"]).assert_success();
    let ran = place.run_with(&["run", "--once", "t.toml"], b"one line\n");
    let told = "plugin faulty: `destroy` has not come to its end for 1.0 s";
    assert!(ran.assert_success().stderr().contains(told), "{}", ran.stderr());
    assert_eq!(ran.stdout(), "one line\n");
}

#[test]
fn a_transform_that_does_not_say_its_state_is_made_anew() {
    let place = faulty();
    place.write("t.toml", topology("100ms", "transform", "state_hang_once"));
    let ran = place.run_with(&["run", "--once", "--data-dir", "data", "t.toml"], b"one line\n");
    let told = "plugin faulty: state: `state` has not come to its end for 0.1 s";
    assert!(ran.assert_success().stderr().contains(told), "{}", ran.stderr());
    assert_eq!(ran.stdout(), "one line\n");
}

#[test]
fn a_source_that_does_not_hear_of_a_stop_is_left_behind() {
    let place = faulty();
    place.write("t.toml", topology("100ms", "source", "interrupt_hang"));
    let running = place.start(&["run", "--data-dir", "data", "t.toml"]);
    until("it runs", || place.path("data/run.json").exists());
    let told = "plugin faulty: interrupt: `interrupt` has not come to its end for 0.1 s";
    assert_eq!(running.stop().code(), Some(1), "{}", place.read("stderr"));
    assert!(place.read("stderr").contains(told), "{}", place.read("stderr"));
}

/// Starts a topology in order that is read again with these files.
fn start(place: &Place, topology: &str) -> Background {
    place.write("t.toml", topology);
    let running = place.start(&["run", "--quiet", "--data-dir", "data", "t.toml"]);
    until("it runs", || !place.read("out").is_empty());
    running
}

const GENERATOR: &str = "[sources.numbers]\ntype = \"generator\"\nrate = 1000\n\
    [sinks.file]\ntype = \"file\"\ninputs = [\"numbers\"]\npath = \"out\"\nencoding.codec = \"raw\"\n";

fn reload(place: &Place, running: &Background, what: &str) -> String {
    let before = place.read("stderr").len();
    running.signal("HUP");
    until(what, || place.read("stderr")[before..].contains(what));
    place.read("stderr")[before..].to_owned()
}

#[test]
fn a_reload_is_refused_where_a_function_that_prepares_it_does_not_return() {
    let place = faulty();
    let plugins = "[plugins]\ndir = \"plugins\"\nhang_limit = \"50ms\"\n";
    let running = start(&place, &format!("{plugins}{GENERATOR}"));
    for (fault, told) in [
        ("create_hang", "`create` has not come to its end for 1.0 s"),
        ("start_hang", "`start` has not come to its end for 1.0 s"),
        ("claims_hang", "`claims` does not return"),
    ] {
        let bad = format!(
            "[transforms.bad]\ntype = \"faulty.transform\"\ninputs = [\"numbers\"]\nfault = \"{fault}\"\n\
            [sinks.nowhere]\ntype = \"null\"\ninputs = [\"bad\"]\n"
        );
        place.write("t.toml", format!("{plugins}{GENERATOR}{bad}"));
        let said = reload(&place, &running, "reload: nothing is changed");
        assert!(said.contains(told), "{fault}: {said}");
        goes_on(&place);
    }
    assert_eq!(running.stop().code(), Some(0), "{}", place.read("stderr"));
}

#[test]
fn a_swap_is_refused_where_the_new_version_makes_no_instance() {
    let place = faulty();
    let bad = "[transforms.bad]\ntype = \"faulty.transform\"\ninputs = [\"numbers\"]\nfault = \"create_hang_later\"\n\
        [sinks.nowhere]\ntype = \"null\"\ninputs = [\"bad\"]\n";
    let plugins = "[plugins]\ndir = \"plugins\"\nhang_limit = \"50ms\"\n";
    let running = start(&place, &format!("{plugins}{GENERATOR}{bad}"));
    place.write("hang", "");
    let mut next = fs::read(place.path("plugins/faulty.so")).unwrap();
    next.push(0);
    place.write("faulty.so", next);
    let swap = ["plugin", "swap", "--data-dir", "data", "faulty.so", "t.toml"];
    let ran: Finished = place.run(&swap);
    let told = "`create` has not come to its end for 1.0 s";
    assert_eq!(ran.code(), 1, "{}", ran.stderr());
    assert!(ran.stderr().contains(told), "{}", ran.stderr());
    goes_on(&place);
    fs::remove_file(place.path("hang")).unwrap();
    place.run(&swap).assert_success();
    assert_eq!(running.stop().code(), Some(0), "{}", place.read("stderr"));
}

#[test]
fn a_sink_that_does_not_come_back_from_reopening_is_made_anew() {
    let place = faulty();
    place.write("t.toml", topology("100ms", "sink", "reopen_hang"));
    let mut run = place.lograil(&["run", "--data-dir", "data", "t.toml"]);
    run.stdin(Stdio::piped()).stderr(fs::File::create(place.path("stderr")).unwrap());
    let running = Background(run.spawn().unwrap());
    until("it runs", || place.path("data/run.json").exists());
    let told = "plugin faulty: `reopen` has not come to its end for 0.1 s";
    reload(&place, &running, told);
    assert_eq!(running.stop().code(), Some(0), "{}", place.read("stderr"));
}
