//! Access logs: the common log format of Apache, and `combined` of Apache and nginx, which adds referrer and agent:
//! <https://httpd.apache.org/docs/current/logs.html#accesslog>.

use crate::civil::read_access_time;
use crate::quoted::{Strictness, find_byte};
use crate::row::{Expected, Part, Row, RowParser, Value, names};

/// Which access log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AccessLogKind {
    /// `%h %l %u %t "%r" %>s %b`.
    Common,
    /// The same, and `"%{Referer}i" "%{User-agent}i"`.
    Combined,
}

/// The parser of access logs.
#[derive(Debug)]
pub struct AccessLog {
    kind: AccessLogKind,
    strictness: Strictness,
    columns: Vec<String>,
}

const COLUMNS: [&str; 13] = [
    "host",
    "identity",
    "user",
    "timestamp",
    "method",
    "path",
    "protocol",
    "request",
    "status",
    "size",
    "referrer",
    "agent",
    "rest",
];
const HOST: u32 = 0;
const IDENTITY: u32 = 1;
const USER: u32 = 2;
const TIMESTAMP: u32 = 3;
const METHOD: u32 = 4;
const PATH: u32 = 5;
const PROTOCOL: u32 = 6;
const REQUEST: u32 = 7;
const STATUS: u32 = 8;
const SIZE: u32 = 9;
const REFERRER: u32 = 10;
const AGENT: u32 = 11;
const REST: u32 = 12;

impl AccessLog {
    /// A parser. A lenient one takes what follows the last field as `rest`, and lines of `combined` that end
    /// before the referrer.
    #[must_use]
    pub fn new(kind: AccessLogKind, strictness: Strictness) -> Self {
        Self { kind, strictness, columns: names(&COLUMNS) }
    }

    /// The part behind the size.
    fn tail(&self, text: &[u8], mut at: usize, row: &mut Row) -> Result<(), Expected> {
        let is_strict = self.strictness == Strictness::Strict;
        if self.kind == AccessLogKind::Combined && (is_strict || text[at..].starts_with(b" \"")) {
            for column in [REFERRER, AGENT] {
                let start = expect(text, at, b" \"", "` \"`")?;
                let end = closing_quote(text, start)?;
                push(row, column, text, start, end);
                at = end + 1;
            }
        }
        let rest = text[at..].trim_ascii();
        if rest.is_empty() {
            return Ok(());
        }
        if is_strict || text[at] != b' ' {
            return Err(Expected::new("the end", at));
        }
        let start = at + 1;
        row.push_text(REST, start, start + text[start..].trim_ascii_end().len());
        Ok(())
    }
}

/// Adds a text, unless it is nothing or the `-` that stands for nothing.
#[inline]
fn push(row: &mut Row, column: u32, text: &[u8], start: usize, end: usize) {
    if !matches!(&text[start..end], b"" | b"-") {
        row.push_text(column, start, end);
    }
}

#[inline]
fn expect(text: &[u8], at: usize, literal: &[u8], what: &'static str) -> Result<usize, Expected> {
    if text[at..].starts_with(literal) {
        Ok(at + literal.len())
    } else {
        Err(Expected::new(what, at))
    }
}

/// The first quote that no backslash stands before.
#[inline]
fn closing_quote(text: &[u8], start: usize) -> Result<usize, Expected> {
    let mut from = start;
    loop {
        let at = find_byte(text, from, b'"');
        if at == text.len() {
            return Err(Expected::new("the closing quote", at));
        }
        let slashes = text[start..at].iter().rev().take_while(|byte| **byte == b'\\').count();
        if slashes.is_multiple_of(2) {
            return Ok(at);
        }
        from = at + 1;
    }
}

/// Splits `GET /path HTTP/1.1`. What is none (a TLS hello, `-`) stays whole.
#[inline]
fn push_request(row: &mut Row, text: &[u8], start: usize, end: usize) {
    let request = &text[start..end];
    let method_end = request.iter().take_while(|byte| byte.is_ascii_uppercase()).count();
    let is_method = (1..=32).contains(&method_end) && request.get(method_end) == Some(&b' ');
    if !is_method || request.len() == method_end + 1 {
        return push(row, REQUEST, text, start, end);
    }
    let path_start = start + method_end + 1;
    row.push(METHOD, Value::Text(Part::source(start, start + method_end).clean()));
    let protocol = memchr::memrchr(b' ', &text[path_start..end]).map(|at| path_start + at + 1);
    match protocol.filter(|at| text[*at..end].starts_with(b"HTTP/")) {
        Some(protocol) => {
            row.push_text(PATH, path_start, protocol - 1);
            row.push_text(PROTOCOL, protocol, end);
        }
        None => row.push_text(PATH, path_start, end),
    }
}

/// Reads a number or `-`; gives the position behind it.
#[inline]
fn push_number(row: &mut Row, column: u32, text: &[u8], at: usize) -> Result<usize, Expected> {
    if text.get(at) == Some(&b'-') {
        return Ok(at + 1);
    }
    let digits = text[at..].iter().take_while(|byte| byte.is_ascii_digit()).count();
    let is_json = digits == 1 || text.get(at) != Some(&b'0');
    if digits == 0 || !is_json {
        return Err(Expected::new("a number or `-`", at));
    }
    row.push(column, Value::Number(Part::source(at, at + digits)));
    Ok(at + digits)
}

impl RowParser for AccessLog {
    fn columns(&self) -> &[String] {
        &self.columns
    }

    fn parse(&mut self, text: &[u8], row: &mut Row) -> Result<(), Expected> {
        let mut at = 0;
        for column in [HOST, IDENTITY] {
            let end = find_byte(text, at, b' ');
            if end == at || end == text.len() {
                return Err(Expected::new("a word and a space", at));
            }
            push(row, column, text, at, end);
            at = end + 1;
        }
        // The name of a user may have spaces.
        let bracket = memchr::memmem::find(&text[at..], b" [").map(|offset| at + offset);
        let user_end = bracket.ok_or(Expected::new("a user and ` [`", at))?;
        push(row, USER, text, at, user_end);
        let start = user_end + 2;
        let end = find_byte(text, start, b']');
        let time = &text[start..end];
        let timestamp = read_access_time(time);
        row.timestamp_ns =
            Some(timestamp.ok_or(Expected::new("a time as `10/Oct/2025:13:55:36 -0700`", start))?);
        row.push(TIMESTAMP, Value::Text(Part::source(start, end).clean()));
        let start = expect(text, end, b"] \"", "`] \"`")?;
        let end = closing_quote(text, start)?;
        push_request(row, text, start, end);
        let at = expect(text, end, b"\" ", "`\" `")?;
        let end = push_number(row, STATUS, text, at)?;
        let at = expect(text, end, b" ", "a space")?;
        let end = push_number(row, SIZE, text, at)?;
        self.tail(text, end, row)
    }
}

#[cfg(test)]
mod tests;
