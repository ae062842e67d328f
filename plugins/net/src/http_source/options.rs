//! The options of `http`.

use std::net::SocketAddr;
use std::time::Duration;

use lograil_plugin::{ByteSize, ConfigError, ConfigErrors, Period, Secret};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::http_server::Credentials;
use crate::listen;
use crate::payload::PayloadFormat;
use crate::request_headers::BasicOptions;
use crate::server_tls::ServerTlsOptions;

/// Where it listens unless told otherwise.
pub(super) const LISTEN: &str = "127.0.0.1:8080";

/// Largest limit for a body: a batch's text stays below 4 GiB, several times.
const BYTES_MAX: u64 = 1 << 30;

/// When a request is answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Acknowledge {
    /// Once its events are delivered everywhere.
    #[default]
    Delivered,
    /// Once its events are in memory.
    Accepted,
}

/// The options of `http`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct HttpOptions {
    /// IP address and port to listen on.
    pub listen: String,
    /// The path that takes events by `POST`.
    pub path: String,
    /// More such paths.
    pub paths: Vec<String>,
    /// What bodies hold: `auto`, `json` or `lines`.
    pub format: PayloadFormat,
    /// When a request is answered: once its events are `delivered`, or once they are `accepted` into memory.
    pub acknowledge: Acknowledge,
    /// What clients must send as `Authorization: Bearer TOKEN`.
    pub token: Option<Secret>,
    /// What clients may send as `Authorization: Basic ...` instead.
    pub basic: Option<BasicOptions>,
    /// Take one event by `GET /send?message=hello`, for quick tries.
    pub allow_get: bool,
    /// Speak HTTPS with this certificate and key.
    pub tls: Option<ServerTlsOptions>,
    /// Listen beyond this machine although there is neither `token` nor `basic`.
    pub expose_without_token: bool,
    /// Longest body as it is sent.
    pub max_body_bytes: ByteSize,
    /// Longest body once it is decompressed.
    pub max_decompressed_bytes: ByteSize,
    /// Bytes of all bodies that are not answered yet and of what is made of them; beyond it the answer is 429.
    pub max_pending_bytes: ByteSize,
    /// Connections served at the same time; others wait.
    pub max_connections: usize,
    /// How long a client may take for the head of a request.
    pub header_timeout: Period,
    /// How long the body, and then the delivery, may take.
    pub request_timeout: Period,
}

impl Default for HttpOptions {
    fn default() -> Self {
        Self {
            listen: LISTEN.to_owned(),
            path: "/".to_owned(),
            paths: Vec::new(),
            format: PayloadFormat::default(),
            acknowledge: Acknowledge::default(),
            token: None,
            basic: None,
            allow_get: false,
            tls: None,
            expose_without_token: false,
            max_body_bytes: ByteSize(10 << 20),
            max_decompressed_bytes: ByteSize(64 << 20),
            max_pending_bytes: ByteSize(256 << 20),
            max_connections: 512,
            header_timeout: Period(Duration::from_secs(10)),
            request_timeout: Period(Duration::from_secs(60)),
        }
    }
}

/// The options once they are known to be right.
pub(super) struct Settings {
    pub listen: SocketAddr,
    pub paths: Vec<String>,
    pub format: PayloadFormat,
    pub acknowledge: Acknowledge,
    pub credentials: Credentials,
    pub allow_get: bool,
    pub tls: Option<ServerTlsOptions>,
    pub body_bytes_max: usize,
    pub decompressed_bytes_max: usize,
    pub pending_bytes_max: usize,
    pub connections_max: usize,
    pub header_timeout: Duration,
    pub request_timeout: Duration,
}

impl HttpOptions {
    /// Checks what the schema cannot.
    pub(super) fn resolve(self) -> Result<Settings, ConfigErrors> {
        let mut errors = Vec::new();
        let has_secret = self.token.is_some() || self.basic.is_some();
        let may_expose = has_secret || self.expose_without_token;
        let remedy = "set `token` or `basic`, or `expose_without_token = true` if anybody may send";
        let listen = listen::address("listen", &self.listen, may_expose, remedy, &mut errors);
        let paths: Vec<String> = std::iter::once(self.path).chain(self.paths).collect();
        for (index, path) in paths.iter().enumerate() {
            if !path.starts_with('/') {
                let option = if index == 0 { "path" } else { "paths" };
                errors.push(ConfigError::new([option], "a path starts with `/`"));
            }
        }
        if self.basic.as_ref().is_some_and(|basic| basic.user.contains(':')) {
            errors.push(ConfigError::new(["basic", "user"], "has no `:` in it"));
        }
        if self.token.as_ref().is_some_and(|token| token.expose().is_empty()) {
            errors.push(ConfigError::new(["token"], "the token is empty"));
        }
        let sizes = [
            ("max_body_bytes", self.max_body_bytes),
            ("max_decompressed_bytes", self.max_decompressed_bytes),
            ("max_pending_bytes", self.max_pending_bytes),
        ];
        for (name, size) in sizes {
            if size.0 == 0 || size.0 > BYTES_MAX {
                errors.push(ConfigError::new([name], "must be from 1 byte to 1 GiB"));
            }
        }
        listen::check_connections(self.max_connections, &mut errors);
        let Some(listen) = listen else { return Err(ConfigErrors(errors)) };
        if !errors.is_empty() {
            return Err(ConfigErrors(errors));
        }
        Ok(Settings {
            listen,
            paths,
            format: self.format,
            acknowledge: self.acknowledge,
            credentials: Credentials::new(self.token.as_ref(), self.basic.as_ref()),
            allow_get: self.allow_get,
            tls: self.tls,
            body_bytes_max: self.max_body_bytes.0 as usize,
            decompressed_bytes_max: self.max_decompressed_bytes.0 as usize,
            pending_bytes_max: self.max_pending_bytes.0 as usize,
            connections_max: self.max_connections,
            header_timeout: self.header_timeout.0,
            request_timeout: self.request_timeout.0,
        })
    }
}
