//! Topology files in TOML, read into a resolved, typed and acyclic [`Plan`], with every mistake reported
//! at once and underlined where it was written.
//!
//! ```text
//! files + --set --> document --> interpolate --> merge --> schema --> graph --> build --> Plan
//! ```
//!
//! **Invariant:** knows no runtime and no component by name; what a component accepts comes from its
//! specification. Values of secrets and of environment variables never reach a diagnostic.

mod component;
mod diagnostic;
mod document;
mod feedback;
mod global;
mod graph;
mod holding;
mod interpolate;
mod json;
mod literal;
mod load;
mod plan;
mod render;
mod schema;
mod secret;
mod set;
mod suggest;
mod test_case;
mod text_file;
mod topology;

pub use diagnostic::{Diagnostic, Label, Level, SourceFile};
pub use global::{AdminOptions, BufferOptions, Global, PluginOptions};
pub use load::{LoadOptions, Loaded, PluginProblem, load, load_with_plugins};
pub use plan::{InputRef, Plan, PlannedComponent};
pub use render::render;
pub use test_case::{TestCase, TestInput, TestOutput};
pub use text_file::TextFile;
