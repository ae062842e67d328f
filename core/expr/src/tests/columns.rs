//! Column by column a program does what it does event by event; conditions told without a context are the same.

use lograil_event::{Batch, EventFlags};
use proptest::prelude::*;

use super::events::batch;
use crate::{Condition, EvalError, Program, Script, Stretch, Unchanged, Value, Workspace};

/// Programs that have a plan.
const PLANNED: [&str; 14] = [
    ".new = \"x\"",
    ".a = .b",
    ".a = del(.b)",
    "del(.a)",
    ".a = null\n.new = 5\n.b = \"\"\ndel(.c)",
    ".a = to_int(.a) ?? 0",
    ".a = to_int!(.a)\n.b = 1",
    "if .a == 1 { .b = 2 } else { .b = .c\n.new = del(.d) }",
    "if .a == 1 { abort }\n.new = 1",
    "x = to_int(.a) ?? 0\n.new = x + 1\n.b = x",
    "x, err = to_int(.a)\nif err != null { abort \"no\" }\n.a = x",
    ".new = {\"b\": .b, \"list\": [1, .a]}",
    ".list = [1]\n.b = map_values({\"k\": .a}) -> |v| { v }",
    ".new = .c.d\n.whole = exists(.b)",
];

/// Programs that have none: they read what they may have written, write twice, or more than fields.
const UNPLANNED: [&str; 12] = [
    ".a = 1\n.b = .a",
    ".a = 1\n.a = 2",
    ".a = del(.a)",
    ". = {\"a\": .b}",
    ".a.b = 1",
    "del(.c.d)",
    ".new = 1\n.all = .",
    "if .a == 1 { .b = 2 }\n.new = exists(.b)",
    "if .a == 1 { return }\n.b = 1",
    "x, .err = to_int(.a)",
    "for_each([1]) -> |_, v| { .b = v }",
    ".n = (.m = 1)",
];

#[test]
fn what_has_a_plan_is_known() {
    for (programs, planned) in [(&PLANNED[..], true), (&UNPLANNED[..], false)] {
        for source in programs {
            let script =
                Script::compile(source).unwrap_or_else(|errors| panic!("{source}: {errors:?}"));
            assert_eq!(script.is_planned(), planned, "{source}");
        }
    }
}

/// All that can be told of a batch: each event's fields in their order, and what is kept of its origin.
fn shown(batch: &Batch) -> Vec<String> {
    let event = |event: lograil_event::EventRef<'_>| {
        let fields = event.iter().map(|(name, value)| {
            let value = Value::from(value);
            format!("{name}={}:{value}", value.kind())
        });
        let fields: Vec<_> = fields.collect();
        let record = event.record();
        let changed = record.flags.contains(EventFlags::CHANGED);
        format!("{fields:?} {} {changed}", record.raw_fields)
    };
    batch.iter().map(event).collect()
}

fn outcome(
    script: &Script,
    events: &[&str],
    shared: bool,
) -> (Vec<String>, Vec<(usize, Unchanged)>) {
    let mut batch = batch(events);
    for (index, record) in batch.edit().events().iter_mut().enumerate() {
        record.raw_fields = record.count.saturating_sub(index as u32 % 3);
    }
    let other = shared.then(|| batch.share());
    let before = shown(&batch);
    let (mut workspace, mut unchanged) = (Workspace::default(), Vec::new());
    script.run(&mut batch, 7, &mut workspace, |index, why| unchanged.push((index, why)));
    if let Some(other) = other {
        assert_eq!(shown(&other), before, "a share is not written to");
    }
    let after = shown(&batch);
    for (index, _) in &unchanged {
        let splits = workspace.splits().iter().take_while(|split| split.index < *index);
        let now = splits.fold(*index, |now, split| now + split.count - 1);
        assert_eq!(after[now], before[*index], "what failed is as it was");
    }
    (after, unchanged)
}

fn check_same(source: &str, events: &[&str], shared: bool) -> bool {
    let Ok(script) = Script::compile(source) else { return false };
    let planned = script.is_planned();
    let by_columns = outcome(&script, events, shared);
    let by_rows = outcome(&script.by_rows(), events, shared);
    assert_eq!(by_columns, by_rows, "{source}\n{events:?}");
    planned
}

