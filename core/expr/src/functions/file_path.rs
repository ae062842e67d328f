//! Functions over the paths of files, as text with `/` between their parts.

use super::{Arguments, Function, gives, required};
use crate::error::EvalError;
use crate::kind::Kind;
use crate::value::Value;

pub(super) const FUNCTIONS: &[Function] = &[
    Function::new(
        "basename",
        &[required("value", Kind::STRING)],
        Kind::STRING.or(Kind::NULL),
        "The last part of a path; null if it has none.",
        &[
            gives("basename(.a)", r#"{"a":"/var/log/app.log"}"#, r#""app.log""#),
            gives("basename(\"/usr/bin/\")", "{}", r#""bin""#),
            gives("basename(\"/\")", "{}", "null"),
        ],
        |arguments| {
            let name = last_part(arguments)?;
            Ok(if name.is_empty() { Value::Null } else { Value::String(name) })
        },
    ),
    Function::new(
        "dirname",
        &[required("value", Kind::STRING)],
        Kind::STRING,
        "The path without its last part; `.` if it has but one.",
        &[
            gives("dirname(.a)", r#"{"a":"/var/log/app.log"}"#, r#""/var/log""#),
            gives("dirname(\"/usr\")", "{}", r#""/""#),
            gives("dirname(\"app.log\")", "{}", r#"".""#),
        ],
        |arguments| {
            let text = trimmed(arguments.string(0)?);
            let Some(slash) = memchr::memrchr(b'/', text) else {
                return Ok(Value::str(if text.is_empty() && arguments.string(0)? != b"" {
                    "/"
                } else {
                    "."
                }));
            };
            let directory = trimmed(&text[..slash]);
            Ok(if directory.is_empty() { Value::str("/") } else { Value::String(directory) })
        },
    ),
    Function::new(
        "split_path",
        &[required("value", Kind::STRING)],
        Kind::ARRAY,
        "The parts of a path; the root is one.",
        &[
            gives("split_path(\"/home/user/x\")", "{}", r#"["/","home","user","x"]"#),
            gives("split_path(\"home/user\")", "{}", r#"["home","user"]"#),
        ],
        |arguments| {
            let text = arguments.string(0)?;
            let root = text.starts_with(b"/").then_some(Value::str("/"));
            let parts = text.split(|byte| *byte == b'/').filter(|part| !part.is_empty());
            Ok(arguments.context.array(root.into_iter().chain(parts.map(Value::String))))
        },
    ),
];

/// A path without slashes at its end.
fn trimmed(path: &[u8]) -> &[u8] {
    let end = path.iter().rposition(|byte| *byte != b'/').map_or(0, |at| at + 1);
    &path[..end]
}

fn last_part<'a>(arguments: &Arguments<'a, '_>) -> Result<&'a [u8], EvalError> {
    let path = trimmed(arguments.string(0)?);
    Ok(&path[memchr::memrchr(b'/', path).map_or(0, |slash| slash + 1)..])
}
