//! Every form of timestamp, against examples and against jiff.

use jiff::{Timestamp as Instant, tz};
use proptest::prelude::*;

use super::*;

/// 2024-03-01 12:00:00 UTC.
const NOW: Reference = Reference { now_ns: 1_709_294_400_000_000_000, offset_seconds: 0 };

fn rfc3339(text: &str) -> i64 {
    crate::time::parse_rfc3339(text.as_bytes()).unwrap()
}

/// Each text is a timestamp as a whole, and still is one when text follows.
#[track_caller]
fn check(cases: &[(&str, &str)]) {
    for (text, expected) in cases {
        let found = parse(text.as_bytes(), &NOW).unwrap_or_else(|| panic!("{text}: none"));
        assert_eq!(found.ns, rfc3339(expected), "{text}");
        for tail in [" INFO x", "] x", ", x", ": x", "\t1"] {
            let longer = format!("{text}{tail}");
            let found = parse_prefix(longer.as_bytes(), &NOW);
            assert_eq!(found.map(|found| found.len as usize), Some(text.len()), "{longer}");
        }
    }
}

#[test]
fn reads_iso_8601_and_its_relatives() {
    check(&[
        ("2014-11-14T19:19:51.559Z", "2014-11-14T19:19:51.559Z"),
        ("2014-11-14T19:19:51", "2014-11-14T19:19:51Z"),
        ("2014-11-14 19:19:51,559", "2014-11-14T19:19:51.559Z"),
        ("2014-11-14 19:19:51.559123456", "2014-11-14T19:19:51.559123456Z"),
        ("2014-11-14T19:19:51.559+05:30", "2014-11-14T13:49:51.559Z"),
        ("2014-11-14 19:19:51 -0800", "2014-11-15T03:19:51Z"),
        ("2014-11-14 19:19:51-08", "2014-11-15T03:19:51Z"),
        ("2014-11-14 19:19:51 PST", "2014-11-15T03:19:51Z"),
        ("2014-11-14 19:19", "2014-11-14T19:19:00Z"),
        ("2014-11-14  9:19:51", "2014-11-14T09:19:51Z"),
        ("2014/11/14 19:19:51", "2014-11-14T19:19:51Z"),
        ("2014-11-14_19:19:51", "2014-11-14T19:19:51Z"),
        ("2014-11-14 19:19:51:317", "2014-11-14T19:19:51.317Z"),
        ("2005-06-03-15.42.50.675872", "2005-06-03T15:42:50.675872Z"),
        ("2005.06.03", "2005-06-03T00:00:00Z"),
        ("2014-Nov-14 19:19:51", "2014-11-14T19:19:51Z"),
        ("2012-025T10:22:40,672", "2012-01-25T10:22:40.672Z"),
        ("2012-12-31 23:59:60", "2013-01-01T00:00:00Z"),
    ]);
}

#[test]
fn reads_what_starts_with_a_month_or_a_weekday() {
    check(&[
        ("Feb 11 06:43:36", "2024-02-11T06:43:36Z"),
        ("Jul  1 09:00:55", "2023-07-01T09:00:55Z"),
        ("Jul 1 09:00:55.25", "2023-07-01T09:00:55.25Z"),
        ("Mar  2 11:59:59", "2024-03-02T11:59:59Z"),
        ("Mar  2 12:00:01", "2023-03-02T12:00:01Z"),
        ("Feb 29 00:00:00", "2024-02-29T00:00:00Z"),
        ("Mar-18 21:41:15.684", "2023-03-18T21:41:15.684Z"),
        ("Thu Jun 09 06:07:04 2005", "2005-06-09T06:07:04Z"),
        ("Tue Apr 04 06:18:29.712806 2017", "2017-04-04T06:18:29.712806Z"),
        ("Tue Jul 14 11:01:17:259149 2020", "2020-07-14T11:01:17.259149Z"),
        ("Thu Jun  2 08:00:01 UTC 2022", "2022-06-02T08:00:01Z"),
        ("Thu Jun 2 08:00:01 +0200 2022", "2022-06-02T06:00:01Z"),
        ("Feb 11, 2013 6:43:36 PM", "2013-02-11T18:43:36Z"),
        ("February 11 2013 12:43:36 AM", "2013-02-11T00:43:36Z"),
        ("Sun, 06 Nov 1994 08:49:37 GMT", "1994-11-06T08:49:37Z"),
        ("Sunday, 06-Nov-94 08:49:37 GMT", "1994-11-06T08:49:37Z"),
        ("I0102 15:04:05.678901", "2024-01-02T15:04:05.678901Z"),
    ]);
}

