//! The server: every client gets the events it wants, as far as it keeps up.
//!
//! **Invariant:** what clients have not taken is one ring that all share; a client that is too far behind misses events,
//! which are counted, and never holds up the sink or another client.

use std::sync::Arc;

use hyper::body::Incoming;
use hyper::{Request, StatusCode};
use lograil_plugin::{Clock, ComponentMetrics, ShutdownTrigger};
use prometheus::{IntCounter, IntGauge};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;

use super::filter::Filter;
use super::frames::Frames;
use super::options::{ServerSettings, SlowClients};
use super::ring::{Reader, Received, Ring};
use crate::http_server::Refusal;
use crate::server_tls::ServerTls;
use crate::websocket::{self, Accepted, End, Limits, Peer};
use crate::{accept, http_server};

/// What all clients share.
pub(super) struct Shared {
    settings: ServerSettings,
    tls: ServerTls,
    limits: Limits,
    id: Arc<str>,
    clock: Arc<dyn Clock>,
    connections: IntGauge,
    skipped: IntCounter,
    slow: IntCounter,
}

/// The server while it runs.
pub(super) struct Broadcast {
    ring: Arc<Ring>,
    trigger: ShutdownTrigger,
    serving: JoinHandle<()>,
}

impl Broadcast {
    pub fn start(listener: TcpListener, shared: Shared) -> Self {
        let ring = Arc::new(Ring::new(shared.settings.queue_bytes_max));
        let (trigger, shutdown) = ShutdownTrigger::new();
        let shared = Arc::new(shared);
        let subscribe = Arc::downgrade(&ring);
        let until = shutdown.clone();
        let serving = tokio::spawn(async move {
            let (id, connections_max) =
                (Arc::clone(&shared.id), shared.settings.reception.connections_max);
            accept::serve_all(listener, connections_max, &id, shutdown, |stream, _| {
                let (shared, until) = (Arc::clone(&shared), until.clone());
                let ring = subscribe.upgrade().map(|ring| ring.subscribe());
                async move {
                    if let Some(ring) = ring {
                        shared.serve(stream, ring, until).await;
                    }
                }
            })
            .await;
        });
        Self { ring, trigger, serving }
    }

    /// Gives frames to all clients; there may be none.
    pub fn send(&self, frames: Frames) {
        self.ring.send(frames);
    }

    /// Gives clients what they have not taken, says goodbye, and ends.
    pub async fn close(self) {
        drop(self.ring);
        self.trigger.request();
        // A client that takes too long was cut off.
        let _ended = self.serving.await;
    }
}

impl Shared {
    pub fn new(
        settings: ServerSettings,
        tls: ServerTls,
        limits: Limits,
        id: Arc<str>,
        clock: Arc<dyn Clock>,
        metrics: &ComponentMetrics,
    ) -> Self {
        Self {
            settings,
            tls,
            limits,
            id,
            clock,
            connections: metrics.gauge("open_connections", "Connections that are open."),
            skipped: metrics
                .counter("skipped_events", "Events that clients missed because they were slow."),
            slow: metrics.counter("slow_clients", "Clients that were too far behind."),
        }
    }

    async fn serve(&self, stream: TcpStream, ring: Reader, until: lograil_plugin::Shutdown) {
        let check = |request: &Request<Incoming>| self.check(request);
        let accepted = websocket::accept(stream, &self.tls, &self.limits, until, None, check).await;
        let Some((socket, filter)) = accepted else { return };
        self.connections.inc();
        let end = self.stream_to(socket, ring, &filter).await;
        self.connections.dec();
        tracing::debug!(component_id = %self.id, "a client has gone: {end}");
    }

    fn check(&self, request: &Request<Incoming>) -> Result<Filter, Refusal> {
        http_server::check_client(request.headers(), &self.settings.reception.credentials)?;
        let path = &self.settings.reception.path;
        if request.uri().path() != path {
            return Err(Refusal::new(StatusCode::NOT_FOUND, format!("the events are at {path}")));
        }
        let query = request.uri().query().unwrap_or_default();
        Filter::parse(query, &self.settings.filters).map_err(Refusal::bad)
    }

    async fn stream_to(&self, socket: Accepted, mut ring: Reader, filter: &Filter) -> End {
        let mut peer = Peer::new(socket, self.limits, Arc::clone(&self.clock));
        loop {
            let received = tokio::select! {
                received = ring.receive() => received,
                // What a client says means nothing, but shows that it is there.
                message = peer.next() => match message {
                    Ok(_) => continue,
                    Err(end) => return end,
                },
            };
            match received {
                Received::Frames(frames) => {
                    if let Err(end) = send(&mut peer, &frames, filter).await {
                        return end;
                    }
                }
                Received::Missed(count) => {
                    self.slow.inc();
                    self.skipped.inc_by(count);
                    if self.settings.slow_clients == SlowClients::Close {
                        peer.close(CloseCode::Policy, "too slow").await;
                        return End::Closed("too slow".to_owned());
                    }
                }
                Received::End => {
                    peer.close(CloseCode::Away, "stopping").await;
                    return End::Closed("the sink stops".to_owned());
                }
            }
        }
    }
}

async fn send(
    peer: &mut Peer<hyper_util::rt::TokioIo<hyper::upgrade::Upgraded>>,
    frames: &Frames,
    filter: &Filter,
) -> Result<(), End> {
    for event in (0..frames.len()).filter(|event| filter.wants(frames, *event)) {
        peer.feed(frames.message(event)).await?;
    }
    peer.flush().await
}
