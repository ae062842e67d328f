//! What requests send: a few bodies at a time, each within limits of size and time.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::Request;
use axum::http::{HeaderValue, StatusCode, header};
use bytes::Bytes;
use futures::StreamExt;
use lograil_codec::unpack::{ContentEncoding, UnpackError};
use serde_json::{Value, json};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::problem::Problem;

/// Requests with a body that are worked on at the same time; others are asked to come again.
pub(crate) const BODIES_MAX: usize = 4;

/// Statuses of the problems of a body.
pub(crate) const PROBLEMS: &[u16] = &[408, 413, 415, 429];

/// How long a body may take.
const TIMEOUT: Duration = Duration::from_secs(30);

/// What a request may send.
#[derive(Clone, Copy)]
pub(crate) struct RequestBody {
    pub about: &'static str,
    /// The media types it may have.
    pub content: &'static [(&'static str, BodySchema)],
    /// Bytes it may have, as it is sent and once it is decompressed.
    pub bytes_max: usize,
}

/// What a body of a media type holds.
#[derive(Clone, Copy)]
pub(crate) enum BodySchema {
    /// Any JSON.
    Any,
    Text,
}

/// What was sent.
pub(crate) struct Received {
    pub bytes: Bytes,
    /// In small letters.
    pub content_type: String,
    /// Held for as long as what was sent is in memory.
    _permit: OwnedSemaphorePermit,
}

impl RequestBody {
    /// The request body object of the OpenAPI document.
    pub fn document(&self) -> Value {
        let mut content = json!({});
        for (media_type, schema) in self.content {
            let schema = match schema {
                BodySchema::Any => json!({}),
                BodySchema::Text => json!({ "type": "string" }),
            };
            content[media_type] = json!({ "schema": schema });
        }
        json!({ "description": self.about, "required": false, "content": content })
    }

    /// Reads what a request sends.
    pub async fn receive(
        &self,
        request: Request,
        room: &Arc<Semaphore>,
    ) -> Result<Received, Problem> {
        let Ok(permit) = Arc::clone(room).try_acquire_owned() else {
            let detail = "too many requests with a body are under way";
            return Err(Problem::later(StatusCode::TOO_MANY_REQUESTS, detail));
        };
        let (head, body) = request.into_parts();
        let text = |name| {
            let value = head.headers.get(name).and_then(|value| value.to_str().ok());
            value.unwrap_or_default().to_ascii_lowercase()
        };
        let encodings = head.headers.get_all(header::CONTENT_ENCODING).iter();
        let encoding = ContentEncoding::name_of(encodings.map(HeaderValue::as_bytes));
        let Some(encoding) = ContentEncoding::named(&encoding) else {
            let detail =
                format!("the encoding `{encoding}` is not known; send gzip, zstd, deflate or none");
            return Err(Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, detail));
        };
        let content_type = text(header::CONTENT_TYPE);
        let reading = read(body, self.bytes_max);
        let sent = tokio::time::timeout(TIMEOUT, reading)
            .await
            .map_err(|_| Problem::new(StatusCode::REQUEST_TIMEOUT, "the body takes too long"))??;
        let unpacked = encoding.unpack(sent, self.bytes_max, |_| Ok::<(), Problem>(()))?;
        Ok(Received { bytes: unpacked.into(), content_type, _permit: permit })
    }
}

async fn read(body: Body, bytes_max: usize) -> Result<Vec<u8>, Problem> {
    let mut bytes = Vec::new();
    let mut frames = body.into_data_stream();
    while let Some(frame) = frames.next().await {
        let frame = frame.map_err(|error| {
            Problem::new(StatusCode::BAD_REQUEST, format!("read the body: {error}"))
        })?;
        if bytes.len() + frame.len() > bytes_max {
            let detail = format!("the body has more than {bytes_max} bytes");
            return Err(Problem::new(StatusCode::PAYLOAD_TOO_LARGE, detail));
        }
        bytes.extend_from_slice(&frame);
    }
    Ok(bytes)
}

impl From<UnpackError> for Problem {
    fn from(error: UnpackError) -> Self {
        let status = match error {
            UnpackError::Broken(_) => StatusCode::BAD_REQUEST,
            UnpackError::TooLong(_) | UnpackError::TooDense => StatusCode::PAYLOAD_TOO_LARGE,
        };
        Self::new(status, error.to_string())
    }
}
