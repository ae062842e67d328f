//! One plugin, built in different ways, in one host; and under the tools that find wrong memory accesses.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

mod support;

use std::path::PathBuf;
use std::process::Command;

use lograil_loader::Trust;
use lograil_testkit::TransformHarness;
use serde_json::json;
use support::plugins::{install, repository};
use support::{Place, until};

/// Builds the transform in C with more flags.
fn build(place: &Place, name: &str, flags: &[&str]) -> PathBuf {
    compile(place, "examples/c-transform/mask.c", name, flags)
}

fn compile(place: &Place, source: &str, name: &str, flags: &[&str]) -> PathBuf {
    let built = Command::new("cc")
        .args(["-std=c11", "-fPIC", "-shared", "-fvisibility=hidden", "-I"])
        .arg(repository().join("core/abi/include"))
        .args(flags)
        .args(["-o", name])
        .arg(repository().join(source))
        .current_dir(place.path("."))
        .output()
        .unwrap();
    assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
    install(place, &place.path(name))
}

#[test]
fn builds_with_every_kind_of_optimisation_work_side_by_side() {
    let place = Place::new();
    let builds: [(&str, &[&str]); 4] = [
        ("debug.so", &["-O0", "-g"]),
        ("small.so", &["-Os"]),
        ("fast.so", &["-O3"]),
        ("lto.so", &["-O2", "-flto"]),
    ];
    let mut harnesses: Vec<TransformHarness> = builds
        .iter()
        .map(|(name, flags)| {
            let library = build(&place, name, flags);
            let loaded = lograil_loader::load(&library, &Trust::default()).unwrap();
            TransformHarness::build(&loaded.components[0], json!({}))
        })
        .collect();
    for harness in &mut harnesses {
        let emitted = harness.feed_lines(&["card 4111", "none"]);
        assert_eq!(
            emitted.main(),
            [json!({ "message": "card ####" }), json!({ "message": "none" })]
        );
    }
}

/// The library that a host without it must load first.
fn address_sanitizer() -> String {
    let library = Command::new("cc").arg("-print-file-name=libasan.so").output().unwrap();
    String::from_utf8(library.stdout).unwrap().trim().to_owned()
}

#[test]
fn the_address_sanitizer_finds_nothing() {
    let place = Place::new();
    build(&place, "mask.so", &["-O1", "-g", "-fsanitize=address"]);
    let mut check = place.lograil(&["plugin", "check", "plugins/mask.so"]);
    // The host is not built with it: what stays allocated at its end is no leak.
    check.env("LD_PRELOAD", address_sanitizer()).env("ASAN_OPTIONS", "detect_leaks=0");
    support::Finished(check.output().unwrap()).assert_success();
}

/// A batch lives until the plugin has completed its write, also where a reload no longer waits for it, or `hang_limit` is
/// over.
#[test]
fn the_address_sanitizer_finds_nothing_in_a_sink_that_completes_late() {
    let place = Place::new();
    let source = "core/cli/tests/plugins/faulty/faulty.c";
    compile(&place, source, "faulty.so", &["-g", "-fsanitize=address"]);
    let topology = "[plugins]\ndir = \"plugins\"\n[sources.in]\ntype = \"file\"\ninclude = [\"input\"]\n\
        [sinks.bad]\ntype = \"faulty.sink\"\ninputs = [\"in\"]\nfault = \"late\"\n";
    place.write("t.toml", topology);
    place.write("input", "one line\n");
    let log = std::fs::File::create(place.path("stderr")).unwrap();
    let mut run = place.lograil(&["run", "--data-dir", "data", "t.toml"]);
    run.env("LD_PRELOAD", address_sanitizer()).env("ASAN_OPTIONS", "detect_leaks=0");
    let mut running = support::Background(run.stderr(log).spawn().unwrap());
    let said = |what: &str| place.read("stderr").contains(what);
    until("the batch is being written", || said("writes late"));
    place.write("t.toml", topology.replace("late", "none"));
    running.signal("HUP");
    until("the sink is exchanged", || {
        assert!(running.is_running(), "{}", place.read("stderr"));
        said("reload: changed bad")
    });
    assert_eq!(running.stop().code(), Some(0), "{}", place.read("stderr"));
    assert!(said("sink bad: 1 in, 1 out"), "{}", place.read("stderr"));

    // One that takes longer than is allowed is destroyed while it works; after three tries the batch is dead-lettered.
    place.write("t.toml", topology.replace("]\ndir", "]\nhang_limit = \"50ms\"\ndir"));
    let mut run = place.lograil(&["run", "--once", "--data-dir", "other", "t.toml"]);
    run.env("LD_PRELOAD", address_sanitizer()).env("ASAN_OPTIONS", "detect_leaks=0");
    let ran = support::Finished(run.output().unwrap());
    let told = ran.assert_success().stderr();
    assert!(told.contains("sink bad: 1 in, 0 out, 0 discarded, 1 dead-lettered"), "{told}");
    assert_eq!(told.matches("writes late").count(), 3, "{told}");
}

