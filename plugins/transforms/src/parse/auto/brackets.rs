//! The elements between time and message that stand in brackets.

use super::element::{self, Bracket, Gap};
use super::elements::NAME_LEN_MAX;
use super::header::{Range, Scanner, Step};
use crate::level::Level;

impl Scanner<'_> {
    /// A bracket of its own.
    pub(super) fn bracket(&mut self, gap: Gap) -> Step {
        self.is_after_level = false;
        let Some(bracket) = Bracket::at(self.head, self.at) else { return Step::Message };
        let Bracket { inner, end } = bracket;
        let text = inner.of(self.head);
        let is_round = self.is(self.at, b'(');
        if self.header.level.is_none()
            && let Some(level) = Level::of_word(text)
        {
            self.header.level = Some((inner, level));
            self.at = end;
            self.is_after_level = true;
            return Step::Go;
        }
        if self.header.level.is_none() && self.has_level(inner) {
            // The rest of the header is in one bracket: `[main INFO com.example.Class]`.
            self.closer = Some(if is_round { b')' } else { b']' });
            self.at = inner.start;
            return Step::Go;
        }
        if is_round && text.starts_with(b"0x") {
            self.at = end;
            return self.after_bracket(true);
        }
        if gap.colon && self.header.level.is_some() && !self.is_context(text) {
            return Step::Message;
        }
        if is_round && !self.is_round_header(text) {
            return Step::Message;
        }
        if !self.take_bracket(inner) {
            return Step::Message;
        }
        self.at = end;
        self.after_bracket(false)
    }

    /// Whether one of several words is a level in capitals.
    fn has_level(&self, inner: Range) -> bool {
        let is_level =
            |word: &[u8]| word.iter().all(u8::is_ascii_uppercase) && Level::of_word(word).is_some();
        let mut words =
            inner.of(self.head).split(|byte| *byte == b' ').filter(|word| !word.is_empty());
        words.by_ref().take(5).any(is_level)
    }

    /// Whether what stands in parentheses is a part of the header: behind level and name, or in prose.
    fn is_round_header(&self, text: &[u8]) -> bool {
        let is_known = self.header.level.is_some() && self.header.thread.is_none();
        is_known && !text.contains(&b' ') && text.len() <= NAME_LEN_MAX
    }

    fn is_context(&self, text: &[u8]) -> bool {
        text == b"-" || text.starts_with(b"req-") || (text.contains(&b'=') && !text.ends_with(b"="))
    }

    /// What follows a bracket: a colon ends the header, unless the level is still to come.
    fn after_bracket(&mut self, is_mark: bool) -> Step {
        if !self.is(self.at, b':') {
            return Step::Go;
        }
        let next = element::skip_spaces(self.head, self.at + 1);
        if self.header.level.is_none() && !is_mark && self.level_ahead(next).is_some() {
            return Step::Go;
        }
        self.at += 1;
        Step::Message
    }

    /// Sorts what is in a bracket into the header; `false` if it is text.
    fn take_bracket(&mut self, inner: Range) -> bool {
        let text = inner.of(self.head);
        if matches!(text, b"" | b"null" | b"(null)") {
            return true;
        }
        if text.iter().all(u8::is_ascii_digit) {
            if self.header.level.is_some()
                && self.header.component.is_some()
                && self.header.pid.is_some()
            {
                return false;
            }
            self.push_number(inner);
            return true;
        }
        if text.starts_with(b"client ") {
            return false;
        }
        if let Some(rest) = text.strip_prefix(b"pid ") {
            self.process(inner.start + 4, rest);
            return true;
        }
        if self.module_and_level(inner) || self.class_and_line(inner) {
            return true;
        }
        if self.is_context(text) || (self.header.component.is_some() && text.starts_with(b"-")) {
            self.header.context.get_or_insert(inner);
            return true;
        }
        if element::is_location(text) {
            self.header.location.get_or_insert(inner);
            return true;
        }
        let is_full = self.header.level.is_some()
            && self.header.component.is_some()
            && (self.header.thread.is_some()
                || self.pending[0].is_some()
                || self.header.context.is_some());
        let spaces = text.iter().filter(|byte| **byte == b' ').count();
        let is_sentence = spaces > 2 && !self.is_before_name(inner.end + 1);
        if is_full || is_sentence || text.len() > 2 * NAME_LEN_MAX {
            return false;
        }
        if self.pending[1].is_some() {
            // The third is the number of a request or a trace.
            self.header.context.get_or_insert(inner);
            return spaces == 0;
        }
        if self.header.component.is_some() && self.header.thread.is_none() {
            self.header.thread = Some(inner);
        } else {
            self.push_pending(inner);
        }
        true
    }

    /// Whether a component follows, punctuated as one: then even a sentence in a bracket is a thread's name.
    fn is_before_name(&self, end: usize) -> bool {
        let word = element::word(self.head, element::skip_spaces(self.head, end));
        let name = word.of(self.head).strip_suffix(b":");
        self.header.level.is_some() && name.is_some_and(element::is_dotted)
    }

    /// `17725`, `9:tid 140597881775872`.
    fn process(&mut self, start: usize, text: &[u8]) {
        let digits = text.iter().take_while(|byte| byte.is_ascii_digit()).count();
        self.header.pid = Some(Range::new(start, start + digits));
        if let Some(at) = memchr::memmem::find(text, b"tid ") {
            self.header.thread = Some(Range::new(start + at + 4, start + text.len()));
        }
    }

    /// `mpm_prefork:notice`, `:error`.
    fn module_and_level(&mut self, inner: Range) -> bool {
        let text = inner.of(self.head);
        if self.header.level.is_some() || text.contains(&b' ') {
            return false;
        }
        let Some(colon) = memchr::memrchr(b':', text) else { return false };
        let level = &text[colon + 1..];
        let found = Level::of_word(level).or_else(|| {
            // Apache's finest levels are `trace1` to `trace8`.
            level.strip_suffix(&level[level.len().saturating_sub(1)..]).and_then(Level::of_word)
        });
        let Some(found) = found else { return false };
        self.header.level = Some((Range::new(inner.start + colon + 1, inner.end), found));
        if colon > 0 {
            self.header.component = Some(Range::new(inner.start, inner.start + colon));
        }
        true
    }

    /// `Worker[1]:o.a.z.FastLeaderElection@391`: thread, class and line.
    fn class_and_line(&mut self, inner: Range) -> bool {
        let text = inner.of(self.head);
        let Some(at) = memchr::memrchr(b'@', text) else { return false };
        let is_line = at + 1 < text.len() && text[at + 1..].iter().all(u8::is_ascii_digit);
        let Some(colon) = memchr::memrchr(b':', &text[..at]).filter(|_| is_line) else {
            return false;
        };
        if !element::is_name(&text[colon + 1..at]) {
            return false;
        }
        self.header.component = Some(Range::new(inner.start + colon + 1, inner.start + at));
        self.header.location = Some(Range::new(inner.start + at + 1, inner.end));
        let thread = Range::new(inner.start, inner.start + text[..colon].len());
        let thread =
            Range::new(thread.start, thread.end - usize::from(text[..colon].ends_with(b":")));
        self.header.thread = Some(thread);
        true
    }
}
