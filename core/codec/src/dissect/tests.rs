//! Tests of the parser: cases, round trips, damaged lines.

use proptest::prelude::*;

use super::*;
use crate::row_json::{check, damaged, parse};

fn dissect(pattern: &str) -> Dissect {
    Dissect::new(pattern).unwrap()
}

#[test]
fn keys_end_at_the_delimiters_that_follow_them() {
    check(
        &mut dissect("%{ip} - [%{time}] \"%{request}\""),
        &[
            ("::1 - [now] \"GET /\"", r#"{"ip":"::1","time":"now","request":"GET /"}"#),
            (" - [] \"\"", r#"{"ip":"","time":"","request":""}"#),
            ("::1 - now", "expected the delimiter behind the key at byte 0"),
            ("::1 - [now", "expected the delimiter behind the key at byte 7"),
            ("::1 - [now] \"x\" y", "expected the end at byte 15"),
        ],
    );
    check(
        &mut dissect("<%{a}> %{} %{?b} %{c}"),
        &[
            ("<1> 2 3 4 5", r#"{"a":"1","c":"4 5"}"#),
            ("1", "expected the text before the first key at byte 0"),
        ],
    );
    check(
        &mut dissect("%{a->} %{b}"),
        &[("x    y", r#"{"a":"x","b":"y"}"#), ("x ", r#"{"a":"x","b":""}"#)],
    );
    check(&mut dissect("%{a->}: %{b->}"), &[("x: : y", r#"{"a":"x","b":"y"}"#)]);
}

#[test]
fn appended_parts_are_joined_with_the_delimiter_before_them() {
    check(&mut dissect("%{d} %{+d} %{l}"), &[("1 2 3", r#"{"d":"1 2","l":"3"}"#)]);
    check(
        &mut dissect("%{a} %{b},%{+a} %{+b}/%{+a}"),
        &[("1 2,3 4/5", r#"{"a":"1,3/5","b":"2 4"}"#)],
    );
    check(&mut dissect("%{a->} %{+a}"), &[("1   2", r#"{"a":"1 2"}"#)]);
}

#[test]
fn mistakes_in_a_pattern_say_where() {
    let cases = [
        ("", "the pattern has no `%{key}`", 0..0),
        ("%{a", "`%{` is never closed", 0..3),
        ("%{a}%{b}", "two keys without a delimiter between them", 0..4),
        ("%{a} %{a}", "the name is there before; write `%{+name}` to append", 5..9),
        ("x %{+a}", "nothing before it has this name to append to", 2..7),
        ("%{?a} %{}", "the pattern skips every key", 0..9),
        ("%{a} %{+a/1}", "the order of appended parts cannot be changed; write `%{+name}`", 5..12),
        (
            "%{*a} %{&a}",
            "names taken from the text are not supported; `key_value` reads those",
            0..5,
        ),
    ];
    for (pattern, message, within) in cases {
        let error = Dissect::new(pattern).unwrap_err();
        assert_eq!((error.message.as_str(), error.within), (message, within), "{pattern}");
    }
}

proptest! {
    #[test]
    fn values_without_delimiters_come_back(a in "[a-zé ]{0,8}", b in "[a-zé ]{0,8}", c in "[^\\x00]{0,8}") {
        let row = parse(&mut dissect("(%{a}) = [%{b}] %{c}"), format!("({a}) = [{b}] {c}").as_bytes());
        prop_assert_eq!(row.unwrap(), serde_json::json!({"a": a, "b": b, "c": c}));
    }

    #[test]
    fn no_pattern_and_no_line_makes_it_panic(
        pattern in damaged(&["%{a} - [%{b}] %{+b->} %{?c}é%{d}"]),
        line in damaged(&["1 - [2]  3 4é5"]),
    ) {
        if let Ok(mut dissect) = Dissect::new(&String::from_utf8_lossy(&pattern)) {
            let _row = parse(&mut dissect, &line);
        }
    }
}
