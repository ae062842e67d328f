//! The transforms that come with lograil, a folder each.
//!
//! **Invariant:** transforms know no other component, no runtime and no topology file.

pub mod filter;
pub mod parse;

use lograil_plugin::ComponentSpec;

/// Every transform of this crate, for the catalogue.
pub const SPECS: &[ComponentSpec] = &[filter::SPEC, parse::SPEC];
