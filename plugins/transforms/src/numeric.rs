//! Numbers as logs carry them: a number, or text that is one, because not every format tells them apart.

use lograil_event::{EventRef, Field, Tag, ValueRef};

/// Digits of a whole number up to which a 64-bit float is exact.
const DIGITS_EXACT_MAX: usize = 15;

/// The finite number of a field.
#[inline]
pub(crate) fn number_of_field(event: EventRef<'_>, field: &Field) -> Option<f64> {
    if field.tag == Tag::Number
        && let Some(number) = digits(event.batch().text(field.span()))
    {
        return Some(number as f64);
    }
    number_of(event.batch().value(field))
}

/// The finite number of a value.
pub(crate) fn number_of(value: ValueRef<'_>) -> Option<f64> {
    let number = match value {
        ValueRef::Number(text) => match digits(text) {
            Some(number) => return Some(number as f64),
            None => value.as_f64(),
        },
        ValueRef::Str { text, .. } => std::str::from_utf8(text).ok()?.trim().parse().ok(),
        other => other.as_f64(),
    };
    number.filter(|number| number.is_finite())
}

/// The whole number of so few digits that a float is exact: most numbers of logs, at a fraction of the cost.
#[inline]
pub(crate) fn digits(text: &[u8]) -> Option<u64> {
    if text.is_empty() || text.len() > DIGITS_EXACT_MAX {
        return None;
    }
    let mut number = 0u64;
    for byte in text {
        let digit = byte.wrapping_sub(b'0');
        if digit > 9 {
            return None;
        }
        number = number * 10 + u64::from(digit);
    }
    Some(number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_come_as_numbers_and_as_text() {
        assert_eq!(number_of(ValueRef::I64(-3)), Some(-3.0));
        assert_eq!(number_of(ValueRef::Number(b"1.5e3")), Some(1500.0));
        assert_eq!(number_of(ValueRef::Number(b"-7")), Some(-7.0));
        assert_eq!(number_of(ValueRef::Number(b"999999999999999")), Some(999_999_999_999_999.0));
        assert_eq!(number_of(ValueRef::Number(b"9007199254740993")), Some(9_007_199_254_740_992.0));
        assert_eq!(number_of(ValueRef::str(" 503 ")), Some(503.0));
        for no_number in [
            ValueRef::str("5s"),
            ValueRef::str("nan"),
            ValueRef::str("inf"),
            ValueRef::str(""),
            ValueRef::F64(f64::NAN),
            ValueRef::Number(b"1e999"),
            ValueRef::Bool(true),
            ValueRef::Null,
        ] {
            assert_eq!(number_of(no_number), None, "{no_number:?}");
        }
    }
}
