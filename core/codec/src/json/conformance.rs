//! The parser against serde_json: what is accepted, and what it means.

use proptest::prelude::*;
use serde_json::Value;

use super::tests::{encoded, parse, rewritten, whole};
use super::{DEPTH_MAX, JsonErrorKind, Parser, validate};

/// What serde_json says; a number beyond a float's range, which we keep as text, is left undecided.
fn oracle(document: &[u8]) -> Option<Result<Value, ()>> {
    match serde_json::from_slice(document) {
        Ok(value) => Some(Ok(value)),
        Err(error) if error.to_string().contains("number out of range") => None,
        Err(_) => Some(Err(())),
    }
}

/// Checks the validator and the batch parser on one document.
fn check(document: &[u8]) {
    check_with(&mut Parser::new(), document);
}

/// The same with a parser that may have learned the document's keys.
fn check_with(parser: &mut Parser, document: &[u8]) {
    let shown = String::from_utf8_lossy(document);
    let mut batch = whole(document);
    let failures = parse(parser, &mut batch);
    let validated = validate(document);
    assert_eq!(validated.is_ok(), failures.is_empty(), "{shown}: {validated:?}, {failures:?}");
    if let (Err(error), Some((_, failure))) = (validated, failures.first()) {
        assert!(error.offset <= document.len() && failure.offset <= document.len(), "{shown}");
        assert!(!error.to_string().is_empty());
    }
    let Some(expected) = oracle(document) else { return };
    assert_eq!(validated.is_ok(), expected.is_ok(), "{shown}: {validated:?}");
    let Ok(value) = expected else { return };
    if document.contains(&b'\n') {
        assert_eq!(encoded(&batch).matches('\n').count(), 1, "{shown}");
    } else {
        assert_eq!(encoded(&batch).as_bytes(), [document, b"\n"].concat(), "{shown}");
    }
    let again = rewritten(&mut batch);
    assert_eq!(again.matches('\n').count(), 1, "{shown}");
    let again = again.trim_end();
    let inner = again.strip_prefix("{\"message\":").and_then(|text| text.strip_suffix('}'));
    let again = inner.filter(|_| !value.is_object()).unwrap_or(again);
    assert_eq!(serde_json::from_str::<Value>(again).unwrap(), value, "{shown}");
}

#[test]
fn agrees_with_serde_json_on_every_file_of_jsontestsuite() {
    let Ok(data) = std::env::var("LOGRAIL_SHARED_DATA") else {
        println!("skipped: LOGRAIL_SHARED_DATA is not set");
        return;
    };
    let (mut accepted, mut refused, mut optional) = (0, 0, 0);
    for entry in std::fs::read_dir(format!("{data}/jsontestsuite/test_parsing")).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        let document = std::fs::read(&path).unwrap();
        let is_ok = validate(&document).is_ok();
        match name.split('_').next() {
            Some("y") => accepted += usize::from(is_ok),
            Some("n") => refused += usize::from(!is_ok),
            _ => optional += 1,
        }
        check(&document);
    }
    assert_eq!((accepted, refused, optional), (95, 188, 35));
}

#[test]
fn nesting_ends_where_serde_json_ends_it() {
    for depth in [1, 2, 64, 126, 127, 128, 129, 1000, 100_000] {
        for (open, inner, close) in
            [("[", "", "]"), ("{\"a\":", "1", "}"), ("[{\"a\":", "[]", "}]")]
        {
            check(format!("{}{inner}{}", open.repeat(depth), close.repeat(depth)).as_bytes());
        }
        check("[".repeat(depth).as_bytes());
    }
    let error = validate("[".repeat(200).as_bytes()).unwrap_err();
    assert_eq!((error.kind, error.offset), (JsonErrorKind::TooDeep, DEPTH_MAX as usize - 1));
}

