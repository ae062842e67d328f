//! Cutting a block of whole lines into events.

use std::time::Duration;

use super::rules::{Rules, Step};
use crate::charset::{BYTE_ORDER_MARK, Charset, LineEnd, Wholeness};

/// What becomes of the last event of a block, to which more lines may belong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Close {
    /// It stays open.
    Hold,
    /// It is complete.
    Take,
}

/// How lines are grouped.
#[derive(Debug, Clone)]
pub struct Grouping {
    rules: Rules,
    lines_max: usize,
    bytes_max: usize,
    timeout: Duration,
    charset: Charset,
}

/// The event that is open while a block is read.
struct Open<M> {
    start: usize,
    lines: usize,
    memory: M,
    /// The newline of the last line that is sure to belong to it, and where the next line begins.
    newline: usize,
    next: usize,
}

impl Grouping {
    /// Events of at most so many lines and bytes. A single line may be longer; it is an event by itself.
    #[must_use]
    pub fn new(rules: Rules, lines_max: usize, bytes_max: usize) -> Self {
        let (timeout, charset) = (Duration::ZERO, Charset::default());
        Self { rules, lines_max, bytes_max, timeout, charset }
    }

    /// The same for lines in a charset, which the rules see decoded.
    #[must_use]
    pub fn with_charset(self, charset: Charset) -> Self {
        Self { charset, ..self }
    }

    /// The same, for sources that know time.
    #[must_use]
    pub fn with_timeout(self, timeout: Duration) -> Self {
        Self { timeout, ..self }
    }

    /// How long to wait for the next line of an open event.
    #[must_use]
    pub fn timeout(&self) -> Duration {
        self.timeout
    }

    /// Appends to `ends` where the events of `data` end: the offset of each one's last line feed, or of the
    /// end of `data`. `data` begins with an event and consists of whole lines; only at [`Close::Take`] the
    /// last one may lack its newline. How many bytes the events take up.
    pub fn cut(&self, data: &[u8], close: Close, ends: &mut Vec<usize>) -> usize {
        if self.charset.is_utf8() {
            self.cut_lines::<true>(data, close, ends)
        } else {
            self.cut_lines::<false>(data, close, ends)
        }
    }

    /// The same, compiled by itself for UTF-8, in which no line has to be asked what its charset makes of it.
    fn cut_lines<const IS_UTF8: bool>(
        &self,
        data: &[u8],
        close: Close,
        ends: &mut Vec<usize>,
    ) -> usize {
        let mut open: Option<Open<_>> = None;
        let mut at = 0;
        let line_end = if IS_UTF8 { LineEnd::Byte } else { self.charset.line_end() };
        let mut decoded = Vec::new();
        loop {
            if at == data.len() {
                let Some(last) = open.take() else { return at };
                if close == Close::Hold {
                    return last.start;
                }
                ends.push(last.newline);
                at = last.next;
                continue;
            }
            let newline = line_end.find(&data[at..]).map_or(data.len(), |to| at + to);
            let line = self.text::<IS_UTF8>(line_end.strip_cr(&data[at..newline]), &mut decoded);
            let next = (newline + line_end.unit()).min(data.len());
            let Some(event) = &mut open else {
                let memory = self.rules.first(line);
                open = Some(Open { start: at, lines: 1, memory, newline, next });
                at = next;
                continue;
            };
            let fits = event.lines < self.lines_max && newline - event.start <= self.bytes_max;
            let step = if fits { self.rules.step(event.memory, line) } else { Step::Break };
            match step {
                Step::Join(memory) => {
                    event.memory = memory;
                    event.newline = newline;
                    event.next = next;
                }
                Step::Perhaps(memory) => event.memory = memory,
                Step::Break => {
                    ends.push(event.newline);
                    // Lines that only perhaps belonged to it are looked at again.
                    at = event.next;
                    open = None;
                    continue;
                }
            }
            event.lines += 1;
            at = next;
        }
    }

