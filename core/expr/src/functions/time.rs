//! Functions over time. Formats are those of `strftime`, as the crate `jiff` reads them.

use std::borrow::Cow;

use jiff::Timestamp;
use jiff::fmt::strtime;
use jiff::tz::TimeZone;
use lograil_codec::time::parse_rfc3339;

use super::{Arguments, Function, fails, gives, optional, required};
use crate::error::EvalError;
use crate::kind::Kind;
use crate::literal::format_timestamp as rfc3339;
use crate::value::Value;

const UNITS: [(&str, i64); 4] = [
    ("seconds", 1_000_000_000),
    ("milliseconds", 1_000_000),
    ("microseconds", 1_000),
    ("nanoseconds", 1),
];

/// Nanoseconds of each unit.
const DURATIONS: [(&str, f64); 9] = [
    ("ns", 1.0),
    ("us", 1e3),
    ("µs", 1e3),
    ("ms", 1e6),
    ("s", 1e9),
    ("m", 60e9),
    ("h", 3600e9),
    ("d", 86_400e9),
    ("w", 604_800e9),
];

pub(super) const FUNCTIONS: &[Function] = &[
    Function::new(
        "now",
        &[],
        Kind::TIMESTAMP,
        "The time at which the batch came.",
        &[gives("is_timestamp(now())", "{}", "true")],
        |arguments| Ok(Value::Timestamp(arguments.context.now_ns)),
    )
    .effect(),
    Function::new(
        "to_unix_timestamp",
        &[required("value", Kind::TIMESTAMP), optional("unit", Kind::STRING)],
        Kind::INTEGER,
        "The time since 1970 in `seconds`, or in `milliseconds`, `microseconds` or `nanoseconds`.",
        &[
            gives("to_unix_timestamp(t'2026-01-31T00:00:00Z')", "{}", "1769817600"),
            gives(
                "to_unix_timestamp(t'2026-01-31T00:00:00.5Z', unit: \"milliseconds\")",
                "{}",
                "1769817600500",
            ),
        ],
        |arguments| {
            let ns = arguments.timestamp(0)?;
            Ok(Value::Integer(ns.div_euclid(unit(arguments, 1, "seconds")?)))
        },
    ),
    Function::new(
        "from_unix_timestamp",
        &[required("value", Kind::INTEGER), optional("unit", Kind::STRING)],
        Kind::TIMESTAMP,
        "The timestamp of a time since 1970 in `seconds`, or in `milliseconds`, `microseconds` or `nanoseconds`.",
        &[
            gives("from_unix_timestamp!(.a)", r#"{"a":1769817600}"#, r#""2026-01-31T00:00:00Z""#),
            gives(
                "from_unix_timestamp!(.a, unit: \"milliseconds\")",
                r#"{"a":1769817600500}"#,
                r#""2026-01-31T00:00:00.500Z""#,
            ),
        ],
        |arguments| {
            let ns = arguments.integer(0)?.checked_mul(unit(arguments, 1, "seconds")?);
            ns.map(Value::Timestamp).ok_or_else(|| arguments.error("the time is out of range"))
        },
    )
    .fallible(),
    Function::new(
        "format_timestamp",
        &[
            required("value", Kind::TIMESTAMP),
            required("format", Kind::STRING),
            optional("timezone", Kind::STRING),
        ],
        Kind::STRING,
        "The timestamp as text, in UTC or a time zone such as `Europe/Berlin`.",
        &[
            gives(
                "format_timestamp!(t'2026-01-31T12:00:00Z', \"%Y/%m/%d %H:%M\")",
                "{}",
                r#""2026/01/31 12:00""#,
            ),
            gives(
                "format_timestamp!(t'2026-01-31T12:00:00Z', \"%H:%M %z\", timezone: \"+02:00\")",
                "{}",
                r#""14:00 +0200""#,
            ),
        ],
        format_timestamp,
    )
    .fallible(),
    Function::new(
        "parse_timestamp",
        &[
            required("value", Kind::STRING.or(Kind::TIMESTAMP)),
            required("format", Kind::STRING),
            optional("timezone", Kind::STRING),
        ],
        Kind::TIMESTAMP,
        "The timestamp that a text is in a format; without an offset in it, in UTC or a time zone. `%+` is RFC 3339.",
        &[
            gives(
                "parse_timestamp!(.a, \"%d/%b/%Y:%H:%M:%S %z\")",
                r#"{"a":"31/Jan/2026:13:00:00 +0100"}"#,
                r#""2026-01-31T12:00:00Z""#,
            ),
            gives(
                "parse_timestamp!(.a, format: \"%Y-%m-%d %H:%M:%S%.f\")",
                r#"{"a":"2026-01-31 12:00:00.250"}"#,
                r#""2026-01-31T12:00:00.250Z""#,
            ),
            gives(
                "parse_timestamp!(.a, \"%v %R %:z\")",
                r#"{"a":"10-Oct-2020 16:00 +00:00"}"#,
                r#""2020-10-10T16:00:00Z""#,
            ),
            gives("parse_timestamp!(.a, \"%+\")", r#"{"a":"2026-01-31T12:00:00Z"}"#, r#""2026-01-31T12:00:00Z""#),
            fails(
                "parse_timestamp!(.a, \"%Y\")",
                r#"{"a":"x"}"#,
                "`parse_timestamp`: the text does not have the format",
            ),
        ],
        parse_timestamp,
    )
    .fallible(),
    Function::new(
        "parse_duration",
        &[required("value", Kind::STRING), required("unit", Kind::STRING)],
        Kind::FLOAT,
        "The number of units in a duration such as `1h30m` or `250ms`. Units are ns, us, ms, s, m, h, d, w.",
        &[
            gives("parse_duration!(.a, unit: \"s\")", r#"{"a":"1005ms"}"#, "1.005"),
            gives("parse_duration!(.a, \"m\")", r#"{"a":"1h 30m"}"#, "90.0"),
            fails("parse_duration!(.a, \"s\")", r#"{"a":"5"}"#, "`parse_duration`: the text is not a duration"),
        ],
        parse_duration,
    )
    .fallible(),
];

fn unit(
    arguments: &Arguments<'_, '_>,
    index: usize,
    default: &'static str,
) -> Result<i64, EvalError> {
    let name = arguments.string_or(index, default)?;
    let found = UNITS.iter().find(|(unit, _)| unit.as_bytes() == name);
    // A name that is no unit means the default, so that the call cannot fail.
    Ok(found.map_or(UNITS[0].1, |(_, ns)| *ns))
}

fn zone(arguments: &Arguments<'_, '_>, index: usize) -> Result<TimeZone, EvalError> {
    if !arguments.given(index) {
        return Ok(TimeZone::UTC);
    }
    let name = arguments.utf8(index)?;
    if name == "UTC" {
        return Ok(TimeZone::UTC);
    }
    if name == "local" {
        return Ok(TimeZone::system());
    }
    if let Ok(broken) = strtime::parse("%:z", name).or_else(|_| strtime::parse("%z", name))
        && let Some(offset) = broken.offset()
    {
        return Ok(offset.to_time_zone());
    }
    TimeZone::get(name).map_err(|_| arguments.error("unknown time zone"))
}

fn nanoseconds(timestamp: Timestamp) -> Option<i64> {
    i64::try_from(timestamp.as_nanosecond()).ok()
}

fn format_timestamp<'a>(arguments: &Arguments<'a, '_>) -> Result<Value<'a>, EvalError> {
    let ns = arguments.timestamp(0)?;
    let format = arguments.utf8(1)?;
    if format == "%+" && !arguments.given(2) {
        return arguments.context.text(rfc3339(ns).as_bytes());
    }
    let format = if format == "%+" { "%Y-%m-%dT%H:%M:%S%.f%:z" } else { format };
    let timestamp = Timestamp::from_nanosecond(i128::from(ns))
        .map_err(|_| arguments.error("the time is out of range"))?;
    let zoned = timestamp.to_zoned(zone(arguments, 2)?);
    let text = strtime::format(&*spelt_out(format), &zoned)
        .map_err(|_| arguments.error("the format is not valid"))?;
    arguments.context.text(text.as_bytes())
}

/// The format with the short forms that `jiff` does not read, or not in the way VRL does, spelt out.
fn spelt_out(format: &str) -> Cow<'_, str> {
    let long = |short: u8| match short {
        b'v' => Some("%e-%b-%Y"),
        b'c' => Some("%a %b %e %H:%M:%S %Y"),
        b'x' => Some("%m/%d/%y"),
        b'X' => Some("%H:%M:%S"),
        b'r' => Some("%I:%M:%S %p"),
        _ => None,
    };
    let mut out = Cow::Borrowed(format);
    let mut from = 0;
    while let Some(at) = out[from..].find('%').map(|at| from + at) {
        let Some(short) = out.as_bytes().get(at + 1) else { break };
        from = at + 2;
        if let Some(long) = long(*short) {
            out.to_mut().replace_range(at..from, long);
            from = at + long.len();
        } else if !out.is_char_boundary(from) {
            break;
        }
    }
    out
}

fn parse_timestamp<'a>(arguments: &Arguments<'a, '_>) -> Result<Value<'a>, EvalError> {
    let text = match arguments.value(0)? {
        value @ Value::Timestamp(_) => return Ok(value),
        Value::String(text) => {
            std::str::from_utf8(text).map_err(|_| arguments.error("the text is not UTF-8"))?
        }
        other => return Err(arguments.wrong_type(0, other)),
    };
    let wrong = || arguments.error("the text does not have the format");
    let format = arguments.utf8(1)?;
    if format == "%+" {
        return parse_rfc3339(text.as_bytes()).map(Value::Timestamp).ok_or_else(wrong);
    }
    let broken = strtime::parse(&*spelt_out(format), text).map_err(|_| wrong())?;
    let timestamp = if let Ok(timestamp) = broken.to_timestamp() {
        timestamp
    } else {
        let midnight = |_| broken.to_date().map(|date| date.at(0, 0, 0, 0));
        let civil = broken.to_datetime().or_else(midnight).map_err(|_| wrong())?;
        let zoned = civil.to_zoned(zone(arguments, 2)?).map_err(|_| wrong())?;
        zoned.timestamp()
    };
    let ns = nanoseconds(timestamp).ok_or_else(|| arguments.error("the time is out of range"))?;
    Ok(Value::Timestamp(ns))
}

fn parse_duration<'a>(arguments: &Arguments<'a, '_>) -> Result<Value<'a>, EvalError> {
    let wrong = || arguments.error("the text is not a duration");
    let nanos_of = |name: &str| DURATIONS.iter().find(|(unit, _)| *unit == name).map(|(_, ns)| *ns);
    let unit = nanos_of(arguments.utf8(1)?).ok_or_else(|| arguments.error("unknown unit"))?;
    let mut rest = arguments.utf8(0)?.trim();
    let mut nanos = 0.0;
    if rest.is_empty() {
        return Err(wrong());
    }
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.').ok_or_else(wrong)?;
        let number: f64 = rest[..digits].parse().map_err(|_| wrong())?;
        rest = rest[digits..].trim_start();
        let end = rest.find(|c: char| !c.is_alphabetic()).unwrap_or(rest.len());
        nanos += number * nanos_of(&rest[..end]).ok_or_else(wrong)?;
        rest = rest[end..].trim_start();
    }
    Ok(Value::float(nanos / unit))
}
