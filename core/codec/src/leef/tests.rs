//! Tests of the parser: cases, damaged lines.

use proptest::prelude::*;

use super::*;
use crate::row_json::{check, damaged, parse};

const LINE: &str = "LEEF:2.0|Acme|Gate|1.0|41|^|src=10.0.0.1^dst=2.1.2.2^url=/a?b=c d^sev=5";

#[test]
fn header_and_attributes_are_read() {
    let header = |version: &str| {
        format!(
            r#"{{"leefVersion":"{version}","vendor":"Acme","product":"Gate","productVersion":"1.0","eventId":"41""#
        )
    };
    let all = header("2.0") + r#","src":"10.0.0.1","dst":"2.1.2.2","url":"/a?b=c d","sev":"5"}"#;
    let pair = |version: &str| header(version) + r#","a":"b|c","d":""}"#;
    let bare = header("2.0") + "}";
    check(
        &mut Leef::default(),
        &[
            (LINE, &all),
            (&LINE.replace("|^|", "|0x5E|"), &all),
            (&LINE.replace("|^|", "|x5e|"), &all),
            (&format!("<13>Jan 31 10:00:00 gate {LINE}^"), &all),
            ("LEEF:1.0|Acme|Gate|1.0|41|a=b|c\td=", &pair("1.0")),
            ("LEEF:1.0|Acme|Gate|1.0|41|a=b|c\t\t d=\t", &pair("1.0")),
            // Without the delimiter, and with none in its place.
            ("LEEF:2.0|Acme|Gate|1.0|41|a=b|c\td=", &pair("2.0")),
            ("LEEF:2.0|Acme|Gate|1.0|41||a=b|c\td=", &pair("2.0")),
            ("LEEF:2.0|Acme|Gate|1.0|41|", &bare),
            ("LEEF:2.0|Acme|Gate|1.0|41|^|", &bare),
            // A byte of a character is no delimiter.
            ("LEEF:2.0|Acme|Gate|1.0|41|xC3|a=é", &(header("2.0") + r#","xC3|a":"é"}"#)),
            ("LEEF:1.0|Acme|Gate|1.0|41|word", "expected a key and `=` at byte 26"),
            ("LEEF:1.0|Acme|Gate|1.0|41|=x", "expected a key and `=` at byte 26"),
            ("LEEF:1.0|Acme", "expected `|` at byte 13"),
            ("CEF:0|a", "expected `LEEF:` at byte 0"),
        ],
    );
}

proptest! {
    #[test]
    fn no_line_makes_it_panic(line in damaged(&[LINE])) {
        let _row = parse(&mut Leef::default(), &line);
    }
}
