//! What is added, and what happens when the file changes.

use std::path::Path;
use std::time::{Duration, Instant};

use lograil_plugin::{Build, ComponentMetrics, ConfigErrors, Options, TransformContext};
use lograil_testkit::conformance::{self, TransformLaws};
use lograil_testkit::{ManualClock, TransformHarness};
use serde_json::{Value, json};

use super::SPEC;

fn write(path: &Path, content: &str) {
    let new = path.with_extension("new");
    std::fs::write(&new, content).unwrap();
    std::fs::rename(&new, path).unwrap();
}

fn build(options: Value) -> Result<Box<dyn lograil_plugin::Transform>, ConfigErrors> {
    let Build::Transform(build) = SPEC.build else { panic!("a transform") };
    build(&Options(options))
}

/// Lets time pass until an event becomes another.
fn until(harness: &mut TransformHarness, event: &Value, wanted: &Value) {
    let deadline = Instant::now() + Duration::from_secs(30);
    while &harness.feed_json(std::slice::from_ref(event)).main()[0] != wanted {
        assert!(Instant::now() < deadline, "the new table never comes");
        harness.clock().advance(Duration::from_secs(5));
        harness.tick();
        std::thread::yield_now();
    }
}

#[test]
fn obeys_the_laws_of_a_transform() {
    let place = tempfile::tempdir().unwrap();
    let (csv, json) = (place.path().join("a.csv"), place.path().join("a.json"));
    write(&csv, "message,level,new\na line,x,1\nand another,,2\n");
    write(&json, "[{\"a\": \"b\", \"n\": {\"x\": [1]}, \"message\": null}]");
    conformance::manual(&SPEC);
    for options in [
        json!({"path": csv, "match": {"message": "message"}}),
        json!({"path": json, "match": {"a": ".message.a"}, "prefix": "p_", "columns": ["n"]}),
    ] {
        TransformLaws::new(&SPEC, &options).check();
    }
}

#[test]
fn mistakes_in_options_are_reported_together() {
    let errors = |options| build(options).err().unwrap().0;
    let paths = |options| -> Vec<String> {
        errors(options).iter().map(|error| error.path.join(".")).collect()
    };
    assert_eq!(
        paths(json!({"path": "a.txt", "match": {}, "columns": []})),
        ["path", "match", "columns"]
    );
    assert_eq!(paths(json!({"path": "a.csv", "match": {"a": "["}})), ["match.a"]);
}

#[test]
fn adds_the_columns_of_the_row() {
    let place = tempfile::tempdir().unwrap();
    let path = place.path().join("codes.csv");
    write(&path, "service,code,meaning,team\npay,17,refused,blue\npay,18,,red\n");
    let options = json!({"path": path, "match": {"service": "service", "code": ".error.code"}, "prefix": "error_"});
    let mut harness = TransformHarness::build(&SPEC, options);
    let events = [
        json!({"service": "pay", "error": {"code": 17}, "error_team": "none"}),
        json!({"service": "pay", "error": {"code": "18"}}),
        json!({"service": "pay", "error": {"code": 18}}),
        json!({"service": "pay", "error": {"code": null}}),
        json!({"service": "Pay", "error": {"code": 17}}),
        json!({}),
    ];
    let found = harness.feed_json(&events).main();
    assert_eq!(
        found[0],
        json!({"service": "pay", "error": {"code": 17}, "error_team": "blue", "error_meaning": "refused"})
    );
    assert_eq!(found[1], json!({"service": "pay", "error": {"code": "18"}, "error_team": "red"}));
    assert_eq!(found[2], json!({"service": "pay", "error": {"code": 18}, "error_team": "red"}));
    assert_eq!(found[3..], events[3..]);
}

#[test]
fn a_file_that_changes_is_read_again_and_a_broken_one_changes_nothing() {
    let place = tempfile::tempdir().unwrap();
    let path = place.path().join("hosts.csv");
    write(&path, "host,owner\na,ann\n");
    let options = json!({"path": path, "match": {"host": "host"}});
    let registry = lograil_plugin::MetricsRegistry::default();
    let metrics = registry.component("test", "transform", "lookup");
    let transform = build(options).unwrap();
    let mut harness = TransformHarness::with_type(transform, "lookup", metrics.clone());
    let event = json!({"host": "a"});
    assert_eq!(harness.feed_json(std::slice::from_ref(&event)).main()[0]["owner"], "ann");
    write(&path, "host,owner\na,bob\n");
    until(&mut harness, &event, &json!({"host": "a", "owner": "bob"}));
    write(&path, "host,owner\na,cid\nb\n");
    let failures = metrics.counter("table_failures", "");
    let deadline = Instant::now() + Duration::from_secs(30);
    while failures.get() == 0 {
        assert!(Instant::now() < deadline, "the broken file is never seen");
        harness.clock().advance(Duration::from_secs(5));
        harness.tick();
        std::thread::yield_now();
    }
    assert_eq!(harness.feed_json(std::slice::from_ref(&event)).main()[0]["owner"], "bob");
    std::fs::remove_file(&path).unwrap();
    write(&path, "host,owner,site\na,dan,Oslo\n");
    until(&mut harness, &event, &json!({"host": "a", "owner": "dan", "site": "Oslo"}));
    assert_eq!(metrics.counter("table_reloads", "").get(), 2);
}

#[test]
fn a_start_without_a_table_is_refused_with_the_line() {
    let place = tempfile::tempdir().unwrap();
    let path = place.path().join("hosts.csv");
    let start = |options: Value| {
        let clock = ManualClock::new().shared();
        let context = TransformContext::new("test".into(), clock, ComponentMetrics::detached());
        build(options).unwrap().start(context).unwrap_err().to_string()
    };
    let options = json!({"path": path, "match": {"host": "host"}, "max_bytes": 20});
    assert!(start(options.clone()).starts_with(&format!("read the table {}: ", path.display())));
    write(&path, "host,owner\na\n");
    assert!(start(options.clone()).ends_with("hosts.csv: line 2: it has 1 values, not 2"));
    write(&path, "host,owner\na,0123456789\n");
    assert!(start(options).ends_with("it has 24 bytes, but `max_bytes` is 20"));
}
