//! `websocket`: takes events from a websocket server, or is one that takes them.
//!
//! **Invariant:** a peer that is not heard of is given up; a client connects again, with growing waits between tries.

mod options;
mod session;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use futures::future::BoxFuture;
use lograil_plugin::spec::{no_ports, schema_of};
use lograil_plugin::{
    Backoff, Build, ComponentSpec, ConfigErrors, Options, Shutdown, Source, SourceContext,
    SourceError, SourceStart, Threading,
};
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio_tungstenite::tungstenite::Message;

use options::{ClientSettings, Settings, Side, WebsocketOptions};
use session::Shared;

use crate::http_server::{self, Refusal};
use crate::server_tls::ServerTls;
use crate::websocket_client::Target;
use crate::websocket_options::Reception;
use crate::{accept, listen, submission, websocket};

/// How long a connection that gave messages must last for the waits to begin anew: a server may greet everybody and
/// send them away.
const STEADY: Duration = Duration::from_secs(5);

/// The spec of `websocket`.
pub const SPEC: ComponentSpec = ComponentSpec {
    name: "websocket",
    summary: "Takes events from a websocket server, or is one that takes them.",
    manual: include_str!("README.md"),
    schema: schema_of::<WebsocketOptions>,
    ports: no_ports,
    claims,
    threading: Threading::Async,
    build: Build::Source(&build),
};

struct WebsocketSource {
    settings: Settings,
    /// From its start on.
    work: Option<Work>,
}

fn build(options: &Options) -> Result<Box<dyn Source>, ConfigErrors> {
    let settings = options.parse::<WebsocketOptions>()?.resolve()?;
    Ok(Box::new(WebsocketSource { settings, work: None }))
}

fn claims(options: &Value) -> Vec<String> {
    let listen = options.get("listen").and_then(Value::as_str);
    listen.map(|listen| listen::claim("tcp", listen)).unwrap_or_default()
}

impl Source for WebsocketSource {
    fn start<'a>(&'a mut self, start: &'a SourceStart) -> BoxFuture<'a, Result<(), SourceError>> {
        Box::pin(async move {
            self.work = Some(prepare(&self.settings, start).await?);
            Ok(())
        })
    }

    fn run(self: Box<Self>, context: SourceContext) -> BoxFuture<'static, Result<(), SourceError>> {
        Box::pin(async move {
            let Some(work) = self.work else { return Ok(()) };
            run_on(work, self.settings, context).await;
            Ok(())
        })
    }
}

/// What a run works with.
enum Work {
    Connect(Box<Target>, ClientSettings),
    Serve(TcpListener, ServerTls, Reception),
}

/// Reads the files of TLS, or binds.
async fn prepare(settings: &Settings, start: &SourceStart) -> Result<Work, SourceError> {
    match &settings.side {
        Side::Client(client) => {
            let target = Target {
                uri: client.uri.clone(),
                headers: client.headers.clone(),
                subprotocol: settings.subprotocol.clone(),
                tls: client.tls.load_for(&client.uri).await.map_err(SourceError::Failed)?,
                config: settings.limits.config(),
            };
            Ok(Work::Connect(Box::new(target), client.clone()))
        }
        Side::Server(server) => {
            let tls = ServerTls::of_source(server.tls.as_ref(), start).await?;
            Ok(Work::Serve(listen::tcp(server.listen).await?, tls, server.clone()))
        }
    }
}

async fn run_on(work: Work, settings: Settings, context: SourceContext) {
    let SourceContext { id, output, shutdown, clock, metrics, .. } = context;
    let (submitter, submissions) = submission::channel(&id, SPEC.name);
    let shared = Arc::new(Shared {
        settings,
        id,
        clock,
        submitter,
        connections: metrics.gauge("open_connections", "Connections that are open."),
        silent: metrics.counter("silent_peers", "Connections given up after too much silence."),
        broken: metrics
            .counter("broken_streams", "Connections that broke the protocol or a limit."),
    });
    // Ends with this function, whatever ends it.
    let mut running = JoinSet::new();
    match work {
        Work::Connect(target, client) => running.spawn(connect(target, client, shared, shutdown)),
        Work::Serve(listener, tls, server) => {
            running.spawn(serve(listener, tls, server, shared, shutdown))
        }
    };
    submissions.forward(output).await;
}

