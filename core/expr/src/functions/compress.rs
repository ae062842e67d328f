//! Functions that pack bytes and unpack them: gzip (RFC 1952), zlib (RFC 1950), Zstandard (RFC 8878).

use std::io::Read;

use flate2::Compression;
use flate2::read::{GzEncoder, MultiGzDecoder, ZlibDecoder, ZlibEncoder};

use super::{Arguments, Function, fails, gives, optional, required};
use crate::STRING_BYTES_MAX;
use crate::error::EvalError;
use crate::kind::Kind;
use crate::value::Value;

/// Levels of gzip and zlib, and of Zstandard, unless told.
const LEVEL: i64 = 6;
const ZSTD_LEVEL: i64 = 3;
/// Most of Zstandard's level for texts beyond [`STRING_BYTES_MAX`]: higher ones take tables of up to 700 MB.
const ZSTD_LARGE_LEVEL_MAX: i64 = 9;

pub(super) const FUNCTIONS: &[Function] = &[
    Function::new(
        "decode_gzip",
        &[required("value", Kind::STRING)],
        Kind::STRING,
        "What is packed in gzip.",
        &[
            gives("decode_gzip!(encode_gzip(\"hello\"))", "{}", r#""hello""#),
            fails(
                "decode_gzip!(.a)",
                r#"{"a":"x"}"#,
                "`decode_gzip`: the bytes are damaged or too many",
            ),
        ],
        |arguments| unpacked(arguments, MultiGzDecoder::new(arguments.string(0)?)),
    )
    .fallible(),
    Function::new(
        "encode_gzip",
        &[required("value", Kind::STRING), optional("compression_level", Kind::INTEGER)],
        Kind::STRING,
        "The text packed in gzip, at a level from 0 to 9, 6 unless told.",
        &[gives("decode_gzip!(encode_gzip(\"a\", compression_level: 9))", "{}", r#""a""#)],
        |arguments| {
            let level = Compression::new(level(arguments, LEVEL, 9)?);
            packed(arguments, GzEncoder::new(arguments.string(0)?, level))
        },
    ),
    Function::new(
        "decode_zlib",
        &[required("value", Kind::STRING)],
        Kind::STRING,
        "What is packed in zlib.",
        &[gives("decode_zlib!(decode_base64!(.a))", r#"{"a":"eJxLSk6pAgAD9wGk"}"#, r#""bcdz""#)],
        |arguments| unpacked(arguments, ZlibDecoder::new(arguments.string(0)?)),
    )
    .fallible(),
    Function::new(
        "encode_zlib",
        &[required("value", Kind::STRING), optional("compression_level", Kind::INTEGER)],
        Kind::STRING,
        "The text packed in zlib, at a level from 0 to 9, 6 unless told.",
        &[gives("decode_zlib!(encode_zlib(\"a\"))", "{}", r#""a""#)],
        |arguments| {
            let level = Compression::new(level(arguments, LEVEL, 9)?);
            packed(arguments, ZlibEncoder::new(arguments.string(0)?, level))
        },
    ),
    Function::new(
        "decode_zstd",
        &[required("value", Kind::STRING)],
        Kind::STRING,
        "What is packed in Zstandard.",
        &[gives("decode_zstd!(encode_zstd(\"hello\"))", "{}", r#""hello""#)],
        |arguments| match zstd::stream::read::Decoder::new(arguments.string(0)?) {
            Ok(decoder) => unpacked(arguments, decoder),
            Err(_) => Err(arguments.error(DAMAGED)),
        },
    )
    .fallible(),
    Function::new(
        "encode_zstd",
        &[required("value", Kind::STRING), optional("compression_level", Kind::INTEGER)],
        Kind::STRING,
        "The text packed in Zstandard, at a level from 0 to 22, 3 unless told. Texts of more than 1 MiB are packed at 9 at \
         most, for the memory that higher levels take.",
        &[gives("decode_zstd!(encode_zstd(\"a\", compression_level: 1))", "{}", r#""a""#)],
        |arguments| {
            let text = arguments.string(0)?;
            let is_large = text.len() > STRING_BYTES_MAX;
            let max = if is_large { ZSTD_LARGE_LEVEL_MAX } else { 22 };
            let level = level(arguments, ZSTD_LEVEL, max)?;
            let mut encoder = zstd::stream::read::Encoder::new(text, level as i32)
                .map_err(|_| EvalError::TooMuch)?;
            // With the length known, the tables are no larger than the text needs.
            encoder
                .set_pledged_src_size(Some(text.len() as u64))
                .map_err(|_| EvalError::TooMuch)?;
            packed(arguments, encoder)
        },
    ),
];

const DAMAGED: &str = "the bytes are damaged or too many";

fn level(arguments: &Arguments<'_, '_>, default: i64, max: i64) -> Result<u32, EvalError> {
    Ok(arguments.integer_or(1, default)?.clamp(0, max) as u32)
}

/// All that a reader gives, up to the longest text there may be: a small input can unpack to any size.
fn unpacked<'a>(arguments: &Arguments<'a, '_>, reader: impl Read) -> Result<Value<'a>, EvalError> {
    let mut out = Vec::new();
    match reader.take(STRING_BYTES_MAX as u64 + 1).read_to_end(&mut out) {
        Ok(len) if len <= STRING_BYTES_MAX => arguments.context.text(&out),
        _ => Err(arguments.error(DAMAGED)),
    }
}

fn packed<'a>(arguments: &Arguments<'a, '_>, reader: impl Read) -> Result<Value<'a>, EvalError> {
    let mut out = Vec::new();
    // Reading memory does not fail.
    match reader.take(STRING_BYTES_MAX as u64 + 1).read_to_end(&mut out) {
        Ok(_) => arguments.context.text(&out),
        Err(_) => Err(EvalError::TooMuch),
    }
}

#[cfg(test)]
mod tests {
    use super::{STRING_BYTES_MAX, ZSTD_LARGE_LEVEL_MAX};
    use crate::tests::events::run;

    #[test]
    fn tables_of_zstd_are_as_large_as_the_text() {
        // RFC 8878, 3.1.1.1: the fifth byte says whether the frame has the text's length, and no window beyond it.
        let event = r#"{"a":"x"}"#;
        let packed = run("encode_base16(encode_zstd(.a, compression_level: 22))", event);
        let descriptor = u8::from_str_radix(&packed[9..11], 16).unwrap();
        assert_eq!(descriptor & 0x20, 0x20, "{packed}");
    }

    #[test]
    fn large_texts_are_packed_at_a_bounded_level() {
        let text: String =
            (0..STRING_BYTES_MAX / 7).map(|number| format!("{:x} ", number * number)).collect();
        assert!(text.len() > STRING_BYTES_MAX);
        let event = serde_json::json!({ "a": text }).to_string();
        let length = |level: i64| {
            run(&format!("length(encode_zstd(.a, compression_level: {level}))"), &event)
        };
        assert_eq!(length(22), length(ZSTD_LARGE_LEVEL_MAX));
    }
}
