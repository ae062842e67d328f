//! Connections, requests and answers.

use std::convert::Infallible;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::header::{self, HeaderMap, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use lograil_codec::json::Parser;
use lograil_event::{Ack, AckStatus};
use lograil_plugin::{Clock, Shutdown, dead_letter};
use serde_json::json;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, mpsc};
use tokio::time::timeout;

use super::Submission;
use super::body::{self, Paid};
use super::events;
use super::options::{Acknowledge, Settings};
use crate::accept;

/// Bytes a request's head may have.
const HEADER_BYTES_MAX: usize = 64 * 1024;
/// Header lines a request may have.
const HEADERS_MAX: usize = 100;
/// How long a client is asked to wait, in seconds.
const RETRY_AFTER: &str = "1";

/// Why a request is not taken.
pub(super) struct Refusal {
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

    pub fn bad(reason: String) -> Self {
        Self::new(StatusCode::BAD_REQUEST, reason)
    }

    fn answer(self) -> Response<Full<Bytes>> {
        let mut response = answer(self.status, &json!({ "error": self.reason }));
        if self.is_worth_a_retry {
            let after = HeaderValue::from_static(RETRY_AFTER);
            response.headers_mut().insert(header::RETRY_AFTER, after);
        }
        response
    }
}

fn answer(status: StatusCode, body: &serde_json::Value) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from(format!("{body}\n"))));
    *response.status_mut() = status;
    let json = HeaderValue::from_static("application/json");
    response.headers_mut().insert(header::CONTENT_TYPE, json);
    response
}

/// What all connections share.
pub(super) struct Server {
    settings: Settings,
    id: Arc<str>,
    clock: Arc<dyn Clock>,
    submissions: mpsc::Sender<Submission>,
    pending_bytes: Arc<Semaphore>,
    parser: Mutex<Parser>,
}

impl Server {
    pub fn new(
        settings: Settings,
        id: Arc<str>,
        clock: Arc<dyn Clock>,
        submissions: mpsc::Sender<Submission>,
    ) -> Arc<Self> {
        let pending_bytes = Arc::new(Semaphore::new(settings.pending_bytes_max));
        let parser = Mutex::new(Parser::new());
        Arc::new(Self { settings, id, clock, submissions, pending_bytes, parser })
    }

    /// Takes connections until the topology stops and the requests that were begun are answered; what takes too
    /// long is cut off unanswered, so that its client sends it again.
    pub async fn accept(self: Arc<Self>, listener: TcpListener, shutdown: Shutdown) {
        let (id, connections_max) = (Arc::clone(&self.id), self.settings.connections_max);
        let until = shutdown.clone();
        accept::serve_all(listener, connections_max, &id, shutdown, |stream, _| {
            Arc::clone(&self).serve(stream, until.clone())
        })
        .await;
    }

    async fn serve(self: Arc<Self>, stream: TcpStream, mut shutdown: Shutdown) {
        let service = service_fn(|request| {
            let server = Arc::clone(&self);
            async move { Ok::<_, Infallible>(server.respond(request).await) }
        });
        let mut builder = http1::Builder::new();
        builder
            .timer(TokioTimer::new())
            .header_read_timeout(self.settings.header_timeout)
            .max_buf_size(HEADER_BYTES_MAX)
            .max_headers(HEADERS_MAX);
        let mut connection =
            std::pin::pin!(builder.serve_connection(TokioIo::new(stream), service));
        let served = tokio::select! {
            served = connection.as_mut() => served,
            () = shutdown.requested() => {
                connection.as_mut().graceful_shutdown();
                connection.await
            }
        };
        if let Err(error) = served {
            tracing::debug!(component_id = %self.id, "serve a connection: {error}");
        }
    }

    async fn respond(&self, request: Request<Incoming>) -> Response<Full<Bytes>> {
        match self.take(request).await {
            Ok((events, refused)) => {
                answer(StatusCode::OK, &json!({ "events": events, "refused": refused }))
            }
            Err(refusal) => refusal.answer(),
        }
    }

