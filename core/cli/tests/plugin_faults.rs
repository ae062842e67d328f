//! Plugins that hang, crash and panic: each is named, and what is around it goes on or ends as documented.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

mod support;

use std::fs;
use std::net::TcpListener;
use std::os::unix::process::ExitStatusExt;
use std::process::Command;
use std::sync::Arc;

use lograil_loader::Trust;
use lograil_plugin::{Build, ComponentMetrics, Options, Sink, SinkContext, SystemFiles};
use lograil_testkit::{ManualClock, TransformHarness, batch_of_lines};
use serde_json::{Value, json};
use support::plugins::{cargo_plugin, faulty, goes_on, install, repository};
use support::{Place, until};

fn with_transform(place: &Place, fault: &str) {
    let topology = format!(
        "shutdown_timeout = \"100ms\"\n[plugins]\ndir = \"plugins\"\nhang_after = \"50ms\"\n\
        [sources.in]\ntype = \"stdin\"\n\
        [transforms.bad]\ntype = \"faulty.transform\"\ninputs = [\"in\"]\nfault = \"{fault}\"\n\
        [sources.other]\ntype = \"generator\"\nrate = 1000\n\
        [sinks.other_out]\ntype = \"file\"\ninputs = [\"other\"]\npath = \"other\"\nencoding.codec = \"raw\"\n\
        [sinks.out]\ntype = \"stdout\"\ninputs = [\"bad\"]\nencoding.codec = \"json\"\n"
    );
    place.write("t.toml", topology);
}

#[test]
fn a_call_that_does_not_return_is_named_and_the_others_go_on() {
    let place = faulty();
    with_transform(&place, "hang");
    let input = place.write("input", "one line\n");
    let mut run = place.lograil(&["run", "--quiet", "t.toml"]);
    let log = fs::File::create(place.path("stderr")).unwrap();
    run.stdin(fs::File::open(input).unwrap()).stderr(log);
    let mut running = support::Background(run.spawn().unwrap());
    let told = "plugin faulty: `process` of faulty.transform has not returned for";
    until("the hang is named twice", || {
        let said = place.read("stderr");
        said.contains("component_id=\"bad\"") && said.matches(told).count() >= 2
    });
    let before = place.read("other").len();
    until("the rest goes on", || place.read("other").len() > before);
    running.signal("TERM");
    assert_eq!(running.wait().code(), Some(3), "{}", place.read("stderr"));
}

#[test]
fn a_crash_says_which_plugin_and_function_was_running() {
    let place = faulty();
    let crash = |fault: &str, signal: Option<i32>, code: Option<i32>| {
        with_transform(&place, fault);
        let ran = place.run_with(&["run", "--quiet", "t.toml"], b"one line\n");
        let status = ran.0.status;
        assert_eq!((status.signal(), status.code()), (signal, code), "{fault}: {}", ran.stderr());
        ran.stderr()
    };
    let place_of = "`process` of the component bad (faulty.transform)";
    for (fault, signal, name) in [
        ("crash", 11, "SIGSEGV"),
        ("abort", 6, "SIGABRT"),
        ("divide", 8, "SIGFPE"),
        ("overflow", 11, "SIGSEGV"),
        ("trap", 4, "SIGILL"),
    ] {
        let said = crash(fault, Some(signal), None);
        let told = format!("lograil: plugin faulty crashed in {place_of}: {name}");
        assert!(said.contains(&told), "{fault}: {said}");
    }
    let said = crash("exit", None, Some(7));
    let told = format!("lograil: plugin faulty ended the program (`exit`) in {place_of}");
    assert!(said.contains(&told), "{said}");
    let said = crash("thread_crash", Some(11), None);
    let told = "lograil: plugin faulty crashed on a thread of its own: SIGSEGV";
    assert!(said.contains(told), "{said}");
}

