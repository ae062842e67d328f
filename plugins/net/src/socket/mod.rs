//! `socket`: messages by TCP, UDP and unix sockets. `syslog` is the same with other defaults.
//!
//! **Invariant:** a stream whose messages have no room waits; a datagram that has none is counted.

mod block;
mod datagram;
mod framing;
mod intake;
mod options;
mod stream;
mod system_drops;
#[cfg(test)]
mod tests;
mod unix_path;

use std::sync::Arc;
use std::time::Duration;

use futures::future::BoxFuture;
use lograil_codec::Strictness;
use lograil_codec::rows::Rows;
use lograil_codec::syslog::Syslog;
use lograil_event::{Batch, KeyTable};
use lograil_plugin::spec::{no_ports, schema_of};
use lograil_plugin::{
    Build, Closed, ComponentSpec, Options, Shutdown, Source, SourceContext, SourceError,
    SourceOutput, SourceStart, Threading, dead_letter,
};
use socket2::SockRef;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, UdpSocket, UnixDatagram, UnixListener};
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use crate::accept;
use crate::server_tls::ServerTls;
use datagram::DatagramSocket;
pub(crate) use framing::Framing;
use intake::{Intake, Meters, Paid};
use options::{Address, Oversized, Settings};
pub(crate) use options::{Defaults, MessageFormat, SocketOptions, claims};
use unix_path::Bound;

/// Blocks that wait for room in the edges.
const BLOCKS_MAX: usize = 4;
/// How long a client may take to begin TLS.
const TLS_TIMEOUT: Duration = Duration::from_secs(10);
/// Bytes of datagrams the system is asked to hold while nobody reads.
const RECEIVE_BUFFER_BYTES: usize = 4 << 20;

const DEFAULTS: Defaults = Defaults {
    component_type: "socket",
    listen: "127.0.0.1:9000",
    framing: Framing::Newline,
    format: MessageFormat::Text,
    host_key: "host",
};

/// The spec of `socket`.
pub const SPEC: ComponentSpec = ComponentSpec {
    name: DEFAULTS.component_type,
    summary: "Takes lines or counted messages by TCP, UDP and unix sockets.",
    manual: include_str!("README.md"),
    schema: schema_of::<SocketOptions>,
    ports: no_ports,
    claims: |options| claims(options, &DEFAULTS),
    threading: Threading::Async,
    build: Build::Source(&|options| SocketSource::build(options, &DEFAULTS)),
};

/// The source, of either component type.
pub(crate) struct SocketSource {
    settings: Settings,
    /// From its start on.
    listening: Option<((Socket, Bound, Address), ServerTls)>,
}

impl SocketSource {
    pub fn build(
        options: &Options,
        defaults: &Defaults,
    ) -> Result<Box<dyn Source>, lograil_plugin::ConfigErrors> {
        Ok(Box::new(Self { settings: Settings::new(options, defaults)?, listening: None }))
    }
}

/// A socket that is listened on.
enum Socket {
    Tcp(TcpListener),
    UnixStream(UnixListener),
    Datagram(DatagramSocket),
}

impl Socket {
    /// Binds. The address that comes back has the port that the system chose.
    async fn bind(address: &Address) -> std::io::Result<(Self, Bound, Address)> {
        Ok(match address {
            Address::Tcp(address) => {
                let listener = TcpListener::bind(address).await?;
                let bound = Address::Tcp(listener.local_addr()?);
                (Self::Tcp(listener), Bound::none(), bound)
            }
            Address::Udp(address) => {
                let socket = UdpSocket::bind(address).await?;
                // As much as the system allows.
                let _granted = SockRef::from(&socket).set_recv_buffer_size(RECEIVE_BUFFER_BYTES);
                let bound = Address::Udp(socket.local_addr()?);
                (Self::Datagram(DatagramSocket::Udp(socket)), Bound::none(), bound)
            }
            Address::UnixStream(path) => {
                let (listener, bound) = unix_path::bind(path, |path| UnixListener::bind(path))?;
                (Self::UnixStream(listener), bound, address.clone())
            }
            Address::UnixDatagram(path) => {
                let (socket, bound) = unix_path::bind(path, |path| UnixDatagram::bind(path))?;
                (Self::Datagram(DatagramSocket::Unix(socket)), bound, address.clone())
            }
        })
    }
}

impl Source for SocketSource {
    fn start<'a>(&'a mut self, start: &'a SourceStart) -> BoxFuture<'a, Result<(), SourceError>> {
        Box::pin(async move {
            let tls = ServerTls::of_source(self.settings.tls.as_ref(), start).await?;
            let action = || format!("listen on {}", self.settings.address);
            let bound = Socket::bind(&self.settings.address).await;
            let bound = bound.map_err(|source| SourceError::Io { action: action(), source })?;
            self.listening = Some((bound, tls));
            Ok(())
        })
    }

    fn run(self: Box<Self>, context: SourceContext) -> BoxFuture<'static, Result<(), SourceError>> {
        Box::pin(async move {
            let Some(((socket, _file, address), tls)) = self.listening else { return Ok(()) };
            let how = tls.scheme("", " with TLS");
            tracing::info!(component_id = %context.id, "taking messages on {address}{how}");
            run_on(socket, tls, self.settings, context).await;
            Ok(())
        })
    }
}