    /// How many events were taken, and how many of them are dead letters.
    async fn take(&self, request: Request<Incoming>) -> Result<(usize, usize), Refusal> {
        self.check(&request)?;
        let (head, body) = request.into_parts();
        let text =
            |name| head.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or("");
        let encoding = text(header::CONTENT_ENCODING).to_ascii_lowercase();
        let content_type = text(header::CONTENT_TYPE).to_ascii_lowercase();
        let limit = self.settings.request_timeout;
        let body = timeout(limit, body::read(body, &encoding, &self.settings, &self.pending_bytes))
            .await
            .map_err(|_| Refusal::new(StatusCode::REQUEST_TIMEOUT, "the body takes too long"))??;
        timeout(limit, self.deliver(&body, &content_type)).await.map_err(|_| {
            Refusal::later(StatusCode::SERVICE_UNAVAILABLE, "the delivery takes too long")
        })?
    }

    fn check(&self, request: &Request<Incoming>) -> Result<(), Refusal> {
        if !self.is_authorized(request.headers()) {
            return Err(Refusal::new(
                StatusCode::UNAUTHORIZED,
                "the bearer token is missing or wrong",
            ));
        }
        if request.headers().contains_key(header::ORIGIN) {
            return Err(Refusal::new(StatusCode::FORBIDDEN, "no requests of web pages are taken"));
        }
        if request.uri().path() != self.settings.path {
            let reason = format!("events are taken at {}", self.settings.path);
            return Err(Refusal::new(StatusCode::NOT_FOUND, reason));
        }
        if request.method() != Method::POST {
            return Err(Refusal::new(StatusCode::METHOD_NOT_ALLOWED, "events are taken by POST"));
        }
        Ok(())
    }

    fn is_authorized(&self, headers: &HeaderMap) -> bool {
        let Some(token) = &self.settings.token else { return true };
        let given = headers.get(header::AUTHORIZATION).map_or(&b""[..], HeaderValue::as_bytes);
        given
            .strip_prefix(b"Bearer ")
            .is_some_and(|given| is_same(given, token.expose().as_bytes()))
    }

    async fn deliver(&self, body: &Paid, content_type: &str) -> Result<(usize, usize), Refusal> {
        let decoded = {
            let mut parser = self.parser.lock().unwrap_or_else(PoisonError::into_inner);
            let (format, now_ns) = (self.settings.format, self.clock.now_ns());
            events::decode(&body.bytes, format, content_type, now_ns, &mut parser)
                .map_err(|error| Refusal::bad(format!("the body is no JSON: {error}")))?
        };
        let (fate, mut fates) = mpsc::unbounded_channel();
        let ack = Ack::watching(move |status| {
            // The request may have run out of time: then nobody waits.
            let _waiting = fate.send(status);
        });
        let (mut events, mut refused) = (0, 0);
        for one in decoded {
            let mut batch = one.events;
            events += batch.len();
            batch.add_acks(ack.clone().into());
            self.submit(Submission::Events(batch)).await?;
            if let Some((mut letters, reasons)) = one.refused {
                events += letters.len();
                refused += letters.len();
                letters.add_acks(ack.clone().into());
                let letters = dead_letter::convert(letters, &self.id, "http", |at| &reasons[at]);
                self.submit(Submission::Letters(letters)).await?;
            }
        }
        ack.resolve(AckStatus::Delivered);
        let is_delivered = self.settings.acknowledge == Acknowledge::Accepted
            || fates.recv().await.is_some_and(AckStatus::is_resolved);
        if !is_delivered {
            let reason = "the events could not be delivered";
            return Err(Refusal::later(StatusCode::SERVICE_UNAVAILABLE, reason));
        }
        Ok((events, refused))
    }

    async fn submit(&self, submission: Submission) -> Result<(), Refusal> {
        self.submissions.send(submission).await.map_err(|_| {
            Refusal::later(StatusCode::SERVICE_UNAVAILABLE, "the topology is stopping")
        })
    }
}

/// Compares in a time that does not tell how much of a secret was right.
fn is_same(given: &[u8], secret: &[u8]) -> bool {
    let differing = given.iter().zip(secret).fold(0, |all, (a, b)| all | (a ^ b));
    given.len() == secret.len() && differing == 0
}
