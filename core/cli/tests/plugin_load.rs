//! Libraries that hang, crash or exit while they are loaded, and instances that hang again and again: what runs goes on, and
//! can be stopped.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

mod support;

use std::fs;
use std::io::Write;
use std::process::{Command, Stdio};

use support::http::{self, get};
use support::plugins::{faulty, goes_on};
use support::{Background, Place, until};

/// Starts a topology in order, then gives it a plugin whose initialiser has this fault.
fn reloads_into(place: &Place, fault: &str, hang_limit: &str) -> Background {
    let topology = format!(
        "data_dir = \"data\"\n[sources.in]\ntype = \"generator\"\nrate = 1000\n\
        [sinks.out]\ntype = \"file\"\ninputs = [\"in\"]\npath = \"out\"\nencoding.codec = \"raw\"\n\
        [plugins]\nhang_limit = \"{hang_limit}\"\n"
    );
    place.write("t.toml", &topology);
    let mut run = place.lograil(&["run", "--quiet", "t.toml"]);
    let log = fs::File::create(place.path("stderr")).unwrap();
    run.env("FAULTY_LOAD", fault).stderr(log);
    let running = Background(run.spawn().unwrap());
    until("it runs", || !place.read("out").is_empty());
    place.write("t.toml", topology + "dir = \"plugins\"\n");
    running.signal("HUP");
    running
}

#[test]
fn a_library_that_hangs_crashes_or_exits_while_it_is_loaded_refuses_the_reload() {
    for (fault, hang_limit, why) in [
        ("hang", "1s", "its initialisers and its entry have not returned for 1.0 s"),
        ("crash", "20s", "it crashes while it is loaded: SIGSEGV"),
        ("exit", "20s", "it ends the program that loads it: exit status: 0"),
    ] {
        let place = faulty();
        let running = reloads_into(&place, fault, hang_limit);
        until("it is refused", || place.read("stderr").contains("reload: nothing is changed"));
        let told = place.read("stderr");
        assert!(told.contains("plugins/faulty.so: ") && told.contains(why), "{fault}: {told}");
        goes_on(&place);
        assert_eq!(running.stop().code(), Some(0), "{}", place.read("stderr"));
    }
}

/// A trial in another process cannot tell all. The system's loader is held then, and whoever needs it waits.
#[test]
fn a_stop_is_heard_while_an_initialiser_does_not_return() {
    let place = faulty();
    let mut running = reloads_into(&place, "hang_at_work", "4s");
    let told = "plugins/faulty.so: an initialiser of the library has not returned for 4.0 s";
    until("it is told", || place.read("stderr").contains(told));
    goes_on(&place);
    running.signal("TERM");
    assert_eq!(running.wait().code(), Some(3), "{}", place.read("stderr"));
}

#[test]
fn an_initialiser_takes_no_signal_from_the_program() {
    let place = faulty();
    let running = reloads_into(&place, "deaf", "20s");
    until("it is loaded", || place.read("stderr").contains("reload: no component differs"));
    assert_eq!(running.stop().code(), Some(0), "{}", place.read("stderr"));
}

/// Whoever begins the program may have left it so, as bash with `trap '' CHLD` does.
#[test]
fn a_library_is_tried_out_where_ends_of_processes_are_ignored() {
    let place = faulty();
    let topology = "data_dir = \"data\"\n[sources.in]\ntype = \"generator\"\nrate = 1000\n\
        [sinks.out]\ntype = \"file\"\ninputs = [\"in\"]\npath = \"out\"\nencoding.codec = \"raw\"\n";
    place.write("t.toml", topology);
    let program = place.lograil(&["run", "--quiet", "t.toml"]);
    let mut run = Command::new("bash");
    run.args(["-c", "trap '' CHLD; exec \"$@\"", "bash"]).arg(program.get_program());
    run.args(program.get_args()).current_dir(place.path(""));
    let log = fs::File::create(place.path("stderr")).unwrap();
    let running = Background(run.stderr(log).spawn().unwrap());
    until("it runs", || !place.read("out").is_empty());
    place.write("t.toml", topology.to_owned() + "[plugins]\ndir = \"plugins\"\n");
    running.signal("HUP");
    until("the reload is told", || place.read("stderr").contains("reload: "));
    let told = place.read("stderr");
    assert!(told.contains("reload: no component differs"), "{told}");
    assert_eq!(running.stop().code(), Some(0), "{}", place.read("stderr"));
}

