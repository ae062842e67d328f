//! Functions over numbers.

use std::hash::{BuildHasher, Hasher, RandomState};

use super::{Arguments, Function, fails, gives, optional, required};
use crate::error::EvalError;
use crate::kind::Kind;
use crate::value::Value;

/// Units of data, and the power of 1000 or 1024 that each is.
const DATA_UNITS: [(&str, i32); 13] = [
    ("B", 0),
    ("kB", 1),
    ("KB", 1),
    ("KiB", 1),
    ("MB", 2),
    ("MiB", 2),
    ("GB", 3),
    ("GiB", 3),
    ("TB", 4),
    ("TiB", 4),
    ("PB", 5),
    ("PiB", 5),
    ("EiB", 6),
];

pub(super) const FUNCTIONS: &[Function] = &[
    Function::new(
        "parse_bytes",
        &[
            required("value", Kind::STRING),
            required("unit", Kind::STRING),
            optional("base", Kind::STRING),
        ],
        Kind::FLOAT,
        "The number of units (`B`, `kB`, `KiB`, `MB`, `MiB` ... `EiB`) in an amount of data such as `1.5MiB`. A step \
         is 1024 unless `base` is `\"10\"`; then it is 1000 for units without an `i`.",
        &[
            gives("parse_bytes!(.a, unit: \"MiB\")", r#"{"a":"1024KiB"}"#, "1.0"),
            gives("parse_bytes!(.a, \"B\", base: \"10\")", r#"{"a":"1.5 kB"}"#, "1500.0"),
            fails("parse_bytes!(.a, \"B\")", r#"{"a":"much"}"#, "`parse_bytes`: the text is not an amount of data"),
        ],
        parse_bytes,
    )
    .fallible(),
    Function::new(
        "abs",
        &[required("value", Kind::NUMBER)],
        Kind::NUMBER,
        "The number without its sign.",
        &[gives("abs(-42)", "{}", "42"), gives("abs(-2.5)", "{}", "2.5")],
        |arguments| match arguments.value(0)? {
            Value::Integer(value) => Ok(Value::Integer(value.wrapping_abs())),
            Value::Float(value) => Ok(Value::float(value.abs())),
            other => Err(arguments.wrong_type(0, other)),
        },
    )
    .same_kind(),
    Function::new(
        "ceil",
        &[required("value", Kind::NUMBER), optional("precision", Kind::INTEGER)],
        Kind::NUMBER,
        "The number rounded up, to a number of decimals.",
        &[gives("ceil(4.2)", "{}", "5.0"), gives("ceil(4.123, precision: 2)", "{}", "4.13")],
        |arguments| rounded(arguments, f64::ceil),
    )
    .same_kind(),
    Function::new(
        "floor",
        &[required("value", Kind::NUMBER), optional("precision", Kind::INTEGER)],
        Kind::NUMBER,
        "The number rounded down, to a number of decimals.",
        &[gives("floor(4.8)", "{}", "4.0"), gives("floor(4.567, precision: 1)", "{}", "4.5")],
        |arguments| rounded(arguments, f64::floor),
    )
    .same_kind(),
    Function::new(
        "round",
        &[required("value", Kind::NUMBER), optional("precision", Kind::INTEGER)],
        Kind::NUMBER,
        "The number rounded to the nearest, to a number of decimals.",
        &[gives("round(4.5)", "{}", "5.0"), gives("round(5.45678, precision: 2)", "{}", "5.46")],
        |arguments| rounded(arguments, f64::round),
    )
    .same_kind(),
    Function::new(
        "mod",
        &[required("value", Kind::NUMBER), required("modulus", Kind::NUMBER)],
        Kind::NUMBER,
        "The remainder of a division.",
        &[
            gives("mod(7, 4) ?? 0", "{}", "3"),
            fails("mod(7, .a)", r#"{"a":0}"#, "division by zero"),
        ],
        |arguments| {
            let (left, right) = (arguments.value(0)?, arguments.value(1)?);
            crate::ast::ArithmeticOp::Rem.apply(left, right, arguments.context)
        },
    )
    .fallible(),
    Function::new(
        "parse_int",
        &[required("value", Kind::STRING), optional("base", Kind::INTEGER)],
        Kind::INTEGER,
        "The integer that a text is in a base from 2 to 36; without one the prefixes 0b, 0o, 0 and 0x tell it.",
        &[
            gives("parse_int!(.a)", r#"{"a":"-42"}"#, "-42"),
            gives("parse_int!(.a)", r#"{"a":"0xff"}"#, "255"),
            gives("parse_int!(.a, base: 2)", r#"{"a":"101"}"#, "5"),
            fails("parse_int!(.a)", r#"{"a":"x"}"#, "`parse_int`: the text is not an integer"),
        ],
        parse_int,
    )
    .fallible(),
    Function::new(
        "parse_float",
        &[required("value", Kind::STRING)],
        Kind::FLOAT,
        "The float that a text is.",
        &[gives("parse_float!(.a)", r#"{"a":"2.5"}"#, "2.5")],
        |arguments| {
            let value = arguments.utf8(0)?.trim().parse();
            value.map(Value::float).map_err(|_| arguments.error("the text is not a number"))
        },
    )
    .fallible(),
    Function::new(
        "format_int",
        &[required("value", Kind::INTEGER), optional("base", Kind::INTEGER)],
        Kind::STRING,
        "The integer as text in a base from 2 to 36, 10 unless told.",
        &[gives("format_int!(255, 16)", "{}", r#""ff""#), gives("format_int!(-5, 2)", "{}", r#""-101""#)],
        format_int,
    )
    .fallible(),
    Function::new(
        "format_number",
        &[
            required("value", Kind::NUMBER),
            optional("scale", Kind::INTEGER),
            optional("decimal_separator", Kind::STRING),
            optional("grouping_separator", Kind::STRING),
        ],
        Kind::STRING,
        "The number as text, with a number of decimals and separators.",
        &[
            gives(
                "format_number(1234567.891, scale: 2, grouping_separator: \",\")",
                "{}",
                r#""1,234,567.89""#,
            ),
            gives("format_number(12, scale: 1, decimal_separator: \",\")", "{}", r#""12,0""#),
        ],
        format_number,
    ),
    Function::new(
        "random_int",
        &[required("min", Kind::INTEGER), required("max", Kind::INTEGER)],
        Kind::INTEGER,
        "An integer by chance, at least `min` and less than `max`.",
        &[gives("random_int!(3, 4)", "{}", "3")],
        |arguments| {
            let (min, max) = (arguments.integer(0)?, arguments.integer(1)?);
            let range = i128::from(max) - i128::from(min);
            if range <= 0 {
                return Err(arguments.error("`max` must be more than `min`"));
            }
            let at = (u128::from(random()) * range.cast_unsigned()) >> 64;
            Ok(Value::Integer((i128::from(min) + at.cast_signed()) as i64))
        },
    )
    .fallible()
    .effect(),
    Function::new(
        "random_float",
        &[required("min", Kind::FLOAT), required("max", Kind::FLOAT)],
        Kind::FLOAT,
        "A float by chance, at least `min` and less than `max`.",
        &[gives("random_float!(0.0, 1.0) < 1.0", "{}", "true")],
        |arguments| match (arguments.value(0)?, arguments.value(1)?) {
            (Value::Float(min), Value::Float(max)) if min < max => {
                let part = (random() >> 11) as f64 / (1u64 << 53) as f64;
                Ok(Value::float((min + part * (max - min)).clamp(min, max)))
            }
            (Value::Float(_), Value::Float(_)) => Err(arguments.error("`max` must be more than `min`")),
            (Value::Float(_), other) => Err(arguments.wrong_type(1, other)),
            (other, _) => Err(arguments.wrong_type(0, other)),
        },
    )
    .fallible()
    .effect(),
    Function::new(
        "random_bool",
        &[],
        Kind::BOOLEAN,
        "True or false by chance.",
        &[gives("is_boolean(random_bool())", "{}", "true")],
        |_| Ok(Value::Boolean(random() & 1 == 1)),
    )
    .effect(),
];

/// Bits by chance; for sampling and ids, not for secrets.
pub(super) fn random() -> u64 {
    RandomState::new().build_hasher().finish()
}

fn parse_bytes<'a>(arguments: &Arguments<'a, '_>) -> Result<Value<'a>, EvalError> {
    let wrong = || arguments.error("the text is not an amount of data");
    let text = arguments.utf8(0)?.trim();
    let decimal = arguments.string_or(2, "2")? == b"10";
    let size_of = |name: &str| {
        let (_, power) = DATA_UNITS.iter().find(|(unit, _)| *unit == name)?;
        let step: f64 = if decimal && !name.contains('i') { 1000.0 } else { 1024.0 };
        Some(step.powi(*power))
    };
    let unit = arguments.utf8(1)?;
    let unit = size_of(unit).ok_or_else(|| arguments.error("unknown unit"))?;
    let digits = text.find(|c: char| !c.is_ascii_digit() && c != '.').ok_or_else(wrong)?;
    let amount: f64 = text[..digits].parse().map_err(|_| wrong())?;
    let size = size_of(text[digits..].trim_start()).ok_or_else(wrong)?;
    Ok(Value::float(amount * size / unit))
}

fn rounded<'a>(
    arguments: &Arguments<'a, '_>,
    round: fn(f64) -> f64,
) -> Result<Value<'a>, EvalError> {
    let precision = arguments.integer_or(1, 0)?.clamp(-300, 300) as i32;
    match arguments.value(0)? {
        value @ Value::Integer(_) => Ok(value),
        Value::Float(value) => {
            let scale = 10f64.powi(precision);
            let result = round(value * scale) / scale;
            Ok(Value::float(if result.is_finite() { result } else { value }))
        }
        other => Err(arguments.wrong_type(0, other)),
    }
}

fn base_of(arguments: &Arguments<'_, '_>) -> Result<Option<u32>, EvalError> {
    if !arguments.given(1) {
        return Ok(None);
    }
    let base = u32::try_from(arguments.integer(1)?).ok().filter(|base| (2..=36).contains(base));
    base.map(Some).ok_or_else(|| arguments.error("the base must be from 2 to 36"))
}

fn parse_int<'a>(arguments: &Arguments<'a, '_>) -> Result<Value<'a>, EvalError> {
    let text = arguments.utf8(0)?;
    let (base, digits) = match base_of(arguments)? {
        Some(base) => (base, text),
        None => match text.as_bytes() {
            [b'0', b'b', ..] => (2, &text[2..]),
            [b'0', b'o', ..] => (8, &text[2..]),
            [b'0', b'x', ..] => (16, &text[2..]),
            [b'0', _, ..] => (8, &text[1..]),
            _ => (10, text),
        },
    };
    let value = i64::from_str_radix(digits, base);
    value.map(Value::Integer).map_err(|_| arguments.error("the text is not an integer"))
}

fn format_int<'a>(arguments: &Arguments<'a, '_>) -> Result<Value<'a>, EvalError> {
    let base = base_of(arguments)?.unwrap_or(10);
    let value = arguments.integer(0)?;
    let mut rest = value.unsigned_abs();
    let mut digits = Vec::new();
    loop {
        let digit = char::from_digit((rest % u64::from(base)) as u32, base).unwrap_or('0');
        digits.push(digit as u8);
        rest /= u64::from(base);
        if rest == 0 {
            break;
        }
    }
    if value < 0 {
        digits.push(b'-');
    }
    digits.reverse();
    arguments.context.text(&digits)
}

fn format_number<'a>(arguments: &Arguments<'a, '_>) -> Result<Value<'a>, EvalError> {
    let scale = arguments.integer_or(1, -1)?.min(100);
    let (decimal, grouping) = (arguments.string_or(2, ".")?, arguments.string_or(3, "")?);
    let text = match (arguments.value(0)?, usize::try_from(scale)) {
        (Value::Integer(value), Err(_)) => value.to_string(),
        (Value::Integer(value), Ok(0)) => value.to_string(),
        (Value::Integer(value), Ok(scale)) => format!("{value}.{}", "0".repeat(scale)),
        (Value::Float(value), Err(_)) => value.to_string(),
        (Value::Float(value), Ok(scale)) => format!("{value:.scale$}"),
        (other, _) => return Err(arguments.wrong_type(0, other)),
    };
    let (whole, fraction) = text.split_once('.').map_or((&*text, None), |(w, f)| (w, Some(f)));
    let (sign, whole) = whole.strip_prefix('-').map_or(("", whole), |whole| ("-", whole));
    let mut out = sign.as_bytes().to_vec();
    for (index, digit) in whole.bytes().enumerate() {
        if index > 0 && (whole.len() - index).is_multiple_of(3) {
            out.extend_from_slice(grouping);
        }
        out.push(digit);
    }
    if let Some(fraction) = fraction {
        out.extend_from_slice(decimal);
        out.extend_from_slice(fraction.as_bytes());
    }
    arguments.context.text(&out)
}
