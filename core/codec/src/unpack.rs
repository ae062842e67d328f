//! Bodies of requests as they were before they were compressed to be sent (RFC 9110, section 8.4.1).
//!
//! **Invariant:** what comes out is within its limits at every moment, whatever was sent.

use std::io::{self, Read};

use flate2::read::{MultiGzDecoder, ZlibDecoder};
use thiserror::Error;

/// Bytes that are decompressed at a time.
const CHUNK_BYTES: usize = 64 * 1024;

/// Memory that a body in zstd may ask for, as a power of two: 16 MiB, twice of what its level 19 needs.
const ZSTD_WINDOW_LOG_MAX: u32 = 24;

/// How many times longer than it was sent a body may become. Logs reach about 50.
const RATIO_MAX: usize = 250;

/// Bytes that a body may become whatever its ratio.
const RATIO_FREE_BYTES: usize = 1 << 20;

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
    /// The encoding of a `Content-Encoding` in small letters; none if it is not known.
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
            Self::Deflate => decompress(ZlibDecoder::new(&sent[..]), sent.len(), bytes_max, pay),
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
