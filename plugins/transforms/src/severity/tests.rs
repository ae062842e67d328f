//! The table of weights, that nothing worse scores lower, and how well alerts are told from noise.

use lograil_plugin::{Build, ConfigErrors, Options};
use lograil_testkit::{TransformHarness, conformance};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::SPEC;
use crate::shared_data;

fn scores(options: &Value, events: &[Value]) -> Vec<(u64, String)> {
    let scored = TransformHarness::build(&SPEC, options.clone()).feed_json(events).main();
    let each = scored.iter().map(|event| {
        (
            event["severity"].as_u64().unwrap(),
            event["severity_class"].as_str().unwrap_or_default().to_owned(),
        )
    });
    each.collect()
}

fn score(event: Value) -> u64 {
    scores(&json!({}), &[event])[0].0
}

#[test]
fn obeys_the_laws_of_a_transform() {
    conformance::manual(&SPEC);
    for options in [
        json!({}),
        json!({"score_field": "message", "class_field": ""}),
        json!({"rules": [{"when": ".status > 1", "weight": 10}], "level": {"fields": [".message.a"]}}),
    ] {
        conformance::transform(&SPEC, &options);
    }
}

#[test]
fn the_table_of_the_manual_holds() {
    for (event, wanted) in [
        (json!({}), 0),
        (json!({"level": "debug"}), 5),
        (json!({"level": "INFO"}), 10),
        (json!({"level": "Notice"}), 20),
        (json!({"level": "warning"}), 45),
        (json!({"level": "W"}), 45),
        (json!({"level": "SEVERE"}), 65),
        (json!({"level": "crit"}), 80),
        (json!({"level": "PANIC"}), 90),
        (json!({"level": "whatever"}), 0),
        (json!({"level": 3}), 65),
        (json!({"level": 40}), 45),
        (json!({"severity": "err"}), 65),
        (json!({"severity": 3}), 0),
        (json!({"level": "info", "severity_text": "ERROR"}), 65),
        (json!({"message": "it failed"}), 25),
        (json!({"message": "it failed, and failed again"}), 25),
        (json!({"message": "kernel panic after an error"}), 50),
        (json!({"level": "ERROR", "message": "connection refused"}), 74),
        (json!({"status": 200}), 0),
        (json!({"status": "404"}), 30),
        (json!({"status_code": 503}), 70),
        (json!({"status": 600}), 0),
        (json!({"duration_ms": 499}), 0),
        (json!({"duration_ms": 750}), 10),
        (json!({"duration_ms": 1000}), 20),
        (json!({"duration_ms": 3000}), 35),
        (json!({"duration_ms": 1e9}), 70),
        (json!({"error_code": 0}), 0),
        (json!({"error_code": "OK"}), 0),
        (json!({"error_code": 17}), 40),
        (json!({"errno": "ENOSPC"}), 70),
    ] {
        assert_eq!(score(event.clone()), wanted, "{event}");
    }
}

#[test]
fn classes_begin_where_they_are_said_to() {
    let level = |name: &str| json!({"level": name});
    let events = ["info", "warn", "error", "fatal"].map(level);
    let classes: Vec<String> =
        scores(&json!({}), &events).into_iter().map(|(_, class)| class).collect();
    assert_eq!(classes, ["LOW", "MEDIUM", "HIGH", "CRITICAL"]);
    let options = json!({"classes": {"medium": 0, "high": 10, "critical": 65}});
    let classes: Vec<String> =
        scores(&options, &events).into_iter().map(|(_, class)| class).collect();
    assert_eq!(classes, ["HIGH", "HIGH", "CRITICAL", "CRITICAL"]);
}

#[test]
fn weights_and_rules_can_be_changed() {
    let options = json!({
        "level": {"warning": 30},
        "message": {"failure_words": ["oops"], "failure_weight": 50},
        "error_code": {"codes": {"ORA-00600": 90}},
        "rules": [
            {"when": ".service == \"payments\"", "weight": 50},
            {"when": ".amount > 100", "weight": 20},
        ],
    });
    let events = [
        json!({"level": "warn"}),
        json!({"message": "Oops, an error"}),
        json!({"error_code": "ORA-00600"}),
        json!({"service": "payments", "amount": 200}),
        json!({"amount": "not a number"}),
    ];
    let scores: Vec<u64> = scores(&options, &events).iter().map(|(score, _)| *score).collect();
    assert_eq!(scores, [30, 50, 90, 60, 0]);
}

