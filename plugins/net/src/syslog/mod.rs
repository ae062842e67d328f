//! `syslog`: the source `socket` with the defaults of syslog.

use lograil_plugin::spec::{no_ports, schema_of};
use lograil_plugin::{Build, ComponentSpec, Threading};

use crate::socket::{Defaults, Framing, MessageFormat, SocketOptions, SocketSource, claims};

const DEFAULTS: Defaults = Defaults {
    component_type: "syslog",
    listen: "127.0.0.1:5514",
    framing: Framing::Auto,
    format: MessageFormat::Syslog,
    host_key: "source_ip",
};

/// The spec of `syslog`.
pub const SPEC: ComponentSpec = ComponentSpec {
    name: DEFAULTS.component_type,
    summary: "Takes syslog messages by TCP, UDP and unix sockets, and parses them.",
    manual: include_str!("README.md"),
    schema: schema_of::<SocketOptions>,
    ports: no_ports,
    claims: |options| claims(options, &DEFAULTS),
    threading: Threading::Async,
    build: Build::Source(&|options| SocketSource::build(options, &DEFAULTS)),
};
