//! A mock stream of logs: a websocket server that makes up entries, for trying things out. What `lograil mock` runs.
//!
//! **Invariant:** every client has a stream of its own, as its query asks for; a slow client slows only itself.

mod entry;
mod query;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use hyper::body::Incoming;
use hyper::{Request, StatusCode};
use lograil_plugin::{Clock, Shutdown, SystemClock};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;

use crate::http_server::{Credentials, Refusal};
use crate::server_tls::ServerTls;
use crate::websocket::{self, End, Limits, Peer};
use crate::{accept, http_server};
use entry::Entries;
use query::Query;
pub(crate) use query::decode;

/// Where the stream is.
pub const PATH: &str = "/ws/logs";

/// Clients at the same time; others wait.
const CLIENTS_MAX: usize = 512;

/// Clients have nothing to say.
const LIMITS: Limits = Limits {
    message_bytes_max: 64 << 10,
    frame_bytes_max: 64 << 10,
    ping_interval: Duration::from_secs(30),
    ping_timeout: Duration::from_secs(10),
};

/// Serves clients until it is asked to stop.
pub async fn serve(listener: TcpListener, shutdown: Shutdown) {
    let until = shutdown.clone();
    accept::serve_all(listener, CLIENTS_MAX, "mock", shutdown, |stream, peer| {
        let until = until.clone();
        async move {
            let accepted =
                websocket::accept(stream, &ServerTls::NONE, &LIMITS, until.clone(), None, check)
                    .await;
            let Some((socket, query)) = accepted else { return };
            tracing::info!(?peer, "a client has come");
            let clock: Arc<dyn Clock> = Arc::new(SystemClock::default());
            let peer_is = Peer::new(socket, LIMITS, Arc::clone(&clock));
            let end = stream_to(peer_is, &query, &clock, until).await;
            tracing::info!(?peer, "a client has gone: {end}");
        }
    })
    .await;
}

/// Looks at a request: its path, and each value of its query.
fn check(request: &Request<Incoming>) -> Result<Query, Refusal> {
    http_server::check_client(request.headers(), &Credentials::default())?;
    if request.uri().path() != PATH {
        return Err(Refusal::new(StatusCode::NOT_FOUND, format!("the stream is at {PATH}")));
    }
    Query::parse(request.uri().query().unwrap_or_default()).map_err(Refusal::bad)
}

async fn stream_to<S: AsyncRead + AsyncWrite + Unpin>(
    mut peer: Peer<S>,
    query: &Query,
    clock: &Arc<dyn Clock>,
    mut shutdown: Shutdown,
) -> End {
    let mut entries = Entries::new();
    loop {
        let wait = clock.sleep(entries.wait(query));
        tokio::pin!(wait);
        // What a client says means nothing, but shows that it is there.
        loop {
            tokio::select! {
                biased;
                () = shutdown.requested() => {
                    peer.close(CloseCode::Away, "stopping").await;
                    return End::Closed("the server stops".to_owned());
                }
                () = &mut wait => break,
                message = peer.next() => if let Err(end) = message { return end },
            }
        }
        let line = entries.next(query, clock.now_ns());
        if query.debug {
            tracing::info!("{line}");
        }
        if let Err(end) = peer.send(Message::text(line)).await {
            return end;
        }
    }
}
