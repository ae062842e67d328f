//! `websocket`: sends events to a websocket server, or is one that gives them to many clients.
//!
//! **Invariant:** as a client an event is delivered once the peer has confirmed it; as a server nothing waits for a
//! client.

mod broadcast;
mod filter;
mod frames;
mod link;
mod options;
mod ring;
#[cfg(test)]
mod tests;

use futures::future::BoxFuture;
use lograil_event::Batch;
use lograil_plugin::spec::{no_ports, schema_of};
use lograil_plugin::{
    Build, ComponentSpec, ConfigErrors, Delivery, Options, Sink, SinkContext, SinkError, Threading,
};
use serde_json::Value;
use tokio::net::TcpListener;

use broadcast::{Broadcast, Shared};
use frames::{FrameEncoder, Frames};
use link::{Dialer, Link};
use options::{ClientSettings, FRAME_BYTES, ServerSettings, Side, WebsocketOptions};

use crate::listen;
use crate::server_tls::ServerTls;
use crate::websocket::Limits;
use crate::websocket_client::Target;

/// The spec of `websocket`.
pub const SPEC: ComponentSpec = ComponentSpec {
    name: "websocket",
    summary: "Sends events to a websocket server, or is one that gives them to many clients.",
    manual: include_str!("README.md"),
    schema: schema_of::<WebsocketOptions>,
    ports: no_ports,
    claims,
    threading: Threading::Async,
    build: Build::Sink(&build),
};

fn build(options: &Options) -> Result<Box<dyn Sink>, ConfigErrors> {
    let (side, limits, encoder) = options.parse::<WebsocketOptions>()?.resolve()?;
    let filters = match &side {
        Side::Client(_) => Vec::new(),
        Side::Server(server) => server.filters.clone(),
    };
    let encoder = FrameEncoder::new(encoder, filters);
    Ok(Box::new(WebsocketSink { side, limits, encoder, work: None }))
}

fn claims(options: &Value) -> Vec<String> {
    let listen = options.get("listen").and_then(Value::as_str);
    listen.map(|listen| listen::claim("tcp", listen)).unwrap_or_default()
}

/// What an open sink works with.
enum Work {
    Client(Link),
    Server(Broadcast),
}

struct WebsocketSink {
    side: Side,
    limits: Limits,
    encoder: FrameEncoder,
    work: Option<Work>,
}

impl Sink for WebsocketSink {
    fn open(&mut self, context: SinkContext) -> BoxFuture<'_, Result<(), SinkError>> {
        Box::pin(async move {
            self.work = Some(match &self.side {
                Side::Client(client) => Work::Client(connect(client, self.limits, context).await?),
                Side::Server(server) => Work::Server(serve(server, self.limits, context).await?),
            });
            Ok(())
        })
    }

    fn write<'a>(&'a mut self, batch: &'a Batch) -> BoxFuture<'a, Result<Delivery, SinkError>> {
        Box::pin(async move {
            let frames = self.encoder.encode(batch, FRAME_BYTES);
            let bytes = frames.iter().map(Frames::bytes).sum();
            match &self.work {
                Some(Work::Client(link)) if !frames.is_empty() => link.write(frames).await?,
                Some(Work::Server(server)) => frames.into_iter().for_each(|one| server.send(one)),
                _ => {}
            }
            Ok(Delivery { bytes, rejected: Vec::new() })
        })
    }

    fn commit(&mut self) -> BoxFuture<'_, Result<(), SinkError>> {
        Box::pin(async move {
            match &self.work {
                Some(Work::Client(link)) => link.commit().await,
                _ => Ok(()),
            }
        })
    }

    fn close(&mut self) -> BoxFuture<'_, Result<(), SinkError>> {
        Box::pin(async move {
            match self.work.take() {
                Some(Work::Client(link)) => link.close().await,
                Some(Work::Server(server)) => server.close().await,
                None => {}
            }
            Ok(())
        })
    }
}

async fn connect(
    client: &ClientSettings,
    limits: Limits,
    context: SinkContext,
) -> Result<Link, SinkError> {
    let target = Target {
        uri: client.uri.clone(),
        headers: client.headers.clone(),
        subprotocol: client.subprotocol.clone(),
        tls: client.tls.load_for(&client.uri).await.map_err(SinkError::Fatal)?,
        config: limits.config(),
    };
    let connections = context.metrics.gauge("open_connections", "Connections that are open.");
    let (connect_timeout, clock) = (client.connect_timeout, context.clock);
    Ok(Link::start(Dialer { target, limits, connect_timeout, clock, connections }))
}

async fn serve(
    server: &ServerSettings,
    limits: Limits,
    context: SinkContext,
) -> Result<Broadcast, SinkError> {
    let retry = |error| SinkError::retry(format!("listen on {}: {error}", server.reception.listen));
    let SinkContext { id, clock, metrics, .. } = context;
    let tls = ServerTls::load(server.reception.tls.as_ref(), &id, &clock, &metrics)
        .await
        .map_err(SinkError::Fatal)?;
    let listener = TcpListener::bind(server.reception.listen).await.map_err(retry)?;
    let address = listener.local_addr().map_err(retry)?;
    let (scheme, path) = (tls.scheme("ws", "wss"), &server.reception.path);
    tracing::info!(component_id = %id, "giving events on {scheme}://{address}{path}");
    let shared = Shared::new(server.clone(), tls, limits, id, clock, &metrics);
    Ok(Broadcast::start(listener, shared))
}
