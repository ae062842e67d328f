//! The built-in transforms as a shared library: what is built in and what is loaded are the same code.

#![expect(clippy::not_unsafe_ptr_arg_deref, reason = "the host vouches for the pointers it gives")]

lograil_plugin::export_plugin! {
    name: "built-in-transforms",
    version: "1.0.0",
    components: lograil_transforms::SPECS,
}