#[test]
fn reads_what_starts_with_a_day_a_short_year_or_a_time() {
    check(&[
        ("11/Feb/2013:06:43:36 +0100", "2013-02-11T05:43:36Z"),
        ("26/Feb/2019:23:16:15.321", "2019-02-26T23:16:15.321Z"),
        ("17/06/09 20:10:40", "2017-06-09T20:10:40Z"),
        ("06/09/2014 02:49:59:447 PM UTC", "2014-06-09T14:49:59.447Z"),
        ("16/09/2014 02:49:59", "2014-09-16T02:49:59Z"),
        ("06/16/14 02:49:59", "2014-06-16T02:49:59Z"),
        ("1/2/2024, 3:04:05 PM", "2024-01-02T15:04:05Z"),
        ("28.09.2014 12:00:00", "2014-09-28T12:00:00Z"),
        ("10.30 16:49:06", "2023-10-30T16:49:06Z"),
        ("05-26 11:18:41.509", "2023-05-26T11:18:41.509Z"),
        ("24-Feb 16:36", "2024-02-24T16:36:00Z"),
        ("13 Apr 12:52:30.731", "2023-04-13T12:52:30.731Z"),
        ("13 Apr 2013 12:52:30", "2013-04-13T12:52:30Z"),
        ("081109 203518", "2008-11-09T20:35:18Z"),
        ("170213 16:00:33", "2017-02-13T16:00:33Z"),
        ("20171223-22:15:29:606", "2017-12-23T22:15:29.606Z"),
        ("20171224-0:7:20:44", "2017-12-24T00:07:20.044Z"),
        ("20171223T221529Z", "2017-12-23T22:15:29Z"),
        ("20171223221529", "2017-12-23T22:15:29Z"),
        ("12:21:46.386512", "2024-03-01T12:21:46.386512Z"),
        ("13:21:46", "2024-02-29T13:21:46Z"),
        ("1131566461", "2005-11-09T20:01:01Z"),
        ("1743339613.601613", "2025-03-30T13:00:13.601613Z"),
        ("1700000000123", "2023-11-14T22:13:20.123Z"),
        ("1700000000123456", "2023-11-14T22:13:20.123456Z"),
        ("1700000000123456789", "2023-11-14T22:13:20.123456789Z"),
    ]);
}

#[test]
fn refuses_what_only_looks_like_a_timestamp() {
    for text in [
        "",
        "1",
        "2014",
        "2014-11",
        "2014-13-01 00:00:00",
        "2014-02-30 00:00:00",
        "25:00:00",
        "10.0.0.1 - -",
        "12:61:00",
        "1:2:3",
        "Mon",
        "May contain nuts",
        "Marching 12 00:00:00",
        "Jan 32 00:00:00",
        "1.5 seconds",
        "12 monkeys",
        "0123456789",
        "9999999999",
        "11700000000",
        "17000000001a",
        "2014-11-14-foo",
        "8.8.8.8:53",
        "10/12/13",
        "E1234 broken",
        "2014-11-14T19:19:519",
        "13:00:00 PMX",
        "Feb 30 06:43:36",
        "12:21",
    ] {
        let found = parse_prefix(text.as_bytes(), &NOW);
        assert!(
            found.is_none_or(|found| text == "13:00:00 PMX" && found.len == 8),
            "{text}: {found:?}"
        );
    }
}

