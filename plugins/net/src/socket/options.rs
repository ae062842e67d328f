//! The options of `socket` and `syslog`, which differ in their defaults only.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use lograil_codec::Zone;
use lograil_plugin::{ByteSize, ConfigError, ConfigErrors, Options, Period};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use super::block::Shape;
use super::framing::Framing;
use super::unix_path;
use crate::listen;
use crate::server_tls::ServerTlsOptions;

/// Largest limit for a message and for all that is kept.
const BYTES_MAX: u64 = 1 << 30;
/// Largest limit for a message: one of each connection may be kept.
const MESSAGE_BYTES_MAX: u64 = 64 << 20;
/// Least that may be kept before it is handed on: what is read at a time.
const PENDING_BYTES_MIN: u64 = 1 << 20;

/// What kind of socket it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// Connections by TCP.
    Tcp,
    /// Datagrams by UDP.
    Udp,
    /// Connections to a socket in the file system.
    UnixStream,
    /// Datagrams to a socket in the file system.
    UnixDatagram,
}

/// What messages hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum MessageFormat {
    /// Any text, which becomes the field `message`.
    Text,
    /// Syslog: RFC 5424, RFC 3164 and what is usual.
    Syslog,
}

/// What becomes of a message that is longer than the limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Oversized {
    /// An event with its first bytes, marked as truncated.
    #[default]
    Truncate,
    /// A dead letter with its first bytes.
    DeadLetter,
}

/// The options as written.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SocketOptions {
    /// The kind of socket: `tcp`, `udp`, `unix_stream` or `unix_datagram`.
    pub mode: Mode,
    /// `tcp`, `udp`: IP address and port to listen on.
    pub listen: Option<String>,
    /// `tcp`, `udp`: listen beyond this machine, where anybody may send.
    #[serde(default)]
    pub expose: bool,
    /// `tcp`: speak TLS with this certificate and key.
    pub tls: Option<ServerTlsOptions>,
    /// `unix_stream`, `unix_datagram`: the socket's path.
    pub path: Option<PathBuf>,
    /// `unix_stream`, `unix_datagram`: who may send, as `chmod` takes it: `"660"`.
    pub file_mode: Option<String>,
    /// Where a message ends: `newline`, `octet_counting` or `auto`.
    pub framing: Option<Framing>,
    /// What messages hold: `text` or `syslog`.
    pub format: Option<MessageFormat>,
    /// `syslog`: the zone of times that name none.
    pub timezone: Option<String>,
    /// The field with the sender's IP address; empty for none.
    pub host_key: Option<String>,
    /// The field with the sender's port.
    pub port_key: Option<String>,
    /// Longest message.
    #[serde(default = "default_message_bytes")]
    pub max_message_bytes: ByteSize,
    /// What becomes of longer ones.
    #[serde(default)]
    pub oversized: Oversized,
    /// Bytes that are kept until the topology takes them.
    #[serde(default = "default_pending_bytes")]
    pub max_pending_bytes: ByteSize,
    /// Connections served at the same time; others wait.
    #[serde(default = "default_connections")]
    pub max_connections: usize,
    /// How long a connection may be silent before it is closed; 0 for ever.
    #[serde(default = "default_idle_timeout")]
    pub idle_timeout: Period,
}

fn default_message_bytes() -> ByteSize {
    ByteSize(100 << 10)
}

fn default_pending_bytes() -> ByteSize {
    ByteSize(64 << 20)
}

fn default_connections() -> usize {
    512
}

fn default_idle_timeout() -> Period {
    Period(Duration::ZERO)
}

/// What the two component types do where an option is not given.
#[derive(Debug)]
pub struct Defaults {
    pub component_type: &'static str,
    pub listen: &'static str,
    pub framing: Framing,
    pub format: MessageFormat,
    pub host_key: &'static str,
}

/// Where messages come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Address {
    Tcp(SocketAddr),
    Udp(SocketAddr),
    UnixStream(UnixPath),
    UnixDatagram(UnixPath),
}

impl std::fmt::Display for Address {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Tcp(address) => write!(f, "tcp {address}"),
            Self::Udp(address) => write!(f, "udp {address}"),
            Self::UnixStream(unix) | Self::UnixDatagram(unix) => {
                write!(f, "unix {}", unix.path.display())
            }
        }
    }
}

/// A socket in the file system.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct UnixPath {
    pub path: PathBuf,
    pub mode: Option<u32>,
}

/// The options once they are known to be right.
pub(super) struct Settings {
    pub component_type: &'static str,
    pub address: Address,
    pub tls: Option<ServerTlsOptions>,
    pub framing: Framing,
    /// The zone, if messages are syslog.
    pub syslog: Option<Zone>,
    pub shape: Shape,
    pub message_bytes_max: usize,
    pub pending_bytes_max: usize,
    pub connections_max: usize,
    pub idle_timeout: Option<Duration>,
}

/// The address, unless the system chooses the port.
pub fn claims(options: &Value, defaults: &Defaults) -> Vec<String> {
    let text = |name: &str| options.get(name).and_then(Value::as_str);
    match text("mode") {
        Some(protocol @ ("tcp" | "udp")) => {
            listen::claim(protocol, text("listen").unwrap_or(defaults.listen))
        }
        _ => {
            let path = text("path").map(|path| unix_path::real(Path::new(path)));
            path.map(|path| format!("file {}", path.display())).into_iter().collect()
        }
    }
}

