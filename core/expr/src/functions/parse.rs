//! Functions that read structured text.

use bumpalo::collections::Vec as BumpVec;
use regex::bytes::{Captures, Regex};

use super::encode::percent_decoded;
use super::object::unique_members;
use super::{Arguments, Function, Inside, fails, gives, optional, required};
use crate::error::EvalError;
use crate::json;
use crate::kind::Kind;
use crate::value::{Member, Value};

pub(super) const FUNCTIONS: &[Function] = &[
    Function::new(
        "parse_json",
        &[required("value", Kind::STRING)],
        Kind::ANY,
        "The value that a JSON text is (RFC 8259).",
        &[
            gives("parse_json!(.a)", r#"{"a":"{\"b\":[1]}"}"#, r#"{"b":[1]}"#),
            gives("parse_json!(.a).b[0]", r#"{"a":"{\"b\":[1]}"}"#, "1"),
            fails("parse_json!(.a)", r#"{"a":"{"}"#, "`parse_json`: the text is not JSON"),
        ],
        |arguments| {
            let text = arguments.utf8(0)?.trim_matches([' ', '\t', '\n', '\r']).as_bytes();
            if !lograil_event::is_json(text) {
                return Err(arguments.error("the text is not JSON"));
            }
            Ok(json::document(text, arguments.context.bump))
        },
    )
    .fallible(),
    Function::new(
        "parse_regex",
        &[
            required("value", Kind::STRING),
            required("pattern", Kind::REGEX),
            optional("numeric_groups", Kind::BOOLEAN),
        ],
        Kind::OBJECT,
        "The named groups of the first match, and with `numeric_groups` all groups by their number.",
        &[
            gives(
                "parse_regex!(.a, r'(?P<n>\\d+) (?P<unit>\\w+)')",
                r#"{"a":"took 12 ms"}"#,
                r#"{"n":"12","unit":"ms"}"#,
            ),
            gives(
                "parse_regex!(.a, r'(\\d+)', numeric_groups: true)",
                r#"{"a":"12"}"#,
                r#"{"0":"12","1":"12"}"#,
            ),
            fails("parse_regex!(.a, r'x')", r#"{"a":"y"}"#, "`parse_regex`: the pattern does not match"),
        ],
        |arguments| {
            let (text, regex) = (arguments.string(0)?, arguments.regex(1)?);
            let numeric = arguments.flag(2, false)?;
            let captures = regex.captures(text);
            let captures = captures.ok_or_else(|| arguments.error("the pattern does not match"))?;
            Ok(groups(arguments, regex, &captures, numeric))
        },
    )
    .fallible()
    .inside(Inside::Groups),
    Function::new(
        "parse_regex_all",
        &[
            required("value", Kind::STRING),
            required("pattern", Kind::REGEX),
            optional("numeric_groups", Kind::BOOLEAN),
        ],
        Kind::ARRAY,
        "The groups of every match, as `parse_regex` gives them.",
        &[gives(
            "parse_regex_all!(.a, r'(?P<k>\\w)=')",
            r#"{"a":"a=1 b=2"}"#,
            r#"[{"k":"a"},{"k":"b"}]"#,
        )],
        |arguments| {
            let (text, regex) = (arguments.string(0)?, arguments.regex(1)?);
            let numeric = arguments.flag(2, false)?;
            let all = regex.captures_iter(text);
            let all = all.map(|captures| groups(arguments, regex, &captures, numeric));
            Ok(arguments.context.array(all.collect::<Vec<_>>()))
        },
    )
    .inside(Inside::Items(Kind::OBJECT)),
    Function::new(
        "parse_key_value",
        &[
            required("value", Kind::STRING),
            optional("key_value_delimiter", Kind::STRING),
            optional("field_delimiter", Kind::STRING),
            optional("accept_standalone_key", Kind::BOOLEAN),
        ],
        Kind::OBJECT,
        "The pairs of a text, `key=value` parted by blanks unless told. A key without a value is true.",
        &[
            gives("parse_key_value!(.a)", r#"{"a":"x=1 y=\"a b\" z"}"#, r#"{"x":"1","y":"a b","z":true}"#),
            gives("parse_key_value!(.a, \":\", \",\")", r#"{"a":"x:1, y:2"}"#, r#"{"x":"1","y":"2"}"#),
            fails(
                "parse_key_value!(.a, accept_standalone_key: false)",
                r#"{"a":"x"}"#,
                "`parse_key_value`: a key has no value",
            ),
        ],
        |arguments| {
            let (inner, outer) = (arguments.string_or(1, "=")?, arguments.string_or(2, " ")?);
            pairs(arguments, inner, outer, arguments.flag(3, true)?)
        },
    )
    .fallible(),
    Function::new(
        "parse_logfmt",
        &[required("value", Kind::STRING)],
        Kind::OBJECT,
        "The pairs of a logfmt text. A key without a value is true.",
        &[gives(
            "parse_logfmt!(.a)",
            r#"{"a":"level=info msg=\"it \\\"runs\\\"\" ok"}"#,
            r#"{"level":"info","msg":"it \"runs\"","ok":true}"#,
        )],
        |arguments| pairs(arguments, b"=", b" ", true),
    )
    .fallible(),
    Function::new(
        "parse_csv",
        &[required("value", Kind::STRING), optional("delimiter", Kind::STRING)],
        Kind::ARRAY,
        "The fields of one record (RFC 4180), as texts; the delimiter is one byte.",
        &[
            gives("parse_csv!(.a)", r#"{"a":"x,\"a \"\"b\"\", c\",,1"}"#, r#"["x","a \"b\", c","","1"]"#),
            gives("parse_csv!(.a, delimiter: \";\")", r#"{"a":"x;y"}"#, r#"["x","y"]"#),
            fails("parse_csv!(.a)", r#"{"a":"\"x"}"#, "`parse_csv`: a quote is never closed"),
        ],
        csv_fields,
    )
    .fallible()
    .inside(Inside::Items(Kind::STRING)),
    Function::new(
        "parse_tokens",
        &[required("value", Kind::STRING)],
        Kind::ARRAY,
        "The words of a text; what is in quotes or brackets is one, a lone `-` is null.",
        &[gives(
            "parse_tokens(.a)",
            r#"{"a":"GET - \"a b\" [31/Jan 10:00] 200"}"#,
            r#"["GET",null,"a b","31/Jan 10:00","200"]"#,
        )],
        tokens,
    ),
    Function::new(
        "parse_query_string",
        &[required("value", Kind::STRING)],
        Kind::OBJECT,
        "The parameters of a query, with or without the `?`; a name that comes twice gives an array.",
        &[gives(
            "parse_query_string(.a) ?? {}",
            r#"{"a":"?x=1&y=a%20b+c&x=2"}"#,
            r#"{"x":["1","2"],"y":"a b c"}"#,
        )],
        |arguments| query(arguments, arguments.string(0)?),
    ),
    Function::new(
        "parse_url",
        &[required("value", Kind::STRING), optional("default_known_ports", Kind::BOOLEAN)],
        Kind::OBJECT,
        "The parts of a URL with a scheme and a host (RFC 3986): scheme, username, password, host, port, path, \
         query, fragment.",
        &[
            gives(
                "parse_url!(.a)",
                r#"{"a":"https://ann@example.com:8443/p?q=1#top"}"#,
                "{\"scheme\":\"https\",\"username\":\"ann\",\"password\":\"\",\"host\":\"example.com\",\"port\":8443,\"path\":\"/p\",\"query\":{\"q\":\"1\"},\"fragment\":\"top\"}",
            ),
            fails("parse_url!(.a)", r#"{"a":"/p"}"#, "`parse_url`: the text is not a URL"),
        ],
        parse_url,
    )
    .fallible()
    .inside(Inside::Members(&[
        ("scheme", Kind::STRING),
        ("username", Kind::STRING),
        ("password", Kind::STRING),
        ("host", Kind::STRING),
        ("path", Kind::STRING),
        ("query", Kind::OBJECT),
    ])),
];

fn groups<'a>(
    arguments: &Arguments<'a, '_>,
    regex: &'a Regex,
    captures: &Captures<'a>,
    numeric: bool,
) -> Value<'a> {
    let context = arguments.context;
    let mut members: BumpVec<'a, Member<'a>> = BumpVec::new_in(context.bump);
    for (index, name) in regex.capture_names().enumerate() {
        let group = captures.get(index);
        let value = group.map_or(Value::Null, |group| Value::String(group.as_bytes()));
        if let Some(name) = name {
            members.push((name.as_bytes(), value));
        }
        if numeric {
            members.push((context.bump.alloc_str(&index.to_string()).as_bytes(), value));
        }
    }
    context.object(members)
}

fn pairs<'a>(
    arguments: &Arguments<'a, '_>,
    inner: &[u8],
    outer: &[u8],
    standalone: bool,
) -> Result<Value<'a>, EvalError> {
    if inner.is_empty() || outer.is_empty() {
        return Err(arguments.error("a delimiter must not be empty"));
    }
    let mut rest = arguments.string(0)?.trim_ascii();
    let mut members = Vec::new();
    while !rest.is_empty() {
        let (key, after) = token(arguments, rest, &[inner, outer]);
        let after = if outer == b" " { after } else { after.trim_ascii_start() };
        rest = match after.strip_prefix(inner) {
            Some(after) => {
                let (value, after) = token(arguments, after.trim_ascii_start_if(outer), &[outer]);
                members.push((key, Value::String(value)));
                after
            }
            None if !standalone => return Err(arguments.error("a key has no value")),
            None => {
                if !key.is_empty() {
                    members.push((key, Value::Boolean(true)));
                }
                after
            }
        };
        rest = rest.trim_ascii_start();
        rest = rest.strip_prefix(outer).unwrap_or(rest).trim_ascii_start();
    }
    Ok(unique_members(members, arguments.context))
}

/// Blanks behind the delimiter of a pair belong to nobody, unless they part the fields.
trait TrimUnlessBlank {
    fn trim_ascii_start_if(&self, outer: &[u8]) -> &Self;
}

impl TrimUnlessBlank for [u8] {
    fn trim_ascii_start_if(&self, outer: &[u8]) -> &Self {
        if outer == b" " { self } else { self.trim_ascii_start() }
    }
}

/// A text up to one of the ends, or in quotes; and what follows.
fn token<'a>(
    arguments: &Arguments<'a, '_>,
    text: &'a [u8],
    ends: &[&[u8]],
) -> (&'a [u8], &'a [u8]) {
    if let Some(quoted) = text.strip_prefix(b"\"") {
        let mut at = 0;
        while let Some(byte) = quoted.get(at) {
            match byte {
                b'"' => {
                    let inside = &quoted[..at];
                    if !inside.contains(&b'\\') {
                        return (inside, &quoted[at + 1..]);
                    }
                    let mut plain = Vec::with_capacity(inside.len());
                    lograil_event::json_text::unescape(inside, &mut plain);
                    return (arguments.context.bump.alloc_slice_copy(&plain), &quoted[at + 1..]);
                }
                b'\\' => at += 2,
                _ => at += 1,
            }
        }
    }
    let first = ends.iter().filter_map(|end| memchr::memmem::find(text, end)).min();
    let end = first.unwrap_or(text.len());
    (text[..end].trim_ascii_end(), &text[end..])
}

fn tokens<'a>(arguments: &Arguments<'a, '_>) -> Result<Value<'a>, EvalError> {
    let mut rest = arguments.string(0)?.trim_ascii_start();
    let mut words = BumpVec::new_in(arguments.context.bump);
    while let Some(first) = rest.first() {
        let close = match first {
            b'"' => Some(b'"'),
            b'[' => Some(b']'),
            _ => None,
        };
        let end = close.and_then(|close| unescaped(&rest[1..], close));
        let (word, after) = match end {
            Some(end) => (&rest[1..=end], &rest[end + 2..]),
            None => rest.split_at(memchr::memchr(b' ', rest).unwrap_or(rest.len())),
        };
        let is_nothing = end.is_none() && word == b"-";
        words.push(if is_nothing { Value::Null } else { Value::String(word) });
        rest = after.trim_ascii_start();
    }
    Ok(arguments.context.array_of(words))
}

/// The first `byte` that no backslash stands before.
fn unescaped(text: &[u8], byte: u8) -> Option<usize> {
    let mut at = 0;
    while let Some(found) = memchr::memchr2(byte, b'\\', text.get(at..)?) {
        if text[at + found] == byte {
            return Some(at + found);
        }
        at += found + 2;
    }
    None
}

fn csv_fields<'a>(arguments: &Arguments<'a, '_>) -> Result<Value<'a>, EvalError> {
    let mut rest = arguments.string(0)?;
    let [delimiter] = *arguments.string_or(1, ",")? else {
        return Err(arguments.error("the delimiter must be one byte"));
    };
    let bump = arguments.context.bump;
    let mut fields = BumpVec::new_in(bump);
    loop {
        let quoted = rest.strip_prefix(b"\"");
        let mut field: BumpVec<'a, u8> = BumpVec::new_in(bump);
        if let Some(mut inside) = quoted {
            loop {
                let end = memchr::memchr(b'"', inside);
                let end = end.ok_or_else(|| arguments.error("a quote is never closed"))?;
                field.extend_from_slice(&inside[..end]);
                inside = &inside[end + 1..];
                let Some(after) = inside.strip_prefix(b"\"") else { break };
                field.push(b'"');
                inside = after;
            }
            rest = inside;
        }
        let end = memchr::memchr(delimiter, rest).unwrap_or(rest.len());
        let plain = &rest[..end];
        let whole = if quoted.is_none() {
            plain
        } else {
            field.extend_from_slice(plain);
            field.into_bump_slice()
        };
        fields.push(Value::String(whole));
        if end == rest.len() {
            return Ok(arguments.context.array_of(fields));
        }
        rest = &rest[end + 1..];
    }
}

fn query<'a>(arguments: &Arguments<'a, '_>, text: &'a [u8]) -> Result<Value<'a>, EvalError> {
    let context = arguments.context;
    let text = text.strip_prefix(b"?").unwrap_or(text);
    let mut places = std::collections::HashMap::new();
    let mut members: Vec<(&'a [u8], Vec<Value<'a>>)> = Vec::new();
    let decoded = |part: &[u8]| {
        let part: Vec<u8> = part.iter().map(|b| if *b == b'+' { b' ' } else { *b }).collect();
        &*context.bump.alloc_slice_copy(&percent_decoded(&part))
    };
    for pair in text.split(|byte| *byte == b'&').filter(|pair| !pair.is_empty()) {
        let at = memchr::memchr(b'=', pair);
        let (key, value) = at.map_or((pair, &b""[..]), |at| (&pair[..at], &pair[at + 1..]));
        let (key, value) = (decoded(key), Value::String(decoded(value)));
        let place = *places.entry(key).or_insert_with(|| {
            members.push((key, Vec::new()));
            members.len() - 1
        });
        members[place].1.push(value);
    }
    Ok(context.object(members.into_iter().map(|(key, values)| match values.as_slice() {
        [only] => (key, *only),
        _ => (key, context.array(values)),
    })))
}

fn parse_url<'a>(arguments: &Arguments<'a, '_>) -> Result<Value<'a>, EvalError> {
    let wrong = || arguments.error("the text is not a URL");
    let known_ports = arguments.flag(1, false)?;
    let text = arguments.utf8(0)?.trim();
    let (scheme, rest) = text.split_once("://").ok_or_else(wrong)?;
    let is_scheme = scheme.starts_with(|c: char| c.is_ascii_alphabetic())
        && scheme.chars().all(|c| c.is_ascii_alphanumeric() || "+-.".contains(c));
    if !is_scheme {
        return Err(wrong());
    }
    let (rest, fragment) = rest.split_once('#').map_or((rest, None), |(r, f)| (r, Some(f)));
    let (rest, query_text) = rest.split_once('?').unwrap_or((rest, ""));
    let slash = rest.find('/').unwrap_or(rest.len());
    let (authority, path) = rest.split_at(slash);
    let (user, host) = authority.rsplit_once('@').unwrap_or(("", authority));
    let (username, password) = user.split_once(':').unwrap_or((user, ""));
    // The colons of an IPv6 address are inside of brackets.
    let colon = host.rfind(':').filter(|at| !host[*at..].contains(']'));
    let (host, port) = colon.map_or((host, ""), |at| (&host[..at], &host[at + 1..]));
    if host.is_empty() && scheme != "file" {
        return Err(wrong());
    }
    let port = match port.parse::<u16>() {
        Ok(port) => Some(i64::from(port)),
        Err(_) if !port.is_empty() => return Err(wrong()),
        Err(_) if known_ports => match scheme {
            "http" | "ws" => Some(80),
            "https" | "wss" => Some(443),
            "ftp" => Some(21),
            _ => None,
        },
        Err(_) => None,
    };
    let lower = |text: &'a [u8]| Value::String(super::string::lower(text, arguments.context));
    let members = [
        (&b"scheme"[..], lower(scheme.as_bytes())),
        (b"username", Value::str(username)),
        (b"password", Value::str(password)),
        (b"host", lower(host.as_bytes())),
        (b"port", port.map_or(Value::Null, Value::Integer)),
        (b"path", Value::str(if path.is_empty() { "/" } else { path })),
        (b"query", query(arguments, query_text.as_bytes())?),
        (b"fragment", fragment.map_or(Value::Null, Value::str)),
    ];
    Ok(arguments.context.object(members))
}
