//! Tests of the parser: cases, round trips, damaged lines.

use proptest::prelude::*;

use super::*;
use crate::row_json::{check, damaged, parse, parse_into};

fn combined(strictness: Strictness) -> AccessLog {
    AccessLog::new(AccessLogKind::Combined, strictness)
}

const LINE: &str = r#"::1 id ann smith [10/Oct/2025:13:55:36 -0700] "GET /a b?c=\"d\" HTTP/1.1" 200 2326 "http://x/" "curl \\""#;

#[test]
fn a_combined_line_has_typed_fields_and_a_time() {
    let expected = r#"{"host":"::1","identity":"id","user":"ann smith","timestamp":"10/Oct/2025:13:55:36 -0700","method":"GET","path":"/a b?c=\\\"d\\\"","protocol":"HTTP/1.1","status":200,"size":2326,"referrer":"http://x/","agent":"curl \\\\"}"#;
    check(&mut combined(Strictness::Strict), &[(LINE, expected)]);
    let mut row = Row::default();
    parse_into(&mut combined(Strictness::Lenient), LINE.as_bytes(), &mut row).unwrap();
    assert_eq!(row.timestamp_ns, Some(1_760_129_736_000_000_000));
}

#[test]
fn dashes_odd_requests_and_tails_are_read() {
    let head = "h - - [10/Oct/2025:13:55:36 +0000] ";
    let fields = r#"{"host":"h","timestamp":"10/Oct/2025:13:55:36 +0000""#;
    let cases = [
        (r#""-" - -"#, "}"),
        (r#""GET /" 200 0"#, r#","method":"GET","path":"/","status":200,"size":0}"#),
        (r#""get / HTTP/1.1" 400 1"#, r#","request":"get / HTTP/1.1","status":400,"size":1}"#),
        (r#""GET " 400 1"#, r#","request":"GET ","status":400,"size":1}"#),
        (r#""" 408 -"#, r#","status":408}"#),
        (r#""-" 200 1 "-" "-""#, r#","status":200,"size":1}"#),
        (r#""-" 200 1 "-" "-" rt=1 x "#, r#","status":200,"size":1,"rest":"rt=1 x"}"#),
        (r#""-" 200 1 42"#, r#","status":200,"size":1,"rest":"42"}"#),
    ];
    for (line, expected) in cases {
        let expected = format!("{fields}{expected}");
        check(&mut combined(Strictness::Lenient), &[(&format!("{head}{line}"), &expected)]);
    }
    check(
        &mut combined(Strictness::Strict),
        &[
            (&format!("{head}\"-\" 200 1"), "expected ` \"` at byte 44"),
            (&format!("{head}\"-\" 200 1 \"-\" \"-\" x"), "expected the end at byte 52"),
            (&format!("{head}\"-\" 0200 1"), "expected a number or `-` at byte 39"),
            (&format!("{head}\"- 200 1"), "expected the closing quote at byte 43"),
            (
                "h - - [10/Oct/2025] \"-\" 1 1",
                "expected a time as `10/Oct/2025:13:55:36 -0700` at byte 7",
            ),
            ("h - x", "expected a user and ` [` at byte 4"),
            ("", "expected a word and a space at byte 0"),
        ],
    );
    let mut common = AccessLog::new(AccessLogKind::Common, Strictness::Strict);
    let line = format!("{head}\"-\" 200 1 \"-\" \"-\"");
    check(&mut common, &[(&line, "expected the end at byte 44")]);
}

proptest! {
    #[test]
    fn no_line_makes_it_panic(line in damaged(&[LINE])) {
        for kind in [AccessLogKind::Common, AccessLogKind::Combined] {
            let strict = parse(&mut AccessLog::new(kind, Strictness::Strict), &line);
            let lenient = parse(&mut AccessLog::new(kind, Strictness::Lenient), &line);
            if let Ok(row) = strict {
                prop_assert_eq!(lenient.unwrap(), row);
            }
        }
    }

    #[test]
    fn what_is_written_comes_back(
        path in "/[!-~&&[^\"\\\\]]{0,20}", status in 100..600u32, size in any::<u32>(), agent in "[^\"\\\\\\x00]{0,20}",
    ) {
        let line = format!(
            "1.2.3.4 - - [10/Oct/2025:13:55:36 +0000] \"POST {path} HTTP/2.0\" {status} {size} \"-\" \"{agent}\""
        );
        let row = parse(&mut combined(Strictness::Strict), line.as_bytes()).unwrap();
        prop_assert_eq!(&row["path"], &path);
        prop_assert_eq!(&row["status"], status);
        prop_assert_eq!(&row["size"], size);
        if !matches!(agent.as_str(), "" | "-") {
            prop_assert_eq!(&row["agent"], &agent);
        }
    }
}
