//! The built-in components.

use lograil_plugin::Catalogue;

/// All component types this program knows.
pub(crate) fn catalogue() -> Catalogue {
    let all = [lograil_sources::SPECS, lograil_transforms::SPECS, lograil_sinks::SPECS];
    Catalogue::new(all.into_iter().flatten().copied())
}