const EVENTS: [&str; 9] = [
    r#"{"a":1,"b":"text","c":{"d":[1,"x",null]},"d":false}"#,
    r#"{"a":"5","b":2.50,"d":"","list":[1,2]}"#,
    r#"{"b":"x","a":"y"}"#,
    r#"{"a":{"$number":"18446744073709551615"},"c":{"$bytes":[255,65]},"b":{"$bytes":[65]}}"#,
    r#"{"d":{"$timestamp":5},"c":null,"b":true,"a":-0.0,"e":"é"}"#,
    "{}",
    r#"{"new":"old","whole":1,"a":{"$number":"1e400"}}"#,
    r#"{"c":"q\"uote","d":"text","b":"text"}"#,
    r#"{"x":1,"y":2,"z":3,"a":1,"list":{"k":"v"}}"#,
];

/// Events whose texts and numbers are alike, at places that are alike.
const ALIKE: [&str; 8] = [
    r#"{"a":1,"b":"text","long":"checkout","n":12}"#,
    r#"{"a":0,"aa":1,"b":"texts","long":"checkouts of 15","n":12.0}"#,
    r#"{"a":-1,"b":"tex","long":"checkouts of 16","n":12.5}"#,
    r#"{"a":1,"aa":1,"ab":1,"b":"t\u0000","long":"check","n":-12.5}"#,
    r#"{"b":"te","long":"","n":12345678,"n2":1}"#,
    r#"{"a":1,"b":"","long":"checkout\u0000","n":{"$number":"1.2e1"}}"#,
    r#"{"a":1,"b":"text","n":11.9999}"#,
    r#"{"a":1,"b":"text","n":123456789.25,"long":"checkoux"}"#,
];

#[test]
fn programs_with_a_plan_do_what_they_do_event_by_event() {
    for source in PLANNED {
        assert!(
            check_same(source, &EVENTS, false) && check_same(source, &EVENTS, true),
            "{source}"
        );
    }
    // Events that fail, at either end and between, among those that do not.
    let events = [EVENTS[2], EVENTS[1], EVENTS[2], EVENTS[2], EVENTS[0], EVENTS[2]];
    let source = "del(.d)\n.b = .new\n.n = upcase(to_string(to_int!(.a)))\n.new = \"x\"";
    assert!(check_same(source, &events, false));
    let all_fail = Script::compile(source).unwrap();
    let (after, unchanged) = outcome(&all_fail, &[EVENTS[2]; 3], true);
    assert_eq!((after.len(), unchanged.len()), (3, 3));
}

#[test]
fn nothing_is_copied_where_nothing_changes() {
    for source in
        ["del(.missing)", "del(.e)", "if .a == 77 { .b = 1 }", "if .a != 77 { abort }\n.b = 1"]
    {
        let script = Script::compile(source).unwrap();
        let mut batch = batch(&EVENTS[..3]);
        let other = batch.share();
        let place = batch.fields().as_ptr();
        script.run(&mut batch, 0, &mut Workspace::default(), |_, _| {});
        assert_eq!(batch.fields().as_ptr(), place, "{source}");
        assert_eq!(batch.segments().len(), other.segments().len(), "{source}");
    }
}

fn condition() -> impl Strategy<Value = String> {
    let check = prop::sample::select(vec![
        ".a == 1",
        ".a != 1",
        ".a > 0",
        ".b == \"text\"",
        ".b != \"text\"",
        ".b < \"u\"",
        "exists(.c)",
        "exists(.missing)",
        ".missing == 1",
        ".missing < 1",
        "starts_with(.b, \"te\")",
        "ends_with(.b, \"t\")",
        "contains(.b, \"ex\")",
        "match(.b, r'^t')",
        ".d == false",
        ".a == 2.5",
        ".c.d[0] == 1",
        ".b == \"\"",
        ".e != \"é\"",
        ".long == \"checkout\"",
        ".long != \"checkouts of 15\"",
        "starts_with(.b, \"\")",
        "starts_with(.long, \"checkout\")",
        "starts_with(.long, \"check\")",
        ".n == 12",
        ".n != 12",
        ".n < 12",
        ".n <= 12",
        ".n > -13",
        ".n >= 12345678",
        ".a <= 0",
        "true",
        "string!(.a) == \"5\"",
        "upcase(.b) == \"X\"",
    ]);
    check.prop_map(str::to_owned).prop_recursive(3, 8, 3, |inner| {
        prop_oneof![
            (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("({a} && {b})")),
            (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("({a} || {b})")),
            inner.prop_map(|a| format!("!({a})")),
        ]
    })
}