#[test]
fn a_transform_that_panics_is_made_anew_but_not_for_ever() {
    let place = faulty();
    let loaded = lograil_loader::load(&place.path("plugins/faulty.so"), &Trust::default()).unwrap();
    let spec = loaded.components.iter().find(|spec| spec.name == "faulty.transform").unwrap();
    let mut harness = TransformHarness::build(spec, json!({ "fault": "panic_once" }));
    let first = harness.feed_lines(&["one"]).dead_letter_reasons();
    assert!(first[0].contains("panicked: oh no"), "{first:?}");
    assert_eq!(harness.feed_lines(&["two"]).main(), [json!({ "message": "two" })]);

    let mut harness = TransformHarness::build(spec, json!({ "fault": "state_panic" }));
    assert_eq!((harness.state(), harness.state()), (None, None));
    assert_eq!(harness.feed_lines(&["three"]).main(), [json!({ "message": "three" })]);

    let mut harness = TransformHarness::build(spec, json!({ "fault": "panic" }));
    let mut reasons = Vec::new();
    for _ in 0..7 {
        reasons.extend(harness.feed_lines(&["one"]).dead_letter_reasons());
    }
    assert!(reasons[4].contains("panicked: oh no"), "{reasons:?}");
    assert!(reasons[5..].iter().all(|one| one.contains("stopped after 5 panics")), "{reasons:?}");
}

#[test]
fn a_source_that_panics_goes_on_behind_what_it_sent_but_not_for_ever() {
    let place = faulty();
    let run = |fault: &str| {
        let topology = format!(
            "[plugins]\ndir = \"plugins\"\n\
            [sources.in]\ntype = \"faulty.source\"\nfault = \"{fault}\"\n\
            [sinks.out]\ntype = \"stdout\"\ninputs = [\"in\"]\nencoding.codec = \"json\"\n"
        );
        place.write("t.toml", topology);
        place.run(&["run", "--once", "t.toml"])
    };
    let ran = run("source_panic");
    let out = ran.assert_success().stdout();
    assert_eq!(out, "{\"number\":1}\n{\"number\":2}\n{\"number\":3}\n", "{}", ran.stderr());
    assert_eq!(ran.stderr().matches("it is started anew in").count(), 2, "{}", ran.stderr());
    let ran = run("source_panics");
    assert_eq!(ran.code(), 1);
    assert!(ran.stderr().contains("stopped after 5 panics"), "{}", ran.stderr());
}

/// A sink in Rust that waits for its peer is broken off where it stands: nobody waits for its end.
#[test]
fn a_sink_whose_peer_does_not_read_ends_at_the_deadline() {
    let place = Place::new();
    cargo_plugin(&place, "examples/rust-sink", "acme_sink");
    let peer = TcpListener::bind("127.0.0.1:0").unwrap();
    let topology = format!(
        "shutdown_timeout = \"200ms\"\n[plugins]\ndir = \"plugins\"\nhang_after = \"200ms\"\n\
        [sources.in]\ntype = \"generator\"\nrate = \"unlimited\"\n\
        [sinks.out]\ntype = \"acme.tcp_lines\"\ninputs = [\"in\"]\naddress = \"{}\"\n",
        peer.local_addr().unwrap()
    );
    place.write("t.toml", topology);
    let running = place.start(&["run", "--quiet", "t.toml"]);
    until("the connection is full", || place.read("stderr").contains("has not been completed for"));
    assert_eq!(running.stop().code(), Some(3), "{}", place.read("stderr"));
}

