//! Connections: bytes as they come, cut into blocks of whole messages.
//!
//! **Invariant:** reads no more of a peer while what it sent before has no room: the peer waits.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::BytesMut;
use futures::FutureExt;
use lograil_plugin::Shutdown;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::time::timeout;

use super::block::{BLOCK_BYTES, Block, EVENTS_MAX};
use super::framing::{Broken, Frame, Framer};
use super::intake::{Intake, Stopped};

/// Bytes that are read at a time.
const READ_BYTES: usize = 64 * 1024;

/// Bytes of a connection that are taken after a stop: what the system may hold already.
const LAST_BYTES_MAX: usize = 16 << 20;
/// How long after a stop a connection is silent before it is done with.
pub(super) const LAST_WAIT: Duration = Duration::from_millis(50);
/// How long closing a connection may take.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(1);

/// What a read came to.
enum Read {
    Some,
    End,
    Idle,
}

struct Connection<S> {
    stream: S,
    sender: Option<SocketAddr>,
    intake: Arc<Intake>,
    framer: Framer,
    buffer: BytesMut,
}

/// Takes the messages of a connection until it ends or the topology stops.
pub(super) async fn serve<S: AsyncRead + AsyncWrite + Unpin>(
    stream: S,
    sender: Option<SocketAddr>,
    intake: Arc<Intake>,
    shutdown: Shutdown,
) {
    let settings = &intake.settings;
    let framer = Framer::new(settings.framing, settings.message_bytes_max);
    intake.meters.connections.inc();
    let meters = intake.meters.clone();
    let mut connection = Connection { stream, sender, intake, framer, buffer: BytesMut::new() };
    // What is lost with a topology that does not take it any more is not acknowledged to anybody.
    let _stopped = connection.run(shutdown).await;
    // Whoever speaks TLS waits for a goodbye, as long as it is there.
    let _said = timeout(CLOSE_TIMEOUT, connection.stream.shutdown()).await;
    meters.connections.dec();
}

impl<S: AsyncRead + Unpin> Connection<S> {
    async fn run(&mut self, mut shutdown: Shutdown) -> Result<(), Stopped> {
        loop {
            let read = tokio::select! {
                biased;
                () = shutdown.requested() => break,
                read = read(&mut self.stream, &mut self.buffer, &self.intake) => read,
            };
            match read {
                Read::Some => self.read_what_is_there(),
                Read::End => break,
                Read::Idle => {
                    tracing::info!(
                        component_id = %self.intake.id, sender = ?self.sender,
                        "a connection was silent for `idle_timeout` and is closed"
                    );
                    break;
                }
            }
            if !self.submit().await? {
                return Ok(());
            }
        }
        self.finish(&shutdown).await
    }

    /// Reads on as long as there is something, so that blocks grow with the load.
    fn read_what_is_there(&mut self) {
        while self.buffer.len() < BLOCK_BYTES {
            self.buffer.reserve(READ_BYTES);
            match self.stream.read_buf(&mut self.buffer).now_or_never() {
                Some(Ok(1..)) => {}
                // An end or an error is met again by the next read.
                _ => break,
            }
        }
    }

    /// Hands the whole messages on. Whether the connection can go on.
    async fn submit(&mut self) -> Result<bool, Stopped> {
        loop {
            let mut frames = Vec::new();
            let consumed = match self.framer.split(&self.buffer, &mut frames, EVENTS_MAX) {
                Ok(consumed) => consumed,
                Err(Broken) => {
                    self.intake.meters.broken.inc();
                    tracing::warn!(
                        component_id = %self.intake.id, sender = ?self.sender,
                        "expected the length of a message (`framing = \"octet_counting\"`); \
                         the connection is closed"
                    );
                    // The messages before it are whole.
                    let end = frames.last().map_or(0, |frame| frame.range.end);
                    self.hand_on(end, frames).await?;
                    return Ok(false);
                }
            };
            let is_all = frames.len() < EVENTS_MAX;
            self.hand_on(consumed, frames).await?;
            if is_all {
                return Ok(true);
            }
        }
    }

    async fn hand_on(&mut self, consumed: usize, frames: Vec<Frame>) -> Result<(), Stopped> {
        let bytes = self.buffer.split_to(consumed);
        if frames.is_empty() {
            return Ok(());
        }
        self.intake.submit(Block::of_stream(bytes, frames, self.sender)).await
    }

    /// What came before the end, also without a line end.
    async fn finish(&mut self, shutdown: &Shutdown) -> Result<(), Stopped> {
        if shutdown.is_requested() {
            // What the peer had sent by then is taken.
            let mut taken = 0;
            while taken < LAST_BYTES_MAX {
                self.buffer.reserve(READ_BYTES);
                match timeout(LAST_WAIT, self.stream.read_buf(&mut self.buffer)).await {
                    Ok(Ok(count @ 1..)) => taken += count,
                    _ => break,
                }
                if !self.submit().await? {
                    return Ok(());
                }
            }
        }
        match self.framer.rest(&self.buffer) {
            Some(frame) => self.hand_on(self.buffer.len(), vec![frame]).await,
            None => Ok(()),
        }
    }
}

async fn read<S: AsyncRead + Unpin>(
    stream: &mut S,
    buffer: &mut BytesMut,
    intake: &Intake,
) -> Read {
    buffer.reserve(READ_BYTES);
    let silence = async {
        match intake.settings.idle_timeout {
            Some(idle) => intake.clock.sleep(idle).await,
            None => std::future::pending().await,
        }
    };
    tokio::select! {
        biased;
        read = stream.read_buf(buffer) => match read {
            Ok(1..) => Read::Some,
            // A reset ends a stream like a close: what came before it has come.
            Ok(0) | Err(_) => Read::End,
        },
        () = silence => Read::Idle,
    }
}
