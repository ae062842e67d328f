//! The numbers of one field, as far as comparing them with whole numbers takes.

use std::ops::Range;

use lograil_event::{Batch, Key, Tag, WORD_EVENTS};

use super::place::{Bytes, Place, first_bytes};
use crate::ast::CompareOp;
use crate::json;
use crate::value::Value;

/// The same byte eight times.
const fn eight(byte: u8) -> u64 {
    u64::from_le_bytes([byte; 8])
}

/// What the events of a stretch have in a field.
#[derive(Debug)]
pub(super) struct Numbers {
    place: Place,
    /// The events it was read of.
    events: Range<usize>,
    /// The greatest whole numbers that are not greater.
    floors: [i64; WORD_EVENTS],
    /// Events whose number is greater than that.
    fractions: u64,
    /// Events whose field is a number that was read.
    pub known: u64,
    /// Events without the field.
    pub missing: u64,
}

/// A number, as far as it is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Floor {
    floor: i64,
    has_fraction: bool,
}

impl Numbers {
    pub(super) fn new(key: Key) -> Self {
        let (place, floors) = (Place::new(key), [0; WORD_EVENTS]);
        Self { place, events: 0..0, floors, fractions: 0, known: 0, missing: 0 }
    }

    pub(super) fn is_of(&self, key: Key) -> bool {
        self.place.key == key
    }

    /// Reads the field of the events, unless that was done.
    pub(super) fn read(&mut self, batch: &Batch, events: Range<usize>) {
        if self.events == events {
            return;
        }
        let (mut known, mut missing, mut fractions) = (0, 0, 0);
        let (fields, mut bytes) = (batch.fields(), Bytes::new(batch));
        let records = batch.records()[events.clone()].iter();
        for (bit, (record, floor)) in records.zip(&mut self.floors).enumerate() {
            let Some(field) = self.place.field(fields, record) else {
                missing |= 1 << bit;
                continue;
            };
            let number = if field.tag == Tag::Number {
                let span = field.span();
                Floor::of_text(bytes.of(span.segment), span.offset as usize, span.len as usize)
            } else {
                Floor::of(Value::from(batch.value(field)))
            };
            if let Some(number) = number {
                *floor = number.floor;
                fractions |= u64::from(number.has_fraction) << bit;
                known |= 1 << bit;
            }
        }
        (self.events, self.known, self.missing) = (events, known, missing);
        self.fractions = fractions;
    }

    /// Events whose number compares so with a whole number.
    pub(super) fn compare(&self, op: CompareOp, number: i64) -> u64 {
        let less = || self.each(|floor| floor < number);
        let equal = || self.each(|floor| floor == number) & !self.fractions;
        let holds = match op {
            CompareOp::Eq => equal(),
            CompareOp::Ne => !equal(),
            CompareOp::Lt => less(),
            CompareOp::Ge => !less(),
            CompareOp::Le => less() | equal(),
            CompareOp::Gt => !(less() | equal()),
        };
        holds & self.known
    }

    #[inline]
    fn each(&self, test: impl Fn(i64) -> bool) -> u64 {
        let floors = self.floors.iter().enumerate();
        floors.fold(0, |all, (bit, floor)| all | u64::from(test(*floor)) << bit)
    }
}

impl Floor {
    /// A number as it was written.
    #[inline]
    fn of_text(bytes: &[u8], offset: usize, len: usize) -> Option<Self> {
        if len <= 8
            && let Some(short) = Self::of_short(first_bytes(bytes, offset, len))
        {
            return Some(short);
        }
        Self::of(json::number(&bytes[offset..][..len]))
    }

    /// A number of at most eight bytes, without sign and exponent, and zeroes behind it. The digits before the point are
    /// added up in pairs, pairs of pairs, and so on, so that nothing depends on how many there are.
    #[inline]
    fn of_short(word: u64) -> Option<Self> {
        let digits = (!word & eight(0x10)).trailing_zeros() / 8;
        // Letters have this bit.
        if digits == 0 || word & eight(0x40) != 0 {
            return None;
        }
        let number = word << (64 - 8 * digits) & eight(0x0F);
        let pairs = number.wrapping_mul(10 << 8 | 1) >> 8 & 0x00FF_00FF_00FF_00FF;
        let fours = pairs.wrapping_mul(100 << 16 | 1) >> 16 & 0x0000_FFFF_0000_FFFF;
        let floor = fours.wrapping_mul(10_000 << 32 | 1) >> 32;
        // Behind the last digit and the point.
        let fraction = word >> (8 * (digits - 1)) >> 8 >> 8;
        Some(Self { floor: floor as i64, has_fraction: fraction & eight(0x0F) != 0 })
    }

    #[inline(never)]
    fn of(number: Value<'_>) -> Option<Self> {
        /// Floats below are whole numbers of 64 bits when their fraction is cut off.
        const FLOAT_MAX: f64 = 9e18;
        match number {
            Value::Integer(floor) => Some(Self { floor, has_fraction: false }),
            Value::Float(float) if float.abs() < FLOAT_MAX => {
                let whole = float as i64;
                let has_fraction = whole as f64 != float;
                let floor = whole - i64::from(has_fraction && float < 0.0);
                Some(Self { floor, has_fraction })
            }
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_kept_as_it_is_written() {
        let whole = ["0", "7", "10", "125", "9007199", "12345678", "123456789"];
        let rest = ["", ".0", ".5", ".000", ".0001", ".50", "e1", "e-2", ".5E3", "E+1"];
        let mut short = 0;
        for whole in whole {
            for rest in rest {
                for text in [format!("{whole}{rest}"), format!("-{whole}{rest}")] {
                    let number: f64 = text.parse().unwrap();
                    let wanted = Floor {
                        floor: number.floor() as i64,
                        has_fraction: number.floor() != number,
                    };
                    let kept = Floor::of_text(text.as_bytes(), 0, text.len());
                    assert_eq!(kept, Some(wanted), "{text}");
                    if text.len() <= 8 {
                        let word = first_bytes(text.as_bytes(), 0, text.len());
                        short += usize::from(Floor::of_short(word).is_some());
                    }
                }
            }
        }
        assert!(short > 20, "{short}");
        assert_eq!(Floor::of(Value::Float(1e300)), None);
        assert_eq!(Floor::of(Value::Null), None);
    }
}
