//! The components that talk over sockets.
//!
//! **Invariant:** knows no runtime and no topology file. Whatever a peer sends is bounded before it is kept.

mod accept;
#[cfg(test)]
mod captured;
pub mod http_source;
mod listen;
pub mod socket;
pub mod syslog;

use lograil_plugin::ComponentSpec;

/// All components of this crate.
pub const SPECS: &[ComponentSpec] = &[http_source::SPEC, socket::SPEC, syslog::SPEC];
