//! Literals, paths and functions: expressions and what they give.

use super::events::{batch, run};
use crate::{Condition, EvalError};

const EVENT: &str = r#"{
    "status": 503, "ratio": 0.25, "neg": -7, "whole": 1.0, "zero": 0,
    "huge": {"$number": "18446744073709551616"}, "exp": {"$number": "1e3"},
    "max": 9223372036854775807, "over": 9223372036854775808, "negzero": {"$number": "-0"},
    "text": "Hello World", "empty": "", "digits": "42", "uni": "grüße", "quote": "a\"b",
    "yes": true, "no": false, "nil": null, "bytes": {"$bytes": [255, 97]},
    "when": {"$timestamp": 1769817600000000000},
    "user-agent": "curl", "@version": "1", "2xx": 3,
    "nested": {"a": {"b": [10, {"c": "deep", "esc": "t\ta\u00e9"}, null]}, "k\"ey": 1, "n": null,
               "dup": 1, "neg": -2.5, "true": true, "big": 12345678901234567890},
    "list": [1, "two", 3.0, null, true, [4], {"five": 5}], "none": [], "blank": {}
}"#;

fn check(table: &[(&str, &str)]) {
    for (source, expected) in table {
        assert_eq!(run(source, EVENT), *expected, "{source}");
    }
}

