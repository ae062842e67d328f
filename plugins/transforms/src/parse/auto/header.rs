//! The header of a free-text log line: when, how severe, who, and where the message begins.
//!
//! Real logs put these in every order and punctuation, so this reads elements from left to right, each told
//! by what it looks like, until something looks like prose. It never looks further than [`HEADER_LEN_MAX`].

use lograil_codec::timestamp::{Certainty, Precision, Reference, Timestamp, parse_prefix};

use super::element::{self, Bracket, Gap};
use crate::level::Level;

/// Bytes of a line in which a header is looked for.
pub(super) const HEADER_LEN_MAX: usize = 512;
/// Bytes in which the time must begin.
const TIME_START_MAX: usize = 120;
/// Most words before the time.
const WORDS_BEFORE_TIME_MAX: usize = 10;
/// Most words before the time that are names and numbers; more are prose.
const NAMES_BEFORE_TIME_MAX: usize = 3;
/// Most elements between time and message.
const ELEMENTS_MAX: usize = 14;
/// Most words that are looked at for a level behind them.
const LOOK_AHEAD_WORDS_MAX: usize = 6;

/// `start..end` of the line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Range {
    pub(super) start: usize,
    pub(super) end: usize,
}

impl Range {
    pub(super) fn new(start: usize, end: usize) -> Self {
        Self { start, end }
    }

    #[inline]
    pub(super) fn of(self, text: &[u8]) -> &[u8] {
        &text[self.start..self.end]
    }
}

/// Whose header it is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Style {
    /// An application's own.
    #[default]
    Application,
    /// Host and program as syslog writes them.
    Syslog,
    /// Google's glog.
    Glog,
}

/// What a header says.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct Header {
    pub(super) style: Style,
    pub(super) time: Option<(Range, Timestamp)>,
    pub(super) level: Option<(Range, Level)>,
    pub(super) host: Option<Range>,
    pub(super) component: Option<Range>,
    pub(super) pid: Option<Range>,
    pub(super) thread: Option<Range>,
    pub(super) location: Option<Range>,
    pub(super) context: Option<Range>,
    pub(super) message: Option<Range>,
}

/// What comes after an element.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    /// Perhaps another element.
    Go,
    /// The message, from the present position.
    Message,
}

/// Most words of a request up to its status.
const REQUEST_WORDS_MAX: usize = 14;

/// Reads a header from left to right.
pub(super) struct Scanner<'t> {
    /// The whole line.
    pub(super) text: &'t [u8],
    /// As much of it as can be header.
    pub(super) head: &'t [u8],
    pub(super) at: usize,
    pub(super) header: Header,
    /// What closes the bracket that the time is in.
    pub(super) closer: Option<u8>,
    /// Names in brackets, of which it is not known yet what they name.
    pub(super) pending: [Option<Range>; 2],
    /// Whether the element before was the level.
    pub(super) is_after_level: bool,
    /// Whether the last time is syslog's own: the month as a word, and no year.
    pub(super) has_syslog_time: bool,
    /// Where the message of a record begins.
    record_end: Option<usize>,
    /// Whether the time stands within a sentence, which is the message as a whole.
    is_prose: bool,
}

impl<'t> Scanner<'t> {
    /// The header of a line. Without time and level there is none.
    pub(super) fn scan(text: &'t [u8], reference: &Reference) -> Option<Header> {
        let head = &text[..text.len().min(HEADER_LEN_MAX)];
        let header = Header::default();
        let mut scanner = Self {
            text,
            head,
            at: 0,
            header,
            closer: None,
            pending: [None; 2],
            is_after_level: false,
            has_syslog_time: false,
            record_end: None,
            is_prose: false,
        };
        scanner.at = element::skip_blank(head, 0);
        if !scanner.find_time(reference) {
            return scanner.level_only();
        }
        if scanner.is_prose {
            scanner.header.message = Some(Range::new(0, text.len()));
            return Some(scanner.header);
        }
        if let Some(end) = scanner.record_end {
            scanner.at = end;
        } else if scanner.header.style == Style::Glog {
            scanner.klog();
        } else if scanner.is_syslog() {
            scanner.header.style = Style::Syslog;
            scanner.syslog();
        } else {
            scanner.elements();
        }
        Some(scanner.finish())
    }

