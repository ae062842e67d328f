//! `lograil plugin check`: a good plugin passes; each fault is found, named, and does not end the other checks.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

mod support;

use serde_json::Value;
use support::plugins::make_plugin;
use support::{Finished, Place};

/// The checks that failed, `component: check: detail`.
fn failed(ran: &Finished) -> Vec<String> {
    let document: Value = serde_json::from_str(&ran.stdout()).unwrap();
    let checks = document["checks"].as_array().unwrap().iter();
    let failed: Vec<String> = checks
        .filter(|check| check["result"] == "failed")
        .map(|check| {
            let text = |name: &str| check[name].as_str().unwrap_or_default().to_owned();
            format!("{}: {}: {}", text("component"), text("check"), text("detail"))
        })
        .collect();
    assert_eq!(document["failed"], failed.len());
    assert_eq!(ran.code(), i32::from(!failed.is_empty()));
    failed
}

fn check_with(place: &Place, component: &str, fault: &str, timeout: &str) -> Vec<String> {
    let options = format!("{component}={{\"fault\":\"{fault}\"}}");
    let arguments = ["plugin", "check", "plugins/faulty.so", "--json", "--options", &options];
    failed(&place.run(&[&arguments[..], &["--timeout", timeout]].concat()))
}

#[test]
fn good_plugins_pass() {
    let place = Place::new();
    make_plugin(&place, "examples/c-transform", "mask.so");
    make_plugin(&place, "examples/c-source", "count.so");
    make_plugin(&place, "core/cli/tests/plugins/faulty", "faulty.so");
    let ran = place.run(&["plugin", "check", "plugins/mask.so"]);
    let text = ran.assert_success().stdout();
    for part in ["transform mask.digits", "ok      an empty batch", "ns an event", "0 failed"] {
        assert!(text.contains(part), "`{part}` is missing in:\n{text}");
    }
    place.run(&["plugin", "check", "plugins/count.so"]).assert_success();
    place.run(&["plugin", "check", "plugins/faulty.so"]).assert_success();
}

#[test]
fn each_fault_is_found_where_it_is_and_the_checks_go_on() {
    let place = Place::new();
    make_plugin(&place, "core/cli/tests/plugins/faulty", "faulty.so");
    let cases = [
        ("faulty.transform", "crash_on_empty", &["an empty batch: crashed: SIGSEGV"][..]),
        (
            "faulty.transform",
            "fails_on_bytes",
            &["lines: this is not UTF-8", "values of every kind: this is not"],
        ),
        (
            "faulty.transform",
            "offset",
            &["lines: broke the rules of the plugin interface: emitted an invalid"],
        ),
        (
            "faulty.transform",
            "option_crash",
            &["wrong options are an error, not a crash: crashed: SIGSEGV"],
        ),
        (
            "faulty.transform",
            "thread",
            &["create and destroy, 100 times: 100 threads stay after 100 instances"],
        ),
        ("faulty.transform", "file", &["create and destroy, 100 times: 100 files stay open"]),
        ("faulty.transform", "config", &["wrong options are an error, not a crash: the options"]),
        ("faulty.source", "source_crash", &["stopped as soon as it starts: crashed: SIGSEGV"]),
        ("faulty.sink", "fatal", &["lines: write: plugin faulty: write: the disk is gone"]),
    ];
    for (component, fault, expected) in cases {
        let found = check_with(&place, component, fault, "30");
        for part in expected {
            assert!(found.iter().any(|one| one.contains(part)), "{fault}: {part}: {found:#?}");
        }
        assert!(found.iter().all(|one| one.contains(component)), "{fault}: {found:#?}");
    }
    // What hangs is given up after the time that is allowed.
    for (component, fault, expected) in [
        ("faulty.transform", "hang_on_large", "a large line: `process` did not return within 2 s"),
        ("faulty.transform", "create_hang", "not a crash: `create` did not return within 2 s"),
        ("faulty.transform", "ports_hang", "and schema: `ports` did not return within 2 s"),
        ("faulty.source", "deaf", "stopped while it runs: did not return within 2 s"),
    ] {
        let found = check_with(&place, component, fault, "2");
        assert!(found.iter().any(|one| one.contains(expected)), "{fault}: {found:#?}");
    }
}

#[test]
fn what_is_no_plugin_or_no_component_is_said() {
    let place = Place::new();
    make_plugin(&place, "examples/c-transform", "mask.so");
    place.write("no.so", "no plugin");
    let ran = place.run(&["plugin", "check", "no.so"]);
    assert!(
        ran.code() == 1 && ran.stderr().contains("is not a lograil plugin"),
        "{}",
        ran.stderr()
    );
    for (options, told) in [
        ("mask={}", "there is no component `mask`"),
        ("x", "write it as TYPE=JSON"),
        ("mask.digits={", "EOF"),
    ] {
        let ran = place.run(&["plugin", "check", "plugins/mask.so", "--options", options]);
        assert_eq!(ran.code(), 1);
        assert!(
            format!("{}{}", ran.stdout(), ran.stderr()).contains(told),
            "{}{}",
            ran.stdout(),
            ran.stderr()
        );
    }
}
