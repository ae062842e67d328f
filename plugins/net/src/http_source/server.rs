//! Connections, requests and answers.

use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use hyper::body::Incoming;
use hyper::header::{self, HeaderValue};
use hyper::{Method, Request, StatusCode};
use lograil_codec::json::Parser;
use lograil_codec::unpack::ContentEncoding;
use lograil_event::{Ack, AckStatus, Acks};
use lograil_plugin::{Clock, Shutdown};
use serde_json::json;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, mpsc};
use tokio::time::timeout;

use super::body::{self, Paid};
use super::bulk;
use super::options::{Acknowledge, Settings};
use crate::accept;
use crate::http_server::{self, Answer, Refusal, answer};
use crate::payload::{self, Decoded, EVENT_BYTES, SplitError};
use crate::server_tls::ServerTls;
use crate::submission::{Stopped, Submitter};

/// Where one event is taken by `GET`.
const QUICK_PATH: &str = "/send";

/// What all connections share.
pub(super) struct Server {
    settings: Settings,
    id: Arc<str>,
    clock: Arc<dyn Clock>,
    submitter: Submitter,
    pending_bytes: Arc<Semaphore>,
    parser: Mutex<Parser>,
}

impl Server {
    pub fn new(
        settings: Settings,
        id: Arc<str>,
        clock: Arc<dyn Clock>,
        submitter: Submitter,
    ) -> Arc<Self> {
        let pending_bytes = Arc::new(Semaphore::new(settings.pending_bytes_max));
        let parser = Mutex::new(Parser::new());
        Arc::new(Self { settings, id, clock, submitter, pending_bytes, parser })
    }

    /// Takes connections until the topology stops and the requests that were begun are answered; what takes too
    /// long is cut off unanswered, so that its client sends it again.
    pub async fn accept(
        self: Arc<Self>,
        listener: TcpListener,
        tls: ServerTls,
        shutdown: Shutdown,
    ) {
        let (id, connections_max) = (Arc::clone(&self.id), self.settings.connections_max);
        let until = shutdown.clone();
        accept::serve_all(listener, connections_max, &id, shutdown, |stream, _| {
            let (server, tls, until) = (Arc::clone(&self), tls.clone(), until.clone());
            async move {
                if let Some(stream) = tls.begin(stream, server.settings.header_timeout).await {
                    server.serve(stream, until).await;
                }
            }
        })
        .await;
    }

