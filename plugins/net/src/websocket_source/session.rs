//! One connection: its messages become batches.
//!
//! **Invariant:** reads no more while the topology does not take what was read.

use std::ops::Range;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use lograil_codec::json::Parser;
use lograil_codec::lines::EVENTS_PER_BATCH_MAX;
use lograil_event::Acks;
use lograil_plugin::{Clock, Shutdown};
use prometheus::{IntCounter, IntGauge};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;

use super::options::Settings;
use crate::payload;
use crate::submission::{Stopped, Submitter};
use crate::websocket::{End, Peer};

/// Bytes of messages that are gathered for one batch.
const BLOCK_BYTES: usize = 1 << 20;

/// What all connections share.
pub(super) struct Shared {
    pub settings: Settings,
    pub id: Arc<str>,
    pub clock: Arc<dyn Clock>,
    pub submitter: Submitter,
    pub connections: IntGauge,
    pub silent: IntCounter,
    pub broken: IntCounter,
}

/// Messages of one kind, back to back.
#[derive(Default)]
struct Gathered {
    bytes: BytesMut,
    pieces: Vec<Range<usize>>,
    is_json: bool,
}

/// Takes messages until the connection ends. `None` if the topology stops. `heard` becomes true with the first message.
pub(super) async fn run<S: AsyncRead + AsyncWrite + Unpin>(
    shared: &Shared,
    socket: WebSocketStream<S>,
    mut shutdown: Shutdown,
    heard: &mut bool,
) -> Option<End> {
    shared.connections.inc();
    let mut peer = Peer::new(socket, shared.settings.limits, Arc::clone(&shared.clock));
    let mut session = Session { shared, parser: Parser::new(), gathered: Gathered::default() };
    let end = loop {
        let message = tokio::select! {
            biased;
            () = shutdown.requested() => break None,
            message = peer.next() => message,
        };
        match message {
            Ok(message) => {
                *heard = true;
                if session.take(message, &mut peer).await.is_err() {
                    break None;
                }
                peer.listen_anew();
            }
            Err(end) => break Some(end),
        }
    };
    match &end {
        None => peer.close(CloseCode::Away, "stopping").await,
        Some(End::Silent) => shared.silent.inc(),
        Some(End::Broken(_)) => shared.broken.inc(),
        Some(End::Closed(_)) => {}
    }
    shared.connections.dec();
    end
}

struct Session<'s> {
    shared: &'s Shared,
    parser: Parser,
    gathered: Gathered,
}

impl Session<'_> {
    /// Hands on a message and those that are there already.
    async fn take<S: AsyncRead + AsyncWrite + Unpin>(
        &mut self,
        first: Bytes,
        peer: &mut Peer<S>,
    ) -> Result<(), Stopped> {
        let mut next = Some(first);
        while let Some(message) = next {
            self.add(&message).await?;
            let is_full = self.gathered.bytes.len() >= BLOCK_BYTES
                || self.gathered.pieces.len() >= EVENTS_PER_BATCH_MAX;
            next = if is_full { None } else { peer.next_now() };
        }
        self.flush().await
    }

    async fn add(&mut self, message: &[u8]) -> Result<(), Stopped> {
        let is_json = self.shared.settings.format.is_json(message, false);
        if is_json != self.gathered.is_json {
            self.flush().await?;
            self.gathered.is_json = is_json;
        }
        let Gathered { bytes, pieces, .. } = &mut self.gathered;
        let from = bytes.len();
        bytes.extend_from_slice(message);
        if payload::split(message, from, is_json, usize::MAX, pieces).is_err() {
            // A broken array is one event that is no JSON: it is refused with the reason when it is parsed.
            pieces.push(from..from + message.len());
        }
        Ok(())
    }

    async fn flush(&mut self) -> Result<(), Stopped> {
        let Gathered { bytes, pieces, is_json } = &mut self.gathered;
        let block = bytes.split().freeze();
        let now_ns = self.shared.clock.now_ns();
        let decoded = payload::batches(&block, pieces, *is_json, now_ns, &mut self.parser);
        pieces.clear();
        self.shared.submitter.submit(decoded, &Acks::default()).await?;
        Ok(())
    }
}
