//! Text as a value of a type.

use lograil_event::{Field, FieldFlags, Span, Tag};
use lograil_plugin::schemars::{self, JsonSchema};
use serde::Deserialize;

/// What the text of a field is read as.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum Type {
    /// The text itself.
    #[default]
    String,
    /// A whole number: `200`, `-5`, `007`.
    Int,
    /// A number: `0.003`, `1e-3`, `12`.
    Float,
    /// `true`, `t`, `yes`, `y`, `1` or `false`, `f`, `no`, `n`, `0`, in any case.
    Bool,
}

impl Type {
    /// The field of a text of this type. `None` if the text is of another.
    ///
    /// A number that JSON would write the same way stays text until someone computes with it, so it keeps
    /// every digit.
    pub(super) fn field(self, key: u32, text: &[u8], span: Span) -> Option<Field> {
        let number = || Field::text(key, Tag::Number, span, FieldFlags::NONE);
        match self {
            Self::String => None,
            Self::Int if number_kind(text) == Some(NumberKind::Integer) => Some(number()),
            Self::Int => Some(Field::i64(key, std::str::from_utf8(text).ok()?.parse().ok()?)),
            Self::Float if number_kind(text).is_some() => Some(number()),
            Self::Float => {
                let value: f64 = std::str::from_utf8(text).ok()?.parse().ok()?;
                value.is_finite().then(|| Field::f64(key, value))
            }
            Self::Bool => Some(Field::bool(key, bool_of(text)?)),
        }
    }
}

#[derive(PartialEq, Eq)]
enum NumberKind {
    Integer,
    Fraction,
}

/// Whether the text is a number in JSON's grammar, and which.
fn number_kind(text: &[u8]) -> Option<NumberKind> {
    let digits = |text: &[u8]| text.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let text = text.strip_prefix(b"-").unwrap_or(text);
    let whole = digits(text);
    if whole == 0 || (whole > 1 && text[0] == b'0') {
        return None;
    }
    let mut rest = &text[whole..];
    if rest.is_empty() {
        return Some(NumberKind::Integer);
    }
    if let Some(fraction) = rest.strip_prefix(b".") {
        let count = digits(fraction);
        rest = if count > 0 { &fraction[count..] } else { return None };
    }
    if let [b'e' | b'E', exponent @ ..] = rest {
        let exponent = match exponent {
            [b'+' | b'-', exponent @ ..] => exponent,
            exponent => exponent,
        };
        let count = digits(exponent);
        rest = if count > 0 { &exponent[count..] } else { return None };
    }
    rest.is_empty().then_some(NumberKind::Fraction)
}

fn bool_of(text: &[u8]) -> Option<bool> {
    let is_one_of =
        |words: &[&str]| words.iter().any(|word| text.eq_ignore_ascii_case(word.as_bytes()));
    if is_one_of(&["true", "t", "yes", "y", "1"]) {
        Some(true)
    } else if is_one_of(&["false", "f", "no", "n", "0"]) {
        Some(false)
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SPAN: Span = Span { segment: 0, offset: 0, len: 0 };

    #[test]
    fn numbers_in_json_grammar_keep_their_text() {
        for text in ["0", "-0", "1.50", "1e400", "-12.5E+3", "123456789012345678901234567890"] {
            let json = serde_json::from_str::<serde_json::Value>(text);
            assert!(json.is_ok() || text == "1e400", "{text}");
            let field = Type::Float.field(0, text.as_bytes(), SPAN).unwrap();
            assert_eq!(field.tag, Tag::Number, "{text}");
        }
        for text in ["", "-", "01", "1.", ".5", "1e", "1e+", "+1", "1 ", "0x10", "--1"] {
            assert!(number_kind(text.as_bytes()).is_none(), "{text}");
        }
    }

    #[test]
    fn other_spellings_are_computed_or_refused() {
        let field = |kind: Type, text: &str| kind.field(0, text.as_bytes(), SPAN);
        assert_eq!(field(Type::Int, "007"), Some(Field::i64(0, 7)));
        assert_eq!(field(Type::Int, "+5"), Some(Field::i64(0, 5)));
        assert_eq!(field(Type::Int, "1.5"), None);
        assert_eq!(field(Type::Int, "-"), None);
        assert_eq!(field(Type::Float, ".5"), Some(Field::f64(0, 0.5)));
        assert_eq!(field(Type::Float, "inf"), None);
        assert_eq!(field(Type::Float, "NaN"), None);
        assert_eq!(field(Type::Bool, "Yes"), Some(Field::bool(0, true)));
        assert_eq!(field(Type::Bool, "0"), Some(Field::bool(0, false)));
        assert_eq!(field(Type::Bool, "2"), None);
    }
}
