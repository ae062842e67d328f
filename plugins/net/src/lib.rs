//! The components that talk over sockets.
//!
//! **Invariant:** knows no runtime and no topology file. Whatever a peer sends is bounded before it is kept.

pub mod http_source;

use lograil_plugin::ComponentSpec;

/// All components of this crate.
pub const SPECS: &[ComponentSpec] = &[http_source::SPEC];