impl Settings {
    pub fn new(options: &Options, defaults: &Defaults) -> Result<Self, ConfigErrors> {
        options.parse::<SocketOptions>()?.resolve(defaults)
    }
}

impl SocketOptions {
    /// Checks what the schema cannot.
    fn resolve(self, defaults: &Defaults) -> Result<Settings, ConfigErrors> {
        let mut errors = Vec::new();
        let address = self.address(defaults, &mut errors);
        let framing = self.framing.unwrap_or(defaults.framing);
        let is_datagram = matches!(self.mode, Mode::Udp | Mode::UnixDatagram);
        if is_datagram && framing == Framing::OctetCounting {
            let message = "a datagram has no lengths before its messages";
            errors.push(ConfigError::new(["framing"], message).help("use `newline` or `auto`"));
        }
        if self.tls.is_some() && self.mode != Mode::Tcp {
            errors.push(ConfigError::new(["tls"], "goes with `mode = \"tcp\"`"));
        }
        let syslog = self.zone(defaults, &mut errors);
        let limits = [
            ("max_message_bytes", self.max_message_bytes, 1, MESSAGE_BYTES_MAX),
            ("max_pending_bytes", self.max_pending_bytes, PENDING_BYTES_MIN, BYTES_MAX),
        ];
        for (name, size, least, most) in limits {
            if !(least..=most).contains(&size.0) {
                let message = format!("must be from {least} to {most} bytes");
                errors.push(ConfigError::new([name], message));
            }
        }
        if self.max_pending_bytes.0 < self.max_message_bytes.0 {
            let message = "must have room for `max_message_bytes`";
            errors.push(ConfigError::new(["max_pending_bytes"], message));
        }
        listen::check_connections(self.max_connections, &mut errors);
        let host_key = self.host_key.unwrap_or_else(|| defaults.host_key.to_owned());
        let shape = Shape {
            host_key: Some(host_key).filter(|key| !key.is_empty()),
            port_key: self.port_key.filter(|key| !key.is_empty()),
            oversized: self.oversized,
        };
        let Some(address) = address else { return Err(ConfigErrors(errors)) };
        if !errors.is_empty() {
            return Err(ConfigErrors(errors));
        }
        let idle = self.idle_timeout.0;
        Ok(Settings {
            component_type: defaults.component_type,
            address,
            tls: self.tls,
            framing,
            syslog,
            shape,
            message_bytes_max: self.max_message_bytes.0 as usize,
            pending_bytes_max: self.max_pending_bytes.0 as usize,
            connections_max: self.max_connections,
            idle_timeout: Some(idle).filter(|idle| !idle.is_zero()),
        })
    }

    fn address(&self, defaults: &Defaults, errors: &mut Vec<ConfigError>) -> Option<Address> {
        let is_unix = matches!(self.mode, Mode::UnixStream | Mode::UnixDatagram);
        let misplaced = [
            ("listen", self.listen.is_some() && is_unix),
            ("expose", self.expose && is_unix),
            ("path", self.path.is_some() && !is_unix),
            ("file_mode", self.file_mode.is_some() && !is_unix),
        ];
        for (name, is_misplaced) in misplaced {
            if is_misplaced {
                let kind = if is_unix { "a unix socket" } else { "`tcp` and `udp`" };
                errors.push(ConfigError::new([name], format!("means nothing for {kind}")));
            }
        }
        if is_unix {
            let path = self.unix_path(errors)?;
            let is_stream = self.mode == Mode::UnixStream;
            return Some(if is_stream {
                Address::UnixStream(path)
            } else {
                Address::UnixDatagram(path)
            });
        }
        let text = self.listen.as_deref().unwrap_or(defaults.listen);
        let remedy = "set `expose = true` if anybody may send";
        let address = listen::address("listen", text, self.expose, remedy, errors)?;
        Some(if self.mode == Mode::Tcp { Address::Tcp(address) } else { Address::Udp(address) })
    }

    fn unix_path(&self, errors: &mut Vec<ConfigError>) -> Option<UnixPath> {
        let mode = self.file_mode.as_deref().map(|text| u32::from_str_radix(text, 8));
        if mode.as_ref().is_some_and(|mode| !matches!(mode, Ok(0..=0o777))) {
            let message = "no permissions in octal digits";
            errors.push(ConfigError::new(["file_mode"], message).help("such as \"660\""));
        }
        let Some(path) = self.path.clone() else {
            errors.push(ConfigError::new(["path"], "a unix socket needs a path"));
            return None;
        };
        Some(UnixPath { path, mode: mode.and_then(Result::ok) })
    }

    /// The zone, if messages are syslog.
    fn zone(&self, defaults: &Defaults, errors: &mut Vec<ConfigError>) -> Option<Zone> {
        if self.format.unwrap_or(defaults.format) == MessageFormat::Text {
            if self.timezone.is_some() {
                let message = "means nothing without `format = \"syslog\"`";
                errors.push(ConfigError::new(["timezone"], message));
            }
            return None;
        }
        let name = self.timezone.as_deref().unwrap_or("UTC");
        let zone = Zone::new(name);
        if zone.is_none() {
            let error = ConfigError::new(["timezone"], format!("`{name}` is no time zone"));
            errors.push(error.help("such as `UTC`, `local`, `+02:00` or `Europe/Berlin`"));
        }
        zone
    }
}
