//! The components that talk over sockets.
//!
//! **Invariant:** knows no runtime and no topology file. Whatever a peer sends is bounded before it is kept.

mod accept;
#[cfg(test)]
mod captured;
mod http_server;
pub mod http_sink;
pub mod http_source;
mod listen;
pub mod mock;
mod request_headers;
mod server_tls;
pub mod socket;
mod submission;
pub mod syslog;
mod tls;
mod websocket;
mod websocket_client;
mod websocket_options;
pub mod websocket_sink;
pub mod websocket_source;

use lograil_codec::payload;
use lograil_plugin::ComponentSpec;

/// All components of this crate.
pub const SPECS: &[ComponentSpec] = &[
    http_sink::SPEC,
    http_source::SPEC,
    socket::SPEC,
    syslog::SPEC,
    websocket_sink::SPEC,
    websocket_source::SPEC,
];
