//! Functions that write values as text, and read that text back.

use bumpalo::collections::Vec as BumpVec;

use super::{Arguments, Function, fails, gives, optional, required};
use crate::error::EvalError;
use crate::kind::Kind;
use crate::value::{Member, Value};

const STANDARD: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
const URL_SAFE: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
const HEX: &[u8; 16] = b"0123456789abcdef";

pub(super) const FUNCTIONS: &[Function] = &[
    Function::new(
        "encode_json",
        &[required("value", Kind::ANY.or(Kind::REGEX)), optional("pretty", Kind::BOOLEAN)],
        Kind::STRING,
        "The value as JSON text, in one line or, with `pretty`, in lines that are indented by two blanks a level.",
        &[
            gives("encode_json({\"a\": [1, null]})", "{}", r#""{\"a\":[1,null]}""#),
            gives(
                "encode_json({\"a\": [1], \"b\": {}}, pretty: true)",
                "{}",
                r#""{\n  \"a\": [\n    1\n  ],\n  \"b\": {}\n}""#,
            ),
        ],
        |arguments| {
            let mut out = Vec::new();
            let value = arguments.value(0)?;
            value
                .write_json_within(&mut out, 4 * crate::VALUE_DEPTH_MAX, crate::STRING_BYTES_MAX)
                .map_err(|_| EvalError::TooMuch)?;
            if arguments.flag(1, false)? {
                out = indented(&out, crate::STRING_BYTES_MAX);
            }
            arguments.context.text(&out)
        },
    ),
    Function::new(
        "encode_base64",
        &[
            required("value", Kind::STRING),
            optional("padding", Kind::BOOLEAN),
            optional("charset", Kind::STRING),
        ],
        Kind::STRING,
        "The text in base64 (RFC 4648), with padding unless told; `charset` is `standard` or `url_safe`.",
        &[
            gives("encode_base64(\"fooba\")", "{}", r#""Zm9vYmE=""#),
            gives("encode_base64(\"fooba\", padding: false)", "{}", r#""Zm9vYmE""#),
        ],
        encode_base64,
    ),
    Function::new(
        "decode_base64",
        &[required("value", Kind::STRING), optional("charset", Kind::STRING)],
        Kind::STRING,
        "The text that base64 stands for, with or without padding.",
        &[
            gives("decode_base64!(\"Zm9vYmE=\")", "{}", r#""fooba""#),
            fails("decode_base64!(.a)", r#"{"a":"Z"}"#, "`decode_base64`: the text is not base64"),
        ],
        decode_base64,
    )
    .fallible(),
    Function::new(
        "encode_base16",
        &[required("value", Kind::STRING)],
        Kind::STRING,
        "The bytes of the text in hexadecimal.",
        &[gives("encode_base16(\"ab\")", "{}", r#""6162""#)],
        |arguments| arguments.context.text(&hex_of(arguments.string(0)?)),
    ),
    Function::new(
        "decode_base16",
        &[required("value", Kind::STRING)],
        Kind::STRING,
        "The text that hexadecimal digits stand for.",
        &[gives("decode_base16!(\"6162\")", "{}", r#""ab""#)],
        |arguments| {
            let text = arguments.string(0)?;
            let byte = |pair: &[u8]| match pair {
                [high, low] => Some(digit(*high)? << 4 | digit(*low)?),
                _ => None,
            };
            let bytes = text.chunks(2).map(byte).collect::<Option<Vec<u8>>>();
            let bytes = bytes.ok_or_else(|| arguments.error("the text is not hexadecimal"))?;
            arguments.context.text(&bytes)
        },
    )
    .fallible(),
    Function::new(
        "encode_percent",
        &[required("value", Kind::STRING)],
        Kind::STRING,
        "The text with all but ASCII letters and digits written as `%XX`.",
        &[gives("encode_percent(\"a b/é\")", "{}", r#""a%20b%2F%C3%A9""#)],
        |arguments| {
            let mut out = BumpVec::new_in(arguments.context.bump);
            for byte in arguments.string(0)? {
                if byte.is_ascii_alphanumeric() {
                    out.push(*byte);
                } else {
                    let digits = [HEX[usize::from(byte >> 4)], HEX[usize::from(byte & 15)]];
                    out.extend_from_slice_copy(
                        &[b'%', digits[0], digits[1]].map(|b| b.to_ascii_uppercase()),
                    );
                }
            }
            arguments.context.written_text(out)
        },
    ),
    Function::new(
        "decode_percent",
        &[required("value", Kind::STRING)],
        Kind::STRING,
        "The text with `%XX` resolved.",
        &[gives("decode_percent(\"a%20b%2f%zz\")", "{}", r#""a b/%zz""#)],
        |arguments| arguments.context.text(&percent_decoded(arguments.string(0)?)),
    ),
    Function::new(
        "encode_logfmt",
        &[required("value", Kind::OBJECT)],
        Kind::STRING,
        "The object in logfmt: `key=value`, with quotes where they are needed. Objects inside are joined by dots.",
        &[gives("encode_logfmt({\"a\": 1, \"b\": \"x y\"})", "{}", r#""a=1 b=\"x y\"""#)],
        |arguments| pairs(arguments, b"=", b" "),
    ),
    Function::new(
        "encode_key_value",
        &[
            required("value", Kind::OBJECT),
            optional("key_value_delimiter", Kind::STRING),
            optional("field_delimiter", Kind::STRING),
        ],
        Kind::STRING,
        "The object as pairs, `key=value` parted by blanks unless told.",
        &[gives("encode_key_value({\"a\": 1, \"b\": 2}, \":\", \",\")", "{}", r#""a:1,b:2""#)],
        |arguments| {
            let (inner, outer) = (arguments.string_or(1, "=")?, arguments.string_or(2, " ")?);
            pairs(arguments, inner, outer)
        },
    ),
];

pub(super) fn hex_of(bytes: &[u8]) -> Vec<u8> {
    bytes.iter().flat_map(|b| [HEX[usize::from(b >> 4)], HEX[usize::from(b & 15)]]).collect()
}

fn digit(byte: u8) -> Option<u8> {
    char::from(byte).to_digit(16).map(|digit| digit as u8)
}

/// The text with `%XX` resolved; what is no such escape stays.
pub(super) fn percent_decoded(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    let mut at = 0;
    while let Some(byte) = text.get(at) {
        let escaped = match text.get(at + 1..at + 3) {
            Some(&[high, low]) if *byte == b'%' => digit(high).zip(digit(low)),
            _ => None,
        };
        match escaped {
            Some((high, low)) => {
                out.push(high << 4 | low);
                at += 3;
            }
            None => {
                out.push(*byte);
                at += 1;
            }
        }
    }
    out
}

fn alphabet<'a>(
    arguments: &Arguments<'a, '_>,
    index: usize,
) -> Result<&'static [u8; 64], EvalError> {
    Ok(if arguments.string_or(index, "standard")? == b"url_safe" { URL_SAFE } else { STANDARD })
}

fn encode_base64<'a>(arguments: &Arguments<'a, '_>) -> Result<Value<'a>, EvalError> {
    let alphabet = alphabet(arguments, 2)?;
    let padding = arguments.flag(1, true)?;
    let mut out = BumpVec::new_in(arguments.context.bump);
    for chunk in arguments.string(0)?.chunks(3) {
        let byte = |index: usize| u32::from(chunk.get(index).copied().unwrap_or(0));
        let bits = byte(0) << 16 | byte(1) << 8 | byte(2);
        for place in 0..4 {
            if place <= chunk.len() {
                out.push(alphabet[(bits >> (18 - 6 * place)) as usize & 63]);
            } else if padding {
                out.push(b'=');
            }
        }
    }
    arguments.context.written_text(out)
}

fn decode_base64<'a>(arguments: &Arguments<'a, '_>) -> Result<Value<'a>, EvalError> {
    let alphabet = alphabet(arguments, 1)?;
    let text = arguments.string(0)?;
    let wrong = || arguments.error("the text is not base64");
    let padding = text.iter().rev().take_while(|byte| **byte == b'=').count();
    let digits = &text[..text.len() - padding];
    if padding > 2 || padding > 0 && !text.len().is_multiple_of(4) || digits.len() % 4 == 1 {
        return Err(wrong());
    }
    let mut places = [None; 256];
    for (place, letter) in alphabet.iter().enumerate() {
        places[usize::from(*letter)] = Some(place as u32);
    }
    let mut out = BumpVec::new_in(arguments.context.bump);
    for chunk in digits.chunks(4) {
        let mut bits = 0;
        for place in 0..4 {
            let value = match chunk.get(place) {
                Some(letter) => places[usize::from(*letter)].ok_or_else(wrong)?,
                None => 0,
            };
            bits = bits << 6 | value;
        }
        let [_, bytes @ ..] = bits.to_be_bytes();
        out.extend_from_slice_copy(&bytes[..chunk.len() - 1]);
    }
    arguments.context.written_text(out)
}

fn pairs<'a>(
    arguments: &Arguments<'a, '_>,
    inner: &[u8],
    outer: &[u8],
) -> Result<Value<'a>, EvalError> {
    let context = arguments.context;
    let mut members: Vec<Member<'a>> = Vec::new();
    let depth = 3 * crate::VALUE_DEPTH_MAX;
    super::array::flatten_object(arguments.object(0)?, &[], b".", arguments, depth, &mut members)?;
    let mut out = Vec::new();
    for (index, (key, value)) in members.into_iter().enumerate() {
        if index > 0 {
            out.extend_from_slice(outer);
        }
        quoted(key, inner, outer, &mut out);
        out.extend_from_slice(inner);
        match value {
            Value::String(text) => quoted(text, inner, outer, &mut out),
            other => {
                let mut text = Vec::new();
                let bytes = crate::STRING_BYTES_MAX;
                other.write_json_within(&mut text, depth, bytes).map_err(|_| EvalError::TooMuch)?;
                match text.as_slice() {
                    [b'[' | b'{', ..] => quoted(&text, inner, outer, &mut out),
                    plain => out.extend_from_slice(plain),
                }
            }
        }
        context.check_text(out.len())?;
    }
    context.text(&out)
}

/// A text, in quotes where it would not be read back as it is.
fn quoted(text: &[u8], inner: &[u8], outer: &[u8], out: &mut Vec<u8>) {
    let has = |part: &[u8]| !part.is_empty() && memchr::memmem::find(text, part).is_some();
    let special = |b: &u8| *b == b'"' || b.is_ascii_whitespace() || b.is_ascii_control();
    if !text.is_empty() && !has(inner) && !has(outer) && !text.iter().any(special) {
        return out.extend_from_slice(text);
    }
    out.push(b'"');
    lograil_event::scan::escape_json(text, out);
    out.push(b'"');
}

/// JSON text with a line for each member and item; given up beyond `bytes_max`.
fn indented(json: &[u8], bytes_max: usize) -> Vec<u8> {
    let mut out = Vec::with_capacity(json.len() * 2);
    let mut depth = 0;
    let line = |out: &mut Vec<u8>, depth: usize| {
        out.push(b'\n');
        out.resize(out.len() + 2 * depth, b' ');
    };
    let mut bytes = json.iter().copied().peekable();
    while let Some(byte) = bytes.next() {
        if matches!(byte, b'{' | b'[') {
            while bytes.next_if(u8::is_ascii_whitespace).is_some() {}
        }
        let closes = matches!(bytes.peek(), Some(b']' | b'}'));
        match byte {
            b'{' | b'[' if closes => {
                out.push(byte);
                out.extend(bytes.next());
            }
            b'{' | b'[' => {
                depth += 1;
                out.push(byte);
                line(&mut out, depth);
            }
            b'}' | b']' => {
                depth -= 1;
                line(&mut out, depth);
                out.push(byte);
            }
            b',' => {
                out.push(byte);
                line(&mut out, depth);
            }
            b':' => out.extend_from_slice(b": "),
            b'"' => {
                out.push(byte);
                while let Some(inner) = bytes.next() {
                    out.push(inner);
                    match inner {
                        b'\\' => out.extend(bytes.next()),
                        b'"' => break,
                        _ => {}
                    }
                }
            }
            b' ' | b'\t' | b'\n' | b'\r' => {}
            other => out.push(other),
        }
        if out.len() > bytes_max {
            break;
        }
    }
    out
}
