//! Plugins: shared libraries whose components are used like the built-in ones.
//!
//! A file is examined before any of its code runs: its manifest, its architecture, who may write to it, its
//! hash. Loaded, its tables become [`lograil_plugin::ComponentSpec`]s. A library is never unloaded: threads and
//! static data of its own may outlive any instance.
//!
//! **Invariant:** what a plugin hands over is checked before the rest of the program sees it.

mod batch;
mod builder;
mod call;
mod calls;
mod context;
mod crash;
#[cfg(test)]
mod crossing_tests;
mod elf;
mod error;
mod host;
mod image;
mod instance;
mod lane;
mod left_behind;
mod library;
mod manifest;
mod signals;
mod sink;
mod slots;
mod source;
mod traits;
mod transform;
mod trial;
mod trust;
mod watchdog;

pub use error::PluginError;
pub use left_behind::instances_left_behind;
pub use library::{LoadedPlugin, load};
pub use manifest::{ComponentSummary, Manifest, inspect};
pub use trial::{heed_stops, try_out, try_out_first};
pub use trust::{Trust, sha256_hex};
pub use watchdog::{set_hang_after, set_hang_limit, set_preparation_limit};
