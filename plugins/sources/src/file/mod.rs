//! The `file` source: follows files, through rotation, truncation and restarts, without losing a line.
//!
//! **Invariant:** files and time are reached through the context only; what is remembered of a file between
//! two looks is an offset and a few hashes, never its text.

mod family;
mod fingerprint;
mod globs;
mod meters;
mod open;
mod options;
mod packed;
mod position;
mod reader;
mod replay;
mod tracked;
mod tracker;
mod turn;
mod wake;

#[cfg(test)]
mod tests;

use std::path::Path;

pub use options::{FileOptions, ReadFrom};

use lograil_plugin::spec::{no_claims, no_ports, schema_of};
use lograil_plugin::{
    BoxFuture, Build, ComponentSpec, ConfigErrors, Options, Source, SourceContext, SourceError,
    SourceStart, Threading,
};

use options::Checked;
use reader::Reader;

/// The `file` source.
pub const SPEC: ComponentSpec = ComponentSpec {
    name: "file",
    summary: "Reads lines from files and follows them through rotation, truncation and restarts.",
    manual: include_str!("README.md"),
    schema: schema_of::<FileOptions>,
    ports: no_ports,
    claims: no_claims,
    threading: Threading::Blocking,
    build: Build::Source(&build),
};

fn build(options: &Options) -> Result<Box<dyn Source>, ConfigErrors> {
    Ok(Box::new(FileSource(Checked::new(options)?)))
}

struct FileSource(Checked);

impl Source for FileSource {
    fn run(self: Box<Self>, context: SourceContext) -> BoxFuture<'static, Result<(), SourceError>> {
        Box::pin(Reader::new(self.0, context).run())
    }

    fn replays(&self) -> bool {
        true
    }

    fn can_replay(&self, start: &SourceStart) -> Result<(), String> {
        replay::all_is_there(&self.0.globs, start)
    }

    fn reads_file(&self, path: &Path) -> bool {
        self.0.globs.mean(path)
    }
}