    #[inline]
    pub(super) fn peek(&self) -> Option<u8> {
        self.head.get(self.at).copied()
    }

    pub(super) fn is(&self, at: usize, byte: u8) -> bool {
        self.head.get(at) == Some(&byte)
    }

    /// Goes behind the time, wherever it is.
    fn find_time(&mut self, reference: &Reference) -> bool {
        let start = self.at;
        let opener = match self.head.get(start) {
            Some(b'[') => Some(b']'),
            Some(b'(') => Some(b')'),
            Some(b'"') => Some(b'"'),
            _ => None,
        };
        let at = element::skip_blank(self.head, start + usize::from(opener.is_some()));
        if self.take_time(at, reference) {
            self.closer = opener;
            self.more_times(reference);
            return true;
        }
        self.find_later_time(reference)
    }

    #[inline]
    fn take_time(&mut self, at: usize, reference: &Reference) -> bool {
        let Some(time) = parse_prefix(self.head.get(at..).unwrap_or_default(), reference) else {
            return false;
        };
        let mut start = at;
        if self.head[at].is_ascii_uppercase() && self.head[at + 1].is_ascii_digit() {
            // klog: the first letter is the level.
            let level = Level::of_letter(self.head[at]);
            self.header.level = level.map(|level| (Range::new(at, at + 1), level));
            self.header.style = Style::Glog;
            start += 1;
        }
        self.at = at + time.len as usize;
        self.has_syslog_time =
            time.certainty == Certainty::YearAssumed && self.head[start].is_ascii_alphabetic();
        self.header.time = Some((Range::new(start, self.at), time));
        true
    }

    /// Supercomputers write the time up to three times: seconds since the epoch, the date, and the node's own
    /// time, with the node's name in between.
    fn more_times(&mut self, reference: &Reference) {
        for _ in 0..3 {
            let Some((first_range, first)) = self.header.time else { return };
            let is_epoch = self.head[first_range.start..].iter().take(10).all(u8::is_ascii_digit);
            if first.precision != Precision::Day && !is_epoch || self.closer.is_some() {
                return;
            }
            let before = self.at;
            let mut at = element::skip_spaces(self.head, self.at);
            if !self.take_time(at, reference) {
                let word = element::word(self.head, at);
                at = element::skip_spaces(self.head, word.end);
                if Level::of_word(word.of(self.head)).is_some() || !self.take_time(at, reference) {
                    self.at = before;
                    return;
                }
                self.header.host = Some(word);
            }
            if let Some((_, time)) = &mut self.header.time
                && is_epoch
            {
                // The seconds since the epoch are right wherever the node is; its own time may be finer.
                time.ns = first.ns
                    + time.ns.rem_euclid(1_000_000_000) * i64::from(first.ns % 1_000_000_000 == 0);
                time.has_offset = true;
                time.certainty = Certainty::Full;
                if time.precision == Precision::Day {
                    time.precision = first.precision;
                }
                // Known now to be the instant; more times can only repeat it.
                self.repeat_of_epoch(reference);
                return;
            }
        }
    }

