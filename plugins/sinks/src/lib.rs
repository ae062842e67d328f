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
    use super::SPECS;

    #[test]
    fn every_manual_names_every_option() {
        for spec in SPECS {
            let schema = (spec.schema)();
            let options = schema["properties"].as_object().cloned().unwrap_or_default();
            for option in options.keys() {
                let documented = spec.manual.contains(&format!("| `{option}` |"))
                    || spec.manual.contains(&format!("| `{option}."));
                assert!(documented, "{}: {option}", spec.name);
            }
            assert!(spec.manual.contains(&format!("type = \"{}\"", spec.name)), "{}", spec.name);
        }
    }

    #[test]
    fn null_takes_everything() {
        let lograil_plugin::Build::Sink(build) = crate::null::SPEC.build else { panic!("a sink") };
        let sink = build(&lograil_plugin::Options(serde_json::json!({}))).unwrap();
        let mut sink = lograil_testkit::SinkHarness::new(sink).opened();
        assert_eq!(sink.write_lines(&["one"]).unwrap(), lograil_plugin::Delivery::default());
        assert_eq!(sink.state(), None);
        sink.close().unwrap();
        assert!(build(&lograil_plugin::Options(serde_json::json!({"print": 1}))).is_err());
    }
}
