//! Merge strategies: how the values of one field of merged events become one value.

use lograil_event::ValueRef;
use lograil_event::json_text;
use lograil_plugin::schemars::{self, JsonSchema};
use serde::Deserialize;

use super::unique::Unique;
use crate::held::Held;
use crate::number::{Number, Sum};

/// Levels of nesting kept free where values go into an array: one for the array, some for what puts the
/// event into another document.
const DEPTH_SPARE: usize = 4;

/// How the values of a field are merged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum Strategy {
    /// Keeps the first value.
    Discard,
    /// Keeps the last value.
    Retain,
    /// Makes an array of all values.
    Array,
    /// Joins texts with a space.
    Concat,
    /// Joins texts with a line break.
    ConcatNewline,
    /// Joins texts with nothing in between.
    ConcatRaw,
    /// Adds numbers.
    Sum,
    /// Keeps the smallest number.
    Min,
    /// Keeps the largest number.
    Max,
    /// Keeps the array with the most elements, the first of those.
    LongestArray,
    /// Keeps the array with the fewest elements, the first of those.
    ShortestArray,
    /// Makes an array of the different values, those inside arrays and objects taken out.
    FlatUnique,
}

/// A field's merged value so far.
#[derive(Debug)]
pub(super) enum Merged {
    /// The value that stays.
    First(Held),
    /// The value until a later one comes.
    Last(Held),
    Sum(Sum),
    Min(Held, Number),
    Max(Held, Number),
    /// Joined text; `true` while it is UTF-8.
    Text(Vec<u8>, &'static str, bool),
    /// The text of a JSON array without its closing bracket.
    Array(Vec<u8>),
    Longest(Held, usize),
    Shortest(Held, usize),
    Unique(Unique),
    /// The first timestamp, and the last, which becomes a field of its own.
    Range(Held, i64),
}

/// A value that a strategy cannot merge. The event's other values are merged nevertheless.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct WrongType;

impl Strategy {
    /// What Vector does without a strategy: adds numbers, keeps the first and the last of timestamps and the
    /// first of everything else.
    fn by_default(value: ValueRef<'_>) -> Self {
        if Number::of(value).is_some() { Self::Sum } else { Self::Discard }
    }
}

impl Merged {
    /// Starts with the first value of a group that the strategy can merge.
    pub(super) fn start(
        strategy: Option<Strategy>,
        value: ValueRef<'_>,
    ) -> Result<Self, WrongType> {
        if let (None, ValueRef::Timestamp(ns)) = (strategy, value) {
            return Ok(Self::Range(Held::of(value), ns));
        }
        let number = || Number::of(value).ok_or(WrongType);
        let held = || Held::of(value);
        Ok(match strategy.unwrap_or_else(|| Strategy::by_default(value)) {
            Strategy::Discard => Self::First(held()),
            Strategy::Retain => Self::Last(held()),
            Strategy::Sum => Self::Sum(Sum::start(number()?, held())),
            Strategy::Min => Self::Min(held(), number()?),
            Strategy::Max => Self::Max(held(), number()?),
            Strategy::Concat => Self::text(value, " "),
            Strategy::ConcatNewline => Self::text(value, "\n"),
            Strategy::ConcatRaw => Self::text(value, ""),
            Strategy::Array => {
                let mut text = vec![b'['];
                append_element(value, &mut text)?;
                Self::Array(text)
            }
            Strategy::LongestArray => Self::Longest(held(), elements(value)?),
            Strategy::ShortestArray => Self::Shortest(held(), elements(value)?),
            Strategy::FlatUnique => {
                let mut unique = Unique::default();
                unique.add(value);
                Self::Unique(unique)
            }
        })
    }

    fn text(value: ValueRef<'_>, separator: &'static str) -> Self {
        let mut text = Vec::new();
        let is_text = append_text(value, &mut text);
        Self::Text(text, separator, is_text)
    }

    /// Adds the value of the next event.
    pub(super) fn add(&mut self, value: ValueRef<'_>) -> Result<(), WrongType> {
        let number = || Number::of(value).ok_or(WrongType);
        match self {
            Self::First(_) => {}
            Self::Last(held) => held.replace(value),
            Self::Sum(sum) => sum.add(number()?),
            Self::Min(held, least) if number()?.is_below(*least) => {
                (*held, *least) = (Held::of(value), number()?);
            }
            Self::Max(held, most) if most.is_below(number()?) => {
                (*held, *most) = (Held::of(value), number()?);
            }
            Self::Min(..) | Self::Max(..) => {}
            Self::Text(text, separator, is_text) => {
                text.extend_from_slice(separator.as_bytes());
                *is_text &= append_text(value, text);
            }
            Self::Array(text) => {
                let end = text.len();
                text.push(b',');
                if append_element(value, text).is_err() {
                    text.truncate(end);
                    return Err(WrongType);
                }
            }
            Self::Longest(held, longest) => {
                let elements = elements(value)?;
                if elements > *longest {
                    (*held, *longest) = (Held::of(value), elements);
                }
            }
            Self::Shortest(held, shortest) => {
                let elements = elements(value)?;
                if elements < *shortest {
                    (*held, *shortest) = (Held::of(value), elements);
                }
            }
            Self::Unique(unique) => unique.add(value),
            Self::Range(_, last) => match value {
                ValueRef::Timestamp(ns) => *last = ns,
                _ => return Err(WrongType),
            },
        }
        Ok(())
    }

    /// Bytes of memory beyond the value itself.
    pub(super) fn size_bytes(&self) -> usize {
        match self {
            Self::First(held)
            | Self::Last(held)
            | Self::Min(held, _)
            | Self::Max(held, _)
            | Self::Longest(held, _)
            | Self::Shortest(held, _)
            | Self::Range(held, _) => held.size_bytes(),
            Self::Sum(_) => 0,
            Self::Text(text, ..) | Self::Array(text) => text.capacity(),
            Self::Unique(unique) => unique.size_bytes(),
        }
    }
}

fn elements(value: ValueRef<'_>) -> Result<usize, WrongType> {
    match value {
        ValueRef::Array(text) => Ok(json_text::elements(text).count()),
        _ => Err(WrongType),
    }
}

/// Appends a value as JSON, if the array around it is not nested too deep then.
fn append_element(value: ValueRef<'_>, out: &mut Vec<u8>) -> Result<(), WrongType> {
    if let ValueRef::Object(text) | ValueRef::Array(text) = value {
        let nested = [&b"[".repeat(DEPTH_SPARE), text, &b"]".repeat(DEPTH_SPARE)].concat();
        if lograil_codec::json::validate(&nested).is_err() {
            return Err(WrongType);
        }
    }
    lograil_codec::json::encode_value(value, out);
    Ok(())
}

/// Appends a text as it is and anything else as JSON; whether the result is UTF-8.
fn append_text(value: ValueRef<'_>, out: &mut Vec<u8>) -> bool {
    match value {
        ValueRef::Str { text, .. } => out.extend_from_slice(text),
        ValueRef::Bytes(text) => {
            out.extend_from_slice(text);
            return false;
        }
        ValueRef::Timestamp(ns) => lograil_codec::time::write_rfc3339(ns, out),
        other => lograil_codec::json::encode_value(other, out),
    }
    true
}