    /// Goes past times that repeat the one found.
    fn repeat_of_epoch(&mut self, reference: &Reference) {
        let Some((_, known)) = self.header.time else { return };
        let (before, mut at) = (self.at, element::skip_spaces(self.head, self.at));
        let mut found = self.take_time(at, reference);
        if !found {
            let word = element::word(self.head, at);
            at = element::skip_spaces(self.head, word.end);
            found = Level::of_word(word.of(self.head)).is_none() && self.take_time(at, reference);
            if found {
                self.header.host = Some(word);
            }
        }
        let Some((range, time)) = self.header.time.filter(|_| found) else {
            self.at = before;
            return;
        };
        let ns =
            known.ns.div_euclid(1_000_000_000) * 1_000_000_000 + time.ns.rem_euclid(1_000_000_000);
        let precision = known.precision.max(time.precision);
        self.header.time = Some((range, Timestamp { ns, precision, ..known }));
    }

    /// The time behind the first words: a thread, a level, a process id.
    fn find_later_time(&mut self, reference: &Reference) -> bool {
        let start = self.at;
        let mut at = start;
        for _ in 0..WORDS_BEFORE_TIME_MAX {
            let Some(next) = element::next_start(self.head, at, TIME_START_MAX) else {
                return false;
            };
            at = next;
            if self.take_time(at, reference) {
                let opener = at.checked_sub(1).and_then(|before| self.head.get(before));
                let inside = element::open_bracket(&self.head[start..at]);
                self.closer = inside.or(match opener {
                    Some(b'[') => Some(b']'),
                    Some(b'(') => Some(b')'),
                    _ => None,
                });
                let end = self.at;
                let words = self.words_before(start, at);
                self.is_prose = words > NAMES_BEFORE_TIME_MAX && !self.record(start, at);
                self.at = end;
                self.more_times(reference);
                return true;
            }
        }
        false
    }

    /// A record of numbers and names around seconds since the epoch: its own number, the node, the component and
    /// perhaps its state before them, a flag behind.
    fn record(&mut self, start: usize, end: usize) -> bool {
        let is_epoch =
            self.head[end..].iter().take_while(|byte| byte.is_ascii_digit()).count() == 10;
        let number = element::word(self.head, start);
        let node = element::word(self.head, element::skip_spaces(self.head, number.end));
        let component = element::word(self.head, element::skip_spaces(self.head, node.end));
        let is_record = is_epoch
            && number.of(self.head).iter().all(u8::is_ascii_digit)
            && node.of(self.head).iter().any(u8::is_ascii_digit)
            && element::is_name(component.of(self.head))
            && component.end < end;
        if is_record {
            self.header.pid = None;
            self.header.host = Some(node);
            self.header.component = Some(component);
            let time_end = self.header.time.map_or(end, |(range, _)| range.end);
            let flag = element::word(self.head, element::skip_spaces(self.head, time_end));
            let is_flag = flag.of(self.head).iter().all(u8::is_ascii_digit);
            self.record_end = Some(if is_flag { flag.end } else { time_end });
        }
        is_record
    }

    /// What the words before the time say, and how many they are.
    fn words_before(&mut self, start: usize, end: usize) -> usize {
        let mut words = 0;
        let mut at = start;
        let mut name = None;
        while at < end {
            if matches!(
                self.head[at],
                b' ' | b'\t' | b'[' | b'(' | b')' | b']' | b':' | b',' | b'|' | b'"' | b'#'
            ) {
                at += 1;
                continue;
            }
            let stops = |byte: &u8| {
                matches!(byte, b' ' | b'\t' | b'[' | b'(' | b')' | b']' | b':' | b',' | b'|')
            };
            let len = self.head[at..end].iter().position(stops).unwrap_or(end - at);
            let range = Range::new(at, at + len);
            let word = range.of(self.head);
            let level = match word {
                [letter] if words == 0 => Level::of_letter(*letter),
                word => Level::of_word(word),
            };
            if let Some(level) = level {
                self.header.level.get_or_insert((range, level));
            } else if word.iter().all(u8::is_ascii_digit) {
                let before = at.checked_sub(1).map_or(b' ', |before| self.head[before]);
                if matches!(before, b' ' | b'[' | b'(' | b'\t') {
                    self.header.pid.get_or_insert(range);
                }
            } else if memchr::memmem::find(word, b".log").is_some() {
                // What several files were put together from.
                self.header.location.get_or_insert(range);
            } else if element::is_name(word) {
                name.get_or_insert(range);
            }
            words += 1;
            at += len;
        }
        if words <= NAMES_BEFORE_TIME_MAX {
            self.pending[0] = name;
        }
        words
    }

