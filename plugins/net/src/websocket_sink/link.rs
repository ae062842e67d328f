//! The client's connection: events are kept until the peer has confirmed them, and sent again on a new connection.
//!
//! **Invariant:** a commit succeeds once the peer has answered a ping that came behind all events.

use std::sync::Arc;
use std::time::Duration;

use lograil_plugin::{Clock, SinkError};
use prometheus::IntGauge;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;

use super::frames::Frames;
use crate::tls::Stream;
use crate::websocket::{Limits, Peer};
use crate::websocket_client::Target;

type Reply = oneshot::Sender<Result<(), String>>;

enum Order {
    Write(Vec<Frames>, Reply),
    Commit(Reply),
}

/// The sink's end.
pub(super) struct Link {
    orders: mpsc::Sender<Order>,
    keeping: JoinHandle<()>,
}

/// What a connection needs.
pub(super) struct Dialer {
    pub target: Target,
    pub limits: Limits,
    pub connect_timeout: Duration,
    pub clock: Arc<dyn Clock>,
    pub connections: IntGauge,
}

impl Link {
    /// Starts; connects with the first order.
    pub fn start(dialer: Dialer) -> Self {
        let (orders, received) = mpsc::channel(1);
        let keeper = Keeper { dialer, peer: None, unconfirmed: Vec::new(), sent: 0 };
        let keeping = tokio::spawn(keeper.run(received));
        Self { orders, keeping }
    }

    /// Says goodbye.
    pub async fn close(self) {
        drop(self.orders);
        let _ended = self.keeping.await;
    }

    pub async fn write(&self, frames: Vec<Frames>) -> Result<(), SinkError> {
        self.order(|reply| Order::Write(frames, reply)).await
    }

    pub async fn commit(&self) -> Result<(), SinkError> {
        self.order(Order::Commit).await
    }

    async fn order(&self, order: impl FnOnce(Reply) -> Order) -> Result<(), SinkError> {
        let (reply, done) = oneshot::channel();
        let gone = |_| SinkError::Fatal("the connection's task has ended".to_owned());
        self.orders.send(order(reply)).await.map_err(|_| gone(()))?;
        done.await.map_err(|_| gone(()))?.map_err(SinkError::retry)
    }
}

/// Holds the connection.
struct Keeper {
    dialer: Dialer,
    peer: Option<Peer<Box<dyn Stream>>>,
    /// Events since the last commit, and how many of these frames went over this connection.
    unconfirmed: Vec<Frames>,
    sent: usize,
}

impl Keeper {
    async fn run(mut self, mut orders: mpsc::Receiver<Order>) {
        loop {
            let heard = async {
                match &mut self.peer {
                    Some(peer) => peer.next().await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                order = orders.recv() => match order {
                    None => break,
                    Some(order) => self.obey(order).await,
                },
                // What the peer says means nothing here.
                heard = heard => if let Err(end) = heard {
                    tracing::info!("{}: {end}", self.dialer.target.uri);
                    self.hang_up();
                },
            }
        }
        if let Some(peer) = &mut self.peer {
            peer.close(CloseCode::Normal, "").await;
        }
        self.hang_up();
    }

    async fn obey(&mut self, order: Order) {
        let (result, reply) = match order {
            Order::Write(frames, reply) => {
                let before = self.unconfirmed.len();
                self.unconfirmed.extend(frames);
                let result = self.send().await;
                if result.is_err() {
                    // The batch comes again.
                    self.unconfirmed.truncate(before);
                }
                (result, reply)
            }
            Order::Commit(reply) => (self.confirm().await, reply),
        };
        if result.is_err() {
            self.hang_up();
        }
        // Who does not wait any more orders it again.
        let _told = reply.send(result);
    }

    fn hang_up(&mut self) {
        self.sent = 0;
        if self.peer.take().is_some() {
            self.dialer.connections.dec();
        }
    }

    /// Sends what this connection has not carried yet.
    async fn send(&mut self) -> Result<(), String> {
        let peer = match &mut self.peer {
            Some(peer) => peer,
            None => {
                let Dialer { target, limits, connect_timeout, clock, connections } = &self.dialer;
                let socket = tokio::select! {
                    socket = target.connect() => socket?,
                    () = clock.sleep(*connect_timeout) => {
                        return Err("connecting takes longer than `connect_timeout`".to_owned());
                    }
                };
                connections.inc();
                self.peer.insert(Peer::new(socket, *limits, Arc::clone(clock)))
            }
        };
        while let Some(frames) = self.unconfirmed.get(self.sent) {
            for event in 0..frames.len() {
                peer.feed(frames.message(event)).await.map_err(|end| end.to_string())?;
            }
            self.sent += 1;
        }
        peer.flush().await.map_err(|end| end.to_string())
    }

    /// Waits until the peer has all.
    async fn confirm(&mut self) -> Result<(), String> {
        self.send().await?;
        if let Some(peer) = &mut self.peer {
            peer.confirm().await.map_err(|end| end.to_string())?;
        }
        self.unconfirmed.clear();
        self.sent = 0;
        Ok(())
    }
}
