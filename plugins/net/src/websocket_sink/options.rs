//! The options of the sink `websocket`.

use std::collections::BTreeMap;
use std::time::Duration;

use hyper::Uri;
use hyper::header::{HeaderName, HeaderValue};
use lograil_codec::{Encoder, EncodingConfig};
use lograil_plugin::{ByteSize, ConfigError, ConfigErrors, Period, Secret};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::tls::ClientTlsOptions;
use crate::websocket::Limits;
use crate::websocket_options::{Reception, SharedOptions, Way};

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
    /// With a `url` of `wss://`: whom to trust, and who we are. With `listen`: speak TLS with this certificate and key.
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
    pub reception: Reception,
    pub filters: Vec<String>,
    pub queue_bytes_max: usize,
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
        let limits = Limits {
            message_bytes_max: PEER_BYTES_MAX,
            frame_bytes_max: PEER_BYTES_MAX,
            ping_interval: self.ping_interval.0,
            ping_timeout: self.ping_timeout.0,
        };
        let side = match self.shared().way(&mut errors) {
            Some(Way::Connect) => {
                self.client(&mut errors).map(|client| Side::Client(Box::new(client)))
            }
            Some(Way::Listen) => self.server(&mut errors).map(Side::Server),
            None => None,
        };
        match (side, encoder, errors.is_empty()) {
            (Some(side), Ok(encoder), true) => Ok((side, limits, encoder)),
            _ => Err(ConfigErrors(errors)),
        }
    }

    fn shared(&self) -> SharedOptions<'_> {
        SharedOptions {
            url: self.url.as_deref(),
            listen: self.listen.as_deref(),
            path: &self.path,
            headers: &self.headers,
            token: self.token.as_ref(),
            expose_without_token: self.expose_without_token,
            subprotocol: self.subprotocol.as_deref(),
            max_connections: self.max_connections,
            ping_interval: self.ping_interval,
            ping_timeout: self.ping_timeout,
            tls: &self.tls,
        }
    }

    fn client(&self, errors: &mut Vec<ConfigError>) -> Option<ClientSettings> {
        let (uri, headers) = self.shared().destination(errors)?;
        Some(ClientSettings {
            uri,
            headers,
            subprotocol: self.subprotocol.clone(),
            connect_timeout: self.connect_timeout.0,
            tls: self.tls.clone(),
        })
    }

    fn server(self, errors: &mut Vec<ConfigError>) -> Option<ServerSettings> {
        if !self.headers.is_empty() || self.subprotocol.is_some() {
            let message = "`headers` and `subprotocol` go with `url`";
            errors.push(ConfigError::new(["listen"], message));
        }
        if !(FRAME_BYTES as u64..=QUEUE_BYTES_MAX).contains(&self.max_queue_bytes.0) {
            errors.push(ConfigError::new(["max_queue_bytes"], "must be from 64 KiB to 1 GiB"));
        }
        let remedy = "set `token`, or `expose_without_token = true` if anybody may read";
        Some(ServerSettings {
            reception: self.shared().reception(remedy, errors)?,
            filters: self.filters,
            queue_bytes_max: self.max_queue_bytes.0 as usize,
            slow_clients: self.slow_clients,
        })
    }
}