/// Takes messages until it is asked to stop.
async fn run_on(socket: Socket, tls: ServerTls, settings: Settings, context: SourceContext) {
    let SourceContext { id, output, shutdown, clock, metrics, .. } = context;
    let (blocks, mut received) = mpsc::channel(BLOCKS_MAX);
    let meters = Meters::new(&metrics);
    let intake = Intake::new(settings, id, clock, meters, blocks);
    let mut feed = Feed::new(&intake, output);
    // Ends with this function, whatever ends it.
    let mut serving = JoinSet::new();
    match socket {
        Socket::Tcp(listener) => {
            serving.spawn(accept_streams(listener, intake, shutdown, move |stream| {
                let tls = tls.clone();
                async move { tls.begin(stream, TLS_TIMEOUT).await }
            }));
        }
        Socket::UnixStream(listener) => {
            let begin = |stream| std::future::ready(Some(stream));
            serving.spawn(accept_streams(listener, intake, shutdown, begin));
        }
        Socket::Datagram(socket) => {
            serving.spawn(datagram::serve(socket, intake, shutdown));
        }
    }
    while let Some(paid) = received.recv().await {
        if feed.send(paid).await.is_err() {
            return;
        }
    }
}

/// Takes connections until the topology stops; `begin` makes of each what is read.
async fn accept_streams<L, F, S>(
    listener: L,
    intake: Arc<Intake>,
    shutdown: Shutdown,
    begin: impl Fn(L::Stream) -> F + Sync,
) where
    L: accept::Listen + Sync,
    F: Future<Output = Option<S>> + Send + 'static,
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (id, connections_max) = (Arc::clone(&intake.id), intake.settings.connections_max);
    let until = shutdown.clone();
    accept::serve_all(listener, connections_max, &id, shutdown, |stream, sender| {
        let (begun, intake, until) = (begin(stream), Arc::clone(&intake), until.clone());
        async move {
            if let Some(stream) = begun.await {
                stream::serve(stream, sender, intake, until).await;
            }
        }
    })
    .await;
}

/// Turns blocks into batches and sends them.
struct Feed {
    output: SourceOutput,
    id: Arc<str>,
    component_type: &'static str,
    clock: Arc<dyn lograil_plugin::Clock>,
    shape: block::Shape,
    keys: Arc<KeyTable>,
    syslog: Option<Rows<Syslog>>,
    message_bytes_max: usize,
    oversized: prometheus::IntCounter,
    has_told_of_oversized: bool,
    failed: Vec<usize>,
}

impl Feed {
    fn new(intake: &Intake, output: SourceOutput) -> Self {
        let settings = &intake.settings;
        let parser = |zone| Rows::new(Syslog::new(Strictness::Lenient, zone), "message", false);
        Self {
            output,
            id: Arc::clone(&intake.id),
            component_type: settings.component_type,
            clock: Arc::clone(&intake.clock),
            keys: settings.shape.keys(),
            shape: settings.shape.clone(),
            syslog: settings.syslog.clone().map(parser),
            message_bytes_max: settings.message_bytes_max,
            oversized: intake.meters.oversized.clone(),
            has_told_of_oversized: false,
            failed: Vec::new(),
        }
    }

    async fn send(&mut self, paid: Paid) -> Result<(), Closed> {
        self.count_oversized(paid.block.cut() as u64);
        let now_ns = self.clock.now_ns();
        let (mut batch, letters) = paid.block.into_batch(&self.shape, &self.keys, now_ns);
        if let Some(letters) = letters {
            let limit = self.message_bytes_max;
            let reason = format!("longer than max_message_bytes ({limit} bytes), or cut short");
            self.refuse(letters, |_| reason.clone()).await?;
        }
        if let Some(parser) = &mut self.syslog {
            self.failed.clear();
            parser.set_now(now_ns);
            parser.parse_others(&mut batch, &mut self.failed, &[]);
            let is_failed = |event: usize| self.failed.binary_search(&event).is_ok();
            if let Some(letters) = batch.split_off_where(is_failed) {
                let reasons: Vec<String> =
                    (0..letters.len()).map(|nth| parser.reason(nth)).collect();
                self.refuse(letters, |nth| reasons[nth].clone()).await?;
            }
        }
        if batch.is_empty() {
            return Ok(());
        }
        self.output.send(batch, Vec::new()).await
    }

    fn count_oversized(&mut self, messages: u64) {
        self.oversized.inc_by(messages);
        if messages > 0 && !std::mem::replace(&mut self.has_told_of_oversized, true) {
            let fate = match self.shape.oversized {
                Oversized::Truncate => "cut off there",
                Oversized::DeadLetter => "refused",
            };
            tracing::warn!(
                component_id = %self.id,
                "a message is longer than `max_message_bytes` ({} bytes), or was cut short by its sender, and was \
                 {fate}. Further ones are counted in lograil_component_oversized_messages_total",
                self.message_bytes_max
            );
        }
    }

    async fn refuse(
        &mut self,
        letters: Batch,
        reason: impl FnMut(usize) -> String,
    ) -> Result<(), Closed> {
        let letters = dead_letter::convert(letters, &self.id, self.component_type, reason);
        self.output.dead_letter(letters).await
    }
}
