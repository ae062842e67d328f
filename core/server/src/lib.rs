//! The admin server: metrics, health and the state of the topology over HTTP.
//!
//! **Invariant:** reads the topology through the runtime's observer; never holds it up. Refuses requests
//! whose `Host` is not the address it listens on, so that a web page elsewhere cannot read it through the
//! user's browser (DNS rebinding).

mod admin;
mod host;

pub use admin::{AdminState, listen};
