//! Tests of the parser: cases, round trips, damaged lines.

use proptest::prelude::*;

use super::*;
use crate::row_json::{check, damaged, parse};

const LINE: &str = "CEF:0|Sec|th\\|m|1.0|100|worm|10|src=10.0.0.1 msg=a\\=b c dst=2.1.2.2";

#[test]
fn header_and_extensions_are_read() {
    let header = r#"{"cefVersion":"0","deviceVendor":"Sec","deviceProduct":"th|m","deviceVersion":"1.0","deviceEventClassId":"100","name":"worm","severity":"10""#;
    let (start, _) = LINE.split_once("src").unwrap();
    check(
        &mut Cef::default(),
        &[
            (
                LINE,
                &format!("{header},\"src\":\"10.0.0.1\",\"msg\":\"a=b c\",\"dst\":\"2.1.2.2\"}}"),
            ),
            (start, &format!("{header}}}")),
            (
                &format!("Oct 11 22:14:15 h {start} a=\\n\\\\ "),
                &format!("{header},\"a\":\"\\n\\\\\"}}"),
            ),
            (&format!("{start}a= b=c"), &format!("{header},\"a\":\"\",\"b\":\"c\"}}")),
            (&format!("{start}word"), "expected a key and `=` at byte 32"),
            ("CEF:0|a", "expected `|` at byte 7"),
            ("x", "expected `CEF:` at byte 0"),
        ],
    );
}

proptest! {
    #[test]
    fn no_line_makes_it_panic(line in damaged(&[LINE])) {
        let _row = parse(&mut Cef::default(), &line);
    }
}
