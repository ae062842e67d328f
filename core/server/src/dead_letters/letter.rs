//! One letter of the file.

use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, Error};

/// What tells a letter from all others: the run that wrote it, and its number in that run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct LetterId(u128);

impl LetterId {
    /// Reads an id as it is written: two numbers in hexadecimal with a dash between.
    pub fn parse(text: &str) -> Option<Self> {
        let (run, number) = text.split_once('-').filter(|(run, _)| run.len() == 16)?;
        let is_hex = |text: &str| text.bytes().all(|byte| byte.is_ascii_hexdigit());
        if !is_hex(run) || !is_hex(number) {
            return None;
        }
        let run = u64::from_str_radix(run, 16).ok()?;
        let number = u64::from_str_radix(number, 16).ok()?;
        Some(Self(u128::from(run) << 64 | u128::from(number)))
    }
}

impl fmt::Display for LetterId {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{:016x}-{:x}", (self.0 >> 64) as u64, self.0 as u64)
    }
}

impl<'de> Deserialize<'de> for LetterId {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = String::deserialize(from)?;
        Self::parse(&text).ok_or_else(|| D::Error::custom("it is no id of a letter"))
    }
}

/// Who refused an event, and why.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Why {
    pub component_id: String,
    pub reason: String,
    /// Where the event's fields are.
    pub fields: Option<FieldsPlace>,
}

/// Where the fields of a refused event are in its letter; by themselves they are the bytes as `message`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum FieldsPlace {
    /// They have `event.` before their names; `message` is the bytes the event was read from.
    Prefixed,
    /// They are the letter's own; the event was made, not read.
    Own,
}

/// A letter, and its line as it is in the file.
#[derive(Debug)]
pub(crate) struct Letter {
    pub id: LetterId,
    pub why: Why,
    pub line: Vec<u8>,
}

#[derive(Deserialize)]
struct Head {
    dead_letter_id: LetterId,
    dead_letter: Why,
}

impl Letter {
    /// A line of the file; none if it is no letter with an id.
    pub fn read(line: &[u8]) -> Option<Self> {
        let head: Head = serde_json::from_slice(line).ok()?;
        Some(Self { id: head.dead_letter_id, why: head.dead_letter, line: line.to_vec() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_read_as_it_is_written_and_nothing_else_is() {
        for text in
            ["0000000000000000-0", "00ffffffffffff0a-12c", "ffffffffffffffff-ffffffffffffffff"]
        {
            assert_eq!(LetterId::parse(text).unwrap().to_string(), text);
        }
        for text in
            ["", "-", "1-2", "0000000000000000-", "0000000000000000-+1", "000000000000000g-1"]
        {
            assert_eq!(LetterId::parse(text), None, "{text}");
        }
    }
}