#[test]
fn a_command_ends_where_a_library_does_not_load() {
    let place = faulty();
    let mut command = place.lograil(&["components", "--plugin", "plugins/faulty.so"]);
    let ran = support::Finished(command.env("FAULTY_LOAD", "hang").output().unwrap());
    assert_eq!(ran.code(), 1, "{}", ran.stderr());
    assert!(
        ran.stderr().contains("has not returned for 10.0 s: the program ends"),
        "{}",
        ran.stderr()
    );
}

#[test]
fn a_limit_of_no_time_is_refused() {
    let place = Place::new();
    for name in ["hang_limit", "hang_after"] {
        place.write(
            "t.toml",
            format!(
                "[plugins]\n{name} = \"0s\"\n[sources.in]\ntype = \"stdin\"\n\
                [sinks.out]\ntype = \"null\"\ninputs = [\"in\"]\n"
            ),
        );
        let ran = place.run(&["check", "t.toml"]);
        let told = ran.stderr();
        assert_eq!(ran.code(), 1, "{told}");
        assert!(told.contains(&format!("option `plugins.{name}` must be longer than 0")), "{told}");
        assert!(told.contains("t.toml:2"), "{told}");
    }
}

#[test]
fn a_reload_that_is_refused_gives_calls_no_limit() {
    let place = faulty();
    let topology = |limit: &str, rest: &str| {
        format!(
            "shutdown_timeout = \"100ms\"\n[plugins]\ndir = \"plugins\"\nhang_after = \"50ms\"\n{limit}\
            [sources.in]\ntype = \"stdin\"\n\
            [transforms.bad]\ntype = \"faulty.transform\"\ninputs = [\"in\"]\nfault = \"hang\"\n\
            [sinks.out]\ntype = \"stdout\"\ninputs = [\"bad\"]\nencoding.codec = \"json\"\n{rest}"
        )
    };
    place.write("t.toml", topology("", ""));
    let mut run = place.lograil(&["run", "--quiet", "t.toml"]);
    let log = fs::File::create(place.path("stderr")).unwrap();
    let mut running = Background(run.stdin(Stdio::piped()).stderr(log).spawn().unwrap());
    until("it runs", || place.path("state").exists());
    place.write("t.toml", topology("hang_limit = \"60ms\"\n", "[sinks.wrong]\ntype = \"none\"\n"));
    until("the reload is refused", || {
        running.signal("HUP");
        place.read("stderr").contains("reload: nothing is changed")
    });
    running.0.stdin.as_mut().unwrap().write_all(b"one line\n").unwrap();
    let warnings = || place.read("stderr").matches("has not returned for").count();
    until("the hang is told again and again", || warnings() > 3);
    assert!(!place.read("stderr").contains("is left behind"), "{}", place.read("stderr"));
    running.signal("TERM");
    assert_eq!(running.wait().code(), Some(3), "{}", place.read("stderr"));
}

#[test]
fn instances_that_hang_are_bounded_and_counted() {
    let place = faulty();
    place.write(
        "t.toml",
        "shutdown_timeout = \"10s\"\n[admin]\nlisten = \"127.0.0.1:0\"\n\
        [plugins]\ndir = \"plugins\"\nhang_limit = \"50ms\"\n\
        [sources.in]\ntype = \"generator\"\nrate = 1000\n\
        [transforms.bad]\ntype = \"faulty.transform\"\ninputs = [\"in\"]\nfault = \"hang_now_and_then\"\n\
        [sinks.out]\ntype = \"null\"\ninputs = [\"bad\"]\n\
        [sinks.letters]\ntype = \"file\"\ninputs = [\"bad.dead_letter\"]\npath = \"letters\"\nencoding.codec = \"json\"\n",
    );
    let running = place.start(&["run", "--quiet", "t.toml"]);
    let address = http::admin_address(&place);
    until("no further instance is made", || {
        place.read("letters").contains("plugin faulty: 8 instances of it hang")
    });
    let samples = http::samples(&get(address, "/metrics").body);
    let left = http::metric(&samples, "lograil_component_plugin_instances_left_behind", "bad");
    assert_eq!(left, 8.0);
    assert_eq!(running.stop().code(), Some(0), "{}", place.read("stderr"));
}
