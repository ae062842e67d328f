//! What `remap` does to events, and where those go that it leaves as they were.

use lograil_event::{AckStatus, Batch, Field, FieldFlags, Origin, Span, Tag};
use lograil_plugin::{Build, ConfigErrors, MetricsRegistry, Options, Outputs, TransformContext};
use lograil_testkit::{ManualClock, TransformHarness, batch_of_json, conformance, events_of};
use serde_json::{Value, json};

use super::SPEC;

#[test]
fn obeys_the_laws_of_a_transform() {
    conformance::manual(&SPEC);
    let source = ".x = to_int!(.message)\nif .x == 1 { abort }";
    for options in [
        json!({"source": ".new = .message\n.again.whole = .\ndel(.message)"}),
        json!({"source": ". = {\"only\": .message, \"b\": [.a]}"}),
        json!({"source": source}),
        json!({"source": source, "drop_on_error": true, "reroute_dropped": true}),
        json!({"source": ". = [., {\"second\": .message}, \"third\"]"}),
        json!({"source": "if exists(.message) { . = [] }"}),
    ] {
        conformance::transform(&SPEC, &options);
    }
}

#[test]
fn changes_events() {
    let source = ".level = downcase(string(.level) ?? \"info\")\n.service = del(.svc)";
    let mut remap = TransformHarness::build(&SPEC, json!({ "source": source }));
    let emitted = remap.feed_json(&[json!({"level": "WARN", "svc": "api"}), json!({"n": 1})]);
    assert_eq!(
        emitted.main(),
        [
            json!({"level": "warn", "service": "api"}),
            json!({"n": 1, "level": "info", "service": null}),
        ]
    );
}

