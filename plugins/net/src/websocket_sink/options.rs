//! The options of the sink `websocket`.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use hyper::Uri;
use hyper::header::{HeaderName, HeaderValue};
use lograil_codec::{Encoder, EncodingConfig};
use lograil_plugin::{ByteSize, ConfigError, ConfigErrors, Period, Secret};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::http_server::Credentials;
use crate::listen;
use crate::request_headers::client_headers;
use crate::tls::ClientTlsOptions;
use crate::websocket::Limits;
use crate::websocket_client::websocket_uri;

/// Bytes of the events that are handed to clients at a time.
pub(super) const FRAME_BYTES: usize = 64 << 10;
/// Bytes of what peers may say, which means nothing.
const PEER_BYTES_MAX: usize = 64 << 10;
/// Largest queue.
const QUEUE_BYTES_MAX: u64 = 1 << 30;

/// What becomes of a client that is too far behind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum SlowClients {
    /// It misses events.
    #[default]
    Skip,
    /// Its connection is closed.
    Close,
}

/// The options as written.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct WebsocketOptions {
    /// Where to connect: `ws://` or `wss://`.
    pub url: Option<String>,
    /// Instead of `url`: IP address and port to listen on.
    pub listen: Option<String>,
    /// With `listen`: the path that gives events.
    pub path: String,
    /// Sent to the peer as `Authorization: Bearer TOKEN`; with `listen`, what clients must send.
    pub token: Option<Secret>,
    /// With `listen`: listen beyond this machine although there is no `token`.
    pub expose_without_token: bool,
    /// With `url`: header lines of the request.
    pub headers: BTreeMap<String, Secret>,
    /// With `url`: the subprotocol to speak.
    pub subprotocol: Option<String>,
    /// How an event is written; each is a message.
    pub encoding: EncodingConfig,
    /// With `listen`: the fields that clients may choose events by.
    pub filters: Vec<String>,
    /// With `listen`: bytes of events that are kept for clients that are behind.
    pub max_queue_bytes: ByteSize,
    /// With `listen`: what becomes of a client that is further behind: `skip` or `close`.
    pub slow_clients: SlowClients,
    /// With `listen`: clients at the same time; others wait.
    pub max_connections: usize,
    /// After how much silence the peer is pinged.
    pub ping_interval: Period,
    /// How long the peer may take to answer, or to take a message.
    pub ping_timeout: Period,
    /// With `url`: how long connecting may take.
    pub connect_timeout: Period,
    /// With a `url` of `wss://`: whom to trust, and who we are.
    pub tls: ClientTlsOptions,
}

impl Default for WebsocketOptions {
    fn default() -> Self {
        Self {
            url: None,
            listen: None,
            path: "/".to_owned(),
            token: None,
            expose_without_token: false,
            headers: BTreeMap::new(),
            subprotocol: None,
            encoding: EncodingConfig::default(),
            filters: vec!["level".to_owned(), "service".to_owned()],
            max_queue_bytes: ByteSize(16 << 20),
            slow_clients: SlowClients::default(),
            max_connections: 128,
            ping_interval: Period(Duration::from_secs(30)),
            ping_timeout: Period(Duration::from_secs(10)),
            connect_timeout: Period(Duration::from_secs(10)),
            tls: ClientTlsOptions::default(),
        }
    }
}

/// Who connects to whom.
pub(super) enum Side {
    Client(Box<ClientSettings>),
    Server(ServerSettings),
}

/// How to connect.
#[derive(Debug, Clone)]
pub(super) struct ClientSettings {
    pub uri: Uri,
    pub headers: Vec<(HeaderName, HeaderValue)>,
    pub subprotocol: Option<String>,
    pub connect_timeout: Duration,
    pub tls: ClientTlsOptions,
}

