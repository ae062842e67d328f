//! Tests of the formats of time.

use super::*;

const NOW_NS: i64 = 1_700_000_000_000_000_000;

fn read(format: &str, zone: &str, text: &str) -> Option<i64> {
    let format = TimeFormat::new(format, Zone::new(zone).unwrap()).unwrap();
    format.read(ValueRef::str(text), NOW_NS)
}

#[test]
fn times_are_read_in_the_format_that_was_named() {
    let expected = Some(NOW_NS);
    let cases = [
        ("rfc3339", "2023-11-14T22:13:20Z"),
        ("rfc3339", "2023-11-14 22:13:20"),
        ("common_log", "14/Nov/2023:23:13:20 +0100"),
        ("syslog", "Nov 14 22:13:20"),
        ("syslog", "Nov 14 2023 22:13:20"),
        ("unix", "1700000000"),
        ("unix", "1700000000.000"),
        ("unix_ms", "1700000000000"),
        ("unix_us", "1700000000000000"),
        ("unix_ns", "1700000000000000000"),
        ("auto", "2023-11-14T22:13:20Z"),
        ("auto", "1700000000"),
        ("auto", "14/Nov/2023:22:13:20 +0000"),
        ("%Y-%m-%d %H:%M:%S", "2023-11-14 22:13:20"),
        ("%d/%b/%Y:%H:%M:%S %z", "14/Nov/2023:23:13:20 +0100"),
        ("%s", "1700000000"),
    ];
    for (format, text) in cases {
        assert_eq!(read(format, "UTC", text), expected, "{format} {text}");
        assert_eq!(read(format, "UTC", &format!("{text}x")), None, "{format} {text}");
    }
    assert_eq!(read("%Y-%m-%d", "UTC", "1970-01-02"), Some(86_400_000_000_000));
    assert_eq!(read("rfc3339", "UTC", "2023-02-29T00:00:00Z"), None);
}

#[test]
fn times_without_a_zone_are_in_the_given_one() {
    for format in ["rfc3339", "auto", "%Y-%m-%d %H:%M:%S"] {
        let read = |zone: &str, text: &str| read(format, zone, text);
        assert_eq!(read("+01:00", "2023-11-14 23:13:20"), Some(NOW_NS), "{format}");
        let Some(_) = Zone::new("Europe/Berlin") else { continue };
        assert_eq!(read("Europe/Berlin", "2023-11-14 23:13:20"), Some(NOW_NS), "{format}");
        let summer = 1_690_000_000_000_000_000;
        assert_eq!(read("Europe/Berlin", "2023-07-22 06:26:40"), Some(summer), "{format}");
    }
    assert!(Zone::new("Nowhere/Else").is_none());
    assert!(Zone::new("local").is_some());
}

#[test]
fn numbers_are_times_of_unix_to_the_nanosecond() {
    let read = |format: &str, value: ValueRef<'_>| {
        TimeFormat::new(format, Zone::UTC).unwrap().read(value, NOW_NS)
    };
    assert_eq!(read("unix", ValueRef::Number(b"1700000000.123456789")), Some(NOW_NS + 123_456_789));
    assert_eq!(read("unix", ValueRef::Number(b"-1.5")), Some(-1_500_000_000));
    assert_eq!(read("unix", ValueRef::Number(b"1.7e9")), Some(NOW_NS));
    assert_eq!(read("unix", ValueRef::I64(1_700_000_000)), Some(NOW_NS));
    assert_eq!(read("unix_ms", ValueRef::F64(1.7e12)), Some(NOW_NS));
    assert_eq!(read("unix", ValueRef::I64(i64::MAX)), None);
    assert_eq!(read("unix", ValueRef::F64(f64::NAN)), None);
    assert_eq!(read("unix", ValueRef::str("")), None);
    assert_eq!(read("rfc3339", ValueRef::Timestamp(7)), Some(7));
    assert_eq!(read("rfc3339", ValueRef::I64(7)), None);
}

#[test]
fn patterns_that_say_no_date_are_refused() {
    for format in ["iso", "%H:%M:%S", "%Y %", "%Q8"] {
        assert!(TimeFormat::new(format, Zone::UTC).is_err(), "{format}");
    }
}
