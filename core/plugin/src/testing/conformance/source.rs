//! Laws of a source.

use std::sync::Arc;

use crate::{Build, ComponentSpec, FileSystem, Options, Source};
use serde_json::Value;

use crate::testing::harness::{SourceHarness, SourceHarnessBuilder};

/// Options and build; a source stops when it is asked to, before its first send, after some, and while the
/// edges are full once they are free again; it also ends when nobody takes its batches any more; what it
/// sends is valid.
pub fn source(spec: &ComponentSpec, options: &Value, files: &Arc<dyn FileSystem>) {
    super::options(spec, options);
    let start = || builder(spec, options).files(Arc::clone(files));

    let mut harness = start().start();
    ended(spec, "as soon as it starts", harness.stop());

    let mut harness = start().start();
    harness.settle();
    harness.clock().advance(std::time::Duration::from_secs(1));
    ended(spec, "while it runs", harness.stop());
    for sent in harness.sent() {
        super::assert_valid(&sent.batch);
    }

    let mut harness = start().held().start();
    harness.settle();
    harness.request_stop();
    harness.settle();
    harness.release();
    ended(spec, "after the edges were full", harness.finish());

    let mut harness = start().start();
    harness.close();
    harness.advance(std::time::Duration::from_secs(1));
    // How it calls that is its own affair; it must end.
    let _ended = harness.stop();
}

fn builder(spec: &ComponentSpec, options: &Value) -> SourceHarnessBuilder {
    let Build::Source(build) = spec.build else { panic!("{spec:?} is no source") };
    let source: Box<dyn Source> =
        build(&Options(options.clone())).unwrap_or_else(|errors| panic!("{spec:?}: {errors:?}"));
    SourceHarness::builder(source)
}

fn ended(spec: &ComponentSpec, when: &str, result: Result<(), String>) {
    if let Err(error) = result {
        panic!("{spec:?}: a source stops {when}: {error}");
    }
}
