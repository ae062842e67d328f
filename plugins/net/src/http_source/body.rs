//! The body of a request: read and decompressed within limits.
//!
//! **Invariant:** what is kept of a request, its body and what is made of it, is paid for from the budget of pending
//! bytes first.

use std::sync::Arc;

use bytes::Bytes;
use http_body_util::BodyExt;
use hyper::StatusCode;
use hyper::body::Body;
use lograil_codec::unpack::{ContentEncoding, UnpackError};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::options::Settings;
use crate::http_server::Refusal;
use crate::payload::EVENT_BYTES;

/// A body, and its share of the budget, which is given back when this is dropped.
pub(super) struct Paid {
    pub bytes: Bytes,
    share: Share,
}

impl Paid {
    /// Pays for what is made of the body.
    pub fn pay(&mut self, bytes: usize) -> Result<(), Refusal> {
        self.share.grow(bytes)
    }
}

/// The answer to a request that finds no room even if there is no other.
pub(super) fn too_much(limit: usize) -> Refusal {
    let reason = format!(
        "the body, with {EVENT_BYTES} bytes or more for each event, takes more than \
         `max_pending_bytes` = {limit}"
    );
    Refusal::new(StatusCode::PAYLOAD_TOO_LARGE, reason)
}

/// A growing share of the budget of pending bytes.
struct Share {
    budget: Arc<Semaphore>,
    /// All of the budget.
    limit: usize,
    permit: Option<OwnedSemaphorePermit>,
}

impl Share {
    fn grow(&mut self, bytes: usize) -> Result<(), Refusal> {
        let own = self.permit.as_ref().map_or(0, OwnedSemaphorePermit::num_permits);
        if bytes > self.limit - own {
            return Err(too_much(self.limit));
        }
        let count = u32::try_from(bytes).unwrap_or(u32::MAX);
        let more = Arc::clone(&self.budget).try_acquire_many_owned(count).map_err(|_| {
            Refusal::later(StatusCode::TOO_MANY_REQUESTS, "too many requests are under way")
        })?;
        match &mut self.permit {
            Some(permit) => permit.merge(more),
            None => self.permit = Some(more),
        }
        Ok(())
    }
}

/// Reads a body; `encoding` is its `Content-Encoding`.
pub(super) async fn read<B>(
    mut body: B,
    encoding: &str,
    settings: &Settings,
    budget: &Arc<Semaphore>,
) -> Result<Paid, Refusal>
where
    B: Body<Data = Bytes> + Unpin,
    B::Error: std::fmt::Display,
{
    let limit = settings.body_bytes_max;
    let mut share =
        Share { budget: Arc::clone(budget), limit: settings.pending_bytes_max, permit: None };
    if body.size_hint().lower() > limit as u64 {
        return Err(too_long("max_body_bytes", limit));
    }
    let mut sent = Vec::new();
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| Refusal::bad(format!("read the body: {error}")))?;
        let Ok(data) = frame.into_data() else { continue };
        if sent.len() + data.len() > limit {
            return Err(too_long("max_body_bytes", limit));
        }
        share.grow(data.len())?;
        sent.extend_from_slice(&data);
    }
    let Some(encoding) = ContentEncoding::named(encoding) else {
        let reason =
            format!("the encoding `{encoding}` is not known; send gzip, zstd, deflate or none");
        return Err(Refusal::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, reason));
    };
    let limit = match encoding {
        ContentEncoding::Identity => settings.body_bytes_max,
        _ => settings.decompressed_bytes_max,
    };
    let plain = encoding.unpack(sent, limit, |bytes| share.grow(bytes))?;
    Ok(Paid { bytes: Bytes::from(plain), share })
}

impl From<UnpackError> for Refusal {
    fn from(error: UnpackError) -> Self {
        match error {
            UnpackError::TooLong(limit) => too_long("max_decompressed_bytes", limit),
            UnpackError::TooDense => Self::new(StatusCode::PAYLOAD_TOO_LARGE, error.to_string()),
            UnpackError::Broken(_) => Self::bad(error.to_string()),
        }
    }
}

fn too_long(option: &str, limit: usize) -> Refusal {
    let reason = format!("the body is longer than `{option}` = {limit}");
    Refusal::new(StatusCode::PAYLOAD_TOO_LARGE, reason)
}
