//! The built-in sources, a folder per component.
//!
//! **Invariant:** sources are written against the plugin API alone and know neither each other nor the
//! runtime.

mod block_pool;
mod charset;
pub mod file;
pub mod generator;
mod line_blocks;
mod line_meters;
mod multiline;
pub mod stdin;

use lograil_plugin::ComponentSpec;

/// All built-in sources.
pub const SPECS: &[ComponentSpec] = &[file::SPEC, generator::SPEC, stdin::SPEC];
