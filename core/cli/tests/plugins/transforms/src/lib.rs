//! The built-in transforms as a shared library: what is built in and what is loaded are the same code.

use lograil_transforms::{dedupe, filter, parse, route};

lograil_plugin::export_plugin! {
    name: "built-in-transforms",
    version: "1.0.0",
    components: [dedupe::SPEC, filter::SPEC, parse::SPEC, route::SPEC],
}
