//! A class of characters as a class of bytes.

use memchr::{memchr, memchr2, memchr3};
use regex_syntax::hir::Class;

/// Whether a byte belongs to a class.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Member {
    /// No character of the class has the byte.
    Out = 0,
    /// Every character with the byte is in the class.
    In = 1,
    /// Some characters with the byte are in the class, or characters are counted.
    Unsure = 2,
}

/// How the end of a run is found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Search {
    One(u8),
    Two(u8, u8),
    Three(u8, u8, u8),
    Table,
}

/// Characters from U+0080 up: code points less the surrogates. No class of bytes has as many.
const HIGH_CHARACTERS: u32 = 0x10_FFFF - 0x80 + 1 - 0x800;

/// A class of bytes.
#[derive(Debug, Clone)]
pub struct ByteClass {
    members: Box<[Member; 256]>,
    search: Search,
}

impl ByteClass {
    /// The class of one ASCII byte.
    pub fn of_byte(byte: u8) -> Self {
        let mut members = Box::new([Member::Out; 256]);
        members[usize::from(byte)] = Member::In;
        Self { members, search: Search::Table }
    }

    /// A class as the pattern has it. `counted` says that its characters are counted, which bytes from
    /// 0x80 up are not.
    pub fn new(class: &Class, counted: Counted) -> Self {
        let mut members = Box::new([Member::Out; 256]);
        let mut high = 0u32;
        let mut add = |start: u32, end: u32| {
            for byte in start..=end.min(0x7F) {
                members[byte as usize] = Member::In;
            }
            if end >= 0x80 {
                let surrogates = if start < 0xD800 && end > 0xDFFF { 0x800 } else { 0 };
                high += end - start.max(0x80) + 1 - surrogates;
            }
        };
        match class {
            Class::Unicode(class) => {
                for range in class.ranges() {
                    add(range.start() as u32, range.end() as u32);
                }
            }
            Class::Bytes(class) => {
                for range in class.ranges() {
                    add(range.start().into(), range.end().into());
                }
            }
        }
        // Ranges do not overlap, so their count says whether they have every character from U+0080 up.
        let beyond_ascii = match (high, counted) {
            (0, _) => Member::Out,
            (HIGH_CHARACTERS, Counted::No) => Member::In,
            _ => Member::Unsure,
        };
        members[0x80..].fill(beyond_ascii);
        let search = Search::of(&members);
        Self { members, search }
    }

    /// Whether a byte is in the class.
    #[inline]
    pub fn member(&self, byte: u8) -> Member {
        self.members[usize::from(byte)]
    }

    /// The first position at or after `from` whose byte is not surely in the class, or the text's end.
    #[inline]
    pub fn end(&self, text: &[u8], from: usize) -> usize {
        let rest = &text[from..];
        let found = match self.search {
            Search::One(a) => memchr(a, rest),
            Search::Two(a, b) => memchr2(a, b, rest),
            Search::Three(a, b, c) => memchr3(a, b, c, rest),
            Search::Table => rest.iter().position(|byte| self.member(*byte) != Member::In),
        };
        found.map_or(text.len(), |at| from + at)
    }
}

/// Whether a repetition counts its characters beyond "none" and "at least one".
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Counted {
    /// `C{3}`, `C{2,}`, `C?`.
    Yes,
    /// `C*`, `C+`.
    No,
}

impl Search {
    fn of(members: &[Member; 256]) -> Self {
        let mut stops = (0..=255u8).filter(|byte| members[usize::from(*byte)] != Member::In);
        match (stops.next(), stops.next(), stops.next(), stops.next()) {
            (Some(a), None, ..) => Self::One(a),
            (Some(a), Some(b), None, _) => Self::Two(a, b),
            (Some(a), Some(b), Some(c), None) => Self::Three(a, b, c),
            _ => Self::Table,
        }
    }
}