/// Events that go on, dead letters, discards by reason, errors.
type Outcome = (Vec<Value>, Vec<Value>, Vec<(&'static str, u64)>, u64);

fn program(options: Value) -> Outcome {
    let Build::Transform(build) = SPEC.build else { panic!("a transform") };
    let mut remap = build(&Options(options)).unwrap();
    let metrics = MetricsRegistry::default().component("r", "transform", "remap");
    let clock = std::sync::Arc::new(ManualClock::new());
    remap.start(TransformContext::new("r".into(), clock, metrics.clone())).unwrap();
    let mut out = Outputs::new("r".into(), "remap");
    let events = [json!({"a": "1"}), json!({"a": "x"}), json!({"a": "2", "stop": true})];
    remap.process(batch_of_json(&events), &mut out);
    let (mut main, mut dead) = (Vec::new(), Vec::new());
    for (port, mut batch) in out.take_emitted() {
        let to = if port == lograil_plugin::Port::MAIN { &mut main } else { &mut dead };
        to.extend(events_of(&batch));
        batch.take_acks().resolve(AckStatus::Delivered);
    }
    (main, dead, out.take_discarded().collect(), metrics.counter("program_errors", "").get())
}

const SOURCE: &str = ".b = 0\nif .stop == true { abort \"told to\" }\n.a = to_int!(.a)";

#[test]
fn an_event_whose_program_fails_goes_on_as_it_was_and_is_counted() {
    let (main, dead, discarded, errors) = program(json!({"source": SOURCE}));
    assert_eq!(main, [json!({"a": 1, "b": 0}), json!({"a": "x"})]);
    assert!(dead.is_empty());
    assert_eq!(discarded, [("aborted", 1)]);
    assert_eq!(errors, 1);
}

#[test]
fn what_fails_or_is_aborted_can_go_to_the_dead_letters() {
    let options = json!({"source": SOURCE, "drop_on_error": true, "reroute_dropped": true});
    let (main, dead, discarded, errors) = program(options);
    assert_eq!(main, [json!({"a": 1, "b": 0})]);
    let reasons: Vec<_> = dead.iter().map(|letter| &letter["dead_letter"]["reason"]).collect();
    assert_eq!(reasons, ["`to_int`: the text is not an integer", "aborted: told to"]);
    assert!(discarded.is_empty());
    assert_eq!(errors, 1);
}

#[test]
fn one_event_becomes_several_in_its_place() {
    let source = ". = unnest(.items) ?? [.]";
    let mut remap = TransformHarness::build(&SPEC, json!({ "source": source }));
    let events = [
        json!({"id": 1, "items": ["a", {"b": 2}]}),
        json!({"id": 2}),
        json!({"id": 3, "items": []}),
        json!({"id": 4, "items": [null]}),
    ];
    let emitted = remap.feed_json(&events);
    let expected = [
        json!({"id": 1, "items": "a"}),
        json!({"id": 1, "items": {"b": 2}}),
        json!({"id": 2}),
        json!({"id": 4, "items": null}),
    ];
    assert_eq!(emitted.main(), expected);
    assert_eq!(emitted.discarded, [("empty", 1)]);
}

#[test]
fn events_that_one_becomes_have_its_place_but_not_its_line() {
    let line = r#"{"id":18446744073709551615,"x":1e400,"d":0.10,"i":[1,2]}"#;
    let mut batch = Batch::new();
    let mut edit = batch.edit();
    let origin = Some(Origin { stream: 7, offset: 100 });
    let segment = edit.add_segment(bytes::Bytes::from_static(line.as_bytes()), origin);
    let span = |text: &str| {
        let offset = line.find(text).unwrap() as u32;
        Span { segment, offset, len: text.len() as u32 }
    };
    let key = edit.key("id");
    edit.push_line(5, key, Tag::Number, span("18446744073709551615"), span(line));
    for (name, tag, text) in
        [("x", Tag::Number, "1e400"), ("d", Tag::Number, "0.10"), ("i", Tag::Array, "[1,2]")]
    {
        let key = edit.key(name).0;
        edit.append(0, Field::text(key, tag, span(text), FieldFlags::NONE));
    }
    let before = batch.event(0).origin();
    let Build::Transform(build) = SPEC.build else { panic!("a transform") };
    for (source, count) in [(". = unnest!(.i)", 2), (". = [unnest!(.i)[0]]", 1)] {
        let mut remap = build(&Options(json!({ "source": source }))).unwrap();
        let mut out = Outputs::new("r".into(), "remap");
        remap.process(batch.share(), &mut out);
        let (_, made) = out.take_emitted().next().unwrap();
        assert_eq!(made.len(), count);
        for event in made.iter() {
            let raw = (count == 1).then_some(line.as_bytes());
            assert_eq!((event.raw(), event.origin()), (raw, before));
            let numbers = event.fields().iter().filter(|field| field.tag == Tag::Number);
            let texts: Vec<_> = numbers.map(|field| made.text(field.span())).collect();
            assert_eq!(texts, [&b"18446744073709551615"[..], b"1e400", b"0.10"]);
        }
        let letters = lograil_plugin::dead_letter::convert(made, "r", "remap", |_| "why");
        let letter = letters.event(0);
        let has_line = letter.get_named("message").is_some();
        assert_eq!((has_line, letter.origin()), (count == 1, before));
    }
}

#[test]
fn events_among_those_that_become_several_go_where_they_would_alone() {
    let source = "if .kind == \"many\" { . = [{\"n\": 1}, {\"n\": 2}, 3] } else if .kind == \"none\" { . = [] } \
                  else if .kind == \"stop\" { abort } else { .n = to_int!(.kind) }";
    let options = json!({"source": source, "drop_on_error": true, "reroute_dropped": false});
    let mut remap = TransformHarness::build(&SPEC, options);
    let kinds = ["many", "x", "none", "many", "stop", "7", "y"];
    let emitted = remap.feed_json(&kinds.map(|kind| json!({ "kind": kind })));
    let many = [json!({"n": 1}), json!({"n": 2}), json!({"message": 3})];
    let expected = [&many[..], &many[..], &[json!({"kind": "7", "n": 7})]].concat();
    assert_eq!(emitted.main(), expected);
    let dead = emitted.dead_letters();
    let raw: Vec<_> = dead.iter().map(|letter| &letter["kind"]).collect();
    assert_eq!(raw, ["x", "y"]);
}

#[test]
fn an_aborted_event_can_go_on_as_it_was() {
    let (main, _, discarded, _) = program(json!({"source": SOURCE, "drop_on_abort": false}));
    assert_eq!(main[2], json!({"a": "2", "stop": true}));
    assert!(discarded.is_empty());
}

#[test]
fn mistakes_in_the_program_name_their_place() {
    let Build::Transform(build) = SPEC.build else { panic!("a transform") };
    let sources =
        [(".a = ", 5..6), (".a = 1\n.b = nosuch(.a)", 12..18), (".a = to_int(.b)", 5..11)];
    for (source, within) in sources {
        let Err(ConfigErrors(errors)) = build(&Options(json!({"source": source}))) else {
            panic!("{source} is refused");
        };
        assert_eq!(errors[0].path, ["source"]);
        let range = errors[0].within.clone().expect("a place");
        assert!(range.start >= within.start && range.end <= within.end, "{source}: {range:?}");
    }
}
