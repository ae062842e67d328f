//! Transforms as the runtime calls them: a block's lines in, what they emit out.

use std::sync::Arc;

use bytes::Bytes;
use lograil_codec::lines::{self, LineOptions};
use lograil_event::{Batch, KeyTable};
use lograil_plugin::{Build, ComponentSpec, Options, Transform};
use serde_json::Value;

/// A block's lines, as a source hands them on; `keys` is the table of its last batch.
#[must_use]
pub fn batch_of(block: &Bytes, keys: Option<&Arc<KeyTable>>) -> Batch {
    let mut batch = keys.map_or_else(Batch::new, |keys| Batch::with_keys(Arc::clone(keys)));
    lines::split(&mut batch, block, None, LineOptions::new("message", 0));
    batch
}

/// The transform for the options; `None` if the spec is of no transform, or refuses them.
#[must_use]
pub fn build(spec: &ComponentSpec, options: Value) -> Option<Box<dyn Transform>> {
    let Build::Transform(build) = spec.build else { return None };
    build(&Options(options)).ok()
}
