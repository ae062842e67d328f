//! Tests of the parser: cases, round trips, damaged lines.

use proptest::prelude::*;

use super::*;
use crate::row_json::{check, damaged, parse, shared_cases};

#[test]
fn pairs_quotes_and_lone_keys_are_read() {
    let cases = [
        ("", "{}"),
        ("  \n", "{}"),
        ("a=1 b=\"x y\" c d=", r#"{"a":"1","b":"x y","c":null,"d":null}"#),
        (r#"a="" b="\t\u00e9\ud83d\ude00" c="\"""#, "{\"a\":\"\",\"b\":\"\\té😀\",\"c\":\"\\\"\"}"),
        ("path=C:\\x a=1", r#"{"path":"C:\\x","a":"1"}"#),
        ("a=\"x", "expected the closing quote at byte 4"),
        ("=x", "expected a key at byte 0"),
    ];
    check(&mut Logfmt::new(Strictness::Strict), &cases);
    check(&mut Logfmt::new(Strictness::Lenient), &cases);
}

#[test]
fn a_lenient_parser_takes_what_a_strict_one_refuses() {
    check(
        &mut Logfmt::new(Strictness::Strict),
        &[
            ("path=/a?b=c", "expected no quote and no `=` in a value at byte 9"),
            ("a=5\" b=1", "expected no quote and no `=` in a value at byte 3"),
            ("a\"b=1", "expected no quote in a key at byte 1"),
            (r#"a="\d""#, "expected an escape such as `\\n` or `\\u00e9` at byte 3"),
            ("a=\"\u{1}\"", "expected no control character in quotes at byte 3"),
            ("a=\"1\"b=2", "expected a space behind the closing quote at byte 5"),
        ],
    );
    check(
        &mut Logfmt::new(Strictness::Lenient),
        &[
            ("path=/a?b=c", r#"{"path":"/a?b=c"}"#),
            ("a=5\" b=1", r#"{"a":"5\"","b":"1"}"#),
            ("a\"b=1", r#"{"a\"b":"1"}"#),
            (r#"a="\d""#, r#"{"a":"\\d"}"#),
            ("a=\"\u{1}\"", r#"{"a":"\u0001"}"#),
            ("a=\"1\"b=2", r#"{"a":"1","b":"2"}"#),
        ],
    );
}

/// Every case, in strict mode. A case of several lines is several events; one fails where a line of it does.
#[test]
fn shared_cases_of_the_go_decoder() {
    let mut strict = Logfmt::new(Strictness::Strict);
    for (input, case) in shared_cases("logfmt/cases.jsonl") {
        let input = input.strip_suffix(b"\n").unwrap_or(&input);
        let rows: Result<Vec<_>, _> =
            input.split(|byte| *byte == b'\n').map(|line| parse(&mut strict, line)).collect();
        assert_eq!(rows.is_ok(), case["ok"].as_bool().unwrap(), "{case}");
        let Ok(rows) = rows else { continue };
        let expected = case["records"].as_array().unwrap();
        assert_eq!(rows.len(), expected.len(), "{case}");
        for (row, pairs) in rows.iter().zip(expected) {
            let seen: Vec<_> = row.as_object().unwrap().iter().collect();
            let pairs = pairs.as_array().unwrap();
            assert_eq!(seen.len(), pairs.len(), "{case}");
            for ((name, value), pair) in seen.iter().zip(pairs) {
                assert_eq!(
                    (name.as_str(), *value),
                    (pair[0].as_str().unwrap(), &pair[1]),
                    "{case}"
                );
            }
        }
    }
}

fn encode(pairs: &[(String, String)]) -> String {
    let pair = |(key, value): &(String, String)| {
        format!("{key}={}", serde_json::to_string(value).unwrap())
    };
    pairs.iter().map(pair).collect::<Vec<_>>().join(" ")
}

proptest! {
    #[test]
    fn what_is_encoded_comes_back(pairs in prop::collection::vec(("[^\\s\"=\\x00-\\x20]{1,8}", any::<String>()), 0..6)) {
        let line = encode(&pairs);
        for strictness in [Strictness::Strict, Strictness::Lenient] {
            let row = parse(&mut Logfmt::new(strictness), line.as_bytes()).unwrap();
            for (key, value) in pairs.iter().rev() {
                let last = pairs.iter().rev().find(|(other, _)| other == key).map(|(_, v)| v);
                if last == Some(value) {
                    prop_assert_eq!(row[key].as_str(), Some(value.as_str()), "{}", line);
                }
            }
        }
    }

    #[test]
    fn no_line_makes_it_panic_and_lenient_takes_what_strict_does(
        line in damaged(&["ts=1 level=info msg=\"a \\\"b\\\" \\u00e9\" x= y z=/a?b=c"]),
    ) {
        let strict = parse(&mut Logfmt::new(Strictness::Strict), &line);
        let lenient = parse(&mut Logfmt::new(Strictness::Lenient), &line);
        if let Ok(row) = strict {
            prop_assert_eq!(lenient.unwrap(), row);
        }
    }
}
