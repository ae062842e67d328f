//! What a topology sets for the whole process, beside its components.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use lograil_plugin::schemars::JsonSchema;
use lograil_plugin::{ByteSize, Period, schemars};
use serde::Deserialize;

/// Settings of the whole process, resolved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Global {
    /// Where checkpoints and buffers live, resolved against the directory of the topology.
    pub data_dir: Option<PathBuf>,
    /// The admin server, if there is to be one.
    pub admin: Option<AdminOptions>,
    /// How long a stop may take before what is in flight is given up.
    pub shutdown_timeout: Period,
    /// The channels between components.
    pub buffer: BufferOptions,
}

/// The admin server: `[admin]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AdminOptions {
    /// Where it listens.
    pub listen: SocketAddr,
}

/// The channels between components: `[buffer]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[schemars(crate = "schemars")]
#[serde(default, deny_unknown_fields)]
pub struct BufferOptions {
    /// How many bytes of events may wait on one edge before its sender has to.
    pub max_bytes: ByteSize,
}

impl Default for BufferOptions {
    fn default() -> Self {
        Self { max_bytes: ByteSize(8 << 20) }
    }
}

/// The top level of a topology as it is written, without the tables of components.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[schemars(crate = "schemars")]
#[serde(default, deny_unknown_fields)]
pub(crate) struct GlobalOptions {
    /// Where checkpoints and buffers live.
    pub data_dir: Option<PathBuf>,
    /// How long a stop may take before what is in flight is given up.
    pub shutdown_timeout: Period,
    /// The admin server.
    pub admin: Option<AdminTable>,
    /// The channels between components.
    pub buffer: BufferOptions,
}

impl Default for GlobalOptions {
    fn default() -> Self {
        Self {
            data_dir: None,
            shutdown_timeout: Period(Duration::from_secs(60)),
            admin: None,
            buffer: BufferOptions::default(),
        }
    }
}

/// `[admin]` as it is written.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[schemars(crate = "schemars")]
#[serde(deny_unknown_fields)]
pub(crate) struct AdminTable {
    /// Address and port, `127.0.0.1:9598`.
    pub listen: String,
    /// Allows an address that other machines can reach.
    #[serde(default)]
    pub allow_remote: bool,
}