    /// A line without a time, but with a level that is punctuated as one.
    fn level_only(mut self) -> Option<Header> {
        let start = self.at;
        if self.is(start, b'[') {
            let bracket = Bracket::at(self.head, start)?;
            let level = Level::of_word(bracket.inner.of(self.head))?;
            self.header.level = Some((bracket.inner, level));
            self.at = bracket.end;
            self.is_after_level = true;
            self.elements();
            return Some(self.finish());
        }
        let word = element::word(self.head, start);
        let end = word.start
            + word
                .of(self.head)
                .iter()
                .position(|byte| matches!(byte, b':' | b'|'))
                .unwrap_or(word.end - word.start);
        let word = Range::new(word.start, end);
        let level = Level::of_word(word.of(self.head))?;
        let is_upper = word.of(self.head).iter().all(u8::is_ascii_uppercase);
        let is_marked =
            self.is(end, b':') || self.is(end, b'|') || (is_upper && self.is(end, b' '));
        if !is_marked {
            return None;
        }
        self.header.level = Some((word, level));
        self.at = end + usize::from(!self.is(end, b' '));
        if self.is(end, b':') && !self.is(end + 1, b' ') {
            self.name_behind_colon(element::word(self.head, self.at));
        }
        self.header.message = Some(self.rest());
        Some(self.header)
    }

    /// `12345 main.go:23] text`, behind the time of glog.
    fn klog(&mut self) {
        let number = element::word(self.head, element::skip_spaces(self.head, self.at));
        let place = element::word(self.head, element::skip_spaces(self.head, number.end));
        let text = place.of(self.head);
        let is_number =
            number.start < number.end && number.of(self.head).iter().all(u8::is_ascii_digit);
        if is_number && text.ends_with(b"]") && text.contains(&b':') {
            self.header.pid = Some(number);
            self.header.location = Some(Range::new(place.start, place.end - 1));
            self.at = place.end;
        }
    }

    /// The elements between the time and the message.
    fn elements(&mut self) {
        if self.closer.is_none() && self.header.pid.is_some() {
            self.at = element::skip_spaces(self.head, self.at);
            self.take_mark();
        }
        for _ in 0..ELEMENTS_MAX {
            let gap = Gap::skip(self.head, &mut self.at, self.closer);
            if gap.closed {
                self.closer = None;
                continue;
            }
            let knows_more = self.header.level.is_some() || self.header.component.is_some();
            if gap.dashes == 1 && knows_more && self.closer.is_none() && !self.is_dashed_element() {
                return;
            }
            let before = self.at;
            let step = match self.peek() {
                None => return,
                Some(b'[' | b'(') => self.bracket(gap),
                Some(_) if gap.pipe => self.cell(),
                Some(_) => self.word(gap),
            };
            if step == Step::Message {
                return;
            }
            if self.at == before {
                return;
            }
        }
    }

    /// Whether what follows a dash is still header: a level, or a name, with another dash behind it.
    fn is_dashed_element(&self) -> bool {
        let word = element::word(self.head, self.at);
        let is_dashed = self.head[word.end..].starts_with(b" - ");
        let word = word.of(self.head);
        match (self.header.level, self.header.component) {
            (None, _) => is_dashed && Level::of_word(word).is_some(),
            (_, None) => is_dashed && element::is_name(word) && self.pending[0].is_none(),
            _ => false,
        }
    }