/// How to listen.
#[derive(Debug, Clone)]
pub(super) struct ServerSettings {
    pub listen: SocketAddr,
    pub path: String,
    pub credentials: Credentials,
    pub connections_max: usize,
    pub filters: Vec<String>,
    pub queue_frames: usize,
    pub slow_clients: SlowClients,
}

impl WebsocketOptions {
    /// Checks what the schema cannot.
    pub(super) fn resolve(self) -> Result<(Side, Limits, Encoder), ConfigErrors> {
        let mut errors = Vec::new();
        let encoder = self.encoding.build().map_err(|error| {
            let path = std::iter::once("encoding".to_owned()).chain(error.option);
            let mut wrong = ConfigError::new(path, error.message);
            wrong.within = error.within;
            errors.push(wrong);
        });
        for (name, period) in
            [("ping_interval", self.ping_interval), ("ping_timeout", self.ping_timeout)]
        {
            if period.0.is_zero() {
                errors.push(ConfigError::new([name], "must be longer than nothing"));
            }
        }
        if self.token.as_ref().is_some_and(|token| token.expose().is_empty()) {
            errors.push(ConfigError::new(["token"], "the token is empty"));
        }
        let limits = Limits {
            message_bytes_max: PEER_BYTES_MAX,
            frame_bytes_max: PEER_BYTES_MAX,
            ping_interval: self.ping_interval.0,
            ping_timeout: self.ping_timeout.0,
        };
        let side = match (&self.url, &self.listen) {
            (Some(_), None) => {
                self.client(&mut errors).map(|client| Side::Client(Box::new(client)))
            }
            (None, Some(_)) => self.server(&mut errors).map(Side::Server),
            _ => {
                let error = ConfigError::new(["url"], "needs either `url` or `listen`");
                errors.push(error.help("`url` connects to a server, `listen` is one"));
                None
            }
        };
        match (side, encoder, errors.is_empty()) {
            (Some(side), Ok(encoder), true) => Ok((side, limits, encoder)),
            _ => Err(ConfigErrors(errors)),
        }
    }

    fn client(self, errors: &mut Vec<ConfigError>) -> Option<ClientSettings> {
        if self.path != "/" || self.expose_without_token {
            let message = "`path` and `expose_without_token` go with `listen`";
            errors.push(ConfigError::new(["url"], message));
        }
        let headers = client_headers(&self.headers, self.token.as_ref(), errors);
        let uri = self.url.as_deref().and_then(|url| websocket_uri(url, errors))?;
        Some(ClientSettings {
            uri,
            headers,
            subprotocol: self.subprotocol,
            connect_timeout: self.connect_timeout.0,
            tls: self.tls,
        })
    }

    fn server(self, errors: &mut Vec<ConfigError>) -> Option<ServerSettings> {
        if !self.headers.is_empty() || self.subprotocol.is_some() {
            let message = "`headers` and `subprotocol` go with `url`";
            errors.push(ConfigError::new(["listen"], message));
        }
        if !self.path.starts_with('/') {
            errors.push(ConfigError::new(["path"], "a path starts with `/`"));
        }
        if !(FRAME_BYTES as u64..=QUEUE_BYTES_MAX).contains(&self.max_queue_bytes.0) {
            errors.push(ConfigError::new(["max_queue_bytes"], "must be from 64 KiB to 1 GiB"));
        }
        listen::check_connections(self.max_connections, errors);
        let may_expose = self.token.is_some() || self.expose_without_token;
        let remedy = "set `token`, or `expose_without_token = true` if anybody may read";
        let text = self.listen.as_deref().unwrap_or_default();
        let listen = listen::address("listen", text, may_expose, remedy, errors)?;
        Some(ServerSettings {
            listen,
            path: self.path,
            credentials: Credentials::new(self.token.as_ref(), None),
            connections_max: self.max_connections,
            filters: self.filters,
            queue_frames: (self.max_queue_bytes.0 as usize / FRAME_BYTES).max(1),
            slow_clients: self.slow_clients,
        })
    }
}
