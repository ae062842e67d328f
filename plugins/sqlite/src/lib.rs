//! The SQLite family: a sink that keeps events in a database file.
//!
//! **Invariant:** all writing is done by the sink's own thread, one transaction a commit; what is acknowledged
//! is on disk.

mod schema;
pub mod sink;

use lograil_plugin::ComponentSpec;

/// All components of this crate.
pub const SPECS: &[ComponentSpec] = &[sink::SPEC];

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use lograil_plugin::{FileSystem, SystemFiles};
    use lograil_testkit::conformance;
    use serde_json::json;

    use super::sink;

    #[test]
    fn the_manual_is_whole_and_the_sink_obeys_the_laws() {
        conformance::manual(&sink::SPEC);
        let dir = tempfile::tempdir().unwrap();
        let files: Arc<dyn FileSystem> = Arc::new(SystemFiles);
        conformance::sink(&sink::SPEC, &json!({"path": "logs.db"}), &files, dir.path());
    }
}
