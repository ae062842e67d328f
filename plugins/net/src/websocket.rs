//! Websockets (RFC 6455, <https://www.rfc-editor.org/rfc/rfc6455>): upgrading connections, and peers that are heard of
//! regularly.
//!
//! **Invariant:** the size of frames and messages is bounded before they are kept; a peer that is silent for too long
//! is given up.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use futures::{FutureExt, SinkExt, StreamExt};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::header::{self, HeaderMap, HeaderValue};
use hyper::upgrade::{OnUpgrade, Upgraded};
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use lograil_plugin::{Clock, Shutdown};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, Role, WebSocketConfig};
use tokio_tungstenite::tungstenite::{Error, Message, error::ProtocolError};

use crate::http_server::{self, Answer, Refusal};
use crate::server_tls::ServerTls;

/// How long a client may take for the head of its request.
const HEADER_TIMEOUT: Duration = Duration::from_secs(10);
/// How long saying goodbye may take.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(1);
/// Bytes that are read and written at a time.
const BUFFER_BYTES: usize = 64 * 1024;

/// How a peer has gone that said no goodbye.
const WITHOUT_CLOSE: &str = "without a close frame";

/// The version of the protocol there is.
const VERSION: &str = "13";

/// What a peer may send, and how long it may be silent.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    pub message_bytes_max: usize,
    pub frame_bytes_max: usize,
    /// After how much silence a peer is pinged.
    pub ping_interval: Duration,
    /// How long it may take to answer.
    pub ping_timeout: Duration,
}

impl Limits {
    pub fn config(&self) -> WebSocketConfig {
        WebSocketConfig::default()
            .max_message_size(Some(self.message_bytes_max))
            .max_frame_size(Some(self.frame_bytes_max))
            .read_buffer_size(BUFFER_BYTES)
            .write_buffer_size(BUFFER_BYTES)
    }
}

/// Why a connection ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum End {
    /// The peer said goodbye, or closed without.
    Closed(String),
    /// It was not heard of for too long.
    Silent,
    /// It broke the protocol or a limit.
    Broken(String),
}

impl std::fmt::Display for End {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Closed(how) => write!(f, "the peer closed: {how}"),
            Self::Silent => f.write_str("the peer was silent for too long"),
            Self::Broken(why) => write!(f, "{why}"),
        }
    }
}

impl From<Error> for End {
    fn from(error: Error) -> Self {
        match error {
            Error::ConnectionClosed | Error::AlreadyClosed | Error::Io(_) => {
                Self::Closed(error.to_string())
            }
            Error::Protocol(ProtocolError::ResetWithoutClosingHandshake) => {
                Self::Closed(WITHOUT_CLOSE.to_owned())
            }
            other => Self::Broken(other.to_string()),
        }
    }
}

/// What a peer is told that broke off with this error (RFC 6455, section 7.4.1).
fn close_code(error: &Error) -> CloseCode {
    match error {
        Error::Protocol(_) => CloseCode::Protocol,
        Error::Utf8(_) => CloseCode::Invalid,
        Error::Capacity(_) => CloseCode::Size,
        _ => CloseCode::Policy,
    }
}