const AWKWARD: &[&str] = &[
    "",
    " ",
    "{",
    "}",
    "{}",
    "[]",
    "[,]",
    "[1,]",
    "{\"a\":1,}",
    "{,}",
    "{\"a\"}",
    "{\"a\":}",
    "{\"a\" : 1}",
    "{\"a\"\n:\t1\r}",
    "{\"a\":1}x",
    "{\"a\":1} ",
    "{\"a\":1 \"b\":2}",
    "{a:1}",
    "{'a':1}",
    "{\"a\":01}",
    "{\"a\":-0}",
    "{\"a\":-}",
    "{\"a\":1.}",
    "{\"a\":.5}",
    "{\"a\":1e}",
    "{\"a\":1e+}",
    "{\"a\":1E-07}",
    "{\"a\":+1}",
    "{\"a\":1a}",
    "{\"a\":1e400}",
    "-1e-400",
    "00",
    "truE",
    "nul",
    "falsey",
    "\"\\u00\"",
    "\"\\uD800\\u0041\"",
    "\"\\uDBFF\\uDFFF\"",
    "\"\\uDC00\"",
    "\"\\x\"",
    "\"\t\"",
    "\"\u{7f}\"",
    "\"\\",
    "\"abc",
    "{\"\":0}",
    "{\"\\n\":0}",
    "{\"\\u0000\":\"\\u0000\"}",
    "{\"a\":1,\"a\":2}",
    "{\"a\":{\"b\":1,\"b\":2}}",
    "{\"a\":[1,2,{\"b\":[]}]}",
    "{\"a\":[}",
    "{\"a\":{]}",
    "[1}",
    "{\"a\":1]",
    "\u{feff}{}",
    "{\"a\\\":1}",
    "{\"clé\":\"é\"}",
    "{\"a\":\"\\\"\"}",
    "[\"a\",\n1]\n",
    "{\"a\":nullx}",
    "{\"a\":true1}",
    "{\"long key beyond sixteen bytes\":1,\"long key beyond sixteen byteZ\":2}",
];

#[test]
fn agrees_on_awkward_documents() {
    for document in AWKWARD {
        check(document.as_bytes());
    }
    for document in
        [&b"\"\xFF\""[..], b"{\"\xC3\":1}", b"{\"a\":\"\xED\xA0\x80\"}", b"\xFF", b"{}\xFF"]
    {
        check(document);
    }
}

#[test]
fn every_single_damage_to_learned_keys_is_judged_as_by_serde_json() {
    let document =
        b"{\"a\":1,\"fifteen bytes..\":2,\"sixteen bytes ..\":3,\"a key of many more bytes\":{}}";
    let mut parser = Parser::new();
    check_with(&mut parser, document);
    for at in 0..document.len() {
        for byte in b"\" :,x\\{}\n" {
            let mut damaged = document.to_vec();
            damaged[at] = *byte;
            check_with(&mut parser, &damaged);
            damaged[at] = document[at];
            damaged.insert(at, *byte);
            check_with(&mut parser, &damaged);
        }
        check_with(&mut parser, &document[..at]);
    }
}

pub(super) fn json() -> impl Strategy<Value = Value> {
    let text = prop_oneof![any::<String>(), "[a-z\"\\\\\n]{0,20}"];
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        text.clone().prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 40, 8, move |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            proptest::collection::vec((prop_oneof![text.clone(), "[a-c]"], inner), 0..8)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn random_documents_mean_what_serde_json_says(value in json()) {
        check(&serde_json::to_vec(&value).unwrap());
        check(&serde_json::to_vec_pretty(&value).unwrap());
    }

    #[test]
    fn damaged_documents_are_refused_where_serde_json_refuses(
        value in json(),
        damage in proptest::collection::vec((any::<prop::sample::Index>(), 0u8..4, any::<u8>()), 1..4),
    ) {
        let mut document = serde_json::to_vec(&value).unwrap();
        let mut parser = Parser::new();
        check_with(&mut parser, &document);
        for (at, kind, byte) in damage {
            let at = at.index(document.len() + 1);
            match kind {
                0 if at < document.len() => document[at] = byte,
                1 if at < document.len() => { document.remove(at); }
                2 => document.truncate(at),
                _ => document.insert(at, b"{}[]\",:\\0.e-u"[usize::from(byte) % 13]),
            }
        }
        check_with(&mut parser, &document);
    }

    #[test]
    fn punctuation_soup_is_refused_where_serde_json_refuses(text in r#"[\[\]{}:,"\\u0-9.eEtrufalsn+\- d\n]{0,24}"#) {
        check(text.as_bytes());
    }
}
