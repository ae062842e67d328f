//! The options of the source `websocket`.

use std::collections::BTreeMap;
use std::time::Duration;

use hyper::Uri;
use hyper::header::{HeaderName, HeaderValue};
use lograil_plugin::{ByteSize, ConfigError, ConfigErrors, Period, Secret};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::payload::PayloadFormat;
use crate::tls::ClientTlsOptions;
use crate::websocket::Limits;
use crate::websocket_options::{Reception, SharedOptions, Way};

/// Largest limit for a message.
const MESSAGE_BYTES_MAX: u64 = 1 << 30;

/// The options as written.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct WebsocketOptions {
    /// Where to connect: `ws://` or `wss://`.
    pub url: Option<String>,
    /// Instead of `url`: IP address and port to listen on.
    pub listen: Option<String>,
    /// With `listen`: the path that takes events.
    pub path: String,
    /// Sent to the peer as `Authorization: Bearer TOKEN`; with `listen`, what clients must send.
    pub token: Option<Secret>,
    /// With `listen`: listen beyond this machine although there is no `token`.
    pub expose_without_token: bool,
    /// With `url`: header lines of the request.
    pub headers: BTreeMap<String, Secret>,
    /// The subprotocol to speak.
    pub subprotocol: Option<String>,
    /// With `url`: a text message sent once connected, such as a subscription.
    pub send_on_connect: Option<Secret>,
    /// What messages hold: `auto`, `json` or `lines`.
    pub format: PayloadFormat,
    /// Longest message.
    pub max_message_bytes: ByteSize,
    /// Longest frame.
    pub max_frame_bytes: ByteSize,
    /// With `listen`: connections served at the same time; others wait.
    pub max_connections: usize,
    /// After how much silence the peer is pinged.
    pub ping_interval: Period,
    /// How long the peer may take to answer before the connection is given up.
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
            send_on_connect: None,
            format: PayloadFormat::default(),
            max_message_bytes: ByteSize(4 << 20),
            max_frame_bytes: ByteSize(4 << 20),
            max_connections: 128,
            ping_interval: Period(Duration::from_secs(30)),
            ping_timeout: Period(Duration::from_secs(10)),
            connect_timeout: Period(Duration::from_secs(10)),
            tls: ClientTlsOptions::default(),
        }
    }
}

/// What both modes need.
pub(super) struct Settings {
    pub side: Side,
    pub subprotocol: Option<String>,
    pub format: PayloadFormat,
    pub limits: Limits,
}

/// Who connects to whom.
pub(super) enum Side {
    Client(ClientSettings),
    Server(Reception),
}

/// How to connect.
#[derive(Debug, Clone)]
pub(super) struct ClientSettings {
    pub uri: Uri,
    pub headers: Vec<(HeaderName, HeaderValue)>,
    pub send_on_connect: Option<Secret>,
    pub connect_timeout: Duration,
    pub tls: ClientTlsOptions,
}

impl WebsocketOptions {
    /// Checks what the schema cannot.
    pub(super) fn resolve(self) -> Result<Settings, ConfigErrors> {
        let mut errors = Vec::new();
        let limits = self.limits(&mut errors);
        let side = match self.shared().way(&mut errors) {
            Some(Way::Connect) => self.client(&mut errors).map(Side::Client),
            Some(Way::Listen) => self.server(&mut errors).map(Side::Server),
            None => None,
        };
        let (subprotocol, format) = (self.subprotocol, self.format);
        match side {
            Some(side) if errors.is_empty() => Ok(Settings { side, subprotocol, format, limits }),
            _ => Err(ConfigErrors(errors)),
        }
    }

    fn limits(&self, errors: &mut Vec<ConfigError>) -> Limits {
        let sizes = [
            ("max_message_bytes", self.max_message_bytes),
            ("max_frame_bytes", self.max_frame_bytes),
        ];
        for (name, size) in sizes {
            if !(1..=MESSAGE_BYTES_MAX).contains(&size.0) {
                errors.push(ConfigError::new([name], "must be from 1 byte to 1 GiB"));
            }
        }
        Limits {
            message_bytes_max: self.max_message_bytes.0 as usize,
            frame_bytes_max: self.max_frame_bytes.0 as usize,
            ping_interval: self.ping_interval.0,
            ping_timeout: self.ping_timeout.0,
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
            send_on_connect: self.send_on_connect.clone(),
            connect_timeout: self.connect_timeout.0,
            tls: self.tls.clone(),
        })
    }

    fn server(&self, errors: &mut Vec<ConfigError>) -> Option<Reception> {
        if !self.headers.is_empty() || self.send_on_connect.is_some() {
            let message = "`headers` and `send_on_connect` go with `url`";
            errors.push(ConfigError::new(["listen"], message));
        }
        let remedy = "set `token`, or `expose_without_token = true` if anybody may send";
        self.shared().reception(remedy, errors)
    }
}
