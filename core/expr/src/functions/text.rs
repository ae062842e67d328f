//! Functions that cut, search and replace in text.

use bumpalo::collections::Vec as BumpVec;
use memchr::memmem;

use regex::bytes::Match;

use super::{
    Arguments, ClosureShape, ClosureTakes, Function, Inside, fails, gives, optional, required,
};
use crate::constant::Constant;
use crate::error::{EvalError, ExprError};
use crate::kind::Kind;
use crate::node::Node;
use crate::value::{Array, Member, Value};

/// The members that every match has, beside its named groups.
const STRING: &str = "string";
const CAPTURES: &str = "captures";
const OF_A_MATCH: [&str; 2] = [STRING, CAPTURES];

const PATTERN: Kind = Kind::STRING.or(Kind::REGEX);

pub(super) const FUNCTIONS: &[Function] = &[
    Function::new(
        "contains_all",
        &[
            required("value", Kind::STRING),
            required("substrings", Kind::ARRAY),
            optional("case_sensitive", Kind::BOOLEAN),
        ],
        Kind::BOOLEAN,
        "Whether the text contains every text of an array.",
        &[
            gives("contains_all(\"disk is full\", [\"full\", \"disk\"]) ?? false", "{}", "true"),
            gives(
                "contains_all(\"disk is full\", [\"FULL\"], case_sensitive: false) ?? false",
                "{}",
                "true",
            ),
        ],
        contains_all,
    )
    .fallible(),
    Function::new(
        "strip_ansi_escape_codes",
        &[required("value", Kind::STRING)],
        Kind::STRING,
        "The text without the escape sequences that colour it on a terminal (ECMA-48).",
        &[gives("strip_ansi_escape_codes(.a)", r#"{"a":"\u001b[1;31mred\u001b[0m"}"#, r#""red""#)],
        |arguments| {
            let text = arguments.string(0)?;
            if memchr::memchr(0x1B, text).is_none() {
                return Ok(Value::String(text));
            }
            arguments.context.text(&without_escapes(text))
        },
    ),
    Function::new(
        "replace",
        &[
            required("value", Kind::STRING),
            required("pattern", PATTERN),
            required("with", Kind::STRING),
            optional("count", Kind::INTEGER),
        ],
        Kind::STRING,
        "The text with each match of a text or regular expression replaced, or the first so many. Of an expression, \
         `$1` and `$name` are its groups.",
        &[
            gives("replace(\"a-b-c\", \"-\", \"+\")", "{}", r#""a+b+c""#),
            gives("replace(\"a-b-c\", \"-\", \"+\", count: 1)", "{}", r#""a+b-c""#),
            gives("replace(\"id 42\", r'(\\d+)', \"<$1>\")", "{}", r#""id <42>""#),
        ],
        replace,
    ),
    Function::new(
        "replace_with",
        &[
            required("value", Kind::STRING),
            required("pattern", Kind::REGEX),
            optional("count", Kind::INTEGER),
        ],
        Kind::STRING,
        "The text with each match of a regular expression, or the first so many, replaced by what the closure gives. \
         Of a match it sees the text as `string`, the groups as `captures`, and each named group by its name; a group \
         that took no part is null.",
        &[
            gives(
                "replace_with(\"apples and pears\", r'\\b(\\w)(\\w*)') -> |match| { upcase!(match.captures[0]) + string!(match.captures[1]) }",
                "{}",
                r#""Apples And Pears""#,
            ),
            gives(
                "replace_with(\"mail of a@example.com\", r'\\w+@example.com', count: 1) -> |match| { md5(match.string) }",
                "{}",
                r#""mail of b418773a2c51fb9777a1648346fa7394""#,
            ),
            gives(
                "replace_with(\"level=error a\", r'level=(?P<level>\\w+)') -> |match| { upcase!(match.level) }",
                "{}",
                r#""ERROR a""#,
            ),
        ],
        replace_with,
    )
    .closure(ClosureShape {
        takes: &[ClosureTakes::Match],
        returns: Kind::STRING,
        example: "replace_with(.a, r'b') -> |match| { upcase(match.string) }",
    }),
    Function::new(
        "split",
        &[
            required("value", Kind::STRING),
            required("pattern", PATTERN),
            optional("limit", Kind::INTEGER),
        ],
        Kind::ARRAY,
        "The parts of a text between the matches of a text or regular expression, at most so many.",
        &[
            gives("split(\"a,b,c\", \",\")", "{}", r#"["a","b","c"]"#),
            gives("split(\"a,b,c\", \",\", limit: 2)", "{}", r#"["a","b,c"]"#),
            gives("split(\"a1b22c\", r'\\d+')", "{}", r#"["a","b","c"]"#),
        ],
        split,
    )
    .inside(Inside::Items(Kind::STRING)),
    Function::new(
        "slice",
        &[
            required("value", Kind::STRING.or(Kind::ARRAY)),
            required("start", Kind::INTEGER),
            optional("end", Kind::INTEGER),
        ],
        Kind::STRING.or(Kind::ARRAY),
        "The characters of a text, or items of an array, from one place up to another. Negative places count from \
         the end.",
        &[
            gives("slice!(\"Supermän\", 5)", "{}", r#""män""#),
            gives("slice!([1, 2, 3, 4], 1, -1)", "{}", "[2,3]"),
            fails("slice!(.a, 2)", r#"{"a":"x"}"#, "`slice`: the place is outside of the value"),
        ],
        slice,
    )
    .fallible()
    .same_kind(),
    Function::new(
        "truncate",
        &[
            required("value", Kind::STRING),
            required("limit", Kind::INTEGER),
            optional("suffix", Kind::STRING),
        ],
        Kind::STRING,
        "The first so many characters of a text, and a suffix if there were more.",
        &[
            gives("truncate(\"a long text\", 6)", "{}", r#""a long""#),
            gives("truncate(\"a long text\", 6, suffix: \"...\")", "{}", r#""a long...""#),
        ],
        truncate,
    ),
    Function::new(
        "find",
        &[
            required("value", Kind::STRING),
            required("pattern", PATTERN),
            optional("from", Kind::INTEGER),
        ],
        Kind::INTEGER.or(Kind::NULL),
        "The place of the first match in bytes, from a place on; null if there is none.",
        &[
            gives("find(\"foobar\", \"bar\")", "{}", "3"),
            gives("find(\"foobar\", r'b.r')", "{}", "3"),
            gives("find(\"foobar\", \"x\")", "{}", "null"),
        ],
        |arguments| {
            let text = arguments.string(0)?;
            let from = usize::try_from(arguments.integer_or(2, 0)?).unwrap_or(0).min(text.len());
            let found = match arguments.value(1)? {
                Value::String(part) => memmem::find(&text[from..], part).map(|at| from + at),
                Value::Regex(regex) => regex.find_at(text, from).map(|found| found.start()),
                other => return Err(arguments.wrong_type(1, other)),
            };
            Ok(found.map_or(Value::Null, |at| Value::Integer(at as i64)))
        },
    ),
    Function::new(
        "match_any",
        &[required("value", Kind::STRING), required("patterns", Kind::ARRAY)],
        Kind::BOOLEAN,
        "Whether one of several regular expressions matches somewhere in the text.",
        &[gives("match_any(.a, [r'^x', r'y$']) ?? false", r#"{"a":"say"}"#, "true")],
        |arguments| {
            let text = arguments.string(0)?;
            let mut matches = false;
            for pattern in arguments.array(1)?.iter(arguments.context.bump) {
                match pattern {
                    Value::Regex(regex) => matches |= regex.is_match(text),
                    _ => return Err(arguments.error("the patterns must be regular expressions")),
                }
            }
            Ok(Value::Boolean(matches))
        },
    )
    .fallible(),
    Function::new(
        "sieve",
        &[
            required("value", Kind::STRING),
            required("permitted_characters", Kind::REGEX),
            optional("replace_single", Kind::STRING),
            optional("replace_repeated", Kind::STRING),
        ],
        Kind::STRING,
        "What the expression matches of a text. What stands between the matches is taken out, or replaced, a single \
         character by the one text, several by the other.",
        &[
            gives("sieve(\"vector.dev/lowerUPPER\", r'[a-z]')", "{}", r#""vectordevlower""#),
            gives(
                "sieve(\"a%b.ñö.c\", r'[a-z.]', replace_single: \"X\", replace_repeated: \"<REMOVED>\")",
                "{}",
                r#""aXb.<REMOVED>.c""#,
            ),
        ],
        sieve,
    ),
    Function::new(
        "match_array",
        &[
            required("value", Kind::ARRAY),
            required("pattern", Kind::REGEX),
            optional("all", Kind::BOOLEAN),
        ],
        Kind::BOOLEAN,
        "Whether the regular expression matches a text of the array, or with `all` every item.",
        &[
            gives("match_array([\"foobar\", \"bazqux\"], r'foo')", "{}", "true"),
            gives("match_array([\"foo\", 1], r'foo', all: true)", "{}", "false"),
        ],
        |arguments| {
            let pattern = arguments.regex(1)?;
            let mut items = arguments.array(0)?.iter(arguments.context.bump);
            let is_match =
                |item: Value<'_>| matches!(item, Value::String(text) if pattern.is_match(text));
            let all = arguments.flag(2, false)?;
            Ok(Value::Boolean(if all { items.all(is_match) } else { items.any(is_match) }))
        },
    ),
];

fn sieve<'a>(arguments: &Arguments<'a, '_>) -> Result<Value<'a>, EvalError> {
    let (text, permitted) = (arguments.string(0)?, arguments.regex(1)?);
    let (single, repeated) = (arguments.string_or(2, "")?, arguments.string_or(3, "")?);
    let mut out = BumpVec::new_in(arguments.context.bump);
    let mut from = 0;
    let ends = std::iter::once((text.len(), text.len()));
    for (start, end) in
        permitted.find_iter(text).map(|found| (found.start(), found.end())).chain(ends)
    {
        let between = String::from_utf8_lossy(&text[from..start]);
        out.extend_from_slice_copy(match between.chars().take(2).count() {
            0 => b"",
            1 => single,
            _ => repeated,
        });
        out.extend_from_slice_copy(&text[start..end]);
        arguments.context.check_text(out.len())?;
        from = end;
    }
    arguments.context.written_text(out)
}

fn replace<'a>(arguments: &Arguments<'a, '_>) -> Result<Value<'a>, EvalError> {
    let context = arguments.context;
    let (text, with) = (arguments.string(0)?, arguments.string(2)?);
    let count = arguments.integer_or(3, -1)?;
    let limit = usize::try_from(count).unwrap_or(usize::MAX);
    let mut out = BumpVec::new_in(context.bump);
    let mut from = 0;
    match arguments.value(1)? {
        Value::String(part) => {
            for at in memmem::find_iter(text, part).take(limit) {
                out.extend_from_slice_copy(&text[from..at]);
                out.extend_from_slice_copy(with);
                from = at + part.len();
                context.check_text(out.len())?;
            }
        }
        Value::Regex(regex) => {
            let mut expanded = Vec::new();
            for captures in regex.captures_iter(text).take(limit) {
                let Some(whole) = captures.get(0) else { break };
                out.extend_from_slice_copy(&text[from..whole.start()]);
                expanded.clear();
                captures.expand(with, &mut expanded);
                out.extend_from_slice_copy(&expanded);
                from = whole.end();
                context.check_text(out.len())?;
            }
        }
        other => return Err(arguments.wrong_type(1, other)),
    }
    if out.is_empty() && from == 0 {
        return Ok(Value::String(text));
    }
    out.extend_from_slice_copy(&text[from..]);
    context.written_text(out)
}

/// A group of an expression that has the name of what every match has, in a call whose closure takes matches.
pub(crate) fn shadowing_group(
    function: &Function,
    nodes: &[Option<Node>],
) -> Option<(usize, ExprError)> {
    let shape = function.closure.as_ref()?;
    if !shape.takes.contains(&ClosureTakes::Match) {
        return None;
    }
    nodes.iter().enumerate().find_map(|(index, node)| {
        let Some(Node::Constant(Constant::Regex(regex))) = node else { return None };
        let name = regex.capture_names().flatten().find(|name| OF_A_MATCH.contains(name))?;
        let message = format!("a group cannot be named `{name}`: a match has that of its own");
        Some((index, ExprError::new(0..0, message).help("give the group another name")))
    })
}

fn replace_with<'a>(arguments: &Arguments<'a, '_>) -> Result<Value<'a>, EvalError> {
    let context = arguments.context;
    let (text, pattern) = (arguments.string(0)?, arguments.regex(1)?);
    let limit = usize::try_from(arguments.integer_or(2, -1)?).unwrap_or(usize::MAX);
    let mut out = BumpVec::new_in(context.bump);
    let mut from = 0;
    for captures in pattern.captures_iter(text).take(limit) {
        let Some(whole) = captures.get(0) else { break };
        let group = |group: Option<Match<'a>>| {
            group.map_or(Value::Null, |group| Value::String(group.as_bytes()))
        };
        let groups = context.array(captures.iter().skip(1).map(group));
        let names = pattern.capture_names().flatten();
        let mut members: Vec<Member<'a>> =
            names.map(|name| (name.as_bytes(), group(captures.name(name)))).collect();
        // Of a key that comes twice the last one counts: no group takes the place of these.
        members.push((STRING.as_bytes(), Value::String(whole.as_bytes())));
        members.push((CAPTURES.as_bytes(), groups));
        let made = arguments.run(&[super::object::unique_members(members, context)])?;
        let Value::String(with) = made else {
            return Err(arguments.error("the closure must give a string"));
        };
        out.extend_from_slice_copy(&text[from..whole.start()]);
        out.extend_from_slice_copy(with);
        from = whole.end();
        context.check_text(out.len())?;
    }
    if out.is_empty() && from == 0 {
        return Ok(Value::String(text));
    }
    out.extend_from_slice_copy(&text[from..]);
    context.written_text(out)
}

fn split<'a>(arguments: &Arguments<'a, '_>) -> Result<Value<'a>, EvalError> {
    let text = arguments.string(0)?;
    let limit = match arguments.integer_or(2, i64::MAX)? {
        0 => return Ok(Value::Array(Array::Items(&[]))),
        limit => usize::try_from(limit).unwrap_or(usize::MAX),
    };
    let mut parts = BumpVec::new_in(arguments.context.bump);
    match arguments.value(1)? {
        Value::String(part) => {
            let mut from = 0;
            for at in memmem::find_iter(text, part).take(limit - 1) {
                parts.push(Value::String(&text[from..at]));
                from = at + part.len();
            }
            parts.push(Value::String(&text[from..]));
        }
        Value::Regex(regex) => parts.extend(regex.splitn(text, limit).map(Value::String)),
        other => return Err(arguments.wrong_type(1, other)),
    }
    Ok(arguments.context.array_of(parts))
}

/// Where character number `at` begins.
fn place(text: &str, at: usize) -> usize {
    text.char_indices().nth(at).map_or(text.len(), |(place, _)| place)
}

fn slice<'a>(arguments: &Arguments<'a, '_>) -> Result<Value<'a>, EvalError> {
    let value = arguments.value(0)?;
    let (text, len) = match value {
        Value::String(bytes) => {
            let text = std::str::from_utf8(bytes);
            let text = text.map_err(|_| arguments.error("the text is not UTF-8"))?;
            (text, if bytes.is_ascii() { bytes.len() } else { text.chars().count() })
        }
        Value::Array(array) => ("", array.len()),
        other => return Err(arguments.wrong_type(0, other)),
    };
    let len = len as i64;
    let from_end = |at: i64| if at < 0 { at.saturating_add(len) } else { at };
    let start = from_end(arguments.integer(1)?);
    let end = from_end(arguments.integer_or(2, len)?).min(len);
    if !(0..=len).contains(&start) || end < start {
        return Err(arguments.error("the place is outside of the value"));
    }
    let (start, end) = (start as usize, end as usize);
    match value {
        Value::Array(array) => {
            let items = array.iter(arguments.context.bump).skip(start).take(end - start);
            Ok(arguments.context.array(items))
        }
        _ => Ok(Value::str(&text[place(text, start)..place(text, end)])),
    }
}

fn truncate<'a>(arguments: &Arguments<'a, '_>) -> Result<Value<'a>, EvalError> {
    let text = arguments.string(0)?;
    let limit = usize::try_from(arguments.integer(1)?).unwrap_or(0);
    let end = match std::str::from_utf8(text) {
        Ok(text) => place(text, limit),
        Err(_) => limit.min(text.len()),
    };
    if end == text.len() || !arguments.given(2) {
        return Ok(Value::String(&text[..end]));
    }
    let mut out = BumpVec::from_iter_in(text[..end].iter().copied(), arguments.context.bump);
    out.extend_from_slice_copy(arguments.string(2)?);
    arguments.context.written_text(out)
}

fn contains_all<'a>(arguments: &Arguments<'a, '_>) -> Result<Value<'a>, EvalError> {
    let context = arguments.context;
    let is_exact = arguments.flag(2, true)?;
    let folded = |text: &'a [u8]| if is_exact { text } else { super::string::lower(text, context) };
    let text = folded(arguments.string(0)?);
    for item in arguments.array(1)?.iter(context.bump) {
        let Value::String(part) = item else {
            return Err(arguments.error("`substrings` must be texts"));
        };
        if memmem::find(text, folded(part)).is_none() {
            return Ok(Value::Boolean(false));
        }
    }
    Ok(Value::Boolean(true))
}

/// The text without control sequences (`ESC [`, parameters, a final byte), texts for the terminal (`ESC ]` up to
/// BEL or `ESC \`), and other escapes of two bytes.
fn without_escapes(text: &[u8]) -> Vec<u8> {
    let mut plain = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = memchr::memchr(0x1B, rest) {
        plain.extend_from_slice(&rest[..at]);
        rest = &rest[at + 1..];
        rest = match rest.split_first() {
            Some((b'[', after)) => {
                let len = after.iter().take_while(|byte| (0x20..=0x3F).contains(*byte)).count();
                after.get(len + 1..).unwrap_or_default()
            }
            Some((b']', after)) => match memchr::memchr2(0x07, 0x1B, after) {
                Some(end) if after[end] == 0x07 => &after[end + 1..],
                Some(end) => after.get(end + 2..).unwrap_or_default(),
                None => &[],
            },
            Some((_, after)) => after,
            None => &[],
        };
    }
    plain.extend_from_slice(rest);
    plain
}
