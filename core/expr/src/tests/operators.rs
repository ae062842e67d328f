//! Operators: what they give for each pair of types, and how they bind.

use super::events::run;

const EVENT: &str = r#"{
    "i": 7, "j": -2, "f": 2.5, "s": "abc", "t": true, "n": null, "z": 0,
    "max": 9223372036854775807, "min": -9223372036854775808, "p53": 9007199254740993,
    "when": {"$timestamp": 1000000000}, "list": [1, {"a": 1, "b": 2}],
    "obj": {"b": 2, "a": 1}, "same": {"a": 1.0, "b": 2}
}"#;

fn check(table: &[(&str, &str)]) {
    for (source, expected) in table {
        assert_eq!(run(source, EVENT), *expected, "{source}");
    }
}

#[test]
fn arithmetic() {
    check(&[
        (".i + 1", "8"),
        (".i + 1.5", "8.5"),
        (".f + 1", "3.5"),
        (".i - 10", "-3"),
        (".i -10", "-3"),
        (".i * .j", "-14"),
        (".i * .f", "17.5"),
        (".i / 2", "3.5"),
        ("6 / 3", "2.0"),
        (".i % 4", "3"),
        (".j % 7", "-2"),
        ("7.5 % 2", "1.5"),
        (".max + 1", "-9223372036854775808"),
        (".min - 1", "9223372036854775807"),
        (".max * 2", "-2"),
        (".min % -1", "0"),
        (".i / .z", "error: division by zero"),
        (".i % .z", "error: division by zero"),
        (".f / 0.0 ?? -1", "-1"),
        (".i / 0", "refused: always fails: division by zero"),
        ("1 / 0 ?? 2", "2"),
        (".s + \"d\"", r#""abcd""#),
        (".s + .n", r#""abc""#),
        (".missing + .s", r#""abc""#),
        (".s * 2", r#""abcabc""#),
        ("2 * .s", r#""abcabc""#),
        (".s * -1", "\"\""),
        (".s * .max", "error: the resulting string is too long"),
        (".s + 1", "error: cannot apply `+` to string and integer"),
        (".s - \"a\"", "refused: cannot apply `-` to any and string"),
        (".n + 1", "error: cannot apply `+` to null and integer"),
        (".t + 1", "error: cannot apply `+` to boolean and integer"),
        ("1e308 * 10 == 1e308 * 100", "true"),
    ]);
}

#[test]
fn equality() {
    check(&[
        (".i == 7", "true"),
        (".i == 7.0", "true"),
        ("7.0 == .i", "true"),
        (".i != 7", "false"),
        (".i == \"7\"", "false"),
        (".i != \"7\"", "true"),
        (".s == \"abc\"", "true"),
        (".s == \"abd\"", "false"),
        (".s == s'abc'", "true"),
        (".t == true", "true"),
        (".t == 1", "false"),
        (".n == null", "true"),
        (".missing == null", "true"),
        (".missing == .n", "true"),
        (".missing == \"\"", "false"),
        (".missing != 1", "true"),
        (".when == t'1970-01-01T00:00:01Z'", "true"),
        (".when == 1", "false"),
        (".p53 == 9007199254740992.0", "false"),
        (".p53 == 9007199254740993", "true"),
        (".obj == {\"a\": 1, \"b\": 2}", "true"),
        (".obj == .same", "true"),
        (".obj == .list[1]", "true"),
        (".obj != {\"a\": 1}", "true"),
        (".list == [1, {\"b\": 2, \"a\": 1}]", "true"),
        (".list == [1]", "false"),
        ("1 == 2 == false", "true"),
        ("1 == 1.0", "true"),
    ]);
}

#[test]
fn order() {
    check(&[
        (".i > 6", "true"),
        (".i >= 7", "true"),
        (".i < 7.5", "true"),
        (".f <= 2", "false"),
        ("3 > .f", "true"),
        (".p53 > 9007199254740992.0", "true"),
        (".max < 9223372036854775807.0", "true"),
        (".min >= -9223372036854775808.0", "true"),
        (".max < 1e300", "true"),
        (".min > -1e300", "true"),
        (".s < \"abd\"", "true"),
        (".s > \"ab\"", "true"),
        ("\"B\" < .s", "true"),
        (".when < t'1970-01-01T00:00:02Z'", "true"),
        (".when > t'1970-01-01T00:00:02Z'", "false"),
        (".s > 1", "error: cannot compare string > integer"),
        (".i < \"8\"", "error: cannot compare integer < string"),
        (".n < 1", "error: cannot compare null < integer"),
        (".missing >= .i", "error: cannot compare null >= integer"),
        (".t > false", "refused: cannot compare any > boolean"),
        (".obj < .list", "error: cannot compare object < array"),
        (".when > 1", "error: cannot compare timestamp > integer"),
        (".i > .s ?? \"no\"", "\"no\""),
    ]);
}

#[test]
fn logic() {
    check(&[
        ("true && false", "false"),
        (".t && .i == 7", "true"),
        (".n && .i > \"x\"", "false"),
        ("false && 1 / .z == 1", "false"),
        ("true || 1 / .z == 1", "true"),
        ("false || 1 / .z == 1", "error: division by zero"),
        (".missing || .s", r#""abc""#),
        (".missing || .n", "null"),
        ("false || false", "false"),
        (".t && .missing", "false"),
        (".s && true", "error: expected boolean, found string"),
        (".t && .s", "error: expected boolean, found string"),
        ("!.t", "false"),
        ("!!.t", "true"),
        ("!.missing", "error: expected boolean, found null"),
        ("!.s", "error: expected boolean, found string"),
        ("(.s > 1) || .i == 7", "true"),
        ("(.s > 1 ?? false) || .i == 7", "true"),
        ("false && false || true", "true"),
        ("(true || false) && false", "false"),
        ("true || (false && false)", "true"),
        ("true || false && false", "refused: `||` before `&&` needs parentheses"),
        (".i == 7 && .j == -2 && .t && .s == \"abc\"", "true"),
        (".i == 7\n  && .t\n  || false", "true"),
        (".i ==\n  7", "true"),
    ]);
}

#[test]
fn coalescing_and_if() {
    check(&[
        (".i ?? 1", "7"),
        (".missing ?? 1", "null"),
        ("to_int(.s) ?? to_int(.list) ?? 9", "9"),
        ("to_int(.s) ?? to_int(.list)", ERROR_TO_INT),
        ("1 / .z ?? 0 == 0", "true"),
        ("if .t { 1 } else { 2 }", "1"),
        ("if .i > 10 { 1 } else if .i > 5 { 2 } else { 3 }", "2"),
        ("if .i > 10 { 1 }", "null"),
        ("if (.t) { { \"a\": 1 } } else { [] }", r#"{"a":1}"#),
        ("if .n { 1 } else { 2 }", "error: expected boolean, found null"),
        ("(if .t { .i } else { .j }) == 7", "true"),
        ("if .t\n{\n  .i\n}\nelse\n{\n 1\n}", "7"),
        ("if .t { 1 } else { 1 / .z }", "1"),
    ]);
}

const ERROR_TO_INT: &str = "error: `to_int` expects string or integer or float or boolean or timestamp \
                            or null as `value`, found array";

#[test]
fn precedence_is_that_of_vrl() {
    check(&[
        ("1 + 2 * 3 - 4", "3"),
        ("2 * 3 % 4", "2"),
        ("10 - 3 - 2", "5"),
        ("8 / 4 / 2", "1.0"),
        ("1 + 1 == 2", "true"),
        ("1 < 2 == true", "true"),
        ("true == 1 < 2", "true"),
        ("1 + 1 > 1 && 2 * 2 == 4", "true"),
        ("!true == false", "true"),
        ("!(1 == 2)", "true"),
        ("1 == 2 || 2 == 2", "true"),
        ("1 / .z == 1 && true ?? false", "false"),
    ]);
}
