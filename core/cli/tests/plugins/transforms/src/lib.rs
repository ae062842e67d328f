//! The built-in transforms as a shared library: what is built in and what is loaded are the same code.

lograil_plugin::export_plugin! {
    name: "built-in-transforms",
    version: "1.0.0",
    components: lograil_transforms::SPECS,
}
