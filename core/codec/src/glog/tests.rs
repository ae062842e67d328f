//! Tests of the parser: cases, round trips, damaged lines.

use proptest::prelude::*;

use super::*;
use crate::row_json::{check, damaged, parse, parse_into};

const LINE: &str = "I0102 15:04:05.678901   12345 main.go:23] a line";

#[test]
fn a_line_with_a_year_or_without_is_read() {
    let fields = |level: &str, time: &str| {
        format!(
            r#"{{"level":"{level}","timestamp":"{time}","id":12345,"file":"main.go","line":23,"message":"a line"}}"#
        )
    };
    let mut glog = Glog::new(Zone::UTC);
    let year = LINE.replacen("I0102", "F20210102", 1);
    check(
        &mut glog,
        &[
            (LINE, &fields("info", "0102 15:04:05.678901")),
            (&year, &fields("fatal", "20210102 15:04:05.678901")),
            ("X0102", "expected `I`, `W`, `E` or `F` at byte 0"),
            ("I0132 15:04:05 1 a:1] x", "expected a time as `0102 15:04:05.678901` at byte 1"),
            ("I0102 15:04:05 x", "expected the number of a thread at byte 15"),
            ("I0102 15:04:05 1 a] x", "expected a file, `:`, a line and `]` at byte 17"),
            ("I0102 15:04:05 1 a:1", "expected `]` at byte 20"),
        ],
    );
    let mut row = Row { now_ns: 1_700_000_000_000_000_000, ..Row::default() };
    parse_into(&mut glog, LINE.as_bytes(), &mut row).unwrap();
    assert_eq!(row.timestamp_ns, Some(1_672_671_845_678_901_000));
    let berlin = Zone::new("+01:00").unwrap();
    parse_into(&mut Glog::new(berlin), LINE.as_bytes(), &mut row).unwrap();
    assert_eq!(row.timestamp_ns, Some(1_672_668_245_678_901_000));
}

proptest! {
    #[test]
    fn no_line_makes_it_panic(line in damaged(&[LINE])) {
        let _row = parse(&mut Glog::new(Zone::UTC), &line);
    }
}
