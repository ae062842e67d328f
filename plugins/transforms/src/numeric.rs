//! Numbers as logs carry them: a number, or text that is one, because not every format tells them apart.

use lograil_event::ValueRef;

/// The finite number of a value.
#[inline]
pub(crate) fn number_of(value: ValueRef<'_>) -> Option<f64> {
    let number = match value {
        ValueRef::Str { text, .. } => std::str::from_utf8(text).ok()?.trim().parse().ok(),
        other => other.as_f64(),
    };
    number.filter(|number| number.is_finite())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_come_as_numbers_and_as_text() {
        assert_eq!(number_of(ValueRef::I64(-3)), Some(-3.0));
        assert_eq!(number_of(ValueRef::Number(b"1.5e3")), Some(1500.0));
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
