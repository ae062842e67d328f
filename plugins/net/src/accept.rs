//! Taking connections: a bounded number at a time, and an orderly end.
//!
//! **Invariant:** knows nothing of what is spoken on a connection.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use lograil_plugin::Shutdown;
use tokio::net::{TcpListener, TcpStream, UnixListener, UnixStream};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::timeout;

/// How long connections may take to end once the topology stops.
const DRAIN_TIME: Duration = Duration::from_secs(5);
/// The pause after a connection could not be accepted.
const PAUSE: Duration = Duration::from_millis(100);

/// A socket that connections come from.
pub(crate) trait Listen: Send {
    /// A connection.
    type Stream: Send;

    /// The next connection, and where it comes from if that has an address.
    fn accept(&self)
    -> impl Future<Output = io::Result<(Self::Stream, Option<SocketAddr>)>> + Send;
}

impl Listen for TcpListener {
    type Stream = TcpStream;

    async fn accept(&self) -> io::Result<(TcpStream, Option<SocketAddr>)> {
        let (stream, address) = TcpListener::accept(self).await?;
        Ok((stream, Some(address)))
    }
}

impl Listen for UnixListener {
    type Stream = UnixStream;

    async fn accept(&self) -> io::Result<(UnixStream, Option<SocketAddr>)> {
        let (stream, _) = UnixListener::accept(self).await?;
        Ok((stream, None))
    }
}

/// Serves at most `connections_max` connections at a time, others wait; until the topology stops and those that
/// were begun have ended or taken too long for it.
pub(crate) async fn serve_all<L: Listen, F>(
    listener: L,
    connections_max: usize,
    id: &str,
    mut shutdown: Shutdown,
    serve: impl Fn(L::Stream, Option<SocketAddr>) -> F,
) where
    F: Future<Output = ()> + Send + 'static,
{
    let room = Arc::new(Semaphore::new(connections_max));
    let mut connections = JoinSet::new();
    loop {
        while connections.try_join_next().is_some() {}
        let accepted = async {
            let permit = Arc::clone(&room).acquire_owned().await;
            (listener.accept().await, permit)
        };
        let (accepted, permit) = tokio::select! {
            () = shutdown.requested() => break,
            accepted = accepted => accepted,
        };
        match accepted {
            Ok((stream, peer)) => {
                let serving = serve(stream, peer);
                connections.spawn(async move {
                    serving.await;
                    drop(permit);
                });
            }
            Err(error) => {
                // Out of descriptors, most likely: others may become free.
                tracing::warn!(component_id = %id, "accept a connection: {error}");
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
    drop(listener);
    let drained = async { while connections.join_next().await.is_some() {} };
    // What takes longer is cut off.
    let _in_time = timeout(DRAIN_TIME, drained).await;
}
