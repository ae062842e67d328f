//! What is scraped, and that there is no end of labels.

use lograil_plugin::{Build, MetricsRegistry, Options, TransformContext};
use lograil_testkit::{ManualClock, TransformHarness, conformance};
use serde_json::{Value, json};

use super::SPEC;

fn build(options: Value) -> Box<dyn lograil_plugin::Transform> {
    let Build::Transform(build) = SPEC.build else { panic!("a transform") };
    build(&Options(options)).unwrap()
}

fn start(registry: &MetricsRegistry, options: Value) -> TransformHarness {
    let metrics = registry.component("test", "transform", "log_to_metric");
    TransformHarness::with_type(build(options), "log_to_metric", metrics)
}

/// What is scraped, without lograil's own metrics.
fn scraped(registry: &MetricsRegistry) -> Vec<String> {
    let text =
        prometheus::TextEncoder::new().encode_to_string(&registry.registry().gather()).unwrap();
    text.lines().filter(|line| !line.contains("lograil_")).map(str::to_owned).collect()
}

#[test]
fn obeys_the_laws_of_a_transform() {
    conformance::manual(&SPEC);
    let metrics = json!([
        {"kind": "counter", "name": "a"},
        {"kind": "gauge", "name": "b", "field": "message", "labels": {"of": "message", "in": ".message.a"}},
        {"kind": "histogram", "name": "c", "field": "n", "condition": ".n > 1"},
    ]);
    conformance::transform(&SPEC, &json!({"metrics": metrics, "max_series": 2}));
}

#[test]
fn counts_sets_and_observes() {
    let registry = MetricsRegistry::default();
    let mut harness = start(
        &registry,
        json!({"metrics": [
            {"kind": "counter", "name": "requests", "help": "Requests.", "labels": {"status": "status"}},
            {"kind": "counter", "name": "sent_total", "field": "bytes", "condition": ".status < 400"},
            {"kind": "gauge", "name": "queue", "field": "queue"},
            {"kind": "histogram", "name": "seconds", "field": "time", "buckets": [0.1, 1]},
        ]}),
    );
    let events = [
        json!({"status": 200, "bytes": 10, "queue": 3, "time": 0.05}),
        json!({"status": "200", "bytes": -5, "queue": "4", "time": 0.5}),
        json!({"status": 200, "bytes": "7", "queue": "?", "time": 5}),
        json!({"status": 500, "bytes": 100}),
        json!({}),
    ];
    let emitted = harness.feed_json(&events);
    assert_eq!(emitted.main(), events, "events pass unchanged");
    assert_eq!(
        scraped(&registry).into_iter().filter(|line| !line.starts_with('#')).collect::<Vec<_>>(),
        [
            r#"queue{component_id="under_test"} 4"#,
            r#"requests_total{component_id="under_test",status=""} 1"#,
            r#"requests_total{component_id="under_test",status="200"} 3"#,
            r#"requests_total{component_id="under_test",status="500"} 1"#,
            r#"seconds_bucket{component_id="under_test",le="0.1"} 1"#,
            r#"seconds_bucket{component_id="under_test",le="1"} 2"#,
            r#"seconds_bucket{component_id="under_test",le="+Inf"} 3"#,
            r#"seconds_sum{component_id="under_test"} 5.55"#,
            r#"seconds_count{component_id="under_test"} 3"#,
            r#"sent_total{component_id="under_test"} 17"#,
        ]
    );
    assert!(scraped(&registry).contains(&"# HELP requests_total Requests.".to_owned()));
}

#[test]
fn labels_are_bounded_and_no_event_is_missing() {
    let registry = MetricsRegistry::default();
    let options = json!({"max_series": 10, "metrics": [
        {"kind": "counter", "name": "n", "labels": {"id": "id", "long": "long"}}
    ]});
    let mut harness = start(&registry, options);
    for number in 0..20 {
        let event = |id: usize| json!({"id": number * 1_000 + id, "long": "é".repeat(100)});
        let events: Vec<Value> = (0..1_000).map(event).collect();
        harness.feed_json(&events);
    }
    let lines: Vec<String> =
        scraped(&registry).into_iter().filter(|line| line.starts_with("n_total")).collect();
    assert_eq!(lines.len(), 11);
    assert!(lines[0].contains(&format!("long=\"{}\"", "é".repeat(64))), "{}", lines[0]);
    assert!(lines[10].ends_with(r#"id="other",long="other"} 19990"#), "{}", lines[10]);
}

#[test]
fn a_component_started_anew_takes_its_own_place_and_no_other() {
    let registry = MetricsRegistry::default();
    let options = |label: &str| json!({"metrics": [{"kind": "counter", "name": "n", "labels": {label: "id"}}]});
    let mut old = start(&registry, options("id"));
    old.feed_json(&[json!({"id": 1})]);
    let mut new = start(&registry, options("id"));
    new.feed_json(&[json!({"id": 2})]);
    let lines: Vec<String> =
        scraped(&registry).into_iter().filter(|line| line.starts_with("n_total")).collect();
    assert_eq!(lines.len(), 1);
    let metrics = registry.component("other", "transform", "log_to_metric");
    let clock = ManualClock::new().shared();
    let error = build(options("name")).start(TransformContext::new("other".into(), clock, metrics));
    let error = error.unwrap_err().to_string();
    assert!(error.starts_with("register the metric `n_total`: "), "{error}");
}

#[test]
fn mistakes_in_options_are_reported_together() {
    let Build::Transform(build) = SPEC.build else { panic!("a transform") };
    let metrics = json!([
        {"kind": "counter", "name": "lograil_x"},
        {"kind": "gauge", "name": "1"},
        {"kind": "counter", "name": "a", "condition": "1 +", "labels": {"le": "x", "__a": "x", "b": "["}},
        {"kind": "counter", "name": "b", "buckets": [1]},
        {"kind": "histogram", "name": "c", "field": "n", "buckets": [1, 1]},
        {"kind": "counter", "name": "d"},
        {"kind": "counter", "name": "d_total"},
    ]);
    let errors = build(&Options(json!({"metrics": metrics, "max_series": 0}))).err().unwrap().0;
    let paths: Vec<String> = errors.iter().map(|error| error.path.join(".")).collect();
    assert_eq!(
        paths,
        [
            "max_series",
            "metrics.0.name",
            "metrics.1.name",
            "metrics.1",
            "metrics.2.condition",
            "metrics.2.labels.__a",
            "metrics.2.labels.b",
            "metrics.2.labels.le",
            "metrics.3.buckets",
            "metrics.4.buckets",
            "metrics.6.name"
        ]
    );
}