/// Connects again and again until the topology stops.
async fn connect(
    target: Box<Target>,
    client: ClientSettings,
    shared: Arc<Shared>,
    mut shutdown: Shutdown,
) {
    let mut backoff = Backoff::default();
    while !shutdown.is_requested() {
        let (mut heard, began) = (false, shared.clock.monotonic());
        let ended = connect_once(&target, &client, &shared, shutdown.clone(), &mut heard).await;
        let Err(reason) = ended else { return };
        if heard && shared.clock.monotonic().saturating_sub(began) >= STEADY {
            backoff = Backoff::default();
        }
        let wait = backoff.next(None);
        let id = &shared.id;
        tracing::warn!(component_id = %id, "{}: {reason}; connecting again in {wait:.1?}", client.uri);
        tokio::select! {
            () = shutdown.requested() => return,
            () = shared.clock.sleep(wait) => {}
        }
    }
}

/// One connection to its end; `Ok` if the topology stops.
async fn connect_once(
    target: &Target,
    client: &ClientSettings,
    shared: &Shared,
    mut shutdown: Shutdown,
    heard: &mut bool,
) -> Result<(), String> {
    let mut socket = tokio::select! {
        biased;
        () = shutdown.requested() => return Ok(()),
        socket = target.connect() => socket?,
        () = shared.clock.sleep(client.connect_timeout) => {
            return Err("connecting takes longer than `connect_timeout`".to_owned());
        }
    };
    tracing::info!(component_id = %shared.id, "connected to {}", client.uri);
    if let Some(text) = &client.send_on_connect {
        use futures::SinkExt;
        let sent = socket.send(Message::text(text.expose())).await;
        sent.map_err(|error| format!("send `send_on_connect`: {error}"))?;
    }
    match session::run(shared, socket, shutdown, heard).await {
        Some(end) => Err(end.to_string()),
        None => Ok(()),
    }
}

/// Takes connections until the topology stops.
async fn serve(
    listener: TcpListener,
    tls: ServerTls,
    server: Reception,
    shared: Arc<Shared>,
    shutdown: Shutdown,
) {
    if let Ok(address) = listener.local_addr() {
        let (scheme, path) = (tls.scheme("ws", "wss"), &server.path);
        tracing::info!(component_id = %shared.id, "taking events on {scheme}://{address}{path}");
    }
    let (id, until, server) = (Arc::clone(&shared.id), shutdown.clone(), Arc::new(server));
    accept::serve_all(listener, server.connections_max, &id, shutdown, |stream, sender| {
        let (shared, server, until) = (Arc::clone(&shared), Arc::clone(&server), until.clone());
        let tls = tls.clone();
        async move {
            let check = |request: &hyper::Request<hyper::body::Incoming>| {
                http_server::check_client(request.headers(), &server.credentials)?;
                if request.uri().path() != server.path {
                    let reason = format!("events are taken at {}", server.path);
                    return Err(Refusal::new(hyper::StatusCode::NOT_FOUND, reason));
                }
                Ok(())
            };
            let settings = &shared.settings;
            let (limits, subprotocol) = (&settings.limits, settings.subprotocol.as_deref());
            let accepted =
                websocket::accept(stream, &tls, limits, until.clone(), subprotocol, check).await;
            let Some((socket, ())) = accepted else { return };
            if let Some(end) = session::run(&shared, socket, until, &mut false).await {
                tracing::debug!(component_id = %shared.id, ?sender, "a connection ended: {end}");
            }
        }
    })
    .await;
}
