//! The header of syslog as files have it: host, program and process between time and message.

use lograil_codec::cef;

use super::element::{self, Bracket};
use super::header::{Range, Scanner};
use crate::level::Level;

/// Longest name of a program.
const NAME_LEN_MAX: usize = 128;

impl Scanner<'_> {
    /// Whether what follows the time is a host and a program: always behind syslog's own time, which has the
    /// month as a word and no year; behind others only if it is punctuated so.
    pub(super) fn is_syslog(&self) -> bool {
        let Some((range, _)) = self.header.time else { return false };
        if self.closer.is_some() || self.header.level.is_some() || !self.is(range.end, b' ') {
            return false;
        }
        let host = element::word(self.head, element::skip_spaces(self.head, range.end));
        let name = host.of(self.head);
        if name.is_empty() || matches!(name[0], b'[' | b'(' | b'|' | b'-' | b'"') {
            return false;
        }
        if Level::of_word(element::trim(self.head, host).of(self.head)).is_some() {
            return false;
        }
        if self.has_syslog_time || is_event(self.head, host) {
            return true;
        }
        let is_host = element::is_name(name)
            && name
                .iter()
                .any(|byte| matches!(byte, b'-' | b'.' | b'/' | b'@') || byte.is_ascii_digit());
        let program = element::word(self.head, element::skip_spaces(self.head, host.end));
        if self.header.host.is_none() && element::is_name(name) && is_event(self.head, program) {
            return true;
        }
        let program = program.of(self.head);
        let name = program.strip_suffix(b":").unwrap_or_default();
        let name = match memchr::memchr(b'[', name) {
            Some(bracket) if name.ends_with(b"]") => &name[..bracket],
            Some(_) => return false,
            None => name,
        };
        is_host
            && self.header.host.is_none()
            && element::is_name(name)
            && Level::of_word(name).is_none()
    }

    /// Host, program, process.
    pub(super) fn syslog(&mut self) {
        self.at = element::skip_spaces(self.head, self.at);
        let host = element::word(self.head, self.at);
        let is_program = host.of(self.head).ends_with(b":")
            || host.of(self.head).contains(&b'[')
            || host.of(self.head).starts_with(cef::START);
        if !is_program && host.start < host.end {
            self.header.host = Some(host);
            self.at = element::skip_spaces(self.head, host.end);
            self.skip_dashes();
        }
        self.facility_and_level();
        self.program_and_process();
    }

    /// ` -- root[2421]: text`: some programs leave their name out and put dashes before it.
    fn skip_dashes(&mut self) {
        if self.head[self.at..].starts_with(b"-- ") {
            self.at += 3;
        }
    }

    /// `user.warn`, or a level's letter.
    fn facility_and_level(&mut self) {
        let word = element::word(self.head, self.at);
        let text = word.of(self.head);
        let (start, level) = match text {
            [letter] if letter.is_ascii_uppercase() => (word.start, Level::of_letter(*letter)),
            text => {
                let Some(dot) = memchr::memchr(b'.', text) else { return };
                let is_facility = text[..dot].iter().all(u8::is_ascii_alphanumeric);
                let level = Level::of_word(&text[dot + 1..]).filter(|_| is_facility);
                (word.start + dot + 1, level)
            }
        };
        if let Some(level) = level {
            self.header.level = Some((Range::new(start, word.end), level));
            self.at = element::skip_spaces(self.head, word.end);
        }
    }

    /// `sshd[24200]:`, `kernel:`, `syslogd 1.4.1:`, `Microsoft Word[14463]:`, `launchd[1] (com.apple.x):`.
    fn program_and_process(&mut self) {
        let start = self.at;
        let limit = self.head.len().min(start + NAME_LEN_MAX);
        let mut words = 1;
        let mut at = start;
        while at < limit {
            match self.head[at] {
                b'[' => {
                    if at > start {
                        self.process_of(Range::new(start, at));
                    }
                    return;
                }
                b':' => {
                    let next = self.head.get(at + 1);
                    if !matches!(next, None | Some(b' ' | b'\t')) {
                        if words > 1 {
                            return;
                        }
                        at += 1;
                        continue;
                    }
                    let name = Range::new(start, at);
                    let is_program = match words {
                        1 => at > start,
                        _ => is_version(name.of(self.head)),
                    };
                    if is_program {
                        self.header.component = Some(name);
                        self.at = at + 1;
                    }
                    return;
                }
                b' ' if words == 3 => return,
                b' ' => words += 1,
                b'=' | b'"' | b',' | b';' => return,
                _ => {}
            }
            at += 1;
        }
    }

    /// The process behind a program's name, and what some systems put behind that.
    fn process_of(&mut self, name: Range) {
        let Some(bracket) = Bracket::at(self.head, name.end) else { return };
        let inner = bracket.inner.of(self.head);
        let is_process = !inner.is_empty() && inner.iter().all(u8::is_ascii_digit);
        if !is_process {
            return;
        }
        let mut end = bracket.end;
        if self.head[end..].starts_with(b" (") {
            match Bracket::at(self.head, end + 1) {
                Some(sub) if self.is(sub.end, b':') => {
                    self.header.context = Some(sub.inner);
                    end = sub.end;
                }
                _ => {}
            }
        }
        if !self.is(end, b':') && name.of(self.head).contains(&b' ') {
            return;
        }
        self.header.component = Some(name);
        self.header.pid = Some(bracket.inner);
        self.at = end + usize::from(self.is(end, b':'));
        self.level_of_message();
    }

    /// Programs that say the level themselves: `settingsd[263657]: debug [...]`.
    fn level_of_message(&mut self) {
        if self.header.level.is_some() {
            return;
        }
        let word = element::word(self.head, element::skip_spaces(self.head, self.at));
        let text = word.of(self.head);
        let is_marked = self.head[word.end..].starts_with(b" [");
        let name = text.strip_suffix(b":").filter(|_| text.is_ascii()).unwrap_or(if is_marked {
            text
        } else {
            b""
        });
        if let Some(level) = Level::of_word(name) {
            self.header.level = Some((Range::new(word.start, word.start + name.len()), level));
        }
    }
}

/// Whether the word begins an event in CEF: its mark and, perhaps behind a blank, the version.
fn is_event(head: &[u8], word: Range) -> bool {
    let behind = head[word.start..].strip_prefix(cef::START);
    behind.is_some_and(|behind| behind.trim_ascii_start().first().is_some_and(u8::is_ascii_digit))
}

/// Whether a second word is a version: `syslogd 1.4.1`.
fn is_version(name: &[u8]) -> bool {
    let mut words = name.split(|byte| *byte == b' ');
    let (Some(_), Some(version), None) = (words.next(), words.next(), words.next()) else {
        return false;
    };
    version.first().is_some_and(u8::is_ascii_digit) && version.contains(&b'.')
}