    /// What the rules see of a line.
    #[inline]
    fn text<'l, const IS_UTF8: bool>(&self, line: &'l [u8], decoded: &'l mut Vec<u8>) -> &'l [u8] {
        let text = if IS_UTF8 || self.charset.is_text(line) {
            line
        } else {
            decoded.clear();
            self.charset.decode(line, Wholeness::Whole, decoded);
            decoded
        };
        text.strip_prefix(BYTE_ORDER_MARK).unwrap_or(text)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use regex::bytes::Regex;

    use super::super::traces::Preset;
    use super::*;

    fn cut(grouping: &Grouping, data: &str, close: Close) -> (Vec<String>, usize) {
        let mut ends = Vec::new();
        let len = grouping.cut(data.as_bytes(), close, &mut ends);
        let mut start = 0;
        let events = ends.iter().map(|end| {
            let event = data[start..*end].to_owned();
            start = (end + 1).min(data.len());
            event
        });
        let events = events.collect();
        assert_eq!(start, len);
        (events, len)
    }

    fn by(rules: Rules) -> Grouping {
        Grouping::new(rules, 100, 1000)
    }

    fn regex(pattern: &str) -> Regex {
        Regex::new(pattern).unwrap()
    }

    #[test]
    fn a_start_pattern_begins_an_event_and_all_else_belongs_to_it() {
        let grouping = by(Rules::Start(regex("^[0-9]+ ")));
        let data = "rest\n1 a\n x\n\ny\n2 b\r\n3 c\n z\n";
        let (events, len) = cut(&grouping, data, Close::Hold);
        assert_eq!(events, ["rest", "1 a\n x\n\ny", "2 b\r"]);
        assert_eq!(&data[len..], "3 c\n z\n");
        let (events, len) = cut(&grouping, data, Close::Take);
        assert_eq!((events[3].as_str(), len), ("3 c\n z", data.len()));
    }

    #[test]
    fn a_continuation_pattern_joins_to_the_line_before() {
        let grouping = by(Rules::Continuation(regex(r"^\s|^and ")));
        let (events, _) = cut(&grouping, "a\n b\nand c\nd\ne\n\tf", Close::Take);
        assert_eq!(events, ["a\n b\nand c", "d", "e\n\tf"]);
    }

    #[test]
    fn with_both_patterns_lines_that_are_neither_stand_for_themselves() {
        let (start, continuation) = (regex("^BEGIN"), regex("^[|]"));
        let grouping = by(Rules::StartAndContinuation { start, continuation });
        let (events, _) = cut(&grouping, "| x\nBEGIN\n| 1\n| 2\nother\n| 3\nBEGIN\n", Close::Take);
        assert_eq!(events, ["| x", "BEGIN\n| 1\n| 2", "other", "| 3", "BEGIN"]);
    }

    #[test]
    fn an_event_is_bounded_in_lines_and_bytes_and_goes_on_in_the_next() {
        let few = Grouping::new(Rules::Preset(Preset::Indent), 3, 1000);
        assert_eq!(
            cut(&few, "a\n 1\n 2\n 3\n 4\nb\n", Close::Take).0,
            ["a\n 1\n 2", " 3\n 4", "b"]
        );
        let short = Grouping::new(Rules::Preset(Preset::Indent), 100, 7);
        let (events, _) = cut(&short, "a\n 1234\n 5\n 678901234\n 5\n", Close::Take);
        assert_eq!(events, ["a\n 1234", " 5", " 678901234", " 5"]);
    }

    #[test]
    fn a_line_that_perhaps_belongs_stands_for_itself_when_nothing_follows_that_joins() {
        let grouping = by(Rules::Preset(Preset::Python));
        let trace = "Traceback (most recent call last):\n  File \"a\"\nE: x\n";
        let (events, _) = cut(&grouping, &format!("{trace}\nnext\n"), Close::Take);
        assert_eq!(events, [trace.trim_end(), "", "next"]);
        let (events, len) = cut(&grouping, &format!("{trace}\n"), Close::Hold);
        assert_eq!((events.len(), len), (0, 0));
        let (events, _) = cut(&grouping, &format!("{trace}\n"), Close::Take);
        assert_eq!(events, [trace.trim_end(), ""]);
    }

    proptest! {
        /// What is cut off in pieces is what is cut off in one, and nothing is left out.
        #[test]
        fn events_do_not_depend_on_how_the_text_came(
            lines in proptest::collection::vec(prop_oneof![
                Just(""), Just("a.b.CException: x"), Just("\tat y"), Just("INFO z"), Just("panic: p"),
                Just("goroutine 1 [running]:"), Just("main.main()"), Just("E: q"), Just("exit status 2"),
                Just("Traceback (most recent call last):"), Just("  File \"f\""),
                Just("During handling of the above exception, another exception occurred:"),
            ], 1..40),
            pieces in proptest::collection::vec(1..6usize, 1..40),
        ) {
            for preset in [Preset::Java, Preset::Python, Preset::Go, Preset::Any] {
                let grouping = by(Rules::Preset(preset));
                let whole: String = lines.iter().map(|line| format!("{line}\n")).collect();
                let (expected, len) = cut(&grouping, &whole, Close::Take);
                prop_assert_eq!(len, whole.len());
                prop_assert_eq!(expected.join("\n") + "\n", whole.clone());
                let (mut got, mut from, mut seen) = (Vec::new(), 0, 0);
                for count in pieces.iter().cycle() {
                    seen = (seen + count).min(lines.len());
                    let to: usize = lines[..seen].iter().map(|line| line.len() + 1).sum();
                    let close = if seen == lines.len() { Close::Take } else { Close::Hold };
                    let (events, len) = cut(&grouping, &whole[from..to], close);
                    got.extend(events);
                    from += len;
                    if seen == lines.len() {
                        break;
                    }
                }
                prop_assert_eq!(got, expected);
            }
        }
    }
}
