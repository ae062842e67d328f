//! The SQLite family: a sink that keeps events in a database file, and the store that answers questions from it.
//!
//! **Invariant:** events are written by the sink's own thread alone, one transaction a commit; what is acknowledged
//! is on disk. A reader never makes the writer wait.

mod migration;
mod removal;
mod schema;
pub mod sink;
mod store;
mod tally;
mod text_index;

use lograil_plugin::{ComponentSpec, StoreSpec};

/// All components of this crate.
pub const SPECS: &[ComponentSpec] = &[sink::SPEC];

/// How what the sinks of this crate keep is queried.
pub const STORES: &[StoreSpec] = &[store::STORE];

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
