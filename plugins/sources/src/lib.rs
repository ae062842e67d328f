//! The built-in sources, a folder per component.
//!
//! **Invariant:** sources are written against the plugin API alone and know neither each other nor the
//! runtime.

pub mod generator;

use lograil_plugin::ComponentSpec;

/// All built-in sources.
pub const SPECS: &[ComponentSpec] = &[generator::SPEC];