fn statement() -> impl Strategy<Value = String> {
    let root = || prop::sample::select(vec![".a", ".b", ".c", ".d", ".e", ".new", ".list", "x"]);
    let value = prop::sample::select(vec![
        "1",
        "\"text\"",
        "\"\"",
        "null",
        "2.5",
        "true",
        "[1]",
        "\"q\\\"\"",
        "t'2026-01-31T00:00:00Z'",
        ".a",
        ".c",
        ".d",
        ".e",
        ".c.d",
        ".c.d[0]",
        ".list",
        "x",
        "del(.a)",
        "del(.b)",
        "del(.list)",
        "to_int(.a) ?? 0",
        "to_int!(.a)",
        "to_float(.b) ?? 0.5",
        "upcase(string(.b) ?? \"none\")",
        "string!(.b)",
        "{\"k\": .a}",
        "exists(.c)",
        ".a == 1",
        "downcase!(.b)",
        "length(.list) ?? 0",
        "(to_int(.a) ?? 1) * 2",
        ".",
        "encode_json(.c)",
        "if .a == 1 { .b } else { \"no\" }",
        "to_string(.e) ?? \"\"",
        ".b || .c",
        "r'x+'",
        "unnest!(.list)",
    ]);
    let assignment = (root(), value).prop_map(|(root, value)| format!("{root} = {value}"));
    let leaf = prop_oneof![
        8 => assignment,
        2 => root().prop_map(|root| format!("del({root})")),
        1 => Just("abort".to_owned()),
        1 => Just("abort \"why\"".to_owned()),
        1 => Just("x, err = to_int(.a)".to_owned()),
        1 => Just("return".to_owned()),
        1 => Just(".c.k = 1".to_owned()),
        1 => Just(". = [{\"b\": .a}, .c]".to_owned()),
        1 => Just(". |= {\"b\": 5}".to_owned()),
    ];
    (leaf.prop_recursive(2, 8, 3, |inner| {
        prop_oneof![
            (condition(), inner.clone())
                .prop_map(|(c, a)| format!("if ({c}) ?? false {{\n{a}\n}}")),
            (condition(), inner.clone(), inner.clone())
                .prop_map(|(c, a, b)| format!("if ({c}) ?? true {{\n{a}\n}} else {{\n{b}\n}}")),
            (inner.clone(), inner).prop_map(|(a, b)| format!("{a}\n{b}")),
        ]
    }),)
        .prop_map(|(source,)| source)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn a_random_program_does_the_same_both_ways(
        statements in prop::collection::vec(statement(), 1..5),
        events in prop::collection::vec(prop::sample::select(EVENTS.to_vec()), 1..7),
        shared in any::<bool>(),
    ) {
        check_same(&format!("x = 1\n{}", statements.join("\n")), &events, shared);
        check_same(&statements.join("\n"), &events, shared);
    }

    #[test]
    fn a_condition_holds_where_its_program_is_true(
        source in condition(),
        events in prop::collection::vec(prop::sample::select([EVENTS.as_slice(), &ALIKE].concat()), 1..150),
        wanted in prop_oneof![Just(u64::MAX), any::<u64>()],
    ) {
        let condition = Condition::compile(&source);
        let program = Program::compile(&source);
        let (Ok(condition), Ok(program)) = (condition, program) else { return Ok(()) };
        let batch = batch(&events);
        let (mut bound, mut whole) = (condition.bind(&batch), program.bind(&batch));
        let mut verdicts = Vec::new();
        for event in batch.iter() {
            let verdict = match whole.eval(event) {
                Ok(Value::Boolean(holds)) => Ok(holds),
                Ok(Value::Null) => Ok(false),
                Ok(other) => Err(EvalError::NotBoolean(other.kind())),
                Err(error) => Err(error),
            };
            prop_assert_eq!(bound.test(event), verdict, "{}", source);
            verdicts.push(verdict);
        }
        let mut stretch = Stretch::new(&batch);
        for verdicts in verdicts.chunks(64) {
            prop_assert_eq!(stretch.all().count_ones() as usize, verdicts.len());
            let (mut failures, wanted) = (Vec::new(), wanted & stretch.all());
            let holds = bound.test_stretch(&mut stretch, wanted, |error| failures.push(error));
            let asked = verdicts.iter().enumerate().filter(|(bit, _)| wanted >> bit & 1 == 1);
            let (mut expected, mut errors) = (0, Vec::new());
            for (bit, verdict) in asked {
                match verdict {
                    Ok(is_true) => expected |= u64::from(*is_true) << bit,
                    Err(error) => errors.push(*error),
                }
            }
            prop_assert_eq!(holds, expected, "{}\n{:?}", source, events);
            prop_assert_eq!(failures, errors, "{}", source);
            stretch.advance();
        }
        prop_assert_eq!(stretch.all(), 0);
    }
}