    /// The level behind words that look like parts of a header.
    pub(super) fn level_ahead(&self, from: usize) -> Option<(Range, Level)> {
        let mut at = from;
        for count in 0..LOOK_AHEAD_WORDS_MAX {
            at = element::skip_spaces(self.head, at);
            let word = element::word(self.head, at);
            if word.end == word.start {
                return None;
            }
            let trimmed = element::trim(self.head, word);
            if let Some(level) = self.level_of(trimmed, word.end) {
                return Some((trimmed, level));
            }
            // A name may come first, if a number follows: the user of a process.
            let next = element::skip_spaces(self.head, word.end);
            let is_user = count == 0
                && self.head.get(next).is_some_and(u8::is_ascii_digit)
                && word.of(self.head).iter().all(u8::is_ascii_alphanumeric);
            if !is_user && !element::is_header_like(word.of(self.head)) {
                return None;
            }
            at = word.end;
        }
        None
    }

    /// The level that a word between time and message is, in capitals.
    fn level_of(&self, word: Range, end: usize) -> Option<Level> {
        match word.of(self.head) {
            [letter] if self.is(end, b' ') => Level::of_letter(*letter),
            b"LOG" if self.is(word.end, b':') => Some(Level::Info),
            text if text.iter().all(u8::is_ascii_uppercase) || self.is(word.end, b']') => {
                Level::of_word(text)
            }
            _ => None,
        }
    }

    /// What is left of the line, without the spaces around it.
    pub(super) fn rest(&self) -> Range {
        let start = element::skip_spaces(self.text, self.at.min(self.text.len()));
        Range::new(start, self.text.len())
    }

    fn finish(mut self) -> Header {
        self.settle_pending();
        let mut message = self.rest();
        if self.header.component.is_none()
            && let Some((name, end)) = element::trailing_class(self.text, message)
        {
            self.header.component = Some(name);
            message.end = end;
        }
        if self.header.level.is_none() && self.header.component.is_none() {
            self.header.level = request_level(self.text, message);
        }
        self.header.message = Some(message);
        self.header
    }

    /// Decides what the names in brackets are: the component if nothing else is, or else the thread.
    fn settle_pending(&mut self) {
        let is_thread = |range: &Range| element::is_thread_like(range.of(self.head));
        let (thread, component) = match (self.header.component, self.pending) {
            (_, [None, _]) => return,
            (Some(component), [Some(first), second]) => {
                (Some(second.filter(is_thread).unwrap_or(first)), component)
            }
            (None, [Some(first), None]) if is_thread(&first) => {
                self.header.thread.get_or_insert(first);
                return;
            }
            (None, [Some(first), None]) => (None, first),
            (None, [Some(first), Some(second)]) => {
                let is_class = |range: Range| element::is_class_like(range.of(self.head));
                if is_thread(&first) || (is_class(second) && !is_class(first)) {
                    (Some(first), second)
                } else {
                    (Some(second), first)
                }
            }
        };
        self.header.component = Some(component);
        self.header.thread = self.header.thread.or(thread);
    }
}

/// The level of a request that a server answered, as IIS and many proxies log it: a method, a path, and further
/// on the status.
fn request_level(text: &[u8], message: Range) -> Option<(Range, Level)> {
    let end = message.end.min(message.start + HEADER_LEN_MAX);
    let mut at = message.start;
    let mut after_method = None;
    for _ in 0..REQUEST_WORDS_MAX {
        let word = element::word(&text[..end], at);
        if word.start == word.end {
            return None;
        }
        let bytes = word.of(text);
        match after_method {
            None if element::is_method(bytes) => {
                let path = element::skip_spaces(&text[..end], word.end);
                after_method = (text.get(path) == Some(&b'/')).then_some(());
            }
            Some(()) if bytes.len() == 3 => {
                if let Some(level) = Level::of_status(bytes) {
                    return Some((word, level));
                }
            }
            _ => {}
        }
        at = element::skip_spaces(&text[..end], word.end);
    }
    None
}
