//! Tests of the parser: cases, round trips, damaged lines.

use proptest::prelude::*;
use serde_json::{Value as Json, json};

use super::*;
use crate::row_json::{check, parse_into, shared_data};

fn given(names: &[&str]) -> Csv {
    Csv::new(Dialect::default(), Header::Given(names.iter().map(|n| (*n).to_owned()).collect()))
}

#[test]
fn quotes_delimiters_and_line_ends_are_read() {
    check(
        &mut given(&["a", "b", "c"]),
        &[
            ("1,2,3", r#"{"a":"1","b":"2","c":"3"}"#),
            ("1,2\r\n", r#"{"a":"1","b":"2"}"#),
            (",,", r#"{"a":"","b":"","c":""}"#),
            ("\"x,\"\"y\"\"\",\"\",z\"q", r#"{"a":"x,\"y\"","b":"","c":"z\"q"}"#),
            ("\"two\nlines\",2\n", r#"{"a":"two\nlines","b":"2"}"#),
            ("\"a\"\r", r#"{"a":"a"}"#),
            ("1,2,3,4", "expected no more fields than there are columns at byte 6"),
            ("\"a", "expected the closing quote at byte 2"),
            ("\"a\"x,1", "expected a delimiter behind the closing quote at byte 3"),
            ("1\n2", "expected the end of the record at byte 1"),
        ],
    );
    let dialect = Dialect { delimiter: b';', quote: b'\'' };
    let mut other = Csv::new(dialect, Header::Given(vec!["a".into(), "b".into()]));
    check(&mut other, &[("'x;''y';\"", r#"{"a":"x;'y","b":"\""}"#)]);
}

/// The records of a whole file, each given as one text.
fn read(text: &[u8], csv: &mut Csv) -> Vec<Json> {
    let mut rest = text;
    let mut rows = Vec::new();
    while !rest.is_empty() {
        let len = Dialect::default().record_len(rest);
        assert!(len > 0, "a record has at least its line end");
        let (record, after) = rest.split_at(len);
        rest = after;
        if record.trim_ascii().is_empty() {
            continue;
        }
        let mut row = Row { stream: Some(1), ..Row::default() };
        let object = parse_into(csv, record, &mut row).unwrap();
        if !row.is_header {
            rows.push(object);
        }
    }
    rows
}

/// Each file as one stream whose records are whole. One value that the spectrum expects is not in its CSV (the
/// expected JSON has another number than the file), so one difference of all its values is allowed.
#[test]
fn shared_csv_spectrum_is_read_as_it_says() {
    let Some(dir) = shared_data("csv-spectrum") else { return };
    let (mut files, mut differences) = (0, Vec::new());
    for entry in std::fs::read_dir(dir.join("csvs")).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
        let expected = std::fs::read(dir.join("json").join(format!("{name}.json"))).unwrap();
        let expected = match serde_json::from_slice(&expected).unwrap() {
            Json::Array(rows) => rows,
            row => vec![row],
        };
        let mut csv = Csv::new(Dialect::default(), Header::Line);
        let rows = read(&std::fs::read(&path).unwrap(), &mut csv);
        assert_eq!(rows.len(), expected.len(), "{name}");
        for (row, expected) in rows.iter().zip(&expected) {
            let (row, expected) = (row.as_object().unwrap(), expected.as_object().unwrap());
            assert!(row.keys().eq(expected.keys()), "{name}: {row:?}");
            let pairs = row.iter().zip(expected.values());
            differences.extend(
                pairs.filter(|((_, a), b)| a != b).map(|(a, b)| format!("{name}: {a:?} {b}")),
            );
        }
        files += 1;
    }
    assert_eq!(files, 12);
    assert!(differences.len() <= 1, "{differences:?}");
    let is_in_text = differences.iter().all(|difference| difference.contains("Number"));
    assert!(is_in_text, "{differences:?}");
}

#[test]
fn the_header_is_learned_per_stream_and_the_oldest_is_forgotten() {
    let mut csv = Csv::new(Dialect::default(), Header::Line);
    let mut line = |stream: u64, text: &str| {
        let mut row = Row { stream: Some(stream), ..Row::default() };
        parse_into(&mut csv, text.as_bytes(), &mut row).map(|json| (json, row.is_header))
    };
    for stream in 0..STREAMS_MAX as u64 + 1 {
        assert!(line(stream, &format!("\u{feff}a{},b", stream % 7)).unwrap().1);
    }
    assert_eq!(line(4096, "1,2").unwrap(), (json!({"a1": "1", "b": "2"}), false));
    assert_eq!(line(5, "1,2").unwrap(), (json!({"a5": "1", "b": "2"}), false));
    assert!(line(0, "new,names").unwrap().1, "the first stream was forgotten, so this is a header");
}

#[test]
fn a_header_that_columns_replace_is_passed_over() {
    let mut csv = Csv::new(Dialect::default(), Header::Replaced(vec!["a".into()]));
    let mut row = Row { is_first: Some(true), ..Row::default() };
    parse_into(&mut csv, b"x,y", &mut row).unwrap();
    assert!(row.is_header);
    row.is_first = Some(false);
    assert_eq!(parse_into(&mut csv, b"1", &mut row).unwrap(), json!({"a": "1"}));
}

fn fields(text: &[u8]) -> Result<Vec<Vec<u8>>, Expected> {
    let mut row = Row::default();
    read_record(Dialect::default(), text, &mut row)?;
    let bytes = |value: Value| match value {
        Value::Text(part) => row.bytes(part, text, b"").to_vec(),
        value => panic!("{value:?}"),
    };
    Ok(row.values.iter().map(|(_, value)| bytes(*value)).collect())
}

/// The records of the crate `csv-core`, the oracle.
fn oracle(text: &[u8]) -> Vec<Vec<Vec<u8>>> {
    let mut reader = csv_core::Reader::new();
    let (mut input, mut records) = (text, Vec::new());
    let (mut out, mut ends) = (vec![0; text.len() + 16], vec![0; text.len() + 16]);
    loop {
        let (mut written, mut fields) = (0, 0);
        loop {
            let (result, read, wrote, ended) =
                reader.read_record(input, &mut out[written..], &mut ends[fields..]);
            (input, written, fields) = (&input[read..], written + wrote, fields + ended);
            match result {
                csv_core::ReadRecordResult::InputEmpty => {}
                csv_core::ReadRecordResult::Record => break,
                csv_core::ReadRecordResult::End => return records,
                full => panic!("{full:?}"),
            }
        }
        let starts = std::iter::once(0).chain(ends[..fields].iter().copied());
        records.push(starts.zip(&ends[..fields]).map(|(a, b)| out[a..*b].to_vec()).collect());
    }
}

fn encode(record: &[String]) -> String {
    let field = |field: &String| {
        let needs_quotes = field.contains([',', '"', '\n', '\r']) || record.len() == 1;
        if needs_quotes { format!("\"{}\"", field.replace('"', "\"\"")) } else { field.clone() }
    };
    record.iter().map(field).collect::<Vec<_>>().join(",") + "\r\n"
}

proptest! {
    #[test]
    fn what_is_encoded_comes_back(records in prop::collection::vec(prop::collection::vec("[a,\"\r\n é;]{0,6}", 1..5), 1..5)) {
        let text: String = records.iter().map(|record| encode(record)).collect();
        let mut rest = text.as_bytes();
        for record in &records {
            let (one, after) = rest.split_at(Dialect::default().record_len(rest));
            rest = after;
            let seen = fields(one).unwrap();
            let expected: Vec<Vec<u8>> = record.iter().map(|field| field.clone().into_bytes()).collect();
            prop_assert_eq!(seen, expected, "{:?}", text);
        }
        prop_assert!(rest.is_empty());
    }

    /// Where the parser accepts a record it has the oracle's fields; `csv-core` accepts everything, and ends a
    /// record at a carriage return alone too.
    #[test]
    fn agrees_with_csv_core(text in "[ab,\"\n ]{1,24}") {
        let text = text.trim_start_matches('\n');
        let (one, _) = text.as_bytes().split_at(Dialect::default().record_len(text.as_bytes()));
        if let Ok(seen) = fields(one) && !one.trim_ascii().is_empty() {
            prop_assert_eq!(vec![seen], oracle(one), "{:?}", one);
        }
    }

    #[test]
    fn no_text_makes_it_panic(text in prop::collection::vec(prop_oneof![Just(b','), Just(b'"'), Just(b'\n'), any::<u8>()], 0..40)) {
        let _record = fields(&text);
        prop_assert!(Dialect::default().record_len(&text) <= text.len());
    }
}
