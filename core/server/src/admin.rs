//! Routes and listening.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router, middleware};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use hyper_util::service::TowerToHyperService;
use lograil_plugin::MetricsRegistry;
use lograil_runtime::Observer;
use prometheus::{Encoder, TextEncoder};
use serde_json::{Value, json};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;

use crate::host;

/// Connections served at the same time; others wait.
const CONNECTIONS_MAX: usize = 64;

/// How long a client may take to send its request's head.
const HEADER_TIMEOUT: Duration = Duration::from_secs(10);

/// Bytes a request's head may have.
const HEADER_BYTES_MAX: usize = 16 * 1024;

/// What the routes answer from.
#[derive(Clone)]
pub struct AdminState {
    /// The running topology.
    pub observer: Observer,
    /// What `/metrics` gathers.
    pub metrics: MetricsRegistry,
    /// The running configuration, secrets redacted.
    pub configuration: Value,
}

/// Starts serving on `address`; gives the address it really has, for port 0.
///
/// # Errors
/// If the address cannot be listened on.
pub async fn listen(address: SocketAddr, state: AdminState) -> io::Result<SocketAddr> {
    let listener = TcpListener::bind(address).await?;
    let address = listener.local_addr()?;
    let router = routes(state, address);
    tokio::spawn(accept(listener, router));
    Ok(address)
}

fn routes(state: AdminState, address: SocketAddr) -> Router {
    Router::new()
        .route("/metrics", get(metrics))
        .route("/health", get(health))
        .route("/ready", get(ready))
        .route("/topology", get(topology))
        .route("/config", get(config))
        .fallback(unknown)
        .layer(middleware::from_fn_with_state(address, host::check))
        .with_state(Arc::new(state))
}

async fn accept(listener: TcpListener, router: Router) {
    let room = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    loop {
        let Ok(permit) = Arc::clone(&room).acquire_owned().await else { return };
        match listener.accept().await {
            Ok((stream, _)) => {
                let router = router.clone();
                tokio::spawn(async move {
                    serve(stream, router).await;
                    drop(permit);
                });
            }
            Err(error) => {
                // Out of descriptors, most likely: others may become free.
                tracing::warn!("accept a connection of the admin server: {error}");
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    }
}

async fn serve(stream: TcpStream, router: Router) {
    // Without this it waits, and without a limit, for a first line that could be HTTP/2's.
    let mut builder = Builder::new(TokioExecutor::new()).http1_only();
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_TIMEOUT)
        .max_buf_size(HEADER_BYTES_MAX);
    let service = TowerToHyperService::new(router);
    if let Err(error) = builder.serve_connection(TokioIo::new(stream), service).await {
        tracing::debug!("serve an admin connection: {error}");
    }
}

async fn metrics(State(state): State<Arc<AdminState>>) -> Response {
    state.observer.sample_buffers();
    let mut body = Vec::new();
    let encoder = TextEncoder::new();
    match encoder.encode(&state.metrics.registry().gather(), &mut body) {
        Ok(()) => {
            ([(header::CONTENT_TYPE, encoder.format_type().to_owned())], body).into_response()
        }
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()).into_response(),
    }
}

/// The process lives and answers.
async fn health() -> Json<Value> {
    Json(json!({ "status": "ok", "version": env!("CARGO_PKG_VERSION") }))
}

/// The topology runs: this server starts only after every component did.
async fn ready() -> Json<Value> {
    Json(json!({ "status": "ready" }))
}

async fn topology(State(state): State<Arc<AdminState>>) -> Response {
    Json(state.observer.status()).into_response()
}

async fn config(State(state): State<Arc<AdminState>>) -> Json<Value> {
    Json(state.configuration.clone())
}

async fn unknown() -> (StatusCode, Json<Value>) {
    let detail = "there are /metrics, /health, /ready, /topology and /config";
    let problem =
        json!({ "type": "about:blank", "title": "Not Found", "status": 404, "detail": detail });
    (StatusCode::NOT_FOUND, Json(problem))
}
