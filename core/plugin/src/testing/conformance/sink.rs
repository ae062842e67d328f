//! Laws of a sink.

use std::path::Path;
use std::sync::Arc;

use crate::{Build, ComponentSpec, Delivery, FileSystem, Options, Sink};
use lograil_event::Batch;
use serde_json::Value;

use super::corpus::corpus;
use crate::testing::harness::SinkHarness;

/// Options and build; any batch is delivered or its events rejected with a reason, without a panic; an
/// empty batch is nothing; a commit without a write does not change the state; a sink that was closed can be
/// opened again from its state.
pub fn sink(
    spec: &ComponentSpec,
    options: &Value,
    files: &Arc<dyn FileSystem>,
    base_dir: impl AsRef<Path>,
) {
    super::options(spec, options);
    let start = |state| {
        SinkHarness::new(build(spec, options))
            .with_files(Arc::clone(files))
            .with_base_dir(base_dir.as_ref())
            .with_state(state)
            .opened()
    };
    close(spec, start(None));
    let mut harness = start(None);
    let empty = write(spec, &mut harness, &Batch::new());
    assert_eq!(empty, Delivery::default(), "{spec:?}: an empty batch is nothing");
    for (name, batch) in corpus(options) {
        eprintln!("{spec:?}: {name}");
        let delivery = write(spec, &mut harness, &batch);
        let mut rejected = delivery.rejected.iter().map(|rejection| rejection.event);
        assert!(rejected.clone().is_sorted_by(|a, b| a < b), "{spec:?}: rejections are in order");
        assert!(rejected.all(|event| event < batch.len()), "{spec:?}: rejected events exist");
        let mut reasons = delivery.rejected.iter().map(|rejection| &rejection.reason);
        assert!(reasons.all(|reason| !reason.is_empty()), "{spec:?}: a rejection has a reason");
    }
    commit(spec, &mut harness);
    let state = harness.state();
    commit(spec, &mut harness);
    assert_eq!(harness.state(), state, "{spec:?}: a commit without a write changes no state");
    close(spec, harness);
    let mut harness = start(state);
    write(spec, &mut harness, &crate::testing::batches::batch_of_lines(&["again"]));
    close(spec, harness);
}

fn build(spec: &ComponentSpec, options: &Value) -> Box<dyn Sink> {
    let Build::Sink(build) = spec.build else { panic!("{spec:?} is no sink") };
    build(&Options(options.clone())).unwrap_or_else(|errors| panic!("{spec:?}: {errors:?}"))
}

fn write(spec: &ComponentSpec, harness: &mut SinkHarness, batch: &Batch) -> Delivery {
    harness.write(batch).unwrap_or_else(|error| panic!("{spec:?}: write a batch: {error}"))
}

fn commit(spec: &ComponentSpec, harness: &mut SinkHarness) {
    harness.commit().unwrap_or_else(|error| panic!("{spec:?}: commit: {error}"));
}

fn close(spec: &ComponentSpec, harness: SinkHarness) {
    harness.close().unwrap_or_else(|error| panic!("{spec:?}: close: {error}"));
}
