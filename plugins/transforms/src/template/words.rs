//! A message as words and values: what is certainly a value (numbers, addresses, paths, dates) is told from
//! words by its form alone.
//!
//! **Invariant:** knows nothing of templates; no message takes more than [`WORDS_MAX`] words, and no word has a
//! space in it.

use std::hash::{BuildHasher, RandomState};

use lograil_codec::timestamp::is_date_name;

/// Words of a message that are looked at; what follows does not tell templates apart.
pub(super) const WORDS_MAX: usize = 64;

/// The hash of any value.
pub(super) const VALUE: u64 = 0x9E37_79B9_7F4A_7C15;

/// One word of a message, or one value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Word {
    /// The hash of its text, or [`VALUE`].
    pub(super) hash: u64,
    start: u32,
    end: u32,
}

impl Word {
    pub(super) fn new(hash: u64, start: usize, end: usize) -> Self {
        // A text of a batch is shorter than 4 GiB.
        Self { hash, start: start as u32, end: end as u32 }
    }

    pub(super) fn is_value(&self) -> bool {
        self.hash == VALUE
    }

    pub(super) fn start(&self) -> usize {
        self.start as usize
    }

    pub(super) fn end(&self) -> usize {
        self.end as usize
    }

    /// Its bytes in the message.
    pub(super) fn text<'m>(&self, message: &'m [u8]) -> &'m [u8] {
        message.get(self.start()..self.end()).unwrap_or_default()
    }
}

/// Takes messages apart. Words are hashed with a seed of the process, so that no log can be made to collide.
#[derive(Debug)]
pub(super) struct Splitter {
    seed: u64,
}

/// What a byte is in a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Class {
    Space,
    /// Ends a word and belongs to none.
    Separator,
    /// Belongs to a word in its middle, not at its ends.
    Edge,
    Digit,
    Letter,
}

const CLASSES: [Class; 256] = {
    let mut classes = [Class::Letter; 256];
    let mut byte = 0;
    while byte < 256 {
        classes[byte] = match byte as u8 {
            b'0'..=b'9' => Class::Digit,
            b'\t'..=b'\r' | b' ' => Class::Space,
            b'.' | b'-' | b'/' | b'@' | b'+' | b'~' | b'$' | b'%' | b'?' | b'\'' => Class::Edge,
            b'_' | b'^' | 0x80.. | b'A'..=b'Z' | b'a'..=b'z' => Class::Letter,
            _ => Class::Separator,
        };
        byte += 1;
    }
    classes
};

fn class(byte: u8) -> Class {
    CLASSES[usize::from(byte)]
}

/// The class of the byte at a place; the end of the message counts as a space.
fn class_at(message: &[u8], at: usize) -> Class {
    message.get(at).map_or(Class::Space, |&byte| class(byte))
}

impl Splitter {
    pub(super) fn new() -> Self {
        Self { seed: RandomState::new().hash_one(0u8) }
    }

    /// Puts the words of a message into `words`, in their order. A message of nothing but punctuation is one word.
    pub(super) fn split(&self, message: &[u8], words: &mut Vec<Word>) {
        words.clear();
        let mut at = 0;
        while at < message.len() && words.len() < WORDS_MAX {
            match class(message[at]) {
                Class::Space | Class::Separator => at += 1,
                _ => at = self.take_word(message, at, words),
            }
        }
        if words.is_empty()
            && let Some(start) = message.iter().position(|&byte| class(byte) != Class::Space)
        {
            let end = find(message, start, |byte| class(byte) == Class::Space);
            words.push(Word::new(self.hash(&message[start..end]), start, end));
        }
    }

    /// The hash of a word's text; never that of a value.
    pub(super) fn hash(&self, word: &[u8]) -> u64 {
        let mut hash = self.seed ^ word.len() as u64;
        let mut chunks = word.chunks_exact(8);
        for chunk in &mut chunks {
            hash = fold(hash, u64::from_le_bytes(chunk.try_into().unwrap_or_default()));
        }
        let mut last = [0; 8];
        last[..chunks.remainder().len()].copy_from_slice(chunks.remainder());
        match fold(hash, u64::from_le_bytes(last)) {
            VALUE => VALUE ^ 1,
            hash => hash,
        }
    }

    /// Takes the word that begins at `from`, or the edge in front of one; gives where to go on.
    fn take_word(&self, message: &[u8], from: usize, words: &mut Vec<Word>) -> usize {
        let run = Run::find(message, from);
        if let Some(end) = run.whole_value(message, from) {
            push_value(message, from, end, words);
            return end;
        }
        let (mut start, mut end) = (from, run.end);
        while start < end && class(message[start]) == Class::Edge {
            start += 1;
        }
        while end > start && class(message[end - 1]) == Class::Edge {
            end -= 1;
        }
        if start == end {
            return run.end;
        }
        if run.has_digit {
            push_value(message, start, end, words);
        } else if let Some(port_end) = port(message, start, end) {
            push_value(message, start, port_end, words);
            return port_end;
        } else {
            self.push_word(message, start, end, words);
        }
        run.end
    }