#[test]
fn literals() {
    check(&[
        ("1", "1"),
        ("-1", "-1"),
        ("1_000_000", "1000000"),
        ("-9223372036854775808", "-9223372036854775808"),
        ("9223372036854775807", "9223372036854775807"),
        ("1.5", "1.5"),
        ("-2.5e3", "-2500.0"),
        ("1e3", "1000.0"),
        ("true", "true"),
        ("null", "null"),
        (r#""a\tb\n\"c\" \\ \u{e9} \0""#, "\"a\\tb\\n\\\"c\\\" \\\\ é \\u0000\""),
        ("\"line \\\n    goes on\"", r#""line goes on""#),
        (r"s'raw \n \' \\'", r#""raw \\n ' \\\\""#),
        ("\"\"", "\"\""),
        (r"r'\d+'", r#""\\d+""#),
        ("t'2026-01-31T00:00:00Z'", r#""2026-01-31T00:00:00Z""#),
        ("t'2026-01-31T01:00:00.250+01:00'", r#""2026-01-31T00:00:00.250Z""#),
        ("t'1969-12-31T23:59:59.999999999Z'", r#""1969-12-31T23:59:59.999999999Z""#),
        ("[1, \"a\", [true], ]", r#"[1,"a",[true]]"#),
        ("[]", "[]"),
        ("{}", "{}"),
        (r#"{"a": 1, "b": {"c": .status}}"#, r#"{"a":1,"b":{"c":503}}"#),
        ("# nothing\n1 # one\n# more", "1"),
        ("(\n1\n+\n2\n)", "3"),
        ("1\n2", "2"),
        ("1; 2;", "2"),
        ("{ 1; .status }", "503"),
    ]);
}

#[test]
fn paths() {
    check(&[
        (".status", "503"),
        (".missing", "null"),
        (".missing.a[3].b", "null"),
        (".status.a", "null"),
        (".text[0]", "null"),
        (".\"user-agent\"", r#""curl""#),
        (".@version", r#""1""#),
        (".2xx", "3"),
        (".nested.a.b[0]", "10"),
        (".nested.a.b[1].c", r#""deep""#),
        (".nested.a.b[1].esc", "\"t\\taé\""),
        (".nested.a.b[2]", "null"),
        (".nested.a.b[3]", "null"),
        (".nested.a.b[-1]", "null"),
        (".nested.a.b[-3]", "10"),
        (".nested.a.b[-4]", "null"),
        (".nested.\"k\\\"ey\"", "1"),
        (".nested.neg", "-2.5"),
        (".nested.true", "true"),
        (".nested.big", "1.2345678901234567e19"),
        (".nested[0]", "null"),
        (".list.a", "null"),
        (".list[6].five", "5"),
        (".list[5][0]", "4"),
        ("[10, 20, 30][1]", "20"),
        ("[10, 20, 30][-1]", "30"),
        ("[10][7]", "null"),
        (r#"({"a": [.status]}).a[0]"#, "503"),
        (r#"{"a": {"b": 1}}.a.b"#, "1"),
        ("..status", "refused: a field name must follow the dot"),
        (".huge", "1.8446744073709552e19"),
        (".over", "9.223372036854776e18"),
        (".negzero", "-0.0"),
        (".exp", "1000.0"),
        (".when", r#""2026-01-31T00:00:00Z""#),
        (".bytes", "\"\u{FFFD}a\""),
        ("(.).status", "503"),
    ]);
}

#[test]
fn the_last_of_equal_keys_wins_in_nested_text() {
    let mut batch = batch(&["{}"]);
    let mut edit = batch.edit();
    let key = edit.key("o").0;
    let span = edit.push_text(br#" { "a" : 1 , "\u0061" : 2 } "#);
    let flags = lograil_event::FieldFlags::NONE;
    edit.append(0, lograil_event::Field::text(key, lograil_event::Tag::Object, span, flags));
    let condition = Condition::compile(".o.a == 2").unwrap();
    assert_eq!(condition.bind(&batch).test(batch.event(0)), Ok(true));
}

#[test]
fn functions() {
    check(&[
        ("exists(.nil)", "true"),
        ("exists(.missing)", "false"),
        ("exists(.nested.n)", "true"),
        ("exists(.nested.n.x)", "false"),
        ("exists(.nested.a.b[2])", "true"),
        ("exists(.nested.a.b[3])", "false"),
        ("exists(.)", "true"),
        ("!exists(.missing) && exists(.status)", "true"),
        ("is_null(.nil)", "true"),
        ("is_integer(.huge)", "false"),
        ("is_float(.huge)", "true"),
        ("is_string(.bytes)", "true"),
        ("is_timestamp(.when)", "true"),
        ("is_array(.list)", "true"),
        ("is_object(.nested.a)", "true"),
        ("is_boolean(.nested.true)", "true"),
        ("is_nullish(.empty)", "true"),
        ("is_nullish(.zero)", "false"),
        ("is_empty(.none)", "true"),
        ("is_empty(.blank)", "true"),
        ("is_empty(.status)", ERROR_EMPTY),
        ("length(.nested.a.b)", "3"),
        ("length(.uni)", "7"),
        ("strlen(.uni)", "5"),
        ("length(.)", "27"),
        ("downcase(.text)", r#""hello world""#),
        ("upcase(.uni)", r#""GRÜSSE""#),
        ("strip_whitespace(\" x \")", r#""x""#),
        ("starts_with(.text, \"Hello\")", "true"),
        ("starts_with(.text, \"hello\")", "false"),
        ("starts_with(.text, \"hello\", case_sensitive: false)", "true"),
        ("starts_with(.text, \"hello\", false)", "true"),
        ("starts_with(substring: \"Hel\", value: .text)", "true"),
        ("starts_with(.text, .empty)", "true"),
        ("starts_with(.bytes, \"\")", "true"),
        ("starts_with!(.text, \"Hello\")", "true"),
        ("ends_with(.text, \"World\")", "true"),
        ("ends_with(.text, \"WORLD\", case_sensitive: false)", "true"),
        ("ends_with(.nested.a.b[1].c, \"ep\")", "true"),
        ("contains(.text, \"o W\")", "true"),
        ("contains(.uni, \"RÜ\", case_sensitive: false)", "true"),
        ("contains(.status, \"5\")", "error: `contains` expects string as `value`, found integer"),
        ("contains(.status, \"5\") ?? false", "false"),
        ("contains(to_string(.status), \"50\")", "true"),
        ("match(.text, r'(?i)world$')", "true"),
        ("match(.uni, r'^gr.ße$')", "true"),
        ("match(.bytes, r'a$')", "true"),
        ("match(.missing, r'x')", "error: `match` expects string as `value`, found null"),
        (r"match(.quote, r'a.b')", "true"),
        (r"match(s'it\'s', r't\'s')", "true"),
        ("to_int(.digits) + 1", "43"),
        ("to_int(.text) ?? 0", "0"),
        ("to_int(.when)", "1769817600"),
        ("to_float(.digits)", "42.0"),
        ("to_bool(\"no\")", "false"),
        ("to_string(.ratio)", r#""0.25""#),
        ("to_string(.list)", ERROR_TO_STRING),
        ("includes(.list, \"two\")", "true"),
        ("includes(.list, 3)", "true"),
        ("includes(.list, [4])", "true"),
        ("includes(.list, {\"five\": 5})", "true"),
        ("includes(.list, \"three\")", "false"),
        ("includes([500, 503], .status)", "true"),
        ("includes(.text, 1)", "error: `includes` expects array as `value`, found string"),
    ]);
}

const ERROR_EMPTY: &str =
    "error: `is_empty` expects string or array or object as `value`, found integer";
const ERROR_TO_STRING: &str = "error: `to_string` expects string or integer or float or boolean or \
                               timestamp or null as `value`, found array";

#[test]
fn conditions_count_null_as_false_and_report_what_has_no_truth() {
    let batch = batch(&[r#"{"a":true,"n":null,"s":"x"}"#]);
    let test = |source: &str| Condition::compile(source).unwrap().bind(&batch).test(batch.event(0));
    assert_eq!(test(".a"), Ok(true));
    assert_eq!(test(".n"), Ok(false));
    assert_eq!(test(".missing"), Ok(false));
    assert_eq!(test(".s"), Err(EvalError::NotBoolean(crate::Kind::STRING)));
    assert_eq!(test(".s || true"), Err(EvalError::NotBoolean(crate::Kind::STRING)));
    assert_eq!(test("true"), Ok(true));
}

#[test]
fn text_is_borrowed_from_the_batch() {
    let batch = batch(&[EVENT]);
    let within_batch = |value: &crate::Value<'_>| {
        let crate::Value::String(text) = value else { return false };
        (0..batch.segments().len())
            .any(|segment| batch.block(segment as u8).as_ptr_range().contains(&text.as_ptr()))
    };
    for source in
        [".text", ".nested.a.b[1].c", "if .yes { .text } else { \"\" }", "downcase(.digits)"]
    {
        let program = crate::Program::compile(source).unwrap();
        let mut bound = program.bind(&batch);
        let value = bound.eval(batch.event(0)).unwrap();
        assert!(within_batch(&value), "{source}");
    }
}

#[test]
fn a_batch_without_the_keys_is_a_batch_of_missing_fields() {
    let condition = Condition::compile("!exists(.x) && .y == null").unwrap();
    let with = batch(&[r#"{"x":1}"#]);
    let without = batch(&["{}"]);
    assert_eq!(condition.bind(&with).test(with.event(0)), Ok(false));
    assert_eq!(condition.bind(&without).test(without.event(0)), Ok(true));
    assert_eq!(condition.program().fields(), ["x", "y"]);
}

#[test]
fn a_condition_can_be_shared_by_workers() {
    fn shared<T: Send + Sync>(_: &T) {}
    let condition = Condition::compile("match(.a, r'x') || includes([1, {\"a\": 2}], .b)").unwrap();
    shared(&condition);
}