#[test]
fn mistakes_name_the_option() {
    let Build::Transform(build) = SPEC.build else { panic!("a transform") };
    for (options, path) in [
        (json!({"score_field": ""}), "score_field"),
        (json!({"level": {"fatal": 101}}), "level.fatal"),
        (json!({"level": {"warning": 5}}), "level.warning"),
        (json!({"status": {"client_error": 80}}), "status.server_error"),
        (json!({"classes": {"high": 30}}), "classes.high"),
        (json!({"message": {"disaster_words": ["a", ""]}}), "message.disaster_words.1"),
        (json!({"message": {"fields": ["a b"]}}), "message.fields.0"),
        (json!({"response_time": {"weights": [[1, 20], [2, 10]]}}), "response_time.weights.1"),
        (json!({"response_time": {"weights": [[1, -1]]}}), "response_time.weights.0"),
        (json!({"error_code": {"codes": {"E1": 200}}}), "error_code.codes.E1"),
        (json!({"rules": [{"when": ".a ==", "weight": 1}]}), "rules.0.when"),
    ] {
        let Err(ConfigErrors(errors)) = build(&Options(options.clone())) else {
            panic!("{options} is refused");
        };
        assert_eq!(errors[0].path.join("."), path, "{options}");
    }
}

/// An event whose inputs are as bad as the ranks say.
fn event_of(level: usize, words: usize, status: u32, time: f64, code: usize) -> Value {
    const LEVELS: [&str; 8] =
        ["trace", "debug", "info", "notice", "warn", "error", "critical", "fatal"];
    const WORDS: [&str; 3] = ["all is well", "it failed", "it failed: panic"];
    const CODES: [&str; 3] = ["", "E17", "ENOSPC"];
    json!({
        "level": LEVELS[level], "message": WORDS[words], "status": 200 + 100 * status,
        "duration_ms": time, "error_code": CODES[code],
    })
}

proptest! {
    #[test]
    fn nothing_worse_scores_lower(
        level in (0usize..8, 0usize..8),
        words in (0usize..3, 0usize..3),
        status in (0u32..4, 0u32..4),
        time in (0.0f64..50_000.0, 0.0f64..50_000.0),
        code in (0usize..3, 0usize..3),
    ) {
        let better = event_of(level.0, words.0, status.0, time.0, code.0);
        let worse = event_of(
            level.0.max(level.1),
            words.0.max(words.1),
            status.0.max(status.1),
            time.0.max(time.1),
            code.0.max(code.1),
        );
        let scores = scores(&json!({}), &[better, worse]);
        prop_assert!(scores[0].0 <= scores[1].0 && scores[1].0 <= 100, "{:?}", scores);
    }
}

/// The chance that a positive scores higher than a negative; half of it where they tie.
fn area_under_curve(scored: &[(u64, bool)]) -> f64 {
    let of = |wanted: bool| scored.iter().filter(move |(_, is)| *is == wanted).map(|(s, _)| *s);
    let (positives, negatives): (Vec<u64>, Vec<u64>) = (of(true).collect(), of(false).collect());
    let wins: f64 = positives
        .iter()
        .flat_map(|high| negatives.iter().map(move |low| high.cmp(low)))
        .map(|order| match order {
            std::cmp::Ordering::Greater => 1.0,
            std::cmp::Ordering::Equal => 0.5,
            std::cmp::Ordering::Less => 0.0,
        })
        .sum();
    wins / (positives.len() * negatives.len()) as f64
}

#[test]
fn tells_alerts_from_noise() {
    let Some(data) = shared_data::root() else { return };
    let records = shared_data::records(&data.join("loghub/BGL/BGL_2k.log_structured.csv"));
    let area = |options: Value| {
        let events: Vec<Value> = records
            .iter()
            .map(|record| json!({"level": record["Level"], "message": record["Content"]}))
            .collect();
        let scored = scores(&options, &events);
        let labelled: Vec<(u64, bool)> = scored
            .iter()
            .zip(&records)
            .map(|((s, _), record)| (*s, record["Label"] != "-"))
            .collect();
        area_under_curve(&labelled)
    };
    let by_level = area(json!({"message": {"fields": []}}));
    let whole = area(json!({}));
    println!("| severity on BGL's alert labels | AUC |\n|---|--:|");
    println!("| level alone | {by_level:.3} |\n| level and words | {whole:.3} |");
    assert!(whole >= 0.945, "{whole}");
}
