//! Digests and checksums, as hexadecimal text.

use md5::Md5;
use sha1::Sha1;
use sha2::digest::Digest;
use sha2::{Sha224, Sha256, Sha384, Sha512, Sha512_224, Sha512_256};

use super::{Arguments, Function, gives, optional, required};
use crate::error::EvalError;
use crate::kind::Kind;
use crate::value::Value;

pub(super) const FUNCTIONS: &[Function] = &[
    Function::new(
        "md5",
        &[required("value", Kind::STRING)],
        Kind::STRING,
        "The MD5 digest of a text (RFC 1321). Not for secrets.",
        &[gives("md5(\"abc\")", "{}", r#""900150983cd24fb0d6963f7d28e17f72""#)],
        |arguments| hex(arguments, &Md5::digest(arguments.string(0)?)),
    ),
    Function::new(
        "sha1",
        &[required("value", Kind::STRING)],
        Kind::STRING,
        "The SHA-1 digest of a text (FIPS 180-4). Not for secrets.",
        &[gives("sha1(\"abc\")", "{}", r#""a9993e364706816aba3e25717850c26c9cd0d89d""#)],
        |arguments| hex(arguments, &Sha1::digest(arguments.string(0)?)),
    ),
    Function::new(
        "sha2",
        &[required("value", Kind::STRING), optional("variant", Kind::STRING)],
        Kind::STRING,
        "The SHA-2 digest of a text (FIPS 180-4): `SHA-224`, `SHA-256`, `SHA-384`, `SHA-512`, `SHA-512/224`, or \
         `SHA-512/256`, which is meant unless told.",
        &[
            gives(
                "sha2(\"abc\", variant: \"SHA-256\")",
                "{}",
                r#""ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad""#,
            ),
            gives(
                "sha2(\"abc\")",
                "{}",
                r#""53048e2681941ef99b2e29b76b4c7dabe4c2d0c634fc6d46e0e2f13107e7af23""#,
            ),
        ],
        |arguments| {
            let text = arguments.string(0)?;
            match arguments.string_or(1, "SHA-512/256")? {
                b"SHA-224" => hex(arguments, &Sha224::digest(text)),
                b"SHA-256" => hex(arguments, &Sha256::digest(text)),
                b"SHA-384" => hex(arguments, &Sha384::digest(text)),
                b"SHA-512" => hex(arguments, &Sha512::digest(text)),
                b"SHA-512/224" => hex(arguments, &Sha512_224::digest(text)),
                _ => hex(arguments, &Sha512_256::digest(text)),
            }
        },
    ),
    Function::new(
        "hmac",
        &[
            required("value", Kind::STRING),
            required("key", Kind::STRING),
            optional("algorithm", Kind::STRING),
        ],
        Kind::STRING,
        "The bytes of the keyed digest of a text (RFC 2104) by `SHA1`, `SHA-224`, `SHA-256` (unless told), `SHA-384` or \
         `SHA-512`.",
        &[
            gives(
                "encode_base64(hmac(\"Hello there\", \"super-secret-key\"))",
                "{}",
                r#""eLGE8YMviv85NPXgISRUZxstBNSU47JQdcXkUWcClmI=""#,
            ),
            gives(
                "encode_base16(hmac(\"abc\", \"k\", algorithm: \"SHA1\"))",
                "{}",
                r#""f9bef091fe00d9f5128593836dba99e193f08174""#,
            ),
        ],
        |arguments| {
            let (text, key) = (arguments.string(0)?, arguments.string(1)?);
            let digest = match arguments.string_or(2, "SHA-256")? {
                b"SHA1" => hmac::<Sha1>(key, text, 64),
                b"SHA-224" => hmac::<Sha224>(key, text, 64),
                b"SHA-384" => hmac::<Sha384>(key, text, 128),
                b"SHA-512" => hmac::<Sha512>(key, text, 128),
                _ => hmac::<Sha256>(key, text, 64),
            };
            arguments.context.text(&digest)
        },
    ),
    Function::new(
        "crc32",
        &[required("value", Kind::STRING)],
        Kind::STRING,
        "The CRC-32 of a text (ISO-HDLC, as in zip and gzip) in hexadecimal.",
        &[gives("crc32(\"123456789\")", "{}", r#""cbf43926""#)],
        |arguments| hex(arguments, &crc32(arguments.string(0)?).to_be_bytes()),
    ),
];

/// The keyed digest of RFC 2104; `block` is how many bytes the digest takes at a time.
fn hmac<D: Digest>(key: &[u8], text: &[u8], block: usize) -> Vec<u8> {
    let mut padded = if key.len() > block { D::digest(key).to_vec() } else { key.to_vec() };
    padded.resize(block, 0);
    let pad = |with: u8| padded.iter().map(|byte| byte ^ with).collect::<Vec<u8>>();
    let inner = D::new().chain_update(pad(0x36)).chain_update(text).finalize();
    D::new().chain_update(pad(0x5C)).chain_update(inner).finalize().to_vec()
}

fn hex<'a>(arguments: &Arguments<'a, '_>, bytes: &[u8]) -> Result<Value<'a>, EvalError> {
    arguments.context.text(&super::encode::hex_of(bytes))
}

/// The remainders of all bytes.
const CRC32: [u32; 256] = {
    let mut table = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        let mut value = byte as u32;
        let mut bit = 0;
        while bit < 8 {
            value = if value & 1 == 1 { value >> 1 ^ 0xEDB8_8320 } else { value >> 1 };
            bit += 1;
        }
        table[byte] = value;
        byte += 1;
    }
    table
};

fn crc32(text: &[u8]) -> u32 {
    let step = |crc: u32, byte: &u8| CRC32[usize::from(crc as u8 ^ byte)] ^ crc >> 8;
    !text.iter().fold(u32::MAX, step)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_longer_than_a_block_is_hashed_first() {
        let digest = super::super::encode::hex_of(&hmac::<Sha512>(&[b'k'; 200], b"abc", 128));
        assert!(
            digest.starts_with(b"600057e6cba9ce3e078c0ae32f0ba3a786002d1da4853945"),
            "{digest:?}"
        );
    }
}
