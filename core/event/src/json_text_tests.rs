//! Tests of the reader of validated JSON text, against serde_json's tree.

use super::*;
use proptest::prelude::*;
use serde_json::Value;

fn path(steps: &[&str]) -> Vec<PathStep> {
    let step = |text: &&str| match text.parse() {
        Ok(index) => PathStep::Index(index),
        Err(_) => PathStep::Name((*text).to_owned()),
    };
    steps.iter().map(step).collect()
}

fn found(text: &str, steps: &[&str]) -> Option<String> {
    find(text.as_bytes(), &path(steps)).map(|v| String::from_utf8(v.text().to_vec()).unwrap())
}

#[test]
fn a_path_reaches_into_objects_and_arrays() {
    let text = r#" { "a" : {"b": [1, {"c": "x\ny"}, [ ] ]}, "e": 1.50 , "f":null} "#;
    assert_eq!(found(text, &["a", "b", "0"]).unwrap(), "1");
    assert_eq!(found(text, &["a", "b", "1", "c"]).unwrap(), r#""x\ny""#);
    assert_eq!(found(text, &["a", "b", "-1"]).unwrap(), "[ ]");
    assert_eq!(found(text, &["a", "b", "-3"]).unwrap(), "1");
    assert_eq!(found(text, &["e"]).unwrap(), "1.50");
    for absent in [&["a", "x"][..], &["a", "b", "3"], &["a", "b", "-4"], &["e", "x"], &["f", "0"]] {
        assert_eq!(found(text, absent), None, "{absent:?}");
    }
}

#[test]
fn escaped_names_match_and_the_last_of_equal_names_counts() {
    assert_eq!(found(r#"{"a\u0062":1}"#, &["ab"]).unwrap(), "1");
    assert_eq!(found(r#"{"\ud83d\ude00":1}"#, &["😀"]).unwrap(), "1");
    assert_eq!(found(r#"{"k":1,"k":2}"#, &["k"]).unwrap(), "2");
    assert_eq!(found(r#"{"a\u0062":1}"#, &["abc"]), None);
}

#[test]
fn a_string_with_escapes_is_resolved_into_the_scratch_buffer() {
    let mut scratch = Vec::new();
    let text = br#"{"a":"1\t\"\\\/\u00e9\ud83d\ude00"}"#;
    let value = get(text, &path(&["a"]), &mut scratch).unwrap();
    assert_eq!(value.as_str(), Some("1\t\"\\/é😀"));
}

fn document() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<String>().prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 40, 6, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            proptest::collection::vec((any::<String>(), inner), 0..6)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

fn check(text: &str, expected: &Value) {
    match expected {
        Value::Object(map) => {
            let seen: Vec<_> = members(text.as_bytes()).collect();
            assert_eq!(seen.len(), map.len(), "{text}");
            for ((key, value), (name, inner)) in seen.iter().zip(map) {
                assert_eq!(key.decode(), name.as_str());
                assert!(key.matches(name.as_bytes()));
                check(std::str::from_utf8(value.text()).unwrap(), inner);
            }
        }
        Value::Array(array) => {
            let seen: Vec<_> = elements(text.as_bytes()).collect();
            assert_eq!(seen.len(), array.len(), "{text}");
            for (value, inner) in seen.iter().zip(array) {
                check(std::str::from_utf8(value.text()).unwrap(), inner);
            }
        }
        Value::String(string) => {
            let value = JsonValue { text: text.as_bytes() };
            assert_eq!(value.as_json_str().unwrap().decode(), string.as_str());
            assert_eq!(value.value(&mut Vec::new()).as_str(), Some(string.as_str()));
        }
        other => assert_eq!(&serde_json::from_str::<Value>(text).unwrap(), other),
    }
}

proptest! {
    #[test]
    fn reads_what_serde_json_wrote(value in document()) {
        check(&serde_json::to_string(&value).unwrap(), &value);
        check(&serde_json::to_string_pretty(&value).unwrap(), &value);
    }

    #[test]
    fn text_that_is_not_json_never_panics(bytes in proptest::collection::vec(any::<u8>(), 0..60)) {
        for (key, value) in members(&bytes).take(100) {
            let _ = (key.decode(), value.value(&mut Vec::new()));
        }
        for value in elements(&bytes).take(100) {
            let _ = value.value(&mut Vec::new());
        }
    }

    #[test]
    fn punctuation_soup_never_panics(text in r#"[\[\]{}:,"\\u0-9a dc]{0,40}"#) {
        let mut total = 0;
        for (key, value) in members(text.as_bytes()) {
            let _ = (key.decode(), value.value(&mut Vec::new()));
            total += 1;
        }
        total += elements(text.as_bytes()).count();
        prop_assert!(total <= text.len());
    }
}