/// A connection and when it was heard of.
pub(crate) struct Peer<S> {
    socket: WebSocketStream<S>,
    limits: Limits,
    clock: Arc<dyn Clock>,
    heard: Duration,
    is_pinged: bool,
    /// What was read already, and is no message of the peer's.
    read_ahead: Option<Option<Result<Message, Error>>>,
    /// How often it was asked whether it has everything.
    confirmations: u64,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Peer<S> {
    pub fn new(socket: WebSocketStream<S>, limits: Limits, clock: Arc<dyn Clock>) -> Self {
        let heard = clock.monotonic();
        Self { socket, limits, clock, heard, is_pinged: false, read_ahead: None, confirmations: 0 }
    }

    /// Starts its silence anew: nobody has listened since.
    pub fn listen_anew(&mut self) {
        self.heard = self.clock.monotonic();
        self.is_pinged = false;
    }

    /// The next text or binary message. Pings when it is silent. May be dropped and called again.
    pub async fn next(&mut self) -> Result<Bytes, End> {
        loop {
            if let Some(message) = self.read_ahead.take()
                && let Some(message) = self.understand(message).await?
            {
                return Ok(message);
            }
            let mut patience = self.limits.ping_interval;
            if self.is_pinged {
                patience += self.limits.ping_timeout;
            }
            let silent = self.clock.monotonic().saturating_sub(self.heard);
            let wait = self.clock.sleep(patience.saturating_sub(silent));
            let message = tokio::select! {
                biased;
                message = self.socket.next() => message,
                () = wait => {
                    if self.is_pinged {
                        return Err(End::Silent);
                    }
                    self.is_pinged = true;
                    self.send(Message::Ping(Bytes::new())).await?;
                    continue;
                }
            };
            self.listen_anew();
            if let Some(message) = self.understand(message).await? {
                return Ok(message);
            }
        }
    }

    /// The message, unless it is one of the protocol's own.
    async fn understand(
        &mut self,
        message: Option<Result<Message, Error>>,
    ) -> Result<Option<Bytes>, End> {
        match message {
            None => Err(End::Closed(WITHOUT_CLOSE.to_owned())),
            Some(Err(error)) => {
                let code = close_code(&error);
                let end = End::from(error);
                if let End::Broken(why) = &end {
                    self.close(code, why).await;
                }
                Err(end)
            }
            Some(Ok(Message::Text(text))) => Ok(Some(text.into())),
            Some(Ok(Message::Binary(bytes))) => Ok(Some(bytes)),
            Some(Ok(Message::Close(frame))) => {
                let how = frame.map_or_else(|| "normally".to_owned(), |frame| frame.to_string());
                // Answers the goodbye; the peer may be gone already.
                let _answered = tokio::time::timeout(CLOSE_TIMEOUT, self.socket.flush()).await;
                Err(End::Closed(how))
            }
            Some(Ok(Message::Ping(_) | Message::Pong(_) | Message::Frame(_))) => Ok(None),
        }
    }

    /// A message that is there already.
    pub fn next_now(&mut self) -> Option<Bytes> {
        match self.socket.next().now_or_never()? {
            Some(Ok(Message::Text(text))) => Some(text.into()),
            Some(Ok(Message::Binary(bytes))) => Some(bytes),
            other => {
                self.read_ahead = Some(other);
                None
            }
        }
    }

    /// Sends a message, perhaps with those behind it. A peer that does not take it in time is silent.
    pub async fn feed(&mut self, message: Message) -> Result<(), End> {
        let timeout = self.clock.sleep(self.limits.ping_timeout);
        tokio::select! {
            biased;
            fed = self.socket.feed(message) => Ok(fed?),
            () = timeout => Err(End::Silent),
        }
    }

    /// Sends what was fed.
    pub async fn flush(&mut self) -> Result<(), End> {
        let timeout = self.clock.sleep(self.limits.ping_timeout);
        tokio::select! {
            biased;
            flushed = self.socket.flush() => Ok(flushed?),
            () = timeout => Err(End::Silent),
        }
    }

    /// Waits until the peer has what was sent: it answers a ping only behind that.
    pub async fn confirm(&mut self) -> Result<(), End> {
        self.confirmations += 1;
        let mark = Bytes::copy_from_slice(&self.confirmations.to_be_bytes());
        self.send(Message::Ping(mark.clone())).await?;
        let timeout = self.clock.sleep(self.limits.ping_timeout);
        tokio::pin!(timeout);
        loop {
            let message = tokio::select! {
                biased;
                message = self.socket.next() => message,
                () = &mut timeout => return Err(End::Silent),
            };
            self.listen_anew();
            if matches!(&message, Some(Ok(Message::Pong(pong))) if *pong == mark) {
                return Ok(());
            }
            self.understand(message).await?;
        }
    }

    /// Sends a message. A peer that does not take it in time is silent.
    pub async fn send(&mut self, message: Message) -> Result<(), End> {
        let timeout = self.clock.sleep(self.limits.ping_timeout);
        tokio::select! {
            biased;
            sent = self.socket.send(message) => Ok(sent?),
            () = timeout => Err(End::Silent),
        }
    }

    /// Says goodbye.
    pub async fn close(&mut self, code: CloseCode, reason: &str) {
        let mut reason = reason.to_owned();
        // What a close frame has room for.
        while reason.len() > 120 {
            reason.pop();
        }
        let frame = CloseFrame { code, reason: reason.into() };
        // It may be gone already.
        let _closed = tokio::time::timeout(CLOSE_TIMEOUT, self.socket.close(Some(frame))).await;
    }
}

/// A client's connection once it is upgraded.
pub(crate) type Accepted = WebSocketStream<TokioIo<Upgraded>>;

type Slot<T> = Arc<Mutex<Option<(OnUpgrade, T)>>>;

/// Answers requests on a connection until one is upgraded; `None` if it ended before. `check` looks at a request and
/// gives what the connection is for; `subprotocol` is what is spoken, if clients offer it.
pub(crate) async fn accept<T>(
    stream: TcpStream,
    tls: &ServerTls,
    limits: &Limits,
    shutdown: Shutdown,
    subprotocol: Option<&str>,
    check: impl Fn(&Request<Incoming>) -> Result<T, Refusal>,
) -> Option<(Accepted, T)> {
    // A client that cannot speak it cannot be told.
    let stream = tls.begin(stream, HEADER_TIMEOUT).await?;
    let slot: Slot<T> = Arc::default();
    let respond = |request: Request<Incoming>| {
        let answer = check(&request)
            .and_then(|checked| upgrade(request, subprotocol, checked, &slot))
            .unwrap_or_else(Refusal::answer);
        async move { answer }
    };
    // What went wrong with a request was told its client.
    let _served = http_server::serve_connection(stream, HEADER_TIMEOUT, shutdown, respond).await;
    let taken = slot.lock().unwrap_or_else(PoisonError::into_inner).take();
    let (upgraded, checked) = taken?;
    let stream = TokioIo::new(upgraded.await.ok()?);
    let socket =
        WebSocketStream::from_raw_socket(stream, Role::Server, Some(limits.config())).await;
    Some((socket, checked))
}

fn upgrade<T>(
    mut request: Request<Incoming>,
    subprotocol: Option<&str>,
    checked: T,
    slot: &Slot<T>,
) -> Result<Answer, Refusal> {
    let headers = request.headers();
    let is_upgrade = request.method() == Method::GET
        && has_token(headers, &header::CONNECTION, "upgrade")
        && has_token(headers, &header::UPGRADE, "websocket");
    let key = headers.get(header::SEC_WEBSOCKET_KEY);
    let version =
        headers.get(header::SEC_WEBSOCKET_VERSION).map_or(&b""[..], HeaderValue::as_bytes);
    let (true, Some(key), true) = (is_upgrade, key, version == VERSION.as_bytes()) else {
        let reason = "this is for websockets of version 13: `GET` with `Upgrade: websocket`";
        return Err(Refusal::new(StatusCode::UPGRADE_REQUIRED, reason));
    };
    let accept = HeaderValue::from_str(&derive_accept_key(key.as_bytes()))
        .map_err(|_| Refusal::bad("the key of the handshake is wrong"))?;
    let mut response = Response::new(Full::default());
    *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    let out = response.headers_mut();
    out.insert(header::CONNECTION, HeaderValue::from_static("Upgrade"));
    out.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
    out.insert(header::SEC_WEBSOCKET_ACCEPT, accept);
    if let Some(name) = subprotocol
        && has_token(headers, &header::SEC_WEBSOCKET_PROTOCOL, name)
        && let Ok(name) = HeaderValue::from_str(name)
    {
        out.insert(header::SEC_WEBSOCKET_PROTOCOL, name);
    }
    let upgraded = hyper::upgrade::on(&mut request);
    *slot.lock().unwrap_or_else(PoisonError::into_inner) = Some((upgraded, checked));
    Ok(response)
}

/// Whether a header's comma-separated list has a word, in any case.
fn has_token(headers: &HeaderMap, name: &header::HeaderName, word: &str) -> bool {
    let values = headers.get_all(name).iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).any(|one| one.trim().eq_ignore_ascii_case(word))
}