/// With `hang_limit`, what hangs is left behind: the batch is dealt with, and another instance takes over.
#[test]
fn an_instance_that_hangs_is_left_behind_where_calls_have_a_limit() {
    let place = faulty();
    let limit = "[plugins]\ndir = \"plugins\"\nhang_limit = \"100ms\"\n";
    let run = |components: &str| {
        place.write("t.toml", format!("{limit}{components}"));
        place.run_with(&["run", "--once", "t.toml"], b"one line\n")
    };
    let letters_of = |kind: &str, fault: &str| {
        let ran = run(&format!(
            "[sources.in]\ntype = \"stdin\"\n\
            [{kind}s.bad]\ntype = \"faulty.{kind}\"\ninputs = [\"in\"]\nfault = \"{fault}\"\n\
            [sinks.out]\ntype = \"stdout\"\ninputs = [\"bad.dead_letter\"]\nencoding.codec = \"json\"\n"
        ));
        let letter: Value = serde_json::from_str(&ran.assert_success().stdout()).unwrap();
        assert_eq!(letter["message"], "one line");
        letter["dead_letter"]["reason"].as_str().unwrap().to_owned()
    };
    for (kind, fault, function) in [
        ("transform", "hang", "process"),
        ("sink", "sink_hang", "write"),
        ("sink", "write_hang", "write"),
    ] {
        let reason = letters_of(kind, fault);
        let told = format!("`{function}` has not come to its end for 0.1 s");
        assert!(reason.contains(&told), "{fault}: {reason}");
    }
    let source = |fault: &str| {
        run(&format!(
            "[sources.in]\ntype = \"faulty.source\"\nfault = \"{fault}\"\n\
            [sinks.out]\ntype = \"stdout\"\ninputs = [\"in\"]\nencoding.codec = \"json\"\n"
        ))
    };
    let ran = source("source_hang_once");
    let out = ran.assert_success().stdout();
    assert_eq!(out, "{\"number\":1}\n{\"number\":2}\n{\"number\":3}\n", "{}", ran.stderr());
    assert_eq!(ran.stderr().matches("it is started anew in").count(), 1, "{}", ran.stderr());
    // One that waits as long as it is told to has come back before the limit.
    let out = source("source_timeout").assert_success().stdout();
    assert_eq!(out, "{\"number\":50}\n");
    let ran = source("source_hang");
    assert_eq!(ran.code(), 1);
    assert!(ran.stderr().contains("stopped after 5 panics or hangs"), "{}", ran.stderr());
}

/// Starts a topology in order, then makes its sink one of the plugin with this fault.
fn reloads_into(place: &Place, fault: &str, shutdown_timeout: &str) -> support::Background {
    let topology = format!(
        "shutdown_timeout = \"{shutdown_timeout}\"\n[plugins]\ndir = \"plugins\"\nhang_limit = \"1h\"\n\
        [sources.in]\ntype = \"generator\"\nrate = 1000\n\
        [sinks.out]\ntype = \"file\"\ninputs = [\"in\"]\npath = \"out\"\nencoding.codec = \"raw\"\n"
    );
    let bad =
        format!("[sinks.bad]\ntype = \"faulty.sink\"\ninputs = [\"in\"]\nfault = \"{fault}\"\n");
    place.write("t.toml", &topology);
    let running = place.start(&["run", "--quiet", "--data-dir", "data", "t.toml"]);
    until("it runs", || !place.read("out").is_empty());
    place.write("t.toml", topology + &bad);
    running.signal("HUP");
    running
}

#[test]
fn a_sink_whose_open_does_not_return_holds_up_no_reload() {
    let place = faulty();
    let mut running = reloads_into(&place, "open_hang", "200ms");
    until("the reload is told", || place.read("stderr").contains("reload: added bad"));
    assert!(place.read("stderr").contains("open: it takes long; trying again"));
    goes_on(&place);
    running.signal("TERM");
    assert_eq!(running.wait().code(), Some(3), "{}", place.read("stderr"));
}

/// A reload that waits for a plugin for ever: what runs goes on, and a request to stop is heard.
#[test]
fn a_stop_is_heard_while_a_reload_is_in_a_call_that_does_not_return() {
    let place = faulty();
    let mut running = reloads_into(&place, "create_hang", "200ms");
    until("the call is under way", || thread_names(&running).contains("faulty hangs"));
    goes_on(&place);
    running.signal("TERM");
    assert_eq!(running.wait().code(), Some(3), "{}", place.read("stderr"));

    let place = faulty();
    let mut running = reloads_into(&place, "create_hang", "1h");
    until("the call is under way", || thread_names(&running).contains("faulty hangs"));
    running.signal("INT");
    // Signals that wait are merged, and those that come at once are one request.
    until("a later signal ends it", || {
        running.signal("INT");
        !running.is_running()
    });
    assert_eq!(running.wait().code(), Some(130));
}