    /// Adds a word. A unit becomes a part of the value before it, a part of a date a value itself.
    fn push_word(&self, message: &[u8], start: usize, end: usize, words: &mut Vec<Word>) {
        let text = &message[start..end];
        if let Some(value) = words.last_mut().filter(|last| last.is_value()) {
            if is_one_of(text, UNITS) {
                value.end = end as u32;
                return;
            }
            if is_date_name(text) {
                words.push(Word::new(VALUE, start, end));
                return;
            }
        }
        words.push(Word::new(self.hash(text), start, end));
    }
}

/// Adds a value. The names of a day, a month and a time zone in front of it belong to a date.
fn push_value(message: &[u8], start: usize, end: usize, words: &mut Vec<Word>) {
    match &mut words[..] {
        [.., day, month] if !month.is_value() && is_date_name(month.text(message)) => {
            month.hash = VALUE;
            if is_date_name(day.text(message)) {
                day.hash = VALUE;
            }
        }
        [month] if is_date_name(month.text(message)) => month.hash = VALUE,
        [.., time, zone]
            if time.is_value()
                && is_zone(zone.text(message))
                && time.text(message).contains(&b':')
                && is_year(&message[start..end]) =>
        {
            zone.hash = VALUE;
        }
        _ => {}
    }
    words.push(Word::new(VALUE, start, end));
}

/// Units of sizes and times: a number and its unit are one value, since the same message has now one, now another.
const UNITS: &[&[u8]] = &[
    b"b", b"kb", b"mb", b"gb", b"tb", b"kib", b"mib", b"gib", b"tib", b"ns", b"us", b"ms", b"s",
    b"sec", b"secs", b"min", b"mins", b"h", b"hr", b"hrs",
];

fn is_one_of(text: &[u8], names: &[&[u8]]) -> bool {
    text.len() <= 4 && names.iter().any(|name| name.eq_ignore_ascii_case(text))
}

/// Whether it may be a time zone, as `date` writes it between the time and the year: `CEST`, `UTC`.
fn is_zone(text: &[u8]) -> bool {
    matches!(text, [_, _, b'T' | b'C'] | [_, _, _, b'T' | b'C'])
        && text.iter().all(u8::is_ascii_uppercase)
}

fn is_year(text: &[u8]) -> bool {
    text.len() == 4 && text.iter().all(u8::is_ascii_digit)
}

/// Mixes two halves into one hash: the 128-bit product folded (as wyhash does).
pub(super) fn fold(left: u64, right: u64) -> u64 {
    let product =
        u128::from(left ^ 0xA076_1D64_78BD_642F) * u128::from(right ^ 0xE703_7ED1_A0B4_28DB);
    (product >> 64) as u64 ^ product as u64
}

/// The first place from `from` on whose byte is wanted, or the message's end.
fn find(message: &[u8], from: usize, is_wanted: impl Fn(u8) -> bool) -> usize {
    let rest = message.get(from..).unwrap_or_default();
    rest.iter().position(|&byte| is_wanted(byte)).map_or(message.len(), |at| from + at)
}

/// The text from a place up to a separator, or through a leader: two or more edges of a kind (`....`, `--`).
struct Run {
    end: usize,
    has_digit: bool,
}

impl Run {
    fn find(message: &[u8], from: usize) -> Self {
        let (mut at, mut has_digit) = (from, false);
        while let Some(&byte) = message.get(at) {
            match class(byte) {
                Class::Space | Class::Separator => break,
                Class::Digit => has_digit = true,
                Class::Edge if at > from && byte == message[at - 1] => {
                    // A leader: skipped as a whole, so that it is no part of the next word either.
                    at = find(message, at, |other| other != byte);
                    break;
                }
                // A quote is inside a word only as an apostrophe.
                Class::Edge if byte == b'\'' && at > from => {
                    if !message.get(at + 1).is_some_and(u8::is_ascii_lowercase) {
                        break;
                    }
                }
                Class::Edge | Class::Letter => {}
            }
            at += 1;
        }
        Self { end: at, has_digit }
    }

    /// The end of an address, a path or a group of hexadecimal numbers at `from`, if there is one: values that
    /// go on beyond separators.
    fn whole_value(&self, message: &[u8], from: usize) -> Option<usize> {
        let rest = message.get(self.end..).unwrap_or_default();
        let first = message[from];
        let is_path = matches!(first, b'/' | b'.' | b'~') && self.is_path(message, from);
        let is_drive = rest.starts_with(b":\\") && self.end == from + 1;
        if is_path || is_drive || rest.starts_with(b"://") {
            let ends =
                |byte| byte <= b' ' || matches!(byte, b',' | b';' | b'"' | b'\'' | b'<' | b'>');
            return Some(trimmed(message, from, find(message, from, ends), b")]}.:!?"));
        }
        if rest.first() == Some(&b':') { hex_groups(message, from) } else { None }
    }

