//! The built-in sinks that need nothing but the machine: files, standard output, and nothing at all.
//!
//! **Invariant:** knows no runtime and no topology file; a sink's world is its `SinkContext`.

mod encoding;
pub mod file;
pub mod null;
pub mod stdout;

use lograil_plugin::ComponentSpec;

/// All sinks of this crate.
pub const SPECS: &[ComponentSpec] = &[file::SPEC, null::SPEC, stdout::SPEC];

#[cfg(test)]
mod tests {
    use lograil_testkit::{SimFiles, conformance};
    use serde_json::json;

    use super::{SPECS, file, null, stdout};

    #[test]
    fn every_manual_is_whole_and_its_examples_build() {
        for spec in SPECS {
            conformance::manual(spec);
        }
    }

    #[test]
    fn every_sink_obeys_the_laws() {
        let files = SimFiles::new();
        files.mkdir("/data");
        let files = files.shared();
        conformance::sink(&null::SPEC, &json!({}), &files, "/data");
        for codec in ["json", "text", "raw"] {
            let options = json!({"path": "plain.log", "encoding": {"codec": codec}});
            conformance::sink(&file::SPEC, &options, &files, "/data");
            let rotate = json!({"max_bytes": 64000, "max_files": 2, "interval": "1h"});
            let options = json!({"path": "r.log", "base_dir": "sub", "rotate": rotate});
            conformance::sink(&file::SPEC, &options, &files, "/data");
        }
        conformance::options(&stdout::SPEC, &json!({"encoding": {"codec": "text"}}));
    }
}
