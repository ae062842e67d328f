//! The transforms that come with lograil, a folder each.
//!
//! **Invariant:** transforms know no other component, no runtime and no topology file.

pub mod aggregate;
pub mod amplify;
pub mod anomaly;
pub mod burst;
mod condition;
pub mod dedupe;
mod event_key;
mod event_time;
mod field_path;
pub mod filter;
mod held;
mod level;
pub mod log_to_metric;
pub mod lookup;
mod lru;
mod notice;
mod number;
mod numeric;
pub mod parse;
pub mod reduce;
pub mod remap;
pub mod route;
pub mod sample;
pub mod severity;
#[cfg(test)]
mod shared_data;
mod short_key;
mod state_bytes;
pub mod template;
pub mod throttle;

use lograil_plugin::ComponentSpec;

/// Every transform of this crate, for the catalogue.
pub const SPECS: &[ComponentSpec] = &[
    aggregate::SPEC,
    amplify::SPEC,
    anomaly::SPEC,
    burst::SPEC,
    dedupe::SPEC,
    filter::SPEC,
    log_to_metric::SPEC,
    lookup::SPEC,
    parse::SPEC,
    reduce::SPEC,
    remap::SPEC,
    route::SPEC,
    sample::SPEC,
    severity::SPEC,
    template::SPEC,
    throttle::SPEC,
];
