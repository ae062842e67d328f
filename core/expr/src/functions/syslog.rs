//! The names and numbers of syslog (RFC 5424, section 6.2.1).

use lograil_codec::syslog::{FACILITY_NAMES, SEVERITY_NAMES};

use super::{Function, fails, gives, required};
use crate::kind::Kind;
use crate::value::Value;

/// Names that people also write.
const SEVERITY_ALIASES: [(&str, i64); 3] = [("panic", 0), ("error", 3), ("warn", 4)];

pub(super) const FUNCTIONS: &[Function] = &[
    Function::new(
        "to_syslog_level",
        &[required("value", Kind::INTEGER)],
        Kind::STRING,
        "The name of a severity of syslog.",
        &[
            gives("to_syslog_level!(5)", "{}", r#""notice""#),
            fails("to_syslog_level!(8)", "{}", "`to_syslog_level`: severities are 0 to 7"),
        ],
        |arguments| match name(SEVERITY_NAMES, arguments.integer(0)?) {
            Some(name) => Ok(Value::str(name)),
            None => Err(arguments.error("severities are 0 to 7")),
        },
    )
    .fallible(),
    Function::new(
        "to_syslog_severity",
        &[required("value", Kind::STRING)],
        Kind::INTEGER,
        "The number of a severity of syslog by its name; `panic`, `error` and `warn` are names too.",
        &[
            gives("to_syslog_severity!(\"alert\")", "{}", "1"),
            gives("to_syslog_severity!(\"warn\")", "{}", "4"),
            fails("to_syslog_severity!(\"loud\")", "{}", "`to_syslog_severity`: no severity has this name"),
        ],
        |arguments| {
            let text = arguments.string(0)?;
            let alias = SEVERITY_ALIASES.iter().find(|(name, _)| name.as_bytes() == text);
            match alias.map(|(_, code)| *code).or_else(|| code(SEVERITY_NAMES, text)) {
                Some(code) => Ok(Value::Integer(code)),
                None => Err(arguments.error("no severity has this name")),
            }
        },
    )
    .fallible(),
    Function::new(
        "to_syslog_facility",
        &[required("value", Kind::INTEGER)],
        Kind::STRING,
        "The name of a facility of syslog.",
        &[gives("to_syslog_facility!(4)", "{}", r#""auth""#)],
        |arguments| match name(FACILITY_NAMES, arguments.integer(0)?) {
            Some(name) => Ok(Value::str(name)),
            None => Err(arguments.error("facilities are 0 to 23")),
        },
    )
    .fallible(),
    Function::new(
        "to_syslog_facility_code",
        &[required("value", Kind::STRING)],
        Kind::INTEGER,
        "The number of a facility of syslog by its name.",
        &[gives("to_syslog_facility_code!(\"local0\")", "{}", "16")],
        |arguments| match code(FACILITY_NAMES, arguments.string(0)?) {
            Some(code) => Ok(Value::Integer(code)),
            None => Err(arguments.error("no facility has this name")),
        },
    )
    .fallible(),
];

fn name(names: &'static [&'static str], code: i64) -> Option<&'static str> {
    usize::try_from(code).ok().and_then(|code| names.get(code).copied())
}

fn code(names: &[&str], text: &[u8]) -> Option<i64> {
    names.iter().position(|name| name.as_bytes() == text).map(|code| code as i64)
}
