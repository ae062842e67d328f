//! Shared libraries of components: what [`crate::export_plugin!`] needs, on the plugin's side of the C
//! interface (`core/abi`).
//!
//! A component is written against the same traits whether it is built in or loaded; this module turns its
//! [`ComponentSpec`](crate::ComponentSpec) into the tables of the interface, and calls into method calls.
//! Panics end here and become errors.
//!
//! **Invariant:** the only code of this crate that knows the C interface.

mod batch;
mod call;
mod export;
mod log;
pub mod manifest;
mod metrics;
mod sink;
mod source;
mod transform;

pub use export::{Tables, enter};
pub use lograil_abi as abi;

/// Makes a shared library (`crate-type = ["cdylib"]`) of component types.
///
/// ```
/// # use lograil_plugin::{Build, ComponentSpec, Outputs, Threading, Transform, spec};
/// # struct Pass;
/// # impl Transform for Pass {
/// #     fn process(&mut self, batch: lograil_event::Batch, out: &mut Outputs) { out.emit(batch); }
/// # }
/// # const SPEC: ComponentSpec = ComponentSpec {
/// #     name: "acme.pass", summary: "Passes.", manual: "# pass", schema: || serde_json::json!({}),
/// #     ports: spec::no_ports, claims: spec::no_claims, threading: Threading::Async,
/// #     build: Build::Transform(&|_| Ok(Box::new(Pass))),
/// # };
/// lograil_plugin::export_plugin! {
///     name: "acme",
///     version: "1.0.0",
///     components: [SPEC],
/// }
/// ```
///
/// `components` may also be the name of a constant `&[ComponentSpec]`.
///
/// Names of components that others may write too begin with a name of yours and a dot: `acme.redact`.
#[macro_export]
macro_rules! export_plugin {
    (name: $name:expr, version: $version:expr, components: [$($spec:expr),+ $(,)?] $(,)?) => {
        $crate::export_plugin! { @all $name, $version, &[$($spec),+] }
    };
    (name: $name:expr, version: $version:expr, components: $specs:path $(,)?) => {
        $crate::export_plugin! { @all $name, $version, $specs }
    };
    (@all $name:expr, $version:expr, $specs:expr) => {
        const LOGRAIL_COMPONENTS: &[$crate::ComponentSpec] = $specs;
        const LOGRAIL_JSON_BYTES: usize =
            $crate::sdk::manifest::json_len($name, $version, LOGRAIL_COMPONENTS);

        #[used]
        #[unsafe(link_section = ".lograil")]
        static LOGRAIL_MANIFEST: $crate::sdk::manifest::Manifest<LOGRAIL_JSON_BYTES> =
            $crate::sdk::manifest::Manifest::new($name, $version, LOGRAIL_COMPONENTS);

        static LOGRAIL_TABLES: $crate::sdk::Tables = $crate::sdk::Tables::new();

        /// The one symbol of a plugin.
        #[unsafe(no_mangle)]
        pub extern "C" fn lograil_plugin_v1(
            host: *const $crate::sdk::abi::Host,
            error: *mut $crate::sdk::abi::Error,
        ) -> *const $crate::sdk::abi::Plugin {
            // SAFETY: whoever calls this is the host, by the rules of the interface.
            unsafe { $crate::sdk::enter(&LOGRAIL_TABLES, LOGRAIL_COMPONENTS, host, error) }
        }
    };
}
