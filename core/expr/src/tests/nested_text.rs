//! Functions over nested JSON text, however it is written: gaps, escapes, keys that come twice, depth, and text that is none.

use lograil_event::{Batch, Field, FieldFlags, Tag};
use proptest::prelude::*;

use crate::{Program, Value};

/// The value of an expression over an event whose field `a` is this text.
fn over(source: &str, text: &str) -> String {
    let program = Program::compile(source).unwrap_or_else(|errors| panic!("{source}: {errors:?}"));
    let mut batch = Batch::new();
    let mut edit = batch.edit();
    edit.push_event(0);
    let key = edit.key("a").0;
    let tag = if text.trim_start().starts_with('[') { Tag::Array } else { Tag::Object };
    let span = edit.push_text(text.as_bytes());
    edit.append(0, Field::text(key, tag, span, FieldFlags::NONE));
    let mut bound = program.bind(&batch);
    let value = bound.eval(batch.event(0));
    value.as_ref().map_or_else(|error| format!("error: {error}"), Value::to_string)
}

const GAPS: [&str; 4] = ["", " ", "\t", "\r\n  "];

const KEYS: [&str; 8] = ["", "a", "b", "ab", "ba", "aé", "😀", "a key of more than sixteen bytes"];

/// As it stands in a text, and as a program gives it.
const LEAVES: [(&str, &str); 10] = [
    ("1", "1"),
    ("-2.50", "-2.5"),
    ("true", "true"),
    ("null", "null"),
    ("\"t\"", "\"t\""),
    ("\"\\u0061\\n\\\"\"", "\"a\\n\\\"\""),
    ("[1,{\"k\":[ ]}]", "[1,{\"k\":[ ]}]"),
    ("{\"x\":\"}]\\\"\"}", "{\"x\":\"}]\\\"\"}"),
    ("[[[[[[[[[[0]]]]]]]]]]", "[[[[[[[[[[0]]]]]]]]]]"),
    ("\"a text of more than sixteen bytes, {[\"", "\"a text of more than sixteen bytes, {[\""),
];

#[derive(Debug)]
struct Written {
    key: String,
    /// Whether each character of the key is written as an escape.
    escaped: bool,
    leaf: usize,
    gaps: [&'static str; 4],
}

impl Written {
    fn write(&self, out: &mut String) {
        let key = if self.escaped {
            self.key.encode_utf16().map(|unit| format!("\\u{unit:04x}")).collect()
        } else {
            self.key.clone()
        };
        let [before_key, before_colon, after_colon, after] = self.gaps;
        let value = LEAVES[self.leaf].0;
        *out += &format!("{before_key}\"{key}\"{before_colon}:{after_colon}{value}{after}");
    }
}

fn member() -> impl Strategy<Value = Written> {
    let gap = || prop::sample::select(&GAPS[..]);
    (prop::sample::select(&KEYS[..]), any::<bool>(), 0..LEAVES.len(), [gap(), gap(), gap(), gap()])
        .prop_map(|(key, escaped, leaf, gaps)| Written { key: key.into(), escaped, leaf, gaps })
}

/// Each key once, at its first place, with its last value.
fn model(members: &[Written]) -> Vec<(&str, &str)> {
    let mut model: Vec<(&str, &str)> = Vec::new();
    for member in members {
        let value = LEAVES[member.leaf].1;
        match model.iter_mut().find(|(key, _)| *key == member.key) {
            Some((_, known)) => *known = value,
            None => model.push((&member.key, value)),
        }
    }
    model
}

fn joined(parts: impl Iterator<Item = String>) -> String {
    parts.collect::<Vec<_>>().join(",")
}

proptest! {
    #[test]
    fn an_object_is_read_as_it_was_written(members in prop::collection::vec(member(), 0..12)) {
        let mut texts = Vec::new();
        for member in &members {
            texts.push(String::new());
            member.write(texts.last_mut().unwrap());
        }
        let text = format!("{{{}}}", texts.join(","));
        let model = model(&members);
        let object = joined(model.iter().map(|(key, value)| format!("\"{key}\":{value}")));
        let keys = joined(model.iter().map(|(key, _)| format!("\"{key}\"")));
        let values = joined(model.iter().map(|(_, value)| (*value).to_owned()));
        for (source, wanted) in [
            ("keys(object!(.a))", format!("[{keys}]")),
            ("values(object!(.a))", format!("[{values}]")),
            ("filter(object!(.a)) -> |_key, _value| { true }", format!("{{{object}}}")),
            ("map_values(object!(.a)) -> |value| { value }", format!("{{{object}}}")),
            ("map_keys(object!(.a)) -> |key| { key }", format!("{{{object}}}")),
            ("length(object!(.a))", members.len().to_string()),
            ("n = 0\nfor_each(object!(.a)) -> |_key, _value| { n = n + 1 }\nn", members.len().to_string()),
        ] {
            prop_assert_eq!(over(source, &text), wanted, "{} over {}", source, text);
        }
        for (key, value) in model {
            let source = format!("get!(.a, [\"{key}\"])");
            prop_assert_eq!(over(&source, &text), value, "{} over {}", source, text);
        }
        prop_assert_eq!(over("get!(.a, [\"absent\"])", &text), "null");
    }

    #[test]
    fn an_array_is_read_as_it_was_written(
        leaves in prop::collection::vec((0..LEAVES.len(), prop::sample::select(&GAPS[..])), 0..8)
    ) {
        let written = joined(leaves.iter().map(|(leaf, gap)| format!("{gap}{}{gap}", LEAVES[*leaf].0)));
        let text = format!("[{written}]");
        let items: Vec<_> = leaves.iter().map(|(leaf, _)| LEAVES[*leaf].1).collect();
        for source in [
            "filter(array!(.a)) -> |_index, _value| { true }",
            "map_values(array!(.a)) -> |value| { value }",
        ] {
            prop_assert_eq!(over(source, &text), format!("[{}]", items.join(",")), "{} over {}", source, text);
        }
        let len = items.len() as i64;
        for index in -len - 1..=len {
            let at = if index < 0 { index + len } else { index };
            let wanted = usize::try_from(at).ok().and_then(|at| items.get(at)).unwrap_or(&"null");
            let source = format!("get!(.a, [{index}])");
            prop_assert_eq!(&over(&source, &text), wanted, "{} over {}", source, text);
        }
    }

    #[test]
    fn text_that_is_no_json_gives_something(text in r#"[\[{][\[\]{}:,"\\u0-9a dc]{0,40}"#) {
        for source in [
            "keys(object!(.a))",
            "values(object!(.a))",
            "get(.a, [\"a\", 0, -1]) ?? null",
            "filter(.a) -> |_key, _value| { true } ?? null",
            "map_values(.a, recursive: true) -> |value| { value } ?? null",
            "map_keys(object!(.a), recursive: true) -> |key| { key }",
            "unnest(.a) ?? null",
        ] {
            // Text that is read by mistake may be long, but not without an end.
            prop_assert!(over(source, &text).len() < 4096, "{} over {}", source, text);
        }
    }
}

#[test]
fn depth_is_no_matter() {
    let deep = format!("{}{}", "[".repeat(10_000), "]".repeat(10_000));
    let text = format!("{{\"x\":{deep},\"y\":{{\"z\":{deep}}},\"y\":7}}");
    assert_eq!(over("keys(object!(.a))", &text), "[\"x\",\"y\"]");
    assert_eq!(over("get!(.a, [\"y\"])", &text), "7");
    assert_eq!(over("get!(.a, [\"x\", 0, -1, 0, 1])", &text), "null");
}