    async fn serve<S>(self: Arc<Self>, stream: S, shutdown: Shutdown)
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let timeout = self.settings.header_timeout;
        let served = http_server::serve_connection(stream, timeout, shutdown, |request| {
            let server = Arc::clone(&self);
            async move { server.respond(request).await }
        })
        .await;
        if let Err(error) = served {
            tracing::debug!(component_id = %self.id, "serve a connection: {error}");
        }
    }

    async fn respond(&self, request: Request<Incoming>) -> Answer {
        let credentials = &self.settings.credentials;
        let taken = match http_server::check_client(request.headers(), credentials) {
            Ok(()) => self.take(request).await,
            Err(refusal) => Err(refusal),
        };
        taken.unwrap_or_else(Refusal::answer)
    }

    /// Takes the events of a request, by what its method and path say it is.
    async fn take(&self, request: Request<Incoming>) -> Result<Answer, Refusal> {
        let path = request.uri().path().to_owned();
        match (request.method(), bulk_index(&path)) {
            (&Method::GET, _) if path == QUICK_PATH && self.settings.allow_get => {
                let query = request.uri().query().unwrap_or_default();
                self.take_quick(message_of(query)?).await
            }
            // What clients of Elasticsearch ask before they send.
            (&Method::GET | &Method::HEAD, _) if path == "/" => Ok(bulk::greeting()),
            (&Method::POST | &Method::PUT, Some(index)) => {
                let taken = self.take_bulk(request, index).await;
                Ok(bulk::of_product(taken.unwrap_or_else(Refusal::answer)))
            }
            (&Method::POST, None) if self.settings.paths.contains(&path) => {
                let (mut body, content_type) = self.read(request).await?;
                let decoded = self.decode(&mut body, &content_type)?;
                let (events, refused) = self.deliver(decoded).await?;
                Ok(answer(StatusCode::OK, &json!({ "events": events, "refused": refused })))
            }
            _ if !self.settings.paths.contains(&path) && path != QUICK_PATH => {
                let reason = format!("events are taken at {}", self.settings.paths.join(", "));
                Err(Refusal::new(StatusCode::NOT_FOUND, reason))
            }
            _ => Err(Refusal::new(StatusCode::METHOD_NOT_ALLOWED, "events are taken by POST")),
        }
    }

    async fn take_quick(&self, message: String) -> Result<Answer, Refusal> {
        let message = Bytes::from(message);
        let decoded = self.parse(&message, std::slice::from_ref(&(0..message.len())), false);
        let (events, refused) = self.deliver(decoded).await?;
        Ok(answer(StatusCode::OK, &json!({ "events": events, "refused": refused })))
    }

    async fn take_bulk(
        &self,
        request: Request<Incoming>,
        index: Option<String>,
    ) -> Result<Answer, Refusal> {
        let (mut body, _) = self.read(request).await?;
        let index = index.as_deref();
        let text = body.bytes.clone();
        let documents = bulk::documents(&text, index, |bytes| body.pay(bytes))?;
        let pieces: Vec<_> = documents.iter().map(|document| document.range.clone()).collect();
        let decoded = self.parse(&text, &pieces, true);
        let refused: Vec<usize> = payload::refused_pieces(&decoded);
        self.deliver(decoded).await?;
        let said = bulk::answer(&documents, &refused, index);
        Ok(http_server::answer_json(StatusCode::OK, said.into()))
    }

    /// The body, and the `Content-Type` in small letters.
    async fn read(&self, request: Request<Incoming>) -> Result<(Paid, String), Refusal> {
        let (head, body) = request.into_parts();
        let text =
            |name| head.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or("");
        let encodings = head.headers.get_all(header::CONTENT_ENCODING).iter();
        let encoding = ContentEncoding::name_of(encodings.map(HeaderValue::as_bytes));
        let content_type = text(header::CONTENT_TYPE).to_ascii_lowercase();
        let reading = body::read(body, &encoding, &self.settings, &self.pending_bytes);
        let body = timeout(self.settings.request_timeout, reading)
            .await
            .map_err(|_| Refusal::new(StatusCode::REQUEST_TIMEOUT, "the body takes too long"))??;
        Ok((body, content_type))
    }

    /// How many events were taken, and how many of them are dead letters, once they are delivered.
    async fn deliver(&self, decoded: Vec<Decoded>) -> Result<(usize, usize), Refusal> {
        timeout(self.settings.request_timeout, self.deliver_all(decoded)).await.map_err(|_| {
            Refusal::later(StatusCode::SERVICE_UNAVAILABLE, "the delivery takes too long")
        })?
    }

    async fn deliver_all(&self, decoded: Vec<Decoded>) -> Result<(usize, usize), Refusal> {
        let (fate, mut fates) = mpsc::unbounded_channel();
        let ack = Ack::watching(move |status| {
            // The request may have run out of time: then nobody waits.
            let _waiting = fate.send(status);
        });
        let acks = Acks::from(ack.clone());
        let counts = self.submitter.submit(decoded, &acks).await.map_err(|Stopped| {
            Refusal::later(StatusCode::SERVICE_UNAVAILABLE, "the topology is stopping")
        })?;
        acks.resolve(AckStatus::Delivered);
        ack.resolve(AckStatus::Delivered);
        let is_delivered = self.settings.acknowledge == Acknowledge::Accepted
            || fates.recv().await.is_some_and(AckStatus::is_resolved);
        if !is_delivered {
            let reason = "the events could not be delivered";
            return Err(Refusal::later(StatusCode::SERVICE_UNAVAILABLE, reason));
        }
        Ok(counts)
    }

    fn decode(&self, body: &mut Paid, content_type: &str) -> Result<Vec<Decoded>, Refusal> {
        if content_type.contains("msgpack") {
            let reason = "MessagePack is not read; set `Format json_lines` in Fluent Bit";
            return Err(Refusal::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, reason));
        }
        let is_json = self.settings.format.is_json(&body.bytes, content_type.contains("json"));
        let mut pieces = Vec::new();
        let limit = self.settings.pending_bytes_max;
        payload::split(&body.bytes, 0, is_json, limit / EVENT_BYTES, &mut pieces).map_err(
            |error| match error {
                SplitError::Json(error) => Refusal::bad(format!("the body is no JSON: {error}")),
                SplitError::TooMany => body::too_much(limit),
            },
        )?;
        body.pay(pieces.len() * EVENT_BYTES)?;
        Ok(self.parse(&body.bytes, &pieces, is_json))
    }

    fn parse(&self, body: &Bytes, pieces: &[Range<usize>], is_json: bool) -> Vec<Decoded> {
        let mut parser = self.parser.lock().unwrap_or_else(PoisonError::into_inner);
        payload::batches(body, pieces, is_json, self.clock.now_ns(), &mut parser)
    }
}

/// For paths that end with `_bulk`: the index they name, if any.
fn bulk_index(path: &str) -> Option<Option<String>> {
    let index = path.strip_suffix("/_bulk")?.trim_start_matches('/');
    Some((!index.is_empty()).then(|| index.to_owned()))
}

/// The message of `message=hello`.
fn message_of(query: &str) -> Result<String, Refusal> {
    let message = query.split('&').find_map(|pair| pair.strip_prefix("message="));
    let message = message.and_then(crate::mock::decode);
    message.ok_or_else(|| Refusal::bad("expected a message, as in /send?message=hello"))
}