#[test]
fn valgrind_finds_nothing() {
    if !support::has("valgrind") {
        return;
    }
    let place = Place::new();
    build(&place, "mask.so", &["-O1", "-g"]);
    let topology = "[plugins]\ndir = \"plugins\"\n[sources.in]\ntype = \"stdin\"\n\
        [transforms.mask]\ntype = \"mask.digits\"\ninputs = [\"in\"]\n\
        [sinks.out]\ntype = \"stdout\"\ninputs = [\"mask\"]\nencoding.codec = \"json\"\n";
    place.write("t.toml", topology);
    place.write("input", "card 4111\nnone\n");
    let ran = run_once(&place, &mut valgrind());
    assert_eq!(
        ran.assert_success().stdout(),
        "{\"message\":\"card ####\"}\n{\"message\":\"none\"}\n"
    );
}

/// Builds the plugin that lends what it emits, and the topology that runs it: what was lent goes to two sinks, one of
/// which gets a change of it.
fn lending(place: &Place, mode: &str, flags: &[&str]) {
    let source = "core/cli/tests/plugins/lending/lending.c";
    compile(place, source, "lending.so", flags);
    let topology = format!(
        "[plugins]\ndir = \"plugins\"\n[sources.in]\ntype = \"stdin\"\n\
        [transforms.lent]\ntype = \"lending.copy\"\ninputs = [\"in\"]\nmode = \"{mode}\"\n\
        [transforms.changed]\ntype = \"remap\"\ninputs = [\"lent\", \"lent.dead_letter\"]\n\
        source = \".message = string!(.message) + \\\"changed\\\"\"\n\
        [sinks.out]\ntype = \"stdout\"\ninputs = [\"changed\"]\nencoding.codec = \"text\"\nencoding.format = \"{{message}}\"\n\
        [sinks.other]\ntype = \"file\"\ninputs = [\"lent\"]\npath = \"other\"\nencoding.codec = \"text\"\nencoding.format = \"{{message}}\"\n"
    );
    place.write("t.toml", topology);
    place.write("input", "one line\nanother\n".repeat(1_000));
}

/// Runs it in `program`, a tool that finds wrong accesses, and holds what it said and wrote against what must be.
fn runs_lending(place: &Place, mode: &str, program: &mut Command) {
    let ran = run_once(place, program);
    let (written, told) = (ran.assert_success().stdout(), ran.stderr());
    let counts = told.lines().find_map(|line| line.strip_prefix("lent ")).unwrap();
    let (lent, released) = counts.split_once(", released ").unwrap();
    assert!(lent == released && lent != "0", "{mode}: {told}");
    let (taken, line) = match mode {
        "lend" | "columns" => (2_000, "lent text, changed"),
        "twice" => (4_000, "lent text, changed"),
        _ => (0, "one linechanged"),
    };
    let other = place.read("other");
    assert_eq!(other.lines().filter(|line| *line == "lent text, ").count(), taken, "{mode}");
    assert!(other.lines().count() == taken && written.starts_with(line), "{mode}");
    assert_eq!(written.lines().count(), taken.max(2_000), "{mode}");
    std::fs::remove_file(place.path("other")).unwrap();
}

const LENDING_MODES: [&str; 5] = ["lend", "columns", "twice", "refused", "failed"];

#[test]
fn the_address_sanitizer_finds_that_what_is_lent_is_given_back_once() {
    for mode in LENDING_MODES {
        let place = Place::new();
        lending(&place, mode, &["-O1", "-g", "-fsanitize=address"]);
        let mut lograil = Command::new(env!("CARGO_BIN_EXE_lograil"));
        lograil.env("LD_PRELOAD", address_sanitizer()).env("ASAN_OPTIONS", "detect_leaks=0");
        runs_lending(&place, mode, &mut lograil);
    }
}

/// Runs the topology in `program`, with the file `input` as its input.
fn run_once(place: &Place, program: &mut Command) -> support::Finished {
    let ran = program
        .args(["run", "--once", "--quiet", "t.toml"])
        .stdin(std::fs::File::open(place.path("input")).unwrap())
        .env("XDG_STATE_HOME", place.path("state"))
        .current_dir(place.path("."))
        .output()
        .unwrap();
    support::Finished(ran)
}

fn valgrind() -> Command {
    let mut valgrind = Command::new("valgrind");
    valgrind.args(["--quiet", "--error-exitcode=99", "--leak-check=no"]);
    valgrind.arg(env!("CARGO_BIN_EXE_lograil"));
    valgrind
}

#[test]
fn valgrind_finds_that_nothing_lent_is_read_after_it_was_given_back() {
    if !support::has("valgrind") {
        return;
    }
    for mode in LENDING_MODES {
        let place = Place::new();
        lending(&place, mode, &["-O1", "-g"]);
        runs_lending(&place, mode, &mut valgrind());
    }
    // That it would find it: this one frees what it lent, and gives something else to be released.
    let place = Place::new();
    lending(&place, "broken", &["-O1", "-g"]);
    let ran = run_once(&place, &mut valgrind());
    assert_eq!(ran.code(), 99, "{}", ran.stderr());
    assert!(ran.stderr().contains("Invalid read"), "{}", ran.stderr());
}
