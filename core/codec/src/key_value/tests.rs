//! Tests of the parser: cases, round trips, damaged lines.

use proptest::prelude::*;

use super::*;
use crate::row_json::{check, damaged, parse};

#[test]
fn pairs_are_read_with_any_separators() {
    check(
        &mut KeyValue::new("=", " ", Strictness::Lenient),
        &[
            ("", "{}"),
            ("a=1  b='x y' c", r#"{"a":"1","b":"x y","c":null}"#),
            ("user=o'neil msg=\"a \\\"b\\\"\"", r#"{"user":"o'neil","msg":"a \"b\""}"#),
            ("a='tis b=2\n", r#"{"a":"'tis","b":"2"}"#),
            ("a= b=2", r#"{"a":"","b":"2"}"#),
            ("url=/a?b=c", r#"{"url":"/a?b=c"}"#),
            ("=x", "expected a key at byte 0"),
            ("a=\"x", "expected the closing quote at byte 4"),
        ],
    );
    check(
        &mut KeyValue::new(": ", ", ", Strictness::Strict),
        &[
            ("a: 1, b: x y ,, c: \"1, 2\"", r#"{"a":"1","b":"x y ,","c":"1, 2"}"#),
            ("a: 1, b", "expected the delimiter of key and value at byte 7"),
            ("a: \"x\"y", "expected a separator behind the closing quote at byte 6"),
        ],
    );
    check(
        &mut KeyValue::new(":=", "||", Strictness::Lenient),
        &[("||a := 1||\"b c\":=2||d", r#"{"a":"1","b c":"2","d":null}"#)],
    );
}

proptest! {
    #[test]
    fn what_is_encoded_comes_back(pairs in prop::collection::vec(("[a-z]{1,6}", "[^\\x00-\\x1f]{0,12}"), 0..6)) {
        let quoted = |value: &String| value.replace('\\', "\\\\").replace('"', "\\\"");
        let line: Vec<String> =
            pairs.iter().map(|(key, value)| format!("{key} : \"{}\"", quoted(value))).collect();
        let row = parse(&mut KeyValue::new(":", ";", Strictness::Strict), line.join(" ; ").as_bytes()).unwrap();
        for (key, _) in &pairs {
            let last = pairs.iter().rev().find(|(other, _)| other == key).map(|(_, v)| v.as_str());
            prop_assert_eq!(row[key].as_str(), last, "{:?}", line);
        }
    }

    #[test]
    fn no_line_makes_it_panic(line in damaged(&["a: 1, b: \"x, y\", c, 'd': 'e'"])) {
        for (between, behind) in [(":", ","), (": ", ", "), ("=", " "), (" ", ",")] {
            for strictness in [Strictness::Strict, Strictness::Lenient] {
                let _row = parse(&mut KeyValue::new(between, behind, strictness), &line);
            }
        }
    }
}