    /// Whether an absolute path of two names or more begins at `from`, or one from `.`, `..` or `~`.
    fn is_path(&self, message: &[u8], from: usize) -> bool {
        let slash = find(message, from, |byte| !matches!(byte, b'.' | b'~'));
        let names = message.get(slash + 1..self.end).unwrap_or_default();
        message.get(slash) == Some(&b'/')
            && names.first().is_some_and(|&byte| byte != b'/')
            && names.contains(&b'/')
    }
}

fn trimmed(message: &[u8], from: usize, mut end: usize, trailing: &[u8]) -> usize {
    while end > from + 1 && trailing.contains(&message[end - 1]) {
        end -= 1;
    }
    end
}

/// The end of the port behind a host's name: `proxy.example.com:8080`.
fn port(message: &[u8], start: usize, end: usize) -> Option<usize> {
    if message.get(end) != Some(&b':') || !message[start..end].contains(&b'.') {
        return None;
    }
    let port_end = find(message, end + 1, |byte| !byte.is_ascii_digit());
    let ends_here = !matches!(class_at(message, port_end), Class::Letter);
    ((2..=5).contains(&(port_end - end - 1)) && ends_here).then_some(port_end)
}

/// The end of `00:1a:2b` or `fe80::1%eth0`: at least two colons between hexadecimal numbers.
fn hex_groups(message: &[u8], from: usize) -> Option<usize> {
    let end = find(message, from, |byte| !byte.is_ascii_hexdigit() && byte != b':');
    let end = trimmed(message, from, end, b":");
    let groups = &message[from..end];
    let colons = groups.iter().filter(|&&byte| byte == b':').count();
    let ends_here = !matches!(class_at(message, end), Class::Letter | Class::Digit);
    if colons < 2 || !ends_here || !groups.iter().any(u8::is_ascii_hexdigit) {
        return None;
    }
    // The interface that an address is valid on (RFC 4007, section 11).
    let has_zone = message.get(end) == Some(&b'%');
    let zone_end =
        find(message, end + 1, |byte| !matches!(class(byte), Class::Letter | Class::Digit));
    Some(if has_zone { zone_end } else { end })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(message: &str, wanted: &str) {
        let mut words = Vec::new();
        Splitter::new().split(message.as_bytes(), &mut words);
        let shown: Vec<String> = words
            .iter()
            .map(|word| {
                let text = &message[word.start()..word.end()];
                if word.is_value() { format!("<{text}>") } else { text.to_owned() }
            })
            .collect();
        assert_eq!(shown.join(" "), wanted, "{message}");
    }

    #[test]
    fn tells_values_from_words() {
        check(
            "password of root from 10.0.0.1 port 22",
            "password of root from <10.0.0.1> port <22>",
        );
        check("open /var/log/a.log: denied", "open </var/log/a.log> denied");
        check("read/write // a /etc", "read/write a etc");
        check("GET https://a.example/x?y=1, ok", "GET <https://a.example/x?y=1> ok");
        check("in C:\\Program.exe.", "in <C:\\Program.exe>");
        check("hw 00:1a:2b:3c:4d:5e up", "hw <00:1a:2b:3c:4d:5e> up");
        check("from fe80::dead:beef%eth0, again", "from <fe80::dead:beef%eth0> again");
        check("peer proxy.example.com:8080 left", "peer <proxy.example.com:8080> left");
        check("module main.init:5 left", "module main.init <5> left");
        check("used 12.5 KB of 3 GB in 5 ms", "used <12.5 KB> of <3 GB> in <5 ms>");
        check("state....... 7", "state <7>");
        check("enabled......0", "enabled <0>");
        check("(uid=0) user='bob' don't", "uid <0> user bob don't");
        check("Ошибка в блоке 17", "Ошибка в блоке <17>");
        check("--- ===", "---");
        check("", "");
        check("  ", "");
    }

    #[test]
    fn dates_are_values() {
        check("on Tue Aug 5 at noon", "on <Tue> <Aug> <5> at noon");
        check("Sunday 3 at noon", "<Sunday> <3> at noon");
        check("at 5 March 2026, all marched", "at <5> <March> <2026> all marched");
        check("since 10:41:57 CEST 2026", "since <10:41:57> <CEST> <2026>");
        check("10.0.0.1 GET 200", "<10.0.0.1> GET <200>");
        check("you may sit", "you may sit");
    }

    #[test]
    fn any_bytes_will_do() {
        let mut words = Vec::new();
        let splitter = Splitter::new();
        for byte in 0..=255u8 {
            for text in
                [vec![byte], vec![byte; 3], vec![b'a', byte, b'/'], vec![b'/', byte, b'/', byte]]
            {
                splitter.split(&text, &mut words);
            }
        }
        splitter.split(&b"a ".repeat(10_000), &mut words);
        assert_eq!(words.len(), WORDS_MAX);
    }
}
