//! Programs that change events: what they make of them, what they are refused for, what leaves them alone.

use super::events::{batch, remap};
use crate::{Script, Workspace};

fn check(table: &[(&str, &str, &str)]) {
    for (source, event, expected) in table {
        assert_eq!(remap(source, event), *expected, "{source}");
    }
}

#[test]
fn assignments() {
    check(&[
        (".b = 1", r#"{"a":0}"#, r#"{"a":0,"b":1}"#),
        (".a = .a", r#"{"a":"x"}"#, r#"{"a":"x"}"#),
        (".a = 1; .b = .a", "{}", r#"{"a":1,"b":1}"#),
        (".a = .b = 2", "{}", r#"{"b":2,"a":2}"#),
        (".a.b.c = 1", "{}", r#"{"a":{"b":{"c":1}}}"#),
        (".a.b = 1\n.a.c = 2", r#"{"a":{"x":0}}"#, r#"{"a":{"x":0,"b":1,"c":2}}"#),
        (".a.b = 1", r#"{"a":"text"}"#, r#"{"a":{"b":1}}"#),
        (".a[2] = 1", r#"{"a":[0]}"#, r#"{"a":[0,null,1]}"#),
        (".a[-1] = 1", r#"{"a":[0,0]}"#, r#"{"a":[0,1]}"#),
        (".a[-3] = 1", r#"{"a":[0,0]}"#, r#"{"a":[1,0,0]}"#),
        (".a[0].b = 1", "{}", r#"{"a":[{"b":1}]}"#),
        ("x = 1\n.a = x + 1", "{}", r#"{"a":2}"#),
        ("x = {\"k\": 1}\nx.l = 2\n.a = x", "{}", r#"{"a":{"k":1,"l":2}}"#),
        ("x = [1]\nx[1] = 2\n.a = x[-1]", "{}", r#"{"a":2}"#),
        (". = {\"a\": 1}", r#"{"b":2,"c":3}"#, r#"{"a":1}"#),
        (". = {\"a\": .b}\n.c = .a", r#"{"b":2,"d":3}"#, r#"{"a":2,"c":2}"#),
        (".x = 1\n. = {\"whole\": .}", r#"{"b":2}"#, r#"{"whole":{"b":2,"x":1}}"#),
        (". |= {\"a\": 1}", r#"{"a":0,"b":2}"#, r#"{"a":1,"b":2}"#),
        (". = . | {\"a\": 1}", r#"{"b":2}"#, r#"{"b":2,"a":1}"#),
        (".a = {\"x\": 1}\n.a |= {\"y\": 2}", "{}", r#"{"a":{"x":1,"y":2}}"#),
        (".\"a b\" = 1", "{}", r#"{"a b":1}"#),
        (".a = t'2026-01-31T00:00:00Z'", "{}", r#"{"a":"2026-01-31T00:00:00Z"}"#),
        (".a = \"é\" + \"\\n\"", "{}", r#"{"a":"é\n"}"#),
        (".a = null", r#"{"a":1}"#, r#"{"a":null}"#),
        (".a = [1, {\"b\": [.a]}]", r#"{"a":"q\""}"#, r#"{"a":[1,{"b":["q\""]}]}"#),
    ]);
}

#[test]
fn removal() {
    check(&[
        ("del(.a)", r#"{"a":1,"b":2}"#, r#"{"b":2}"#),
        ("del(.a.b)", r#"{"a":{"b":1,"c":2}}"#, r#"{"a":{"c":2}}"#),
        ("del(.a[0])", r#"{"a":[1,2]}"#, r#"{"a":[2]}"#),
        ("del(.a[-1])", r#"{"a":[1,2]}"#, r#"{"a":[1]}"#),
        ("del(.missing.x)", r#"{"a":1}"#, r#"{"a":1}"#),
        (".b = del(.a)", r#"{"a":1,"c":2}"#, r#"{"c":2,"b":1}"#),
        ("del(.a)\n.b = exists(.a)", r#"{"a":1}"#, r#"{"b":false}"#),
        ("del(.a)\n.a = 2", r#"{"a":1,"b":0}"#, r#"{"a":2,"b":0}"#),
        ("del(.)", r#"{"a":1}"#, "{}"),
        (
            ".b = parse_timestamp!(del(.a), \"%+\")",
            r#"{"a":"2026-01-31T00:00:00Z"}"#,
            r#"{"b":"2026-01-31T00:00:00Z"}"#,
        ),
        ("x = {\"a\": 1, \"b\": 2}\ndel(x.a)\n.x = x", "{}", r#"{"x":{"b":2}}"#),
        (". = {\"a\": 1, \"b\": 2}\ndel(.a)", r#"{"c":1}"#, r#"{"b":2}"#),
    ]);
}

#[test]
fn removal_of_what_is_empty_then() {
    check(&[
        ("del(.a.b, compact: true)", r#"{"a":{"b":1,"c":2}}"#, r#"{"a":{"c":2}}"#),
        ("del(.a.b, compact: true)", r#"{"a":{"b":1},"c":2}"#, r#"{"c":2}"#),
        ("del(.a.b.c, true)", r#"{"a":{"b":{"c":1}}}"#, "{}"),
        ("del(.a.b.c, false)", r#"{"a":{"b":{"c":1}}}"#, r#"{"a":{"b":{}}}"#),
        ("del(.a[0].b, compact: true)", r#"{"a":[{"b":1},2]}"#, r#"{"a":[2]}"#),
        ("del(.a.x, compact: true)", r#"{"a":{}}"#, r#"{"a":{}}"#),
        ("del(.a.b, compact: .c)", "{}", "refused: `compact` is `true` or `false`"),
        ("x = {\"a\": {\"b\": 1}}\ndel(x.a.b, compact: true)\n.x = x", "{}", r#"{"x":{}}"#),
    ]);
}

#[test]
fn what_is_no_object_in_place_of_the_event() {
    check(&[
        (". = [{\"a\": 1}, {\"b\": .x}]", r#"{"x":2}"#, r#"{"a":1} {"b":2}"#),
        (". = [1, \"two\", {\"a\": 3}]", "{}", r#"{"message":1} {"message":"two"} {"a":3}"#),
        (". = []", r#"{"a":1}"#, ""),
        (". = .a", r#"{"a":[{"b":1,"b":2},[3]]}"#, r#"{"b":2} {"message":[3]}"#),
        (". = .a", r#"{"a":"text"}"#, r#"{"message":"text"}"#),
        (". = .a", r#"{"a":{"b":1}}"#, r#"{"b":1}"#),
        (". = parse_json!(.m)", r#"{"m":"[{\"a\":1},{\"a\":2}]"}"#, r#"{"a":1} {"a":2}"#),
        (". = [., .]", r#"{"a":1}"#, r#"{"a":1} {"a":1}"#),
        (". = [{\"a\": 1}]\n.b = 2", "{}", r#"{"b":2}"#),
        (". = [{\"a\": 1}, 2]\n. = [., .a]", "{}", r#"{"message":[{"a":1},2]} {"message":null}"#),
        (". = [1]\ndel(.a)\n. = push(., 2)", "{}", r#"{"message":1} {"message":2}"#),
        (". = [1]\n. |= {\"a\": 1}", "{}", "refused: `|` merges objects, this is array"),
        ("., err = parse_json(.m)\n.err = err", r#"{"m":"{\"a\":1}"}"#, r#"{"a":1,"err":null}"#),
        ("., err = parse_json(.m)\n.bad = err != null", r#"{"m":"x"}"#, r#"{"m":"x","bad":true}"#),
        ("x, . = parse_json(.m)", "{}", "refused: an error is a text, which cannot be the event"),
        (
            ".a = replace_with(\"x\", r'(?P<string>y)?x') -> |m| { m.string }",
            "{}",
            "refused: a group cannot be named `string`: a match has that of its own",
        ),
        (
            ". = unnest!(.a)",
            r#"{"a":[1,{"c":2}],"b":"x"}"#,
            r#"{"a":1,"b":"x"} {"a":{"c":2},"b":"x"}"#,
        ),
        (
            ". = unnest!(.a.b)",
            r#"{"a":{"b":[1,2],"c":3}}"#,
            r#"{"a":{"b":1,"c":3}} {"a":{"b":2,"c":3}}"#,
        ),
        (".a = [1, .b]\n. = unnest(.a)", r#"{"b":0}"#, r#"{"b":0,"a":1} {"b":0,"a":0}"#),
        ("x = {\"a\": [1, 2], \"b\": 3}\n. = unnest!(x.a)", "{}", r#"{"a":1,"b":3} {"a":2,"b":3}"#),
        (
            ". = unnest(.a)",
            "{}",
            "refused: an error is not handled: `unnest` expects array as `path`, this may be any",
        ),
        (". = unnest!(.a)", r#"{"a":1}"#, "error: `unnest` expects array as `path`, found integer"),
        (
            ".a = 1\n. = unnest!(.a)",
            "{}",
            "refused: `unnest` expects array as `path`, this is integer",
        ),
    ]);
}

#[test]
fn events_that_one_becomes_are_bounded() {
    let items = vec!["1"; 1000].join(",");
    let event = format!("{{\"a\":[{items}]}}");
    let made = remap(". = .a", &event);
    assert_eq!(made.split(' ').count(), 1000);
    // A thousand times a thousand are too many values.
    let fields: Vec<_> = (0..1000).map(|at| format!("\"f{at}\":0")).collect();
    let event = format!("{{\"a\":[{items}],{}}}", fields.join(","));
    let too_much = "error: the program takes too much for one event";
    assert_eq!(remap(". = unnest!(.a)", &event), too_much);
    // What is around the items counts at every level, also where nothing is kept.
    let event = format!("{{\"a\":{event},\"n\":0}}");
    assert_eq!(remap(".n = length(unnest!(.a.a))", &event), too_much);
}

#[test]
fn fields_of_events_that_those_of_a_batch_become_are_bounded() {
    let names: Vec<_> = (0..900).map(|at| format!("\"f{at}\":0")).collect();
    let event = format!("{{{},\"a\":[{}]}}", names.join(","), vec!["1"; 1000].join(","));
    let mut batch = batch(&[&event, &event, &event, r#"{"a":[1,2]}"#]);
    let script = Script::compile(". = unnest!(.a)").unwrap();
    let (mut workspace, mut failed) = (Workspace::default(), Vec::new());
    script.run(&mut batch, 0, &mut workspace, |index, _| failed.push(index));
    assert_eq!((failed, batch.len()), (vec![2], 2 * 1000 + 1 + 2));
}

#[test]
fn what_functions_return_has_members_and_items_of_known_types() {
    check(&[
        (
            ". |= parse_regex!(.m, r'^(?P<a>x)(?P<b>y)?')\n.a = upcase(.a)",
            r#"{"m":"xy"}"#,
            r#"{"m":"xy","a":"X","b":"y"}"#,
        ),
        (
            ". |= parse_regex!(.m, r'^(?P<a>x)(?P<b>y)?')\n.b = upcase(.b)",
            "{}",
            "refused: an error is not handled: `upcase` expects string as `value`, this may be string or null",
        ),
        (
            ".x = parse_regex!(.m, r'(?P<a>x)|y')\n.b = upcase(.x.a)",
            "{}",
            "refused: an error is not handled: `upcase` expects string as `value`, this may be string or null",
        ),
        (
            "p = split(string!(.m), \",\")\n.a = p[0] + \"!\"",
            r#"{"m":"x,y"}"#,
            r#"{"m":"x,y","a":"x!"}"#,
        ),
        (
            "for_each(split(string!(.m), \",\")) -> |_i, part| { . = set!(., [part], length(part)) }",
            r#"{"m":"x,yy"}"#,
            r#"{"m":"x,yy","x":1,"yy":2}"#,
        ),
        (
            "p = split(string!(.m), \",\")\np[0] = .m\nfor_each(p) -> |_i, part| { .n = upcase(part) }",
            "{}",
            "refused: an error is not handled: `upcase` expects string as `value`, this may be any",
        ),
        (
            ". |= parse_syslog!(.m)\n.message = upcase(.message)",
            r#"{"m":"<13>1 - - - - - -"}"#,
            r#"{"m":"<13>1 - - - - - -","facility":"user","severity":"notice","version":1,"message":""}"#,
        ),
        (
            "u = parse_url!(.m)\n.h = upcase(u.host) + u.path",
            r#"{"m":"http://a"}"#,
            r#"{"m":"http://a","h":"A/"}"#,
        ),
        (". = redact(., filters: [r'x'])", r#"{"a":"xy"}"#, r#"{"a":"[REDACTED]y"}"#),
        (
            ". = redact(., filters: [\"phone\"])",
            "{}",
            "refused: always fails: `redact`: a filter is a regular expression, `us_social_security_number`, or an object of type `pattern`",
        ),
        (
            ". = redact(., filters: [.a])",
            "{}",
            "refused: an error is not handled: `redact` can fail",
        ),
    ]);
}

#[test]
fn branches_and_ends() {
    let level =
        "if .s == 1 { .l = \"low\" } else if .s == 2 { .l = \"mid\" } else { .l = \"high\" }";
    check(&[
        (level, r#"{"s":1}"#, r#"{"s":1,"l":"low"}"#),
        (level, r#"{"s":2}"#, r#"{"s":2,"l":"mid"}"#),
        (level, r#"{"s":3}"#, r#"{"s":3,"l":"high"}"#),
        (".a = if .s == 1 { \"x\" } else { \"y\" }", r#"{"s":1}"#, r#"{"s":1,"a":"x"}"#),
        ("if .s == 1 { abort }\n.a = 1", r#"{"s":1}"#, "aborted: "),
        ("if .s == 1 { abort \"no\" + \"pe\" }\n.a = 1", r#"{"s":1}"#, "aborted: nope"),
        ("if .s == 1 { abort }\n.a = 1", r#"{"s":2}"#, r#"{"s":2,"a":1}"#),
        (".a = 1\nif .s == 1 { return }\n.b = 2", r#"{"s":1}"#, r#"{"s":1,"a":1}"#),
        (".a = 1\nreturn null\n.b = 2", "{}", r#"{"a":1}"#),
        ("x = 1\nif true { x = 2; y = 3 }\n.x = x", "{}", r#"{"x":2}"#),
        (".a = { b = 1; b + 1 }", "{}", r#"{"a":2}"#),
        (".a = 1\n.b = to_int!(.s)", r#"{"s":"x"}"#, "error: `to_int`: the text is not an integer"),
    ]);
}

#[test]
fn errors_are_handled_as_in_vrl() {
    check(&[
        (".a = to_int(.s) ?? -1", r#"{"s":"x"}"#, r#"{"s":"x","a":-1}"#),
        (
            ".a = to_int(.s) ?? to_int(.t) ?? -1",
            r#"{"s":"x","t":"7"}"#,
            r#"{"s":"x","t":"7","a":7}"#,
        ),
        (".a, .e = to_int(.s)", r#"{"s":"7"}"#, r#"{"s":"7","a":7,"e":null}"#),
        (
            ".a, err = to_int(.s)\nif err != null { .e = err }",
            r#"{"s":"x"}"#,
            r#"{"s":"x","a":0,"e":"`to_int`: the text is not an integer"}"#,
        ),
        ("_, err = to_int(.s)\n.ok = err == null", r#"{"s":"x"}"#, r#"{"s":"x","ok":false}"#),
        ("x, _ = to_int(.s)\n.a = x + 1", r#"{"s":"x"}"#, r#"{"s":"x","a":1}"#),
        (".a = to_int!(.s) ?? 5", r#"{"s":"x"}"#, "error: `to_int`: the text is not an integer"),
        (".a = to_int(.s)", "{}", "refused: an error is not handled: `to_int` can fail"),
        (
            ".a = upcase(.s)",
            "{}",
            "refused: an error is not handled: `upcase` expects string as `value`, this may be any",
        ),
        (
            ".s = to_string(.n) ?? \"\"\n.a = upcase(.s)",
            r#"{"n":"x"}"#,
            r#"{"n":"x","s":"x","a":"X"}"#,
        ),
        (
            "if .s > 5 { .a = 1 }",
            "{}",
            "refused: an error is not handled: `>` may meet any and integer",
        ),
        ("if (to_int(.s) ?? 0) > 5 { .a = 1 }", r#"{"s":6}"#, r#"{"s":6,"a":1}"#),
        (".a = .b + 1", "{}", "refused: an error is not handled: `+` may meet any and integer"),
        (".a = 10 / 4", "{}", r#"{"a":2.5}"#),
        (
            ".a |= {\"b\": 1}",
            "{}",
            "refused: an error is not handled: `|` merges objects, this may be any",
        ),
    ]);
}

#[test]
fn types_follow_the_course_of_the_program() {
    let accepted = [
        "if .x == 1 { .a = \"p\" } else { .a = \"q\" }\n.b = upcase(.a)",
        "x = \"a\"\nif .b == 1 { x = \"c\" }\n.y = upcase(x)",
        "if .x != 1 { abort } else { .a = \"p\" }\n.b = upcase(.a)",
        "x = {\"a\": \"t\"}\n.b = upcase(x.a)",
        ". = {\"a\": \"t\"}\n.b = upcase(.a)",
        "sum = 0\nfor_each([1, 2]) -> |_i, v| { sum = sum + (to_int(v) ?? 0) }\n.sum = sum * 2",
        ".a = \"x\"\n.b.c = 1\n.d = upcase(.a)",
        ".a = \"x\"\ndel(.b)\n.d = upcase(.a)",
    ];
    for source in accepted {
        assert!(!remap(source, "{}").starts_with("refused"), "{source}: {}", remap(source, "{}"));
    }
    let refused = [
        "if .x == 1 { .a = \"p\" }\n.b = upcase(.a)",
        "x = \"a\"\nif .b == 1 { x = 5 }\n.y = upcase(x)",
        ".a = \"x\"\ndel(.a)\n.d = upcase(.a)",
        "x = \"a\"\nfor_each([1]) -> |_i, v| { .y = upcase(x); x = 5 }",
        "x = \"a\"\nx = {\"y\": x}\n.y = upcase(x)",
        ".a.b = \"x\"\n.a = {}\n.c = upcase(.a.b)",
        ".a[0] = \"x\"\n.a[-1] = 1\n.c = upcase(.a[0])",
        "false && (x = 1) == 1\n.a = x + 1",
        "if true { y = 1 }\n.a = y",
        "for_each([1]) -> |_i, v| { w = v }\n.a = w",
    ];
    for source in refused {
        assert!(remap(source, "{}").starts_with("refused"), "{source}: {}", remap(source, "{}"));
    }
}

#[test]
fn templates() {
    check(&[
        ("x = \"b\"\n.a = \"a{{ x }}c{{x}}\"", "{}", r#"{"a":"abcb"}"#),
        (".a = \"\\{\\{ x }}\"", "{}", r#"{"a":"{{ x }}"}"#),
        ("x = \"b\"\n.a = \"\\n{{ x }}\\t\"", "{}", r#"{"a":"\nb\t"}"#),
        (".a = s'{{ x }}'", "{}", r#"{"a":"{{ x }}"}"#),
        ("x = 1\n.a = \"{{ x }}\"", "{}", "refused: a template takes strings, this is integer"),
        (".a = \"{{ nope }}\"", "{}", "refused: unknown variable `nope`"),
        (".a = \"{{ .b }}\"", "{}", "refused: a template takes the name of a variable"),
    ]);
}

#[test]
fn closures() {
    check(&[
        (
            "n = 0\nfor_each(object!(.o)) -> |k, v| { n = n + 1; .last = k }\n.n = n",
            r#"{"o":{"a":1,"b":2}}"#,
            r#"{"o":{"a":1,"b":2},"last":"b","n":2}"#,
        ),
        (
            "last = []\nfor_each([{\"n\": 1}, {\"n\": 2}]) -> |i, v| { last[0] = v.n }\n.last = last",
            "{}",
            r#"{"last":[2]}"#,
        ),
        (". = map_keys(.) -> |key| { upcase(key) }", r#"{"a":1,"b":2}"#, r#"{"A":1,"B":2}"#),
        (". = filter(.) -> |_k, v| { v != null }", r#"{"a":1,"b":null}"#, r#"{"a":1}"#),
        (
            ".a = map_values({\"x\": {\"y\": 1}}, recursive: true) -> |v| { [v] }",
            "{}",
            r#"{"a":{"x":{"y":[1]}}}"#,
        ),
        ("x = 5\nfor_each([1]) -> |i, x| { .in = x }\n.out = x", "{}", r#"{"in":1,"out":5}"#),
        ("for_each([1]) -> |a| { a }", "{}", "refused: this closure takes 2 parameters"),
        ("for_each([1])", "{}", "refused: `for_each` needs a closure"),
        (
            ".a = filter([1]) -> |_i, v| { \"x\" }",
            "{}",
            "refused: this closure must give boolean, it gives string",
        ),
        ("for_each([1, 2]) -> |_i, v| { if v == 2 { abort }; .a = v }", "{}", "aborted: "),
    ]);
}

#[test]
fn what_a_program_takes_is_bounded() {
    let list = format!("{{\"a\":[{}0]}}", "0,".repeat(2000));
    let doubled = "x = [1]\nfor_each(array!(.a)) -> |_i, _v| { x = [x, x] }\n.x = x";
    assert_eq!(remap(doubled, &list), "error: the program takes too much for one event");
    let nested = "x = [1]\nfor_each(array!(.a)) -> |_i, _v| { x = [x] }\n.x = x";
    assert_eq!(remap(nested, &list), "error: the program takes too much for one event");
    let text = "x = \"ab\"\nfor_each(array!(.a)) -> |_i, _v| { x = x + x }\n.x = x";
    assert_eq!(remap(text, &list), "error: the resulting string is too long");
    assert_eq!(remap(".a[20000] = 1", "{}"), "error: the program takes too much for one event");
}

#[test]
fn a_condition_changes_nothing() {
    for source in [".a = 1", "del(.a)", "abort", ".a, err = to_int(.b)"] {
        assert!(crate::Condition::compile(source).is_err(), "{source}");
    }
    assert!(crate::Condition::compile("x = upcase(.a) ?? \"\"; x == \"B\"").is_ok());
}
