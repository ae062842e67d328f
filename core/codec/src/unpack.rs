//! Bodies of requests as they were before they were compressed to be sent (RFC 9110, section 8.4.1).
//!
//! **Invariant:** what comes out is within its limits at every moment, whatever was sent.

use std::io::{self, Read};

use flate2::bufread::ZlibDecoder;
use flate2::read::MultiGzDecoder;
use thiserror::Error;

/// Bytes that are decompressed at a time.
const CHUNK_BYTES: usize = 64 * 1024;

/// Memory that a body in zstd may ask for, as a power of two: 16 MiB, twice of what its level 19 needs.
const ZSTD_WINDOW_LOG_MAX: u32 = 24;

/// How many times longer than it was sent a body may become. Logs reach about 50.
const RATIO_MAX: usize = 250;

/// Bytes that a body may become whatever its ratio.
const RATIO_FREE_BYTES: usize = 1 << 20;

/// What is wrong with a body that goes on behind its stream.
const BEHIND: &str = "there are bytes behind the end of the stream";

/// How a body was compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ContentEncoding {
    /// It was not.
    Identity,
    /// RFC 1952, one member or several.
    Gzip,
    /// RFC 8878.
    Zstd,
    /// RFC 1950, which HTTP calls so.
    Deflate,
}

/// Why a body is not unpacked.
#[derive(Debug, Error)]
pub enum UnpackError {
    /// It is broken, or compressed in another way.
    #[error("decompress the body: {0}")]
    Broken(#[from] io::Error),
    /// It is longer than allowed.
    #[error("the body is longer than {0} bytes")]
    TooLong(usize),
    /// It is more likely to be an attack than a log.
    #[error("the body grows more than {RATIO_MAX} times by decompression")]
    TooDense,
}

impl ContentEncoding {
    /// The name of what the lines of the header `Content-Encoding` say together, in small letters (RFC 9110, section 5.3).
    pub fn name_of<'a>(lines: impl Iterator<Item = &'a [u8]>) -> String {
        let lines: Vec<_> = lines.map(String::from_utf8_lossy).collect();
        lines.join(", ").trim().to_ascii_lowercase()
    }

    /// The encoding of this name; none if it is not known, or is several.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        match name {
            "" | "identity" => Some(Self::Identity),
            "gzip" | "x-gzip" => Some(Self::Gzip),
            "zstd" => Some(Self::Zstd),
            "deflate" => Some(Self::Deflate),
            _ => None,
        }
    }

    /// Unpacks a body of at most `bytes_max`. `pay` is told of every piece before it is kept, and ends it by an error.
    ///
    /// # Errors
    /// If the body is broken or becomes too long, or if `pay` says so.
    pub fn unpack<E: From<UnpackError>>(
        self,
        sent: Vec<u8>,
        bytes_max: usize,
        pay: impl FnMut(usize) -> Result<(), E>,
    ) -> Result<Vec<u8>, E> {
        match self {
            Self::Identity if sent.len() > bytes_max => Err(UnpackError::TooLong(bytes_max).into()),
            Self::Identity => Ok(sent),
            Self::Gzip => decompress(MultiGzDecoder::new(&sent[..]), sent.len(), bytes_max, pay),
            Self::Zstd => {
                let mut decoder =
                    zstd::stream::read::Decoder::new(&sent[..]).map_err(UnpackError::Broken)?;
                decoder.window_log_max(ZSTD_WINDOW_LOG_MAX).map_err(UnpackError::Broken)?;
                decompress(decoder, sent.len(), bytes_max, pay)
            }
            Self::Deflate => {
                let mut decoder = ZlibDecoder::new(&sent[..]);
                let plain = decompress(&mut decoder, sent.len(), bytes_max, pay)?;
                match decoder.into_inner() {
                    [] => Ok(plain),
                    _ => Err(UnpackError::Broken(io::Error::other(BEHIND)).into()),
                }
            }
        }
    }
}

fn decompress<E: From<UnpackError>>(
    mut decoder: impl Read,
    sent: usize,
    bytes_max: usize,
    mut pay: impl FnMut(usize) -> Result<(), E>,
) -> Result<Vec<u8>, E> {
    let dense_max = sent.saturating_mul(RATIO_MAX).max(RATIO_FREE_BYTES);
    let mut plain = Vec::new();
    let mut chunk = vec![0; CHUNK_BYTES];
    loop {
        let count = decoder.read(&mut chunk).map_err(UnpackError::Broken)?;
        if count == 0 {
            return Ok(plain);
        }
        if plain.len() + count > bytes_max {
            return Err(UnpackError::TooLong(bytes_max).into());
        }
        if plain.len() + count > dense_max {
            return Err(UnpackError::TooDense.into());
        }
        pay(count)?;
        plain.extend_from_slice(&chunk[..count]);
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn unpack(encoding: ContentEncoding, sent: Vec<u8>) -> Result<Vec<u8>, UnpackError> {
        encoding.unpack(sent, 1000, |_| Ok(()))
    }

    #[test]
    fn bytes_behind_a_stream_are_not_passed_over() {
        let mut zlib = flate2::write::ZlibEncoder::new(Vec::new(), Default::default());
        zlib.write_all(b"line\n").unwrap();
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), Default::default());
        gzip.write_all(b"line\n").unwrap();
        let zstd = zstd::bulk::compress(b"line\n", 3).unwrap();
        let streams = [
            (ContentEncoding::Deflate, zlib.finish().unwrap()),
            (ContentEncoding::Gzip, gzip.finish().unwrap()),
            (ContentEncoding::Zstd, zstd),
        ];
        for (encoding, stream) in streams {
            assert_eq!(unpack(encoding, stream.clone()).unwrap(), b"line\n");
            let behind = [&stream[..], b"more lines"].concat();
            assert!(
                matches!(unpack(encoding, behind), Err(UnpackError::Broken(_))),
                "{encoding:?}"
            );
        }
    }

    #[test]
    fn several_encodings_are_known_only_together() {
        let named = |lines: &[&str]| {
            let lines = lines.iter().map(|line| line.as_bytes());
            ContentEncoding::named(&ContentEncoding::name_of(lines))
        };
        assert_eq!(named(&[]), Some(ContentEncoding::Identity));
        assert_eq!(named(&["GZIP "]), Some(ContentEncoding::Gzip));
        assert_eq!(named(&["gzip", "gzip"]), None);
    }
}
