//! Connections of HTTP/1.1 with limits, and answers.
//!
//! **Invariant:** a request's head is bounded in bytes, lines and time.

use std::convert::Infallible;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::header::{self, HeaderMap, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use lograil_plugin::{Secret, Shutdown};
use serde_json::json;
use tokio::io::{AsyncRead, AsyncWrite};

use crate::request_headers::BasicOptions;

/// Bytes a request's head may have.
const HEADER_BYTES_MAX: usize = 64 * 1024;
/// Header lines a request may have.
const HEADERS_MAX: usize = 100;
/// How long a client is asked to wait, in seconds.
const RETRY_AFTER: &str = "1";

/// An answer.
pub(crate) type Answer = Response<Full<Bytes>>;

/// Why a request is not taken.
#[derive(Debug)]
pub(crate) struct Refusal {
    status: StatusCode,
    reason: String,
    is_worth_a_retry: bool,
}

impl Refusal {
    pub fn new(status: StatusCode, reason: impl Into<String>) -> Self {
        Self { status, reason: reason.into(), is_worth_a_retry: false }
    }

    pub fn later(status: StatusCode, reason: &str) -> Self {
        Self { is_worth_a_retry: true, ..Self::new(status, reason) }
    }

    pub fn bad(reason: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, reason)
    }

    pub fn answer(self) -> Answer {
        let mut response = answer(self.status, &json!({ "error": self.reason }));
        if self.is_worth_a_retry {
            let after = HeaderValue::from_static(RETRY_AFTER);
            response.headers_mut().insert(header::RETRY_AFTER, after);
        }
        response
    }
}

/// An answer with a JSON document.
pub(crate) fn answer(status: StatusCode, body: &serde_json::Value) -> Answer {
    answer_json(status, format!("{body}\n").into())
}

/// An answer with the text of a JSON document.
pub(crate) fn answer_json(status: StatusCode, text: Bytes) -> Answer {
    let mut response = Response::new(Full::new(text));
    *response.status_mut() = status;
    let json = HeaderValue::from_static("application/json");
    response.headers_mut().insert(header::CONTENT_TYPE, json);
    response
}

/// Serves a connection until it ends, is upgraded, or the topology stops and what was begun is answered.
pub(crate) async fn serve_connection<S, R, F>(
    stream: S,
    header_timeout: Duration,
    mut shutdown: Shutdown,
    respond: R,
) -> Result<(), hyper::Error>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    R: Fn(Request<Incoming>) -> F,
    F: Future<Output = Answer>,
{
    let service = service_fn(|request| {
        let answer = respond(request);
        async move { Ok::<_, Infallible>(answer.await) }
    });
    let mut builder = http1::Builder::new();
    builder
        .timer(TokioTimer::new())
        .header_read_timeout(header_timeout)
        .max_buf_size(HEADER_BYTES_MAX)
        .max_headers(HEADERS_MAX);
    let connection = builder.serve_connection(TokioIo::new(stream), service).with_upgrades();
    let mut connection = std::pin::pin!(connection);
    tokio::select! {
        served = connection.as_mut() => served,
        () = shutdown.requested() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    }
}

/// The values of `Authorization` of which a client must send one; any client may come in if there are none.
#[derive(Debug, Clone, Default)]
pub(crate) struct Credentials(Vec<HeaderValue>);

impl Credentials {
    pub fn new(token: Option<&Secret>, basic: Option<&BasicOptions>) -> Self {
        let bearer = token.map(|token| {
            let mut value = HeaderValue::from_str(&format!("Bearer {}", token.expose()))
                // A token that no header can hold lets nobody in.
                .unwrap_or_else(|_| HeaderValue::from_static("\t"));
            value.set_sensitive(true);
            value
        });
        Self(bearer.into_iter().chain(basic.map(BasicOptions::header)).collect())
    }

    fn admit(&self, headers: &HeaderMap) -> bool {
        let given = headers.get(header::AUTHORIZATION).map_or(&b""[..], HeaderValue::as_bytes);
        self.0.is_empty() || self.0.iter().any(|one| is_same(given, one.as_bytes()))
    }
}

/// Whether a request may come in: it has what is asked for, and is none of a web page.
pub(crate) fn check_client(headers: &HeaderMap, credentials: &Credentials) -> Result<(), Refusal> {
    if !credentials.admit(headers) {
        let reason = "the bearer token, or the name and password, are missing or wrong";
        return Err(Refusal::new(StatusCode::UNAUTHORIZED, reason));
    }
    if headers.contains_key(header::ORIGIN) {
        return Err(Refusal::new(StatusCode::FORBIDDEN, "no requests of web pages are taken"));
    }
    Ok(())
}

/// Compares in a time that does not tell how much of a secret was right.
fn is_same(given: &[u8], secret: &[u8]) -> bool {
    let differing = given.iter().zip(secret).fold(0, |all, (a, b)| all | (a ^ b));
    given.len() == secret.len() && differing == 0
}
