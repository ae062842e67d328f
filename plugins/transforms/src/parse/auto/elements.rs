//! The elements between time and message: words, and the cells between `|`.

use super::element::{self, Bracket, Gap};
use super::header::{Range, Scanner, Step};
use crate::level::Level;

/// Longest name of a component before ` - ` or ` : `.
pub(super) const NAME_LEN_MAX: usize = 64;

impl Scanner<'_> {
    /// A word that is not in a bracket of its own.
    pub(super) fn word(&mut self, gap: Gap) -> Step {
        let range = self.word_range();
        let was_after_level = std::mem::take(&mut self.is_after_level);
        if range.start == range.end {
            return self.quoted();
        }
        if self.header.level.is_none() && self.take_level(range, gap) {
            return Step::Go;
        }
        let word = range.of(self.head);
        if self.repeats_level(word) {
            self.at = range.end;
            self.is_after_level = true;
            return Step::Go;
        }
        if self.closer.is_some() {
            return self.word_in_bracket(range);
        }
        if word.iter().all(u8::is_ascii_digit) {
            return self.number(range, was_after_level);
        }
        if gap.colon && was_after_level {
            return self.name_behind_colon(range);
        }
        if let Some(step) = self.component(range, was_after_level) {
            return step;
        }
        if self.header.level.is_none()
            && let Some((level_range, level)) = self.level_ahead(range.start)
        {
            return self.words_until(range, level_range, level);
        }
        Step::Message
    }

    /// From the present position to what ends a word.
    fn word_range(&self) -> Range {
        let start = self.at;
        let mut end = start;
        while let Some(byte) = self.head.get(end) {
            let is_end = match byte {
                b' ' | b'\t' | b'|' | b'[' | 0x1B => true,
                b',' => matches!(self.head.get(end + 1), Some(b' ' | b'\t') | None),
                b':' if self.is_path(end) => {
                    end += 2;
                    continue;
                }
                b':' => {
                    let next = self.head.get(end + 1);
                    matches!(next, None | Some(b' ' | b'\t' | b':'))
                        || Level::of_word(&self.head[start..end]).is_some()
                }
                byte => Some(*byte) == self.closer,
            };
            if is_end {
                break;
            }
            end += 1;
        }
        Range::new(start, end)
    }

    /// Whether `::` is between two names, as in `crate::module`.
    fn is_path(&self, at: usize) -> bool {
        let before = at.checked_sub(1).and_then(|before| self.head.get(before));
        self.is(at + 1, b':')
            && before.is_some_and(|byte| byte.is_ascii_lowercase() || *byte == b'_')
            && self.head.get(at + 2).is_some_and(|byte| byte.is_ascii_lowercase() || *byte == b'_')
    }

    /// The word as a level, if it is one.
    fn take_level(&mut self, range: Range, gap: Gap) -> bool {
        let word = range.of(self.head);
        let next = self.head.get(range.end).copied();
        let is_wide = self.is(range.end, b' ') && self.is(range.end + 1, b' ');
        let level = match word {
            [letter @ b'A'..=b'Z'] => {
                let is_separate = matches!(next, Some(b' ' | b'\t' | b'|'));
                Level::of_letter(*letter).filter(|_| is_separate && self.is_letter_level())
            }
            b"LOG" if next == Some(b':') => Some(Level::Info),
            [a, b, b'(', digits @ .., b')'] if !digits.is_empty() => {
                Level::of_pair(&[*a, *b]).filter(|_| digits.iter().all(u8::is_ascii_digit))
            }
            word => Level::of_word(word).filter(|_| {
                let is_capitalised = word[0].is_ascii_uppercase() && word[1].is_ascii_lowercase();
                let is_marked = is_wide || gap.comma || gap.pipe || self.closer.is_some();
                !is_capitalised || is_marked || matches!(next, Some(b':' | b'|' | b'\t' | b','))
            }),
        };
        if let Some(level) = level {
            self.header.level = Some((range, level));
            self.at = range.end;
            self.is_after_level = true;
            return true;
        }
        // `payments.ERROR:` and `user.warn`: who, and how severe.
        if let Some(dot) = memchr::memrchr(b'.', word)
            && let Some(level) = Level::of_word(&word[dot + 1..])
            && element::is_name(&word[..dot])
        {
            self.header.component = Some(Range::new(range.start, range.start + dot));
            self.header.level = Some((Range::new(range.start + dot + 1, range.end), level));
            self.at = range.end;
            self.is_after_level = true;
            return true;
        }
        false
    }

    /// Whether the word is the level that a letter before the time was: Ruby's `I, [time #1]  INFO -- `.
    fn repeats_level(&self, word: &[u8]) -> bool {
        self.header.level.is_some_and(|(range, level)| {
            range.end - range.start == 1
                && word.first() != Some(&b'"')
                && Level::of_word(word) == Some(level)
        })
    }

    /// Whether a capital on its own is a level rather than a word: behind a number, or a time with a fraction.
    fn is_letter_level(&self) -> bool {
        let fine = lograil_codec::timestamp::Precision::Millisecond;
        self.header.pid.is_some()
            || self.header.time.is_some_and(|(_, time)| time.precision >= fine)
    }

    /// A word beside the time in its bracket.
    fn word_in_bracket(&mut self, range: Range) -> Step {
        let word = range.of(self.head);
        self.at = range.end.max(self.at + 1);
        if range.start == range.end {
            return Step::Go;
        }
        let digits = word.strip_prefix(b"#").unwrap_or(word);
        if !digits.is_empty() && digits.iter().all(u8::is_ascii_digit) {
            let start = range.end - digits.len();
            self.push_number(Range::new(start, range.end));
        } else if element::is_dotted(word) || word.starts_with(b"'") {
            self.header.component.get_or_insert(element_name(self.head, range));
        } else if word.contains(&b'=') {
            self.header.context.get_or_insert(range);
        } else if word != b"null" && element::is_name(word) {
            self.push_pending(range);
        }
        Step::Go
    }

    /// Redis marks the level: `12:52:30.731 # text`.
    pub(super) fn take_mark(&mut self) {
        let level = match self.peek() {
            Some(b'.') => Level::Debug,
            Some(b'-') => Level::Trace,
            Some(b'*') => Level::Notice,
            Some(b'#') => Level::Warn,
            _ => return,
        };
        if self.is(self.at + 1, b' ') && self.header.level.is_none() {
            self.header.level = Some((Range::new(self.at, self.at + 1), level));
            self.at += 2;
        }
    }

    /// A word in quotes or apostrophes, or a mark that begins the message.
    fn quoted(&mut self) -> Step {
        if self.closer.is_some() {
            self.at += 1;
            return Step::Go;
        }
        Step::Message
    }

    /// Digits: the process or the thread, if the header goes on behind them.
    fn number(&mut self, range: Range, is_after_level: bool) -> Step {
        let next = element::skip_spaces(self.head, range.end);
        let is_followed = match self.head.get(next) {
            Some(b'-') => self.head[next..].starts_with(b"--"),
            Some(b'[') => true,
            _ => false,
        };
        let goes_on = if self.header.level.is_none() {
            self.level_ahead(next).is_some()
        } else {
            is_after_level && is_followed
        };
        if !goes_on {
            return Step::Message;
        }
        self.push_number(range);
        self.at = range.end;
        Step::Go
    }

    /// The first number is the process, the second the thread; of three, the first is the user.
    pub(super) fn push_number(&mut self, range: Range) {
        match (self.header.pid, self.header.thread) {
            (None, _) => self.header.pid = Some(range),
            (Some(_), None) => self.header.thread = Some(range),
            (Some(_), Some(thread)) => {
                if thread.of(self.head).iter().all(u8::is_ascii_digit) {
                    self.header.pid = Some(thread);
                    self.header.thread = Some(range);
                }
            }
        }
    }

    pub(super) fn push_pending(&mut self, range: Range) {
        if let Some(slot) = self.pending.iter_mut().find(|slot| slot.is_none()) {
            *slot = Some(range);
        }
    }

    /// `INFO:somemodule:text`, or `INFO:text`.
    pub(super) fn name_behind_colon(&mut self, range: Range) -> Step {
        let word = range.of(self.head);
        let len = word.iter().position(|byte| *byte == b':').unwrap_or(word.len());
        let name = Range::new(range.start, range.start + len);
        if self.is(name.end, b':') && element::is_name(name.of(self.head)) {
            self.header.component = Some(name);
            self.at = name.end + 1;
        }
        Step::Message
    }

    /// The component that the word is, if it is punctuated as one.
    fn component(&mut self, range: Range, is_after_level: bool) -> Option<Step> {
        if self.header.component.is_some() && !is_after_level {
            return None;
        }
        let word = range.of(self.head);
        let is_name = element::is_name(word);
        let next = self.head.get(range.end).copied();
        if next == Some(b'[') && is_name {
            return self.name_and_bracket(range);
        }
        if let Some(hash) = memchr::memchr(b'#', word)
            && next == Some(b':')
            && hash > 0
            && word[..hash].iter().chain(&word[hash + 1..]).all(u8::is_ascii_digit)
        {
            // nginx: process and thread.
            self.push_number(Range::new(range.start, range.start + hash));
            self.at = range.end + 1;
            return Some(Step::Message);
        }
        if next == Some(b':') && (is_name || word.contains(&b':') || word.contains(&b'(')) {
            if word.iter().all(|byte| byte.is_ascii_digit() || *byte == b'.') {
                self.header.host = Some(range);
            } else {
                self.header.component = Some(range);
            }
            self.at = range.end + 1 + usize::from(self.is(range.end + 1, b':'));
            return Some(Step::Message);
        }
        let rest = &self.head[range.end..];
        let spaces = rest.iter().take_while(|byte| **byte == b' ').count();
        let rest = &rest[spaces..];
        let is_tab = next == Some(b'\t');
        if !is_name && !element::is_dotted(word) {
            return None;
        }
        if spaces > 0
            && rest.starts_with(b": ")
            && (is_after_level || spaces > 1 || element::is_dotted(word))
        {
            self.header.component = Some(range);
            self.at = range.end + spaces + 1;
            return Some(Step::Message);
        }
        if spaces > 0 && rest.starts_with(b"- ") {
            self.header.component = Some(range);
            self.at = range.end;
            return Some(Step::Go);
        }
        let knows_level = self.header.level.is_some();
        let is_column = is_after_level && (spaces > 1 || is_tab || rest.starts_with(b"["));
        if knows_level && (is_column || element::is_dotted(word)) {
            self.header.component = Some(range);
            self.at = range.end;
            return Some(Step::Go);
        }
        self.program(range)
    }

    /// `chrome.exe *64 - text`: a few words before a dash, where no level stands.
    fn program(&mut self, range: Range) -> Option<Step> {
        if self.header.level.is_some() || !range.of(self.head).contains(&b'.') {
            return None;
        }
        let limit = self.head.len().min(range.start + NAME_LEN_MAX);
        let dash = memchr::memmem::find(&self.head[range.end..limit], b" - ")?;
        let between = &self.head[range.end..range.end + dash];
        if between.iter().filter(|byte| **byte == b' ').count() > 2 || between.contains(&b':') {
            return None;
        }
        self.header.component = Some(Range::new(range.start, range.end + dash));
        self.at = range.end + dash;
        Some(Step::Go)
    }

    /// `vpxd[45715]`, `tokenservice[83:http-36]`, `module[thread]:`.
    fn name_and_bracket(&mut self, name: Range) -> Option<Step> {
        let bracket = Bracket::at(self.head, name.end)?;
        let inner = bracket.inner.of(self.head);
        let is_number = inner.first().is_some_and(u8::is_ascii_digit);
        if inner.contains(&b' ')
            || inner.contains(&b'=')
            || (!is_number && self.header.level.is_none())
        {
            return None;
        }
        self.header.component = Some(name);
        let digits = inner.iter().take_while(|byte| byte.is_ascii_digit()).count();
        match inner.get(digits) {
            None if digits > 0 => self.push_number(bracket.inner),
            Some(b':') if digits > 0 => {
                self.push_number(Range::new(bracket.inner.start, bracket.inner.start + digits));
                self.header.thread =
                    Some(Range::new(bracket.inner.start + digits + 1, bracket.inner.end));
            }
            None => {}
            Some(_) => self.header.thread = Some(bracket.inner),
        }
        self.at = bracket.end;
        let is_end = self.is(self.at, b':') && self.header.level.is_some();
        if is_end {
            self.at += 1;
            return Some(Step::Message);
        }
        Some(Step::Go)
    }

    /// Words that lead to a level: the last names the component, the first of several the host.
    fn words_until(&mut self, first: Range, level_range: Range, level: Level) -> Step {
        let mut at = first.start;
        let mut last = None;
        let mut names = 0;
        while at < level_range.start {
            let word = element::word(self.head, at);
            let name = element::trim(self.head, word);
            let text = name.of(self.head);
            if word.end > level_range.start || text.is_empty() {
            } else if text.contains(&b'=') {
                self.header.context = Some(word);
            } else if text.iter().all(u8::is_ascii_digit) {
                self.push_number(name);
            } else {
                if names == 0 && self.header.host.is_none() {
                    self.header.host = Some(name);
                }
                names += 1;
                last = Some(name);
            }
            at = element::skip_spaces(self.head, word.end.max(at + 1));
        }
        if names == 1 && self.header.host == last {
            self.header.host = None;
        }
        if let Some(last) = last {
            self.header.component = Some(last);
        }
        self.header.level = Some((level_range, level));
        self.at = level_range.end;
        while matches!(self.peek(), Some(b']' | b')')) {
            self.at += 1;
        }
        // Who it was is known: what follows is the message.
        self.is_after_level = last.is_none();
        Step::Go
    }

    /// A cell between `|`.
    pub(super) fn cell(&mut self) -> Step {
        let start = self.at;
        let Some(len) = memchr::memchr(b'|', &self.head[start..]) else { return Step::Message };
        let mut range = Range::new(start, start + len);
        while range.end > range.start && matches!(self.head[range.end - 1], b' ' | b'\t') {
            range.end -= 1;
        }
        let cell = range.of(self.head);
        let level = match cell {
            [letter] => Level::of_letter(*letter),
            cell => Level::of_word(cell),
        };
        if let Some(level) = level.filter(|_| self.header.level.is_none()) {
            self.header.level = Some((range, level));
        } else if self.header.pid.is_some() && self.header.component.is_some() {
            return Step::Message;
        } else if cell.is_empty() {
        } else if cell.iter().all(u8::is_ascii_digit) {
            self.push_number(range);
        } else if cell.contains(&b' ') || !element::is_name(cell) {
            return Step::Message;
        } else if element::is_thread_like(cell) {
            self.header.thread.get_or_insert(range);
        } else if self.header.component.is_none() {
            self.header.component = Some(range);
        } else {
            self.push_pending(range);
        }
        self.at = start + len;
        Step::Go
    }
}

/// A name without the apostrophes around it.
fn element_name(text: &[u8], range: Range) -> Range {
    let word = range.of(text);
    let is_quoted = word.len() > 2 && word.starts_with(b"'") && word.ends_with(b"'");
    let cut = usize::from(is_quoted);
    Range::new(range.start + cut, range.end - cut)
}
