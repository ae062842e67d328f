//! Rows as JSON, lines damaged at random, and the cases of the shared data: what the tests of the formats share.

use std::path::PathBuf;

use proptest::prelude::*;
use serde_json::{Map, Value as Json};

use crate::row::{Expected, Name, Part, Row, RowParser, Value};

/// What a parser makes of a line, as an object; bytes that are not UTF-8 are replaced.
pub(crate) fn parse(parser: &mut dyn RowParser, text: &[u8]) -> Result<Json, Expected> {
    let mut row = Row { now_ns: 1_700_000_000_000_000_000, ..Row::default() };
    parse_into(parser, text, &mut row)
}

pub(crate) fn parse_into(
    parser: &mut dyn RowParser,
    text: &[u8],
    row: &mut Row,
) -> Result<Json, Expected> {
    row.clear();
    parser.parse(text, row)?;
    let bytes = |part: Part| {
        let bytes = row.bytes(part, text, parser.words());
        assert_eq!(bytes.len(), part.len as usize, "a part lies within its text");
        if part.is_clean {
            assert_eq!(lograil_event::scan::find_special(bytes, 0), bytes.len(), "{part:?}");
        }
        bytes
    };
    let text_of = |part: Part| String::from_utf8_lossy(bytes(part)).into_owned();
    let mut object = Map::new();
    for (name, value) in &row.values {
        let name = match name {
            Name::Column(column) => parser.columns()[*column as usize].clone(),
            Name::Text(part) => text_of(*part),
        };
        let value = match *value {
            Value::Text(part) => Json::from(text_of(part)),
            Value::Int(value) => Json::from(value),
            Value::Number(part) | Value::Object(part) => {
                serde_json::from_slice(text_of(part).as_bytes()).unwrap()
            }
            Value::Null => Json::Null,
        };
        object.insert(name, value);
    }
    Ok(Json::Object(object))
}

/// Checks many inputs: the expected JSON, or the error's text.
pub(crate) fn check(parser: &mut dyn RowParser, cases: &[(&str, &str)]) {
    for (line, expected) in cases {
        let seen = match parse(parser, line.as_bytes()) {
            Ok(json) => json.to_string(),
            Err(error) => error.to_string(),
        };
        assert_eq!(seen, *expected, "{line:?}");
    }
}

/// A line with a few bytes changed, doubled or taken out.
pub(crate) fn damaged(lines: &'static [&'static str]) -> impl Strategy<Value = Vec<u8>> {
    let change = (any::<prop::sample::Index>(), 0..4u8, any::<u8>());
    (prop::sample::select(lines), prop::collection::vec(change, 0..4)).prop_map(
        |(line, changes)| {
            let mut line = line.as_bytes().to_vec();
            for (at, kind, byte) in changes {
                if line.is_empty() {
                    break;
                }
                let at = at.index(line.len());
                match kind {
                    0 => line[at] = byte,
                    1 => line.insert(at, byte),
                    2 => line.truncate(at),
                    _ => drop(line.remove(at)),
                }
            }
            line
        },
    )
}

/// A directory of the shared data, if it is there.
pub(crate) fn shared_data(name: &str) -> Option<PathBuf> {
    let Some(root) = std::env::var_os("LOGRAIL_SHARED_DATA") else {
        println!("skipped: LOGRAIL_SHARED_DATA is not set");
        return None;
    };
    Some(PathBuf::from(root).join(name))
}

/// The cases of a file of the shared data: the input, and what is said about it.
pub(crate) fn shared_cases(name: &str) -> Vec<(Vec<u8>, Json)> {
    let Some(path) = shared_data(name) else { return Vec::new() };
    let text = std::fs::read_to_string(path).unwrap();
    let case = |line: &str| {
        // A half of a surrogate pair on its own is no JSON for serde_json, but the files have whole ones only.
        let case: Json = serde_json::from_str(line).unwrap();
        let input = match (case["input"].as_str(), case["input_b64"].as_str()) {
            (Some(input), _) => input.as_bytes().to_vec(),
            (_, Some(input)) => from_base64(input),
            _ => panic!("a case without an input: {line}"),
        };
        (input, case)
    };
    text.lines().map(case).collect()
}

fn from_base64(text: &str) -> Vec<u8> {
    const DIGITS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let digits = text.bytes().filter_map(|byte| DIGITS.iter().position(|digit| *digit == byte));
    let (mut bits, mut count, mut out) = (0u32, 0, Vec::new());
    for digit in digits {
        bits = bits << 6 | digit as u32;
        count += 6;
        if count >= 8 {
            count -= 8;
            out.push((bits >> count) as u8);
        }
    }
    out
}
