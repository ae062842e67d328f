//! Connections, requests and answers.

use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use hyper::body::Incoming;
use hyper::header;
use hyper::{Method, Request, StatusCode};
use lograil_codec::json::Parser;
use lograil_event::{Ack, AckStatus, Acks};
use lograil_plugin::{Clock, Shutdown};
use serde_json::json;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, mpsc};
use tokio::time::timeout;

use super::body::{self, Paid};
use super::options::{Acknowledge, Settings};
use crate::accept;
use crate::http_server::{self, Answer, Refusal, answer};
use crate::payload::{self, Decoded};
use crate::submission::{Stopped, Submitter};

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
    pub async fn accept(self: Arc<Self>, listener: TcpListener, shutdown: Shutdown) {
        let (id, connections_max) = (Arc::clone(&self.id), self.settings.connections_max);
        let until = shutdown.clone();
        accept::serve_all(listener, connections_max, &id, shutdown, |stream, _| {
            Arc::clone(&self).serve(stream, until.clone())
        })
        .await;
    }

    async fn serve(self: Arc<Self>, stream: TcpStream, shutdown: Shutdown) {
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
        http_server::check_client(request.headers(), self.settings.token.as_ref())?;
        if request.uri().path() != self.settings.path {
            let reason = format!("events are taken at {}", self.settings.path);
            return Err(Refusal::new(StatusCode::NOT_FOUND, reason));
        }
        if request.method() != Method::POST {
            return Err(Refusal::new(StatusCode::METHOD_NOT_ALLOWED, "events are taken by POST"));
        }
        Ok(())
    }

    async fn deliver(&self, body: &Paid, content_type: &str) -> Result<(usize, usize), Refusal> {
        let decoded = self.decode(&body.bytes, content_type)?;
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

    fn decode(&self, body: &Bytes, content_type: &str) -> Result<Vec<Decoded>, Refusal> {
        let is_json = self.settings.format.is_json(body, content_type.contains("json"));
        let mut pieces = Vec::new();
        payload::split(body, 0, is_json, &mut pieces)
            .map_err(|error| Refusal::bad(format!("the body is no JSON: {error}")))?;
        let mut parser = self.parser.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(payload::batches(body, &pieces, is_json, self.clock.now_ns(), &mut parser))
    }
}
