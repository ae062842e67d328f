//! Datagrams, gathered into blocks.
//!
//! **Invariant:** UDP is read without a pause; a datagram that has no room is dropped and counted, also by the
//! system's count where there is one. Unix senders wait instead.

use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use lograil_plugin::Shutdown;
use tokio::net::{UdpSocket, UnixDatagram};
use tokio::time::timeout;

use super::block::Block;
use super::framing::{Frame, Framing, of_datagram};
use super::intake::{Intake, Share, Stopped};
use super::stream::LAST_WAIT;
use super::system_drops::SystemDrops;

/// Longest datagram that is received: more than UDP and Linux's unix sockets allow.
const DATAGRAM_BYTES_MAX: usize = 1 << 20;
/// Datagrams that are read before others have a turn.
const TURN_DATAGRAMS: usize = 1024;
/// How often the system is asked for what it dropped.
const DROPS_INTERVAL: Duration = Duration::from_secs(5);

/// A socket of either kind.
pub(super) enum DatagramSocket {
    Udp(UdpSocket),
    Unix(UnixDatagram),
}

impl DatagramSocket {
    async fn readable(&self) -> io::Result<()> {
        match self {
            Self::Udp(socket) => socket.readable().await,
            Self::Unix(socket) => socket.readable().await,
        }
    }

    fn try_receive(&self, buffer: &mut [u8]) -> io::Result<(usize, Option<SocketAddr>)> {
        match self {
            Self::Udp(socket) => {
                socket.try_recv_from(buffer).map(|(count, sender)| (count, Some(sender)))
            }
            Self::Unix(socket) => socket.try_recv(buffer).map(|count| (count, None)),
        }
    }

    fn drops_when_full(&self) -> bool {
        matches!(self, Self::Udp(_))
    }
}

struct Receiver {
    socket: DatagramSocket,
    intake: Arc<Intake>,
    buffer: Vec<u8>,
    /// Blocks that wait for their turn, with their shares of the budget; the last may grow.
    waiting: VecDeque<(Block, Share)>,
    system_drops: Option<SystemDrops>,
}

/// Takes datagrams until the topology stops.
pub(super) async fn serve(socket: DatagramSocket, intake: Arc<Intake>, shutdown: Shutdown) {
    let bytes = (intake.settings.message_bytes_max + 1).clamp(64 << 10, DATAGRAM_BYTES_MAX);
    let system_drops = match &socket {
        DatagramSocket::Udp(socket) => SystemDrops::of(socket),
        DatagramSocket::Unix(_) => None,
    };
    let waiting = VecDeque::new();
    let mut receiver = Receiver { socket, intake, buffer: vec![0; bytes], waiting, system_drops };
    let _stopped = receiver.run(shutdown).await;
    receiver.count_system_drops();
}

impl Receiver {
    async fn run(&mut self, mut shutdown: Shutdown) -> Result<(), Stopped> {
        let intake = Arc::clone(&self.intake);
        let clock = Arc::clone(&intake.clock);
        let mut next_count = clock.sleep(DROPS_INTERVAL);
        loop {
            let is_waiting = !self.waiting.is_empty();
            let room_bytes = if self.socket.drops_when_full() { 0 } else { self.buffer.len() };
            let readable = async {
                intake.until_room(room_bytes).await;
                self.socket.readable().await
            };
            tokio::select! {
                () = shutdown.requested() => break,
                readable = readable => match readable {
                    Ok(()) => self.receive(),
                    Err(error) => {
                        tracing::warn!(component_id = %intake.id, "receive: {error}");
                        clock.sleep(Duration::from_millis(100)).await;
                    }
                },
                slot = intake.slot(), if is_waiting => {
                    let slot = slot?;
                    if let Some((block, share)) = self.waiting.pop_front() {
                        slot.fill(block, share);
                    }
                }
                () = &mut next_count, if self.system_drops.is_some() => {
                    self.count_system_drops();
                    next_count = clock.sleep(DROPS_INTERVAL);
                }
            }
        }
        // What was sent before the stop is taken; a turn of a sender that does not end is enough.
        if let Ok(Ok(())) = timeout(LAST_WAIT, self.socket.readable()).await {
            self.receive();
        }
        while let Some((block, share)) = self.waiting.pop_front() {
            intake.slot().await?.fill(block, share);
        }
        Ok(())
    }

    /// Whether a datagram of any length may be read.
    fn has_room(&self) -> bool {
        self.socket.drops_when_full() || self.intake.room() >= self.buffer.len()
    }

    /// Reads what is there, as long as others do not wait for too long.
    fn receive(&mut self) {
        let settings = &self.intake.settings;
        let mut dropped = 0;
        for _ in 0..TURN_DATAGRAMS {
            if !self.has_room() {
                break;
            }
            // An error is one of an answer to an earlier datagram, and met again if it stays.
            let Ok((count, sender)) = self.socket.try_receive(&mut self.buffer) else { break };
            let datagram = &self.buffer[..count];
            let mut cost = cost(settings.framing, datagram);
            if !self.socket.drops_when_full() {
                // Its sender takes it for delivered: one that was read is kept, however many lines it is.
                cost = cost.min(self.intake.room());
            }
            let Some(share) = self.intake.try_pay(cost) else {
                dropped += 1;
                continue;
            };
            if self.waiting.back().is_none_or(|(block, _)| block.is_full()) {
                self.waiting.push_back((Block::default(), Share::default()));
            }
            if let Some((block, paid)) = self.waiting.back_mut() {
                paid.add(share);
                block.add(datagram, sender, |add| {
                    of_datagram(settings.framing, settings.message_bytes_max, datagram, add);
                });
            }
        }
        self.waiting.retain(|(block, _)| !block.is_empty());
        self.intake.meters.dropped_full.inc_by(dropped);
    }

    fn count_system_drops(&mut self) {
        if let Some(drops) = &mut self.system_drops {
            self.intake.meters.dropped_system.inc_by(drops.since_last());
        }
    }
}

/// What is kept of a datagram, in bytes.
fn cost(framing: Framing, datagram: &[u8]) -> usize {
    let frames = match framing {
        Framing::Newline => memchr::memchr_iter(b'\n', datagram).count() + 1,
        Framing::OctetCounting | Framing::Auto => 1,
    };
    datagram.len() + frames * size_of::<Frame>()
}
