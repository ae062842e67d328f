//! `Oct 11 22:14:15 host tag[pid]: message`, behind the priority or without one, and its usual deviations.

use super::{APPNAME, HOSTNAME, MESSAGE, PROCID, TIMESTAMP, push};
use crate::cef;
use crate::civil::{Zone, read_bsd, read_iso};
use crate::quoted::{find_byte, read_number, skip};
use crate::row::{Expected, Part, Row, Value};

/// Characters of a tag: longer words before a colon are taken for text.
const TAG_CHARACTERS_MAX: usize = 128;

/// Whether the line has a priority.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Priority {
    Given,
    Absent,
}

/// Parses what follows the priority. Without a time all of it is the message; without a priority too it is no
/// syslog.
pub(super) fn parse(
    text: &[u8],
    at: usize,
    priority: Priority,
    zone: &Zone,
    row: &mut Row,
) -> Result<(), Expected> {
    let start = skip_sequence(text, at);
    let time = read_bsd(text, start, zone, row.now_ns).or_else(|| read_iso(text, start, zone));
    let Some((instant, end)) = time else {
        if priority == Priority::Absent {
            return Err(Expected::new("a priority such as `<34>` or a time", at));
        }
        let start = skip(text, at, b' ');
        parse_tag(text, start, row);
        return Ok(());
    };
    row.timestamp_ns = Some(instant);
    row.push(TIMESTAMP, Value::Text(Part::source(start, end).clean()));
    let mut at = skip_zone(text, end);
    let host_end = find_byte(text, at, b' ');
    let host = &text[at..host_end];
    let is_tag = host.ends_with(b":")
        || (host.contains(&b'[') && !host.starts_with(b"["))
        || host.starts_with(cef::START);
    if !is_tag && host_end < text.len() {
        push(row, HOSTNAME, text, at, host_end);
        at = skip(text, host_end, b' ');
    }
    parse_tag(text, at, row);
    Ok(())
}

/// Position behind what Cisco's devices put before the time: `123: `, `: `, `*`.
fn skip_sequence(text: &[u8], at: usize) -> usize {
    let start = skip(text, at, b' ');
    let digits = read_number(text, start, 0, 18).map_or(start, |(_, end)| end);
    let mut at = if text[digits..].starts_with(b": ") { digits + 2 } else { start };
    if let Some(b'*' | b'.') = text.get(at) {
        at += 1;
    }
    at
}

/// Position behind ` UTC`, `: ` and spaces that follow a time.
fn skip_zone(text: &[u8], at: usize) -> usize {
    let start = skip(text, at, b' ');
    let letters = text[start..].iter().take_while(|byte| byte.is_ascii_uppercase()).count();
    let mut at = start;
    if (3..=5).contains(&letters)
        && text.get(start + letters) == Some(&b':')
        && start > at.min(start - 1)
        && !text[start..].starts_with(cef::START)
    {
        at = start + letters;
    }
    if text[at..].starts_with(b": ") { skip(text, at + 1, b' ') } else { at }
}

/// `tag[pid]: message` or `tag: message`; what is neither is all message.
fn parse_tag(text: &[u8], at: usize, row: &mut Row) {
    let is_in = |byte: &u8| !matches!(byte, b':' | b'[' | b' ');
    let len = text[at..].iter().take(TAG_CHARACTERS_MAX).take_while(|byte| is_in(byte)).count();
    let tag_end = at + len;
    let mut message = None;
    match text.get(tag_end) {
        Some(b':') if len > 0 => message = behind_colon(text, tag_end),
        Some(b'[') if len > 0 => {
            let close = find_byte(text, tag_end, b']');
            let is_id = text[tag_end..close].iter().all(|byte| *byte != b' ');
            if close < text.len() && is_id {
                message = behind_colon(text, close + 1)
                    .or_else(|| text[close + 1..].starts_with(b" ").then_some(close + 2));
                if message.is_some() {
                    push(row, APPNAME, text, at, tag_end);
                    push(row, PROCID, text, tag_end + 1, close);
                    push(row, MESSAGE, text, message.unwrap_or(text.len()), text.len());
                    return;
                }
            }
        }
        _ => {}
    }
    if message.is_some() {
        push(row, APPNAME, text, at, tag_end);
    }
    push(row, MESSAGE, text, message.unwrap_or(at), text.len());
}

/// The start of the message behind the colon at `at`.
fn behind_colon(text: &[u8], at: usize) -> Option<usize> {
    match &text[at..] {
        b":" => Some(at + 1),
        [b':', b' ', ..] => Some(at + 2),
        _ => None,
    }
}