#[test]
fn says_what_it_had_to_assume() {
    let found = |text: &str| {
        let found = parse(text.as_bytes(), &NOW).unwrap();
        (found.certainty, found.has_offset, found.precision)
    };
    assert_eq!(found("2005.06.03"), (Certainty::Full, false, Precision::Day));
    assert_eq!(found("24-Feb 16:36"), (Certainty::YearAssumed, false, Precision::Minute));
    assert_eq!(found("12:00:00,123"), (Certainty::DateAssumed, false, Precision::Millisecond));
    assert_eq!(found("2014-11-14T19:19:51.1234Z"), (Certainty::Full, true, Precision::Microsecond));
    assert_eq!(found("2014-11-14T19:19:51.123Z"), (Certainty::Full, true, Precision::Millisecond));
    let word = parse_prefix(b"2014-11-14T19:19:51.123Zulu", &NOW).unwrap();
    assert_eq!((word.has_offset, word.len), (false, 23));
    assert_eq!(found("1700000000"), (Certainty::Full, true, Precision::Second));
    let berlin = Reference { offset_seconds: 3600, ..NOW };
    let ns = |text: &str| parse(text.as_bytes(), &berlin).unwrap().ns;
    assert_eq!(ns("2014-11-14 19:19:51"), rfc3339("2014-11-14T18:19:51Z"));
    assert_eq!(ns("2014-11-14 19:19:51Z"), rfc3339("2014-11-14T19:19:51Z"));
    assert_eq!(ns("13:59:59"), rfc3339("2024-03-01T12:59:59Z"));
}

/// Layouts for jiff, and how many nanoseconds they say.
const LAYOUTS: [(&str, i64); 20] = [
    ("%Y-%m-%dT%H:%M:%S.%9fZ", 1),
    ("%Y-%m-%dT%H:%M:%S.%6f+00:00", 1_000),
    ("%Y-%m-%d %H:%M:%S,%3f", 1_000_000),
    ("%Y-%m-%d %H:%M:%S", 1_000_000_000),
    ("%Y/%m/%d %H:%M:%S.%3f", 1_000_000),
    ("%Y-%m-%d-%H.%M.%S.%6f", 1_000),
    ("%Y-%jT%H:%M:%S", 1_000_000_000),
    ("%d/%b/%Y:%H:%M:%S +0000", 1_000_000_000),
    ("%a %b %d %H:%M:%S %Y", 1_000_000_000),
    ("%a %b %e %H:%M:%S UTC %Y", 1_000_000_000),
    ("%a, %d %b %Y %H:%M:%S GMT", 1_000_000_000),
    ("%A, %B %d, %Y %I:%M:%S %p", 1_000_000_000),
    ("%m/%d/%Y %I:%M:%S:%3f %p", 1_000_000),
    ("%d.%m.%Y %H:%M:%S", 1_000_000_000),
    ("%Y%m%d-%H:%M:%S:%3f", 1_000_000),
    ("%Y%m%dT%H%M%S.%3fZ", 1_000_000),
    ("%d %b %Y %H:%M:%S.%3f", 1_000_000),
    ("%d-%b-%Y %H:%M:%S", 1_000_000_000),
    ("%b %d, %Y %H:%M", 60_000_000_000),
    ("%y/%m/%d %H:%M:%S", 1_000_000_000),
];

proptest! {
    #[test]
    fn agrees_with_jiff_in_every_layout(second in 0i64..3_093_527_980, nanos in 0i32..1_000_000_000) {
        let instant = Instant::new(second, nanos).unwrap();
        for (layout, unit) in LAYOUTS {
            let text = instant.strftime(layout).to_string();
            let found = parse(text.as_bytes(), &NOW);
            let expected = instant.as_nanosecond() as i64 / unit * unit;
            prop_assert_eq!(found.map(|found| found.ns), Some(expected), "{}", text);
        }
    }

    #[test]
    fn a_text_without_a_year_is_at_most_a_day_ahead(
        now in 1_000_000_000i64..3_000_000_000,
        back in -86_399i64..31_449_600,
        offset in -12i32..=14,
    ) {
        let reference = Reference { now_ns: now * 1_000_000_000, offset_seconds: offset * 3600 };
        let zone = tz::Offset::constant(offset as i8).to_time_zone();
        let local = Instant::new(now - back, 0).unwrap().to_zoned(zone);
        for layout in ["%b %e %H:%M:%S", "%m-%d %H:%M:%S.000", "%d %b %H:%M:%S"] {
            let text = local.strftime(layout).to_string();
            let found = parse(text.as_bytes(), &reference);
            prop_assert_eq!(found.map(|found| found.ns), Some((now - back) * 1_000_000_000), "{}", text);
        }
    }

    #[test]
    fn no_text_makes_it_panic(text in "[A-Za-z0-9:/,. +\\-]{0,70}", bytes in any::<Vec<u8>>()) {
        for text in [text.as_bytes(), &bytes] {
            if let Some(found) = parse_prefix(text, &NOW) {
                prop_assert!(found.len as usize <= text.len());
            }
        }
    }
}