/// The names of all threads of a process.
fn thread_names(running: &support::Background) -> String {
    let threads = fs::read_dir(format!("/proc/{}/task", running.0.id())).unwrap();
    let name = |thread: std::io::Result<fs::DirEntry>| {
        fs::read_to_string(thread.unwrap().path().join("comm")).unwrap_or_default()
    };
    threads.map(name).collect()
}

/// A stop while a source waits to be made anew: the instance that panicked is not called again.
#[test]
fn a_source_that_panicked_is_not_called_again_when_it_is_to_stop() {
    let place = faulty();
    let topology = "[plugins]\ndir = \"plugins\"\n\
        [sources.in]\ntype = \"faulty.source\"\nfault = \"source_panics\"\n\
        [sinks.out]\ntype = \"stdout\"\ninputs = [\"in\"]\nencoding.codec = \"json\"\n";
    place.write("t.toml", topology);
    let running = place.start(&["run", "--quiet", "t.toml"]);
    // The fourth pause is the longest.
    until("it waits", || place.read("stderr").contains("it is started anew in 0.8 s"));
    let code = running.stop().code();
    assert_eq!(code, Some(0), "{}", place.read("stderr"));
}

/// Orders the write of a batch, and breaks it off at once.
async fn break_off(sink: &mut dyn Sink, line: &str) {
    let batch = batch_of_lines(&[line]);
    tokio::select! {
        biased;
        _ = sink.write(&batch) => panic!("it was to complete late"),
        () = tokio::task::yield_now() => {}
    }
}

#[tokio::test]
async fn an_operation_of_a_sink_begins_after_the_completion_of_one_that_was_broken_off() {
    let place = faulty();
    let loaded = lograil_loader::load(&place.path("plugins/faulty.so"), &Trust::default()).unwrap();
    let spec = loaded.components.iter().find(|spec| spec.name == "faulty.sink").unwrap();
    let Build::Sink(build) = spec.build else { panic!("it is a sink") };
    let mut sink = build(&Options(json!({ "fault": "late" }))).unwrap();
    let context = SinkContext {
        id: "out".into(),
        clock: ManualClock::new().shared(),
        files: Arc::new(SystemFiles),
        state: None,
        upstream_replays: true,
        must_keep: false,
        base_dir: place.path("."),
        metrics: ComponentMetrics::detached(),
    };
    sink.open(context).await.unwrap();
    break_off(&mut *sink, "one").await;
    break_off(&mut *sink, "one").await;
    sink.reopen();
    place.write("go", "");
    sink.write(&batch_of_lines(&["one", "two"])).await.unwrap();
    sink.commit().await.unwrap();
    sink.close().await.unwrap();
}

#[test]
fn a_plugin_built_for_the_first_version_of_the_interface_still_works() {
    let place = Place::new();
    let code = fs::read_to_string(repository().join("examples/c-transform/mask.c")).unwrap();
    let old = code
        .replace("sizeof digits", "offsetof(lr_component, state)")
        .replace("host->size < sizeof *host", "host->size < offsetof(lr_host, pause)");
    assert_ne!(old, code);
    place.write("old.c", old);
    let built = Command::new("cc")
        .args(["-std=c11", "-fPIC", "-shared", "-fvisibility=hidden", "-I"])
        .arg(repository().join("core/abi/include"))
        .args(["-o", "old.so", "old.c"])
        .current_dir(place.path("."))
        .output()
        .unwrap();
    assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
    let library = install(&place, &place.path("old.so"));
    let loaded = lograil_loader::load(&library, &Trust::default()).unwrap();
    let mut harness = TransformHarness::build(&loaded.components[0], json!({}));
    assert_eq!(harness.feed_lines(&["card 4111"]).main(), [json!({ "message": "card ####" })]);
}
